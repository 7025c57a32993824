/* SPDX-License-Identifier: BSD-2-Clause */
/* Rings that stop, break, and change while they are served. */
#include "support/test.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/check.h"
#include "vhost_user/front_end.h"

struct fixture {
	struct back_end be;
	struct front_end fe;
	int fds_before;
	int mappings_before;
};

static struct fixture *set_up(bool threaded, uint32_t max_inflight)
{
	static struct fixture f;
	const struct back_end_options options = {
		.threaded = threaded,
		.max_inflight = max_inflight,
		.request_queues = 2,
	};

	f.mappings_before = count_mappings();
	back_end_start(&f.be, &options);
	f.fds_before = count_fds();
	front_end_open(&f.fe, &f.be, f.be.ring_count, 64);
	front_end_start(&f.fe);
	front_end_init(&f.fe);
	return &f;
}

static void tear_down(struct fixture *f)
{
	front_end_close(&f->fe);
	assert_int_equal(count_fds(), f->fds_before);
	assert_int_equal(count_mappings(), f->mappings_before);
	back_end_stop(&f->be);
}

/* ---- Requests that stay out ---- */

static struct virtiofs_fuse_statfs_out statfs_out;

static struct fuse_pending *hold_one(struct fixture *f, unsigned ring, int how)
{
	const struct fuse_call call = {
		.opcode = VIRTIOFS_FUSE_STATFS,
		.nodeid = TEST_FS_ROOT,
		.out = &statfs_out,
		.out_len = sizeof(statfs_out),
	};
	struct fuse_pending *pending;

	__atomic_store_n(&f->be.fs.hold, how, __ATOMIC_SEQ_CST);
	pending = front_end_submit(&f->fe, ring, &call, false);
	while (!test_fs_holds(&f->be.fs))
		front_end_pump(&f->fe);
	return pending;
}

static void pump_for_a_while(struct fixture *f)
{
	for (unsigned i = 0; i < 30; i++)
		front_end_pump(&f->fe);
}

static void ask_base(struct front_end *fe, unsigned ring)
{
	const struct vfi_vu_vring_state state = { ring, 0 };

	front_end_send(fe, VU_GET_VRING_BASE, VU_FLAG_VERSION, &state, sizeof(state), NULL, 0);
}

static uint32_t hear_base(struct front_end *fe)
{
	struct vfi_vu_vring_state state;

	assert_true(front_end_reply(fe, VU_GET_VRING_BASE, &state, sizeof(state)));
	return state.num;
}

static void stop_cancels_what_waits_and_answers_first(void **state)
{
	struct fixture *f = set_up(*state != NULL, 0);
	struct fuse_pending *pending = hold_one(f, 1, TEST_FS_HOLD_UNTIL_CANCEL);
	uint16_t used = guest_ring_used_idx(&f->fe.rings[1].ring);

	ask_base(&f->fe, 1);
	assert_int_equal(hear_base(&f->fe), f->fe.rings[1].ring.avail_idx);
	/* In the used ring before the reply was. */
	assert_int_equal(guest_ring_used_idx(&f->fe.rings[1].ring), (uint16_t)(used + 1));
	assert_int_equal(test_get(&f->be.fs.cancelled), 1);
	assert_int_equal(front_end_wait(&f->fe, pending), -EINTR);
	tear_down(f);
}

static void stop_waits_for_what_cannot_be_cancelled(void **state)
{
	struct fixture *f = set_up(*state != NULL, 0);
	struct fuse_pending *pending = hold_one(f, 1, TEST_FS_HOLD);

	ask_base(&f->fe, 1);
	/* The ring's thread comes to it in its own time. */
	while (test_get(&f->be.fs.cancelled) == 0)
		back_end_pump(&f->be);
	pump_for_a_while(f);
	assert_false(front_end_has_reply(&f->fe));
	assert_int_equal(test_get(&f->be.fs.cancelled), 1);
	test_fs_release(&f->be.fs);
	assert_int_equal(hear_base(&f->fe), f->fe.rings[1].ring.avail_idx);
	assert_int_equal(front_end_wait(&f->fe, pending), -EIO);
	tear_down(f);
}

