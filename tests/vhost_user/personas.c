/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each front-end really sends, in its order: as tables, each run against a
 * back-end in one thread and against one with a thread a ring.
 */
#include "support/test.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/check.h"
#include "vhost_user/front_end.h"

enum { IDS_MAX = 8, STEPS_MAX = 64 };

/* Messages in a row, or an action; @each: the row for each ring. */
struct step {
	uint16_t ids[IDS_MAX];
	uint64_t value;
	bool each;
	bool unacked; /* without NEED_REPLY, whatever the persona does otherwise */
	void (*action)(struct front_end *fe);
};

#define SEND(...)                      \
	{                              \
		.ids = { __VA_ARGS__ } \
	}
#define EACH(v, ...)                                               \
	{                                                          \
		.ids = { __VA_ARGS__ }, .each = true, .value = (v) \
	}
#define DO(f)                 \
	{                     \
		.action = (f) \
	}

/* In place of a value: what GET_VRING_BASE said; the ring's own available index. */
#define SAVED_BASE UINT64_C(0x10000)
#define AVAIL_IDX UINT64_C(0x10001)

struct persona {
	const char *name;
	const char *tag;
	uint64_t protocol_features;
	uint64_t need_reply;
	uint32_t num;
	uint32_t request_queues;
	bool in_bytes;
	bool polled;
	bool shared_call;
	int sessions; /* that begin in its course */
	struct step steps[STEPS_MAX];
};

#define PF(n) (UINT64_C(1) << (n))

/* ---- Actions ---- */

static void use(struct front_end *fe)
{
	front_end_use(fe);
}

static void rings_start_over(struct front_end *fe)
{
	for (unsigned i = 0; i < fe->ring_count; i++)
		guest_ring_reset(&fe->rings[i].ring);
}

static void other_user_addresses(struct front_end *fe)
{
	fe->user_shift += UINT64_C(1) << 40;
}

static void expect_two_sessions(struct front_end *fe)
{
	assert_int_equal(test_get(&fe->be->fs.begun), 2);
	assert_int_equal(test_get(&fe->be->fs.ended), 1);
}

static void expect_session_over(struct front_end *fe)
{
	assert_int_equal(test_get(&fe->be->fs.begun), test_get(&fe->be->fs.ended));
}

static void expect_base_is_continued(struct front_end *fe)
{
	for (unsigned i = 0; i < fe->ring_count; i++)
		assert_int_equal(fe->rings[i].base, fe->rings[i].ring.avail_idx);
}

static void expect_only_rings_of_the_device(struct front_end *fe)
{
	assert_int_equal(fe->offered_protocol & PF(VU_PF_CONFIG), 0);
	front_end_do(fe, VU_GET_QUEUE_NUM, 0, 0);
}

/* The kick is readable before the ring is enabled, and nobody kicks again. */
static void kick_before_enable(struct front_end *fe)
{
	const uint64_t one = 1;

	for (unsigned i = 0; i < fe->ring_count; i++)
		assert_int_equal(write(fe->rings[i].kick, &one, sizeof(one)), sizeof(one));
	for (unsigned i = 0; i < 20; i++)
		front_end_pump(fe);
}

/* A request that was there, and kicked for, while the ring was disabled. */
static struct fuse_pending *early;
static struct virtiofs_fuse_attr_out early_out;

static void request_while_disabled(struct front_end *fe)
{
	static const struct virtiofs_fuse_getattr_in in;
	const struct fuse_call call = {
		.opcode = VIRTIOFS_FUSE_GETATTR,
		.nodeid = TEST_FS_FILE,
		.in = &in,
		.in_len = sizeof(in),
		.out = &early_out,
		.out_len = sizeof(early_out),
	};
	int served = test_get(&fe->be->fs.served);

	early = front_end_submit(fe, 1, &call, false);
	for (unsigned i = 0; i < 20; i++)
		front_end_pump(fe);
	assert_int_equal(test_get(&fe->be->fs.served), served);
}

static void answer_to_early_request(struct front_end *fe)
{
	assert_int_equal(front_end_wait(fe, early), 0);
}

