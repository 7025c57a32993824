/* SPDX-License-Identifier: BSD-2-Clause */
/* Changing attributes, and asking for access. */
#include "guest.h"

#include <sys/xattr.h>

#include <sys/sysmacros.h>

static int set(struct guest *g, const char *name, struct virtiofs_fuse_setattr_in in,
	       struct virtiofs_fuse_attr *attr)
{
	return do_setattr(g, node_of(g, ROOT, name), &in, attr);
}

static void mode_is_changed(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_MODE,
					       .mode = S_IFREG | 04751 };

	host_write(g, "file", "");
	assert_int_equal(set(g, "file", in, &attr), 0);
	assert_int_equal(attr.mode, S_IFREG | 04751);
	assert_int_equal(host_stat(g, "file").st_mode, S_IFREG | 04751);
	/* A FIFO has a mode too, and is not opened for it. */
	assert_int_equal(mkfifoat(g->dir, "fifo", 0600), 0);
	assert_int_equal(set(g, "fifo", in, &attr), 0);
	assert_int_equal(attr.mode, S_IFIFO | 04751);
}

static void symlink_has_no_mode(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_MODE, .mode = 0600 };

	host_write(g, "file", "");
	assert_int_equal(fchmodat(g->dir, "file", 0644, 0), 0);
	assert_int_equal(symlinkat("file", g->dir, "link"), 0);
	assert_int_equal(set(g, "link", in, &attr), -EOPNOTSUPP);
	assert_int_equal(host_stat(g, "file").st_mode, S_IFREG | 0644);
}

static void owner_and_group_are_changed(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_UID, .uid = 12, .gid = 99 };

	if (geteuid() != 0)
		skip();
	host_write(g, "file", "");
	assert_int_equal(set(g, "file", in, &attr), 0);
	assert_int_equal(attr.uid, 12);
	assert_int_equal(attr.gid, 0);
	in = (struct virtiofs_fuse_setattr_in){ .valid = VIRTIOFS_FATTR_GID, .uid = 99, .gid = 34 };
	assert_int_equal(set(g, "file", in, &attr), 0);
	assert_int_equal(attr.uid, 12);
	assert_int_equal(attr.gid, 34);
	/* Of the link, not of what it points to. */
	assert_int_equal(symlinkat("file", g->dir, "link"), 0);
	in.valid = VIRTIOFS_FATTR_UID | VIRTIOFS_FATTR_GID;
	assert_int_equal(set(g, "link", in, &attr), 0);
	assert_int_equal(host_stat(g, "link").st_uid, 99);
	assert_int_equal(host_stat(g, "file").st_uid, 12);
}

static void mode_given_with_an_owner_holds(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	struct virtiofs_fuse_setattr_in in = {
		.valid = VIRTIOFS_FATTR_UID | VIRTIOFS_FATTR_MODE,
		.uid = 12,
		.mode = 06755,
	};

	if (geteuid() != 0)
		skip();
	host_write(g, "file", "");
	assert_int_equal(set(g, "file", in, &attr), 0);
	assert_int_equal(attr.mode, S_IFREG | 06755);
}

static void size_is_changed(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_SIZE, .size = 3 };

	host_write(g, "file", "hello");
	assert_int_equal(set(g, "file", in, &attr), 0);
	assert_int_equal(attr.size, 3);
	in.size = 1 << 20;
	assert_int_equal(set(g, "file", in, &attr), 0);
	assert_int_equal(host_stat(g, "file").st_size, 1 << 20);
	in.size = UINT64_MAX;
	assert_int_equal(set(g, "file", in, &attr), -EINVAL);
}

