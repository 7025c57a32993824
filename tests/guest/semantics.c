/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest's programs may expect of a file system beyond what a shell can ask for:
 * the guest runs it, statically linked, in a directory of the share. Each promise is a
 * line as those of helpers.guest; the last counts them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "support/acl.h"

/* The first that does not hold ends a promise, and is told. */
#define HOLDS(condition)                                                                 \
	do {                                                                             \
		if (!(condition)) {                                                      \
			printf("line %d: %s (errno %d)\n", __LINE__, #condition, errno); \
			return false;                                                    \
		}                                                                        \
	} while (0)

static int make(const char *name, const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd >= 0 && write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool attributes_are_kept(void)
{
	int fd = make("attributes", "x");
	char buf[64], list[256];

	HOLDS(fsetxattr(fd, "user.one", "first", 5, XATTR_CREATE) == 0);
	HOLDS(fsetxattr(fd, "user.one", "again", 5, XATTR_CREATE) == -1 && errno == EEXIST);
	HOLDS(setxattr("attributes", "trusted.two", "second", 6, 0) == 0);
	HOLDS(getxattr("attributes", "user.one", buf, sizeof(buf)) == 5);
	HOLDS(memcmp(buf, "first", 5) == 0);
	HOLDS(getxattr("attributes", "user.one", buf, 4) == -1 && errno == ERANGE);
	HOLDS(listxattr("attributes", list, sizeof(list)) == 9 + 12);
	HOLDS(removexattr("attributes", "user.one") == 0);
	HOLDS(fgetxattr(fd, "user.one", buf, sizeof(buf)) == -1 && errno == ENODATA);
	close(fd);
	return true;
}

/* What a user other than root gets when he opens it: 0 or an errno. */
static int opened_by(uid_t uid, const char *name, int flags)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (syscall(SYS_setgroups, 0, NULL) || setresgid(uid, uid, uid) ||
		    setresuid(uid, uid, uid))
			_exit(200);
		_exit(open(name, flags) >= 0 ? 0 : errno);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 201;
}

static bool acl_says_who_may(void)
{
	struct stat st;

	close(make("acl", "x"));
	HOLDS(setxattr("acl", ACL_ACCESS, &user_reads, sizeof(user_reads), 0) == 0);
	HOLDS(stat("acl", &st) == 0 && (st.st_mode & 0777) == 0740);
	HOLDS(opened_by(ACL_USER, "acl", O_RDONLY) == 0);
	HOLDS(opened_by(ACL_USER, "acl", O_WRONLY) == EACCES);
	HOLDS(opened_by(ACL_USER + 1, "acl", O_RDONLY) == EACCES);
	return true;
}

static bool default_acl_is_inherited(void)
{
	mode_t before = umask(077);
	struct stat st;

	HOLDS(mkdir("inherits", 0777) == 0);
	HOLDS(setxattr("inherits", ACL_DEFAULT, &user_reads, sizeof(user_reads), 0) == 0);
	close(make("inherits/file", "x"));
	HOLDS(stat("inherits/file", &st) == 0 && (st.st_mode & 0777) == 0640);
	HOLDS(opened_by(ACL_USER, "inherits/file", O_RDONLY) == EACCES); /* the directory's */
	umask(before);
	return true;
}

static int lock(int fd, int command, short type)
{
	struct flock range = { .l_type = type, .l_whence = SEEK_SET };

	return fcntl(fd, command, &range) ? errno : 0;
}

static bool locks_hold_between_processes(void)
{
	int fd = make("locked", "x"), status;
	pid_t pid;

	HOLDS(lock(fd, F_SETLK, F_WRLCK) == 0);
	pid = fork();
	if (pid == 0) {
		int own = open("locked", O_RDWR);

		if (lock(own, F_SETLK, F_RDLCK) != EAGAIN || flock(own, LOCK_SH | LOCK_NB))
			_exit(1);
		/* Waits for the other's close. */
		_exit(lock(own, F_SETLKW, F_WRLCK) == 0 ? 0 : 2);
	}
	usleep(300000);
	HOLDS(waitpid(pid, &status, WNOHANG) == 0);
	/* The queue is not blocked by who waits. */
	HOLDS(pwrite(fd, "y", 1, 0) == 1);
	close(fd);
	HOLDS(waitpid(pid, &status, 0) == pid && status == 0);
	return true;
}

/* The host has it locked for as long as the guest runs. */
static bool lock_of_the_hosts_holds_here(void)
{
	int fd = open("../host/locked", O_RDWR);

	HOLDS(fd >= 0);
	HOLDS(flock(fd, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK);
	/* --lock-timeout is a second. */
	HOLDS(flock(fd, LOCK_EX) == -1 && errno == EAGAIN);
	close(fd);
	return true;
}

static bool flags_of_a_file_hold(void)
{
	int fd = make("flags", "x");
	uint32_t flags = 0, was;

	HOLDS(ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0);
	was = flags;
	flags |= FS_APPEND_FL;
	HOLDS(ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0);
	close(fd);
	HOLDS(open("flags", O_WRONLY) == -1 && errno == EPERM);
	fd = open("flags", O_WRONLY | O_APPEND);
	HOLDS(fd >= 0 && write(fd, "y", 1) == 1);
	HOLDS(ioctl(fd, FS_IOC_SETFLAGS, &was) == 0);
	close(fd);
	return true;
}

static bool names_are_exchanged(void)
{
	struct stat one, two;

	close(make("one", "1"));
	close(make("two", "22"));
	HOLDS(renameat2(AT_FDCWD, "one", AT_FDCWD, "two", RENAME_NOREPLACE) == -1 &&
	      errno == EEXIST);
	HOLDS(renameat2(AT_FDCWD, "one", AT_FDCWD, "two", RENAME_EXCHANGE) == 0);
	HOLDS(stat("one", &one) == 0 && stat("two", &two) == 0);
	HOLDS(one.st_size == 2 && two.st_size == 1);
	return true;
}

static bool holes_are_made_and_found(void)
{
	int fd = make("holes", "");
	char block[4096];

	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 64; i++)
		HOLDS(write(fd, block, sizeof(block)) == sizeof(block));
	HOLDS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536, 65536) == 0);
	HOLDS(lseek(fd, 0, SEEK_HOLE) == 65536);
	HOLDS(lseek(fd, 65536, SEEK_DATA) == 131072);
	close(fd);
	return true;
}

