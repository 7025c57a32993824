/* SPDX-License-Identifier: BSD-2-Clause */
/* Mounts below the shared directory, made in a mount namespace of this program's own. */
#include "shared.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include "support/fuse_newer_calls.h"

static const char *in(const struct shared *s, const char *name)
{
	static char paths[2][512];
	static unsigned next;
	char *path = paths[next++ % 2];

	assert_true(snprintf(path, sizeof(paths[0]), "%s/%s", s->dir.path, name) < 512);
	return path;
}

/* A directory, a mount of another file system, the directory once more, and a mount in that. */
static void make_mounts(struct shared *s)
{
	host_mkdir(s, "plain", 0755);
	host_mkdir(s, "plain/below", 0755);
	host_write(s, "plain/file", "x", 1);
	host_mkdir(s, "other", 0755);
	host_mkdir(s, "bound", 0755);
	host_write(s, "target", "", 0);
	assert_int_equal(mount("none", in(s, "other"), "tmpfs", 0, "size=1m"), 0);
	host_mkdir(s, "other/nested", 0755);
	host_mkdir(s, "other/dir", 0755);
	assert_int_equal(mount("none", in(s, "other/nested"), "tmpfs", 0, "size=2m"), 0);
	assert_int_equal(mount(in(s, "plain"), in(s, "bound"), NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount(in(s, "plain/file"), in(s, "target"), NULL, MS_BIND, NULL), 0);
}

static void remove_mounts(struct shared *s)
{
	static const char *const names[] = { "target", "bound", "other/nested", "other" };

	for (unsigned i = 0; i < 4; i++)
		umount2(in(s, names[i]), MNT_DETACH);
}

/* A guest that knows what a mount is, or not. */
static struct shared *begin(const struct virtiofs_passthrough_options *options, uint64_t flags,
			    uint32_t granted)
{
	const struct shared_options with = { .passthrough = options };
	struct shared *s = calloc(1, sizeof(*s));
	struct virtiofs_fuse_init_out out;

	assert_non_null(s);
	shared_open(s, &with);
	make_mounts(s);
	assert_int_equal(fuse_init(s->c, VIRTIOFS_FUSE_DO_READDIRPLUS | flags, &out), 0);
	assert_int_equal(out.flags & VIRTIOFS_FUSE_SUBMOUNTS, granted);
	return s;
}

static int setup(void **state)
{
	*state = begin(NULL, VIRTIOFS_FUSE_SUBMOUNTS, VIRTIOFS_FUSE_SUBMOUNTS);
	return 0;
}

static int setup_old(void **state)
{
	*state = begin(NULL, 0, 0);
	return 0;
}

static int setup_quiet(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;

	options.announce_submounts = VIRTIOFS_OFF;
	*state = begin(&options, VIRTIOFS_FUSE_SUBMOUNTS, 0);
	return 0;
}

static int teardown(void **state)
{
	remove_mounts(*state);
	return shared_teardown(state);
}

static struct virtiofs_fuse_entry_out look(struct shared *s, uint64_t parent, const char *name)
{
	struct virtiofs_fuse_entry_out out;

	assert_int_equal(fuse_lookup(s->c, parent, name, &out), 0);
	return out;
}

static bool is_submount(struct shared *s, uint64_t parent, const char *name)
{
	/* Twice: found anew, and known. */
	uint32_t first = look(s, parent, name).attr.flags;

	assert_int_equal(look(s, parent, name).attr.flags, first);
	assert_int_equal(first & ~VIRTIOFS_FUSE_ATTR_SUBMOUNT, 0);
	return first & VIRTIOFS_FUSE_ATTR_SUBMOUNT;
}

static void directory_on_another_mount_is_one(void **state)
{
	struct shared *s = *state;
	uint64_t other = node_of(s, FUSE_ROOT, "other"), plain = node_of(s, FUSE_ROOT, "plain");
	uint64_t bound = node_of(s, FUSE_ROOT, "bound");

	assert_true(is_submount(s, FUSE_ROOT, "other"));
	assert_true(is_submount(s, other, "nested"));
	assert_false(is_submount(s, other, "dir"));
	assert_false(is_submount(s, FUSE_ROOT, "plain"));
	assert_false(is_submount(s, plain, "below"));
	assert_false(is_submount(s, plain, "file"));
	assert_false(is_submount(s, bound, "below"));
	/* A file cannot be one to the guest, though it is to the host. */
	assert_false(is_submount(s, FUSE_ROOT, "target"));
}

static void directory_seen_through_a_bind_mount_is_another_node(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out plain = look(s, FUSE_ROOT, "plain");
	struct virtiofs_fuse_entry_out bound = look(s, FUSE_ROOT, "bound");

	/* Linux 5.8 tells mounts apart. */
	if (!(bound.attr.flags & VIRTIOFS_FUSE_ATTR_SUBMOUNT))
		skip();
	assert_int_equal(plain.attr.ino, bound.attr.ino);
	assert_int_not_equal(plain.nodeid, bound.nodeid);
	assert_int_not_equal(node_of(s, plain.nodeid, "file"), node_of(s, bound.nodeid, "file"));
}

static void listing_with_nodes_says_so_too(void **state)
{
	struct shared *s = *state;
	unsigned char buf[8192];
	struct fuse_dirent entry;
	unsigned seen = 0;
	uint64_t fh;
	uint32_t at = 0;
	int n;

	assert_int_equal(fuse_opendir(s->c, FUSE_ROOT, &fh), 0);
	n = fuse_readdir(s->c, FUSE_ROOT, fh, 0, buf, sizeof(buf), true);
	assert_true(n > 0);
	while (fuse_dirent_next(buf, (uint32_t)n, true, &at, &entry)) {
		bool mounted = strcmp(entry.name, "other") == 0 || strcmp(entry.name, "bound") == 0;

		if (entry.name[0] == '.')
			continue;
		assert_int_equal(entry.entry.attr.flags, mounted ? VIRTIOFS_FUSE_ATTR_SUBMOUNT : 0);
		seen++;
	}
	assert_int_equal(seen, 4);
	assert_int_equal(fuse_releasedir(s->c, FUSE_ROOT, fh), 0);
}

static void mount_that_comes_and_goes_is_seen(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_attr attr;
	uint64_t before = node_of(s, FUSE_ROOT, "plain"), mounted;

	assert_int_equal(mount("none", in(s, "plain"), "tmpfs", 0, "size=1m"), 0);
	assert_true(is_submount(s, FUSE_ROOT, "plain"));
	mounted = node_of(s, FUSE_ROOT, "plain");
	assert_int_not_equal(mounted, before);
	/* What the guest has in use holds the mount, as a process of the host's would. */
	assert_int_equal(umount2(in(s, "plain"), 0), -1);
	assert_int_equal(errno, EBUSY);
	assert_int_equal(umount2(in(s, "plain"), MNT_DETACH), 0);
	assert_false(is_submount(s, FUSE_ROOT, "plain"));
	assert_int_equal(node_of(s, FUSE_ROOT, "plain"), before);
	assert_int_equal(fuse_getattr(s->c, mounted, &attr), 0);
}

static void space_is_that_of_the_mount(void **state)
{
	struct shared *s = *state;
	uint64_t other = node_of(s, FUSE_ROOT, "other");
	uint64_t nested = node_of(s, other, "nested");
	struct virtiofs_fuse_kstatfs st;

	assert_int_equal(fuse_statfs(s->c, other, &st), 0);
	assert_int_equal(st.blocks * st.frsize, 1 << 20);
	assert_int_equal(fuse_statfs(s->c, nested, &st), 0);
	assert_int_equal(st.blocks * st.frsize, 2 << 20);
	assert_int_equal(fuse_syncfs(s->c, nested), 0);
}

static void mounts_are_edges_as_on_the_host(void **state)
{
	struct shared *s = *state;
	uint64_t other = node_of(s, FUSE_ROOT, "other");

	host_write(s, "other/file", "x", 1);
	assert_int_equal(fuse_rename(s->c, other, "file", FUSE_ROOT, "file"), -EXDEV);
	assert_int_equal(fuse_rmdir(s->c, FUSE_ROOT, "other"), -EBUSY);
	assert_int_equal(fuse_rename(s->c, FUSE_ROOT, "other", FUSE_ROOT, "away"), -EBUSY);
}

static void file_system_without_nameless_files_says_so(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	uint64_t node, fh;

	host_mkdir(s, "pts", 0755);
	if (mount("none", in(s, "pts"), "devpts", 0, "newinstance") < 0)
		skip();
	node = node_of(s, FUSE_ROOT, "pts");
	assert_int_equal(fuse_tmpfile(s->c, node, O_RDWR, S_IFREG | 0600, &out, &fh), -EOPNOTSUPP);
	umount2(in(s, "pts"), MNT_DETACH);
}

static void guest_that_is_not_told_sees_directories(void **state)
{
	struct shared *s = *state;
	uint64_t other = node_of(s, FUSE_ROOT, "other");

	assert_false(is_submount(s, FUSE_ROOT, "other"));
	assert_false(is_submount(s, FUSE_ROOT, "bound"));
	assert_false(is_submount(s, other, "nested"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(directory_on_another_mount_is_one),
		TEST(directory_seen_through_a_bind_mount_is_another_node),
		TEST(listing_with_nodes_says_so_too),
		TEST(mount_that_comes_and_goes_is_seen),
		TEST(space_is_that_of_the_mount),
		TEST(mounts_are_edges_as_on_the_host),
		TEST(file_system_without_nameless_files_says_so),
		cmocka_unit_test_setup_teardown(guest_that_is_not_told_sees_directories, setup_old,
						teardown),
		cmocka_unit_test_setup_teardown(guest_that_is_not_told_sees_directories,
						setup_quiet, teardown),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		printf("mounting is not allowed here\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
