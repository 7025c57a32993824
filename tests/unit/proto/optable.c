/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of opcodes, against numbers written down by hand from the protocol,
 * against the size of our structs, and against the structs of the system's header.
 */
#include "support/test.h"

#include <linux/fuse.h>
#include <string.h>

#include "proto/proto.h"

enum {
	NONE = VFI_NAME_NONE,
	ENTRY = VFI_NAME_ENTRY,
	LOOKUP = VFI_NAME_LOOKUP,
	TARGET = VFI_NAME_TARGET,
	XATTR = VFI_NAME_XATTR,

	NO_REPLY = VFI_OP_NO_REPLY,
	CORE = VFI_OP_CORE,
	PREINIT = VFI_OP_PREINIT,
	EXT = VFI_OP_EXT,
	TAKES = VFI_OP_PAYLOAD_IN,
	GIVES = VFI_OP_PAYLOAD_OUT,
};

struct expected {
	const char *name;
	uint16_t in_min, in_max, out;
	uint8_t names[2];
	uint8_t flags;
	bool has_op; /* one of virtiofs_fs_ops serves it */
};

static const struct expected expected[] = {
	[1] = { "LOOKUP", 0, 0, 128, { LOOKUP }, 0, true },
	[2] = { "FORGET", 8, 8, 0, { NONE }, NO_REPLY, true },
	[3] = { "GETATTR", 16, 16, 104, { NONE }, 0, true },
	[4] = { "SETATTR", 88, 88, 104, { NONE }, 0, true },
	[5] = { "READLINK", 0, 0, 0, { NONE }, GIVES, true },
	[6] = { "SYMLINK", 0, 0, 128, { ENTRY, TARGET }, EXT, true },
	[8] = { "MKNOD", 16, 16, 128, { ENTRY }, EXT, true },
	[9] = { "MKDIR", 8, 8, 128, { ENTRY }, EXT, true },
	[10] = { "UNLINK", 0, 0, 0, { ENTRY }, 0, true },
	[11] = { "RMDIR", 0, 0, 0, { ENTRY }, 0, true },
	[12] = { "RENAME", 8, 8, 0, { ENTRY, ENTRY }, 0, true },
	[13] = { "LINK", 8, 8, 128, { ENTRY }, 0, true },
	[14] = { "OPEN", 8, 8, 16, { NONE }, 0, true },
	[15] = { "READ", 40, 40, 0, { NONE }, GIVES, true },
	[16] = { "WRITE", 40, 40, 8, { NONE }, TAKES, true },
	[17] = { "STATFS", 0, 0, 80, { NONE }, 0, true },
	[18] = { "RELEASE", 24, 24, 0, { NONE }, 0, true },
	[20] = { "FSYNC", 16, 16, 0, { NONE }, 0, true },
	[21] = { "SETXATTR", 16, 16, 0, { XATTR }, TAKES, true },
	[22] = { "GETXATTR", 8, 8, 0, { XATTR }, GIVES, true },
	[23] = { "LISTXATTR", 8, 8, 0, { NONE }, GIVES, true },
	[24] = { "REMOVEXATTR", 0, 0, 0, { XATTR }, 0, true },
	[25] = { "FLUSH", 24, 24, 0, { NONE }, 0, true },
	[26] = { "INIT", 16, 64, 64, { NONE }, CORE | PREINIT, false },
	[27] = { "OPENDIR", 8, 8, 16, { NONE }, 0, true },
	[28] = { "READDIR", 40, 40, 0, { NONE }, GIVES, true },
	[29] = { "RELEASEDIR", 24, 24, 0, { NONE }, 0, true },
	[30] = { "FSYNCDIR", 16, 16, 0, { NONE }, 0, true },
	[31] = { "GETLK", 48, 48, 24, { NONE }, 0, true },
	[32] = { "SETLK", 48, 48, 0, { NONE }, 0, true },
	[33] = { "SETLKW", 48, 48, 0, { NONE }, 0, true },
	[34] = { "ACCESS", 8, 8, 0, { NONE }, 0, true },
	[35] = { "CREATE", 16, 16, 128 + 16, { ENTRY }, EXT, true },
	[36] = { "INTERRUPT", 8, 8, 0, { NONE }, NO_REPLY | CORE, false },
	[37] = { "BMAP", 16, 16, 8, { NONE }, 0, true },
	[38] = { "DESTROY", 0, 0, 0, { NONE }, CORE | PREINIT, false },
	[39] = { "IOCTL", 32, 32, 16, { NONE }, TAKES | GIVES, true },
	[40] = { "POLL", 24, 24, 8, { NONE }, 0, true },
	[41] = { "NOTIFY_REPLY", 0, 0, 0, { NONE }, NO_REPLY, false },
	[42] = { "BATCH_FORGET", 8, 8, 0, { NONE }, NO_REPLY | TAKES, true },
	[43] = { "FALLOCATE", 32, 32, 0, { NONE }, 0, true },
	[44] = { "READDIRPLUS", 40, 40, 0, { NONE }, GIVES, true },
	[45] = { "RENAME2", 16, 16, 0, { ENTRY, ENTRY }, 0, true },
	[46] = { "LSEEK", 24, 24, 8, { NONE }, 0, true },
	[47] = { "COPY_FILE_RANGE", 56, 56, 8, { NONE }, 0, true },
	[48] = { "SETUPMAPPING", 40, 40, 0, { NONE }, 0, false },
	[49] = { "REMOVEMAPPING", 4, 4, 0, { NONE }, TAKES, false },
	[50] = { "SYNCFS", 8, 8, 0, { NONE }, 0, true },
	[51] = { "TMPFILE", 16, 16, 128 + 16, { NONE }, EXT, true },
	[52] = { "STATX", 24, 24, 288, { NONE }, 0, true },
	[53] = { "COPY_FILE_RANGE_64", 56, 56, 8, { NONE }, 0, true },
};

