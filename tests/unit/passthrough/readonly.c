/* SPDX-License-Identifier: BSD-2-Clause */
/* A share that nothing is changed in: whatever a guest sends, the host's files stay as they are. */
#include "guest.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

#include "proto/proto.h"

/* Of every opcode that has an op: whether it may change something. A new one is decided here. */
enum { READS = 1, CHANGES, DEPENDS /* on what it asks for: it has a test below */ };

static const uint8_t decided[VFI_OPCODES] = {
	[VIRTIOFS_FUSE_LOOKUP] = READS,
	[VIRTIOFS_FUSE_FORGET] = READS,
	[VIRTIOFS_FUSE_GETATTR] = READS,
	[VIRTIOFS_FUSE_SETATTR] = CHANGES,
	[VIRTIOFS_FUSE_READLINK] = READS,
	[VIRTIOFS_FUSE_SYMLINK] = CHANGES,
	[VIRTIOFS_FUSE_MKNOD] = CHANGES,
	[VIRTIOFS_FUSE_MKDIR] = CHANGES,
	[VIRTIOFS_FUSE_UNLINK] = CHANGES,
	[VIRTIOFS_FUSE_RMDIR] = CHANGES,
	[VIRTIOFS_FUSE_RENAME] = CHANGES,
	[VIRTIOFS_FUSE_LINK] = CHANGES,
	[VIRTIOFS_FUSE_OPEN] = DEPENDS,
	[VIRTIOFS_FUSE_READ] = READS,
	[VIRTIOFS_FUSE_WRITE] = CHANGES,
	[VIRTIOFS_FUSE_STATFS] = READS,
	[VIRTIOFS_FUSE_RELEASE] = READS,
	[VIRTIOFS_FUSE_FSYNC] = READS,
	[VIRTIOFS_FUSE_SETXATTR] = CHANGES,
	[VIRTIOFS_FUSE_GETXATTR] = READS,
	[VIRTIOFS_FUSE_LISTXATTR] = READS,
	[VIRTIOFS_FUSE_REMOVEXATTR] = CHANGES,
	[VIRTIOFS_FUSE_FLUSH] = READS,
	[VIRTIOFS_FUSE_OPENDIR] = READS,
	[VIRTIOFS_FUSE_READDIR] = READS,
	[VIRTIOFS_FUSE_RELEASEDIR] = READS,
	[VIRTIOFS_FUSE_FSYNCDIR] = READS,
	[VIRTIOFS_FUSE_GETLK] = READS,
	[VIRTIOFS_FUSE_SETLK] = READS,
	[VIRTIOFS_FUSE_SETLKW] = READS,
	[VIRTIOFS_FUSE_ACCESS] = DEPENDS,
	[VIRTIOFS_FUSE_CREATE] = CHANGES,
	[VIRTIOFS_FUSE_BMAP] = READS,
	[VIRTIOFS_FUSE_IOCTL] = DEPENDS,
	[VIRTIOFS_FUSE_POLL] = READS,
	[VIRTIOFS_FUSE_BATCH_FORGET] = READS,
	[VIRTIOFS_FUSE_FALLOCATE] = CHANGES,
	[VIRTIOFS_FUSE_READDIRPLUS] = READS,
	[VIRTIOFS_FUSE_RENAME2] = CHANGES,
	[VIRTIOFS_FUSE_LSEEK] = READS,
	[VIRTIOFS_FUSE_COPY_FILE_RANGE] = CHANGES,
	[VIRTIOFS_FUSE_SYNCFS] = READS,
	[VIRTIOFS_FUSE_TMPFILE] = CHANGES,
	[VIRTIOFS_FUSE_STATX] = READS,
	[VIRTIOFS_FUSE_COPY_FILE_RANGE_64] = CHANGES,
};

static int setup_readonly(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;

	options.readonly = VIRTIOFS_ON;
	options.file_attr = VIRTIOFS_ON;
	options.xattr = VIRTIOFS_ON;
	return guest_setup_with(state, &options);
}

/* The op of a row, as the address it is. */
static uintptr_t op_of(const struct virtiofs_fs_ops *ops, const struct vfi_op *row)
{
	uintptr_t op;

	memcpy(&op, (const char *)ops + row->op, sizeof(op));
	return op;
}

