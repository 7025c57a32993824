/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/recording_fs.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "support/check.h"

void recording_reset(struct recording *r)
{
	r->calls = 0;
	r->line[0] = '\0';
	r->in_len = 0;
	r->payload_len = 0;
}

__attribute__((format(printf, 4, 5))) static void record(struct recording *r, const void *in,
							 size_t in_len, const char *format, ...)
{
	size_t used = strlen(r->line);
	va_list args;

	CHECK(r->live && in_len <= sizeof(r->in));
	r->calls++;
	if (in_len)
		memcpy(r->in, in, in_len);
	r->in_len = in_len;
	va_start(args, format);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is, in the line above */
	vsnprintf(r->line + used, sizeof(r->line) - used, format, args);
	va_end(args);
}

/* What came with the request beyond its arguments. */
static void record_extensions(struct recording *r, const struct virtiofs_req *req)
{
	size_t used = strlen(r->line), len;
	const uint32_t *groups;
	const char *name;
	const void *label;
	uint32_t count;

	groups = virtiofs_req_groups(req, &count);
	for (uint32_t i = 0; i < count; i++)
		used += (size_t)snprintf(r->line + used, sizeof(r->line) - used, " group %u",
					 groups[i]);
	if (virtiofs_req_security_context(req, &name, &label, &len))
		snprintf(r->line + used, sizeof(r->line) - used, " %s=%.*s", name, (int)len,
			 (const char *)label);
}

static void record_payload(struct recording *r, const struct virtiofs_iov *src)
{
	CHECK(src->len <= sizeof(r->payload));
	for (uint32_t i = 0; i < src->count; i++) {
		CHECK(src->iov[i].iov_len <= sizeof(r->payload) - r->payload_len);
		if (src->iov[i].iov_len)
			memcpy(r->payload + r->payload_len, src->iov[i].iov_base,
			       src->iov[i].iov_len);
		r->payload_len += src->iov[i].iov_len;
	}
	CHECK(r->payload_len == src->len);
}

static void fill(const struct virtiofs_iov *dst)
{
	size_t len = 0;

	for (uint32_t i = 0; i < dst->count; i++) {
		if (dst->iov[i].iov_len)
			memset(dst->iov[i].iov_base, RECORDING_DATA, dst->iov[i].iov_len);
		len += dst->iov[i].iov_len;
	}
	CHECK(len == dst->len);
}

static const void *body(void)
{
	static unsigned char bytes[512];

	memset(bytes, RECORDING_FILL, sizeof(bytes));
	return bytes;
}

/* ---- Ops by what they are given: (node, in), (node, name), (node, in, name) ---- */

