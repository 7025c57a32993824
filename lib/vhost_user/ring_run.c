/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring's owner: applies control's changes, serves the ring, sleeps. */
#include "vhost_user/backend.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

/* ---- Telling the guest ---- */

static void signal_guest(struct vfi_vu_ring *ring)
{
	/* Non-blocking; EAGAIN says that a signal is pending already. */
	if (ring->call >= 0)
		vfi_vu_ring_bell(ring->call);
}

static void publish(struct vfi_vu_ring *ring)
{
	if (!ring->pushed || !ring->running)
		return;
	ring->pushed = false;
	if (virtiofs_virtqueue_should_signal(ring->vq))
		signal_guest(ring);
}

static void take_call(struct vfi_vu_ring *ring)
{
	int fd = __atomic_exchange_n(&ring->call_mail, VU_NO_MAIL, __ATOMIC_ACQUIRE);

	if (fd == VU_NO_MAIL)
		return;
	if (ring->call >= 0)
		close(ring->call);
	ring->call = fd;
	/*
	 * A front-end that swaps descriptors looked at the old one before it sent
	 * the new; what was signalled in between, nobody saw.
	 */
	if (ring->running)
		signal_guest(ring);
}

/* ---- What control changes ---- */

/* A guest can bring this about as often as it likes. */
static void complain(struct vfi_vu_ring *ring, const char *what, const char *why)
{
	uint32_t dropped;

	if (vfi_ratelimit_ok(&ring->complaints, &dropped))
		vfi_log(&ring->vu->env, VIRTIOFS_LOG_WARNING, "vhost-user: ring %u %s: %s",
			ring->index, what, why);
}

static void break_ring(struct vfi_vu_ring *ring, const char *why)
{
	ring->serving = false;
	complain(ring, "is broken", why);
	__atomic_store_n(&ring->broken, true, __ATOMIC_RELEASE);
	vfi_vu_ring_bell(ring->vu->bell);
}

static int start(struct vfi_vu_ring *ring)
{
	int err = virtiofs_virtqueue_start(ring->vq, &ring->config);

	/* Memory may come later; anything else was checked, but for where memory lies here. */
	if (err) {
		complain(ring, "does not start",
			 err == -EFAULT ? "its addresses are in no memory region"
					: "its addresses are misaligned in this process");
		return err;
	}
	ring->running = true;
	ring->pushed = false;
	ring->generation = virtiofs_mem_generation(ring->vu->memory.mem);
	return 0;
}

static void on_drained(void *arg)
{
	struct vfi_vu_ring *ring = arg;

	ring->drained = true;
}

/* Whether the last chain in work is back. Until then the queue takes no more. */
static bool drain(struct vfi_vu_ring *ring)
{
	if (!ring->stopping && virtiofs_queue_inflight(ring->queue) > 0) {
		ring->drained = false;
		ring->stopping = virtiofs_queue_stop(ring->queue, on_drained, ring) == 0;
		return false;
	}
	if (ring->stopping) {
		if (!ring->drained)
			return false;
		(void)virtiofs_queue_resume(ring->queue);
		ring->stopping = false;
	}
	return true;
}

static bool stop(struct vfi_vu_ring *ring)
{
	ring->serving = false;
	if (!drain(ring))
		return false;
	publish(ring);
	ring->base = virtiofs_virtqueue_stop(ring->vq);
	if (ring->held) {
		/* It was not served: the ring goes on with it. */
		ring->base--;
		virtiofs_virtqueue_push(ring->vq, ring->held, 0);
		ring->held = NULL;
	}
	ring->running = false;
	return true;
}

static void apply(struct vfi_vu_ring *ring)
{
	int err = 0;

	if (!ring->want_run && ring->running && !stop(ring))
		return;
	if (ring->want_run && !ring->running)
		err = start(ring);
	ring->serving = ring->running && ring->want_serve;
	ring->result = err;
	__atomic_store_n(&ring->posted, false, __ATOMIC_RELEASE);
	vfi_vu_ring_bell(ring->vu->bell);
}

/* A map that changed: let the old one go, also where no chain comes in. */
static void refresh(struct vfi_vu_ring *ring)
{
	uint64_t generation;

	if (!ring->running)
		return;
	generation = virtiofs_mem_generation(ring->vu->memory.mem);
	if (generation == ring->generation)
		return;
	ring->generation = generation;
	if (virtiofs_virtqueue_refresh(ring->vq) < 0 && ring->serving)
		break_ring(ring, "it lies in no memory region any more");
}

void vfi_vu_ring_sync(struct vfi_vu_ring *ring)
{
	take_call(ring);
	refresh(ring);
	if (__atomic_load_n(&ring->posted, __ATOMIC_ACQUIRE))
		apply(ring);
}

/* ---- Serving ---- */