static void size_is_that_of_files_alone(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_SIZE };

	host_write(g, "file", "hello");
	assert_int_equal(mkfifoat(g->dir, "fifo", 0600), 0);
	assert_int_equal(symlinkat("file", g->dir, "link"), 0);
	assert_int_equal(do_setattr(g, ROOT, &in, &attr), -EISDIR);
	assert_int_equal(set(g, "fifo", in, &attr), -ENXIO);
	assert_int_equal(set(g, "link", in, &attr), -ELOOP);
	assert_int_equal(host_stat(g, "file").st_size, 5);
}

static void size_is_changed_through_a_handle(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	struct virtiofs_fuse_setattr_in in = {
		.valid = VIRTIOFS_FATTR_SIZE | VIRTIOFS_FATTR_FH,
		.size = 2,
	};
	uint64_t a, b;

	host_write(g, "a", "hello");
	host_write(g, "b", "hello");
	a = node_of(g, ROOT, "a");
	b = node_of(g, ROOT, "b");
	assert_int_equal(do_open(g, a, O_WRONLY, &in.fh), 0);
	assert_int_equal(do_setattr(g, a, &in, &attr), 0);
	assert_int_equal(attr.size, 2);
	assert_int_equal(do_setattr(g, b, &in, &attr), -EBADF);
	assert_int_equal(host_stat(g, "b").st_size, 5);
	in.fh = 0;
	assert_int_equal(do_setattr(g, a, &in, &attr), -EBADF);
}

static void size_is_changed_where_it_may_block(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_SIZE, .size = 2 };
	uint64_t node;

	host_write(g, "file", "hello");
	node = node_of(g, ROOT, "file");
	g->req.offload = true;
	g->ops->setattr(g->session, fake_req(&g->req), node, &in);
	assert_true(g->req.offloaded);
	assert_int_equal(g->req.replies, 0);
	g->ops->setattr(g->session, &g->req, node, &in);
	assert_int_equal(fake_reply_error(&g->req), 0);
	assert_int_equal(host_stat(g, "file").st_size, 2);
}

static void times_are_changed(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	struct virtiofs_fuse_setattr_in in = {
		.valid = VIRTIOFS_FATTR_ATIME | VIRTIOFS_FATTR_MTIME,
		.atime = 1000,
		.atimensec = 1,
		.mtime = (uint64_t)-5,
		.mtimensec = 999999999,
	};

	host_write(g, "file", "");
	assert_int_equal(symlinkat("file", g->dir, "link"), 0);
	assert_int_equal(set(g, "file", in, &attr), 0);
	assert_int_equal(attr.atime, 1000);
	assert_int_equal(attr.mtime, (uint64_t)-5);
	assert_int_equal(attr.mtimensec, 999999999);
	in = (struct virtiofs_fuse_setattr_in){ .valid = VIRTIOFS_FATTR_MTIME, .mtime = 7 };
	assert_int_equal(set(g, "link", in, &attr), 0);
	assert_int_equal(host_stat(g, "link").st_mtime, 7);
	assert_int_equal(host_stat(g, "file").st_mtime, -5);
	in.valid = VIRTIOFS_FATTR_MTIME | VIRTIOFS_FATTR_MTIME_NOW;
	assert_int_equal(set(g, "file", in, &attr), 0);
	assert_true(attr.mtime > 1000000);
	assert_int_equal(attr.atime, 1000);
	in = (struct virtiofs_fuse_setattr_in){ .valid = VIRTIOFS_FATTR_ATIME,
						.atimensec = 1000000000 };
	assert_int_equal(set(g, "file", in, &attr), -EINVAL);
}

static void nothing_asked_is_nothing_changed(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_CTIME, .mode = 0 };
	struct stat before, after;

	host_write(g, "file", "x");
	before = host_stat(g, "file");
	assert_int_equal(set(g, "file", in, &attr), 0);
	after = host_stat(g, "file");
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(do_setattr(g, 999, &in, &attr), -ESTALE);
}

