/* SPDX-License-Identifier: BSD-2-Clause */
/* What newer kernels ask for: as fuse_mount.c, run for each way to serve it. */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "api/mount.h"

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

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(time_of_birth_is_the_files),
	cmocka_unit_test(file_without_a_name_gets_one),
};

int main(void)
{
	if (!mount_possible())
		return 77;
	return mount_run_each_way(&m, tests, sizeof(tests) / sizeof(tests[0]));
}
