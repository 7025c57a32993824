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
	/* Runs once; @result as in virtiofs/io.h. Maybe inside vfi_io_start(). */
	void (*done)(struct vfi_io_op *op, int64_t result);
	/* The engine's. */
	uint64_t moved;	    /* bytes so far */
	uint32_t iov_index; /* first iovec that is not finished */
	size_t iov_offset;  /* in it */
	bool in_flight;	    /* the kernel has it */
	bool cancelled;
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
	/* Wait until at least one operation in flight came back. */
	void (*wait)(struct vfi_io_engine *engine);
};

struct vfi_io_engine {
	const struct vfi_io_engine_ops *ops;
	const struct virtiofs_env *env;
	unsigned in_flight; /* operations with the kernel */
	bool signals_event; /* the kernel writes to event_fd by itself: whoever polls reads it */
};

/*
 * Make an engine. @mode: VIRTIOFS_IO_. @depth: operations in flight at once at
 * most. @event_fd: an eventfd the kernel signals when run() has results to fetch.
 * The io_uring engine belongs to the thread that calls this.
 * Errors: -ENOTSUP VIRTIOFS_IO_URING and it does not work here; -ENOMEM.
 */
int vfi_io_engine_create(struct vfi_io_engine **ret, const struct virtiofs_env *env, uint32_t mode,
			 unsigned depth, int event_fd);

/* Do an operation with plain system calls, to its end, on whatever thread. */
int64_t vfi_io_sync(struct vfi_io_op *op);

#endif /* VFI_IO_ENGINE_H */