void vfi_vu_complete(void *host, struct virtiofs_queue *queue, void *cookie, uint32_t written,
		     uint32_t touched)
{
	struct virtiofs_vhost_user *vu = host;
	struct vfi_vu_ring *ring = &vu->rings[virtiofs_queue_index(queue)];

	(void)touched;
	virtiofs_virtqueue_push(ring->vq, cookie, written);
	ring->pushed = true;
	ring->given_back++;
}

/* Take the next chain to the queue. Returns whether there may be more to take. */
static bool take(struct vfi_vu_ring *ring)
{
	struct virtiofs_chain chain = { .size = sizeof(chain) };
	struct virtiofs_vq_chain *popped = ring->held;
	int r;

	if (!popped) {
		r = virtiofs_virtqueue_pop(ring->vq, &popped);
		if (r < 0)
			break_ring(ring, "its indices make no sense");
		if (r <= 0)
			return false;
	}
	chain.readable = popped->readable;
	chain.writable = popped->writable;
	chain.readable_count = popped->readable_count;
	chain.writable_count = popped->writable_count;
	chain.cookie = popped;
	chain.flags = popped->malformed ? VIRTIOFS_CHAIN_MALFORMED : 0;
	r = virtiofs_queue_submit(ring->queue, &chain);
	/* No room (or the device is quiesced): it is the first of the next call. */
	ring->held = r < 0 ? popped : NULL;
	return r == 0;
}

/* Nothing can be taken until something is given back, which is an event of the queue. */
static bool is_full(const struct vfi_vu_ring *ring)
{
	return ring->held || virtiofs_virtqueue_out(ring->vq) >= ring->vu->max_inflight;
}

/*
 * Kicks are off as long as we look by ourselves. A call takes no more than a ring
 * is long, even from a driver that adds as fast as we take: others want the
 * thread too, and the guest a signal.
 */
static void serve(struct vfi_vu_ring *ring, unsigned budget)
{
	unsigned left = ring->config.num;

	if (budget && budget < left)
		left = budget;
	virtiofs_virtqueue_disable_kicks(ring->vq);
	for (;;) {
		while (left && take(ring))
			left--;
		virtiofs_queue_run(ring->queue, 0);
		if (!ring->serving)
			return;
		if (!left) {
			vfi_vu_ring_bell(ring->bell);
			return;
		}
		if (is_full(ring))
			return;
		if (!virtiofs_virtqueue_enable_kicks(ring->vq))
			return;
		virtiofs_virtqueue_disable_kicks(ring->vq);
	}
}

/* ---- The owner's calls ---- */

static struct vfi_vu_ring *own_ring(struct virtiofs_vhost_user *vu, unsigned index)
{
	struct vfi_vu_ring *ring = index < vu->ring_count ? &vu->rings[index] : NULL;

	if (!ring || __atomic_load_n(&ring->owner, __ATOMIC_RELAXED) != (uintptr_t)pthread_self())
		return NULL;
	return ring;
}

/* Take the events there are, or wait for one. Returns how many, or -EINTR. */
static int collect(struct vfi_vu_ring *ring, int timeout_ms)
{
	struct epoll_event events[4]; /* kick, timer, queue, bell */
	int n = epoll_wait(ring->epoll, events, 4, timeout_ms);

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		uint64_t ticks;

		if (events[i].data.u64 & VU_EVENT_READ)
			(void)!read((int)(uint32_t)events[i].data.u64, &ticks, sizeof(ticks));
	}
	if (n > 0)
		ring->awake = true;
	return n;
}

int virtiofs_vhost_user_queue_run(struct virtiofs_vhost_user *vu, unsigned index, unsigned budget)
{
	struct vfi_vu_ring *ring = own_ring(vu, index);
	int saved = errno;

	if (!ring)
		return -EINVAL;
	if (!ring->awake)
		(void)collect(ring, 0);
	ring->awake = false;
	ring->given_back = 0;
	vfi_vu_ring_sync(ring);
	if (ring->serving)
		serve(ring, budget);
	else
		virtiofs_queue_run(ring->queue, 0);
	/* What was just finished may be what a stop waits for. */
	if (__atomic_load_n(&ring->posted, __ATOMIC_ACQUIRE))
		vfi_vu_ring_sync(ring);
	publish(ring);
	errno = saved;
	return (int)ring->given_back;
}

static bool take_wake(struct vfi_vu_ring *ring)
{
	return __atomic_load_n(&ring->wake, __ATOMIC_RELAXED) &&
	       __atomic_exchange_n(&ring->wake, false, __ATOMIC_ACQUIRE);
}

int virtiofs_vhost_user_queue_wait(struct virtiofs_vhost_user *vu, unsigned index, int timeout_ms)
{
	struct vfi_vu_ring *ring = own_ring(vu, index);
	int saved = errno;
	int n;

	if (!ring)
		return -EINVAL;
	if (take_wake(ring))
		return -EINTR;
	if (ring->awake)
		return 1;
	n = collect(ring, timeout_ms);
	errno = saved;
	if (take_wake(ring))
		return -EINTR;
	return n > 0 ? 1 : n;
}
