/* SPDX-License-Identifier: BSD-2-Clause */
/* Inodes without a descriptor: each case both where file handles work and where they may not
 * be used. */
#include "cold.h"

#include <limits.h>

enum { HOT = 8, MANY = 200 };

static void name_file(char *name, int i)
{
	sprintf(name, "f%d", i);
}

static void hot_inodes_stay_within_their_number(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	uint64_t nodes[MANY], inos[MANY];
	int before = count_descriptors();
	char name[16];

	for (int i = 0; i < MANY; i++) {
		name_file(name, i);
		host_write(g, name, "text");
		inos[i] = host_stat(g, name).st_ino;
		nodes[i] = node_of(g, ROOT, name);
	}
	assert_true(count_descriptors() - before <= HOT + 1);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < MANY; i++) {
			assert_int_equal(do_getattr(g, nodes[i], &attr), 0);
			assert_int_equal(attr.ino, inos[i]);
		}
	}
	assert_true(count_descriptors() - before <= HOT + 1);
	for (int i = 0; i < MANY; i++)
		do_forget(g, nodes[i], 1);
	assert_int_equal(count_descriptors(), before);
}

static void lookup_finds_a_cold_node(void **state)
{
	struct guest *g = *state;
	uint64_t node;

	host_write(g, "file", "text");
	node = node_of(g, ROOT, "file");
	/* Known, so that the next name below the root is taken for one that is known. */
	assert_int_equal(node_of(g, ROOT, "file"), node);
	make_cold(g, node);
	/* By statx and by proof, without a descriptor. */
	assert_int_equal(node_of(g, ROOT, "file"), node);
	assert_true(is_cold(g, node));
	/* By a descriptor that was opened for it, as in a directory where names are new. */
	host_write(g, "new", "");
	node_of(g, ROOT, "new");
	assert_int_equal(linkat(g->dir, "file", g->dir, "other", 0), 0);
	assert_int_equal(node_of(g, ROOT, "other"), node);
	assert_false(is_cold(g, node));
}

static void recently_used_stay_hot(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	uint64_t node;
	char name[16];

	host_write(g, "file", "text");
	node = node_of(g, ROOT, "file");
	for (int i = 0; i < MANY; i++) {
		name_file(name, i);
		host_write(g, name, "");
		node_of(g, ROOT, name);
		assert_int_equal(do_getattr(g, node, &attr), 0);
	}
	assert_false(is_cold(g, node));
}

/* Has the host make a file of that number; false: the file system does not use it again. */
static bool take_number(struct guest *g, const char *name, uint64_t ino)
{
	for (int i = 0; i < 100; i++) {
		host_write(g, name, "other");
		if (host_stat(g, name).st_ino == ino)
			return true;
		/* Keep it, and have the next number. */
		char kept[32];

		sprintf(kept, "kept%d", i);
		assert_int_equal(renameat(g->dir, name, g->dir, kept), 0);
	}
	return false;
}

static void number_that_came_to_another_file_is_another_node(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	uint64_t node, ino, fh;

	host_write(g, "file", "text");
	ino = host_stat(g, "file").st_ino;
	node = node_of(g, ROOT, "file");
	make_cold(g, node);
	assert_int_equal(unlinkat(g->dir, "file", 0), 0);
	if (!take_number(g, "file", ino))
		skip();
	assert_int_equal(do_getattr(g, node, &attr), -ESTALE);
	assert_int_equal(do_open(g, node, O_RDONLY, &fh), -ESTALE);
	assert_int_not_equal(node_of(g, ROOT, "file"), node);
	/* And still, when the new one is hot and then cold. */
	assert_int_equal(do_getattr(g, node, &attr), -ESTALE);
	make_cold(g, node_of(g, ROOT, "file"));
	assert_int_equal(do_getattr(g, node, &attr), -ESTALE);
	assert_int_not_equal(node_of(g, ROOT, "file"), node);
}

static void name_that_came_to_another_file_is_another_node(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	uint64_t node, ino;

	host_write(g, "file", "text");
	ino = host_stat(g, "file").st_ino;
	node = node_of(g, ROOT, "file");
	make_cold(g, node);
	/* The host replaces it, and keeps it in the same directory. */
	assert_int_equal(renameat(g->dir, "file", g->dir, "moved"), 0);
	host_write(g, "file", "other");
	assert_int_equal(do_getattr(g, node, &attr), 0);
	assert_int_equal(attr.ino, ino);
	assert_int_not_equal(node_of(g, ROOT, "file"), node);
	assert_int_equal(node_of(g, ROOT, "moved"), node);
}

