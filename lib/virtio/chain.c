/* SPDX-License-Identifier: BSD-2-Clause */
/* From a descriptor table that a guest may change at any time to iovecs that it cannot. */
#include "virtio/ring.h"

#include <endian.h>
#include <string.h>

enum {
	DESC_NEXT = 1, /* virtio 1.2, 2.7.5 */
	DESC_WRITE = 2,
	DESC_INDIRECT = 4,
	/* What the 16 bits of next can reach, less the sign: the largest ring there is. */
	INDIRECT_ENTRIES_MAX = 32768,
};

/* A descriptor, copied out. */
struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

/* A descriptor table: the ring's own, or an indirect one. */
struct table {
	const unsigned char *host; /* NULL: not in one piece, read through addr */
	uint64_t addr;
	uint32_t count;
	bool indirect;
};

/* Guest memory: any alignment, and read exactly as often as written down here. */
typedef volatile uint64_t guest_u64 __attribute__((aligned(1), may_alias));

static inline struct desc load_desc(const void *from)
{
	const guest_u64 *words = from;
	uint64_t addr = le64toh(words[0]);
	uint64_t rest = le64toh(words[1]);

	return (struct desc){
		.addr = addr,
		.len = (uint32_t)rest,
		.flags = (uint16_t)(rest >> 32),
		.next = (uint16_t)(rest >> 48),
	};
}

static bool copy_from_guest(const struct virtiofs_mem_map *map, uint64_t addr,
			    unsigned char buf[VFI_DESC_SIZE])
{
	struct iovec pieces[VFI_DESC_SIZE];
	int count = virtiofs_mem_translate(map, addr, VFI_DESC_SIZE, pieces, NULL, VFI_DESC_SIZE);

	for (int i = 0; i < count; i++) {
		memcpy(buf, pieces[i].iov_base, pieces[i].iov_len);
		buf += pieces[i].iov_len;
	}
	return count > 0;
}

static inline bool read_desc(const struct virtiofs_mem_map *map, const struct table *table,
			     uint32_t index, struct desc *desc)
{
	size_t offset = (size_t)index * VFI_DESC_SIZE;
	unsigned char buf[VFI_DESC_SIZE];

	if (__builtin_expect(table->host != NULL, 1)) {
		*desc = load_desc(table->host + offset);
		return true;
	}
	if (!copy_from_guest(map, table->addr + offset, buf))
		return false;
	*desc = load_desc(buf);
	return true;
}

/* Whether every byte lies in some region. */
static bool covered(const struct virtiofs_mem_map *map, uint64_t addr, uint64_t len)
{
	while (len != 0) {
		const struct vfi_mem_range *range = vfi_mem_find(map, addr);
		uint64_t piece;

		if (!range)
			return false;
		piece = vfi_min_u64(len, range->len - (addr - range->start));
		len -= piece;
		if (__builtin_add_overflow(addr, piece, &addr) && len != 0)
			return false;
	}
	return true;
}

static bool open_indirect(const struct virtiofs_mem_map *map, const struct desc *desc,
			  struct table *table)
{
	if (desc->len == 0 || desc->len % VFI_DESC_SIZE != 0 ||
	    desc->len / VFI_DESC_SIZE > INDIRECT_ENTRIES_MAX)
		return false;
	table->indirect = true;
	table->addr = desc->addr;
	table->count = desc->len / VFI_DESC_SIZE;
	table->host = virtiofs_mem_translate_one(map, desc->addr, desc->len);
	return table->host || covered(map, desc->addr, desc->len);
}

static void note_region(struct vfi_vq_slot *slot, struct virtiofs_region *region)
{
	for (unsigned i = 0; i < slot->region_count; i++) {
		if (slot->regions[i] == region)
			return;
	}
	if (slot->region_count < VFI_SLOT_REGIONS)
		slot->regions[slot->region_count++] = region;
	else
		slot->all_regions = true;
}

