/* SPDX-License-Identifier: BSD-2-Clause */
/* What newer kernels ask for: as fuse_mount.c, run for each way to serve it. */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "api/mount.h"

enum { HANDLE_SIZE = sizeof(struct file_handle) + MAX_HANDLE_SZ };

static struct mount m;

/* Whether the kernel that mounts is that new. */
static bool kernel_is(int major, int minor)
{
	struct utsname name;
	int a = 0, b = 0;

	assert_int_equal(uname(&name), 0);
	assert_int_equal(sscanf(name.release, "%d.%d", &a, &b), 2);
	return a > major || (a == major && b >= minor);
}

static struct statx statx_of(const char *path)
{
	struct statx st;

	assert_int_equal(statx(AT_FDCWD, path, 0, STATX_BASIC_STATS | STATX_BTIME, &st), 0);
	return st;
}

static void time_of_birth_is_the_files(void **state)
{
	struct statx one, two;

	(void)state;
	write_file(in(&m, "born"), "x");
	two = statx_of(behind(&m, "born"));
	/* FUSE_STATX came with Linux 6.6. */
	if (!kernel_is(6, 6) || !(two.stx_mask & STATX_BTIME))
		skip();
	one = statx_of(in(&m, "born"));
	assert_true(one.stx_mask & STATX_BTIME);
	assert_int_equal(one.stx_btime.tv_sec, two.stx_btime.tv_sec);
	assert_int_equal(one.stx_btime.tv_nsec, two.stx_btime.tv_nsec);
	assert_int_equal(one.stx_size, 1);
}

static void file_without_a_name_gets_one(void **state)
{
	char path[64];
	struct stat st;
	int fd = open(in(&m, "."), O_TMPFILE | O_RDWR, 0640);

	(void)state;
	if (fd < 0 && errno == EOPNOTSUPP)
		skip();
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "nameless", 8), 8);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_mode, S_IFREG | 0640);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(linkat(AT_FDCWD, path, AT_FDCWD, in(&m, "named"), AT_SYMLINK_FOLLOW), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 1);
	close(fd);
	expect_file(in(&m, "named"), "nameless");
	expect_file(behind(&m, "named"), "nameless");
	assert_int_equal(unlink(in(&m, "named")), 0);

	fd = open(in(&m, "."), O_TMPFILE | O_RDWR | O_EXCL, 0600);
	assert_true(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(linkat(AT_FDCWD, path, AT_FDCWD, in(&m, "never"), AT_SYMLINK_FOLLOW), -1);
	assert_int_equal(access(behind(&m, "never"), F_OK), -1);
	close(fd);
}

static void whiteout_is_left_where_a_file_was(void **state)
{
	struct stat st;
	int err;

	(void)state;
	write_file(in(&m, "lower"), "x");
	err = renameat2(AT_FDCWD, in(&m, "lower"), AT_FDCWD, in(&m, "moved"), RENAME_WHITEOUT);
	if (err < 0 && (errno == EINVAL || errno == EPERM))
		skip();
	assert_int_equal(err, 0);
	assert_int_equal(stat(behind(&m, "lower"), &st), 0);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0);
	assert_int_equal(stat(in(&m, "lower"), &st), 0);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0);
	expect_file(in(&m, "moved"), "x");
	assert_int_equal(mknod(in(&m, "gone"), S_IFCHR, 0), 0);
	assert_int_equal(stat(behind(&m, "gone"), &st), 0);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0);
	assert_int_equal(unlink(in(&m, "lower")) | unlink(in(&m, "gone")), 0);
}

static void write_and_read(int fd, off_t offset)
{
	char buf[8] = { 0 };

	assert_int_equal(pwrite(fd, "far", 3, offset), 3);
	assert_int_equal(pread(fd, buf, sizeof(buf), offset), 3);
	assert_string_equal(buf, "far");
}

