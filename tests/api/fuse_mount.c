/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library under a real kernel: a directory shared through /dev/fuse, seen from
 * both sides. Run once for each way to serve it.
 */
#include "support/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "api/mount.h"

static struct mount m;

/* Fails with @error. */
static void expect_error(int ret, int error)
{
	assert_int_equal(ret, -1);
	assert_int_equal(errno, error);
}

static void file_is_the_same_on_both_sides(void **state)
{
	(void)state;
	write_file(in(&m, "mine"), "from the mount");
	expect_file(behind(&m, "mine"), "from the mount");
	write_file(behind(&m, "yours"), "from the host");
	expect_file(in(&m, "yours"), "from the host");
}

/* fuse_mount itself runs with umask 077. */
static void created_file_has_the_mode_and_owner_asked_for(void **state)
{
	mode_t old = umask(0);
	struct stat st;
	int fd;

	(void)state;
	fd = open(in(&m, "open-mode"), O_WRONLY | O_CREAT | O_EXCL, 0666);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(mkdir(in(&m, "dir-mode"), 0777), 0);
	assert_int_equal(mknod(in(&m, "node-mode"), S_IFIFO | 0622, 0), 0);
	umask(old);
	assert_int_equal(lstat(behind(&m, "open-mode"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0666);
	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(lstat(behind(&m, "dir-mode"), &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0777);
	assert_int_equal(lstat(behind(&m, "node-mode"), &st), 0);
	assert_int_equal(st.st_mode, S_IFIFO | 0622);
}

static int as_another_user(int (*what)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgid(4321) < 0 || setuid(1234) < 0)
			_exit(100);
		_exit(what());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int use_the_mount(void)
{
	int fd = open(in(&m, "common/theirs"), O_WRONLY | O_CREAT, 0640);

	if (fd < 0 || mkdir(in(&m, "common/dir"), 0750) < 0 ||
	    symlink("x", in(&m, "common/link")) < 0)
		return errno;
	if (open(in(&m, "secret"), O_RDONLY) >= 0 || errno != EACCES)
		return 102;
	return unlink(in(&m, "secret")) < 0 && errno == EACCES ? 0 : 103;
}

static void other_users_create_as_themselves_and_get_no_further(void **state)
{
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	write_file(behind(&m, "secret"), "root's");
	assert_int_equal(chmod(behind(&m, "secret"), 0600), 0);
	assert_int_equal(mkdir(in(&m, "common"), 0777), 0);
	assert_int_equal(chmod(in(&m, "common"), 01777), 0);
	assert_int_equal(as_another_user(use_the_mount), 0);
	assert_int_equal(lstat(behind(&m, "common/theirs"), &st), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 4321);
	assert_int_equal(lstat(behind(&m, "common/dir"), &st), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(lstat(behind(&m, "common/link"), &st), 0);
	assert_int_equal(st.st_uid, 1234);
}

static void rename_moves_replaces_exchanges_or_refuses(void **state)
{
	(void)state;
	write_file(in(&m, "a"), "a");
	assert_int_equal(mkdir(in(&m, "to"), 0755), 0);
	assert_int_equal(rename(in(&m, "a"), in(&m, "to/b")), 0);
	expect_file(behind(&m, "to/b"), "a");
	expect_error(access(in(&m, "a"), F_OK), ENOENT);
	write_file(in(&m, "c"), "c");
	expect_error(renameat2(AT_FDCWD, in(&m, "c"), AT_FDCWD, in(&m, "to/b"), RENAME_NOREPLACE),
		     EEXIST);
	assert_int_equal(
		renameat2(AT_FDCWD, in(&m, "c"), AT_FDCWD, in(&m, "to/b"), RENAME_EXCHANGE), 0);
	expect_file(in(&m, "c"), "a");
	expect_file(in(&m, "to/b"), "c");
	assert_int_equal(rename(in(&m, "c"), in(&m, "to/b")), 0);
	expect_file(in(&m, "to/b"), "a");
	assert_int_equal(rename(in(&m, "to"), in(&m, "too")), 0);
	expect_file(in(&m, "too/b"), "a");
	expect_error(rename(in(&m, "too"), in(&m, "too/below")), EINVAL);
}

static void directory_of_5000_is_listed_once_each_and_removed(void **state)
{
	enum { COUNT = 5000 };
	static unsigned char seen[COUNT];
	struct dirent *entry;
	int others = 0, listed = 0;
	char name[32];
	DIR *dir;

	(void)state;
	memset(seen, 0, sizeof(seen));
	assert_int_equal(mkdir(in(&m, "many"), 0755), 0);
	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		assert_int_equal(mknod(behind(&m, name), S_IFREG | 0600, 0), 0);
	}
	dir = opendir(in(&m, "many"));
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.') {
			others++;
			continue;
		}
		assert_int_equal(entry->d_type, DT_REG);
		assert_int_equal(seen[atoi(entry->d_name)]++, 0);
		listed++;
	}
	assert_int_equal(listed, COUNT);
	assert_int_equal(others, 2);
	rewinddir(dir);
	for (listed = 0; (entry = readdir(dir)); listed++)
		if (entry->d_name[0] != '.')
			assert_int_equal(unlinkat(dirfd(dir), entry->d_name, 0), 0);
	closedir(dir);
	assert_int_equal(listed, COUNT + 2);
	assert_int_equal(rmdir(in(&m, "many")), 0);
	expect_error(access(behind(&m, "many"), F_OK), ENOENT);
}

static void place_in_a_directory_is_found_again(void **state)
{
	struct dirent *entry;
	char name[32], want[256];
	long place;
	DIR *dir;

	(void)state;
	assert_int_equal(mkdir(in(&m, "places"), 0755), 0);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "places/%d", i);
		write_file(behind(&m, name), "");
	}
	dir = opendir(in(&m, "places"));
	assert_non_null(dir);
	for (int i = 0; i < 100; i++)
		assert_non_null(readdir(dir));
	place = telldir(dir);
	entry = readdir(dir);
	assert_non_null(entry);
	strcpy(want, entry->d_name);
	while (readdir(dir))
		;
	seekdir(dir, place);
	entry = readdir(dir);
	assert_non_null(entry);
	assert_string_equal(entry->d_name, want);
	closedir(dir);
}

