/* SPDX-License-Identifier: BSD-2-Clause */
/* OPENDIR, READDIR, READDIRPLUS, FSYNCDIR, RELEASEDIR. */
#include "shared.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILES = 300 };

/* The names that make_files() made, and how often each was listed. */
struct seen {
	unsigned files[FILES];
	unsigned dot;
	unsigned dotdot;
	unsigned entries;
};

static void make_files(struct shared *s)
{
	for (unsigned i = 0; i < FILES; i++) {
		char name[64];

		/* Of all lengths, so that entries end anywhere. */
		snprintf(name, sizeof(name), "%u%.*s", i, (int)(i % 40),
			 "----------------------------------------");
		host_write(s, name, "", 0);
	}
}

static void see(struct seen *seen, const struct fuse_dirent *entry)
{
	char *end;

	seen->entries++;
	if (strcmp(entry->name, ".") == 0) {
		seen->dot++;
		assert_int_equal(entry->type, DT_DIR);
	} else if (strcmp(entry->name, "..") == 0) {
		seen->dotdot++;
		assert_int_equal(entry->type, DT_DIR);
	} else {
		unsigned long i = strtoul(entry->name, &end, 10);

		assert_true(i < FILES);
		assert_int_equal(strlen(end), i % 40);
		assert_int_equal(entry->type, DT_REG);
		seen->files[i]++;
	}
}

/* List a directory with answers of @size bytes. */
static void list(struct shared *s, uint64_t node, uint32_t size, bool plus, struct seen *seen)
{
	unsigned char *buf = malloc(size);
	uint64_t fh, offset = 0;
	int len;

	assert_non_null(buf);
	memset(seen, 0, sizeof(*seen));
	assert_int_equal(fuse_opendir(s->c, node, &fh), 0);
	while ((len = fuse_readdir(s->c, node, fh, offset, buf, size, plus)) > 0) {
		struct fuse_dirent entry;
		uint32_t at = 0;

		while (fuse_dirent_next(buf, (uint32_t)len, plus, &at, &entry)) {
			see(seen, &entry);
			offset = entry.off;
		}
	}
	assert_int_equal(len, 0);
	assert_int_equal(fuse_releasedir(s->c, node, fh), 0);
	free(buf);
}

static void assert_complete(const struct seen *seen)
{
	for (unsigned i = 0; i < FILES; i++)
		assert_int_equal(seen->files[i], 1);
	assert_int_equal(seen->dot, 1);
	assert_int_equal(seen->dotdot, 1);
	assert_int_equal(seen->entries, FILES + 2);
}

static void listing_has_each_name_once_whatever_room_there_is(void **state)
{
	struct shared *s = *state;
	static const uint32_t sizes[] = { 100, 127, 512, 4096, 65536 };
	struct seen seen;

	make_files(s);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		list(s, FUSE_ROOT, sizes[i], false, &seen);
		assert_complete(&seen);
	}
}

static void listing_with_nodes_has_each_name_once_too(void **state)
{
	struct shared *s = *state;
	static const uint32_t sizes[] = { 256, 512, 4096, 65536 };
	struct seen seen;

	make_files(s);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		list(s, FUSE_ROOT, sizes[i], true, &seen);
		assert_complete(&seen);
	}
}

static void listing_with_nodes_is_a_lookup_of_each(void **state)
{
	struct shared *s = *state;
	unsigned char buf[4096];
	struct fuse_dirent entry;
	struct virtiofs_fuse_attr attr;
	uint32_t at = 0;
	uint64_t fh, node = 0;
	struct stat st;
	int len;

	host_write(s, "file", "abc", 3);
	assert_int_equal(fuse_opendir(s->c, FUSE_ROOT, &fh), 0);
	len = fuse_readdir(s->c, FUSE_ROOT, fh, 0, buf, sizeof(buf), true);
	assert_true(len > 0);
	while (fuse_dirent_next(buf, (uint32_t)len, true, &at, &entry)) {
		if (entry.name[0] == '.') {
			/* No lookup: nothing to forget. */
			assert_int_equal(entry.entry.nodeid, 0);
			continue;
		}
		st = host_stat(s, entry.name);
		assert_attr_of(&entry.entry.attr, &st);
		assert_int_equal(entry.ino, st.st_ino);
		node = entry.entry.nodeid;
	}
	assert_int_not_equal(node, 0);
	assert_int_equal(fuse_getattr(s->c, node, &attr), 0);
	/* The listing's, and one more: each to be forgotten. */
	assert_int_equal(node_of(s, FUSE_ROOT, "file"), node);
	fuse_forget(s->c, node, 1);
	assert_int_equal(fuse_getattr(s->c, node, &attr), 0);
	fuse_forget(s->c, node, 1);
	assert_int_equal(fuse_getattr(s->c, node, &attr), -ESTALE);
	assert_int_equal(fuse_releasedir(s->c, FUSE_ROOT, fh), 0);
}