static bool files_are_copied_by_the_host(void)
{
	int from = make("from", "0123456789"), to = make("to", "");
	off_t begin = 2;
	char buf[8] = "";

	HOLDS(copy_file_range(from, &begin, to, NULL, 5, 0) == 5);
	HOLDS(pread(to, buf, sizeof(buf), 0) == 5 && memcmp(buf, "23456", 5) == 0);
	close(from);
	close(to);
	return true;
}

static bool set_user_id_goes_with_a_write(void)
{
	struct stat st;
	pid_t pid;
	int status;

	close(make("program", "x"));
	HOLDS(chmod("program", 06777) == 0);
	pid = fork();
	if (pid == 0) {
		int fd;

		if (setresgid(ACL_USER, ACL_USER, ACL_USER) ||
		    setresuid(ACL_USER, ACL_USER, ACL_USER))
			_exit(1);
		fd = open("program", O_WRONLY);
		_exit(write(fd, "y", 1) == 1 ? 0 : 2);
	}
	HOLDS(waitpid(pid, &status, 0) == pid && status == 0);
	HOLDS(stat("program", &st) == 0 && (st.st_mode & 07777) == 0777);
	return true;
}

static bool mapping_is_the_file(void)
{
	int fd = make("mapped", "0123456789");
	char *map = mmap(NULL, 10, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), buf[10];

	HOLDS(map != MAP_FAILED);
	map[3] = 'x';
	HOLDS(msync(map, 10, MS_SYNC) == 0);
	HOLDS(pread(fd, buf, 10, 0) == 10 && memcmp(buf, "012x456789", 10) == 0);
	munmap(map, 10);
	close(fd);
	return true;
}

static int count, fine;

static void check(const char *name, bool (*promise)(void))
{
	bool ok = promise();

	count++;
	fine += ok;
	printf("guest: %s %s\n", ok ? "ok" : "not ok", name);
	fflush(stdout);
}

int main(void)
{
#define CHECK(promise) check(#promise, promise)
	umask(022);
	CHECK(attributes_are_kept);
	CHECK(acl_says_who_may);
	CHECK(default_acl_is_inherited);
	CHECK(locks_hold_between_processes);
	CHECK(lock_of_the_hosts_holds_here);
	CHECK(flags_of_a_file_hold);
	CHECK(names_are_exchanged);
	CHECK(holes_are_made_and_found);
	CHECK(files_are_copied_by_the_host);
	CHECK(set_user_id_goes_with_a_write);
	CHECK(mapping_is_the_file);
	printf("guest: done, %d of %d\n", fine, count);
	return fine == count ? 0 : 1;
}
