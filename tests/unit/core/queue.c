/* SPDX-License-Identifier: BSD-2-Clause */
/* Accepted once, given back once: whoever replies, whenever, and whatever is stopped. */
#include "support/test.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "unit/core/late_fs.h"

static void answered_in_submit(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;

	assert_int_equal(late_submit(f, &chain, VIRTIOFS_FUSE_STATFS), 0);
	assert_int_equal(fake_error(&chain), 0);
	assert_int_equal(chain.written, 16 + sizeof(struct virtiofs_fuse_statfs_out));
	assert_int_equal(chain.touched, chain.written);
}

static void touched_covers_what_the_op_was_given(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_fuse_read_in in = { .size = 100 };
	struct fake_chain chain;

	fake_request(&chain, VIRTIOFS_FUSE_READ, 1, &in, sizeof(in));
	assert_int_equal(fake_submit(f->q, &chain), 0);
	assert_int_equal(fake_error(&chain), 0);
	assert_int_equal(chain.written, 16 + 3);
	assert_int_equal(chain.touched, 16 + 100);
	assert_memory_equal(chain.out + 16, "xxx", 3);
}

static void unknown_opcode_is_enosys(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;

	assert_int_equal(late_submit(f, &chain, 4000), 0);
	assert_int_equal(fake_error(&chain), -ENOSYS);
	assert_int_equal(late_submit(f, &chain, VIRTIOFS_FUSE_LISTXATTR + 900), 0);
	assert_int_equal(fake_error(&chain), -ENOSYS);
}

static void wrong_reply_of_a_filesystem_becomes_eio(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;

	assert_int_equal(late_submit(f, &chain, VIRTIOFS_FUSE_ACCESS), 0);
	assert_int_equal(fake_error(&chain), -EIO);
	assert_int_equal(chain.written, 16);
}

static void queue_takes_max_inflight_and_no_more(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chains[INFLIGHT + 1];

	for (int i = 0; i < INFLIGHT; i++)
		assert_int_equal(late_submit(f, &chains[i], VIRTIOFS_FUSE_GETATTR), 0);
	assert_int_equal(virtiofs_queue_inflight(f->q), INFLIGHT);
	assert_int_equal(late_submit(f, &chains[INFLIGHT], VIRTIOFS_FUSE_STATFS), -EAGAIN);
	for (int i = 0; i < INFLIGHT; i++)
		virtiofs_reply_err(f->late.kept[i], -ENOENT);
	assert_int_equal(virtiofs_queue_run(f->q, 0), INFLIGHT);
	for (int i = 0; i < INFLIGHT; i++)
		assert_int_equal(fake_error(&chains[i]), -ENOENT);
	assert_int_equal(late_submit(f, &chains[INFLIGHT], VIRTIOFS_FUSE_STATFS), 0);
	assert_int_equal(fake_error(&chains[INFLIGHT]), 0);
}

static void budget_bounds_and_the_fd_tells_of_the_rest(void **state)
{
	struct fixture *f = *state;
	struct pollfd pfd = { .fd = virtiofs_queue_fd(f->q), .events = POLLIN };
	struct fake_chain chains[INFLIGHT];

	for (int i = 0; i < INFLIGHT; i++)
		assert_int_equal(late_submit(f, &chains[i], VIRTIOFS_FUSE_GETATTR), 0);
	for (int i = 0; i < INFLIGHT; i++)
		virtiofs_reply_err(f->late.kept[i], -ENOENT);
	assert_int_equal(virtiofs_queue_run(f->q, 3), 3);
	assert_int_equal(poll(&pfd, 1, 0), 1);
	assert_int_equal(virtiofs_queue_run(f->q, 3), 1);
	assert_int_equal(poll(&pfd, 1, 0), 0);
}

static struct fake_chain *next_chain;
static struct fixture *nest_fixture;
static int nesting;

static void submit_another(struct fake_host *host, struct virtiofs_queue *q,
			   struct fake_chain *chain)
{
	struct fake_chain *next = next_chain;

