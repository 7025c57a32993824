/* SPDX-License-Identifier: BSD-2-Clause */
/* LOOKUP, FORGET and BATCH_FORGET: which names there are, and which numbers. */
#include "shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

static void lookup_answers_with_the_file_it_found(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	struct stat st;

	host_write(s, "file", "hello", 5);
	st = host_stat(s, "file");
	assert_int_equal(fuse_lookup(s->c, FUSE_ROOT, "file", &out), 0);
	assert_int_not_equal(out.nodeid, 0);
	assert_int_not_equal(out.nodeid, FUSE_ROOT);
	assert_attr_of(&out.attr, &st);
	assert_int_equal(out.attr.size, 5);
	/* VIRTIOFS_CACHE_AUTO: a second. */
	assert_int_equal(out.entry_valid, 1);
	assert_int_equal(out.attr_valid, 1);
	assert_int_equal(out.entry_valid_nsec, 0);
}

static void lookup_of_every_type_of_file(void **state)
{
	struct shared *s = *state;
	static const struct {
		const char *name;
		mode_t type;
	} types[] = { { "file", S_IFREG },
		      { "dir", S_IFDIR },
		      { "link", S_IFLNK },
		      { "pipe", S_IFIFO },
		      { "socket", S_IFSOCK } };

	host_write(s, "file", "", 0);
	host_mkdir(s, "dir", 0700);
	assert_int_equal(symlinkat("nowhere", s->dir.fd, "link"), 0);
	assert_int_equal(mknodat(s->dir.fd, "pipe", S_IFIFO | 0600, 0), 0);
	assert_int_equal(mknodat(s->dir.fd, "socket", S_IFSOCK | 0600, 0), 0);
	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct virtiofs_fuse_entry_out out;
		struct stat st = host_stat(s, types[i].name);

		assert_int_equal(fuse_lookup(s->c, FUSE_ROOT, types[i].name, &out), 0);
		assert_int_equal(out.attr.mode & S_IFMT, types[i].type);
		assert_attr_of(&out.attr, &st);
	}
}

static void lookup_of_no_file_is_enoent(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;

	assert_int_equal(fuse_lookup(s->c, FUSE_ROOT, "nothing", &out), -ENOENT);
	host_write(s, "file", "", 0);
	assert_int_equal(fuse_lookup(s->c, node_of(s, FUSE_ROOT, "file"), "x", &out), -ENOTDIR);
}

static void lookup_walks_one_directory_after_the_other(void **state)
{
	struct shared *s = *state;
	uint64_t a, b;

	host_mkdir(s, "a", 0755);
	host_mkdir(s, "a/b", 0755);
	host_write(s, "a/b/c", "deep", 4);
	a = node_of(s, FUSE_ROOT, "a");
	b = node_of(s, a, "b");
	assert_int_not_equal(node_of(s, b, "c"), 0);
}

static void name_that_is_no_single_component_is_refused(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;

	host_mkdir(s, "dir", 0755);
	host_write(s, "dir/file", "", 0);
	assert_int_equal(fuse_lookup(s->c, FUSE_ROOT, ".", &out), -EINVAL);
	assert_int_equal(fuse_lookup(s->c, FUSE_ROOT, "..", &out), -EINVAL);
	assert_int_equal(fuse_lookup(s->c, FUSE_ROOT, "", &out), -EINVAL);
	assert_int_equal(fuse_lookup(s->c, FUSE_ROOT, "dir/file", &out), -EINVAL);
	assert_int_equal(fuse_lookup(s->c, FUSE_ROOT, "/", &out), -EINVAL);
	assert_int_equal(fuse_lookup(s->c, FUSE_ROOT, "../x", &out), -EINVAL);
}

static void name_of_255_bytes_is_the_longest(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	char name[257];

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	host_write(s, name, "", 0);
	assert_int_equal(fuse_lookup(s->c, FUSE_ROOT, name, &out), 0);
	name[255] = 'n';
	name[256] = '\0';
	assert_int_equal(fuse_lookup(s->c, FUSE_ROOT, name, &out), -ENAMETOOLONG);
}

static void name_of_any_bytes_is_a_name(void **state)
{
	struct shared *s = *state;
	static const char name[] = "\x01\x80\xff line\nbreak \\ \"'";
	struct virtiofs_fuse_entry_out out;

	host_write(s, name, "", 0);
	assert_int_equal(fuse_lookup(s->c, FUSE_ROOT, name, &out), 0);
}

static void hard_links_are_one_node(void **state)
{
	struct shared *s = *state;
	uint64_t first;

	host_write(s, "one", "", 0);
	assert_int_equal(linkat(s->dir.fd, "one", s->dir.fd, "two", 0), 0);
	first = node_of(s, FUSE_ROOT, "one");
	assert_int_equal(node_of(s, FUSE_ROOT, "two"), first);
	assert_int_equal(node_of(s, FUSE_ROOT, "one"), first);
}

