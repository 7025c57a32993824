/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fake VMM: the front-end's end of the socket, a guest's memory, and the guest's
 * driver with its rings. Everything it sends can also be sent wrong.
 */
#ifndef TESTS_VHOST_USER_FRONT_END_H
#define TESTS_VHOST_USER_FRONT_END_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/guest_ram.h"
#include "support/guest_ring.h"
#include "vhost_user/back_end.h"
#include "vhost_user/vu_wire.h"

enum { FRONT_END_RINGS_MAX = BACK_END_RINGS_MAX, BUFFER_CLASSES = 18, BUFFERS_KEPT = 64 };

/* A bit of front_end.need_reply, one a message. */
#define ACK(id) (UINT64_C(1) << (id))
#define ACK_ALL UINT64_MAX

struct front_end_ring {
	struct guest_ring ring;
	int kick;
	int call;
	int err;
	uint16_t base; /* what GET_VRING_BASE said last */
	/*
	 * Buffers are used again for the same ring only: how a driver orders what two
	 * rings do with one is seen through its own mapping of the memory, and so not
	 * by ThreadSanitizer, which goes by addresses.
	 */
	uint64_t kept[BUFFER_CLASSES][BUFFERS_KEPT]; /* by size: 1 << class */
	unsigned kept_count[BUFFER_CLASSES];
};

struct front_end {
	struct back_end *be; /* pumped while the front-end waits; NULL: somebody else's */
	int socket;
	int channel[2]; /* for the back-end's requests: our end, its end */
	struct guest_ram *ram;
	uint64_t user_shift; /* user address of a region, less its host address */
	unsigned ring_count;
	struct front_end_ring rings[FRONT_END_RINGS_MAX];

	/* How it behaves. */
	uint64_t features; /* of those offered, what it takes */
	uint64_t protocol_features;
	uint64_t need_reply; /* ACK(id) */
	bool polled;	     /* no kick, no call */
	bool in_bytes;	     /* every byte a segment of its own */
	/* In place of message number @give_up_at (from 1 on; 0: never): longjmp to @gave_up,
	 * after its first half where @in_the_middle. */
	unsigned give_up_at;
	bool in_the_middle;
	jmp_buf gave_up;
	unsigned sent; /* messages */

	uint64_t offered;
	uint64_t offered_protocol;
	uint64_t unique;
	int disconnects; /* of the back-end, before this one */
};

/* @num: size of each ring. */
void front_end_open(struct front_end *fe, struct back_end *be, unsigned rings, uint32_t num);
/* Over a socket that is connected already, to a back-end of another process. */
void front_end_open_socket(struct front_end *fe, int socket, unsigned rings, uint32_t num);
/* Close the socket, and wait until the back-end has let go of everything. */
void front_end_close(struct front_end *fe);
/* Give up the connection, keep memory and rings; and make a new one. */
void front_end_hang_up(struct front_end *fe);
void front_end_reconnect(struct front_end *fe);

/* Give the back-end the chance to go on. */
void front_end_pump(struct front_end *fe);

/* ---- Raw ---- */

/* Send a header and payload, with descriptors on the first byte. */
void front_end_send(struct front_end *fe, uint32_t request, uint32_t flags, const void *payload,
		    uint32_t size, const int *fds, unsigned fd_count);
/*
 * Wait for a reply to @request with exactly @size bytes, flags exactly 5.
 * Returns false: the connection was closed instead.
 */
bool front_end_reply(struct front_end *fe, uint32_t request, void *payload, uint32_t size);
/* Whether bytes wait to be read: a reply that nobody asked for. */
bool front_end_has_reply(struct front_end *fe);
/* Send with NEED_REPLY. Returns the answer: 0, or what says no. */
uint64_t front_end_ask(struct front_end *fe, uint32_t request, const void *payload, uint32_t size,
		       const int *fds, unsigned fd_count);
/* Wait until the back-end has closed the connection, and make a new one. */
void front_end_expect_drop(struct front_end *fe);

/* ---- Messages ---- */

/*
 * Send a message as a proper front-end would, for ring @ring where it is about one,
 * and check its answer. Those with a value in them take @value.
 */
void front_end_do(struct front_end *fe, uint32_t request, unsigned ring, uint64_t value);
/* The descriptors and table of all regions. */
void front_end_table(const struct front_end *fe, struct vfi_vu_mem_table *table, int *fds);
/* A ring's addresses as the front-end has them. */
struct vfi_vu_vring_addr front_end_addr(const struct front_end *fe, unsigned ring);
/* The usual handshake up to enabled rings; the shortest one that works. */
void front_end_start(struct front_end *fe);

/* ---- The guest ---- */

struct fuse_call {
	uint32_t opcode;
	uint64_t nodeid;
	const void *in;
	uint32_t in_len;
	const void *payload; /* readable, behind @in */
	uint32_t payload_len;
	void *out; /* body of the answer */
	uint32_t out_len;
	bool no_reply;
};

/* Make a request available and kick, unless @quiet. The answer is for front_end_wait(). */
struct fuse_pending;
struct fuse_pending *front_end_submit(struct front_end *fe, unsigned ring,
				      const struct fuse_call *call, bool quiet);
void front_end_kick(struct front_end *fe, unsigned ring);
/* Wait for its answer, copy it out; returns the error. Everything in it is checked. */
int front_end_wait(struct front_end *fe, struct fuse_pending *pending);
/* Both. */
int front_end_call(struct front_end *fe, unsigned ring, const struct fuse_call *call);

void front_end_init(struct front_end *fe);
/* The same, offering flags; returns the answer. */
struct virtiofs_fuse_init_out front_end_negotiate(struct front_end *fe, uint32_t flags);
/* INIT's opposite. */
void front_end_destroy(struct front_end *fe);
/* GETATTR on every request queue: the session is alive. */
void front_end_getattr(struct front_end *fe);
/* LOOKUP, GETATTR, OPEN, WRITE and READ of 1 MiB, READDIRPLUS, FORGET. */
void front_end_use(struct front_end *fe);

/* ---- What may leak ---- */

int count_fds(void);
/* Mappings of guest memory in this process. */
int count_mappings(void);

#endif /* TESTS_VHOST_USER_FRONT_END_H */
