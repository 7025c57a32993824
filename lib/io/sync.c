/* SPDX-License-Identifier: BSD-2-Clause */
/* Plain system calls: an operation is done when start returns. */
#include "io/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static ssize_t transfer(struct vfi_io_op *op)
{
	off_t offset = (off_t)(op->offset + op->moved);
	const struct iovec *iov;
	uint32_t count = vfi_io_next_part(op, &iov);

	if (op->kind == VFI_IO_READ)
		return preadv2(op->fd, iov, (int)count, offset, op->flags);
	return pwritev2(op->fd, iov, (int)count, offset, op->flags);
}

static ssize_t call(struct vfi_io_op *op)
{
	switch (op->kind) {
	case VFI_IO_READ:
	case VFI_IO_WRITE:
		return op->moved < op->len ? transfer(op) : 0;
	case VFI_IO_FSYNC:
		return fsync(op->fd);
	case VFI_IO_FDATASYNC:
		return fdatasync(op->fd);
	case VFI_IO_FALLOCATE:
		return fallocate(op->fd, op->flags, (off_t)op->offset, (off_t)op->len);
	}
	return 0;
}

int64_t vfi_io_sync(struct vfi_io_op *op)
{
	int saved = errno;
	int64_t result;
	ssize_t ret;

	do {
		ret = call(op);
	} while (vfi_io_end_part(op, ret < 0 ? -errno : ret, &result));
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
};

int vfi_io_sync_create(struct vfi_io_engine **ret, const struct virtiofs_env *env)
{
	struct vfi_io_engine *engine = vfi_alloc(env, sizeof(*engine));

	if (!engine)
		return -ENOMEM;
	engine->ops = &sync_ops;
	engine->env = env;
	*ret = engine;
	return 0;
}
