/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's side of the fake VMM: FUSE requests over the rings. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/check.h"
#include "vhost_user/front_end.h"

enum { PIECE = 64 * 1024, BUFFERS_MAX = 40 };

#ifndef __has_feature
#define __has_feature(x) 0
#endif
/* Indirect tables come from memory that all rings share: see front_end_ring.kept. */
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
enum { INDIRECT = 0 };
#else
enum { INDIRECT = 1 };
#endif

struct fuse_pending {
	unsigned ring;
	struct fuse_call call;
	uint64_t unique;
	struct guest_buffer buffers[BUFFERS_MAX];
	uint32_t count;
	uint32_t readable;
	bool done;
	uint32_t used_len;
};

static unsigned class_of(uint32_t len)
{
	unsigned class = 0;

	while (UINT32_C(1) << class < len)
		class ++;
	CHECK(class < BUFFER_CLASSES);
	return class;
}

static uint64_t take_buffer(struct front_end *fe, unsigned ring, uint32_t len)
{
	struct front_end_ring *r = &fe->rings[ring];
	unsigned class = class_of(len);

	if (r->kept_count[class])
		return r->kept[class][--r->kept_count[class]];
	return guest_ram_alloc(fe->ram, UINT64_C(1) << class, 8);
}

static void keep_buffer(struct front_end *fe, unsigned ring, const struct guest_buffer *buffer)
{
	struct front_end_ring *r = &fe->rings[ring];
	unsigned class = class_of(buffer->len);

	CHECK(r->kept_count[class] < BUFFERS_KEPT);
	r->kept[class][r->kept_count[class]++] = buffer->addr;
}

/* Room for @len bytes in pieces, filled from @src. */
static void add_buffers(struct front_end *fe, struct fuse_pending *p, const void *src, uint32_t len,
			bool writable)
{
	for (uint32_t done = 0; done < len;) {
		uint32_t n = len - done < PIECE ? len - done : PIECE;
		struct guest_buffer *b = &p->buffers[p->count++];

		CHECK(p->count <= BUFFERS_MAX);
		b->addr = take_buffer(fe, p->ring, n);
		b->len = n;
		b->writable = writable;
		if (writable)
			guest_ram_fill(fe->ram, b->addr, 0xa5, n);
		else
			guest_ram_write(fe->ram, b->addr, (const char *)src + done, n);
		done += n;
	}
}

void front_end_kick(struct front_end *fe, unsigned ring)
{
	const uint64_t one = 1;

	if (guest_ring_must_kick(&fe->rings[ring].ring) && !fe->polled)
		CHECK(write(fe->rings[ring].kick, &one, sizeof(one)) == sizeof(one));
}

struct fuse_pending *front_end_submit(struct front_end *fe, unsigned ring,
				      const struct fuse_call *call, bool quiet)
{
	struct virtiofs_fuse_in_header header = {
		.len = (uint32_t)(sizeof(header) + call->in_len + call->payload_len),
		.opcode = call->opcode,
		.unique = ++fe->unique,
		.nodeid = call->nodeid,
	};
	struct fuse_pending *p = calloc(1, sizeof(*p));
	struct guest_ring *r = &fe->rings[ring].ring;

	CHECK(p);
	p->ring = ring;
	p->call = *call;
	p->unique = header.unique;
	add_buffers(fe, p, &header, sizeof(header), false);
	add_buffers(fe, p, call->in, call->in_len, false);
	add_buffers(fe, p, call->payload, call->payload_len, false);
	p->readable = p->count;
	if (!call->no_reply) {
		add_buffers(fe, p, NULL, sizeof(struct virtiofs_fuse_out_header), true);
		add_buffers(fe, p, NULL, call->out_len, true);
	}
	CHECK(guest_ring_add(r, p->buffers, p->count, INDIRECT ? 0 : p->count, p));
	if (!quiet)
		front_end_kick(fe, ring);
	return p;
}

/* Take back whatever is there; requests are answered in any order. */
static void take_used(struct front_end *fe, unsigned ring)
{
	struct fuse_pending *p;
	uint32_t len;

	while ((p = guest_ring_take(&fe->rings[ring].ring, &len))) {
		CHECK(!p->done);
		p->done = true;
		p->used_len = len;
	}
}

/*
 * As a driver does: ask for an interrupt, look once more, then sleep until there
 * is one; an answer without its interrupt is never found.
 */
static void wait_used(struct front_end *fe, unsigned ring)
{
	struct pollfd pfd = { .fd = fe->rings[ring].call, .events = POLLIN };
	uint64_t n;

	if (fe->polled || guest_ring_enable_signals(&fe->rings[ring].ring)) {
		front_end_pump(fe);
		return;
	}
	while (poll(&pfd, 1, 0) == 0)
		front_end_pump(fe);
	/* Shared ones may have been read by who waited for another ring. */
	(void)!read(pfd.fd, &n, sizeof(n));
}

static uint32_t copy_out(struct front_end *fe, const struct fuse_pending *p, uint32_t len)
{
	uint32_t done = 0;

	for (uint32_t i = p->readable + 1; i < p->count && done < len; i++) {
		uint32_t n = p->buffers[i].len < len - done ? p->buffers[i].len : len - done;

		guest_ram_read(fe->ram, p->buffers[i].addr, (char *)p->call.out + done, n);
		done += n;
	}
	return done;
}

