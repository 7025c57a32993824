/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vhost-user back-end: a device served to a front-end (QEMU and others) over
 * a connected UNIX stream socket.
 *
 * Who includes it: daemons, and whoever wants the daemon's speed in a program of
 * his own. It has one control side and one side for each ring; each is used by
 * one thread at a time, and a single thread may have them all:
 *
 *	control:  poll virtiofs_vhost_user_fd(), call _process()
 *	a ring:	  _queue_attach(), then _queue_wait() and _queue_run() in a loop
 *
 * What the front-end changes of a ring reaches it as a message that its thread
 * applies in _queue_run(); where no thread has attached it, control applies it.
 *
 * The front-end is not trusted, with one exception for now: where it truncates a
 * file that it gave as guest memory, touching that memory raises SIGBUS.
 */
#ifndef VIRTIOFS_VHOST_USER_H
#define VIRTIOFS_VHOST_USER_H

#include <stddef.h>
#include <stdint.h>

#include <virtiofs/device.h>
#include <virtiofs/fs.h>

#ifdef __cplusplus
extern "C" {
#endif

struct virtiofs_vhost_user;

/* Zero in a member (but size) means its default. Copied. */
struct virtiofs_vhost_user_options {
	size_t size; /* sizeof(struct virtiofs_vhost_user_options) */
	const struct virtiofs_device_options *device; /* default: those of device.h; with a
						       * tag there the back-end offers configuration
						       * space (VHOST_USER_PROTOCOL_F_CONFIG) */
	uint32_t max_queue_size; /* largest ring, a power of two; default 32768 */
};

#define VIRTIOFS_VHOST_USER_OPTIONS_INIT                         \
	{                                                        \
		sizeof(struct virtiofs_vhost_user_options), 0, 0 \
	}

/*
 * Make a back-end that serves @fs (borrowed until destroy).
 * Errors: those of virtiofs_device_create().
 */
VIRTIOFS_API int virtiofs_vhost_user_create(struct virtiofs_vhost_user **ret,
					    const struct virtiofs_env *env, struct virtiofs_fs *fs,
					    const struct virtiofs_vhost_user_options *options);
/*
 * Disconnect, end the session and free. NULL is nothing.
 * Returns 0, or -EBUSY: a ring is attached, or the device says so.
 */
VIRTIOFS_API int virtiofs_vhost_user_destroy(struct virtiofs_vhost_user *vu);

/*
 * Serve the front-end at the other end of @socket, a connected UNIX stream
 * socket: owned from success on, and made non-blocking.
 * Errors: -EBUSY a front-end is connected; what fcntl(2) and epoll_ctl(2) return.
 */
VIRTIOFS_API int virtiofs_vhost_user_connect(struct virtiofs_vhost_user *vu, int socket);

/* Readable when virtiofs_vhost_user_process() has something to do. Valid until destroy. */
VIRTIOFS_API int virtiofs_vhost_user_fd(const struct virtiofs_vhost_user *vu);

/*
 * Read and answer what the front-end sent. Never blocks: an answer that waits for
 * a ring is owed and sent by a later call.
 * Returns 0; -ENOTCONN there is no front-end (any more): once per connection,
 * after it closed, or broke the protocol (see the log), or a write to it failed,
 * and after all of its rings, memory and session are gone; the next
 * virtiofs_vhost_user_connect() may follow.
 */
VIRTIOFS_API int virtiofs_vhost_user_process(struct virtiofs_vhost_user *vu);

/* Drop the front-end as if it had closed; process() reports it. Control's thread. */
VIRTIOFS_API void virtiofs_vhost_user_disconnect(struct virtiofs_vhost_user *vu);

/* The device behind it, for its statistics and configuration. Borrowed. */
VIRTIOFS_API struct virtiofs_device *virtiofs_vhost_user_device(struct virtiofs_vhost_user *vu);

/* How many rings: hiprio, then the request queues. */
VIRTIOFS_API unsigned virtiofs_vhost_user_queue_count(const struct virtiofs_vhost_user *vu);

/*
 * Bind ring @index and its queue to the calling thread. @flags: VIRTIOFS_QUEUE_ of
 * queue.h. Errors: those of virtiofs_queue_attach(); -EINVAL no such ring.
 */
VIRTIOFS_API int virtiofs_vhost_user_queue_attach(struct virtiofs_vhost_user *vu, unsigned index,
						  unsigned flags);
/*
 * Unbind it; another thread, or control, goes on. Chains in work stay with it, and
 * what the front-end changes of the ring meanwhile waits for the next attach.
 * Errors: virtiofs_queue_detach()'s; -EINVAL no such ring.
 */
VIRTIOFS_API int virtiofs_vhost_user_queue_detach(struct virtiofs_vhost_user *vu, unsigned index);

/* Readable when _queue_run() has something to do (a kick, I/O, a change). */
VIRTIOFS_API int virtiofs_vhost_user_queue_fd(const struct virtiofs_vhost_user *vu, unsigned index);

/*
 * Apply changes, serve the ring, publish the answers, signal the guest once.
 * @budget: chains to take at most, 0 for all. Never waits for I/O.
 * Returns how many chains were given back; -EINVAL not attached by this thread.
 */
VIRTIOFS_API int virtiofs_vhost_user_queue_run(struct virtiofs_vhost_user *vu, unsigned index,
					       unsigned budget);

/*
 * Sleep until the ring has something to do, or for @timeout_ms (-1: for ever).
 * Returns 1 there is something; 0 the time is over; -EINTR a signal, or
 * virtiofs_vhost_user_queue_wake(); -EINVAL not attached by this thread.
 */
VIRTIOFS_API int virtiofs_vhost_user_queue_wait(struct virtiofs_vhost_user *vu, unsigned index,
						int timeout_ms);
/* Have a _queue_wait() of this ring, this or the next one, return -EINTR. Thread: any. */
VIRTIOFS_API void virtiofs_vhost_user_queue_wake(struct virtiofs_vhost_user *vu, unsigned index);

#ifdef __cplusplus
}
#endif

#endif /* VIRTIOFS_VHOST_USER_H */
