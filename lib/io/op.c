/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/engine.h"

#include <errno.h>
#include <limits.h>

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

/* What is left of an iovec that was moved in part, or as many whole ones as a call takes. */
uint32_t vfi_io_next_part(struct vfi_io_op *op, const struct iovec **iov)
{
	uint32_t count;

	if (op->iov_offset) {
		const struct iovec *half = &op->iov[op->iov_index];

		op->first.iov_base = (char *)half->iov_base + op->iov_offset;
		op->first.iov_len = half->iov_len - op->iov_offset;
		*iov = &op->first;
		return 1;
	}
	/* IOV_MAX empty ones in a row would read as the end of the file. */
	while (op->iov_index < op->iov_count && op->iov[op->iov_index].iov_len == 0)
		op->iov_index++;
	count = op->iov_count - op->iov_index;
	*iov = &op->iov[op->iov_index];
	return count < IOV_MAX ? count : IOV_MAX;
}

/*
 * How an operation ends that an error cut short. A write may be short, unless who asked
 * does not look. A read may not: to whoever asked, a short one says end of file.
 */
static int64_t cut_short(const struct vfi_io_op *op, int64_t error)
{
	if (op->kind == VFI_IO_WRITE && op->moved && !op->whole)
		return (int64_t)op->moved;
	return error;
}

bool vfi_io_end_part(struct vfi_io_op *op, int64_t ret, int64_t *result)
{
	bool transfer = op->kind == VFI_IO_READ || op->kind == VFI_IO_WRITE;

	if (ret == -EINTR && !op->cancelled)
		return true;
	if (ret < 0) {
		/* A cancelled call that was waiting ends as one that a signal interrupts. */
		*result = cut_short(op, ret == -EINTR ? -ECANCELED : ret);
		return false;
	}
	if (!transfer || ret == 0) {
		*result = (int64_t)op->moved;
		return false;
	}
	advance(op, (size_t)ret);
	if (op->moved < op->len && !op->cancelled)
		return true;
	*result = op->moved < op->len ? cut_short(op, -ECANCELED) : (int64_t)op->moved;
	return false;
}