	(void)chain;
	assert_int_equal(nesting, 0);
	nesting++;
	next_chain = NULL;
	host->on_complete = next ? submit_another : NULL;
	if (next) {
		assert_int_equal(late_submit(nest_fixture, next, VIRTIOFS_FUSE_STATFS), 0);
		assert_int_equal(fake_completions(next), 0);
		assert_int_equal(virtiofs_queue_run(q, 0), -EINVAL);
	}
	nesting--;
}

static void submit_inside_complete_does_not_nest(void **state)
{
	struct fixture *f = *state;
	struct fake_chain first, second;

	nest_fixture = f;
	next_chain = &second;
	f->host.on_complete = submit_another;
	assert_int_equal(late_submit(f, &first, VIRTIOFS_FUSE_STATFS), 0);
	assert_int_equal(fake_error(&first), 0);
	assert_int_equal(fake_error(&second), 0);
}

static void replies_from_another_thread_wake_the_owner(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chains[INFLIGHT];
	pthread_t thread;

	for (int round = 0; round < 200; round++) {
		f->late.kept_count = 0;
		for (int i = 0; i < INFLIGHT; i++)
			assert_int_equal(late_submit(f, &chains[i], VIRTIOFS_FUSE_GETATTR), 0);
		assert_int_equal(pthread_create(&thread, NULL, late_reply_all, f), 0);
		for (int i = 0; i < INFLIGHT; i++) {
			fake_wait(f->q, &chains[i]);
			assert_int_equal(fake_error(&chains[i]), 0);
		}
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
}

/* From its event loop, between two calls: the queue's descriptor tells it to run. */
static void reply_of_the_owner_makes_the_queue_readable(void **state)
{
	struct fixture *f = *state;
	struct pollfd pfd = { .fd = virtiofs_queue_fd(f->q), .events = POLLIN };
	struct fake_chain chain;

	assert_int_equal(late_submit(f, &chain, VIRTIOFS_FUSE_GETATTR), 0);
	virtiofs_queue_run(f->q, 0);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	late_reply_all(f);
	assert_int_equal(poll(&pfd, 1, 0), 1);
	assert_int_equal(fake_completions(&chain), 0);
	assert_int_equal(virtiofs_queue_run(f->q, 0), 1);
	assert_int_equal(fake_error(&chain), 0);
	assert_int_equal(poll(&pfd, 1, 0), 0);
}

static void *work_thread(void *arg)
{
	virtiofs_work_run(arg);
	return NULL;
}

static void offloaded_op_runs_once_elsewhere(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;
	pthread_t thread;

	assert_int_equal(late_submit(f, &chain, VIRTIOFS_FUSE_FSYNC), 0);
	assert_int_equal(fake_completions(&chain), 0);
	assert_int_equal(f->late.fsyncs, 0);
	assert_int_equal(pthread_create(&thread, NULL, work_thread, f->work), 0);
	fake_wait(f->q, &chain);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(fake_error(&chain), 0);
	assert_int_equal(f->late.fsyncs, 1);
}

static void refused_offload_runs_inline(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;

	f->refuse_work = 1;
	assert_int_equal(late_submit(f, &chain, VIRTIOFS_FUSE_FSYNC), 0);
	assert_int_equal(fake_error(&chain), 0);
	assert_int_equal(f->late.fsyncs, 1);
}

static void too_many_segments_are_answered(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;
	struct iovec many[9];
	struct virtiofs_chain c = { .size = sizeof(c), .readable = many, .cookie = &chain };

	fake_request(&chain, VIRTIOFS_FUSE_STATFS, 1, NULL, 0);
	for (int i = 0; i < 9; i++) {
		many[i].iov_base = chain.in + 5 * i;
		many[i].iov_len = i < 8 ? 5 : 0;
	}
	chain.out_iov.iov_base = chain.out;
	chain.out_iov.iov_len = chain.out_len;
	c.readable_count = 9;
	c.writable = &chain.out_iov;
	c.writable_count = 1;
	assert_int_equal(virtiofs_queue_submit(f->q, &c), 0);
	assert_int_equal(fake_error(&chain), -E2BIG);
}

static void malformed_chain_is_answered_if_a_header_fits(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;
	struct virtiofs_chain c = {
		.size = sizeof(c),
		.readable = &chain.in_iov,
		.writable = &chain.out_iov,
		.readable_count = 1,
		.writable_count = 1,
		.cookie = &chain,
		.flags = VIRTIOFS_CHAIN_MALFORMED,
	};

	fake_request(&chain, VIRTIOFS_FUSE_STATFS, 1, NULL, 0);
	chain.in_iov = (struct iovec){ chain.in, 40 };
	chain.out_iov = (struct iovec){ chain.out, 16 };
	assert_int_equal(virtiofs_queue_submit(f->q, &c), 0);
	assert_int_equal(fake_error(&chain), -EIO);

	fake_request(&chain, VIRTIOFS_FUSE_STATFS, 1, NULL, 0);
	chain.in_iov = (struct iovec){ chain.in, 39 };
	chain.out_iov = (struct iovec){ chain.out, 16 };
	assert_int_equal(virtiofs_queue_submit(f->q, &c), 0);
	assert_int_equal(fake_error(&chain), -EIO);

	fake_request(&chain, VIRTIOFS_FUSE_STATFS, 1, NULL, 0);
	chain.in_iov = (struct iovec){ chain.in, 40 };
	chain.out_iov = (struct iovec){ chain.out, 15 };
	assert_int_equal(virtiofs_queue_submit(f->q, &c), 0);
	assert_int_equal(fake_completions(&chain), 1);
	assert_int_equal(chain.written, 0);
}

static void unknown_flag_or_size_is_the_embedders_mistake(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_chain c = { .size = sizeof(c), .flags = 2 };

	assert_int_equal(virtiofs_queue_submit(f->q, &c), -EINVAL);
	c = (struct virtiofs_chain){ .size = 8 };
	assert_int_equal(virtiofs_queue_submit(f->q, &c), -EINVAL);
}

static void *use_from_outside(void *arg)
{
	struct fixture *f = arg;
	struct virtiofs_chain c = { .size = sizeof(c) };

	assert_int_equal(virtiofs_queue_attach(f->q, 0), -EBUSY);
	assert_int_equal(virtiofs_queue_submit(f->q, &c), -EINVAL);
	assert_int_equal(virtiofs_queue_run(f->q, 0), -EINVAL);
	assert_int_equal(virtiofs_queue_detach(f->q), -EINVAL);
	assert_int_equal(virtiofs_queue_abort(f->q), -EINVAL);
	return NULL;
}

static void only_the_owner_may_use_a_queue(void **state)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, use_from_outside, *state), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void *attach_and_serve(void *arg)
{
	struct fixture *f = arg;

	assert_int_equal(virtiofs_queue_attach(f->q, 0), 0);
	assert_int_equal(virtiofs_queue_run(f->q, 0), 1);
	assert_int_equal(virtiofs_queue_detach(f->q), 0);
	return NULL;
}

