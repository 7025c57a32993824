/* SPDX-License-Identifier: BSD-2-Clause */
/* How the daemon starts, and what it says where it cannot. */
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "process.h"

static struct place place;

static int make_place(void **state)
{
	(void)state;
	place_make(&place);
	return 0;
}

static int remove_place(void **state)
{
	(void)state;
	place_remove(&place);
	return 0;
}

/* Start it with @args; it ends with @status and the line @text. */
static void assert_start_fails(int status, const char *text, const char *const args[])
{
	struct process process;

	process_start(&process, 0, args);
	process_wait_log(&process, text);
	assert_int_equal(process_wait_end(&process), status);
	assert_int_equal(access(place.socket, F_OK), -1);
	assert_int_equal(access(place.pid_file, F_OK), -1);
}

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void command_line_that_makes_no_sense_ends_with_two(void **state)
{
	(void)state;
	assert_start_fails(2, "virtiofsd: unknown option '--nonsense'; the options are",
			   ARGS("--nonsense"));
	assert_start_fails(2, "virtiofsd: --cache=warm is not known; allowed are auto, always",
			   ARGS("--cache=warm"));
	assert_start_fails(2, "Try 'virtiofsd --help'.", ARGS("--sandbox=namespace"));
	assert_start_fails(2, "virtiofsd: --shared-dir is needed",
			   ARGS("--socket-path", place.socket));
}

static void directory_that_is_none_ends_with_one(void **state)
{
	char missing[96];

	(void)state;
	snprintf(missing, sizeof(missing), "%s/missing", place.dir);
	assert_start_fails(1, "/missing': No such file or directory",
			   ARGS("--socket-path", place.socket, "--shared-dir", missing));
	assert_start_fails(1, "Cannot open the directory to share '/dev/null': Not a directory",
			   ARGS("--socket-path", place.socket, "--shared-dir=/dev/null"));
}

static void socket_that_cannot_be_made_ends_with_one(void **state)
{
	(void)state;
	assert_start_fails(1, "Cannot open directory '/nowhere' of the socket: No such file",
			   ARGS("--socket-path=/nowhere/sock", "--shared-dir", place.share));
	assert_start_fails(1, "is too long: a UNIX socket's has at most 107 bytes",
			   ARGS("--socket-path=/tmp/0123456789012345678901234567890123456789"
				"012345678901234567890123456789012345678901234567890123456789xyz",
				"--shared-dir", place.share));
}

static void descriptor_that_does_not_listen_ends_with_one(void **state)
{
	(void)state;
	assert_start_fails(1, "Cannot use --fd=999: Bad file descriptor",
			   ARGS("--fd=999", "--shared-dir", place.share));
	assert_start_fails(1, "Cannot use --fd=2: Socket operation on non-socket",
			   ARGS("--fd=2", "--shared-dir", place.share));
}

static void chroot_that_is_not_permitted_says_what_to_do(void **state)
{
	struct process process;

	(void)state;
	if (geteuid() != 0)
		skip();
	process_start(&process, PROCESS_NO_CHROOT,
		      ARGS("--socket-path", place.socket, "--shared-dir", place.share,
			   "--sandbox=chroot"));
	process_wait_log(&process,
			 "(it needs root, --sandbox=none does not): Operation not permitted");
	assert_int_equal(process_wait_end(&process), 1);
	assert_int_equal(access(place.socket, F_OK), -1);
}

/* The output of the daemon with one option, and its exit status. */
static int output_of(const char *option, const char *to, char *text, size_t size)
{
	char command[4096];
	FILE *pipe;
	size_t n;
	int status;

	snprintf(command, sizeof(command), "'%s' %s %s", VIRTIOFSD, option, to);
	pipe = popen(command, "re");
	assert_non_null(pipe);
	n = fread(text, 1, size - 1, pipe);
	text[n] = '\0';
	status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void help_and_the_like_go_to_stdout(void **state)
{
	char text[8192];

	(void)state;
	assert_int_equal(output_of("--help", "2>/dev/null", text, sizeof(text)), 0);
	assert_non_null(strstr(text, "Usage: virtiofsd --socket-path=PATH"));
	assert_int_equal(output_of("-V", "2>/dev/null", text, sizeof(text)), 0);
	assert_int_equal(strncmp(text, "virtiofsd 0.", 12), 0);
	assert_int_equal(output_of("--print-capabilities", "2>/dev/null", text, sizeof(text)), 0);
	assert_string_equal(text, "{\n  \"type\": \"fs\",\n  \"features\": [\n"
				  "    \"separate-options\"\n  ]\n}\n");
	assert_int_equal(output_of("--help", ">/dev/full", text, sizeof(text)), 1);
}

static bool bind_to(int fd, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0;
}

static void listening_descriptor_of_the_parent_is_served(void **state)
{
	struct process process;
	char option[16];
	int client;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0); /* inherited on purpose */

	(void)state;
	assert_true(bind_to(fd, place.socket));
	snprintf(option, sizeof(option), "--fd=%d", fd);
	process_start(&process, 0, ARGS(option, "--shared-dir", place.share));
	close(fd);
	client = front_end_connect(place.socket);
	assert_true(front_end_is_served(client, 10000));
	close(client);
	assert_int_equal(access(place.pid_file, F_OK), -1);
	assert_int_equal(process_end(&process, SIGTERM), 0);
	assert_int_equal(unlink(place.socket), 0); /* the parent's to remove */
}

