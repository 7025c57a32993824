/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads for what may block: run_blocking of struct virtiofs_env.
 *
 * Work is taken only where a thread is free to run it, or may still be made, so
 * that none waits behind another that blocks for long; the queue's thread runs the
 * rest itself. Threads are made when they are needed, and end when they are not.
 */
#ifndef VIRTIOFSD_BLOCKING_POOL_H
#define VIRTIOFSD_BLOCKING_POOL_H

#include <virtiofs/env.h>

struct blocking_pool;

/*
 * Make a pool of up to @max threads, and the first of them.
 * Threads inherit the calling thread's credentials, signal mask and file system
 * state (umask, root, working directory): call it where these are the process's own.
 * Errors: -EINVAL; -ENOMEM; what pthread_create(3) returns.
 */
int blocking_pool_create(struct blocking_pool **ret, unsigned max);

/* Wait for what was taken and end all threads. NULL is nothing. */
void blocking_pool_destroy(struct blocking_pool *pool);

/* Have a thread run @work; -EAGAIN: none is free. Thread: any. */
int blocking_pool_run(struct blocking_pool *pool, struct virtiofs_work *work);

#endif /* VIRTIOFSD_BLOCKING_POOL_H */
