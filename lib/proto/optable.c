/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one table of opcodes, and what calls the op of each.
 *
 * A run function is called with the op known to be there. Where an op has no
 * values of its own to hand over, its shape is one of the macros below.
 */
#include "proto/proto.h"

#include <stddef.h>

#define RUN(op)                                                                      \
	static void run_##op(struct vfi_msg *msg, const struct virtiofs_fs_ops *ops, \
			     void *session, struct virtiofs_req *req)

/* op(nodeid) */
#define RUN_PLAIN(op)                                  \
	RUN(op)                                        \
	{                                              \
		ops->op(session, req, msg->in.nodeid); \
	}
/* op(nodeid, in) */
#define RUN_IN(op)                                                               \
	RUN(op)                                                                  \
	{                                                                        \
		ops->op(session, req, msg->in.nodeid, (const void *)&msg->args); \
	}
/* op(nodeid, name) */
#define RUN_NAME(op)                                                 \
	RUN(op)                                                      \
	{                                                            \
		ops->op(session, req, msg->in.nodeid, msg->name[0]); \
	}
/* op(nodeid, in, name) */
#define RUN_IN_NAME(op)                                                                        \
	RUN(op)                                                                                \
	{                                                                                      \
		ops->op(session, req, msg->in.nodeid, (const void *)&msg->args, msg->name[0]); \
	}
/* op(nodeid, in, dst) */
#define RUN_IN_DST(op)                                                          \
	RUN(op)                                                                 \
	{                                                                       \
		ops->op(session, req, msg->in.nodeid, (const void *)&msg->args, \
			&msg->payload_out);                                     \
	}

RUN_NAME(lookup)
RUN_IN(getattr)
RUN_IN(setattr)
RUN_PLAIN(readlink)
RUN_IN_NAME(mknod)
RUN_IN_NAME(mkdir)
RUN_NAME(unlink)
RUN_NAME(rmdir)
RUN_IN(open)
RUN_IN_DST(read)
RUN_PLAIN(statfs)
RUN_IN(release)
RUN_IN(fsync)
RUN_IN_NAME(getxattr)
RUN_IN(listxattr)
RUN_NAME(removexattr)
RUN_IN(flush)
RUN_IN(opendir)
RUN_IN_DST(readdir)
RUN_IN_DST(readdirplus)
RUN_IN(releasedir)
RUN_IN(fsyncdir)
RUN_IN(getlk)
RUN_IN(access)
RUN_IN_NAME(create)
RUN_IN(bmap)
RUN_IN(poll)
RUN_IN(fallocate)
RUN_IN(lseek)
RUN_IN(copy_file_range)
RUN_PLAIN(syncfs)
RUN_IN(tmpfile)
RUN_IN(statx)

RUN(forget)
{
	(void)req;
	ops->forget(session, msg->in.nodeid, msg->args.forget.nlookup);
}

RUN(batch_forget)
{
	struct vfi_cursor c;

	(void)req;
	vfi_cursor_init(&c, msg->payload_in.iov, msg->payload_in.count);
	for (uint32_t i = 0; i < msg->args.batch_forget.count; i++) {
		struct virtiofs_fuse_forget_one one;

		if (!vfi_cursor_read(&c, &one, sizeof(one)))
			return;
		ops->forget(session, one.nodeid, one.nlookup);
	}
}

RUN(symlink)
{
	ops->symlink(session, req, msg->in.nodeid, msg->name[0], msg->name[1]);
}

RUN(rename)
{
	ops->rename(session, req, msg->in.nodeid, msg->name[0], msg->args.rename.newdir,
		    msg->name[1], 0);
}

RUN(rename2)
{
	ops->rename(session, req, msg->in.nodeid, msg->name[0], msg->args.rename2.newdir,
		    msg->name[1], msg->args.rename2.flags);
}

RUN(link)
{
	ops->link(session, req, msg->args.link.oldnodeid, msg->in.nodeid, msg->name[0]);
}

RUN(write)
{
	ops->write(session, req, msg->in.nodeid, &msg->args.write, &msg->payload_in);
}

RUN(setxattr)
{
	ops->setxattr(session, req, msg->in.nodeid, &msg->args.setxattr, msg->name[0],
		      &msg->payload_in);
}

RUN(setlk)
{
	ops->setlk(session, req, msg->in.nodeid, &msg->args.lk, false);
}

