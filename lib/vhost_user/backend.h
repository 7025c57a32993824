/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The back-end's two sides and what passes between them.
 *
 *	control				a ring's owner
 *	-------				--------------
 *	messages, memory table		virtqueue, queue, call descriptor
 *	want, posted = true	--bell->	applies, in _queue_run()
 *		<-bell--	posted = false, base and error
 *
 * Control handles one message at a time, and no further one before every ring has
 * applied what the last one changed: so a change never meets another, and an
 * acknowledged message is one that took effect. While it waits it does not look
 * at the socket; it never blocks.
 */
#ifndef VFI_VU_BACKEND_H
#define VFI_VU_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include <virtiofs/device.h>
#include <virtiofs/memory.h>
#include <virtiofs/queue.h>
#include <virtiofs/vhost_user.h>
#include <virtiofs/virtqueue.h>

#include "base/base.h"
#include "vhost_user/memory_table.h"
#include "vhost_user/messages.h"
#include "vhost_user/socket.h"

/* Who has a ring: nobody, control for a moment, or a thread, as pthread_self() has it. */
#define VU_OWNER_NONE ((uintptr_t)0)
#define VU_OWNER_CONTROL ((uintptr_t)1)

/* Nothing in a ring's call_mail; -1 there says "no call descriptor". */
#define VU_NO_MAIL (-2)

/* In the data of an epoll event of a ring: the descriptor below it wants to be read. */
#define VU_EVENT_READ (1ull << 32)

struct vfi_vu_ring {
	struct virtiofs_vhost_user *vu;
	struct virtiofs_queue *queue;
	struct virtiofs_virtqueue *vq;
	unsigned index;
	int epoll; /* the kick, the queue's descriptor, the bell */
	int bell;  /* eventfd: have the owner run; never read (EPOLLET) */

	/* Control's: what the front-end said. */
	struct virtiofs_virtqueue_config config;
	bool has_addr;
	bool has_kick; /* a descriptor, or none and the ring is to be polled */
	int kick;      /* in @epoll, never read (EPOLLET); -1: none */
	int timer;     /* ticks where there is no kick; -1: was never needed */
	int err;
	bool enabled;
	bool started;
	bool waiting; /* for posted to become false */

	/*
	 * The change on its way: control's while !posted, the owner's while posted.
	 * @posted, @owner, @call_mail, @broken and @wake are atomic.
	 */
	bool want_run;
	bool want_serve;
	int result;    /* of starting */
	uint16_t base; /* of stopping */
	bool posted;
	int call_mail; /* the newest call descriptor, for the owner to take; VU_NO_MAIL */
	bool broken;   /* for control to tell the front-end */
	bool wake;     /* virtiofs_vhost_user_queue_wake() */
	uintptr_t owner;

	/* The owner's. */
	bool running;  /* the virtqueue is started */
	bool serving;  /* and enabled */
	bool stopping; /* virtiofs_queue_stop() is under way */
	bool drained;  /* and has come to its end */
	bool awake;    /* events were taken from @epoll and not served yet */
	bool pushed;   /* since the guest was signalled last */
	int call;      /* -1: none */
	unsigned given_back;
	struct vfi_ratelimit complaints;
	uint64_t generation;		/* of the memory map seen last */
	struct virtiofs_vq_chain *held; /* popped, and the queue has no room for it yet */
};

struct virtiofs_vhost_user {
	struct virtiofs_env env;
	struct virtiofs_device *dev;
	struct vfi_vu_memory memory;
	uint32_t max_queue_size;
	uint32_t max_inflight;
	bool has_tag;

	int epoll; /* the socket while it is watched, the bell */
	int bell;  /* eventfd: have control process */
	uint32_t watched;
	struct vfi_vu_socket socket;
	struct vfi_ratelimit refusals;
	bool closing;	   /* the connection is over, and is being taken down */
	bool rings_closed; /* every ring was told so */
	int owed;	   /* VU_LATER, VU_AGAIN: the message waits for the rings; or 0 */

	uint64_t features; /* acknowledged; protocol features change nothing here */
	int backend_fd;	   /* the front-end's socket for our requests; -1 */

	bool quiescing;
	bool quiesced; /* atomic: set by the queue that stopped last */

	uint32_t ring_room; /* rings allocated */
	unsigned ring_count;
	struct vfi_vu_ring rings[];
};

/* What a handler returns beside 0 and an error: acknowledge when the rings are done with
 * what they were given; or call it again then. */
enum { VU_LATER = 1, VU_AGAIN = 2 };

/* ---- ring.c ---- */

/* Make an eventfd readable. From any thread. */
void vfi_vu_ring_bell(int bell);
int vfi_vu_ring_init(struct vfi_vu_ring *ring, const struct virtiofs_virtqueue_options *options);
void vfi_vu_ring_fini(struct vfi_vu_ring *ring);
/* Hand the ring a change: run or stop, serve or not. It is not waiting. */
void vfi_vu_ring_post(struct vfi_vu_ring *ring, bool run, bool serve);
/* Have the owner look what is new; where there is none, do his part. */
void vfi_vu_ring_nudge(struct vfi_vu_ring *ring);
/* Whether the ring is done with its change; then what came of it is control's. */
bool vfi_vu_ring_settled(struct vfi_vu_ring *ring);
/* A new call descriptor, or -1. Owned from here on. */
void vfi_vu_ring_set_call(struct vfi_vu_ring *ring, int fd);
/* A new kick descriptor, owned from success on; or -1: the ring is to be polled. */
int vfi_vu_ring_set_kick(struct vfi_vu_ring *ring, int fd);
void vfi_vu_ring_drop_kick(struct vfi_vu_ring *ring);
/* Forget what the front-end said. The ring has stopped, and no kick is set any more. */
void vfi_vu_ring_forget(struct vfi_vu_ring *ring);

/* ---- ring_run.c: the owner's part ---- */

/* Take over what control handed over, as far as it goes without waiting. */
void vfi_vu_ring_sync(struct vfi_vu_ring *ring);
/* virtiofs_host_ops.complete */
void vfi_vu_complete(void *host, struct virtiofs_queue *queue, void *cookie, uint32_t written,
		     uint32_t touched);

/* ---- ring_requests.c ---- */

/* Enable every ring, or have those that waited for memory start. Returns whether there
 * is one to wait for. */
bool vfi_vu_enable_rings(struct virtiofs_vhost_user *vu);
bool vfi_vu_memory_is_new(struct virtiofs_vhost_user *vu);

/* ---- control.c ---- */

/* Log why the message is refused. Returns -EINVAL. */
int vfi_vu_refuse(struct virtiofs_vhost_user *vu, const char *format, ...) VFI_PRINTF(2, 3);
/* Stop every ring that runs. Returns whether there is one to wait for. */
bool vfi_vu_stop_rings(struct virtiofs_vhost_user *vu);
/* End the FUSE session. No ring runs. Returns 0, or VU_AGAIN. */
int vfi_vu_end_session(struct virtiofs_vhost_user *vu);

#endif /* VFI_VU_BACKEND_H */
