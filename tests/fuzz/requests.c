/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile guest on a queue: any bytes, in any pieces, with any room. Whatever they
 * are, the chain comes back once, and the answer is one.
 */
#include <stdlib.h>
#include <string.h>

#include <virtiofs/virtiofs.h>

#include "api/recording_fs.h"
#include "support/check.h"
#include "support/pieces.h"
#include "support/raw_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What an input begins with. */
struct plan {
	uint16_t room;
	uint8_t cuts[8]; /* in 256ths of the length, four for each half */
	uint8_t pieces;	 /* the halves' cuts used: two bits each */
};

static struct {
	struct recording recording;
	struct virtiofs_fs *fs;
	struct virtiofs_device *dev;
	struct virtiofs_queue *q;
	int completions;
	uint32_t written, touched;
} guest;

static void complete(void *host, struct virtiofs_queue *q, void *cookie, uint32_t written,
		     uint32_t touched)
{
	(void)host;
	(void)q;
	(void)cookie;
	guest.completions++;
	guest.written = written;
	guest.touched = touched;
}

static void submit(const struct pieces *in, const struct pieces *out)
{
	const struct virtiofs_chain chain = {
		.size = sizeof(chain),
		.readable = in->iov,
		.writable = out->iov,
		.readable_count = in->count,
		.writable_count = out->count,
	};

	guest.completions = 0;
	recording_reset(&guest.recording);
	CHECK(virtiofs_queue_submit(guest.q, &chain) == 0);
	CHECK(guest.completions == 1);
}

static void begin(void)
{
	const struct virtiofs_host_ops ops = { .size = sizeof(ops), .complete = complete };
	struct virtiofs_device_options options = VIRTIOFS_DEVICE_OPTIONS_INIT;

	options.max_inflight = 1;
	options.io = VIRTIOFS_IO_SYNC;
	guest.fs = recording_fs(&guest.recording);
	CHECK(virtiofs_device_create(&guest.dev, NULL, &options, guest.fs, &ops, NULL) == 0);
	guest.q = virtiofs_device_queue(guest.dev, 1);
	CHECK(virtiofs_queue_attach(guest.q, 0) == 0);
}

static void mount(void)
{
	const struct virtiofs_fuse_init_in init = {
		.major = 7, .minor = 45, .flags = UINT32_MAX, .flags2 = UINT32_MAX
	};
	struct pieces in, out;
	struct raw_request r;

	raw_request_init(&r, VIRTIOFS_FUSE_INIT, 0);
	raw_request_add(&r, &init, sizeof(init));
	pieces_cut(&in, r.bytes, r.len, NULL, 0);
	pieces_cut(&out, NULL, 80, NULL, 0);
	submit(&in, &out);
	CHECK(guest.written == 80);
	pieces_free(&in);
	pieces_free(&out);
}

/* @cuts: in 256ths of @len; they are made ascending. */
static void cut(struct pieces *p, const void *src, size_t len, const uint8_t *cuts, uint32_t count)
{
	size_t at[4], last = 0;

	for (uint32_t i = 0; i < count; i++) {
		at[i] = cuts[i] * len / 256;
		if (at[i] < last)
			at[i] = last;
		last = at[i];
	}
	pieces_cut(p, src, len, at, count);
}

static void check_answer(const uint8_t *request, size_t len, const struct pieces *out)
{
	static unsigned char room[UINT16_MAX];
	struct virtiofs_fuse_out_header answer;

	pieces_gather(out, room);
	CHECK(guest.written <= guest.touched && guest.touched <= out->len);
	for (size_t i = guest.touched; i < out->len; i++)
		CHECK(room[i] == PIECES_FILL);
	if (guest.written == 0)
		return;
	CHECK(guest.written >= sizeof(answer));
	memcpy(&answer, room, sizeof(answer));
	CHECK(answer.len == guest.written);
	CHECK(answer.error <= 0 && answer.error >= -511);
	CHECK(answer.error == 0 || answer.len == sizeof(answer));
	if (len >= 16)
		CHECK(memcmp(&answer.unique, request + 8, 8) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pieces in, out;
	struct plan plan;

	if (size < sizeof(plan))
		return 0;
	memcpy(&plan, data, sizeof(plan));
	data += sizeof(plan);
	size -= sizeof(plan);
	if (!guest.dev)
		begin();
	if (!guest.recording.live)
		mount();
	cut(&in, data, size, plan.cuts, plan.pieces & 3);
	cut(&out, NULL, plan.room, plan.cuts + 4, plan.pieces >> 2 & 3);
	submit(&in, &out);
	check_answer(data, size, &out);
	pieces_free(&in);
	pieces_free(&out);
	return 0;
}
