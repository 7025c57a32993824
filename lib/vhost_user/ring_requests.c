/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a front-end asks of a ring.
 *
 *	stopped --- kick known, size and addresses set, memory there ---> started
 *	started --- GET_VRING_BASE, RESET_DEVICE, the end of the connection,
 *		    or, while disabled, a new size, base or address ----> stopped
 *
 * A started ring is served while it is enabled. Front-ends send what makes a ring
 * in different orders, so each message that may be the last missing one tries to
 * start it; addresses are looked up only then.
 */
#include "vhost_user/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct vfi_vu_ring *find_ring(struct virtiofs_vhost_user *vu, uint32_t index)
{
	if (index < vu->ring_count)
		return &vu->rings[index];
	(void)vfi_vu_refuse(vu, "no ring %u, only 0 to %u", index, vu->ring_count - 1);
	return NULL;
}

/* Returns whether there is something to wait for. */
static bool try_start(struct vfi_vu_ring *ring)
{
	if (ring->started || ring->waiting || !ring->has_kick || !ring->has_addr ||
	    !ring->config.num)
		return false;
	ring->config.features = ring->vu->features;
	ring->config.user_addresses = true;
	vfi_vu_ring_post(ring, true, ring->enabled);
	return true;
}

bool vfi_vu_memory_is_new(struct virtiofs_vhost_user *vu)
{
	bool any = false;

	for (unsigned i = 0; i < vu->ring_count; i++) {
		struct vfi_vu_ring *ring = &vu->rings[i];

		if (try_start(ring))
			any = true;
		else if (ring->started)
			vfi_vu_ring_nudge(ring); /* let go of the old map */
	}
	return any;
}

static bool enable(struct vfi_vu_ring *ring, bool enabled)
{
	ring->enabled = enabled;
	if (!ring->started)
		return enabled && try_start(ring);
	vfi_vu_ring_post(ring, true, enabled);
	return true;
}

bool vfi_vu_enable_rings(struct virtiofs_vhost_user *vu)
{
	bool any = false;

	for (unsigned i = 0; i < vu->ring_count; i++)
		any |= enable(&vu->rings[i], true);
	return any;
}

/* ---- The shape of a ring ---- */

/*
 * A front-end may reset a ring by disabling it and then describing it anew, without
 * stopping it.
 */
static int stop_to_change(struct vfi_vu_ring *ring)
{
	if (ring->enabled)
		return vfi_vu_refuse(ring->vu, "ring %u is running", ring->index);
	vfi_vu_ring_drop_kick(ring);
	vfi_vu_ring_post(ring, false, false);
	return VU_AGAIN;
}

int vfi_vu_set_vring_num(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	struct vfi_vu_ring *ring = find_ring(vu, msg->payload.state.index);
	uint32_t num = msg->payload.state.num;

	if (!ring)
		return -EINVAL;
	if (!vfi_is_pow2(num) || num > vu->max_queue_size)
		return vfi_vu_refuse(vu, "ring %u: %u is no power of two up to %u", ring->index,
				     num, vu->max_queue_size);
	if (ring->started && num == ring->config.num)
		return 0;
	if (ring->started)
		return stop_to_change(ring);
	ring->config.num = num;
	return 0;
}

int vfi_vu_set_vring_addr(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	const struct vfi_vu_vring_addr *addr = &msg->payload.addr;
	struct vfi_vu_ring *ring = find_ring(vu, addr->index);

	if (!ring)
		return -EINVAL;
	/* virtio 1.2, 2.7: alignment of the three areas. */
	if (addr->desc % 16 || addr->avail % 2 || addr->used % 4)
		return vfi_vu_refuse(vu, "ring %u: an address is misaligned", ring->index);
	/* The flags are about logging, which is not offered. */
	if (ring->started && addr->desc == ring->config.desc && addr->avail == ring->config.avail &&
	    addr->used == ring->config.used)
		return 0;
	if (ring->started)
		return stop_to_change(ring);
	ring->config.desc = addr->desc;
	ring->config.avail = addr->avail;
	ring->config.used = addr->used;
	ring->has_addr = true;
	return 0;
}

