/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that wait without a bound: looked at when they asked to be, and never all of a queue. */
#include "support/test.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "unit/core/late_fs.h"

enum { FOR_EVER = 3600 };

static const uint64_t second = 1000000000;

static int readable(struct fixture *f, int ms)
{
	struct pollfd pfd = { .fd = virtiofs_queue_fd(f->q), .events = POLLIN };

	return poll(&pfd, 1, ms);
}

static void run_until_idle(struct fixture *f)
{
	while (readable(f, 0))
		virtiofs_queue_run(f->q, 0);
}

static void it_is_looked_at_when_its_time_has_come(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;

	run_until_idle(f);
	f->late.wait_ns = second / 100;
	f->late.wait_times = 2;
	assert_int_equal(late_submit(f, &chain, VIRTIOFS_FUSE_SETLKW), 0);
	for (int n = 1; n <= 3; n++) {
		assert_int_equal(fake_completions(&chain), 0);
		while (f->late.expired < n) {
			assert_int_equal(readable(f, 100000), 1);
			virtiofs_queue_run(f->q, 0);
		}
		assert_int_equal(f->late.expired, n);
	}
	assert_int_equal(fake_completions(&chain), 1);
	assert_int_equal(fake_error(&chain), 0);
	/* And that was all: nobody is woken for nothing. */
	run_until_idle(f);
	assert_int_equal(readable(f, 50), 0);
}

static void run_before_its_time_leaves_it_alone(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;

	f->late.wait_ns = FOR_EVER * second;
	assert_int_equal(late_submit(f, &chain, VIRTIOFS_FUSE_SETLKW), 0);
	run_until_idle(f);
	assert_int_equal(virtiofs_queue_run(f->q, 0), 0);
	assert_int_equal(f->late.expired, 0);
	virtiofs_reply_ok(f->late.kept[0]);
	run_until_idle(f);
	assert_int_equal(fake_completions(&chain), 1);
}

static void sooner_one_does_not_wait_for_a_later_one(void **state)
{
	struct fixture *f = *state;
	struct fake_chain later, sooner;

	f->late.wait_ns = FOR_EVER * second;
	assert_int_equal(late_submit(f, &later, VIRTIOFS_FUSE_SETLKW), 0);
	f->late.wait_ns = 1;
	assert_int_equal(late_submit(f, &sooner, VIRTIOFS_FUSE_SETLKW), 0);
	fake_wait(f->q, &sooner);
	assert_int_equal(fake_completions(&later), 0);
	virtiofs_reply_ok(f->late.kept[0]);
	run_until_idle(f);
	assert_int_equal(fake_completions(&later), 1);
}

static void half_of_the_queue_is_for_what_does_not_wait(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chains[INFLIGHT];

	f->late.wait_ns = FOR_EVER * second;
	for (int i = 0; i < INFLIGHT; i++)
		assert_int_equal(late_submit(f, &chains[i], VIRTIOFS_FUSE_SETLKW), 0);
	for (int i = 0; i < INFLIGHT; i++)
		assert_int_equal(fake_completions(&chains[i]), i >= INFLIGHT / 2);
	for (int i = INFLIGHT / 2; i < INFLIGHT; i++)
		assert_int_equal(fake_error(&chains[i]), -ENOLCK);
	assert_int_equal(late_submit(f, &chains[INFLIGHT - 1], VIRTIOFS_FUSE_STATFS), 0);
	assert_int_equal(fake_error(&chains[INFLIGHT - 1]), 0);
	/* One less that waits, and there is room for another. */
	virtiofs_reply_ok(f->late.kept[0]);
	run_until_idle(f);
	assert_int_equal(late_submit(f, &chains[0], VIRTIOFS_FUSE_SETLKW), 0);
	assert_int_equal(fake_completions(&chains[0]), 0);
	f->late.kept_count = 3;
	for (int i = 1; i < 3; i++)
		virtiofs_reply_ok(f->late.kept[i]);
	run_until_idle(f);
}

