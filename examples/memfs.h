/* SPDX-License-Identifier: BSD-2-Clause */
/* A filesystem in memory: what it takes to serve one's own. */
#ifndef EXAMPLES_MEMFS_H
#define EXAMPLES_MEMFS_H

#include <virtiofs/virtiofs.h>

/* Make an empty one; 0 or a negative errno. Free it with virtiofs_fs_destroy(). */
int memfs_create(struct virtiofs_fs **ret);

#endif /* EXAMPLES_MEMFS_H */
