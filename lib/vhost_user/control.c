/* SPDX-License-Identifier: BSD-2-Clause */
/* Control: a connection's life, from one message to the next. */
#include "vhost_user/backend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Messages of one call: whoever shares the thread gets his turn. */
enum { MESSAGES_PER_CALL = 64 };

/* ---- The log ---- */

static const char *message_name(uint32_t request)
{
	const char *name = vfi_vu_message_type(request)->name;

	return name ? name : "unknown message";
}

int vfi_vu_refuse(struct virtiofs_vhost_user *vu, const char *format, ...)
{
	const uint32_t request = vu->socket.message.header.request;
	char reason[160];
	uint32_t dropped;
	va_list args;

	if (!vfi_ratelimit_ok(&vu->refusals, &dropped))
		return -EINVAL;
	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	vfi_log(&vu->env, VIRTIOFS_LOG_WARNING, "vhost-user: %s (%u) refused: %s",
		message_name(request), request, reason);
	if (dropped)
		vfi_log(&vu->env, VIRTIOFS_LOG_WARNING,
			"vhost-user: %u more refused messages were not logged", dropped);
	return -EINVAL;
}

static void log_broken_stream(struct virtiofs_vhost_user *vu, int err)
{
	const struct vfi_vu_header *header = &vu->socket.message.header;
	const char *name = message_name(header->request);

	if (err == -EPROTO)
		vfi_log(&vu->env, VIRTIOFS_LOG_ERR,
			"vhost-user: flags %#x are not those of a request: dropping the connection",
			header->flags);
	else if (err == -EMSGSIZE)
		vfi_log(&vu->env, VIRTIOFS_LOG_ERR,
			"vhost-user: %s (%u) does not have %u bytes: dropping the connection", name,
			header->request, header->size);
	else if (err == -EMFILE)
		vfi_log(&vu->env, VIRTIOFS_LOG_ERR,
			"vhost-user: descriptors were lost: more than %d in a message, or "
			"RLIMIT_NOFILE is reached: dropping the connection",
			VU_FDS_MAX);
	else if (err == -EPIPE)
		vfi_log(&vu->env, VIRTIOFS_LOG_ERR,
			"vhost-user: the front-end closed within a message");
	else
		vfi_log(&vu->env, VIRTIOFS_LOG_ERR,
			"vhost-user: errno %d on the socket: dropping the connection", -err);
}

/* ---- The rings, together ---- */

static bool rings_settled(struct virtiofs_vhost_user *vu)
{
	bool settled = true;

	for (unsigned i = 0; i < vu->ring_count; i++) {
		if (!vfi_vu_ring_settled(&vu->rings[i]))
			settled = false;
	}
	return settled;
}

/* What a ring's owner cannot tell the front-end, and what a leaving one left undone. */
static void look_after_rings(struct virtiofs_vhost_user *vu)
{
	for (unsigned i = 0; i < vu->ring_count; i++) {
		struct vfi_vu_ring *ring = &vu->rings[i];

		if (__atomic_exchange_n(&ring->broken, false, __ATOMIC_ACQUIRE) && ring->err >= 0)
			vfi_vu_ring_bell(ring->err);
		if (__atomic_load_n(&ring->call_mail, __ATOMIC_RELAXED) != VU_NO_MAIL &&
		    __atomic_load_n(&ring->owner, __ATOMIC_SEQ_CST) == VU_OWNER_NONE)
			vfi_vu_ring_nudge(ring);
	}
}

bool vfi_vu_stop_rings(struct virtiofs_vhost_user *vu)
{
	bool any = false;

	for (unsigned i = 0; i < vu->ring_count; i++) {
		struct vfi_vu_ring *ring = &vu->rings[i];

		vfi_vu_ring_drop_kick(ring);
		if (!ring->started)
			continue;
		vfi_vu_ring_post(ring, false, false);
		any = true;
	}
	return any;
}

