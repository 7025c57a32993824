/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/sweep_cases.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "api/recording_fs.h"
#include "support/check.h"

#define TAIL(bytes, nul) .tail = (bytes), .tail_len = sizeof(bytes) - 1, .last_nul = (nul)
#define SET(n, ...) .set_count = (n), .set = { __VA_ARGS__ }
#define NO_NAME .last_nul = (-1)
#define DATA(bytes) .data = (bytes), .data_len = sizeof(bytes) - 1

/* Requests that are answered with a struct, or with a header alone: a byte less of
 * either is an error, and the op does not run. */
#define CUT(short_err, unterminated, room) \
	.short_error = (short_err), .unterminated_error = (unterminated), .room_error = (room)
#define STRUCT_ANSWER CUT(-EINVAL, -EINVAL, -EINVAL)
#define HEADER_ANSWER CUT(-EINVAL, -EINVAL, SWEEP_NO_ANSWER)
#define NEVER_ANSWERED CUT(SWEEP_NO_ANSWER, SWEEP_NO_ANSWER, SWEEP_NO_ANSWER)

/* What the recording filesystem's listings answer. */
static const struct {
	struct virtiofs_fuse_dirent head;
	char name[8];
} dirent = { { .ino = 1, .off = 2, .namelen = 5, .type = DT_REG }, "entry" };

static const struct {
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_fuse_dirent head;
	char name[8];
} direntplus = { { .nodeid = RECORDING_NUMBER },
		 { .ino = 1, .off = 2, .namelen = 5, .type = DT_REG },
		 "entry" };

