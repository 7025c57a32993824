/* SPDX-License-Identifier: BSD-2-Clause */
/* The rings' indexes, notifications, start and stop, and maps that change. */
#include "vq_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int pop_result(struct vq_fixture *f)
{
	struct virtiofs_vq_chain *chain = NULL;
	int n = virtiofs_virtqueue_pop(f->vq, &chain);

	if (n != 1)
		assert_null(chain);
	return n;
}

static void serve_one(struct vq_fixture *f)
{
	virtiofs_virtqueue_push(f->vq, vq_pop(f), 0);
}

/* ---- create and start ---- */

static void options_out_of_range_are_refused(void **state)
{
	struct vq_fixture *f = *state;
	static const struct virtiofs_virtqueue_options bad[] = {
		{ sizeof(bad[0]), 3, 0, 0 },
		{ sizeof(bad[0]), 65536, 0, 0 },
		{ sizeof(bad[0]), 0, 65537, 0 },
		{ sizeof(bad[0]), 0, 0, 32769 },
		{ 3, 0, 0, 0 },
	};
	struct virtiofs_virtqueue *vq = NULL;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(virtiofs_virtqueue_create(&vq, NULL, f->mem, &bad[i]), -EINVAL);
	assert_null(vq);
	assert_int_equal(virtiofs_virtqueue_create(&vq, NULL, f->mem, NULL), 0);
	virtiofs_virtqueue_destroy(vq);
	virtiofs_virtqueue_destroy(NULL);
}

static void ring_in_an_impossible_place_is_not_started(void **state)
{
	struct vq_fixture *f = *state;
	const struct virtiofs_virtqueue_config good = guest_ring_config(&f->ring);
	struct virtiofs_virtqueue_config bad;

	assert_int_equal(virtiofs_virtqueue_start(f->vq, &good), -EBUSY);
	virtiofs_virtqueue_stop(f->vq);
	bad = good;
	bad.num = 0;
	assert_int_equal(virtiofs_virtqueue_start(f->vq, &bad), -EINVAL);
	bad.num = 6;
	assert_int_equal(virtiofs_virtqueue_start(f->vq, &bad), -EINVAL);
	bad.num = 128; /* more than max_size */
	assert_int_equal(virtiofs_virtqueue_start(f->vq, &bad), -EINVAL);
	bad = good;
	bad.desc += 8;
	assert_int_equal(virtiofs_virtqueue_start(f->vq, &bad), -EINVAL);
	bad = good;
	bad.avail += 1;
	assert_int_equal(virtiofs_virtqueue_start(f->vq, &bad), -EINVAL);
	bad = good;
	bad.used += 2;
	assert_int_equal(virtiofs_virtqueue_start(f->vq, &bad), -EINVAL);
	bad = good;
	bad.desc = 0x80000000;
	assert_int_equal(virtiofs_virtqueue_start(f->vq, &bad), -EFAULT);
	/* The seam lies in it: not in one region. */
	bad = good;
	bad.desc = GUEST_RAM_SEAM - 16;
	assert_int_equal(virtiofs_virtqueue_start(f->vq, &bad), -EFAULT);
	assert_false(virtiofs_virtqueue_started(f->vq));
	assert_int_equal(virtiofs_virtqueue_start(f->vq, &good), 0);
	assert_true(virtiofs_virtqueue_started(f->vq));
}

static void ring_may_end_where_its_region_does(void **state)
{
	struct vq_fixture *f = *state;
	const struct guest_ram_region *low = &guest_ram_regions(f->ram)[1];
	struct virtiofs_virtqueue_config config = guest_ring_config(&f->ring);
	uint64_t end = low->guest_addr + low->len;

	virtiofs_virtqueue_stop(f->vq);
	/* Without event indexes the last two bytes do not belong to the ring. */
	config.avail = end - (4 + 2 * RING_SIZE);
	assert_int_equal(virtiofs_virtqueue_start(f->vq, &config), -EFAULT);
	config.features = 0;
	assert_int_equal(virtiofs_virtqueue_start(f->vq, &config), 0);
	virtiofs_virtqueue_stop(f->vq);
	config.features = UINT64_C(1) << VIRTIOFS_F_EVENT_IDX;
	config.avail -= 2;
	assert_int_equal(virtiofs_virtqueue_start(f->vq, &config), 0);
}

