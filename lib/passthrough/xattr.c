/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extended attributes: GETXATTR, SETXATTR, LISTXATTR and REMOVEXATTR, by the names that
 * the rules give them here (xattrmap.c). ACLs are attributes too. Those of this host's
 * files are the guest's business if its kernel goes by them (POSIX_ACL), and nothing that
 * it sees otherwise.
 */
#include "passthrough/share.h"

#include <errno.h>
#include <linux/limits.h>
#include <string.h>

/* A value or list up to here is read without allocating. */
enum { FEW = 1024 };

static bool is_acl(const char *name)
{
	return strcmp(name, VFI_ACL_ACCESS) == 0 || strcmp(name, VFI_ACL_DEFAULT) == 0;
}

static bool may_see(const struct virtiofs_req *req, const char *name)
{
	return !is_acl(name) || (virtiofs_req_granted(req) & VIRTIOFS_FUSE_POSIX_ACL);
}

/* What the guest's @name is here: *@host is that or @buf. Or the errno to answer. */
static int to_host(const struct vfi_share *share, const struct virtiofs_req *req, const char *name,
		   char buf[XATTR_NAME_MAX + 1], const char **host)
{
	int err;

	if (!may_see(req, name))
		return -EOPNOTSUPP;
	err = vfi_xattrmap_to_host(&share->xattrmap, name, buf, host);
	return err || may_see(req, *host) ? err : -EOPNOTSUPP;
}

/* Do it to the inode @nodeid, and to the attribute that the guest calls x->name, if it is
 * about one. Returns bytes or a negative errno. */
static ssize_t call_by_id(struct vfi_guest *guest, const struct virtiofs_req *req, uint64_t nodeid,
			  struct vfi_xattr x)
{
	char name[XATTR_NAME_MAX + 1];
	struct vfi_node node;
	ssize_t n = 0;

	if (x.name)
		n = to_host(guest->share, req, x.name, name, &x.name);
	if (!n)
		n = vfi_node_open(guest, nodeid, &node);
	if (n)
		return n;
	n = vfi_xattr_call(guest->share, req, node.fd, node.inode->type, &x);
	vfi_node_close(&node);
	return n;
}

/* The answer to who asked for the size alone, or for no more than @size bytes. */
static void reply(struct virtiofs_req *req, uint32_t size, const void *buf, ssize_t n)
{
	if (n < 0)
		virtiofs_reply_err(req, (int)n);
	else if (size == 0)
		virtiofs_reply_xattr_size(req, (uint32_t)n);
	else if ((size_t)n > size)
		virtiofs_reply_err(req, -ERANGE);
	else
		virtiofs_reply_buf(req, buf, (size_t)n);
}

void vfi_share_getxattr(void *session, struct virtiofs_req *req, uint64_t nodeid,
			const struct virtiofs_fuse_getxattr_in *in, const char *name)
{
	struct vfi_guest *guest = session;
	/* No value is larger. */
	size_t size = vfi_min_u64(in->size, XATTR_SIZE_MAX);
	char few[FEW], *buf = few;
	struct vfi_xattr x = { .op = VFI_XATTR_GET, .name = name, .size = size };

	if (size > sizeof(few)) {
		buf = vfi_alloc(&guest->share->env, size);
		if (!buf) {
			virtiofs_reply_err(req, -ENOMEM);
			return;
		}
	}
	x.buf = buf;
	reply(req, in->size, buf, call_by_id(guest, req, nodeid, x));
	if (buf != few)
		vfi_free(&guest->share->env, buf, size);
}

/* Turn a list of this host's names into the guest's; none gets longer. Returns its size. */
static ssize_t translate(const struct vfi_share *share, const struct virtiofs_req *req, char *list,
			 ssize_t n)
{
	char *from = list, *to = list;

	while (from < list + n) {
		size_t len = strnlen(from, (size_t)(list + n - from));
		const char *name;

		/* A list ends with a NUL, whatever file system made it. */
		if (from + len == list + n)
			return -EIO;
		name = may_see(req, from) ? vfi_xattrmap_to_guest(&share->xattrmap, from) : NULL;
		if (name && may_see(req, name)) {
			size_t rest = (size_t)(from + len + 1 - name);

			memmove(to, name, rest);
			to += rest;
		}
		from += len + 1;
	}
	return to - list;
}

void vfi_share_listxattr(void *session, struct virtiofs_req *req, uint64_t nodeid,
			 const struct virtiofs_fuse_getxattr_in *in)
{
	struct vfi_guest *guest = session;
	char few[FEW], *buf = few;
	struct vfi_xattr x = { .op = VFI_XATTR_LIST, .buf = few, .size = sizeof(few) };
	ssize_t n = call_by_id(guest, req, nodeid, x);

	/* All of it, whatever the guest has room for: some of it may be none of its. */
	if (n == -ERANGE) {
		buf = vfi_alloc(&guest->share->env, XATTR_LIST_MAX);
		x.buf = buf;
		x.size = XATTR_LIST_MAX;
		n = buf ? call_by_id(guest, req, nodeid, x) : -ENOMEM;
	}
	if (n > 0)
		n = translate(guest->share, req, buf, n);
	reply(req, in->size, buf, n);
	if (buf != few)
		vfi_free(&guest->share->env, buf, XATTR_LIST_MAX);
}

/* Who may not keep S_ISGID loses it with an ACL, as with chmod(2): posix_acl_update_mode() of
 * this host's kernel sees us, who may. */
static int kill_sgid(struct vfi_guest *guest, uint64_t nodeid)
{
	struct vfi_node node;
	int err = vfi_node_open(guest, nodeid, &node);

	if (err)
		return err;
	err = vfi_kill_sgid(guest->share, node.fd);
	vfi_node_close(&node);
	return err;
}

void vfi_share_setxattr(void *session, struct virtiofs_req *req, uint64_t nodeid,
			const struct virtiofs_fuse_setxattr_in *in, const char *name,
			const struct virtiofs_iov *value)
{
	struct vfi_guest *guest = session;
	struct vfi_xattr x = {
		.op = VFI_XATTR_SET, .flags = in->flags, .name = name, .size = in->size
	};
	char few[FEW], *buf = few;
	int err = 0;

	/* What the kernel says to a value of that size. */
	if (in->size > XATTR_SIZE_MAX) {
		virtiofs_reply_err(req, -E2BIG);
		return;
	}
	if (in->size > sizeof(few)) {
		buf = vfi_alloc(&guest->share->env, in->size);
		err = buf ? 0 : -ENOMEM;
	}
	x.value = buf;
	if (!err && !vfi_iov_take(value, buf, in->size))
		err = -EINVAL;
	if (!err)
		err = (int)call_by_id(guest, req, nodeid, x);
	if (!err && (in->setxattr_flags & VIRTIOFS_FUSE_SETXATTR_ACL_KILL_SGID) &&
	    strcmp(name, VFI_ACL_ACCESS) == 0)
		err = kill_sgid(guest, nodeid);
	if (buf != few)
		vfi_free(&guest->share->env, buf, in->size);
	virtiofs_reply_err(req, err);
}

void vfi_share_removexattr(void *session, struct virtiofs_req *req, uint64_t nodeid,
			   const char *name)
{
	struct vfi_xattr x = { .op = VFI_XATTR_REMOVE, .name = name };

	virtiofs_reply_err(req, (int)call_by_id(session, req, nodeid, x));
}