static struct virtiofs_fs_ops ops_of_a_share(bool readonly)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	struct virtiofs_fs_ops ops;
	void *state;

	options.readonly = readonly ? VIRTIOFS_ON : VIRTIOFS_OFF;
	options.xattr = VIRTIOFS_ON;
	guest_setup_with(&state, &options);
	ops = *((struct guest *)state)->ops;
	guest_teardown(&state);
	return ops;
}

static void no_opcode_changes_anything_unless_it_was_decided_to_be_harmless(void **state)
{
	const struct virtiofs_fs_ops readonly = ops_of_a_share(true);
	const struct virtiofs_fs_ops usual = ops_of_a_share(false);

	(void)state;
	for (uint32_t opcode = 0; opcode < VFI_OPCODES; opcode++) {
		const struct vfi_op *row = vfi_op_find(opcode);

		if (!row || !row->op)
			continue;
		if (!decided[opcode])
			fail_msg("%s: does it change anything?", row->name);
		if (op_of(&usual, row) && decided[opcode] != READS &&
		    op_of(&usual, row) == op_of(&readonly, row))
			fail_msg("%s changes what is not to be changed", row->name);
		if (decided[opcode] == READS)
			assert_int_equal(op_of(&usual, row), op_of(&readonly, row));
	}
}

static void what_would_change_a_name_is_erofs(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_create_out out;
	const struct virtiofs_fuse_create_in unnamed = { .flags = O_RDWR, .mode = S_IFREG | 0600 };
	uint64_t file;

	host_write(g, "file", "hello");
	file = node_of(g, ROOT, "file");
	assert_int_equal(do_symlink(g, ROOT, "new", "target", &entry), -EROFS);
	assert_int_equal(do_mknod(g, ROOT, "new", S_IFIFO | 0600, 0, &entry), -EROFS);
	assert_int_equal(do_mkdir(g, ROOT, "new", 0700, &entry), -EROFS);
	assert_int_equal(do_create(g, ROOT, "new", O_RDWR, 0600, &out), -EROFS);
	assert_int_equal(do_create(g, ROOT, "file", O_RDONLY, 0600, &out), -EROFS);
	assert_int_equal(do_link(g, file, ROOT, "new", &entry), -EROFS);
	assert_int_equal(do_rename(g, ROOT, "file", ROOT, "new", 0), -EROFS);
	assert_int_equal(do_rename(g, ROOT, "file", ROOT, "new", RENAME_NOREPLACE), -EROFS);
	assert_int_equal(do_unlink(g, ROOT, "file"), -EROFS);
	assert_int_equal(do_rmdir(g, ROOT, "file"), -EROFS);
	g->ops->tmpfile(g->session, fake_req(&g->req), ROOT, &unnamed);
	assert_int_equal(fake_reply_error(&g->req), -EROFS);
	assert_false(host_has(g, "new"));
	assert_true(host_has(g, "file"));
}

static void what_would_change_a_file_is_erofs(void **state)
{
	const struct virtiofs_fuse_setattr_in setattr = { .valid = VIRTIOFS_FATTR_MODE };
	struct virtiofs_fuse_fallocate_in fallocate = { .length = 4096 };
	struct virtiofs_fuse_copy_file_range_in copy = { .len = 4 };
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	struct stat before, after;
	uint64_t file, fh;

	host_write(g, "file", "hello");
	before = host_stat(g, "file");
	file = node_of(g, ROOT, "file");
	assert_int_equal(do_setattr(g, file, &setattr, &attr), -EROFS);
	assert_int_equal(do_open(g, file, O_WRONLY, &fh), -EROFS);
	assert_int_equal(do_open(g, file, O_RDWR, &fh), -EROFS);
	assert_int_equal(do_open(g, file, O_RDONLY | O_TRUNC, &fh), -EROFS);
	assert_int_equal(do_open(g, file, O_ACCMODE, &fh), -EROFS);
	assert_int_equal(do_open(g, file, O_RDONLY, &fh), 0);
	assert_int_equal(do_write(g, file, fh, 0, "x", O_RDWR, 0), -EROFS);
	fallocate.fh = fh;
	g->ops->fallocate(g->session, fake_req(&g->req), file, &fallocate);
	assert_int_equal(fake_reply_error(&g->req), -EROFS);
	copy.fh_in = copy.fh_out = fh;
	copy.nodeid_out = file;
	g->ops->copy_file_range(g->session, fake_req(&g->req), file, &copy);
	assert_int_equal(fake_reply_error(&g->req), -EROFS);
	assert_int_equal(do_release(g, file, fh), 0);
	after = host_stat(g, "file");
	assert_int_equal(after.st_size, 5);
	assert_memory_equal(&after.st_ctim, &before.st_ctim, sizeof(before.st_ctim));
}

