/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/slow_fs.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "support/check.h"

enum { THREADS_MAX = 4, LIST_MAX = 4096 };

struct entry {
	struct virtiofs_req *req;
	const struct virtiofs_iov *dst; /* READ: what to fill; NULL: GETATTR */
};

struct slow_fs {
	struct virtiofs_fs *fs;
	pthread_t threads[THREADS_MAX];
	unsigned thread_count;
	pthread_mutex_t lock; /* protects all below */
	pthread_cond_t changed;
	struct entry list[LIST_MAX];
	unsigned listed;
	unsigned working; /* taken from the list, reply not called yet */
	unsigned cancelled;
	unsigned begun;
	unsigned ended;
	bool hold;
	bool heed_cancel;
	bool quit;
};

static int session_begin(void *fs, void **session, struct virtiofs_init *init)
{
	struct slow_fs *slow = fs;

	(void)init;
	pthread_mutex_lock(&slow->lock);
	/* One at a time: the last one's requests are all answered. */
	CHECK(slow->begun == slow->ended);
	slow->begun++;
	pthread_mutex_unlock(&slow->lock);
	*session = slow;
	return 0;
}

static void session_end(void *session)
{
	struct slow_fs *slow = session;

	pthread_mutex_lock(&slow->lock);
	CHECK(slow->listed == 0);
	slow->ended++;
	pthread_mutex_unlock(&slow->lock);
}

static void put(struct slow_fs *slow, struct virtiofs_req *req, const struct virtiofs_iov *dst)
{
	pthread_mutex_lock(&slow->lock);
	CHECK(slow->listed < LIST_MAX);
	slow->list[slow->listed++] = (struct entry){ req, dst };
	pthread_cond_broadcast(&slow->changed);
	pthread_mutex_unlock(&slow->lock);
}

static void op_getattr(void *session, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_getattr_in *in)
{
	(void)nodeid;
	(void)in;
	put(session, req, NULL);
}

static void op_read(void *session, struct virtiofs_req *req, uint64_t nodeid,
		    const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst)
{
	(void)nodeid;
	(void)in;
	put(session, req, dst);
}

static void op_cancel(void *session, struct virtiofs_req *req)
{
	struct slow_fs *slow = session;
	bool found = false;

	pthread_mutex_lock(&slow->lock);
	slow->cancelled++;
	for (unsigned i = 0; slow->heed_cancel && !found && i < slow->listed; i++) {
		if (slow->list[i].req == req) {
			slow->list[i] = slow->list[--slow->listed];
			found = true;
		}
	}
	pthread_mutex_unlock(&slow->lock);
	if (found)
		virtiofs_reply_err(req, -EINTR);
}

static void fill(struct virtiofs_req *req, const struct virtiofs_iov *dst)
{
	if (!virtiofs_req_pin(req))
		return;
	for (uint32_t i = 0; i < dst->count; i++)
		memset(dst->iov[i].iov_base, SLOW_FS_BYTE, dst->iov[i].iov_len);
	virtiofs_req_unpin(req);
}

static void answer(const struct entry *entry)
{
	const struct virtiofs_fuse_attr_out out = { .attr = { .ino = 1 } };

	if (entry->dst) {
		fill(entry->req, entry->dst);
		virtiofs_reply_data(entry->req, entry->dst->len);
	} else {
		virtiofs_reply_attr(entry->req, &out);
	}
}

static void *work(void *arg)
{
	struct slow_fs *slow = arg;

	pthread_mutex_lock(&slow->lock);
	for (;;) {
		struct entry entry;

		while (!slow->quit && (slow->hold || slow->listed == 0))
			pthread_cond_wait(&slow->changed, &slow->lock);
		if (slow->quit)
			break;
		entry = slow->list[--slow->listed];
		slow->working++;
		pthread_mutex_unlock(&slow->lock);
		answer(&entry);
		pthread_mutex_lock(&slow->lock);
		slow->working--;
		pthread_cond_broadcast(&slow->changed);
	}
	pthread_mutex_unlock(&slow->lock);
	return NULL;
}

static const struct virtiofs_fs_ops slow_ops = {
	.size = sizeof(slow_ops),
	.session_begin = session_begin,
	.session_end = session_end,
	.cancel = op_cancel,
	.getattr = op_getattr,
	.read = op_read,
};

struct slow_fs *slow_fs_create(unsigned threads)
{
	struct slow_fs *slow = calloc(1, sizeof(*slow));

	CHECK(slow && threads <= THREADS_MAX);
	pthread_mutex_init(&slow->lock, NULL);
	pthread_cond_init(&slow->changed, NULL);
	CHECK(virtiofs_fs_create(&slow->fs, NULL, &slow_ops, slow) == 0);
	for (; slow->thread_count < threads; slow->thread_count++)
		CHECK(pthread_create(&slow->threads[slow->thread_count], NULL, work, slow) == 0);
	return slow;
}

void slow_fs_destroy(struct slow_fs *slow)
{
	pthread_mutex_lock(&slow->lock);
	CHECK(slow->listed == 0 && slow->begun == slow->ended);
	slow->quit = true;
	pthread_cond_broadcast(&slow->changed);
	pthread_mutex_unlock(&slow->lock);
	for (unsigned i = 0; i < slow->thread_count; i++)
		pthread_join(slow->threads[i], NULL);
	virtiofs_fs_destroy(slow->fs);
	pthread_cond_destroy(&slow->changed);
	pthread_mutex_destroy(&slow->lock);
	free(slow);
}

struct virtiofs_fs *slow_fs_fs(struct slow_fs *slow)
{
	return slow->fs;
}

void slow_fs_hold(struct slow_fs *slow, bool hold)
{
	pthread_mutex_lock(&slow->lock);
	slow->hold = hold;
	pthread_cond_broadcast(&slow->changed);
	pthread_mutex_unlock(&slow->lock);
}

void slow_fs_heed_cancel(struct slow_fs *slow, bool heed)
{
	pthread_mutex_lock(&slow->lock);
	slow->heed_cancel = heed;
	pthread_mutex_unlock(&slow->lock);
}

void slow_fs_drain(struct slow_fs *slow)
{
	pthread_mutex_lock(&slow->lock);
	while (slow->listed != 0 || slow->working != 0)
		pthread_cond_wait(&slow->changed, &slow->lock);
	pthread_mutex_unlock(&slow->lock);
}

unsigned slow_fs_unanswered(struct slow_fs *slow)
{
	unsigned n;

	pthread_mutex_lock(&slow->lock);
	n = slow->listed + slow->working;
	pthread_mutex_unlock(&slow->lock);
	return n;
}

unsigned slow_fs_cancelled(struct slow_fs *slow)
{
	unsigned n;

	pthread_mutex_lock(&slow->lock);
	n = slow->cancelled;
	pthread_mutex_unlock(&slow->lock);
	return n;
}

unsigned slow_fs_sessions(struct slow_fs *slow, unsigned *ended)
{
	unsigned n;

	pthread_mutex_lock(&slow->lock);
	n = slow->begun;
	*ended = slow->ended;
	pthread_mutex_unlock(&slow->lock);
	return n;
}