static void guest_renames_a_cold_node(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out dir;
	struct virtiofs_fuse_attr attr;
	uint64_t node, other;

	host_write(g, "file", "text");
	host_write(g, "other", "other");
	node = node_of(g, ROOT, "file");
	other = node_of(g, ROOT, "other");
	assert_int_equal(do_mkdir(g, ROOT, "dir", 0755, &dir), 0);
	make_cold(g, node);
	make_cold(g, dir.nodeid);
	assert_int_equal(do_rename(g, ROOT, "file", dir.nodeid, "new", 0), 0);
	make_cold(g, node);
	make_cold(g, dir.nodeid);
	assert_int_equal(do_getattr(g, node, &attr), 0);
	assert_int_equal(attr.ino, host_stat(g, "dir/new").st_ino);
	/* The directory, with what is below it. */
	make_cold(g, node);
	make_cold(g, dir.nodeid);
	assert_int_equal(do_rename(g, ROOT, "dir", ROOT, "moved", 0), 0);
	make_cold(g, dir.nodeid);
	assert_int_equal(do_getattr(g, node, &attr), 0);
	/* Two change places. */
	make_cold(g, node);
	make_cold(g, other);
	make_cold(g, dir.nodeid);
	assert_int_equal(do_rename(g, ROOT, "other", dir.nodeid, "new", RENAME_EXCHANGE), 0);
	make_cold(g, node);
	make_cold(g, other);
	make_cold(g, dir.nodeid);
	assert_int_equal(do_getattr(g, node, &attr), 0);
	assert_int_equal(attr.ino, host_stat(g, "other").st_ino);
	assert_int_equal(do_getattr(g, other, &attr), 0);
	assert_int_equal(attr.ino, host_stat(g, "moved/new").st_ino);
}

static void file_that_is_renamed_over_stays_its_node(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	uint64_t node, lost, fh;
	char text[8];

	host_write(g, "file", "text");
	host_write(g, "lost", "lost");
	node = node_of(g, ROOT, "file");
	lost = node_of(g, ROOT, "lost");
	assert_int_equal(do_open(g, lost, O_RDONLY, &fh), 0);
	make_cold(g, node);
	make_cold(g, lost);
	assert_int_equal(do_rename(g, ROOT, "file", ROOT, "lost", 0), 0);
	make_cold(g, node);
	try_cold(g, lost);
	assert_int_equal(do_getattr(g, node, &attr), 0);
	assert_int_equal(attr.nlink, 1);
	assert_int_equal(do_getattr(g, lost, &attr), 0);
	assert_int_equal(attr.nlink, 0);
	assert_int_equal(do_read(g, lost, fh, 0, text, 4), 4);
	assert_memory_equal(text, "lost", 4);
}

static void cold_file_that_is_open_outlives_its_name(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	uint64_t node, fh;

	host_write(g, "file", "text");
	node = node_of(g, ROOT, "file");
	assert_int_equal(do_open(g, node, O_RDWR, &fh), 0);
	make_cold(g, node);
	assert_int_equal(do_unlink(g, ROOT, "file"), 0);
	try_cold(g, node);
	assert_int_equal(do_getattr(g, node, &attr), 0);
	assert_int_equal(attr.nlink, 0);
	/* The host removes another. */
	host_write(g, "file", "text");
	node = node_of(g, ROOT, "file");
	assert_int_equal(do_open(g, node, O_RDWR, &fh), 0);
	make_cold(g, node);
	assert_int_equal(unlinkat(g->dir, "file", 0), 0);
	assert_int_equal(do_getattr(g, node, &attr), 0);
	assert_int_equal(attr.nlink, 0);
}

static void another_link_of_a_cold_file_keeps_it(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;
	struct virtiofs_fuse_attr attr;
	uint64_t node;

	host_write(g, "file", "text");
	node = node_of(g, ROOT, "file");
	make_cold(g, node);
	assert_int_equal(do_link(g, node, ROOT, "link", &out), 0);
	make_cold(g, node);
	assert_int_equal(do_unlink(g, ROOT, "file"), 0);
	try_cold(g, node);
	assert_int_equal(do_getattr(g, node, &attr), 0);
	assert_int_equal(attr.nlink, 1);
	assert_int_equal(node_of(g, ROOT, "link"), node);
	make_cold(g, node);
	assert_int_equal(do_getattr(g, node, &attr), 0);
}

static void removed_cold_file_is_stale(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;
	struct virtiofs_fuse_attr attr;
	uint64_t node, fh;

	host_write(g, "file", "text");
	node = node_of(g, ROOT, "file");
	make_cold(g, node);
	assert_int_equal(unlinkat(g->dir, "file", 0), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(do_getattr(g, node, &attr), -ESTALE);
		assert_int_equal(do_open(g, node, O_RDONLY, &fh), -ESTALE);
		assert_int_equal(do_lookup(g, node, "x", &out), -ESTALE);
		assert_int_equal(do_link(g, node, ROOT, "link", &out), -ESTALE);
	}
	do_forget(g, node, 1);
	assert_int_equal(do_getattr(g, node, &attr), -ESTALE);
}

