/* SPDX-License-Identifier: BSD-2-Clause */
/* New names: of new files in the guest user's name, and of files there are. */
#include "passthrough/share.h"

#include <errno.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { PERMISSIONS = 0777, MODE_BITS = 07777 };

/* What MKNOD, MKDIR and SYMLINK make. */
struct making {
	const char *name;
	mode_t mode;  /* with its type */
	mode_t umask; /* of the guest's user, where it is not taken off already */
	dev_t rdev;
	const char *target; /* of a symbolic link alone */
};

/* Whether @dir passes an ACL on to what is created in it; @unknown where it cannot be told. */
static bool has_default_acl(const struct vfi_share *share, int dir, bool unknown)
{
	int fd = vfi_path_reopen(share, dir, S_IFDIR, O_RDONLY);
	bool found;

	if (fd < 0)
		return unknown;
	found = fgetxattr(fd, VFI_ACL_DEFAULT, NULL, 0) > 0;
	close(fd);
	return found;
}

/* The umask that is left to us: with DONT_MASK the guest's kernel has not applied it. */
static mode_t left_umask(const struct virtiofs_req *req, uint32_t umask)
{
	return virtiofs_req_granted(req) & VIRTIOFS_FUSE_DONT_MASK ? umask & PERMISSIONS : 0;
}

/*
 * Apply @umask as the host's kernel does, which has it for nothing where the directory
 * has a default ACL. On a thread with a umask of its own that kernel can do it itself:
 * returns what it is to be told; elsewhere @mode is changed.
 */
static mode_t apply_umask(const struct vfi_share *share, const struct virtiofs_req *req, int dir,
			  mode_t umask, mode_t *mode)
{
	if (umask == 0 || virtiofs_req_dedicated(req))
		return umask;
	/* When in doubt, too few bits rather than too many. */
	if (!has_default_acl(share, dir, false))
		*mode &= ~umask;
	return 0;
}

/* Whether what a name leads to, of which @st is, is what was just made there. */
static bool is_ours(const struct vfi_cred *cred, mode_t mode, const struct statx *st)
{
	return st->stx_uid == cred->owner && (st->stx_mode & S_IFMT) == (mode & S_IFMT) &&
	       (st->stx_nlink <= 1 || S_ISDIR(mode));
}

/*
 * @mode is what is left behind the guest user's umask; this process's has come on top,
 * where it is not 0. Give back what that took, but not what the directory's default ACL
 * did, under which no umask counts. @fd is what the name leads to: what was not just
 * made by us is left alone.
 */
static int undo_umask(const struct vfi_share *share, const struct virtiofs_req *req,
		      const struct vfi_cred *cred, int dir, int fd, mode_t mode, struct statx *st)
{
	mode_t lost = mode & PERMISSIONS & ~(mode_t)st->stx_mode;

	if (lost == 0 || S_ISLNK(mode) || virtiofs_req_dedicated(req) || !is_ours(cred, mode, st) ||
	    has_default_acl(share, dir, true))
		return 0;
	/* A file system that knows no such mode keeps the one it gave. */
	if (fchmodat(share->proc_fd, vfi_fd_name(fd).text, (st->stx_mode & MODE_BITS) | lost, 0))
		return 0;
	return vfi_path_stat(fd, "", st);
}

static int make_node(int dir, const struct making *what, mode_t mode)
{
	int err;

	if (what->target)
		err = symlinkat(what->target, dir, what->name);
	else if (S_ISDIR(mode))
		err = mkdirat(dir, what->name, mode & MODE_BITS);
	else
		err = mknodat(dir, what->name, mode, what->rdev);
	return err ? -errno : 0;
}

/* Take back what could not be finished, if the name still leads to it. */
static void unmake(int dir, const char *name, const struct statx *st)
{
	struct statx now;

	if (vfi_path_stat(dir, name, &now) == 0 && now.stx_ino == st->stx_ino &&
	    now.stx_dev_major == st->stx_dev_major && now.stx_dev_minor == st->stx_dev_minor)
		(void)unlinkat(dir, name, S_ISDIR(now.stx_mode) ? AT_REMOVEDIR : 0);
}

