/* SPDX-License-Identifier: BSD-2-Clause */
/* CREATE, MKNOD, MKDIR, UNLINK and RMDIR. */
#include "shared.h"

#include <sys/sysmacros.h>

static void created_file_is_there_and_open(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	struct stat st;
	uint64_t fh;

	assert_int_equal(fuse_create(s->c, FUSE_ROOT, "file", O_RDWR, S_IFREG | 0640, &out, &fh),
			 0);
	st = host_stat(s, "file");
	assert_attr_of(&out.attr, &st);
	assert_int_equal(st.st_mode, S_IFREG | 0640);
	assert_int_equal(fuse_write(s->c, out.nodeid, fh, 0, "abc", 3), 3);
	host_assert_content(s, "file", "abc", 3);
	assert_int_equal(fuse_release(s->c, out.nodeid, fh), 0);
	assert_int_equal(node_of(s, FUSE_ROOT, "file"), out.nodeid);
}

static void create_of_a_file_that_exists_opens_it_unless_told_otherwise(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	uint64_t fh;

	host_write(s, "file", "abc", 3);
	assert_int_equal(fuse_create(s->c, FUSE_ROOT, "file", O_RDWR | O_EXCL, 0600, &out, &fh),
			 -EEXIST);
	assert_int_equal(fuse_create(s->c, FUSE_ROOT, "file", O_RDWR, 0600, &out, &fh), 0);
	assert_int_equal(out.attr.size, 3);
	assert_int_equal(fuse_release(s->c, out.nodeid, fh), 0);
	assert_int_equal(host_stat(s, "file").st_mode, S_IFREG | 0644);
}

static void create_does_not_follow_a_symlink_out(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	struct temp_dir outside;
	char target[300];
	uint64_t fh;

	temp_dir_create(&outside);
	strcpy(target, outside.path);
	strcat(target, "/made");
	assert_int_equal(symlinkat(target, s->dir.fd, "link"), 0);
	assert_true(fuse_create(s->c, FUSE_ROOT, "link", O_RDWR, 0600, &out, &fh) < 0);
	assert_int_not_equal(faccessat(outside.fd, "made", F_OK, 0), 0);
	temp_dir_remove(&outside);
}

static void made_nodes_have_the_guests_mode_under_any_umask(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	mode_t before = umask(077);
	uint64_t fh;

	assert_int_equal(fuse_create(s->c, FUSE_ROOT, "file", O_RDWR, 0666, &out, &fh), 0);
	assert_int_equal(fuse_release(s->c, out.nodeid, fh), 0);
	assert_int_equal(fuse_mkdir(s->c, FUSE_ROOT, "dir", 0777, &out), 0);
	assert_int_equal(out.attr.mode, S_IFDIR | 0777);
	assert_int_equal(fuse_mknod(s->c, FUSE_ROOT, "pipe", S_IFIFO | 0664, 0, &out), 0);
	assert_int_equal(out.attr.mode, S_IFIFO | 0664);
	assert_int_equal(host_stat(s, "file").st_mode, S_IFREG | 0666);
	assert_int_equal(host_stat(s, "dir").st_mode, S_IFDIR | 0777);
	assert_int_equal(host_stat(s, "pipe").st_mode, S_IFIFO | 0664);
	assert_int_equal(umask(before), 077);
}

static void made_nodes_belong_to_the_guests_user(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	uint64_t fh;

	if (geteuid() != 0)
		skip();
	assert_int_equal(fchmod(s->dir.fd, 0777), 0);
	s->c->uid = 1000;
	s->c->gid = 2000;
	assert_int_equal(fuse_create(s->c, FUSE_ROOT, "file", O_RDWR, 0600, &out, &fh), 0);
	assert_int_equal(fuse_release(s->c, out.nodeid, fh), 0);
	assert_int_equal(fuse_mkdir(s->c, FUSE_ROOT, "dir", 0700, &out), 0);
	assert_int_equal(fuse_mknod(s->c, FUSE_ROOT, "pipe", S_IFIFO | 0600, 0, &out), 0);
	assert_int_equal(fuse_symlink(s->c, FUSE_ROOT, "link", "x", &out), 0);
	static const char *const names[] = { "file", "dir", "pipe", "link" };
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(host_stat(s, names[i]).st_uid, 1000);
		assert_int_equal(host_stat(s, names[i]).st_gid, 2000);
	}
	/* And this thread is who it was. */
	assert_int_equal(geteuid(), 0);
	assert_int_equal(getegid(), 0);
}

