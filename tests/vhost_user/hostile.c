/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A front-end that breaks the rules: what is malformed costs it the connection,
 * what is wrong is refused, and neither costs the back-end anything.
 */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "support/check.h"
#include "support/random.h"
#include "vhost_user/front_end.h"
#include "vhost_user/messages.h"

enum { NACK = 1, ANY_SIZE_LIMIT = sizeof(union vfi_vu_payload) };

static struct back_end be;
static struct front_end fe;
static int fds_before;

static int set_up(void **state)
{
	const struct back_end_options options = { .threaded = *state != NULL };

	back_end_start(&be, &options);
	front_end_open(&fe, &be, be.ring_count, 64);
	front_end_start(&fe);
	front_end_init(&fe);
	fds_before = count_fds();
	return 0;
}

/* Whatever was sent: the rings that ran run, and nothing was kept. */
static int tear_down(void **state)
{
	(void)state;
	front_end_use(&fe);
	assert_false(front_end_has_reply(&fe));
	assert_int_equal(count_fds(), fds_before);
	front_end_close(&fe);
	assert_int_equal(count_mappings(), 0);
	back_end_stop(&be);
	return 0;
}

static void start_again(void)
{
	for (unsigned i = 0; i < fe.ring_count; i++)
		guest_ring_reset(&fe.rings[i].ring);
	front_end_start(&fe);
	front_end_init(&fe);
}

/* ---- What costs the connection ---- */

static void expect_drop(const char *log)
{
	front_end_expect_drop(&fe);
	assert_true(back_end_logged(&be, log));
	back_end_clear_log(&be);
	start_again();
}

static void header_that_is_no_request_is_dropped(void **state)
{
	static const uint32_t flags[] = { 0, 2, 3, VU_FLAG_VERSION | VU_FLAG_REPLY, 0xfffffffe };

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		front_end_send(&fe, VU_GET_FEATURES, flags[i], NULL, 0, NULL, 0);
		expect_drop("flags");
	}
}

static void reserved_flags_are_ignored(void **state)
{
	uint64_t features;

	(void)state;
	front_end_send(&fe, VU_GET_FEATURES, VU_FLAG_VERSION | 0xfffffff0, NULL, 0, NULL, 0);
	assert_true(front_end_reply(&fe, VU_GET_FEATURES, &features, sizeof(features)));
}

/* Every message of the table with one byte more and one less than it may have. */
static void wrong_size_is_dropped(void **state)
{
	static const union vfi_vu_payload zeros;

	(void)state;
	for (uint32_t id = VU_GET_FEATURES; id <= VU_GET_SHMEM_CONFIG; id++) {
		const struct vfi_vu_message_type *type = vfi_vu_message_type(id);

		if (type->size_max < ANY_SIZE_LIMIT) {
			front_end_send(&fe, id, VU_FLAG_VERSION, &zeros, type->size_max + 1u, NULL,
				       0);
			expect_drop(type->name);
		}
		if (type->size_min > 0) {
			front_end_send(&fe, id, VU_FLAG_VERSION, &zeros, type->size_min - 1u, NULL,
				       0);
			expect_drop(type->name);
		}
	}
}

static void endless_size_is_dropped(void **state)
{
	static const uint32_t sizes[] = { 1u << 20, UINT32_MAX, UINT32_MAX - 11,
					  ANY_SIZE_LIMIT + 1 };
	static const uint32_t ids[] = { VU_GET_CONFIG, VU_SET_MEM_TABLE, VU_SET_LOG_BASE, 4711 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const struct vfi_vu_header header = { ids[i], VU_FLAG_VERSION, sizes[i] };

		assert_int_equal(send(fe.socket, &header, sizeof(header), MSG_NOSIGNAL),
				 sizeof(header));
		expect_drop("bytes");
	}
}

static void flood_of_descriptors_is_dropped(void **state)
{
	int fds[253];

	(void)state;
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		fds[i] = fe.rings[0].kick;
	front_end_send(&fe, VU_SET_MEM_TABLE, VU_FLAG_VERSION, NULL, 0, fds, 253);
	expect_drop("descriptors were lost");
	front_end_send(&fe, VU_SET_OWNER, VU_FLAG_VERSION, NULL, 0, fds, VU_FDS_MAX + 1);
	expect_drop("descriptors were lost");
}