static void on_quiesced(void *arg)
{
	struct virtiofs_vhost_user *vu = arg;

	__atomic_store_n(&vu->quiesced, true, __ATOMIC_RELEASE);
	vfi_vu_ring_bell(vu->bell);
}

int vfi_vu_end_session(struct virtiofs_vhost_user *vu)
{
	if (!vu->quiescing) {
		__atomic_store_n(&vu->quiesced, false, __ATOMIC_RELAXED);
		if (virtiofs_device_quiesce(vu->dev, on_quiesced, vu) < 0)
			return 0; /* the embedder quiesces it: what follows is his */
		vu->quiescing = true;
	}
	if (!__atomic_load_n(&vu->quiesced, __ATOMIC_ACQUIRE))
		return VU_AGAIN;
	if (virtiofs_device_reset(vu->dev) < 0)
		vfi_log(&vu->env, VIRTIOFS_LOG_WARNING,
			"vhost-user: aborted requests keep the session until the next INIT");
	virtiofs_device_resume(vu->dev);
	vu->quiescing = false;
	return 0;
}

static bool is_waiting(struct virtiofs_vhost_user *vu)
{
	return !rings_settled(vu) ||
	       (vu->quiescing && !__atomic_load_n(&vu->quiesced, __ATOMIC_ACQUIRE));
}

/* ---- The socket ---- */

/* Wait for @events of the socket; 0: it has to wait for us, and even its end does. */
static int watch(struct virtiofs_vhost_user *vu, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = vu->socket.fd };
	int op = EPOLL_CTL_MOD;

	if (events == vu->watched)
		return 0;
	if (!events)
		op = EPOLL_CTL_DEL;
	else if (!vu->watched)
		op = EPOLL_CTL_ADD;
	if (epoll_ctl(vu->epoll, op, vu->socket.fd, &event) < 0)
		return -errno;
	vu->watched = events;
	return 0;
}

static void acknowledge(struct virtiofs_vhost_user *vu, int result)
{
	struct vfi_vu_message *msg = &vu->socket.message;
	uint64_t value = result < 0;

	if (vfi_vu_message_type(msg->header.request)->replies)
		vfi_vu_socket_reply(&vu->socket, &msg->payload, msg->header.size);
	else if (msg->header.flags & VU_FLAG_NEED_REPLY)
		vfi_vu_socket_reply(&vu->socket, &value, sizeof(value));
	vfi_vu_socket_next(&vu->socket);
}

static void handle(struct virtiofs_vhost_user *vu)
{
	struct vfi_vu_message *msg = &vu->socket.message;
	const struct vfi_vu_message_type *type = vfi_vu_message_type(msg->header.request);
	int result;

	if (!type->handle)
		result = vfi_vu_refuse(vu, "not supported");
	else if (msg->fd_count > type->fds_max && !type->replies)
		result = vfi_vu_refuse(vu, "%u descriptors came along, %u expected", msg->fd_count,
				       type->fds_max);
	else
		result = type->handle(vu, msg);
	vu->owed = result > 0 ? result : 0;
	if (!vu->owed)
		acknowledge(vu, result);
}

/* The rings are done with what the message made of them. */
static void go_on(struct virtiofs_vhost_user *vu)
{
	int owed = vu->owed;

	vu->owed = 0;
	if (owed == VU_AGAIN)
		handle(vu);
	else
		acknowledge(vu, 0);
}

/* ---- The end of a connection ---- */

