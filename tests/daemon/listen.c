/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "listen.h"
#include "log.h"

static char dir[] = "/tmp/virtiofsd-listen-XXXXXX";
static char path[64];
static char pid_path[64];

static int make_dir(void **state)
{
	(void)state;
	log_open(LOG_OFF);
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/sock", dir);
	snprintf(pid_path, sizeof(pid_path), "%s/sock.pid", dir);
	return 0;
}

/* Also sees that no test left something behind. */
static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static struct sockaddr_un address_of(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	return address;
}

static int connect_to(const char *name)
{
	struct sockaddr_un address = address_of(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int bind_at(const char *name, int type)
{
	struct sockaddr_un address = address_of(name);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static bool exists(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0;
}

static void socket_and_pid_file_are_its_owners_alone(void **state)
{
	struct listener listener;
	struct stat st;
	char pid[32] = "";
	char expected[32];
	int fd;

	(void)state;
	umask(0);
	assert_int_equal(listener_open(&listener, path), 0);
	assert_int_equal(umask(022), 0);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(lstat(pid_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	fd = open(pid_path, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, pid, sizeof(pid) - 1) > 0);
	snprintf(expected, sizeof(expected), "%d\n", (int)getpid());
	assert_string_equal(pid, expected);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
	close(fd);
	listener_close(&listener);
	assert_false(exists(path));
	assert_false(exists(pid_path));
}

static void clients_are_accepted_one_after_the_other(void **state)
{
	struct listener listener;
	int client, connection;

	(void)state;
	assert_int_equal(listener_open(&listener, path), 0);
	assert_int_equal(listener_accept(&listener), -EAGAIN);
	for (int i = 0; i < 3; i++) {
		client = connect_to(path);
		assert_true(client >= 0);
		connection = listener_accept(&listener);
		assert_true(connection >= 0);
		assert_int_equal(write(client, "x", 1), 1);
		assert_int_equal(read(connection, &(char){ 0 }, 1), 1);
		close(connection);
		close(client);
	}
	listener_close(&listener);
}

static void second_owner_is_refused_and_harms_nothing(void **state)
{
	struct listener first, second;
	int client;

	(void)state;
	assert_int_equal(listener_open(&first, path), 0);
	assert_int_equal(listener_open(&second, path), -EADDRINUSE);
	client = connect_to(path);
	assert_true(client >= 0);
	close(client);
	listener_close(&first);
	assert_false(exists(path));
}

static void what_a_killed_owner_left_is_replaced(void **state)
{
	struct listener listener;
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		listener_open(&listener, path);
		_exit(0); /* as if killed: nothing is cleaned up */
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(exists(path));
	assert_true(exists(pid_path));
	assert_int_equal(listener_open(&listener, path), 0);
	listener_close(&listener);
}

static void socket_of_another_program_is_left_alone(void **state)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
	struct listener listener;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		int other = bind_at(path, types[i]);

		if (types[i] != SOCK_DGRAM)
			assert_int_equal(listen(other, 1), 0);
		assert_int_equal(listener_open(&listener, path), -EADDRINUSE);
		assert_true(exists(path));
		close(other);
		/* Now it is stale. */
		assert_int_equal(listener_open(&listener, path), 0);
		listener_close(&listener);
	}
}

static void file_that_is_no_socket_is_left_alone(void **state)
{
	struct listener listener;
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(listener_open(&listener, path), -EADDRINUSE);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("nowhere", path), 0);
	assert_int_equal(listener_open(&listener, path), -EADDRINUSE);
	assert_int_equal(unlink(path), 0);
	assert_false(exists(pid_path));
}

static void planted_pid_file_is_not_followed(void **state)
{
	struct listener listener;
	char target[64];

	(void)state;
	snprintf(target, sizeof(target), "%s/target", dir);
	assert_int_equal(symlink(target, pid_path), 0);
	assert_int_equal(listener_open(&listener, path), -ELOOP);
	assert_false(exists(target));
	assert_int_equal(unlink(pid_path), 0);
	assert_int_equal(mkfifo(pid_path, 0600), 0);
	assert_int_equal(listener_open(&listener, path), -EEXIST);
	assert_int_equal(unlink(pid_path), 0);
}

static void longer_pid_of_the_last_owner_does_not_show_through(void **state)
{
	struct listener listener;
	struct stat st;
	char expected[32];
	int fd = open(pid_path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);

	(void)state;
	assert_int_equal(write(fd, "12345678901234567890\n", 21), 21);
	close(fd);
	assert_int_equal(listener_open(&listener, path), 0);
	assert_int_equal(stat(pid_path, &st), 0);
	assert_int_equal(st.st_size, snprintf(expected, sizeof(expected), "%d\n", (int)getpid()));
	assert_int_equal(st.st_mode & 07777, 0600);
	listener_close(&listener);
}

static void only_own_files_are_removed(void **state)
{
	struct listener listener;
	int other;

	(void)state;
	assert_int_equal(listener_open(&listener, path), 0);
	assert_int_equal(unlink(path), 0);
	other = bind_at(path, SOCK_STREAM);
	listener_close(&listener);
	assert_true(exists(path));
	close(other);
	assert_int_equal(unlink(path), 0);
}

static void path_that_cannot_be_is_an_error(void **state)
{
	struct listener listener;
	char longer[200];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(listener_open(&listener, longer), -ENAMETOOLONG);
	assert_int_equal(listener_open(&listener, "/nowhere/at/all/sock"), -ENOENT);
	assert_int_equal(listener_open(&listener, "/tmp/"), -EINVAL);
	assert_int_equal(listener_open(&listener, "/dev/null/sock"), -ENOTDIR);
}

static void longest_path_works(void **state)
{
	struct listener listener;
	char longest[108];
	int client;

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memcpy(longest, dir, strlen(dir));
	longest[strlen(dir)] = '/';
	assert_int_equal(listener_open(&listener, longest), 0);
	client = connect_to(longest);
	assert_true(client >= 0);
	close(client);
	listener_close(&listener);
}

static void path_in_the_working_directory_works(void **state)
{
	struct listener listener;
	char cwd[4096];

	(void)state;
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(listener_open(&listener, "sock"), 0);
	assert_true(exists(path));
	/* As after chroot(2): the path itself leads nowhere. */
	assert_int_equal(chdir(cwd), 0);
	listener_close(&listener);
	assert_false(exists(path));
}

static void listening_socket_of_the_parent_is_adopted(void **state)
{
	struct listener listener;
	int fd = bind_at(path, SOCK_STREAM);
	int client;

	(void)state;
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(listener_adopt(&listener, fd), 0);
	assert_int_equal(listener_accept(&listener), -EAGAIN);
	client = connect_to(path);
	assert_true(client >= 0);
	close(listener_accept(&listener));
	close(client);
	listener_close(&listener);
	assert_true(exists(path));
	assert_int_equal(unlink(path), 0);
}

static void descriptor_that_does_not_listen_is_refused(void **state)
{
	struct listener listener;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int bound = bind_at(path, SOCK_STREAM);
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int closed = dup(null);

	(void)state;
	close(closed);
	assert_int_equal(listener_adopt(&listener, closed), -EBADF);
	assert_int_equal(listener_adopt(&listener, null), -ENOTSOCK);
	assert_int_equal(listener_adopt(&listener, bound), -EINVAL);
	if (tcp >= 0) {
		assert_int_equal(listen(tcp, 1), 0);
		assert_int_equal(listener_adopt(&listener, tcp), -EINVAL);
		close(tcp);
	}
	close(bound);
	close(null);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(socket_and_pid_file_are_its_owners_alone),
		cmocka_unit_test(clients_are_accepted_one_after_the_other),
		cmocka_unit_test(second_owner_is_refused_and_harms_nothing),
		cmocka_unit_test(what_a_killed_owner_left_is_replaced),
		cmocka_unit_test(socket_of_another_program_is_left_alone),
		cmocka_unit_test(file_that_is_no_socket_is_left_alone),
		cmocka_unit_test(planted_pid_file_is_not_followed),
		cmocka_unit_test(longer_pid_of_the_last_owner_does_not_show_through),
		cmocka_unit_test(only_own_files_are_removed),
		cmocka_unit_test(path_that_cannot_be_is_an_error),
		cmocka_unit_test(longest_path_works),
		cmocka_unit_test(path_in_the_working_directory_works),
		cmocka_unit_test(listening_socket_of_the_parent_is_adopted),
		cmocka_unit_test(descriptor_that_does_not_listen_is_refused),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
