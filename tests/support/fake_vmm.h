/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VMM in one thread, with a guest in it: a device, a virtqueue for each of its
 * queues, and a FUSE client on each ring. While a client waits for an answer, its
 * queue is served.
 */
#ifndef TESTS_SUPPORT_FAKE_VMM_H
#define TESTS_SUPPORT_FAKE_VMM_H

#include <virtiofs/virtiofs.h>

#include "support/fuse_client.h"

enum { FAKE_VMM_QUEUES = 4 };

struct fake_vmm;

struct fake_vmm_queue {
	struct fake_vmm *vmm;
	struct virtiofs_queue *queue;
	struct virtiofs_virtqueue *vq;
	struct virtiofs_vq_chain *pending; /* popped, but not accepted yet */
	struct fuse_client client;
	unsigned signals; /* how often the driver would have been interrupted */
};

struct fake_vmm {
	struct guest_ram *ram;
	struct virtiofs_mem *mem;
	struct virtiofs_device *dev;
	unsigned queue_count;
	struct fake_vmm_queue queues[FAKE_VMM_QUEUES];
	uint64_t submitted; /* accepted, and given back */
	uint64_t completed;
};

struct fake_vmm_options {
	const struct virtiofs_env *env;		      /* may be NULL */
	const struct virtiofs_device_options *device; /* may be NULL */
	struct guest_ring_options ring;
	enum fuse_layout layout;
};

/* A device over @fs, all its rings started and its queues attached to this thread. */
void fake_vmm_open(struct fake_vmm *vmm, struct virtiofs_fs *fs,
		   const struct fake_vmm_options *options);
/* Unplug it: every chain that was accepted has come back exactly once. */
void fake_vmm_close(struct fake_vmm *vmm);

/* The client of a queue: 0 is hiprio's. */
struct fuse_client *fake_vmm_client(struct fake_vmm *vmm, unsigned queue);

/* Hand in what is available and hand out what is done; never waits. */
void fake_vmm_serve(struct fake_vmm *vmm, unsigned queue);
/* Wait for the queue's eventfd, at most @timeout_ms. */
void fake_vmm_sleep(struct fake_vmm *vmm, unsigned queue, int timeout_ms);

#endif /* TESTS_SUPPORT_FAKE_VMM_H */
