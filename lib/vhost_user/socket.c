/* SPDX-License-Identifier: BSD-2-Clause */
#include "vhost_user/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

int vfi_vu_socket_open(struct vfi_vu_socket *s, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	s->fd = fd;
	s->received = 0;
	s->message.fd_count = 0;
	s->reply_len = 0;
	s->reply_sent = 0;
	return 0;
}

static void close_fds(struct vfi_vu_message *msg)
{
	for (unsigned i = 0; i < msg->fd_count; i++) {
		if (msg->fds[i] >= 0)
			close(msg->fds[i]);
	}
	msg->fd_count = 0;
}

void vfi_vu_socket_close(struct vfi_vu_socket *s)
{
	close_fds(&s->message);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* Keep the descriptors of one control message; close what there is no room for. */
static bool keep_fds(struct vfi_vu_message *msg, const struct cmsghdr *cmsg)
{
	size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	const unsigned char *data = CMSG_DATA(cmsg);
	bool lost = false;

	for (size_t i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
		if (msg->fd_count < VU_FDS_MAX) {
			msg->fds[msg->fd_count++] = fd;
		} else {
			close(fd);
			lost = true;
		}
	}
	return !lost;
}

static int keep_control(struct vfi_vu_message *msg, struct msghdr *hdr)
{
	bool lost = (hdr->msg_flags & MSG_CTRUNC) != 0;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(hdr); cmsg; cmsg = CMSG_NXTHDR(hdr, cmsg)) {
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS &&
		    !keep_fds(msg, cmsg))
			lost = true;
	}
	return lost ? -EMFILE : 0;
}

/* Bytes of the message from s->received on, up to @end. Returns how many came, 0 at the
 * end of the stream, or an error. */
static ssize_t read_some(struct vfi_vu_socket *s, size_t end)
{
	const size_t head = sizeof(s->message.header);
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(VU_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov;
	struct msghdr hdr = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;
	int err;

	if (s->received < head)
		iov.iov_base = (char *)&s->message.header + s->received;
	else
		iov.iov_base = (char *)&s->message.payload + (s->received - head);
	iov.iov_len = end - s->received;
	do {
		n = recvmsg(s->fd, &hdr, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	err = keep_control(&s->message, &hdr);
	if (err)
		return err;
	s->received += (size_t)n;
	return n;
}

/* Until @end bytes of the message are there. Returns 1, or as vfi_vu_socket_receive(). */
static int read_until(struct vfi_vu_socket *s, size_t end)
{
	while (s->received < end) {
		ssize_t n = read_some(s, end);

		if (n == -EAGAIN)
			return 0;
		if (n < 0)
			return (int)n;
		if (n == 0)
			return s->received ? -EPIPE : -ENOTCONN;
	}
	return 1;
}

int vfi_vu_socket_receive(struct vfi_vu_socket *s,
			  bool (*size_ok)(const struct vfi_vu_header *header))
{
	const struct vfi_vu_header *header = &s->message.header;
	int r = read_until(s, sizeof(*header));

	if (r != 1)
		return r;
	if ((header->flags & VU_FLAG_VERSION_MASK) != VU_FLAG_VERSION ||
	    (header->flags & VU_FLAG_REPLY))
		return -EPROTO;
	if (header->size > sizeof(s->message.payload) || !size_ok(header))
		return -EMSGSIZE;
	return read_until(s, sizeof(*header) + header->size);
}

void vfi_vu_socket_next(struct vfi_vu_socket *s)
{
	close_fds(&s->message);
	s->received = 0;
}

void vfi_vu_socket_reply(struct vfi_vu_socket *s, const void *payload, uint32_t size)
{
	/* The flags exactly: QEMU compares, and NEED_REPLY is not echoed. */
	struct vfi_vu_header header = {
		.request = s->message.header.request,
		.flags = VU_FLAG_VERSION | VU_FLAG_REPLY,
		.size = size,
	};

	memcpy(s->reply, &header, sizeof(header));
	if (size)
		memcpy(s->reply + sizeof(header), payload, size);
	s->reply_len = sizeof(header) + size;
	s->reply_sent = 0;
}

int vfi_vu_socket_flush(struct vfi_vu_socket *s)
{
	while (s->reply_sent < s->reply_len) {
		ssize_t n = send(s->fd, s->reply + s->reply_sent, s->reply_len - s->reply_sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		s->reply_sent += (size_t)n;
	}
	s->reply_len = 0;
	s->reply_sent = 0;
	return 0;
}
