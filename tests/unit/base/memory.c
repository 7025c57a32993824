/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <virtiofs/memory.h>

#include "base/memory.h"

enum { PAGE = 4096, PAGES = 8 };

/* Host memory, and what was released, by the cookie's number. */
struct fixture {
	struct virtiofs_mem *mem;
	unsigned char ram[PAGES * PAGE];
	unsigned released[PAGES]; /* atomic */
};

static struct virtiofs_region_desc region(struct fixture *f, unsigned page, uint64_t guest_addr,
					  uint64_t pages)
{
	struct virtiofs_region_desc desc = {
		.guest_addr = guest_addr,
		.user_addr = 0x7f0000000000 + (uint64_t)page * PAGE,
		.len = pages * PAGE,
		.host = f->ram + (size_t)page * PAGE,
		.cookie = &f->released[page],
	};

	return desc;
}

static void count_release(void *arg, const struct virtiofs_region_desc *desc)
{
	(void)arg;
	__atomic_fetch_add((unsigned *)desc->cookie, 1, __ATOMIC_RELAXED);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f || virtiofs_mem_create(&f->mem, NULL, count_release, NULL))
		return -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	virtiofs_mem_destroy(f->mem);
	free(f);
	return 0;
}

static void publish(struct fixture *f, const struct virtiofs_region_desc *regions, size_t count)
{
	assert_int_equal(virtiofs_mem_publish(f->mem, regions, count), 0);
}

static void new_mem_is_an_empty_map(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_mem_map *map = virtiofs_mem_get(f->mem);
	struct iovec iov;

	assert_non_null(map);
	assert_int_equal(virtiofs_mem_translate(map, 0, 1, &iov, NULL, 1), -EFAULT);
	assert_int_equal(virtiofs_mem_translate(map, 0, 0, &iov, NULL, 1), 0);
	assert_null(virtiofs_mem_translate_one(map, 0, 1));
	assert_int_equal(virtiofs_mem_generation(f->mem), virtiofs_mem_map_generation(map));
	virtiofs_mem_put(map);
}

static void each_publish_counts_one_generation(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_mem_map *old = virtiofs_mem_get(f->mem), *map;
	uint64_t before = virtiofs_mem_generation(f->mem);

	publish(f, NULL, 0);
	assert_int_equal(virtiofs_mem_generation(f->mem), before + 1);
	map = virtiofs_mem_get(f->mem);
	assert_int_equal(virtiofs_mem_map_generation(map), before + 1);
	assert_int_equal(virtiofs_mem_map_generation(old), before);
	virtiofs_mem_put(map);
	virtiofs_mem_put(old);
}

static void addresses_translate_in_the_region_they_lie_in(void **state)
{
	struct fixture *f = *state;
	/* Not in order of address; a hole in between. */
	struct virtiofs_region_desc regions[] = {
		region(f, 4, 0x100000000, 2),
		region(f, 0, 0x10000, 3),
	};
	struct virtiofs_mem_map *map;
	struct virtiofs_region *where[2];
	struct iovec iov[2];

	publish(f, regions, 2);
	map = virtiofs_mem_get(f->mem);
	assert_int_equal(virtiofs_mem_translate(map, 0x10000 + 5, 100, iov, where, 2), 1);
	assert_ptr_equal(iov[0].iov_base, f->ram + 5);
	assert_int_equal(iov[0].iov_len, 100);
	assert_ptr_equal(where[0], vfi_mem_find(map, 0x10000)->region);
	assert_int_equal(virtiofs_mem_translate(map, 0x100000000, 2 * PAGE, iov, NULL, 2), 1);
	assert_ptr_equal(iov[0].iov_base, f->ram + 4 * PAGE);
	assert_ptr_equal(virtiofs_mem_translate_one(map, 0x10000 + 3 * PAGE - 1, 1),
			 f->ram + 3 * PAGE - 1);
	assert_null(virtiofs_mem_translate_one(map, 0x10000 + 3 * PAGE - 1, 2));
	assert_null(virtiofs_mem_translate_one(map, 0x10000 + 3 * PAGE, 1));
	assert_null(virtiofs_mem_translate_one(map, 0xffff, 1));
	virtiofs_mem_put(map);
}

