/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio-fs device: a filesystem behind a set of queues (virtio 1.2, 5.11).
 *
 * Who includes it: VMM authors and transports. A device belongs to one thread at
 * a time, its queues to one thread each (queue.h); the two may run in parallel.
 * The device knows no ring and no socket: chains come in through queue.h, and go
 * out through virtiofs_host_ops.complete.
 */
#ifndef VIRTIOFS_DEVICE_H
#define VIRTIOFS_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include <virtiofs/env.h>

#ifdef __cplusplus
extern "C" {
#endif

struct virtiofs_device;
struct virtiofs_queue;
struct virtiofs_fs;

/* Bytes of the device's configuration space: tag and num_request_queues. */
#define VIRTIOFS_CONFIG_SIZE 40u
/* Longest tag, in bytes; a tag this long has no NUL behind it. */
#define VIRTIOFS_TAG_MAX 36u

/* What a device asks of its embedder. Borrowed until the device is destroyed. */
struct virtiofs_host_ops {
	size_t size; /* sizeof(struct virtiofs_host_ops) */

	/*
	 * Give a chain back to the guest; runs exactly once for every chain that
	 * virtiofs_queue_submit() accepted.
	 *
	 * Thread: the owner's, and only inside virtiofs_queue_submit(), _run()
	 * and _abort(). It never nests: it may call virtiofs_queue_submit(),
	 * which then only takes the chain in; it may not call any other function
	 * of the queue or the device. The guest is best signalled once, after
	 * those three calls.
	 * @cookie: the chain's.
	 * @written: bytes of the answer, virtio's used length; 0 for a request
	 *	that has no answer, or has no room for one.
	 * @touched: bytes from the start of the writable half that may have been
	 *	stored to (>= @written): what a dirty log marks.
	 */
	void (*complete)(void *host, struct virtiofs_queue *queue, void *cookie, uint32_t written,
			 uint32_t touched);
};

/* How virtiofs_io (io.h) moves data. */
#define VIRTIOFS_IO_AUTO 0u  /* io_uring where a probe finds it works, else plain calls */
#define VIRTIOFS_IO_SYNC 1u  /* plain system calls only */
#define VIRTIOFS_IO_URING 2u /* io_uring, or attach fails with -ENOTSUP */

/* Zero in a member (but size) means its default. Copied. */
struct virtiofs_device_options {
	size_t size;		 /* sizeof(struct virtiofs_device_options) */
	const char *tag;	 /* 1 to 36 bytes, for config_read; default: empty, "" */
	uint32_t request_queues; /* 1 to 64; default 1. Beside them there is hiprio */
	uint32_t max_inflight;	 /* chains accepted at once on a queue, 1 to 32768; default 128 */
	uint32_t max_segments;	 /* iovecs of one chain, 8 to 65536; a chain that has more
				  * is answered with E2BIG; default 1032 */
	uint32_t max_write;	 /* bytes of payload of one READ or WRITE, 4096 to 16 MiB,
				  * a multiple of 4096; default 1 MiB */
	uint32_t io;		 /* VIRTIOFS_IO_ */
};

#define VIRTIOFS_DEVICE_OPTIONS_INIT                                     \
	{                                                                \
		sizeof(struct virtiofs_device_options), 0, 0, 0, 0, 0, 0 \
	}

/*
 * Make a device that serves @fs.
 * Ownership: @env, @options and @host_ops are copied; @fs and @host are borrowed
 * until virtiofs_device_destroy(). All memory for requests is taken here.
 * Errors: -EINVAL a value out of its range, or no complete; -E2BIG a struct of a
 * newer library has a member set that this one does not know; -ENOMEM; -EMFILE
 * or -ENFILE no descriptor left for the queues' eventfds.
 */
VIRTIOFS_API int virtiofs_device_create(struct virtiofs_device **ret,
					const struct virtiofs_env *env,
					const struct virtiofs_device_options *options,
					struct virtiofs_fs *fs,
					const struct virtiofs_host_ops *host_ops, void *host);

/*
 * End the session and free the device. NULL is nothing.
 * Every queue is detached and empty: stop or abort them first.
 * Returns 0, or -EBUSY, and the device lives on: a queue is attached or holds
 * chains, or requests that virtiofs_queue_abort() gave back are still with
 * their filesystem.
 */
VIRTIOFS_API int virtiofs_device_destroy(struct virtiofs_device *dev);

/* How many queues: hiprio and the request queues. */
VIRTIOFS_API unsigned virtiofs_device_queue_count(const struct virtiofs_device *dev);

/*
 * The queue of a virtqueue number: 0 is hiprio, 1 is the first request queue
 * (virtio 1.2, 5.11.2, without VIRTIO_FS_F_NOTIFICATION). NULL: there is none.
 */
VIRTIOFS_API struct virtiofs_queue *virtiofs_device_queue(struct virtiofs_device *dev,
							  unsigned index);

/*
 * Read configuration space (virtio 1.2, 5.11.4) into @buf; bytes behind
 * VIRTIOFS_CONFIG_SIZE read as zero. Any offset and length. Thread: any.
 */
VIRTIOFS_API void virtiofs_device_config_read(const struct virtiofs_device *dev, size_t offset,
					      void *buf, size_t len);

/*
 * Stop every queue as virtiofs_queue_stop() does; then @done runs once, on the
 * thread of the queue that stopped last, inside virtiofs_queue_run(); or inside
 * this call, where no queue was attached.
 * Errors: -EBUSY a quiesce is under way.
 */
VIRTIOFS_API int virtiofs_device_quiesce(struct virtiofs_device *dev, void (*done)(void *arg),
					 void *arg);
/* Accept chains again on every queue. Call after quiesce's done. */
VIRTIOFS_API void virtiofs_device_resume(struct virtiofs_device *dev);

/*
 * End the session, as a device reset does: what the guest knew (node ids, file
 * handles) is gone, and nothing but INIT is served next.
 * Errors: -EBUSY a queue is not stopped (virtiofs_device_quiesce()), or detached
 * requests still use the session.
 */
VIRTIOFS_API int virtiofs_device_reset(struct virtiofs_device *dev);

/* Opcode slots in virtiofs_stats: FUSE opcodes up to 63. */
#define VIRTIOFS_STATS_OPCODES 64u

/* Counted since create; each number never runs backwards. */
struct virtiofs_stats {
	size_t size;		/* sizeof(struct virtiofs_stats), set by the caller */
	uint64_t accepted;	/* chains taken in */
	uint64_t completed;	/* chains given back */
	uint64_t malformed;	/* of those: no valid FUSE request */
	uint64_t errors;	/* answers that were an error, malformed ones included */
	uint64_t read_bytes;	/* payload of answers to READ */
	uint64_t written_bytes; /* payload taken by WRITE */
	uint64_t opcodes[VIRTIOFS_STATS_OPCODES]; /* well-formed requests by opcode */
};

/*
 * Sum up all queues. Thread: any; beside live queues the numbers are each right,
 * but not from one instant.
 * Errors: -EINVAL size is smaller than size_t or larger than this library's.
 */
VIRTIOFS_API int virtiofs_device_stats(const struct virtiofs_device *dev,
				       struct virtiofs_stats *stats);

#ifdef __cplusplus
}
#endif

#endif /* VIRTIOFS_DEVICE_H */
