/* SPDX-License-Identifier: BSD-2-Clause */
/* LOOKUP of "." and "..", under EXPORT_SUPPORT: never above the shared directory. */
#include "shared.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

static struct shared *begin(const struct virtiofs_passthrough_options *options, uint32_t granted)
{
	const struct shared_options with = { .passthrough = options };
	struct shared *s = calloc(1, sizeof(*s));
	struct virtiofs_fuse_init_out out;

	assert_non_null(s);
	shared_open(s, &with);
	assert_int_equal(fuse_init(s->c, VIRTIOFS_FUSE_EXPORT_SUPPORT, &out), 0);
	assert_int_equal(out.flags & VIRTIOFS_FUSE_EXPORT_SUPPORT, granted);
	host_mkdir(s, "a", 0755);
	host_mkdir(s, "a/b", 0755);
	host_mkdir(s, "a/b/c", 0755);
	host_write(s, "a/b/file", "x", 1);
	return s;
}

static int setup(void **state)
{
	*state = begin(NULL, VIRTIOFS_FUSE_EXPORT_SUPPORT);
	return 0;
}

static int setup_without(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;

	options.export_support = VIRTIOFS_OFF;
	*state = begin(&options, 0);
	return 0;
}

/* The node of a path of single letters, or "f" for the file. */
static uint64_t walk(struct shared *s, const char *path)
{
	uint64_t node = FUSE_ROOT;

	for (; *path; path++) {
		const char name[2] = { *path, '\0' };

		node = node_of(s, node, *path == 'f' ? "file" : name);
	}
	return node;
}

static void dot_is_the_node_itself(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	struct virtiofs_fuse_attr attr;
	uint64_t file = walk(s, "abf"), dir = walk(s, "ab");
	struct stat st = host_stat(s, "a/b/file");

	assert_int_equal(fuse_lookup(s->c, file, ".", &out), 0);
	assert_int_equal(out.nodeid, file);
	assert_int_equal(out.generation, file >> 32);
	assert_attr_of(&out.attr, &st);
	assert_int_equal(fuse_lookup(s->c, dir, ".", &out), 0);
	assert_int_equal(out.nodeid, dir);
	assert_int_equal(fuse_lookup(s->c, FUSE_ROOT, ".", &out), 0);
	assert_int_equal(out.nodeid, FUSE_ROOT);
	/* What the guest's kernel has for its root. */
	assert_int_equal(out.generation, 0);
	/* It was a lookup: two to forget. */
	fuse_forget(s->c, file, 1);
	assert_int_equal(fuse_getattr(s->c, file, &attr), 0);
	fuse_forget(s->c, file, 1);
}

static void dot_dot_is_the_directory_it_is_in(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	uint64_t a = walk(s, "a"), b = walk(s, "ab"), c = walk(s, "abc");

	assert_int_equal(fuse_lookup(s->c, c, "..", &out), 0);
	assert_int_equal(out.nodeid, b);
	assert_int_equal(out.generation, b >> 32);
	assert_int_equal(out.attr.ino, host_stat(s, "a/b").st_ino);
	assert_int_equal(fuse_lookup(s->c, b, "..", &out), 0);
	assert_int_equal(out.nodeid, a);
	assert_int_equal(fuse_lookup(s->c, a, "..", &out), 0);
	assert_int_equal(out.nodeid, FUSE_ROOT);
	assert_int_equal(fuse_lookup(s->c, FUSE_ROOT, "..", &out), 0);
	assert_int_equal(out.nodeid, FUSE_ROOT);
	assert_int_equal(out.attr.ino, host_stat(s, "").st_ino);
}

static void dot_dot_that_is_not_known_becomes_it(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	struct virtiofs_fuse_attr attr;
	uint64_t a = walk(s, "a"), c = walk(s, "abc"), b = walk(s, "ab");

	fuse_forget(s->c, b, 2);
	fuse_forget(s->c, a, 3);
	assert_int_equal(fuse_lookup(s->c, c, "..", &out), 0);
	assert_int_equal(out.attr.ino, host_stat(s, "a/b").st_ino);
	assert_int_equal(fuse_getattr(s->c, out.nodeid, &attr), 0);
	assert_int_equal(fuse_lookup(s->c, out.nodeid, "..", &out), 0);
	assert_int_equal(out.attr.ino, host_stat(s, "a").st_ino);
}

