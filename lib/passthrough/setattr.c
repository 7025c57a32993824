/* SPDX-License-Identifier: BSD-2-Clause */
/* Changing attributes, and asking what they permit. */
#include "passthrough/share.h"

#include <errno.h>
#include <unistd.h>

enum { MODE_BITS = 07777 };

enum {
	OWNER = VIRTIOFS_FATTR_UID | VIRTIOFS_FATTR_GID,
	TIMES = VIRTIOFS_FATTR_ATIME | VIRTIOFS_FATTR_MTIME,
};

static int set_owner(int fd, const struct virtiofs_fuse_setattr_in *in)
{
	uid_t uid = in->valid & VIRTIOFS_FATTR_UID ? in->uid : (uid_t)-1;
	gid_t gid = in->valid & VIRTIOFS_FATTR_GID ? in->gid : (gid_t)-1;

	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) ? -errno : 0;
}

static int set_mode(const struct vfi_share *share, int fd, uint32_t type, uint32_t mode)
{
	/* What the kernel says to a link's chmod; older ones let some file systems do it. */
	if (S_ISLNK(type))
		return -EOPNOTSUPP;
	return fchmodat(share->proc_fd, vfi_fd_name(fd).text, mode & MODE_BITS, 0) ? -errno : 0;
}

static int set_size(int fd, const struct virtiofs_fuse_setattr_in *in)
{
	int err = 0;

	if (in->valid & VIRTIOFS_FATTR_KILL_SUIDGID)
		err = vfi_kill_suidgid(fd);
	if (!err && ftruncate(fd, (off_t)in->size))
		err = -errno;
	return err;
}

static int truncate_open(struct vfi_guest *guest, uint64_t nodeid,
			 const struct virtiofs_fuse_setattr_in *in)
{
	struct vfi_handle_local *file = vfi_handle_get(guest, in->fh, nodeid, VFI_HANDLE_FILE);
	int err;

	if (!file)
		return -EBADF;
	err = set_size(file->fd, in);
	vfi_handle_put(file);
	return err;
}

static int truncate_closed(const struct vfi_share *share, int fd, uint32_t type,
			   const struct virtiofs_fuse_setattr_in *in)
{
	int file, err;

	if (S_ISDIR(type))
		return -EISDIR;
	file = vfi_path_reopen(share, fd, type, O_WRONLY);
	if (file < 0)
		return file;
	err = set_size(file, in);
	close(file);
	return err;
}

static struct timespec new_time(uint32_t valid, uint32_t set, uint32_t now, uint64_t sec,
				uint32_t nsec)
{
	struct timespec time = { 0 };

	if (!(valid & set)) {
		time.tv_nsec = UTIME_OMIT;
	} else if (valid & now) {
		time.tv_nsec = UTIME_NOW;
	} else {
		time.tv_sec = (time_t)sec;
		time.tv_nsec = nsec;
	}
	return time;
}

static int set_times(const struct vfi_share *share, int fd,
		     const struct virtiofs_fuse_setattr_in *in)
{
	const struct timespec times[2] = {
		new_time(in->valid, VIRTIOFS_FATTR_ATIME, VIRTIOFS_FATTR_ATIME_NOW, in->atime,
			 in->atimensec),
		new_time(in->valid, VIRTIOFS_FATTR_MTIME, VIRTIOFS_FATTR_MTIME_NOW, in->mtime,
			 in->mtimensec),
	};

	return utimensat(share->proc_fd, vfi_fd_name(fd).text, times, 0) ? -errno : 0;
}

/* The owner before the mode, for chown(2) takes S_ISUID and S_ISGID away; the size before
 * the times, which it changes. */
static int change(const struct vfi_node *node, const struct virtiofs_fuse_setattr_in *in)
{
	const struct vfi_share *share = node->guest->share;
	uint32_t type = node->inode->type;
	int fd = node->fd;
	int err = 0;

	if (in->valid & OWNER)
		err = set_owner(fd, in);
	if (!err && (in->valid & VIRTIOFS_FATTR_MODE))
		err = set_mode(share, fd, type, in->mode);
	if (!err && (in->valid & VIRTIOFS_FATTR_SIZE)) {
		if (in->valid & VIRTIOFS_FATTR_FH)
			err = truncate_open(node->guest, vfi_table_id(node->inode), in);
		else
			err = truncate_closed(share, fd, type, in);
	}
	if (!err && (in->valid & TIMES))
		err = set_times(share, fd, in);
	return err;
}

void vfi_share_setattr(void *session, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_setattr_in *in)
{
	struct vfi_guest *guest = session;
	struct vfi_node node;
	struct statx st;
	int err;

	/* Freeing blocks takes as long as there are blocks. */
	if ((in->valid & VIRTIOFS_FATTR_SIZE) && virtiofs_req_offload(req))
		return;
	err = vfi_node_open(guest, nodeid, &node);
	if (!err) {
		err = change(&node, in);
		if (!err)
			err = vfi_path_stat(node.fd, "", &st);
		vfi_node_close(&node);
	}
	vfi_attr_reply(guest->share, req, err, &st);
}

/* What the guest's user may do, by the three classes of permission bits. */
static int check_mode(const struct virtiofs_fuse_in_header *who, const struct statx *st,
		      uint32_t mask)
{
	uint32_t any_x = st->stx_mode & (S_IXUSR | S_IXGRP | S_IXOTH);
	uint32_t bits = st->stx_mode;

	if (who->uid == 0)
		return !(mask & X_OK) || S_ISDIR(st->stx_mode) || any_x ? 0 : -EACCES;
	if (who->uid == st->stx_uid)
		bits >>= 6;
	else if (who->gid == st->stx_gid)
		bits >>= 3;
	return (mask & ~bits) == 0 ? 0 : -EACCES;
}

static int check_access(const struct vfi_node *node, const struct virtiofs_fuse_in_header *who,
			uint32_t mask)
{
	const struct vfi_share *share = node->guest->share;
	struct statx st;
	int err;

	if (mask & ~(uint32_t)(R_OK | W_OK | X_OK))
		return -EINVAL;
	/* What this process may do, which knows of read-only mounts; then what the user may. */
	if (faccessat(share->proc_fd, vfi_fd_name(node->fd).text, (int)mask, 0))
		return -errno;
	err = vfi_path_stat(node->fd, "", &st);
	return err ? err : check_mode(who, &st, mask);
}

void vfi_share_access(void *session, struct virtiofs_req *req, uint64_t nodeid,
		      const struct virtiofs_fuse_access_in *in)
{
	struct vfi_node node;
	int err = vfi_node_open(session, nodeid, &node);

	if (!err) {
		err = check_access(&node, virtiofs_req_header(req), in->mask);
		vfi_node_close(&node);
	}
	virtiofs_reply_err(req, err);
}
