/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A filesystem of one's own: one directory of files in memory, on the ops table.
 *
 * A node id is an index into one array and how often that place was used before, so
 * that a guest's number is only ever looked up, and one from before is noticed. To
 * keep it short a file is gone with its name, even for who has it open, and there is
 * no lock: a device with one request queue calls all ops on one thread.
 */
#include "memfs.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILES = 1024, FILE_SIZE = 1 << 20 };

struct file {
	struct virtiofs_fuse_attr attr; /* ino is its node id; mode 0: the place is free */
	uint64_t uses;
	char name[256];
	char data[FILE_SIZE]; /* zero behind its size */
};

static struct file *get(struct file *files, uint64_t id)
{
	struct file *f = &files[id % FILES];

	return f->attr.mode && f->attr.ino == id ? f : NULL;
}

static struct file *find(struct file *files, const char *name)
{
	for (int i = 0; i < FILES; i++)
		if (files[i].attr.mode && strcmp(files[i].name, name) == 0)
			return &files[i];
	return NULL;
}

static void resize(struct file *f, uint64_t size)
{
	if (size < f->attr.size)
		memset(f->data + size, 0, f->attr.size - size);
	f->attr.size = size;
}

static void do_lookup(void *files, struct virtiofs_req *req, uint64_t parent, const char *name)
{
	struct file *f = find(files, name);
	struct virtiofs_fuse_entry_out out = { .nodeid = f ? f->attr.ino : 0 };

	(void)parent;
	if (f)
		out.attr = f->attr;
	virtiofs_reply_entry(req, &out); /* with node id 0: there is no such name */
}

static void do_getattr(void *files, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_getattr_in *in)
{
	struct virtiofs_fuse_attr_out out = { .attr = { .ino = 1, .mode = S_IFDIR | 0777 } };
	struct file *f = get(files, nodeid);

	(void)in;
	if (f)
		out.attr = f->attr;
	if (f || nodeid == VIRTIOFS_FUSE_ROOT_ID)
		virtiofs_reply_attr(req, &out);
	else
		virtiofs_reply_err(req, -ESTALE);
}

static void do_setattr(void *files, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_setattr_in *in)
{
	struct file *f = in->valid & VIRTIOFS_FATTR_SIZE ? get(files, nodeid) : NULL;

	if (f && in->size <= FILE_SIZE)
		resize(f, in->size);
	if (f && in->size > FILE_SIZE)
		virtiofs_reply_err(req, -EFBIG);
	else
		do_getattr(files, req, nodeid, NULL);
}

static void do_create(void *arg, struct virtiofs_req *req, uint64_t parent,
		      const struct virtiofs_fuse_create_in *in, const char *name)
{
	struct virtiofs_create_out out = { .open.fh = 0 };
	struct file *files = arg, *f = &files[2]; /* 1 is the root's node id */

	(void)parent;
	while (f < &files[FILES] && f->attr.mode)
		f++;
	if (f == &files[FILES] || find(files, name)) {
		virtiofs_reply_err(req, f == &files[FILES] ? -ENOSPC : -EEXIST);
		return;
	}
	resize(f, 0);
	f->attr.ino = (uint64_t)(f - files) + FILES * f->uses++;
	f->attr.mode = S_IFREG | (in->mode & 0777);
	f->attr.nlink = 1;
	f->attr.uid = virtiofs_req_header(req)->uid;
	f->attr.gid = virtiofs_req_header(req)->gid;
	strcpy(f->name, name); /* at most 255 bytes: the library has checked */
	out.entry.nodeid = f->attr.ino;
	out.entry.attr = f->attr;
	virtiofs_reply_create(req, &out);
}

static void do_unlink(void *files, struct virtiofs_req *req, uint64_t parent, const char *name)
{
	struct file *f = find(files, name);

	(void)parent;
	if (f)
		f->attr.mode = 0;
	virtiofs_reply_err(req, f ? 0 : -ENOENT);
}

static void do_read(void *files, struct virtiofs_req *req, uint64_t nodeid,
		    const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst)
{
	const struct file *f = get(files, nodeid);
	uint64_t left = f && in->offset < f->attr.size ? f->attr.size - in->offset : 0;
	size_t len = left < dst->len ? left : dst->len;

	for (size_t i = 0, at = 0; at < len; at += dst->iov[i++].iov_len)
		memcpy(dst->iov[i].iov_base, f->data + in->offset + at,
		       dst->iov[i].iov_len < len - at ? dst->iov[i].iov_len : len - at);
	virtiofs_reply_data(req, len);
}

static void do_write(void *files, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_write_in *in, const struct virtiofs_iov *src)
{
	struct file *f = get(files, nodeid);

	if (!f || in->offset > FILE_SIZE || src->len > FILE_SIZE - in->offset) {
		virtiofs_reply_err(req, f ? -EFBIG : -ESTALE);
		return;
	}
	if (in->offset + src->len > f->attr.size)
		resize(f, in->offset + src->len);
	for (size_t i = 0, at = in->offset; i < src->count; at += src->iov[i++].iov_len)
		memcpy(f->data + at, src->iov[i].iov_base, src->iov[i].iov_len);
	virtiofs_reply_write(req, (uint32_t)src->len);
}

/* An entry's offset is its place in the array, so that changes in between do no harm. */
static void do_readdir(void *arg, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst)
{
	struct file *files = arg;
	size_t used = 0;

	(void)nodeid;
	for (uint64_t i = in->offset; i < FILES; i++) {
		const struct file *f = &files[i];
		size_t len = strlen(f->name);

		if (f->attr.mode &&
		    !virtiofs_dirent_add(dst, &used, f->attr.ino, i + 1, DT_REG, f->name, len))
			break;
	}
	virtiofs_reply_data(req, used);
}

/* clang-format off */
static const struct virtiofs_fs_ops ops = {
	.size = sizeof(ops), .destroy = free, .lookup = do_lookup, .getattr = do_getattr,
	.setattr = do_setattr, .create = do_create, .unlink = do_unlink, .read = do_read,
	.write = do_write, .readdir = do_readdir,
};
/* clang-format on */

int memfs_create(struct virtiofs_fs **ret)
{
	struct file *files = calloc(FILES, sizeof(*files)); /* pages come as they are written */
	int err = files ? virtiofs_fs_create(ret, NULL, &ops, files) : -ENOMEM;

	if (err)
		free(files);
	return err;
}