static void ring_is_found_by_the_front_ends_addresses(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_virtqueue_config config = guest_ring_config(&f->ring);

	virtiofs_virtqueue_stop(f->vq);
	config.user_addresses = true;
	assert_int_equal(virtiofs_virtqueue_start(f->vq, &config), -EFAULT);
	config.desc = (uintptr_t)f->ring.desc;
	config.avail = (uintptr_t)f->ring.avail;
	config.used = (uintptr_t)f->ring.used;
	assert_int_equal(virtiofs_virtqueue_start(f->vq, &config), 0);
	vq_add_one(f);
	serve_one(f);
	assert_int_equal(guest_ring_used_idx(&f->ring), 1);
}

/* ---- available and used ---- */

static void empty_ring_gives_nothing(void **state)
{
	struct vq_fixture *f = *state;

	assert_int_equal(pop_result(f), 0);
	virtiofs_virtqueue_stop(f->vq);
	vq_add_one(f);
	assert_int_equal(pop_result(f), 0);
}

static void chains_go_back_in_the_order_they_are_pushed(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_vq_chain *first, *second;
	uint32_t id, len;

	vq_add_one(f);
	vq_add_one(f);
	first = vq_pop(f);
	second = vq_pop(f);
	assert_int_equal(virtiofs_virtqueue_out(f->vq), 2);
	virtiofs_virtqueue_push(f->vq, second, 77);
	assert_int_equal(guest_ring_used_idx(&f->ring), 1);
	guest_ring_used_at(&f->ring, 0, &id, &len);
	assert_int_equal(id, 1);
	assert_int_equal(len, 77);
	virtiofs_virtqueue_push(f->vq, first, UINT32_MAX);
	guest_ring_used_at(&f->ring, 1, &id, &len);
	assert_int_equal(id, 0);
	assert_int_equal(len, UINT32_MAX);
	assert_int_equal(virtiofs_virtqueue_out(f->vq), 0);
}

static void indexes_wrap_around_at_65536(void **state)
{
	struct vq_fixture *f = *state;
	uint32_t len;

	for (unsigned i = 0; i < 0x10000 + 2 * RING_SIZE; i++) {
		vq_add_one(f);
		serve_one(f);
		assert_ptr_equal(guest_ring_take(&f->ring, &len), f);
	}
	assert_int_equal(pop_result(f), 0);
	assert_int_equal(guest_ring_used_idx(&f->ring), 2 * RING_SIZE);
}

static void full_ring_comes_out_whole(void **state)
{
	struct vq_fixture *f = *state;

	for (unsigned i = 0; i < RING_SIZE; i++)
		vq_add_one(f);
	for (unsigned i = 0; i < RING_SIZE; i++)
		serve_one(f);
	assert_int_equal(pop_result(f), 0);
}

static void available_index_too_far_ahead_breaks_the_ring(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_virtqueue_config config = guest_ring_config(&f->ring);

	guest_ring_set_avail_idx(&f->ring, RING_SIZE + 1);
	assert_int_equal(pop_result(f), -EPROTO);
	/* It does not heal by itself, ... */
	guest_ring_set_avail_idx(&f->ring, 0);
	assert_int_equal(pop_result(f), -EPROTO);
	assert_false(virtiofs_virtqueue_enable_kicks(f->vq));
	/* ... but with a new start. */
	assert_int_equal(virtiofs_virtqueue_stop(f->vq), 0);
	assert_int_equal(virtiofs_virtqueue_start(f->vq, &config), 0);
	assert_int_equal(pop_result(f), 0);
}

