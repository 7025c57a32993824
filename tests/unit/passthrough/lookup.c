/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and node ids: what the guest is told, and what becomes of what it says. */
#include "guest.h"

static void lookup_gives_a_node_id_and_attributes(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;
	struct stat st;

	host_write(g, "file", "hello");
	st = host_stat(g, "file");
	assert_int_equal(do_lookup(g, ROOT, "file", &out), 0);
	assert_int_not_equal(out.nodeid, 0);
	assert_int_not_equal(out.nodeid, ROOT);
	assert_int_equal(out.attr.ino, st.st_ino);
	assert_int_equal(out.attr.size, 5);
	assert_int_equal(out.attr.mode, st.st_mode);
	assert_int_equal(out.attr.nlink, 1);
	assert_int_equal(out.attr.mtime, st.st_mtim.tv_sec);
	assert_int_equal(out.attr.mtimensec, st.st_mtim.tv_nsec);
	assert_int_equal(out.entry_valid, 1);
	assert_int_equal(out.attr_valid, 1);
}

static void lookup_of_nothing_is_enoent(void **state)
{
	struct virtiofs_fuse_entry_out out;

	assert_int_equal(do_lookup(*state, ROOT, "nothing", &out), -ENOENT);
}

static void lookup_below_a_file_is_enotdir(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;

	host_write(g, "file", "");
	assert_int_equal(do_lookup(g, node_of(g, ROOT, "file"), "x", &out), -ENOTDIR);
}

static void two_names_of_a_file_are_one_node(void **state)
{
	struct guest *g = *state;
	int before;

	host_write(g, "a", "");
	assert_int_equal(linkat(g->dir, "a", g->dir, "b", 0), 0);
	before = count_descriptors();
	assert_int_equal(node_of(g, ROOT, "a"), node_of(g, ROOT, "b"));
	assert_int_equal(count_descriptors(), before + 1);
}

static void symlink_is_a_node_of_its_own(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;
	char target[64];

	assert_int_equal(symlinkat("/etc/passwd", g->dir, "link"), 0);
	assert_int_equal(do_lookup(g, ROOT, "link", &out), 0);
	assert_true(S_ISLNK(out.attr.mode));
	assert_int_equal(do_readlink(g, out.nodeid, target, sizeof(target)), 0);
	assert_string_equal(target, "/etc/passwd");
}

static void readlink_of_a_file_is_einval(void **state)
{
	struct guest *g = *state;
	char target[64];

	host_write(g, "file", "");
	assert_int_equal(do_readlink(g, node_of(g, ROOT, "file"), target, sizeof(target)), -EINVAL);
}

static void nothing_is_reached_through_a_symlink(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;
	uint64_t link, fh;

	assert_int_equal(symlinkat("/etc", g->dir, "link"), 0);
	link = node_of(g, ROOT, "link");
	assert_int_equal(do_lookup(g, link, "passwd", &out), -ENOTDIR);
	assert_int_equal(do_open(g, link, O_RDONLY, &fh), -ELOOP);
	assert_int_equal(do_opendir(g, link, &fh), -ENOTDIR);
}

static void directory_swapped_for_a_symlink_keeps_its_node(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;
	uint64_t dir;

	assert_int_equal(mkdirat(g->dir, "dir", 0755), 0);
	dir = node_of(g, ROOT, "dir");
	assert_int_equal(renameat(g->dir, "dir", g->dir, "away"), 0);
	assert_int_equal(symlinkat("/etc", g->dir, "dir"), 0);
	/* The node is the directory, wherever it went; the name is the link now. */
	assert_int_equal(do_lookup(g, dir, "passwd", &out), -ENOENT);
	assert_int_equal(do_lookup(g, ROOT, "dir", &out), 0);
	assert_true(S_ISLNK(out.attr.mode));
}

static void forgotten_node_is_stale(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	uint64_t node;

	host_write(g, "file", "");
	node = node_of(g, ROOT, "file");
	node_of(g, ROOT, "file");
	do_forget(g, node, 1);
	assert_int_equal(do_getattr(g, node, &attr), 0);
	do_forget(g, node, 1);
	assert_int_equal(do_getattr(g, node, &attr), -ESTALE);
}

static void node_ids_are_not_used_twice(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	uint64_t first, second;

	host_write(g, "file", "");
	first = node_of(g, ROOT, "file");
	do_forget(g, first, 1);
	second = node_of(g, ROOT, "file");
	assert_int_not_equal(first, second);
	assert_int_equal(do_getattr(g, first, &attr), -ESTALE);
	assert_int_equal(do_getattr(g, second, &attr), 0);
}

static void forgetting_too_much_forgets_once(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	int before = count_descriptors();
	uint64_t node;

	host_write(g, "file", "");
	node = node_of(g, ROOT, "file");
	do_forget(g, node, UINT64_MAX);
	do_forget(g, node, UINT64_MAX);
	do_forget(g, node, 1);
	assert_int_equal(count_descriptors(), before);
	assert_int_equal(do_getattr(g, node_of(g, ROOT, "file"), &attr), 0);
}

static void forgetting_nothing_changes_nothing(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	uint64_t node;

	host_write(g, "file", "");
	node = node_of(g, ROOT, "file");
	do_forget(g, node, 0);
	assert_int_equal(do_getattr(g, node, &attr), 0);
}

static void root_cannot_be_forgotten(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;

	do_forget(g, ROOT, UINT64_MAX);
	assert_int_equal(do_getattr(g, ROOT, &attr), 0);
	assert_true(S_ISDIR(attr.mode));
}