/* A line of /proc/<pid>/status behind its name. */
static void status_line(const struct process *process, const char *name, char *value, size_t size)
{
	char path[64];
	char line[512];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)process->pid);
	file = fopen(path, "re");
	assert_non_null(file);
	value[0] = '\0';
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, strlen(name)) == 0)
			snprintf(value, size, "%.*s", (int)strcspn(line + strlen(name), "\n"),
				 line + strlen(name));
	}
	fclose(file);
}

static void daemon_of_root_is_confined_to_the_directory(void **state)
{
	struct process process;
	char link[64];
	char root[128];
	char value[128];
	ssize_t n;
	int client;

	(void)state;
	if (geteuid() != 0)
		skip();
	/* A leak checker looks for itself in /proc, at the end and in vain. */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	process_start(&process, PROCESS_GROUPS,
		      ARGS("--socket-path", place.socket, "--shared-dir", place.share,
			   "--sandbox=chroot"));
	unsetenv("ASAN_OPTIONS");
	process_wait_log(&process, "', confined to it by chroot");
	process_wait_log(&process, "Waiting for vhost-user socket connection...");
	snprintf(link, sizeof(link), "/proc/%d/root", (int)process.pid);
	n = readlink(link, root, sizeof(root) - 1);
	assert_true(n > 0);
	root[n] = '\0';
	assert_string_equal(root, place.share);
	status_line(&process, "Groups:", value, sizeof(value));
	assert_int_equal(strspn(value, "\t "), strlen(value));
	status_line(&process, "Umask:", value, sizeof(value));
	assert_string_equal(value, "\t0000");
	/* And serves from there, and finds its socket to remove. */
	client = front_end_connect(place.socket);
	assert_true(front_end_is_served(client, 10000));
	close(client);
	assert_int_equal(process_end(&process, SIGTERM), 0);
	assert_int_equal(access(place.socket, F_OK), -1);
}

static void open_files_are_raised_to_the_hard_limit(void **state)
{
	struct process process;
	struct rlimit limit, kept;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &kept), 0);
	limit = kept;
	limit.rlim_cur = 1024;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	process_start_at(&process, &place, NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &kept), 0);
	process_wait_log(&process, "', without a sandbox");
	process_wait_log(&process, "Waiting for");
	assert_int_equal(prlimit(process.pid, RLIMIT_NOFILE, NULL, &limit), 0);
	assert_true(limit.rlim_cur > 1024 || kept.rlim_max <= 1024);
	assert_true(limit.rlim_cur >= 1000000 || limit.rlim_cur == limit.rlim_max);
	assert_int_equal(process_end(&process, SIGTERM), 0);
}

static void daemon_without_stdio_does_not_log_into_a_file_of_its_own(void **state)
{
	static const char *const fds[] = { "0", "1", "2" };
	struct process process;
	char link[64];
	char target[64];
	struct stat st;
	ssize_t n;

	(void)state;
	process_start(&process, PROCESS_NO_STDIO,
		      ARGS("--socket-path", place.socket, "--shared-dir", place.share));
	while (stat(place.socket, &st) < 0)
		usleep(10000);
	for (size_t i = 0; i < 3; i++) {
		snprintf(link, sizeof(link), "/proc/%d/fd/%s", (int)process.pid, fds[i]);
		n = readlink(link, target, sizeof(target) - 1);
		assert_true(n > 0);
		target[n] = '\0';
		assert_string_equal(target, "/dev/null");
	}
	assert_int_equal(process_end(&process, SIGTERM), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_line_that_makes_no_sense_ends_with_two),
		cmocka_unit_test(directory_that_is_none_ends_with_one),
		cmocka_unit_test(socket_that_cannot_be_made_ends_with_one),
		cmocka_unit_test(descriptor_that_does_not_listen_ends_with_one),
		cmocka_unit_test(chroot_that_is_not_permitted_says_what_to_do),
		cmocka_unit_test(help_and_the_like_go_to_stdout),
		cmocka_unit_test(listening_descriptor_of_the_parent_is_served),
		cmocka_unit_test(daemon_of_root_is_confined_to_the_directory),
		cmocka_unit_test(open_files_are_raised_to_the_hard_limit),
		cmocka_unit_test(daemon_without_stdio_does_not_log_into_a_file_of_its_own),
	};

	return cmocka_run_group_tests(tests, make_place, remove_place);
}
