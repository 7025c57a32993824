/* SPDX-License-Identifier: BSD-2-Clause */
/* Inodes that the guest forgot and may come back to: EXPORT_SUPPORT. */
#include "cold.h"

enum { MAX = 40 };

static int setup_remembering(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	int err;

	options.max_inodes = MAX;
	err = guest_setup_with(state, &options);
	guest_of(*state)->remembers = true;
	return err;
}

/* By file handle alone. */
static struct guest *remembering(void **state)
{
	struct guest *g = *state;

	if (guest_of(g)->share->root_mount->fd < 0)
		skip();
	return g;
}

static bool is_known(struct guest *g, uint64_t node)
{
	struct virtiofs_fuse_entry_out out;
	int err = do_lookup(g, node, ".", &out);

	assert_true(!err || err == -ESTALE);
	if (!err) {
		assert_int_equal(out.nodeid, node);
		do_forget(g, node, 1);
	}
	return !err;
}

static void forgotten_node_is_found_by_its_id(void **state)
{
	struct guest *g = remembering(state);
	struct virtiofs_fuse_attr attr;
	int before = count_descriptors();
	uint64_t node, fh;

	host_write(g, "file", "text");
	node = node_of(g, ROOT, "file");
	do_forget(g, node, 1);
	assert_int_equal(count_descriptors(), before);
	assert_true(is_known(g, node));
	assert_int_equal(do_open(g, node, O_RDONLY, &fh), 0);
	assert_int_equal(do_release(g, node, fh), 0);
	/* By its name it is the same node, wherever that is. */
	assert_int_equal(renameat(g->dir, "file", g->dir, "moved"), 0);
	assert_int_equal(node_of(g, ROOT, "moved"), node);
	assert_int_equal(do_getattr(g, node, &attr), 0);
	do_forget(g, node, 1);
	assert_true(is_known(g, node));
}

static void removed_file_is_not_remembered(void **state)
{
	struct guest *g = remembering(state);
	uint64_t node, other;

	host_write(g, "file", "text");
	node = node_of(g, ROOT, "file");
	assert_int_equal(do_unlink(g, ROOT, "file"), 0);
	do_forget(g, node, 1);
	assert_false(is_known(g, node));
	/* Removed later, and its number used again. */
	host_write(g, "file", "text");
	node = node_of(g, ROOT, "file");
	do_forget(g, node, 1);
	assert_int_equal(unlinkat(g->dir, "file", 0), 0);
	host_write(g, "file", "text");
	other = node_of(g, ROOT, "file");
	assert_int_not_equal(other, node);
	assert_false(is_known(g, node));
	do_forget(g, other, 1);
	assert_true(is_known(g, other));
}

static void remembered_go_before_anybody_is_refused(void **state)
{
	struct guest *g = remembering(state);
	struct virtiofs_fuse_entry_out out;
	uint64_t nodes[2 * MAX];
	char name[16];
	int known = 0;

	for (int i = 0; i < 2 * MAX; i++) {
		sprintf(name, "f%d", i);
		host_write(g, name, "");
		nodes[i] = node_of(g, ROOT, name);
		do_forget(g, nodes[i], 1);
	}
	for (int i = 0; i < 2 * MAX; i++)
		known += is_known(g, nodes[i]);
	/* A quarter of all. */
	assert_in_range(known, 1, MAX / 4);
	/* The root is one of them. */
	for (int i = 0; i < MAX - 1; i++) {
		sprintf(name, "f%d", i);
		nodes[i] = node_of(g, ROOT, name);
	}
	sprintf(name, "f%d", MAX);
	assert_int_equal(do_lookup(g, ROOT, name, &out), -ENFILE);
	for (int i = 0; i < MAX - 1; i++)
		assert_true(nodes[i] != 0);
	assert_int_equal(guest_of(g)->memory_count, 0);
}

static void guest_that_does_not_ask_is_not_remembered(void **state)
{
	struct guest *g = remembering(state);
	struct guest other = guest_on_thread(g);
	uint64_t node;

	other.init.offered = 0;
	assert_int_equal(g->ops->session_begin(g->fs->fs, &other.session, &other.init), 0);
	host_write(g, "file", "text");
	node = node_of(&other, ROOT, "file");
	do_forget(&other, node, 1);
	assert_false(is_known(&other, node));
	g->ops->session_end(other.session);
}

static void one_guest_makes_room_for_another(void **state)
{
	struct guest *g = remembering(state);
	struct guest other = guest_on_thread(g);
	uint64_t nodes[MAX];
	char name[16];

	assert_int_equal(g->ops->session_begin(g->fs->fs, &other.session, &other.init), 0);
	for (int i = 0; i < MAX; i++) {
		sprintf(name, "f%d", i);
		host_write(g, name, "");
	}
	for (int i = 0; i < MAX / 4; i++) {
		sprintf(name, "f%d", i);
		do_forget(g, node_of(g, ROOT, name), 1);
	}
	assert_int_equal(guest_of(g)->memory_count, MAX / 4);
	/* Both roots are known. */
	for (int i = 0; i < MAX - 2; i++) {
		sprintf(name, "f%d", i);
		nodes[i] = node_of(&other, ROOT, name);
		assert_true(nodes[i] != 0);
	}
	assert_int_equal(guest_of(g)->memory_count, 0);
	g->ops->session_end(other.session);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_remembering, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(forgotten_node_is_found_by_its_id),
		TEST(removed_file_is_not_remembered),
		TEST(remembered_go_before_anybody_is_refused),
		TEST(guest_that_does_not_ask_is_not_remembered),
		TEST(one_guest_makes_room_for_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
