/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A descriptor for an inode that has none: by its file handle, or by its name, which is
 * opened and has to be proven the same file. Where neither leads to it, the guest may
 * have it open.
 */
#include "passthrough/share.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	/* Ancestors that are remembered on the way up to one that is hot. */
	STEPS = 64,
	/* More than any path has; names that form a ring end here. */
	DEEPEST = 65536,
};

/* Whether @fd, just opened, is of that inode; else it is closed. */
static bool is_it(struct vfi_guest *guest, struct vfi_inode *inode, int fd)
{
	struct vfi_inode_shard *shard;
	struct vfi_proof proof;
	struct statx st;
	bool holds = false;

	if (vfi_path_stat(fd, "", &st) == 0 && vfi_inode_matches(inode, &st)) {
		vfi_proof_take(&proof, fd, "", &st);
		shard = vfi_inode_lock(guest, inode);
		holds = vfi_proof_holds(guest, inode, &proof);
		pthread_mutex_unlock(&shard->lock);
	}
	if (!holds)
		close(fd);
	return holds;
}

static int open_called(struct vfi_guest *guest, int dir, const char *text, struct vfi_inode *inode)
{
	int fd = vfi_path_open(guest->share, dir, text, O_PATH, 0);

	if (fd >= 0 && !is_it(guest, inode, fd))
		return -ESTALE;
	return fd;
}

/* Somebody on this host renamed it: look for its number among the names that are there. */
static int open_renamed(struct vfi_guest *guest, const struct vfi_node *dir,
			struct vfi_inode *inode)
{
	int list = vfi_path_reopen(guest->share, dir->fd, S_IFDIR, O_RDONLY);
	_Alignas(struct dirent64) char buf[4096];
	int fd = -ESTALE;
	ssize_t n;

	if (list < 0)
		return list;
	while (fd == -ESTALE && (n = getdents64(list, buf, sizeof(buf))) > 0) {
		for (ssize_t pos = 0; pos < n && fd == -ESTALE;) {
			const struct dirent64 *entry = (void *)(buf + pos);

			pos += entry->d_reclen;
			if (entry->d_ino != inode->ino || strcmp(entry->d_name, ".") == 0 ||
			    strcmp(entry->d_name, "..") == 0)
				continue;
			fd = open_called(guest, dir->fd, entry->d_name, inode);
			if (fd >= 0)
				vfi_name_set(guest, inode, vfi_table_id(dir->inode), entry->d_name);
			else if (fd == -ENOENT)
				fd = -ESTALE;
		}
	}
	close(list);
	return fd;
}

/* Open an inode below its parent, which is open. */
static int open_below(struct vfi_guest *guest, const struct vfi_node *dir, const char *text,
		      struct vfi_inode *inode)
{
	int fd = open_called(guest, dir->fd, text, inode);

	if (fd == -ESTALE || fd == -ENOENT || fd == -ENOTDIR)
		fd = open_renamed(guest, dir, inode);
	/* Found by another name it has that now; not found, it is not looked for again. */
	if (fd == -ESTALE)
		vfi_name_drop(guest, inode);
	return fd;
}

/* A node, if it is hot. */
static bool open_hot(struct vfi_guest *guest, uint64_t nodeid, struct vfi_node *node)
{
	struct vfi_inode *inode = vfi_table_get(&guest->inodes, nodeid);
	int fd = -1;

	if (inode) {
		fd = __atomic_load_n(&vfi_inode_local(guest, inode)->fd, __ATOMIC_SEQ_CST);
		if (fd < 0)
			vfi_table_put(&guest->inodes, inode);
	}
	*node = (struct vfi_node){ .guest = guest, .inode = inode, .fd = fd };
	return fd >= 0;
}

/* The node a step further down: *@dir is closed for it. Returns 0 or a negative errno. */
static int descend(struct vfi_guest *guest, struct vfi_node *dir, uint64_t nodeid)
{
	struct vfi_inode *inode = vfi_table_get(&guest->inodes, nodeid);
	char text[NAME_MAX + 1];
	uint64_t parent;
	int fd = -ESTALE;

	if (!inode)
		return fd;
	/* It may have been renamed meanwhile. */
	if (vfi_name_get(guest, inode, &parent, text) && parent == vfi_table_id(dir->inode))
		fd = vfi_hot_install(guest, inode, open_below(guest, dir, text, inode));
	if (fd < 0) {
		vfi_table_put(&guest->inodes, inode);
		return fd;
	}
	/* Others may want descriptors before the way is at its end. */
	__atomic_store_n(&inode->used, 1, __ATOMIC_RELAXED);
	vfi_node_close(dir);
	*dir = (struct vfi_node){ .guest = guest, .inode = inode, .fd = fd };
	return 0;
}

/*
 * Open an inode's parent, and what is cold of its ancestors before. Not by recursion: the
 * guest made them, and may have made many.
 */
static int open_parent(struct vfi_guest *guest, uint64_t parent, struct vfi_node *dir)
{
	uint64_t path[STEPS], id = parent;
	char text[NAME_MAX + 1];
	unsigned steps = 0, left;
	int err = 0;

	while (!open_hot(guest, id, dir)) {
		struct vfi_inode *inode = vfi_table_get(&guest->inodes, id);
		bool named = inode && vfi_name_get(guest, inode, &parent, text);

		path[steps++ % STEPS] = id;
		if (inode)
			vfi_table_put(&guest->inodes, inode);
		if (!named || steps == DEEPEST)
			return -ESTALE;
		id = parent;
	}
	/* Of a longer way the lower end is not known any more, and is gone again. */
	for (left = steps < STEPS ? steps : STEPS; left > 0 && !err; left--)
		err = descend(guest, dir, path[--steps % STEPS]);
	if (err)
		vfi_node_close(dir);
	return err ? err : (int)steps;
}

static int open_by_name(struct vfi_guest *guest, struct vfi_inode *inode)
{
	char text[NAME_MAX + 1];
	struct vfi_node dir;
	uint64_t parent;
	int rest, fd;

	do {
		if (!vfi_name_get(guest, inode, &parent, text))
			return -ESTALE;
		rest = open_parent(guest, parent, &dir);
		if (rest > 0)
			vfi_node_close(&dir);
	} while (rest > 0);
	if (rest < 0)
		return rest;
	fd = open_below(guest, &dir, text, inode);
	vfi_node_close(&dir);
	return fd;
}

static int open_by_handle(struct vfi_guest *guest, struct vfi_inode *inode)
{
	const struct vfi_mount_fd *mount = vfi_mount_fd_of(guest->share, inode);
	struct vfi_fh fh;

	vfi_inode_get_fh(guest, inode, &fh);
	return vfi_fh_open(guest->share, mount->fd, &fh);
}

int vfi_reopen(struct vfi_guest *guest, struct vfi_inode *inode)
{
	int fd = inode->flags & VFI_INODE_BY_NAME ? open_by_name(guest, inode)
						  : open_by_handle(guest, inode);

	if (fd == -ESTALE || fd == -ENOENT)
		fd = vfi_handle_hold(guest, vfi_table_id(inode));
	return fd;
}
