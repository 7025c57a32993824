/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers: which fit which request, and what is written of them. */
#include "support/test.h"

#include <errno.h>
#include <string.h>

#include "unit/proto/message.h"

/* A request of any opcode whose values are all 0 but @size, where it has one. */
static void make(struct message *m, uint32_t opcode, uint32_t size, size_t room)
{
	const struct vfi_op *op = vfi_op_find(opcode);
	unsigned char zero[VFI_ARGS_SIZE] = { 0 };
	struct raw_request r;

	raw_request_init(&r, opcode, 1);
	if (opcode == VIRTIOFS_FUSE_READ)
		memcpy(zero + 16, &size, 4);
	else if (opcode == VIRTIOFS_FUSE_GETXATTR)
		memcpy(zero, &size, 4);
	raw_request_add(&r, zero, op->in_size ? op->in_size(0) : op->in_max);
	for (int i = 0; i < 2; i++) {
		if (op->names[i])
			raw_request_add_name(&r, "a");
	}
	assert_int_equal(message_decode_flat(m, &r, room, 0), 0);
}

static void error_is_a_header_alone(void **state)
{
	struct virtiofs_fuse_out_header header;
	struct message m;
	unsigned char out[160];

	(void)state;
	make(&m, VIRTIOFS_FUSE_LOOKUP, 0, 160);
	assert_int_equal(vfi_encode(&m.msg, -ENOENT, "body", 4, 9), 16);
	pieces_gather(&m.out, out);
	memcpy(&header, out, 16);
	assert_int_equal(header.len, 16);
	assert_int_equal(header.error, -ENOENT);
	assert_int_equal(header.unique, RAW_REQUEST_UNIQUE);
	for (int i = 16; i < 160; i++)
		assert_int_equal(out[i], PIECES_FILL);
	message_free(&m);
}

static void nothing_is_written_where_no_header_fits(void **state)
{
	struct raw_request r;

	(void)state;
	raw_request_init(&r, VIRTIOFS_FUSE_STATFS, 1);
	for (size_t room = 0; room < 16; room++) {
		unsigned char out[16];
		struct message m;

		assert_int_equal(message_decode_flat(&m, &r, room, 0), -EINVAL);
		assert_false(vfi_can_reply(&m.msg));
		assert_int_equal(vfi_encode(&m.msg, -EINVAL, NULL, 0, 0), 0);
		pieces_gather(&m.out, out);
		for (size_t i = 0; i < room; i++)
			assert_int_equal(out[i], PIECES_FILL);
		message_free(&m);
	}
}

static void opcode_without_an_answer_gets_none_whatever_the_room(void **state)
{
	const uint32_t ops[] = { VIRTIOFS_FUSE_FORGET, VIRTIOFS_FUSE_BATCH_FORGET,
				 VIRTIOFS_FUSE_INTERRUPT, VIRTIOFS_FUSE_NOTIFY_REPLY };

	(void)state;
	for (int i = 0; i < 4; i++) {
		unsigned char out[64];
		struct message m;

		make(&m, ops[i], 0, sizeof(out));
		assert_int_equal(vfi_encode(&m.msg, 0, NULL, 0, 0), 0);
		assert_int_equal(vfi_encode(&m.msg, -EIO, NULL, 0, 0), 0);
		pieces_gather(&m.out, out);
		for (size_t j = 0; j < sizeof(out); j++)
			assert_int_equal(out[j], PIECES_FILL);
		message_free(&m);
	}
}

/* Every opcode takes the body its row says, and no other length. */
static void body_fits_if_it_is_as_long_as_the_row_says(void **state)
{
	(void)state;
	for (uint32_t opcode = 0; opcode < VFI_OPCODES; opcode++) {
		const struct vfi_op *op = vfi_op_find(opcode);
		struct message m;

		if (!op || opcode == VIRTIOFS_FUSE_GETXATTR || opcode == VIRTIOFS_FUSE_LISTXATTR)
			continue;
		make(&m, opcode, 0, 1024);
		for (size_t len = 0; len < 512; len++)
			assert_int_equal(vfi_reply_fits(&m.msg, len), len == op->out);
		message_free(&m);
	}
}

static void xattr_answer_is_a_struct_or_bytes(void **state)
{
	struct message m;

	(void)state;
	make(&m, VIRTIOFS_FUSE_GETXATTR, 0, 100);
	assert_true(vfi_reply_fits(&m.msg, 8));
	assert_false(vfi_reply_fits(&m.msg, 0));
	assert_int_equal(vfi_encode_buf(&m.msg, "v", 1), 16); /* no room: -ERANGE */
	message_free(&m);

	make(&m, VIRTIOFS_FUSE_GETXATTR, 10, 100);
	assert_true(vfi_reply_fits(&m.msg, 0));
	assert_false(vfi_reply_fits(&m.msg, 8));
	assert_int_equal(vfi_encode_buf(&m.msg, "1234567890", 10), 26);
	message_free(&m);
}

static void bytes_that_do_not_fit_are_erange(void **state)
{
	struct virtiofs_fuse_out_header header;
	unsigned char out[26];
	struct message m;

	(void)state;
	make(&m, VIRTIOFS_FUSE_GETXATTR, 9, sizeof(out));
	assert_int_equal(vfi_encode_buf(&m.msg, "1234567890", 10), 16);
	pieces_gather(&m.out, out);
	memcpy(&header, out, 16);
	assert_int_equal(header.error, -ERANGE);
	for (size_t i = 16; i < sizeof(out); i++)
		assert_int_equal(out[i], PIECES_FILL);
	assert_int_equal(vfi_encode_buf(&m.msg, NULL, 0), 16);
	pieces_gather(&m.out, out);
	memcpy(&header, out, 16);
	assert_int_equal(header.error, 0);
	message_free(&m);
}

static void payload_in_place_counts_in_the_length(void **state)
{
	struct virtiofs_fuse_out_header header;
	unsigned char out[66];
	struct message m;

	(void)state;
	make(&m, VIRTIOFS_FUSE_READ, 50, sizeof(out));
	assert_int_equal(vfi_encode(&m.msg, 0, NULL, 0, 33), 49);
	pieces_gather(&m.out, out);
	memcpy(&header, out, 16);
	assert_int_equal(header.len, 49);
	message_free(&m);
}

static void errno_is_one_that_linux_takes(void **state)
{
	(void)state;
	assert_int_equal(vfi_reply_errno(0), 0);
	assert_int_equal(vfi_reply_errno(-1), -1);
	assert_int_equal(vfi_reply_errno(-511), -511);
	assert_int_equal(vfi_reply_errno(-512), -EIO);
	assert_int_equal(vfi_reply_errno(1), -EIO);
	assert_int_equal(vfi_reply_errno(INT32_MIN), -EIO);
	assert_int_equal(vfi_reply_errno(INT32_MAX), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_is_a_header_alone),
		cmocka_unit_test(nothing_is_written_where_no_header_fits),
		cmocka_unit_test(opcode_without_an_answer_gets_none_whatever_the_room),
		cmocka_unit_test(body_fits_if_it_is_as_long_as_the_row_says),
		cmocka_unit_test(xattr_answer_is_a_struct_or_bytes),
		cmocka_unit_test(bytes_that_do_not_fit_are_erange),
		cmocka_unit_test(payload_in_place_counts_in_the_length),
		cmocka_unit_test(errno_is_one_that_linux_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