static void available_index_that_runs_backwards_breaks_the_ring(void **state)
{
	struct vq_fixture *f = *state;

	vq_add_one(f);
	serve_one(f);
	guest_ring_set_avail_idx(&f->ring, 0);
	assert_int_equal(pop_result(f), -EPROTO);
}

static void head_out_of_range_breaks_the_ring(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_vq_chain *chain;

	vq_add_one(f);
	chain = vq_pop(f);
	guest_ring_expose(&f->ring, RING_SIZE);
	assert_int_equal(pop_result(f), -EPROTO);
	/* What is out comes back without the used ring being touched. */
	virtiofs_virtqueue_push(f->vq, chain, 0);
	assert_int_equal(guest_ring_used_idx(&f->ring), 0);
	assert_int_equal(virtiofs_virtqueue_out(f->vq), 0);
	assert_false(virtiofs_virtqueue_should_signal(f->vq));
}

static void head_that_is_out_already_comes_out_once_more(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_vq_chain *first, *second;
	uint32_t id, len;

	vq_desc(f, 2, f->page, 9, 0, 0);
	first = vq_expose_and_pop(f, 2);
	second = vq_expose_and_pop(f, 2);
	assert_ptr_not_equal(first, second);
	assert_ptr_not_equal(first->readable, second->readable);
	virtiofs_virtqueue_push(f->vq, first, 0);
	vq_assert_iov(f, second->readable, f->page, 9);
	virtiofs_virtqueue_push(f->vq, second, 0);
	assert_int_equal(guest_ring_used_idx(&f->ring), 2);
	guest_ring_used_at(&f->ring, 1, &id, &len);
	assert_int_equal(id, 2);
}

static void no_more_chains_come_out_than_there_are_slots(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_vq_chain *chain;

	vq_add_one(f);
	vq_add_one(f);
	chain = vq_pop(f);
	assert_int_equal(pop_result(f), 0);
	/* Not worth popping again before a push. */
	assert_false(virtiofs_virtqueue_enable_kicks(f->vq));
	virtiofs_virtqueue_push(f->vq, chain, 0);
	assert_true(virtiofs_virtqueue_enable_kicks(f->vq));
	serve_one(f);
}

/* ---- stop ---- */

static void stop_says_where_to_go_on(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_virtqueue_config config = guest_ring_config(&f->ring);

	vq_add_one(f);
	vq_add_one(f);
	serve_one(f);
	config.avail_base = virtiofs_virtqueue_stop(f->vq);
	assert_int_equal(config.avail_base, 1);
	/* The used index is the ring's own. */
	assert_int_equal(virtiofs_virtqueue_start(f->vq, &config), 0);
	serve_one(f);
	assert_int_equal(pop_result(f), 0);
	assert_int_equal(guest_ring_used_idx(&f->ring), 2);
}

static void chain_pushed_after_a_stop_leaves_the_ring_alone(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_virtqueue_config config = guest_ring_config(&f->ring);
	struct virtiofs_vq_chain *old, *older;

	vq_add_one(f);
	vq_add_one(f);
	old = vq_pop(f);
	older = vq_pop(f);
	virtiofs_virtqueue_stop(f->vq);
	virtiofs_virtqueue_push(f->vq, older, 5);
	guest_ring_reset(&f->ring);
	assert_int_equal(virtiofs_virtqueue_start(f->vq, &config), 0);
	/* Nor does it belong into the ring of the next start. */
	virtiofs_virtqueue_push(f->vq, old, 5);
	assert_int_equal(guest_ring_used_idx(&f->ring), 0);
	assert_int_equal(virtiofs_virtqueue_out(f->vq), 0);
	vq_add_one(f);
	serve_one(f);
	assert_int_equal(guest_ring_used_idx(&f->ring), 1);
}

/* ---- notifications ---- */