static void made_up_node_ids_are_stale(void **state)
{
	static const uint64_t ids[] = {
		0, 2, 0x7fffffff, UINT32_MAX, 1ull << 32 | 1, UINT64_MAX, UINT64_MAX - 1,
	};
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_fuse_attr attr;
	uint64_t fh;

	for (size_t i = 0; i < VFI_ARRAY_SIZE(ids); i++) {
		assert_int_equal(do_getattr(g, ids[i], &attr), -ESTALE);
		assert_int_equal(do_lookup(g, ids[i], "x", &entry), -ESTALE);
		assert_int_equal(do_open(g, ids[i], O_RDONLY, &fh), -ESTALE);
		assert_int_equal(do_opendir(g, ids[i], &fh), -ESTALE);
		do_forget(g, ids[i], UINT64_MAX);
	}
}

static void removed_file_keeps_its_node(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	uint64_t node;

	host_write(g, "file", "hello");
	node = node_of(g, ROOT, "file");
	assert_int_equal(unlinkat(g->dir, "file", 0), 0);
	assert_int_equal(do_getattr(g, node, &attr), 0);
	assert_int_equal(attr.nlink, 0);
	/* Another file by that name, even on the same inode number, is another node. */
	host_write(g, "file", "other");
	assert_int_not_equal(node_of(g, ROOT, "file"), node);
}

/* Where a number came to another file between two looks, the time of birth tells. */
static void a_file_born_at_another_time_is_looked_at_again(void **state)
{
	struct guest *g = *state;
	struct statx st;
	uint64_t node;

	host_write(g, "file", "");
	node = node_of(g, ROOT, "file");
	assert_int_equal(vfi_path_stat(g->dir, "file", &st), 0);
	assert_int_equal(vfi_inode_find(g->session, g->dir, "file", &st), node);
	if (!(st.stx_mask & STATX_BTIME))
		skip();
	st.stx_btime.tv_nsec ^= 1;
	assert_int_equal(vfi_inode_find(g->session, g->dir, "file", &st), 0);
}

static void works_without_openat2(void **state)
{
	struct guest *g = *state;
	struct vfi_share *share = g->fs->fs;
	struct virtiofs_fuse_entry_out out;
	uint64_t fh;

	share->has_openat2 = false;
	host_write(g, "file", "");
	assert_int_equal(symlinkat("/etc/passwd", g->dir, "link"), 0);
	assert_int_equal(do_open(g, node_of(g, ROOT, "file"), O_RDWR, &fh), 0);
	assert_int_equal(do_lookup(g, ROOT, "link", &out), 0);
	assert_true(S_ISLNK(out.attr.mode));
}

static int setup_small(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;

	options.max_inodes = 3;
	options.max_handles = 2;
	return guest_setup_with(state, &options);
}

static void too_many_nodes_are_enfile(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;
	uint64_t a;

	host_write(g, "a", "");
	host_write(g, "b", "");
	host_write(g, "c", "");
	a = node_of(g, ROOT, "a");
	node_of(g, ROOT, "b");
	assert_int_equal(do_lookup(g, ROOT, "c", &out), -ENFILE);
	/* What is known needs no room. */
	node_of(g, ROOT, "b");
	do_forget(g, a, 1);
	node_of(g, ROOT, "c");
}

static void too_many_handles_are_enfile(void **state)
{
	struct guest *g = *state;
	uint64_t node, fh[3];

	host_write(g, "a", "text");
	node = node_of(g, ROOT, "a");
	assert_int_equal(do_open(g, node, O_RDONLY, &fh[0]), 0);
	assert_int_equal(do_open(g, node, O_RDONLY, &fh[1]), 0);
	assert_int_equal(do_open(g, node, O_RDWR | O_TRUNC, &fh[2]), -ENFILE);
	/* Refused as a whole. */
	assert_int_equal(host_stat(g, "a").st_size, 4);
	assert_int_equal(do_opendir(g, ROOT, &fh[2]), -ENFILE);
	assert_int_equal(do_release(g, node, fh[0]), 0);
	assert_int_equal(do_open(g, node, O_RDONLY, &fh[2]), 0);
}

static void many_nodes_are_all_found_again(void **state)
{
	enum { MANY = 2000 };
	struct guest *g = *state;
	static uint64_t nodes[MANY];
	char name[16];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		assert_int_equal(symlinkat("x", g->dir, name), 0);
		nodes[i] = node_of(g, ROOT, name);
	}
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		assert_int_equal(node_of(g, ROOT, name), nodes[i]);
		do_forget(g, nodes[i], i % 2 ? 1 : 2);
	}
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		if (i % 2)
			assert_int_equal(node_of(g, ROOT, name), nodes[i]);
		else
			assert_int_not_equal(node_of(g, ROOT, name), nodes[i]);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(lookup_gives_a_node_id_and_attributes),
		TEST(lookup_of_nothing_is_enoent),
		TEST(lookup_below_a_file_is_enotdir),
		TEST(two_names_of_a_file_are_one_node),
		TEST(symlink_is_a_node_of_its_own),
		TEST(readlink_of_a_file_is_einval),
		TEST(nothing_is_reached_through_a_symlink),
		TEST(directory_swapped_for_a_symlink_keeps_its_node),
		TEST(forgotten_node_is_stale),
		TEST(node_ids_are_not_used_twice),
		TEST(forgetting_too_much_forgets_once),
		TEST(forgetting_nothing_changes_nothing),
		TEST(root_cannot_be_forgotten),
		TEST(made_up_node_ids_are_stale),
		TEST(removed_file_keeps_its_node),
		TEST(a_file_born_at_another_time_is_looked_at_again),
		TEST(works_without_openat2),
		cmocka_unit_test_setup_teardown(too_many_nodes_are_enfile, setup_small,
						guest_teardown),
		cmocka_unit_test_setup_teardown(too_many_handles_are_enfile, setup_small,
						guest_teardown),
		TEST(many_nodes_are_all_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
