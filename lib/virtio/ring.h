/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside a virtqueue: where the ring is, and the slots that chains come out in. */
#ifndef VFI_VIRTIO_RING_H
#define VFI_VIRTIO_RING_H

#include <virtiofs/virtqueue.h>

#include "base/memory.h"

enum {
	VFI_DESC_SIZE = 16, /* virtio 1.2, 2.7.5 */
	/* Regions a slot can name one by one; a chain that touches more holds them all. */
	VFI_SLOT_REGIONS = 8,
	VFI_NO_SLOT = UINT16_MAX,
};

/*
 * A chain that is out. The regions it touches are kept alive by the ring's map;
 * only when the ring leaves that map (a newer one, a stop) does a slot take
 * references of its own, so that in the steady state none is counted.
 */
struct vfi_vq_slot {
	struct virtiofs_vq_chain chain; /* first: its address is the slot's */
	struct iovec *iov;		/* max_segments; readable ones, then writable ones */
	uint32_t epoch;			/* which start it came out in */
	uint16_t index;
	uint16_t next_free;
	bool out;
	bool pinned;	  /* has references of its own */
	bool all_regions; /* touches more than regions[] can name */
	uint8_t region_count;
	struct virtiofs_region *regions[VFI_SLOT_REGIONS];
	struct virtiofs_mem_map *map; /* where pinned and all_regions: the map it came from */
};

struct virtiofs_virtqueue {
	/* What pop and push look at every time. */
	struct virtiofs_mem *mem;
	struct virtiofs_mem_map *map; /* a reference while started */
	uint64_t generation;	      /* map's */
	const unsigned char *desc;
	const uint16_t *avail; /* flags, idx, ring[num], used_event */
	uint16_t *used;	       /* flags, idx, ring[num] of 8 bytes, avail_event */
	/* Where the last address was found; of map, or NULL. */
	const struct vfi_mem_range *range;
	struct vfi_vq_slot *slots;
	uint32_t num;
	uint32_t max_segments;
	uint32_t epoch; /* counts starts */
	uint16_t last_avail;
	uint16_t seen_avail; /* the driver's index when it was last read */
	uint16_t used_idx;
	uint16_t first_free; /* slot, or VFI_NO_SLOT */
	bool started;
	bool indirect;
	bool event_idx;
	bool kicks; /* asked for */
	int broken; /* 0, -EPROTO, or -EFAULT: its memory is gone */

	uint32_t out;
	uint16_t signalled; /* used_idx at the last should_signal() */
	uint32_t unsignalled;
	bool ever_signalled;

	struct virtiofs_virtqueue_config config;
	uint32_t max_size;
	uint32_t max_chains;
	struct iovec *iov; /* of all slots */
	struct virtiofs_env env;
	struct vfi_ratelimit complaints;
};

/* Log what a guest did wrong. */
void vfi_vq_complain(struct virtiofs_virtqueue *vq, const char *what);

/* ---- chain.c ---- */

/*
 * Gather the chain that begins at descriptor @head, which is in range, into
 * @slot. Where it is malformed, what came before is there.
 */
void vfi_vq_gather(struct virtiofs_virtqueue *vq, struct vfi_vq_slot *slot, uint16_t head);

/* ---- virtqueue.c ---- */

/* Whether the ring can be used: started, on the newest map, and not broken. */
bool vfi_vq_ready(struct virtiofs_virtqueue *vq);
/* A free slot, or NULL. */
struct vfi_vq_slot *vfi_vq_take_slot(struct virtiofs_virtqueue *vq);
/* Drop what a slot holds, and the slot. */
void vfi_vq_free_slot(struct virtiofs_virtqueue *vq, struct vfi_vq_slot *slot);

/* ---- split.c ---- */

/* Bytes of the three areas. */
size_t vfi_split_desc_size(const struct virtiofs_virtqueue_config *config);
size_t vfi_split_avail_size(const struct virtiofs_virtqueue_config *config);
size_t vfi_split_used_size(const struct virtiofs_virtqueue_config *config);
/* Take the indexes up from the ring and the configuration. */
void vfi_split_begin(struct virtiofs_virtqueue *vq);

#endif /* VFI_VIRTIO_RING_H */
