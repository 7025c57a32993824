/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring: its descriptors, who has it, and control's side of it. */
#include "vhost_user/backend.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* How often a ring without a kick descriptor is looked at. */
enum { POLL_INTERVAL_NS = 1000 * 1000 };

static int watch(struct vfi_vu_ring *ring, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	/* Edges need no reading, and the queue clears its own. */
	if (fd == ring->timer)
		event.data.u64 = VU_EVENT_READ | (uint32_t)fd;

	return epoll_ctl(ring->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void unwatch(struct vfi_vu_ring *ring, int fd)
{
	(void)epoll_ctl(ring->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int vfi_vu_ring_init(struct vfi_vu_ring *ring, const struct virtiofs_virtqueue_options *options)
{
	struct virtiofs_vhost_user *vu = ring->vu;
	int err;

	ring->bell = ring->kick = ring->timer = ring->err = ring->call = -1;
	ring->call_mail = VU_NO_MAIL;
	ring->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (ring->epoll < 0)
		return -errno;
	ring->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ring->bell < 0)
		return -errno;
	err = watch(ring, ring->bell, EPOLLIN | EPOLLET);
	if (err)
		return err;
	ring->queue = virtiofs_device_queue(vu->dev, ring->index);
	err = watch(ring, virtiofs_queue_fd(ring->queue), EPOLLIN);
	if (err)
		return err;
	return virtiofs_virtqueue_create(&ring->vq, &vu->env, vu->memory.mem, options);
}

void vfi_vu_ring_fini(struct vfi_vu_ring *ring)
{
	virtiofs_virtqueue_destroy(ring->vq);
	close_fd(&ring->kick);
	close_fd(&ring->timer);
	close_fd(&ring->err);
	close_fd(&ring->call);
	if (ring->call_mail >= 0)
		close(ring->call_mail);
	close_fd(&ring->bell);
	close_fd(&ring->epoll);
}

void vfi_vu_ring_bell(int bell)
{
	const uint64_t one = 1;

	/* EAGAIN: the counter is full, and the descriptor readable as it should be. */
	(void)!write(bell, &one, sizeof(one));
}

/* ---- Control's side ---- */

void vfi_vu_ring_nudge(struct vfi_vu_ring *ring)
{
	uintptr_t owner = VU_OWNER_NONE;

	if (!__atomic_compare_exchange_n(&ring->owner, &owner, VU_OWNER_CONTROL, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		vfi_vu_ring_bell(ring->bell);
		return;
	}
	/* Chains that its last owner left in work are for the next one. */
	if (virtiofs_queue_inflight(ring->queue) == 0)
		vfi_vu_ring_sync(ring);
	__atomic_store_n(&ring->owner, VU_OWNER_NONE, __ATOMIC_SEQ_CST);
}

void vfi_vu_ring_post(struct vfi_vu_ring *ring, bool run, bool serve)
{
	ring->want_run = run;
	ring->want_serve = serve;
	ring->waiting = true;
	__atomic_store_n(&ring->posted, true, __ATOMIC_SEQ_CST);
	vfi_vu_ring_nudge(ring);
}

bool vfi_vu_ring_settled(struct vfi_vu_ring *ring)
{
	if (!ring->waiting)
		return true;
	/* Who had it may have left since. */
	if (__atomic_load_n(&ring->posted, __ATOMIC_ACQUIRE) &&
	    __atomic_load_n(&ring->owner, __ATOMIC_SEQ_CST) == VU_OWNER_NONE)
		vfi_vu_ring_nudge(ring);
	if (__atomic_load_n(&ring->posted, __ATOMIC_ACQUIRE))
		return false;
	ring->waiting = false;
	if (ring->started && !ring->want_run)
		ring->config.avail_base = ring->base;
	ring->started = ring->want_run && ring->result == 0;
	return true;
}

void vfi_vu_ring_set_call(struct vfi_vu_ring *ring, int fd)
{
	int old = __atomic_exchange_n(&ring->call_mail, fd, __ATOMIC_SEQ_CST);

	if (old >= 0)
		close(old);
	vfi_vu_ring_nudge(ring);
}

void vfi_vu_ring_drop_kick(struct vfi_vu_ring *ring)
{
	if (ring->kick >= 0)
		unwatch(ring, ring->kick);
	else if (ring->has_kick)
		unwatch(ring, ring->timer);
	close_fd(&ring->kick);
	ring->has_kick = false;
}

/* The timer stays open once made, until the owner has let go of the ring: he reads it. */
static int tick(struct vfi_vu_ring *ring)
{
	const struct itimerspec every = {
		.it_interval.tv_nsec = POLL_INTERVAL_NS,
		.it_value.tv_nsec = POLL_INTERVAL_NS,
	};

	if (ring->timer < 0)
		ring->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (ring->timer < 0 || timerfd_settime(ring->timer, 0, &every, NULL) < 0)
		return -errno;
	return 0;
}

int vfi_vu_ring_set_kick(struct vfi_vu_ring *ring, int fd)
{
	int err = 0;

	if (fd < 0)
		err = tick(ring);
	if (err)
		return err;
	vfi_vu_ring_drop_kick(ring);
	err = fd < 0 ? watch(ring, ring->timer, EPOLLIN) : watch(ring, fd, EPOLLIN | EPOLLET);
	if (err)
		return err;
	ring->kick = fd;
	ring->has_kick = true;
	return 0;
}

void vfi_vu_ring_forget(struct vfi_vu_ring *ring)
{
	vfi_vu_ring_drop_kick(ring);
	close_fd(&ring->timer);
	close_fd(&ring->err);
	ring->has_addr = false;
	ring->enabled = false;
	ring->config = (struct virtiofs_virtqueue_config){ .size = sizeof(ring->config) };
}

/* ---- Who has it ---- */

static struct vfi_vu_ring *find_ring(struct virtiofs_vhost_user *vu, unsigned index)
{
	return index < vu->ring_count ? &vu->rings[index] : NULL;
}

/* Give it up; what control handed over meanwhile is control's to apply. */
static void leave(struct vfi_vu_ring *ring)
{
	__atomic_store_n(&ring->owner, VU_OWNER_NONE, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&ring->posted, __ATOMIC_SEQ_CST) ||
	    __atomic_load_n(&ring->call_mail, __ATOMIC_SEQ_CST) != VU_NO_MAIL)
		vfi_vu_ring_bell(ring->vu->bell);
}

int virtiofs_vhost_user_queue_attach(struct virtiofs_vhost_user *vu, unsigned index, unsigned flags)
{
	struct vfi_vu_ring *ring = find_ring(vu, index);
	uintptr_t owner = VU_OWNER_NONE;
	int err;

	if (!ring)
		return -EINVAL;
	while (!__atomic_compare_exchange_n(&ring->owner, &owner, (uintptr_t)pthread_self(), false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		/* Control has it for a few system calls, none of which waits. */
		if (owner != VU_OWNER_CONTROL)
			return -EBUSY;
		owner = VU_OWNER_NONE;
		sched_yield();
	}
	err = virtiofs_queue_attach(ring->queue, flags);
	if (err) {
		leave(ring);
		return err;
	}
	/* What came in while nobody was there is the first thing to look at. */
	vfi_vu_ring_bell(ring->bell);
	return 0;
}

int virtiofs_vhost_user_queue_detach(struct virtiofs_vhost_user *vu, unsigned index)
{
	struct vfi_vu_ring *ring = find_ring(vu, index);
	int err;

	if (!ring)
		return -EINVAL;
	err = virtiofs_queue_detach(ring->queue);
	if (!err)
		leave(ring);
	return err;
}

int virtiofs_vhost_user_queue_fd(const struct virtiofs_vhost_user *vu, unsigned index)
{
	return index < vu->ring_count ? vu->rings[index].epoll : -1;
}

void virtiofs_vhost_user_queue_wake(struct virtiofs_vhost_user *vu, unsigned index)
{
	struct vfi_vu_ring *ring = find_ring(vu, index);
	int saved = errno;

	if (!ring)
		return;
	__atomic_store_n(&ring->wake, true, __ATOMIC_SEQ_CST);
	vfi_vu_ring_bell(ring->bell);
	errno = saved;
}
