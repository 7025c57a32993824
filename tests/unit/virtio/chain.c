/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptor chains, well-formed and not: what comes out of pop. */
#include "vq_fixture.h"

#include <string.h>

enum {
	NEXT = GUEST_DESC_NEXT,
	WRITE = GUEST_DESC_WRITE,
	INDIRECT = GUEST_DESC_INDIRECT,
	DESC = sizeof(struct guest_desc),
	PAGE = 4096,
};

#define HOLE UINT64_C(0x80000000) /* no region there */

static void put_table(struct vq_fixture *f, uint64_t addr, const struct guest_desc *descs,
		      unsigned count)
{
	guest_ram_write(f->ram, addr, descs, (uint64_t)count * DESC);
}

/* Pop a chain that must be malformed, and give it back: the ring goes on. */
static void assert_malformed(struct vq_fixture *f, uint16_t head, uint32_t readable,
			     uint32_t writable)
{
	struct virtiofs_vq_chain *chain = vq_expose_and_pop(f, head);
	uint16_t used = guest_ring_used_idx(&f->ring);
	uint32_t id, len;

	assert_true(chain->malformed);
	assert_int_equal(chain->head, head);
	assert_int_equal(chain->readable_count, readable);
	assert_int_equal(chain->writable_count, writable);
	virtiofs_virtqueue_push(f->vq, chain, 0);
	assert_int_equal(guest_ring_used_idx(&f->ring), (uint16_t)(used + 1));
	guest_ring_used_at(&f->ring, used, &id, &len);
	assert_int_equal(id, head);
	assert_int_equal(len, 0);
	/* The next one is served as if nothing had been. */
	vq_desc(f, 7, f->page, 5, 0, 0);
	chain = vq_expose_and_pop(f, 7);
	assert_false(chain->malformed);
	assert_int_equal(chain->readable_count, 1);
	vq_assert_iov(f, chain->readable, f->page, 5);
	virtiofs_virtqueue_push(f->vq, chain, 0);
}

static void direct_chain_splits_where_its_flags_say(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_vq_chain *chain;

	/* Not in order, and with gaps in memory, so that nothing merges. */
	vq_desc(f, 3, f->page, 40, NEXT, 0);
	vq_desc(f, 0, f->page + 100, 8, NEXT, 5);
	vq_desc(f, 5, f->page + 200, 16, NEXT | WRITE, 2);
	vq_desc(f, 2, f->page + 300, 128, WRITE, 6);
	chain = vq_expose_and_pop(f, 3);
	assert_false(chain->malformed);
	assert_int_equal(chain->head, 3);
	assert_int_equal(chain->readable_count, 2);
	assert_int_equal(chain->writable_count, 2);
	vq_assert_iov(f, &chain->readable[0], f->page, 40);
	vq_assert_iov(f, &chain->readable[1], f->page + 100, 8);
	vq_assert_iov(f, &chain->writable[0], f->page + 200, 16);
	vq_assert_iov(f, &chain->writable[1], f->page + 300, 128);
	virtiofs_virtqueue_push(f->vq, chain, 16);
}

static void chain_of_readable_or_writable_alone(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_vq_chain *chain;

	vq_desc(f, 0, f->page, 48, 0, 0);
	chain = vq_expose_and_pop(f, 0);
	assert_int_equal(chain->readable_count, 1);
	assert_int_equal(chain->writable_count, 0);
	virtiofs_virtqueue_push(f->vq, chain, 0);
	vq_desc(f, 1, f->page, 48, WRITE, 0);
	chain = vq_expose_and_pop(f, 1);
	assert_int_equal(chain->readable_count, 0);
	assert_int_equal(chain->writable_count, 1);
	virtiofs_virtqueue_push(f->vq, chain, 0);
}

static void indirect_table_is_a_chain_of_its_own(void **state)
{
	struct vq_fixture *f = *state;
	uint64_t table = guest_ram_alloc(f->ram, 4 * DESC, 16);
	const struct guest_desc descs[] = {
		{ f->page, 40, NEXT, 2 },
		{ f->page + 300, 16, WRITE, 0 },
		{ f->page + 100, 24, NEXT, 1 },
		{ HOLE, 1, INDIRECT, 99 }, /* not in the chain: nobody looks at it */
	};
	struct virtiofs_vq_chain *chain;

	put_table(f, table, descs, 4);
	/* WRITE on the one that refers to a table means nothing. */
	vq_desc(f, 6, table, sizeof(descs), INDIRECT | WRITE, 0);
	chain = vq_expose_and_pop(f, 6);
	assert_false(chain->malformed);
	assert_int_equal(chain->readable_count, 2);
	assert_int_equal(chain->writable_count, 1);
	vq_assert_iov(f, &chain->readable[0], f->page, 40);
	vq_assert_iov(f, &chain->readable[1], f->page + 100, 24);
	vq_assert_iov(f, &chain->writable[0], f->page + 300, 16);
	virtiofs_virtqueue_push(f->vq, chain, 16);
}

