/* SPDX-License-Identifier: BSD-2-Clause */
/* Open files: open, release, and the data between. */
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

int vfi_open_node(const struct vfi_node *node, enum vfi_handle_kind kind, uint32_t flags,
		  uint32_t open_flags, uint64_t *fh)
{
	uint32_t type = node->inode->type;
	struct vfi_handle_local *room;
	int fd, err;

	if (S_ISDIR(type) != (kind == VFI_HANDLE_DIR))
		return kind == VFI_HANDLE_DIR ? -ENOTDIR : -EISDIR;
	err = vfi_handle_reserve(node->guest, &room);
	if (err)
		return err;
	fd = vfi_path_reopen(node->guest->share, node->fd, type, vfi_open_flags(flags));
	if (fd < 0) {
		vfi_handle_cancel(room);
		return fd;
	}
	/* Behind the truncation: an empty file is nobody's program. */
	if ((flags & O_TRUNC) && (open_flags & VIRTIOFS_FUSE_OPEN_KILL_SUIDGID)) {
		err = vfi_kill_suidgid(fd);
		if (err) {
			close(fd);
			vfi_handle_cancel(room);
			return err;
		}
	}
	*fh = vfi_handle_publish(room, vfi_table_id(node->inode), kind, fd);
	return 0;
}

/* Whether this open frees so many blocks that others should not wait for it. The megabyte is
 * a judgement: to wake another thread has its price too. */
static bool frees_much(const struct vfi_node *node, uint32_t flags)
{
	struct statx st;

	return (flags & O_TRUNC) && S_ISREG(node->inode->type) &&
	       vfi_path_stat(node->fd, "", &st) == 0 && st.stx_size > 1 << 20;
}

void vfi_share_open(void *session, struct virtiofs_req *req, uint64_t nodeid,
		    const struct virtiofs_fuse_open_in *in)
{
	struct vfi_guest *guest = session;
	struct virtiofs_fuse_open_out out = {
		.open_flags = vfi_open_answer(guest->share, VFI_HANDLE_FILE),
	};
	struct vfi_node node;
	int err = vfi_node_open(guest, nodeid, &node);

	if (!err) {
		if (frees_much(&node, in->flags) && virtiofs_req_offload(req)) {
			vfi_node_close(&node);
			return;
		}
		err = vfi_open_node(&node, VFI_HANDLE_FILE, in->flags,
				    vfi_kill_open_flags(req, in->open_flags), &out.fh);
		vfi_node_close(&node);
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
	bool append = (in->flags & O_APPEND) && !(in->write_flags & VIRTIOFS_FUSE_WRITE_CACHE);
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
	if (err)
		write_done(req, err);
	else
		virtiofs_io_write(req, file->fd, src, in->offset, append ? RWF_APPEND : 0,
				  write_done);
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
