/* SPDX-License-Identifier: BSD-2-Clause */
/* An operation in parts: what a part is, and how results add up. */
#include "support/test.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "io/engine.h"

static char buffer[64];

static struct vfi_io_op make_op(enum vfi_io_kind kind, const struct iovec *iov, uint32_t count)
{
	struct vfi_io_op op = { .kind = kind, .iov = iov, .iov_count = count };

	for (uint32_t i = 0; i < count; i++)
		op.len += iov[i].iov_len;
	return op;
}

static void part_takes_at_most_what_a_call_takes(void **state)
{
	static struct iovec iov[IOV_MAX + 1];
	struct vfi_io_op op;
	const struct iovec *part;

	(void)state;
	for (size_t i = 0; i < IOV_MAX + 1; i++)
		iov[i] = (struct iovec){ buffer, 1 };
	op = make_op(VFI_IO_READ, iov, IOV_MAX + 1);
	assert_int_equal(vfi_io_next_part(&op, &part), IOV_MAX);
	assert_ptr_equal(part, iov);
}

static void part_never_begins_with_empty_iovecs(void **state)
{
	const struct iovec iov[] = { { buffer, 0 }, { buffer, 0 }, { buffer, 3 }, { buffer, 0 } };
	struct vfi_io_op op = make_op(VFI_IO_READ, iov, 4);
	const struct iovec *part;

	(void)state;
	assert_int_equal(vfi_io_next_part(&op, &part), 2);
	assert_ptr_equal(part, &iov[2]);
}

static void short_part_goes_on_inside_its_iovec(void **state)
{
	const struct iovec iov[] = { { buffer, 4 }, { buffer + 4, 0 }, { buffer + 8, 4 } };
	struct vfi_io_op op = make_op(VFI_IO_WRITE, iov, 3);
	const struct iovec *part;
	int64_t result = -1;

	(void)state;
	assert_true(vfi_io_end_part(&op, 3, &result));
	assert_int_equal(vfi_io_next_part(&op, &part), 1);
	assert_ptr_equal(part->iov_base, buffer + 3);
	assert_int_equal(part->iov_len, 1);
	assert_true(vfi_io_end_part(&op, 1, &result));
	assert_int_equal(vfi_io_next_part(&op, &part), 1);
	assert_ptr_equal(part->iov_base, buffer + 8);
	assert_false(vfi_io_end_part(&op, 4, &result));
	assert_int_equal(result, 8);
}

static void end_of_file_gives_the_bytes_before_it(void **state)
{
	const struct iovec iov = { buffer, 8 };
	struct vfi_io_op op = make_op(VFI_IO_READ, &iov, 1);
	int64_t result = -1;

	(void)state;
	assert_true(vfi_io_end_part(&op, 5, &result));
	assert_false(vfi_io_end_part(&op, 0, &result));
	assert_int_equal(result, 5);
}

static void error_after_some_bytes_fails_a_read_but_shortens_a_write(void **state)
{
	const struct iovec iov = { buffer, 8 };
	struct vfi_io_op rd = make_op(VFI_IO_READ, &iov, 1);
	struct vfi_io_op wr = make_op(VFI_IO_WRITE, &iov, 1);
	int64_t result = -1;

	(void)state;
	assert_true(vfi_io_end_part(&rd, 5, &result));
	assert_false(vfi_io_end_part(&rd, -EIO, &result));
	assert_int_equal(result, -EIO);
	assert_true(vfi_io_end_part(&wr, 5, &result));
	assert_false(vfi_io_end_part(&wr, -ENOSPC, &result));
	assert_int_equal(result, 5);
}

static void whole_write_fails_where_it_is_cut_short(void **state)
{
	const struct iovec iov = { buffer, 8 };
	struct vfi_io_op wr = make_op(VFI_IO_WRITE, &iov, 1);
	int64_t result = -1;

	(void)state;
	wr.whole = true;
	assert_true(vfi_io_end_part(&wr, 5, &result));
	assert_false(vfi_io_end_part(&wr, -ENOSPC, &result));
	assert_int_equal(result, -ENOSPC);
	wr = make_op(VFI_IO_WRITE, &iov, 1);
	wr.whole = true;
	assert_true(vfi_io_end_part(&wr, 5, &result));
	assert_false(vfi_io_end_part(&wr, 3, &result));
	assert_int_equal(result, 8);
}

static void interruption_is_tried_again_unless_cancelled(void **state)
{
	struct vfi_io_op op = make_op(VFI_IO_FSYNC, NULL, 0);
	int64_t result = -1;

	(void)state;
	assert_true(vfi_io_end_part(&op, -EINTR, &result));
	op.cancelled = true;
	assert_false(vfi_io_end_part(&op, -EINTR, &result));
	assert_int_equal(result, -ECANCELED);
}

static void cancelled_operation_begins_no_further_part(void **state)
{
	const struct iovec iov = { buffer, 8 };
	struct vfi_io_op rd = make_op(VFI_IO_READ, &iov, 1);
	struct vfi_io_op wr = make_op(VFI_IO_WRITE, &iov, 1);
	struct vfi_io_op whole = make_op(VFI_IO_READ, &iov, 1);
	int64_t result = -1;

	(void)state;
	rd.cancelled = wr.cancelled = whole.cancelled = true;
	assert_false(vfi_io_end_part(&rd, 5, &result));
	assert_int_equal(result, -ECANCELED);
	assert_false(vfi_io_end_part(&wr, 5, &result));
	assert_int_equal(result, 5);
	assert_false(vfi_io_end_part(&whole, 8, &result));
	assert_int_equal(result, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(part_takes_at_most_what_a_call_takes),
		cmocka_unit_test(part_never_begins_with_empty_iovecs),
		cmocka_unit_test(short_part_goes_on_inside_its_iovec),
		cmocka_unit_test(end_of_file_gives_the_bytes_before_it),
		cmocka_unit_test(error_after_some_bytes_fails_a_read_but_shortens_a_write),
		cmocka_unit_test(whole_write_fails_where_it_is_cut_short),
		cmocka_unit_test(interruption_is_tried_again_unless_cancelled),
		cmocka_unit_test(cancelled_operation_begins_no_further_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
