/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vhost_user/memory_table.h"

enum { PAGE = 4096, SIZE = 16 * PAGE };

struct fixture {
	struct virtiofs_env env;
	struct vfi_vu_memory memory;
	int fd; /* a memfd of SIZE bytes, 0x11 in its first page, 0x22 in the second */
	int maps_before;
};

/* Mappings of @name in this process. */
static int count_maps(const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int n = 0;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		n += strstr(line, name) != NULL;
	fclose(maps);
	return n;
}

static int set_up(void **state)
{
	static struct fixture f;
	unsigned char page[PAGE];

	f.fd = memfd_create("table", MFD_CLOEXEC);
	assert_true(f.fd >= 0);
	assert_int_equal(ftruncate(f.fd, SIZE), 0);
	memset(page, 0x11, sizeof(page));
	assert_int_equal(pwrite(f.fd, page, sizeof(page), 0), sizeof(page));
	memset(page, 0x22, sizeof(page));
	assert_int_equal(pwrite(f.fd, page, sizeof(page), PAGE), sizeof(page));
	assert_int_equal(vfi_env_init(&f.env, NULL), 0);
	f.maps_before = count_maps("memfd:table");
	assert_int_equal(vfi_vu_memory_init(&f.memory, &f.env), 0);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	vfi_vu_memory_fini(&f->memory);
	assert_int_equal(count_maps("memfd:table"), f->maps_before);
	close(f->fd);
	return 0;
}

static struct vfi_vu_region region_at(uint64_t guest_addr, uint64_t size)
{
	return (struct vfi_vu_region){
		.guest_addr = guest_addr,
		.size = size,
		.user_addr = guest_addr + 0x7f0000000000,
	};
}

static int add(struct fixture *f, const struct vfi_vu_region *region)
{
	return vfi_vu_memory_add(&f->memory, region, f->fd);
}

/* What the current map has at a guest address: a byte, or -1. */
static int byte_at(struct fixture *f, uint64_t guest_addr)
{
	struct virtiofs_mem_map *map = virtiofs_mem_get(f->memory.mem);
	const unsigned char *p = virtiofs_mem_translate_one(map, guest_addr, 1);
	int byte = p ? *p : -1;

	virtiofs_mem_put(map);
	return byte;
}

static void region_is_found_by_both_addresses(void **state)
{
	struct fixture *f = *state;
	const struct vfi_vu_region region = region_at(0x100000, SIZE);
	struct virtiofs_mem_map *map;

	assert_int_equal(add(f, &region), 0);
	map = virtiofs_mem_get(f->memory.mem);
	assert_non_null(virtiofs_mem_translate_one(map, 0x100000, SIZE));
	assert_ptr_equal(virtiofs_mem_translate_user(map, region.user_addr, SIZE),
			 virtiofs_mem_translate_one(map, 0x100000, SIZE));
	assert_null(virtiofs_mem_translate_one(map, 0x100000, SIZE + 1));
	virtiofs_mem_put(map);
}

static void offset_into_the_file_need_not_be_a_page(void **state)
{
	struct fixture *f = *state;
	struct vfi_vu_region region = region_at(0, PAGE);

	region.mmap_offset = PAGE - 16;
	assert_int_equal(add(f, &region), 0);
	assert_int_equal(byte_at(f, 15), 0x11);
	assert_int_equal(byte_at(f, 16), 0x22);
}

static void numbers_that_wrap_are_refused(void **state)
{
	struct fixture *f = *state;
	const struct vfi_vu_region good = region_at(0x1000, PAGE);
	struct vfi_vu_region bad = good;

	bad.size = 0;
	assert_int_equal(add(f, &bad), -EINVAL);
	bad = good;
	bad.guest_addr = UINT64_MAX - PAGE + 2;
	assert_int_equal(add(f, &bad), -EINVAL);
	bad = good;
	bad.user_addr = UINT64_MAX - PAGE + 2;
	assert_int_equal(add(f, &bad), -EINVAL);
	bad = good;
	bad.mmap_offset = UINT64_MAX - 100;
	assert_int_equal(add(f, &bad), -EINVAL);
	bad = good;
	bad.mmap_offset = SSIZE_MAX - 100;
	assert_int_equal(add(f, &bad), -EINVAL);
	bad = good;
	bad.size = UINT64_MAX;
	assert_int_equal(add(f, &bad), -EINVAL);
	bad = region_at(0, (uint64_t)SSIZE_MAX);
	assert_true(add(f, &bad) < 0);
	assert_int_equal(count_maps("memfd:table"), f->maps_before);
}

