/* SPDX-License-Identifier: BSD-2-Clause */
/* The slots of a queue: all the memory its requests will ever need. */
#include "core/core.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Iovecs of one slot: the chain's, and what splitting at the payload adds. */
static size_t slot_iovs(const struct virtiofs_device *dev)
{
	return (size_t)dev->options.max_segments + 2 * (size_t)VFI_SPARE_IOV;
}

static size_t iov_memory_size(const struct virtiofs_device *dev)
{
	return dev->options.max_inflight * slot_iovs(dev) * sizeof(struct iovec);
}

static size_t slots_size(const struct virtiofs_device *dev)
{
	return dev->options.max_inflight * sizeof(struct virtiofs_req);
}

int vfi_queue_init(struct virtiofs_device *dev, struct virtiofs_queue *q, unsigned index)
{
	const struct virtiofs_env *env = &dev->env;

	q->dev = dev;
	q->index = index;
	q->poll_fd = -1;
	q->timer_fd = -1;
	q->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (q->event_fd < 0)
		return -errno;
	q->slots = vfi_alloc(env, slots_size(dev));
	if (dev->fs->ops.expire) {
		int err = vfi_wait_init(q);

		if (err)
			return err;
	}
	/* Not zeroed: most of it is touched by no chain ever. */
	q->iov_memory = env->alloc(env->ctx, iov_memory_size(dev), 64);
	if (!q->slots || !q->iov_memory)
		return -ENOMEM;
	for (uint32_t i = dev->options.max_inflight; i-- > 0;) {
		struct virtiofs_req *req = &q->slots[i];

		req->queue = q;
		req->work.req = req;
		req->next = q->free;
		q->free = req;
	}
	return 0;
}

void vfi_queue_fini(struct virtiofs_queue *q)
{
	struct virtiofs_device *dev = q->dev;

	if (!dev)
		return; /* vfi_queue_init() never got here */
	vfi_free(&dev->env, q->slots, slots_size(dev));
	vfi_free(&dev->env, q->iov_memory, iov_memory_size(dev));
	vfi_wait_fini(q);
	if (q->event_fd >= 0)
		close(q->event_fd);
}

struct virtiofs_req *vfi_req_take(struct virtiofs_queue *q)
{
	struct virtiofs_req *req = q->free;

	if (!req)
		return NULL;
	q->free = req->next;
	req->next = NULL;
	__atomic_store_n(&req->state, 0, __ATOMIC_RELAXED);
	req->in_use = true;
	req->written = 0;
	req->dispatched = false;
	req->offloaded = false;
	req->given_back = false;
	req->answered_error = false;
	req->interrupted = false;
	req->payload_len = 0;
	req->context = NULL;
	req->msg.op = NULL;
	return req;
}

void vfi_req_release(struct virtiofs_req *req)
{
	struct virtiofs_queue *q = req->queue;

	assert(req->in_use);
	vfi_wait_end(req);
	req->in_use = false;
	req->next = q->free;
	q->free = req;
}

static struct iovec *slot_iov(struct virtiofs_req *req)
{
	struct virtiofs_queue *q = req->queue;
	size_t slot = (size_t)(req - q->slots);

	return (struct iovec *)(void *)q->iov_memory + slot * slot_iovs(q->dev);
}

int vfi_req_load(struct virtiofs_req *req, const struct virtiofs_chain *chain)
{
	uint64_t count = (uint64_t)chain->readable_count + chain->writable_count;
	struct vfi_msg *msg = &req->msg;
	struct iovec *iov = slot_iov(req);

	if (count > req->queue->dev->options.max_segments)
		return -E2BIG;
	msg->readable = iov;
	msg->readable_count = chain->readable_count;
	msg->writable = iov + chain->readable_count + VFI_SPARE_IOV;
	msg->writable_count = chain->writable_count;
	if (chain->readable_count)
		memcpy(msg->readable, chain->readable,
		       chain->readable_count * sizeof(struct iovec));
	if (chain->writable_count)
		memcpy(msg->writable, chain->writable,
		       chain->writable_count * sizeof(struct iovec));
	msg->writable_len = vfi_iov_len(msg->writable, msg->writable_count);
	if (msg->writable_len == SIZE_MAX)
		return -EINVAL;
	return 0;
}

/* ---- What an op may ask of its request ---- */

const struct virtiofs_fuse_in_header *virtiofs_req_header(const struct virtiofs_req *req)
{
	return &req->msg.in;
}

uint64_t virtiofs_req_granted(const struct virtiofs_req *req)
{
	return req->msg.granted;
}

const uint32_t *virtiofs_req_groups(const struct virtiofs_req *req, uint32_t *count)
{
	*count = req->msg.group_count;
	return req->msg.groups;
}

bool virtiofs_req_security_context(const struct virtiofs_req *req, const char **name,
				   const void **label, size_t *len)
{
	const struct vfi_msg *msg = &req->msg;

	if (!msg->secctx_name)
		return false;
	*name = msg->secctx_name;
	*label = msg->label;
	*len = msg->label_len;
	return true;
}

bool virtiofs_req_dedicated(const struct virtiofs_req *req)
{
	return vfi_queue_is_owner(req->queue) && req->queue->dedicated;
}

bool virtiofs_req_interrupted(const struct virtiofs_req *req)
{
	return req->interrupted;
}

void virtiofs_req_set_context(struct virtiofs_req *req, void *context)
{
	req->context = context;
}

void *virtiofs_req_context(const struct virtiofs_req *req)
{
	return req->context;
}