static void hard_link_is_the_same_file(void **state)
{
	struct stat one, two;

	(void)state;
	write_file(in(&m, "one"), "x");
	assert_int_equal(link(in(&m, "one"), in(&m, "two")), 0);
	assert_int_equal(stat(in(&m, "one"), &one), 0);
	assert_int_equal(stat(in(&m, "two"), &two), 0);
	assert_int_equal(one.st_ino, two.st_ino);
	assert_int_equal(one.st_nlink, 2);
	assert_int_equal(unlink(in(&m, "one")), 0);
	assert_int_equal(stat(in(&m, "two"), &two), 0);
	assert_int_equal(two.st_nlink, 1);
	expect_file(in(&m, "two"), "x");
	expect_error(link(in(&m, "two"), in(&m, "two")), EEXIST);
}

static void symbolic_link_is_the_clients_to_follow(void **state)
{
	char target[PATH_MAX], back[PATH_MAX + 1] = { 0 };

	(void)state;
	memset(target, 'x', sizeof(target));
	target[4000] = '\0';
	assert_int_equal(symlink(target, in(&m, "long")), 0);
	assert_int_equal(readlink(in(&m, "long"), back, PATH_MAX), 4000);
	assert_string_equal(back, target);
	assert_int_equal(symlink("plain", in(&m, "link")), 0);
	write_file(in(&m, "link"), "through the link");
	expect_file(behind(&m, "plain"), "through the link");
	assert_int_equal(symlink("loop", in(&m, "loop")), 0);
	expect_error(open(in(&m, "loop"), O_RDONLY), ELOOP);
}

static void space_is_that_of_the_file_system_behind(void **state)
{
	struct statvfs one, two;

	(void)state;
	assert_int_equal(statvfs(in(&m, "."), &one), 0);
	assert_int_equal(statvfs(behind(&m, "."), &two), 0);
	assert_int_equal(one.f_blocks * one.f_frsize, two.f_blocks * two.f_frsize);
	assert_int_equal(one.f_files, two.f_files);
	assert_int_equal(one.f_namemax, 255);
}

