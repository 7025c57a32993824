/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each opcode of the table, in every size and every split: too short, cut in two
 * and three, without room for the answer. The client checks that each comes back
 * once, with an answer of the form every answer has.
 *
 * The requests are about a node that nobody was told of, so that what is
 * well-formed gets to the filesystem and changes nothing there.
 */
#include "shared.h"

#include "proto/proto.h"

enum { NODE = 12345, ROOM = 4096, REQUEST_MAX = 512 };

/* A well-formed request of an opcode. */
struct shape {
	uint32_t opcode;
	const struct vfi_op *op;
	unsigned char fixed[VFI_ARGS_SIZE];
	uint32_t fixed_len;
	char names[4];
	uint32_t names_len;
};

/* What came of a request. */
struct outcome {
	uint32_t used;
	int error;
	uint64_t malformed; /* how many more of them were counted */
};

static uint64_t count_malformed(struct shared *s)
{
	struct virtiofs_stats stats = { .size = sizeof(stats) };

	assert_int_equal(virtiofs_device_stats(s->vmm.dev, &stats), 0);
	return stats.malformed;
}

static bool make_shape(uint32_t opcode, struct shape *shape)
{
	const struct virtiofs_fuse_init_in init = { .major = 7, .minor = 38 };

	memset(shape, 0, sizeof(*shape));
	shape->opcode = opcode;
	shape->op = vfi_op_find(opcode);
	if (!shape->op)
		return false;
	shape->fixed_len = shape->op->in_size ? shape->op->in_size(0) : shape->op->in_max;
	for (unsigned i = 0; i < 2 && shape->op->names[i] != VFI_NAME_NONE; i++) {
		memcpy(shape->names + shape->names_len, "n", 2);
		shape->names_len += 2;
	}
	if (opcode == VIRTIOFS_FUSE_INIT)
		memcpy(shape->fixed, &init, sizeof(init));
	return true;
}

static uint32_t shape_len(const struct shape *shape)
{
	return VFI_IN_HEADER + shape->fixed_len + shape->names_len;
}

static struct fuse_request request_of(struct shape *shape)
{
	return (struct fuse_request){
		.opcode = shape->opcode,
		.nodeid = NODE,
		.parts = { { shape->fixed, shape->fixed_len }, { shape->names, shape->names_len } },
		.room = shape->op->flags & VFI_OP_NO_REPLY ? 0 : ROOM,
	};
}

static struct outcome send_request(struct shared *s, const struct fuse_request *request)
{
	struct outcome outcome;
	uint64_t before;
	struct fuse_call *call;

	before = count_malformed(s);
	call = fuse_client_submit(s->c, request);
	assert_non_null(call);
	fuse_client_wait(s->c, call);
	outcome.used = call->used;
	outcome.error = fuse_call_error(call);
	outcome.malformed = count_malformed(s) - before;
	fuse_call_free(call);
	/* The next one finds a session again. */
	if (request->opcode == VIRTIOFS_FUSE_DESTROY || request->opcode == VIRTIOFS_FUSE_INIT)
		fuse_mount(s->c);
	return outcome;
}

static void assert_same(const struct outcome *a, const struct outcome *b)
{
	assert_int_equal(a->used, b->used);
	assert_int_equal(a->error, b->error);
	assert_int_equal(a->malformed, b->malformed);
}

/* Run @test for each opcode there is. */
static void for_each_opcode(struct shared *s, void (*test)(struct shared *s, struct shape *shape))
{
	struct shape shape;
	unsigned count = 0;

	for (uint32_t opcode = 0; opcode < VFI_OPCODES; opcode++) {
		if (!make_shape(opcode, &shape))
			continue;
		test(s, &shape);
		count++;
	}
	assert_int_equal(count, 51); /* FUSE 7.45 */
}

static void whole(struct shared *s, struct shape *shape)
{
	struct fuse_request request = request_of(shape);
	struct outcome outcome = send_request(s, &request);

	assert_int_equal(outcome.malformed, 0);
	/* Not of the filesystem. */
	if (shape->op->flags & (VFI_OP_CORE | VFI_OP_NO_REPLY))
		return;
	assert_int_not_equal(outcome.error, 0);
}

static void whole_request_of_each_opcode_reaches_the_filesystem(void **state)
{
	for_each_opcode(*state, whole);
}

/* Whether the first @len bytes are a request of their own: no argument is missing. */
static bool is_whole(const struct shape *shape, uint32_t len)
{
	uint32_t min = shape->op->in_size ? shape->fixed_len : shape->op->in_min;

	return len == shape_len(shape) || (shape->names_len == 0 && len >= VFI_IN_HEADER + min);
}

