/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls of vhost_user.h: who may make them, when they sleep, and what they return. */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/check.h"
#include "vhost_user/front_end.h"

static struct back_end be;
static struct front_end fe;

static int set_up(void **state)
{
	const struct back_end_options options = { .max_inflight = 64 };

	(void)state;
	back_end_start(&be, &options);
	front_end_open(&fe, &be, be.ring_count, 64);
	front_end_start(&fe);
	front_end_init(&fe);
	/* What is left to be looked at is looked at. */
	for (unsigned i = 0; i < 3; i++)
		back_end_pump(&be);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	front_end_close(&fe);
	back_end_stop(&be);
	return 0;
}

static struct virtiofs_fuse_attr_out attr_out;

static struct fuse_pending *submit_getattr(bool quiet)
{
	static const struct virtiofs_fuse_getattr_in in;
	const struct fuse_call call = {
		.opcode = VIRTIOFS_FUSE_GETATTR,
		.nodeid = TEST_FS_ROOT,
		.in = &in,
		.in_len = sizeof(in),
		.out = &attr_out,
		.out_len = sizeof(attr_out),
	};

	return front_end_submit(&fe, 1, &call, quiet);
}

static bool is_readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) > 0;
}

/* ---- Sleeping ---- */

static void wait_ends_with_its_time(void **state)
{
	(void)state;
	assert_int_equal(virtiofs_vhost_user_queue_wait(be.vu, 1, 0), 0);
	assert_int_equal(virtiofs_vhost_user_queue_wait(be.vu, 1, 1), 0);
}

static void wait_ends_with_a_kick(void **state)
{
	struct fuse_pending *pending = submit_getattr(false);

	(void)state;
	assert_int_equal(virtiofs_vhost_user_queue_wait(be.vu, 1, -1), 1);
	/* Until it was run, there is something to do. */
	assert_int_equal(virtiofs_vhost_user_queue_wait(be.vu, 1, -1), 1);
	assert_int_equal(virtiofs_vhost_user_queue_run(be.vu, 1, 0), 1);
	assert_int_equal(virtiofs_vhost_user_queue_wait(be.vu, 1, 0), 0);
	assert_int_equal(front_end_wait(&fe, pending), 0);
}

static void wake_ends_this_wait_or_the_next(void **state)
{
	struct fuse_pending *pending;

	(void)state;
	virtiofs_vhost_user_queue_wake(be.vu, 1);
	assert_int_equal(virtiofs_vhost_user_queue_wait(be.vu, 1, -1), -EINTR);
	(void)virtiofs_vhost_user_queue_run(be.vu, 1, 0);
	assert_int_equal(virtiofs_vhost_user_queue_wait(be.vu, 1, 0), 0);
	/* A kick that came with it is not forgotten. */
	pending = submit_getattr(false);
	virtiofs_vhost_user_queue_wake(be.vu, 1);
	assert_int_equal(virtiofs_vhost_user_queue_wait(be.vu, 1, -1), -EINTR);
	assert_int_equal(virtiofs_vhost_user_queue_wait(be.vu, 1, -1), 1);
	assert_int_equal(virtiofs_vhost_user_queue_run(be.vu, 1, 0), 1);
	assert_int_equal(front_end_wait(&fe, pending), 0);
	virtiofs_vhost_user_queue_wake(be.vu, 77);
}

static void descriptor_of_an_idle_ring_is_quiet(void **state)
{
	struct fuse_pending *pending;
	int fd = virtiofs_vhost_user_queue_fd(be.vu, 1);

	(void)state;
	assert_false(is_readable(fd));
	pending = submit_getattr(false);
	assert_true(is_readable(fd));
	assert_int_equal(virtiofs_vhost_user_queue_run(be.vu, 1, 0), 1);
	assert_false(is_readable(fd));
	assert_int_equal(front_end_wait(&fe, pending), 0);
	assert_false(is_readable(virtiofs_vhost_user_fd(be.vu)));
	assert_int_equal(virtiofs_vhost_user_queue_fd(be.vu, 77), -1);
}

