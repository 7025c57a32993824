/* SPDX-License-Identifier: BSD-2-Clause */
/* Listing directories. */
#include "guest.h"

enum { MANY = 500 };

/* What a listing said. */
struct listing {
	int count; /* of entries but "." and ".." */
	bool dot;
	bool dotdot;
	bool seen[MANY]; /* names f0 to f499 */
};

static void note(struct listing *list, const struct virtiofs_fuse_dirent *entry, const char *name)
{
	char text[256];
	int number;

	assert_in_range(entry->namelen, 1, 255);
	memcpy(text, name, entry->namelen);
	text[entry->namelen] = '\0';
	if (strcmp(text, ".") == 0) {
		list->dot = true;
	} else if (strcmp(text, "..") == 0) {
		list->dotdot = true;
	} else {
		list->count++;
		if (sscanf(text, "f%d", &number) == 1) {
			assert_in_range(number, 0, MANY - 1);
			assert_false(list->seen[number]);
			list->seen[number] = true;
		}
	}
}

/* Takes in the entries of one answer; returns the offset to go on at. */
static uint64_t parse(struct listing *list, const char *buf, int len)
{
	struct virtiofs_fuse_dirent entry = { 0 };
	size_t pos = 0;

	while (pos < (size_t)len) {
		assert_true(pos + sizeof(entry) < (size_t)len);
		memcpy(&entry, buf + pos, sizeof(entry));
		note(list, &entry, buf + pos + sizeof(entry));
		pos += virtiofs_dirent_size(entry.namelen);
	}
	assert_int_equal(pos, len);
	return entry.off;
}

static void list_all(struct guest *g, uint64_t node, uint64_t fh, size_t size, struct listing *list)
{
	char buf[8192];
	uint64_t offset = 0;

	memset(list, 0, sizeof(*list));
	for (;;) {
		int n = do_readdir(g, node, fh, offset, buf, size);

		assert_true(n >= 0);
		if (n == 0)
			return;
		offset = parse(list, buf, n);
	}
}

static void make_files(struct guest *g, int count)
{
	char name[16];

	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		host_write(g, name, "");
	}
}

static void every_entry_is_listed_once(void **state)
{
	static const size_t sizes[] = { 64, 100, 1000, 4096, 8192 };
	struct guest *g = *state;
	struct listing list;
	uint64_t fh;

	make_files(g, MANY);
	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	for (size_t i = 0; i < VFI_ARRAY_SIZE(sizes); i++) {
		list_all(g, ROOT, fh, sizes[i], &list);
		assert_int_equal(list.count, MANY);
		assert_true(list.dot && list.dotdot);
	}
	assert_int_equal(do_releasedir(g, ROOT, fh), 0);
}

static void listing_goes_on_at_any_offset_told_before(void **state)
{
	struct guest *g = *state;
	struct listing list = { 0 };
	char buf[4096], again[4096];
	uint64_t fh, offset;
	int n;

	make_files(g, MANY);
	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	n = do_readdir(g, ROOT, fh, 0, buf, 1000);
	offset = parse(&list, buf, n);
	n = do_readdir(g, ROOT, fh, offset, buf, 1000);
	assert_true(n > 0);
	list_all(g, ROOT, fh, 4096, &list);
	/* Back to where it was. */
	assert_int_equal(do_readdir(g, ROOT, fh, offset, again, 1000), n);
	assert_memory_equal(buf, again, (size_t)n);
}

static void rewound_listing_shows_what_is_new(void **state)
{
	struct guest *g = *state;
	struct listing list;
	uint64_t fh;

	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	list_all(g, ROOT, fh, 4096, &list);
	assert_int_equal(list.count, 0);
	make_files(g, 3);
	list_all(g, ROOT, fh, 4096, &list);
	assert_int_equal(list.count, 3);
}

