/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest gets wrong: chains that are none, opcodes that are none, values out
 * of range. Each is answered as far as that goes, and the queue serves on.
 */
#include "shared.h"

#include <stdlib.h>

#include "support/check.h"

enum { IN_HEADER = sizeof(struct virtiofs_fuse_in_header), OUT_HEADER = 16 };

#define HOLE UINT64_C(0x80000000) /* no memory of the guest's there */

static int call_opcode(struct shared *s, uint32_t opcode)
{
	struct fuse_request request = { .opcode = opcode, .nodeid = FUSE_ROOT, .room = 4096 };

	return fuse_client_call(s->c, &request, NULL, 0, NULL);
}

static void opcode_that_is_none_is_enosys(void **state)
{
	struct shared *s = *state;
	static const uint32_t opcodes[] = { 0, 7, 19, 54, 63, 64, 255, 4096, UINT32_MAX };

	for (unsigned i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++)
		assert_int_equal(call_opcode(s, opcodes[i]), -ENOSYS);
}

static void nothing_is_served_before_init(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out entry;

	assert_int_equal(fuse_destroy(s->c), 0);
	assert_int_equal(fuse_lookup(s->c, FUSE_ROOT, "x", &entry), -EIO);
	assert_int_equal(fuse_mkdir(s->c, FUSE_ROOT, "dir", 0700, &entry), -EIO);
	fuse_forget(s->c, FUSE_ROOT, 1);
	assert_false(host_exists(s, "dir"));
	fuse_mount(s->c);
	assert_int_equal(fuse_mkdir(s->c, FUSE_ROOT, "dir", 0700, &entry), 0);
}

static int call_init(struct shared *s, uint32_t major, uint32_t minor,
		     struct virtiofs_fuse_init_out *out)
{
	struct virtiofs_fuse_init_in in = { .major = major, .minor = minor };
	struct fuse_request request = { .opcode = VIRTIOFS_FUSE_INIT,
					.parts = { { &in, sizeof(in) } },
					.room = OUT_HEADER + sizeof(*out) };

	return fuse_client_call(s->c, &request, out, sizeof(*out), NULL);
}

static void guest_of_another_protocol_is_told_so(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_init_out out;

	assert_int_equal(call_init(s, 7, 26, &out), -EPROTO);
	assert_int_equal(call_init(s, 6, 99, &out), -EPROTO);
	/* A newer major comes again with ours. */
	assert_int_equal(call_init(s, 8, 0, &out), 0);
	assert_int_equal(out.major, 7);
	assert_int_equal(call_init(s, 7, 27, &out), 0);
	assert_int_equal(out.minor, 27);
	/* A newer minor gets ours. */
	assert_int_equal(call_init(s, 7, 1000, &out), 0);
	assert_int_equal(out.minor, 45);
}

/* ---- chains ---- */

/* A GETATTR of the root, in pieces that the test puts into a chain as it likes. */
struct raw {
	uint64_t request;
	uint64_t answer;
	uint32_t request_len;
	uint64_t unique;
};

static struct raw make_raw(struct shared *s)
{
	const struct virtiofs_fuse_getattr_in in = { .getattr_flags = 0 };
	struct virtiofs_fuse_in_header header = {
		.len = sizeof(header) + sizeof(in),
		.opcode = VIRTIOFS_FUSE_GETATTR,
		.unique = test_random_u64(&s->random) & ~UINT64_C(1),
		.nodeid = FUSE_ROOT,
	};
	struct raw raw = { .request_len = header.len, .unique = header.unique };

	raw.request = guest_ram_alloc(s->vmm.ram, header.len, 8);
	raw.answer = guest_ram_alloc(s->vmm.ram, 4096, 8);
	guest_ram_write(s->vmm.ram, raw.request, &header, sizeof(header));
	guest_ram_write(s->vmm.ram, raw.request + sizeof(header), &in, sizeof(in));
	return raw;
}

/* Send a chain, which must come back; returns the used length. */
static uint32_t send_raw(struct shared *s, const struct guest_buffer *buffers, uint32_t count)
{
	struct fake_vmm_queue *q = &s->vmm.queues[1];
	uint32_t used = UINT32_MAX;

	assert_true(guest_ring_add(&q->client.ring, buffers, count, count, s));
	fake_vmm_serve(&s->vmm, 1);
	assert_ptr_equal(guest_ring_take(&q->client.ring, &used), s);
	return used;
}

static struct virtiofs_fuse_out_header answer_of(struct shared *s, const struct raw *raw)
{
	struct virtiofs_fuse_out_header header;

	guest_ram_read(s->vmm.ram, raw->answer, &header, sizeof(header));
	return header;
}

static uint64_t malformed(const struct shared *s)
{
	struct virtiofs_stats stats = { .size = sizeof(stats) };

	assert_int_equal(virtiofs_device_stats(s->vmm.dev, &stats), 0);
	return stats.malformed;
}

