/* SPDX-License-Identifier: BSD-2-Clause */
/* Space: how much there is, where a file has it, and data that moves from file to file. */
#include "passthrough/share.h"

#include <errno.h>
#include <linux/falloc.h>
#include <sys/vfs.h>
#include <unistd.h>

/*
 * The modes that fallocate(2) documents. One that a host may have beside them,
 * FALLOC_FL_NO_HIDE_STALE, shows what the disk held before.
 */
enum {
	FALLOCATE_MODES = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE |
			  FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE,
};

/* A whole number of blocks of any size there is, so that the next copy can share blocks too. */
#define COPY_MAX_32 (UINT32_C(2) << 30)

void vfi_share_statfs(void *session, struct virtiofs_req *req, uint64_t nodeid)
{
	struct vfi_guest *guest = session;
	struct virtiofs_fuse_statfs_out out = { 0 };
	struct vfi_node node;
	struct statfs st;
	int err = vfi_node_open(guest, nodeid, &node);

	if (!err) {
		err = fstatfs(node.fd, &st) ? -errno : 0;
		vfi_node_close(&node);
	}
	if (err) {
		virtiofs_reply_err(req, err);
		return;
	}
	out.st = (struct virtiofs_fuse_kstatfs){
		.blocks = st.f_blocks,
		.bfree = st.f_bfree,
		.bavail = st.f_bavail,
		.files = st.f_files,
		.ffree = st.f_ffree,
		.bsize = (uint32_t)st.f_bsize,
		.namelen = (uint32_t)st.f_namelen,
		.frsize = (uint32_t)st.f_frsize,
	};
	virtiofs_reply_statfs(req, &out);
}

static void fallocate_done(struct virtiofs_req *req, int64_t result)
{
	vfi_handle_end(req);
	virtiofs_reply_err(req, (int)result);
}

void vfi_share_fallocate(void *session, struct virtiofs_req *req, uint64_t nodeid,
			 const struct virtiofs_fuse_fallocate_in *in)
{
	struct vfi_handle_local *file;
	int err;

	if (in->mode & ~(uint32_t)FALLOCATE_MODES) {
		virtiofs_reply_err(req, -EOPNOTSUPP);
		return;
	}
	file = vfi_handle_begin(req, session, in->fh, nodeid, VFI_HANDLE_FILE);
	if (!file)
		return;
	err = vfi_kill_for_user(req, file->fd);
	if (!err)
		err = vfi_kill_capabilities(file->guest->share, file->fd);
	if (err)
		fallocate_done(req, err);
	else
		virtiofs_io_fallocate(req, file->fd, (int)in->mode, in->offset, in->length,
				      fallocate_done);
}

static off_t seek(int fd, const struct virtiofs_fuse_lseek_in *in)
{
	off_t offset;

	/* What a guest cannot know by itself. The rest would be about a position it does not use.
	 */
	if (in->whence != SEEK_DATA && in->whence != SEEK_HOLE && in->whence != SEEK_END)
		return -EINVAL;
	offset = lseek(fd, (off_t)in->offset, (int)in->whence);
	return offset < 0 ? -errno : offset;
}

void vfi_share_lseek(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_lseek_in *in)
{
	struct vfi_handle_local *file = vfi_handle_get(session, in->fh, nodeid, VFI_HANDLE_FILE);
	off_t offset = -EBADF;

	if (file) {
		offset = seek(file->fd, in);
		vfi_handle_put(file);
	}
	if (offset < 0)
		virtiofs_reply_err(req, (int)offset);
	else
		virtiofs_reply_lseek(req, (uint64_t)offset);
}

static ssize_t copy(int from, int to, const struct virtiofs_req *req,
		    const struct virtiofs_fuse_copy_file_range_in *in)
{
	off_t from_offset = (off_t)in->off_in;
	off_t to_offset = (off_t)in->off_out;
	uint64_t len = in->len;
	ssize_t n;

	if (in->flags)
		return -EINVAL;
	/* The older opcode's answer has 32 bits; a copy that ends sooner goes on with the next. */
	if (virtiofs_req_header(req)->opcode != VIRTIOFS_FUSE_COPY_FILE_RANGE_64)
		len = vfi_min_u64(len, COPY_MAX_32);
	n = copy_file_range(from, &from_offset, to, &to_offset, len, 0);
	return n < 0 ? -errno : n;
}

void vfi_share_copy_file_range(void *session, struct virtiofs_req *req, uint64_t nodeid,
			       const struct virtiofs_fuse_copy_file_range_in *in)
{
	struct vfi_handle_local *from, *to;
	ssize_t n = -EBADF;

	if (virtiofs_req_offload(req))
		return;
	from = vfi_handle_get(session, in->fh_in, nodeid, VFI_HANDLE_FILE);
	to = vfi_handle_get(session, in->fh_out, in->nodeid_out, VFI_HANDLE_FILE);
	if (from && to) {
		n = vfi_kill_for_user(req, to->fd);
		if (n == 0)
			n = vfi_kill_capabilities(to->guest->share, to->fd);
		if (n == 0)
			n = copy(from->fd, to->fd, req, in);
	}
	if (from)
		vfi_handle_put(from);
	if (to)
		vfi_handle_put(to);
	if (n < 0)
		virtiofs_reply_err(req, (int)n);
	else
		virtiofs_reply_copied(req, (uint64_t)n);
}

static int sync_filesystem_of(const struct vfi_node *node)
{
	int fd = vfi_path_reopen(node->guest->share, node->fd, node->inode->type, O_RDONLY);
	int err;

	if (fd < 0)
		return fd;
	err = syncfs(fd) ? -errno : 0;
	close(fd);
	return err;
}

void vfi_share_syncfs(void *session, struct virtiofs_req *req, uint64_t nodeid)
{
	struct vfi_node node;
	int err;

	if (virtiofs_req_offload(req))
		return;
	err = vfi_node_open(session, nodeid, &node);
	if (!err) {
		err = sync_filesystem_of(&node);
		vfi_node_close(&node);
	}
	virtiofs_reply_err(req, err);
}
