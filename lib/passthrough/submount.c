/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mounts below the shared directory. A guest that is told of one makes a mount of
 * its own there, with its own st_dev: inode numbers are then not mixed up with those
 * of the file system around it, and df(1) and sync(1) mean the right one.
 */
#include "passthrough/share.h"

struct vfi_mount vfi_mount_of(const struct statx *st)
{
	struct vfi_mount mount = {
		/* As the kernel has it: 12 bits major, 20 bits minor. */
		.dev = st->stx_dev_major << 20 | st->stx_dev_minor,
		/* An int to the kernel. Linux 5.8; before, one file seen through two mounts
		 * is one inode, and a bind mount is a directory like any other. */
		.id = st->stx_mask & STATX_MNT_ID ? (uint32_t)st->stx_mnt_id : 0,
	};

	return mount;
}

void vfi_mount_announce(const struct vfi_guest *guest, struct vfi_mount parent,
			const struct statx *st, struct virtiofs_fuse_entry_out *out)
{
	struct vfi_mount own = vfi_mount_of(st);

	if (guest->submounts && S_ISDIR(st->stx_mode) &&
	    (own.dev != parent.dev || own.id != parent.id))
		out->attr.flags |= VIRTIOFS_FUSE_ATTR_SUBMOUNT;
}
