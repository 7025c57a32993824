/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FUSE requests as calls on a client: each is submitted, waited for, and returns 0
 * or the negative errno of its answer. A success's answer has exactly the size its
 * struct has, or the call ends the program.
 */
#ifndef TESTS_SUPPORT_FUSE_CALLS_H
#define TESTS_SUPPORT_FUSE_CALLS_H

#include "support/fuse_client.h"

#define FUSE_ROOT UINT64_C(1)

/* INIT, as Linux sends it for protocol 7.38, offering @flags (flags | flags2 << 32). */
int fuse_init(struct fuse_client *c, uint64_t flags, struct virtiofs_fuse_init_out *out);
/* The same, with what a guest usually offers; it must succeed. */
void fuse_mount(struct fuse_client *c);
int fuse_destroy(struct fuse_client *c);

int fuse_lookup(struct fuse_client *c, uint64_t parent, const char *name,
		struct virtiofs_fuse_entry_out *out);
/* No answer; returns when the chain is back. */
void fuse_forget(struct fuse_client *c, uint64_t nodeid, uint64_t nlookup);
void fuse_batch_forget(struct fuse_client *c, const struct virtiofs_fuse_forget_one *ones,
		       uint32_t count);
int fuse_getattr(struct fuse_client *c, uint64_t nodeid, struct virtiofs_fuse_attr *attr);
int fuse_setattr(struct fuse_client *c, uint64_t nodeid, const struct virtiofs_fuse_setattr_in *in,
		 struct virtiofs_fuse_attr *attr);
/* @target gets a NUL behind it. */
int fuse_readlink(struct fuse_client *c, uint64_t nodeid, char *target, size_t size);
int fuse_symlink(struct fuse_client *c, uint64_t parent, const char *name, const char *target,
		 struct virtiofs_fuse_entry_out *out);
int fuse_mknod(struct fuse_client *c, uint64_t parent, const char *name, uint32_t mode,
	       uint32_t rdev, struct virtiofs_fuse_entry_out *out);
int fuse_mkdir(struct fuse_client *c, uint64_t parent, const char *name, uint32_t mode,
	       struct virtiofs_fuse_entry_out *out);
int fuse_unlink(struct fuse_client *c, uint64_t parent, const char *name);
int fuse_rmdir(struct fuse_client *c, uint64_t parent, const char *name);
int fuse_rename(struct fuse_client *c, uint64_t parent, const char *name, uint64_t newparent,
		const char *newname);
int fuse_rename2(struct fuse_client *c, uint64_t parent, const char *name, uint64_t newparent,
		 const char *newname, uint32_t flags);
int fuse_link(struct fuse_client *c, uint64_t nodeid, uint64_t newparent, const char *newname,
	      struct virtiofs_fuse_entry_out *out);

int fuse_open(struct fuse_client *c, uint64_t nodeid, uint32_t flags, uint64_t *fh);
int fuse_create(struct fuse_client *c, uint64_t parent, const char *name, uint32_t flags,
		uint32_t mode, struct virtiofs_fuse_entry_out *out, uint64_t *fh);
/* Bytes read, or a negative errno. */
int fuse_read(struct fuse_client *c, uint64_t nodeid, uint64_t fh, uint64_t offset, void *buf,
	      uint32_t size);
/* Bytes written, or a negative errno. */
int fuse_write(struct fuse_client *c, uint64_t nodeid, uint64_t fh, uint64_t offset,
	       const void *buf, uint32_t size);
int fuse_flush(struct fuse_client *c, uint64_t nodeid, uint64_t fh);
int fuse_release(struct fuse_client *c, uint64_t nodeid, uint64_t fh);
int fuse_fsync(struct fuse_client *c, uint64_t nodeid, uint64_t fh, bool data_only);
int fuse_fallocate(struct fuse_client *c, uint64_t nodeid, uint64_t fh, uint32_t mode,
		   uint64_t offset, uint64_t len);
int fuse_lseek(struct fuse_client *c, uint64_t nodeid, uint64_t fh, uint64_t offset,
	       uint32_t whence, uint64_t *out);
/* Bytes copied, or a negative errno. */
int fuse_copy_file_range(struct fuse_client *c, uint64_t nodeid_in, uint64_t fh_in, uint64_t off_in,
			 uint64_t nodeid_out, uint64_t fh_out, uint64_t off_out, uint64_t len);

int fuse_opendir(struct fuse_client *c, uint64_t nodeid, uint64_t *fh);
int fuse_releasedir(struct fuse_client *c, uint64_t nodeid, uint64_t fh);
int fuse_fsyncdir(struct fuse_client *c, uint64_t nodeid, uint64_t fh);
/* READDIR or READDIRPLUS: bytes of entries, or a negative errno. */
int fuse_readdir(struct fuse_client *c, uint64_t nodeid, uint64_t fh, uint64_t offset, void *buf,
		 uint32_t size, bool plus);

int fuse_statfs(struct fuse_client *c, uint64_t nodeid, struct virtiofs_fuse_kstatfs *out);
int fuse_access(struct fuse_client *c, uint64_t nodeid, uint32_t mask);
int fuse_syncfs(struct fuse_client *c, uint64_t nodeid);

/* An entry of a directory, as READDIR or READDIRPLUS packs it. */
struct fuse_dirent {
	uint64_t ino;
	uint64_t off; /* where a READDIR goes on behind it */
	uint32_t type;
	char name[256];
	struct virtiofs_fuse_entry_out entry; /* READDIRPLUS; else zero */
};

/* Unpack the entry at *@at of @len bytes; false: there is none. Fails on a broken one. */
bool fuse_dirent_next(const void *buf, uint32_t len, bool plus, uint32_t *at,
		      struct fuse_dirent *entry);

#endif /* TESTS_SUPPORT_FUSE_CALLS_H */
