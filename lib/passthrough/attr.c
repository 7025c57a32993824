/* SPDX-License-Identifier: BSD-2-Clause */
/* Attributes as the protocol has them. */
#include "passthrough/share.h"

#include <errno.h>
#include <sys/sysmacros.h>

void vfi_attr_fill(const struct vfi_share *share, struct virtiofs_fuse_attr *attr,
		   const struct statx *st)
{
	*attr = (struct virtiofs_fuse_attr){
		.ino = st->stx_ino,
		.size = st->stx_size,
		.blocks = st->stx_blocks,
		.atime = (uint64_t)st->stx_atime.tv_sec,
		.mtime = (uint64_t)st->stx_mtime.tv_sec,
		.ctime = (uint64_t)st->stx_ctime.tv_sec,
		.atimensec = st->stx_atime.tv_nsec,
		.mtimensec = st->stx_mtime.tv_nsec,
		.ctimensec = st->stx_ctime.tv_nsec,
		.mode = st->stx_mode,
		.nlink = st->stx_nlink,
		.uid = vfi_idmap_to_guest(&share->uids, st->stx_uid),
		.gid = vfi_idmap_to_guest(&share->gids, st->stx_gid),
		/* The lower half is laid out as the kernel's new_encode_dev(). */
		.rdev = (uint32_t)makedev(st->stx_rdev_major, st->stx_rdev_minor),
		.blksize = st->stx_blksize,
	};
}

void vfi_entry_fill(const struct vfi_share *share, struct virtiofs_fuse_entry_out *out,
		    uint64_t nodeid, const struct statx *st)
{
	*out = (struct virtiofs_fuse_entry_out){
		.nodeid = nodeid,
		.generation = nodeid >> 32,
		.entry_valid = share->entry_valid.sec,
		.attr_valid = share->attr_valid.sec,
		.entry_valid_nsec = share->entry_valid.nsec,
		.attr_valid_nsec = share->attr_valid.nsec,
	};
	vfi_attr_fill(share, &out->attr, st);
}

void vfi_attr_reply(const struct vfi_share *share, struct virtiofs_req *req, int err,
		    const struct statx *st)
{
	struct virtiofs_fuse_attr_out out = { .attr_valid = share->attr_valid.sec,
					      .attr_valid_nsec = share->attr_valid.nsec };

	if (err) {
		virtiofs_reply_err(req, err);
		return;
	}
	vfi_attr_fill(share, &out.attr, st);
	virtiofs_reply_attr(req, &out);
}

void vfi_share_getattr(void *session, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_getattr_in *in)
{
	struct vfi_guest *guest = session;
	struct vfi_node node;
	struct statx st;
	int err = vfi_node_open(guest, nodeid, &node);

	/* A handle says nothing that the inode's own descriptor does not. */
	(void)in;
	if (!err) {
		err = vfi_path_stat(node.fd, "", &st);
		vfi_node_close(&node);
	}
	vfi_attr_reply(guest->share, req, err, &st);
}