static void no_room_for_one_entry_is_an_error_and_not_the_end(void **state)
{
	struct guest *g = *state;
	char buf[64];
	uint64_t fh;

	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	assert_int_equal(do_readdir(g, ROOT, fh, 0, buf, 16), -EINVAL);
	assert_true(do_readdir(g, ROOT, fh, 0, buf, 32) > 0);
}

static void wild_offsets_do_no_harm(void **state)
{
	static const uint64_t offsets[] = { 12345, INT64_MAX, 1ull << 63, UINT64_MAX };
	struct guest *g = *state;
	struct listing list;
	char buf[4096];
	uint64_t fh;

	make_files(g, 10);
	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	for (size_t i = 0; i < VFI_ARRAY_SIZE(offsets); i++)
		do_readdir(g, ROOT, fh, offsets[i], buf, sizeof(buf));
	list_all(g, ROOT, fh, 4096, &list);
	assert_int_equal(list.count, 10);
}

static void refused_offset_loses_no_entry(void **state)
{
	struct guest *g = *state;
	struct listing list = { 0 };
	char buf[4096];
	uint64_t fh, offset;
	int n;

	make_files(g, 50);
	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	n = do_readdir(g, ROOT, fh, 0, buf, 200);
	offset = parse(&list, buf, n);
	assert_int_equal(do_readdir(g, ROOT, fh, 1ull << 63, buf, sizeof(buf)), -EINVAL);
	n = do_readdir(g, ROOT, fh, offset, buf, sizeof(buf));
	assert_true(n > 0);
	parse(&list, buf, n);
	assert_int_equal(list.count, 50);
}

static void only_directories_are_listed(void **state)
{
	struct guest *g = *state;
	uint64_t fh;

	host_write(g, "file", "");
	assert_int_equal(do_opendir(g, node_of(g, ROOT, "file"), &fh), -ENOTDIR);
}

/* ---- READDIRPLUS ---- */

/* One entry of an answer; returns where the next begins. */
static size_t plus_entry(const char *buf, size_t pos, struct virtiofs_fuse_direntplus *entry,
			 char *name)
{
	memcpy(entry, buf + pos, sizeof(*entry));
	memcpy(name, buf + pos + sizeof(*entry), entry->dirent.namelen);
	name[entry->dirent.namelen] = '\0';
	return pos + virtiofs_direntplus_size(entry->dirent.namelen);
}

static void entries_come_with_their_nodes(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_direntplus entry;
	char buf[4096], name[256];
	int found = 0, n;
	uint64_t fh, known;

	host_write(g, "f0", "hello");
	host_write(g, "f1", "");
	known = node_of(g, ROOT, "f0");
	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	n = do_readdirplus(g, ROOT, fh, 0, buf, sizeof(buf));
	assert_true(n > 0);
	for (size_t pos = 0; pos < (size_t)n; found++) {
		pos = plus_entry(buf, pos, &entry, name);
		if (name[0] == '.') {
			assert_int_equal(entry.entry_out.nodeid, 0);
		} else {
			assert_int_equal(entry.entry_out.attr.ino, host_stat(g, name).st_ino);
			assert_int_equal(entry.dirent.type, DT_REG);
			/* The answer was a lookup: one more than this one, and f0 has another. */
			assert_int_equal(node_of(g, ROOT, name), entry.entry_out.nodeid);
			do_forget(g, entry.entry_out.nodeid, 2);
			assert_int_equal(
				do_getattr(g, entry.entry_out.nodeid, &entry.entry_out.attr),
				entry.entry_out.nodeid == known ? 0 : -ESTALE);
		}
	}
	assert_int_equal(found, 4);
}

/* Entries of names "f..." in one answer, and how many of them have a node. */
static int count_plus(const char *buf, int n, int *nodes)
{
	struct virtiofs_fuse_direntplus entry;
	char name[256];
	int count = 0;

	*nodes = 0;
	for (size_t pos = 0; pos < (size_t)n;) {
		pos = plus_entry(buf, pos, &entry, name);
		if (name[0] == 'f') {
			count++;
			*nodes += entry.entry_out.nodeid != 0;
		}
	}
	return count;
}

