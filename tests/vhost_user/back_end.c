/* SPDX-License-Identifier: BSD-2-Clause */
#include "vhost_user/back_end.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "support/check.h"

static void ring_bell(const struct back_end *be)
{
	const uint64_t one = 1;

	CHECK(write(be->bell, &one, sizeof(one)) == sizeof(one));
}

static void log_line(void *ctx, unsigned level, const char *message)
{
	struct back_end *be = ctx;
	size_t used;

	if (getenv("VIRTIOFS_TEST_LOG"))
		fprintf(stderr, "<%u> %s\n", level, message);
	if (level == VIRTIOFS_LOG_DEBUG)
		return;
	pthread_mutex_lock(&be->log_lock);
	used = strlen(be->log);
	snprintf(be->log + used, sizeof(be->log) - used, "%s\n", message);
	pthread_mutex_unlock(&be->log_lock);
}

unsigned back_end_log_lines(struct back_end *be)
{
	unsigned lines = 0;

	pthread_mutex_lock(&be->log_lock);
	for (const char *p = be->log; *p; p++)
		lines += *p == '\n';
	pthread_mutex_unlock(&be->log_lock);
	return lines;
}

void back_end_clear_log(struct back_end *be)
{
	pthread_mutex_lock(&be->log_lock);
	be->log[0] = 0;
	pthread_mutex_unlock(&be->log_lock);
}

bool back_end_logged(struct back_end *be, const char *text)
{
	bool found;

	pthread_mutex_lock(&be->log_lock);
	found = strstr(be->log, text) != NULL;
	pthread_mutex_unlock(&be->log_lock);
	return found;
}

static void process(struct back_end *be)
{
	int r = virtiofs_vhost_user_process(be->vu);

	CHECK(r == 0 || r == -ENOTCONN);
	if (r == -ENOTCONN)
		__atomic_fetch_add(&be->disconnects, 1, __ATOMIC_SEQ_CST);
}

static void take_orders(struct back_end *be)
{
	int socket = __atomic_exchange_n(&be->next_socket, -1, __ATOMIC_SEQ_CST);

	if (__atomic_exchange_n(&be->next_drop, 0, __ATOMIC_SEQ_CST))
		virtiofs_vhost_user_disconnect(be->vu);
	if (socket >= 0)
		CHECK(virtiofs_vhost_user_connect(be->vu, socket) == 0);
}

static void *control_main(void *arg)
{
	struct back_end *be = arg;
	struct pollfd fds[2] = {
		{ .fd = virtiofs_vhost_user_fd(be->vu), .events = POLLIN },
		{ .fd = be->bell, .events = POLLIN },
	};
	uint64_t n;

	while (!test_get(&be->quit)) {
		CHECK(poll(fds, 2, -1) > 0);
		if (fds[1].revents) {
			CHECK(read(be->bell, &n, sizeof(n)) == sizeof(n));
			take_orders(be);
		}
		process(be);
	}
	return NULL;
}

static void *ring_main(void *arg)
{
	struct ring_thread *ring = arg;
	struct back_end *be = ring->be;
	int r;

	CHECK(virtiofs_vhost_user_queue_attach(be->vu, ring->index, 0) == 0);
	__atomic_fetch_add(&be->attached, 1, __ATOMIC_SEQ_CST);
	while (!test_get(&be->quit)) {
		r = virtiofs_vhost_user_queue_wait(be->vu, ring->index, -1);
		CHECK(r == 1 || r == -EINTR);
		if (r == 1)
			CHECK(virtiofs_vhost_user_queue_run(be->vu, ring->index, 0) >= 0);
	}
	while (virtiofs_vhost_user_queue_detach(be->vu, ring->index) == -EBUSY)
		virtiofs_vhost_user_queue_run(be->vu, ring->index, 0);
	return NULL;
}