static void driver_that_waits_for_a_number_is_signalled_at_that_number(void **state)
{
	struct vq_fixture *f = *state;
	uint32_t len;

	for (unsigned i = 0; i < 4; i++)
		vq_add_one(f);
	serve_one(f);
	/* Right after a start it is not known what the driver saw: signal. */
	assert_true(virtiofs_virtqueue_should_signal(f->vq));
	assert_false(virtiofs_virtqueue_should_signal(f->vq));
	/* used_event is 0, and that has passed. */
	serve_one(f);
	assert_false(virtiofs_virtqueue_should_signal(f->vq));
	guest_ring_take(&f->ring, &len);
	guest_ring_take(&f->ring, &len);
	assert_false(guest_ring_enable_signals(&f->ring));
	serve_one(f);
	serve_one(f);
	assert_true(virtiofs_virtqueue_should_signal(f->vq));
	/* Once. */
	assert_false(virtiofs_virtqueue_should_signal(f->vq));
}

static void first_batch_after_a_start_is_always_signalled(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_virtqueue_config config = guest_ring_config(&f->ring);

	vq_add_one(f);
	vq_add_one(f);
	serve_one(f);
	assert_true(virtiofs_virtqueue_should_signal(f->vq));
	config.avail_base = virtiofs_virtqueue_stop(f->vq);
	assert_int_equal(virtiofs_virtqueue_start(f->vq, &config), 0);
	guest_ring_disable_signals(&f->ring);
	serve_one(f);
	assert_true(virtiofs_virtqueue_should_signal(f->vq));
}

static void driver_that_polls_is_not_signalled(void **state)
{
	struct vq_fixture *f = *state;
	uint32_t len;

	vq_add_one(f);
	serve_one(f);
	assert_true(virtiofs_virtqueue_should_signal(f->vq));
	for (unsigned i = 0; i < 100; i++) {
		guest_ring_take(&f->ring, &len);
		guest_ring_disable_signals(&f->ring);
		vq_add_one(f);
		serve_one(f);
		assert_false(virtiofs_virtqueue_should_signal(f->vq));
	}
}

static void signal_is_not_lost_where_a_batch_is_a_full_turn(void **state)
{
	struct vq_fixture *f = *state;
	uint32_t len;

	vq_add_one(f);
	serve_one(f);
	assert_true(virtiofs_virtqueue_should_signal(f->vq));
	for (unsigned i = 0; i < 0x10000; i++) {
		guest_ring_take(&f->ring, &len);
		vq_add_one(f);
		serve_one(f);
	}
	assert_true(virtiofs_virtqueue_should_signal(f->vq));
}

static void flags_stand_for_event_indexes_where_there_are_none(void **state)
{
	struct vq_fixture *f = *state;

	vq_add_one(f);
	vq_add_one(f);
	serve_one(f);
	assert_true(virtiofs_virtqueue_should_signal(f->vq));
	guest_ring_disable_signals(&f->ring);
	serve_one(f);
	assert_false(virtiofs_virtqueue_should_signal(f->vq));

	virtiofs_virtqueue_disable_kicks(f->vq);
	vq_add_one(f);
	assert_false(guest_ring_must_kick(&f->ring));
	assert_true(virtiofs_virtqueue_enable_kicks(f->vq));
	serve_one(f);
	assert_false(virtiofs_virtqueue_enable_kicks(f->vq));
	vq_add_one(f);
	assert_true(guest_ring_must_kick(&f->ring));
}

static void driver_kicks_once_for_the_first_chain_after_enabling(void **state)
{
	struct vq_fixture *f = *state;

	/* A ring starts with kicks enabled. */
	vq_add_one(f);
	assert_true(guest_ring_must_kick(&f->ring));
	vq_add_one(f);
	assert_false(guest_ring_must_kick(&f->ring));
	serve_one(f);
	assert_true(virtiofs_virtqueue_enable_kicks(f->vq));
	serve_one(f);
	assert_false(virtiofs_virtqueue_enable_kicks(f->vq));
	vq_add_one(f);
	assert_true(guest_ring_must_kick(&f->ring));
}