/* Being filled: where in the slot, and the range its last buffer lay in. */
struct gathering {
	struct virtiofs_virtqueue *vq;
	struct vfi_vq_slot *slot;
	const struct vfi_mem_range *range; /* noted in the slot; NULL at first */
	uint32_t count;			   /* iovecs in all */
	uint32_t readable_count;	   /* of those, once a writable one was seen */
	bool writable;
};

/* The range of an address that the one before does not hold. */
static const struct vfi_mem_range *find_range(struct gathering *g, uint64_t addr)
{
	const struct vfi_mem_range *range = g->vq->range;

	if (!range || addr - range->start >= range->len) {
		range = vfi_mem_find(g->vq->map, addr);
		if (!range)
			return NULL;
		g->vq->range = range;
	}
	g->range = range;
	note_region(g->slot, range->region);
	return range;
}

static bool add_piece(struct gathering *g, unsigned char *host, size_t len)
{
	uint32_t first = g->writable ? g->readable_count : 0;
	struct iovec *last = &g->slot->iov[g->count];

	if (g->count > first && (unsigned char *)last[-1].iov_base + last[-1].iov_len == host) {
		last[-1].iov_len += len;
		return true;
	}
	if (g->count == g->vq->max_segments)
		return false;
	last->iov_base = host;
	last->iov_len = len;
	g->count++;
	return true;
}

static bool add_buffer(struct gathering *g, const struct desc *desc)
{
	uint64_t addr = desc->addr;
	uint64_t len = desc->len;

	if (desc->flags & DESC_WRITE) {
		if (!g->writable)
			g->readable_count = g->count;
		g->writable = true;
	} else if (g->writable) {
		return false;
	}
	/* An empty buffer is no use, but no harm either; its address counts for nothing. */
	if (len == 0)
		return true;
	if (len - 1 > UINT64_MAX - addr)
		return false;
	while (len != 0) {
		const struct vfi_mem_range *range = g->range;
		uint64_t offset, piece;

		if (!range || addr - range->start >= range->len) {
			range = find_range(g, addr);
			if (!range)
				return false;
		}
		offset = addr - range->start;
		piece = vfi_min_u64(len, range->len - offset);
		if (!add_piece(g, range->host + offset, (size_t)piece))
			return false;
		addr += piece;
		len -= piece;
	}
	return true;
}

/*
 * The loop is bounded: a table cannot be left in more steps than it has entries
 * (more are a loop), and an indirect one is entered once.
 */
static bool gather(struct gathering *g, uint16_t head)
{
	struct virtiofs_virtqueue *vq = g->vq;
	struct table table = { .host = vq->desc, .count = vq->num };
	uint32_t index = head;
	uint32_t steps = 0;

	for (;;) {
		struct desc desc;

		if (index >= table.count || steps++ == table.count ||
		    !read_desc(vq->map, &table, index, &desc))
			return false;
		if (desc.flags & DESC_INDIRECT) {
			/* DESC_WRITE says nothing here (virtio 1.2, 2.7.5.3.2). */
			if (table.indirect || !vq->indirect || (desc.flags & DESC_NEXT) ||
			    !open_indirect(vq->map, &desc, &table))
				return false;
			index = 0;
			steps = 0;
			continue;
		}
		if (!add_buffer(g, &desc))
			return false;
		if (!(desc.flags & DESC_NEXT))
			return true;
		index = desc.next;
	}
}

void vfi_vq_gather(struct virtiofs_virtqueue *vq, struct vfi_vq_slot *slot, uint16_t head)
{
	struct gathering g = { .vq = vq, .slot = slot };
	struct virtiofs_vq_chain *chain = &slot->chain;

	slot->region_count = 0;
	slot->all_regions = false;
	chain->malformed = !gather(&g, head);
	chain->head = head;
	if (!g.writable)
		g.readable_count = g.count;
	chain->readable = slot->iov;
	chain->readable_count = g.readable_count;
	chain->writable = slot->iov + g.readable_count;
	chain->writable_count = g.count - g.readable_count;
	if (chain->malformed)
		vfi_vq_complain(vq, "malformed descriptor chain");
}
