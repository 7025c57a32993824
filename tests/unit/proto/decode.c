/* SPDX-License-Identifier: BSD-2-Clause */
/* What decoding makes of a request, and each way in which it can be none. */
#include "support/test.h"

#include <errno.h>
#include <string.h>

#include "unit/proto/message.h"

/* ---- Header ---- */

static void no_bytes_are_no_request_but_can_be_answered(void **state)
{
	struct message m = { 0 };

	(void)state;
	pieces_cut(&m.out, NULL, 16, NULL, 0);
	message_init(&m);
	assert_int_equal(message_decode(&m), -EINVAL);
	assert_null(m.msg.op);
	assert_int_equal(m.msg.in.unique, 0);
	assert_int_equal(vfi_encode(&m.msg, -EINVAL, NULL, 0, 0), 16);
	message_free(&m);
}

/* Of a header that is cut off, what names it is known, if it is whole. */
static void cut_off_header_is_einval_at_every_length(void **state)
{
	struct raw_request whole;

	(void)state;
	raw_request_init(&whole, VIRTIOFS_FUSE_FORGET, 1);
	for (size_t len = 0; len < VFI_IN_HEADER; len++) {
		struct raw_request r = whole;
		struct message m;

		r.len = len;
		assert_int_equal(message_decode_flat(&m, &r, 16, 0), -EINVAL);
		assert_int_equal(m.msg.in.unique, len >= 16 ? RAW_REQUEST_UNIQUE : 0);
		if (len >= 8)
			assert_string_equal(m.msg.op->name, "FORGET");
		else
			assert_null(m.msg.op);
		message_free(&m);
	}
}

static void claimed_length_may_be_shorter_than_the_chain_never_longer(void **state)
{
	struct virtiofs_fuse_in_header header;
	struct raw_request r;
	struct message m;

	(void)state;
	raw_request_init(&r, VIRTIOFS_FUSE_LOOKUP, 1);
	raw_request_add_name(&r, "name");
	header = raw_request_header(&r);

	header.len = 45;
	raw_request_set_header(&r, &header);
	r.len += 100; /* padding of the driver's */
	assert_int_equal(message_decode_flat(&m, &r, 16 + 128, 0), 0);
	assert_string_equal(m.msg.name[0], "name");
	message_free(&m);

	r.len = 44;
	assert_int_equal(message_decode_flat(&m, &r, 16 + 128, 0), -EINVAL);
	message_free(&m);

	r.len = 45;
	header.len = UINT32_MAX;
	raw_request_set_header(&r, &header);
	assert_int_equal(message_decode_flat(&m, &r, 16 + 128, 0), -EINVAL);
	message_free(&m);

	/* The name is in the chain, but not in the request. */
	header.len = 44;
	raw_request_set_header(&r, &header);
	assert_int_equal(message_decode_flat(&m, &r, 16 + 128, 0), -EINVAL);
	message_free(&m);

	for (uint32_t len = 0; len < VFI_IN_HEADER; len++) {
		header.len = len;
		raw_request_set_header(&r, &header);
		assert_int_equal(message_decode_flat(&m, &r, 16 + 128, 0), -EINVAL);
		message_free(&m);
	}
}

static void unknown_opcode_is_enosys_with_its_header(void **state)
{
	const uint32_t unknown[] = { 0, 7, 19, 54, 4096, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		struct raw_request r;
		struct message m;

		raw_request_init(&r, unknown[i], 1);
		assert_int_equal(message_decode_flat(&m, &r, 16, 0), -ENOSYS);
		assert_null(m.msg.op);
		assert_int_equal(m.msg.in.unique, RAW_REQUEST_UNIQUE);
		message_free(&m);
	}
}

/* ---- Sizes that depend ---- */

