/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device, queue and request: who owns what, and on which thread.
 *
 * A request lives in a slot of its queue. Its owner, the queue's thread, takes it
 * in, runs the op, and gives the chain back; other threads may only run the op
 * a second time (offload.c) and reply (reply.c), and hand it back to the owner
 * through the queue's list of foreign replies.
 */
#ifndef VFI_CORE_H
#define VFI_CORE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <virtiofs/device.h>
#include <virtiofs/fs.h>
#include <virtiofs/io.h>
#include <virtiofs/queue.h>

#include "base/base.h"
#include "io/engine.h"
#include "proto/proto.h"

enum {
	VFI_MAX_REQUEST_QUEUES = 64,
};

struct virtiofs_fs {
	struct virtiofs_env env;
	struct virtiofs_fs_ops ops;
	void *ctx;
};

/* ---- Request ---- */

/*
 * Bits of virtiofs_req.state, each set once in a life; what decides a race is who
 * sets his bit first.
 *
 *	op runs, replies, returns:		REPLYING REPLIED RETURNED -> owner
 *	op returns, somebody replies later:	RETURNED REPLYING REPLIED -> owner
 *	abort while nobody touches memory:	RETURNED DETACHED, chain given back;
 *						REPLYING REPLIED -> owner frees the slot
 */
enum vfi_req_bits {
	VFI_REQ_RETURNED = 1 << 0, /* the op's call is over */
	VFI_REQ_REPLYING = 1 << 1, /* a reply began: guest memory is being written */
	VFI_REQ_REPLIED = 1 << 2,  /* and is written */
	VFI_REQ_WORKING = 1 << 3,  /* offloaded, and that thread has begun */
	VFI_REQ_PINNED = 1 << 4,   /* a filesystem's thread touches guest memory; comes and goes */
	VFI_REQ_DETACHED = 1 << 5, /* given back by abort: guest memory is out of bounds */
};

struct virtiofs_work {
	struct virtiofs_req *req;
};

struct virtiofs_req {
	struct virtiofs_queue *queue;
	struct virtiofs_req *next; /* in one list at a time: free, accepted, done, foreign */
	void *cookie;
	unsigned state;	  /* enum vfi_req_bits; atomic */
	uint32_t written; /* the answer's length, from reply on */
	bool in_use;	  /* not in the free list; the owner's */
	bool dispatched;  /* the op was called, and counts as a user of the session */
	bool offloaded;	  /* run_blocking took it */
	bool given_back;  /* complete() ran: by abort */
	bool answered_error;
	bool interrupted;     /* by the guest */
	bool waits;	      /* virtiofs_req_wait(): counted in the queue; the owner's, as is */
	uint64_t deadline;    /* when to look at it, CLOCK_MONOTONIC; 0: not */
	uint32_t payload_len; /* of the answer, for the statistics */
	void *context;	      /* the filesystem's */
	struct virtiofs_work work;
	struct vfi_io_op io;
	virtiofs_io_done io_done;
	struct vfi_msg msg;
};

/* A list of requests, first in, first out. */
struct vfi_req_list {
	struct virtiofs_req *head;
	struct virtiofs_req *tail;
};

static inline void vfi_req_list_add(struct vfi_req_list *list, struct virtiofs_req *req)
{
	req->next = NULL;
	if (list->tail)
		list->tail->next = req;
	else
		list->head = req;
	list->tail = req;
}

static inline struct virtiofs_req *vfi_req_list_pop(struct vfi_req_list *list)
{
	struct virtiofs_req *req = list->head;

	if (!req)
		return NULL;
	list->head = req->next;
	if (!list->head)
		list->tail = NULL;
	return req;
}

/* ---- Queue ---- */

enum vfi_stop { VFI_STOP_NONE, VFI_STOP_WANTED, VFI_STOP_DONE };

struct virtiofs_queue {
	struct virtiofs_device *dev;
	unsigned index;
	int event_fd;
	int poll_fd;  /* of event_fd and timer_fd; -1: the filesystem has no expire */
	int timer_fd; /* wait.c */

	/* Written under dev->lock by attach and detach. */
	uintptr_t owner; /* its thread, as pthread_self() has it; 0: nobody. Atomic */
	bool dedicated;
	unsigned old_umask;
	struct vfi_io_engine *engine;

	/* The owner's alone. */
	struct virtiofs_req *slots;
	unsigned char *iov_memory; /* one array of iovecs a slot */
	struct virtiofs_req *free;
	struct vfi_req_list accepted; /* taken in, not begun */
	struct vfi_req_list done;     /* answered, not given back */
	unsigned inflight;	      /* chains accepted and not given back */
	unsigned detached;	      /* given back by abort, still with the filesystem */
	unsigned waiting;	      /* requests in wait.c */
	uint64_t deadline;	      /* of the timer; 0: it is not set */
	bool serving;		      /* inside submit, run or abort */
	uint64_t signals_read;	      /* of the eventfd, of those counted in @signals */
	enum vfi_stop stop;	      /* virtiofs_queue_stop() */
	void (*stop_done)(void *arg);
	void *stop_arg;

