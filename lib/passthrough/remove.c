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
	struct vfi_node dir;
	int err = vfi_node_open(guest, parent, &dir);

	if (!err) {
		err = unlinkat(dir.fd, name, flags) ? -errno : 0;
		vfi_node_close(&dir);
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
	struct vfi_node dir, newdir;
	int err = vfi_node_open(guest, parent, &dir);

	if (!err) {
		err = vfi_node_open(guest, newparent, &newdir);
		if (!err) {
			err = renameat2(dir.fd, name, newdir.fd, newname, flags) ? -errno : 0;
			vfi_node_close(&newdir);
		}
		vfi_node_close(&dir);
	}
	virtiofs_reply_err(req, err);
}