/* At RLIMIT_NOFILE the kernel hands over fewer than were sent. */
static void lost_descriptors_are_noticed(void **state)
{
	const uint64_t ring = 1;
	struct rlimit old, low;
	int next = dup(0);

	(void)state;
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	front_end_send(&fe, VU_SET_VRING_CALL, VU_FLAG_VERSION, &ring, sizeof(ring),
		       &fe.rings[1].call, 1);
	while (!back_end_logged(&be, "descriptors were lost"))
		front_end_pump(&fe);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	expect_drop("");
}

/* ---- What is refused ---- */

static void refuse(uint32_t request, const void *payload, uint32_t size, const int *fds,
		   unsigned fd_count)
{
	assert_int_equal(front_end_ask(&fe, request, payload, size, fds, fd_count), NACK);
	assert_int_equal(count_fds(), fds_before);
	/* The same without the wish for an answer: there is none. */
	front_end_send(&fe, request, VU_FLAG_VERSION, payload, size, fds, fd_count);
	front_end_do(&fe, VU_GET_QUEUE_NUM, 0, 0);
	assert_int_equal(count_fds(), fds_before);
}

static void refuse_u64(uint32_t request, uint64_t value)
{
	refuse(request, &value, sizeof(value), NULL, 0);
}

static void refuse_state(uint32_t request, uint32_t index, uint32_t num)
{
	const struct vfi_vu_vring_state state = { index, num };

	refuse(request, &state, sizeof(state), NULL, 0);
}

static void unknown_messages_are_refused(void **state)
{
	static const uint32_t ids[] = { 0, VU_GET_SHMEM_CONFIG + 1, 1002, UINT32_MAX };
	static const union vfi_vu_payload zeros;
	const int fds[] = { fe.rings[0].kick, fe.socket };

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		refuse(ids[i], NULL, 0, NULL, 0);
		refuse(ids[i], &zeros, 4096, fds, 2);
	}
}

static void messages_of_other_features_are_refused(void **state)
{
	static const union vfi_vu_payload zeros;

	(void)state;
	for (uint32_t id = VU_GET_FEATURES; id <= VU_GET_SHMEM_CONFIG; id++) {
		if (!vfi_vu_message_type(id)->handle)
			refuse(id, &zeros, 24, &fe.rings[0].kick, 1);
	}
	refuse(VU_SET_CONFIG, &zeros, VU_CONFIG_HEAD + 4, NULL, 0);
	refuse_state(VU_SET_VRING_ENDIAN, 0, 1);
}

static void features_not_offered_are_refused(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t value = UINT64_C(1) << bit;

		/* 0x170000000: VERSION_1, 30, EVENT_IDX, INDIRECT_DESC. */
		if (!(value & UINT64_C(0x170000000)))
			refuse_u64(VU_SET_FEATURES, value | UINT64_C(0x170000000));
		/* 0xa029: MQ, REPLY_ACK, BACKEND_REQ, RESET_DEVICE, CONFIGURE_MEM_SLOTS. */
		if (!(value & UINT64_C(0xa029)))
			refuse_u64(VU_SET_PROTOCOL_FEATURES, value | UINT64_C(0xa029));
	}
}

static void configuration_without_a_tag_is_an_empty_answer(void **state)
{
	static const struct vfi_vu_config config = { .size = 4 };

	(void)state;
	front_end_send(&fe, VU_GET_CONFIG, VU_FLAG_VERSION | VU_FLAG_NEED_REPLY, &config,
		       VU_CONFIG_HEAD + 4, NULL, 0);
	assert_true(front_end_reply(&fe, VU_GET_CONFIG, NULL, 0));
}

static void descriptors_with_a_question_are_closed(void **state)
{
	uint64_t features;

	(void)state;
	front_end_send(&fe, VU_GET_FEATURES, VU_FLAG_VERSION, NULL, 0, &fe.rings[0].kick, 1);
	assert_true(front_end_reply(&fe, VU_GET_FEATURES, &features, sizeof(features)));
	assert_int_equal(count_fds(), fds_before);
}

