/* SPDX-License-Identifier: BSD-2-Clause */
/* From a directory and a name to a node id, and back again. */
#include "passthrough/share.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

static bool is_fresh(const uint32_t *fresh)
{
	return __atomic_load_n(fresh, __ATOMIC_RELAXED);
}

static void set_fresh(uint32_t *fresh, bool now)
{
	/* Most often it stays, and other threads read it. */
	if (is_fresh(fresh) != now)
		__atomic_store_n(fresh, now, __ATOMIC_RELAXED);
}

/* The name's file is not known yet, or not for sure: hold it, and look at what is held. */
static int lookup_new(struct vfi_guest *guest, int dir, struct vfi_mount mount, const char *name,
		      uint32_t *fresh, struct virtiofs_fuse_entry_out *out)
{
	struct vfi_inode *room;
	uint64_t nodeid, new_id;
	struct statx st;
	int fd, err;

	err = vfi_inode_reserve(guest, &room);
	if (err)
		return err;
	fd = vfi_path_open(guest->share, dir, name, O_PATH, 0);
	err = fd < 0 ? fd : vfi_path_stat(fd, "", &st);
	if (!err)
		err = vfi_mount_fd_check(guest->share, fd, &st);
	if (err) {
		if (fd >= 0)
			close(fd);
		vfi_inode_cancel(guest, room);
		return err;
	}
	new_id = vfi_table_id(room);
	nodeid = vfi_inode_add(guest, room, fd, &st);
	set_fresh(fresh, nodeid == new_id);
	vfi_entry_fill(guest->share, out, nodeid, &st);
	vfi_mount_announce(guest, mount, &st, out);
	return 0;
}

int vfi_lookup(struct vfi_guest *guest, int dir, struct vfi_mount mount, const char *name,
	       uint32_t *fresh, struct virtiofs_fuse_entry_out *out)
{
	struct statx st;
	uint64_t nodeid;
	int err;

	if (is_fresh(fresh)) {
		err = lookup_new(guest, dir, mount, name, fresh, out);
		/* Without room for another there is one perhaps that is known. */
		if (err != -ENFILE)
			return err;
	}
	err = vfi_path_stat(dir, name, &st);
	if (err)
		return err;
	nodeid = vfi_inode_find(guest, dir, name, &st);
	if (nodeid == 0)
		return lookup_new(guest, dir, mount, name, fresh, out);
	set_fresh(fresh, false);
	vfi_entry_fill(guest->share, out, nodeid, &st);
	vfi_mount_announce(guest, mount, &st, out);
	return 0;
}

static int lookup(const struct vfi_node *dir, const char *name, struct virtiofs_fuse_entry_out *out)
{
	const struct vfi_mount mount = { dir->inode->dev, dir->inode->mount };
	int err;

	if (vfi_path_is_dot(name))
		return vfi_export_lookup(dir, name, out);
	err = vfi_lookup(dir->guest, dir->fd, mount, name, dir->fresh, out);
	if (!err)
		vfi_name_note(dir->guest, out->nodeid, vfi_table_id(dir->inode), name);
	return err;
}

static bool has_negative(const struct vfi_share *share)
{
	return share->negative_valid.sec != 0 || share->negative_valid.nsec != 0;
}

void vfi_share_lookup(void *session, struct virtiofs_req *req, uint64_t parent, const char *name)
{
	struct vfi_guest *guest = session;
	struct virtiofs_fuse_entry_out out;
	struct vfi_node dir;
	int err;

	/* The way up of ".." may be long. */
	if (vfi_path_is_dot(name) && virtiofs_req_offload(req))
		return;
	err = vfi_node_open(guest, parent, &dir);
	if (!err) {
		err = lookup(&dir, name, &out);
		vfi_node_close(&dir);
	}
	if (err == -ENOENT && has_negative(guest->share)) {
		/* A node id of 0: there is no such name, which may be relied on. */
		out = (struct virtiofs_fuse_entry_out){
			.entry_valid = guest->share->negative_valid.sec,
			.entry_valid_nsec = guest->share->negative_valid.nsec,
		};
		err = 0;
	}
	if (err)
		virtiofs_reply_err(req, err);
	else
		virtiofs_reply_entry(req, &out);
}

void vfi_share_forget(void *session, uint64_t nodeid, uint64_t nlookup)
{
	vfi_inode_forget(session, nodeid, nlookup);
}

void vfi_share_readlink(void *session, struct virtiofs_req *req, uint64_t nodeid)
{
	struct vfi_guest *guest = session;
	struct vfi_node node;
	char target[PATH_MAX];
	ssize_t len = 0;
	int err = vfi_node_open(guest, nodeid, &node);

	if (!err) {
		len = readlinkat(node.fd, "", target, sizeof(target));
		err = len < 0 ? -errno : 0;
		vfi_node_close(&node);
	}
	if (err) {
		/* readlinkat(2) of a descriptor that is no link: ENOENT, where readlink(2) has
		 * EINVAL. */
		virtiofs_reply_err(req, err == -ENOENT ? -EINVAL : err);
		return;
	}
	virtiofs_reply_buf(req, target, (size_t)len);
}