static void setxattr_is_read_as_it_was_negotiated(void **state)
{
	const struct virtiofs_fuse_setxattr_in in = { .size = 3, .flags = 1, .setxattr_flags = 9 };
	const uint64_t ext = VIRTIOFS_FUSE_SETXATTR_EXT;
	struct raw_request r;
	struct message m;
	char value[3];

	(void)state;
	raw_request_init(&r, VIRTIOFS_FUSE_SETXATTR, 1);
	raw_request_add(&r, &in, 8);
	raw_request_add(&r, "user.a\0val", 10);
	assert_int_equal(message_decode_flat(&m, &r, 16, 0), 0);
	assert_string_equal(m.msg.name[0], "user.a");
	assert_int_equal(m.msg.args.setxattr.flags, 1);
	assert_int_equal(m.msg.args.setxattr.setxattr_flags, 0);
	assert_int_equal(m.msg.payload_in.len, 3);
	memcpy(value, m.msg.payload_in.iov->iov_base, 3);
	assert_memory_equal(value, "val", 3);
	message_free(&m);

	raw_request_init(&r, VIRTIOFS_FUSE_SETXATTR, 1);
	raw_request_add(&r, &in, 16);
	raw_request_add(&r, "user.a\0val", 10);
	assert_int_equal(message_decode_flat(&m, &r, 16, ext), 0);
	assert_string_equal(m.msg.name[0], "user.a");
	assert_int_equal(m.msg.args.setxattr.setxattr_flags, 9);
	message_free(&m);

	/* The value is longer than what is there. */
	raw_request_cut(&r, 1);
	assert_int_equal(message_decode_flat(&m, &r, 16, ext), -EINVAL);
	message_free(&m);
}

static int decode_getxattr(uint32_t size, size_t room, size_t *payload)
{
	const struct virtiofs_fuse_getxattr_in in = { .size = size };
	struct raw_request r;
	struct message m;
	int err;

	raw_request_init(&r, VIRTIOFS_FUSE_GETXATTR, 1);
	raw_request_add(&r, &in, sizeof(in));
	raw_request_add_name(&r, "user.a");
	err = message_decode_flat(&m, &r, room, 0);
	*payload = m.msg.payload_out.len;
	message_free(&m);
	return err;
}

static void getxattr_answers_a_size_or_a_value(void **state)
{
	size_t payload;

	(void)state;
	assert_int_equal(decode_getxattr(0, 24, &payload), 0);
	assert_int_equal(payload, 0);
	assert_int_equal(decode_getxattr(0, 23, &payload), -EINVAL);
	assert_int_equal(decode_getxattr(100, 116, &payload), 0);
	assert_int_equal(payload, 100);
	assert_int_equal(decode_getxattr(100, 4096, &payload), 0);
	assert_int_equal(payload, 100);
	assert_int_equal(decode_getxattr(100, 20, &payload), 0);
	assert_int_equal(payload, 4);
	assert_int_equal(decode_getxattr(UINT32_MAX, 16, &payload), 0);
	assert_int_equal(payload, 0);
}

static size_t read_room(uint32_t size, size_t room)
{
	const struct virtiofs_fuse_read_in in = { .size = size };
	struct raw_request r;
	struct message m;
	size_t payload;

	raw_request_init(&r, VIRTIOFS_FUSE_READ, 1);
	raw_request_add(&r, &in, sizeof(in));
	assert_int_equal(message_decode_flat(&m, &r, room, 0), 0);
	payload = m.msg.payload_out.len;
	assert_int_equal(vfi_iov_len(m.msg.payload_out.iov, m.msg.payload_out.count), payload);
	message_free(&m);
	return payload;
}

static void read_gets_what_it_asks_for_or_what_there_is_room_for(void **state)
{
	(void)state;
	assert_int_equal(read_room(100, 116), 100);
	assert_int_equal(read_room(100, 500), 100);
	assert_int_equal(read_room(100, 115), 99);
	assert_int_equal(read_room(100, 16), 0);
	assert_int_equal(read_room(0, 500), 0);
	assert_int_equal(read_room(UINT32_MAX, 500), 484);
}

