/* SPDX-License-Identifier: BSD-2-Clause */
/* STATX: attributes that GETATTR has no room for. */
#include "passthrough/share.h"

#include <errno.h>

enum {
	/* The protocol has a place for these; the rest of a guest's mask asks for nothing here. */
	KNOWN_MASK = STATX_BASIC_STATS | STATX_BTIME,
	SYNC_FLAGS = AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC,
	/* What is the file's own. Where it is mounted, and DAX, are the host's affair: the
	 * guest's kernel knows its own mounts and pages. */
	KNOWN_ATTRIBUTES = STATX_ATTR_COMPRESSED | STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND |
			   STATX_ATTR_NODUMP | STATX_ATTR_ENCRYPTED | STATX_ATTR_VERITY,
};

static struct virtiofs_fuse_sx_time sx_time(const struct statx_timestamp *time)
{
	return (struct virtiofs_fuse_sx_time){ .tv_sec = time->tv_sec, .tv_nsec = time->tv_nsec };
}

static void fill(const struct vfi_share *share, struct virtiofs_fuse_statx *out,
		 const struct statx *st)
{
	*out = (struct virtiofs_fuse_statx){
		.mask = st->stx_mask & KNOWN_MASK,
		.blksize = st->stx_blksize,
		.attributes = st->stx_attributes & KNOWN_ATTRIBUTES,
		.attributes_mask = st->stx_attributes_mask & KNOWN_ATTRIBUTES,
		.nlink = st->stx_nlink,
		.uid = vfi_idmap_to_guest(&share->uids, st->stx_uid),
		.gid = vfi_idmap_to_guest(&share->gids, st->stx_gid),
		.mode = st->stx_mode,
		.ino = st->stx_ino,
		.size = st->stx_size,
		.blocks = st->stx_blocks,
		.atime = sx_time(&st->stx_atime),
		.ctime = sx_time(&st->stx_ctime),
		.mtime = sx_time(&st->stx_mtime),
		.rdev_major = st->stx_rdev_major,
		.rdev_minor = st->stx_rdev_minor,
		.dev_major = st->stx_dev_major,
		.dev_minor = st->stx_dev_minor,
	};
	if (st->stx_mask & STATX_BTIME)
		out->btime = sx_time(&st->stx_btime);
}

static int look(const struct vfi_node *node, const struct virtiofs_fuse_statx_in *in,
		struct statx *st)
{
	/* What statx(2) does not take either: both ways to sync, and its reserved bit. */
	if ((in->sx_flags & ~(uint32_t)SYNC_FLAGS) || in->sx_flags == SYNC_FLAGS ||
	    (in->sx_mask & STATX__RESERVED))
		return -EINVAL;
	if (statx(node->fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | (int)in->sx_flags, KNOWN_MASK,
		  st))
		return -errno;
	return 0;
}

void vfi_share_statx(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_statx_in *in)
{
	struct vfi_guest *guest = session;
	struct virtiofs_fuse_statx_out out = { .attr_valid = guest->share->attr_valid.sec,
					       .attr_valid_nsec = guest->share->attr_valid.nsec };
	struct vfi_node node;
	struct statx st;
	int err = vfi_node_open(guest, nodeid, &node);

	/* As for GETATTR, a handle says nothing that the inode's own descriptor does not. */
	if (!err) {
		err = look(&node, in, &st);
		vfi_node_close(&node);
	}
	if (err) {
		virtiofs_reply_err(req, err);
		return;
	}
	fill(guest->share, &out.stat, &st);
	virtiofs_reply_statx(req, &out);
}
