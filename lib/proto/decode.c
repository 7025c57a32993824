/* SPDX-License-Identifier: BSD-2-Clause */
/* From a chain's bytes to a request that is checked: every byte is read once. */
#include "proto/proto.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static_assert(sizeof(struct virtiofs_fuse_setattr_in) <= VFI_ARGS_SIZE, "args hold any fixed part");
static_assert(sizeof(struct virtiofs_fuse_init_in) <= VFI_ARGS_SIZE, "args hold any fixed part");

/* What is there of a header that is cut off: enough to answer it, where it names itself. */
static int decode_short_header(struct vfi_msg *msg, size_t len)
{
	if (len < offsetof(struct virtiofs_fuse_in_header, unique) + sizeof(msg->in.unique))
		msg->in.unique = 0;
	if (len >= offsetof(struct virtiofs_fuse_in_header, opcode) + sizeof(msg->in.opcode))
		msg->op = vfi_op_find(msg->in.opcode);
	return -EINVAL;
}

int vfi_decode_header(struct vfi_msg *msg)
{
	struct vfi_cursor c;
	size_t len;

	msg->op = NULL;
	msg->payload_in = (struct virtiofs_iov){ NULL, 0, 0 };
	msg->payload_out = (struct virtiofs_iov){ NULL, 0, 0 };
	memset(&msg->in, 0, sizeof(msg->in));
	vfi_cursor_init(&c, msg->readable, msg->readable_count);
	len = vfi_cursor_left(&c);
	vfi_cursor_read(&c, &msg->in, len < sizeof(msg->in) ? len : sizeof(msg->in));
	if (len < sizeof(msg->in))
		return decode_short_header(msg, len);
	msg->op = vfi_op_find(msg->in.opcode);
	/* A driver may pad the chain behind the request, not promise more than it sent. */
	if (msg->in.len < VFI_IN_HEADER || msg->in.len > len)
		return -EINVAL;
	return msg->op ? 0 : -ENOSYS;
}

/*
 * The bytes from @c on, @len of them, as iovecs of their own, in the message's own
 * array: an iovec that the payload begins in the middle of is split.
 */
static struct virtiofs_iov take_payload(struct iovec *iov, uint32_t *count,
					const struct vfi_cursor *c, size_t len)
{
	struct virtiofs_iov payload = { .len = len };
	uint32_t first = c->index;
	size_t left = len;

	if (!len)
		return payload;
	while (c->offset == 0 && iov[first].iov_len == 0)
		first++;
	if (c->offset) {
		memmove(&iov[first + 1], &iov[first], (*count - first) * sizeof(*iov));
		(*count)++;
		iov[first].iov_len = c->offset;
		first++;
		iov[first].iov_base = (unsigned char *)iov[first].iov_base + c->offset;
		iov[first].iov_len -= c->offset;
	}
	payload.iov = &iov[first];
	while (left) {
		struct iovec *v = &iov[first + payload.count++];

		if (v->iov_len > left)
			v->iov_len = left; /* what lies behind is nobody's any more */
		left -= v->iov_len;
	}
	return payload;
}

static int decode_fixed(struct vfi_msg *msg, struct vfi_cursor *c, size_t *left)
{
	const struct vfi_op *op = msg->op;
	size_t max = op->in_size ? op->in_size(msg->granted) : op->in_max;
	size_t min = op->in_size ? max : op->in_min;
	size_t len = *left < max ? *left : max;

	memset(&msg->args, 0, op->in_max);
	if (len < min || !vfi_cursor_read(c, &msg->args, len))
		return -EINVAL;
	*left -= len;
	return 0;
}

