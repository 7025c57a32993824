/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The split ring (virtio 1.2, 2.7).
 *
 * Where a store of ours must be seen before a load of ours (virtio's full
 * barrier), both are sequentially consistent: x86 and arm64 keep that order, and
 * unlike a fence it is understood by ThreadSanitizer.
 */
#include "virtio/ring.h"

#include <endian.h>
#include <errno.h>

enum {
	/* Areas in units of 16 bits: flags and idx come first in both rings. */
	FLAGS = 0,
	IDX = 1,
	RING = 2,
	USED_ELEMENT = 4, /* le32 id, le32 len */

	AVAIL_NO_INTERRUPT = 1, /* virtio 1.2, 2.7.6 */
	USED_NO_NOTIFY = 1,	/* virtio 1.2, 2.7.8 */
};

static inline uint16_t load_relaxed(const uint16_t *p)
{
	return le16toh(__atomic_load_n(p, __ATOMIC_RELAXED));
}

static inline uint16_t load_acquire(const uint16_t *p)
{
	return le16toh(__atomic_load_n(p, __ATOMIC_ACQUIRE));
}

static inline uint16_t load_ordered(const uint16_t *p)
{
	return le16toh(__atomic_load_n(p, __ATOMIC_SEQ_CST));
}

static inline void store_release(uint16_t *p, uint16_t value)
{
	__atomic_store_n(p, htole16(value), __ATOMIC_RELEASE);
}

static inline void store_ordered(uint16_t *p, uint16_t value)
{
	__atomic_store_n(p, htole16(value), __ATOMIC_SEQ_CST);
}

static bool has(const struct virtiofs_virtqueue_config *config, unsigned feature)
{
	return config->features >> feature & 1;
}

/* Behind each ring stands an event index, where that was negotiated. */
static size_t event_size(const struct virtiofs_virtqueue_config *config)
{
	return has(config, VIRTIOFS_F_EVENT_IDX) ? sizeof(uint16_t) : 0;
}

size_t vfi_split_desc_size(const struct virtiofs_virtqueue_config *config)
{
	return (size_t)config->num * VFI_DESC_SIZE;
}

size_t vfi_split_avail_size(const struct virtiofs_virtqueue_config *config)
{
	return (RING + (size_t)config->num) * sizeof(uint16_t) + event_size(config);
}

size_t vfi_split_used_size(const struct virtiofs_virtqueue_config *config)
{
	return (RING + (size_t)config->num * USED_ELEMENT) * sizeof(uint16_t) + event_size(config);
}

/* The driver's: signal when used entry number this is written. */
static inline const uint16_t *used_event(const struct virtiofs_virtqueue *vq)
{
	return vq->avail + RING + vq->num;
}

/* Ours: kick when available entry number this is written. */
static inline uint16_t *avail_event(const struct virtiofs_virtqueue *vq)
{
	return vq->used + RING + (size_t)vq->num * USED_ELEMENT;
}

void vfi_split_begin(struct virtiofs_virtqueue *vq)
{
	vq->indirect = has(&vq->config, VIRTIOFS_F_INDIRECT_DESC);
	vq->event_idx = has(&vq->config, VIRTIOFS_F_EVENT_IDX);
	vq->last_avail = vq->config.avail_base;
	vq->seen_avail = vq->last_avail;
	vq->used_idx = load_relaxed(&vq->used[IDX]);
	vq->unsignalled = 0;
	vq->ever_signalled = false;
	virtiofs_virtqueue_enable_kicks(vq);
}

static int break_ring(struct virtiofs_virtqueue *vq, const char *why)
{
	vq->broken = -EPROTO;
	vfi_vq_complain(vq, why);
	return -EPROTO;
}

int virtiofs_virtqueue_pop(struct virtiofs_virtqueue *vq, struct virtiofs_vq_chain **ret)
{
	struct vfi_vq_slot *slot;
	uint16_t head;

	if (!vfi_vq_ready(vq))
		return vq->broken ? -EPROTO : 0;
	if (vq->last_avail == vq->seen_avail) {
		uint16_t seen = load_acquire(&vq->avail[IDX]);

		if ((uint16_t)(seen - vq->last_avail) > vq->num)
			return break_ring(vq, "available index ahead by more than the ring");
		vq->seen_avail = seen;
		if (seen == vq->last_avail)
			return 0;
	}
	head = load_relaxed(&vq->avail[RING + (vq->last_avail & (vq->num - 1))]);
	if (head >= vq->num)
		return break_ring(vq, "head out of range");
	slot = vfi_vq_take_slot(vq);
	if (!slot)
		return 0;
	vq->last_avail++;
	vfi_vq_gather(vq, slot, head);
	*ret = &slot->chain;
	return 1;
}

void virtiofs_virtqueue_push(struct virtiofs_virtqueue *vq, struct virtiofs_vq_chain *chain,
			     uint32_t written)
{
	struct vfi_vq_slot *slot = (void *)chain;

	if (vfi_vq_ready(vq) && slot->epoch == vq->epoch) {
		size_t at = RING + (size_t)(vq->used_idx & (vq->num - 1)) * USED_ELEMENT;
		uint32_t *element = (void *)(vq->used + at);

		__atomic_store_n(&element[0], htole32(chain->head), __ATOMIC_RELAXED);
		__atomic_store_n(&element[1], htole32(written), __ATOMIC_RELAXED);
		store_release(&vq->used[IDX], ++vq->used_idx);
		vq->unsignalled++;
	}
	vfi_vq_free_slot(vq, slot);
}

bool virtiofs_virtqueue_should_signal(struct virtiofs_virtqueue *vq)
{
	uint16_t old = vq->signalled;
	uint32_t pushed = vq->unsignalled;
	bool first = !vq->ever_signalled;

	if (pushed == 0 || !vfi_vq_ready(vq))
		return false;
	vq->signalled = vq->used_idx;
	vq->unsignalled = 0;
	vq->ever_signalled = true;
	/* Once more, to order it before the load below. */
	store_ordered(&vq->used[IDX], vq->used_idx);
	if (!vq->event_idx)
		return !(load_ordered(&vq->avail[FLAGS]) & AVAIL_NO_INTERRUPT);
	/* Was entry number used_event among those pushed? A full turn holds every number. */
	return (uint16_t)(vq->used_idx - load_ordered(used_event(vq)) - 1) <
		       (uint16_t)(vq->used_idx - old) ||
	       first || pushed > UINT16_MAX;
}

bool virtiofs_virtqueue_enable_kicks(struct virtiofs_virtqueue *vq)
{
	if (!vfi_vq_ready(vq))
		return false;
	vq->kicks = true;
	if (vq->event_idx)
		store_ordered(avail_event(vq), vq->last_avail);
	else
		store_ordered(&vq->used[FLAGS], 0);
	/* Without a free slot there is no use in popping: the next push makes one. */
	return load_ordered(&vq->avail[IDX]) != vq->last_avail && vq->first_free != VFI_NO_SLOT;
}

void virtiofs_virtqueue_disable_kicks(struct virtiofs_virtqueue *vq)
{
	if (!vq->kicks || !vfi_vq_ready(vq))
		return;
	vq->kicks = false;
	/* An index just passed comes around again after 65535 entries. */
	if (vq->event_idx)
		store_release(avail_event(vq), (uint16_t)(vq->last_avail - 1));
	else
		store_release(&vq->used[FLAGS], USED_NO_NOTIFY);
}
