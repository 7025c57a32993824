/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's life: clients that come and go, good and bad ones, and its end. */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process.h"

#define WAITING "Waiting for vhost-user socket connection..."
#define CONNECTED "Client connected, servicing requests"
#define DISCONNECTED "Client disconnected"

/* Until what does not come is taken not to come, and what comes too early has come. */
#define MOMENT_MS 200

static struct place place;
static struct process process;

static int start(void **state)
{
	(void)state;
	place_make(&place);
	process_start_at(&process, &place, NULL);
	process_wait_log(&process, WAITING);
	return 0;
}

static int end(void **state)
{
	(void)state;
	if (process.log >= 0)
		assert_int_equal(process_end(&process, SIGTERM), 0);
	place_remove(&place);
	return 0;
}

static void each_signal_ends_it_cleanly_and_leaves_no_file(void **state)
{
	static const struct {
		int signal;
		const char *line;
	} signals[] = {
		{ SIGTERM, "Ended by SIGTERM, shutting down" },
		{ SIGINT, "Ended by SIGINT, shutting down" },
		{ SIGHUP, "Ended by SIGHUP, shutting down" },
	};

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		/* The second time round with a client. */
		int client = i >= 3 ? front_end_connect(place.socket) : -1;

		if (i >= 3)
			assert_true(front_end_is_served(client, 10000));
		assert_int_equal(access(place.socket, F_OK), 0);
		assert_int_equal(process_end(&process, signals[i % 3].signal), 0);
		process_wait_log(&process, signals[i % 3].line);
		assert_int_equal(access(place.socket, F_OK), -1);
		assert_int_equal(access(place.pid_file, F_OK), -1);
		if (i >= 3) {
			assert_int_equal(read(client, &(char){ 0 }, 1), 0);
			close(client);
		}
		process_start_at(&process, &place, NULL);
		process_wait_log(&process, WAITING);
	}
}

static void hangup_ignored_at_start_stays_ignored(void **state)
{
	struct process other;
	int client;

	(void)state;
	assert_int_equal(process_end(&process, SIGTERM), 0);
	process_start(&other, PROCESS_IGNORE_HUP,
		      (const char *const[]){ "--socket-path", place.socket, "--shared-dir",
					     place.share, NULL });
	process_wait_log(&other, WAITING);
	assert_int_equal(kill(other.pid, SIGHUP), 0);
	client = front_end_connect(place.socket);
	assert_true(front_end_is_served(client, 10000));
	close(client);
	assert_int_equal(process_end(&other, SIGTERM), 0);
}

static void killed_daemon_is_followed_by_the_next(void **state)
{
	int client;

	(void)state;
	assert_int_equal(process_end(&process, SIGKILL), -SIGKILL);
	assert_int_equal(access(place.socket, F_OK), 0);
	process_start_at(&process, &place, NULL);
	process_wait_log(&process, WAITING);
	client = front_end_connect(place.socket);
	assert_true(front_end_is_served(client, 10000));
	close(client);
}

static void second_daemon_is_refused_and_told_by_whom(void **state)
{
	struct process second;
	char owner[64];
	int client;

	(void)state;
	process_start_at(&second, &place, NULL);
	snprintf(owner, sizeof(owner), "is in use by process %d, which holds the lock on '",
		 (int)process.pid);
	process_wait_log(&second, owner);
	assert_int_equal(process_wait_end(&second), 1);
	client = front_end_connect(place.socket);
	assert_true(front_end_is_served(client, 10000));
	close(client);
}

/* What clients send that should not. */
#define BYTES(literal)                       \
	{                                    \
		literal, sizeof(literal) - 1 \
	}
static const struct {
	const char *bytes;
	size_t len;
} nonsense[] = {
	BYTES(""),
	BYTES("\0"),
	BYTES("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
	/* Half a header; version 0; a reply; 4 GiB to come; half a memory table. */
	BYTES("\1\0\0\0\1\0\0"),
	BYTES("\1\0\0\0\0\0\0\0\0\0\0\0"),
	BYTES("\1\0\0\0\5\0\0\0\0\0\0\0"),
	BYTES("\1\0\0\0\1\0\0\0\xff\xff\xff\xff"),
	BYTES("\5\0\0\0\1\0\0\0\x10\0\0\0\xff\xff\xff\xff"),
	/* No such message; no such ring. */
	BYTES("\xff\xff\xff\xff\1\0\0\0\0\0\0\0"),
	BYTES("\x08\0\0\0\1\0\0\0\x08\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"),
};

static void bad_clients_are_let_go_and_the_next_one_is_served(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		int client = front_end_connect(place.socket);

		process_wait_log(&process, CONNECTED);
		assert_int_equal(send(client, nonsense[i].bytes, nonsense[i].len, MSG_NOSIGNAL),
				 (ssize_t)nonsense[i].len);
		close(client);
		process_wait_log(&process, DISCONNECTED);
		process_wait_log(&process, WAITING);
		client = front_end_connect(place.socket);
		assert_true(front_end_is_served(client, 10000));
		process_wait_log(&process, CONNECTED);
		close(client);
		process_wait_log(&process, WAITING);
	}
}

static void second_client_waits_for_the_first_to_go(void **state)
{
	int first = front_end_connect(place.socket);
	int second;

	(void)state;
	assert_true(front_end_is_served(first, 10000));
	second = front_end_connect(place.socket);
	assert_false(front_end_is_served(second, MOMENT_MS));
	assert_true(front_end_is_served(first, 10000));
	close(first);
	/* Its answer to what was asked meanwhile, and to this. */
	assert_true(front_end_is_served(second, 10000));
	assert_true(front_end_is_served(second, 10000));
	close(second);
}