static void file_shorter_than_its_region_is_refused(void **state)
{
	struct fixture *f = *state;
	struct vfi_vu_region region = region_at(0x1000, SIZE + 1);

	assert_int_equal(add(f, &region), -ERANGE);
	region = region_at(0x1000, SIZE);
	region.mmap_offset = PAGE;
	assert_int_equal(add(f, &region), -ERANGE);
	region.size = SIZE - PAGE;
	assert_int_equal(add(f, &region), 0);
}

/* Bao's memory is a device: no size, and the region may be longer than what is there. */
static void device_has_no_size_to_compare(void **state)
{
	struct fixture *f = *state;
	const struct vfi_vu_region region = region_at(0x10000000, 0x11000000);
	int zero = open("/dev/zero", O_RDWR | O_CLOEXEC);

	assert_true(zero >= 0);
	assert_int_equal(vfi_vu_memory_add(&f->memory, &region, zero), 0);
	assert_int_equal(byte_at(f, 0x10000000), 0);
	close(zero);
}

/* Memory that can neither be pinned nor seeked in. */
static void secret_memory_is_taken(void **state)
{
	struct fixture *f = *state;
	const struct vfi_vu_region region = region_at(0, 2 * PAGE);
	int fd = (int)syscall(SYS_memfd_secret, 0);

	if (fd < 0)
		skip(); /* CONFIG_SECRETMEM */
	assert_int_equal(ftruncate(fd, 2 * PAGE), 0);
	assert_int_equal(vfi_vu_memory_add(&f->memory, &region, fd), 0);
	assert_int_equal(byte_at(f, PAGE), 0);
	close(fd);
}

static void memory_that_cannot_be_written_is_refused(void **state)
{
	struct fixture *f = *state;
	const struct vfi_vu_region region = region_at(0, PAGE);
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(vfi_vu_memory_add(&f->memory, &region, fd), -EACCES);
	close(fd);
}

static void regions_may_not_overlap(void **state)
{
	struct fixture *f = *state;
	struct vfi_vu_region region = region_at(0x10000, 4 * PAGE);

	assert_int_equal(add(f, &region), 0);
	region = region_at(0x10000 + 3 * PAGE, 2 * PAGE);
	assert_int_equal(add(f, &region), -EINVAL);
	/* In the front-end's addresses alone. */
	region = region_at(0x20000, PAGE);
	region.user_addr = 0x10000 + 0x7f0000000000;
	assert_int_equal(add(f, &region), -EINVAL);
	region.user_addr = 0x20000 + 0x7f0000000000;
	assert_int_equal(add(f, &region), 0);
	assert_int_equal(f->memory.count, 2);
}

static void region_at_the_same_place_replaces_the_old_one(void **state)
{
	struct fixture *f = *state;
	struct vfi_vu_region region = region_at(0x10000, PAGE);

	assert_int_equal(add(f, &region), 0);
	assert_int_equal(byte_at(f, 0x10000), 0x11);
	region.mmap_offset = PAGE;
	region.user_addr += 0x1000000;
	assert_int_equal(add(f, &region), 0);
	assert_int_equal(byte_at(f, 0x10000), 0x22);
	assert_int_equal(f->memory.count, 1);
	assert_int_equal(count_maps("memfd:table"), f->maps_before + 1);
}

static void region_is_removed_by_addresses_and_size(void **state)
{
	struct fixture *f = *state;
	struct vfi_vu_region first = region_at(0x10000, PAGE);
	struct vfi_vu_region second = region_at(0x20000, PAGE);
	struct vfi_vu_region wrong = first;

	assert_int_equal(add(f, &first), 0);
	assert_int_equal(add(f, &second), 0);
	wrong.size = 2 * PAGE;
	assert_int_equal(vfi_vu_memory_remove(&f->memory, &wrong), -ENOENT);
	first.mmap_offset = 77; /* is not compared */
	assert_int_equal(vfi_vu_memory_remove(&f->memory, &first), 0);
	assert_int_equal(vfi_vu_memory_remove(&f->memory, &first), -ENOENT);
	assert_int_equal(byte_at(f, 0x10000), -1);
	assert_int_equal(byte_at(f, 0x20000), 0x11);
}

