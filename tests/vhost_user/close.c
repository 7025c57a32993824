/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A front-end that is gone: before each message of a whole life, in the middle of
 * each, with answers on their way and requests in the rings. What it left behind
 * is nothing, and the next one is served.
 */
#include "support/test.h"

#include <string.h>
#include <unistd.h>

#include "support/check.h"
#include "vhost_user/front_end.h"

static struct back_end be;
static struct front_end fe;
static int fds_before;

/* GETATTR that nobody waits for. */
static void leave_a_request(void)
{
	static const struct guest_buffer nothing = { .addr = 0x1000, .len = 1 };

	/* Too short for a header: given back with nothing written. */
	CHECK(guest_ring_add(&fe.rings[1].ring, &nothing, 1, 1, &fe));
	front_end_kick(&fe, 1);
}

static void ask_everything(void)
{
	front_end_do(&fe, VU_GET_FEATURES, 0, 0);
	front_end_do(&fe, VU_GET_PROTOCOL_FEATURES, 0, 0);
	front_end_do(&fe, VU_SET_PROTOCOL_FEATURES, 0, 0);
	front_end_do(&fe, VU_GET_QUEUE_NUM, 0, 0);
	front_end_do(&fe, VU_GET_MAX_MEM_SLOTS, 0, 0);
	front_end_do(&fe, VU_SET_BACKEND_REQ_FD, 0, 0);
	front_end_do(&fe, VU_SET_OWNER, 0, 0);
}

/* Everything QEMU sends, from the handshake over stop and cont to a reset. */
static void live(void)
{
	ask_everything();
	front_end_start(&fe);
	front_end_init(&fe);
	for (unsigned i = 0; i < fe.ring_count; i++) {
		leave_a_request();
		front_end_do(&fe, VU_SET_VRING_CALL, i, 0);
		leave_a_request();
		front_end_do(&fe, VU_ADD_MEM_REG, i, 0);
		leave_a_request();
		front_end_do(&fe, VU_SET_VRING_ENABLE, i, 0);
		leave_a_request();
		front_end_do(&fe, VU_GET_VRING_BASE, i, 0);
	}
	for (unsigned i = 0; i < fe.ring_count; i++) {
		front_end_do(&fe, VU_SET_VRING_BASE, i, fe.rings[i].base);
		front_end_do(&fe, VU_SET_VRING_KICK, i, 0);
		leave_a_request();
		front_end_do(&fe, VU_SET_VRING_ENABLE, i, 1);
	}
	leave_a_request();
	front_end_do(&fe, VU_RESET_DEVICE, 0, 0);
	front_end_do(&fe, VU_REM_MEM_REG, 0, 0);
}

static void forget_the_guest(void)
{
	for (unsigned i = 0; i < fe.ring_count; i++)
		guest_ring_reset(&fe.rings[i].ring);
	fe.give_up_at = 0;
	fe.sent = 0;
}

/* A ring's thread lets go of the old call descriptor when it comes to it; nobody waits for that. */
static void check_fds(void)
{
	for (int i = 0; i < 10000 && count_fds() != fds_before; i++)
		usleep(1000);
	assert_int_equal(count_fds(), fds_before);
}

/* Returns false when the life was over before. */
static bool live_until(unsigned message, bool in_the_middle, uint64_t need_reply)
{
	volatile bool gave_up = true; /* changed between setjmp() and longjmp() */

	front_end_reconnect(&fe);
	fe.need_reply = need_reply;
	fe.give_up_at = message;
	fe.in_the_middle = in_the_middle;
	if (!setjmp(fe.gave_up)) {
		live();
		gave_up = false;
	}
	front_end_hang_up(&fe);
	check_fds();
	/* The guest's own. */
	assert_int_equal(count_mappings(), GUEST_RAM_REGIONS);
	assert_int_equal(test_get(&be.fs.begun), test_get(&be.fs.ended));
	forget_the_guest();
	return gave_up;
}

static void live_again_and_again(bool threaded, bool in_the_middle, uint64_t need_reply)
{
	const struct back_end_options options = { .threaded = threaded };
	volatile unsigned message = 1;

	back_end_start(&be, &options);
	front_end_open(&fe, &be, be.ring_count, 64);
	front_end_hang_up(&fe);
	fds_before = count_fds();
	while (live_until(message, in_the_middle, need_reply))
		message++;
	/* Messages of a life: to be sure that it was played to its end. */
	assert_true(message > 40);
	front_end_reconnect(&fe);
	front_end_start(&fe);
	front_end_init(&fe);
	front_end_use(&fe);
	front_end_close(&fe);
	back_end_stop(&be);
}

static void gone_between_messages(void **state)
{
	live_again_and_again(*state != NULL, false, 0);
}

static void gone_between_messages_with_answers(void **state)
{
	live_again_and_again(*state != NULL, false, ACK_ALL);
}

static void gone_in_the_middle_of_a_message(void **state)
{
	live_again_and_again(*state != NULL, true, 0);
}

#define BOTH(test)                                                                    \
	{ #test "_in_one_thread", test, NULL, NULL, NULL },                           \
	{                                                                             \
#test "_with_a_thread_a_ring", test, NULL, NULL, (void *)(uintptr_t)1 \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(gone_between_messages),
		BOTH(gone_between_messages_with_answers),
		BOTH(gone_in_the_middle_of_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
