/* SPDX-License-Identifier: BSD-2-Clause */
/* Packing of directory entries, as fs/fuse/readdir.c unpacks them. */
#include "proto/proto.h"

#include <string.h>

enum {
	DIRENT_ALIGN = 8, /* FUSE_DIRENT_ALIGN */
	DIRENT_HEAD = sizeof(struct virtiofs_fuse_dirent),
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

/* @entry: NULL for READDIR. */
static bool add(const struct virtiofs_iov *dst, size_t *used,
		const struct virtiofs_fuse_entry_out *entry,
		const struct virtiofs_fuse_dirent *head, const char *name, size_t name_len)
{
	static const unsigned char zero[DIRENT_ALIGN];
	struct virtiofs_fuse_dirent dirent = *head;
	size_t len = (entry ? sizeof(*entry) : 0) + DIRENT_HEAD + name_len;
	struct vfi_cursor c;

	/* Linux takes an entry whose padding is cut off for the end of the buffer. */
	if (name_len == 0 || name_len > VFI_NAME_MAX || *used > dst->len ||
	    dst->len - *used < aligned(len))
		return false;
	dirent.namelen = (uint32_t)name_len;
	vfi_cursor_init(&c, dst->iov, dst->count);
	vfi_cursor_skip(&c, *used);
	if (entry)
		vfi_cursor_write(&c, entry, sizeof(*entry));
	vfi_cursor_write(&c, &dirent, DIRENT_HEAD);
	vfi_cursor_write(&c, name, name_len);
	if (!vfi_cursor_write(&c, zero, aligned(len) - len))
		return false;
	*used += aligned(len);
	return true;
}

bool virtiofs_dirent_add(const struct virtiofs_iov *dst, size_t *used, uint64_t ino, uint64_t next,
			 uint32_t type, const char *name, size_t name_len)
{
	const struct virtiofs_fuse_dirent head = { .ino = ino, .off = next, .type = type };

	return add(dst, used, NULL, &head, name, name_len);
}

bool virtiofs_direntplus_add(const struct virtiofs_iov *dst, size_t *used,
			     const struct virtiofs_fuse_entry_out *entry, uint64_t ino,
			     uint64_t next, uint32_t type, const char *name, size_t name_len)
{
	const struct virtiofs_fuse_dirent head = { .ino = ino, .off = next, .type = type };

	return add(dst, used, entry, &head, name, name_len);
}