static void memory_tables_that_lie_are_refused(void **state)
{
	struct vfi_vu_mem_table table;
	int fds[VU_FDS_MAX];
	const uint32_t size = VU_MEM_TABLE_HEAD + GUEST_RAM_REGIONS * 32;

	(void)state;
	for (unsigned i = 0; i < VU_FDS_MAX; i++)
		fds[i] = guest_ram_fd(fe.ram);
	front_end_table(&fe, &table, fds);
	refuse(VU_SET_MEM_TABLE, &table, size, fds, GUEST_RAM_REGIONS - 1);
	refuse(VU_SET_MEM_TABLE, &table, size, fds, GUEST_RAM_REGIONS + 1);
	refuse(VU_SET_MEM_TABLE, &table, size, NULL, 0);
	refuse(VU_SET_MEM_TABLE, &table, size - 32, fds, GUEST_RAM_REGIONS);
	refuse(VU_SET_MEM_TABLE, &table, size + 32, fds, GUEST_RAM_REGIONS);
	refuse(VU_SET_MEM_TABLE, &table, size - 1, fds, GUEST_RAM_REGIONS);
	table.count = UINT32_MAX;
	refuse(VU_SET_MEM_TABLE, &table, size, fds, GUEST_RAM_REGIONS);
	table.count = VU_MEM_TABLE_MAX + 1;
	refuse(VU_SET_MEM_TABLE, &table, sizeof(table), fds, VU_MEM_TABLE_MAX);
	table.count = GUEST_RAM_REGIONS;
	table.regions[1] = table.regions[0];
	refuse(VU_SET_MEM_TABLE, &table, size, fds, GUEST_RAM_REGIONS);
	front_end_table(&fe, &table, fds);
	table.regions[2].size = UINT64_MAX;
	refuse(VU_SET_MEM_TABLE, &table, size, fds, GUEST_RAM_REGIONS);
	table.regions[2].size = 0;
	refuse(VU_SET_MEM_TABLE, &table, size, fds, GUEST_RAM_REGIONS);
	front_end_table(&fe, &table, fds);
	fds[1] = fe.rings[0].kick; /* nothing to map */
	refuse(VU_SET_MEM_TABLE, &table, size, fds, GUEST_RAM_REGIONS);
}

static void single_regions_that_lie_are_refused(void **state)
{
	struct vfi_vu_mem_table table;
	struct vfi_vu_mem_reg reg = { 0 };
	int fds[VU_FDS_MAX];

	(void)state;
	front_end_table(&fe, &table, fds);
	reg.region = table.regions[0];
	refuse(VU_ADD_MEM_REG, &reg, sizeof(reg), NULL, 0);
	refuse(VU_ADD_MEM_REG, &reg, sizeof(reg), fds, 2);
	reg.region.size += 4096; /* overlaps the next one */
	refuse(VU_ADD_MEM_REG, &reg, sizeof(reg), fds, 1);
	refuse(VU_REM_MEM_REG, &reg, sizeof(reg), NULL, 0);
	reg.region = table.regions[2];
	reg.region.guest_addr += UINT64_C(1) << 40;
	reg.region.user_addr += UINT64_C(1) << 40;
	reg.region.size += 4096; /* more than the file has */
	refuse(VU_ADD_MEM_REG, &reg, sizeof(reg), fds, 1);
}