/* ---- Budget ---- */

static void budget_leaves_the_rest_for_the_next_run(void **state)
{
	enum { COUNT = 5 };
	struct fuse_pending *pending[COUNT];

	(void)state;
	for (unsigned i = 0; i < COUNT; i++)
		pending[i] = submit_getattr(false);
	for (unsigned i = 0; i < COUNT; i++) {
		assert_true(is_readable(virtiofs_vhost_user_queue_fd(be.vu, 1)));
		assert_int_equal(virtiofs_vhost_user_queue_run(be.vu, 1, 1), 1);
	}
	/* One more, to find out that there is none. */
	assert_int_equal(virtiofs_vhost_user_queue_run(be.vu, 1, 1), 0);
	assert_false(is_readable(virtiofs_vhost_user_queue_fd(be.vu, 1)));
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(front_end_wait(&fe, pending[i]), 0);
}

static void one_signal_for_a_batch(void **state)
{
	enum { COUNT = 10 };
	struct fuse_pending *pending[COUNT];
	uint64_t signals;

	(void)state;
	(void)!read(fe.rings[1].call, &signals, sizeof(signals));
	guest_ring_enable_signals(&fe.rings[1].ring);
	for (unsigned i = 0; i < COUNT; i++)
		pending[i] = submit_getattr(i + 1 < COUNT);
	assert_int_equal(virtiofs_vhost_user_queue_run(be.vu, 1, 0), COUNT);
	assert_int_equal(read(fe.rings[1].call, &signals, sizeof(signals)), sizeof(signals));
	assert_int_equal(signals, 1);
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(front_end_wait(&fe, pending[i]), 0);
}

/* ---- Whose call it is ---- */

static void *calls_of_a_stranger(void *arg)
{
	(void)arg;
	CHECK(virtiofs_vhost_user_queue_run(be.vu, 1, 0) == -EINVAL);
	CHECK(virtiofs_vhost_user_queue_wait(be.vu, 1, -1) == -EINVAL);
	CHECK(virtiofs_vhost_user_queue_detach(be.vu, 1) == -EINVAL);
	CHECK(virtiofs_vhost_user_queue_attach(be.vu, 1, 0) == -EBUSY);
	return NULL;
}

static void ring_is_its_owners(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, calls_of_a_stranger, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(virtiofs_vhost_user_queue_attach(be.vu, 1, 0), -EBUSY);
	assert_int_equal(virtiofs_vhost_user_queue_attach(be.vu, 2, 0), -EINVAL);
	assert_int_equal(virtiofs_vhost_user_queue_detach(be.vu, 2), -EINVAL);
	assert_int_equal(virtiofs_vhost_user_queue_run(be.vu, 2, 0), -EINVAL);
	assert_int_equal(virtiofs_vhost_user_queue_wait(be.vu, 2, 0), -EINVAL);
	assert_int_equal(virtiofs_vhost_user_destroy(be.vu), -EBUSY);
	front_end_use(&fe);
}

static void second_front_end_is_refused(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(virtiofs_vhost_user_connect(be.vu, pair[0]), -EBUSY);
	/* It is the caller's still. */
	assert_int_equal(close(pair[0]), 0);
	assert_int_equal(close(pair[1]), 0);
	assert_int_equal(virtiofs_vhost_user_connect(be.vu, -1), -EBUSY);
	front_end_use(&fe);
}

static void process_without_a_front_end_is_nothing(void **state)
{
	(void)state;
	front_end_hang_up(&fe);
	assert_int_equal(virtiofs_vhost_user_process(be.vu), 0);
	virtiofs_vhost_user_disconnect(be.vu);
	assert_int_equal(virtiofs_vhost_user_process(be.vu), 0);
	assert_int_equal(virtiofs_vhost_user_connect(be.vu, -1), -EBADF);
	for (unsigned i = 0; i < fe.ring_count; i++)
		guest_ring_reset(&fe.rings[i].ring);
	front_end_reconnect(&fe);
	front_end_start(&fe);
	front_end_init(&fe);
}