#define IN_OP(op, type, reply)                                                        \
	static void do_##op(void *session, struct virtiofs_req *req, uint64_t nodeid, \
			    const struct virtiofs_fuse_##type *in)                    \
	{                                                                             \
		record(session, in, sizeof(*in), #op " %" PRIu64, nodeid);            \
		record_extensions(session, req);                                      \
		reply;                                                                \
	}
#define NAME_OP(op, reply)                                                            \
	static void do_##op(void *session, struct virtiofs_req *req, uint64_t nodeid, \
			    const char *name)                                         \
	{                                                                             \
		record(session, NULL, 0, #op " %" PRIu64 " %s", nodeid, name);        \
		reply;                                                                \
	}
#define IN_NAME_OP(op, type, reply)                                                    \
	static void do_##op(void *session, struct virtiofs_req *req, uint64_t nodeid,  \
			    const struct virtiofs_fuse_##type *in, const char *name)   \
	{                                                                              \
		record(session, in, sizeof(*in), #op " %" PRIu64 " %s", nodeid, name); \
		record_extensions(session, req);                                       \
		reply;                                                                 \
	}

NAME_OP(lookup, virtiofs_reply_entry(req, body()))
IN_OP(getattr, getattr_in, virtiofs_reply_attr(req, body()))
IN_OP(setattr, setattr_in, virtiofs_reply_attr(req, body()))
IN_NAME_OP(mknod, mknod_in, virtiofs_reply_entry(req, body()))
IN_NAME_OP(mkdir, mkdir_in, virtiofs_reply_entry(req, body()))
NAME_OP(unlink, virtiofs_reply_ok(req))
NAME_OP(rmdir, virtiofs_reply_ok(req))
IN_OP(open, open_in, virtiofs_reply_open(req, body()))
IN_OP(release, release_in, virtiofs_reply_ok(req))
IN_OP(fsync, fsync_in, virtiofs_reply_ok(req))
NAME_OP(removexattr, virtiofs_reply_ok(req))
IN_OP(flush, flush_in, virtiofs_reply_ok(req))
IN_OP(opendir, open_in, virtiofs_reply_open(req, body()))
IN_OP(releasedir, release_in, virtiofs_reply_ok(req))
IN_OP(fsyncdir, fsync_in, virtiofs_reply_ok(req))
IN_OP(getlk, lk_in, virtiofs_reply_lk(req, body()))
IN_OP(access, access_in, virtiofs_reply_ok(req))
IN_NAME_OP(create, create_in, virtiofs_reply_create(req, body()))
IN_OP(bmap, bmap_in, virtiofs_reply_bmap(req, UINT64_C(0x7272727272727272)))
IN_OP(poll, poll_in, virtiofs_reply_poll(req, RECORDING_NUMBER))
IN_OP(fallocate, fallocate_in, virtiofs_reply_ok(req))
IN_OP(lseek, lseek_in, virtiofs_reply_lseek(req, UINT64_C(0x7272727272727272)))
IN_OP(copy_file_range, copy_file_range_in, virtiofs_reply_copied(req, RECORDING_NUMBER))
IN_OP(tmpfile, create_in, virtiofs_reply_create(req, body()))
IN_OP(statx, statx_in, virtiofs_reply_statx(req, body()))

/* ---- Ops with arguments of their own ---- */

static void do_forget(void *session, uint64_t nodeid, uint64_t nlookup)
{
	record(session, NULL, 0, "forget %" PRIx64 " %" PRIx64 ";", nodeid, nlookup);
}

static void do_readlink(void *session, struct virtiofs_req *req, uint64_t nodeid)
{
	record(session, NULL, 0, "readlink %" PRIu64, nodeid);
	virtiofs_reply_buf(req, "target", 6);
}

static void do_symlink(void *session, struct virtiofs_req *req, uint64_t parent, const char *name,
		       const char *target)
{
	record(session, NULL, 0, "symlink %" PRIu64 " %s -> %s", parent, name, target);
	record_extensions(session, req);
	virtiofs_reply_entry(req, body());
}

static void do_rename(void *session, struct virtiofs_req *req, uint64_t parent, const char *name,
		      uint64_t newparent, const char *newname, uint32_t flags)
{
	record(session, NULL, 0, "rename %" PRIu64 " %s -> %" PRIx64 " %s flags %" PRIx32, parent,
	       name, newparent, newname, flags);
	virtiofs_reply_ok(req);
}

static void do_link(void *session, struct virtiofs_req *req, uint64_t nodeid, uint64_t newparent,
		    const char *newname)
{
	record(session, NULL, 0, "link %" PRIx64 " -> %" PRIu64 " %s", nodeid, newparent, newname);
	virtiofs_reply_entry(req, body());
}

static void do_read(void *session, struct virtiofs_req *req, uint64_t nodeid,
		    const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst)
{
	record(session, in, sizeof(*in), "read %" PRIu64, nodeid);
	fill(dst);
	virtiofs_reply_data(req, dst->len);
}

static void do_write(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_write_in *in, const struct virtiofs_iov *src)
{
	record(session, in, sizeof(*in), "write %" PRIu64, nodeid);
	record_payload(session, src);
	virtiofs_reply_write(req, RECORDING_NUMBER);
}

static void do_statfs(void *session, struct virtiofs_req *req, uint64_t nodeid)
{
	record(session, NULL, 0, "statfs %" PRIu64, nodeid);
	virtiofs_reply_statfs(req, body());
}

static void do_setxattr(void *session, struct virtiofs_req *req, uint64_t nodeid,
			const struct virtiofs_fuse_setxattr_in *in, const char *name,
			const struct virtiofs_iov *value)
{
	record(session, in, sizeof(*in), "setxattr %" PRIu64 " %s", nodeid, name);
	record_payload(session, value);
	virtiofs_reply_ok(req);
}

static void reply_xattr(struct virtiofs_req *req, uint32_t size)
{
	if (size)
		virtiofs_reply_buf(req, "value", 5);
	else
		virtiofs_reply_xattr_size(req, RECORDING_NUMBER);
}

static void do_getxattr(void *session, struct virtiofs_req *req, uint64_t nodeid,
			const struct virtiofs_fuse_getxattr_in *in, const char *name)
{
	record(session, in, sizeof(*in), "getxattr %" PRIu64 " %s", nodeid, name);
	reply_xattr(req, in->size);
}

static void do_listxattr(void *session, struct virtiofs_req *req, uint64_t nodeid,
			 const struct virtiofs_fuse_getxattr_in *in)
{
	record(session, in, sizeof(*in), "listxattr %" PRIu64, nodeid);
	reply_xattr(req, in->size);
}

static void do_readdir(void *session, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst)
{
	size_t used = 0;

	record(session, in, sizeof(*in), "readdir %" PRIu64, nodeid);
	virtiofs_dirent_add(dst, &used, 1, 2, DT_REG, "entry", 5);
	virtiofs_reply_data(req, used);
}

static void do_readdirplus(void *session, struct virtiofs_req *req, uint64_t nodeid,
			   const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst)
{
	const struct virtiofs_fuse_entry_out entry = { .nodeid = RECORDING_NUMBER };
	size_t used = 0;

	record(session, in, sizeof(*in), "readdirplus %" PRIu64, nodeid);
	virtiofs_direntplus_add(dst, &used, &entry, 1, 2, DT_REG, "entry", 5);
	virtiofs_reply_data(req, used);
}

static void do_setlk(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_lk_in *in, bool wait)
{
	record(session, in, sizeof(*in), "setlk%s %" PRIu64, wait ? " wait" : "", nodeid);
	virtiofs_reply_ok(req);
}

static void do_ioctl(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_ioctl_in *in, const struct virtiofs_iov *src,
		     const struct virtiofs_iov *dst)
{
	record(session, in, sizeof(*in), "ioctl %" PRIu64, nodeid);
	record_payload(session, src);
	fill(dst);
	virtiofs_reply_ioctl(req, RECORDING_NUMBER, dst->len);
}

static void do_syncfs(void *session, struct virtiofs_req *req, uint64_t nodeid)
{
	record(session, NULL, 0, "syncfs %" PRIu64, nodeid);
	virtiofs_reply_ok(req);
}

static int session_begin(void *fs, void **session, struct virtiofs_init *init)
{
	struct recording *r = fs;

	CHECK(!r->live);
	r->live = true;
	init->granted |= VIRTIOFS_FUSE_SETXATTR_EXT | VIRTIOFS_FUSE_SECURITY_CTX |
			 VIRTIOFS_FUSE_CREATE_SUPP_GROUP;
	*session = fs;
	return 0;
}

static void session_end(void *session)
{
	struct recording *r = session;

	CHECK(r->live);
	r->live = false;
}

struct virtiofs_fs *recording_fs(struct recording *recording)
{
	const struct virtiofs_fs_ops ops = {
		.size = sizeof(ops),
		.session_begin = session_begin,
		.session_end = session_end,
		.lookup = do_lookup,
		.forget = do_forget,
		.getattr = do_getattr,
		.setattr = do_setattr,
		.readlink = do_readlink,
		.symlink = do_symlink,
		.mknod = do_mknod,
		.mkdir = do_mkdir,
		.unlink = do_unlink,
		.rmdir = do_rmdir,
		.rename = do_rename,
		.link = do_link,
		.open = do_open,
		.read = do_read,
		.write = do_write,
		.statfs = do_statfs,
		.release = do_release,
		.fsync = do_fsync,
		.setxattr = do_setxattr,
		.getxattr = do_getxattr,
		.listxattr = do_listxattr,
		.removexattr = do_removexattr,
		.flush = do_flush,
		.opendir = do_opendir,
		.readdir = do_readdir,
		.readdirplus = do_readdirplus,
		.releasedir = do_releasedir,
		.fsyncdir = do_fsyncdir,
		.getlk = do_getlk,
		.setlk = do_setlk,
		.access = do_access,
		.create = do_create,
		.bmap = do_bmap,
		.ioctl = do_ioctl,
		.poll = do_poll,
		.fallocate = do_fallocate,
		.lseek = do_lseek,
		.copy_file_range = do_copy_file_range,
		.syncfs = do_syncfs,
		.tmpfile = do_tmpfile,
		.statx = do_statx,
	};
	struct virtiofs_fs *fs;

	memset(recording, 0, sizeof(*recording));
	CHECK(virtiofs_fs_create(&fs, NULL, &ops, recording) == 0);
	return fs;
}