static bool is_dot(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

static int check_name(const char *name, size_t len, enum vfi_name_rule rule, uint64_t granted)
{
	if (len == 0)
		return rule == VFI_NAME_TARGET ? -ENOENT : -EINVAL;
	if (rule == VFI_NAME_TARGET || rule == VFI_NAME_XATTR)
		return 0;
	if (memchr(name, '/', len))
		return -EINVAL;
	if (is_dot(name) && (rule != VFI_NAME_LOOKUP || !(granted & VIRTIOFS_FUSE_EXPORT_SUPPORT)))
		return -EINVAL;
	return 0;
}

/* Copy one string of at most @max bytes to @dst. Reads @c byte for byte no more than once. */
int vfi_decode_name(const struct vfi_msg *msg, struct vfi_cursor *c, size_t *left,
		    enum vfi_name_rule rule, char *dst, size_t *len)
{
	size_t max = rule == VFI_NAME_TARGET ? VFI_TARGET_MAX : VFI_NAME_MAX;
	size_t n = 0;

	for (;;) {
		const struct iovec *v;
		const char *at, *nul;
		size_t span;

		if (n == *left)
			return -EINVAL; /* no NUL before the end */
		if (n > max)
			return -ENAMETOOLONG;
		while (c->offset == c->iov[c->index].iov_len) {
			c->index++;
			c->offset = 0;
		}
		v = &c->iov[c->index];
		span = v->iov_len - c->offset;
		if (span > *left - n)
			span = *left - n;
		if (span > max + 1 - n)
			span = max + 1 - n;
		at = (const char *)v->iov_base + c->offset;
		memcpy(dst + n, at, span);
		/* Searched in the copy: the guest may be changing the original. */
		nul = memchr(dst + n, '\0', span);
		if (nul)
			span = (size_t)(nul - (dst + n)) + 1;
		if (!vfi_cursor_skip(c, span))
			return -EINVAL;
		n += span;
		if (nul)
			break;
	}
	*left -= n;
	*len = n;
	return check_name(dst, n - 1, rule, msg->granted);
}

static int decode_names(struct vfi_msg *msg, struct vfi_cursor *c, size_t *left)
{
	char *dst = msg->names;

	for (int i = 0; i < 2 && msg->op->names[i] != VFI_NAME_NONE; i++) {
		size_t len;
		int err = vfi_decode_name(msg, c, left, (enum vfi_name_rule)msg->op->names[i], dst,
					  &len);

		if (err)
			return err;
		msg->name[i] = dst;
		dst += len;
	}
	return 0;
}

static int decode_payload_in(struct vfi_msg *msg, const struct vfi_cursor *c, size_t left)
{
	size_t len = msg->op->payload_in(msg);

	if (len > left)
		return -EINVAL;
	msg->payload_in = take_payload(msg->readable, &msg->readable_count, c, len);
	return 0;
}

/* Room for the answer: header, fixed part, and what payload fits behind. */
static int decode_room(struct vfi_msg *msg)
{
	const struct vfi_op *op = msg->op;
	size_t fixed = VFI_OUT_HEADER + vfi_fixed_out(msg);
	struct vfi_cursor c;
	size_t len;

	if (op->flags & VFI_OP_NO_REPLY)
		return 0;
	if (msg->writable_len < fixed)
		return -EINVAL;
	if (!(op->flags & VFI_OP_PAYLOAD_OUT))
		return 0;
	/* The header's length has 32 bits. */
	len = msg->writable_len < UINT32_MAX ? msg->writable_len : UINT32_MAX;
	len -= fixed;
	if (op->payload_out && op->payload_out(msg) < len)
		len = op->payload_out(msg);
	vfi_cursor_init(&c, msg->writable, msg->writable_count);
	vfi_cursor_skip(&c, fixed);
	msg->payload_out = take_payload(msg->writable, &msg->writable_count, &c, len);
	return 0;
}

int vfi_decode(struct vfi_msg *msg)
{
	size_t left = msg->in.len - VFI_IN_HEADER;
	size_t extensions = 0;
	struct vfi_cursor c;
	int err;

	vfi_cursor_init(&c, msg->readable, msg->readable_count);
	vfi_cursor_skip(&c, VFI_IN_HEADER);
	msg->group_count = 0;
	msg->secctx_name = NULL;
	/*
	 * Extensions are the tail of a request. The field is part of the padding for
	 * guests before 7.38, which may have anything in it: it counts only where there
	 * can be extensions.
	 */
	if ((msg->op->flags & VFI_OP_EXT) && vfi_extensions_have_length(msg)) {
		extensions = (size_t)msg->in.total_extlen * 8;
		if (extensions > left)
			return -EINVAL;
		left -= extensions;
	}
	err = decode_fixed(msg, &c, &left);
	if (!err)
		err = decode_names(msg, &c, &left);
	if (!err && (msg->op->flags & VFI_OP_EXT))
		err = vfi_decode_extensions(msg, &c, left, extensions);
	if (!err && (msg->op->flags & VFI_OP_PAYLOAD_IN))
		err = decode_payload_in(msg, &c, left);
	if (!err)
		err = decode_room(msg);
	return err;
}

bool vfi_dispatch(struct vfi_msg *msg, const struct virtiofs_fs_ops *ops, void *session,
		  struct virtiofs_req *req)
{
	void (*op)(void);

	if (!msg->op->run)
		return false;
	/* Every op is a pointer to a function, and all those have one size and form. */
	memcpy(&op, (const unsigned char *)ops + msg->op->op, sizeof(op));
	if (!op)
		return false;
	msg->op->run(msg, ops, session, req);
	return true;
}
