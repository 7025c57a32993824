/* SPDX-License-Identifier: BSD-2-Clause */
/* A request's way in: decode, find its session, call the op. */
#include "core/core.h"

#include <errno.h>

/* No valid request: count it, say so once in a while, and answer as far as that goes. */
static void refuse_malformed(struct virtiofs_req *req, int error)
{
	struct virtiofs_queue *q = req->queue;
	struct virtiofs_device *dev = q->dev;
	uint32_t dropped;

	vfi_count(&q->stats.malformed, 1);
	if (vfi_ratelimit_ok(&dev->malformed_limit, &dropped))
		vfi_log(&dev->env, VIRTIOFS_LOG_DEBUG,
			"queue %u: malformed request, answered with error %d (%u more not shown)",
			q->index, -error, dropped);
	vfi_req_refuse(req, error);
}

/* INTERRUPT: it has no answer; the request it names gets one soon. */
static void interrupt(struct virtiofs_req *req)
{
	struct virtiofs_queue *q = req->queue;
	const struct virtiofs_fs_ops *ops = &q->dev->fs->ops;
	uint64_t unique = req->msg.args.interrupt.unique;

	for (uint32_t i = 0; ops->cancel && i < q->dev->options.max_inflight; i++) {
		struct virtiofs_req *other = &q->slots[i];

		if (other->in_use && other->dispatched && !other->given_back &&
		    other->msg.in.unique == unique) {
			other->interrupted = true;
			ops->cancel(q->dev->session, other);
		}
	}
}

/* Neither FORGET nor INTERRUPT nor NOTIFY_REPLY is answered: the chain goes straight back. */
static void run_without_reply(struct virtiofs_req *req)
{
	struct virtiofs_device *dev = req->queue->dev;

	if (req->msg.in.opcode == VIRTIOFS_FUSE_INTERRUPT)
		interrupt(req);
	else
		(void)vfi_dispatch(&req->msg, &dev->fs->ops, dev->session, req);
	vfi_req_refuse(req, 0);
}

static void call_op(struct virtiofs_req *req)
{
	struct virtiofs_device *dev = req->queue->dev;

	req->dispatched = true;
	if (req->msg.op->flags & VFI_OP_NO_REPLY) {
		run_without_reply(req);
		return;
	}
	if (!vfi_dispatch(&req->msg, &dev->fs->ops, dev->session, req)) {
		vfi_req_refuse(req, -ENOSYS);
		return;
	}
	/* Offloaded, it is called a second time, and that call's end counts. */
	if (!req->offloaded)
		vfi_req_returned(req);
}

static bool start_in_session(struct virtiofs_req *req)
{
	struct virtiofs_queue *q = req->queue;
	struct vfi_msg *msg = &req->msg;
	int err;

	switch (vfi_session_enter(q)) {
	case VFI_WAIT:
		return false;
	case VFI_NO_SESSION:
		vfi_req_refuse(req, -EIO);
		return true;
	case VFI_ENTERED:
		break;
	}
	msg->granted = q->dev->granted;
	msg->max_write = q->dev->max_write;
	msg->minor = q->dev->minor;
	err = vfi_decode(msg);
	if (err) {
		vfi_session_leave(q);
		refuse_malformed(req, err);
		return true;
	}
	vfi_count(&q->stats.opcodes[msg->in.opcode], 1);
	call_op(req);
	return true;
}

bool vfi_req_start(struct virtiofs_req *req)
{
	struct vfi_msg *msg = &req->msg;
	int err = vfi_decode_header(msg);

	if (err == -ENOSYS) {
		/* A newer guest's opcode is well-formed, as far as we can tell. */
		vfi_req_refuse(req, err);
		return true;
	}
	if (err) {
		refuse_malformed(req, err);
		return true;
	}
	if (!(msg->op->flags & VFI_OP_NO_REPLY) && !vfi_can_reply(msg)) {
		refuse_malformed(req, -EINVAL);
		return true;
	}
	if (msg->op->flags & VFI_OP_PREINIT) {
		msg->granted = 0;
		msg->minor = 0;
		err = vfi_decode(msg);
		if (err) {
			refuse_malformed(req, err);
			return true;
		}
		return vfi_session_request(req);
	}
	return start_in_session(req);
}
