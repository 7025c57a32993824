/* SPDX-License-Identifier: BSD-2-Clause */
/* Names that go, or go elsewhere. The nodes they led to stay until forgotten. */
#include "passthrough/share.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static void remove_name(struct vfi_guest *guest, struct virtiofs_req *req, uint64_t parent,
			const char *name, int flags)
{
	struct vfi_inode *dir = vfi_inode_get(guest, parent);
	int err = -ESTALE;

	if (dir) {
		err = unlinkat(vfi_inode_fd(guest, dir), name, flags) ? -errno : 0;
		vfi_inode_put(guest, dir);
	}
	virtiofs_reply_err(req, err);
}

void vfi_share_unlink(void *session, struct virtiofs_req *req, uint64_t parent, const char *name)
{
	remove_name(session, req, parent, name, 0);
}

void vfi_share_rmdir(void *session, struct virtiofs_req *req, uint64_t parent, const char *name)
{
	remove_name(session, req, parent, name, AT_REMOVEDIR);
}

void vfi_share_rename(void *session, struct virtiofs_req *req, uint64_t parent, const char *name,
		      uint64_t newparent, const char *newname, uint32_t flags)
{
	struct vfi_guest *guest = session;
	struct vfi_inode *dir = vfi_inode_get(guest, parent);
	struct vfi_inode *newdir = vfi_inode_get(guest, newparent);
	int err = -ESTALE;

	if (dir && newdir)
		err = renameat2(vfi_inode_fd(guest, dir), name, vfi_inode_fd(guest, newdir),
				newname, flags)
			      ? -errno
			      : 0;
	if (dir)
		vfi_inode_put(guest, dir);
	if (newdir)
		vfi_inode_put(guest, newdir);
	virtiofs_reply_err(req, err);
}