void back_end_start(struct back_end *be, const struct back_end_options *options)
{
	struct virtiofs_device_options device = VIRTIOFS_DEVICE_OPTIONS_INIT;
	struct virtiofs_vhost_user_options vu = VIRTIOFS_VHOST_USER_OPTIONS_INIT;
	struct virtiofs_env env = { .size = sizeof(env), .ctx = be, .log = log_line };

	memset(be, 0, sizeof(*be));
	test_fs_create(&be->fs);
	pthread_mutex_init(&be->log_lock, NULL);
	be->threaded = options->threaded;
	be->next_socket = -1;
	be->bell = eventfd(0, EFD_CLOEXEC);
	CHECK(be->bell >= 0);
	device.tag = options->tag;
	device.request_queues = options->request_queues;
	device.max_inflight = options->max_inflight;
	vu.device = &device;
	CHECK(virtiofs_vhost_user_create(&be->vu, &env, be->fs.fs, &vu) == 0);
	be->ring_count = virtiofs_vhost_user_queue_count(be->vu);
	CHECK(be->ring_count <= BACK_END_RINGS_MAX);
	for (unsigned i = 0; i < be->ring_count; i++) {
		struct ring_thread *ring = &be->rings[i];

		ring->be = be;
		ring->index = i;
		if (be->threaded)
			CHECK(pthread_create(&ring->thread, NULL, ring_main, ring) == 0);
		else
			CHECK(virtiofs_vhost_user_queue_attach(be->vu, i, 0) == 0);
	}
	if (!be->threaded)
		return;
	CHECK(pthread_create(&be->control, NULL, control_main, be) == 0);
	/* What attaching opens is there from here on. */
	while (test_get(&be->attached) < (int)be->ring_count)
		usleep(50);
}

void back_end_stop(struct back_end *be)
{
	__atomic_store_n(&be->quit, 1, __ATOMIC_SEQ_CST);
	ring_bell(be);
	for (unsigned i = 0; i < be->ring_count; i++) {
		if (be->threaded) {
			virtiofs_vhost_user_queue_wake(be->vu, i);
			CHECK(pthread_join(be->rings[i].thread, NULL) == 0);
		} else {
			CHECK(virtiofs_vhost_user_queue_detach(be->vu, i) == 0);
		}
	}
	if (be->threaded)
		CHECK(pthread_join(be->control, NULL) == 0);
	CHECK(virtiofs_vhost_user_destroy(be->vu) == 0);
	CHECK(test_get(&be->fs.begun) == test_get(&be->fs.ended));
	test_fs_destroy(&be->fs);
	pthread_mutex_destroy(&be->log_lock);
	close(be->bell);
}

void back_end_connect(struct back_end *be, int socket)
{
	__atomic_store_n(&be->next_socket, socket, __ATOMIC_SEQ_CST);
	if (be->threaded)
		ring_bell(be);
	else
		take_orders(be);
}

void back_end_drop(struct back_end *be)
{
	__atomic_store_n(&be->next_drop, 1, __ATOMIC_SEQ_CST);
	if (be->threaded)
		ring_bell(be);
	else
		take_orders(be);
}

void back_end_pump(struct back_end *be)
{
	struct pollfd fds[BACK_END_RINGS_MAX + 1];

	if (be->threaded) {
		usleep(50);
		return;
	}
	for (unsigned i = 0; i < be->ring_count; i++)
		fds[i].fd = virtiofs_vhost_user_queue_fd(be->vu, i);
	fds[be->ring_count].fd = virtiofs_vhost_user_fd(be->vu);
	for (unsigned i = 0; i <= be->ring_count; i++)
		fds[i].events = POLLIN;
	/* The 10 ms are for rings that are polled, and for threads of the test's. */
	CHECK(poll(fds, be->ring_count + 1, 10) >= 0);
	for (unsigned i = 0; i < be->ring_count; i++) {
		if (fds[i].revents)
			CHECK(virtiofs_vhost_user_queue_run(be->vu, i, 0) >= 0);
	}
	if (fds[be->ring_count].revents)
		process(be);
}

void back_end_wait_disconnected(struct back_end *be, int n)
{
	while (test_get(&be->disconnects) < n)
		back_end_pump(be);
	CHECK(test_get(&be->disconnects) == n);
}