RUN(setlkw)
{
	ops->setlk(session, req, msg->in.nodeid, &msg->args.lk, true);
}

RUN(ioctl)
{
	ops->ioctl(session, req, msg->in.nodeid, &msg->args.ioctl, &msg->payload_in,
		   &msg->payload_out);
}

/* ---- Sizes that the request or the negotiation decides ---- */

static uint16_t setxattr_in(uint64_t granted)
{
	/* The two members behind size and flags came with protocol 7.33. */
	return granted & VIRTIOFS_FUSE_SETXATTR_EXT
		       ? sizeof(struct virtiofs_fuse_setxattr_in)
		       : offsetof(struct virtiofs_fuse_setxattr_in, setxattr_flags);
}

/* A size of 0 asks how long the value is; else the answer is the value, without a fixed part. */
static size_t xattr_out(const struct vfi_msg *msg)
{
	return msg->args.getxattr.size ? 0 : sizeof(struct virtiofs_fuse_getxattr_out);
}

static size_t xattr_payload(const struct vfi_msg *msg)
{
	return msg->args.getxattr.size;
}

static size_t read_payload(const struct vfi_msg *msg)
{
	return msg->args.read.size;
}

static size_t write_payload(const struct vfi_msg *msg)
{
	if (msg->args.write.size > msg->max_write)
		return VFI_PAYLOAD_BAD;
	return msg->args.write.size;
}

static size_t setxattr_payload(const struct vfi_msg *msg)
{
	return msg->args.setxattr.size;
}

/*
 * A guest's count of records. Linux fills at most the buffer that /dev/fuse is read
 * with; twice as many as the largest request holds (16 MiB of 16 bytes each) keeps
 * one request from occupying a queue for seconds.
 */
static size_t records(uint32_t count, size_t size)
{
	const uint32_t max = 2u << 20;

	return count <= max ? count * size : VFI_PAYLOAD_BAD;
}

static size_t batch_forget_payload(const struct vfi_msg *msg)
{
	return records(msg->args.batch_forget.count, sizeof(struct virtiofs_fuse_forget_one));
}

static size_t removemapping_payload(const struct vfi_msg *msg)
{
	return records(msg->args.removemapping.count,
		       sizeof(struct virtiofs_fuse_removemapping_one));
}

static size_t ioctl_payload_in(const struct vfi_msg *msg)
{
	return msg->args.ioctl.in_size;
}

static size_t ioctl_payload_out(const struct vfi_msg *msg)
{
	return msg->args.ioctl.out_size;
}

/* ---- The table ---- */

