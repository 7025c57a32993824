/* SPDX-License-Identifier: BSD-2-Clause */
/* Removing names, and moving them. */
#include "guest.h"

static void names_are_removed(void **state)
{
	struct guest *g = *state;

	host_write(g, "file", "");
	assert_int_equal(mkdirat(g->dir, "dir", 0755), 0);
	assert_int_equal(do_unlink(g, ROOT, "dir"), -EISDIR);
	assert_int_equal(do_rmdir(g, ROOT, "file"), -ENOTDIR);
	assert_int_equal(do_unlink(g, ROOT, "file"), 0);
	assert_int_equal(do_rmdir(g, ROOT, "dir"), 0);
	assert_false(host_has(g, "file") || host_has(g, "dir"));
	assert_int_equal(do_unlink(g, ROOT, "file"), -ENOENT);
	assert_int_equal(do_rmdir(g, ROOT, "dir"), -ENOENT);
	assert_int_equal(do_unlink(g, 999, "file"), -ESTALE);
}

static void full_directory_stays(void **state)
{
	struct guest *g = *state;

	assert_int_equal(mkdirat(g->dir, "dir", 0755), 0);
	host_write(g, "dir/file", "");
	assert_int_equal(do_rmdir(g, ROOT, "dir"), -ENOTEMPTY);
}

static void symlink_is_removed_and_not_its_target(void **state)
{
	struct guest *g = *state;

	host_write(g, "file", "");
	assert_int_equal(symlinkat("file", g->dir, "link"), 0);
	assert_int_equal(do_unlink(g, ROOT, "link"), 0);
	assert_true(host_has(g, "file"));
}

static void renamed_file_keeps_its_node(void **state)
{
	struct guest *g = *state;
	uint64_t node, dir;

	host_write(g, "a", "hello");
	assert_int_equal(mkdirat(g->dir, "dir", 0755), 0);
	node = node_of(g, ROOT, "a");
	dir = node_of(g, ROOT, "dir");
	assert_int_equal(do_rename(g, ROOT, "a", dir, "b", 0), 0);
	assert_false(host_has(g, "a"));
	assert_int_equal(node_of(g, dir, "b"), node);
}

static void rename_replaces_unless_told_not_to(void **state)
{
	struct guest *g = *state;

	host_write(g, "a", "aa");
	host_write(g, "b", "b");
	assert_int_equal(do_rename(g, ROOT, "a", ROOT, "b", RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(do_rename(g, ROOT, "a", ROOT, "b", RENAME_EXCHANGE), 0);
	assert_int_equal(host_stat(g, "a").st_size, 1);
	assert_int_equal(do_rename(g, ROOT, "a", ROOT, "b", 0), 0);
	assert_int_equal(host_stat(g, "b").st_size, 1);
	assert_false(host_has(g, "a"));
}

static void rename_with_what_is_wrong_fails(void **state)
{
	struct guest *g = *state;

	host_write(g, "a", "");
	assert_int_equal(mkdirat(g->dir, "dir", 0755), 0);
	assert_int_equal(do_rename(g, ROOT, "a", ROOT, "b", 0x80000000), -EINVAL);
	assert_int_equal(do_rename(g, ROOT, "x", ROOT, "b", 0), -ENOENT);
	assert_int_equal(do_rename(g, 999, "a", ROOT, "b", 0), -ESTALE);
	assert_int_equal(do_rename(g, ROOT, "a", 999, "b", 0), -ESTALE);
	assert_int_equal(do_rename(g, ROOT, "dir", node_of(g, ROOT, "dir"), "in", 0), -EINVAL);
	assert_true(host_has(g, "a"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(names_are_removed),
		TEST(full_directory_stays),
		TEST(symlink_is_removed_and_not_its_target),
		TEST(renamed_file_keeps_its_node),
		TEST(rename_replaces_unless_told_not_to),
		TEST(rename_with_what_is_wrong_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
