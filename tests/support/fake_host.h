/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An embedder for tests: a device, and every chain it was given with what came
 * back. Requests are flat buffers here; what splitting does is tested elsewhere.
 */
#ifndef TESTS_SUPPORT_FAKE_HOST_H
#define TESTS_SUPPORT_FAKE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <virtiofs/virtiofs.h>

/* One request: set up by fake_request(), answered in @out. */
struct fake_chain {
	unsigned char in[8192];
	unsigned char out[8192];
	size_t in_len;
	size_t out_len; /* room */
	struct iovec in_iov;
	struct iovec out_iov;
	int completions; /* how often complete() ran; atomic, for tests with threads */
	uint32_t written;
	uint32_t touched;
};

struct fake_host {
	struct virtiofs_device *dev;
	int completed; /* atomic */
	/* Runs inside complete(), where set. */
	void (*on_complete)(struct fake_host *host, struct virtiofs_queue *q,
			    struct fake_chain *chain);
	void *arg;
};

/* Create a device over @fs; fails the test on error. */
void fake_host_open(struct fake_host *host, const struct virtiofs_env *env,
		    const struct virtiofs_device_options *options, struct virtiofs_fs *fs);
/* Detach what this thread attached, destroy the device; everything has come back. */
void fake_host_close(struct fake_host *host);

/* Attach queue @index to this thread and return it. */
struct virtiofs_queue *fake_attach(struct fake_host *host, unsigned index);

/* Lay out a request with @args behind the header. @unique is made up, and returned. */
uint64_t fake_request(struct fake_chain *chain, uint32_t opcode, uint64_t nodeid, const void *args,
		      size_t len);
/* The same with INIT's arguments for protocol 7.@minor and these flags. */
void fake_init(struct fake_chain *chain, uint32_t minor, uint64_t flags);

/* Submit; returns what virtiofs_queue_submit() does. */
int fake_submit(struct virtiofs_queue *q, struct fake_chain *chain);
/* Run until the chain has come back; fails the test after 60 s. */
void fake_wait(struct virtiofs_queue *q, struct fake_chain *chain);

int fake_completions(const struct fake_chain *chain);
/* The header of the answer. Fails the test if there is none, or its length or unique is off. */
struct virtiofs_fuse_out_header fake_answer(const struct fake_chain *chain);
/* Its error. */
int fake_error(const struct fake_chain *chain);

/* Submit INIT on @q and expect success. */
void fake_mount(struct virtiofs_queue *q);

#endif /* TESTS_SUPPORT_FAKE_HOST_H */
