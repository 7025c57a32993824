/* SPDX-License-Identifier: BSD-2-Clause */
/* How a request ends: the answer is written on the replying thread, and the slot goes home. */
#include "core/core.h"

#include <errno.h>
#include <unistd.h>

static unsigned add_bits(struct virtiofs_req *req, unsigned bits)
{
	return __atomic_fetch_or(&req->state, bits, __ATOMIC_ACQ_REL);
}

void vfi_queue_wake(struct virtiofs_queue *q)
{
	uint64_t one = 1;
	ssize_t n;

	/* Counted first: run() reads until it has seen as many as were announced. */
	__atomic_fetch_add(&q->signals, 1, __ATOMIC_SEQ_CST);
	n = write(q->event_fd, &one, sizeof(one));
	(void)n; /* EAGAIN: the counter is full, so it is readable */
}

/* The request is answered and nobody else will touch it: give it to its owner. */
static void hand_over(struct virtiofs_req *req)
{
	struct virtiofs_queue *q = req->queue;
	struct virtiofs_req *head;

	if (vfi_queue_is_owner(q)) {
		vfi_req_list_add(&q->done, req);
		/* From the owner's own event loop: nothing else would have him run. */
		if (!q->serving)
			vfi_queue_wake(q);
		return;
	}
	head = __atomic_load_n(&q->foreign, __ATOMIC_RELAXED);
	do {
		req->next = head;
	} while (!__atomic_compare_exchange_n(&q->foreign, &head, req, true, __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
	/* Who finds the list empty wakes the owner; the others ride along. */
	if (!head)
		vfi_queue_wake(q);
}

/* Claim the request's guest memory for an answer; false: it was given back. */
static bool begin_reply(struct virtiofs_req *req)
{
	return !(add_bits(req, VFI_REQ_REPLYING) & VFI_REQ_DETACHED);
}

static void end_reply(struct virtiofs_req *req)
{
	if (add_bits(req, VFI_REQ_REPLIED) & VFI_REQ_RETURNED)
		hand_over(req);
}

void vfi_req_finish(struct virtiofs_req *req, int error, const void *body, size_t len,
		    size_t payload_len)
{
	if (begin_reply(req)) {
		req->written = vfi_encode(&req->msg, error, body, len, payload_len);
		req->answered_error = error != 0;
		req->payload_len = error ? 0 : (uint32_t)payload_len;
	}
	end_reply(req);
}

void vfi_req_returned(struct virtiofs_req *req)
{
	if (add_bits(req, VFI_REQ_RETURNED) & VFI_REQ_REPLIED)
		hand_over(req);
}

void vfi_req_refuse(struct virtiofs_req *req, int error)
{
	vfi_req_finish(req, error, NULL, 0, 0);
	vfi_req_returned(req);
}

void virtiofs_reply_err(struct virtiofs_req *req, int error)
{
	error = vfi_reply_errno(error);
	/* A success that lacks its body would be read as garbage: the filesystem's mistake. */
	if (!error && !vfi_reply_fits(&req->msg, 0))
		error = -EIO;
	vfi_req_finish(req, error, NULL, 0, 0);
}

void virtiofs_reply(struct virtiofs_req *req, const void *body, size_t len)
{
	if (vfi_reply_fits(&req->msg, len))
		vfi_req_finish(req, 0, body, len, 0);
	else
		vfi_req_finish(req, -EIO, NULL, 0, 0);
}

void virtiofs_reply_data(struct virtiofs_req *req, size_t len)
{
	if (len <= req->msg.payload_out.len && vfi_reply_fits(&req->msg, 0))
		vfi_req_finish(req, 0, NULL, 0, len);
	else
		vfi_req_finish(req, -EIO, NULL, 0, 0);
}

void virtiofs_reply_buf(struct virtiofs_req *req, const void *buf, size_t len)
{
	if (!vfi_reply_fits(&req->msg, 0)) {
		vfi_req_finish(req, -EIO, NULL, 0, 0);
		return;
	}
	if (begin_reply(req)) {
		req->written = vfi_encode_buf(&req->msg, buf, len);
		req->answered_error = len > req->msg.payload_out.len;
		req->payload_len = req->answered_error ? 0 : (uint32_t)len;
	}
	end_reply(req);
}

void virtiofs_reply_copied(struct virtiofs_req *req, uint64_t bytes)
{
	const struct virtiofs_fuse_copy_file_range_out out = { .bytes_copied = bytes };

	if (req->msg.in.opcode == VIRTIOFS_FUSE_COPY_FILE_RANGE_64)
		virtiofs_reply(req, &out, sizeof(out));
	else
		virtiofs_reply_write(req, (uint32_t)vfi_min_u64(bytes, UINT32_MAX));
}

void virtiofs_reply_ioctl(struct virtiofs_req *req, int32_t result, size_t len)
{
	const struct virtiofs_fuse_ioctl_out out = { .result = result };

	if (len <= req->msg.payload_out.len && vfi_reply_fits(&req->msg, sizeof(out)))
		vfi_req_finish(req, 0, &out, sizeof(out), len);
	else
		vfi_req_finish(req, -EIO, NULL, 0, 0);
}