static void range_over_adjacent_regions_comes_in_pieces(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_region_desc regions[] = {
		region(f, 0, 0x0000, 1),
		region(f, 6, 0x1000, 1),
		region(f, 3, 0x2000, 1),
	};
	struct virtiofs_mem_map *map;
	struct virtiofs_region *where[3];
	struct iovec iov[3];

	publish(f, regions, 3);
	map = virtiofs_mem_get(f->mem);
	assert_int_equal(virtiofs_mem_translate(map, 0xfff, PAGE + 2, iov, where, 3), 3);
	assert_ptr_equal(iov[0].iov_base, f->ram + PAGE - 1);
	assert_int_equal(iov[0].iov_len, 1);
	assert_ptr_equal(iov[1].iov_base, f->ram + 6 * PAGE);
	assert_int_equal(iov[1].iov_len, PAGE);
	assert_ptr_equal(iov[2].iov_base, f->ram + 3 * PAGE);
	assert_int_equal(iov[2].iov_len, 1);
	assert_ptr_not_equal(where[0], where[1]);
	assert_int_equal(virtiofs_mem_translate(map, 0xfff, PAGE + 2, iov, where, 2), -E2BIG);
	assert_int_equal(virtiofs_mem_translate(map, 0x2fff, 2, iov, where, 3), -EFAULT);
	assert_null(virtiofs_mem_translate_one(map, 0xfff, 2));
	virtiofs_mem_put(map);
}

static void range_that_wraps_is_refused(void **state)
{
	struct fixture *f = *state;
	/* The last page and the first page there are. */
	struct virtiofs_region_desc regions[] = {
		region(f, 0, 0, 1),
		region(f, 1, UINT64_MAX - PAGE + 1, 1),
	};
	struct virtiofs_mem_map *map;
	struct iovec iov[2];

	publish(f, regions, 2);
	map = virtiofs_mem_get(f->mem);
	assert_int_equal(virtiofs_mem_translate(map, UINT64_MAX, 1, iov, NULL, 2), 1);
	assert_int_equal(virtiofs_mem_translate(map, UINT64_MAX, 2, iov, NULL, 2), -EFAULT);
	assert_int_equal(virtiofs_mem_translate(map, 1, UINT64_MAX, iov, NULL, 2), -EFAULT);
	assert_null(virtiofs_mem_translate_one(map, UINT64_MAX, 2));
	assert_null(virtiofs_mem_translate_one(map, 1, UINT64_MAX));
	virtiofs_mem_put(map);
}

static void user_addresses_translate_within_one_region(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_region_desc regions[] = {
		region(f, 0, 0x0000, 2),
		region(f, 2, 0x2000, 1),
		region(f, 5, 0x8000, 1),
	};
	struct virtiofs_mem_map *map;

	regions[2].user_addr = 0;
	publish(f, regions, 3);
	map = virtiofs_mem_get(f->mem);
	assert_ptr_equal(virtiofs_mem_translate_user(map, 0x7f0000001ff0, 16), f->ram + 0x1ff0);
	assert_null(virtiofs_mem_translate_user(map, 0x7f0000001ff0, 17));
	assert_null(virtiofs_mem_translate_user(map, 0x7f0000003000, 1));
	assert_null(virtiofs_mem_translate_user(map, 0, 1));
	assert_null(virtiofs_mem_translate_user(map, 0x7f0000000000, UINT64_MAX));
	virtiofs_mem_put(map);
}

static void impossible_maps_are_refused_and_the_old_one_holds(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_region_desc good = region(f, 0, 0x10000, 2);
	struct virtiofs_region_desc bad[2];
	struct virtiofs_mem_map *map;

	publish(f, &good, 1);
	bad[0] = good;
	bad[1] = region(f, 3, 0x10000 + PAGE, 1);
	assert_int_equal(virtiofs_mem_publish(f->mem, bad, 2), -EINVAL);
	bad[1] = good;
	assert_int_equal(virtiofs_mem_publish(f->mem, bad, 2), -EINVAL);
	bad[1] = region(f, 3, 0, 0);
	assert_int_equal(virtiofs_mem_publish(f->mem, bad, 2), -EINVAL);
	bad[1] = region(f, 3, UINT64_MAX - PAGE + 2, 1);
	assert_int_equal(virtiofs_mem_publish(f->mem, bad, 2), -EINVAL);
	bad[1] = region(f, 3, 0, 1);
	bad[1].user_addr = UINT64_MAX - 1;
	assert_int_equal(virtiofs_mem_publish(f->mem, bad, 2), -EINVAL);
	bad[1] = region(f, 3, 0, 1);
	bad[1].host = NULL;
	assert_int_equal(virtiofs_mem_publish(f->mem, bad, 2), -EINVAL);
	map = virtiofs_mem_get(f->mem);
	assert_int_equal(virtiofs_mem_map_generation(map), 1);
	assert_ptr_equal(virtiofs_mem_translate_one(map, 0x10000, 1), f->ram);
	virtiofs_mem_put(map);
	for (unsigned i = 0; i < PAGES; i++)
		assert_int_equal(f->released[i], 0);
}

