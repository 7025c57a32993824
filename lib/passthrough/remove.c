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
	struct vfi_renaming names = { guest, .parent = { parent }, .text = { name } };
	struct vfi_node dir;
	int err = vfi_node_open(guest, parent, &dir);

	if (!err) {
		vfi_renaming_begin(&names);
		err = unlinkat(dir.fd, name, flags) ? -errno : 0;
		vfi_renaming_end(&names, !err, false);
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

/* A whiteout that stays where the name was is a new file: the guest user's, as any other. */
static int rename_as_guest(struct vfi_guest *guest, const struct virtiofs_req *req, int dir,
			   const char *name, int newdir, const char *newname, uint32_t flags)
{
	struct vfi_cred cred;
	int err = vfi_cred_enter(&cred, guest->share, req, 0);

	if (err)
		return err;
	err = renameat2(dir, name, newdir, newname, flags) ? -errno : 0;
	vfi_cred_leave(&cred);
	return err;
}

static int rename_name(struct vfi_guest *guest, const struct virtiofs_req *req, int dir,
		       const char *name, int newdir, const char *newname, uint32_t flags)
{
	/* What else there will be is not for a guest to be the first to try. */
	if (flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if (flags & RENAME_WHITEOUT)
		return rename_as_guest(guest, req, dir, name, newdir, newname, flags);
	return renameat2(dir, name, newdir, newname, flags) ? -errno : 0;
}

void vfi_share_rename(void *session, struct virtiofs_req *req, uint64_t parent, const char *name,
		      uint64_t newparent, const char *newname, uint32_t flags)
{
	struct vfi_guest *guest = session;
	struct vfi_renaming names = { guest, { parent, newparent }, { name, newname }, { NULL } };
	struct vfi_node dir, newdir;
	int err = vfi_node_open(guest, parent, &dir);

	if (!err) {
		err = vfi_node_open(guest, newparent, &newdir);
		if (!err) {
			vfi_renaming_begin(&names);
			err = rename_name(guest, req, dir.fd, name, newdir.fd, newname, flags);
			vfi_renaming_end(&names, !err, flags & RENAME_EXCHANGE);
			vfi_node_close(&newdir);
		}
		vfi_node_close(&dir);
	}
	virtiofs_reply_err(req, err);
}
