/* SPDX-License-Identifier: BSD-2-Clause */
#include "workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <virtiofs/queue.h>

#include "log.h"

/*
 * Chains served between two looks at whether to stop: a guest that never lets its
 * ring run dry holds up nothing longer than that.
 */
#define BUDGET 256

struct worker {
	struct workers *workers;
	unsigned index; /* of the ring */
	pthread_t thread;
};

struct workers {
	struct virtiofs_vhost_user *vu;
	atomic_bool stop;
	int failed;
	pthread_mutex_t lock;	/* protects the next three */
	pthread_cond_t changed; /* one of them did */
	unsigned starting;	/* threads that are not attached yet */
	unsigned running;	/* threads that are not about to end */
	int error;		/* the first that kept one from attaching */
	unsigned count;
	struct worker worker[];
};

static void tell_failure(struct worker *worker, const char *what, int err)
{
	log_errno(VIRTIOFS_LOG_ERR, err, "Queue %u: %s", worker->index, what);
	eventfd_write(worker->workers->failed, 1);
}

static void serve(struct worker *worker)
{
	struct workers *workers = worker->workers;

	while (!atomic_load(&workers->stop)) {
		int n = virtiofs_vhost_user_queue_run(workers->vu, worker->index, BUDGET);

		if (n < 0)
			return tell_failure(worker, "cannot be served", n);
		n = virtiofs_vhost_user_queue_wait(workers->vu, worker->index, -1);
		if (n < 0 && n != -EINTR)
			return tell_failure(worker, "cannot wait", n);
	}
}

static void detach(struct worker *worker)
{
	struct virtiofs_vhost_user *vu = worker->workers->vu;
	int err;

	while ((err = virtiofs_vhost_user_queue_detach(vu, worker->index)) == -EBUSY) {
		/* Data is being moved still, and its end is something to wait for. */
		virtiofs_vhost_user_queue_wait(vu, worker->index, -1);
		virtiofs_vhost_user_queue_run(vu, worker->index, 0);
	}
	if (err)
		log_errno(VIRTIOFS_LOG_ERR, err, "Queue %u: cannot detach", worker->index);
}

/* By the thread itself: another would need /proc for it, which a chroot has not. */
static void set_name(const struct worker *worker)
{
	char name[32] = "hiprio"; /* 15 bytes are kept, enough for any index there is */

	if (worker->index)
		snprintf(name, sizeof(name), "queue %u", worker->index);
	pthread_setname_np(pthread_self(), name);
}

static void *run_thread(void *arg)
{
	struct worker *worker = arg;
	struct workers *workers = worker->workers;
	int err;

	set_name(worker);
	err = virtiofs_vhost_user_queue_attach(workers->vu, worker->index,
					       VIRTIOFS_QUEUE_DEDICATED);
	if (err)
		log_errno(VIRTIOFS_LOG_ERR, err, "Queue %u: cannot make it this thread's",
			  worker->index);
	pthread_mutex_lock(&workers->lock);
	workers->starting--;
	if (err && !workers->error)
		workers->error = err;
	pthread_cond_signal(&workers->changed);
	pthread_mutex_unlock(&workers->lock);
	if (!err) {
		serve(worker);
		detach(worker);
	}
	pthread_mutex_lock(&workers->lock);
	workers->running--;
	pthread_cond_signal(&workers->changed);
	pthread_mutex_unlock(&workers->lock);
	/* Not pthread_exit(3): it loads a library, and that from inside a chroot. */
	return NULL;
}

static int start_thread(struct workers *workers, unsigned index)
{
	struct worker *worker = &workers->worker[index];
	int err;

	*worker = (struct worker){ .workers = workers, .index = index };
	pthread_mutex_lock(&workers->lock);
	workers->starting++;
	workers->running++;
	pthread_mutex_unlock(&workers->lock);
	err = pthread_create(&worker->thread, NULL, run_thread, worker);
	if (!err) {
		workers->count++;
		return 0;
	}
	log_errno(VIRTIOFS_LOG_ERR, err, "Queue %u: cannot make a thread", index);
	pthread_mutex_lock(&workers->lock);
	workers->starting--;
	workers->running--;
	pthread_mutex_unlock(&workers->lock);
	return -err;
}

static int wait_until_started(struct workers *workers)
{
	int err;

	pthread_mutex_lock(&workers->lock);
	while (workers->starting)
		pthread_cond_wait(&workers->changed, &workers->lock);
	err = workers->error;
	pthread_mutex_unlock(&workers->lock);
	return err;
}

int workers_start(struct workers **ret, struct virtiofs_vhost_user *vu)
{
	unsigned count = virtiofs_vhost_user_queue_count(vu);
	struct workers *workers = calloc(1, sizeof(*workers) + count * sizeof(struct worker));
	pthread_condattr_t attr;
	int err = 0;
	int started;

	if (!workers)
		return -ENOMEM;
	workers->vu = vu;
	workers->failed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (workers->failed < 0) {
		err = errno;
		log_errno(VIRTIOFS_LOG_ERR, err, "Cannot make an eventfd");
		free(workers);
		return -err;
	}
	pthread_mutex_init(&workers->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&workers->changed, &attr);
	pthread_condattr_destroy(&attr);
	for (unsigned i = 0; i < count && !err; i++)
		err = start_thread(workers, i);
	started = wait_until_started(workers);
	if (!err)
		err = started;
	if (err) {
		workers_stop(workers, -1);
		return err;
	}
	*ret = workers;
	return 0;
}

int workers_failed_fd(const struct workers *workers)
{
	return workers->failed;
}

/* Wait for all to be at their end; false: not in time. */
static bool wait_until_ended(struct workers *workers, int timeout_ms)
{
	struct timespec until;
	int err = 0;
	bool ended;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (timeout_ms % 1000) * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&workers->lock);
	while (workers->running && !err) {
		if (timeout_ms < 0)
			err = pthread_cond_wait(&workers->changed, &workers->lock);
		else
			err = pthread_cond_timedwait(&workers->changed, &workers->lock, &until);
	}
	ended = workers->running == 0;
	pthread_mutex_unlock(&workers->lock);
	return ended;
}

int workers_stop(struct workers *workers, int timeout_ms)
{
	if (!workers)
		return 0;
	atomic_store(&workers->stop, true);
	for (unsigned i = 0; i < workers->count; i++)
		virtiofs_vhost_user_queue_wake(workers->vu, i);
	if (!wait_until_ended(workers, timeout_ms))
		return -ETIMEDOUT;
	for (unsigned i = 0; i < workers->count; i++)
		pthread_join(workers->worker[i].thread, NULL);
	pthread_cond_destroy(&workers->changed);
	pthread_mutex_destroy(&workers->lock);
	close(workers->failed);
	free(workers);
	return 0;
}
