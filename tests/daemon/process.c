/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/test.h"

#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Only guards against a hang. */
#define PATIENCE_MS 60000

enum { ARGS_MAX = 24 };

void place_make(struct place *place)
{
	strcpy(place->dir, "/tmp/virtiofsd-test-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->share, sizeof(place->share), "%s/share", place->dir);
	snprintf(place->socket, sizeof(place->socket), "%s/sock", place->dir);
	snprintf(place->pid_file, sizeof(place->pid_file), "%s.pid", place->socket);
	assert_int_equal(mkdir(place->share, 0755), 0);
}

void place_remove(struct place *place)
{
	assert_int_equal(rmdir(place->share), 0);
	assert_int_equal(rmdir(place->dir), 0);
}

static void become_daemon(unsigned flags, int log, char *const argv[])
{
	static const gid_t group = 12345;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that failed leaves none behind */
	dup2(log, STDERR_FILENO);
	if (flags & PROCESS_IGNORE_HUP)
		signal(SIGHUP, SIG_IGN);
	if (flags & PROCESS_GROUPS && setgroups(1, &group) < 0)
		_exit(126);
	if (flags & PROCESS_NO_CHROOT && prctl(PR_CAPBSET_DROP, CAP_SYS_CHROOT) < 0)
		_exit(126);
	if (flags & PROCESS_NO_STDIO) {
		close(STDIN_FILENO);
		close(STDOUT_FILENO);
		close(STDERR_FILENO);
	}
	execv(VIRTIOFSD, argv);
	_exit(127);
}

void process_start(struct process *process, unsigned flags, const char *const args[])
{
	char *argv[ARGS_MAX] = { (char *)(uintptr_t)VIRTIOFSD,
				 (char *)(uintptr_t) "--sandbox=none" };
	int pipe_fds[2];

	for (size_t i = 0; args[i]; i++) {
		assert_true(i + 3 < ARGS_MAX);
		argv[i + 2] = (char *)(uintptr_t)args[i];
	}
	memset(process, 0, sizeof(*process));
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	process->pid = fork();
	assert_true(process->pid >= 0);
	if (process->pid == 0)
		become_daemon(flags, pipe_fds[1], argv);
	close(pipe_fds[1]);
	process->log = pipe_fds[0];
}

void process_start_at(struct process *process, const struct place *place, const char *const args[])
{
	const char *all[ARGS_MAX] = { "--socket-path", place->socket, "--shared-dir",
				      place->share };

	for (size_t i = 0; args && args[i]; i++) {
		assert_true(i + 5 < ARGS_MAX);
		all[i + 4] = args[i];
	}
	process_start(process, 0, all);
}

/* Read on in the log. Returns 0 at its end. */
static int read_log(struct process *process)
{
	struct pollfd pollfd = { .fd = process->log, .events = POLLIN };
	ssize_t n;

	if (poll(&pollfd, 1, PATIENCE_MS) != 1) {
		print_error("the daemon said no more than this:\n%s", process->text);
		fail();
	}
	assert_true(process->len < sizeof(process->text) - 1);
	n = read(process->log, process->text + process->len,
		 sizeof(process->text) - 1 - process->len);
	if (n <= 0)
		return 0;
	process->len += (size_t)n;
	process->text[process->len] = '\0';
	return 1;
}

void process_wait_log(struct process *process, const char *text)
{
	const char *at, *end;

	while (!(at = strstr(process->text + process->seen, text)) || !(end = strchr(at, '\n'))) {
		if (!read_log(process)) {
			print_error("the daemon ended, and said this:\n%s", process->text);
			fail();
		}
	}
	process->seen = (size_t)(end + 1 - process->text);
}

int process_wait_end(struct process *process)
{
	int status;

	while (read_log(process))
		;
	close(process->log);
	process->log = -1;
	assert_int_equal(waitpid(process->pid, &status, 0), process->pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int process_end(struct process *process, int signal)
{
	assert_int_equal(kill(process->pid, signal), 0);
	return process_wait_end(process);
}

unsigned process_fd_count(const struct process *process)
{
	char pattern[32];
	glob_t found;
	unsigned count;

	snprintf(pattern, sizeof(pattern), "/proc/%d/fd/*", (int)process->pid);
	assert_int_equal(glob(pattern, GLOB_NOSORT, NULL, &found), 0);
	count = (unsigned)found.gl_pathc;
	globfree(&found);
	return count;
}

unsigned long process_ticks(const struct process *process)
{
	unsigned long user, system;
	char path[32];
	char text[1024];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)process->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	close(fd);
	/* proc(5): pid, (comm), state, and utime and stime as fields 14 and 15. */
	assert_int_equal(sscanf(strrchr(text, ')') + 2,
				"%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
				&system),
			 2);
	return user + system;
}

int front_end_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

int front_end_is_served(int fd, int timeout_ms)
{
	/* vhost-user's header: request, flags with version 1, size. */
	static const uint32_t get_features[3] = { 1, 1, 0 };
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	unsigned char reply[20];
	uint64_t features;

	assert_int_equal(send(fd, get_features, sizeof(get_features), MSG_NOSIGNAL),
			 sizeof(get_features));
	if (poll(&pollfd, 1, timeout_ms) != 1)
		return 0;
	assert_int_equal(recv(fd, reply, sizeof(reply), MSG_WAITALL), sizeof(reply));
	memcpy(&features, reply + 12, sizeof(features));
	assert_true(features >> 32 & 1); /* VIRTIO_F_VERSION_1 */
	return 1;
}
