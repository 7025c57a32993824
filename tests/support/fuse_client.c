/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/fuse_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/check.h"

enum {
	IN_HEADER = sizeof(struct virtiofs_fuse_in_header),
	OUT_HEADER = sizeof(struct virtiofs_fuse_out_header),
	PAGE = 4096,
	RED = 16, /* bytes before and behind each buffer that nobody may touch */
	RED_BYTE = 0xa5,
	ROOM_BYTE = 0x5a, /* what the room for an answer holds before */
	CUTS_MAX = 24,	  /* pieces of one direction in a random layout, about */
	WAIT_SECONDS = 60,
};

/* A buffer of a chain: bytes @offset to @offset + @len of its direction. */
struct fuse_piece {
	uint64_t alloc; /* with what surrounds it */
	uint64_t alloc_len;
	uint64_t addr;
	uint32_t offset;
	uint32_t len;
	bool writable;
};

void fuse_client_init(struct fuse_client *client, struct guest_ram *ram,
		      const struct guest_ring_options *ring, enum fuse_layout layout,
		      const struct fuse_transport *transport)
{
	memset(client, 0, sizeof(*client));
	client->ram = ram;
	client->layout = layout;
	client->transport = *transport;
	client->pid = 1;
	test_random_init(&client->random, test_seed());
	guest_ring_init(&client->ring, ram, ring);
}

void fuse_client_exit(struct fuse_client *client)
{
	CHECK(client->out == 0);
	guest_ring_exit(&client->ring);
}

/* ---- layout ---- */

/* Add a piece behind those there are. */
static void add_piece(struct fuse_call *call, bool writable, uint32_t offset, uint32_t len)
{
	/* Room for a power of two of them. */
	if ((call->piece_count & (call->piece_count - 1)) == 0) {
		uint32_t room = call->piece_count ? 2 * call->piece_count : 1;

		call->pieces = realloc(call->pieces, room * sizeof(*call->pieces));
		CHECK(call->pieces);
	}
	call->pieces[call->piece_count++] = (struct fuse_piece){
		.writable = writable,
		.offset = offset,
		.len = len,
	};
}

