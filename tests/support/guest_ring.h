/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver's side of a split virtqueue (virtio 1.2, 2.7) in a fake guest's
 * memory. One thread at a time; the device may be on another.
 */
#ifndef TESTS_SUPPORT_GUEST_RING_H
#define TESTS_SUPPORT_GUEST_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <virtiofs/virtqueue.h>

#include "support/guest_ram.h"

/* Descriptor flags. */
#define GUEST_DESC_NEXT 1u
#define GUEST_DESC_WRITE 2u
#define GUEST_DESC_INDIRECT 4u

struct guest_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct guest_ring_options {
	uint32_t num;
	bool indirect;
	bool event_idx;
};

struct guest_ring {
	struct guest_ram *ram;
	struct guest_ring_options options;
	uint64_t desc_addr, avail_addr, used_addr;
	struct guest_desc *desc;
	uint16_t *avail; /* flags, idx, ring[num], used_event */
	uint16_t *used;	 /* flags, idx, ring[num] of two le32, avail_event */
	uint16_t free_count;
	uint16_t first_free;
	uint16_t avail_idx;		 /* of the last chain made available */
	uint16_t kicked_idx;		 /* at the last guest_ring_must_kick() */
	uint16_t used_idx;		 /* of the last chain taken back */
	struct guest_ring_chain *chains; /* by head */
};

void guest_ring_init(struct guest_ring *ring, struct guest_ram *ram,
		     const struct guest_ring_options *options);
void guest_ring_exit(struct guest_ring *ring);
/* Zero the ring, as a driver does that starts over; nothing is out. */
void guest_ring_reset(struct guest_ring *ring);
/* What the device is told of it, by guest addresses. */
struct virtiofs_virtqueue_config guest_ring_config(const struct guest_ring *ring);

struct guest_buffer {
	uint64_t addr;
	uint32_t len;
	bool writable;
};

/*
 * Make a chain available: in the ring's own table, in an indirect one, or begun
 * in the first and ended in the second: @direct is how many go into the ring's
 * (all, where it has no indirect ones).
 * Returns false: too few descriptors are free.
 */
bool guest_ring_add(struct guest_ring *ring, const struct guest_buffer *buffers, uint32_t count,
		    uint32_t direct, void *cookie);
/* Make a head available that the caller has built itself. */
void guest_ring_expose(struct guest_ring *ring, uint16_t head);
void guest_ring_set_avail_idx(struct guest_ring *ring, uint16_t idx);

/* Whether the device wants a kick for what was added since the last call. */
bool guest_ring_must_kick(struct guest_ring *ring);
/* Take one chain back: its cookie and used length; NULL: there is none. */
void *guest_ring_take(struct guest_ring *ring, uint32_t *len);
/* Raw: the used index, and an entry of the used ring. */
uint16_t guest_ring_used_idx(const struct guest_ring *ring);
void guest_ring_used_at(const struct guest_ring *ring, uint16_t idx, uint32_t *id, uint32_t *len);

/* Ask for a signal with the next used chain; true: there is one already. */
bool guest_ring_enable_signals(struct guest_ring *ring);
void guest_ring_disable_signals(struct guest_ring *ring);

#endif /* TESTS_SUPPORT_GUEST_RING_H */
