/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of newer guests as calls on a client, in the way of fuse_calls.h. */
#ifndef TESTS_SUPPORT_FUSE_NEWER_CALLS_H
#define TESTS_SUPPORT_FUSE_NEWER_CALLS_H

#include "support/fuse_client.h"

int fuse_statx(struct fuse_client *c, uint64_t nodeid, const struct virtiofs_fuse_statx_in *in,
	       struct virtiofs_fuse_statx_out *out);
int fuse_tmpfile(struct fuse_client *c, uint64_t parent, uint32_t flags, uint32_t mode,
		 struct virtiofs_fuse_entry_out *out, uint64_t *fh);
/* Bytes copied, or a negative errno. */
int64_t fuse_copy_file_range_64(struct fuse_client *c, uint64_t nodeid_in,
				const struct virtiofs_fuse_copy_file_range_in *in);
/* @data: in->in_size bytes go out, and up to in->out_size come back, how many in *@len. */
int fuse_ioctl(struct fuse_client *c, uint64_t nodeid, const struct virtiofs_fuse_ioctl_in *in,
	       void *data, uint32_t *len);

#endif /* TESTS_SUPPORT_FUSE_NEWER_CALLS_H */
