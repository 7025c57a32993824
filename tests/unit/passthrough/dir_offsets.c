/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Directories as NFS has them: offsets of entries have their uppermost bit set, and
 * lseek(2) takes none of those. getdents64() and lseek() are this program's own.
 */
#include "guest.h"

enum { FILES = 400 };

/* What the host was asked. */
static unsigned reads, seeks, refused;
/* Whether offsets are moved up. */
static bool far;

ssize_t __real_getdents64(int fd, void *buf, size_t size);
ssize_t __wrap_getdents64(int fd, void *buf, size_t size);
off_t __real_lseek(int fd, off_t offset, int whence);
off_t __wrap_lseek(int fd, off_t offset, int whence);

ssize_t __wrap_getdents64(int fd, void *buf, size_t size)
{
	ssize_t n = __real_getdents64(fd, buf, size);

	reads++;
	for (ssize_t at = 0; far && at < n;) {
		struct dirent64 *entry = (struct dirent64 *)(void *)((char *)buf + at);

		entry->d_off = (off_t)((uint64_t)entry->d_off | 1ull << 63);
		at += entry->d_reclen;
	}
	return n;
}

off_t __wrap_lseek(int fd, off_t offset, int whence)
{
	seeks++;
	if (offset < 0) {
		refused++;
		errno = EINVAL;
		return -1;
	}
	return __real_lseek(fd, offset, whence);
}

static int setup(void **state)
{
	char name[16];
	struct guest *g;

	guest_setup(state);
	g = *state;
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		host_write(g, name, "");
	}
	far = true;
	reads = seeks = refused = 0;
	return 0;
}

static int teardown(void **state)
{
	far = false;
	return guest_teardown(state);
}

/* Names in the order of the directory, and the offset behind each. */
struct listing {
	int count;
	char names[FILES + 2][16];
	uint64_t offsets[FILES + 2];
};

/* One READDIR; returns whether there was anything. */
static bool read_some(struct guest *g, uint64_t fh, uint64_t offset, size_t size,
		      struct listing *list)
{
	struct virtiofs_fuse_dirent entry;
	char buf[4096];
	int n = do_readdir(g, ROOT, fh, offset, buf, size);

	assert_true(n >= 0);
	for (size_t pos = 0; pos < (size_t)n; pos += virtiofs_dirent_size(entry.namelen)) {
		assert_in_range(list->count, 0, FILES + 1);
		memcpy(&entry, buf + pos, sizeof(entry));
		assert_in_range(entry.namelen, 1, 15);
		memcpy(list->names[list->count], buf + pos + sizeof(entry), entry.namelen);
		list->names[list->count][entry.namelen] = '\0';
		list->offsets[list->count++] = entry.off;
	}
	return n > 0;
}

static void list_all(struct guest *g, uint64_t fh, size_t size, struct listing *list)
{
	uint64_t offset = 0;

	memset(list, 0, sizeof(*list));
	while (read_some(g, fh, offset, size, list))
		offset = list->offsets[list->count - 1];
	assert_int_equal(list->count, FILES + 2);
}

static void listing_from_the_start_asks_the_host_for_no_such_offset(void **state)
{
	struct guest *g = *state;
	static struct listing list;
	uint64_t fh;

	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	list_all(g, fh, 300, &list);
	for (int i = 0; i < list.count; i++)
		assert_true(list.offsets[i] > INT64_MAX);
	assert_int_equal(seeks, 1);
	assert_int_equal(refused, 0);
	assert_int_equal(do_releasedir(g, ROOT, fh), 0);
}

static void any_offset_is_found_again(void **state)
{
	struct guest *g = *state;
	static struct listing all, part;
	uint64_t fh;

	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	list_all(g, fh, 4096, &all);
	for (int i = FILES; i >= 0; i -= 37) {
		memset(&part, 0, sizeof(part));
		assert_true(read_some(g, fh, all.offsets[i], 200, &part));
		for (int j = 0; j < part.count; j++)
			assert_string_equal(part.names[j], all.names[i + 1 + j]);
	}
	/* Behind the last one there is nothing. */
	memset(&part, 0, sizeof(part));
	assert_false(read_some(g, fh, all.offsets[FILES + 1], 200, &part));
	assert_int_equal(refused, 0);
	assert_int_equal(do_releasedir(g, ROOT, fh), 0);
}

static void offset_that_is_nowhere_is_einval(void **state)
{
	struct guest *g = *state;
	static struct listing list;
	char buf[300];
	uint64_t fh;

	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	list_all(g, fh, 4096, &list);
	assert_int_equal(do_readdir(g, ROOT, fh, 1ull << 63 | 12345, buf, sizeof(buf)), -EINVAL);
	/* And the next listing is whole. */
	list_all(g, fh, 4096, &list);
	assert_int_equal(do_releasedir(g, ROOT, fh), 0);
}

/* Or a guest had each of its requests walk a directory of a million entries. */
static void directory_without_such_offsets_is_not_walked_for_one(void **state)
{
	struct guest *g = *state;
	static struct listing list;
	char buf[300];
	uint64_t fh;
	unsigned before;

	far = false;
	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	list_all(g, fh, 4096, &list);
	before = reads;
	assert_int_equal(do_readdir(g, ROOT, fh, UINT64_MAX, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(do_readdir(g, ROOT, fh, 1ull << 63, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(reads, before);
	assert_int_equal(do_releasedir(g, ROOT, fh), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(listing_from_the_start_asks_the_host_for_no_such_offset),
		TEST(any_offset_is_found_again),
		TEST(offset_that_is_nowhere_is_einval),
		TEST(directory_without_such_offsets_is_not_walked_for_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