static void accepted_chains_stay_with_a_detached_queue(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;
	pthread_t thread;

	assert_int_equal(late_submit(f, &chain, VIRTIOFS_FUSE_GETATTR), 0);
	assert_int_equal(virtiofs_queue_detach(f->q), 0);
	virtiofs_reply_err(f->late.kept[0], -ENOENT);
	assert_int_equal(fake_completions(&chain), 0);
	assert_int_equal(pthread_create(&thread, NULL, attach_and_serve, f), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(fake_error(&chain), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, late_setup, late_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answered_in_submit),
		TEST(touched_covers_what_the_op_was_given),
		TEST(unknown_opcode_is_enosys),
		TEST(wrong_reply_of_a_filesystem_becomes_eio),
		TEST(queue_takes_max_inflight_and_no_more),
		TEST(budget_bounds_and_the_fd_tells_of_the_rest),
		TEST(submit_inside_complete_does_not_nest),
		TEST(replies_from_another_thread_wake_the_owner),
		TEST(reply_of_the_owner_makes_the_queue_readable),
		TEST(offloaded_op_runs_once_elsewhere),
		TEST(refused_offload_runs_inline),
		TEST(too_many_segments_are_answered),
		TEST(malformed_chain_is_answered_if_a_header_fits),
		TEST(unknown_flag_or_size_is_the_embedders_mistake),
		TEST(only_the_owner_may_use_a_queue),
		TEST(accepted_chains_stay_with_a_detached_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