static void table_has_the_51_opcodes_of_the_protocol(void **state)
{
	int count = 0;

	(void)state;
	assert_int_equal(VFI_OPCODES, 54);
	for (uint32_t opcode = 0; opcode < VFI_OPCODES; opcode++) {
		const struct vfi_op *op = vfi_op_find(opcode);

		if (opcode == 0 || opcode == 7 || opcode == 19) {
			assert_null(op);
			continue;
		}
		assert_non_null(op);
		count++;
	}
	assert_int_equal(count, 51);
}

static void numbers_that_are_no_opcodes_have_no_row(void **state)
{
	const uint32_t none[] = { 0, 7, 19, 54, 63, 64, 4096, 436207616, 1u << 31, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_null(vfi_op_find(none[i]));
}

static void rows_are_what_the_protocol_says(void **state)
{
	(void)state;
	for (uint32_t opcode = 0; opcode < VFI_OPCODES; opcode++) {
		const struct vfi_op *op = vfi_op_find(opcode);
		const struct expected *e = &expected[opcode];

		if (!op)
			continue;
		assert_string_equal(op->name, e->name);
		assert_int_equal(op->in_min, e->in_min);
		assert_int_equal(op->in_max, e->in_max);
		assert_int_equal(op->out, e->out);
		assert_int_equal(op->names[0], e->names[0]);
		assert_int_equal(op->names[1], e->names[1]);
		assert_int_equal(op->flags, e->flags);
		assert_int_equal(op->run != NULL, e->has_op);
		assert_int_equal(op->op != 0, e->has_op);
	}
}

static void rows_hold_together(void **state)
{
	(void)state;
	for (uint32_t opcode = 0; opcode < VFI_OPCODES; opcode++) {
		const struct vfi_op *op = vfi_op_find(opcode);

		if (!op)
			continue;
		assert_in_range(op->in_max, 0, VFI_ARGS_SIZE);
		assert_in_range(op->in_min, 0, op->in_max);
		/* What is shorter than expected is filled up: nothing may come behind it. */
		if (op->in_min < op->in_max)
			assert_int_equal(op->names[0], VFI_NAME_NONE);
		assert_int_equal(op->payload_in != NULL, (op->flags & VFI_OP_PAYLOAD_IN) != 0);
		if (op->payload_out)
			assert_true(op->flags & VFI_OP_PAYLOAD_OUT);
		if (op->flags & VFI_OP_NO_REPLY)
			assert_false(op->out || op->flags & VFI_OP_PAYLOAD_OUT);
	}
}

static void rows_without_an_op_to_share_have_an_op_of_their_own(void **state)
{
	/* RENAME2, SETLKW, BATCH_FORGET and COPY_FILE_RANGE_64 share an op. */
	enum { SHARED = 4 };
	int shared = 0;

	(void)state;
	for (uint32_t a = 0; a < VFI_OPCODES; a++) {
		for (uint32_t b = a + 1; b < VFI_OPCODES; b++) {
			if (vfi_optable[a].op && vfi_optable[a].op == vfi_optable[b].op)
				shared++;
		}
	}
	assert_int_equal(shared, SHARED);
}

static void setxattr_has_its_second_half_where_granted(void **state)
{
	const struct vfi_op *op = vfi_op_find(VIRTIOFS_FUSE_SETXATTR);

	(void)state;
	assert_int_equal(op->in_size(0), 8);
	assert_int_equal(op->in_size(~VIRTIOFS_FUSE_SETXATTR_EXT), 8);
	assert_int_equal(op->in_size(VIRTIOFS_FUSE_SETXATTR_EXT), 16);
}

#define SAME(type, size)                                                \
	do {                                                            \
		assert_int_equal(sizeof(struct virtiofs_##type), size); \
		assert_int_equal(sizeof(struct type), size);            \
	} while (0)
#define OURS(type, size) assert_int_equal(sizeof(struct virtiofs_##type), size)

static void structs_have_the_size_of_the_wire(void **state)
{
	(void)state;
	SAME(fuse_in_header, 40);
	SAME(fuse_out_header, 16);
	SAME(fuse_attr, 88);
	SAME(fuse_kstatfs, 80);
	SAME(fuse_file_lock, 24);
	SAME(fuse_entry_out, 128);
	SAME(fuse_forget_in, 8);
	SAME(fuse_forget_one, 16);
	SAME(fuse_batch_forget_in, 8);
	SAME(fuse_getattr_in, 16);
	SAME(fuse_attr_out, 104);
	SAME(fuse_mknod_in, 16);
	SAME(fuse_mkdir_in, 8);
	SAME(fuse_rename_in, 8);
	SAME(fuse_rename2_in, 16);
	SAME(fuse_link_in, 8);
	SAME(fuse_setattr_in, 88);
	SAME(fuse_open_in, 8);
	SAME(fuse_create_in, 16);
	SAME(fuse_open_out, 16);
	SAME(fuse_release_in, 24);
	SAME(fuse_flush_in, 24);
	SAME(fuse_read_in, 40);
	SAME(fuse_write_in, 40);
	SAME(fuse_write_out, 8);
	SAME(fuse_statfs_out, 80);
	SAME(fuse_fsync_in, 16);
	SAME(fuse_setxattr_in, 16);
	SAME(fuse_getxattr_in, 8);
	SAME(fuse_getxattr_out, 8);
	SAME(fuse_lk_in, 48);
	SAME(fuse_lk_out, 24);
	SAME(fuse_access_in, 8);
	SAME(fuse_init_in, 64);
	SAME(fuse_init_out, 64);
	SAME(fuse_interrupt_in, 8);
	SAME(fuse_bmap_in, 16);
	SAME(fuse_bmap_out, 8);
	SAME(fuse_ioctl_in, 32);
	SAME(fuse_ioctl_out, 16);
	SAME(fuse_poll_in, 24);
	SAME(fuse_poll_out, 8);
	SAME(fuse_fallocate_in, 32);
	SAME(fuse_dirent, 24);
	SAME(fuse_direntplus, 152);
	SAME(fuse_lseek_in, 24);
	SAME(fuse_lseek_out, 8);
	SAME(fuse_copy_file_range_in, 56);
	SAME(fuse_setupmapping_in, 40);
	SAME(fuse_removemapping_in, 4);
	SAME(fuse_removemapping_one, 16);
	SAME(fuse_syncfs_in, 8);
	/* Newer than the oldest system header we build with. */
	OURS(fuse_statx, 256);
	OURS(fuse_statx_in, 24);
	OURS(fuse_statx_out, 288);
	OURS(fuse_copy_file_range_out, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_has_the_51_opcodes_of_the_protocol),
		cmocka_unit_test(numbers_that_are_no_opcodes_have_no_row),
		cmocka_unit_test(rows_are_what_the_protocol_says),
		cmocka_unit_test(rows_hold_together),
		cmocka_unit_test(rows_without_an_op_to_share_have_an_op_of_their_own),
		cmocka_unit_test(setxattr_has_its_second_half_where_granted),
		cmocka_unit_test(structs_have_the_size_of_the_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
