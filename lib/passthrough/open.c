/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening files, and letting go of them: what of a guest's flags holds here, and what it is told.
 */
#include "passthrough/share.h"

#include <errno.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

/* The whole of O_SYNC, which includes O_DSYNC. */
enum { HANDED_ON = O_ACCMODE | O_TRUNC | O_SYNC };

static bool is_writable(uint32_t guest_flags)
{
	return (guest_flags & O_ACCMODE) != O_RDONLY;
}

int vfi_open_flags(const struct virtiofs_req *req, uint32_t guest_flags)
{
	/*
	 * Not O_APPEND: the guest's page cache writes at offsets, and a write that
	 * is to append says so itself. Not O_NONBLOCK: it would turn what has to
	 * wait into EAGAIN. Two more come behind the opening: vfi_open_settle().
	 */
	int flags = (int)guest_flags & HANDED_ON;

	/* A page that is written in part is read first, by whichever handle there is. */
	if ((virtiofs_req_granted(req) & VIRTIOFS_FUSE_WRITEBACK_CACHE) &&
	    (flags & O_ACCMODE) == O_WRONLY)
		flags = (flags & ~O_ACCMODE) | O_RDWR;
	return flags;
}

void vfi_open_settle(const struct vfi_share *share, int fd, uint32_t guest_flags)
{
	/*
	 * A file system without direct I/O refuses O_DIRECT, after having made the file; and
	 * O_NOATIME is for who owns it. Neither is worth an error: data comes and goes all the
	 * same.
	 */
	int direct = share->direct_io ? (int)guest_flags & O_DIRECT : 0;
	/* What only is read stays as it is, its time too. */
	bool quiet = share->readonly || (share->noatime && (guest_flags & O_NOATIME));
	int now;

	if (!direct && !quiet)
		return;
	now = fcntl(fd, F_GETFL) & O_APPEND;
	if (direct && fcntl(fd, F_SETFL, now | direct))
		direct = 0;
	if (quiet)
		(void)fcntl(fd, F_SETFL, now | direct | O_NOATIME);
}

bool vfi_open_is_local(int fd)
{
	struct statfs st;

	if (fstatfs(fd, &st))
		return false;
	switch (st.f_type) {
	case EXT4_SUPER_MAGIC: /* and its forerunners' */
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case TMPFS_MAGIC:
		return true;
	default:
		return false;
	}
}

/*
 * Whether a close has nothing to tell us: there is no error that only it would bring, no lock
 * that ends with it, and no mapped page that would be written for it. A reader's page cache
 * has none of the latter, and where nobody but the guest looks they may wait.
 */
static bool is_quiet(const struct virtiofs_req *req, const struct vfi_share *share, uint32_t dev,
		     uint32_t guest_flags)
{
	const uint64_t told = VIRTIOFS_FUSE_POSIX_LOCKS | VIRTIOFS_FUSE_WRITEBACK_CACHE;

	return share->is_local && dev == share->root_dev && !(virtiofs_req_granted(req) & told) &&
	       (!is_writable(guest_flags) || share->cache == VIRTIOFS_CACHE_ALWAYS);
}

static uint32_t answer_file(uint32_t cache)
{
	switch (cache) {
	case VIRTIOFS_CACHE_ALWAYS:
		return VIRTIOFS_FOPEN_KEEP_CACHE;
	case VIRTIOFS_CACHE_METADATA:
	case VIRTIOFS_CACHE_NEVER:
		/* Writers need no turns: the host's file system has its own lock. */
		return VIRTIOFS_FOPEN_DIRECT_IO | VIRTIOFS_FOPEN_PARALLEL_DIRECT_WRITES;
	default:
		return 0;
	}
}

static uint32_t answer_dir(uint32_t cache)
{
	if (cache == VIRTIOFS_CACHE_ALWAYS || cache == VIRTIOFS_CACHE_METADATA)
		return VIRTIOFS_FOPEN_KEEP_CACHE | VIRTIOFS_FOPEN_CACHE_DIR;
	return 0;
}

uint32_t vfi_open_answer(const struct virtiofs_req *req, const struct vfi_share *share,
			 enum vfi_handle_kind kind, uint32_t dev, uint32_t guest_flags)
{
	uint32_t answer;

	if (kind == VFI_HANDLE_DIR)
		return answer_dir(share->cache);
	answer = answer_file(share->cache);
	if (is_quiet(req, share, dev, guest_flags))
		answer |= VIRTIOFS_FOPEN_NOFLUSH;
	return answer;
}

static int reopen(const struct virtiofs_req *req, const struct vfi_node *node, uint32_t flags)
{
	const struct vfi_share *share = node->guest->share;
	int wanted = vfi_open_flags(req, flags);
	int fd = vfi_path_reopen(share, node->fd, node->inode->type, wanted);

	/* Who may not read it here can still write whole pages. */
	if (fd == -EACCES && wanted != ((int)flags & HANDED_ON))
		fd = vfi_path_reopen(share, node->fd, node->inode->type, (int)flags & HANDED_ON);
	/*
	 * A file that may only be appended to (chattr +a) is opened in no other way. What is
	 * written then goes to its end whatever offset it has, which is where it belongs; but
	 * not what a guest keeps to itself and writes a page of at a time.
	 */
	if (fd == -EPERM && (flags & O_APPEND) &&
	    !(virtiofs_req_granted(req) & VIRTIOFS_FUSE_WRITEBACK_CACHE))
		fd = vfi_path_reopen(share, node->fd, node->inode->type, wanted | O_APPEND);
	if (fd >= 0)
		vfi_open_settle(share, fd, flags);
	return fd;
}

int vfi_open_node(const struct virtiofs_req *req, const struct vfi_node *node,
		  enum vfi_handle_kind kind, uint32_t flags, uint32_t open_flags,
		  struct virtiofs_fuse_open_out *out)
{
	struct vfi_handle_local *room;
	int fd, err;

	if (S_ISDIR(node->inode->type) != (kind == VFI_HANDLE_DIR))
		return kind == VFI_HANDLE_DIR ? -ENOTDIR : -EISDIR;
	err = vfi_handle_reserve(node->guest, &room);
	if (err)
		return err;
	fd = reopen(req, node, flags);
	if (fd < 0) {
		vfi_handle_cancel(room);
		return fd;
	}
	/* Behind the truncation: an empty file is nobody's program. */
	if (flags & O_TRUNC) {
		err = vfi_kill_capabilities(node->guest->share, fd);
		if (!err && (open_flags & VIRTIOFS_FUSE_OPEN_KILL_SUIDGID))
			err = vfi_kill_suidgid(fd);
		if (err) {
			close(fd);
			vfi_handle_cancel(room);
			return err;
		}
	}
	*out = (struct virtiofs_fuse_open_out){
		.fh = vfi_handle_publish(room, vfi_table_id(node->inode), kind, fd),
		.open_flags =
			vfi_open_answer(req, node->guest->share, kind, node->inode->dev, flags),
	};
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
	struct virtiofs_fuse_open_out out;
	struct vfi_node node;
	int err = vfi_node_open(guest, nodeid, &node);

	if (!err) {
		if (frees_much(&node, in->flags) && virtiofs_req_offload(req)) {
			vfi_node_close(&node);
			return;
		}
		err = vfi_open_node(req, &node, VFI_HANDLE_FILE, in->flags,
				    vfi_kill_open_flags(req, in->open_flags), &out);
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