int vfi_vu_set_vring_base(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	struct vfi_vu_ring *ring = find_ring(vu, msg->payload.state.index);
	uint32_t base = msg->payload.state.num;

	if (!ring)
		return -EINVAL;
	if (base > UINT16_MAX)
		return vfi_vu_refuse(vu, "ring %u: %u is no index of a split ring", ring->index,
				     base);
	if (ring->started)
		return stop_to_change(ring);
	ring->config.avail_base = (uint16_t)base;
	return 0;
}

/* The only message that stops a single ring; it stays enabled if it was. */
int vfi_vu_get_vring_base(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	struct vfi_vu_ring *ring = find_ring(vu, msg->payload.state.index);

	msg->payload.state.num = 0;
	if (!ring)
		return 0; /* QEMU asks for as many rings as it has itself */
	vfi_vu_ring_drop_kick(ring);
	if (ring->started) {
		vfi_vu_ring_post(ring, false, false);
		return VU_AGAIN;
	}
	msg->payload.state.num = ring->config.avail_base;
	return 0;
}

int vfi_vu_set_vring_enable(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	struct vfi_vu_ring *ring = find_ring(vu, msg->payload.state.index);
	uint32_t value = msg->payload.state.num;

	if (!ring)
		return -EINVAL;
	if (value > 1)
		return vfi_vu_refuse(vu, "ring %u: %u is neither 0 nor 1", ring->index, value);
	return enable(ring, value == 1) ? VU_LATER : 0;
}

int vfi_vu_set_vring_endian(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	if (msg->payload.state.num != 0)
		return vfi_vu_refuse(vu, "only little-endian rings are served");
	return 0;
}

/* ---- Its descriptors ---- */

/*
 * Only eventfds are taken: writing to anything else might block for ever, or raise
 * SIGPIPE. An eventfd's inode has no type, and takes eight bytes of zero for what
 * they are: nothing. O_NONBLOCK is a flag of the open file, and the front-end's
 * too, which for an eventfd that it signals changes nothing.
 */
static bool is_eventfd(int fd)
{
	const uint64_t zero = 0;
	struct stat st;
	int flags;

	if (fstat(fd, &st) < 0 || (st.st_mode & S_IFMT) != 0)
		return false;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return false;
	return write(fd, &zero, sizeof(zero)) == sizeof(zero);
}

/* Returns the ring, and *@fd: the descriptor, taken out of the message, or -1. */
static struct vfi_vu_ring *take_fd(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg,
				   int *fd)
{
	bool none = (msg->payload.u64 & VU_VRING_NO_FD) != 0;
	struct vfi_vu_ring *ring = find_ring(vu, msg->payload.u64 & VU_VRING_INDEX_MASK);

	if (!ring)
		return NULL;
	if (none == (msg->fd_count == 1)) {
		(void)vfi_vu_refuse(vu, "ring %u: %s descriptor came along", ring->index,
				    none ? "a" : "no");
		return NULL;
	}
	if (!none && !is_eventfd(msg->fds[0])) {
		(void)vfi_vu_refuse(vu, "ring %u: the descriptor is no eventfd", ring->index);
		return NULL;
	}
	*fd = none ? -1 : msg->fds[0];
	if (!none)
		msg->fds[0] = -1;
	return ring;
}

int vfi_vu_set_vring_kick(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	int fd;
	struct vfi_vu_ring *ring = take_fd(vu, msg, &fd);
	int err;

	if (!ring)
		return -EINVAL;
	err = vfi_vu_ring_set_kick(ring, fd);
	if (err) {
		if (fd >= 0)
			close(fd);
		return vfi_vu_refuse(vu, "ring %u: errno %d", ring->index, -err);
	}
	return try_start(ring) ? VU_LATER : 0;
}

int vfi_vu_set_vring_call(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	int fd;
	struct vfi_vu_ring *ring = take_fd(vu, msg, &fd);

	if (!ring)
		return -EINVAL;
	vfi_vu_ring_set_call(ring, fd);
	return 0;
}

int vfi_vu_set_vring_err(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	int fd;
	struct vfi_vu_ring *ring = take_fd(vu, msg, &fd);

	if (!ring)
		return -EINVAL;
	if (ring->err >= 0)
		close(ring->err);
	ring->err = fd;
	return 0;
}