static void as_many_regions_as_the_header_says(void **state)
{
	struct fixture *f = *state;
	static struct virtiofs_region_desc regions[VIRTIOFS_MEM_REGIONS_MAX + 1];
	struct virtiofs_mem_map *map;

	for (unsigned i = 0; i < VFI_ARRAY_SIZE(regions); i++)
		regions[i] = region(f, 0, (uint64_t)(VFI_ARRAY_SIZE(regions) - i) * 0x10000, 1);
	assert_int_equal(virtiofs_mem_publish(f->mem, regions, VFI_ARRAY_SIZE(regions)), -E2BIG);
	publish(f, regions, VIRTIOFS_MEM_REGIONS_MAX);
	map = virtiofs_mem_get(f->mem);
	for (unsigned i = 0; i < VIRTIOFS_MEM_REGIONS_MAX; i++) {
		assert_ptr_equal(virtiofs_mem_translate_one(map, regions[i].guest_addr, PAGE),
				 f->ram);
		assert_null(virtiofs_mem_translate_one(map, regions[i].guest_addr + PAGE, 1));
	}
	virtiofs_mem_put(map);
}

static void region_that_stays_is_kept_and_one_that_goes_is_released(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_region_desc both[] = { region(f, 0, 0, 1), region(f, 1, 0x8000, 1) };

	publish(f, both, 2);
	publish(f, both, 1);
	assert_int_equal(f->released[0], 0);
	assert_int_equal(f->released[1], 1);
	publish(f, NULL, 0);
	assert_int_equal(f->released[0], 1);
	assert_int_equal(f->released[1], 1);
}

static void region_that_differs_in_its_cookie_alone_is_another(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_region_desc desc = region(f, 0, 0, 1);

	publish(f, &desc, 1);
	desc.cookie = &f->released[7];
	publish(f, &desc, 1);
	assert_int_equal(f->released[0], 1);
	assert_int_equal(f->released[7], 0);
}

static void region_in_use_is_released_by_its_last_user_alone(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_region_desc both[] = { region(f, 0, 0, 1), region(f, 1, 0x8000, 1) };
	struct virtiofs_mem_map *map;
	struct virtiofs_region *used;
	struct iovec iov;

	publish(f, both, 2);
	map = virtiofs_mem_get(f->mem);
	assert_int_equal(virtiofs_mem_translate(map, 0x8000, 1, &iov, &used, 1), 1);
	virtiofs_region_get(used);
	virtiofs_mem_put(map);
	publish(f, NULL, 0);
	assert_int_equal(f->released[0], 1);
	assert_int_equal(f->released[1], 0);
	virtiofs_region_put(used);
	assert_int_equal(f->released[1], 1);
}

static void map_in_use_keeps_its_regions_beyond_destroy(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_region_desc desc = region(f, 0, 0, 1);
	struct virtiofs_mem_map *map;

	publish(f, &desc, 1);
	map = virtiofs_mem_get(f->mem);
	virtiofs_mem_destroy(f->mem);
	f->mem = NULL;
	assert_int_equal(f->released[0], 0);
	assert_ptr_equal(virtiofs_mem_translate_one(map, 0, PAGE), f->ram);
	virtiofs_mem_put(map);
	assert_int_equal(f->released[0], 1);
}

/* An allocator that fails on its n-th call, and counts what is out. */
struct failing {
	int fail_at;
	int calls;
	int out;
};

static void *failing_alloc(void *ctx, size_t size, size_t align)
{
	struct failing *failing = ctx;

	if (++failing->calls == failing->fail_at)
		return NULL;
	failing->out++;
	return aligned_alloc(align, (size + align - 1) / align * align);
}

static void failing_free(void *ctx, void *memory, size_t size)
{
	(void)size;
	((struct failing *)ctx)->out--;
	free(memory);
}

