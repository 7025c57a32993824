/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/fake_req.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/engine.h"
#include "support/test.h"

struct virtiofs_req *fake_req(struct virtiofs_req *req)
{
	req->offloaded = false;
	req->context = NULL;
	req->wait_ns = 0;
	req->interrupted = false;
	req->replies = 0;
	req->error = 0;
	req->len = 0;
	return req;
}

int fake_reply_error(const struct virtiofs_req *req)
{
	assert_int_equal(req->replies, 1);
	return req->error;
}

int fake_reply_body(const struct virtiofs_req *req, void *body, size_t size)
{
	int err = fake_reply_error(req);

	if (!err) {
		assert_int_equal(req->len, size);
		memcpy(body, req->body, size);
	}
	return err;
}

/* ---- The filesystem ---- */

int virtiofs_fs_create(struct virtiofs_fs **ret, const struct virtiofs_env *env,
		       const struct virtiofs_fs_ops *ops, void *fs)
{
	(void)env;
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	(*ret)->ops = *ops;
	(*ret)->fs = fs;
	return 0;
}

void virtiofs_fs_destroy(struct virtiofs_fs *fs)
{
	if (fs)
		fs->ops.destroy(fs->fs);
	free(fs);
}

/* ---- The request ---- */

const struct virtiofs_fuse_in_header *virtiofs_req_header(const struct virtiofs_req *req)
{
	return &req->in;
}

uint64_t virtiofs_req_granted(const struct virtiofs_req *req)
{
	return req->granted;
}

const uint32_t *virtiofs_req_groups(const struct virtiofs_req *req, uint32_t *count)
{
	*count = req->group_count;
	return req->groups;
}

bool virtiofs_req_security_context(const struct virtiofs_req *req, const char **name,
				   const void **label, size_t *len)
{
	if (!req->label_name)
		return false;
	*name = req->label_name;
	*label = req->label;
	*len = strlen(req->label);
	return true;
}

bool virtiofs_req_dedicated(const struct virtiofs_req *req)
{
	return req->dedicated && !req->offloaded;
}

void virtiofs_req_set_context(struct virtiofs_req *req, void *context)
{
	req->context = context;
}

void *virtiofs_req_context(const struct virtiofs_req *req)
{
	return req->context;
}

int virtiofs_req_wait(struct virtiofs_req *req, uint64_t ns)
{
	if (!req->wait_error)
		req->wait_ns = ns;
	return req->wait_error;
}

bool virtiofs_req_interrupted(const struct virtiofs_req *req)
{
	return req->interrupted;
}

bool virtiofs_req_offload(struct virtiofs_req *req)
{
	if (!req->offload || req->offloaded)
		return false;
	req->offloaded = true;
	return true;
}

/* ---- Replies ---- */

void virtiofs_reply_err(struct virtiofs_req *req, int error)
{
	req->error = error;
	/* Last: a test may look from another thread. */
	__atomic_fetch_add(&req->replies, 1, __ATOMIC_RELEASE);
}

void virtiofs_reply(struct virtiofs_req *req, const void *body, size_t len)
{
	if (len > sizeof(req->body)) {
		virtiofs_reply_err(req, -EIO);
		return;
	}
	memcpy(req->body, body, len);
	req->len = len;
	virtiofs_reply_err(req, 0);
}

void virtiofs_reply_buf(struct virtiofs_req *req, const void *buf, size_t len)
{
	virtiofs_reply(req, buf, len);
}

void virtiofs_reply_data(struct virtiofs_req *req, size_t len)
{
	req->len = len;
	virtiofs_reply_err(req, 0);
}

void virtiofs_reply_copied(struct virtiofs_req *req, uint64_t bytes)
{
	const struct virtiofs_fuse_copy_file_range_out out = { .bytes_copied = bytes };

	virtiofs_reply(req, &out, sizeof(out));
}

void virtiofs_reply_ioctl(struct virtiofs_req *req, int32_t result, size_t len)
{
	const struct virtiofs_fuse_ioctl_out out = { .result = result };

	(void)len;
	virtiofs_reply(req, &out, sizeof(out));
}

/* ---- I/O ---- */

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

	done(req, vfi_io_sync(&op));
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

	done(req, vfi_io_sync(&op));
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

	done(req, vfi_io_sync(&op));
}
