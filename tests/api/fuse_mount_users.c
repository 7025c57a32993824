/* SPDX-License-Identifier: BSD-2-Clause */
/* Users of a real kernel's: what it sends of them, and what becomes of it behind the mount. */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/mount.h"

enum { USER = 1234, GROUP = 2345, OTHER_GROUP = 3456 };

static struct mount m;

static int begin(void **state)
{
	(void)state;
	if (geteuid() == 0)
		mount_open(&m, NULL, NULL, NULL);
	return 0;
}

static int begin_killpriv(void **state)
{
	(void)state;
	if (geteuid() == 0)
		mount_open(&m, "--killpriv-v2", NULL, NULL);
	return 0;
}

static int begin_translated(void **state)
{
	(void)state;
	if (geteuid() == 0)
		mount_open(&m, "--translate-uid=map:1234:5678:1", "--translate-gid=map:0:4321:1",
			   "--translate-uid=forbid-guest:1235:1");
	return 0;
}

static int end(void **state)
{
	(void)state;
	if (geteuid() == 0) {
		assert_int_equal(mount_stop(&m), 0);
		mount_clean(&m);
	}
	return 0;
}

/* Only root can be several users. */
static void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

static void reachable(void)
{
	assert_int_equal(chmod(m.dir, 0755), 0);
	assert_int_equal(chmod(m.source, 0777), 0);
}

/* What @act returns as that user, in a process of its own. */
static int as(uid_t uid, gid_t gid, const gid_t *groups, size_t count, int (*act)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		umask(0);
		if (syscall(SYS_setgroups, count, groups) || setresgid(gid, gid, gid) ||
		    setresuid(uid, uid, uid))
			_exit(255);
		_exit(act());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static mode_t mode_behind(const char *name)
{
	struct stat st;

	assert_int_equal(stat(behind(&m, name), &st), 0);
	return st.st_mode & 07777;
}

/* ---- Groups ---- */

static int create_setgid(void)
{
	int fd = open(in(&m, "dir/file"), O_CREAT | O_EXCL | O_RDWR, 02775);

	return fd < 0 ? errno : 0;
}

/* FUSE_CREATE_SUPP_GROUP came with Linux 6.3; before that nobody tells us. */
static void setgid_is_for_members_of_the_group(void **state)
{
	const gid_t groups[] = { OTHER_GROUP };

	(void)state;
	need_root();
	reachable();
	assert_int_equal(mkdir(behind(&m, "dir"), 0755), 0);
	assert_int_equal(chown(behind(&m, "dir"), 0, OTHER_GROUP), 0);
	assert_int_equal(chmod(behind(&m, "dir"), 02777), 0);
	assert_int_equal(as(USER, GROUP, NULL, 0, create_setgid), 0);
	assert_int_equal(mode_behind("dir/file"), 0775);
	assert_int_equal(unlink(in(&m, "dir/file")), 0);
	assert_int_equal(as(USER, GROUP, groups, 1, create_setgid), 0);
	assert_int_equal(mode_behind("dir/file"), 02775);
}

/* ---- S_ISUID and S_ISGID ---- */

static int write_to_it(void)
{
	int fd = open(in(&m, "file"), O_WRONLY);

	return fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0 ? 0 : 1;
}

static int truncate_it(void)
{
	return truncate(in(&m, "file"), 2) ? errno : 0;
}

static int open_truncating(void)
{
	return open(in(&m, "file"), O_WRONLY | O_TRUNC) < 0 ? errno : 0;
}

static int allocate(void)
{
	int fd = open(in(&m, "file"), O_WRONLY);

	return fd >= 0 && fallocate(fd, 0, 0, 100) == 0 ? 0 : 1;
}

static void expect_bits_to_go(int (*act)(void))
{
	write_file(in(&m, "file"), "hello");
	assert_int_equal(chmod(in(&m, "file"), 06777), 0);
	assert_int_equal(as(USER, GROUP, NULL, 0, act), 0);
	assert_int_equal(mode_behind("file"), 0777);
}

static void bits_go_with_what_others_write(void **state)
{
	(void)state;
	need_root();
	reachable();
	expect_bits_to_go(write_to_it);
	expect_bits_to_go(truncate_it);
	expect_bits_to_go(allocate);
	/* Root may keep them. */
	assert_int_equal(chmod(in(&m, "file"), 06777), 0);
	assert_int_equal(write_to_it(), 0);
	assert_int_equal(truncate_it(), 0);
	assert_int_equal(open_truncating(), 0);
	assert_int_equal(mode_behind("file"), 06777);
}

/* Without KILLPRIV_V2 the kernel does not tell who truncates by opening. */
static void bits_go_with_a_truncating_open_too(void **state)
{
	(void)state;
	need_root();
	reachable();
	expect_bits_to_go(open_truncating);
}

/* ---- Translated ids ---- */

static int create_file(void)
{
	int fd = open(in(&m, "theirs"), O_CREAT | O_EXCL | O_RDWR, 0644);

	return fd < 0 ? errno : 0;
}

static void ids_are_others_behind_the_mount(void **state)
{
	struct stat st;

	(void)state;
	need_root();
	reachable();
	assert_int_equal(as(USER, 0, NULL, 0, create_file), 0);
	assert_int_equal(stat(in(&m, "theirs"), &st), 0);
	assert_int_equal(st.st_uid, USER);
	assert_int_equal(st.st_gid, 0);
	assert_int_equal(stat(behind(&m, "theirs"), &st), 0);
	assert_int_equal(st.st_uid, 5678);
	assert_int_equal(st.st_gid, 4321);
	assert_int_equal(unlink(in(&m, "theirs")), 0);
	assert_int_equal(as(USER + 1, 0, NULL, 0, create_file), EPERM);
	write_file(in(&m, "file"), "");
	assert_int_equal(chown(in(&m, "file"), USER, 0), 0);
	assert_int_equal(stat(behind(&m, "file"), &st), 0);
	assert_int_equal(st.st_uid, 5678);
	assert_int_equal(chown(in(&m, "file"), USER + 1, 0), -1);
	assert_int_equal(errno, EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(setgid_is_for_members_of_the_group, begin, end),
		cmocka_unit_test_setup_teardown(bits_go_with_what_others_write, begin, end),
		cmocka_unit_test_setup_teardown(bits_go_with_what_others_write, begin_killpriv,
						end),
		cmocka_unit_test_setup_teardown(bits_go_with_a_truncating_open_too, begin_killpriv,
						end),
		cmocka_unit_test_setup_teardown(ids_are_others_behind_the_mount, begin_translated,
						end),
	};

	if (!mount_possible())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
