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
	for (uint32_t flag = RENAME_WHITEOUT << 1; flag; flag <<= 1)
		assert_int_equal(do_rename(g, ROOT, "a", ROOT, "b", flag), -EINVAL);
	assert_int_equal(do_rename(g, ROOT, "a", ROOT, "b", UINT32_MAX), -EINVAL);
	assert_int_equal(do_rename(g, ROOT, "x", ROOT, "b", 0), -ENOENT);
	assert_int_equal(do_rename(g, 999, "a", ROOT, "b", 0), -ESTALE);
	assert_int_equal(do_rename(g, ROOT, "a", 999, "b", 0), -ESTALE);
	assert_int_equal(do_rename(g, ROOT, "dir", node_of(g, ROOT, "dir"), "in", 0), -EINVAL);
	assert_true(host_has(g, "a"));
}

static bool is_whiteout(struct guest *g, const char *name)
{
	struct stat st = host_stat(g, name);

	return S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

static void whiteout_is_left_behind_and_the_guests(void **state)
{
	struct guest *g = *state;
	int err;

	host_write(g, "a", "hello");
	assert_int_equal(fchmod(g->dir, 0777), 0);
	if (geteuid() == 0)
		become(g, 1000, 2000);
	err = do_rename(g, ROOT, "a", ROOT, "b", RENAME_WHITEOUT);
	/* The file system below, or a kernel before 5.8. */
	if (err == -EINVAL || err == -EPERM)
		skip();
	assert_int_equal(err, 0);
	assert_int_equal(host_stat(g, "b").st_size, 5);
	assert_true(is_whiteout(g, "a"));
	if (geteuid() == 0) {
		assert_int_equal(host_stat(g, "a").st_uid, 1000);
		assert_int_equal(host_stat(g, "a").st_gid, 2000);
		assert_int_equal(host_stat(g, "b").st_uid, 0);
	}
	assert_int_equal(do_rename(g, ROOT, "b", ROOT, "a", RENAME_WHITEOUT | RENAME_NOREPLACE),
			 -EEXIST);
	assert_int_equal(do_rename(g, ROOT, "b", ROOT, "a", RENAME_WHITEOUT | RENAME_EXCHANGE),
			 -EINVAL);
}

static void whiteout_is_made_without_a_right_to_devices(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;
	int err;

	assert_int_equal(fchmod(g->dir, 0777), 0);
	if (geteuid() == 0)
		become(g, 1000, 2000);
	err = do_mknod(g, ROOT, "gone", S_IFCHR | 0, 0, &out);
	/* A kernel before 5.8. */
	if (err == -EPERM)
		skip();
	assert_int_equal(err, 0);
	assert_true(is_whiteout(g, "gone"));
	if (geteuid() == 0)
		assert_int_equal(do_mknod(g, ROOT, "null", S_IFCHR, 1 << 8 | 3, &out), -EPERM);
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
		TEST(whiteout_is_left_behind_and_the_guests),
		TEST(whiteout_is_made_without_a_right_to_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