static void get_config(struct front_end *fe, uint32_t offset, uint32_t size, uint32_t flags,
		       unsigned char *data)
{
	struct vfi_vu_config config = { offset, size, flags, { 0 } };
	uint32_t message_flags = VU_FLAG_VERSION;

	if (fe->need_reply & ACK(VU_GET_CONFIG))
		message_flags |= VU_FLAG_NEED_REPLY;
	memset(config.data, 0xff, size);
	front_end_send(fe, VU_GET_CONFIG, message_flags, &config, VU_CONFIG_HEAD + size, NULL, 0);
	assert_true(front_end_reply(fe, VU_GET_CONFIG, &config, VU_CONFIG_HEAD + size));
	assert_int_equal(config.offset, offset);
	assert_int_equal(config.size, size);
	assert_int_equal(config.flags, flags);
	memcpy(data, config.data, size);
}

/* Any offset and length, in pieces of each size: always the same 40 bytes, zeros behind. */
static void read_config(struct front_end *fe)
{
	unsigned char expected[64] = "myfs", piece[64];

	expected[36] = (unsigned char)(fe->ring_count - 1);
	for (uint32_t size = 1; size <= 4; size++) {
		for (uint32_t offset = 0; offset < 48; offset++) {
			get_config(fe, offset, size, 1, piece);
			assert_memory_equal(piece, expected + offset, size);
		}
	}
	get_config(fe, 0, 60, 0, piece);
	assert_memory_equal(piece, expected, 60);
	get_config(fe, UINT32_MAX, 4, 0, piece);
	assert_memory_equal(piece, expected + 40, 4);
}

/* Nothing a front-end with a strict list of bits would not know. */
static void expect_old_protocol_features(struct front_end *fe)
{
	assert_int_equal(fe->offered_protocol & ~UINT64_C(0x3ffff), 0);
	assert_true(fe->offered_protocol & PF(VU_PF_CONFIG));
	/* Bits that are handed to the guest as they are: no packed ring, no reset of one. */
	assert_int_equal(fe->offered, PF(32) | PF(30) | PF(29) | PF(28));
}

/* The same fresh connection twice: no negotiation, no memory. */
static void no_negotiation(struct front_end *fe)
{
	const struct vfi_vu_vring_state enable = { 1, 1 };
	uint64_t features = PF(30) | PF(32);

	assert_int_equal(front_end_ask(fe, VU_SET_VRING_ENABLE, &enable, sizeof(enable), NULL, 0),
			 0);
	front_end_do(fe, VU_GET_VRING_BASE, 1, 0);
	assert_int_equal(fe->rings[1].base, 0);
	assert_int_equal(front_end_ask(fe, VU_SET_FEATURES, &features, 8, NULL, 0), 0);
	front_end_do(fe, VU_SET_VRING_NUM, 1, 0);
	front_end_do(fe, VU_SET_VRING_BASE, 1, 0);
	front_end_do(fe, VU_SET_VRING_ADDR, 1, 0);
	front_end_do(fe, VU_SET_VRING_KICK, 1, 0);
	kick_before_enable(fe);
	assert_int_equal(guest_ring_used_idx(&fe->rings[1].ring), 0);
}

static void hang_up_and_connect_again(struct front_end *fe)
{
	front_end_hang_up(fe);
	expect_session_over(fe);
	front_end_reconnect(fe);
}

static void memory_map_changes_under_load(struct front_end *fe)
{
	for (unsigned i = 0; i < 50; i++) {
		front_end_do(fe, VU_SET_MEM_TABLE, 0, 0);
		front_end_getattr(fe);
	}
}

/* More rings than there are: refused, and GET_VRING_BASE of one answered all the same. */
static void surplus_rings(struct front_end *fe)
{
	const struct vfi_vu_vring_state state = { 9, 128 };
	struct vfi_vu_vring_state base = { 9, 0 };

	assert_int_equal(front_end_ask(fe, VU_SET_VRING_NUM, &state, sizeof(state), NULL, 0), 1);
	front_end_send(fe, VU_GET_VRING_BASE, VU_FLAG_VERSION, &base, sizeof(base), NULL, 0);
	assert_true(front_end_reply(fe, VU_GET_VRING_BASE, &base, sizeof(base)));
	assert_int_equal(base.index, 9);
}

/* ---- The personas ---- */

#define QEMU_REALIZE                                                                      \
	SEND(VU_GET_FEATURES, VU_GET_PROTOCOL_FEATURES, VU_SET_PROTOCOL_FEATURES,         \
	     VU_GET_QUEUE_NUM, VU_GET_MAX_MEM_SLOTS, VU_SET_BACKEND_REQ_FD, VU_SET_OWNER, \
	     VU_GET_FEATURES),                                                            \
		EACH(0, VU_SET_VRING_CALL, VU_SET_VRING_ERR)
