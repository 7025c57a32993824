/* SPDX-License-Identifier: BSD-2-Clause */
/* The data of open files. */
#include "passthrough/share.h"

#include <errno.h>
#include <unistd.h>

/* Whether a position in a file can be that; to the system calls -1 is the descriptor's own. */
static bool is_offset(uint64_t offset)
{
	return offset <= INT64_MAX;
}

static void read_done(struct virtiofs_req *req, int64_t result)
{
	vfi_handle_end(req);
	if (result < 0)
		virtiofs_reply_err(req, (int)result);
	else
		virtiofs_reply_data(req, (size_t)result);
}

void vfi_share_read(void *session, struct virtiofs_req *req, uint64_t nodeid,
		    const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst)
{
	struct vfi_handle_local *file;

	if (!is_offset(in->offset)) {
		virtiofs_reply_err(req, -EINVAL);
		return;
	}
	file = vfi_handle_begin(req, session, in->fh, nodeid, VFI_HANDLE_FILE);
	if (file)
		virtiofs_io_read(req, file->fd, dst, in->offset, 0, read_done);
}

static void write_done(struct virtiofs_req *req, int64_t result)
{
	vfi_handle_end(req);
	if (result < 0)
		virtiofs_reply_err(req, (int)result);
	else
		virtiofs_reply_write(req, (uint32_t)result);
}

void vfi_share_write(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_write_in *in, const struct virtiofs_iov *src)
{
	/* The page cache writes back where its pages are, however the file was opened. */
	bool cached = in->write_flags & VIRTIOFS_FUSE_WRITE_CACHE;
	int flags = cached ? VIRTIOFS_IO_WHOLE : in->flags & O_APPEND ? RWF_APPEND : 0;
	struct vfi_handle_local *file;
	int err = 0;

	if (!is_offset(in->offset)) {
		virtiofs_reply_err(req, -EINVAL);
		return;
	}
	file = vfi_handle_begin(req, session, in->fh, nodeid, VFI_HANDLE_FILE);
	if (!file)
		return;
	if (in->write_flags & VIRTIOFS_FUSE_WRITE_KILL_SUIDGID)
		err = vfi_kill_suidgid(file->fd);
	if (!err)
		err = vfi_kill_capabilities(file->guest->share, file->fd);
	if (err)
		write_done(req, err);
	else
		virtiofs_io_write(req, file->fd, src, in->offset, flags, write_done);
}

void vfi_share_flush(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_flush_in *in)
{
	struct vfi_handle_local *file = vfi_handle_get(session, in->fh, nodeid, VFI_HANDLE_FILE);
	int fd, err = -EBADF;

	if (file) {
		/* A close of the host's: where file systems such as NFS report late errors. */
		fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
		err = fd < 0 || close(fd) ? -errno : 0;
		vfi_locks_flush(session, nodeid, in->lock_owner);
		vfi_handle_put(file);
	}
	virtiofs_reply_err(req, err == -EMFILE ? -ENFILE : err);
}

static void fsync_done(struct virtiofs_req *req, int64_t result)
{
	vfi_handle_end(req);
	virtiofs_reply_err(req, (int)result);
}

static void sync_handle(struct vfi_guest *guest, struct virtiofs_req *req, uint64_t nodeid,
			const struct virtiofs_fuse_fsync_in *in, enum vfi_handle_kind kind)
{
	struct vfi_handle_local *handle = vfi_handle_begin(req, guest, in->fh, nodeid, kind);

	if (handle)
		virtiofs_io_fsync(req, handle->fd, in->fsync_flags & VIRTIOFS_FUSE_FSYNC_FDATASYNC,
				  fsync_done);
}

void vfi_share_fsync(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_fsync_in *in)
{
	sync_handle(session, req, nodeid, in, VFI_HANDLE_FILE);
}

void vfi_share_fsyncdir(void *session, struct virtiofs_req *req, uint64_t nodeid,
			const struct virtiofs_fuse_fsync_in *in)
{
	sync_handle(session, req, nodeid, in, VFI_HANDLE_DIR);
}
