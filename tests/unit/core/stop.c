/* SPDX-License-Identifier: BSD-2-Clause */
/* Stopping and aborting: each chain comes back once, whoever replies when. */
#include "support/test.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "unit/core/late_fs.h"

static void count_done(void *arg)
{
	(*(int *)arg)++;
}

static void stop_cancels_waits_and_says_so(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;
	int done = 0;

	f->late.answer_cancel = true;
	assert_int_equal(late_submit(f, &chain, VIRTIOFS_FUSE_GETATTR), 0);
	assert_int_equal(virtiofs_queue_stop(f->q, count_done, &done), 0);
	assert_int_equal(done, 0);
	assert_int_equal(virtiofs_queue_resume(f->q), -EBUSY);
	fake_wait(f->q, &chain);
	assert_int_equal(fake_error(&chain), -EINTR);
	assert_int_equal(done, 1);
	assert_int_equal(late_submit(f, &chain, VIRTIOFS_FUSE_STATFS), -ESHUTDOWN);
	assert_int_equal(virtiofs_queue_resume(f->q), 0);
	assert_int_equal(late_submit(f, &chain, VIRTIOFS_FUSE_STATFS), 0);
	assert_int_equal(fake_error(&chain), 0);
}

static void stop_with_nothing_out_is_done_in_run(void **state)
{
	struct fixture *f = *state;
	struct pollfd pfd = { .fd = virtiofs_queue_fd(f->q), .events = POLLIN };
	int done = 0;

	assert_int_equal(virtiofs_queue_stop(f->q, count_done, &done), 0);
	assert_int_equal(poll(&pfd, 1, 0), 1);
	assert_int_equal(virtiofs_queue_run(f->q, 0), 0);
	assert_int_equal(done, 1);
	assert_int_equal(virtiofs_queue_resume(f->q), 0);
}

static void aborted_chain_is_not_touched_by_a_late_reply(void **state)
{
	struct fixture *f = *state;
	const struct virtiofs_fuse_attr_out attr = { .attr = { .ino = 7 } };
	struct fake_chain chain;
	unsigned char before[sizeof(chain.out)];

	assert_int_equal(late_submit(f, &chain, VIRTIOFS_FUSE_GETATTR), 0);
	assert_int_equal(virtiofs_queue_abort(f->q), 0);
	assert_int_equal(fake_error(&chain), -EIO);
	memcpy(before, chain.out, sizeof(before));

	assert_int_equal(virtiofs_queue_detach(f->q), 0);
	assert_int_equal(virtiofs_device_destroy(f->host.dev), -EBUSY);
	assert_false(virtiofs_req_pin(f->late.kept[0]));
	virtiofs_reply_attr(f->late.kept[0], &attr);
	assert_memory_equal(before, chain.out, sizeof(before));
	assert_int_equal(fake_completions(&chain), 1);
}

static void aborted_work_is_not_run(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;

	assert_int_equal(late_submit(f, &chain, VIRTIOFS_FUSE_FSYNC), 0);
	assert_int_equal(virtiofs_queue_abort(f->q), 0);
	assert_int_equal(fake_error(&chain), -EIO);
	virtiofs_work_run(f->work);
	assert_int_equal(f->late.fsyncs, 0);
	assert_int_equal(virtiofs_queue_run(f->q, 0), 0);
}

static void *pin_and_write(void *arg)
{
	struct fixture *f = arg;
	struct virtiofs_req *req = f->late.kept[0];
	const struct timespec moment = { .tv_nsec = 20 * 1000 * 1000 };

	/* Pinned by the test before this thread began. */
	nanosleep(&moment, NULL);
	virtiofs_req_unpin(req);
	virtiofs_reply_err(req, -ENOENT);
	return NULL;
}

static void abort_waits_for_who_is_in_guest_memory(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;
	pthread_t thread;

	assert_int_equal(late_submit(f, &chain, VIRTIOFS_FUSE_GETATTR), 0);
	assert_true(virtiofs_req_pin(f->late.kept[0]));
	assert_int_equal(pthread_create(&thread, NULL, pin_and_write, f), 0);
	assert_int_equal(virtiofs_queue_abort(f->q), 0);
	assert_int_equal(fake_completions(&chain), 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	/* Either the reply came first, or the abort did, right after the unpin. */
	assert_true(fake_error(&chain) == -ENOENT || fake_error(&chain) == -EIO);
	virtiofs_queue_run(f->q, 0);
}

static void abort_races_with_replies(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chains[INFLIGHT];
	pthread_t thread;

	for (int round = 0; round < 200; round++) {
		f->late.kept_count = 0;
		for (int i = 0; i < INFLIGHT; i++)
			assert_int_equal(late_submit(f, &chains[i], VIRTIOFS_FUSE_GETATTR), 0);
		assert_int_equal(pthread_create(&thread, NULL, late_reply_all, f), 0);
		assert_int_equal(virtiofs_queue_abort(f->q), 0);
		for (int i = 0; i < INFLIGHT; i++)
			assert_int_equal(fake_completions(&chains[i]), 1);
		assert_int_equal(pthread_join(thread, NULL), 0);
		virtiofs_queue_run(f->q, 0);
		assert_int_equal(virtiofs_queue_resume(f->q), 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, late_setup, late_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stop_cancels_waits_and_says_so),
		TEST(stop_with_nothing_out_is_done_in_run),
		TEST(aborted_chain_is_not_touched_by_a_late_reply),
		TEST(aborted_work_is_not_run),
		TEST(abort_waits_for_who_is_in_guest_memory),
		TEST(abort_races_with_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
