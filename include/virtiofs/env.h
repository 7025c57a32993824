/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The environment a library object lives in: log, memory, and a place to block.
 *
 * Who includes it: every embedder. The library itself creates no thread, writes
 * to no stdio stream, reads no environment variable and has no mutable global;
 * whatever it needs of its surroundings comes through struct virtiofs_env.
 */
#ifndef VIRTIOFS_ENV_H
#define VIRTIOFS_ENV_H

#include <stddef.h>
#include <stdint.h>

#include <virtiofs/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Log levels: those of syslog(3), by number. */
#define VIRTIOFS_LOG_ERR 3u
#define VIRTIOFS_LOG_WARNING 4u
#define VIRTIOFS_LOG_INFO 6u
#define VIRTIOFS_LOG_DEBUG 7u

/*
 * A piece of work that may block, handed to run_blocking. It is part of a
 * request, so that no allocation can fail on its way.
 */
struct virtiofs_work;

/*
 * What the embedder supplies. Copied by every constructor that takes it; @ctx is
 * borrowed until the last object created with it is destroyed. NULL in place of
 * the whole struct, or of a member, means the default given with each member.
 * @alloc and @free are set both or neither.
 */
struct virtiofs_env {
	size_t size; /* sizeof(struct virtiofs_env) */
	void *ctx;   /* first argument of every member below */

	/*
	 * A line for the log: a level from above and text without a newline,
	 * in which strings that a guest chose are quoted. From any thread, never
	 * with a lock held. Default: silence.
	 */
	void (*log)(void *ctx, unsigned level, const char *message);

	/*
	 * Memory of @size bytes at a multiple of @align (a power of two), or
	 * NULL; @free gets back the size it was asked for. Called from create,
	 * destroy, attach and where tables grow, never per request. From any
	 * thread. Default: aligned_alloc(3) and free(3).
	 */
	void *(*alloc)(void *ctx, size_t size, size_t align);
	void (*free)(void *ctx, void *memory, size_t size);

	/*
	 * Have some thread call virtiofs_work_run(@work) exactly once.
	 * Returns 0 for that promise, or -EAGAIN for "not now", after which
	 * the operation runs inline on the queue's thread. Called on a queue's
	 * thread; must not itself run the work. Default: every operation runs
	 * inline.
	 */
	int (*run_blocking)(void *ctx, struct virtiofs_work *work);
};

/*
 * Run a piece of work handed to run_blocking.
 * Thread: any but the one that owns the work's queue, and not one that must not
 * block. @work may not be touched afterwards.
 */
VIRTIOFS_API void virtiofs_work_run(struct virtiofs_work *work);

#ifdef __cplusplus
}
#endif

#endif /* VIRTIOFS_ENV_H */
