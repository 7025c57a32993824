/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages out of and into a UNIX stream socket, without ever waiting: a message
 * that has come in part, and a reply that has gone out in part, stay here until
 * the next call.
 */
#ifndef VFI_VU_SOCKET_H
#define VFI_VU_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vhost_user/vu_wire.h"

/* A message, and the descriptors that came with it. */
struct vfi_vu_message {
	struct vfi_vu_header header;
	union vfi_vu_payload payload;
	int fds[VU_FDS_MAX]; /* -1: taken by who handles the message */
	unsigned fd_count;
};

struct vfi_vu_socket {
	int fd; /* -1: none */
	size_t received;
	struct vfi_vu_message message;
	unsigned char reply[sizeof(struct vfi_vu_header) + sizeof(union vfi_vu_payload)];
	size_t reply_len; /* 0: no reply is owed */
	size_t reply_sent;
};

/* Begin with @fd, which is made non-blocking; owned from success on. Returns 0, or
 * what fcntl(2) says. */
int vfi_vu_socket_open(struct vfi_vu_socket *s, int fd);
/* Close it, and every descriptor of a message that nobody took. */
void vfi_vu_socket_close(struct vfi_vu_socket *s);

/*
 * Read on. @size_ok says whether a payload may be as long as a header announces.
 * Returns 1: s->message is whole; 0: not yet; -ENOTCONN: the peer closed; -EPIPE:
 * it closed within a message; -EPROTO: the flags are not a request's; -EMSGSIZE:
 * not @size_ok; -EMFILE: descriptors were lost on the
 * way (more than VU_FDS_MAX, or this process may have no more); else what
 * recvmsg(2) says. After an error the stream has no known position.
 */
int vfi_vu_socket_receive(struct vfi_vu_socket *s,
			  bool (*size_ok)(const struct vfi_vu_header *header));
/* Done with the message: close what was not taken, be ready for the next. */
void vfi_vu_socket_next(struct vfi_vu_socket *s);

/*
 * Answer s->message with @size bytes of @payload; at most one reply is owed at a
 * time. It is copied; vfi_vu_socket_flush() sends it.
 */
void vfi_vu_socket_reply(struct vfi_vu_socket *s, const void *payload, uint32_t size);
/* Returns 0: nothing is owed any more; -EAGAIN: the peer does not read; else what
 * send(2) says. */
int vfi_vu_socket_flush(struct vfi_vu_socket *s);

#endif /* VFI_VU_SOCKET_H */
