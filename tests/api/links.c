/* SPDX-License-Identifier: BSD-2-Clause */
/* SYMLINK, READLINK, LINK, RENAME and RENAME2. */
#include "shared.h"

#include <linux/fs.h>

static void symlink_keeps_its_target_to_the_letter(void **state)
{
	struct shared *s = *state;
	static const char *const targets[] = { "file", "/etc/passwd", "../..", "a b\n\xff" };
	struct virtiofs_fuse_entry_out out;
	char target[4097];

	for (unsigned i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		const char name[] = { 'l', (char)('0' + i), '\0' };
		ssize_t n;

		assert_int_equal(fuse_symlink(s->c, FUSE_ROOT, name, targets[i], &out), 0);
		assert_true(S_ISLNK(out.attr.mode));
		assert_int_equal(out.attr.size, strlen(targets[i]));
		n = readlinkat(s->dir.fd, name, target, sizeof(target) - 1);
		assert_int_equal(n, strlen(targets[i]));
		assert_memory_equal(target, targets[i], (size_t)n);
		assert_int_equal(fuse_readlink(s->c, out.nodeid, target, sizeof(target)), 0);
		assert_string_equal(target, targets[i]);
	}
	assert_int_equal(fuse_symlink(s->c, FUSE_ROOT, "l0", "x", &out), -EEXIST);
}

static void target_of_4095_bytes_is_the_longest(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	char target[4097], back[4097];
	int err;

	memset(target, 't', sizeof(target));
	target[4095] = '\0';
	err = fuse_symlink(s->c, FUSE_ROOT, "long", target, &out);
	/* XFS takes 1024. */
	if (err != -ENAMETOOLONG) {
		assert_int_equal(err, 0);
		assert_int_equal(fuse_readlink(s->c, out.nodeid, back, sizeof(back)), 0);
		assert_string_equal(back, target);
	}
	target[4095] = 't';
	target[4096] = '\0';
	assert_int_equal(fuse_symlink(s->c, FUSE_ROOT, "longer", target, &out), -ENAMETOOLONG);
	assert_false(host_exists(s, "longer"));
}

static void readlink_of_what_is_no_link_is_einval(void **state)
{
	struct shared *s = *state;
	char target[16];

	host_write(s, "file", "", 0);
	assert_int_equal(fuse_readlink(s->c, node_of(s, FUSE_ROOT, "file"), target, sizeof(target)),
			 -EINVAL);
	assert_int_equal(fuse_readlink(s->c, FUSE_ROOT, target, sizeof(target)), -EINVAL);
	assert_int_equal(fuse_readlink(s->c, 12345, target, sizeof(target)), -ESTALE);
}

static void link_is_one_more_name_of_the_same_node(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	struct virtiofs_fuse_attr attr;
	uint64_t node;

	host_write(s, "one", "abc", 3);
	node = node_of(s, FUSE_ROOT, "one");
	assert_int_equal(fuse_link(s->c, node, FUSE_ROOT, "two", &out), 0);
	assert_int_equal(out.nodeid, node);
	assert_int_equal(out.attr.nlink, 2);
	assert_int_equal(host_stat(s, "two").st_ino, host_stat(s, "one").st_ino);
	assert_int_equal(fuse_link(s->c, node, FUSE_ROOT, "two", &out), -EEXIST);
	assert_int_equal(fuse_link(s->c, 12345, FUSE_ROOT, "three", &out), -ESTALE);
	assert_int_equal(fuse_link(s->c, node, 12345, "three", &out), -ESTALE);
	assert_int_equal(fuse_link(s->c, FUSE_ROOT, FUSE_ROOT, "three", &out), -EPERM);
	/* The answer was a lookup: two to forget, not more, for none of the refused ones. */
	fuse_forget(s->c, node, 1);
	assert_int_equal(fuse_getattr(s->c, node, &attr), 0);
	fuse_forget(s->c, node, 1);
	assert_int_equal(fuse_getattr(s->c, node, &attr), -ESTALE);
}

static void link_of_a_symlink_is_not_of_its_target(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;

	host_write(s, "target", "", 0);
	assert_int_equal(symlinkat("target", s->dir.fd, "link"), 0);
	assert_int_equal(fuse_link(s->c, node_of(s, FUSE_ROOT, "link"), FUSE_ROOT, "other", &out),
			 0);
	assert_true(S_ISLNK(host_stat(s, "other").st_mode));
	assert_int_equal(host_stat(s, "target").st_nlink, 1);
}