int front_end_wait(struct front_end *fe, struct fuse_pending *p)
{
	struct virtiofs_fuse_out_header header = { 0 };

	take_used(fe, p->ring);
	while (!p->done) {
		wait_used(fe, p->ring);
		take_used(fe, p->ring);
	}
	if (p->call.no_reply) {
		CHECK(p->used_len == 0);
	} else {
		guest_ram_read(fe->ram, p->buffers[p->readable].addr, &header, sizeof(header));
		CHECK(header.unique == p->unique);
		CHECK(header.len == p->used_len);
		copy_out(fe, p, header.len - (uint32_t)sizeof(header));
	}
	for (uint32_t i = 0; i < p->count; i++)
		keep_buffer(fe, p->ring, &p->buffers[i]);
	free(p);
	return header.error;
}

int front_end_call(struct front_end *fe, unsigned ring, const struct fuse_call *call)
{
	return front_end_wait(fe, front_end_submit(fe, ring, call, false));
}

/* ---- A session ---- */

struct virtiofs_fuse_init_out front_end_negotiate(struct front_end *fe, uint32_t flags)
{
	const struct virtiofs_fuse_init_in in = {
		.major = 7,
		.minor = 38,
		.max_readahead = 1 << 20,
		.flags = flags,
	};
	struct virtiofs_fuse_init_out out;
	const struct fuse_call call = {
		.opcode = VIRTIOFS_FUSE_INIT,
		.in = &in,
		.in_len = sizeof(in),
		.out = &out,
		.out_len = sizeof(out),
	};

	CHECK(front_end_call(fe, 1, &call) == 0);
	CHECK(out.major == 7);
	return out;
}

void front_end_init(struct front_end *fe)
{
	front_end_negotiate(fe, 0);
}

void front_end_destroy(struct front_end *fe)
{
	const struct fuse_call call = { .opcode = VIRTIOFS_FUSE_DESTROY };

	CHECK(front_end_call(fe, 1, &call) == 0);
}

static void getattr(struct front_end *fe, unsigned ring)
{
	const struct virtiofs_fuse_getattr_in in = { 0 };
	struct virtiofs_fuse_attr_out out;
	const struct fuse_call call = {
		.opcode = VIRTIOFS_FUSE_GETATTR,
		.nodeid = TEST_FS_FILE,
		.in = &in,
		.in_len = sizeof(in),
		.out = &out,
		.out_len = sizeof(out),
	};

	CHECK(front_end_call(fe, ring, &call) == 0);
	CHECK(out.attr.ino == TEST_FS_FILE);
}

void front_end_getattr(struct front_end *fe)
{
	for (unsigned i = 1; i < fe->ring_count; i++)
		getattr(fe, i);
}

static void lookup(struct front_end *fe, const char *name, int error)
{
	struct virtiofs_fuse_entry_out out = { 0 };
	const struct fuse_call call = {
		.opcode = VIRTIOFS_FUSE_LOOKUP,
		.nodeid = TEST_FS_ROOT,
		.in = name,
		.in_len = (uint32_t)strlen(name) + 1,
		.out = &out,
		.out_len = sizeof(out),
	};

	CHECK(front_end_call(fe, 1, &call) == error);
	CHECK(out.nodeid == (error ? 0 : TEST_FS_FILE));
}

static void write_file(struct front_end *fe, const unsigned char *data, uint32_t len)
{
	const struct virtiofs_fuse_write_in in = { .fh = TEST_FS_FILE, .size = len };
	struct virtiofs_fuse_write_out out;
	const struct fuse_call call = {
		.opcode = VIRTIOFS_FUSE_WRITE,
		.nodeid = TEST_FS_FILE,
		.in = &in,
		.in_len = sizeof(in),
		.payload = data,
		.payload_len = len,
		.out = &out,
		.out_len = sizeof(out),
	};

	CHECK(front_end_call(fe, 1, &call) == 0);
	CHECK(out.size == len);
}

static void read_file(struct front_end *fe, uint32_t opcode, uint64_t nodeid, unsigned char *data,
		      uint32_t len)
{
	const struct virtiofs_fuse_read_in in = { .fh = TEST_FS_FILE, .size = len };
	const struct fuse_call call = {
		.opcode = opcode,
		.nodeid = nodeid,
		.in = &in,
		.in_len = sizeof(in),
		.out = data,
		.out_len = len,
	};

	CHECK(front_end_call(fe, 1, &call) == 0);
}

static void forget(struct front_end *fe)
{
	const struct virtiofs_fuse_forget_in in = { .nlookup = 2 };
	const struct fuse_call call = {
		.opcode = VIRTIOFS_FUSE_FORGET,
		.nodeid = TEST_FS_FILE,
		.in = &in,
		.in_len = sizeof(in),
		.no_reply = true,
	};

	CHECK(front_end_call(fe, 0, &call) == 0);
}

void front_end_use(struct front_end *fe)
{
	unsigned char *data = malloc(TEST_FS_SIZE);
	unsigned char *back = calloc(1, TEST_FS_SIZE);

	CHECK(data && back);
	for (uint32_t i = 0; i < TEST_FS_SIZE; i++)
		data[i] = (unsigned char)(i * 7 + i / 4096 + fe->unique);
	lookup(fe, TEST_FS_NAME, 0);
	lookup(fe, "nothing", -2);
	front_end_getattr(fe);
	write_file(fe, data, TEST_FS_SIZE);
	read_file(fe, VIRTIOFS_FUSE_READ, TEST_FS_FILE, back, TEST_FS_SIZE);
	CHECK(memcmp(data, back, TEST_FS_SIZE) == 0);
	read_file(fe, VIRTIOFS_FUSE_READDIRPLUS, TEST_FS_ROOT, back, 4096);
	CHECK(memmem(back, 4096, TEST_FS_NAME, strlen(TEST_FS_NAME)));
	forget(fe);
	free(data);
	free(back);
}