/* An answer's length has 32 bits; nothing of the room is looked at. */
static void room_counts_up_to_four_gigabytes(void **state)
{
	static unsigned char room[16];
	struct iovec iov[3 + VFI_SPARE_IOV] = { { room, 16 },
						{ room, UINT32_MAX },
						{ room, UINT32_MAX } };
	struct iovec readable[1 + VFI_SPARE_IOV];
	struct raw_request r;
	struct vfi_msg msg = {
		.readable = readable,
		.readable_count = 1,
		.writable = iov,
		.writable_count = 3,
		.writable_len = 16 + 2 * (size_t)UINT32_MAX,
	};

	(void)state;
	raw_request_init(&r, VIRTIOFS_FUSE_READLINK, 1);
	readable[0] = (struct iovec){ r.bytes, r.len };
	assert_int_equal(vfi_decode_header(&msg), 0);
	assert_int_equal(vfi_decode(&msg), 0);
	assert_int_equal(msg.payload_out.len, UINT32_MAX - 16);
	assert_int_equal(vfi_iov_len(msg.payload_out.iov, msg.payload_out.count), UINT32_MAX - 16);
	assert_int_equal(vfi_encode(&msg, 0, NULL, 0, msg.payload_out.len), UINT32_MAX);
}

static int decode_write(uint32_t size, size_t there)
{
	const struct virtiofs_fuse_write_in in = { .size = size };
	static const unsigned char data[MESSAGE_MAX_WRITE + 8];
	struct raw_request r;
	struct message m;
	int err;

	raw_request_init(&r, VIRTIOFS_FUSE_WRITE, 1);
	raw_request_add(&r, &in, sizeof(in));
	raw_request_add(&r, data, there);
	err = message_decode_flat(&m, &r, 24, 0);
	if (!err) {
		assert_int_equal(m.msg.payload_in.len, size);
		assert_int_equal(vfi_iov_len(m.msg.payload_in.iov, m.msg.payload_in.count), size);
	}
	message_free(&m);
	return err;
}

static void write_has_the_bytes_it_claims_and_no_more_than_max_write(void **state)
{
	(void)state;
	assert_int_equal(decode_write(0, 0), 0);
	assert_int_equal(decode_write(10, 10), 0);
	assert_int_equal(decode_write(10, 20), 0);
	assert_int_equal(decode_write(10, 9), -EINVAL);
	assert_int_equal(decode_write(UINT32_MAX, 10), -EINVAL);
	assert_int_equal(decode_write(MESSAGE_MAX_WRITE, MESSAGE_MAX_WRITE), 0);
	assert_int_equal(decode_write(MESSAGE_MAX_WRITE + 1, MESSAGE_MAX_WRITE + 1), -EINVAL);
}

static int decode_records(uint32_t opcode, uint32_t count, size_t there)
{
	static const struct virtiofs_fuse_forget_one records[4];
	struct virtiofs_fuse_batch_forget_in in = { .count = count };
	struct raw_request r;
	struct message m;
	int err;

	raw_request_init(&r, opcode, 0);
	raw_request_add(&r, &in, opcode == VIRTIOFS_FUSE_BATCH_FORGET ? 8 : 4);
	raw_request_add(&r, records, there);
	err = message_decode_flat(&m, &r, 16, 0);
	message_free(&m);
	return err;
}

static void count_of_records_is_held_against_the_bytes(void **state)
{
	const uint32_t ops[] = { VIRTIOFS_FUSE_BATCH_FORGET, VIRTIOFS_FUSE_REMOVEMAPPING };

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(decode_records(ops[i], 0, 0), 0);
		assert_int_equal(decode_records(ops[i], 2, 32), 0);
		assert_int_equal(decode_records(ops[i], 2, 64), 0);
		assert_int_equal(decode_records(ops[i], 2, 31), -EINVAL);
		assert_int_equal(decode_records(ops[i], 0x10000000, 64), -EINVAL);
		assert_int_equal(decode_records(ops[i], 0x10000001, 64), -EINVAL);
		assert_int_equal(decode_records(ops[i], UINT32_MAX, 64), -EINVAL);
	}
}

