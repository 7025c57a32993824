/* SPDX-License-Identifier: BSD-2-Clause */
/* A queue's calls: attach, submit, run, and the loop behind them. */
#include "core/core.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Attach and detach ---- */

/* Apart from the process's umask: a mode is the guest's, and its kernel has masked it. */
static int make_dedicated(struct virtiofs_queue *q)
{
	if (unshare(CLONE_FS) < 0)
		return -errno;
	q->old_umask = umask(0);
	return 0;
}

/* Make the calling thread the owner, with an engine that it made. */
static int attach_locked(struct virtiofs_queue *q, unsigned flags, struct vfi_io_engine *engine)
{
	bool dedicated = (flags & VIRTIOFS_QUEUE_DEDICATED) != 0;
	int err;

	if (vfi_queue_is_attached(q))
		return -EBUSY;
	if (dedicated) {
		err = make_dedicated(q);
		if (err)
			return err;
	}
	q->dedicated = dedicated;
	q->engine = engine;
	__atomic_store_n(&q->owner, (uintptr_t)pthread_self(), __ATOMIC_RELEASE);
	return 0;
}

int virtiofs_queue_attach(struct virtiofs_queue *q, unsigned flags)
{
	struct virtiofs_device *dev = q->dev;
	/* hiprio brings FORGET and INTERRUPT: no ring for them. */
	uint32_t io = q->index == 0 ? VIRTIOFS_IO_SYNC : dev->options.io;
	struct vfi_io_engine *engine;
	int saved = errno;
	int err;

	if (flags & ~VIRTIOFS_QUEUE_DEDICATED)
		return -EINVAL;
	/* Without the lock: it calls the embedder's allocator, and its log. */
	err = vfi_io_engine_create(&engine, &dev->env, io, dev->options.max_inflight, q->event_fd,
				   &dev->told_engine);
	if (err)
		return err;
	pthread_mutex_lock(&dev->lock);
	err = attach_locked(q, flags, engine);
	pthread_mutex_unlock(&dev->lock);
	if (err)
		engine->ops->destroy(engine);
	else
		vfi_queue_wake(q); /* what came in while nobody was there is run()'s first work */
	errno = saved;
	return err;
}

int virtiofs_queue_detach(struct virtiofs_queue *q)
{
	struct vfi_io_engine *engine;
	int saved = errno;

	if (!vfi_queue_is_owner(q) || q->serving)
		return -EINVAL;
	engine = q->engine;
	if (engine->in_flight)
		return -EBUSY;
	pthread_mutex_lock(&q->dev->lock);
	if (q->quiesce == VFI_STOP_WANTED) {
		/* Somebody waits for this thread to find the queue empty. */
		pthread_mutex_unlock(&q->dev->lock);
		return -EBUSY;
	}
	q->engine = NULL;
	if (q->dedicated)
		umask(q->old_umask);
	q->dedicated = false;
	__atomic_store_n(&q->owner, 0, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&q->dev->lock);
	engine->ops->destroy(engine);
	errno = saved;
	return 0;
}

/* ---- Giving back ---- */

void vfi_queue_collect(struct virtiofs_queue *q)
{
	struct virtiofs_req *req, *next, *ordered = NULL;

	if (!__atomic_load_n(&q->foreign, __ATOMIC_RELAXED))
		return;
	/* Newest first: turn it round. */
	for (req = __atomic_exchange_n(&q->foreign, NULL, __ATOMIC_ACQUIRE); req; req = next) {
		next = req->next;
		req->next = ordered;
		ordered = req;
	}
	for (req = ordered; req; req = next) {
		next = req->next;
		vfi_req_list_add(&q->done, req);
	}
}

/* How much of the writable half may have been stored to: what an op was given to fill, whole. */
uint32_t vfi_req_touched(const struct virtiofs_req *req)
{
	const struct vfi_msg *msg = &req->msg;
	uint64_t room;

	if (!req->dispatched || !(msg->op->flags & VFI_OP_PAYLOAD_OUT))
		return req->written;
	room = vfi_min_u64(VFI_OUT_HEADER + (uint64_t)vfi_fixed_out(msg) + msg->payload_out.len,
			   msg->writable_len);
	room = vfi_min_u64(room, UINT32_MAX);
	return room > req->written ? (uint32_t)room : req->written;
}

