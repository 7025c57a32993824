/* SPDX-License-Identifier: BSD-2-Clause */
/* Stopping a queue: gently, for the device as a whole, and at once. */
#include "core/core.h"

#include <errno.h>
#include <poll.h>

int virtiofs_queue_stop(struct virtiofs_queue *q, void (*done)(void *arg), void *arg)
{
	if (!vfi_queue_is_owner(q))
		return -EINVAL;
	if (q->stop != VFI_STOP_NONE)
		return -EBUSY;
	q->stop = VFI_STOP_WANTED;
	q->stop_done = done;
	q->stop_arg = arg;
	vfi_queue_cancel(q);
	vfi_queue_wake(q); /* with nothing out, run() must still be called for done */
	return 0;
}

int virtiofs_queue_resume(struct virtiofs_queue *q)
{
	if (q->stop == VFI_STOP_WANTED)
		return -EBUSY;
	q->stop = VFI_STOP_NONE;
	return 0;
}

/* A queue that nobody has attached and that holds nothing has stopped already. */
static bool quiesce_queue(struct virtiofs_queue *q)
{
	if (!vfi_queue_is_attached(q) && q->inflight == 0) {
		__atomic_store_n(&q->quiesce, VFI_STOP_DONE, __ATOMIC_RELEASE);
		return true;
	}
	__atomic_store_n(&q->cancel_wanted, true, __ATOMIC_RELEASE);
	__atomic_store_n(&q->quiesce, VFI_STOP_WANTED, __ATOMIC_RELEASE);
	return false;
}

int virtiofs_device_quiesce(struct virtiofs_device *dev, void (*done)(void *arg), void *arg)
{
	unsigned stopped = 1;

	pthread_mutex_lock(&dev->lock);
	if (dev->quiescing) {
		pthread_mutex_unlock(&dev->lock);
		return -EBUSY;
	}
	dev->quiescing = true;
	dev->quiesce_done = done;
	dev->quiesce_arg = arg;
	/* One more than there are queues: this call's own, so that done waits for it. */
	__atomic_store_n(&dev->quiesce_left, dev->queue_count + 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < dev->queue_count; i++) {
		if (quiesce_queue(&dev->queues[i]))
			stopped++;
	}
	pthread_mutex_unlock(&dev->lock);
	for (unsigned i = 0; i < dev->queue_count; i++)
		vfi_queue_wake(&dev->queues[i]);
	if (__atomic_sub_fetch(&dev->quiesce_left, stopped, __ATOMIC_ACQ_REL) == 0)
		done(arg);
	return 0;
}

void virtiofs_device_resume(struct virtiofs_device *dev)
{
	pthread_mutex_lock(&dev->lock);
	for (unsigned i = 0; i < dev->queue_count; i++)
		__atomic_store_n(&dev->queues[i].quiesce, VFI_STOP_NONE, __ATOMIC_RELEASE);
	dev->quiescing = false;
	pthread_mutex_unlock(&dev->lock);
}

/* Give the chain of @req back with EIO, unless somebody is in its memory at this moment. */
static void try_detach(struct virtiofs_req *req)
{
	const unsigned busy =
		VFI_REQ_REPLYING | VFI_REQ_WORKING | VFI_REQ_PINNED | VFI_REQ_DETACHED;
	struct virtiofs_queue *q = req->queue;
	struct virtiofs_device *dev = q->dev;
	unsigned state = __atomic_load_n(&req->state, __ATOMIC_ACQUIRE);

	if (req->io.in_flight)
		return;
	do {
		if (state & busy)
			return;
	} while (!__atomic_compare_exchange_n(&req->state, &state, state | VFI_REQ_DETACHED, true,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	req->written = vfi_encode(&req->msg, -EIO, NULL, 0, 0);
	req->given_back = true;
	q->detached++;
	q->inflight--;
	vfi_count(&q->stats.completed, 1);
	vfi_count(&q->stats.errors, 1);
	dev->host_ops.complete(dev->host, q, req->cookie, req->written, vfi_req_touched(req));
}

static void detach_all(struct virtiofs_queue *q)
{
	for (uint32_t i = 0; i < q->dev->options.max_inflight; i++) {
		struct virtiofs_req *req = &q->slots[i];

		if (req->in_use && !req->given_back)
			try_detach(req);
	}
}

/* What was accepted and not begun needs no cancelling. */
static void refuse_accepted(struct virtiofs_queue *q)
{
	struct virtiofs_req *req;

	while ((req = vfi_req_list_pop(&q->accepted))) {
		(void)vfi_decode_header(&req->msg);
		vfi_req_refuse(req, -EIO);
	}
}

int virtiofs_queue_abort(struct virtiofs_queue *q)
{
	struct pollfd pfd = { .fd = q->event_fd, .events = POLLIN };
	int saved = errno;

	if (!vfi_queue_is_owner(q) || q->serving)
		return -EINVAL;
	if (q->stop == VFI_STOP_NONE) {
		q->stop = VFI_STOP_WANTED;
		q->stop_done = NULL;
	}
	refuse_accepted(q);
	vfi_queue_cancel(q);
	q->serving = true;
	detach_all(q);
	q->serving = false;
	while (q->inflight) {
		/*
		 * The rest is being moved by the kernel, or is with a thread that
		 * is in guest memory: both are bounded. An unpin does not signal.
		 */
		virtiofs_queue_run(q, 0);
		q->serving = true;
		detach_all(q);
		q->serving = false;
		if (q->inflight)
			poll(&pfd, 1, 1);
	}
	virtiofs_queue_run(q, 0); /* the done of a stop under way, a quiesce's */
	errno = saved;
	return 0;
}
