/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests as a real kernel sends them (Linux 6.18 through /dev/fuse, recorded by
 * scripts/record-requests): each is understood, whole and in pieces.
 */
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <virtiofs/virtiofs.h>

#include "api/recording_fs.h"
#include "support/check.h"
#include "support/pieces.h"

enum { ROOM = 8192, OPCODES = 54 };

/*
 * What was not recorded: Linux sends these over virtio-fs alone (DESTROY, SYNCFS,
 * and the mappings), for block devices (BMAP), for signals (INTERRUPT), as answer to
 * a notification (NOTIFY_REPLY), or sends a newer form (COPY_FILE_RANGE).
 */
static const uint32_t not_recorded[] = {
	0,
	7,
	19,
	VIRTIOFS_FUSE_INTERRUPT,
	VIRTIOFS_FUSE_BMAP,
	VIRTIOFS_FUSE_DESTROY,
	VIRTIOFS_FUSE_NOTIFY_REPLY,
	VIRTIOFS_FUSE_COPY_FILE_RANGE,
	VIRTIOFS_FUSE_SETUPMAPPING,
	VIRTIOFS_FUSE_REMOVEMAPPING,
	VIRTIOFS_FUSE_SYNCFS,
};

struct recorded {
	struct recording recording;
	struct virtiofs_fs *fs;
	struct virtiofs_device *dev;
	struct virtiofs_queue *q;
	unsigned char *requests;
	size_t len;
	int completions;
	uint32_t written;
};

static void complete(void *host, struct virtiofs_queue *q, void *cookie, uint32_t written,
		     uint32_t touched)
{
	struct recorded *s = host;

	(void)q;
	(void)cookie;
	(void)touched;
	s->completions++;
	s->written = written;
}

static void load(struct recorded *s)
{
	FILE *file = fopen(RECORDED_REQUESTS, "rb");
	long len;

	CHECK(file && fseek(file, 0, SEEK_END) == 0);
	len = ftell(file);
	CHECK(len > 0 && fseek(file, 0, SEEK_SET) == 0);
	s->len = (size_t)len;
	s->requests = malloc(s->len);
	CHECK(s->requests && fread(s->requests, 1, s->len, file) == s->len);
	fclose(file);
}

static int setup(void **state)
{
	const struct virtiofs_host_ops ops = { .size = sizeof(ops), .complete = complete };
	struct virtiofs_device_options options = VIRTIOFS_DEVICE_OPTIONS_INIT;
	struct recorded *s = calloc(1, sizeof(*s));

	CHECK(s);
	load(s);
	options.io = VIRTIOFS_IO_SYNC;
	s->fs = recording_fs(&s->recording);
	CHECK(virtiofs_device_create(&s->dev, NULL, &options, s->fs, &ops, s) == 0);
	s->q = virtiofs_device_queue(s->dev, 1);
	CHECK(virtiofs_queue_attach(s->q, 0) == 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct recorded *s = *state;

	CHECK(virtiofs_queue_detach(s->q) == 0);
	CHECK(virtiofs_device_destroy(s->dev) == 0);
	virtiofs_fs_destroy(s->fs);
	free(s->requests);
	free(s);
	return 0;
}

/* Have one request served, and expect that its op ran, and succeeded. */
static void serve(struct recorded *s, const struct virtiofs_fuse_in_header *header,
		  const struct pieces *in, const struct pieces *out)
{
	const struct virtiofs_chain chain = {
		.size = sizeof(chain),
		.readable = in->iov,
		.writable = out->iov,
		.readable_count = in->count,
		.writable_count = out->count,
	};
	struct virtiofs_fuse_out_header answer;
	unsigned char room[ROOM];

	s->completions = 0;
	recording_reset(&s->recording);
	assert_int_equal(virtiofs_queue_submit(s->q, &chain), 0);
	assert_int_equal(s->completions, 1);
	assert_int_equal(s->recording.calls > 0, header->opcode != VIRTIOFS_FUSE_INIT);
	if (header->opcode == VIRTIOFS_FUSE_FORGET ||
	    header->opcode == VIRTIOFS_FUSE_BATCH_FORGET) {
		assert_int_equal(s->written, 0);
		return;
	}
	pieces_gather(out, room);
	memcpy(&answer, room, sizeof(answer));
	assert_int_equal(answer.error, 0);
	assert_int_equal(answer.len, s->written);
	assert_int_equal(answer.unique, header->unique);
}

static void every_recorded_request_is_served(void **state)
{
	bool seen[OPCODES] = { false };
	struct recorded *s = *state;
	struct test_random random;
	size_t at = 0;

	test_random_init(&random, test_seed());
	while (at < s->len) {
		struct virtiofs_fuse_in_header header;

		assert_true(s->len - at >= sizeof(header));
		memcpy(&header, s->requests + at, sizeof(header));
		assert_in_range(header.len, sizeof(header), s->len - at);
		assert_in_range(header.opcode, 1, OPCODES - 1);
		seen[header.opcode] = true;
		for (int i = 0; i < 20; i++) {
			struct pieces in, out;

			pieces_cut_random(&in, s->requests + at, header.len, &random);
			pieces_cut_random(&out, NULL, ROOM, &random);
			serve(s, &header, &in, &out);
			pieces_free(&in);
			pieces_free(&out);
		}
		at += header.len;
	}
	for (size_t i = 0; i < sizeof(not_recorded) / sizeof(not_recorded[0]); i++) {
		assert_false(seen[not_recorded[i]]);
		seen[not_recorded[i]] = true;
	}
	for (uint32_t i = 0; i < OPCODES; i++)
		assert_true(seen[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_recorded_request_is_served, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