static void listing_goes_on_at_any_offset_it_gave(void **state)
{
	struct shared *s = *state;
	unsigned char buf[512], again[512];
	uint64_t fh, offsets[FILES + 2];
	char names[FILES + 2][64];
	unsigned count = 0;
	int len;

	make_files(s);
	assert_int_equal(fuse_opendir(s->c, FUSE_ROOT, &fh), 0);
	for (uint64_t offset = 0;
	     (len = fuse_readdir(s->c, FUSE_ROOT, fh, offset, buf, sizeof(buf), false)) > 0;) {
		struct fuse_dirent entry;
		uint32_t at = 0;

		while (fuse_dirent_next(buf, (uint32_t)len, false, &at, &entry)) {
			offsets[count] = offset = entry.off;
			snprintf(names[count++], sizeof(names[0]), "%.63s", entry.name);
		}
	}
	assert_int_equal(count, FILES + 2);
	/* Back and forth: the entry behind each offset is the next one. */
	for (unsigned i = 0; i + 1 < count; i += 7) {
		unsigned k = test_random_range(&s->random, 0, count - 2);
		struct fuse_dirent entry;
		uint32_t at = 0;

		len = fuse_readdir(s->c, FUSE_ROOT, fh, offsets[k], again, sizeof(again), false);
		assert_true(len > 0);
		assert_true(fuse_dirent_next(again, (uint32_t)len, false, &at, &entry));
		assert_string_equal(entry.name, names[k + 1]);
	}
	assert_int_equal(fuse_releasedir(s->c, FUSE_ROOT, fh), 0);
}

static void rewound_directory_shows_what_was_added(void **state)
{
	struct shared *s = *state;
	unsigned char buf[4096];
	struct fuse_dirent entry;
	bool found = false;
	uint32_t at = 0;
	uint64_t fh;
	int len;

	assert_int_equal(fuse_opendir(s->c, FUSE_ROOT, &fh), 0);
	assert_true(fuse_readdir(s->c, FUSE_ROOT, fh, 0, buf, sizeof(buf), false) > 0);
	host_write(s, "late", "", 0);
	len = fuse_readdir(s->c, FUSE_ROOT, fh, 0, buf, sizeof(buf), false);
	assert_true(len > 0);
	while (fuse_dirent_next(buf, (uint32_t)len, false, &at, &entry))
		found = found || strcmp(entry.name, "late") == 0;
	assert_true(found);
	assert_int_equal(fuse_releasedir(s->c, FUSE_ROOT, fh), 0);
}

static void room_for_no_entry_at_all_is_einval(void **state)
{
	struct shared *s = *state;
	unsigned char buf[64];
	uint64_t fh;

	host_write(s, "file", "", 0);
	assert_int_equal(fuse_opendir(s->c, FUSE_ROOT, &fh), 0);
	assert_int_equal(fuse_readdir(s->c, FUSE_ROOT, fh, 0, buf, 10, false), -EINVAL);
	assert_int_equal(fuse_readdir(s->c, FUSE_ROOT, fh, 0, buf, 64, true), -EINVAL);
	assert_int_equal(fuse_releasedir(s->c, FUSE_ROOT, fh), 0);
}

static void directory_handle_is_good_for_its_directory_alone(void **state)
{
	struct shared *s = *state;
	unsigned char buf[512];
	uint64_t node, dir, fh;

	host_write(s, "file", "", 0);
	host_mkdir(s, "dir", 0755);
	node = node_of(s, FUSE_ROOT, "file");
	dir = node_of(s, FUSE_ROOT, "dir");
	assert_int_equal(fuse_opendir(s->c, node, &fh), -ENOTDIR);
	assert_int_equal(fuse_opendir(s->c, 12345, &fh), -ESTALE);
	assert_int_equal(fuse_opendir(s->c, dir, &fh), 0);
	assert_int_equal(fuse_readdir(s->c, FUSE_ROOT, fh, 0, buf, sizeof(buf), false), -EBADF);
	assert_int_equal(fuse_read(s->c, dir, fh, 0, buf, 1), -EBADF);
	assert_int_equal(fuse_fsyncdir(s->c, dir, fh), 0);
	assert_int_equal(fuse_fsyncdir(s->c, dir, fh + 1), -EBADF);
	assert_int_equal(fuse_release(s->c, dir, fh), -EBADF);
	assert_int_equal(fuse_releasedir(s->c, dir, fh), 0);
	assert_int_equal(fuse_releasedir(s->c, dir, fh), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED_TEST(listing_has_each_name_once_whatever_room_there_is),
		SHARED_TEST(listing_with_nodes_has_each_name_once_too),
		SHARED_TEST(listing_with_nodes_is_a_lookup_of_each),
		SHARED_TEST(listing_goes_on_at_any_offset_it_gave),
		SHARED_TEST(rewound_directory_shows_what_was_added),
		SHARED_TEST(room_for_no_entry_at_all_is_einval),
		SHARED_TEST(directory_handle_is_good_for_its_directory_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