#define QEMU_START(memory, base)                                                   \
	EACH(0, VU_SET_VRING_CALL), SEND(VU_SET_FEATURES), memory,                 \
		EACH(base, VU_SET_VRING_NUM, VU_SET_VRING_BASE, VU_SET_VRING_ADDR, \
		     VU_SET_VRING_KICK),                                           \
		EACH(1, VU_SET_VRING_ENABLE), EACH(0, VU_SET_VRING_CALL)
#define QEMU_RESTART(base)                                                         \
	EACH(0, VU_SET_VRING_CALL), SEND(VU_SET_FEATURES),                         \
		EACH(base, VU_SET_VRING_NUM, VU_SET_VRING_BASE, VU_SET_VRING_ADDR, \
		     VU_SET_VRING_KICK),                                           \
		EACH(1, VU_SET_VRING_ENABLE), EACH(0, VU_SET_VRING_CALL)
#define QEMU_STOP \
	EACH(0, VU_SET_VRING_ENABLE), EACH(0, VU_GET_VRING_BASE), EACH(0, VU_SET_VRING_CALL)

#define QEMU7_ACKS (ACK(VU_SET_BACKEND_REQ_FD) | ACK(VU_ADD_MEM_REG) | ACK(VU_SET_MEM_TABLE))
#define QEMU11_ACKS                                                                             \
	(QEMU7_ACKS | ACK(VU_SET_VRING_CALL) | ACK(VU_SET_VRING_ERR) | ACK(VU_SET_VRING_KICK) | \
	 ACK(VU_SET_VRING_ENABLE) | ACK(VU_RESET_DEVICE))

