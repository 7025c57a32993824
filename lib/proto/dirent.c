/* SPDX-License-Identifier: BSD-2-Clause */
/* Packing of directory entries, as fs/fuse/readdir.c unpacks them. */
#include "proto/proto.h"

#include <string.h>

enum {
	DIRENT_ALIGN = 8, /* FUSE_DIRENT_ALIGN */
	DIRENT_HEAD = offsetof(struct virtiofs_fuse_dirent, type) + sizeof(uint32_t),
};

static size_t aligned(size_t len)
{
	return (len + DIRENT_ALIGN - 1) & ~(size_t)(DIRENT_ALIGN - 1);
}

size_t virtiofs_dirent_size(size_t name_len)
{
	return aligned(DIRENT_HEAD + name_len);
}

size_t virtiofs_direntplus_size(size_t name_len)
{
	return aligned(sizeof(struct virtiofs_fuse_entry_out) + DIRENT_HEAD + name_len);
}

static bool add(const struct virtiofs_iov *dst, size_t *used,
		const struct virtiofs_fuse_entry_out *entry,
		const struct virtiofs_fuse_dirent *dirent, const char *name)
{
	static const unsigned char zero[DIRENT_ALIGN];
	size_t len = (entry ? sizeof(*entry) : 0) + DIRENT_HEAD + dirent->namelen;
	struct vfi_cursor c;

	if (dirent->namelen == 0 || dirent->namelen > VFI_NAME_MAX ||
	    dst->len - *used < aligned(len))
		return false;
	vfi_cursor_init(&c, dst->iov, dst->count);
	vfi_cursor_skip(&c, *used);
	if (entry)
		vfi_cursor_write(&c, entry, sizeof(*entry));
	vfi_cursor_write(&c, dirent, DIRENT_HEAD);
	vfi_cursor_write(&c, name, dirent->namelen);
	vfi_cursor_write(&c, zero, aligned(len) - len);
	*used += aligned(len);
	return true;
}

bool virtiofs_dirent_add(const struct virtiofs_iov *dst, size_t *used, uint64_t ino, uint64_t next,
			 uint32_t type, const char *name, size_t name_len)
{
	struct virtiofs_fuse_dirent dirent = {
		.ino = ino,
		.off = next,
		.namelen = (uint32_t)name_len,
		.type = type,
	};

	return add(dst, used, NULL, &dirent, name);
}

bool virtiofs_direntplus_add(const struct virtiofs_iov *dst, size_t *used,
			     const struct virtiofs_fuse_entry_out *entry, uint64_t ino,
			     uint64_t next, uint32_t type, const char *name, size_t name_len)
{
	struct virtiofs_fuse_dirent dirent = {
		.ino = ino,
		.off = next,
		.namelen = (uint32_t)name_len,
		.type = type,
	};

	return add(dst, used, entry, &dirent, name);
}