static void cut_short(struct shared *s, struct shape *shape)
{
	struct fuse_request request = request_of(shape);
	struct outcome good = send_request(s, &request), outcome;

	for (uint32_t len = 1; len < shape_len(shape); len++) {
		request.readable_len = len;
		/* It says how long it is ... */
		request.header_len = len < VFI_IN_HEADER ? VFI_IN_HEADER : len;
		outcome = send_request(s, &request);
		if (is_whole(shape, len)) {
			assert_same(&outcome, &good);
		} else {
			assert_int_equal(outcome.malformed, 1);
			if (outcome.used)
				assert_int_equal(outcome.error, -EINVAL);
		}
		/* ... or promises more than there is. */
		request.header_len = shape_len(shape);
		outcome = send_request(s, &request);
		assert_int_equal(outcome.malformed, 1);
		if (outcome.used)
			assert_int_equal(outcome.error, -EINVAL);
	}
}

static void request_cut_short_anywhere_is_malformed(void **state)
{
	for_each_opcode(*state, cut_short);
}

static void split(struct shared *s, struct shape *shape)
{
	struct fuse_request request = request_of(shape);
	struct outcome good, outcome;
	uint32_t len = shape_len(shape);

	s->c->layout = FUSE_LAYOUT_CUTS;
	s->c->cuts[0] = s->c->cuts[1] = 0;
	good = send_request(s, &request);
	assert_int_equal(good.malformed, 0);
	for (uint32_t first = 0; first < len; first++) {
		for (uint32_t second = first; second < len; second++) {
			if (first == 0 && second == 0)
				continue;
			s->c->cuts[0] = first;
			s->c->cuts[1] = second;
			outcome = send_request(s, &request);
			assert_same(&outcome, &good);
		}
	}
}

static void request_in_any_three_pieces_is_the_same_request(void **state)
{
	for_each_opcode(*state, split);
}

static void longer(struct shared *s, struct shape *shape)
{
	struct fuse_request request = request_of(shape);
	struct outcome good = send_request(s, &request), outcome;
	char padding[7] = "padding";

	request.parts[2] = (struct iovec){ padding, sizeof(padding) };
	request.header_len = shape_len(shape);
	outcome = send_request(s, &request);
	assert_same(&outcome, &good);
}

static void padding_behind_a_request_is_ignored(void **state)
{
	for_each_opcode(*state, longer);
}

static void length_that_cannot_be(struct shared *s, struct shape *shape)
{
	static const uint32_t lengths[] = { 1, 39, UINT32_MAX };
	struct fuse_request request = request_of(shape);

	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct outcome outcome;

		request.header_len = lengths[i];
		outcome = send_request(s, &request);
		assert_int_equal(outcome.malformed, 1);
	}
}

static void length_in_the_header_that_cannot_be_is_malformed(void **state)
{
	for_each_opcode(*state, length_that_cannot_be);
}

static void little_room(struct shared *s, struct shape *shape)
{
	struct fuse_request request = request_of(shape);
	struct outcome outcome;

	if (shape->op->flags & VFI_OP_NO_REPLY)
		return;
	for (request.room = 0; request.room < VFI_OUT_HEADER; request.room++) {
		outcome = send_request(s, &request);
		assert_int_equal(outcome.used, 0);
		assert_int_equal(outcome.malformed, 1);
	}
	/* The request's values decide, and here they ask for nothing. */
	if (shape->op->out_size)
		return;
	for (; request.room < VFI_OUT_HEADER + (uint32_t)shape->op->out; request.room++) {
		outcome = send_request(s, &request);
		assert_int_equal(outcome.used, VFI_OUT_HEADER);
		assert_int_equal(outcome.error, -EINVAL);
		assert_int_equal(outcome.malformed, 1);
	}
	outcome = send_request(s, &request);
	assert_int_equal(outcome.malformed, 0);
}

static void request_without_room_for_its_answer_is_not_run(void **state)
{
	for_each_opcode(*state, little_room);
}

static void room_nobody_needs(struct shared *s, struct shape *shape)
{
	struct fuse_request request = request_of(shape);

	if (!(shape->op->flags & VFI_OP_NO_REPLY))
		return;
	request.room = ROOM;
	assert_int_equal(send_request(s, &request).used, 0);
}

static void request_without_an_answer_leaves_its_room_alone(void **state)
{
	for_each_opcode(*state, room_nobody_needs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED_TEST(whole_request_of_each_opcode_reaches_the_filesystem),
		SHARED_TEST(request_cut_short_anywhere_is_malformed),
		SHARED_TEST(request_in_any_three_pieces_is_the_same_request),
		SHARED_TEST(padding_behind_a_request_is_ignored),
		SHARED_TEST(length_in_the_header_that_cannot_be_is_malformed),
		SHARED_TEST(request_without_room_for_its_answer_is_not_run),
		SHARED_TEST(request_without_an_answer_leaves_its_room_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