	/* Any thread, atomic. */
	struct virtiofs_req *foreign __attribute__((aligned(64))); /* replies, newest first */
	uint64_t signals;   /* writes to the eventfd, counted before they happen */
	unsigned users;	    /* requests that use the session */
	unsigned quiesce;   /* enum vfi_stop: virtiofs_device_quiesce() */
	bool cancel_wanted; /* the session ends: cancel what is out */

	/* Written by the owner, read by any thread; relaxed. */
	struct virtiofs_stats stats __attribute__((aligned(64)));
};

/* ---- Device ---- */

enum vfi_session_state {
	VFI_SESSION_NONE,
	VFI_SESSION_LIVE,
	VFI_SESSION_ENDING,   /* waits for its last user */
	VFI_SESSION_CHANGING, /* session_end or session_begin runs */
};

struct virtiofs_device {
	struct virtiofs_env env;
	struct virtiofs_device_options options;
	struct virtiofs_host_ops host_ops;
	void *host;
	struct virtiofs_fs *fs;
	char tag[VIRTIOFS_TAG_MAX + 1];

	/*
	 * Protects who has a queue attached, quiesce, and every change of
	 * session_state. Held for a few instructions, never across a callback.
	 */
	pthread_mutex_t lock;

	unsigned session_state;		     /* enum vfi_session_state; atomic */
	struct virtiofs_req *session_waiter; /* INIT or DESTROY that ends the session; under lock */
	/* Written while CHANGING, read by users while LIVE. */
	void *session;
	uint64_t granted;
	uint32_t max_write;
	uint32_t minor; /* of the guest's protocol */

	unsigned quiesce_left; /* queues that have not stopped; atomic */
	bool quiescing;	       /* under lock */
	void (*quiesce_done)(void *arg);
	void *quiesce_arg;

	struct vfi_ratelimit malformed_limit;
	unsigned told_engine; /* the log was told why there is no io_uring; atomic */
	unsigned queue_count;
	struct virtiofs_queue queues[];
};

/* ---- request.c: slots ---- */

int vfi_queue_init(struct virtiofs_device *dev, struct virtiofs_queue *q, unsigned index);
void vfi_queue_fini(struct virtiofs_queue *q);
struct virtiofs_req *vfi_req_take(struct virtiofs_queue *q);
void vfi_req_release(struct virtiofs_req *req);
/* Copy a chain into a slot. Returns 0, -E2BIG, or -EINVAL: lengths that overflow. */
int vfi_req_load(struct virtiofs_req *req, const struct virtiofs_chain *chain);

/* ---- wait.c ---- */

int vfi_wait_init(struct virtiofs_queue *q);
void vfi_wait_fini(struct virtiofs_queue *q);
/* The slot is free again. */
void vfi_wait_end(struct virtiofs_req *req);
/* Look at those whose time has come. */
void vfi_wait_run(struct virtiofs_queue *q);

/* ---- reply.c ---- */

/* Answer; body and payload as vfi_encode(). The one way every request ends. */
void vfi_req_finish(struct virtiofs_req *req, int error, const void *body, size_t len,
		    size_t payload_len);
/* The op's call is over; hand the request on if it has been answered. */
void vfi_req_returned(struct virtiofs_req *req);
/* Answer and hand on a request whose op does not run. */
void vfi_req_refuse(struct virtiofs_req *req, int error);
/* Have the owner run: from any thread. */
void vfi_queue_wake(struct virtiofs_queue *q);

static inline bool vfi_queue_is_attached(const struct virtiofs_queue *q)
{
	return __atomic_load_n(&q->owner, __ATOMIC_RELAXED) != 0;
}

/* pthread_t is an integer or a pointer on every libc of Linux, and never 0 for a thread. */
static inline bool vfi_queue_is_owner(const struct virtiofs_queue *q)
{
	return __atomic_load_n(&q->owner, __ATOMIC_RELAXED) == (uintptr_t)pthread_self();
}

/* ---- queue.c ---- */

/* Bytes of the writable half that may have been stored to; the answer is known. */
uint32_t vfi_req_touched(const struct virtiofs_req *req);
/* Take foreign replies into q->done. Owner, or nobody has the queue attached. */
void vfi_queue_collect(struct virtiofs_queue *q);
/* Free the slots of requests that abort gave back and that were answered since. */
void vfi_queue_reap_detached(struct virtiofs_queue *q);
/* Ask for everything that is out to come back soon. Owner. */
void vfi_queue_cancel(struct virtiofs_queue *q);

/* ---- dispatch.c: a request's way in ---- */

/* Decode and run; on return it is answered, or with the filesystem, or, where the
 * session is changing, untouched: false, try again after the change. */
bool vfi_req_start(struct virtiofs_req *req);

/* ---- session.c ---- */

enum vfi_enter { VFI_ENTERED, VFI_NO_SESSION, VFI_WAIT };
/* Become a user of the session. */
enum vfi_enter vfi_session_enter(struct virtiofs_queue *q);
void vfi_session_leave(struct virtiofs_queue *q);
/* INIT and DESTROY. False: the session is changing, try again after. */
bool vfi_session_request(struct virtiofs_req *req);
/* End it from outside; every queue is idle. Returns 0 or -EBUSY. */
int vfi_session_reset(struct virtiofs_device *dev);

/* ---- stats.c ---- */

static inline void vfi_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

#endif /* VFI_CORE_H */
