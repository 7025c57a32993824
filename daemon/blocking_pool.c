/* SPDX-License-Identifier: BSD-2-Clause */
#include "blocking_pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

/* How long a thread that is not the last one waits for work before it ends, in seconds. */
#define IDLE_SECONDS 10

struct blocking_pool {
	pthread_mutex_t lock;	/* protects everything below */
	pthread_cond_t wake;	/* there is work, or the end */
	pthread_cond_t all_out; /* the last thread is gone */
	unsigned max;		/* threads there may be; shrinks where no more can be made */
	unsigned threads;
	unsigned idle; /* threads that wait */
	unsigned busy; /* threads that run work */
	bool ending;
	unsigned head; /* of the work that is taken and not run yet, a ring of slots places */
	unsigned count;
	unsigned slots;
	struct virtiofs_work *work[];
};

static void *run_thread(void *arg);

/*
 * Make one more thread, counted by the caller already. Only threads of the pool
 * and its maker do it: a queue's thread may have a guest's uid at the moment, and
 * a new thread inherits it.
 */
static int spawn(struct blocking_pool *pool)
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, run_thread, pool);

	if (err)
		return -err;
	pthread_detach(thread);
	return 0;
}

/* Lock held. Before a thread gets busy: see to it that one stays to make the next ones. */
static void keep_one_idle(struct blocking_pool *pool)
{
	int err;

	if (pool->idle || pool->threads >= pool->max)
		return;
	pool->threads++;
	pthread_mutex_unlock(&pool->lock);
	err = spawn(pool);
	pthread_mutex_lock(&pool->lock);
	if (err) {
		pool->threads--;
		pool->max = pool->threads;
	}
}

/* Lock held. Wait for work; false: end. */
static bool wait_for_work(struct blocking_pool *pool)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_SECONDS;
	pool->idle++;
	while (!pool->count && !pool->ending) {
		/* The last one stays for good, without a timer: idle is idle. */
		if (pool->idle == 1)
			pthread_cond_wait(&pool->wake, &pool->lock);
		else if (err)
			break;
		else
			err = pthread_cond_timedwait(&pool->wake, &pool->lock, &until);
	}
	pool->idle--;
	return pool->count != 0;
}

static void *run_thread(void *arg)
{
	struct blocking_pool *pool = arg;

	pthread_setname_np(pthread_self(), "blocking");
	pthread_mutex_lock(&pool->lock);
	while (wait_for_work(pool)) {
		struct virtiofs_work *work = pool->work[pool->head];

		pool->head = (pool->head + 1) % pool->slots;
		pool->count--;
		pool->busy++;
		keep_one_idle(pool);
		pthread_mutex_unlock(&pool->lock);
		virtiofs_work_run(work);
		pthread_mutex_lock(&pool->lock);
		pool->busy--;
	}
	if (--pool->threads == 0)
		pthread_cond_signal(&pool->all_out);
	pthread_mutex_unlock(&pool->lock);
	/* Not pthread_exit(3): it loads a library, and that from inside a chroot. */
	return NULL;
}

int blocking_pool_run(struct blocking_pool *pool, struct virtiofs_work *work)
{
	int err = -EAGAIN;

	pthread_mutex_lock(&pool->lock);
	if (!pool->ending && pool->busy + pool->count < pool->max) {
		pool->work[(pool->head + pool->count) % pool->slots] = work;
		pool->count++;
		pthread_cond_signal(&pool->wake);
		err = 0;
	}
	pthread_mutex_unlock(&pool->lock);
	return err;
}

int blocking_pool_create(struct blocking_pool **ret, unsigned max)
{
	struct blocking_pool *pool;
	pthread_condattr_t attr;
	int err;

	if (!max)
		return -EINVAL;
	pool = calloc(1, sizeof(*pool) + max * sizeof(struct virtiofs_work *));
	if (!pool)
		return -ENOMEM;
	pool->max = max;
	pool->slots = max;
	pool->threads = 1;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->wake, &attr);
	pthread_cond_init(&pool->all_out, NULL);
	pthread_condattr_destroy(&attr);
	err = spawn(pool);
	if (err) {
		pool->threads = 0;
		blocking_pool_destroy(pool);
		return err;
	}
	*ret = pool;
	return 0;
}

void blocking_pool_destroy(struct blocking_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->wake);
	while (pool->threads)
		pthread_cond_wait(&pool->all_out, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
	pthread_cond_destroy(&pool->wake);
	pthread_cond_destroy(&pool->all_out);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
