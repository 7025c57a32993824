/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that wait for nobody knows how long, such as those for a lock: a look at them
 * now and then, on their queue's thread, which the queue's descriptor wakes. Where the
 * filesystem has such requests, that descriptor is an epoll of the eventfd and a timer.
 */
#include "core/core.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int watch(const struct virtiofs_queue *q, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(q->poll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int vfi_wait_init(struct virtiofs_queue *q)
{
	int err;

	q->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (q->poll_fd < 0)
		return -errno;
	q->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (q->timer_fd < 0)
		return -errno;
	err = watch(q, q->event_fd);
	return err ? err : watch(q, q->timer_fd);
}

void vfi_wait_fini(struct virtiofs_queue *q)
{
	if (q->timer_fd >= 0)
		close(q->timer_fd);
	if (q->poll_fd >= 0)
		close(q->poll_fd);
}

/* Have the timer go off at that time at the latest; 0 stops it. */
static void set_timer(struct virtiofs_queue *q, uint64_t time)
{
	const struct itimerspec when = {
		.it_value = { .tv_sec = (time_t)(time / 1000000000u),
			      .tv_nsec = (long)(time % 1000000000u) },
	};

	q->deadline = time;
	/* It fails for times that are none alone. */
	(void)timerfd_settime(q->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

int virtiofs_req_wait(struct virtiofs_req *req, uint64_t ns)
{
	struct virtiofs_queue *q = req->queue;
	uint64_t start = vfi_now();

	if (!q->dev->fs->ops.expire || !vfi_queue_is_owner(q))
		return -EINVAL;
	if (!req->waits) {
		if (q->waiting >= q->dev->options.max_inflight / 2)
			return -ENOLCK;
		req->waits = true;
		q->waiting++;
	}
	/* 0 is no time. What is further than a year off may come then. */
	req->deadline = start + vfi_min_u64(ns ? ns : 1, (uint64_t)365 * 86400 * 1000000000u);
	if (q->deadline == 0 || req->deadline < q->deadline)
		set_timer(q, req->deadline);
	return 0;
}

void vfi_wait_end(struct virtiofs_req *req)
{
	if (!req->waits)
		return;
	req->waits = false;
	req->deadline = 0;
	req->queue->waiting--;
}

static bool is_due(const struct virtiofs_req *req, uint64_t time)
{
	return req->deadline != 0 && req->deadline <= time;
}

void vfi_wait_run(struct virtiofs_queue *q)
{
	struct virtiofs_device *dev = q->dev;
	uint64_t time, next = 0;

	if (q->deadline == 0)
		return;
	time = vfi_now();
	if (q->deadline > time)
		return;
	/* Set anew by expire, by who waits on. */
	q->deadline = UINT64_MAX;
	for (uint32_t i = 0; i < dev->options.max_inflight; i++) {
		struct virtiofs_req *req = &q->slots[i];

		if (req->in_use && !req->given_back && is_due(req, time)) {
			req->deadline = 0;
			dev->fs->ops.expire(dev->session, req);
		}
	}
	for (uint32_t i = 0; i < dev->options.max_inflight; i++) {
		const struct virtiofs_req *req = &q->slots[i];

		if (req->in_use && !req->given_back && req->deadline != 0 &&
		    (next == 0 || req->deadline < next))
			next = req->deadline;
	}
	set_timer(q, next);
}
