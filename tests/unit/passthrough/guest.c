/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "support/entries.h"

#include <ftw.h>

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

int count_descriptors(void)
{
	return count_entries("/proc/self/fd");
}

static int descriptors_before;

int guest_setup_with(void **state, const struct virtiofs_passthrough_options *options)
{
	struct guest *g = calloc(1, sizeof(*g));

	assert_non_null(g);
	descriptors_before = count_descriptors();
	snprintf(g->path, sizeof(g->path), "/tmp/virtiofs-share-XXXXXX");
	assert_non_null(mkdtemp(g->path));
	assert_int_equal(chmod(g->path, 0755), 0);
	g->dir = open(g->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(g->dir >= 0);
	assert_int_equal(virtiofs_passthrough_create(&g->fs, NULL, g->dir, options), 0);
	g->ops = &g->fs->ops;
	g->init = (struct virtiofs_init){ .size = sizeof(g->init), .offered = UINT64_MAX };
	assert_int_equal(g->ops->session_begin(g->fs->fs, &g->session, &g->init), 0);
	/* What is forgotten is gone, but where a test is about what is not. */
	((struct vfi_guest *)g->session)->remembers = false;
	*state = g;
	return 0;
}

int guest_setup_cached(void **state, uint32_t cache)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;

	options.cache = cache;
	return guest_setup_with(state, &options);
}