static const struct persona personas[] = {
	{
		.name = "qemu7",
		.need_reply = QEMU7_ACKS,
		.num = 128,
		.sessions = 1,
		.steps = { QEMU_REALIZE, DO(expect_only_rings_of_the_device),
			   QEMU_START(SEND(VU_ADD_MEM_REG), 0), DO(front_end_init), DO(use),
			   /* stop and cont: no memory messages, no INIT */
			   QEMU_STOP, DO(expect_base_is_continued), QEMU_RESTART(SAVED_BASE),
			   DO(use), QEMU_STOP, QEMU_RESTART(SAVED_BASE), DO(use),
			   DO(front_end_destroy), DO(expect_session_over) },
	},
	{
		.name = "qemu7-rebind",
		.need_reply = QEMU7_ACKS,
		.num = 128,
		.sessions = 2,
		.steps = { QEMU_REALIZE, QEMU_START(SEND(VU_ADD_MEM_REG), 0), DO(front_end_init),
			   DO(use), QEMU_STOP, DO(rings_start_over), QEMU_RESTART(0),
			   DO(front_end_init), DO(expect_two_sessions), DO(use) },
	},
	{
		.name = "qemu7-replug",
		.need_reply = QEMU7_ACKS,
		.num = 128,
		.sessions = 2,
		.steps = { QEMU_REALIZE, QEMU_START(SEND(VU_ADD_MEM_REG), 0), DO(front_end_init),
			   DO(use), QEMU_STOP, DO(rings_start_over), DO(other_user_addresses),
			   QEMU_REALIZE, QEMU_START(SEND(VU_ADD_MEM_REG), 0), DO(front_end_init),
			   DO(use) },
	},
	{
		.name = "qemu7-memtable",
		.protocol_features = ~PF(VU_PF_CONFIGURE_MEM_SLOTS),
		.need_reply = QEMU7_ACKS,
		.num = 128,
		.sessions = 1,
		.steps = { QEMU_REALIZE, QEMU_START(SEND(VU_SET_MEM_TABLE), 0), DO(front_end_init),
			   DO(use), DO(memory_map_changes_under_load), DO(use) },
	},
	{
		.name = "qemu7-queues", /* four request queues here, more at the front-end */
		.need_reply = QEMU7_ACKS,
		.num = 1024,
		.request_queues = 4,
		.sessions = 1,
		.steps = { QEMU_REALIZE, QEMU_START(SEND(VU_ADD_MEM_REG), 0), DO(surplus_rings),
			   DO(front_end_init), DO(use), DO(surplus_rings) },
	},
	{
		.name = "qemu11",
		.need_reply = QEMU11_ACKS,
		.num = 128,
		.sessions = 3,
		.steps = { QEMU_REALIZE, SEND(VU_RESET_DEVICE, VU_RESET_DEVICE),
			   QEMU_START(SEND(VU_ADD_MEM_REG), 0), DO(front_end_init), DO(use),
			   /* stop and cont */
			   QEMU_STOP, QEMU_RESTART(SAVED_BASE), DO(use),
			   /* system reset, rings stopped before; memory stays */
			   QEMU_STOP, SEND(VU_RESET_DEVICE, VU_RESET_DEVICE),
			   DO(expect_session_over), DO(rings_start_over), QEMU_RESTART(0),
			   DO(front_end_init), DO(use),
			   /* and a reset of rings that run */
			   SEND(VU_RESET_DEVICE), DO(expect_session_over), DO(rings_start_over),
			   QEMU_RESTART(0), DO(front_end_init), DO(use) },
	},
	{
		.name = "qemu11-noneg", /* what it sends on a connection made anew by itself */
		.need_reply = QEMU11_ACKS,
		.num = 128,
		.steps = { DO(no_negotiation), DO(hang_up_and_connect_again), DO(no_negotiation) },
	},
	{
		.name = "cloud-hypervisor",
		.protocol_features = PF(0) | PF(15) | PF(3),
		.need_reply = ACK_ALL,
		.num = 1024,
		.sessions = 2,
		.steps = { SEND(VU_SET_OWNER, VU_GET_FEATURES, VU_GET_PROTOCOL_FEATURES,
				VU_SET_PROTOCOL_FEATURES, VU_GET_QUEUE_NUM),
			   SEND(VU_SET_FEATURES, VU_SET_MEM_TABLE), EACH(0, VU_SET_VRING_NUM),
			   EACH(AVAIL_IDX, VU_SET_VRING_ADDR, VU_SET_VRING_BASE, VU_SET_VRING_CALL,
				VU_SET_VRING_KICK),
			   EACH(1, VU_SET_VRING_ENABLE), DO(front_end_init), DO(use),
			   /* pause, resume */
			   EACH(0, VU_SET_VRING_ENABLE), DO(request_while_disabled),
			   EACH(1, VU_SET_VRING_ENABLE), DO(answer_to_early_request), DO(use),
			   /* memory hot-plug */
			   SEND(VU_ADD_MEM_REG), DO(use),
			   /* a reboot of the VM is a connection of its own */
			   EACH(0, VU_SET_VRING_ENABLE, VU_GET_VRING_BASE),
			   DO(hang_up_and_connect_again), DO(rings_start_over),
			   SEND(VU_SET_OWNER, VU_GET_FEATURES, VU_SET_PROTOCOL_FEATURES,
				VU_SET_FEATURES, VU_SET_MEM_TABLE),
			   EACH(0, VU_SET_VRING_NUM),
			   EACH(AVAIL_IDX, VU_SET_VRING_ADDR, VU_SET_VRING_BASE, VU_SET_VRING_CALL,
				VU_SET_VRING_KICK),
			   EACH(1, VU_SET_VRING_ENABLE), DO(front_end_init), DO(use) },
	},
	{
		.name = "crosvm",
		.tag = "myfs",
		.protocol_features = PF(9) | PF(0) | PF(5) | PF(3),
		.num = 32768,
		.sessions = 2,
		.steps = { SEND(VU_SET_OWNER, VU_GET_FEATURES, VU_GET_PROTOCOL_FEATURES,
				VU_SET_PROTOCOL_FEATURES, VU_SET_BACKEND_REQ_FD, VU_GET_QUEUE_NUM),
			   DO(read_config), SEND(VU_SET_FEATURES, VU_SET_MEM_TABLE),
			   EACH(0, VU_SET_VRING_NUM, VU_SET_VRING_ADDR, VU_SET_VRING_BASE,
				VU_SET_VRING_CALL, VU_SET_VRING_KICK),
			   EACH(1, VU_SET_VRING_ENABLE), DO(front_end_init), DO(use),
			   EACH(0, VU_SET_VRING_ENABLE, VU_GET_VRING_BASE), DO(rings_start_over),
			   SEND(VU_SET_MEM_TABLE),
			   EACH(0, VU_SET_VRING_NUM, VU_SET_VRING_ADDR, VU_SET_VRING_BASE,
				VU_SET_VRING_CALL, VU_SET_VRING_KICK),
			   EACH(1, VU_SET_VRING_ENABLE), DO(front_end_init), DO(use) },
	},
	{
		.name = "libkrun",
		.tag = "myfs",
		.protocol_features = PF(9) | PF(0),
		.num = 256,
		.shared_call = true,
		.sessions = 2,
		.steps = { SEND(VU_GET_FEATURES, VU_GET_PROTOCOL_FEATURES, VU_SET_PROTOCOL_FEATURES,
				VU_GET_QUEUE_NUM),
			   DO(read_config), SEND(VU_SET_OWNER, VU_SET_MEM_TABLE, VU_SET_FEATURES),
			   EACH(0, VU_SET_VRING_NUM, VU_SET_VRING_BASE, VU_SET_VRING_ADDR,
				VU_SET_VRING_KICK, VU_SET_VRING_CALL),
			   EACH(1, VU_SET_VRING_ENABLE), DO(front_end_init), DO(use),
			   /* its reset only disables, and what comes then meets started rings; the
			    * question is for the time a driver takes to begin anew */
			   EACH(0, VU_SET_VRING_ENABLE), SEND(VU_GET_FEATURES),
			   DO(rings_start_over),
			   SEND(VU_SET_OWNER, VU_SET_MEM_TABLE, VU_SET_FEATURES),
			   EACH(0, VU_SET_VRING_NUM, VU_SET_VRING_BASE, VU_SET_VRING_ADDR,
				VU_SET_VRING_KICK, VU_SET_VRING_CALL),
			   EACH(1, VU_SET_VRING_ENABLE), DO(front_end_init), DO(use) },
	},
	{
		.name = "bao",
		.tag = "myfs",
		.protocol_features = PF(0) | PF(9) | PF(3),
		.need_reply = ACK_ALL,
		.num = 1024,
		.shared_call = true,
		.sessions = 2,
		.steps = { SEND(VU_GET_FEATURES),
			   SEND(VU_SET_OWNER, VU_GET_FEATURES, VU_GET_PROTOCOL_FEATURES,
				VU_SET_PROTOCOL_FEATURES, VU_GET_QUEUE_NUM),
			   DO(expect_old_protocol_features), DO(read_config),
			   SEND(VU_SET_FEATURES, VU_SET_MEM_TABLE), EACH(0, VU_SET_VRING_NUM),
			   EACH(AVAIL_IDX, VU_SET_VRING_ADDR, VU_SET_VRING_BASE, VU_SET_VRING_CALL,
				VU_SET_VRING_KICK),
			   EACH(1, VU_SET_VRING_ENABLE), DO(front_end_init), DO(use),
			   /* a reset of the driver is not told: INIT on rings that run */
			   DO(front_end_init), DO(expect_two_sessions), DO(use),
			   /* the daemon's end of the socket was lost: no GETs, no INIT */
			   DO(hang_up_and_connect_again),
			   SEND(VU_SET_OWNER, VU_GET_FEATURES, VU_SET_PROTOCOL_FEATURES,
				VU_SET_FEATURES, VU_SET_MEM_TABLE),
			   EACH(0, VU_SET_VRING_NUM),
			   EACH(AVAIL_IDX, VU_SET_VRING_ADDR, VU_SET_VRING_BASE, VU_SET_VRING_CALL,
				VU_SET_VRING_KICK),
			   EACH(1, VU_SET_VRING_ENABLE) },
	},
	{
		.name = "slow-io",
		.need_reply = QEMU11_ACKS,
		.num = 128,
		.in_bytes = true,
		.sessions = 1,
		.steps = { QEMU_REALIZE, QEMU_START(SEND(VU_SET_MEM_TABLE), 0), DO(front_end_init),
			   DO(use), QEMU_STOP, QEMU_RESTART(SAVED_BASE), DO(use) },
	},
	{
		.name = "kick-early",
		.need_reply = QEMU7_ACKS,
		.num = 128,
		.sessions = 1,
		.steps = { QEMU_REALIZE, QEMU_START(SEND(VU_ADD_MEM_REG), 0), DO(front_end_init),
			   QEMU_STOP, SEND(VU_SET_FEATURES),
			   EACH(SAVED_BASE, VU_SET_VRING_NUM, VU_SET_VRING_BASE, VU_SET_VRING_ADDR,
				VU_SET_VRING_KICK),
			   EACH(0, VU_SET_VRING_CALL), DO(kick_before_enable),
			   DO(request_while_disabled), EACH(1, VU_SET_VRING_ENABLE),
			   DO(answer_to_early_request), DO(use) },
	},
	{
		.name = "polling",
		.num = 128,
		.polled = true,
		.sessions = 1,
		.steps = { QEMU_REALIZE, QEMU_START(SEND(VU_SET_MEM_TABLE), 0), DO(front_end_init),
			   DO(use), QEMU_STOP, QEMU_RESTART(SAVED_BASE), DO(use) },
	},
	{
		.name = "memory-last", /* rings that become ready when their memory comes */
		.need_reply = ACK_ALL,
		.num = 128,
		.sessions = 1,
		.steps = { SEND(VU_GET_FEATURES, VU_SET_FEATURES), EACH(1, VU_SET_VRING_ENABLE),
			   EACH(0, VU_SET_VRING_KICK, VU_SET_VRING_CALL, VU_SET_VRING_NUM,
				VU_SET_VRING_BASE, VU_SET_VRING_ADDR),
			   SEND(VU_SET_MEM_TABLE), DO(front_end_init), DO(use) },
	},
};

