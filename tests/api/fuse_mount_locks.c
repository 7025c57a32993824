/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks through a real kernel: between programs on the mount and behind it, waited for and
 * interrupted. */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/mount.h"

static struct mount m;

static int begin(void **state)
{
	(void)state;
	mount_open(&m, "--posix-lock", "--flock", NULL);
	write_file(in(&m, "file"), "text");
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_int_equal(mount_stop(&m), 0);
	mount_clean(&m);
	return 0;
}

static int lock(int fd, int command, short type)
{
	struct flock range = { .l_type = type, .l_whence = SEEK_SET };

	return fcntl(fd, command, &range) ? -errno : 0;
}

static int open_it(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void lock_of_the_mount_holds_behind_it(void **state)
{
	int front = open_it(in(&m, "file")), back = open_it(behind(&m, "file"));

	(void)state;
	assert_int_equal(lock(front, F_SETLK, F_WRLCK), 0);
	assert_int_equal(lock(back, F_OFD_SETLK, F_RDLCK), -EAGAIN);
	assert_int_equal(flock(back, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(flock(front, LOCK_SH | LOCK_NB), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	/* Any close of the process's ends the first, and the last close the other. */
	close(open_it(in(&m, "file")));
	assert_int_equal(lock(back, F_OFD_SETLK, F_WRLCK), 0);
	assert_int_equal(lock(front, F_SETLK, F_RDLCK), -EAGAIN);
	close(back);
	assert_int_equal(flock(front, LOCK_EX | LOCK_NB), 0);
	back = open_it(behind(&m, "file"));
	assert_int_equal(flock(back, LOCK_SH | LOCK_NB), -1);
	close(front);
	/* RELEASE is not waited for by close(2). */
	assert_int_equal(flock(back, LOCK_SH), 0);
	close(back);
}

/* A child that waits for the lock, and says with what its wait ended. */
static pid_t wait_for_lock(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(-lock(open(in(&m, "file"), O_RDWR), F_SETLKW, F_WRLCK));
	return pid;
}

static int end_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static bool is_waiting(pid_t pid)
{
	int status;

	usleep(100000);
	return waitpid(pid, &status, WNOHANG) == 0;
}

static void who_waits_gets_it(void **state)
{
	int front = open_it(in(&m, "file"));
	pid_t pid;

	(void)state;
	assert_int_equal(lock(front, F_SETLK, F_WRLCK), 0);
	pid = wait_for_lock();
	assert_true(is_waiting(pid));
	expect_file(in(&m, "file"), "text");
	close(front);
	assert_int_equal(end_of(pid), 0);
}

static void who_waits_can_be_killed(void **state)
{
	int front = open_it(in(&m, "file"));
	pid_t pid;

	(void)state;
	assert_int_equal(flock(front, LOCK_EX), 0);
	assert_int_equal(lock(front, F_SETLK, F_WRLCK), 0);
	pid = wait_for_lock();
	assert_true(is_waiting(pid));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(end_of(pid), 1000 + SIGKILL);
	close(front);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lock_of_the_mount_holds_behind_it, begin, end),
		cmocka_unit_test_setup_teardown(who_waits_gets_it, begin, end),
		cmocka_unit_test_setup_teardown(who_waits_can_be_killed, begin, end),
	};

	if (!mount_possible())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