/* ext4 ends at 16 TiB; tmpfs goes to the end of what an offset is. */
static void file_reaches_as_far_as_the_file_system_behind(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(behind(&m, "tmpfs"), 0755), 0);
	assert_int_equal(mount("none", behind(&m, "tmpfs"), "tmpfs", 0, "size=4m"), 0);
	fd = open(in(&m, "tmpfs/far"), O_RDWR | O_CREAT, 0644);
	assert_true(fd >= 0);
	write_and_read(fd, (off_t)17 << 40);
	write_and_read(fd, (off_t)1 << 60);
	write_and_read(fd, INT64_MAX - 4096);
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(stat(behind(&m, "tmpfs/far"), &st), 0);
	assert_int_equal(st.st_size, INT64_MAX - 4093);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, INT64_MAX - 4093);
	assert_int_equal(lseek(fd, 1 << 20, SEEK_DATA), (off_t)17 << 40);
	assert_int_equal(lseek(fd, ((off_t)17 << 40) + 4096, SEEK_DATA), (off_t)1 << 60);
	assert_int_equal(ftruncate(fd, (off_t)16 << 40), 0);
	assert_int_equal(stat(behind(&m, "tmpfs/far"), &st), 0);
	assert_int_equal(st.st_size, (off_t)16 << 40);
	assert_int_equal(pwrite(fd, "x", 1, INT64_MAX), -1);
	close(fd);
	assert_int_equal(unlink(in(&m, "tmpfs/far")), 0);
	umount2(in(&m, "tmpfs"), MNT_DETACH);
	assert_int_equal(umount2(behind(&m, "tmpfs"), MNT_DETACH), 0);
}

/* A file handle of the mount's; -1 and an errno. */
static int open_handle(int mount_fd, const char *handle, int flags)
{
	return open_by_handle_at(mount_fd, (struct file_handle *)(uintptr_t)handle, flags);
}

static void make_handle(const char *path, char *bytes)
{
	struct file_handle *handle = (struct file_handle *)(void *)bytes;
	int mount_id;

	handle->handle_bytes = MAX_HANDLE_SZ;
	assert_int_equal(name_to_handle_at(AT_FDCWD, path, handle, &mount_id, 0), 0);
}

static void handle_opens_its_file_whatever_its_name(void **state)
{
	_Alignas(struct file_handle) char file[HANDLE_SIZE], dir[HANDLE_SIZE];
	struct stat one, two;
	char buf[8];
	int root, fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	root = open(in(&m, "."), O_RDONLY | O_DIRECTORY);
	assert_true(root >= 0);
	assert_int_equal(mkdir(in(&m, "handles"), 0755), 0);
	assert_int_equal(mkdir(in(&m, "handles/dir"), 0755), 0);
	write_file(in(&m, "handles/dir/file"), "by handle");
	make_handle(in(&m, "handles/dir/file"), file);
	make_handle(in(&m, "handles/dir"), dir);
	assert_int_equal(rename(in(&m, "handles/dir"), in(&m, "handles/moved")), 0);
	fd = open_handle(root, file, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, buf, sizeof(buf)), sizeof(buf));
	close(fd);
	fd = open_handle(root, dir, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &one), 0);
	assert_int_equal(stat(behind(&m, "handles/moved"), &two), 0);
	assert_int_equal(one.st_ino, two.st_ino);
	assert_int_equal(fstatat(fd, "..", &one, 0), 0);
	assert_int_equal(stat(behind(&m, "handles"), &two), 0);
	assert_int_equal(one.st_ino, two.st_ino);
	close(fd);
	/* And not another file, once it is gone. */
	assert_int_equal(unlink(in(&m, "handles/moved/file")), 0);
	write_file(in(&m, "handles/moved/file"), "another");
	assert_int_equal(open_handle(root, file, O_RDONLY), -1);
	assert_int_equal(errno, ESTALE);
	close(root);
}

static int get_flags(const char *path, unsigned *flags)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK);
	int err;

	assert_true(fd >= 0);
	err = ioctl(fd, FS_IOC_GETFLAGS, flags);
	close(fd);
	return err;
}

static int set_flags(const char *path, unsigned flags)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK);
	int err;

	assert_true(fd >= 0);
	err = ioctl(fd, FS_IOC_SETFLAGS, &flags);
	close(fd);
	return err;
}

static void flags_are_those_of_the_file_behind(void **state)
{
	static const char *const names[] = { "flags", "flags-of-dir" };
	unsigned one, two;

	(void)state;
	write_file(in(&m, "flags"), "x");
	assert_int_equal(mkdir(in(&m, "flags-of-dir"), 0755), 0);
	for (int i = 0; i < 2; i++) {
		if (get_flags(behind(&m, names[i]), &two) < 0)
			skip();
		assert_int_equal(get_flags(in(&m, names[i]), &one), 0);
		assert_int_equal(one, two);
		assert_int_equal(set_flags(in(&m, names[i]), one | FS_NODUMP_FL), 0);
		assert_int_equal(get_flags(behind(&m, names[i]), &two), 0);
		assert_int_equal(two, one | FS_NODUMP_FL);
		assert_int_equal(get_flags(in(&m, names[i]), &one), 0);
		assert_int_equal(one, two);
		assert_int_equal(set_flags(in(&m, names[i]), one | FS_JOURNAL_DATA_FL), -1);
		assert_int_equal(errno, EOPNOTSUPP);
	}
}