/* ---- Rings that nobody has ---- */

static void detach(unsigned index)
{
	assert_int_equal(virtiofs_vhost_user_queue_detach(be.vu, index), 0);
}

static void attach(unsigned index)
{
	assert_int_equal(virtiofs_vhost_user_queue_attach(be.vu, index, 0), 0);
}

/* Control alone, where back_end_pump() would run rings that are not attached. */
static void process(unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		assert_int_equal(virtiofs_vhost_user_process(be.vu), 0);
}

static void control_applies_changes_of_a_ring_that_nobody_has(void **state)
{
	const struct vfi_vu_vring_state base = { 1, 0 };
	struct vfi_vu_vring_state answer;
	struct fuse_pending *pending;

	(void)state;
	detach(1);
	front_end_send(&fe, VU_GET_VRING_BASE, VU_FLAG_VERSION, &base, sizeof(base), NULL, 0);
	process(3);
	assert_true(front_end_reply(&fe, VU_GET_VRING_BASE, &answer, sizeof(answer)));
	assert_int_equal(answer.num, fe.rings[1].ring.avail_idx);
	front_end_do(&fe, VU_SET_VRING_BASE, 1, answer.num);
	front_end_do(&fe, VU_SET_VRING_CALL, 1, 0);
	front_end_do(&fe, VU_SET_VRING_KICK, 1, 0);
	process(3);
	/* What comes in meanwhile is served when somebody has it. */
	pending = submit_getattr(false);
	process(3);
	attach(1);
	assert_int_equal(virtiofs_vhost_user_queue_wait(be.vu, 1, -1), 1);
	assert_int_equal(virtiofs_vhost_user_queue_run(be.vu, 1, 0), 1);
	assert_int_equal(front_end_wait(&fe, pending), 0);
}

static struct fuse_pending *hold_statfs(void)
{
	static struct virtiofs_fuse_statfs_out out;
	const struct fuse_call call = {
		.opcode = VIRTIOFS_FUSE_STATFS,
		.nodeid = TEST_FS_ROOT,
		.out = &out,
		.out_len = sizeof(out),
	};
	struct fuse_pending *pending;

	be.fs.hold = TEST_FS_HOLD_UNTIL_CANCEL;
	pending = front_end_submit(&fe, 1, &call, false);
	assert_int_equal(virtiofs_vhost_user_queue_run(be.vu, 1, 0), 0);
	assert_true(test_fs_holds(&be.fs));
	return pending;
}

static void chains_in_work_wait_for_the_next_owner(void **state)
{
	const struct vfi_vu_vring_state base = { 1, 0 };
	struct vfi_vu_vring_state answer;
	struct fuse_pending *pending = hold_statfs();

	(void)state;
	detach(1);
	front_end_send(&fe, VU_GET_VRING_BASE, VU_FLAG_VERSION, &base, sizeof(base), NULL, 0);
	process(5);
	assert_false(front_end_has_reply(&fe));
	attach(1);
	assert_true(front_end_reply(&fe, VU_GET_VRING_BASE, &answer, sizeof(answer)));
	assert_int_equal(front_end_wait(&fe, pending), -EINTR);
}

