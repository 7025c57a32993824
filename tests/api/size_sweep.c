/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every opcode, whole and mutilated, over every split into up to three descriptors:
 * one completion each, with the answer that sweep_cases.c has written down.
 */
#include "support/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <virtiofs/virtiofs.h>

#include "api/recording_fs.h"
#include "api/sweep_cases.h"
#include "proto/proto.h"
#include "support/check.h"
#include "support/pieces.h"

struct sweep {
	struct recording recording;
	struct virtiofs_fs *fs;
	struct virtiofs_device *dev;
	struct virtiofs_queue *q;
	struct test_random random;
	bool mounted; /* with a session as mount() makes it */
	int completions;
	uint32_t written;
	uint32_t touched;
};

/* What must come back. */
struct expected {
	int error;
	const char *call; /* NULL: no op runs */
	unsigned char body[8192];
	size_t body_len;
	bool any_body; /* of that length */
};

static void complete(void *host, struct virtiofs_queue *q, void *cookie, uint32_t written,
		     uint32_t touched)
{
	struct sweep *s = host;

	(void)q;
	CHECK(cookie == s);
	s->completions++;
	s->written = written;
	s->touched = touched;
}

static int setup(void **state)
{
	const struct virtiofs_host_ops ops = { .size = sizeof(ops), .complete = complete };
	struct virtiofs_device_options options = VIRTIOFS_DEVICE_OPTIONS_INIT;
	struct sweep *s = calloc(1, sizeof(*s));

	CHECK(s);
	options.max_inflight = 2;
	options.io = VIRTIOFS_IO_SYNC;
	test_random_init(&s->random, test_seed());
	s->fs = recording_fs(&s->recording);
	CHECK(virtiofs_device_create(&s->dev, NULL, &options, s->fs, &ops, s) == 0);
	s->q = virtiofs_device_queue(s->dev, 1);
	CHECK(virtiofs_queue_attach(s->q, 0) == 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct sweep *s = *state;

	CHECK(virtiofs_queue_detach(s->q) == 0);
	CHECK(virtiofs_device_destroy(s->dev) == 0);
	CHECK(!s->recording.live);
	virtiofs_fs_destroy(s->fs);
	free(s);
	return 0;
}

/* ---- One chain ---- */

static void submit(struct sweep *s, const struct pieces *in, const struct pieces *out)
{
	const struct virtiofs_chain chain = {
		.size = sizeof(chain),
		.readable = in->iov,
		.writable = out->iov,
		.readable_count = in->count,
		.writable_count = out->count,
		.cookie = s,
	};

	s->completions = 0;
	recording_reset(&s->recording);
	assert_int_equal(virtiofs_queue_submit(s->q, &chain), 0);
	assert_int_equal(s->completions, 1);
	assert_int_equal(virtiofs_queue_inflight(s->q), 0);
	assert_int_equal(s->completions, 1);
}

/* A session that has been granted what requests may carry more of. */
static void mount(struct sweep *s)
{
	const struct virtiofs_fuse_init_in init = {
		.major = 7,
		.minor = 45,
		.flags = VIRTIOFS_FUSE_SETXATTR_EXT | VIRTIOFS_FUSE_INIT_EXT,
		.flags2 = (VIRTIOFS_FUSE_SECURITY_CTX | VIRTIOFS_FUSE_CREATE_SUPP_GROUP) >> 32,
	};
	struct pieces in, out;
	struct raw_request r;

	raw_request_init(&r, VIRTIOFS_FUSE_INIT, 0);
	raw_request_add(&r, &init, sizeof(init));
	pieces_cut(&in, r.bytes, r.len, NULL, 0);
	pieces_cut(&out, NULL, 80, NULL, 0);
	submit(s, &in, &out);
	assert_int_equal(s->written, 80);
	s->mounted = true;
	pieces_free(&in);
	pieces_free(&out);
}

static void check_answer(const struct sweep *s, const struct expected *e, const struct pieces *out)
{
	static unsigned char room[16384];
	struct virtiofs_fuse_out_header header;
	size_t clean = s->touched;

	assert_true(out->len <= sizeof(room));
	pieces_gather(out, room);
	assert_in_range(s->touched, s->written, out->len);
	if (e->error == SWEEP_NO_ANSWER) {
		assert_int_equal(s->written, 0);
		clean = 0;
	} else {
		assert_int_equal(s->written, 16 + (e->error ? 0 : e->body_len));
		memcpy(&header, room, sizeof(header));
		assert_int_equal(header.error, e->error);
		assert_int_equal(header.len, s->written);
		assert_int_equal(header.unique, RAW_REQUEST_UNIQUE);
		if (!e->error && !e->any_body)
			assert_memory_equal(room + 16, e->body, e->body_len);
	}
	for (size_t i = clean; i < out->len; i++) {
		if (room[i] != PIECES_FILL)
			fail_msg("byte %zu of the room was written, used are %u", i, s->written);
	}
}

static void check_call(const struct sweep *s, const struct sweep_case *c, const struct expected *e,
		       const struct raw_request *r)
{
	const struct recording *recording = &s->recording;

	assert_string_equal(recording->line, e->call ? e->call : "");
	if (!e->call)
		return;
	if (recording->in_len) {
		assert_int_equal(recording->in_len, c->fixed);
		assert_memory_equal(recording->in, r->bytes + 40, c->fixed);
	}
	if (c->payload) {
		assert_int_equal(recording->payload_len, strlen(c->payload));
		assert_memory_equal(recording->payload, c->payload, recording->payload_len);
	}
}

static void run(struct sweep *s, const struct sweep_case *c, const struct raw_request *r,
		const struct expected *e, struct pieces *in, struct pieces *out)
{
	unsigned char sent[sizeof(r->bytes)];

	if (!s->mounted)
		mount(s);
	if (c->opcode == VIRTIOFS_FUSE_INIT || c->opcode == VIRTIOFS_FUSE_DESTROY)
		s->mounted = false;
	submit(s, in, out);
	check_answer(s, e, out);
	check_call(s, c, e, r);
	pieces_gather(in, sent);
	assert_memory_equal(sent, r->bytes, r->len);
	pieces_free(in);
	pieces_free(out);
}

/* ---- All splits of one request and its room ---- */

static void run_random(struct sweep *s, const struct sweep_case *c, const struct raw_request *r,
		       size_t room, const struct expected *e, int times)
{
	for (int i = 0; i < times; i++) {
		struct pieces in, out;

		pieces_cut_random(&in, r->bytes, r->len, &s->random);
		pieces_cut_random(&out, NULL, room, &s->random);
		run(s, c, r, e, &in, &out);
	}
}

static void run_every_split(struct sweep *s, const struct sweep_case *c,
			    const struct raw_request *r, size_t room, const struct expected *e)
{
	for (uint32_t count = 0; count <= 2; count++) {
		size_t cuts[2] = { 0, 0 };
		struct pieces in, out;

		do {
			pieces_cut(&in, r->bytes, r->len, cuts, count);
			pieces_cut(&out, NULL, room, NULL, 0);
			run(s, c, r, e, &in, &out);
		} while (pieces_next_cuts(cuts, count, r->len));

		memset(cuts, 0, sizeof(cuts));
		do {
			pieces_cut(&in, r->bytes, r->len, NULL, 0);
			pieces_cut(&out, NULL, room, cuts, count);
			run(s, c, r, e, &in, &out);
		} while (pieces_next_cuts(cuts, count, room));
	}
	run_random(s, c, r, room, e, 50);
}

/* Calls @each with every case, and says which failed. */
static void for_each_case(struct sweep *s,
			  void (*each)(struct sweep *s, const struct sweep_case *c))
{
	for (size_t i = 0; i < sweep_case_count; i++) {
		const struct vfi_op *op = vfi_op_find(sweep_cases[i].opcode);

		print_message("%u %s\n", sweep_cases[i].opcode, op ? op->name : "unknown");
		each(s, &sweep_cases[i]);
	}
}

static void expect_error(struct expected *e, int error)
{
	*e = (struct expected){ .error = error };
}

/* The answer to a request that is whole, with @data_len bytes of its data. */
static void expect_success(struct expected *e, const struct sweep_case *c, size_t data_len)
{
	size_t fixed = (size_t)c->out_fill + c->out_zero;

	*e = (struct expected){ .error = c->error, .call = c->call };
	memset(e->body, RECORDING_FILL, c->out_fill);
	if (data_len)
		memcpy(e->body + fixed, c->data, data_len);
	e->body_len = fixed + data_len;
	e->any_body = c->opcode == VIRTIOFS_FUSE_INIT;
}

/* ---- The sweeps ---- */

static void every_opcode_has_a_case_of_its_size(void **state)
{
	(void)state;
	for (uint32_t opcode = 0; opcode < VFI_OPCODES; opcode++) {
		const struct vfi_op *op = vfi_op_find(opcode);
		bool found = false;

		for (size_t i = 0; i < sweep_case_count; i++) {
			const struct sweep_case *c = &sweep_cases[i];

			if (!op || c->opcode != opcode)
				continue;
			found = true;
			assert_true(c->fixed == op->in_min || c->fixed == op->in_max);
			assert_int_equal(c->last_nul >= 0, op->names[0] != VFI_NAME_NONE);
			if (c->error == SWEEP_NO_ANSWER)
				assert_true(op->flags & VFI_OP_NO_REPLY);
		}
		assert_int_equal(found, op != NULL);
	}
}

static void sweep_whole(struct sweep *s, const struct sweep_case *c)
{
	struct raw_request r;
	struct expected e;

	sweep_request(c, &r);
	expect_success(&e, c, c->data_len);
	run_every_split(s, c, &r, sweep_room(c), &e);
}

static void whole_request_is_answered_over_every_split(void **state)
{
	for_each_case(*state, sweep_whole);
}

/* Drivers other than Linux's pad both halves. */
static void sweep_padded(struct sweep *s, const struct sweep_case *c)
{
	struct virtiofs_fuse_in_header header;
	struct raw_request r;
	struct expected e;

	sweep_request(c, &r);
	header = raw_request_header(&r);
	raw_request_add(&r, "padding", 7);
	raw_request_set_header(&r, &header);
	expect_success(&e, c, c->data_len);
	run_random(s, c, &r, sweep_room(c) + 9, &e, 100);
}

static void padding_behind_request_and_room_changes_nothing(void **state)
{
	for_each_case(*state, sweep_padded);
}

static void sweep_short(struct sweep *s, const struct sweep_case *c)
{
	struct raw_request r;
	struct expected e;

	sweep_request(c, &r);
	raw_request_cut(&r, 1);
	if (c->short_error == 0)
		expect_success(&e, c, c->data_len);
	else
		expect_error(&e, c->short_error);
	run_every_split(s, c, &r, sweep_room(c), &e);
}

static void one_byte_too_few_is_an_error(void **state)
{
	for_each_case(*state, sweep_short);
}

static void sweep_cut_chain(struct sweep *s, const struct sweep_case *c)
{
	struct virtiofs_fuse_in_header header;
	struct raw_request r;
	struct expected e;

	sweep_request(c, &r);
	header = raw_request_header(&r);
	raw_request_cut(&r, 1);
	raw_request_set_header(&r, &header);
	expect_error(&e, c->error == SWEEP_NO_ANSWER ? SWEEP_NO_ANSWER : -EINVAL);
	run_random(s, c, &r, sweep_room(c), &e, 200);
}

static void length_that_the_chain_does_not_have_is_an_error(void **state)
{
	for_each_case(*state, sweep_cut_chain);
}

static void sweep_unterminated(struct sweep *s, const struct sweep_case *c)
{
	struct raw_request r;
	struct expected e;

	if (c->last_nul < 0)
		return;
	sweep_request(c, &r);
	r.bytes[40 + c->fixed + c->last_nul] = 'x';
	/* What stands behind the name is its payload, without a NUL either, or the
	 * literal's own. */
	if (r.bytes[r.len - 1] == '\0')
		raw_request_cut(&r, 1);
	expect_error(&e, c->unterminated_error);
	run_every_split(s, c, &r, sweep_room(c), &e);
}

static void name_without_its_nul_is_an_error(void **state)
{
	for_each_case(*state, sweep_unterminated);
}

static void sweep_room_short(struct sweep *s, const struct sweep_case *c)
{
	struct raw_request r;
	struct expected e;

	sweep_request(c, &r);
	if (c->room_error == 0)
		expect_success(&e, c, c->room_data_len);
	else
		expect_error(&e, c->room_error);
	/* An op without an answer needs no room, and runs. */
	if (c->room_runs || c->error == SWEEP_NO_ANSWER)
		e.call = c->call;
	run_every_split(s, c, &r, sweep_room(c) - 1, &e);
}

static void room_that_is_one_byte_short_is_an_error_or_cuts_data(void **state)
{
	for_each_case(*state, sweep_room_short);
}

static void sweep_no_room(struct sweep *s, const struct sweep_case *c)
{
	struct raw_request r;
	struct expected e;

	sweep_request(c, &r);
	expect_error(&e, SWEEP_NO_ANSWER);
	if (c->error == SWEEP_NO_ANSWER)
		e.call = c->call;
	for (size_t room = 0; room < 16; room++)
		run_random(s, c, &r, room, &e, 20);
}

static void no_room_for_a_header_is_used_length_zero_and_no_call(void **state)
{
	for_each_case(*state, sweep_no_room);
}

/* ---- Messages that are longer than a sweep can cut everywhere ---- */

enum { BIG = 8000 };

static char *random_text(struct sweep *s, char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		text[i] = (char)test_random_range(&s->random, '0', 'z');
	text[len] = '\0';
	return text;
}

static void run_whole(struct sweep *s, const struct sweep_case *c)
{
	struct raw_request r;
	struct expected e;

	sweep_request(c, &r);
	expect_success(&e, c, c->data_len);
	run_random(s, c, &r, sweep_room(c), &e, 5);
}

static void long_write_arrives_over_random_splits(void **state)
{
	struct sweep *s = *state;
	char text[BIG + 1];

	for (int i = 0; i < 400; i++) {
		uint32_t len = test_random_range(&s->random, 0, BIG);
		const struct sweep_case c = {
			.opcode = VIRTIOFS_FUSE_WRITE,
			.fixed = 40,
			.set_count = 1,
			.set = { { 16, len } },
			.tail = random_text(s, text, len),
			.tail_len = (uint16_t)len,
			.call = "write 9",
			.payload = text,
			.out_fill = 4,
			.out_zero = 4,
		};

		run_whole(s, &c);
	}
}

static void long_read_is_filled_over_random_splits(void **state)
{
	static char data[BIG];
	struct sweep *s = *state;

	memset(data, RECORDING_DATA, sizeof(data));
	for (int i = 0; i < 400; i++) {
		uint32_t len = test_random_range(&s->random, 0, BIG);
		const struct sweep_case c = {
			.opcode = VIRTIOFS_FUSE_READ,
			.fixed = 40,
			.set_count = 1,
			.set = { { 16, len } },
			.call = "read 9",
			.data = data,
			.data_len = (uint16_t)len,
		};

		run_whole(s, &c);
	}
}

static void long_names_arrive_over_random_splits(void **state)
{
	struct sweep *s = *state;

	for (int i = 0; i < 400; i++) {
		char tail[256 + 4096], call[sizeof(tail) + 32];
		uint32_t name = test_random_range(&s->random, 1, 255);
		uint32_t target = test_random_range(&s->random, 1, 4095);
		const struct sweep_case c = {
			.opcode = VIRTIOFS_FUSE_SYMLINK,
			.tail = tail,
			.tail_len = (uint16_t)(name + 1 + target + 1),
			.call = call,
			.out_fill = 128,
		};

		random_text(s, tail, name);
		tail[0] = 'n'; /* no name of dots alone */
		random_text(s, tail + name + 1, target);
		snprintf(call, sizeof(call), "symlink 9 %s -> %s", tail, tail + name + 1);
		run_whole(s, &c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_opcode_has_a_case_of_its_size),
		cmocka_unit_test_setup_teardown(whole_request_is_answered_over_every_split, setup,
						teardown),
		cmocka_unit_test_setup_teardown(padding_behind_request_and_room_changes_nothing,
						setup, teardown),
		cmocka_unit_test_setup_teardown(one_byte_too_few_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(length_that_the_chain_does_not_have_is_an_error,
						setup, teardown),
		cmocka_unit_test_setup_teardown(name_without_its_nul_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(
			room_that_is_one_byte_short_is_an_error_or_cuts_data, setup, teardown),
		cmocka_unit_test_setup_teardown(
			no_room_for_a_header_is_used_length_zero_and_no_call, setup, teardown),
		cmocka_unit_test_setup_teardown(long_write_arrives_over_random_splits, setup,
						teardown),
		cmocka_unit_test_setup_teardown(long_read_is_filled_over_random_splits, setup,
						teardown),
		cmocka_unit_test_setup_teardown(long_names_arrive_over_random_splits, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