static void extended_flags_are_those_of_the_file_behind(void **state)
{
	struct fsxattr attr = { 0 };
	unsigned flags;
	int fd;

	(void)state;
	write_file(in(&m, "xflags"), "x");
	fd = open(in(&m, "xflags"), O_RDONLY);
	assert_true(fd >= 0);
	if (ioctl(fd, FS_IOC_FSGETXATTR, &attr) < 0) {
		close(fd);
		skip();
	}
	attr.fsx_xflags |= FS_XFLAG_NOATIME;
	assert_int_equal(ioctl(fd, FS_IOC_FSSETXATTR, &attr), 0);
	assert_int_equal(get_flags(behind(&m, "xflags"), &flags), 0);
	assert_true(flags & FS_NOATIME_FL);
	attr.fsx_projid++;
	assert_int_equal(ioctl(fd, FS_IOC_FSSETXATTR, &attr), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	close(fd);
}

/* The kernel has forgotten node and name, and has just the handle to ask with. */
static void handle_outlives_what_the_kernel_keeps(void **state)
{
	_Alignas(struct file_handle) char file[HANDLE_SIZE], dir[HANDLE_SIZE], gone[HANDLE_SIZE];
	struct stat one, two;
	char buf[8];
	int root, fd;

	(void)state;
	if (geteuid() != 0 || access("/proc/sys/vm/drop_caches", W_OK) < 0)
		skip();
	assert_int_equal(mkdir(in(&m, "kept"), 0755), 0);
	assert_int_equal(mkdir(in(&m, "kept/dir"), 0755), 0);
	write_file(in(&m, "kept/dir/file"), "by handle");
	write_file(in(&m, "kept/dir/gone"), "by handle");
	make_handle(in(&m, "kept/dir/file"), file);
	make_handle(in(&m, "kept/dir"), dir);
	make_handle(in(&m, "kept/dir/gone"), gone);
	root = open(in(&m, "."), O_RDONLY | O_DIRECTORY);
	assert_true(root >= 0);
	sync();
	/* Names and inodes that are not in use; pages stay. */
	write_file("/proc/sys/vm/drop_caches", "2");
	assert_int_equal(unlink(behind(&m, "kept/dir/gone")), 0);
	write_file(behind(&m, "kept/dir/gone"), "another");

	fd = open_handle(root, file, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, buf, sizeof(buf)), sizeof(buf));
	close(fd);
	fd = open_handle(root, dir, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	assert_int_equal(fstatat(fd, "..", &one, 0), 0);
	assert_int_equal(stat(behind(&m, "kept"), &two), 0);
	assert_int_equal(one.st_ino, two.st_ino);
	assert_int_equal(fstatat(fd, "file", &one, 0), 0);
	close(fd);
	assert_int_equal(open_handle(root, gone, O_RDONLY), -1);
	assert_int_equal(errno, ESTALE);
	close(root);
}

static const struct CMUnitTest flag_tests[] = {
	cmocka_unit_test(flags_are_those_of_the_file_behind),
	cmocka_unit_test(extended_flags_are_those_of_the_file_behind),
};

static int open_with_flags(void **state)
{
	(void)state;
	mount_open(&m, "--file-attr", NULL, NULL);
	return 0;
}

static int ends(void **state)
{
	(void)state;
	assert_int_equal(mount_unmount(&m), 0);
	mount_clean(&m);
	return 0;
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(handle_opens_its_file_whatever_its_name),
	cmocka_unit_test(handle_outlives_what_the_kernel_keeps),
	cmocka_unit_test(whiteout_is_left_where_a_file_was),
	cmocka_unit_test(file_reaches_as_far_as_the_file_system_behind),
	cmocka_unit_test(time_of_birth_is_the_files),
	cmocka_unit_test(file_without_a_name_gets_one),
};

int main(void)
{
	int failed;

	if (!mount_possible())
		return 77;
	failed = mount_run_each_way(&m, tests, sizeof(tests) / sizeof(tests[0]));
	failed += cmocka_run_group_tests_name("file-attr", flag_tests, open_with_flags, ends);
	return failed;
}
