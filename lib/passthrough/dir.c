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
	bool at_end; /* there are none behind */
	bool far;    /* offsets of this directory may be what lseek(2) does not take */
	/* A page: more entries than the page that Linux asks for at a time can take. */
	_Alignas(struct dirent64) char data[4096];
};

void vfi_dirbuf_free(const struct virtiofs_env *env, struct vfi_dirbuf *buf)
{
	vfi_free(env, buf, sizeof(*buf));
}

void vfi_share_opendir(void *session, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_open_in *in)
{
	struct vfi_guest *guest = session;
	struct virtiofs_fuse_open_out out;
	struct vfi_node node;
	int err = vfi_node_open(guest, nodeid, &node);

	if (!err) {
		err = vfi_open_node(req, &node, VFI_HANDLE_DIR, in->flags, 0, &out);
		vfi_node_close(&node);
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

/* The next entry; NULL and 0: there is none. */
static int next_entry(struct vfi_handle_local *dir, struct dirent64 **entry)
{
	struct vfi_dirbuf *buf = dir->dirbuf;

	*entry = NULL;
	if (buf->pos == buf->end && !buf->at_end) {
		ssize_t n = getdents64(dir->fd, buf->data, sizeof(buf->data));

		if (n < 0)
			return -errno;
		buf->pos = 0;
		buf->end = (size_t)n;
		/* The guest will ask once more, to be told so. */
		buf->at_end = n == 0;
	}
	if (buf->at_end)
		return 0;
	*entry = (struct dirent64 *)(void *)(buf->data + buf->pos);
	return 0;
}

static void take_entry(struct vfi_dirbuf *buf, const struct dirent64 *entry)
{
	buf->pos += entry->d_reclen;
	buf->offset = (uint64_t)entry->d_off;
	if (buf->offset > INT64_MAX)
		buf->far = true;
}

static int seek(struct vfi_handle_local *dir, uint64_t offset)
{
	struct vfi_dirbuf *buf = dir->dirbuf;

	if (lseek(dir->fd, (off_t)offset, SEEK_SET) < 0)
		return -errno;
	buf->pos = 0;
	buf->end = 0;
	buf->at_end = false;
	buf->offset = offset;
	return 0;
}

/* To where lseek(2) does not lead: an NFS server's offsets have all 64 bits. */
static int walk(struct vfi_handle_local *dir, uint64_t offset)
{
	struct vfi_dirbuf *buf = dir->dirbuf;
	struct dirent64 *entry;
	int err;

	/* Most directories have no such offset, and are not walked to find none. */
	if (!buf->far)
		return -EINVAL;
	err = seek(dir, 0);
	while (!err && buf->offset != offset) {
		err = next_entry(dir, &entry);
		if (!err && !entry)
			err = -EINVAL;
		if (!err)
			take_entry(buf, entry);
	}
	return err;
}

/* Have the buffer go on at @offset: usually where the last answer ended. */
static int go_on(struct vfi_handle_local *dir, uint64_t offset)
{
	if (!dir->dirbuf) {
		dir->dirbuf = vfi_alloc(&dir->guest->share->env, sizeof(*dir->dirbuf));
		if (!dir->dirbuf)
			return -ENOMEM;
	} else if (offset != 0 && offset == dir->dirbuf->offset) {
		return 0;
	}
	/* Offset 0 is rewinddir(3), which is to see what has changed, since opendir(3) too. */
	return offset > INT64_MAX ? walk(dir, offset) : seek(dir, offset);
}

/* A listing on its way into the guest's memory. */
struct listing {
	struct vfi_handle_local *dir;
	const struct virtiofs_iov *dst;
	size_t used;
	bool plus;		/* READDIRPLUS: with a lookup of each entry */
	struct vfi_mount mount; /* that the directory is on */
};

static bool pack(struct listing *list, const struct dirent64 *entry)
{
	return virtiofs_dirent_add(list->dst, &list->used, entry->d_ino, (uint64_t)entry->d_off,
				   entry->d_type, entry->d_name, strlen(entry->d_name));
}

/* What cannot be looked up is listed all the same; the guest will ask if it wants to know. */
static bool pack_plus(struct listing *list, const struct dirent64 *entry)
{
	struct vfi_guest *guest = list->dir->guest;
	struct virtiofs_fuse_entry_out out;
	size_t len = strlen(entry->d_name);
	int err = -EINVAL;

	if (list->dst->len - list->used < virtiofs_direntplus_size(len))
		return false;
	if (!vfi_path_is_dot(entry->d_name))
		err = vfi_lookup(guest, list->dir->fd, list->mount, entry->d_name,
				 &list->dir->fresh, &out);
	if (!err)
		vfi_name_note(guest, out.nodeid, list->dir->handle->nodeid, entry->d_name);
	if (err == -ENOENT)
		return true; /* removed since it was read */
	if (err)
		memset(&out, 0, sizeof(out));
	if (virtiofs_direntplus_add(list->dst, &list->used, &out, entry->d_ino,
				    (uint64_t)entry->d_off, entry->d_type, entry->d_name, len))
		return true;
	if (!err)
		vfi_inode_forget(guest, out.nodeid, 1);
	return false;
}

static int find_mount(struct listing *list)
{
	struct statx st;
	int err = vfi_path_stat(list->dir->fd, "", &st);

	if (!err)
		list->mount = vfi_mount_of(&st);
	return err;
}

/* Fill the answer from the directory. An error behind the first entry waits for the next call. */
static int fill(struct listing *list, uint64_t offset)
{
	struct dirent64 *entry;
	int err = go_on(list->dir, offset);

	if (!err && list->plus && list->dir->guest->submounts)
		err = find_mount(list);
	while (!err) {
		err = next_entry(list->dir, &entry);
		if (err || !entry)
			break;
		if (!(list->plus ? pack_plus(list, entry) : pack(list, entry))) {
			/* An empty answer would say that this is the end. */
			err = -EINVAL;
			break;
		}
		take_entry(list->dir->dirbuf, entry);
	}
	return list->used != 0 ? 0 : err;
}

static void read_entries(struct vfi_guest *guest, struct virtiofs_req *req, uint64_t nodeid,
			 const struct virtiofs_fuse_read_in *in, struct listing *list)
{
	int err = -EBUSY;

	list->dir = vfi_handle_get(guest, in->fh, nodeid, VFI_HANDLE_DIR);
	if (!list->dir) {
		virtiofs_reply_err(req, -EBADF);
		return;
	}
	/* An open directory has one position, for which Linux lets its readers take turns; who
	 * does not is no reason to wait here for the host's disk. */
	if (!__atomic_exchange_n(&list->dir->listing, 1, __ATOMIC_ACQUIRE)) {
		err = fill(list, in->offset);
		__atomic_store_n(&list->dir->listing, 0, __ATOMIC_RELEASE);
	}
	vfi_handle_put(list->dir);
	if (err)
		virtiofs_reply_err(req, err);
	else
		virtiofs_reply_data(req, list->used);
}

void vfi_share_readdir(void *session, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst)
{
	struct listing list = { .dst = dst };

	read_entries(session, req, nodeid, in, &list);
}

void vfi_share_readdirplus(void *session, struct virtiofs_req *req, uint64_t nodeid,
			   const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst)
{
	struct listing list = { .dst = dst, .plus = true };

	read_entries(session, req, nodeid, in, &list);
}
