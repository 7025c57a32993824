/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extensions: what stands behind the names of a request that makes a file.
 *
 *	7.38 and newer, total_extlen * 8 bytes of records, each a multiple of 8:
 *
 *	  size	 nr_secctx   size  0   name NUL label  0...	a security context
 *	  size	 EXT_GROUPS  count groups...	       0...	supplementary groups
 *
 *	7.36 and 7.37: the first of these alone, and nothing says how long it is but
 *	the end of the request.
 *
 * The second word of a record is the number of contexts in it, or above
 * MAX_NR_SECCTX its type.
 */
#include "proto/proto.h"

#include <errno.h>

enum { RECORD_ALIGN = 8 };

static bool is_granted(const struct vfi_msg *msg, uint32_t type)
{
	if (type <= VIRTIOFS_FUSE_MAX_NR_SECCTX)
		return msg->granted & VIRTIOFS_FUSE_SECURITY_CTX;
	return type == VIRTIOFS_FUSE_EXT_GROUPS && (msg->granted & VIRTIOFS_FUSE_CREATE_SUPP_GROUP);
}

static int decode_groups(struct vfi_msg *msg, struct vfi_cursor *c, size_t len)
{
	struct virtiofs_fuse_supp_groups head;

	if (msg->group_count || len < sizeof(head) || !vfi_cursor_read(c, &head, sizeof(head)))
		return -EINVAL;
	if (head.nr_groups > VIRTIOFS_REQ_GROUPS_MAX)
		return -E2BIG;
	len -= sizeof(head);
	if (head.nr_groups > len / sizeof(msg->groups[0]) ||
	    !vfi_cursor_read(c, msg->groups, head.nr_groups * sizeof(msg->groups[0])))
		return -EINVAL;
	msg->group_count = head.nr_groups;
	len -= head.nr_groups * sizeof(msg->groups[0]);
	return vfi_cursor_skip(c, len) ? 0 : -EINVAL;
}

static int decode_secctx(struct vfi_msg *msg, struct vfi_cursor *c, size_t len, uint32_t count)
{
	struct virtiofs_fuse_secctx head;
	size_t name_len;
	int err;

	if (msg->secctx_name)
		return -EINVAL;
	if (count == 0) /* no security module of the guest's has a label for it */
		return vfi_cursor_skip(c, len) ? 0 : -EINVAL;
	if (count > 1)
		return -E2BIG;
	if (len < sizeof(head) || !vfi_cursor_read(c, &head, sizeof(head)))
		return -EINVAL;
	len -= sizeof(head);
	err = vfi_decode_name(msg, c, &len, VFI_NAME_XATTR, msg->secctx, &name_len);
	if (err)
		return err;
	if (head.size == 0 || head.size > len)
		return -EINVAL;
	if (head.size > VFI_LABEL_MAX)
		return -E2BIG;
	if (!vfi_cursor_read(c, msg->secctx + name_len, head.size) ||
	    !vfi_cursor_skip(c, len - head.size))
		return -EINVAL;
	msg->secctx_name = msg->secctx;
	msg->label = msg->secctx + name_len;
	msg->label_len = head.size;
	return 0;
}

/* What was not granted is skipped, whatever it is. */
static int decode_record(struct vfi_msg *msg, struct vfi_cursor *c, size_t *left)
{
	struct virtiofs_fuse_ext_header head;
	size_t len;

	if (*left < sizeof(head) || !vfi_cursor_read(c, &head, sizeof(head)))
		return -EINVAL;
	if (head.size < sizeof(head) || head.size % RECORD_ALIGN || head.size > *left)
		return -EINVAL;
	*left -= head.size;
	len = head.size - sizeof(head);
	if (!is_granted(msg, head.type))
		return vfi_cursor_skip(c, len) ? 0 : -EINVAL;
	if (head.type == VIRTIOFS_FUSE_EXT_GROUPS)
		return decode_groups(msg, c, len);
	return decode_secctx(msg, c, len, head.type);
}

bool vfi_extensions_have_length(const struct vfi_msg *msg)
{
	return msg->minor >= VFI_MINOR_EXT_HEADER;
}

/* A guest of 7.37 sends TMPFILE with the name of its nameless dentry before the context. */
static int skip_unused_name(struct vfi_msg *msg, struct vfi_cursor *c, size_t *left)
{
	size_t len;

	if (msg->op->names[0] != VFI_NAME_NONE || *left == 0)
		return 0;
	return vfi_decode_name(msg, c, left, VFI_NAME_XATTR, msg->names, &len);
}

int vfi_decode_extensions(struct vfi_msg *msg, struct vfi_cursor *c, size_t before, size_t len)
{
	int err = 0;

	if (vfi_extensions_have_length(msg)) {
		if (!vfi_cursor_skip(c, before))
			return -EINVAL;
		while (len && !err)
			err = decode_record(msg, c, &len);
		return err;
	}
	if (!(msg->granted & VIRTIOFS_FUSE_SECURITY_CTX))
		return 0;
	err = skip_unused_name(msg, c, &before);
	if (!err && before)
		err = decode_record(msg, c, &before);
	return err;
}
