/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stopping a device whose filesystem answers from other threads: each chain comes
 * back once, whoever is first.
 */
#include "support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/check.h"
#include "support/fake_vmm.h"
#include "support/fuse_calls.h"
#include "support/slow_fs.h"

enum { OUT_HEADER = 16, MANY = 16, QUEUE = 1, READ_SIZE = 3000, WAIT_SECONDS = 60 };

struct fixture {
	struct slow_fs *slow;
	struct fake_vmm vmm;
	struct fuse_client *c;
	struct virtiofs_queue *q;
	struct test_random random;
	struct fuse_call *calls[MANY];
	unsigned done; /* how often a stop's done ran */
};

static int setup(void **state)
{
	const struct fake_vmm_options options = { .ring = { 128, true, true } };
	struct fixture *f = calloc(1, sizeof(*f));

	CHECK(f);
	test_random_init(&f->random, test_seed());
	f->slow = slow_fs_create(2);
	fake_vmm_open(&f->vmm, slow_fs_fs(f->slow), &options);
	f->c = fake_vmm_client(&f->vmm, QUEUE);
	f->q = f->vmm.queues[QUEUE].queue;
	fuse_mount(f->c);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fake_vmm_close(&f->vmm);
	slow_fs_destroy(f->slow);
	free(f);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void count_done(void *arg)
{
	struct fixture *f = arg;

	f->done++;
}

static struct fuse_call *submit(struct fixture *f)
{
	struct virtiofs_fuse_read_in read_in = { .size = READ_SIZE };
	struct virtiofs_fuse_getattr_in getattr_in = { .getattr_flags = 0 };
	struct fuse_request request = { .nodeid = FUSE_ROOT };
	struct fuse_call *call;

	if (test_random_one_in(&f->random, 2)) {
		request.opcode = VIRTIOFS_FUSE_READ;
		request.parts[0] = (struct iovec){ &read_in, sizeof(read_in) };
		request.room = OUT_HEADER + READ_SIZE;
	} else {
		request.opcode = VIRTIOFS_FUSE_GETATTR;
		request.parts[0] = (struct iovec){ &getattr_in, sizeof(getattr_in) };
		request.room = OUT_HEADER + sizeof(struct virtiofs_fuse_attr_out);
	}
	call = fuse_client_submit(f->c, &request);
	CHECK(call);
	return call;
}

static void submit_many(struct fixture *f)
{
	for (unsigned i = 0; i < MANY; i++)
		f->calls[i] = submit(f);
	fake_vmm_serve(&f->vmm, QUEUE);
}

/* What a call ended with; 0 only with the whole answer. */
static int result_of(struct fuse_call *call)
{
	int error = fuse_call_error(call);
	uint32_t len;

	if (error == 0 && call->opcode == VIRTIOFS_FUSE_READ) {
		const unsigned char *bytes = fuse_call_body(call, &len);

		assert_int_equal(len, READ_SIZE);
		for (uint32_t i = 0; i < len; i++)
			assert_int_equal(bytes[i], SLOW_FS_BYTE);
	}
	fuse_call_free(call);
	return error;
}

/* Serve until @condition holds. */
#define SERVE_UNTIL(f, condition)                               \
	do {                                                    \
		time_t deadline = time(NULL) + WAIT_SECONDS;    \
		fake_vmm_serve(&(f)->vmm, QUEUE);               \
		while (!(condition)) {                          \
			assert_true(time(NULL) < deadline);     \
			fake_vmm_sleep(&(f)->vmm, QUEUE, 1000); \
			fake_vmm_serve(&(f)->vmm, QUEUE);       \
		}                                               \
	} while (0)

static void assert_serves(struct fixture *f)
{
	struct virtiofs_fuse_attr attr;

	assert_int_equal(fuse_getattr(f->c, FUSE_ROOT, &attr), 0);
	assert_int_equal(attr.ino, 1);
}

static void late_replies_reach_the_guest(void **state)
{
	struct fixture *f = *state;

	for (unsigned round = 0; round < 50; round++) {
		submit_many(f);
		for (unsigned i = 0; i < MANY; i++) {
			fuse_client_wait(f->c, f->calls[i]);
			assert_int_equal(result_of(f->calls[i]), 0);
		}
	}
}

static void stop_waits_for_who_does_not_heed_it(void **state)
{
	struct fixture *f = *state;
	struct fuse_call *late;

	slow_fs_hold(f->slow, true);
	submit_many(f);
	assert_int_equal(virtiofs_queue_stop(f->q, count_done, f), 0);
	assert_int_equal(virtiofs_queue_stop(f->q, count_done, f), -EBUSY);
	assert_int_equal(virtiofs_queue_resume(f->q), -EBUSY);
	fake_vmm_serve(&f->vmm, QUEUE);
	assert_int_equal(f->done, 0);
	assert_int_equal(slow_fs_cancelled(f->slow), MANY);
	slow_fs_hold(f->slow, false);
	SERVE_UNTIL(f, f->done);
	assert_int_equal(fuse_client_poll(f->c), MANY);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(result_of(f->calls[i]), 0);
	/* Stopped, it takes nothing in; the chain waits for the resume. */
	late = submit(f);
	fake_vmm_serve(&f->vmm, QUEUE);
	assert_int_equal(virtiofs_queue_inflight(f->q), 0);
	assert_int_equal(virtiofs_queue_resume(f->q), 0);
	fuse_client_wait(f->c, late);
	assert_int_equal(result_of(late), 0);
	assert_int_equal(f->done, 1);
}

static void stop_ends_at_once_where_it_is_heeded(void **state)
{
	struct fixture *f = *state;

	slow_fs_hold(f->slow, true);
	slow_fs_heed_cancel(f->slow, true);
	submit_many(f);
	assert_int_equal(virtiofs_queue_stop(f->q, count_done, f), 0);
	SERVE_UNTIL(f, f->done);
	assert_int_equal(fuse_client_poll(f->c), MANY);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(result_of(f->calls[i]), -EINTR);
	slow_fs_hold(f->slow, false);
	assert_int_equal(virtiofs_queue_resume(f->q), 0);
	assert_serves(f);
}

static void quiesce_stops_all_queues_and_says_so_once(void **state)
{
	struct fixture *f = *state;

	slow_fs_hold(f->slow, true);
	submit_many(f);
	assert_int_equal(virtiofs_device_quiesce(f->vmm.dev, count_done, f), 0);
	assert_int_equal(virtiofs_device_quiesce(f->vmm.dev, count_done, f), -EBUSY);
	fake_vmm_serve(&f->vmm, 0);
	fake_vmm_serve(&f->vmm, QUEUE);
	assert_int_equal(f->done, 0);
	assert_int_equal(virtiofs_device_reset(f->vmm.dev), -EBUSY);
	slow_fs_hold(f->slow, false);
	SERVE_UNTIL(f, f->done);
	assert_int_equal(fuse_client_poll(f->c), MANY);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(result_of(f->calls[i]), 0);
	virtiofs_device_resume(f->vmm.dev);
	assert_serves(f);
	assert_int_equal(f->done, 1);
}

static void reset_after_a_quiesce_ends_the_session(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_fuse_attr attr;
	unsigned ended;

	slow_fs_heed_cancel(f->slow, true);
	submit_many(f);
	assert_int_equal(virtiofs_device_quiesce(f->vmm.dev, count_done, f), 0);
	fake_vmm_serve(&f->vmm, 0);
	SERVE_UNTIL(f, f->done);
	assert_int_equal(virtiofs_device_reset(f->vmm.dev), 0);
	assert_int_equal(slow_fs_sessions(f->slow, &ended), 1);
	assert_int_equal(ended, 1);
	virtiofs_device_resume(f->vmm.dev);
	assert_int_equal(fuse_client_poll(f->c), MANY);
	for (unsigned i = 0; i < MANY; i++) {
		int result = result_of(f->calls[i]);

		assert_true(result == 0 || result == -EINTR);
	}
	assert_int_equal(fuse_getattr(f->c, FUSE_ROOT, &attr), -EIO);
	fuse_mount(f->c);
	assert_serves(f);
}

/* The low memory that buffers come from first. */
enum { WATCHED = 0x20000 };

static unsigned char *snapshot(const struct fixture *f)
{
	unsigned char *bytes = malloc(WATCHED);

	CHECK(bytes);
	guest_ram_read(f->vmm.ram, GUEST_RAM_SEAM - 0x8000, bytes, WATCHED);
	return bytes;
}

static void abort_gives_all_back_and_late_replies_touch_nothing(void **state)
{
	struct fixture *f = *state;
	unsigned char *before, *after;
	unsigned ended;

	slow_fs_hold(f->slow, true);
	submit_many(f);
	assert_int_equal(virtiofs_queue_abort(f->q), 0);
	assert_int_equal(virtiofs_queue_inflight(f->q), 0);
	assert_int_equal(fuse_client_poll(f->c), MANY);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(result_of(f->calls[i]), -EIO);
	assert_int_equal(slow_fs_unanswered(f->slow), MANY);
	/* All queues are quiet, but the session is still in use by those. */
	assert_int_equal(virtiofs_device_quiesce(f->vmm.dev, count_done, f), 0);
	fake_vmm_serve(&f->vmm, 0);
	SERVE_UNTIL(f, f->done);
	assert_int_equal(virtiofs_device_reset(f->vmm.dev), -EBUSY);
	before = snapshot(f);
	slow_fs_hold(f->slow, false);
	slow_fs_drain(f->slow);
	fake_vmm_serve(&f->vmm, QUEUE);
	after = snapshot(f);
	assert_memory_equal(before, after, WATCHED);
	assert_int_equal(fuse_client_poll(f->c), 0);
	assert_int_equal(virtiofs_device_reset(f->vmm.dev), 0);
	slow_fs_sessions(f->slow, &ended);
	assert_int_equal(ended, 1);
	virtiofs_device_resume(f->vmm.dev);
	assert_int_equal(virtiofs_queue_resume(f->q), 0);
	fuse_mount(f->c);
	assert_serves(f);
	free(before);
	free(after);
}

static void aborted_chains_make_room_for_new_ones_only_when_answered(void **state)
{
	struct fixture *f = *state;

	/* Detached requests keep their slots: a queue cannot be flooded by aborting. */
	slow_fs_hold(f->slow, true);
	submit_many(f);
	assert_int_equal(virtiofs_queue_abort(f->q), 0);
	assert_int_equal(fuse_client_poll(f->c), MANY);
	for (unsigned i = 0; i < MANY; i++)
		fuse_call_free(f->calls[i]);
	assert_int_equal(virtiofs_queue_resume(f->q), 0);
	submit_many(f);
	slow_fs_hold(f->slow, false);
	for (unsigned i = 0; i < MANY; i++) {
		fuse_client_wait(f->c, f->calls[i]);
		assert_int_equal(result_of(f->calls[i]), 0);
	}
	slow_fs_drain(f->slow);
	fake_vmm_serve(&f->vmm, QUEUE);
}

static void new_init_waits_for_the_old_sessions_requests(void **state)
{
	struct fixture *f = *state;
	struct virtiofs_fuse_init_in in = { .major = 7, .minor = 38 };
	struct fuse_request init = { .opcode = VIRTIOFS_FUSE_INIT,
				     .parts = { { &in, sizeof(in) } },
				     .room = 16 + sizeof(struct virtiofs_fuse_init_out) };
	struct fuse_call *call;
	unsigned ended;

	slow_fs_hold(f->slow, true);
	submit_many(f);
	call = fuse_client_submit(f->c, &init);
	fake_vmm_serve(&f->vmm, QUEUE);
	assert_int_equal(slow_fs_cancelled(f->slow), MANY);
	assert_int_equal(slow_fs_sessions(f->slow, &ended), 1);
	assert_int_equal(ended, 0);
	slow_fs_hold(f->slow, false);
	fuse_client_wait(f->c, call);
	assert_int_equal(fuse_call_error(call), 0);
	fuse_call_free(call);
	assert_int_equal(slow_fs_sessions(f->slow, &ended), 2);
	assert_int_equal(ended, 1);
	for (unsigned i = 0; i < MANY; i++) {
		fuse_client_wait(f->c, f->calls[i]);
		assert_int_equal(result_of(f->calls[i]), 0);
	}
	assert_serves(f);
}

/* ---- all of it, at random ---- */

static void stop_somehow(struct fixture *f)
{
	f->done = 0;
	switch (test_random_range(&f->random, 0, 3)) {
	case 0:
		assert_int_equal(virtiofs_queue_stop(f->q, count_done, f), 0);
		SERVE_UNTIL(f, f->done);
		assert_int_equal(virtiofs_queue_resume(f->q), 0);
		break;
	case 1:
		assert_int_equal(virtiofs_device_quiesce(f->vmm.dev, count_done, f), 0);
		fake_vmm_serve(&f->vmm, 0);
		SERVE_UNTIL(f, f->done);
		if (test_random_one_in(&f->random, 2) && virtiofs_device_reset(f->vmm.dev) == 0) {
			virtiofs_device_resume(f->vmm.dev);
			fuse_mount(f->c);
			break;
		}
		virtiofs_device_resume(f->vmm.dev);
		break;
	case 2:
		assert_int_equal(virtiofs_queue_abort(f->q), 0);
		assert_int_equal(virtiofs_queue_inflight(f->q), 0);
		assert_int_equal(virtiofs_queue_resume(f->q), 0);
		break;
	default:
		fuse_mount(f->c);
		break;
	}
}

static void every_chain_comes_back_once_however_it_is_stopped(void **state)
{
	enum { ROUNDS = 300 };
	struct fixture *f = *state;

	slow_fs_heed_cancel(f->slow, true);
	for (unsigned round = 0; round < ROUNDS; round++) {
		submit_many(f);
		if (test_random_one_in(&f->random, 4))
			fake_vmm_sleep(&f->vmm, QUEUE, 1);
		stop_somehow(f);
		for (unsigned i = 0; i < MANY; i++) {
			int result;

			fuse_client_wait(f->c, f->calls[i]);
			result = result_of(f->calls[i]);
			assert_true(result == 0 || result == -EINTR || result == -EIO);
		}
	}
	slow_fs_drain(f->slow);
	fake_vmm_serve(&f->vmm, QUEUE);
	assert_serves(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(late_replies_reach_the_guest),
		TEST(stop_waits_for_who_does_not_heed_it),
		TEST(stop_ends_at_once_where_it_is_heeded),
		TEST(quiesce_stops_all_queues_and_says_so_once),
		TEST(reset_after_a_quiesce_ends_the_session),
		TEST(abort_gives_all_back_and_late_replies_touch_nothing),
		TEST(aborted_chains_make_room_for_new_ones_only_when_answered),
		TEST(new_init_waits_for_the_old_sessions_requests),
		TEST(every_chain_comes_back_once_however_it_is_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
