/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A share that nothing is changed in: the operations that would are answered here,
 * whatever the guest mounted it as.
 */
#include "passthrough/share.h"

#include <errno.h>
#include <sys/ioctl.h>

#define UNUSED __attribute__((unused))

#define DENY(op, ...)                                                                      \
	static void deny_##op(UNUSED void *session, struct virtiofs_req *req, __VA_ARGS__) \
	{                                                                                  \
		virtiofs_reply_err(req, -EROFS);                                           \
	}

DENY(setattr, UNUSED uint64_t nodeid, UNUSED const struct virtiofs_fuse_setattr_in *in)
DENY(symlink, UNUSED uint64_t parent, UNUSED const char *name, UNUSED const char *target)
DENY(mknod, UNUSED uint64_t parent, UNUSED const struct virtiofs_fuse_mknod_in *in,
     UNUSED const char *name)
DENY(mkdir, UNUSED uint64_t parent, UNUSED const struct virtiofs_fuse_mkdir_in *in,
     UNUSED const char *name)
DENY(unlink, UNUSED uint64_t parent, UNUSED const char *name)
DENY(rmdir, UNUSED uint64_t parent, UNUSED const char *name)
DENY(rename, UNUSED uint64_t parent, UNUSED const char *name, UNUSED uint64_t newparent,
     UNUSED const char *newname, UNUSED uint32_t flags)
DENY(link, UNUSED uint64_t nodeid, UNUSED uint64_t newparent, UNUSED const char *newname)
DENY(write, UNUSED uint64_t nodeid, UNUSED const struct virtiofs_fuse_write_in *in,
     UNUSED const struct virtiofs_iov *src)
DENY(setxattr, UNUSED uint64_t nodeid, UNUSED const struct virtiofs_fuse_setxattr_in *in,
     UNUSED const char *name, UNUSED const struct virtiofs_iov *value)
DENY(removexattr, UNUSED uint64_t nodeid, UNUSED const char *name)
/* Linux asks for the name before it asks to have it created. */
DENY(create, UNUSED uint64_t parent, UNUSED const struct virtiofs_fuse_create_in *in,
     UNUSED const char *name)
DENY(tmpfile, UNUSED uint64_t parent, UNUSED const struct virtiofs_fuse_create_in *in)
DENY(fallocate, UNUSED uint64_t nodeid, UNUSED const struct virtiofs_fuse_fallocate_in *in)
DENY(copy_file_range, UNUSED uint64_t nodeid,
     UNUSED const struct virtiofs_fuse_copy_file_range_in *in)

static void open_to_read(void *session, struct virtiofs_req *req, uint64_t nodeid,
			 const struct virtiofs_fuse_open_in *in)
{
	if ((in->flags & O_ACCMODE) != O_RDONLY || (in->flags & O_TRUNC))
		virtiofs_reply_err(req, -EROFS);
	else
		vfi_share_open(session, req, nodeid, in);
}

/* To write to a device or a FIFO changes no file. */
static bool is_changed_by_writing(uint32_t type)
{
	return S_ISREG(type) || S_ISDIR(type) || S_ISLNK(type);
}

static void access_to_read(void *session, struct virtiofs_req *req, uint64_t nodeid,
			   const struct virtiofs_fuse_access_in *in)
{
	struct vfi_node node;
	bool denied = false;

	if ((in->mask & W_OK) && vfi_node_open(session, nodeid, &node) == 0) {
		denied = is_changed_by_writing(node.inode->type);
		vfi_node_close(&node);
	}
	if (denied)
		virtiofs_reply_err(req, -EROFS);
	else
		vfi_share_access(session, req, nodeid, in);
}

static void ioctl_to_read(void *session, struct virtiofs_req *req, uint64_t nodeid,
			  const struct virtiofs_fuse_ioctl_in *in, const struct virtiofs_iov *src,
			  const struct virtiofs_iov *dst)
{
	if (_IOC_DIR(in->cmd) & _IOC_WRITE)
		virtiofs_reply_err(req, -EROFS);
	else
		vfi_share_ioctl(session, req, nodeid, in, src, dst);
}

void vfi_readonly_ops(struct virtiofs_fs_ops *ops)
{
	ops->setattr = deny_setattr;
	ops->symlink = deny_symlink;
	ops->mknod = deny_mknod;
	ops->mkdir = deny_mkdir;
	ops->unlink = deny_unlink;
	ops->rmdir = deny_rmdir;
	ops->rename = deny_rename;
	ops->link = deny_link;
	ops->open = open_to_read;
	ops->write = deny_write;
	ops->setxattr = ops->setxattr ? deny_setxattr : NULL;
	ops->removexattr = ops->removexattr ? deny_removexattr : NULL;
	ops->access = access_to_read;
	ops->create = deny_create;
	ops->ioctl = ioctl_to_read;
	ops->fallocate = deny_fallocate;
	ops->copy_file_range = deny_copy_file_range;
	ops->tmpfile = deny_tmpfile;
}