static void chain_may_begin_direct_and_end_indirect(void **state)
{
	struct vq_fixture *f = *state;
	uint64_t table = guest_ram_alloc(f->ram, 2 * DESC, 16);
	const struct guest_desc descs[] = {
		{ f->page + 100, 24, NEXT, 1 },
		{ f->page + 300, 16, WRITE, 0 },
	};
	struct virtiofs_vq_chain *chain;

	put_table(f, table, descs, 2);
	vq_desc(f, 0, f->page, 40, NEXT, 1);
	vq_desc(f, 1, table, sizeof(descs), INDIRECT, 0);
	chain = vq_expose_and_pop(f, 0);
	assert_false(chain->malformed);
	assert_int_equal(chain->readable_count, 2);
	assert_int_equal(chain->writable_count, 1);
	virtiofs_virtqueue_push(f->vq, chain, 16);
}

static void neighbours_in_memory_become_one_iovec(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_vq_chain *chain;

	vq_desc(f, 0, f->page, 40, NEXT, 1);
	vq_desc(f, 1, f->page + 40, 60, NEXT, 2);
	/* A neighbour too, but of the other direction. */
	vq_desc(f, 2, f->page + 100, 16, NEXT | WRITE, 3);
	vq_desc(f, 3, f->page + 116, 4, WRITE, 0);
	chain = vq_expose_and_pop(f, 0);
	assert_int_equal(chain->readable_count, 1);
	assert_int_equal(chain->writable_count, 1);
	vq_assert_iov(f, chain->readable, f->page, 100);
	vq_assert_iov(f, chain->writable, f->page + 100, 20);
	virtiofs_virtqueue_push(f->vq, chain, 0);
}

static void empty_descriptors_are_skipped_wherever_they_point(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_vq_chain *chain;

	vq_desc(f, 0, HOLE, 0, NEXT, 1);
	vq_desc(f, 1, f->page, 10, NEXT, 2);
	vq_desc(f, 2, UINT64_MAX, 0, NEXT | WRITE, 3);
	vq_desc(f, 3, f->page + 50, 10, NEXT | WRITE, 4);
	vq_desc(f, 4, 0, 0, WRITE, 0);
	chain = vq_expose_and_pop(f, 0);
	assert_false(chain->malformed);
	assert_int_equal(chain->readable_count, 1);
	assert_int_equal(chain->writable_count, 1);
	virtiofs_virtqueue_push(f->vq, chain, 0);
	vq_desc(f, 0, f->page, 0, 0, 0);
	chain = vq_expose_and_pop(f, 0);
	assert_false(chain->malformed);
	assert_int_equal(chain->readable_count + chain->writable_count, 0);
	virtiofs_virtqueue_push(f->vq, chain, 0);
}

static void buffer_over_the_seam_of_two_regions_comes_in_pieces(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_vq_chain *chain;

	vq_desc(f, 0, GUEST_RAM_SEAM - 10, 30, WRITE, 0);
	chain = vq_expose_and_pop(f, 0);
	assert_false(chain->malformed);
	assert_int_equal(chain->writable_count, 2);
	vq_assert_iov(f, &chain->writable[0], GUEST_RAM_SEAM - 10, 10);
	vq_assert_iov(f, &chain->writable[1], GUEST_RAM_SEAM, 20);
	virtiofs_virtqueue_push(f->vq, chain, 0);
}