static void count_answer(struct virtiofs_queue *q, const struct virtiofs_req *req)
{
	vfi_count(&q->stats.completed, 1);
	if (req->answered_error)
		vfi_count(&q->stats.errors, 1);
	else if (req->dispatched && req->msg.in.opcode == VIRTIOFS_FUSE_READ)
		vfi_count(&q->stats.read_bytes, req->payload_len);
	else if (req->dispatched && req->msg.in.opcode == VIRTIOFS_FUSE_WRITE)
		vfi_count(&q->stats.written_bytes, req->msg.args.write.size);
}

static void give_back(struct virtiofs_req *req)
{
	struct virtiofs_queue *q = req->queue;
	struct virtiofs_device *dev = q->dev;
	uint32_t touched = vfi_req_touched(req);
	uint32_t written = req->written;
	void *cookie = req->cookie;

	assert(q->inflight > 0);
	q->inflight--;
	count_answer(q, req);
	/* The slot is free before complete(), so that it can submit. */
	if (req->dispatched)
		vfi_session_leave(q);
	vfi_req_release(req);
	dev->host_ops.complete(dev->host, q, cookie, written, touched);
}

static void reap_detached(struct virtiofs_req *req)
{
	struct virtiofs_queue *q = req->queue;

	assert(q->detached > 0);
	q->detached--;
	if (req->dispatched)
		vfi_session_leave(q);
	vfi_req_release(req);
}

void vfi_queue_reap_detached(struct virtiofs_queue *q)
{
	struct vfi_req_list kept = { NULL, NULL };
	struct virtiofs_req *req;

	while ((req = vfi_req_list_pop(&q->done))) {
		if (req->given_back)
			reap_detached(req);
		else
			vfi_req_list_add(&kept, req);
	}
	q->done = kept;
}

/* Hand out completions; @left: how many more, counted down. Returns how many. */
static unsigned hand_out(struct virtiofs_queue *q, unsigned *left)
{
	struct virtiofs_req *req;
	unsigned n = 0;

	while (*left && (req = vfi_req_list_pop(&q->done))) {
		if (req->given_back) {
			reap_detached(req);
			continue;
		}
		(*left)--;
		n++;
		give_back(req);
	}
	return n;
}

/* Begin what was accepted, give back what is answered, until neither is left. */
static unsigned serve(struct virtiofs_queue *q, unsigned budget)
{
	unsigned left = budget ? budget : UINT32_MAX;
	struct virtiofs_req *req;
	unsigned n;

	q->serving = true;
	n = hand_out(q, &left);
	while (left && (req = q->accepted.head)) {
		vfi_req_list_pop(&q->accepted);
		if (!vfi_req_start(req)) {
			/* The session is changing: first again, when that is over. */
			req->next = q->accepted.head;
			q->accepted.head = req;
			if (!q->accepted.tail)
				q->accepted.tail = req;
			break;
		}
		n += hand_out(q, &left);
	}
	q->serving = false;
	if (!left && (q->done.head || q->accepted.head))
		vfi_queue_wake(q);
	return n;
}

/* ---- Submit ---- */

static bool is_stopped(const struct virtiofs_queue *q)
{
	return q->stop != VFI_STOP_NONE ||
	       __atomic_load_n(&q->quiesce, __ATOMIC_ACQUIRE) != VFI_STOP_NONE;
}

/* A chain that cannot be a request: answered over the caller's arrays, which are enough. */
static void refuse_chain(struct virtiofs_req *req, const struct virtiofs_chain *chain, int error)
{
	struct vfi_msg *msg = &req->msg;

	/* Only read: vfi_decode_header() and vfi_encode() change no iovec. */
	msg->readable = (struct iovec *)(uintptr_t)chain->readable;
	msg->readable_count = chain->readable_count;
	msg->writable = (struct iovec *)(uintptr_t)chain->writable;
	msg->writable_count = chain->writable_count;
	msg->writable_len = vfi_iov_len(msg->writable, msg->writable_count);
	vfi_count(&req->queue->stats.malformed, 1);
	(void)vfi_decode_header(msg);
	vfi_req_refuse(req, error);
}

