/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An I/O engine for tests: it keeps every operation until the test says how it
 * ends. As with a real one, done runs inside the engine's run() only, so inside
 * virtiofs_queue_run(), and the queue's eventfd tells of it.
 */
#ifndef TESTS_SUPPORT_FAKE_ENGINE_H
#define TESTS_SUPPORT_FAKE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/core.h"

enum {
	FAKE_ENGINE_MAX = 256, /* operations */
	FAKE_ENGINE_IOV = 64   /* iovecs of one that fake_engine_do() does */
};

struct fake_engine {
	struct vfi_io_engine base;
	struct virtiofs_queue *queue;
	/* With the "kernel", in the order they were started. */
	struct vfi_io_op *held[FAKE_ENGINE_MAX];
	unsigned held_count;
	/* Ended, waiting for run(). */
	struct vfi_io_op *ended[FAKE_ENGINE_MAX];
	int64_t results[FAKE_ENGINE_MAX];
	unsigned ended_count;
	bool deaf; /* a cancelled operation goes on: the test ends it itself */
	unsigned started;
	unsigned cancelled;
};

/* In place of the engine of a queue that this thread attached; freed by detach. */
struct fake_engine *fake_engine_install(struct virtiofs_queue *q);

/* End held operation @index with @result, nothing having been moved. */
void fake_engine_end(struct fake_engine *fe, unsigned index, int64_t result);
/* Do it really, at most the first @most bytes of it, and end it with what came of that. */
void fake_engine_do(struct fake_engine *fe, unsigned index, uint64_t most);
/* Do all that are held, in an order that @seed decides. */
void fake_engine_do_all(struct fake_engine *fe, uint64_t seed);

#endif /* TESTS_SUPPORT_FAKE_ENGINE_H */
