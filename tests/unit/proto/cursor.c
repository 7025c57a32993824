/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading and writing are the same over every split of the bytes. */
#include "support/test.h"

#include <string.h>

#include "proto/proto.h"
#include "support/pieces.h"

static const unsigned char text[] = "0123456789ab";
enum { LEN = sizeof(text) - 1 };

/* Runs @check on LEN bytes cut in every way at @count places. */
static void over_every_split(uint32_t count, const void *src, void (*check)(const struct pieces *p))
{
	size_t cuts[3] = { 0 };

	do {
		struct pieces p;

		pieces_cut(&p, src, LEN, cuts, count);
		check(&p);
		pieces_free(&p);
	} while (pieces_next_cuts(cuts, count, LEN));
}

static void read_in_two_steps(const struct pieces *p)
{
	for (size_t first = 0; first <= LEN; first++) {
		unsigned char got[LEN];
		struct vfi_cursor c;

		vfi_cursor_init(&c, p->iov, p->count);
		assert_int_equal(vfi_cursor_left(&c), LEN);
		assert_true(vfi_cursor_read(&c, got, first));
		assert_int_equal(vfi_cursor_left(&c), LEN - first);
		assert_true(vfi_cursor_read(&c, got + first, LEN - first));
		assert_int_equal(vfi_cursor_left(&c), 0);
		assert_memory_equal(got, text, LEN);
		assert_true(vfi_cursor_read(&c, got, 0));
		assert_false(vfi_cursor_read(&c, got, 1));
	}
}

static void reads_are_the_same_over_every_split(void **state)
{
	(void)state;
	for (uint32_t count = 0; count <= 3; count++)
		over_every_split(count, text, read_in_two_steps);
}

static void skip_then_write(const struct pieces *p)
{
	for (size_t from = 0; from <= LEN; from++) {
		unsigned char got[LEN], expected[LEN];
		struct vfi_cursor c;

		for (uint32_t i = 0; i < p->count; i++) {
			if (p->iov[i].iov_len)
				memset(p->iov[i].iov_base, '-', p->iov[i].iov_len);
		}
		vfi_cursor_init(&c, p->iov, p->count);
		assert_true(vfi_cursor_skip(&c, from));
		assert_true(vfi_cursor_write(&c, text, (LEN - from) / 2));
		assert_true(vfi_cursor_write(&c, text, 0));

		memset(expected, '-', LEN);
		memcpy(expected + from, text, (LEN - from) / 2);
		pieces_gather(p, got);
		assert_memory_equal(got, expected, LEN);
	}
}

static void writes_are_the_same_over_every_split(void **state)
{
	(void)state;
	for (uint32_t count = 0; count <= 3; count++)
		over_every_split(count, NULL, skip_then_write);
}

static void access_behind_the_end_moves_nothing_and_stays_failed(void **state)
{
	const size_t cuts[] = { 3, 3, 9 };
	unsigned char got[LEN + 1] = { 0 };
	struct vfi_cursor c;
	struct pieces p;

	(void)state;
	pieces_cut(&p, text, LEN, cuts, 3);
	vfi_cursor_init(&c, p.iov, p.count);
	assert_true(vfi_cursor_read(&c, got, 2));
	assert_false(vfi_cursor_read(&c, got, LEN - 1));
	assert_memory_equal(got, "01\0", 3);
	assert_int_equal(vfi_cursor_left(&c), LEN - 2);
	assert_false(vfi_cursor_read(&c, got, 1));
	assert_false(vfi_cursor_write(&c, got, 0));
	assert_false(vfi_cursor_skip(&c, 0));
	pieces_free(&p);
}

static void no_iovecs_are_no_bytes(void **state)
{
	struct vfi_cursor c;
	unsigned char byte = 7;

	(void)state;
	vfi_cursor_init(&c, NULL, 0);
	assert_int_equal(vfi_cursor_left(&c), 0);
	assert_true(vfi_cursor_read(&c, &byte, 0));
	assert_false(vfi_cursor_read(&c, &byte, 1));
	assert_int_equal(byte, 7);
	assert_int_equal(vfi_iov_len(NULL, 0), 0);
}

static void lengths_that_overflow_are_as_long_as_can_be(void **state)
{
	unsigned char bytes[4] = "abc";
	const struct iovec iov[] = {
		{ bytes, sizeof(bytes) },
		{ bytes, SIZE_MAX },
		{ bytes, SIZE_MAX },
	};
	struct vfi_cursor c;

	(void)state;
	assert_int_equal(vfi_iov_len(iov, 3), SIZE_MAX);
	vfi_cursor_init(&c, iov, 3);
	assert_int_equal(vfi_cursor_left(&c), SIZE_MAX);
	assert_true(vfi_cursor_skip(&c, 2));
	assert_int_equal(vfi_cursor_left(&c), SIZE_MAX);
	assert_true(vfi_cursor_skip(&c, SIZE_MAX));
	assert_int_equal(c.index, 1);
	assert_int_equal(c.offset, SIZE_MAX - 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_are_the_same_over_every_split),
		cmocka_unit_test(writes_are_the_same_over_every_split),
		cmocka_unit_test(access_behind_the_end_moves_nothing_and_stays_failed),
		cmocka_unit_test(no_iovecs_are_no_bytes),
		cmocka_unit_test(lengths_that_overflow_are_as_long_as_can_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