static void rename_moves_and_replaces(void **state)
{
	struct shared *s = *state;
	uint64_t dir, node;

	host_write(s, "a", "A", 1);
	host_write(s, "b", "B", 1);
	host_mkdir(s, "dir", 0755);
	dir = node_of(s, FUSE_ROOT, "dir");
	node = node_of(s, FUSE_ROOT, "a");
	assert_int_equal(fuse_rename(s->c, FUSE_ROOT, "a", FUSE_ROOT, "b"), 0);
	host_assert_content(s, "b", "A", 1);
	assert_false(host_exists(s, "a"));
	assert_int_equal(fuse_rename(s->c, FUSE_ROOT, "b", dir, "c"), 0);
	host_assert_content(s, "dir/c", "A", 1);
	/* It is the same node still. */
	assert_int_equal(node_of(s, dir, "c"), node);
	assert_int_equal(fuse_rename(s->c, FUSE_ROOT, "b", dir, "d"), -ENOENT);
	assert_int_equal(fuse_rename(s->c, 12345, "b", dir, "d"), -ESTALE);
	assert_int_equal(fuse_rename(s->c, dir, "c", 12345, "d"), -ESTALE);
	assert_int_equal(fuse_rename(s->c, dir, "c", dir, ".."), -EINVAL);
	assert_int_equal(fuse_rename(s->c, dir, "", dir, "d"), -EINVAL);
	assert_int_equal(fuse_rename(s->c, dir, "c", dir, "../d"), -EINVAL);
	assert_true(host_exists(s, "dir/c"));
}

static void directory_does_not_move_into_itself(void **state)
{
	struct shared *s = *state;
	uint64_t dir;
	int err;

	host_mkdir(s, "dir", 0755);
	host_mkdir(s, "full", 0755);
	host_write(s, "full/file", "", 0);
	dir = node_of(s, FUSE_ROOT, "dir");
	assert_int_equal(fuse_rename(s->c, FUSE_ROOT, "dir", dir, "below"), -EINVAL);
	err = fuse_rename(s->c, FUSE_ROOT, "dir", FUSE_ROOT, "full");
	/* File systems have one or the other for it. */
	assert_true(err == -ENOTEMPTY || err == -EEXIST);
	assert_int_equal(fuse_rename(s->c, FUSE_ROOT, "full", FUSE_ROOT, "dir"), 0);
	assert_true(host_exists(s, "dir/file"));
}

static void rename2_replaces_not_or_exchanges(void **state)
{
	struct shared *s = *state;

	host_write(s, "a", "A", 1);
	host_write(s, "b", "B", 1);
	assert_int_equal(fuse_rename2(s->c, FUSE_ROOT, "a", FUSE_ROOT, "b", RENAME_NOREPLACE),
			 -EEXIST);
	host_assert_content(s, "b", "B", 1);
	assert_int_equal(fuse_rename2(s->c, FUSE_ROOT, "a", FUSE_ROOT, "b", RENAME_EXCHANGE), 0);
	host_assert_content(s, "a", "B", 1);
	host_assert_content(s, "b", "A", 1);
	assert_int_equal(fuse_rename2(s->c, FUSE_ROOT, "a", FUSE_ROOT, "c", RENAME_NOREPLACE), 0);
	host_assert_content(s, "c", "B", 1);
	assert_int_equal(fuse_rename2(s->c, FUSE_ROOT, "c", FUSE_ROOT, "d", 1u << 31), -EINVAL);
	assert_int_equal(fuse_rename2(s->c, FUSE_ROOT, "c", FUSE_ROOT, "d", 0), 0);
	host_assert_content(s, "d", "B", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED_TEST(symlink_keeps_its_target_to_the_letter),
		SHARED_TEST(target_of_4095_bytes_is_the_longest),
		SHARED_TEST(readlink_of_what_is_no_link_is_einval),
		SHARED_TEST(link_is_one_more_name_of_the_same_node),
		SHARED_TEST(link_of_a_symlink_is_not_of_its_target),
		SHARED_TEST(rename_moves_and_replaces),
		SHARED_TEST(directory_does_not_move_into_itself),
		SHARED_TEST(rename2_replaces_not_or_exchanges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