static void indirect_table_over_the_seam_is_read_all_the_same(void **state)
{
	struct vq_fixture *f = *state;
	/* The seam cuts the second descriptor in two. */
	uint64_t table = GUEST_RAM_SEAM - DESC - 7;
	const struct guest_desc descs[] = {
		{ f->page, 40, NEXT, 1 },
		{ f->page + 100, 16, NEXT | WRITE, 2 },
		{ f->page + 200, 64, WRITE, 0 },
	};
	struct virtiofs_vq_chain *chain;

	put_table(f, table, descs, 3);
	vq_desc(f, 0, table, sizeof(descs), INDIRECT, 0);
	chain = vq_expose_and_pop(f, 0);
	assert_false(chain->malformed);
	assert_int_equal(chain->readable_count, 1);
	assert_int_equal(chain->writable_count, 2);
	vq_assert_iov(f, &chain->writable[0], f->page + 100, 16);
	vq_assert_iov(f, &chain->writable[1], f->page + 200, 64);
	virtiofs_virtqueue_push(f->vq, chain, 0);
}

static void indirect_table_that_ends_in_a_hole_is_malformed(void **state)
{
	struct vq_fixture *f = *state;
	const struct guest_ram_region *low = &guest_ram_regions(f->ram)[1];
	uint64_t end = low->guest_addr + low->len;
	const struct guest_desc desc = { f->page, 40, 0, 0 };

	put_table(f, end - DESC, &desc, 1);
	vq_desc(f, 0, end - DESC, 2 * DESC, INDIRECT, 0);
	assert_malformed(f, 0, 0, 0);
	vq_desc(f, 0, HOLE, DESC, INDIRECT, 0);
	assert_malformed(f, 0, 0, 0);
	vq_desc(f, 0, UINT64_MAX - DESC + 1, 2 * DESC, INDIRECT, 0);
	assert_malformed(f, 0, 0, 0);
}

static void indirect_table_of_impossible_length_is_malformed(void **state)
{
	struct vq_fixture *f = *state;
	uint64_t table = guest_ram_alloc(f->ram, 4 * DESC, 16);
	const struct guest_desc desc = { f->page, 40, 0, 0 };
	static const uint32_t lengths[] = { 0, 1, 15, 17, 31, 32768 * DESC + DESC, 0xfffffff0 };

	put_table(f, table, &desc, 1);
	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		vq_desc(f, 0, table, lengths[i], INDIRECT, 0);
		assert_malformed(f, 0, 0, 0);
	}
}

static void largest_indirect_table_is_walked_to_its_end(void **state)
{
	enum { ENTRIES = 32768 };
	struct vq_fixture *f = *state;
	uint64_t table = guest_ram_alloc_one(f->ram, ENTRIES * DESC, 16);
	struct guest_desc *descs = guest_ram_host(f->ram, table, ENTRIES * DESC);
	struct virtiofs_vq_chain *chain;

	/* The same byte pair over and over would not merge; empty ones cost no iovec. */
	for (unsigned i = 0; i < ENTRIES; i++)
		descs[i] = (struct guest_desc){ f->page, 0, NEXT, (uint16_t)(i + 1) };
	descs[ENTRIES - 1] = (struct guest_desc){ f->page, 7, WRITE, 0 };
	vq_desc(f, 0, table, ENTRIES * DESC, INDIRECT, 0);
	chain = vq_expose_and_pop(f, 0);
	assert_false(chain->malformed);
	assert_int_equal(chain->writable_count, 1);
	virtiofs_virtqueue_push(f->vq, chain, 0);
	/* And one that never ends. */
	descs[ENTRIES - 1] = (struct guest_desc){ f->page, 7, NEXT, 0 };
	assert_malformed(f, 0, 1, 0);
}

static void indirect_inside_indirect_is_malformed(void **state)
{
	struct vq_fixture *f = *state;
	uint64_t table = guest_ram_alloc(f->ram, 2 * DESC, 16);
	const struct guest_desc descs[] = {
		{ f->page, 40, NEXT, 1 },
		{ table, 2 * DESC, INDIRECT, 0 },
	};

	put_table(f, table, descs, 2);
	vq_desc(f, 0, table, sizeof(descs), INDIRECT, 0);
	assert_malformed(f, 0, 1, 0);
}

static void indirect_with_next_is_malformed(void **state)
{
	struct vq_fixture *f = *state;
	uint64_t table = guest_ram_alloc(f->ram, DESC, 16);
	const struct guest_desc desc = { f->page, 40, 0, 0 };

	put_table(f, table, &desc, 1);
	vq_desc(f, 0, table, DESC, INDIRECT | NEXT, 1);
	vq_desc(f, 1, f->page, 1, WRITE, 0);
	assert_malformed(f, 0, 0, 0);
}

