/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/test.h"

#include <stdint.h>

#include "open_files.h"

static void as_many_as_the_system_can_spare_are_wanted(void **state)
{
	(void)state;
	/* A large host: as many as virtiofsd has always asked for. */
	assert_int_equal(open_files_wanted(1 << 30, INT64_MAX), 1000000);
	/* A process may have no more. */
	assert_int_equal(open_files_wanted(65536, INT64_MAX), 65536);
	/* A machine of 128 MiB: a quarter of its files is for others. */
	assert_int_equal(open_files_wanted(1 << 20, 12000), 9000);
	assert_int_equal(open_files_wanted(0, 0), 0);
	assert_int_equal(open_files_wanted(UINT64_MAX, UINT64_MAX), 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_as_the_system_can_spare_are_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
