/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions: begun and ended once each, and never under a request's feet. */
#include "support/test.h"

#include <errno.h>
#include <string.h>

#include "support/fake_host.h"

/* A filesystem that keeps every GETATTR until it is told, or cancelled. */
struct keeper {
	int begun;
	int ended;
	int cancelled;
	int begin_error;
	uint64_t offered;
	struct virtiofs_req *kept;
};

static int session_begin(void *fs, void **session, struct virtiofs_init *init)
{
	struct keeper *k = fs;

	assert_int_equal(k->begun, k->ended);
	if (k->begin_error)
		return k->begin_error;
	k->begun++;
	k->offered = init->offered;
	*session = k;
	return 0;
}

static void session_end(void *session)
{
	struct keeper *k = session;

	assert_null(k->kept);
	k->ended++;
}

static void keep(void *session, struct virtiofs_req *req, uint64_t nodeid,
		 const struct virtiofs_fuse_getattr_in *in)
{
	struct keeper *k = session;

	(void)nodeid;
	(void)in;
	k->kept = req;
}

static void cancel(void *session, struct virtiofs_req *req)
{
	struct keeper *k = session;

	assert_ptr_equal(k->kept, req);
	k->cancelled++;
	k->kept = NULL;
	virtiofs_reply_err(req, -EINTR);
}

static const struct virtiofs_fs_ops keeper_ops = {
	.size = sizeof(keeper_ops),
	.session_begin = session_begin,
	.session_end = session_end,
	.getattr = keep,
	.cancel = cancel,
};

struct fixture {
	struct keeper keeper;
	struct virtiofs_fs *fs;
	struct fake_host host;
	struct virtiofs_queue *q;
};

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	assert_int_equal(virtiofs_fs_create(&f.fs, NULL, &keeper_ops, &f.keeper), 0);
	fake_host_open(&f.host, NULL, NULL, f.fs);
	f.q = fake_attach(&f.host, 1);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fake_host_close(&f->host);
	virtiofs_fs_destroy(f->fs);
	assert_int_equal(f->keeper.begun, f->keeper.ended);
	return 0;
}

static void submit_getattr(struct fixture *f, struct fake_chain *chain)
{
	const struct virtiofs_fuse_getattr_in in = { 0 };

	fake_request(chain, VIRTIOFS_FUSE_GETATTR, 1, &in, sizeof(in));
	assert_int_equal(fake_submit(f->q, chain), 0);
}

static void nothing_is_served_before_init(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;

	submit_getattr(f, &chain);
	assert_int_equal(fake_error(&chain), -EIO);
}

static void init_begins_and_destroy_ends(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;

	fake_mount(f->q);
	assert_int_equal(f->keeper.begun, 1);
	fake_request(&chain, VIRTIOFS_FUSE_DESTROY, 0, NULL, 0);
	assert_int_equal(fake_submit(f->q, &chain), 0);
	fake_wait(f->q, &chain);
	assert_int_equal(fake_error(&chain), 0);
	assert_int_equal(chain.written, 16);
	assert_int_equal(f->keeper.ended, 1);
	submit_getattr(f, &chain);
	assert_int_equal(fake_error(&chain), -EIO);
}

static void new_init_cancels_what_is_out_and_waits_for_it(void **state)
{
	struct fixture *f = *state;
	struct fake_chain old, init;

	fake_mount(f->q);
	submit_getattr(f, &old);
	assert_int_equal(fake_completions(&old), 0);
	fake_init(&init, 38, 0);
	assert_int_equal(fake_submit(f->q, &init), 0);
	fake_wait(f->q, &init);
	assert_int_equal(fake_error(&old), -EINTR);
	assert_int_equal(fake_error(&init), 0);
	assert_int_equal(f->keeper.cancelled, 1);
	assert_int_equal(f->keeper.begun, 2);
	assert_int_equal(f->keeper.ended, 1);
}

static void new_init_cancels_on_other_queues_too(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_queue *hiprio = fake_attach(&f->host, 0);
	struct fake_chain old, init;

	fake_mount(f->q);
	submit_getattr(f, &old);
	fake_init(&init, 38, 0);
	assert_int_equal(fake_submit(hiprio, &init), 0);
	assert_int_equal(fake_completions(&init), 0);
	fake_wait(f->q, &old);
	fake_wait(hiprio, &init);
	assert_int_equal(fake_error(&old), -EINTR);
	assert_int_equal(fake_error(&init), 0);
	assert_int_equal(f->keeper.begun, 2);
}

static void requests_behind_a_parked_init_wait_for_it(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_queue *hiprio = fake_attach(&f->host, 0);
	struct fake_chain old, init, early;

	fake_mount(f->q);
	submit_getattr(f, &old);
	fake_init(&init, 38, 0);
	assert_int_equal(fake_submit(hiprio, &init), 0);
	fake_request(&early, VIRTIOFS_FUSE_STATFS, 1, NULL, 0);
	assert_int_equal(fake_submit(hiprio, &early), 0);
	assert_int_equal(fake_completions(&early), 0);
	fake_wait(f->q, &old);
	fake_wait(hiprio, &init);
	fake_wait(hiprio, &early);
	assert_int_equal(fake_error(&early), -ENOSYS);
}