static void destroy_answers_what_was_left_in_work(void **state)
{
	struct fuse_pending *pending = hold_statfs();

	(void)state;
	detach(0);
	detach(1);
	/* The filesystem still has it: it was given back, but is not forgotten. */
	be.fs.hold = TEST_FS_HOLD;
	assert_int_equal(virtiofs_vhost_user_destroy(be.vu), -EBUSY);
	fe.be = NULL;
	assert_int_equal(front_end_wait(&fe, pending), -EIO);
	test_fs_release(&be.fs);
	fe.be = &be;
	attach(0);
	attach(1);
	for (unsigned i = 0; i < fe.ring_count; i++)
		guest_ring_reset(&fe.rings[i].ring);
	close(fe.socket);
	fe.socket = -1;
	front_end_reconnect(&fe);
	front_end_start(&fe);
	front_end_init(&fe);
	front_end_use(&fe);
}

/* ---- Making one ---- */

static int create_with(const struct virtiofs_device_options *device, uint32_t max_queue_size)
{
	struct virtiofs_vhost_user_options options = VIRTIOFS_VHOST_USER_OPTIONS_INIT;
	struct virtiofs_vhost_user *vu = NULL;
	int err;

	options.device = device;
	options.max_queue_size = max_queue_size;
	err = virtiofs_vhost_user_create(&vu, NULL, be.fs.fs, &options);
	if (err)
		assert_null(vu);
	else
		assert_int_equal(virtiofs_vhost_user_destroy(vu), 0);
	return err;
}

static void options_out_of_range_are_refused(void **state)
{
	struct virtiofs_device_options device = VIRTIOFS_DEVICE_OPTIONS_INIT;
	struct virtiofs_vhost_user *vu;

	(void)state;
	assert_int_equal(create_with(NULL, 0), 0);
	assert_int_equal(create_with(&device, 1024), 0);
	assert_int_equal(create_with(NULL, 3), -EINVAL);
	assert_int_equal(create_with(NULL, 65536), -EINVAL);
	device.request_queues = 65;
	assert_int_equal(create_with(&device, 0), -EINVAL);
	device.request_queues = UINT32_MAX;
	assert_int_equal(create_with(&device, 0), -EINVAL);
	device.request_queues = 64;
	assert_int_equal(create_with(&device, 0), 0);
	assert_int_equal(virtiofs_vhost_user_destroy(NULL), 0);
	assert_int_equal(virtiofs_vhost_user_create(&vu, NULL, be.fs.fs, NULL), 0);
	assert_int_equal(virtiofs_vhost_user_queue_count(vu), 2);
	assert_int_equal(virtiofs_device_queue_count(virtiofs_vhost_user_device(vu)), 2);
	assert_int_equal(virtiofs_vhost_user_destroy(vu), 0);
}

/* Whatever the first descriptor is that cannot be had. */
static void create_without_descriptors_leaves_nothing(void **state)
{
	struct rlimit old, low;
	int before = count_fds();
	int next = dup(0);
	int err = -EMFILE;

	(void)state;
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (rlim_t room = 0; err; room++) {
		low = old;
		low.rlim_cur = (rlim_t)next + room;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
		err = create_with(NULL, 64);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
		assert_true(err == 0 || err == -EMFILE);
		assert_int_equal(count_fds(), before);
		assert_true(room < 64);
	}
}

#define WITH_BACK_END(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BACK_END(wait_ends_with_its_time),
		WITH_BACK_END(wait_ends_with_a_kick),
		WITH_BACK_END(wake_ends_this_wait_or_the_next),
		WITH_BACK_END(descriptor_of_an_idle_ring_is_quiet),
		WITH_BACK_END(budget_leaves_the_rest_for_the_next_run),
		WITH_BACK_END(one_signal_for_a_batch),
		WITH_BACK_END(ring_is_its_owners),
		WITH_BACK_END(second_front_end_is_refused),
		WITH_BACK_END(process_without_a_front_end_is_nothing),
		WITH_BACK_END(control_applies_changes_of_a_ring_that_nobody_has),
		WITH_BACK_END(chains_in_work_wait_for_the_next_owner),
		WITH_BACK_END(destroy_answers_what_was_left_in_work),
		WITH_BACK_END(options_out_of_range_are_refused),
		WITH_BACK_END(create_without_descriptors_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
