/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The I/O engine of one queue: takes operations, gives each back exactly once.
 * All calls come from the queue's thread.
 */
#ifndef VFI_IO_ENGINE_H
#define VFI_IO_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/base.h"

enum vfi_io_kind { VFI_IO_READ, VFI_IO_WRITE, VFI_IO_FSYNC, VFI_IO_FDATASYNC, VFI_IO_FALLOCATE };

struct vfi_io_engine;

/* One operation, embedded in whatever owns it. Zeroed, then set up by the caller. */
struct vfi_io_op {
	/* The caller's. */
	enum vfi_io_kind kind;
	int fd;
	const struct iovec *iov; /* stays valid until done; never written to */
	uint32_t iov_count;
	int flags; /* RWF_ bits; fallocate's mode */
	uint64_t offset;
	uint64_t len; /* bytes of @iov, or of fallocate */
	bool whole;   /* a write: an error fails it, whatever was written before */
	/* Runs once; @result as in virtiofs/io.h. Maybe inside start(). */
	void (*done)(struct vfi_io_op *op, int64_t result);
	/* The engine's. */
	uint64_t moved;	    /* bytes so far */
	uint32_t iov_index; /* first iovec that is not finished */
	size_t iov_offset;  /* in it */
	bool in_flight;	    /* start() returned, done is yet to come */
	bool cancelled;	    /* no part of it is begun any more */
	struct iovec first; /* the rest of an iovec that was moved in part */
};

/* An engine's methods. */
struct vfi_io_engine_ops {
	const char *name;
	void (*destroy)(struct vfi_io_engine *engine);
	void (*start)(struct vfi_io_engine *engine, struct vfi_io_op *op);
	/* Push what is batched to the kernel and run done for what came back. Never waits. */
	void (*run)(struct vfi_io_engine *engine);
	/* Have an operation in flight end soon, with -ECANCELED or its result. */
	void (*cancel)(struct vfi_io_engine *engine, struct vfi_io_op *op);
};

struct vfi_io_engine {
	const struct vfi_io_engine_ops *ops;
	const struct virtiofs_env *env;
	unsigned in_flight; /* operations that start() kept */
	bool signals_event; /* the kernel writes to event_fd by itself: whoever polls reads it */
};

/*
 * Make an engine; it belongs to the calling thread. @mode: VIRTIOFS_IO_. @depth:
 * operations in flight at once, about. @event_fd: a non-blocking eventfd that is
 * signalled when run() has something to do. @told: not zero once the log was told
 * why there is no io_uring; shared by a device's queues, atomic.
 * Errors: -ENOTSUP VIRTIOFS_IO_URING and it does not work here; -ENOMEM.
 */
int vfi_io_engine_create(struct vfi_io_engine **ret, const struct virtiofs_env *env, uint32_t mode,
			 unsigned depth, int event_fd, unsigned *told);

/* ---- sync.c ---- */

/* The engine of plain system calls, which does everything in start(). Errors: -ENOMEM. */
int vfi_io_sync_create(struct vfi_io_engine **ret, const struct virtiofs_env *env);

/* Do an operation, or the rest of it, with plain system calls, on whatever thread. */
int64_t vfi_io_sync(struct vfi_io_op *op);

/* ---- uring.c ---- */

/* How a ring can be set up: with what Linux 6.1, 5.19 and 5.10 have. */
enum { VFI_IO_URING_SETUPS = 3 };

/*
 * The engine of an io_uring: @setup, 0 to VFI_IO_URING_SETUPS - 1, or the best
 * behind it that the kernel takes.
 * Errors: -ENOMEM, with *@why NULL; else what the kernel said, to what *@why names.
 */
int vfi_io_uring_create(struct vfi_io_engine **ret, const struct virtiofs_env *env, unsigned depth,
			int event_fd, unsigned setup, const char **why);

/* ---- op.c: an operation in parts, of which each is one system call ---- */

/* The next part of a read or write: *@iov and how many of them; at least a byte in all. */
uint32_t vfi_io_next_part(struct vfi_io_op *op, const struct iovec **iov);

/*
 * Take a part's result in, bytes or a negative errno. True: there is more to do,
 * from vfi_io_next_part() on. False: it is over, with *@result.
 */
bool vfi_io_end_part(struct vfi_io_op *op, int64_t ret, int64_t *result);

#endif /* VFI_IO_ENGINE_H */
