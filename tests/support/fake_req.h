/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests without a device: everything of fs.h and io.h that a filesystem calls,
 * in place of the library's own, so that a test calls ops and sees their replies.
 * An op runs on the test's thread; I/O is done at once.
 */
#ifndef TESTS_SUPPORT_FAKE_REQ_H
#define TESTS_SUPPORT_FAKE_REQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <virtiofs/fs.h>
#include <virtiofs/io.h>

struct virtiofs_fs {
	struct virtiofs_fs_ops ops;
	void *fs;
};

struct virtiofs_req {
	struct virtiofs_fuse_in_header in; /* uid and gid are the test's to set */
	uint64_t granted;
	uint32_t group_count; /* extensions: none, unless the test sets them */
	uint32_t groups[VIRTIOFS_REQ_GROUPS_MAX];
	const char *label_name;
	const char *label;
	bool dedicated;
	bool offload; /* take the op away once, as a thread pool would */
	bool offloaded;
	void *context;
	uint64_t wait_ns; /* of virtiofs_req_wait(); 0: it did not wait */
	int wait_error;	  /* what that returns */
	bool interrupted;
	/* The reply. */
	int replies;
	int error;
	size_t len;		   /* of the body, or of the payload */
	unsigned char body[65536]; /* the largest value of an attribute */
};

/* A request as good as new, that keeps what the test has set. */
struct virtiofs_req *fake_req(struct virtiofs_req *req);
/* The error it was answered with, 0 or negative; fails the test unless there was one reply. */
int fake_reply_error(const struct virtiofs_req *req);
/* The same, and the body, which has to be of this size where it is a success. */
int fake_reply_body(const struct virtiofs_req *req, void *body, size_t size);

#endif /* TESTS_SUPPORT_FAKE_REQ_H */
