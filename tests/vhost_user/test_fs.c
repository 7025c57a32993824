/* SPDX-License-Identifier: BSD-2-Clause */
#include "vhost_user/test_fs.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "support/check.h"

static void count(int *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST);
}

int test_get(const int *counter)
{
	return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

static int session_begin(void *ctx, void **session, struct virtiofs_init *init)
{
	struct test_fs *fs = ctx;

	(void)init;
	count(&fs->begun);
	*session = fs;
	return 0;
}

static void session_end(void *session)
{
	struct test_fs *fs = session;

	count(&fs->ended);
}

static struct virtiofs_fuse_attr attr_of(uint64_t nodeid)
{
	return (struct virtiofs_fuse_attr){
		.ino = nodeid,
		.size = nodeid == TEST_FS_FILE ? TEST_FS_SIZE : 0,
		.mode = nodeid == TEST_FS_FILE ? S_IFREG | 0644 : S_IFDIR | 0755,
		.nlink = 1,
		.blksize = 4096,
	};
}

static void lookup(void *session, struct virtiofs_req *req, uint64_t parent, const char *name)
{
	struct virtiofs_fuse_entry_out out = { .nodeid = TEST_FS_FILE };

	(void)session;
	if (parent != TEST_FS_ROOT || strcmp(name, TEST_FS_NAME) != 0) {
		virtiofs_reply_err(req, -ENOENT);
		return;
	}
	out.attr = attr_of(TEST_FS_FILE);
	virtiofs_reply_entry(req, &out);
}

static void forget(void *session, uint64_t nodeid, uint64_t nlookup)
{
	struct test_fs *fs = session;

	(void)nodeid;
	(void)nlookup;
	count(&fs->forgotten);
}

static void getattr(void *session, struct virtiofs_req *req, uint64_t nodeid,
		    const struct virtiofs_fuse_getattr_in *in)
{
	struct virtiofs_fuse_attr_out out = { .attr = attr_of(nodeid) };
	struct test_fs *fs = session;

	(void)in;
	count(&fs->served);
	virtiofs_reply_attr(req, &out);
}

static void open_file(void *session, struct virtiofs_req *req, uint64_t nodeid,
		      const struct virtiofs_fuse_open_in *in)
{
	struct virtiofs_fuse_open_out out = { .fh = nodeid };

	(void)session;
	(void)in;
	virtiofs_reply_open(req, &out);
}

static size_t copy(const struct virtiofs_iov *iov, unsigned char *data, size_t len, bool to_guest)
{
	size_t done = 0;

	for (uint32_t i = 0; i < iov->count && done < len; i++) {
		size_t n = iov->iov[i].iov_len < len - done ? iov->iov[i].iov_len : len - done;

		if (to_guest)
			memcpy(iov->iov[i].iov_base, data + done, n);
		else
			memcpy(data + done, iov->iov[i].iov_base, n);
		done += n;
	}
	return done;
}

static void read_file(void *session, struct virtiofs_req *req, uint64_t nodeid,
		      const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst)
{
	struct test_fs *fs = session;
	size_t len = in->offset < TEST_FS_SIZE ? TEST_FS_SIZE - in->offset : 0;

	(void)nodeid;
	virtiofs_reply_data(req, copy(dst, fs->data + (TEST_FS_SIZE - len),
				      len < in->size ? len : in->size, true));
}

static void write_file(void *session, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_write_in *in, const struct virtiofs_iov *src)
{
	struct test_fs *fs = session;

	(void)nodeid;
	if (in->offset > TEST_FS_SIZE || in->size > TEST_FS_SIZE - in->offset) {
		virtiofs_reply_err(req, -EFBIG);
		return;
	}
	virtiofs_reply_write(req, (uint32_t)copy(src, fs->data + in->offset, in->size, false));
}

static void readdirplus(void *session, struct virtiofs_req *req, uint64_t nodeid,
			const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst)
{
	struct virtiofs_fuse_entry_out entry = { .nodeid = TEST_FS_FILE };
	size_t used = 0;

	(void)session;
	(void)nodeid;
	entry.attr = attr_of(TEST_FS_FILE);
	if (in->offset == 0)
		virtiofs_direntplus_add(dst, &used, &entry, TEST_FS_FILE, 1, DT_REG, TEST_FS_NAME,
					strlen(TEST_FS_NAME));
	virtiofs_reply_data(req, used);
}

static void statfs(void *session, struct virtiofs_req *req, uint64_t nodeid)
{
	struct virtiofs_fuse_statfs_out out = { .st = { .namelen = 255 } };
	struct test_fs *fs = session;

	(void)nodeid;
	if (!test_get(&fs->hold)) {
		virtiofs_reply_statfs(req, &out);
		return;
	}
	pthread_mutex_lock(&fs->lock);
	CHECK(!fs->held);
	fs->held = req;
	pthread_mutex_unlock(&fs->lock);
}

static struct virtiofs_req *take_held(struct test_fs *fs)
{
	struct virtiofs_req *req;

	pthread_mutex_lock(&fs->lock);
	req = fs->held;
	fs->held = NULL;
	pthread_mutex_unlock(&fs->lock);
	return req;
}

static void cancel(void *session, struct virtiofs_req *req)
{
	struct test_fs *fs = session;

	count(&fs->cancelled);
	if (test_get(&fs->hold) != TEST_FS_HOLD_UNTIL_CANCEL)
		return;
	CHECK(take_held(fs) == req);
	virtiofs_reply_err(req, -EINTR);
}

void test_fs_create(struct test_fs *fs)
{
	static const struct virtiofs_fs_ops ops = {
		.size = sizeof(ops),
		.session_begin = session_begin,
		.session_end = session_end,
		.cancel = cancel,
		.lookup = lookup,
		.forget = forget,
		.getattr = getattr,
		.open = open_file,
		.read = read_file,
		.write = write_file,
		.readdirplus = readdirplus,
		.statfs = statfs,
	};

	memset(fs, 0, sizeof(*fs));
	pthread_mutex_init(&fs->lock, NULL);
	CHECK(virtiofs_fs_create(&fs->fs, NULL, &ops, fs) == 0);
}

void test_fs_destroy(struct test_fs *fs)
{
	virtiofs_fs_destroy(fs->fs);
	pthread_mutex_destroy(&fs->lock);
}

bool test_fs_holds(struct test_fs *fs)
{
	bool holds;

	pthread_mutex_lock(&fs->lock);
	holds = fs->held != NULL;
	pthread_mutex_unlock(&fs->lock);
	return holds;
}

void test_fs_release(struct test_fs *fs)
{
	struct virtiofs_req *req = take_held(fs);

	__atomic_store_n(&fs->hold, 0, __ATOMIC_SEQ_CST);
	if (req)
		virtiofs_reply_err(req, -EIO);
}
