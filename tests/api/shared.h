/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A directory of this host, shared with a fake guest over real rings: a guest's
 * requests go through guest memory, virtqueue, device and filesystem, and what
 * they did is looked at on the host's side.
 *
 * Ring size, features and the split of requests over descriptors differ from test
 * to test, by the seed that is printed.
 */
#ifndef TESTS_API_SHARED_H
#define TESTS_API_SHARED_H

#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <virtiofs/virtiofs.h>

#include "support/fake_vmm.h"
#include "support/fuse_calls.h"
#include "support/temp_dir.h"

struct shared {
	struct temp_dir dir;
	struct virtiofs_fs *fs;
	struct fake_vmm vmm;
	struct fuse_client *c; /* of the first request queue */
	struct test_random random;
};

/* *state is a share that is mounted. Teardown asserts that each chain came back once. */
int shared_setup(void **state);
int shared_teardown(void **state);

/* What may differ from the usual; NULL and 0 do not. */
struct shared_options {
	const struct virtiofs_env *env;
	const struct virtiofs_device_options *device;
	const struct virtiofs_passthrough_options *passthrough;
	enum fuse_layout layout;
};

void shared_open(struct shared *s, const struct shared_options *options);
void shared_close(struct shared *s);

#define SHARED_TEST(name) cmocka_unit_test_setup_teardown(name, shared_setup, shared_teardown)

/* ---- on the host's side; they fail the test where they cannot ---- */

void host_write(const struct shared *s, const char *name, const void *bytes, size_t len);
void host_mkdir(const struct shared *s, const char *name, mode_t mode);
struct stat host_stat(const struct shared *s, const char *name);
bool host_exists(const struct shared *s, const char *name);
/* Whether a file has exactly this content. */
void host_assert_content(const struct shared *s, const char *name, const void *bytes, size_t len);

/* ---- on the guest's side ---- */

/* The node id of a name that must be there. */
uint64_t node_of(const struct shared *s, uint64_t parent, const char *name);
/* Whether the attributes are those of the file on the host, member by member. */
void assert_attr_of(const struct virtiofs_fuse_attr *attr, const struct stat *st);

#endif /* TESTS_API_SHARED_H */