static void mknod_makes_each_type_it_may(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;

	assert_int_equal(fuse_mknod(s->c, FUSE_ROOT, "file", S_IFREG | 0600, 0, &out), 0);
	assert_true(S_ISREG(host_stat(s, "file").st_mode));
	assert_int_equal(fuse_mknod(s->c, FUSE_ROOT, "pipe", S_IFIFO | 0600, 0, &out), 0);
	assert_true(S_ISFIFO(host_stat(s, "pipe").st_mode));
	assert_int_equal(fuse_mknod(s->c, FUSE_ROOT, "socket", S_IFSOCK | 0600, 0, &out), 0);
	assert_true(S_ISSOCK(host_stat(s, "socket").st_mode));
	assert_int_equal(fuse_mknod(s->c, FUSE_ROOT, "dir", S_IFDIR | 0700, 0, &out), -EINVAL);
	assert_int_equal(fuse_mknod(s->c, FUSE_ROOT, "file", S_IFREG | 0600, 0, &out), -EEXIST);
	assert_int_equal(fuse_mknod(s->c, 12345, "x", S_IFREG | 0600, 0, &out), -ESTALE);
}

static void device_nodes_keep_their_numbers(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	/* The guest's encoding of 1:300 (new_encode_dev()). */
	uint32_t rdev = (300 & 0xff) | 1 << 8 | (300 & ~0xffu) << 12;
	int err = fuse_mknod(s->c, FUSE_ROOT, "null", S_IFCHR | 0600, rdev, &out);
	struct stat st;

	/* A container may forbid it. */
	if (err == -EPERM)
		skip();
	assert_int_equal(err, 0);
	st = host_stat(s, "null");
	assert_true(S_ISCHR(st.st_mode));
	assert_int_equal(major(st.st_rdev), 1);
	assert_int_equal(minor(st.st_rdev), 300);
	assert_attr_of(&out.attr, &st);
}

static void directory_is_made_once(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	struct stat st;

	assert_int_equal(fuse_mkdir(s->c, FUSE_ROOT, "dir", 01750, &out), 0);
	st = host_stat(s, "dir");
	assert_int_equal(st.st_mode, S_IFDIR | 01750);
	assert_attr_of(&out.attr, &st);
	assert_int_equal(fuse_mkdir(s->c, FUSE_ROOT, "dir", 0700, &out), -EEXIST);
	assert_int_equal(fuse_mkdir(s->c, out.nodeid, "below", 0700, &out), 0);
	assert_true(host_exists(s, "dir/below"));
	assert_int_equal(fuse_mkdir(s->c, out.nodeid, "../beside", 0700, &out), -EINVAL);
	assert_false(host_exists(s, "dir/beside"));
	assert_int_equal(fuse_mkdir(s->c, 12345, "x", 0700, &out), -ESTALE);
}

static void name_too_long_makes_nothing(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	char name[257];
	uint64_t fh;

	memset(name, 'x', 256);
	name[256] = '\0';
	assert_int_equal(fuse_mkdir(s->c, FUSE_ROOT, name, 0700, &out), -ENAMETOOLONG);
	assert_int_equal(fuse_create(s->c, FUSE_ROOT, name, O_RDWR, 0600, &out, &fh),
			 -ENAMETOOLONG);
	assert_int_equal(fuse_unlink(s->c, FUSE_ROOT, name), -ENAMETOOLONG);
}

static void unlink_removes_a_name_and_rmdir_a_directory(void **state)
{
	struct shared *s = *state;

	host_write(s, "file", "", 0);
	host_mkdir(s, "dir", 0755);
	host_write(s, "dir/file", "", 0);
	assert_int_equal(fuse_rmdir(s->c, FUSE_ROOT, "file"), -ENOTDIR);
	assert_int_equal(fuse_unlink(s->c, FUSE_ROOT, "dir"), -EISDIR);
	assert_int_equal(fuse_rmdir(s->c, FUSE_ROOT, "dir"), -ENOTEMPTY);
	assert_true(host_exists(s, "file") && host_exists(s, "dir/file"));
	assert_int_equal(fuse_unlink(s->c, FUSE_ROOT, "file"), 0);
	assert_false(host_exists(s, "file"));
	assert_int_equal(fuse_unlink(s->c, FUSE_ROOT, "file"), -ENOENT);
	assert_int_equal(fuse_unlink(s->c, node_of(s, FUSE_ROOT, "dir"), "file"), 0);
	assert_int_equal(fuse_rmdir(s->c, FUSE_ROOT, "dir"), 0);
	assert_false(host_exists(s, "dir"));
	assert_int_equal(fuse_unlink(s->c, 12345, "x"), -ESTALE);
	assert_int_equal(fuse_rmdir(s->c, 12345, "x"), -ESTALE);
	assert_int_equal(fuse_rmdir(s->c, FUSE_ROOT, ".."), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED_TEST(created_file_is_there_and_open),
		SHARED_TEST(create_of_a_file_that_exists_opens_it_unless_told_otherwise),
		SHARED_TEST(create_does_not_follow_a_symlink_out),
		SHARED_TEST(made_nodes_have_the_guests_mode_under_any_umask),
		SHARED_TEST(made_nodes_belong_to_the_guests_user),
		SHARED_TEST(mknod_makes_each_type_it_may),
		SHARED_TEST(device_nodes_keep_their_numbers),
		SHARED_TEST(directory_is_made_once),
		SHARED_TEST(name_too_long_makes_nothing),
		SHARED_TEST(unlink_removes_a_name_and_rmdir_a_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
