/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A queue of a device: feed it descriptor chains, get them back answered.
 *
 * Who includes it: VMM authors and transports. A queue belongs to the thread
 * that attached it, and all calls below come from that thread. A loop is:
 *
 *	virtiofs_queue_attach(q, 0);
 *	for (;;) {
 *		poll(guest's kick, virtiofs_queue_fd(q));
 *		while (a chain is available)
 *			virtiofs_queue_submit(q, &chain);	// -> complete()
 *		virtiofs_queue_run(q, 0);			// -> complete()
 *		signal the guest, if anything was completed;
 *	}
 */
#ifndef VIRTIOFS_QUEUE_H
#define VIRTIOFS_QUEUE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <virtiofs/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The thread serves nothing but this library until it ends: it may keep a
 * guest's uid and gid between requests, have securebits and an umask of its own,
 * and no longer share its working directory with the process.
 */
#define VIRTIOFS_QUEUE_DEDICATED 1u

/*
 * Bind the queue to the calling thread; the only call that can fail for the
 * thread's sake.
 * Errors: -EBUSY attached already; -EINVAL unknown flag; -ENOTSUP VIRTIOFS_IO_URING
 * was asked for and does not work here; -ENOMEM; what unshare(2) and
 * io_uring_setup(2) return.
 */
VIRTIOFS_API int virtiofs_queue_attach(struct virtiofs_queue *queue, unsigned flags);

/*
 * Unbind the queue, so that another thread may attach it. Accepted chains stay
 * with it and are served on.
 * Errors: -EINVAL not attached by this thread; -EBUSY data of a request is being
 * moved by the kernel, or virtiofs_device_quiesce() waits for this queue: run on
 * until that is over, or abort.
 */
VIRTIOFS_API int virtiofs_queue_detach(struct virtiofs_queue *queue);

/* A flag of struct virtiofs_chain: what follows is not what the guest meant. */
#define VIRTIOFS_CHAIN_MALFORMED                             \
	1u /* the transport could not read all of the chain: \
	    * answer EIO if a header fits, and nothing else */

/*
 * A descriptor chain: its device-readable part, then its device-writable part,
 * each in any split, empty and one-byte iovecs included. The split between the
 * two is the descriptors', never a length in the request.
 * Ownership: the arrays are copied; the memory they name is borrowed until
 * complete().
 */
struct virtiofs_chain {
	size_t size; /* sizeof(struct virtiofs_chain) */
	const struct iovec *readable;
	const struct iovec *writable;
	uint32_t readable_count;
	uint32_t writable_count;
	void *cookie;	/* handed back by complete() */
	uint32_t flags; /* VIRTIOFS_CHAIN_ */
};

/*
 * Take a chain in and serve it, as far as that goes without waiting.
 * Returns 0: accepted, malformed ones too, and complete() runs exactly once, now
 * or later. Otherwise it was not accepted and complete() will not run for it:
 * -EAGAIN max_inflight chains are in work: retry after a completion; -ESHUTDOWN
 * the queue is stopped; -EINVAL not attached by this thread, or @chain has an
 * unknown size or flag.
 */
VIRTIOFS_API int virtiofs_queue_submit(struct virtiofs_queue *queue,
				       const struct virtiofs_chain *chain);

/*
 * Push batched I/O to the kernel, take in its results and replies from other
 * threads, hand out up to @budget completions (0: all). Never waits.
 * Returns how many were handed out, or -EINVAL: not attached by this thread.
 */
VIRTIOFS_API int virtiofs_queue_run(struct virtiofs_queue *queue, unsigned budget);

/*
 * A descriptor that is readable when virtiofs_queue_run() has something to do, and run
 * clears it: an eventfd, or an epoll where the filesystem has an expire. For poll, level- or
 * edge-triggered; never read or written by the caller. Valid until the device is destroyed. (A poll
 * may return EINTR once after a submit: io_uring's task work.)
 */
VIRTIOFS_API int virtiofs_queue_fd(const struct virtiofs_queue *queue);

/* Its virtqueue number: the index virtiofs_device_queue() found it by. Thread: any. */
VIRTIOFS_API unsigned virtiofs_queue_index(const struct virtiofs_queue *queue);

/* How many accepted chains are not given back yet. */
VIRTIOFS_API unsigned virtiofs_queue_inflight(const struct virtiofs_queue *queue);

/*
 * Accept no more chains, cancel what can be cancelled, finish the rest; then
 * @done runs once, inside virtiofs_queue_run().
 * Errors: -EBUSY a stop is under way; -EINVAL not attached by this thread.
 */
VIRTIOFS_API int virtiofs_queue_stop(struct virtiofs_queue *queue, void (*done)(void *arg),
				     void *arg);
/* Accept chains again, after done ran. Errors: -EBUSY it has not yet. */
VIRTIOFS_API int virtiofs_queue_resume(struct virtiofs_queue *queue);

/*
 * Give every accepted chain back now, with EIO; those whose data the kernel or
 * a blocking operation is moving at this moment are cancelled and waited for, and
 * come back with what the filesystem makes of that (ECANCELED, or a success).
 * Afterwards the library touches no guest memory of this queue. The others'
 * filesystem may reply still: such a reply changes nothing.
 * The queue is stopped afterwards, and has run the done of a stop under way.
 * Errors: -EINVAL not attached by this thread.
 */
VIRTIOFS_API int virtiofs_queue_abort(struct virtiofs_queue *queue);

#ifdef __cplusplus
}
#endif

#endif /* VIRTIOFS_QUEUE_H */
