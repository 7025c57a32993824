/* SPDX-License-Identifier: BSD-2-Clause */
/* Regular files: open, release, and the data between. */
#include "passthrough/share.h"

#include <errno.h>
#include <unistd.h>

/* The whole of O_SYNC, which includes O_DSYNC. */
enum { HANDED_ON = O_ACCMODE | O_TRUNC | O_SYNC };

int vfi_open_flags(uint32_t guest_flags)
{
	/*
	 * Not O_APPEND: the guest's page cache writes at offsets, and a write that
	 * is to append says so itself. Not O_NONBLOCK: it would turn what has to
	 * wait into EAGAIN. Not O_DIRECT: guest memory need not be aligned for the
	 * host. Not O_NOATIME: it is refused to who does not own the file.
	 */
	return (int)guest_flags & HANDED_ON;
}

uint32_t vfi_open_answer(const struct vfi_share *share, enum vfi_handle_kind kind)
{
	switch (share->cache) {
	case VIRTIOFS_CACHE_ALWAYS:
		return kind == VFI_HANDLE_DIR ? VIRTIOFS_FOPEN_KEEP_CACHE | VIRTIOFS_FOPEN_CACHE_DIR
					      : VIRTIOFS_FOPEN_KEEP_CACHE;
	case VIRTIOFS_CACHE_METADATA:
		return kind == VFI_HANDLE_DIR ? VIRTIOFS_FOPEN_KEEP_CACHE | VIRTIOFS_FOPEN_CACHE_DIR
					      : VIRTIOFS_FOPEN_DIRECT_IO;
	case VIRTIOFS_CACHE_NEVER:
		return kind == VFI_HANDLE_DIR ? 0 : VIRTIOFS_FOPEN_DIRECT_IO;
	default:
		return 0;
	}
}

static int open_inode(struct vfi_guest *guest, struct vfi_inode *inode, uint32_t flags,
		      uint64_t *fh)
{
	struct vfi_handle_local *room;
	int fd, err;

	if (S_ISDIR(inode->type))
		return -EISDIR;
	err = vfi_handle_reserve(guest, &room);
	if (err)
		return err;
	fd = vfi_path_reopen(guest->share, vfi_inode_fd(guest, inode), inode->type,
			     vfi_open_flags(flags));
	if (fd < 0) {
		vfi_handle_cancel(room);
		return fd;
	}
	*fh = vfi_handle_publish(room, vfi_table_id(inode), VFI_HANDLE_FILE, fd);
	return 0;
}

void vfi_share_open(void *session, struct virtiofs_req *req, uint64_t nodeid,
		    const struct virtiofs_fuse_open_in *in)
{
	struct vfi_guest *guest = session;
	struct vfi_inode *inode = vfi_inode_get(guest, nodeid);
	struct virtiofs_fuse_open_out out = {
		.open_flags = vfi_open_answer(guest->share, VFI_HANDLE_FILE),
	};
	int err = -ESTALE;

	if (inode) {
		err = open_inode(guest, inode, in->flags, &out.fh);
		vfi_inode_put(guest, inode);
	}
	if (err)
		virtiofs_reply_err(req, err);
	else
		virtiofs_reply_open(req, &out);
}

void vfi_share_release(void *session, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_release_in *in)
{
	virtiofs_reply_err(req, vfi_handle_release(session, in->fh, nodeid, VFI_HANDLE_FILE));
}

/* The file an I/O operation of a request is on, as its context. NULL: it has been answered. */
static struct vfi_handle_local *begin_io(struct virtiofs_req *req, struct vfi_guest *guest,
					 uint64_t fh, uint64_t nodeid, uint64_t offset)
{
	struct vfi_handle_local *file = NULL;
	int err = -EINVAL;

	/* No offset of a file; to the system call -1 would be the file's own position. */
	if (offset <= INT64_MAX) {
		file = vfi_handle_get(guest, fh, nodeid, VFI_HANDLE_FILE);
		err = -EBADF;
	}
	if (file)
		virtiofs_req_set_context(req, file);
	else
		virtiofs_reply_err(req, err);
	return file;
}

/* Before the reply, after which the guest may be gone and its handles with it. */
static void end_io(struct virtiofs_req *req)
{
	vfi_handle_put(virtiofs_req_context(req));
}

static void read_done(struct virtiofs_req *req, int64_t result)
{
	end_io(req);
	if (result < 0)
		virtiofs_reply_err(req, (int)result);
	else
		virtiofs_reply_data(req, (size_t)result);
}

void vfi_share_read(void *session, struct virtiofs_req *req, uint64_t nodeid,
		    const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst)
{
	struct vfi_handle_local *file = begin_io(req, session, in->fh, nodeid, in->offset);

	if (file)
		virtiofs_io_read(req, file->fd, dst, in->offset, 0, read_done);
}
