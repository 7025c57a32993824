/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A filesystem whose threads answer: GETATTR and READ are put on a list, from
 * which they take requests in no particular order, now or when told to.
 */
#ifndef TESTS_SUPPORT_SLOW_FS_H
#define TESTS_SUPPORT_SLOW_FS_H

#include <stdbool.h>

#include <virtiofs/fs.h>

struct slow_fs;

/* With @threads that answer. */
struct slow_fs *slow_fs_create(unsigned threads);
/* All sessions are over, nothing is unanswered. */
void slow_fs_destroy(struct slow_fs *slow);
struct virtiofs_fs *slow_fs_fs(struct slow_fs *slow);

/* Whether the threads rest. */
void slow_fs_hold(struct slow_fs *slow, bool hold);
/* Whether cancel() has a request answered, with EINTR. */
void slow_fs_heed_cancel(struct slow_fs *slow, bool heed);

/* Wait until every request it was given is answered. */
void slow_fs_drain(struct slow_fs *slow);
unsigned slow_fs_unanswered(struct slow_fs *slow);
/* How often cancel() was called; sessions begun and ended. */
unsigned slow_fs_cancelled(struct slow_fs *slow);
unsigned slow_fs_sessions(struct slow_fs *slow, unsigned *ended);

/* What a READ is filled with. */
enum { SLOW_FS_BYTE = 's' };

#endif /* TESTS_SUPPORT_SLOW_FS_H */