/* Send a message with a descriptor, to be kept until the end of the connection. */
static void send_with_fd(int client, const void *message, size_t len, int fd)
{
	struct iovec iov = { (void *)(uintptr_t)message, len };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	assert_int_equal(sendmsg(client, &msg, MSG_NOSIGNAL), (ssize_t)len);
}

static void connections_leave_no_descriptor_behind(void **state)
{
	/* SET_VRING_ERR of ring 0, with an eventfd to keep; the same without one, unasked. */
	static const uint32_t set_err[5] = { 14, 1, 8, 0, 0 };
	static const uint32_t get_features[3] = { 1, 1, 0 };
	unsigned count = process_fd_count(&process);
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	for (int i = 0; i < 100; i++) {
		int client = front_end_connect(place.socket);

		send_with_fd(client, set_err, sizeof(set_err), fd);
		send_with_fd(client, get_features, sizeof(get_features), fd);
		close(client);
		process_wait_log(&process, CONNECTED);
		process_wait_log(&process, WAITING);
	}
	close(fd);
	assert_int_equal(process_fd_count(&process), count);
}

static void client_waits_while_no_descriptor_is_free(void **state)
{
	struct rlimit limit, kept;
	unsigned long ticks;
	int client;

	(void)state;
	assert_int_equal(prlimit(process.pid, RLIMIT_NOFILE, NULL, &kept), 0);
	limit = kept;
	limit.rlim_cur = 4; /* those that are open, and what poll(2) is given */
	assert_int_equal(prlimit(process.pid, RLIMIT_NOFILE, &limit, NULL), 0);
	ticks = process_ticks(&process);
	client = front_end_connect(place.socket);
	process_wait_log(&process, "Cannot accept a client: Too many open files");
	process_wait_log(&process, "Cannot accept a client: Too many open files");
	/* Not in a loop: that would have been a hundred. */
	assert_in_range(process_ticks(&process) - ticks, 0, 30);
	assert_int_equal(prlimit(process.pid, RLIMIT_NOFILE, &kept, NULL), 0);
	assert_true(front_end_is_served(client, 10000));
	close(client);
}

static void idle_daemon_uses_no_cpu(void **state)
{
	int client = -1;

	(void)state;
	for (int i = 0; i < 2; i++) {
		unsigned long ticks = process_ticks(&process);

		sleep(1);
		/* What turns in a loop has a hundred. */
		assert_in_range(process_ticks(&process) - ticks, 0, 2);
		if (client < 0) {
			client = front_end_connect(place.socket);
			assert_true(front_end_is_served(client, 10000));
		}
	}
	close(client);
}

static void daemon_for_one_client_ends_with_it(void **state)
{
	static const char *const once[] = { "--exit-on-disconnect", NULL };
	int client;

	(void)state;
	assert_int_equal(process_end(&process, SIGTERM), 0);
	process_start_at(&process, &place, once);
	process_wait_log(&process, WAITING);
	client = front_end_connect(place.socket);
	assert_true(front_end_is_served(client, 10000));
	close(client);
	process_wait_log(&process, "Client disconnected, shutting down");
	assert_int_equal(process_wait_end(&process), 0);
	assert_int_equal(access(place.socket, F_OK), -1);
}

static void every_line_of_the_log_has_its_form(void **state)
{
	int client = front_end_connect(place.socket);
	char *rest = process.text;
	regex_t form;
	int lines = 0;

	(void)state;
	assert_int_equal(send(client, "nonsense and nothing else", 25, MSG_NOSIGNAL), 25);
	process_wait_log(&process, CONNECTED);
	process_wait_log(&process, WAITING);
	close(client);
	assert_int_equal(process_end(&process, SIGTERM), 0);
	assert_int_equal(regcomp(&form,
				 "^\\[[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z "
				 "(ERROR|WARN |INFO |DEBUG) virtiofsd\\] [^ ].*$",
				 REG_EXTENDED | REG_NOSUB),
			 0);
	for (char *line; (line = strsep(&rest, "\n")) && *line; lines++) {
		if (regexec(&form, line, 0, NULL, 0) != 0)
			fail_msg("a line of the log is: %s", line);
	}
	assert_in_range(lines, 6, 100);
	regfree(&form);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_signal_ends_it_cleanly_and_leaves_no_file,
						start, end),
		cmocka_unit_test_setup_teardown(hangup_ignored_at_start_stays_ignored, start, end),
		cmocka_unit_test_setup_teardown(killed_daemon_is_followed_by_the_next, start, end),
		cmocka_unit_test_setup_teardown(second_daemon_is_refused_and_told_by_whom, start,
						end),
		cmocka_unit_test_setup_teardown(bad_clients_are_let_go_and_the_next_one_is_served,
						start, end),
		cmocka_unit_test_setup_teardown(second_client_waits_for_the_first_to_go, start,
						end),
		cmocka_unit_test_setup_teardown(connections_leave_no_descriptor_behind, start, end),
		cmocka_unit_test_setup_teardown(client_waits_while_no_descriptor_is_free, start,
						end),
		cmocka_unit_test_setup_teardown(idle_daemon_uses_no_cpu, start, end),
		cmocka_unit_test_setup_teardown(daemon_for_one_client_ends_with_it, start, end),
		cmocka_unit_test_setup_teardown(every_line_of_the_log_has_its_form, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
