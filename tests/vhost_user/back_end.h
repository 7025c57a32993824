/* SPDX-License-Identifier: BSD-2-Clause */
/* The back-end under test, and who runs it: the test's thread, or threads of its own. */
#ifndef TESTS_VHOST_USER_BACK_END_H
#define TESTS_VHOST_USER_BACK_END_H

#include <pthread.h>
#include <stdbool.h>

#include <virtiofs/virtiofs.h>

#include "vhost_user/test_fs.h"

enum { BACK_END_RINGS_MAX = 8, BACK_END_LOG_MAX = 4096 };

struct back_end;

struct ring_thread {
	struct back_end *be;
	unsigned index;
	pthread_t thread;
};

struct back_end {
	struct virtiofs_vhost_user *vu;
	struct test_fs fs;
	bool threaded;
	unsigned ring_count;
	int disconnects; /* atomic: -ENOTCONNs of process() */

	/* Threads: one a ring, one for control. */
	int attached;	 /* atomic: rings */
	int quit;	 /* atomic */
	int bell;	 /* eventfd: look at @next_socket and @quit */
	int next_socket; /* atomic: to be connected, or -1 */
	int next_drop;	 /* atomic: disconnect() */
	pthread_t control;
	struct ring_thread rings[BACK_END_RINGS_MAX];

	pthread_mutex_t log_lock; /* protects log */
	char log[BACK_END_LOG_MAX];
};

struct back_end_options {
	bool threaded;
	const char *tag;
	uint32_t request_queues; /* 0: 1 */
	uint32_t max_inflight;
};

void back_end_start(struct back_end *be, const struct back_end_options *options);
void back_end_stop(struct back_end *be);

/* Hand it a connected socket. */
void back_end_connect(struct back_end *be, int socket);
/* virtiofs_vhost_user_disconnect(), on the right thread. */
void back_end_drop(struct back_end *be);
/* Wait until it has reported the end of @n connections since it was made. */
void back_end_wait_disconnected(struct back_end *be, int n);

/* Give it the chance to go on: run it, where that is the test's to do; or wait a little. */
void back_end_pump(struct back_end *be);

unsigned back_end_log_lines(struct back_end *be);
void back_end_clear_log(struct back_end *be);
/* Whether a log line with @text was written. */
bool back_end_logged(struct back_end *be, const char *text);

#endif /* TESTS_VHOST_USER_BACK_END_H */