static void assert_serves_on(struct shared *s)
{
	struct virtiofs_fuse_attr attr;

	assert_int_equal(fuse_getattr(s->c, FUSE_ROOT, &attr), 0);
}

static void raw_chain_that_is_well_formed_is_served(void **state)
{
	struct shared *s = *state;
	struct raw raw = make_raw(s);
	const struct guest_buffer buffers[] = { { raw.request, raw.request_len, false },
						{ raw.answer, 4096, true } };

	assert_int_equal(send_raw(s, buffers, 2),
			 OUT_HEADER + sizeof(struct virtiofs_fuse_attr_out));
	assert_int_equal(answer_of(s, &raw).error, 0);
	assert_int_equal(answer_of(s, &raw).unique, raw.unique);
	assert_int_equal(malformed(s), 0);
}

static void malformed_chain_with_room_for_a_header_is_answered_with_eio(void **state)
{
	struct shared *s = *state;
	struct raw raw = make_raw(s);
	const struct guest_buffer readable_behind[] = { { raw.request, raw.request_len, false },
							{ raw.answer, 4096, true },
							{ raw.request, 1, false } };
	const struct guest_buffer ends_in_a_hole[] = { { raw.request, raw.request_len, false },
						       { raw.answer, 4096, true },
						       { HOLE, 1, true } };

	assert_int_equal(send_raw(s, readable_behind, 3), OUT_HEADER);
	assert_int_equal(answer_of(s, &raw).error, -EIO);
	assert_int_equal(answer_of(s, &raw).unique, raw.unique);
	assert_int_equal(answer_of(s, &raw).len, OUT_HEADER);
	guest_ram_fill(s->vmm.ram, raw.answer, 0, 4096);
	assert_int_equal(send_raw(s, ends_in_a_hole, 3), OUT_HEADER);
	assert_int_equal(answer_of(s, &raw).error, -EIO);
	assert_int_equal(answer_of(s, &raw).unique, raw.unique);
	assert_int_equal(malformed(s), 2);
	assert_serves_on(s);
}

static void malformed_chain_without_room_comes_back_empty(void **state)
{
	struct shared *s = *state;
	struct raw raw = make_raw(s);
	const struct guest_buffer no_room[] = { { raw.request, raw.request_len, false },
						{ HOLE, 4096, true } };
	const struct guest_buffer no_request[] = { { HOLE, raw.request_len, false },
						   { raw.answer, 4096, true } };
	const struct guest_buffer nothing[] = { { raw.request, 0, false } };

	assert_int_equal(send_raw(s, no_room, 2), 0);
	assert_int_equal(send_raw(s, no_request, 2), 0);
	assert_int_equal(send_raw(s, nothing, 1), 0);
	assert_int_equal(malformed(s), 3);
	assert_serves_on(s);
}

static void answer_over_the_guests_own_request_is_the_guests_own_harm(void **state)
{
	struct shared *s = *state;
	struct raw raw = make_raw(s);
	/* Read once, it is not looked at again while the answer is written over it. */
	const struct guest_buffer buffers[] = { { raw.request, raw.request_len, false },
						{ raw.request, raw.request_len, true },
						{ raw.answer, 4096, true } };

	assert_int_equal(send_raw(s, buffers, 3),
			 OUT_HEADER + sizeof(struct virtiofs_fuse_attr_out));
	assert_int_equal(malformed(s), 0);
	assert_serves_on(s);
}

static void ring_that_breaks_gives_nothing_more_and_harms_no_other(void **state)
{
	struct shared *s = *state;
	struct fake_vmm_queue *hiprio = &s->vmm.queues[0];
	struct virtiofs_vq_chain *chain;

	guest_ring_expose(&hiprio->client.ring, UINT16_MAX);
	assert_int_equal(virtiofs_virtqueue_pop(hiprio->vq, &chain), -EPROTO);
	assert_serves_on(s);
}

/* ---- values ---- */

static void share_with(struct shared *s, const struct virtiofs_device_options *device)
{
	const struct shared_options options = { .device = device, .layout = FUSE_LAYOUT_LINUX };

	shared_open(s, &options);
}

static void more_payload_than_was_agreed_on_is_refused(void **state)
{
	struct virtiofs_device_options options = VIRTIOFS_DEVICE_OPTIONS_INIT;
	struct virtiofs_fuse_entry_out out;
	unsigned char bytes[8192] = { 0 };
	struct shared s;
	uint64_t fh;

	(void)state;
	options.max_write = 4096;
	share_with(&s, &options);
	assert_int_equal(fuse_create(s.c, FUSE_ROOT, "file", O_RDWR, 0600, &out, &fh), 0);
	assert_int_equal(fuse_write(s.c, out.nodeid, fh, 0, bytes, 4096), 4096);
	assert_int_equal(fuse_write(s.c, out.nodeid, fh, 0, bytes, 4097), -EINVAL);
	assert_int_equal(host_stat(&s, "file").st_size, 4096);
	assert_int_equal(fuse_release(s.c, out.nodeid, fh), 0);
	shared_close(&s);
}