static void numbers_no_ring_has_are_refused(void **state)
{
	static const uint32_t nums[] = { 0, 3, 129, 32769, 65536, UINT32_MAX };
	struct vfi_vu_vring_addr addr = front_end_addr(&fe, 1);

	(void)state;
	for (size_t i = 0; i < sizeof(nums) / sizeof(nums[0]); i++)
		refuse_state(VU_SET_VRING_NUM, 1, nums[i]);
	refuse_state(VU_SET_VRING_ENABLE, 1, 2);
	refuse_state(VU_SET_VRING_BASE, 1, 65536);
	addr.desc += 8;
	refuse(VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	addr = front_end_addr(&fe, 1);
	addr.avail += 1;
	refuse(VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	addr = front_end_addr(&fe, 1);
	addr.used += 2;
	refuse(VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
}

static void rings_there_are_none_of_are_refused(void **state)
{
	static const uint32_t indexes[] = { 2, 255, 256, UINT32_MAX };
	struct vfi_vu_vring_addr addr = front_end_addr(&fe, 1);

	(void)state;
	for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++) {
		const uint64_t value = indexes[i] & 0xff;

		refuse_state(VU_SET_VRING_NUM, indexes[i], 64);
		refuse_state(VU_SET_VRING_BASE, indexes[i], 0);
		refuse_state(VU_SET_VRING_ENABLE, indexes[i], 1);
		addr.index = indexes[i];
		refuse(VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
		if (value < be.ring_count)
			continue;
		refuse(VU_SET_VRING_KICK, &value, sizeof(value), &fe.rings[0].kick, 1);
		refuse(VU_SET_VRING_CALL, &value, sizeof(value), &fe.rings[0].kick, 1);
		refuse(VU_SET_VRING_ERR, &value, sizeof(value), &fe.rings[0].kick, 1);
	}
}

static void running_ring_keeps_its_shape(void **state)
{
	struct vfi_vu_vring_addr addr = front_end_addr(&fe, 1);

	(void)state;
	refuse_state(VU_SET_VRING_NUM, 1, 32);
	refuse_state(VU_SET_VRING_BASE, 1, 0);
	addr.desc += 16;
	refuse(VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	/* The same once more changes nothing, and is no mistake. */
	fe.need_reply = ACK(VU_SET_VRING_NUM) | ACK(VU_SET_VRING_ADDR);
	front_end_do(&fe, VU_SET_VRING_NUM, 1, 0);
	front_end_do(&fe, VU_SET_VRING_ADDR, 1, 0);
}

/* Nothing a write to which could block, or raise a signal. */
static void only_eventfds_are_taken(void **state)
{
	static const uint32_t ids[] = { VU_SET_VRING_KICK, VU_SET_VRING_CALL, VU_SET_VRING_ERR };
	int pipes[2], sockets[2];
	const uint64_t ring = 1;

	(void)state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	{
		const int fds[] = {
			pipes[0],
			pipes[1],
			sockets[0],
			guest_ram_fd(fe.ram),
			open("/dev/null", O_RDWR | O_CLOEXEC),
			open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
			open("/", O_PATH | O_CLOEXEC),
			epoll_create1(EPOLL_CLOEXEC),
			timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC),
		};
		enum { COUNT = sizeof(fds) / sizeof(fds[0]) };
		int saved = fds_before;

		fds_before = count_fds();
		for (size_t i = 0; i < COUNT; i++) {
			for (size_t k = 0; k < sizeof(ids) / sizeof(ids[0]); k++)
				refuse(ids[k], &ring, sizeof(ring), &fds[i], 1);
		}
		for (size_t i = 4; i < COUNT; i++)
			close(fds[i]);
		fds_before = saved;
	}
	for (unsigned i = 0; i < 2; i++) {
		close(pipes[i]);
		close(sockets[i]);
	}
}

static void descriptor_and_its_absence_must_agree(void **state)
{
	static const uint32_t ids[] = { VU_SET_VRING_KICK, VU_SET_VRING_CALL, VU_SET_VRING_ERR };
	const uint64_t with = 1, without = 1 | VU_VRING_NO_FD;
	const int fds[] = { fe.rings[0].call, fe.rings[1].call };

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		refuse(ids[i], &with, sizeof(with), NULL, 0);
		refuse(ids[i], &with, sizeof(with), fds, 2);
		refuse(ids[i], &without, sizeof(without), fds, 1);
	}
}

/* A full eventfd that blocks would hold whoever signals it. */
static void full_blocking_call_holds_nobody(void **state)
{
	const uint64_t full = UINT64_MAX - 1;
	int call = eventfd(0, EFD_CLOEXEC);

	(void)state;
	assert_int_equal(write(call, &full, sizeof(full)), sizeof(full));
	close(fe.rings[1].call);
	fe.rings[1].call = call;
	front_end_do(&fe, VU_SET_VRING_CALL, 1, 0);
	front_end_getattr(&fe);
	front_end_getattr(&fe);
}

static void channel_must_be_a_socket(void **state)
{
	(void)state;
	refuse(VU_SET_BACKEND_REQ_FD, NULL, 0, NULL, 0);
	refuse(VU_SET_BACKEND_REQ_FD, NULL, 0, &fe.rings[0].kick, 1);
	/* Any number of them: only the last one is kept. */
	for (unsigned i = 0; i < 20; i++)
		front_end_do(&fe, VU_SET_BACKEND_REQ_FD, 0, 0);
	front_end_do(&fe, VU_GET_QUEUE_NUM, 0, 0);
	assert_int_equal(count_fds(), fds_before + 1);
	front_end_hang_up(&fe);
	front_end_reconnect(&fe);
	start_again();
}

/* It asks and asks, and never reads: its messages wait, and nothing else does. */
static void front_end_that_never_reads_is_not_waited_for(void **state)
{
	const struct vfi_vu_header header = { VU_GET_FEATURES, VU_FLAG_VERSION, 0 };
	unsigned sent = 0, idle = 0;
	uint64_t features;

	(void)state;
	while (idle < 50) {
		ssize_t n = send(fe.socket, &header, sizeof(header), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n == (ssize_t)sizeof(header)) {
			sent++;
			idle = 0;
			continue;
		}
		assert_int_equal(n, -1);
		idle++;
		front_end_pump(&fe);
	}
	front_end_getattr(&fe);
	for (unsigned i = 0; i < sent; i++)
		assert_true(front_end_reply(&fe, VU_GET_FEATURES, &features, sizeof(features)));
}

static void log_is_not_flooded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		front_end_send(&fe, 4711, VU_FLAG_VERSION, NULL, 0, NULL, 0);
		if (i % 50 == 49)
			front_end_do(&fe, VU_GET_QUEUE_NUM, 0, 0);
	}
	/* One a second, and one that says how many were not logged. */
	assert_in_range(back_end_log_lines(&be), 1, 50);
}