/*
 * What is left to do for the file that @held holds: it was made as @cred in @dir as
 * @name (NULL: it has none), with @mode. On success @st is of it.
 */
static int finish(const struct vfi_share *share, const struct virtiofs_req *req,
		  const struct vfi_cred *cred, int dir, const char *name, int held, mode_t mode,
		  struct statx *st)
{
	int err = vfi_path_stat(held, "", st);

	if (err)
		return err;
	err = undo_umask(share, req, cred, dir, held, mode, st);
	if (!err)
		err = vfi_label_new(share, req, held, mode);
	if (err && name && is_ours(cred, mode, st))
		unmake(dir, name, st);
	return err;
}

/* Make it, and hold it: returns its O_PATH descriptor or a negative errno. */
static int make_held(struct vfi_guest *guest, const struct virtiofs_req *req, int dir,
		     const struct making *what, struct statx *st)
{
	mode_t mode = what->mode;
	mode_t mask = apply_umask(guest->share, req, dir, what->umask, &mode);
	struct vfi_cred cred;
	int fd, err;

	err = vfi_cred_enter(&cred, guest->share, req, mask);
	if (err)
		return err;
	err = make_node(dir, what, mode);
	vfi_cred_leave(&cred);
	if (err)
		return err;
	fd = vfi_path_open(guest->share, dir, what->name, O_PATH, 0);
	if (fd < 0)
		return fd;
	err = finish(guest->share, req, &cred, dir, what->name, fd, mode, st);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static int make_entry(struct vfi_guest *guest, const struct virtiofs_req *req, int dir,
		      const struct making *what, struct virtiofs_fuse_entry_out *out)
{
	struct vfi_inode *room;
	struct statx st;
	int fd, err;

	err = vfi_inode_reserve(guest, &room);
	if (err)
		return err;
	fd = make_held(guest, req, dir, what, &st);
	if (fd < 0) {
		vfi_inode_cancel(guest, room);
		return fd;
	}
	vfi_entry_fill(guest->share, out, vfi_inode_add(guest, room, fd, &st), &st);
	return 0;
}

static void make(struct vfi_guest *guest, struct virtiofs_req *req, uint64_t parent,
		 const struct making *what)
{
	struct virtiofs_fuse_entry_out out;
	struct vfi_node dir;
	int err = vfi_node_open(guest, parent, &dir);

	if (!err) {
		err = make_entry(guest, req, dir.fd, what, &out);
		if (!err)
			vfi_name_note(guest, out.nodeid, parent, what->name);
		vfi_node_close(&dir);
	}
	if (err)
		virtiofs_reply_err(req, err);
	else
		virtiofs_reply_entry(req, &out);
}

void vfi_share_mknod(void *session, struct virtiofs_req *req, uint64_t parent,
		     const struct virtiofs_fuse_mknod_in *in, const char *name)
{
	struct making what = {
		.name = name,
		.mode = in->mode,
		.umask = left_umask(req, in->umask),
		.rdev = in->rdev,
	};

	/* mknod(2) takes no type for a regular file, and never makes these two. */
	if ((in->mode & S_IFMT) == 0)
		what.mode |= S_IFREG;
	if (S_ISDIR(in->mode) || S_ISLNK(in->mode))
		virtiofs_reply_err(req, -EINVAL);
	else
		make(session, req, parent, &what);
}

void vfi_share_mkdir(void *session, struct virtiofs_req *req, uint64_t parent,
		     const struct virtiofs_fuse_mkdir_in *in, const char *name)
{
	struct making what = {
		.name = name,
		.mode = (in->mode & MODE_BITS) | S_IFDIR,
		.umask = left_umask(req, in->umask),
	};

	make(session, req, parent, &what);
}

void vfi_share_symlink(void *session, struct virtiofs_req *req, uint64_t parent, const char *name,
		       const char *target)
{
	struct making what = { .name = name, .mode = S_IFLNK, .target = target };

	make(session, req, parent, &what);
}

/* ---- CREATE and TMPFILE ---- */

/* Where the answer's parts get their room, before there is anything to answer for. */
struct creation {
	struct vfi_inode *inode;
	struct vfi_handle_local *handle;
};

static int reserve(struct vfi_guest *guest, struct creation *room)
{
	int err = vfi_inode_reserve(guest, &room->inode);

	if (err)
		return err;
	err = vfi_handle_reserve(guest, &room->handle);
	if (err)
		vfi_inode_cancel(guest, room->inode);
	return err;
}

static void cancel(struct vfi_guest *guest, struct creation *room)
{
	vfi_handle_cancel(room->handle);
	vfi_inode_cancel(guest, room->inode);
}

/* Hold what @fd has open, a file just created as @name. Returns its O_PATH descriptor. */
static int hold_created(struct vfi_guest *guest, const struct virtiofs_req *req,
			const struct vfi_cred *cred, int dir, const char *name, int fd, mode_t mode,
			struct statx *st)
{
	int held = vfi_path_hold(guest->share, fd);
	int err;

	if (held < 0)
		return held;
	err = finish(guest->share, req, cred, dir, name, held, mode, st);
	if (err) {
		close(held);
		return err;
	}
	return held;
}

/* Make a file, and have it open. @how: O_CREAT | O_EXCL, or O_TMPFILE in the directory @name. */
static int create_new(struct vfi_guest *guest, const struct virtiofs_req *req, int dir,
		      const struct virtiofs_fuse_create_in *in, int how, const char *name,
		      struct virtiofs_create_out *out)
{
	int flags = vfi_open_flags(req, in->flags) | how;
	mode_t mode = in->mode & MODE_BITS, mask;
	struct creation room;
	struct vfi_cred cred;
	struct statx st;
	int fd, held, err;

	err = reserve(guest, &room);
	if (err)
		return err;
	mask = apply_umask(guest->share, req, dir, left_umask(req, in->umask), &mode);
	err = vfi_cred_enter(&cred, guest->share, req, mask);
	if (err) {
		cancel(guest, &room);
		return err;
	}
	fd = vfi_path_open(guest->share, dir, name, flags, mode);
	vfi_cred_leave(&cred);
	held = fd;
	if (fd >= 0)
		held = hold_created(guest, req, &cred, dir, how & O_CREAT ? name : NULL, fd,
				    mode | S_IFREG, &st);
	if (held < 0) {
		if (fd >= 0)
			close(fd);
		cancel(guest, &room);
		return held;
	}
	vfi_open_settle(guest->share, fd, in->flags);
	vfi_entry_fill(guest->share, &out->entry, vfi_inode_add(guest, room.inode, held, &st), &st);
	out->open = (struct virtiofs_fuse_open_out){
		.fh = vfi_handle_publish(room.handle, out->entry.nodeid, VFI_HANDLE_FILE, fd),
		.open_flags = vfi_open_answer(req, guest->share, VFI_HANDLE_FILE,
					      vfi_mount_of(&st).dev, in->flags),
	};
	return 0;
}

static int open_existing(struct vfi_guest *guest, const struct virtiofs_req *req, int dir,
			 const char *name, const struct virtiofs_fuse_create_in *in,
			 struct virtiofs_create_out *out)
{
	struct vfi_node node;
	uint32_t fresh = false;
	/* No mount is opened as a file. */
	const struct vfi_mount mount = { 0 };
	int err = vfi_lookup(guest, dir, mount, name, &fresh, &out->entry);

	if (err)
		return err;
	err = vfi_node_open(guest, out->entry.nodeid, &node);
	if (!err) {
		err = vfi_open_node(req, &node, VFI_HANDLE_FILE, in->flags,
				    vfi_kill_open_flags(req, in->open_flags), &out->open);
		vfi_node_close(&node);
	}
	if (err)
		vfi_inode_forget(guest, out->entry.nodeid, 1);
	return err;
}

static int create(struct vfi_guest *guest, const struct virtiofs_req *req, int dir,
		  const struct virtiofs_fuse_create_in *in, const char *name,
		  struct virtiofs_create_out *out)
{
	int err;

	/* Someone else may create and remove the name as often as he likes: not for ever. */
	for (int tries = 0; tries < 3; tries++) {
		err = create_new(guest, req, dir, in, O_CREAT | O_EXCL, name, out);
		if (err != -EEXIST || (in->flags & O_EXCL))
			return err;
		err = open_existing(guest, req, dir, name, in, out);
		/* Gone again; ESTALE: since it was looked up, and nothing held it. */
		if (err != -ENOENT && err != -ESTALE)
			return err;
	}
	return err;
}

void vfi_share_create(void *session, struct virtiofs_req *req, uint64_t parent,
		      const struct virtiofs_fuse_create_in *in, const char *name)
{
	struct vfi_guest *guest = session;
	struct virtiofs_create_out out;
	struct vfi_node dir;
	int err = vfi_node_open(guest, parent, &dir);

	if (!err) {
		err = create(guest, req, dir.fd, in, name, &out);
		if (!err)
			vfi_name_note(guest, out.entry.nodeid, parent, name);
		vfi_node_close(&dir);
	}
	if (err)
		virtiofs_reply_err(req, err);
	else
		virtiofs_reply_create(req, &out);
}

void vfi_share_tmpfile(void *session, struct virtiofs_req *req, uint64_t parent,
		       const struct virtiofs_fuse_create_in *in)
{
	/* With O_EXCL it never gets a name: the host then refuses a LINK too. */
	const int how = O_TMPFILE | ((int)in->flags & O_EXCL);
	struct vfi_guest *guest = session;
	struct virtiofs_create_out out;
	struct vfi_node dir;
	int err = vfi_node_open(guest, parent, &dir);

	if (!err) {
		err = create_new(guest, req, dir.fd, in, how, ".", &out);
		vfi_node_close(&dir);
	}
	if (err)
		virtiofs_reply_err(req, err);
	else
		virtiofs_reply_create(req, &out);
}

/* ---- LINK ---- */

static int link_node(const struct vfi_node *node, int dir, const char *name,
		     struct virtiofs_fuse_entry_out *out)
{
	const struct vfi_share *share = node->guest->share;
	uint64_t nodeid = vfi_table_id(node->inode);
	struct statx st;
	int err = 0;

	/* Counted first: the answer is a lookup, which cannot fail once there is a link. */
	if (!vfi_node_again(node))
		return -ESTALE;
	if (linkat(share->proc_fd, vfi_fd_name(node->fd).text, dir, name, AT_SYMLINK_FOLLOW))
		err = -errno;
	if (!err)
		err = vfi_path_stat(node->fd, "", &st);
	if (err)
		vfi_inode_forget(node->guest, nodeid, 1);
	else
		vfi_entry_fill(share, out, nodeid, &st);
	return err;
}

void vfi_share_link(void *session, struct virtiofs_req *req, uint64_t nodeid, uint64_t newparent,
		    const char *newname)
{
	struct vfi_guest *guest = session;
	struct virtiofs_fuse_entry_out out;
	struct vfi_node node, dir;
	int err = vfi_node_open(guest, nodeid, &node);

	if (!err) {
		err = vfi_node_open(guest, newparent, &dir);
		if (!err) {
			err = link_node(&node, dir.fd, newname, &out);
			if (!err)
				vfi_name_note(guest, nodeid, newparent, newname);
			vfi_node_close(&dir);
		}
		vfi_node_close(&node);
	}
	if (err)
		virtiofs_reply_err(req, err);
	else
		virtiofs_reply_entry(req, &out);
}
