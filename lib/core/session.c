/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session begins with INIT and ends with DESTROY, the next INIT, or a reset.
 *
 *	NONE -- INIT --> CHANGING --> LIVE -- INIT, DESTROY --> ENDING
 *	  ^		   |  ^				          |
 *	  +----------------+  +--------- last user leaves -------+
 *
 * Requests that use the session are counted for each queue. Ending is Dekker's
 * handshake: a user counts himself, then looks at the state; who ends the session
 * sets the state, then looks at the counts. So one of the two sees the other, and
 * whoever sees ENDING with all counts at zero takes the session to its end.
 */
#include "core/core.h"

#include <errno.h>

static unsigned get_state(const struct virtiofs_device *dev)
{
	return __atomic_load_n(&dev->session_state, __ATOMIC_SEQ_CST);
}

static void set_state(struct virtiofs_device *dev, enum vfi_session_state state)
{
	__atomic_store_n(&dev->session_state, state, __ATOMIC_SEQ_CST);
}

static bool has_users(const struct virtiofs_device *dev)
{
	for (unsigned i = 0; i < dev->queue_count; i++) {
		if (__atomic_load_n(&dev->queues[i].users, __ATOMIC_SEQ_CST))
			return true;
	}
	return false;
}

/* Let the queues look at what they put off while the session was changing. */
static void settle(struct virtiofs_device *dev, enum vfi_session_state state)
{
	set_state(dev, state);
	for (unsigned i = 0; i < dev->queue_count; i++)
		vfi_queue_wake(&dev->queues[i]);
}

static void end_session(struct virtiofs_device *dev)
{
	if (dev->fs->ops.session_end)
		dev->fs->ops.session_end(dev->session);
	dev->session = NULL;
	dev->granted = 0;
	vfi_log(&dev->env, VIRTIOFS_LOG_DEBUG, "session ended");
}

/* State is CHANGING. Answers @req, and settles. */
static void begin_session(struct virtiofs_device *dev, struct virtiofs_req *req)
{
	struct virtiofs_fuse_init_out out = { 0 };
	struct virtiofs_init init = { .size = sizeof(init) };
	void *session = dev->fs->ctx;
	bool reply_major = false;
	int err = vfi_init_read(&req->msg, dev->options.max_write, &init, &reply_major);

	if (reply_major) {
		/* The guest is to come again with a version we both speak. */
		out.major = VIRTIOFS_FUSE_KERNEL_VERSION;
		out.minor = VIRTIOFS_FUSE_KERNEL_MINOR_VERSION;
		settle(dev, VFI_SESSION_NONE);
		vfi_req_finish(req, 0, &out, sizeof(out), 0);
		return;
	}
	if (err)
		vfi_log(&dev->env, VIRTIOFS_LOG_WARNING,
			"the guest speaks FUSE %u.%u; 7.27 or newer is needed",
			req->msg.args.init.major, req->msg.args.init.minor);
	else if (dev->fs->ops.session_begin)
		err = dev->fs->ops.session_begin(dev->fs->ctx, &session, &init);
	if (err) {
		settle(dev, VFI_SESSION_NONE);
		vfi_req_finish(req, vfi_reply_errno(err), NULL, 0, 0);
		return;
	}
	vfi_init_write(&req->msg, dev->options.max_write, &init, &out);
	dev->session = session;
	dev->granted = init.granted;
	dev->max_write = init.max_write;
	dev->minor = req->msg.args.init.minor;
	vfi_log(&dev->env, VIRTIOFS_LOG_DEBUG, "session began: FUSE 7.%u, flags 0x%llx", init.minor,
		(unsigned long long)init.granted);
	settle(dev, VFI_SESSION_LIVE);
	vfi_req_finish(req, 0, &out, sizeof(out), 0);
}

