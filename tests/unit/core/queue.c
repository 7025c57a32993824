/* SPDX-License-Identifier: BSD-2-Clause */
/* Accepted once, given back once: whoever replies, whenever, and whatever is stopped. */
#include "support/test.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "support/fake_host.h"

enum { INFLIGHT = 4 };

/*
 * A filesystem for the races: STATFS answers at once, GETATTR never by itself,
 * FSYNC asks to be offloaded, READ fills what it is given.
 */
struct late_fs {
	struct virtiofs_req *kept[INFLIGHT];
	int kept_count;
	int cancelled;
	int fsyncs; /* atomic */
	bool answer_cancel;
};

static void op_statfs(void *session, struct virtiofs_req *req, uint64_t nodeid)
{
	const struct virtiofs_fuse_statfs_out out = { .st = { .bsize = 4096 } };

	(void)session;
	(void)nodeid;
	virtiofs_reply_statfs(req, &out);
}

static void op_getattr(void *session, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_getattr_in *in)
{
	struct late_fs *fs = session;

	(void)nodeid;
	(void)in;
	assert_in_range(fs->kept_count, 0, INFLIGHT - 1);
	fs->kept[fs->kept_count++] = req;
}

static void op_cancel(void *session, struct virtiofs_req *req)
{
	struct late_fs *fs = session;

	fs->cancelled++;
	if (!fs->answer_cancel)
		return;
	for (int i = 0; i < fs->kept_count; i++) {
		if (fs->kept[i] == req) {
			fs->kept[i] = fs->kept[--fs->kept_count];
			virtiofs_reply_err(req, -EINTR);
			return;
		}
	}
}

static void op_fsync(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_fsync_in *in)
{
	struct late_fs *fs = session;

	(void)nodeid;
	(void)in;
	if (virtiofs_req_offload(req))
		return;
	__atomic_add_fetch(&fs->fsyncs, 1, __ATOMIC_RELAXED);
	virtiofs_reply_ok(req);
}

static void op_read(void *session, struct virtiofs_req *req, uint64_t nodeid,
		    const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst)
{
	(void)session;
	(void)nodeid;
	(void)in;
	memset(dst->iov[0].iov_base, 'x', 3);
	virtiofs_reply_data(req, 3);
}

/* A reply that is not the op's: a bug of the filesystem that must not reach the guest. */
static void op_access(void *session, struct virtiofs_req *req, uint64_t nodeid,
		      const struct virtiofs_fuse_access_in *in)
{
	(void)session;
	(void)nodeid;
	(void)in;
	virtiofs_reply_write(req, 1);
}