static void interrupt_says_that_it_was_the_guest(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_fuse_interrupt_in in;
	struct fake_chain chain, interrupt;

	f->late.answer_cancel = true;
	f->late.wait_ns = FOR_EVER * second;
	assert_int_equal(late_submit(f, &chain, VIRTIOFS_FUSE_SETLKW), 0);
	in.unique = virtiofs_req_header(f->late.kept[0])->unique;
	fake_request(&interrupt, VIRTIOFS_FUSE_INTERRUPT, 1, &in, sizeof(in));
	assert_int_equal(fake_submit(f->q, &interrupt), 0);
	assert_true(f->late.interrupted);
	fake_wait(f->q, &chain);
	assert_int_equal(fake_error(&chain), -EINTR);

	assert_int_equal(late_submit(f, &chain, VIRTIOFS_FUSE_SETLKW), 0);
	assert_int_equal(virtiofs_queue_stop(f->q, NULL, NULL), 0);
	assert_false(f->late.interrupted);
	fake_wait(f->q, &chain);
	assert_int_equal(virtiofs_queue_resume(f->q), 0);
}

static void aborted_request_is_not_looked_at(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;

	f->late.wait_ns = second / 1000;
	assert_int_equal(late_submit(f, &chain, VIRTIOFS_FUSE_SETLKW), 0);
	assert_int_equal(virtiofs_queue_abort(f->q), 0);
	assert_int_equal(fake_error(&chain), -EIO);
	run_until_idle(f);
	poll(NULL, 0, 20);
	run_until_idle(f);
	assert_int_equal(f->late.expired, 0);
	virtiofs_reply_ok(f->late.kept[0]);
	run_until_idle(f);
	assert_int_equal(virtiofs_queue_resume(f->q), 0);
}

/* As the contract of virtiofs_queue_fd() has it, for loops that are told of edges alone. */
static void each_wake_is_an_edge(void **state)
{
	struct fixture *f = *state;
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	struct fake_chain chains[3];
	int edges = epoll_create1(EPOLL_CLOEXEC);

	run_until_idle(f);
	assert_int_equal(epoll_ctl(edges, EPOLL_CTL_ADD, virtiofs_queue_fd(f->q), &event), 0);
	assert_int_equal(epoll_wait(edges, &event, 1, 0), 0);
	for (int i = 0; i < 3; i++) {
		/* A reply that comes later, and the timer. */
		f->late.wait_ns = i == 2 ? 1 : FOR_EVER * second;
		assert_int_equal(late_submit(f, &chains[i], VIRTIOFS_FUSE_SETLKW), 0);
		if (i < 2)
			virtiofs_reply_ok(f->late.kept[i]);
		assert_int_equal(epoll_wait(edges, &event, 1, 100000), 1);
		virtiofs_queue_run(f->q, 0);
		assert_int_equal(fake_completions(&chains[i]), 1);
	}
	close(edges);
}

static void *wait_elsewhere(void *arg)
{
	struct fixture *f = arg;

	assert_int_equal(virtiofs_req_wait(f->late.kept[0], 1), -EINVAL);
	virtiofs_reply_ok(f->late.kept[0]);
	return NULL;
}

static void only_the_queues_thread_sets_the_time(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;
	pthread_t thread;

	f->late.wait_ns = FOR_EVER * second;
	assert_int_equal(late_submit(f, &chain, VIRTIOFS_FUSE_SETLKW), 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_elsewhere, f), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	fake_wait(f->q, &chain);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, late_setup, late_teardown)
	const struct CMUnitTest tests[] = {
		TEST(it_is_looked_at_when_its_time_has_come),
		TEST(run_before_its_time_leaves_it_alone),
		TEST(sooner_one_does_not_wait_for_a_later_one),
		TEST(half_of_the_queue_is_for_what_does_not_wait),
		TEST(interrupt_says_that_it_was_the_guest),
		TEST(aborted_request_is_not_looked_at),
		TEST(each_wake_is_an_edge),
		TEST(only_the_queues_thread_sets_the_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