/* The same megabyte named 64 times: a count that is true, and would take forever. */
static void batch_forget_of_millions_is_refused(void **state)
{
	static unsigned char megabyte[1 << 20];
	struct virtiofs_fuse_batch_forget_in in = { .count = (64u << 20) / 16 };
	struct raw_request r;
	struct iovec iov[66 + VFI_SPARE_IOV];
	struct virtiofs_fuse_in_header header;
	struct vfi_msg msg = { .readable = iov, .readable_count = 66 };

	(void)state;
	raw_request_init(&r, VIRTIOFS_FUSE_BATCH_FORGET, 0);
	raw_request_add(&r, &in, sizeof(in));
	header = raw_request_header(&r);
	header.len += 64u << 20;
	raw_request_set_header(&r, &header);
	iov[0] = (struct iovec){ r.bytes, r.len };
	for (int i = 1; i < 66; i++)
		iov[i] = (struct iovec){ megabyte, sizeof(megabyte) };
	assert_int_equal(vfi_decode_header(&msg), 0);
	assert_int_equal(vfi_decode(&msg), -EINVAL);
}

static void ioctl_takes_and_gives_what_it_says(void **state)
{
	struct virtiofs_fuse_ioctl_in in = { .in_size = 4, .out_size = 6 };
	struct raw_request r;
	struct message m;

	(void)state;
	raw_request_init(&r, VIRTIOFS_FUSE_IOCTL, 1);
	raw_request_add(&r, &in, sizeof(in));
	raw_request_add(&r, "abcdef", 6);
	assert_int_equal(message_decode_flat(&m, &r, 16 + 16 + 8, 0), 0);
	assert_int_equal(m.msg.payload_in.len, 4);
	assert_int_equal(m.msg.payload_out.len, 6);
	message_free(&m);
	assert_int_equal(message_decode_flat(&m, &r, 16 + 16 + 5, 0), 0);
	assert_int_equal(m.msg.payload_out.len, 5);
	message_free(&m);
	assert_int_equal(message_decode_flat(&m, &r, 16 + 15, 0), -EINVAL);
	message_free(&m);
	raw_request_cut(&r, 3);
	assert_int_equal(message_decode_flat(&m, &r, 16 + 16 + 8, 0), -EINVAL);
	message_free(&m);
}

static void init_of_an_old_guest_is_filled_up_with_zeros(void **state)
{
	struct virtiofs_fuse_init_in in;
	struct raw_request r;
	struct message m;

	(void)state;
	memset(&in, 0x11, sizeof(in));
	for (size_t len = 0; len <= 72; len++) {
		unsigned char expected[64] = { 0 };

		raw_request_init(&r, VIRTIOFS_FUSE_INIT, 0);
		raw_request_add(&r, &in, len < 64 ? len : 64);
		if (len > 64) /* of a guest that is newer than we */
			raw_request_add(&r, "........", len - 64);
		assert_int_equal(message_decode_flat(&m, &r, 80, 0), len < 16 ? -EINVAL : 0);
		if (len >= 16) {
			memcpy(expected, &in, len < 64 ? len : 64);
			assert_memory_equal(&m.msg.args.init, expected, 64);
		}
		message_free(&m);
	}
}

/* ---- Splits ---- */

static void make_setxattr(struct raw_request *r)
{
	const struct virtiofs_fuse_setxattr_in in = { .size = 5, .flags = 2 };

	raw_request_init(r, VIRTIOFS_FUSE_SETXATTR, 3);
	raw_request_add(r, &in, 8);
	raw_request_add(r, "user.a\0value", 12);
}

