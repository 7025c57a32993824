/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

struct newer {
	size_t size;
	uint32_t known;
	uint32_t tail;
};

struct ours {
	size_t size;
	uint32_t known;
	uint32_t pad;
};

static void sized_struct_of_an_older_caller_is_filled_up(void **state)
{
	struct ours dst;
	size_t older = sizeof(older);

	(void)state;
	memset(&dst, 0xff, sizeof(dst));
	assert_int_equal(vfi_copy_sized(&dst, sizeof(dst), &older), 0);
	assert_int_equal(dst.size, sizeof(dst));
	assert_int_equal(dst.known, 0);
}

static void sized_struct_of_a_newer_caller_needs_a_zero_tail(void **state)
{
	struct newer src = { .size = sizeof(src), .known = 7 };
	unsigned char dst[12];

	(void)state;
	assert_int_equal(vfi_copy_sized(dst, sizeof(dst), &src), 0);
	src.tail = 1;
	assert_int_equal(vfi_copy_sized(dst, sizeof(dst), &src), -E2BIG);
}

static void sized_struct_without_a_size_is_refused(void **state)
{
	struct ours src = { .size = 0 };
	struct ours dst;

	(void)state;
	assert_int_equal(vfi_copy_sized(&dst, sizeof(dst), &src), -EINVAL);
	src.size = SIZE_MAX;
	assert_int_equal(vfi_copy_sized(&dst, sizeof(dst), &src), -EINVAL);
}

static void *no_memory(void *ctx, size_t size, size_t align)
{
	(void)ctx;
	(void)size;
	(void)align;
	return NULL;
}

static void allocator_comes_whole_or_not_at_all(void **state)
{
	struct virtiofs_env half = { .size = sizeof(half), .alloc = no_memory };
	struct virtiofs_env env;

	(void)state;
	assert_int_equal(vfi_env_init(&env, &half), -EINVAL);
}

static void default_memory_is_zeroed_and_aligned(void **state)
{
	struct virtiofs_env env;
	unsigned char *p;

	(void)state;
	assert_int_equal(vfi_env_init(&env, NULL), 0);
	p = vfi_alloc(&env, 100);
	assert_non_null(p);
	assert_int_equal((uintptr_t)p % 64, 0);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	vfi_free(&env, p, 100);
	assert_null(vfi_alloc_array(&env, SIZE_MAX / 2, 3));
}

static char logged[512];

static void log_line(void *ctx, unsigned level, const char *message)
{
	(void)ctx;
	snprintf(logged, sizeof(logged), "%u %s", level, message);
}

static void log_line_is_formatted_and_keeps_errno(void **state)
{
	struct virtiofs_env env = { .size = sizeof(env), .log = log_line };

	(void)state;
	errno = ENOENT;
	vfi_log(&env, VIRTIOFS_LOG_INFO, "%s %d", "answer", 42);
	assert_int_equal(errno, ENOENT);
	assert_string_equal(logged, "6 answer 42");
}

static void rate_limit_counts_what_it_drops(void **state)
{
	struct vfi_ratelimit limit = { 0, 0 };
	uint32_t dropped = 99;
	int passed = 0;

	(void)state;
	for (int i = 0; i < 10; i++)
		passed += vfi_ratelimit_ok(&limit, &dropped);
	/* A second may turn over in between, hardly two. */
	assert_in_range(passed, 1, 2);
	assert_int_equal(dropped + limit.dropped, 10 - passed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sized_struct_of_an_older_caller_is_filled_up),
		cmocka_unit_test(sized_struct_of_a_newer_caller_needs_a_zero_tail),
		cmocka_unit_test(sized_struct_without_a_size_is_refused),
		cmocka_unit_test(allocator_comes_whole_or_not_at_all),
		cmocka_unit_test(default_memory_is_zeroed_and_aligned),
		cmocka_unit_test(log_line_is_formatted_and_keeps_errno),
		cmocka_unit_test(rate_limit_counts_what_it_drops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
