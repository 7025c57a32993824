/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/guest_ring.h"

#include <string.h>

#include "support/check.h"

enum { FLAGS = 0, IDX = 1, RING = 2, USED_ELEMENT = 4, NO_DESC = UINT16_MAX };

/* A chain that is out. */
struct guest_ring_chain {
	void *cookie;
	uint16_t direct; /* descriptors of the ring's own table */
	uint64_t table;	 /* the indirect one, or GUEST_RAM_NONE */
	uint64_t table_len;
};

static uint16_t load(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static void store(uint16_t *p, uint16_t value)
{
	__atomic_store_n(p, value, __ATOMIC_SEQ_CST);
}

static uint16_t *used_event(const struct guest_ring *ring)
{
	return ring->avail + RING + ring->options.num;
}

static const uint16_t *avail_event(const struct guest_ring *ring)
{
	return ring->used + RING + (size_t)ring->options.num * USED_ELEMENT;
}

static uint64_t avail_size(const struct guest_ring *ring)
{
	return (RING + (uint64_t)ring->options.num + 1) * sizeof(uint16_t);
}

static uint64_t used_size(const struct guest_ring *ring)
{
	return (RING + (uint64_t)ring->options.num * USED_ELEMENT + 1) * sizeof(uint16_t);
}

void guest_ring_init(struct guest_ring *ring, struct guest_ram *ram,
		     const struct guest_ring_options *options)
{
	uint64_t desc_size = (uint64_t)options->num * sizeof(struct guest_desc);

	memset(ring, 0, sizeof(*ring));
	ring->ram = ram;
	ring->options = *options;
	ring->desc_addr = guest_ram_alloc_one(ram, desc_size, 16);
	ring->avail_addr = guest_ram_alloc_one(ram, avail_size(ring), 2);
	ring->used_addr = guest_ram_alloc_one(ram, used_size(ring), 4);
	ring->desc = guest_ram_host(ram, ring->desc_addr, desc_size);
	ring->avail = guest_ram_host(ram, ring->avail_addr, avail_size(ring));
	ring->used = guest_ram_host(ram, ring->used_addr, used_size(ring));
	ring->chains = calloc(options->num, sizeof(*ring->chains));
	CHECK(ring->chains);
	guest_ring_reset(ring);
}

void guest_ring_exit(struct guest_ring *ring)
{
	free(ring->chains);
	ring->chains = NULL;
}

void guest_ring_reset(struct guest_ring *ring)
{
	uint32_t num = ring->options.num;

	memset(ring->desc, 0, num * sizeof(*ring->desc));
	memset(ring->avail, 0, avail_size(ring));
	memset(ring->used, 0, used_size(ring));
	memset(ring->chains, 0, num * sizeof(*ring->chains));
	for (uint32_t i = 0; i < num; i++)
		ring->desc[i].next = (uint16_t)(i + 1);
	ring->first_free = 0;
	ring->free_count = (uint16_t)num;
	ring->avail_idx = 0;
	ring->kicked_idx = 0;
	ring->used_idx = 0;
}

struct virtiofs_virtqueue_config guest_ring_config(const struct guest_ring *ring)
{
	return (struct virtiofs_virtqueue_config){
		.size = sizeof(struct virtiofs_virtqueue_config),
		.desc = ring->desc_addr,
		.avail = ring->avail_addr,
		.used = ring->used_addr,
		.features = (uint64_t)ring->options.indirect << VIRTIOFS_F_INDIRECT_DESC |
			    (uint64_t)ring->options.event_idx << VIRTIOFS_F_EVENT_IDX,
		.num = ring->options.num,
	};
}

static struct guest_desc to_desc(const struct guest_buffer *buffer, uint16_t next, bool more)
{
	return (struct guest_desc){
		.addr = buffer->addr,
		.len = buffer->len,
		.flags = (uint16_t)((buffer->writable ? GUEST_DESC_WRITE : 0) |
				    (more ? GUEST_DESC_NEXT : 0)),
		.next = more ? next : 0,
	};
}

/* Write the indirect table of a chain; returns the descriptor that refers to it. */
static struct guest_desc make_table(struct guest_ring *ring, const struct guest_buffer *buffers,
				    uint32_t count, struct guest_ring_chain *chain)
{
	chain->table_len = (uint64_t)count * sizeof(struct guest_desc);
	chain->table = guest_ram_alloc(ring->ram, chain->table_len, 16);
	for (uint32_t i = 0; i < count; i++) {
		struct guest_desc desc = to_desc(&buffers[i], (uint16_t)(i + 1), i + 1 < count);

		guest_ram_write(ring->ram, chain->table + i * sizeof(desc), &desc, sizeof(desc));
	}
	return (struct guest_desc){
		.addr = chain->table,
		.len = (uint32_t)chain->table_len,
		.flags = GUEST_DESC_INDIRECT,
	};
}

bool guest_ring_add(struct guest_ring *ring, const struct guest_buffer *buffers, uint32_t count,
		    uint32_t direct, void *cookie)
{
	struct guest_ring_chain chain = { .cookie = cookie, .table = GUEST_RAM_NONE };
	uint16_t head = ring->first_free;
	uint16_t index = head;
	uint32_t slots;

	CHECK(count > 0 && cookie);
	if (direct > count || !ring->options.indirect)
		direct = count;
	slots = direct + (direct < count);
	if (slots > ring->free_count)
		return false;
	for (uint32_t i = 0; i < slots; i++) {
		struct guest_desc *desc = &ring->desc[index];
		uint16_t next = desc->next;

		if (i < direct)
			*desc = to_desc(&buffers[i], next, i + 1 < slots);
		else
			*desc = make_table(ring, &buffers[direct], count - direct, &chain);
		index = next;
	}
	chain.direct = (uint16_t)slots;
	ring->chains[head] = chain;
	ring->first_free = index;
	ring->free_count = (uint16_t)(ring->free_count - slots);
	guest_ring_expose(ring, head);
	return true;
}

void guest_ring_expose(struct guest_ring *ring, uint16_t head)
{
	uint16_t *entry = &ring->avail[RING + ring->avail_idx % ring->options.num];

	__atomic_store_n(entry, head, __ATOMIC_RELAXED);
	guest_ring_set_avail_idx(ring, (uint16_t)(ring->avail_idx + 1));
}

void guest_ring_set_avail_idx(struct guest_ring *ring, uint16_t idx)
{
	ring->avail_idx = idx;
	store(&ring->avail[IDX], idx);
}

bool guest_ring_must_kick(struct guest_ring *ring)
{
	uint16_t old = ring->kicked_idx;

	ring->kicked_idx = ring->avail_idx;
	if (!ring->options.event_idx)
		return !(load(&ring->used[FLAGS]) & 1);
	return (uint16_t)(ring->avail_idx - load(avail_event(ring)) - 1) <
	       (uint16_t)(ring->avail_idx - old);
}

uint16_t guest_ring_used_idx(const struct guest_ring *ring)
{
	return load(&ring->used[IDX]);
}

void guest_ring_used_at(const struct guest_ring *ring, uint16_t idx, uint32_t *id, uint32_t *len)
{
	size_t at = RING + (size_t)(idx % ring->options.num) * USED_ELEMENT;
	const uint32_t *element = (const void *)(ring->used + at);

	*id = __atomic_load_n(&element[0], __ATOMIC_RELAXED);
	*len = __atomic_load_n(&element[1], __ATOMIC_RELAXED);
}

void *guest_ring_take(struct guest_ring *ring, uint32_t *len)
{
	struct guest_ring_chain *chain;
	uint16_t last;
	uint32_t head;
	void *cookie;

	if (guest_ring_used_idx(ring) == ring->used_idx)
		return NULL;
	guest_ring_used_at(ring, ring->used_idx, &head, len);
	ring->used_idx++;
	CHECK(head < ring->options.num);
	chain = &ring->chains[head];
	cookie = chain->cookie;
	/* Given back twice, or never handed out? */
	CHECK(cookie);
	chain->cookie = NULL;
	if (chain->table != GUEST_RAM_NONE)
		guest_ram_free(ring->ram, chain->table, chain->table_len);
	last = (uint16_t)head;
	for (uint32_t i = 1; i < chain->direct; i++)
		last = ring->desc[last].next;
	ring->desc[last].next = ring->first_free;
	ring->first_free = (uint16_t)head;
	ring->free_count = (uint16_t)(ring->free_count + chain->direct);
	return cookie;
}

bool guest_ring_enable_signals(struct guest_ring *ring)
{
	if (ring->options.event_idx)
		store(used_event(ring), ring->used_idx);
	else
		store(&ring->avail[FLAGS], 0);
	return guest_ring_used_idx(ring) != ring->used_idx;
}

void guest_ring_disable_signals(struct guest_ring *ring)
{
	if (ring->options.event_idx)
		store(used_event(ring), (uint16_t)(ring->used_idx - 1));
	else
		store(&ring->avail[FLAGS], 1);
}