static void mode_owner_and_times_are_set(void **state)
{
	const struct timespec times[2] = { { 1000000000, 123456789 }, { 1500000000, 987654321 } };
	struct stat st;

	(void)state;
	write_file(in(&m, "attr"), "x");
	assert_int_equal(chmod(in(&m, "attr"), 04711), 0);
	assert_int_equal(utimensat(AT_FDCWD, in(&m, "attr"), times, 0), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(in(&m, "attr"), 7, 8), 0);
		assert_int_equal(chmod(in(&m, "attr"), 04711), 0);
	}
	assert_int_equal(stat(behind(&m, "attr"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 04711);
	assert_int_equal(st.st_atim.tv_nsec, 123456789);
	assert_int_equal(st.st_mtim.tv_sec, 1500000000);
	assert_int_equal(st.st_uid, geteuid() == 0 ? 7 : geteuid());
	assert_int_equal(stat(in(&m, "attr"), &st), 0);
	assert_int_equal(st.st_mtim.tv_nsec, 987654321);
}

static void file_without_a_name_lives_until_it_is_closed(void **state)
{
	struct stat st;
	char buf[8];
	int fd = open(in(&m, "gone"), O_RDWR | O_CREAT, 0644);

	(void)state;
	assert_int_equal(write(fd, "still", 5), 5);
	assert_int_equal(unlink(in(&m, "gone")), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(ftruncate(fd, 4), 0);
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(pread(fd, buf, sizeof(buf), 0), 4);
	close(fd);
}

static void names_and_kinds_are_checked_as_everywhere(void **state)
{
	char name[257];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	write_file(in(&m, name), "");
	assert_int_equal(unlink(in(&m, name)), 0);
	name[255] = 'n';
	name[256] = '\0';
	expect_error(open(in(&m, name), O_CREAT | O_WRONLY, 0644), ENAMETOOLONG);
	write_file(in(&m, "file"), "");
	expect_error(open(in(&m, "file/below"), O_RDONLY), ENOTDIR);
	expect_error(mkdir(in(&m, "file"), 0755), EEXIST);
	expect_error(rmdir(in(&m, "file")), ENOTDIR);
	assert_int_equal(mkdir(in(&m, "full"), 0755), 0);
	write_file(in(&m, "full/x"), "");
	expect_error(rmdir(in(&m, "full")), ENOTEMPTY);
	expect_error(unlink(in(&m, "full")), EISDIR);
	expect_error(open(in(&m, "nowhere"), O_RDONLY), ENOENT);
	expect_error(open(in(&m, "file"), O_CREAT | O_EXCL | O_WRONLY, 0644), EEXIST);
}

/* The kernel's own, but its file is ours. */
static void pipe_joins_two_processes(void **state)
{
	char c = 0;
	pid_t pid;
	int fd;

	(void)state;
	assert_int_equal(mkfifo(in(&m, "pipe"), 0600), 0);
	pid = fork();
	if (pid == 0) {
		fd = open(in(&m, "pipe"), O_WRONLY);
		_exit(write(fd, "p", 1) == 1 ? 0 : 1);
	}
	fd = open(in(&m, "pipe"), O_RDONLY);
	assert_int_equal(read(fd, &c, 1), 1);
	assert_int_equal(c, 'p');
	close(fd);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void files_of_memfs_work(void **state)
{
	char buf[32] = { 0 };
	struct dirent *entry;
	int found = 0, fd;
	struct stat st;
	DIR *dir;

	(void)state;
	write_file(in(&m, "memory"), "in memory");
	expect_file(in(&m, "memory"), "in memory");
	fd = open(in(&m, "memory"), O_RDWR);
	assert_int_equal(ftruncate(fd, 2), 0);
	assert_int_equal(ftruncate(fd, 20000), 0);
	assert_int_equal(pwrite(fd, "far", 3, 10000), 3);
	assert_int_equal(pread(fd, buf, 5, 0), 5);
	assert_memory_equal(buf, "in\0\0\0", 5);
	close(fd);
	assert_int_equal(stat(in(&m, "memory"), &st), 0);
	assert_int_equal(st.st_size, 20000);
	dir = opendir(m.point);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		found += strcmp(entry->d_name, "memory") == 0;
	closedir(dir);
	assert_int_equal(found, 1);
	assert_int_equal(unlink(in(&m, "memory")), 0);
	expect_error(stat(in(&m, "memory"), &st), ENOENT);
}

static const struct CMUnitTest passthrough_tests[] = {
	cmocka_unit_test(file_is_the_same_on_both_sides),
	cmocka_unit_test(created_file_has_the_mode_and_owner_asked_for),
	cmocka_unit_test(other_users_create_as_themselves_and_get_no_further),
	cmocka_unit_test(rename_moves_replaces_exchanges_or_refuses),
	cmocka_unit_test(directory_of_5000_is_listed_once_each_and_removed),
	cmocka_unit_test(place_in_a_directory_is_found_again),
	cmocka_unit_test(hard_link_is_the_same_file),
	cmocka_unit_test(symbolic_link_is_the_clients_to_follow),
	cmocka_unit_test(space_is_that_of_the_file_system_behind),
	cmocka_unit_test(mode_owner_and_times_are_set),
	cmocka_unit_test(file_without_a_name_lives_until_it_is_closed),
	cmocka_unit_test(names_and_kinds_are_checked_as_everywhere),
	cmocka_unit_test(pipe_joins_two_processes),
};

static const struct CMUnitTest memfs_tests[] = {
	cmocka_unit_test(files_of_memfs_work),
};

static int open_memfs(void **state)
{
	(void)state;
	mount_open(&m, "--memfs", NULL, NULL);
	return 0;
}

static int ends(void **state)
{
	(void)state;
	assert_int_equal(mount_unmount(&m), 0);
	mount_clean(&m);
	return 0;
}

int main(void)
{
	int failed;

	if (!mount_possible())
		return 77;
	failed = mount_run_each_way(&m, passthrough_tests,
				    sizeof(passthrough_tests) / sizeof(passthrough_tests[0]));
	failed += cmocka_run_group_tests_name("memfs", memfs_tests, open_memfs, ends);
	return failed;
}
