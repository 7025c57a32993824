/* SPDX-License-Identifier: BSD-2-Clause */
/* GETATTR, SETATTR, ACCESS and STATFS. */
#include "shared.h"

#include <sys/statfs.h>

static void attributes_are_the_files_own(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_attr attr;
	struct stat st;

	host_write(s, "file", "0123456789", 10);
	assert_int_equal(fchmodat(s->dir.fd, "file", 04751, 0), 0);
	st = host_stat(s, "file");
	assert_int_equal(fuse_getattr(s->c, node_of(s, FUSE_ROOT, "file"), &attr), 0);
	assert_attr_of(&attr, &st);
	assert_int_equal(attr.mode, S_IFREG | 04751);
	st = host_stat(s, "");
	assert_int_equal(fuse_getattr(s->c, FUSE_ROOT, &attr), 0);
	assert_attr_of(&attr, &st);
}

static void attributes_of_a_symlink_are_not_its_targets(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_attr attr;
	struct stat st;

	host_write(s, "target", "0123456789", 10);
	assert_int_equal(symlinkat("target", s->dir.fd, "link"), 0);
	st = host_stat(s, "link");
	assert_int_equal(fuse_getattr(s->c, node_of(s, FUSE_ROOT, "link"), &attr), 0);
	assert_attr_of(&attr, &st);
	assert_true(S_ISLNK(attr.mode));
	assert_int_equal(attr.size, strlen("target"));
}

static void attributes_of_a_removed_file_are_there_while_it_is_known(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_attr attr;
	uint64_t node;

	host_write(s, "file", "abc", 3);
	node = node_of(s, FUSE_ROOT, "file");
	assert_int_equal(unlinkat(s->dir.fd, "file", 0), 0);
	assert_int_equal(fuse_getattr(s->c, node, &attr), 0);
	assert_int_equal(attr.nlink, 0);
	assert_int_equal(attr.size, 3);
}

static void mode_is_set_and_answered(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_MODE,
					       .mode = S_IFREG | 0640 };
	struct virtiofs_fuse_attr attr;
	struct stat st;

	host_write(s, "file", "", 0);
	assert_int_equal(fuse_setattr(s->c, node_of(s, FUSE_ROOT, "file"), &in, &attr), 0);
	st = host_stat(s, "file");
	assert_int_equal(st.st_mode, S_IFREG | 0640);
	assert_attr_of(&attr, &st);
}

static void mode_of_a_symlink_cannot_be_set(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_MODE, .mode = 0600 };
	struct virtiofs_fuse_attr attr;

	host_write(s, "target", "", 0);
	assert_int_equal(symlinkat("target", s->dir.fd, "link"), 0);
	assert_int_equal(fuse_setattr(s->c, node_of(s, FUSE_ROOT, "link"), &in, &attr),
			 -EOPNOTSUPP);
	assert_int_equal(host_stat(s, "target").st_mode, S_IFREG | 0644);
}

static void owner_and_group_are_set_apart(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_UID, .uid = 1234 };
	struct virtiofs_fuse_attr attr;
	uint64_t node;

	if (geteuid() != 0)
		skip();
	host_write(s, "file", "", 0);
	node = node_of(s, FUSE_ROOT, "file");
	assert_int_equal(fuse_setattr(s->c, node, &in, &attr), 0);
	assert_int_equal(host_stat(s, "file").st_uid, 1234);
	assert_int_equal(host_stat(s, "file").st_gid, getegid());
	in = (struct virtiofs_fuse_setattr_in){ .valid = VIRTIOFS_FATTR_GID, .gid = 4321 };
	assert_int_equal(fuse_setattr(s->c, node, &in, &attr), 0);
	assert_int_equal(host_stat(s, "file").st_uid, 1234);
	assert_int_equal(host_stat(s, "file").st_gid, 4321);
	assert_int_equal(attr.uid, 1234);
	assert_int_equal(attr.gid, 4321);
}

static void size_is_set_with_a_handle_and_without(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_SIZE, .size = 4 };
	struct virtiofs_fuse_attr attr;
	uint64_t node, fh;

	host_write(s, "file", "0123456789", 10);
	node = node_of(s, FUSE_ROOT, "file");
	assert_int_equal(fuse_setattr(s->c, node, &in, &attr), 0);
	assert_int_equal(attr.size, 4);
	host_assert_content(s, "file", "0123", 4);
	assert_int_equal(fuse_open(s->c, node, O_RDWR, &fh), 0);
	in.valid |= VIRTIOFS_FATTR_FH;
	in.fh = fh;
	in.size = 6;
	assert_int_equal(fuse_setattr(s->c, node, &in, &attr), 0);
	host_assert_content(s, "file", "0123\0\0", 6);
	in.fh = fh + 1;
	assert_int_equal(fuse_setattr(s->c, node, &in, &attr), -EBADF);
	assert_int_equal(fuse_release(s->c, node, fh), 0);
	/* A handle that was: not any more. */
	in.fh = fh;
	assert_int_equal(fuse_setattr(s->c, node, &in, &attr), -EBADF);
}

static void size_that_cannot_be_is_refused(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_SIZE, .size = UINT64_MAX };
	struct virtiofs_fuse_attr attr;

	host_write(s, "file", "abc", 3);
	host_mkdir(s, "dir", 0755);
	assert_int_equal(fuse_setattr(s->c, node_of(s, FUSE_ROOT, "file"), &in, &attr), -EINVAL);
	in.size = 0;
	assert_int_equal(fuse_setattr(s->c, node_of(s, FUSE_ROOT, "dir"), &in, &attr), -EISDIR);
	host_assert_content(s, "file", "abc", 3);
}

