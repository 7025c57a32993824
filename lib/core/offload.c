/* SPDX-License-Identifier: BSD-2-Clause */
/* Running an op where it may block: the embedder's run_blocking. */
#include "core/core.h"

static unsigned get_bits(const struct virtiofs_req *req)
{
	return __atomic_load_n(&req->state, __ATOMIC_ACQUIRE);
}

bool virtiofs_req_offload(struct virtiofs_req *req)
{
	const struct virtiofs_env *env = &req->queue->dev->env;

	/* The second call, or a helper thread of the filesystem's: it may block. */
	if (!env->run_blocking || (get_bits(req) & VFI_REQ_WORKING) ||
	    !vfi_queue_is_owner(req->queue))
		return false;
	/* Set before, for the thread may begin before run_blocking returns. */
	req->offloaded = true;
	if (env->run_blocking(env->ctx, &req->work) == 0)
		return true;
	req->offloaded = false;
	return false;
}

void virtiofs_work_run(struct virtiofs_work *work)
{
	struct virtiofs_req *req = work->req;
	struct virtiofs_device *dev = req->queue->dev;
	unsigned state = get_bits(req);

	do {
		if (state & VFI_REQ_DETACHED) {
			/* Given back by abort meanwhile: nothing is to be done for anyone. */
			vfi_req_refuse(req, 0);
			return;
		}
	} while (!__atomic_compare_exchange_n(&req->state, &state, state | VFI_REQ_WORKING, true,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	(void)vfi_dispatch(&req->msg, &dev->fs->ops, dev->session, req);
	vfi_req_returned(req);
}

bool virtiofs_req_pin(struct virtiofs_req *req)
{
	unsigned state = get_bits(req);

	do {
		if (state & VFI_REQ_DETACHED)
			return false;
	} while (!__atomic_compare_exchange_n(&req->state, &state, state | VFI_REQ_PINNED, true,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return true;
}

void virtiofs_req_unpin(struct virtiofs_req *req)
{
	__atomic_fetch_and(&req->state, ~(unsigned)VFI_REQ_PINNED, __ATOMIC_ACQ_REL);
}
