/* SPDX-License-Identifier: BSD-2-Clause */
/* virtiofs_io: a request's I/O on its queue's engine. */
#include "core/core.h"

#include <errno.h>

static void op_done(struct vfi_io_op *op, int64_t result)
{
	struct virtiofs_req *req = VFI_CONTAINER_OF(op, struct virtiofs_req, io);

	req->io_done(req, result);
}

static void start(struct virtiofs_req *req, const struct vfi_io_op *op, virtiofs_io_done done)
{
	struct virtiofs_queue *q = req->queue;

	req->io = *op;
	req->io.done = op_done;
	req->io_done = done;
	/* The engine is the owner's; on any other thread it is plain calls, there and then. */
	if (vfi_queue_is_owner(q))
		q->engine->ops->start(q->engine, &req->io);
	else
		op_done(&req->io, vfi_io_sync(&req->io));
}

static void transfer(struct virtiofs_req *req, enum vfi_io_kind kind, int fd,
		     const struct virtiofs_iov *iov, uint64_t offset, int flags,
		     virtiofs_io_done done)
{
	struct vfi_io_op op = {
		.kind = kind,
		.fd = fd,
		.iov = iov->iov,
		.iov_count = iov->count,
		.len = iov->len,
		.offset = offset,
		.flags = flags & ~VIRTIOFS_IO_WHOLE,
		.whole = flags & VIRTIOFS_IO_WHOLE,
	};

	/* To the system calls -1 is the descriptor's own position. */
	if (offset > INT64_MAX)
		done(req, -EINVAL);
	else
		start(req, &op, done);
}

void virtiofs_io_read(struct virtiofs_req *req, int fd, const struct virtiofs_iov *iov,
		      uint64_t offset, int flags, virtiofs_io_done done)
{
	transfer(req, VFI_IO_READ, fd, iov, offset, flags, done);
}

void virtiofs_io_write(struct virtiofs_req *req, int fd, const struct virtiofs_iov *iov,
		       uint64_t offset, int flags, virtiofs_io_done done)
{
	transfer(req, VFI_IO_WRITE, fd, iov, offset, flags, done);
}

void virtiofs_io_fsync(struct virtiofs_req *req, int fd, bool data_only, virtiofs_io_done done)
{
	struct vfi_io_op op = { .kind = data_only ? VFI_IO_FDATASYNC : VFI_IO_FSYNC, .fd = fd };

	start(req, &op, done);
}

void virtiofs_io_fallocate(struct virtiofs_req *req, int fd, int mode, uint64_t offset,
			   uint64_t len, virtiofs_io_done done)
{
	struct vfi_io_op op = {
		.kind = VFI_IO_FALLOCATE,
		.fd = fd,
		.flags = mode,
		.offset = offset,
		.len = len,
	};

	start(req, &op, done);
}