const struct sweep_case sweep_cases[] = {
	{ .opcode = VIRTIOFS_FUSE_LOOKUP,
	  TAIL("name\0", 4),
	  .call = "lookup 9 name",
	  .out_fill = 128,
	  STRUCT_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_FORGET,
	  .fixed = 8,
	  SET(2, { 0, 3 }, { 4, 0 }),
	  NO_NAME,
	  .call = "forget 9 3;",
	  .error = SWEEP_NO_ANSWER,
	  NEVER_ANSWERED },
	{ .opcode = VIRTIOFS_FUSE_GETATTR,
	  .fixed = 16,
	  NO_NAME,
	  .call = "getattr 9",
	  .out_fill = 104,
	  STRUCT_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_SETATTR,
	  .fixed = 88,
	  NO_NAME,
	  .call = "setattr 9",
	  .out_fill = 104,
	  STRUCT_ANSWER },
	/* Six bytes in room for five. */
	{ .opcode = VIRTIOFS_FUSE_READLINK,
	  NO_NAME,
	  .call = "readlink 9",
	  DATA("target"),
	  CUT(-EINVAL, 0, -ERANGE),
	  .room_runs = true },
	{ .opcode = VIRTIOFS_FUSE_SYMLINK,
	  TAIL("name\0../to\0", 10),
	  .call = "symlink 9 name -> ../to",
	  .out_fill = 128,
	  STRUCT_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_MKNOD,
	  .fixed = 16,
	  TAIL("name\0", 4),
	  .call = "mknod 9 name",
	  .out_fill = 128,
	  STRUCT_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_MKDIR,
	  .fixed = 8,
	  TAIL("name\0", 4),
	  .call = "mkdir 9 name",
	  .out_fill = 128,
	  STRUCT_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_MKDIR,
	  .fixed = 8,
	  TAIL("name\0", 4),
	  .extensions = true,
	  .call = "mkdir 9 name group 77 security.x=tag",
	  .out_fill = 128,
	  STRUCT_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_UNLINK,
	  TAIL("name\0", 4),
	  .call = "unlink 9 name",
	  HEADER_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_RMDIR, TAIL("name\0", 4), .call = "rmdir 9 name", HEADER_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_RENAME,
	  .fixed = 8,
	  SET(2, { 0, 0x1234 }, { 4, 0 }),
	  TAIL("name\0new\0", 8),
	  .call = "rename 9 name -> 1234 new flags 0",
	  HEADER_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_LINK,
	  .fixed = 8,
	  SET(2, { 0, 0x1234 }, { 4, 0 }),
	  TAIL("name\0", 4),
	  .call = "link 1234 -> 9 name",
	  .out_fill = 128,
	  STRUCT_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_OPEN,
	  .fixed = 8,
	  NO_NAME,
	  .call = "open 9",
	  .out_fill = 16,
	  STRUCT_ANSWER },
	/* Room is what READ and the listings fill, however much they asked for. */
	{ .opcode = VIRTIOFS_FUSE_READ,
	  .fixed = 40,
	  SET(1, { 16, 5 }),
	  NO_NAME,
	  .call = "read 9",
	  DATA("ddddd"),
	  CUT(-EINVAL, 0, 0),
	  .room_runs = true,
	  .room_data_len = 4 },
	{ .opcode = VIRTIOFS_FUSE_WRITE,
	  .fixed = 40,
	  SET(1, { 16, 5 }),
	  TAIL("bytes", -1),
	  .call = "write 9",
	  .payload = "bytes",
	  .out_fill = 4,
	  .out_zero = 4,
	  STRUCT_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_STATFS,
	  NO_NAME,
	  .call = "statfs 9",
	  .out_fill = 80,
	  STRUCT_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_RELEASE,
	  .fixed = 24,
	  NO_NAME,
	  .call = "release 9",
	  HEADER_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_FSYNC, .fixed = 16, NO_NAME, .call = "fsync 9", HEADER_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_SETXATTR,
	  .fixed = 16,
	  SET(1, { 0, 5 }),
	  TAIL("user.a\0value", 6),
	  .call = "setxattr 9 user.a",
	  .payload = "value",
	  HEADER_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_GETXATTR,
	  .fixed = 8,
	  SET(1, { 0, 0 }),
	  TAIL("user.a\0", 6),
	  .call = "getxattr 9 user.a",
	  .out_fill = 4,
	  .out_zero = 4,
	  STRUCT_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_GETXATTR,
	  .fixed = 8,
	  SET(1, { 0, 5 }),
	  TAIL("user.a\0", 6),
	  .call = "getxattr 9 user.a",
	  DATA("value"),
	  CUT(-EINVAL, -EINVAL, -ERANGE),
	  .room_runs = true },
	{ .opcode = VIRTIOFS_FUSE_LISTXATTR,
	  .fixed = 8,
	  SET(1, { 0, 0 }),
	  NO_NAME,
	  .call = "listxattr 9",
	  .out_fill = 4,
	  .out_zero = 4,
	  STRUCT_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_LISTXATTR,
	  .fixed = 8,
	  SET(1, { 0, 5 }),
	  NO_NAME,
	  .call = "listxattr 9",
	  DATA("value"),
	  CUT(-EINVAL, 0, -ERANGE),
	  .room_runs = true },
	{ .opcode = VIRTIOFS_FUSE_REMOVEXATTR,
	  TAIL("user.a\0", 6),
	  .call = "removexattr 9 user.a",
	  HEADER_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_FLUSH, .fixed = 24, NO_NAME, .call = "flush 9", HEADER_ANSWER },
	/* As old guests send it; its answer's content is another test's. */
	{ .opcode = VIRTIOFS_FUSE_INIT,
	  .fixed = 16,
	  SET(3, { 0, 7 }, { 4, 31 }, { 12, 0 }),
	  NO_NAME,
	  .out_fill = 64,
	  STRUCT_ANSWER },
	/* As new ones do: a byte less is less than all of it, and more than enough. */
	{ .opcode = VIRTIOFS_FUSE_INIT,
	  .fixed = 64,
	  SET(3, { 0, 7 }, { 4, 45 }, { 12, VIRTIOFS_FUSE_SETXATTR_EXT }),
	  NO_NAME,
	  .out_fill = 64,
	  CUT(0, 0, -EINVAL) },
	{ .opcode = VIRTIOFS_FUSE_OPENDIR,
	  .fixed = 8,
	  NO_NAME,
	  .call = "opendir 9",
	  .out_fill = 16,
	  STRUCT_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_READDIR,
	  .fixed = 40,
	  SET(1, { 16, 32 }),
	  NO_NAME,
	  .call = "readdir 9",
	  .data = &dirent,
	  .data_len = 32,
	  CUT(-EINVAL, 0, 0),
	  .room_runs = true },
	{ .opcode = VIRTIOFS_FUSE_RELEASEDIR,
	  .fixed = 24,
	  NO_NAME,
	  .call = "releasedir 9",
	  HEADER_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_FSYNCDIR,
	  .fixed = 16,
	  NO_NAME,
	  .call = "fsyncdir 9",
	  HEADER_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_GETLK,
	  .fixed = 48,
	  NO_NAME,
	  .call = "getlk 9",
	  .out_fill = 24,
	  STRUCT_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_SETLK, .fixed = 48, NO_NAME, .call = "setlk 9", HEADER_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_SETLKW,
	  .fixed = 48,
	  NO_NAME,
	  .call = "setlk wait 9",
	  HEADER_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_ACCESS, .fixed = 8, NO_NAME, .call = "access 9", HEADER_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_CREATE,
	  .fixed = 16,
	  TAIL("name\0", 4),
	  .call = "create 9 name",
	  .out_fill = 144,
	  STRUCT_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_INTERRUPT,
	  .fixed = 8,
	  NO_NAME,
	  .error = SWEEP_NO_ANSWER,
	  NEVER_ANSWERED },
	{ .opcode = VIRTIOFS_FUSE_BMAP,
	  .fixed = 16,
	  NO_NAME,
	  .call = "bmap 9",
	  .out_fill = 8,
	  STRUCT_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_DESTROY, NO_NAME, HEADER_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_IOCTL,
	  .fixed = 32,
	  SET(2, { 24, 3 }, { 28, 4 }),
	  TAIL("arg", -1),
	  .call = "ioctl 9",
	  .payload = "arg",
	  .out_fill = 4,
	  .out_zero = 12,
	  DATA("dddd"),
	  CUT(-EINVAL, 0, 0),
	  .room_runs = true,
	  .room_data_len = 3 },
	{ .opcode = VIRTIOFS_FUSE_POLL,
	  .fixed = 24,
	  NO_NAME,
	  .call = "poll 9",
	  .out_fill = 4,
	  .out_zero = 4,
	  STRUCT_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_NOTIFY_REPLY, NO_NAME, .error = SWEEP_NO_ANSWER, NEVER_ANSWERED },
	{ .opcode = VIRTIOFS_FUSE_BATCH_FORGET,
	  .fixed = 8,
	  SET(1, { 0, 2 }),
	  TAIL("aaaaaaaabbbbbbbbccccccccdddddddd", -1),
	  .call = "forget 6161616161616161 6262626262626262;"
		  "forget 6363636363636363 6464646464646464;",
	  .error = SWEEP_NO_ANSWER,
	  NEVER_ANSWERED },
	{ .opcode = VIRTIOFS_FUSE_FALLOCATE,
	  .fixed = 32,
	  NO_NAME,
	  .call = "fallocate 9",
	  HEADER_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_READDIRPLUS,
	  .fixed = 40,
	  SET(1, { 16, 160 }),
	  NO_NAME,
	  .call = "readdirplus 9",
	  .data = &direntplus,
	  .data_len = 160,
	  CUT(-EINVAL, 0, 0),
	  .room_runs = true },
	{ .opcode = VIRTIOFS_FUSE_RENAME2,
	  .fixed = 16,
	  SET(3, { 0, 0x1234 }, { 4, 0 }, { 8, 0x42 }),
	  TAIL("name\0new\0", 8),
	  .call = "rename 9 name -> 1234 new flags 42",
	  HEADER_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_LSEEK,
	  .fixed = 24,
	  NO_NAME,
	  .call = "lseek 9",
	  .out_fill = 8,
	  STRUCT_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_COPY_FILE_RANGE,
	  .fixed = 56,
	  NO_NAME,
	  .call = "copy_file_range 9",
	  .out_fill = 4,
	  .out_zero = 4,
	  STRUCT_ANSWER },
	/* Without a window there is nothing to map; sizes are checked first. */
	{ .opcode = VIRTIOFS_FUSE_SETUPMAPPING,
	  .fixed = 40,
	  NO_NAME,
	  .error = -ENOSYS,
	  HEADER_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_REMOVEMAPPING,
	  .fixed = 4,
	  SET(1, { 0, 1 }),
	  TAIL("offset..length..", -1),
	  .error = -ENOSYS,
	  HEADER_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_SYNCFS, .fixed = 8, NO_NAME, .call = "syncfs 9", HEADER_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_TMPFILE,
	  .fixed = 16,
	  NO_NAME,
	  .call = "tmpfile 9",
	  .out_fill = 144,
	  STRUCT_ANSWER },
	/* A byte less, and they begin in what is left of the fixed part. */
	{ .opcode = VIRTIOFS_FUSE_TMPFILE,
	  .fixed = 16,
	  NO_NAME,
	  .extensions = true,
	  .call = "tmpfile 9 group 77 security.x=tag",
	  .out_fill = 144,
	  STRUCT_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_STATX,
	  .fixed = 24,
	  NO_NAME,
	  .call = "statx 9",
	  .out_fill = 288,
	  STRUCT_ANSWER },
	{ .opcode = VIRTIOFS_FUSE_COPY_FILE_RANGE_64,
	  .fixed = 56,
	  NO_NAME,
	  .call = "copy_file_range 9",
	  .out_fill = 4,
	  .out_zero = 4,
	  STRUCT_ANSWER },
	/* Numbers without an opcode. */
	{ .opcode = 0, NO_NAME, .error = -ENOSYS, HEADER_ANSWER },
	{ .opcode = 7, .fixed = 8, NO_NAME, .error = -ENOSYS, CUT(-ENOSYS, 0, SWEEP_NO_ANSWER) },
	{ .opcode = 19, .fixed = 8, NO_NAME, .error = -ENOSYS, CUT(-ENOSYS, 0, SWEEP_NO_ANSWER) },
	{ .opcode = 54, .fixed = 8, NO_NAME, .error = -ENOSYS, CUT(-ENOSYS, 0, SWEEP_NO_ANSWER) },
	{ .opcode = 4096, .fixed = 8, NO_NAME, .error = -ENOSYS, CUT(-ENOSYS, 0, SWEEP_NO_ANSWER) },
	{ .opcode = UINT32_MAX,
	  .fixed = 8,
	  NO_NAME,
	  .error = -ENOSYS,
	  CUT(-ENOSYS, 0, SWEEP_NO_ANSWER) },
};