static void no_memory_leaves_the_old_map_and_leaks_nothing(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_region_desc old = region(f, 0, 0, 1);
	struct virtiofs_region_desc new[] = { old, region(f, 1, 0x4000, 1),
					      region(f, 2, 0x8000, 1) };
	int err = -ENOMEM;

	for (int fail_at = 1; err; fail_at++) {
		struct failing failing = { .fail_at = 0 };
		struct virtiofs_env env = { .size = sizeof(env),
					    .ctx = &failing,
					    .alloc = failing_alloc,
					    .free = failing_free };
		struct virtiofs_mem *mem;

		memset(f->released, 0, sizeof(f->released));
		assert_int_equal(virtiofs_mem_create(&mem, &env, count_release, NULL), 0);
		assert_int_equal(virtiofs_mem_publish(mem, &old, 1), 0);
		failing.calls = 0;
		failing.fail_at = fail_at;
		err = virtiofs_mem_publish(mem, new, 3);
		assert_true(err == 0 || err == -ENOMEM);
		assert_int_equal(virtiofs_mem_generation(mem), err ? 1 : 2);
		for (unsigned i = 0; i < PAGES; i++)
			assert_int_equal(f->released[i], 0);
		virtiofs_mem_destroy(mem);
		assert_int_equal(failing.out, 0);
		assert_int_equal(f->released[0], 1);
		/* A map and two new regions. */
		assert_in_range(fail_at, 1, 4);
	}
}

/* Readers translate and use while maps are replaced. */
enum { READERS = 3, PUBLISHES = 3000 };

struct reader {
	struct fixture *f;
	int *stop; /* atomic */
	unsigned long found;
};

static void *read_maps(void *arg)
{
	struct reader *r = arg;

	while (!__atomic_load_n(r->stop, __ATOMIC_RELAXED)) {
		struct virtiofs_mem_map *map = virtiofs_mem_get(r->f->mem);
		struct virtiofs_region *used;
		struct iovec iov;
		int n = virtiofs_mem_translate(map, 0x2000, 8, &iov, &used, 1);

		if (n == 1)
			virtiofs_region_get(used);
		virtiofs_mem_put(map);
		if (n == 1) {
			unsigned char byte;

			/* Released, it would have been poisoned by then. */
			byte = __atomic_load_n((unsigned char *)iov.iov_base, __ATOMIC_RELAXED);
			r->found += byte == 1;
			virtiofs_region_put(used);
		}
	}
	return NULL;
}

/* One heap block a region: a use after release is a use after free. */
static void free_block(void *arg, const struct virtiofs_region_desc *desc)
{
	__atomic_fetch_add((unsigned *)arg, 1, __ATOMIC_RELAXED);
	free(desc->host);
}

static void each_region_is_released_once_under_threads(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_region_desc desc = { .len = PAGE };
	struct reader readers[READERS];
	pthread_t threads[READERS];
	unsigned released = 0;
	int stop = 0;

	virtiofs_mem_destroy(f->mem);
	assert_int_equal(virtiofs_mem_create(&f->mem, NULL, free_block, &released), 0);
	for (unsigned i = 0; i < READERS; i++) {
		readers[i] = (struct reader){ .f = f, .stop = &stop };
		assert_int_equal(pthread_create(&threads[i], NULL, read_maps, &readers[i]), 0);
	}
	for (unsigned i = 0; i < PUBLISHES; i++) {
		desc.guest_addr = i % 2 ? 0x2000 : 0x9000;
		desc.host = malloc(PAGE);
		assert_non_null(desc.host);
		memset(desc.host, 1, PAGE);
		publish(f, &desc, 1);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(released, PUBLISHES - 1);
	virtiofs_mem_destroy(f->mem);
	f->mem = NULL;
	assert_int_equal(released, PUBLISHES);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(new_mem_is_an_empty_map),
		TEST(each_publish_counts_one_generation),
		TEST(addresses_translate_in_the_region_they_lie_in),
		TEST(range_over_adjacent_regions_comes_in_pieces),
		TEST(range_that_wraps_is_refused),
		TEST(user_addresses_translate_within_one_region),
		TEST(impossible_maps_are_refused_and_the_old_one_holds),
		TEST(as_many_regions_as_the_header_says),
		TEST(region_that_stays_is_kept_and_one_that_goes_is_released),
		TEST(region_that_differs_in_its_cookie_alone_is_another),
		TEST(region_in_use_is_released_by_its_last_user_alone),
		TEST(map_in_use_keeps_its_regions_beyond_destroy),
		TEST(no_memory_leaves_the_old_map_and_leaks_nothing),
		TEST(each_region_is_released_once_under_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
