/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * examples/fuse_mount on a directory of its own, for as long as a test. Mounts are
 * made in a mount namespace of the test's where that is allowed, so that none is
 * left behind.
 */
#ifndef TESTS_API_MOUNT_H
#define TESTS_API_MOUNT_H

#include <stdbool.h>
#include <sys/types.h>

#include "support/test.h"

struct mount {
	char dir[64];	 /* what is below is in it */
	char source[80]; /* the directory that is shared; with --memfs not used */
	char point[80];
	bool writeback; /* the guest's kernel believes in nobody else */
	pid_t pid;
};

/* Whether this process can mount; says why not. Once, before the first mount_open(). */
bool mount_possible(void);

/* Start fuse_mount with up to three more arguments (NULL: none), and wait for the mount. */
void mount_open(struct mount *m, const char *arg1, const char *arg2, const char *arg3);
/* Ask it to end; returns its exit status, or the signal that killed it plus 128. */
int mount_stop(struct mount *m);
/* The same, because the mount point is unmounted. */
int mount_unmount(struct mount *m);
/* Remove the directories. */
void mount_clean(struct mount *m);

/*
 * Run tests on a mount: once for each way to serve it, which are several caches,
 * engines and numbers of threads. Returns how many failed.
 */
int mount_run_each_way(struct mount *m, const struct CMUnitTest *tests, size_t count);

/* Write a file anew; expect a file's contents. */
void write_file(const char *path, const char *text);
void expect_file(const char *path, const char *text);

/* Paths of @name: in the mount, and behind it. Valid until eight calls later. */
const char *in(const struct mount *m, const char *name);
const char *behind(const struct mount *m, const char *name);

#endif /* TESTS_API_MOUNT_H */
