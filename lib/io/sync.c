/* SPDX-License-Identifier: BSD-2-Clause */
/* Plain system calls: an operation is done when start returns. */
#include "io/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <virtiofs/device.h>

/* Note @n bytes moved. */
static void advance(struct vfi_io_op *op, size_t n)
{
	op->moved += n;
	while (op->iov_index < op->iov_count) {
		size_t left = op->iov[op->iov_index].iov_len - op->iov_offset;

		if (n < left) {
			op->iov_offset += n;
			return;
		}
		n -= left;
		op->iov_index++;
		op->iov_offset = 0;
	}
}

/* One call: what is left of an iovec that was moved in part, or as many whole ones as go. */
static ssize_t transfer(struct vfi_io_op *op)
{
	const struct iovec *iov = &op->iov[op->iov_index];
	uint32_t count = op->iov_count - op->iov_index;
	off_t offset = (off_t)(op->offset + op->moved);

	if (op->iov_offset) {
		op->first.iov_base = (char *)iov->iov_base + op->iov_offset;
		op->first.iov_len = iov->iov_len - op->iov_offset;
		iov = &op->first;
		count = 1;
	}
	if (count > IOV_MAX)
		count = IOV_MAX;
	if (op->kind == VFI_IO_READ)
		return preadv2(op->fd, iov, (int)count, offset, op->flags);
	return pwritev2(op->fd, iov, (int)count, offset, op->flags);
}

static int64_t transfer_all(struct vfi_io_op *op)
{
	while (op->moved < op->len) {
		ssize_t n = transfer(op);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return op->moved ? (int64_t)op->moved : -errno;
		if (n == 0)
			break;
		advance(op, (size_t)n);
	}
	return (int64_t)op->moved;
}

static int64_t result_of(int ret)
{
	return ret < 0 ? -errno : 0;
}

int64_t vfi_io_sync(struct vfi_io_op *op)
{
	int saved = errno;
	int64_t result = 0;

	switch (op->kind) {
	case VFI_IO_READ:
	case VFI_IO_WRITE:
		result = transfer_all(op);
		break;
	case VFI_IO_FSYNC:
		result = result_of(fsync(op->fd));
		break;
	case VFI_IO_FDATASYNC:
		result = result_of(fdatasync(op->fd));
		break;
	case VFI_IO_FALLOCATE:
		result = result_of(fallocate(op->fd, op->flags, (off_t)op->offset, (off_t)op->len));
		break;
	}
	errno = saved;
	return result;
}

static void sync_destroy(struct vfi_io_engine *engine)
{
	vfi_free(engine->env, engine, sizeof(*engine));
}

static void sync_start(struct vfi_io_engine *engine, struct vfi_io_op *op)
{
	(void)engine;
	op->done(op, vfi_io_sync(op));
}

/* Nothing is ever in flight. */
static void sync_run(struct vfi_io_engine *engine)
{
	(void)engine;
}

static void sync_cancel(struct vfi_io_engine *engine, struct vfi_io_op *op)
{
	(void)engine;
	(void)op;
}

static const struct vfi_io_engine_ops sync_ops = {
	.name = "sync",
	.destroy = sync_destroy,
	.start = sync_start,
	.run = sync_run,
	.cancel = sync_cancel,
	.wait = sync_run,
};

int vfi_io_engine_create(struct vfi_io_engine **ret, const struct virtiofs_env *env, uint32_t mode,
			 unsigned depth, int event_fd)
{
	struct vfi_io_engine *engine;

	(void)depth;
	(void)event_fd;
	if (mode == VIRTIOFS_IO_URING)
		return -ENOTSUP;
	engine = vfi_alloc(env, sizeof(*engine));
	if (!engine)
		return -ENOMEM;
	engine->ops = &sync_ops;
	engine->env = env;
	*ret = engine;
	return 0;
}