static void indirect_that_was_not_negotiated_is_malformed(void **state)
{
	struct vq_fixture *f = *state;
	uint64_t table = guest_ram_alloc(f->ram, DESC, 16);
	const struct guest_desc desc = { f->page, 40, 0, 0 };

	put_table(f, table, &desc, 1);
	vq_desc(f, 0, table, DESC, INDIRECT, 0);
	assert_malformed(f, 0, 0, 0);
}

static void loop_in_the_table_is_malformed(void **state)
{
	struct vq_fixture *f = *state;

	vq_desc(f, 0, f->page, 1, NEXT, 0);
	assert_malformed(f, 0, RING_SIZE, 0);
	vq_desc(f, 0, f->page, 0, NEXT, 1);
	vq_desc(f, 1, f->page, 0, NEXT | WRITE, 2);
	vq_desc(f, 2, f->page, 0, NEXT | WRITE, 1);
	assert_malformed(f, 0, 0, 0);
}

static void chain_as_long_as_the_ring_is_not_a_loop(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_vq_chain *chain;

	for (uint16_t i = 0; i < RING_SIZE; i++)
		vq_desc(f, i, f->page + 2ull * i, 1, i + 1 < RING_SIZE ? NEXT : 0,
			(uint16_t)(i + 1));
	chain = vq_expose_and_pop(f, 0);
	assert_false(chain->malformed);
	assert_int_equal(chain->readable_count, RING_SIZE);
	virtiofs_virtqueue_push(f->vq, chain, 0);
}

static void next_out_of_range_is_malformed(void **state)
{
	struct vq_fixture *f = *state;
	uint64_t table = guest_ram_alloc(f->ram, 2 * DESC, 16);
	struct guest_desc desc = { f->page, 40, NEXT, 1 };

	vq_desc(f, 0, f->page, 40, NEXT, RING_SIZE);
	assert_malformed(f, 0, 1, 0);
	vq_desc(f, 0, f->page, 40, NEXT, UINT16_MAX);
	assert_malformed(f, 0, 1, 0);
	/* In an indirect table the range is the table's, not the ring's. */
	put_table(f, table, &desc, 1);
	vq_desc(f, 0, table, DESC, INDIRECT, 0);
	assert_malformed(f, 0, 1, 0);
}

static void readable_behind_writable_is_malformed(void **state)
{
	struct vq_fixture *f = *state;

	vq_desc(f, 0, f->page, 40, NEXT, 1);
	vq_desc(f, 1, f->page + 50, 16, NEXT | WRITE, 2);
	vq_desc(f, 2, f->page + 100, 8, 0, 0);
	assert_malformed(f, 0, 1, 1);
}

static void buffer_outside_memory_is_malformed(void **state)
{
	struct vq_fixture *f = *state;
	const struct guest_ram_region *low = &guest_ram_regions(f->ram)[1];
	uint64_t end = low->guest_addr + low->len;

	vq_desc(f, 0, f->page, 40, NEXT, 1);
	vq_desc(f, 1, HOLE, 1, WRITE, 0);
	assert_malformed(f, 0, 1, 0);
	/* The part in memory is what came before. */
	vq_desc(f, 1, end - 8, 9, 0, 0);
	assert_malformed(f, 0, 2, 0);
	vq_desc(f, 1, GUEST_RAM_HIGH - 1, 2, 0, 0);
	assert_malformed(f, 0, 1, 0);
}

static void buffer_that_wraps_is_malformed(void **state)
{
	struct vq_fixture *f = *state;

	vq_desc(f, 0, UINT64_MAX, 2, 0, 0);
	assert_malformed(f, 0, 0, 0);
	vq_desc(f, 0, UINT64_MAX - 0x1000, UINT32_MAX, WRITE, 0);
	assert_malformed(f, 0, 0, 0);
}

