/* SPDX-License-Identifier: BSD-2-Clause */
/* The threads that serve the rings, one each. */
#ifndef VIRTIOFSD_WORKERS_H
#define VIRTIOFSD_WORKERS_H

#include <virtiofs/vhost_user.h>

struct workers;

/*
 * Make a thread for each ring of @vu (borrowed until workers_stop()) and have it
 * attached. They inherit the caller's credentials and signal mask.
 * Errors are logged, and returned as a negative errno; then there is no thread.
 */
int workers_start(struct workers **ret, struct virtiofs_vhost_user *vu);

/* Readable when a thread had to give up. */
int workers_failed_fd(const struct workers *workers);

/*
 * End the threads; no front-end is connected. Frees @workers; NULL is nothing.
 * Errors: -ETIMEDOUT after @timeout_ms some still serve a request; all is left as
 * it is, and the process cannot but exit.
 */
int workers_stop(struct workers *workers, int timeout_ms);

#endif /* VIRTIOFSD_WORKERS_H */