static const struct virtiofs_fs_ops late_ops = {
	.size = sizeof(late_ops),
	.statfs = op_statfs,
	.getattr = op_getattr,
	.cancel = op_cancel,
	.fsync = op_fsync,
	.read = op_read,
	.access = op_access,
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

static int run_blocking(void *ctx, struct virtiofs_work *work)
{
	struct fixture *f = ctx;

	if (f->refuse_work)
		return -EAGAIN;
	assert_null(f->work);
	f->work = work;
	return 0;
}

static int setup(void **state)
{
	static struct fixture f;
	const struct virtiofs_env env = {
		.size = sizeof(env),
		.ctx = &f,
		.run_blocking = run_blocking,
	};
	struct virtiofs_device_options options = VIRTIOFS_DEVICE_OPTIONS_INIT;

	memset(&f, 0, sizeof(f));
	options.max_inflight = INFLIGHT;
	options.max_segments = 8;
	options.io = VIRTIOFS_IO_SYNC;
	assert_int_equal(virtiofs_fs_create(&f.fs, NULL, &late_ops, &f.late), 0);
	fake_host_open(&f.host, &env, &options, f.fs);
	f.q = fake_attach(&f.host, 1);
	fake_mount(f.q);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fake_host_close(&f->host);
	virtiofs_fs_destroy(f->fs);
	return 0;
}

static int submit(struct fixture *f, struct fake_chain *chain, uint32_t opcode)
{
	const unsigned char zero[64] = { 0 };
	size_t len = 0;

	if (opcode == VIRTIOFS_FUSE_GETATTR || opcode == VIRTIOFS_FUSE_FSYNC)
		len = 16;
	else if (opcode == VIRTIOFS_FUSE_ACCESS)
		len = 8;
	fake_request(chain, opcode, 1, zero, len);
	return fake_submit(f->q, chain);
}

static void answered_in_submit(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;

	assert_int_equal(submit(f, &chain, VIRTIOFS_FUSE_STATFS), 0);
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

	assert_int_equal(submit(f, &chain, 4000), 0);
	assert_int_equal(fake_error(&chain), -ENOSYS);
	assert_int_equal(submit(f, &chain, VIRTIOFS_FUSE_LISTXATTR + 900), 0);
	assert_int_equal(fake_error(&chain), -ENOSYS);
}

static void wrong_reply_of_a_filesystem_becomes_eio(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;

	assert_int_equal(submit(f, &chain, VIRTIOFS_FUSE_ACCESS), 0);
	assert_int_equal(fake_error(&chain), -EIO);
	assert_int_equal(chain.written, 16);
}

static void queue_takes_max_inflight_and_no_more(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chains[INFLIGHT + 1];

	for (int i = 0; i < INFLIGHT; i++)
		assert_int_equal(submit(f, &chains[i], VIRTIOFS_FUSE_GETATTR), 0);
	assert_int_equal(virtiofs_queue_inflight(f->q), INFLIGHT);
	assert_int_equal(submit(f, &chains[INFLIGHT], VIRTIOFS_FUSE_STATFS), -EAGAIN);
	for (int i = 0; i < INFLIGHT; i++)
		virtiofs_reply_err(f->late.kept[i], -ENOENT);
	assert_int_equal(virtiofs_queue_run(f->q, 0), INFLIGHT);
	for (int i = 0; i < INFLIGHT; i++)
		assert_int_equal(fake_error(&chains[i]), -ENOENT);
	assert_int_equal(submit(f, &chains[INFLIGHT], VIRTIOFS_FUSE_STATFS), 0);
	assert_int_equal(fake_error(&chains[INFLIGHT]), 0);
}

static void budget_bounds_and_the_fd_tells_of_the_rest(void **state)
{
	struct fixture *f = *state;
	struct pollfd pfd = { .fd = virtiofs_queue_fd(f->q), .events = POLLIN };
	struct fake_chain chains[INFLIGHT];

	for (int i = 0; i < INFLIGHT; i++)
		assert_int_equal(submit(f, &chains[i], VIRTIOFS_FUSE_GETATTR), 0);
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
		assert_int_equal(submit(nest_fixture, next, VIRTIOFS_FUSE_STATFS), 0);
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
	assert_int_equal(submit(f, &first, VIRTIOFS_FUSE_STATFS), 0);
	assert_int_equal(fake_error(&first), 0);
	assert_int_equal(fake_error(&second), 0);
}

static void *reply_all(void *arg)
{
	struct fixture *f = arg;
	const struct virtiofs_fuse_attr_out out = { .attr = { .ino = 7 } };

	for (int i = 0; i < f->late.kept_count; i++)
		virtiofs_reply_attr(f->late.kept[i], &out);
	return NULL;
}

static void replies_from_another_thread_wake_the_owner(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chains[INFLIGHT];
	pthread_t thread;

	for (int round = 0; round < 200; round++) {
		f->late.kept_count = 0;
		for (int i = 0; i < INFLIGHT; i++)
			assert_int_equal(submit(f, &chains[i], VIRTIOFS_FUSE_GETATTR), 0);
		assert_int_equal(pthread_create(&thread, NULL, reply_all, f), 0);
		for (int i = 0; i < INFLIGHT; i++) {
			fake_wait(f->q, &chains[i]);
			assert_int_equal(fake_error(&chains[i]), 0);
		}
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
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

	assert_int_equal(submit(f, &chain, VIRTIOFS_FUSE_FSYNC), 0);
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
	assert_int_equal(submit(f, &chain, VIRTIOFS_FUSE_FSYNC), 0);
	assert_int_equal(fake_error(&chain), 0);
	assert_int_equal(f->late.fsyncs, 1);
}

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
	assert_int_equal(submit(f, &chain, VIRTIOFS_FUSE_GETATTR), 0);
	assert_int_equal(virtiofs_queue_stop(f->q, count_done, &done), 0);
	assert_int_equal(done, 0);
	assert_int_equal(virtiofs_queue_resume(f->q), -EBUSY);
	fake_wait(f->q, &chain);
	assert_int_equal(fake_error(&chain), -EINTR);
	assert_int_equal(done, 1);
	assert_int_equal(submit(f, &chain, VIRTIOFS_FUSE_STATFS), -ESHUTDOWN);
	assert_int_equal(virtiofs_queue_resume(f->q), 0);
	assert_int_equal(submit(f, &chain, VIRTIOFS_FUSE_STATFS), 0);
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

	assert_int_equal(submit(f, &chain, VIRTIOFS_FUSE_GETATTR), 0);
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

	assert_int_equal(submit(f, &chain, VIRTIOFS_FUSE_FSYNC), 0);
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

	assert_int_equal(submit(f, &chain, VIRTIOFS_FUSE_GETATTR), 0);
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
			assert_int_equal(submit(f, &chains[i], VIRTIOFS_FUSE_GETATTR), 0);
		assert_int_equal(pthread_create(&thread, NULL, reply_all, f), 0);
		assert_int_equal(virtiofs_queue_abort(f->q), 0);
		for (int i = 0; i < INFLIGHT; i++)
			assert_int_equal(fake_completions(&chains[i]), 1);
		assert_int_equal(pthread_join(thread, NULL), 0);
		virtiofs_queue_run(f->q, 0);
		assert_int_equal(virtiofs_queue_resume(f->q), 0);
	}
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
	assert_int_equal(virtiofs_queue_submit(f->q, &c), 0);
	assert_int_equal(fake_completions(&chain), 1);
	assert_int_equal(chain.written, 0);

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

	assert_int_equal(submit(f, &chain, VIRTIOFS_FUSE_GETATTR), 0);
	assert_int_equal(virtiofs_queue_detach(f->q), 0);
	virtiofs_reply_err(f->late.kept[0], -ENOENT);
	assert_int_equal(fake_completions(&chain), 0);
	assert_int_equal(pthread_create(&thread, NULL, attach_and_serve, f), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(fake_error(&chain), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
		TEST(offloaded_op_runs_once_elsewhere),
		TEST(refused_offload_runs_inline),
		TEST(stop_cancels_waits_and_says_so),
		TEST(stop_with_nothing_out_is_done_in_run),
		TEST(aborted_chain_is_not_touched_by_a_late_reply),
		TEST(aborted_work_is_not_run),
		TEST(abort_waits_for_who_is_in_guest_memory),
		TEST(abort_races_with_replies),
		TEST(too_many_segments_are_answered),
		TEST(malformed_chain_is_answered_if_a_header_fits),
		TEST(unknown_flag_or_size_is_the_embedders_mistake),
		TEST(only_the_owner_may_use_a_queue),
		TEST(accepted_chains_stay_with_a_detached_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