int virtiofs_queue_submit(struct virtiofs_queue *q, const struct virtiofs_chain *chain)
{
	struct virtiofs_req *req;
	int saved = errno;
	int err;

	if (!vfi_queue_is_owner(q) || chain->size != sizeof(*chain) ||
	    (chain->flags & ~VIRTIOFS_CHAIN_MALFORMED))
		return -EINVAL;
	if (is_stopped(q))
		return -ESHUTDOWN;
	req = vfi_req_take(q);
	if (!req)
		return -EAGAIN;
	req->cookie = chain->cookie;
	q->inflight++;
	vfi_count(&q->stats.accepted, 1);
	err = chain->flags & VIRTIOFS_CHAIN_MALFORMED ? -EIO : vfi_req_load(req, chain);
	if (err)
		refuse_chain(req, chain, err);
	else
		vfi_req_list_add(&q->accepted, req);
	if (!q->serving)
		serve(q, 0);
	errno = saved;
	return 0;
}

/* ---- Run ---- */

/*
 * Take the eventfd's count. With the plain engine every write was announced in
 * q->signals, so that there is a read only where there was a write; a ring writes
 * unannounced.
 */
static void clear_event(struct virtiofs_queue *q)
{
	uint64_t value;

	if (q->engine->in_flight == 0 && !q->engine->signals_event &&
	    q->signals_read == __atomic_load_n(&q->signals, __ATOMIC_SEQ_CST))
		return;
	if (read(q->event_fd, &value, sizeof(value)) == sizeof(value))
		q->signals_read += value;
}

void vfi_queue_cancel(struct virtiofs_queue *q)
{
	struct virtiofs_device *dev = q->dev;
	const struct virtiofs_fs_ops *ops = &dev->fs->ops;

	for (uint32_t i = 0; i < dev->options.max_inflight; i++) {
		struct virtiofs_req *req = &q->slots[i];

		if (!req->in_use || !req->dispatched || req->given_back)
			continue;
		if (req->io.in_flight)
			q->engine->ops->cancel(q->engine, &req->io);
		else if (ops->cancel)
			ops->cancel(dev->session, req);
	}
}

static void finish_quiesce(struct virtiofs_queue *q)
{
	struct virtiofs_device *dev = q->dev;
	unsigned wanted = VFI_STOP_WANTED;

	if (!__atomic_compare_exchange_n(&q->quiesce, &wanted, VFI_STOP_DONE, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	if (__atomic_sub_fetch(&dev->quiesce_left, 1, __ATOMIC_ACQ_REL) == 0)
		dev->quiesce_done(dev->quiesce_arg);
}

/* Nothing is left of what was accepted: who waits for that is told. */
static void finish_stop(struct virtiofs_queue *q)
{
	if (q->inflight)
		return;
	if (q->stop == VFI_STOP_WANTED) {
		q->stop = VFI_STOP_DONE;
		if (q->stop_done)
			q->stop_done(q->stop_arg);
	}
	finish_quiesce(q);
}

int virtiofs_queue_run(struct virtiofs_queue *q, unsigned budget)
{
	int saved = errno;
	unsigned n;

	if (!vfi_queue_is_owner(q) || q->serving)
		return -EINVAL;
	clear_event(q);
	/* What completes here answers requests, and serve() gives them back. */
	q->serving = true;
	q->engine->ops->run(q->engine);
	vfi_queue_collect(q);
	if (__atomic_exchange_n(&q->cancel_wanted, false, __ATOMIC_ACQUIRE))
		vfi_queue_cancel(q);
	vfi_wait_run(q);
	n = serve(q, budget);
	finish_stop(q);
	errno = saved;
	return (int)n;
}

int virtiofs_queue_fd(const struct virtiofs_queue *q)
{
	return q->poll_fd >= 0 ? q->poll_fd : q->event_fd;
}

unsigned virtiofs_queue_index(const struct virtiofs_queue *q)
{
	return q->index;
}

unsigned virtiofs_queue_inflight(const struct virtiofs_queue *q)
{
	return q->inflight;
}