static void driver_does_not_kick_while_disabled(void **state)
{
	struct vq_fixture *f = *state;
	uint32_t len;

	virtiofs_virtqueue_disable_kicks(f->vq);
	for (unsigned i = 0; i < 1000; i++) {
		vq_add_one(f);
		assert_false(guest_ring_must_kick(&f->ring));
		serve_one(f);
		guest_ring_take(&f->ring, &len);
	}
}

/* ---- maps that change ---- */

static void publish(struct vq_fixture *f, uint64_t without)
{
	struct virtiofs_region_desc descs[GUEST_RAM_REGIONS];
	unsigned count = 0;

	for (unsigned i = 0; i < GUEST_RAM_REGIONS; i++) {
		const struct guest_ram_region *region = &guest_ram_regions(f->ram)[i];

		if (region->guest_addr != without)
			descs[count++] = (struct virtiofs_region_desc){
				.guest_addr = region->guest_addr,
				.user_addr = (uintptr_t)region->host,
				.len = region->len,
				.host = region->host,
			};
	}
	assert_int_equal(virtiofs_mem_publish(f->mem, descs, count), 0);
}

static void region_that_no_chain_uses_goes_with_the_next_refresh(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_vq_chain *chain;

	vq_add_one(f); /* its buffer is in the first region */
	chain = vq_pop(f);
	publish(f, GUEST_RAM_SEAM);
	assert_int_equal(f->released, 0);
	assert_int_equal(virtiofs_virtqueue_refresh(f->vq), 0);
	assert_int_equal(f->released, 1);
	virtiofs_virtqueue_push(f->vq, chain, 0);
	assert_int_equal(f->released, 1);
	assert_int_equal(guest_ring_used_idx(&f->ring), 1);
}

static void region_that_a_chain_uses_goes_with_the_chain(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_vq_chain *chain;

	vq_desc(f, 0, GUEST_RAM_SEAM + 5, 1, 0, 0);
	chain = vq_expose_and_pop(f, 0);
	publish(f, GUEST_RAM_SEAM);
	vq_desc(f, 1, GUEST_RAM_SEAM + 5, 1, 0, 0);
	guest_ring_expose(&f->ring, 1);
	/* Pop goes over to the new map by itself. */
	{
		struct virtiofs_vq_chain *late = vq_pop(f);

		assert_true(late->malformed);
		virtiofs_virtqueue_push(f->vq, late, 0);
	}
	assert_int_equal(f->released, 0);
	*(volatile unsigned char *)chain->readable[0].iov_base = 1;
	virtiofs_virtqueue_push(f->vq, chain, 0);
	assert_int_equal(f->released, 1);
}

static void region_goes_with_the_stop_or_the_last_chain(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_vq_chain *chain;

	vq_desc(f, 0, GUEST_RAM_SEAM - 1, 2, 0, 0);
	chain = vq_expose_and_pop(f, 0);
	virtiofs_virtqueue_stop(f->vq);
	assert_int_equal(virtiofs_mem_publish(f->mem, NULL, 0), 0);
	assert_int_equal(f->released, 1); /* the ring's */
	virtiofs_virtqueue_push(f->vq, chain, 0);
	assert_int_equal(f->released, GUEST_RAM_REGIONS);
}

static void ring_whose_memory_goes_is_broken(void **state)
{
	struct vq_fixture *f = *state;
	struct virtiofs_virtqueue_config config = guest_ring_config(&f->ring);
	struct virtiofs_vq_chain *chain;

	vq_add_one(f);
	vq_add_one(f);
	chain = vq_pop(f);
	publish(f, GUEST_RAM_HIGH);
	assert_int_equal(virtiofs_virtqueue_refresh(f->vq), -EFAULT);
	assert_int_equal(f->released, 1);
	assert_int_equal(pop_result(f), -EPROTO);
	virtiofs_virtqueue_push(f->vq, chain, 0);
	virtiofs_virtqueue_disable_kicks(f->vq);
	assert_false(virtiofs_virtqueue_should_signal(f->vq));
	/* A start heals it when the memory is back. */
	guest_ram_publish(f->ram, f->mem);
	assert_int_equal(virtiofs_virtqueue_refresh(f->vq), -EFAULT);
	config.avail_base = virtiofs_virtqueue_stop(f->vq);
	assert_int_equal(virtiofs_virtqueue_start(f->vq, &config), 0);
	serve_one(f);
}