/* Returns 0 as long as something is in use, then -ENOTCONN. */
static int close_connection(struct virtiofs_vhost_user *vu)
{
	(void)watch(vu, 0);
	if (!vu->rings_closed) {
		for (unsigned i = 0; i < vu->ring_count; i++) {
			vfi_vu_ring_drop_kick(&vu->rings[i]);
			vfi_vu_ring_set_call(&vu->rings[i], -1);
			vfi_vu_ring_post(&vu->rings[i], false, false);
		}
		vu->rings_closed = true;
	}
	if (!rings_settled(vu) || vfi_vu_end_session(vu) == VU_AGAIN)
		return 0;
	for (unsigned i = 0; i < vu->ring_count; i++)
		vfi_vu_ring_forget(&vu->rings[i]);
	if (vfi_vu_memory_clear(&vu->memory) < 0)
		vfi_log(&vu->env, VIRTIOFS_LOG_WARNING,
			"vhost-user: no memory to forget the front-end's");
	vfi_vu_socket_close(&vu->socket);
	if (vu->backend_fd >= 0)
		close(vu->backend_fd);
	vu->backend_fd = -1;
	vu->features = 0;
	vu->owed = 0;
	vu->rings_closed = false;
	vu->closing = false;
	return -ENOTCONN;
}

/* ---- The calls ---- */

/* Returns 1: a message was handled; 0: there is none, or its answer cannot leave yet. */
static int converse(struct virtiofs_vhost_user *vu)
{
	int r = vfi_vu_socket_flush(&vu->socket);

	if (r == -EAGAIN)
		return watch(vu, EPOLLOUT);
	if (r < 0)
		return -ENOTCONN;
	r = vfi_vu_socket_receive(&vu->socket, vfi_vu_size_ok);
	if (r == 0)
		return watch(vu, EPOLLIN);
	if (r < 0)
		return r;
	vfi_log(&vu->env, VIRTIOFS_LOG_DEBUG, "vhost-user: %s",
		message_name(vu->socket.message.header.request));
	handle(vu);
	return 1;
}

/* One step. Returns 1: there is more to do; else as virtiofs_vhost_user_process(). */
static int step(struct virtiofs_vhost_user *vu)
{
	int r;

	if (is_waiting(vu)) {
		/* What takes it off cannot fail, and what puts it back is checked. */
		(void)watch(vu, 0);
		return 0;
	}
	if (vu->closing)
		return close_connection(vu);
	if (vu->owed) {
		go_on(vu);
		return 1;
	}
	r = converse(vu);
	if (r >= 0)
		return r;
	if (r != -ENOTCONN && r != -ECONNRESET)
		log_broken_stream(vu, r);
	vu->closing = true;
	return 1;
}

static void clear_bell(struct virtiofs_vhost_user *vu)
{
	uint64_t count;

	(void)!read(vu->bell, &count, sizeof(count));
}

int virtiofs_vhost_user_process(struct virtiofs_vhost_user *vu)
{
	int saved = errno;
	int r = 0;

	clear_bell(vu);
	look_after_rings(vu);
	if (vu->socket.fd >= 0) {
		r = 1;
		for (unsigned i = 0; i < MESSAGES_PER_CALL && r == 1; i++)
			r = step(vu);
		if (r == 1) {
			vfi_vu_ring_bell(vu->bell);
			r = 0;
		}
	}
	errno = saved;
	return r;
}

int virtiofs_vhost_user_connect(struct virtiofs_vhost_user *vu, int socket)
{
	int saved = errno;
	int err;

	if (vu->socket.fd >= 0)
		return -EBUSY;
	err = vfi_vu_socket_open(&vu->socket, socket);
	if (!err) {
		err = watch(vu, EPOLLIN);
		if (err)
			vu->socket.fd = -1; /* still the caller's */
	}
	errno = saved;
	return err;
}

void virtiofs_vhost_user_disconnect(struct virtiofs_vhost_user *vu)
{
	int saved = errno;

	if (vu->socket.fd >= 0) {
		vu->closing = true;
		vfi_vu_ring_bell(vu->bell);
	}
	errno = saved;
}

int virtiofs_vhost_user_fd(const struct virtiofs_vhost_user *vu)
{
	return vu->epoll;
}

struct virtiofs_device *virtiofs_vhost_user_device(struct virtiofs_vhost_user *vu)
{
	return vu->dev;
}

unsigned virtiofs_vhost_user_queue_count(const struct virtiofs_vhost_user *vu)
{
	return vu->ring_count;
}