/* Linux: the header, the arguments in one piece, data in pages. */
static void lay_out_like_linux(struct fuse_call *call, bool writable, uint32_t total,
			       uint32_t header)
{
	uint32_t first = header < total ? header : total;
	uint32_t offset = first;

	if (total == 0)
		return;
	add_piece(call, writable, 0, first);
	while (offset < total) {
		uint32_t len = total - offset < PAGE ? total - offset : PAGE;

		add_piece(call, writable, offset, len);
		offset += len;
	}
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Cuts at random, more of them where headers and arguments are; two alike make an
 * empty piece. */
static void lay_out_at_random(struct fuse_client *client, struct fuse_call *call, bool writable,
			      uint32_t total, uint32_t max_pieces)
{
	uint32_t cuts[CUTS_MAX + 1];
	uint32_t count = test_random_range(&client->random, 0, max_pieces - 1);
	uint32_t near = total < 2 * IN_HEADER + 64 ? total : 2 * IN_HEADER + 64;
	uint32_t offset = 0;

	if (total == 0 && !test_random_one_in(&client->random, 8))
		return;
	for (uint32_t i = 0; i < count; i++)
		cuts[i] = test_random_range(&client->random, 0,
					    test_random_one_in(&client->random, 3) ? total : near);
	qsort(cuts, count, sizeof(cuts[0]), by_value);
	cuts[count] = total;
	for (uint32_t i = 0; i <= count; i++) {
		add_piece(call, writable, offset, cuts[i] - offset);
		offset = cuts[i];
	}
}

/* How many pieces a direction may have, for a chain to fit the ring. */
static uint32_t pieces_per_direction(const struct fuse_client *client)
{
	uint32_t num = client->ring.options.num;

	if (client->ring.options.indirect || num / 4 > CUTS_MAX)
		return CUTS_MAX;
	return num / 4 < 1 ? 1 : num / 4;
}

static void lay_out(struct fuse_client *client, struct fuse_call *call)
{
	if (client->layout == FUSE_LAYOUT_LINUX) {
		lay_out_like_linux(call, false, call->readable_len, IN_HEADER);
		lay_out_like_linux(call, true, call->room, OUT_HEADER);
	} else {
		uint32_t max = pieces_per_direction(client);

		lay_out_at_random(client, call, false, call->readable_len, max);
		lay_out_at_random(client, call, true, call->room, max);
	}
	/* A chain has at least one descriptor. */
	if (call->piece_count == 0)
		add_piece(call, false, 0, 0);
}

/* Give each piece memory with room around it, and fill it. */
static void place(struct fuse_client *client, struct fuse_call *call)
{
	for (uint32_t i = 0; i < call->piece_count; i++) {
		struct fuse_piece *piece = &call->pieces[i];
		uint32_t shift = client->layout == FUSE_LAYOUT_RANDOM
					 ? test_random_range(&client->random, 0, 15)
					 : 0;

		piece->alloc_len = (uint64_t)piece->len + 2 * RED + shift;
		piece->alloc = guest_ram_alloc(client->ram, piece->alloc_len, 1);
		piece->addr = piece->alloc + RED + shift;
		guest_ram_fill(client->ram, piece->alloc, RED_BYTE, piece->alloc_len);
		if (piece->writable)
			guest_ram_fill(client->ram, piece->addr, ROOM_BYTE, piece->len);
		else
			guest_ram_write(client->ram, piece->addr, call->request + piece->offset,
					piece->len);
	}
}

/* ---- submit ---- */

static struct fuse_call *new_call(struct fuse_client *client, const struct fuse_request *request)
{
	struct fuse_call *call = calloc(1, sizeof(*call));
	struct virtiofs_fuse_in_header header = {
		.len = IN_HEADER,
		.opcode = request->opcode,
		.unique = client->unique += 2, /* the lowest bit is INTERRUPT's */
		.nodeid = request->nodeid,
		.uid = client->uid,
		.gid = client->gid,
		.pid = client->pid,
		.total_extlen = request->extlen,
	};
	size_t at = IN_HEADER;

	for (unsigned i = 0; i < FUSE_REQUEST_PARTS; i++)
		header.len += (uint32_t)request->parts[i].iov_len;
	CHECK(call);
	call->opcode = request->opcode;
	call->unique = header.unique;
	call->readable_len = header.len;
	call->room = request->room;
	call->request = malloc(header.len);
	call->answer = malloc(request->room + 1);
	CHECK(call->request && call->answer);
	for (unsigned i = 0; i < FUSE_REQUEST_PARTS; i++) {
		if (request->parts[i].iov_len != 0)
			memcpy(call->request + at, request->parts[i].iov_base,
			       request->parts[i].iov_len);
		at += request->parts[i].iov_len;
	}
	if (request->header_len != 0)
		header.len = request->header_len;
	memcpy(call->request, &header, IN_HEADER);
	if (request->readable_len != 0)
		call->readable_len = request->readable_len;
	CHECK(call->readable_len <= at);
	return call;
}

static void release_pieces(struct fuse_client *client, struct fuse_call *call)
{
	for (uint32_t i = 0; i < call->piece_count; i++)
		guest_ram_free(client->ram, call->pieces[i].alloc, call->pieces[i].alloc_len);
	call->piece_count = 0;
}

static bool add_chain(struct fuse_client *client, struct fuse_call *call)
{
	struct guest_buffer *buffers = calloc(call->piece_count, sizeof(*buffers));
	uint32_t direct = 0;
	bool added;

	CHECK(buffers);
	for (uint32_t i = 0; i < call->piece_count; i++)
		buffers[i] = (struct guest_buffer){ call->pieces[i].addr, call->pieces[i].len,
						    call->pieces[i].writable };
	/* Linux puts every chain of two and more into a table; others need not. */
	if (call->piece_count == 1)
		direct = 1;
	else if (client->layout == FUSE_LAYOUT_RANDOM)
		direct = test_random_one_in(&client->random, 2)
				 ? 0
				 : test_random_range(&client->random, 0, 3);
	added = guest_ring_add(&client->ring, buffers, call->piece_count, direct, call);
	free(buffers);
	return added;
}

struct fuse_call *fuse_client_submit(struct fuse_client *client, const struct fuse_request *request)
{
	struct fuse_call *call = new_call(client, request);

	lay_out(client, call);
	place(client, call);
	if (!add_chain(client, call)) {
		release_pieces(client, call);
		fuse_call_free(call);
		return NULL;
	}
	client->out++;
	if (guest_ring_must_kick(&client->ring))
		client->transport.kick(client->transport.arg);
	return call;
}

/* ---- answers ---- */

static void check_bytes(const struct fuse_client *client, uint64_t addr, uint64_t len,
			unsigned char byte)
{
	unsigned char buf[256];

	while (len != 0) {
		uint64_t piece = len < sizeof(buf) ? len : sizeof(buf);

		guest_ram_read(client->ram, addr, buf, piece);
		for (uint64_t i = 0; i < piece; i++)
			CHECK(buf[i] == byte);
		addr += piece;
		len -= piece;
	}
}

/* Fetch the answer, and see that nothing else was written to. */
static void fetch(const struct fuse_client *client, const struct fuse_call *call)
{
	unsigned char *now = malloc(call->readable_len + 1);

	CHECK(now);
	for (uint32_t i = 0; i < call->piece_count; i++) {
		const struct fuse_piece *piece = &call->pieces[i];
		uint64_t end = piece->addr + piece->len;

		check_bytes(client, piece->alloc, piece->addr - piece->alloc, RED_BYTE);
		check_bytes(client, end, piece->alloc + piece->alloc_len - end, RED_BYTE);
		guest_ram_read(client->ram, piece->addr,
			       (piece->writable ? call->answer : now) + piece->offset, piece->len);
	}
	CHECK(memcmp(now, call->request, call->readable_len) == 0);
	free(now);
}

static bool wants_answer(uint32_t opcode)
{
	return opcode != VIRTIOFS_FUSE_FORGET && opcode != VIRTIOFS_FUSE_BATCH_FORGET &&
	       opcode != VIRTIOFS_FUSE_INTERRUPT && opcode != VIRTIOFS_FUSE_NOTIFY_REPLY;
}

/* What a request says of itself: less, where its header is cut off. */
static uint64_t named_unique(const struct fuse_call *call)
{
	uint32_t end = offsetof(struct virtiofs_fuse_in_header, unique) + sizeof(call->unique);

	return call->readable_len < end ? 0 : call->unique;
}

static bool named_opcode_wants_answer(const struct fuse_call *call)
{
	uint32_t end = offsetof(struct virtiofs_fuse_in_header, opcode) + sizeof(call->opcode);

	return call->readable_len < end || wants_answer(call->opcode);
}

static void check_answer(const struct fuse_call *call)
{
	struct virtiofs_fuse_out_header header;

	CHECK(call->used <= call->room);
	if (call->room < OUT_HEADER || !named_opcode_wants_answer(call)) {
		CHECK(call->used == 0);
		return;
	}
	CHECK(call->used >= OUT_HEADER);
	memcpy(&header, call->answer, OUT_HEADER);
	CHECK(header.len == call->used);
	CHECK(header.unique == named_unique(call));
	CHECK(header.error <= 0 && header.error >= -511);
	CHECK(header.error == 0 || header.len == OUT_HEADER);
}

unsigned fuse_client_poll(struct fuse_client *client)
{
	struct fuse_call *call;
	unsigned count = 0;
	uint32_t used;

	while ((call = guest_ring_take(&client->ring, &used))) {
		CHECK(!call->done);
		call->used = used;
		fetch(client, call);
		check_answer(call);
		release_pieces(client, call);
		call->done = true;
		client->out--;
		count++;
	}
	return count;
}

static int64_t now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

void fuse_client_wait(struct fuse_client *client, struct fuse_call *call)
{
	int64_t deadline = now_seconds() + WAIT_SECONDS;

	while (!call->done) {
		CHECK(now_seconds() < deadline);
		if (fuse_client_poll(client) == 0 && !guest_ring_enable_signals(&client->ring))
			client->transport.wait(client->transport.arg);
	}
}

int fuse_call_error(const struct fuse_call *call)
{
	struct virtiofs_fuse_out_header header;

	CHECK(call->done);
	if (call->used < OUT_HEADER)
		return -ENODATA;
	memcpy(&header, call->answer, OUT_HEADER);
	return header.error;
}

const void *fuse_call_body(const struct fuse_call *call, uint32_t *len)
{
	CHECK(call->done && call->used >= OUT_HEADER);
	*len = call->used - OUT_HEADER;
	return call->answer + OUT_HEADER;
}

void fuse_call_free(struct fuse_call *call)
{
	if (!call)
		return;
	CHECK(call->piece_count == 0);
	free(call->pieces);
	free(call->request);
	free(call->answer);
	free(call);
}

int fuse_client_call(struct fuse_client *client, const struct fuse_request *request, void *body,
		     size_t size, uint32_t *len)
{
	struct fuse_call *call = fuse_client_submit(client, request);
	uint32_t body_len = 0;
	int error;

	CHECK(call);
	fuse_client_wait(client, call);
	error = fuse_call_error(call);
	if (error == 0) {
		const void *bytes = fuse_call_body(call, &body_len);

		if (body)
			memcpy(body, bytes, body_len < size ? body_len : size);
	}
	if (len)
		*len = body_len;
	fuse_call_free(call);
	return error;
}
