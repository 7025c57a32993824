/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest of the shared directory for tests: a temporary directory, a session on
 * it, and each request as a function that returns 0 or a negative errno.
 */
#ifndef TESTS_UNIT_PASSTHROUGH_GUEST_H
#define TESTS_UNIT_PASSTHROUGH_GUEST_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "passthrough/share.h"
#include "support/fake_req.h"
#include "support/test.h"

enum { ROOT = VIRTIOFS_FUSE_ROOT_ID };

struct guest {
	char path[64]; /* of the shared directory */
	int dir;       /* the same, open */
	struct virtiofs_fs *fs;
	const struct virtiofs_fs_ops *ops;
	void *session;
	struct virtiofs_init init;
	struct virtiofs_req req;
	uint32_t umask; /* sent with what is made */
};

/* A guest of a new directory, mounted; as a setup function, *state is it. */
int guest_setup(void **state);
int guest_setup_cached(void **state, uint32_t cache);
int guest_setup_with(void **state, const struct virtiofs_passthrough_options *options);
/* Ends the session, and fails where a descriptor was left open. */
int guest_teardown(void **state);
/* How many descriptors this process has open. */
int count_descriptors(void);

/* Have this process, a child of the test's, be one on a kernel without setxattrat(2) and its
 * sisters; false: it cannot be. */
bool forbid_xattrat(void);

/* A second guest of the same filesystem: a thread's own requests on the same session. */
struct guest guest_on_thread(const struct guest *g);

/* On the host's side. */
void host_write(struct guest *g, const char *name, const char *text);
struct stat host_stat(struct guest *g, const char *name);
bool host_has(struct guest *g, const char *name);

int do_lookup(struct guest *g, uint64_t parent, const char *name,
	      struct virtiofs_fuse_entry_out *out);
/* The node id of a name that has to be there. */
uint64_t node_of(struct guest *g, uint64_t parent, const char *name);
void do_forget(struct guest *g, uint64_t nodeid, uint64_t n);
int do_getattr(struct guest *g, uint64_t nodeid, struct virtiofs_fuse_attr *attr);
int do_readlink(struct guest *g, uint64_t nodeid, char *target, size_t size);
int do_open(struct guest *g, uint64_t nodeid, uint32_t flags, uint64_t *fh);
int do_release(struct guest *g, uint64_t nodeid, uint64_t fh);
/* Bytes, or a negative errno. */
int do_read(struct guest *g, uint64_t nodeid, uint64_t fh, uint64_t offset, void *buf, size_t len);
int do_opendir(struct guest *g, uint64_t nodeid, uint64_t *fh);
int do_releasedir(struct guest *g, uint64_t nodeid, uint64_t fh);
/* Bytes of entries, or a negative errno. */
int do_readdir(struct guest *g, uint64_t nodeid, uint64_t fh, uint64_t offset, void *buf,
	       size_t len);

/* The same with READDIRPLUS. */
int do_readdirplus(struct guest *g, uint64_t nodeid, uint64_t fh, uint64_t offset, void *buf,
		   size_t len);
int do_fsyncdir(struct guest *g, uint64_t nodeid, uint64_t fh);

/* Requests that make something do so in the name of this user. */
void become(struct guest *g, uint32_t uid, uint32_t gid);
int do_create(struct guest *g, uint64_t parent, const char *name, uint32_t flags, uint32_t mode,
	      struct virtiofs_create_out *out);
int do_mkdir(struct guest *g, uint64_t parent, const char *name, uint32_t mode,
	     struct virtiofs_fuse_entry_out *out);
int do_mknod(struct guest *g, uint64_t parent, const char *name, uint32_t mode, uint32_t rdev,
	     struct virtiofs_fuse_entry_out *out);
int do_symlink(struct guest *g, uint64_t parent, const char *name, const char *target,
	       struct virtiofs_fuse_entry_out *out);
int do_link(struct guest *g, uint64_t nodeid, uint64_t parent, const char *name,
	    struct virtiofs_fuse_entry_out *out);
int do_unlink(struct guest *g, uint64_t parent, const char *name);
int do_rmdir(struct guest *g, uint64_t parent, const char *name);
int do_rename(struct guest *g, uint64_t parent, const char *name, uint64_t newparent,
	      const char *newname, uint32_t flags);
int do_setattr(struct guest *g, uint64_t nodeid, const struct virtiofs_fuse_setattr_in *in,
	       struct virtiofs_fuse_attr *attr);
int do_access(struct guest *g, uint64_t nodeid, uint32_t mask);
/* Bytes, or a negative errno. @flags: of the open file; @write_flags: VIRTIOFS_FUSE_WRITE_. */
int do_write(struct guest *g, uint64_t nodeid, uint64_t fh, uint64_t offset, const char *text,
	     uint32_t flags, uint32_t write_flags);
int do_flush(struct guest *g, uint64_t nodeid, uint64_t fh);
int do_fsync(struct guest *g, uint64_t nodeid, uint64_t fh, uint32_t flags);

#endif /* TESTS_UNIT_PASSTHROUGH_GUEST_H */