static void read_of_more_than_there_is_room_for_fills_the_room(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_read_in in = { .size = UINT32_MAX };
	struct fuse_request request = { .opcode = VIRTIOFS_FUSE_READ,
					.parts = { { &in, sizeof(in) } },
					.room = OUT_HEADER + 5 };
	char buf[8];
	uint32_t len;

	host_write(s, "file", "0123456789", 10);
	request.nodeid = node_of(s, FUSE_ROOT, "file");
	assert_int_equal(fuse_open(s->c, request.nodeid, O_RDONLY, &in.fh), 0);
	assert_int_equal(fuse_client_call(s->c, &request, buf, sizeof(buf), &len), 0);
	assert_int_equal(len, 5);
	assert_memory_equal(buf, "01234", 5);
	assert_int_equal(fuse_release(s->c, request.nodeid, in.fh), 0);
}

static void more_segments_than_the_device_takes_are_answered(void **state)
{
	struct virtiofs_device_options options = VIRTIOFS_DEVICE_OPTIONS_INIT;
	struct guest_buffer buffers[12];
	struct raw raw;
	struct shared s;

	(void)state;
	options.max_segments = 10;
	share_with(&s, &options);
	raw = make_raw(&s);
	buffers[0] = (struct guest_buffer){ raw.request, raw.request_len, false };
	for (unsigned i = 1; i < 12; i++)
		buffers[i] = (struct guest_buffer){ raw.answer + 64ull * (i - 1), 32, true };
	assert_int_equal(send_raw(&s, buffers, 12), OUT_HEADER);
	assert_int_equal(answer_of(&s, &raw).error, -E2BIG);
	assert_int_equal(answer_of(&s, &raw).unique, raw.unique);
	shared_close(&s);
}

static void batch_forget_of_more_than_it_brought_is_malformed(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_batch_forget_in in = { .count = UINT32_MAX };
	struct virtiofs_fuse_forget_one one = { .nodeid = FUSE_ROOT, .nlookup = 1 };
	struct fuse_request request = { .opcode = VIRTIOFS_FUSE_BATCH_FORGET,
					.parts = { { &in, sizeof(in) }, { &one, sizeof(one) } } };

	assert_int_equal(fuse_client_call(s->c, &request, NULL, 0, NULL), -ENODATA);
	assert_int_equal(malformed(s), 1);
	assert_serves_on(s);
}

/* ---- many at once ---- */

static void send_many(struct shared *s, unsigned count)
{
	const struct virtiofs_fuse_getattr_in in = { .getattr_flags = 0 };
	struct fuse_request request = { .opcode = VIRTIOFS_FUSE_GETATTR,
					.nodeid = FUSE_ROOT,
					.parts = { { (void *)(uintptr_t)&in, sizeof(in) } },
					.room = 256 };
	struct fuse_call **calls = calloc(count, sizeof(*calls));
	unsigned sent = 0;

	CHECK(calls);
	/* As many as the ring takes. */
	while (sent < count && (calls[sent] = fuse_client_submit(s->c, &request)))
		sent++;
	assert_true(sent > 0);
	for (unsigned i = 0; i < sent; i++) {
		fuse_client_wait(s->c, calls[i]);
		assert_int_equal(fuse_call_error(calls[i]), 0);
		fuse_call_free(calls[i]);
	}
	assert_int_equal(s->c->out, 0);
	free(calls);
}

static void each_of_many_requests_comes_back_once(void **state)
{
	struct shared *s = *state;

	for (unsigned i = 0; i < 20; i++)
		send_many(s, 200);
}

static void device_that_takes_one_at_a_time_gets_through_them_all(void **state)
{
	struct virtiofs_device_options options = VIRTIOFS_DEVICE_OPTIONS_INIT;
	struct shared s;

	(void)state;
	options.max_inflight = 1;
	share_with(&s, &options);
	for (unsigned i = 0; i < 20; i++)
		send_many(&s, 200);
	shared_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED_TEST(opcode_that_is_none_is_enosys),
		SHARED_TEST(nothing_is_served_before_init),
		SHARED_TEST(guest_of_another_protocol_is_told_so),
		SHARED_TEST(raw_chain_that_is_well_formed_is_served),
		SHARED_TEST(malformed_chain_with_room_for_a_header_is_answered_with_eio),
		SHARED_TEST(malformed_chain_without_room_comes_back_empty),
		SHARED_TEST(answer_over_the_guests_own_request_is_the_guests_own_harm),
		SHARED_TEST(ring_that_breaks_gives_nothing_more_and_harms_no_other),
		cmocka_unit_test(more_payload_than_was_agreed_on_is_refused),
		SHARED_TEST(read_of_more_than_there_is_room_for_fills_the_room),
		cmocka_unit_test(more_segments_than_the_device_takes_are_answered),
		SHARED_TEST(batch_forget_of_more_than_it_brought_is_malformed),
		SHARED_TEST(each_of_many_requests_comes_back_once),
		cmocka_unit_test(device_that_takes_one_at_a_time_gets_through_them_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