#define IN(type) \
	.in_min = sizeof(struct virtiofs_fuse_##type), .in_max = sizeof(struct virtiofs_fuse_##type)
#define OUT(type) .out = sizeof(struct virtiofs_fuse_##type)
#define OP(member) .op = offsetof(struct virtiofs_fs_ops, member), .run = run_##member
/* An opcode whose op serves another one too. */
#define OP_AS(member, run_it) .op = offsetof(struct virtiofs_fs_ops, member), .run = run_it
#define ENTRY .names = { VFI_NAME_ENTRY }

/* clang-format off: a row is easier to read as one */
const struct vfi_op vfi_optable[VFI_OPCODES] = {
	[VIRTIOFS_FUSE_LOOKUP] = { "LOOKUP", OP(lookup), OUT(entry_out),
				   .names = { VFI_NAME_LOOKUP } },
	[VIRTIOFS_FUSE_FORGET] = { "FORGET", OP(forget), IN(forget_in), .flags = VFI_OP_NO_REPLY },
	[VIRTIOFS_FUSE_GETATTR] = { "GETATTR", OP(getattr), IN(getattr_in), OUT(attr_out) },
	[VIRTIOFS_FUSE_SETATTR] = { "SETATTR", OP(setattr), IN(setattr_in), OUT(attr_out) },
	[VIRTIOFS_FUSE_READLINK] = { "READLINK", OP(readlink), .flags = VFI_OP_PAYLOAD_OUT },
	[VIRTIOFS_FUSE_SYMLINK] = { "SYMLINK", OP(symlink), OUT(entry_out),
				    .names = { VFI_NAME_ENTRY, VFI_NAME_TARGET },
				    .flags = VFI_OP_EXT },
	[VIRTIOFS_FUSE_MKNOD] = { "MKNOD", OP(mknod), IN(mknod_in), OUT(entry_out), ENTRY,
				  .flags = VFI_OP_EXT },
	[VIRTIOFS_FUSE_MKDIR] = { "MKDIR", OP(mkdir), IN(mkdir_in), OUT(entry_out), ENTRY,
				  .flags = VFI_OP_EXT },
	[VIRTIOFS_FUSE_UNLINK] = { "UNLINK", OP(unlink), ENTRY },
	[VIRTIOFS_FUSE_RMDIR] = { "RMDIR", OP(rmdir), ENTRY },
	[VIRTIOFS_FUSE_RENAME] = { "RENAME", OP(rename), IN(rename_in),
				   .names = { VFI_NAME_ENTRY, VFI_NAME_ENTRY } },
	[VIRTIOFS_FUSE_LINK] = { "LINK", OP(link), IN(link_in), OUT(entry_out), ENTRY },
	[VIRTIOFS_FUSE_OPEN] = { "OPEN", OP(open), IN(open_in), OUT(open_out) },
	[VIRTIOFS_FUSE_READ] = { "READ", OP(read), IN(read_in), .flags = VFI_OP_PAYLOAD_OUT,
				 .payload_out = read_payload },
	[VIRTIOFS_FUSE_WRITE] = { "WRITE", OP(write), IN(write_in), OUT(write_out),
				  .flags = VFI_OP_PAYLOAD_IN, .payload_in = write_payload },
	[VIRTIOFS_FUSE_STATFS] = { "STATFS", OP(statfs), OUT(statfs_out) },
	[VIRTIOFS_FUSE_RELEASE] = { "RELEASE", OP(release), IN(release_in) },
	[VIRTIOFS_FUSE_FSYNC] = { "FSYNC", OP(fsync), IN(fsync_in) },
	[VIRTIOFS_FUSE_SETXATTR] = { "SETXATTR", OP(setxattr), IN(setxattr_in),
				     .names = { VFI_NAME_XATTR }, .flags = VFI_OP_PAYLOAD_IN,
				     .in_size = setxattr_in, .payload_in = setxattr_payload },
	[VIRTIOFS_FUSE_GETXATTR] = { "GETXATTR", OP(getxattr), IN(getxattr_in),
				     .names = { VFI_NAME_XATTR }, .flags = VFI_OP_PAYLOAD_OUT,
				     .out_size = xattr_out, .payload_out = xattr_payload },
	[VIRTIOFS_FUSE_LISTXATTR] = { "LISTXATTR", OP(listxattr), IN(getxattr_in),
				      .flags = VFI_OP_PAYLOAD_OUT, .out_size = xattr_out,
				      .payload_out = xattr_payload },
	[VIRTIOFS_FUSE_REMOVEXATTR] = { "REMOVEXATTR", OP(removexattr),
					.names = { VFI_NAME_XATTR } },
	[VIRTIOFS_FUSE_FLUSH] = { "FLUSH", OP(flush), IN(flush_in) },
	/* Guests before 7.36 send no flags2; the core answers. */
	[VIRTIOFS_FUSE_INIT] = { "INIT", .in_min = offsetof(struct virtiofs_fuse_init_in, flags2),
				 .in_max = sizeof(struct virtiofs_fuse_init_in), OUT(init_out),
				 .flags = VFI_OP_CORE | VFI_OP_PREINIT },
	[VIRTIOFS_FUSE_OPENDIR] = { "OPENDIR", OP(opendir), IN(open_in), OUT(open_out) },
	[VIRTIOFS_FUSE_READDIR] = { "READDIR", OP(readdir), IN(read_in),
				    .flags = VFI_OP_PAYLOAD_OUT, .payload_out = read_payload },
	[VIRTIOFS_FUSE_RELEASEDIR] = { "RELEASEDIR", OP(releasedir), IN(release_in) },
	[VIRTIOFS_FUSE_FSYNCDIR] = { "FSYNCDIR", OP(fsyncdir), IN(fsync_in) },
	[VIRTIOFS_FUSE_GETLK] = { "GETLK", OP(getlk), IN(lk_in), OUT(lk_out) },
	[VIRTIOFS_FUSE_SETLK] = { "SETLK", OP(setlk), IN(lk_in) },
	[VIRTIOFS_FUSE_SETLKW] = { "SETLKW", OP_AS(setlk, run_setlkw), IN(lk_in) },
	[VIRTIOFS_FUSE_ACCESS] = { "ACCESS", OP(access), IN(access_in) },
	[VIRTIOFS_FUSE_CREATE] = { "CREATE", OP(create), IN(create_in),
				   .out = sizeof(struct virtiofs_create_out), ENTRY,
				   .flags = VFI_OP_EXT },
	[VIRTIOFS_FUSE_INTERRUPT] = { "INTERRUPT", IN(interrupt_in),
				      .flags = VFI_OP_CORE | VFI_OP_NO_REPLY },
	[VIRTIOFS_FUSE_BMAP] = { "BMAP", OP(bmap), IN(bmap_in), OUT(bmap_out) },
	[VIRTIOFS_FUSE_DESTROY] = { "DESTROY", .flags = VFI_OP_CORE | VFI_OP_PREINIT },
	[VIRTIOFS_FUSE_IOCTL] = { "IOCTL", OP(ioctl), IN(ioctl_in), OUT(ioctl_out),
				  .flags = VFI_OP_PAYLOAD_IN | VFI_OP_PAYLOAD_OUT,
				  .payload_in = ioctl_payload_in,
				  .payload_out = ioctl_payload_out },
	[VIRTIOFS_FUSE_POLL] = { "POLL", OP(poll), IN(poll_in), OUT(poll_out) },
	/* An answer to a notification, of which none is sent. */
	[VIRTIOFS_FUSE_NOTIFY_REPLY] = { "NOTIFY_REPLY", .flags = VFI_OP_NO_REPLY },
	[VIRTIOFS_FUSE_BATCH_FORGET] = { "BATCH_FORGET", OP_AS(forget, run_batch_forget),
					 IN(batch_forget_in),
					 .flags = VFI_OP_NO_REPLY | VFI_OP_PAYLOAD_IN,
					 .payload_in = batch_forget_payload },
	[VIRTIOFS_FUSE_FALLOCATE] = { "FALLOCATE", OP(fallocate), IN(fallocate_in) },
	[VIRTIOFS_FUSE_READDIRPLUS] = { "READDIRPLUS", OP(readdirplus), IN(read_in),
					.flags = VFI_OP_PAYLOAD_OUT, .payload_out = read_payload },
	[VIRTIOFS_FUSE_RENAME2] = { "RENAME2", OP_AS(rename, run_rename2), IN(rename2_in),
				    .names = { VFI_NAME_ENTRY, VFI_NAME_ENTRY } },
	[VIRTIOFS_FUSE_LSEEK] = { "LSEEK", OP(lseek), IN(lseek_in), OUT(lseek_out) },
	[VIRTIOFS_FUSE_COPY_FILE_RANGE] = { "COPY_FILE_RANGE", OP(copy_file_range),
					    IN(copy_file_range_in), OUT(write_out) },
	/* A window into the page cache: this device has none. */
	[VIRTIOFS_FUSE_SETUPMAPPING] = { "SETUPMAPPING", IN(setupmapping_in) },
	[VIRTIOFS_FUSE_REMOVEMAPPING] = { "REMOVEMAPPING", IN(removemapping_in),
					  .flags = VFI_OP_PAYLOAD_IN,
					  .payload_in = removemapping_payload },
	[VIRTIOFS_FUSE_SYNCFS] = { "SYNCFS", OP(syncfs), IN(syncfs_in) },
	/* Linux sends the name of a nameless dentry behind it, "/": not looked at. */
	[VIRTIOFS_FUSE_TMPFILE] = { "TMPFILE", OP(tmpfile), IN(create_in),
				    .out = sizeof(struct virtiofs_create_out),
				    .flags = VFI_OP_EXT },
	[VIRTIOFS_FUSE_STATX] = { "STATX", OP(statx), IN(statx_in), OUT(statx_out) },
	[VIRTIOFS_FUSE_COPY_FILE_RANGE_64] = { "COPY_FILE_RANGE_64",
					       OP_AS(copy_file_range, run_copy_file_range),
					       IN(copy_file_range_in), OUT(copy_file_range_out) },
};
/* clang-format on */

const struct vfi_op *vfi_op_find(uint32_t opcode)
{
	if (opcode >= VFI_OPCODES || !vfi_optable[opcode].name)
		return NULL;
	return &vfi_optable[opcode];
}