/* ---- The player ---- */

static uint64_t value_for(const struct front_end *fe, unsigned ring, uint64_t value)
{
	if (value == SAVED_BASE)
		return fe->rings[ring].base;
	if (value == AVAIL_IDX)
		return fe->rings[ring].ring.avail_idx;
	return value;
}

static void play_row(struct front_end *fe, const struct step *step, unsigned ring)
{
	for (unsigned i = 0; i < IDS_MAX && step->ids[i]; i++)
		front_end_do(fe, step->ids[i], ring, value_for(fe, ring, step->value));
}

static void play(struct front_end *fe, const struct persona *persona)
{
	for (unsigned i = 0; i < STEPS_MAX; i++) {
		const struct step *step = &persona->steps[i];

		if (step->action) {
			step->action(fe);
		} else if (!step->each) {
			play_row(fe, step, 0);
		} else {
			for (unsigned ring = 0; ring < fe->ring_count; ring++)
				play_row(fe, step, ring);
		}
	}
}

static void share_call(struct front_end *fe)
{
	for (unsigned i = 1; i < fe->ring_count; i++) {
		close(fe->rings[i].call);
		fe->rings[i].call = dup(fe->rings[0].call);
		assert_true(fe->rings[i].call >= 0);
	}
}

static void run_persona(const struct persona *persona, bool threaded)
{
	static struct back_end be;
	const struct back_end_options options = {
		.threaded = threaded,
		.tag = persona->tag,
		.request_queues = persona->request_queues,
	};
	struct front_end fe;
	int fds_before, mappings_before = count_mappings();

	back_end_start(&be, &options);
	fds_before = count_fds();
	front_end_open(&fe, &be, be.ring_count, persona->num);
	if (persona->protocol_features)
		fe.protocol_features = persona->protocol_features;
	fe.need_reply = persona->need_reply;
	fe.in_bytes = persona->in_bytes;
	fe.polled = persona->polled;
	if (persona->shared_call)
		share_call(&fe);
	play(&fe, persona);
	/* No answer that nobody asked for. */
	assert_false(front_end_has_reply(&fe));
	assert_false(back_end_logged(&be, "broken"));
	assert_int_equal(test_get(&be.fs.begun), persona->sessions);
	front_end_close(&fe);
	assert_int_equal(test_get(&be.fs.ended), persona->sessions);
	assert_int_equal(count_fds(), fds_before);
	assert_int_equal(count_mappings(), mappings_before);
	back_end_stop(&be);
}

static void in_one_thread(void **state)
{
	run_persona(*state, false);
}

static void with_a_thread_a_ring(void **state)
{
	run_persona(*state, true);
}

int main(void)
{
	enum { COUNT = sizeof(personas) / sizeof(personas[0]) };
	static struct CMUnitTest tests[2 * COUNT];
	static char names[2 * COUNT][64];

	for (unsigned i = 0; i < 2 * COUNT; i++) {
		const struct persona *persona = &personas[i / 2];
		bool threaded = i % 2 != 0;

		snprintf(names[i], sizeof(names[i]), "%s_is_served_%s", persona->name,
			 threaded ? "with_a_thread_a_ring" : "in_one_thread");
		tests[i].name = names[i];
		tests[i].test_func = threaded ? with_a_thread_a_ring : in_one_thread;
		tests[i].initial_state = (void *)(uintptr_t)persona;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