static void what_has_no_parent_has_none(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	uint64_t file = walk(s, "abf"), c = walk(s, "abc");

	assert_int_equal(fuse_lookup(s->c, file, "..", &out), -ENOTDIR);
	assert_int_equal(fuse_lookup(s->c, 12345, "..", &out), -ESTALE);
	assert_int_equal(fuse_lookup(s->c, 12345, ".", &out), -ESTALE);
	assert_int_equal(unlinkat(s->dir.fd, "a/b/c", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(s->dir.fd, "a/b/file", 0), 0);
	assert_int_equal(fuse_lookup(s->c, c, "..", &out), -ESTALE);
	/* Handles of files that are gone are not good any more. */
	assert_int_equal(fuse_lookup(s->c, c, ".", &out), -ESTALE);
	assert_int_equal(fuse_lookup(s->c, file, ".", &out), -ESTALE);
}

static void other_names_of_dots_are_names(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;

	assert_int_equal(fuse_lookup(s->c, FUSE_ROOT, "...", &out), -ENOENT);
	assert_int_equal(fuse_lookup(s->c, FUSE_ROOT, ".a", &out), -ENOENT);
	assert_int_equal(fuse_lookup(s->c, FUSE_ROOT, "..a", &out), -ENOENT);
	/* No other opcode takes them. */
	assert_int_equal(fuse_mkdir(s->c, FUSE_ROOT, "..", 0755, &out), -EINVAL);
	assert_int_equal(fuse_rmdir(s->c, walk(s, "a"), "."), -EINVAL);
	assert_int_equal(fuse_unlink(s->c, walk(s, "a"), ".."), -EINVAL);
}

static void directory_that_was_moved_out_has_no_way_up(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	struct temp_dir outside;
	uint64_t b = walk(s, "ab"), c = walk(s, "abc");

	temp_dir_create(&outside);
	if (renameat(s->dir.fd, "a/b", outside.fd, "b") < 0) {
		temp_dir_remove(&outside);
		skip();
	}
	assert_int_equal(fuse_lookup(s->c, b, "..", &out), -ESTALE);
	/* Its directory is the guest's still, but is not below the shared one. */
	assert_int_equal(fuse_lookup(s->c, c, "..", &out), -ESTALE);
	assert_int_equal(renameat(outside.fd, "b", s->dir.fd, "b"), 0);
	assert_int_equal(fuse_lookup(s->c, b, "..", &out), 0);
	assert_int_equal(out.nodeid, FUSE_ROOT);
	assert_int_equal(fuse_lookup(s->c, c, "..", &out), 0);
	assert_int_equal(out.nodeid, b);
	temp_dir_remove(&outside);
}

/* Moves "b" out of the shared directory and back, for ever. */
static pid_t start_mover(struct shared *s, const struct temp_dir *outside)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	while (pid == 0) {
		if (renameat(s->dir.fd, "a/b", outside->fd, "d/b") < 0 ||
		    renameat(outside->fd, "d/b", s->dir.fd, "a/b") < 0)
			_exit(1);
	}
	return pid;
}

static void nothing_outside_is_found_while_directories_are_moved(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	ino_t inside = host_stat(s, "a").st_ino;
	struct temp_dir outside;
	int found = 0, stale = 0, status;
	uint64_t b = walk(s, "ab");
	pid_t mover;

	temp_dir_create(&outside);
	assert_int_equal(mkdirat(outside.fd, "d", 0755), 0);
	mover = start_mover(s, &outside);
	for (int i = 0; i < 5000; i++) {
		int err = fuse_lookup(s->c, b, "..", &out);

		if (err) {
			assert_int_equal(err, -ESTALE);
			stale++;
		} else {
			assert_int_equal(out.attr.ino, inside);
			found++;
		}
	}
	kill(mover, SIGKILL);
	assert_int_equal(waitpid(mover, &status, 0), mover);
	assert_true(WIFSIGNALED(status));
	print_message("%d times inside, %d outside\n", found, stale);
	temp_dir_remove(&outside);
}

static void directory_is_not_climbed_for_ever(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	uint64_t node = FUSE_ROOT;

	for (int i = 0; i < 4200; i++) {
		assert_int_equal(fuse_mkdir(s->c, node, "d", 0755, &out), 0);
		node = out.nodeid;
		if (i == 4000)
			assert_int_equal(fuse_lookup(s->c, node, "..", &out), 0);
	}
	assert_int_equal(fuse_lookup(s->c, node, "..", &out), -ESTALE);
}

static void without_it_they_are_no_names(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;

	assert_int_equal(fuse_lookup(s->c, FUSE_ROOT, ".", &out), -EINVAL);
	assert_int_equal(fuse_lookup(s->c, walk(s, "a"), "..", &out), -EINVAL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, shared_teardown)
	const struct CMUnitTest tests[] = {
		TEST(dot_is_the_node_itself),
		TEST(dot_dot_is_the_directory_it_is_in),
		TEST(dot_dot_that_is_not_known_becomes_it),
		TEST(what_has_no_parent_has_none),
		TEST(other_names_of_dots_are_names),
		TEST(directory_that_was_moved_out_has_no_way_up),
		TEST(nothing_outside_is_found_while_directories_are_moved),
		TEST(directory_is_not_climbed_for_ever),
		cmocka_unit_test_setup_teardown(without_it_they_are_no_names, setup_without,
						shared_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