static uint64_t last_offset(const char *buf, int n)
{
	struct virtiofs_fuse_direntplus entry = { 0 };
	char name[256];

	for (size_t pos = 0; pos < (size_t)n;)
		pos = plus_entry(buf, pos, &entry, name);
	return entry.dirent.off;
}

static void entry_that_vanished_is_left_out(void **state)
{
	struct guest *g = *state;
	char buf[8192];
	uint64_t fh;
	int n, nodes, first;

	make_files(g, 20);
	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	/* This reads all of them from the host, and tells of a few. */
	n = do_readdirplus(g, ROOT, fh, 0, buf, 700);
	first = count_plus(buf, n, &nodes);
	assert_in_range(first, 0, 4);
	for (int i = 0; i < 20; i += 2) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		assert_int_equal(unlinkat(g->dir, name, 0), 0);
	}
	n = do_readdirplus(g, ROOT, fh, last_offset(buf, n), buf, sizeof(buf));
	assert_true(n > 0);
	assert_in_range(count_plus(buf, n, &nodes), 10 - first, 10);
	assert_int_equal(count_plus(buf, n, &nodes), nodes);
}

static int setup_few_inodes(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;

	options.max_inodes = 3;
	return guest_setup_with(state, &options);
}

static void entry_without_room_for_a_node_is_plain(void **state)
{
	struct guest *g = *state;
	char buf[8192];
	uint64_t fh;
	int n, nodes;

	make_files(g, 10);
	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	n = do_readdirplus(g, ROOT, fh, 0, buf, sizeof(buf));
	assert_true(n > 0);
	assert_int_equal(count_plus(buf, n, &nodes), 10);
	/* The root is the third. */
	assert_int_equal(nodes, 2);
}

static void entry_that_does_not_fit_counts_no_lookup(void **state)
{
	struct guest *g = *state;
	int before, n, nodes;
	char buf[4096];
	uint64_t fh;

	make_files(g, 10);
	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	before = count_descriptors();
	n = do_readdirplus(g, ROOT, fh, 0, buf, 1000);
	count_plus(buf, n, &nodes);
	assert_true(nodes < 10);
	assert_int_equal(count_descriptors(), before + nodes);
}

static void second_reader_of_a_handle_is_turned_away(void **state)
{
	struct guest *g = *state;
	struct vfi_handle_local *local;
	char buf[4096];
	uint64_t fh;

	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	local = vfi_handle_get(g->session, fh, ROOT, VFI_HANDLE_DIR);
	assert_non_null(local);
	local->listing = 1;
	assert_int_equal(do_readdir(g, ROOT, fh, 0, buf, sizeof(buf)), -EBUSY);
	local->listing = 0;
	vfi_handle_put(local);
	assert_true(do_readdir(g, ROOT, fh, 0, buf, sizeof(buf)) > 0);
}

static void directory_is_synced(void **state)
{
	struct guest *g = *state;
	uint64_t fh;

	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	assert_int_equal(do_fsyncdir(g, ROOT, fh), 0);
	assert_int_equal(do_fsync(g, ROOT, fh, 0), -EBADF);
	assert_int_equal(do_fsyncdir(g, ROOT, 999), -EBADF);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(every_entry_is_listed_once),
		TEST(listing_goes_on_at_any_offset_told_before),
		TEST(rewound_listing_shows_what_is_new),
		TEST(no_room_for_one_entry_is_an_error_and_not_the_end),
		TEST(wild_offsets_do_no_harm),
		TEST(refused_offset_loses_no_entry),
		TEST(only_directories_are_listed),
		TEST(entries_come_with_their_nodes),
		TEST(entry_that_vanished_is_left_out),
		cmocka_unit_test_setup_teardown(entry_without_room_for_a_node_is_plain,
						setup_few_inodes, guest_teardown),
		TEST(entry_that_does_not_fit_counts_no_lookup),
		TEST(second_reader_of_a_handle_is_turned_away),
		TEST(directory_is_synced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