static void times_are_set_to_the_nanosecond(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_setattr_in in = {
		.valid = VIRTIOFS_FATTR_ATIME | VIRTIOFS_FATTR_MTIME,
		.atime = 1000000000,
		.atimensec = 123456789,
		.mtime = 1100000000,
		.mtimensec = 987654321,
	};
	struct virtiofs_fuse_attr attr;
	struct stat st;

	host_write(s, "file", "", 0);
	assert_int_equal(fuse_setattr(s->c, node_of(s, FUSE_ROOT, "file"), &in, &attr), 0);
	st = host_stat(s, "file");
	assert_int_equal(st.st_atim.tv_sec, 1000000000);
	assert_int_equal(st.st_atim.tv_nsec, 123456789);
	assert_int_equal(st.st_mtim.tv_sec, 1100000000);
	assert_int_equal(st.st_mtim.tv_nsec, 987654321);
	assert_attr_of(&attr, &st);
}

static void one_time_is_set_and_the_other_left(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_setattr_in in = {
		.valid = VIRTIOFS_FATTR_MTIME | VIRTIOFS_FATTR_MTIME_NOW, .mtime = 5
	};
	struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 2000 } };
	struct virtiofs_fuse_attr attr;
	struct stat st;

	host_write(s, "file", "", 0);
	assert_int_equal(utimensat(s->dir.fd, "file", times, 0), 0);
	assert_int_equal(fuse_setattr(s->c, node_of(s, FUSE_ROOT, "file"), &in, &attr), 0);
	st = host_stat(s, "file");
	assert_int_equal(st.st_atim.tv_sec, 1000);
	/* Now, not 5 and not 2000. */
	assert_true(st.st_mtim.tv_sec > 1000000000);
}

static void times_of_a_symlink_are_its_own(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_MTIME, .mtime = 77 };
	struct virtiofs_fuse_attr attr;

	host_write(s, "target", "", 0);
	assert_int_equal(symlinkat("target", s->dir.fd, "link"), 0);
	assert_int_equal(fuse_setattr(s->c, node_of(s, FUSE_ROOT, "link"), &in, &attr), 0);
	assert_int_equal(host_stat(s, "link").st_mtim.tv_sec, 77);
	assert_int_not_equal(host_stat(s, "target").st_mtim.tv_sec, 77);
}

static void nothing_to_set_is_a_getattr(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_setattr_in in = { .valid = 0, .mode = 0, .size = 0, .uid = 7 };
	struct virtiofs_fuse_attr attr;
	struct stat st;

	host_write(s, "file", "abc", 3);
	st = host_stat(s, "file");
	assert_int_equal(fuse_setattr(s->c, node_of(s, FUSE_ROOT, "file"), &in, &attr), 0);
	assert_attr_of(&attr, &st);
	assert_int_equal(fuse_setattr(s->c, 12345, &in, &attr), -ESTALE);
}

static void access_asks_the_mode_for_the_requests_user(void **state)
{
	struct shared *s = *state;
	uint64_t node;

	host_write(s, "file", "", 0);
	assert_int_equal(fchmodat(s->dir.fd, "file", 0640, 0), 0);
	node = node_of(s, FUSE_ROOT, "file");
	assert_int_equal(fuse_access(s->c, node, F_OK), 0);
	assert_int_equal(fuse_access(s->c, node, R_OK | W_OK), 0);
	assert_int_equal(fuse_access(s->c, node, X_OK), -EACCES);
	assert_int_equal(fuse_access(s->c, node, 8), -EINVAL);
	assert_int_equal(fuse_access(s->c, 12345, R_OK), -ESTALE);
	/* Somebody else, of the file's group, and of neither. */
	s->c->uid = geteuid() + 1;
	assert_int_equal(fuse_access(s->c, node, R_OK), 0);
	assert_int_equal(fuse_access(s->c, node, W_OK), -EACCES);
	s->c->gid = getegid() + 1;
	assert_int_equal(fuse_access(s->c, node, R_OK), -EACCES);
}

static void statfs_is_the_host_file_systems(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_kstatfs st;
	struct statfs host;

	assert_int_equal(fuse_statfs(s->c, FUSE_ROOT, &st), 0);
	assert_int_equal(fstatfs(s->dir.fd, &host), 0);
	assert_int_equal(st.blocks, host.f_blocks);
	assert_int_equal(st.bsize, host.f_bsize);
	assert_int_equal(st.frsize, host.f_frsize);
	assert_int_equal(st.files, host.f_files);
	assert_int_equal(st.namelen, host.f_namelen);
	assert_true(st.bfree <= st.blocks && st.bavail <= st.blocks);
	assert_int_equal(fuse_statfs(s->c, 12345, &st), -ESTALE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED_TEST(attributes_are_the_files_own),
		SHARED_TEST(attributes_of_a_symlink_are_not_its_targets),
		SHARED_TEST(attributes_of_a_removed_file_are_there_while_it_is_known),
		SHARED_TEST(mode_is_set_and_answered),
		SHARED_TEST(mode_of_a_symlink_cannot_be_set),
		SHARED_TEST(owner_and_group_are_set_apart),
		SHARED_TEST(size_is_set_with_a_handle_and_without),
		SHARED_TEST(size_that_cannot_be_is_refused),
		SHARED_TEST(times_are_set_to_the_nanosecond),
		SHARED_TEST(one_time_is_set_and_the_other_left),
		SHARED_TEST(times_of_a_symlink_are_its_own),
		SHARED_TEST(nothing_to_set_is_a_getattr),
		SHARED_TEST(access_asks_the_mode_for_the_requests_user),
		SHARED_TEST(statfs_is_the_host_file_systems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