const size_t sweep_case_count = sizeof(sweep_cases) / sizeof(sweep_cases[0]);

static const struct {
	struct virtiofs_fuse_ext_header groups_head;
	struct virtiofs_fuse_supp_groups groups;
	uint32_t group;
	struct virtiofs_fuse_secctx_header secctx_head;
	struct virtiofs_fuse_secctx secctx;
	char secctx_tail[16];
} extensions = {
	.groups_head = { 16, VIRTIOFS_FUSE_EXT_GROUPS },
	.groups = { 1 },
	.group = 77,
	.secctx_head = { 32, 1 },
	.secctx = { .size = 3 },
	.secctx_tail = "security.x\0tag\0x",
};

static void add_extensions(struct raw_request *r)
{
	struct virtiofs_fuse_in_header header;

	raw_request_add(r, &extensions, sizeof(extensions));
	header = raw_request_header(r);
	header.total_extlen = sizeof(extensions) / 8;
	raw_request_set_header(r, &header);
}

void sweep_request(const struct sweep_case *c, struct raw_request *r)
{
	unsigned char fixed[128];

	CHECK(c->fixed <= sizeof(fixed));
	for (unsigned i = 0; i < sizeof(fixed); i++)
		fixed[i] = (unsigned char)(i * 7 + 1);
	for (unsigned i = 0; i < c->set_count; i++)
		memcpy(fixed + c->set[i].offset, &c->set[i].value, 4);
	raw_request_init(r, c->opcode, SWEEP_NODE);
	raw_request_add(r, fixed, c->fixed);
	raw_request_add(r, c->tail, c->tail_len);
	if (c->extensions)
		add_extensions(r);
}

size_t sweep_room(const struct sweep_case *c)
{
	return 16u + c->out_fill + c->out_zero + c->data_len;
}