static void table_is_replaced_as_a_whole_or_not_at_all(void **state)
{
	struct fixture *f = *state;
	struct vfi_vu_region table[3] = { region_at(0x10000, PAGE), region_at(0x20000, PAGE),
					  region_at(0x30000, PAGE) };
	const int fds[3] = { f->fd, f->fd, f->fd };

	assert_int_equal(vfi_vu_memory_set(&f->memory, table, fds, 2), 0);
	table[0].guest_addr = 0x50000;
	table[0].user_addr = 0x50000;
	table[2].size = SIZE + PAGE; /* too long: refused */
	assert_int_equal(vfi_vu_memory_set(&f->memory, table, fds, 3), -ERANGE);
	assert_int_equal(byte_at(f, 0x10000), 0x11);
	assert_int_equal(byte_at(f, 0x50000), -1);
	table[2] = table[1]; /* overlaps */
	assert_int_equal(vfi_vu_memory_set(&f->memory, table, fds, 3), -EINVAL);
	assert_int_equal(byte_at(f, 0x10000), 0x11);
	assert_int_equal(count_maps("memfd:table"), f->maps_before + 2);
	assert_int_equal(vfi_vu_memory_set(&f->memory, table, fds, 2), 0);
	assert_int_equal(byte_at(f, 0x10000), -1);
	assert_int_equal(byte_at(f, 0x50000), 0x11);
	assert_int_equal(vfi_vu_memory_set(&f->memory, NULL, NULL, 0), 0);
	assert_int_equal(count_maps("memfd:table"), f->maps_before);
}

static void region_in_use_outlives_its_removal(void **state)
{
	struct fixture *f = *state;
	const struct vfi_vu_region region = region_at(0, PAGE);
	struct virtiofs_region *held;
	struct virtiofs_mem_map *map;
	struct iovec iov;

	assert_int_equal(add(f, &region), 0);
	map = virtiofs_mem_get(f->memory.mem);
	assert_int_equal(virtiofs_mem_translate(map, 0, 1, &iov, &held, 1), 1);
	virtiofs_region_get(held);
	virtiofs_mem_put(map);
	assert_int_equal(vfi_vu_memory_clear(&f->memory), 0);
	assert_int_equal(*(unsigned char *)iov.iov_base, 0x11);
	virtiofs_region_put(held);
	assert_int_equal(count_maps("memfd:table"), f->maps_before);
}

static void table_has_an_end(void **state)
{
	struct fixture *f = *state;
	struct vfi_vu_region region;

	for (unsigned i = 0; i < VIRTIOFS_MEM_REGIONS_MAX; i++) {
		region = region_at(i * UINT64_C(0x10000), PAGE);
		assert_int_equal(add(f, &region), 0);
	}
	region = region_at(VIRTIOFS_MEM_REGIONS_MAX * UINT64_C(0x10000), PAGE);
	assert_int_equal(add(f, &region), -E2BIG);
	/* One of those that are there can still be replaced. */
	region = region_at(0, PAGE);
	assert_int_equal(add(f, &region), 0);
}

/* What a core dump or a child would show of a guest. */
static void mapping_is_kept_to_this_process(void **state)
{
	struct fixture *f = *state;
	const struct vfi_vu_region region = region_at(0, PAGE);
	FILE *smaps;
	char line[512];
	bool ours = false, found = false;

	assert_int_equal(add(f, &region), 0);
	smaps = fopen("/proc/self/smaps", "re");
	assert_non_null(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		if (strstr(line, "memfd:table"))
			ours = true;
		if (!ours || strncmp(line, "VmFlags:", 8) != 0)
			continue;
		assert_non_null(strstr(line, " dd"));
		assert_non_null(strstr(line, " dc"));
		assert_null(strstr(line, " ex"));
		found = true;
		break;
	}
	fclose(smaps);
	assert_true(found);
}

#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TABLE(region_is_found_by_both_addresses),
		WITH_TABLE(offset_into_the_file_need_not_be_a_page),
		WITH_TABLE(numbers_that_wrap_are_refused),
		WITH_TABLE(file_shorter_than_its_region_is_refused),
		WITH_TABLE(device_has_no_size_to_compare),
		WITH_TABLE(secret_memory_is_taken),
		WITH_TABLE(memory_that_cannot_be_written_is_refused),
		WITH_TABLE(regions_may_not_overlap),
		WITH_TABLE(region_at_the_same_place_replaces_the_old_one),
		WITH_TABLE(region_is_removed_by_addresses_and_size),
		WITH_TABLE(table_is_replaced_as_a_whole_or_not_at_all),
		WITH_TABLE(region_in_use_outlives_its_removal),
		WITH_TABLE(table_has_an_end),
		WITH_TABLE(mapping_is_kept_to_this_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
