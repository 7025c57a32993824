/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/bitmap.h"

#include <errno.h>

#include "support/test.h"

static void empty_set_has_no_next(void **state)
{
	struct vfi_bitmap bitmap;

	(void)state;
	assert_int_equal(vfi_bitmap_init(&bitmap, 0), -EINVAL);
	assert_int_equal(vfi_bitmap_init(&bitmap, 1000), 0);
	assert_int_equal(vfi_bitmap_next(&bitmap, 0), 1000);
	assert_int_equal(vfi_bitmap_next(&bitmap, 999), 1000);
	assert_int_equal(vfi_bitmap_next(&bitmap, 5000), 1000);
	vfi_bitmap_destroy(&bitmap);
}

static void next_is_the_least_from_there_on(void **state)
{
	static const uint32_t numbers[] = { 0, 1, 63, 64, 65, 700, 999 };
	struct vfi_bitmap bitmap;
	uint32_t from = 0;

	(void)state;
	assert_int_equal(vfi_bitmap_init(&bitmap, 1000), 0);
	for (size_t i = VFI_ARRAY_SIZE(numbers); i-- > 0;)
		vfi_bitmap_set(&bitmap, numbers[i]);
	for (size_t i = 0; i < VFI_ARRAY_SIZE(numbers); i++) {
		assert_int_equal(vfi_bitmap_next(&bitmap, from), numbers[i]);
		assert_int_equal(vfi_bitmap_next(&bitmap, numbers[i]), numbers[i]);
		from = numbers[i] + 1;
	}
	assert_int_equal(vfi_bitmap_next(&bitmap, from), 1000);
	vfi_bitmap_destroy(&bitmap);
}

static void cleared_is_not_found(void **state)
{
	struct vfi_bitmap bitmap;

	(void)state;
	assert_int_equal(vfi_bitmap_init(&bitmap, 130), 0);
	vfi_bitmap_set(&bitmap, 5);
	vfi_bitmap_set(&bitmap, 129);
	vfi_bitmap_clear(&bitmap, 5);
	vfi_bitmap_clear(&bitmap, 6);
	assert_int_equal(vfi_bitmap_next(&bitmap, 0), 129);
	vfi_bitmap_clear(&bitmap, 129);
	assert_int_equal(vfi_bitmap_next(&bitmap, 0), 130);
	vfi_bitmap_destroy(&bitmap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_set_has_no_next),
		cmocka_unit_test(next_is_the_least_from_there_on),
		cmocka_unit_test(cleared_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