static void buffer_that_wraps_from_the_last_region_to_the_first_is_malformed(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_region_desc descs[GUEST_RAM_REGIONS + 1];
	struct virtiofs_vq_chain *chain;

	for (unsigned i = 0; i < GUEST_RAM_REGIONS; i++) {
		const struct guest_ram_region *region = &guest_ram_regions(f->ram)[i];

		descs[i] = (struct virtiofs_region_desc){ .guest_addr = region->guest_addr,
							  .len = region->len,
							  .host = region->host };
	}
	descs[GUEST_RAM_REGIONS] = (struct virtiofs_region_desc){
		.guest_addr = UINT64_MAX - PAGE + 1,
		.len = PAGE,
		.host = guest_ram_host(f->ram, f->page, PAGE),
	};
	assert_int_equal(virtiofs_mem_publish(f->mem, descs, GUEST_RAM_REGIONS + 1), 0);
	/* Its last byte is there; the one behind would be that at address 0. */
	vq_desc(f, 0, UINT64_MAX, 1, 0, 0);
	chain = vq_expose_and_pop(f, 0);
	assert_false(chain->malformed);
	virtiofs_virtqueue_push(f->vq, chain, 0);
	vq_desc(f, 0, UINT64_MAX, 2, 0, 0);
	assert_malformed(f, 0, 0, 0);
	vq_desc(f, 0, UINT64_MAX - DESC + 1, 2 * DESC, INDIRECT, 0);
	assert_malformed(f, 0, 0, 0);
}

static void more_segments_than_allowed_are_malformed(void **state)
{
	struct vq_fixture *f = *state;
	uint64_t table = guest_ram_alloc(f->ram, (MAX_SEGMENTS + 1) * DESC, 16);
	struct guest_desc descs[MAX_SEGMENTS + 1];
	struct virtiofs_vq_chain *chain;

	for (unsigned i = 0; i <= MAX_SEGMENTS; i++)
		descs[i] = (struct guest_desc){ f->page + 2ull * i, 1, i < MAX_SEGMENTS ? NEXT : 0,
						(uint16_t)(i + 1) };
	put_table(f, table, descs, MAX_SEGMENTS + 1);
	vq_desc(f, 0, table, sizeof(descs), INDIRECT, 0);
	assert_malformed(f, 0, MAX_SEGMENTS, 0);
	/* As many as allowed are fine. */
	descs[MAX_SEGMENTS - 1].flags = 0;
	put_table(f, table, descs, MAX_SEGMENTS + 1);
	vq_desc(f, 0, table, sizeof(descs), INDIRECT, 0);
	chain = vq_expose_and_pop(f, 0);
	assert_false(chain->malformed);
	assert_int_equal(chain->readable_count, MAX_SEGMENTS);
	virtiofs_virtqueue_push(f->vq, chain, 0);
}

static void descriptors_changed_after_pop_change_nothing(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_vq_chain *chain;

	vq_desc(f, 0, f->page, 40, NEXT, 1);
	vq_desc(f, 1, f->page + 50, 16, WRITE, 0);
	chain = vq_expose_and_pop(f, 0);
	memset(f->ring.desc, 0xff, RING_SIZE * DESC);
	assert_int_equal(chain->readable_count, 1);
	vq_assert_iov(f, chain->readable, f->page, 40);
	vq_assert_iov(f, chain->writable, f->page + 50, 16);
	virtiofs_virtqueue_push(f->vq, chain, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VQ_TEST(direct_chain_splits_where_its_flags_say),
		VQ_TEST(chain_of_readable_or_writable_alone),
		VQ_TEST(indirect_table_is_a_chain_of_its_own),
		VQ_TEST(chain_may_begin_direct_and_end_indirect),
		VQ_TEST(neighbours_in_memory_become_one_iovec),
		VQ_TEST(empty_descriptors_are_skipped_wherever_they_point),
		VQ_TEST(buffer_over_the_seam_of_two_regions_comes_in_pieces),
		VQ_TEST(indirect_table_over_the_seam_is_read_all_the_same),
		VQ_TEST(indirect_table_that_ends_in_a_hole_is_malformed),
		VQ_TEST(indirect_table_of_impossible_length_is_malformed),
		VQ_TEST(largest_indirect_table_is_walked_to_its_end),
		VQ_TEST(indirect_inside_indirect_is_malformed),
		VQ_TEST(indirect_with_next_is_malformed),
		VQ_TEST_PLAIN(indirect_that_was_not_negotiated_is_malformed),
		VQ_TEST(loop_in_the_table_is_malformed),
		VQ_TEST(chain_as_long_as_the_ring_is_not_a_loop),
		VQ_TEST(next_out_of_range_is_malformed),
		VQ_TEST(readable_behind_writable_is_malformed),
		VQ_TEST(buffer_outside_memory_is_malformed),
		VQ_TEST(buffer_that_wraps_is_malformed),
		VQ_TEST(buffer_that_wraps_from_the_last_region_to_the_first_is_malformed),
		VQ_TEST(more_segments_than_allowed_are_malformed),
		VQ_TEST(descriptors_changed_after_pop_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