/* ---- Whatever comes ---- */

static void send_anything(struct test_random *random)
{
	union vfi_vu_payload payload;
	uint32_t request = test_random_one_in(random, 20) ? (uint32_t)test_random_u64(random)
							  : test_random_range(random, 0, 46);
	const struct vfi_vu_message_type *type = vfi_vu_message_type(request);
	uint32_t flags = VU_FLAG_VERSION;
	uint32_t size = test_random_range(random, type->size_min, type->size_max);
	unsigned fd_count = 0;
	int fds[3];

	test_random_fill(random, &payload, sizeof(payload));
	/* Most numbers are to be small ones, which mean something. */
	if (!test_random_one_in(random, 4)) {
		for (uint32_t i = 0; i < sizeof(payload); i++) {
			if (i % 4 != 0 || test_random_one_in(random, 2))
				((unsigned char *)&payload)[i] = 0;
			else
				((unsigned char *)&payload)[i] &= 3;
		}
	}
	if (test_random_one_in(random, 50))
		size = test_random_range(random, 0, sizeof(payload));
	if (size >= 1024 && !test_random_one_in(random, 4))
		size = type->size_min;
	if (test_random_one_in(random, 100))
		flags = test_random_range(random, 0, 15);
	if (test_random_one_in(random, 2))
		fd_count = test_random_range(random, 0, 3);
	for (unsigned i = 0; i < fd_count; i++)
		fds[i] = test_random_one_in(random, 2) ? guest_ram_fd(fe.ram) : fe.rings[0].call;
	front_end_send(&fe, request, flags, &payload, size, fds, fd_count);
}

static void random_messages_are_survived(void **state)
{
	struct test_random random;
	static char answers[65536];

	(void)state;
	test_random_init(&random, test_seed());
	for (unsigned i = 0; i < 5000; i++) {
		ssize_t n;

		send_anything(&random);
		if (i % 4 == 0)
			front_end_pump(&fe);
		do {
			n = recv(fe.socket, answers, sizeof(answers), MSG_DONTWAIT);
		} while (n > 0);
		if (n == 0 || errno == ECONNRESET || i % 500 == 499) {
			front_end_hang_up(&fe);
			front_end_reconnect(&fe);
		}
	}
	front_end_hang_up(&fe);
	assert_int_equal(count_mappings(), GUEST_RAM_REGIONS);
	front_end_reconnect(&fe);
	start_again();
}

#define BOTH(test)                                                                           \
	{ #test "_in_one_thread", test, set_up, tear_down, NULL },                           \
	{                                                                                    \
#test "_with_a_thread_a_ring", test, set_up, tear_down, (void *)(uintptr_t)1 \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(header_that_is_no_request_is_dropped),
		BOTH(reserved_flags_are_ignored),
		BOTH(wrong_size_is_dropped),
		BOTH(endless_size_is_dropped),
		BOTH(flood_of_descriptors_is_dropped),
		BOTH(lost_descriptors_are_noticed),
		BOTH(unknown_messages_are_refused),
		BOTH(messages_of_other_features_are_refused),
		BOTH(features_not_offered_are_refused),
		BOTH(configuration_without_a_tag_is_an_empty_answer),
		BOTH(descriptors_with_a_question_are_closed),
		BOTH(memory_tables_that_lie_are_refused),
		BOTH(single_regions_that_lie_are_refused),
		BOTH(numbers_no_ring_has_are_refused),
		BOTH(rings_there_are_none_of_are_refused),
		BOTH(running_ring_keeps_its_shape),
		BOTH(only_eventfds_are_taken),
		BOTH(descriptor_and_its_absence_must_agree),
		BOTH(full_blocking_call_holds_nobody),
		BOTH(channel_must_be_a_socket),
		BOTH(front_end_that_never_reads_is_not_waited_for),
		BOTH(log_is_not_flooded),
		BOTH(random_messages_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