static void chain_of_very_many_regions_holds_them_all(void **state)
{
	enum { MANY = 12, LEN = 0x1000 };
	struct vq_fixture *f = *state;
	struct virtiofs_region_desc descs[MANY + 1];
	const struct guest_ram_region *high = &guest_ram_regions(f->ram)[2];
	unsigned char *host = guest_ram_host(f->ram, 0, (uint64_t)2 * MANY * LEN);
	struct virtiofs_vq_chain *chain;

	/* Pieces that are neighbours for the guest, but not here. */
	for (unsigned i = 0; i < MANY; i++)
		descs[i] = (struct virtiofs_region_desc){ .guest_addr = (uint64_t)i * LEN,
							  .len = LEN,
							  .host = host + (size_t)2 * i * LEN };
	descs[MANY] = (struct virtiofs_region_desc){ .guest_addr = high->guest_addr,
						     .user_addr = (uintptr_t)high->host,
						     .len = high->len,
						     .host = high->host };
	assert_int_equal(virtiofs_mem_publish(f->mem, descs, MANY + 1), 0);
	f->released = 0;
	vq_desc(f, 0, 0, MANY * LEN, 0, 0);
	chain = vq_expose_and_pop(f, 0);
	assert_int_equal(f->released, 2); /* what the first map had low */
	assert_int_equal(chain->readable_count, MANY);
	f->released = 0;
	assert_int_equal(virtiofs_mem_publish(f->mem, &descs[MANY], 1), 0);
	assert_int_equal(virtiofs_virtqueue_refresh(f->vq), 0);
	assert_int_equal(f->released, 0);
	virtiofs_virtqueue_push(f->vq, chain, 0);
	assert_int_equal(f->released, MANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VQ_TEST(options_out_of_range_are_refused),
		VQ_TEST(ring_in_an_impossible_place_is_not_started),
		VQ_TEST(ring_may_end_where_its_region_does),
		VQ_TEST(ring_is_found_by_the_front_ends_addresses),
		VQ_TEST(empty_ring_gives_nothing),
		VQ_TEST(chains_go_back_in_the_order_they_are_pushed),
		VQ_TEST(indexes_wrap_around_at_65536),
		VQ_TEST(full_ring_comes_out_whole),
		VQ_TEST(available_index_too_far_ahead_breaks_the_ring),
		VQ_TEST(available_index_that_runs_backwards_breaks_the_ring),
		VQ_TEST(head_out_of_range_breaks_the_ring),
		VQ_TEST(head_that_is_out_already_comes_out_once_more),
		VQ_TEST_ONE_CHAIN(no_more_chains_come_out_than_there_are_slots),
		VQ_TEST(stop_says_where_to_go_on),
		VQ_TEST(chain_pushed_after_a_stop_leaves_the_ring_alone),
		VQ_TEST(driver_that_waits_for_a_number_is_signalled_at_that_number),
		VQ_TEST(first_batch_after_a_start_is_always_signalled),
		VQ_TEST(driver_that_polls_is_not_signalled),
		VQ_TEST(signal_is_not_lost_where_a_batch_is_a_full_turn),
		VQ_TEST_PLAIN(flags_stand_for_event_indexes_where_there_are_none),
		VQ_TEST(driver_kicks_once_for_the_first_chain_after_enabling),
		VQ_TEST(driver_does_not_kick_while_disabled),
		VQ_TEST(region_that_no_chain_uses_goes_with_the_next_refresh),
		VQ_TEST(region_that_a_chain_uses_goes_with_the_chain),
		VQ_TEST(region_goes_with_the_stop_or_the_last_chain),
		VQ_TEST(ring_whose_memory_goes_is_broken),
		VQ_TEST(chain_of_very_many_regions_holds_them_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