static void request_is_the_same_over_every_split(void **state)
{
	size_t cuts[2] = { 0, 0 };
	struct raw_request r;

	(void)state;
	make_setxattr(&r);
	do {
		struct message m;
		char value[5];
		struct vfi_cursor c;

		pieces_cut(&m.in, r.bytes, r.len, cuts, 2);
		pieces_cut(&m.out, NULL, 16, NULL, 0);
		message_init(&m);
		assert_int_equal(message_decode(&m), 0);
		assert_int_equal(m.msg.in.nodeid, 3);
		assert_int_equal(m.msg.args.setxattr.flags, 2);
		assert_string_equal(m.msg.name[0], "user.a");
		assert_int_equal(m.msg.payload_in.len, 5);
		/* The payload is what the piece says, from its first byte on. */
		assert_true(m.msg.payload_in.iov[0].iov_len > 0);
		vfi_cursor_init(&c, m.msg.payload_in.iov, m.msg.payload_in.count);
		assert_int_equal(vfi_cursor_left(&c), 5);
		assert_true(vfi_cursor_read(&c, value, 5));
		assert_memory_equal(value, "value", 5);
		message_free(&m);
	} while (pieces_next_cuts(cuts, 2, r.len));
}

static void room_is_the_same_over_every_split(void **state)
{
	const struct virtiofs_fuse_ioctl_in in = { .out_size = 6 };
	const char text[] = "sixteen bytes...answer";
	enum { ROOM = 16 + 16 + 8 };
	size_t cuts[2] = { 0, 0 };
	struct raw_request r;

	(void)state;
	raw_request_init(&r, VIRTIOFS_FUSE_IOCTL, 1);
	raw_request_add(&r, &in, sizeof(in));
	do {
		unsigned char got[ROOM], expected[ROOM];
		const struct virtiofs_fuse_out_header header = { .len = 16 + 16 + 6,
								 .unique = RAW_REQUEST_UNIQUE };
		struct vfi_cursor c;
		struct message m;

		pieces_cut(&m.in, r.bytes, r.len, NULL, 0);
		pieces_cut(&m.out, NULL, ROOM, cuts, 2);
		message_init(&m);
		assert_int_equal(message_decode(&m), 0);
		vfi_cursor_init(&c, m.msg.payload_out.iov, m.msg.payload_out.count);
		assert_int_equal(vfi_cursor_left(&c), 6);
		assert_true(vfi_cursor_write(&c, "answer", 6));
		assert_int_equal(vfi_encode(&m.msg, 0, "sixteen bytes...", 16, 6), 38);

		memcpy(expected, &header, 16);
		memcpy(expected + 16, text, sizeof(text) - 1);
		memset(expected + 38, PIECES_FILL, 2);
		pieces_gather(&m.out, got);
		assert_memory_equal(got, expected, ROOM);
		message_free(&m);
	} while (pieces_next_cuts(cuts, 2, ROOM));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_bytes_are_no_request_but_can_be_answered),
		cmocka_unit_test(cut_off_header_is_einval_at_every_length),
		cmocka_unit_test(claimed_length_may_be_shorter_than_the_chain_never_longer),
		cmocka_unit_test(unknown_opcode_is_enosys_with_its_header),
		cmocka_unit_test(setxattr_is_read_as_it_was_negotiated),
		cmocka_unit_test(getxattr_answers_a_size_or_a_value),
		cmocka_unit_test(read_gets_what_it_asks_for_or_what_there_is_room_for),
		cmocka_unit_test(room_counts_up_to_four_gigabytes),
		cmocka_unit_test(write_has_the_bytes_it_claims_and_no_more_than_max_write),
		cmocka_unit_test(count_of_records_is_held_against_the_bytes),
		cmocka_unit_test(batch_forget_of_millions_is_refused),
		cmocka_unit_test(ioctl_takes_and_gives_what_it_says),
		cmocka_unit_test(init_of_an_old_guest_is_filled_up_with_zeros),
		cmocka_unit_test(request_is_the_same_over_every_split),
		cmocka_unit_test(room_is_the_same_over_every_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