static void parked_init_that_is_aborted_begins_nothing(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_queue *hiprio = fake_attach(&f->host, 0);
	struct fake_chain old, init;

	fake_mount(f->q);
	submit_getattr(f, &old);
	fake_init(&init, 38, 0);
	assert_int_equal(fake_submit(hiprio, &init), 0);
	assert_int_equal(virtiofs_queue_abort(hiprio), 0);
	assert_int_equal(fake_error(&init), -EIO);
	fake_wait(f->q, &old);
	assert_int_equal(f->keeper.ended, 1);
	assert_int_equal(f->keeper.begun, 1);
	assert_true(virtiofs_queue_run(hiprio, 0) >= 0);
}

static void failed_begin_fails_the_mount_only(void **state)
{
	struct fixture *f = *state;
	struct fake_chain init;

	f->keeper.begin_error = -EPERM;
	fake_init(&init, 38, 0);
	assert_int_equal(fake_submit(f->q, &init), 0);
	assert_int_equal(fake_error(&init), -EPERM);
	f->keeper.begin_error = 0;
	fake_mount(f->q);
}

static void guest_too_old_is_refused(void **state)
{
	struct fixture *f = *state;
	struct fake_chain init;

	fake_init(&init, 26, 0);
	assert_int_equal(fake_submit(f->q, &init), 0);
	assert_int_equal(fake_error(&init), -EPROTO);
	assert_int_equal(f->keeper.begun, 0);
}

static void short_init_of_an_old_guest_is_taken(void **state)
{
	struct fixture *f = *state;
	struct fake_chain init;

	fake_init(&init, 31, VIRTIOFS_FUSE_ASYNC_READ | UINT64_C(1) << 33);
	init.in_len = 40 + 16;
	init.in[0] = (unsigned char)init.in_len;
	assert_int_equal(fake_submit(f->q, &init), 0);
	assert_int_equal(fake_error(&init), 0);
	assert_int_equal(f->keeper.offered, VIRTIOFS_FUSE_ASYNC_READ);
}

static void count_done(void *arg)
{
	(*(int *)arg)++;
}

static void reset_ends_the_session(void **state)
{
	struct fixture *f = *state;
	struct fake_chain chain;
	int done = 0;

	fake_mount(f->q);
	submit_getattr(f, &chain);
	assert_int_equal(virtiofs_device_reset(f->host.dev), -EBUSY);
	assert_int_equal(virtiofs_device_quiesce(f->host.dev, count_done, &done), 0);
	assert_int_equal(virtiofs_device_quiesce(f->host.dev, count_done, &done), -EBUSY);
	assert_int_equal(done, 0);
	fake_wait(f->q, &chain);
	assert_int_equal(done, 1);
	assert_int_equal(fake_error(&chain), -EINTR);
	assert_int_equal(fake_submit(f->q, &chain), -ESHUTDOWN);
	assert_int_equal(virtiofs_device_reset(f->host.dev), 0);
	assert_int_equal(f->keeper.ended, 1);
	virtiofs_device_resume(f->host.dev);
	fake_mount(f->q);
}

static void interrupt_cancels_the_request_it_names(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_fuse_interrupt_in in = { 0 };
	struct virtiofs_fuse_in_header header;
	struct fake_chain chain, other;

	fake_mount(f->q);
	submit_getattr(f, &chain);
	fake_request(&other, VIRTIOFS_FUSE_INTERRUPT, 0, &in, sizeof(in));
	assert_int_equal(fake_submit(f->q, &other), 0);
	assert_int_equal(fake_completions(&other), 1);
	assert_int_equal(other.written, 0);
	assert_int_equal(fake_completions(&chain), 0);

	memcpy(&header, chain.in, sizeof(header));
	in.unique = header.unique;
	fake_request(&other, VIRTIOFS_FUSE_INTERRUPT, 0, &in, sizeof(in));
	assert_int_equal(fake_submit(f->q, &other), 0);
	assert_int_equal(other.written, 0);
	assert_int_equal(fake_error(&chain), -EINTR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_served_before_init),
		TEST(init_begins_and_destroy_ends),
		TEST(new_init_cancels_what_is_out_and_waits_for_it),
		TEST(new_init_cancels_on_other_queues_too),
		TEST(requests_behind_a_parked_init_wait_for_it),
		TEST(parked_init_that_is_aborted_begins_nothing),
		TEST(failed_begin_fails_the_mount_only),
		TEST(guest_too_old_is_refused),
		TEST(short_init_of_an_old_guest_is_taken),
		TEST(reset_ends_the_session),
		TEST(interrupt_cancels_the_request_it_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