static void other_rings_are_served_while_one_stops(void **state)
{
	struct fixture *f = set_up(*state != NULL, 0);
	struct fuse_pending *pending = hold_one(f, 1, TEST_FS_HOLD);
	const struct virtiofs_fuse_getattr_in in = { 0 };
	struct virtiofs_fuse_attr_out out;
	const struct fuse_call call = {
		.opcode = VIRTIOFS_FUSE_GETATTR,
		.nodeid = TEST_FS_ROOT,
		.in = &in,
		.in_len = sizeof(in),
		.out = &out,
		.out_len = sizeof(out),
	};

	ask_base(&f->fe, 1);
	pump_for_a_while(f);
	assert_int_equal(front_end_call(&f->fe, 2, &call), 0);
	test_fs_release(&f->be.fs);
	(void)hear_base(&f->fe);
	assert_int_equal(front_end_wait(&f->fe, pending), -EIO);
	tear_down(f);
}

static void connection_ends_when_its_last_request_is_back(void **state)
{
	struct fixture *f = set_up(*state != NULL, 0);
	struct fuse_pending *pending = hold_one(f, 2, TEST_FS_HOLD);

	close(f->fe.socket);
	f->fe.socket = -1;
	pump_for_a_while(f);
	assert_int_equal(test_get(&f->be.disconnects), 0);
	assert_int_equal(test_get(&f->be.fs.ended), 0);
	/* What the request's chain lies in is still there: two mappings of each region. */
	assert_true(count_mappings() > f->mappings_before + GUEST_RAM_REGIONS);
	test_fs_release(&f->be.fs);
	back_end_wait_disconnected(&f->be, 1);
	assert_int_equal(test_get(&f->be.fs.ended), 1);
	assert_int_equal(count_mappings(), f->mappings_before + GUEST_RAM_REGIONS);
	assert_int_equal(front_end_wait(&f->fe, pending), -EIO);
	for (unsigned i = 0; i < f->fe.ring_count; i++)
		guest_ring_reset(&f->fe.rings[i].ring);
	front_end_reconnect(&f->fe);
	front_end_start(&f->fe);
	front_end_init(&f->fe);
	front_end_use(&f->fe);
	tear_down(f);
}

static void reset_waits_for_what_is_out(void **state)
{
	struct fixture *f = set_up(*state != NULL, 0);
	struct fuse_pending *pending = hold_one(f, 1, TEST_FS_HOLD);
	uint64_t answer;

	front_end_send(&f->fe, VU_RESET_DEVICE, VU_FLAG_VERSION | VU_FLAG_NEED_REPLY, NULL, 0, NULL,
		       0);
	pump_for_a_while(f);
	assert_false(front_end_has_reply(&f->fe));
	test_fs_release(&f->be.fs);
	assert_true(front_end_reply(&f->fe, VU_RESET_DEVICE, &answer, sizeof(answer)));
	assert_int_equal(answer, 0);
	assert_int_equal(test_get(&f->be.fs.ended), 1);
	assert_int_equal(front_end_wait(&f->fe, pending), -EIO);
	tear_down(f);
}

static void disconnect_is_reported_as_an_end(void **state)
{
	struct fixture *f = set_up(*state != NULL, 0);
	char byte;

	back_end_drop(&f->be);
	back_end_wait_disconnected(&f->be, 1);
	/* ECONNRESET where it had not read everything. */
	assert_true(recv(f->fe.socket, &byte, 1, 0) <= 0);
	close(f->fe.socket);
	f->fe.socket = -1;
	for (unsigned i = 0; i < f->fe.ring_count; i++)
		guest_ring_reset(&f->fe.rings[i].ring);
	front_end_reconnect(&f->fe);
	front_end_start(&f->fe);
	front_end_init(&f->fe);
	tear_down(f);
}

/* ---- More requests than there is room for ---- */

/* Put @count GETATTRs on ring 1; with one kick for all, or one for each. */
static void ask_often(struct fixture *f, struct fuse_pending **pending,
		      struct virtiofs_fuse_attr_out *out, unsigned count, bool one_kick)
{
	static const struct virtiofs_fuse_getattr_in in;
	struct fuse_call call = {
		.opcode = VIRTIOFS_FUSE_GETATTR,
		.nodeid = TEST_FS_ROOT,
		.in = &in,
		.in_len = sizeof(in),
		.out_len = sizeof(*out),
	};

	for (unsigned i = 0; i < count; i++) {
		call.out = &out[i];
		pending[i] = front_end_submit(&f->fe, 1, &call, one_kick && i + 1 < count);
	}
}

