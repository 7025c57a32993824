/* SPDX-License-Identifier: BSD-2-Clause */
/* The passthrough filesystem's options by name. */
#include "support/test.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <virtiofs/passthrough.h>

static struct virtiofs_passthrough_options options;
static char error[128];

static int set(const char *name, const char *value)
{
	error[0] = '\0';
	return virtiofs_passthrough_set(&options, name, value, error, sizeof(error));
}

static int begin(void **state)
{
	(void)state;
	options = (struct virtiofs_passthrough_options)VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	return 0;
}

static void every_option_is_documented_and_settable(void **state)
{
	const struct virtiofs_option *option;
	char first[64];

	(void)state;
	for (size_t i = 0; (option = virtiofs_passthrough_option(i)); i++) {
		assert_true(strlen(option->name) > 0 && strlen(option->help) > 0);
		assert_true(option->help[strlen(option->help) - 1] != '\n');
		for (const char *line = option->help; *line;) {
			size_t len = strcspn(line, "\n");

			assert_in_range(len, 1, 56);
			line += len + (line[len] == '\n');
		}
		/* A flag, or one of the values that it shows. */
		if (!option->value) {
			assert_int_equal(set(option->name, NULL), 0);
		} else if (strchr(option->value, '|')) {
			size_t len = strcspn(option->value, "|");

			memcpy(first, option->value, len);
			first[len] = '\0';
			assert_int_equal(set(option->name, first), 0);
			assert_int_equal(set(option->name, "nonsense"), -EINVAL);
			assert_non_null(strstr(error, first));
		}
		assert_int_equal(set(option->name, NULL),
				 option->value && !option->optional ? -EINVAL : 0);
	}
}

static void unknown_names_are_told_from_bad_values(void **state)
{
	(void)state;
	assert_int_equal(set("cach", "auto"), -ENOENT);
	assert_int_equal(set("", NULL), -ENOENT);
	/* Only what takes no value has a way back. */
	assert_int_equal(set("no-cache", NULL), -ENOENT);
	assert_int_equal(set("cache", "sometimes"), -EINVAL);
	assert_string_equal(error, "--cache=sometimes is not known; allowed are auto, always, "
				   "metadata, never");
	assert_int_equal(set("cache", "auto|always"), -EINVAL);
	assert_int_equal(set("cache", ""), -EINVAL);
}

static void numbers_are_decimal_and_in_their_range(void **state)
{
	static const char *const bad[] = {
		"0",  "-1",   "+1", " 1",	  "1 ",
		"1k", "0x10", "",   "4294967295", "99999999999999999999999"
	};

	(void)state;
	assert_int_equal(set("max-inodes", "4294967294"), 0);
	assert_int_equal(options.max_inodes, 4294967294);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(set("max-inodes", bad[i]), -EINVAL);
		assert_non_null(strstr(error, "is not a number from 1 to 4294967294"));
	}
	assert_int_equal(options.max_inodes, 4294967294);
}

static void rules_are_looked_at_as_they_come(void **state)
{
	(void)state;
	assert_int_equal(set("translate-uid", "map:0:1000:1"), 0);
	assert_int_equal(set("translate-uid", "guest:0:5:1"), -EINVAL);
	assert_string_equal(error,
			    "--translate-uid=guest:0:5:1: Mapping intersects previously added "
			    "entry of its direction");
	assert_int_equal(set("translate-uid", "maps:0:5:1"), -EINVAL);
	assert_non_null(strstr(error, "--translate-uid=maps:0:5:1: Unknown type"));
	assert_int_equal(set("translate-uid", "forbid-guest:1:5"), 0);
	assert_int_equal(set("translate-gid", "guest:0:5:1"), 0);
	assert_string_equal(options.translate_uid[0], "map:0:1000:1");
	assert_string_equal(options.translate_uid[1], "forbid-guest:1:5");
	assert_null(options.translate_uid[2]);
	assert_string_equal(options.translate_gid[0], "guest:0:5:1");
}

/* A program of an older header has a shorter struct, and no member to set. */
static void option_behind_the_callers_struct_is_unknown(void **state)
{
	(void)state;
	options.size = offsetof(struct virtiofs_passthrough_options, max_inodes);
	assert_int_equal(set("cache", "never"), 0);
	assert_int_equal(set("max-inodes", "1"), -ENOENT);
	assert_int_equal(options.max_inodes, 0);
}

static void long_values_do_not_overrun_the_text(void **state)
{
	static char value[4096];

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	assert_int_equal(set("cache", value), -EINVAL);
	assert_int_equal(strlen(error), sizeof(error) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_option_is_documented_and_settable, begin),
		cmocka_unit_test_setup(unknown_names_are_told_from_bad_values, begin),
		cmocka_unit_test_setup(numbers_are_decimal_and_in_their_range, begin),
		cmocka_unit_test_setup(rules_are_looked_at_as_they_come, begin),
		cmocka_unit_test_setup(option_behind_the_callers_struct_is_unknown, begin),
		cmocka_unit_test_setup(long_values_do_not_overrun_the_text, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