bool forbid_xattrat(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 463, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 466, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { VFI_ARRAY_SIZE(filter), filter };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int guest_setup(void **state)
{
	return guest_setup_with(state, NULL);
}

int guest_teardown(void **state)
{
	struct guest *g = *state;

	g->ops->session_end(g->session);
	virtiofs_fs_destroy(g->fs);
	close(g->dir);
	nftw(g->path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	free(g);
	assert_int_equal(count_descriptors(), descriptors_before);
	return 0;
}

struct guest guest_on_thread(const struct guest *g)
{
	struct guest own = *g;

	memset(&own.req, 0, sizeof(own.req));
	return own;
}

void host_write(struct guest *g, const char *name, const char *text)
{
	int fd = openat(g->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

struct stat host_stat(struct guest *g, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(g->dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

bool host_has(struct guest *g, const char *name)
{
	struct stat st;

	return fstatat(g->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct virtiofs_iov make_iov(struct iovec *iov, void *buf, size_t len)
{
	*iov = (struct iovec){ buf, len };
	return (struct virtiofs_iov){ iov, 1, len };
}

int do_lookup(struct guest *g, uint64_t parent, const char *name,
	      struct virtiofs_fuse_entry_out *out)
{
	g->ops->lookup(g->session, fake_req(&g->req), parent, name);
	return fake_reply_body(&g->req, out, sizeof(*out));
}

uint64_t node_of(struct guest *g, uint64_t parent, const char *name)
{
	struct virtiofs_fuse_entry_out out;

	assert_int_equal(do_lookup(g, parent, name, &out), 0);
	assert_int_not_equal(out.nodeid, 0);
	return out.nodeid;
}

void do_forget(struct guest *g, uint64_t nodeid, uint64_t n)
{
	g->ops->forget(g->session, nodeid, n);
}

int do_getattr(struct guest *g, uint64_t nodeid, struct virtiofs_fuse_attr *attr)
{
	const struct virtiofs_fuse_getattr_in in = { 0 };
	struct virtiofs_fuse_attr_out out;
	int err;

	g->ops->getattr(g->session, fake_req(&g->req), nodeid, &in);
	err = fake_reply_body(&g->req, &out, sizeof(out));
	if (!err)
		*attr = out.attr;
	return err;
}

int do_readlink(struct guest *g, uint64_t nodeid, char *target, size_t size)
{
	int err;

	g->ops->readlink(g->session, fake_req(&g->req), nodeid);
	err = fake_reply_error(&g->req);
	if (err)
		return err;
	assert_true(g->req.len < size);
	memcpy(target, g->req.body, g->req.len);
	target[g->req.len] = '\0';
	return 0;
}

static int open_reply(struct guest *g, uint64_t *fh)
{
	struct virtiofs_fuse_open_out out;
	int err = fake_reply_body(&g->req, &out, sizeof(out));

	if (!err)
		*fh = out.fh;
	return err;
}

int do_open(struct guest *g, uint64_t nodeid, uint32_t flags, uint64_t *fh)
{
	const struct virtiofs_fuse_open_in in = { .flags = flags };

	g->ops->open(g->session, fake_req(&g->req), nodeid, &in);
	return open_reply(g, fh);
}

int do_release(struct guest *g, uint64_t nodeid, uint64_t fh)
{
	const struct virtiofs_fuse_release_in in = { .fh = fh };

	g->ops->release(g->session, fake_req(&g->req), nodeid, &in);
	return fake_reply_error(&g->req);
}

static int data_reply(struct guest *g)
{
	int err = fake_reply_error(&g->req);

	return err ? err : (int)g->req.len;
}

int do_read(struct guest *g, uint64_t nodeid, uint64_t fh, uint64_t offset, void *buf, size_t len)
{
	const struct virtiofs_fuse_read_in in = {
		.fh = fh,
		.offset = offset,
		.size = (uint32_t)len,
	};
	struct iovec iov;
	struct virtiofs_iov dst = make_iov(&iov, buf, len);

	g->ops->read(g->session, fake_req(&g->req), nodeid, &in, &dst);
	return data_reply(g);
}

int do_opendir(struct guest *g, uint64_t nodeid, uint64_t *fh)
{
	const struct virtiofs_fuse_open_in in = { 0 };

	g->ops->opendir(g->session, fake_req(&g->req), nodeid, &in);
	return open_reply(g, fh);
}

int do_releasedir(struct guest *g, uint64_t nodeid, uint64_t fh)
{
	const struct virtiofs_fuse_release_in in = { .fh = fh };

	g->ops->releasedir(g->session, fake_req(&g->req), nodeid, &in);
	return fake_reply_error(&g->req);
}

typedef void (*read_op)(void *session, struct virtiofs_req *req, uint64_t nodeid,
			const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst);

static int read_entries(struct guest *g, read_op op, uint64_t nodeid, uint64_t fh, uint64_t offset,
			void *buf, size_t len)
{
	const struct virtiofs_fuse_read_in in = {
		.fh = fh,
		.offset = offset,
		.size = (uint32_t)len,
	};
	struct iovec iov;
	struct virtiofs_iov dst = make_iov(&iov, buf, len);

	op(g->session, fake_req(&g->req), nodeid, &in, &dst);
	return data_reply(g);
}

int do_readdir(struct guest *g, uint64_t nodeid, uint64_t fh, uint64_t offset, void *buf,
	       size_t len)
{
	return read_entries(g, g->ops->readdir, nodeid, fh, offset, buf, len);
}

int do_readdirplus(struct guest *g, uint64_t nodeid, uint64_t fh, uint64_t offset, void *buf,
		   size_t len)
{
	return read_entries(g, g->ops->readdirplus, nodeid, fh, offset, buf, len);
}

int do_fsyncdir(struct guest *g, uint64_t nodeid, uint64_t fh)
{
	const struct virtiofs_fuse_fsync_in in = { .fh = fh };

	g->ops->fsyncdir(g->session, fake_req(&g->req), nodeid, &in);
	return fake_reply_error(&g->req);
}

void become(struct guest *g, uint32_t uid, uint32_t gid)
{
	g->req.in.uid = uid;
	g->req.in.gid = gid;
}

int do_create(struct guest *g, uint64_t parent, const char *name, uint32_t flags, uint32_t mode,
	      struct virtiofs_create_out *out)
{
	const struct virtiofs_fuse_create_in in = {
		.flags = flags,
		.mode = mode,
		.umask = g->umask,
	};

	g->ops->create(g->session, fake_req(&g->req), parent, &in, name);
	return fake_reply_body(&g->req, out, sizeof(*out));
}

int do_mkdir(struct guest *g, uint64_t parent, const char *name, uint32_t mode,
	     struct virtiofs_fuse_entry_out *out)
{
	const struct virtiofs_fuse_mkdir_in in = { .mode = mode, .umask = g->umask };

	g->ops->mkdir(g->session, fake_req(&g->req), parent, &in, name);
	return fake_reply_body(&g->req, out, sizeof(*out));
}

int do_mknod(struct guest *g, uint64_t parent, const char *name, uint32_t mode, uint32_t rdev,
	     struct virtiofs_fuse_entry_out *out)
{
	const struct virtiofs_fuse_mknod_in in = {
		.mode = mode,
		.rdev = rdev,
		.umask = g->umask,
	};

	g->ops->mknod(g->session, fake_req(&g->req), parent, &in, name);
	return fake_reply_body(&g->req, out, sizeof(*out));
}

int do_symlink(struct guest *g, uint64_t parent, const char *name, const char *target,
	       struct virtiofs_fuse_entry_out *out)
{
	g->ops->symlink(g->session, fake_req(&g->req), parent, name, target);
	return fake_reply_body(&g->req, out, sizeof(*out));
}

int do_link(struct guest *g, uint64_t nodeid, uint64_t parent, const char *name,
	    struct virtiofs_fuse_entry_out *out)
{
	g->ops->link(g->session, fake_req(&g->req), nodeid, parent, name);
	return fake_reply_body(&g->req, out, sizeof(*out));
}

int do_unlink(struct guest *g, uint64_t parent, const char *name)
{
	g->ops->unlink(g->session, fake_req(&g->req), parent, name);
	return fake_reply_error(&g->req);
}

int do_rmdir(struct guest *g, uint64_t parent, const char *name)
{
	g->ops->rmdir(g->session, fake_req(&g->req), parent, name);
	return fake_reply_error(&g->req);
}

int do_rename(struct guest *g, uint64_t parent, const char *name, uint64_t newparent,
	      const char *newname, uint32_t flags)
{
	g->ops->rename(g->session, fake_req(&g->req), parent, name, newparent, newname, flags);
	return fake_reply_error(&g->req);
}

int do_setattr(struct guest *g, uint64_t nodeid, const struct virtiofs_fuse_setattr_in *in,
	       struct virtiofs_fuse_attr *attr)
{
	struct virtiofs_fuse_attr_out out;
	int err;

	g->ops->setattr(g->session, fake_req(&g->req), nodeid, in);
	err = fake_reply_body(&g->req, &out, sizeof(out));
	if (!err)
		*attr = out.attr;
	return err;
}

int do_access(struct guest *g, uint64_t nodeid, uint32_t mask)
{
	const struct virtiofs_fuse_access_in in = { .mask = mask };

	g->ops->access(g->session, fake_req(&g->req), nodeid, &in);
	return fake_reply_error(&g->req);
}

int do_write(struct guest *g, uint64_t nodeid, uint64_t fh, uint64_t offset, const char *text,
	     uint32_t flags, uint32_t write_flags)
{
	const struct virtiofs_fuse_write_in in = {
		.fh = fh,
		.offset = offset,
		.size = (uint32_t)strlen(text),
		.flags = flags,
		.write_flags = write_flags,
	};
	struct iovec iov;
	/* Read from only, but an iovec's base is not const. */
	struct virtiofs_iov src = make_iov(&iov, (void *)(uintptr_t)text, strlen(text));
	struct virtiofs_fuse_write_out out;
	int err;

	g->ops->write(g->session, fake_req(&g->req), nodeid, &in, &src);
	err = fake_reply_body(&g->req, &out, sizeof(out));
	return err ? err : (int)out.size;
}

int do_flush(struct guest *g, uint64_t nodeid, uint64_t fh)
{
	const struct virtiofs_fuse_flush_in in = { .fh = fh };

	g->ops->flush(g->session, fake_req(&g->req), nodeid, &in);
	return fake_reply_error(&g->req);
}

int do_fsync(struct guest *g, uint64_t nodeid, uint64_t fh, uint32_t flags)
{
	const struct virtiofs_fuse_fsync_in in = { .fh = fh, .fsync_flags = flags };

	g->ops->fsync(g->session, fake_req(&g->req), nodeid, &in);
	return fake_reply_error(&g->req);
}
