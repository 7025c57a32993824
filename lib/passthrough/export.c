/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EXPORT_SUPPORT: what a guest's kernel asks that has nothing of a file but its node id,
 * out of a file handle: open_by_handle_at(2), an NFS server in the guest. LOOKUP of "."
 * is the file itself, of ".." the directory that a directory is in.
 *
 * ".." leads up, and above the shared directory nothing is the guest's. Where it led is
 * proven by going on up to the shared directory; a process of the host may move any of
 * these directories meanwhile.
 */
#include "passthrough/share.h"

#include <errno.h>
#include <unistd.h>

/* PATH_MAX bytes hold half as many names: what lies deeper is reached by no path. */
enum { MAX_DEPTH = 4096 };

static int lookup_self(const struct vfi_node *node, struct virtiofs_fuse_entry_out *out)
{
	uint64_t nodeid = vfi_table_id(node->inode);
	struct statx st;
	int err = vfi_path_stat(node->fd, "", &st);

	if (err)
		return err;
	/* A file without a name lives on for those who have it open, not for a handle. */
	if (st.stx_nlink == 0 || !vfi_node_again(node))
		return -ESTALE;
	vfi_entry_fill(node->guest->share, out, nodeid, &st);
	return 0;
}

static bool is_same(const struct statx *a, const struct statx *b)
{
	struct vfi_mount ma = vfi_mount_of(a), mb = vfi_mount_of(b);

	return a->stx_ino == b->stx_ino && ma.dev == mb.dev && ma.id == mb.id;
}

/* One step of a way up, into a sum that differs where the way does. */
static uint64_t add_step(uint64_t trail, const struct statx *st)
{
	struct vfi_mount mount = vfi_mount_of(st);
	/* The multiplier of the FNV hash, for want of another odd number. */
	const uint64_t prime = 0x100000001b3u;

	trail = (trail ^ st->stx_ino) * prime;
	return (trail ^ ((uint64_t)mount.dev << 32 | mount.id)) * prime;
}

/* The directory that @st is of, from the one before; closes @fd unless it is @keep. */
static int step_up(int fd, int keep, struct statx *st)
{
	struct statx up;
	int parent = vfi_path_parent(fd);
	int err = parent < 0 ? parent : vfi_path_stat(parent, "", &up);

	if (fd != keep)
		close(fd);
	/* The top of what this process sees. */
	if (!err && is_same(&up, st))
		err = -ESTALE;
	if (err) {
		if (parent >= 0)
			close(parent);
		return err;
	}
	*st = up;
	return parent;
}

/* Go up from @from, which @st is of, to the shared directory; -ESTALE: it is not there. */
static int climb(int from, struct statx st, const struct statx *root, uint64_t *trail)
{
	int fd = from;

	*trail = 0;
	for (int depth = 0; depth < MAX_DEPTH; depth++) {
		*trail = add_step(*trail, &st);
		if (is_same(&st, root)) {
			if (fd != from)
				close(fd);
			return 0;
		}
		fd = step_up(fd, from, &st);
		if (fd < 0)
			return fd;
	}
	close(fd);
	return -ESTALE;
}

/*
 * Whether a directory is the shared one or below it. One way up that arrives is no proof:
 * the directory may have left before the one above it came in. For two the same, both had
 * to come back and leave once more, each at the right moment.
 */
static int prove_below(const struct vfi_share *share, int fd, const struct statx *st)
{
	uint64_t first = 0, second = 0;
	struct statx root;
	int err = vfi_path_stat(share->root_fd, "", &root);

	if (!err)
		err = climb(fd, *st, &root, &first);
	if (!err)
		err = climb(fd, *st, &root, &second);
	if (!err && first != second)
		err = -ESTALE;
	return err;
}

/* Takes @fd. */
static int add_parent(struct vfi_guest *guest, int fd, const struct statx *st,
		      struct virtiofs_fuse_entry_out *out)
{
	uint64_t nodeid = vfi_inode_find(guest, fd, "", st);
	struct vfi_inode *room;
	int err;

	if (nodeid) {
		close(fd);
	} else {
		err = vfi_inode_reserve(guest, &room);
		if (err) {
			close(fd);
			return err;
		}
		nodeid = vfi_inode_add(guest, room, fd, st);
	}
	vfi_entry_fill(guest->share, out, nodeid, st);
	return 0;
}

static int lookup_parent(const struct vfi_node *node, struct virtiofs_fuse_entry_out *out)
{
	const struct vfi_share *share = node->guest->share;
	struct statx st;
	int fd, err;

	if (vfi_table_id(node->inode) == VIRTIOFS_FUSE_ROOT_ID)
		return lookup_self(node, out);
	err = vfi_path_stat(node->fd, "", &st);
	if (err)
		return err;
	if (!S_ISDIR(st.stx_mode))
		return -ENOTDIR;
	if (st.stx_nlink == 0)
		return -ESTALE;
	fd = vfi_path_parent(node->fd);
	if (fd < 0)
		return fd;
	err = vfi_path_stat(fd, "", &st);
	if (!err)
		err = prove_below(share, fd, &st);
	if (err) {
		close(fd);
		return err;
	}
	return add_parent(node->guest, fd, &st, out);
}

int vfi_export_lookup(const struct vfi_node *node, const char *name,
		      struct virtiofs_fuse_entry_out *out)
{
	return name[1] == '\0' ? lookup_self(node, out) : lookup_parent(node, out);
}
