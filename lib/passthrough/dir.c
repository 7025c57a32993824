/* SPDX-License-Identifier: BSD-2-Clause */
/* Directories, open: listing them. */
#include "passthrough/share.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Entries read from the host and not yet told to the guest: what one READDIR leaves to the next. */
struct vfi_dirbuf {
	uint64_t offset; /* of the entry at pos, as the guest would ask for it */
	size_t pos;
	size_t end;
	/* A page: more entries than the page that Linux asks for at a time can take. */
	_Alignas(struct dirent64) char data[4096];
};

void vfi_dirbuf_free(const struct virtiofs_env *env, struct vfi_dirbuf *buf)
{
	vfi_free(env, buf, sizeof(*buf));
}

static int open_dir(struct vfi_guest *guest, struct vfi_inode *inode, uint64_t *fh)
{
	struct vfi_handle_local *room;
	int fd, err;

	if (!S_ISDIR(inode->type))
		return -ENOTDIR;
	err = vfi_handle_reserve(guest, &room);
	if (err)
		return err;
	fd = vfi_path_reopen(guest->share, vfi_inode_fd(guest, inode), inode->type, O_RDONLY);
	if (fd < 0) {
		vfi_handle_cancel(room);
		return fd;
	}
	*fh = vfi_handle_publish(room, vfi_table_id(inode), VFI_HANDLE_DIR, fd);
	return 0;
}

void vfi_share_opendir(void *session, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_open_in *in)
{
	struct vfi_guest *guest = session;
	struct vfi_inode *inode = vfi_inode_get(guest, nodeid);
	struct virtiofs_fuse_open_out out = {
		.open_flags = vfi_open_answer(guest->share, VFI_HANDLE_DIR),
	};
	int err = -ESTALE;

	(void)in;
	if (inode) {
		err = open_dir(guest, inode, &out.fh);
		vfi_inode_put(guest, inode);
	}
	if (err)
		virtiofs_reply_err(req, err);
	else
		virtiofs_reply_open(req, &out);
}

void vfi_share_releasedir(void *session, struct virtiofs_req *req, uint64_t nodeid,
			  const struct virtiofs_fuse_release_in *in)
{
	virtiofs_reply_err(req, vfi_handle_release(session, in->fh, nodeid, VFI_HANDLE_DIR));
}

/* Have the buffer go on at @offset: usually where the last answer ended. */
static int seek(struct vfi_handle_local *dir, uint64_t offset)
{
	struct vfi_dirbuf *buf = dir->dirbuf;

	if (!buf) {
		buf = vfi_alloc(&dir->guest->share->env, sizeof(*buf));
		if (!buf)
			return -ENOMEM;
		dir->dirbuf = buf;
	} else if (offset != 0 && offset == buf->offset) {
		return 0;
	}
	/* Offset 0 is rewinddir(3), which is to see what has changed. */
	buf->pos = 0;
	buf->end = 0;
	if (lseek(dir->fd, (off_t)offset, SEEK_SET) < 0)
		return -errno;
	buf->offset = offset;
	return 0;
}

/* The next entry; NULL and 0: there is none. */
static int next_entry(struct vfi_handle_local *dir, struct dirent64 **entry)
{
	struct vfi_dirbuf *buf = dir->dirbuf;

	if (buf->pos == buf->end) {
		ssize_t n = getdents64(dir->fd, buf->data, sizeof(buf->data));

		buf->pos = 0;
		buf->end = n > 0 ? (size_t)n : 0;
		if (n <= 0) {
			*entry = NULL;
			return n < 0 ? -errno : 0;
		}
	}
	*entry = (struct dirent64 *)(void *)(buf->data + buf->pos);
	return 0;
}

static void take_entry(struct vfi_dirbuf *buf, const struct dirent64 *entry)
{
	buf->pos += entry->d_reclen;
	buf->offset = (uint64_t)entry->d_off;
}

static bool pack(const struct virtiofs_iov *dst, size_t *used, const struct dirent64 *entry)
{
	return virtiofs_dirent_add(dst, used, entry->d_ino, (uint64_t)entry->d_off, entry->d_type,
				   entry->d_name, strlen(entry->d_name));
}

/* Fill @dst from the directory. An error behind the first entry waits for the next call. */
static int list(struct vfi_handle_local *dir, uint64_t offset, const struct virtiofs_iov *dst,
		size_t *used)
{
	struct dirent64 *entry;
	int err = seek(dir, offset);

	while (!err) {
		err = next_entry(dir, &entry);
		if (err || !entry)
			break;
		if (!pack(dst, used, entry)) {
			/* An empty answer would say that this is the end. */
			err = -EINVAL;
			break;
		}
		take_entry(dir->dirbuf, entry);
	}
	return *used != 0 ? 0 : err;
}

void vfi_share_readdir(void *session, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst)
{
	struct vfi_handle_local *dir = vfi_handle_get(session, in->fh, nodeid, VFI_HANDLE_DIR);
	size_t used = 0;
	int err = -EBUSY;

	if (!dir) {
		virtiofs_reply_err(req, -EBADF);
		return;
	}
	/* An open directory has one position, for which Linux lets its readers take turns; who
	 * does not is no reason to wait here for the host's disk. */
	if (!__atomic_exchange_n(&dir->listing, 1, __ATOMIC_ACQUIRE)) {
		err = list(dir, in->offset, dst, &used);
		__atomic_store_n(&dir->listing, 0, __ATOMIC_RELEASE);
	}
	vfi_handle_put(dir);
	if (err)
		virtiofs_reply_err(req, err);
	else
		virtiofs_reply_data(req, used);
}
