/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's FUSE client on one ring: lays requests out in the fake guest's memory,
 * makes them available, and takes the answers back. How the device is reached is
 * the transport's; whose thread serves it too.
 *
 * Every answer is checked for what must hold of each: used length, length in the
 * header, unique, the range of errors, nothing written outside the writable
 * descriptors, nothing at all into the readable ones.
 */
#ifndef TESTS_SUPPORT_FUSE_CLIENT_H
#define TESTS_SUPPORT_FUSE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <virtiofs/fuse_wire.h>

#include "support/guest_ring.h"
#include "support/random.h"

/* How requests lie over descriptors. */
enum fuse_layout {
	FUSE_LAYOUT_RANDOM, /* cut anywhere, empty pieces too, at any address */
	FUSE_LAYOUT_LINUX,  /* a header, then the rest by pages, each a descriptor */
};

struct fuse_transport {
	/* Chains are available, and the device wants to be told. */
	void (*kick)(void *arg);
	/* Let the device get on; returns when an answer may be there, or sooner. */
	void (*wait)(void *arg);
	void *arg;
};

struct fuse_client {
	struct guest_ram *ram;
	struct guest_ring ring;
	struct fuse_transport transport;
	enum fuse_layout layout;
	struct test_random random;
	uint32_t uid, gid, pid; /* of the requests to come */
	uint64_t unique;	/* of the last request */
	unsigned out;		/* requests without an answer yet */
};

void fuse_client_init(struct fuse_client *client, struct guest_ram *ram,
		      const struct guest_ring_options *ring, enum fuse_layout layout,
		      const struct fuse_transport *transport);
void fuse_client_exit(struct fuse_client *client);

enum { FUSE_REQUEST_PARTS = 4 };

struct fuse_request {
	uint32_t opcode;
	uint64_t nodeid;
	struct iovec parts[FUSE_REQUEST_PARTS]; /* what comes behind the header */
	uint32_t room;	       /* bytes for the answer, its header included; 0: none */
	uint32_t header_len;   /* the length the header claims; 0: the right one */
	uint32_t readable_len; /* bytes that go out; 0: all (to cut a request short) */
	uint16_t extlen;       /* of the extensions among the parts, in units of 8 bytes */
};

/* One request, from submit to free. */
struct fuse_call {
	uint32_t opcode;
	uint64_t unique;
	bool done;
	uint32_t used;	       /* the used length */
	unsigned char *answer; /* room bytes, as they are in the guest's memory */
	/* The client's. */
	uint32_t readable_len, room;
	unsigned char *request;
	struct fuse_piece *pieces;
	uint32_t piece_count;
};

/* Make a request available and kick; NULL: no descriptors are free. */
struct fuse_call *fuse_client_submit(struct fuse_client *client,
				     const struct fuse_request *request);
/* Take back what is there; how many. */
unsigned fuse_client_poll(struct fuse_client *client);
/* Until the answer is there; a minute without one ends the program. */
void fuse_client_wait(struct fuse_client *client, struct fuse_call *call);
/* 0 or the negative errno of a call that is done; -ENODATA: it has no answer. */
int fuse_call_error(const struct fuse_call *call);
/* The answer behind its header. */
const void *fuse_call_body(const struct fuse_call *call, uint32_t *len);
/* Forget a call that is done. NULL is nothing. */
void fuse_call_free(struct fuse_call *call);

/*
 * Submit, wait, free: the request's error, and where that is 0, up to @size bytes
 * of the body, and its true length in *@len (either may be NULL).
 */
int fuse_client_call(struct fuse_client *client, const struct fuse_request *request, void *body,
		     size_t size, uint32_t *len);

#endif /* TESTS_SUPPORT_FUSE_CLIENT_H */