/* State is CHANGING, the old session is gone: do what it was ended for. */
static void go_on_with(struct virtiofs_device *dev, struct virtiofs_req *req)
{
	bool given_back = __atomic_load_n(&req->state, __ATOMIC_ACQUIRE) & VFI_REQ_DETACHED;

	/* An INIT that abort gave back has no guest that would know of the session. */
	if (req->msg.in.opcode == VIRTIOFS_FUSE_INIT && !given_back) {
		begin_session(dev, req);
	} else {
		settle(dev, VFI_SESSION_NONE);
		vfi_req_finish(req, 0, NULL, 0, 0);
	}
}

/* Take an ENDING session to its end if its last user is gone. Any queue's thread. */
static void try_end(struct virtiofs_device *dev)
{
	struct virtiofs_req *waiter = NULL;

	pthread_mutex_lock(&dev->lock);
	if (get_state(dev) == VFI_SESSION_ENDING && !has_users(dev)) {
		waiter = dev->session_waiter;
		dev->session_waiter = NULL;
		set_state(dev, VFI_SESSION_CHANGING);
	}
	pthread_mutex_unlock(&dev->lock);
	if (!waiter)
		return;
	end_session(dev);
	go_on_with(dev, waiter);
}

enum vfi_enter vfi_session_enter(struct virtiofs_queue *q)
{
	struct virtiofs_device *dev = q->dev;
	unsigned state;

	__atomic_fetch_add(&q->users, 1, __ATOMIC_SEQ_CST);
	state = get_state(dev);
	if (state == VFI_SESSION_LIVE)
		return VFI_ENTERED;
	vfi_session_leave(q);
	return state == VFI_SESSION_NONE ? VFI_NO_SESSION : VFI_WAIT;
}

void vfi_session_leave(struct virtiofs_queue *q)
{
	if (__atomic_sub_fetch(&q->users, 1, __ATOMIC_SEQ_CST) == 0 &&
	    get_state(q->dev) == VFI_SESSION_ENDING)
		try_end(q->dev);
}

static void cancel_users(struct virtiofs_queue *own)
{
	struct virtiofs_device *dev = own->dev;

	for (unsigned i = 0; i < dev->queue_count; i++) {
		struct virtiofs_queue *q = &dev->queues[i];

		if (q == own)
			continue;
		__atomic_store_n(&q->cancel_wanted, true, __ATOMIC_RELEASE);
		vfi_queue_wake(q);
	}
	vfi_queue_cancel(own);
}

bool vfi_session_request(struct virtiofs_req *req)
{
	struct virtiofs_device *dev = req->queue->dev;
	bool ending = false;
	unsigned state;

	pthread_mutex_lock(&dev->lock);
	state = get_state(dev);
	if (state == VFI_SESSION_NONE) {
		set_state(dev, VFI_SESSION_CHANGING);
	} else if (state == VFI_SESSION_LIVE) {
		dev->session_waiter = req;
		set_state(dev, VFI_SESSION_ENDING);
		ending = true;
	}
	pthread_mutex_unlock(&dev->lock);

	if (!ending && state != VFI_SESSION_NONE)
		return false;
	vfi_count(&req->queue->stats.opcodes[req->msg.in.opcode], 1);
	/* Its answer may come on another queue's thread from here on. */
	vfi_req_returned(req);
	if (ending) {
		cancel_users(req->queue);
		try_end(dev);
	} else {
		go_on_with(dev, req);
	}
	return true;
}

int vfi_session_reset(struct virtiofs_device *dev)
{
	bool live;

	pthread_mutex_lock(&dev->lock);
	live = get_state(dev) == VFI_SESSION_LIVE;
	if (has_users(dev) || (!live && get_state(dev) != VFI_SESSION_NONE)) {
		pthread_mutex_unlock(&dev->lock);
		return -EBUSY;
	}
	set_state(dev, VFI_SESSION_CHANGING);
	pthread_mutex_unlock(&dev->lock);
	if (live)
		end_session(dev);
	set_state(dev, VFI_SESSION_NONE);
	return 0;
}
