/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_UNIT_CORE_LATE_FS_H
#define TESTS_UNIT_CORE_LATE_FS_H

#include "support/fake_host.h"

enum { INFLIGHT = 4 };

/*
 * A filesystem for the races: STATFS answers at once, GETATTR never by itself,
 * FSYNC asks to be offloaded, READ fills what it is given, SETLKW waits as long as told.
 */
struct late_fs {
	struct virtiofs_req *kept[INFLIGHT];
	int kept_count;
	int cancelled;
	int fsyncs; /* atomic */
	bool answer_cancel;
	uint64_t wait_ns; /* how long SETLKW waits each time */
	int wait_times;	  /* before it is answered */
	int expired;
	bool interrupted; /* the last that was cancelled had been */
};

struct fixture {
	struct late_fs late;
	struct virtiofs_fs *fs;
	struct fake_host host;
	struct virtiofs_queue *q;
	/* run_blocking: where the work waits for a thread */
	struct virtiofs_work *work;
	int refuse_work;
};

int late_setup(void **state);
int late_teardown(void **state);

/* Submit a request of this opcode; returns what virtiofs_queue_submit() does. */
int late_submit(struct fixture *f, struct fake_chain *chain, uint32_t opcode);
/* A thread that answers every GETATTR that was kept; takes the fixture. */
void *late_reply_all(void *arg);

#endif /* TESTS_UNIT_CORE_LATE_FS_H */