static void requests_beyond_max_inflight_wait_their_turn(void **state)
{
	enum { COUNT = 8 };
	struct fixture *f = set_up(*state != NULL, 2);
	struct virtiofs_fuse_attr_out out[COUNT];
	struct fuse_pending *pending[COUNT], *held = hold_one(f, 1, TEST_FS_HOLD);

	ask_often(f, pending, out, COUNT, true);
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(front_end_wait(&f->fe, pending[i]), 0);
	test_fs_release(&f->be.fs);
	assert_int_equal(front_end_wait(&f->fe, held), -EIO);
	tear_down(f);
}

/* A stop with more available than was taken: the base says where to go on. */
static void what_was_not_taken_is_served_after_a_restart(void **state)
{
	enum { COUNT = 8 };
	struct fixture *f = set_up(*state != NULL, 1);
	struct virtiofs_fuse_attr_out out[COUNT];
	struct fuse_pending *pending[COUNT], *held = hold_one(f, 1, TEST_FS_HOLD_UNTIL_CANCEL);
	uint16_t base;

	ask_often(f, pending, out, COUNT, false);
	pump_for_a_while(f);
	ask_base(&f->fe, 1);
	base = (uint16_t)hear_base(&f->fe);
	assert_int_equal(base, guest_ring_used_idx(&f->fe.rings[1].ring));
	assert_int_equal((uint16_t)(f->fe.rings[1].ring.avail_idx - base), COUNT);
	assert_int_equal(front_end_wait(&f->fe, held), -EINTR);
	test_fs_release(&f->be.fs);
	front_end_do(&f->fe, VU_SET_VRING_BASE, 1, base);
	front_end_do(&f->fe, VU_SET_VRING_KICK, 1, 0);
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(front_end_wait(&f->fe, pending[i]), 0);
	tear_down(f);
}

/* ---- Descriptors that change ---- */

static bool is_readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) > 0;
}

static void drain_eventfd(int fd)
{
	uint64_t n;

	(void)!read(fd, &n, sizeof(n));
}

/* A message and its answer lie behind this. */
static void barrier(struct front_end *fe)
{
	front_end_do(fe, VU_GET_QUEUE_NUM, 0, 0);
}

static void new_call_of_a_running_ring_is_signalled_once(void **state)
{
	struct fixture *f = set_up(*state != NULL, 0);
	struct front_end_ring *ring = &f->fe.rings[1];

	drain_eventfd(ring->call);
	front_end_do(&f->fe, VU_SET_VRING_CALL, 1, 0);
	while (!is_readable(ring->call))
		front_end_pump(&f->fe);
	/* A stopped ring is silent. */
	front_end_do(&f->fe, VU_GET_VRING_BASE, 1, 0);
	drain_eventfd(ring->call);
	front_end_do(&f->fe, VU_SET_VRING_CALL, 1, 0);
	barrier(&f->fe);
	pump_for_a_while(f);
	assert_false(is_readable(ring->call));
	tear_down(f);
}

/*
 * As QEMU does when a guest masks and unmasks its interrupt: every wait is on the
 * newest descriptor alone, so that a signal lost on the way is a hang.
 */
static void no_answer_is_lost_while_the_call_is_swapped(void **state)
{
	struct fixture *f = set_up(*state != NULL, 0);
	struct front_end_ring *ring = &f->fe.rings[1];
	const struct virtiofs_fuse_getattr_in in = { 0 };
	struct virtiofs_fuse_attr_out out;
	const struct fuse_call call = {
		.opcode = VIRTIOFS_FUSE_GETATTR,
		.nodeid = TEST_FS_ROOT,
		.in = &in,
		.in_len = sizeof(in),
		.out = &out,
		.out_len = sizeof(out),
	};

	for (unsigned i = 0; i < 2000; i++) {
		struct fuse_pending *pending = front_end_submit(&f->fe, 1, &call, false);

		if (i % 3 == 0)
			f->fe.need_reply ^= ACK(VU_SET_VRING_CALL);
		close(ring->call);
		ring->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		assert_true(ring->call >= 0);
		front_end_do(&f->fe, VU_SET_VRING_CALL, 1, 0);
		assert_int_equal(front_end_wait(&f->fe, pending), 0);
	}
	tear_down(f);
}

