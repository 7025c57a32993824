/* SPDX-License-Identifier: BSD-2-Clause */
#include "proto/proto.h"

#include <assert.h>
#include <errno.h>

enum { MAX_ERRNO_WIRE = 511 }; /* fs/fuse/dev.c takes -1 to -511 */

int vfi_reply_errno(int error)
{
	return error <= 0 && error >= -MAX_ERRNO_WIRE ? error : -EIO;
}

size_t vfi_fixed_out(const struct vfi_msg *msg)
{
	if (!msg->op)
		return 0;
	return msg->op->out_size ? msg->op->out_size(msg) : msg->op->out;
}

bool vfi_reply_fits(const struct vfi_msg *msg, size_t len)
{
	return vfi_fixed_out(msg) == len;
}

uint32_t vfi_encode(struct vfi_msg *msg, int error, const void *body, size_t len,
		    size_t payload_len)
{
	struct virtiofs_fuse_out_header out = {
		.error = error,
		.unique = msg->in.unique,
	};
	struct vfi_cursor c;

	if (!vfi_can_reply(msg) || (msg->op && (msg->op->flags & VFI_OP_NO_REPLY)))
		return 0;
	if (error) {
		len = 0;
		payload_len = 0;
	}
	/* Room for the body was a condition of running the op. */
	assert(len <= msg->writable_len - VFI_OUT_HEADER);
	out.len = (uint32_t)(VFI_OUT_HEADER + len + payload_len);
	vfi_cursor_init(&c, msg->writable, msg->writable_count);
	vfi_cursor_write(&c, &out, sizeof(out));
	if (len)
		vfi_cursor_write(&c, body, len);
	return out.len;
}

uint32_t vfi_encode_buf(struct vfi_msg *msg, const void *buf, size_t len)
{
	struct vfi_cursor c;

	if (len > msg->payload_out.len)
		return vfi_encode(msg, -ERANGE, NULL, 0, 0);
	vfi_cursor_init(&c, msg->payload_out.iov, msg->payload_out.count);
	vfi_cursor_write(&c, buf, len);
	return vfi_encode(msg, 0, NULL, 0, len);
}
