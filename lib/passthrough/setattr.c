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

static int set_owner(const struct vfi_share *share, int fd,
		     const struct virtiofs_fuse_setattr_in *in)
{
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;
	int err = 0;

	if (in->valid & VIRTIOFS_FATTR_UID)
		err = vfi_idmap_to_host(&share->uids, in->uid, &uid);
	if (!err && (in->valid & VIRTIOFS_FATTR_GID))
		err = vfi_idmap_to_host(&share->gids, in->gid, &gid);
	if (err)
		return err;
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) ? -errno : 0;
}

static int set_mode(const struct vfi_share *share, int fd, uint32_t type, uint32_t mode)
{
	/* What the kernel says to a link's chmod; older ones let some file systems do it. */
	if (S_ISLNK(type))
		return -EOPNOTSUPP;
	return fchmodat(share->proc_fd, vfi_fd_name(fd).text, mode & MODE_BITS, 0) ? -errno : 0;
}

static int set_size(const struct vfi_share *share, int fd,
		    const struct virtiofs_fuse_setattr_in *in)
{
	int err = vfi_kill_capabilities(share, fd);

	if (!err && (in->valid & VIRTIOFS_FATTR_KILL_SUIDGID))
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
	err = set_size(guest->share, file->fd, in);
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
	err = set_size(share, file, in);
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
static int change(const struct vfi_node *node, const struct virtiofs_req *req,
		  const struct virtiofs_fuse_setattr_in *in)
{
	const struct vfi_share *share = node->guest->share;
	uint32_t type = node->inode->type;
	int fd = node->fd;
	int err = 0;

	if (in->valid & OWNER) {
		err = vfi_kill_node_capabilities(node, req);
		if (!err)
			err = set_owner(share, fd, in);
	}
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
		err = change(&node, req, in);
		if (!err)
			err = vfi_path_stat(node.fd, "", &st);
		vfi_node_close(&node);
	}
	vfi_attr_reply(guest->share, req, err, &st);
}

/* What the guest's user may do, by the three classes of permission bits. */
static int check_mode(const struct vfi_share *share, const struct virtiofs_fuse_in_header *who,
		      const struct statx *st, uint32_t mask)
{
	uint32_t any_x = st->stx_mode & (S_IXUSR | S_IXGRP | S_IXOTH);
	uint32_t bits = st->stx_mode;

	if (who->uid == 0)
		return !(mask & X_OK) || S_ISDIR(st->stx_mode) || any_x ? 0 : -EACCES;
	if (who->uid == vfi_idmap_to_guest(&share->uids, st->stx_uid))
		bits >>= 6;
	else if (who->gid == vfi_idmap_to_guest(&share->gids, st->stx_gid))
		bits >>= 3;
	return (mask & ~bits) == 0 ? 0 : -EACCES;
}

static int ask(const struct vfi_node *node, uint32_t mask)
{
	const struct vfi_share *share = node->guest->share;

	return faccessat(share->proc_fd, vfi_fd_name(node->fd).text, (int)mask, AT_EACCESS) ? -errno
											    : 0;
}

/*
 * Who can become the guest's user asks as that user, and the host's kernel answers with
 * all it knows: ACLs, mounts. (The user's supplementary groups nobody tells.) Others
 * ask for themselves, and then look at the permission bits.
 */
static int check_access(const struct vfi_node *node, const struct virtiofs_req *req, uint32_t mask)
{
	struct vfi_share *share = node->guest->share;
	struct vfi_cred cred;
	struct statx st;
	int err;

	if (mask & ~(uint32_t)(R_OK | W_OK | X_OK))
		return -EINVAL;
	if (vfi_cred_enter_to_ask(&cred, share, req) == 0) {
		bool as_user = cred.uid[1] == 0;

		err = ask(node, mask);
		vfi_cred_leave(&cred);
		if (as_user)
			return err;
	} else {
		err = ask(node, mask);
	}
	if (!err)
		err = vfi_path_stat(node->fd, "", &st);
	return err ? err : check_mode(share, virtiofs_req_header(req), &st, mask);
}

void vfi_share_access(void *session, struct virtiofs_req *req, uint64_t nodeid,
		      const struct virtiofs_fuse_access_in *in)
{
	struct vfi_node node;
	int err = vfi_node_open(session, nodeid, &node);

	if (!err) {
		err = check_access(&node, req, in->mask);
		vfi_node_close(&node);
	}
	virtiofs_reply_err(req, err);
}