static void kick_may_be_swapped_while_the_ring_runs(void **state)
{
	struct fixture *f = set_up(*state != NULL, 0);

	for (unsigned i = 0; i < 200; i++) {
		for (unsigned r = 1; r < f->fe.ring_count; r++) {
			close(f->fe.rings[r].kick);
			f->fe.rings[r].kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
			assert_true(f->fe.rings[r].kick >= 0);
			front_end_do(&f->fe, VU_SET_VRING_KICK, r, 0);
		}
		/* A kick on its way is lost to the old one, as it would be for QEMU. */
		barrier(&f->fe);
		front_end_getattr(&f->fe);
	}
	tear_down(f);
}

static void ring_goes_over_to_polling_and_back(void **state)
{
	struct fixture *f = set_up(*state != NULL, 0);

	for (unsigned i = 0; i < 3; i++) {
		f->fe.polled = !f->fe.polled;
		for (unsigned r = 0; r < f->fe.ring_count; r++) {
			front_end_do(&f->fe, VU_SET_VRING_KICK, r, 0);
			front_end_do(&f->fe, VU_SET_VRING_CALL, r, 0);
		}
		barrier(&f->fe);
		front_end_use(&f->fe);
	}
	tear_down(f);
}

/* ---- Rings that break ---- */

static void wait_for_error(struct fixture *f, unsigned ring)
{
	while (!is_readable(f->fe.rings[ring].err))
		front_end_pump(&f->fe);
}

static void broken_ring_is_told_and_the_others_go_on(void **state)
{
	struct fixture *f = set_up(*state != NULL, 0);
	struct guest_ring *ring = &f->fe.rings[1].ring;
	const uint64_t one = 1;

	guest_ring_set_avail_idx(ring, (uint16_t)(ring->avail_idx + 1000));
	assert_int_equal(write(f->fe.rings[1].kick, &one, sizeof(one)), sizeof(one));
	wait_for_error(f, 1);
	assert_true(back_end_logged(&f->be, "ring 1 is broken"));
	assert_false(is_readable(f->fe.rings[2].err));
	/* A reset heals it. */
	front_end_do(&f->fe, VU_GET_VRING_BASE, 1, 0);
	guest_ring_reset(ring);
	front_end_do(&f->fe, VU_SET_VRING_BASE, 1, 0);
	front_end_do(&f->fe, VU_SET_VRING_KICK, 1, 0);
	front_end_use(&f->fe);
	tear_down(f);
}

static void ring_whose_memory_goes_is_broken(void **state)
{
	struct fixture *f = set_up(*state != NULL, 0);

	f->fe.need_reply = ACK(VU_REM_MEM_REG);
	front_end_do(&f->fe, VU_REM_MEM_REG, 0, 0);
	for (unsigned i = 0; i < f->fe.ring_count; i++)
		wait_for_error(f, i);
	/* Nobody keeps what was removed, although nothing comes in any more. */
	while (count_mappings() > f->mappings_before + GUEST_RAM_REGIONS)
		front_end_pump(&f->fe);
	for (unsigned i = 0; i < f->fe.ring_count; i++) {
		front_end_do(&f->fe, VU_GET_VRING_BASE, i, 0);
		guest_ring_reset(&f->fe.rings[i].ring);
	}
	front_end_start(&f->fe);
	front_end_use(&f->fe);
	tear_down(f);
}

#define BOTH(test)                                                                    \
	{ #test "_in_one_thread", test, NULL, NULL, NULL },                           \
	{                                                                             \
#test "_with_a_thread_a_ring", test, NULL, NULL, (void *)(uintptr_t)1 \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(stop_cancels_what_waits_and_answers_first),
		BOTH(stop_waits_for_what_cannot_be_cancelled),
		BOTH(other_rings_are_served_while_one_stops),
		BOTH(connection_ends_when_its_last_request_is_back),
		BOTH(reset_waits_for_what_is_out),
		BOTH(disconnect_is_reported_as_an_end),
		BOTH(requests_beyond_max_inflight_wait_their_turn),
		BOTH(what_was_not_taken_is_served_after_a_restart),
		BOTH(new_call_of_a_running_ring_is_signalled_once),
		BOTH(no_answer_is_lost_while_the_call_is_swapped),
		BOTH(kick_may_be_swapped_while_the_ring_runs),
		BOTH(ring_goes_over_to_polling_and_back),
		BOTH(broken_ring_is_told_and_the_others_go_on),
		BOTH(ring_whose_memory_goes_is_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
