/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device side of a split virtqueue (virtio 1.2, 2.7) over a map of guest
 * memory: indirect descriptors and VIRTIO_F_EVENT_IDX.
 *
 * Who includes it: VMMs that have rings in guest memory; they pop chains here,
 * submit them to a queue (queue.h), and push them back in complete(). One thread
 * at a time. Everything read from the ring is the guest's word and is checked;
 * descriptors are copied once, then checked, then used.
 */
#ifndef VIRTIOFS_VIRTQUEUE_H
#define VIRTIOFS_VIRTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <virtiofs/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

struct virtiofs_virtqueue;

/* Largest ring (virtio 1.2, 2.7). */
#define VIRTIOFS_VIRTQUEUE_SIZE_MAX 32768u

/* Feature bits that shape a ring, by the number virtio gives them. */
#define VIRTIOFS_F_INDIRECT_DESC 28u
#define VIRTIOFS_F_EVENT_IDX 29u

/* A chain out of the ring. Owned by the virtqueue; valid until pushed. */
struct virtiofs_vq_chain {
	const struct iovec *readable;
	const struct iovec *writable;
	uint32_t readable_count;
	uint32_t writable_count;
	uint16_t head;	/* index of the first descriptor */
	bool malformed; /* the descriptors break a rule of virtio (a loop, a range outside
			 * memory, indirect inside indirect, readable behind writable, an
			 * indirect table of a length that is not a multiple of 16, more
			 * than max_segments): the arrays have what came before, and the
			 * chain must be pushed all the same */
};

/* Zero in a member (but size) means its default. Copied. */
struct virtiofs_virtqueue_options {
	size_t size;	       /* sizeof(struct virtiofs_virtqueue_options) */
	uint32_t max_size;     /* largest ring to serve, a power of two; default 1024 */
	uint32_t max_segments; /* iovecs of one chain; default 1032 */
	uint32_t max_chains;   /* chains popped and not pushed at once; default max_size */
};

/*
 * Make a virtqueue over @mem (borrowed until destroy). All memory it ever needs
 * is taken here. Errors: -EINVAL a value out of its range; -ENOMEM.
 */
VIRTIOFS_API int virtiofs_virtqueue_create(struct virtiofs_virtqueue **ret,
					   const struct virtiofs_env *env, struct virtiofs_mem *mem,
					   const struct virtiofs_virtqueue_options *options);
/* Stop and free. No chain may be out. NULL is nothing. */
VIRTIOFS_API void virtiofs_virtqueue_destroy(struct virtiofs_virtqueue *vq);

/* Where the driver put the ring. Copied. */
struct virtiofs_virtqueue_config {
	size_t size;	/* sizeof(struct virtiofs_virtqueue_config) */
	uint64_t desc;	/* addresses of the three areas: guest addresses, or the */
	uint64_t avail; /* front-end's where user_addresses is set */
	uint64_t used;
	uint64_t features;   /* negotiated bits; those above count */
	uint32_t num;	     /* ring size: a power of two, at most max_size */
	uint16_t avail_base; /* next index to read from the available ring */
	bool user_addresses;
};

/*
 * Begin to serve a ring. The used index is taken from guest memory.
 * Errors: -EINVAL @num is out of range or an area misaligned (16, 2, 4 bytes);
 * -EFAULT an area does not lie in one region; -EBUSY started already.
 */
VIRTIOFS_API int virtiofs_virtqueue_start(struct virtiofs_virtqueue *vq,
					  const struct virtiofs_virtqueue_config *config);
/*
 * Stop; returns the available index to go on from. Chains that are out may still
 * be pushed, which then only drops them. The used ring is not touched again.
 */
VIRTIOFS_API uint16_t virtiofs_virtqueue_stop(struct virtiofs_virtqueue *vq);
VIRTIOFS_API bool virtiofs_virtqueue_started(const struct virtiofs_virtqueue *vq);

/*
 * Go over to the newest memory map: resolves the ring's addresses anew. Called by
 * pop and push by themselves when the map has changed; public for who must know
 * the moment. Errors: -EFAULT the ring lies in no region any more: it is broken.
 */
VIRTIOFS_API int virtiofs_virtqueue_refresh(struct virtiofs_virtqueue *vq);

/*
 * Take the next chain.
 * Returns 1 and *@ret; 0 none is available, or max_chains are out; -EPROTO the
 * ring is broken (available index ahead by more than its size, a head out of
 * range): nothing more comes out of it until it is stopped and started.
 */
VIRTIOFS_API int virtiofs_virtqueue_pop(struct virtiofs_virtqueue *vq,
					struct virtiofs_vq_chain **ret);
/*
 * Give a chain back with @written bytes used, visible to the driver at once.
 * Never fails; on a stopped or broken ring it only drops the chain.
 */
VIRTIOFS_API void virtiofs_virtqueue_push(struct virtiofs_virtqueue *vq,
					  struct virtiofs_vq_chain *chain, uint32_t written);

/* Chains popped and not pushed. */
VIRTIOFS_API unsigned virtiofs_virtqueue_out(const struct virtiofs_virtqueue *vq);

/* Whether the driver wants to be signalled for what was pushed since the last call. */
VIRTIOFS_API bool virtiofs_virtqueue_should_signal(struct virtiofs_virtqueue *vq);

/*
 * Ask the driver to kick, or not to, when it adds chains. After enabling, true
 * says that chains came in meanwhile: pop again before sleeping.
 */
VIRTIOFS_API bool virtiofs_virtqueue_enable_kicks(struct virtiofs_virtqueue *vq);
VIRTIOFS_API void virtiofs_virtqueue_disable_kicks(struct virtiofs_virtqueue *vq);

#ifdef __cplusplus
}
#endif

#endif /* VIRTIOFS_VIRTQUEUE_H */
