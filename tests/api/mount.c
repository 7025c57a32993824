/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check.h"

enum { STEP_MS = 10, PATIENCE_MS = 60000 };

bool mount_possible(void)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		printf("no /dev/fuse here: %s\n", strerror(errno));
		return false;
	}
	close(fd);
	if (geteuid() != 0 && access("/usr/bin/fusermount3", X_OK) < 0) {
		printf("neither root nor fusermount3\n");
		return false;
	}
	if (geteuid() == 0 &&
	    (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)) {
		printf("mounting is not allowed here: %s\n", strerror(errno));
		return false;
	}
	return true;
}

static bool is_mounted(const struct mount *m)
{
	struct stat outside, point;

	return stat(m->dir, &outside) == 0 && stat(m->point, &point) == 0 &&
	       outside.st_dev != point.st_dev;
}

static int status_of(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void mount_open(struct mount *m, const char *arg1, const char *arg2, const char *arg3)
{
	const char *argv[8] = { FUSE_MOUNT };
	const char *const extra[] = { arg1, arg2, arg3 };
	bool memfs = false;
	int n = 1;

	m->writeback = false;
	strcpy(m->dir, "mount-XXXXXX");
	CHECK(mkdtemp(m->dir));
	/* Other users' processes come by here. */
	CHECK(chmod(m->dir, 0755) == 0);
	snprintf(m->source, sizeof(m->source), "%s/source", m->dir);
	snprintf(m->point, sizeof(m->point), "%s/point", m->dir);
	CHECK(mkdir(m->source, 0755) == 0 && mkdir(m->point, 0755) == 0);
	for (int i = 0; i < 3 && extra[i]; i++) {
		memfs = memfs || strcmp(extra[i], "--memfs") == 0;
		m->writeback = m->writeback || strcmp(extra[i], "--writeback") == 0;
		argv[n++] = extra[i];
	}
	if (!memfs)
		argv[n++] = m->source;
	argv[n] = m->point;
	m->pid = fork();
	CHECK(m->pid >= 0);
	if (m->pid == 0) {
		/* What a guest creates has the guest's mode, whatever ours. */
		umask(077);
		/* A test that dies takes it along. */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	for (int waited = 0; !is_mounted(m); waited += STEP_MS) {
		CHECK(waited < PATIENCE_MS);
		CHECK(waitpid(m->pid, NULL, WNOHANG) == 0);
		poll(NULL, 0, STEP_MS);
	}
}

int mount_stop(struct mount *m)
{
	kill(m->pid, SIGTERM);
	return status_of(m->pid);
}

int mount_unmount(struct mount *m)
{
	const char *argv[] = { "fusermount3", "-u", m->point, NULL };
	pid_t pid;

	if (geteuid() == 0) {
		CHECK(umount(m->point) == 0);
	} else {
		pid = fork();
		if (pid == 0) {
			execvp(argv[0], (char *const *)(uintptr_t)argv);
			_exit(127);
		}
		CHECK(status_of(pid) == 0);
	}
	return status_of(m->pid);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

void mount_clean(struct mount *m)
{
	nftw(m->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static const char *join(const char *dir, const char *name)
{
	static char paths[8][512];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

const char *in(const struct mount *m, const char *name)
{
	return join(m->point, name);
}

const char *behind(const struct mount *m, const char *name)
{
	return join(m->source, name);
}

void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

void expect_file(const char *path, const char *text)
{
	char buf[256] = { 0 };
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, buf, sizeof(buf) - 1), strlen(text));
	assert_string_equal(buf, text);
	close(fd);
}

/* ---- Each way ---- */

/* What the group that runs is on. */
static struct mount *current;

static int ends_by_signal(void **state)
{
	(void)state;
	assert_int_equal(mount_stop(current), 0);
	mount_clean(current);
	return 0;
}

static int ends_by_unmounting(void **state)
{
	(void)state;
	assert_int_equal(mount_unmount(current), 0);
	mount_clean(current);
	return 0;
}

static int open_auto(void **state)
{
	(void)state;
	mount_open(current, NULL, NULL, NULL);
	return 0;
}

static int open_plain_uncached(void **state)
{
	(void)state;
	mount_open(current, "--cache=never", "--io=sync", NULL);
	return 0;
}

static int open_threads_always(void **state)
{
	(void)state;
	mount_open(current, "--cache=always", "--threads=3", NULL);
	return 0;
}

static int open_writeback(void **state)
{
	(void)state;
	mount_open(current, "--writeback", "--killpriv-v2", "--posix-acl");
	return 0;
}

static int open_direct(void **state)
{
	(void)state;
	mount_open(current, "--allow-direct-io", "--posix-lock", "--flock");
	return 0;
}

int mount_run_each_way(struct mount *m, const struct CMUnitTest *tests, size_t count)
{
	int failed = 0;

	current = m;
	/* A hang is a failure that must not be left mounted. */
	signal(SIGPIPE, SIG_IGN);
	failed += _cmocka_run_group_tests("cache=auto", tests, count, open_auto, ends_by_signal);
	failed += _cmocka_run_group_tests("cache=never, io=sync", tests, count, open_plain_uncached,
					  ends_by_unmounting);
	failed += _cmocka_run_group_tests("cache=always, threads=3", tests, count,
					  open_threads_always, ends_by_signal);
	failed += _cmocka_run_group_tests("writeback, killpriv-v2, posix-acl", tests, count,
					  open_writeback, ends_by_signal);
	failed += _cmocka_run_group_tests("allow-direct-io, posix-lock, flock", tests, count,
					  open_direct, ends_by_signal);
	return failed;
}
