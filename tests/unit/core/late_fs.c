/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/test.h"

#include "unit/core/late_fs.h"

#include <errno.h>
#include <string.h>

static void op_statfs(void *session, struct virtiofs_req *req, uint64_t nodeid)
{
	const struct virtiofs_fuse_statfs_out out = { .st = { .bsize = 4096 } };

	(void)session;
	(void)nodeid;
	virtiofs_reply_statfs(req, &out);
}

static void op_getattr(void *session, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_getattr_in *in)
{
	struct late_fs *fs = session;

	(void)nodeid;
	(void)in;
	assert_in_range(fs->kept_count, 0, INFLIGHT - 1);
	fs->kept[fs->kept_count++] = req;
}

static void op_cancel(void *session, struct virtiofs_req *req)
{
	struct late_fs *fs = session;

	fs->cancelled++;
	fs->interrupted = virtiofs_req_interrupted(req);
	if (!fs->answer_cancel)
		return;
	for (int i = 0; i < fs->kept_count; i++) {
		if (fs->kept[i] == req) {
			fs->kept[i] = fs->kept[--fs->kept_count];
			virtiofs_reply_err(req, -EINTR);
			return;
		}
	}
}

static void op_fsync(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_fsync_in *in)
{
	struct late_fs *fs = session;

	(void)nodeid;
	(void)in;
	if (virtiofs_req_offload(req))
		return;
	__atomic_add_fetch(&fs->fsyncs, 1, __ATOMIC_RELAXED);
	virtiofs_reply_ok(req);
}

static void op_read(void *session, struct virtiofs_req *req, uint64_t nodeid,
		    const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst)
{
	(void)session;
	(void)nodeid;
	(void)in;
	memset(dst->iov[0].iov_base, 'x', 3);
	virtiofs_reply_data(req, 3);
}

/* A reply that is not the op's: a bug of the filesystem that must not reach the guest. */
static void op_access(void *session, struct virtiofs_req *req, uint64_t nodeid,
		      const struct virtiofs_fuse_access_in *in)
{
	(void)session;
	(void)nodeid;
	(void)in;
	virtiofs_reply_write(req, 1);
}

static void op_setlk(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_lk_in *in, bool wait)
{
	struct late_fs *fs = session;
	int err = virtiofs_req_wait(req, fs->wait_ns);

	(void)nodeid;
	(void)in;
	(void)wait;
	if (err)
		virtiofs_reply_err(req, err);
	else
		fs->kept[fs->kept_count++] = req;
}

static void op_expire(void *session, struct virtiofs_req *req)
{
	struct late_fs *fs = session;

	fs->expired++;
	if (fs->wait_times-- > 0)
		assert_int_equal(virtiofs_req_wait(req, fs->wait_ns), 0);
	else
		virtiofs_reply_ok(req);
}

static const struct virtiofs_fs_ops late_ops = {
	.size = sizeof(late_ops),
	.statfs = op_statfs,
	.getattr = op_getattr,
	.cancel = op_cancel,
	.expire = op_expire,
	.setlk = op_setlk,
	.fsync = op_fsync,
	.read = op_read,
	.access = op_access,
};

static int run_blocking(void *ctx, struct virtiofs_work *work)
{
	struct fixture *f = ctx;

	if (f->refuse_work)
		return -EAGAIN;
	assert_null(f->work);
	f->work = work;
	return 0;
}

int late_setup(void **state)
{
	static struct fixture f;
	const struct virtiofs_env env = {
		.size = sizeof(env),
		.ctx = &f,
		.run_blocking = run_blocking,
	};
	struct virtiofs_device_options options = VIRTIOFS_DEVICE_OPTIONS_INIT;

	memset(&f, 0, sizeof(f));
	options.max_inflight = INFLIGHT;
	options.max_segments = 8;
	options.io = VIRTIOFS_IO_SYNC;
	assert_int_equal(virtiofs_fs_create(&f.fs, NULL, &late_ops, &f.late), 0);
	fake_host_open(&f.host, &env, &options, f.fs);
	f.q = fake_attach(&f.host, 1);
	fake_mount(f.q);
	*state = &f;
	return 0;
}

int late_teardown(void **state)
{
	struct fixture *f = *state;

	fake_host_close(&f->host);
	virtiofs_fs_destroy(f->fs);
	return 0;
}

int late_submit(struct fixture *f, struct fake_chain *chain, uint32_t opcode)
{
	const unsigned char zero[64] = { 0 };
	size_t len = 0;

	if (opcode == VIRTIOFS_FUSE_GETATTR || opcode == VIRTIOFS_FUSE_FSYNC)
		len = 16;
	else if (opcode == VIRTIOFS_FUSE_ACCESS)
		len = 8;
	else if (opcode == VIRTIOFS_FUSE_SETLKW)
		len = sizeof(struct virtiofs_fuse_lk_in);
	fake_request(chain, opcode, 1, zero, len);
	return fake_submit(f->q, chain);
}

void *late_reply_all(void *arg)
{
	struct fixture *f = arg;
	const struct virtiofs_fuse_attr_out out = { .attr = { .ino = 7 } };

	for (int i = 0; i < f->late.kept_count; i++)
		virtiofs_reply_attr(f->late.kept[i], &out);
	return NULL;
}