static void node_lives_until_all_its_lookups_are_forgotten(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_attr attr;
	uint64_t node, again;

	host_write(s, "file", "", 0);
	node = node_of(s, FUSE_ROOT, "file");
	assert_int_equal(node_of(s, FUSE_ROOT, "file"), node);
	fuse_forget(s->c, node, 1);
	assert_int_equal(fuse_getattr(s->c, node, &attr), 0);
	fuse_forget(s->c, node, 1);
	assert_int_equal(fuse_getattr(s->c, node, &attr), -ESTALE);
	/* It comes back under another number: the old one stays wrong. */
	again = node_of(s, FUSE_ROOT, "file");
	assert_int_not_equal(again, node);
	assert_int_equal(fuse_getattr(s->c, node, &attr), -ESTALE);
	assert_int_equal(fuse_getattr(s->c, again, &attr), 0);
}

static void forgetting_too_much_or_nobody_harms_nothing(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_attr attr;
	uint64_t node;

	host_write(s, "file", "", 0);
	node = node_of(s, FUSE_ROOT, "file");
	fuse_forget(s->c, node, UINT64_MAX);
	fuse_forget(s->c, node, 1);
	fuse_forget(s->c, 0, 1);
	fuse_forget(s->c, UINT64_MAX, 1);
	/* The root is never forgotten. */
	fuse_forget(s->c, FUSE_ROOT, UINT64_MAX);
	assert_int_equal(fuse_getattr(s->c, FUSE_ROOT, &attr), 0);
	assert_int_not_equal(node_of(s, FUSE_ROOT, "file"), 0);
}

static void batch_forgets_each_of_its_nodes(void **state)
{
	enum { FILES = 100 };
	struct shared *s = *state;
	struct virtiofs_fuse_forget_one ones[FILES];
	struct virtiofs_fuse_attr attr;

	for (unsigned i = 0; i < FILES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%u", i);
		host_write(s, name, "", 0);
		ones[i].nodeid = node_of(s, FUSE_ROOT, name);
		ones[i].nlookup = 1;
	}
	/* All but the last, and somebody unknown among them. */
	ones[FILES / 2].nlookup = 3;
	fuse_batch_forget(s->c, ones, FILES - 1);
	for (unsigned i = 0; i < FILES - 1; i++)
		assert_int_equal(fuse_getattr(s->c, ones[i].nodeid, &attr), -ESTALE);
	assert_int_equal(fuse_getattr(s->c, ones[FILES - 1].nodeid, &attr), 0);
}

static void numbers_nobody_was_told_are_estale(void **state)
{
	struct shared *s = *state;
	static const uint64_t numbers[] = { 0,	    2,		UINT64_C(1) << 32 | 1,
					    0xffff, 0x80000001, UINT64_MAX };
	struct virtiofs_fuse_entry_out out;
	struct virtiofs_fuse_attr attr;

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		assert_int_equal(fuse_getattr(s->c, numbers[i], &attr), -ESTALE);
		assert_int_equal(fuse_lookup(s->c, numbers[i], "x", &out), -ESTALE);
	}
}

static void new_mount_knows_nothing_of_the_old_one(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_attr attr;
	uint64_t node;

	host_write(s, "file", "", 0);
	node = node_of(s, FUSE_ROOT, "file");
	assert_int_equal(fuse_destroy(s->c), 0);
	assert_int_equal(fuse_getattr(s->c, FUSE_ROOT, &attr), -EIO);
	fuse_mount(s->c);
	assert_int_equal(fuse_getattr(s->c, node, &attr), -ESTALE);
	assert_int_equal(fuse_getattr(s->c, FUSE_ROOT, &attr), 0);
}

static void symbolic_links_are_not_followed(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	uint64_t node;

	assert_int_equal(symlinkat("/", s->dir.fd, "out"), 0);
	node = node_of(s, FUSE_ROOT, "out");
	assert_int_equal(fuse_lookup(s->c, node, "etc", &out), -ENOTDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED_TEST(lookup_answers_with_the_file_it_found),
		SHARED_TEST(lookup_of_every_type_of_file),
		SHARED_TEST(lookup_of_no_file_is_enoent),
		SHARED_TEST(lookup_walks_one_directory_after_the_other),
		SHARED_TEST(name_that_is_no_single_component_is_refused),
		SHARED_TEST(name_of_255_bytes_is_the_longest),
		SHARED_TEST(name_of_any_bytes_is_a_name),
		SHARED_TEST(hard_links_are_one_node),
		SHARED_TEST(node_lives_until_all_its_lookups_are_forgotten),
		SHARED_TEST(forgetting_too_much_or_nobody_harms_nothing),
		SHARED_TEST(batch_forgets_each_of_its_nodes),
		SHARED_TEST(numbers_nobody_was_told_are_estale),
		SHARED_TEST(new_mount_knows_nothing_of_the_old_one),
		SHARED_TEST(symbolic_links_are_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