static void reading_leaves_no_trace(void **state)
{
	struct guest *g = *state;
	struct timespec longago[2] = { { .tv_sec = 1000 }, { .tv_sec = 2000 } };
	char buf[8];
	uint64_t file, fh;

	host_write(g, "file", "hello");
	assert_int_equal(utimensat(g->dir, "file", longago, 0), 0);
	file = node_of(g, ROOT, "file");
	assert_int_equal(do_open(g, file, O_RDONLY, &fh), 0);
	assert_int_equal(do_read(g, file, fh, 0, buf, sizeof(buf)), 5);
	assert_int_equal(do_release(g, file, fh), 0);
	assert_int_equal(host_stat(g, "file").st_atim.tv_sec, 1000);
}

/* As access(2) has it on a file system that is mounted read-only. */
static void asked_for_write_access_it_says_so(void **state)
{
	struct guest *g = *state;

	host_write(g, "file", "hello");
	assert_int_equal(mkfifoat(g->dir, "fifo", 0666), 0);
	assert_int_equal(do_access(g, node_of(g, ROOT, "file"), R_OK), 0);
	assert_int_equal(do_access(g, node_of(g, ROOT, "file"), W_OK), -EROFS);
	assert_int_equal(do_access(g, ROOT, R_OK | W_OK), -EROFS);
	assert_int_equal(do_access(g, node_of(g, ROOT, "fifo"), W_OK), 0);
	assert_int_equal(do_access(g, 77, W_OK), -ESTALE);
}

static int call_ioctl(struct guest *g, uint64_t node, uint64_t fh, uint32_t cmd, uint32_t in_size)
{
	const struct virtiofs_fuse_ioctl_in in = {
		.fh = fh, .cmd = cmd, .in_size = in_size, .out_size = sizeof(int)
	};
	int value = FS_NOATIME_FL;
	struct iovec iov = { &value, sizeof(value) };
	const struct virtiofs_iov payload = { .iov = &iov, .count = 1, .len = sizeof(value) };

	g->ops->ioctl(g->session, fake_req(&g->req), node, &in, &payload, &payload);
	return fake_reply_error(&g->req);
}

static void flags_of_a_file_stay_as_they_are(void **state)
{
	struct guest *g = *state;
	uint64_t file, fh;
	int fd, flags, now = 0, can;

	host_write(g, "file", "hello");
	fd = openat(g->dir, "file", O_RDONLY | O_CLOEXEC);
	can = ioctl(fd, FS_IOC_GETFLAGS, &flags);
	file = node_of(g, ROOT, "file");
	assert_int_equal(do_open(g, file, O_RDONLY, &fh), 0);
	assert_int_equal(call_ioctl(g, file, fh, FS_IOC_SETFLAGS, sizeof(int)), -EROFS);
	if (!can) {
		assert_int_equal(call_ioctl(g, file, fh, FS_IOC_GETFLAGS, 0), 0);
		assert_int_equal(ioctl(fd, FS_IOC_GETFLAGS, &now), 0);
		assert_int_equal(now, flags);
	}
	assert_int_equal(do_release(g, file, fh), 0);
	close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_readonly, guest_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_opcode_changes_anything_unless_it_was_decided_to_be_harmless),
		TEST(what_would_change_a_name_is_erofs),
		TEST(what_would_change_a_file_is_erofs),
		TEST(reading_leaves_no_trace),
		TEST(asked_for_write_access_it_says_so),
		TEST(flags_of_a_file_stay_as_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