static void access_goes_by_the_guests_user(void **state)
{
	struct guest *g = *state;
	uint64_t node;

	if (geteuid() != 0)
		skip();
	host_write(g, "file", "");
	assert_int_equal(fchownat(g->dir, "file", 12, 34, 0), 0);
	assert_int_equal(fchmodat(g->dir, "file", 0641, 0), 0);
	node = node_of(g, ROOT, "file");
	become(g, 12, 99);
	assert_int_equal(do_access(g, node, R_OK | W_OK), 0);
	assert_int_equal(do_access(g, node, X_OK), -EACCES);
	become(g, 99, 34);
	assert_int_equal(do_access(g, node, R_OK), 0);
	assert_int_equal(do_access(g, node, W_OK), -EACCES);
	become(g, 99, 99);
	assert_int_equal(do_access(g, node, X_OK), 0);
	assert_int_equal(do_access(g, node, R_OK), -EACCES);
	assert_int_equal(do_access(g, node, F_OK), 0);
	become(g, 0, 0);
	assert_int_equal(do_access(g, node, R_OK | W_OK | X_OK), 0);
	assert_int_equal(fchmodat(g->dir, "file", 0, 0), 0);
	assert_int_equal(do_access(g, node, R_OK | W_OK), 0);
	assert_int_equal(do_access(g, node, X_OK), -EACCES);
}

/* struct posix_acl_xattr_header and _entry of the kernel's posix_acl_xattr.h. */
static int set_acl(int fd, uid_t user, gid_t group)
{
	const struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} entries[6];
	} acl = {
		.version = 2,
		.entries = {
			{ 0x01, 6, UINT32_MAX }, /* user::rw- */
			{ 0x02, 4, user },       /* one user: r-- */
			{ 0x04, 0, UINT32_MAX }, /* group::--- */
			{ 0x08, 6, group },      /* one group: rw- */
			{ 0x10, 6, UINT32_MAX }, /* mask::rw- */
			{ 0x20, 0, UINT32_MAX }, /* other::--- */
		},
	};

	return fsetxattr(fd, "system.posix_acl_access", &acl, sizeof(acl), 0);
}

/* Which the permission bits cannot: they say rw- of a group that may do nothing. */
static void access_goes_by_acls(void **state)
{
	struct guest *g = *state;
	uint64_t node;
	int fd;

	if (geteuid() != 0)
		skip();
	host_write(g, "file", "");
	fd = openat(g->dir, "file", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fchown(fd, 77, 88), 0);
	if (set_acl(fd, 1001, 2002)) {
		close(fd);
		skip();
	}
	close(fd);
	node = node_of(g, ROOT, "file");
	become(g, 1001, 99);
	assert_int_equal(do_access(g, node, R_OK), 0);
	assert_int_equal(do_access(g, node, W_OK), -EACCES);
	become(g, 1002, 2002);
	assert_int_equal(do_access(g, node, R_OK | W_OK), 0);
	become(g, 1002, 88);
	assert_int_equal(do_access(g, node, R_OK), -EACCES);
	become(g, 77, 99);
	assert_int_equal(do_access(g, node, R_OK | W_OK), 0);
	assert_int_equal(geteuid(), 0);
}

static void access_to_nonsense_is_refused(void **state)
{
	struct guest *g = *state;

	assert_int_equal(do_access(g, ROOT, 8), -EINVAL);
	assert_int_equal(do_access(g, ROOT, UINT32_MAX), -EINVAL);
	assert_int_equal(do_access(g, 999, R_OK), -ESTALE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(mode_is_changed),
		TEST(symlink_has_no_mode),
		TEST(owner_and_group_are_changed),
		TEST(mode_given_with_an_owner_holds),
		TEST(size_is_changed),
		TEST(size_is_that_of_files_alone),
		TEST(size_is_changed_through_a_handle),
		TEST(size_is_changed_where_it_may_block),
		TEST(times_are_changed),
		TEST(nothing_asked_is_nothing_changed),
		TEST(access_goes_by_the_guests_user),
		TEST(access_goes_by_acls),
		TEST(access_to_nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