static void cold_directories_are_opened_down_to_a_file(void **state)
{
	enum { DEPTH = 150 };
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;
	struct virtiofs_create_out file;
	struct virtiofs_fuse_attr attr;
	uint64_t nodes[DEPTH + 1], fh;

	nodes[0] = ROOT;
	for (int i = 0; i < DEPTH; i++) {
		assert_int_equal(do_mkdir(g, nodes[i], "d", 0755, &out), 0);
		nodes[i + 1] = out.nodeid;
	}
	assert_int_equal(do_create(g, nodes[DEPTH], "file", O_RDWR, 0644, &file), 0);
	assert_int_equal(do_release(g, file.entry.nodeid, file.open.fh), 0);
	for (int i = 1; i <= DEPTH; i++)
		make_cold(g, nodes[i]);
	make_cold(g, file.entry.nodeid);
	assert_int_equal(do_open(g, file.entry.nodeid, O_RDONLY, &fh), 0);
	assert_int_equal(do_getattr(g, nodes[DEPTH], &attr), 0);
	assert_int_equal(do_getattr(g, file.entry.nodeid, &attr), 0);
	assert_int_equal(attr.ino, file.entry.attr.ino);
	assert_int_equal(do_unlink(g, nodes[DEPTH], "file"), 0);
	for (int i = DEPTH; i > 0; i--) {
		make_cold(g, nodes[i]);
		assert_int_equal(do_rmdir(g, nodes[i - 1], "d"), 0);
	}
}

static void child_of_a_forgotten_directory_is_found(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out dir;
	struct virtiofs_fuse_attr attr;
	uint64_t node, count;

	assert_int_equal(do_mkdir(g, ROOT, "dir", 0755, &dir), 0);
	host_write(g, "dir/file", "text");
	count = vfi_table_count(&guest_of(g)->inodes);
	node = node_of(g, dir.nodeid, "file");
	make_cold(g, node);
	make_cold(g, dir.nodeid);
	do_forget(g, dir.nodeid, UINT64_MAX);
	do_forget(g, dir.nodeid, UINT64_MAX);
	assert_int_equal(do_getattr(g, node, &attr), 0);
	/* With the child it goes itself. */
	do_forget(g, node, UINT64_MAX);
	assert_int_equal(vfi_table_count(&guest_of(g)->inodes), count - 1);
	assert_int_equal(do_getattr(g, dir.nodeid, &attr), -ESTALE);
}

static void everything_but_files_can_be_cold_too(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out link, fifo, file;
	struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_MODE, .mode = 0600 };
	struct virtiofs_fuse_attr attr;
	char target[PATH_MAX];

	assert_int_equal(do_symlink(g, ROOT, "link", "/nowhere", &link), 0);
	assert_int_equal(do_mknod(g, ROOT, "fifo", S_IFIFO | 0644, 0, &fifo), 0);
	assert_int_equal(do_mknod(g, ROOT, "file", S_IFREG | 0644, 0, &file), 0);
	make_cold(g, link.nodeid);
	make_cold(g, fifo.nodeid);
	make_cold(g, file.nodeid);
	assert_int_equal(do_readlink(g, link.nodeid, target, sizeof(target)), 0);
	assert_string_equal(target, "/nowhere");
	assert_int_equal(do_setattr(g, fifo.nodeid, &in, &attr), 0);
	assert_int_equal(attr.mode, S_IFIFO | 0600);
	assert_int_equal(do_setattr(g, file.nodeid, &in, &attr), 0);
	assert_int_equal(attr.mode, S_IFREG | 0600);
}

static void root_and_what_is_in_use_stay_hot(void **state)
{
	struct guest *g = *state;
	struct vfi_node node;
	uint64_t nodeid;

	host_write(g, "file", "text");
	nodeid = node_of(g, ROOT, "file");
	assert_int_equal(vfi_node_open(g->session, nodeid, &node), 0);
	assert_false(try_cold(g, nodeid));
	vfi_node_close(&node);
	assert_true(try_cold(g, nodeid));
	assert_false(is_cold(g, ROOT));
	for (int i = 0; i < 100; i++)
		vfi_hot_relieve(guest_of(g)->share->hot);
	assert_false(is_cold(g, ROOT));
}

int main(void)
{
#define TEST(name)                                                              \
	cmocka_unit_test_setup_teardown(name, setup_by_handle, guest_teardown), \
	{                                                                       \
#name "_by_name", name, setup_by_name, guest_teardown, NULL     \
	}
	const struct CMUnitTest tests[] = {
		TEST(hot_inodes_stay_within_their_number),
		TEST(lookup_finds_a_cold_node),
		TEST(recently_used_stay_hot),
		TEST(number_that_came_to_another_file_is_another_node),
		TEST(name_that_came_to_another_file_is_another_node),
		TEST(guest_renames_a_cold_node),
		TEST(file_that_is_renamed_over_stays_its_node),
		TEST(cold_file_that_is_open_outlives_its_name),
		TEST(another_link_of_a_cold_file_keeps_it),
		TEST(removed_cold_file_is_stale),
		TEST(cold_directories_are_opened_down_to_a_file),
		TEST(child_of_a_forgotten_directory_is_found),
		TEST(everything_but_files_can_be_cold_too),
		TEST(root_and_what_is_in_use_stay_hot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
