/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <virtiofs/passthrough.h>

#include "log.h"
#include "options.h"

static char error[OPTIONS_ERROR_SIZE];

/* Parse the words behind the program's name, up to a NULL. */
static int parse(struct options *options, const char *const args[])
{
	char *argv[16] = { (char *)(uintptr_t) "virtiofsd" };
	int argc = 1;

	for (; args[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)args[argc - 1];
	error[0] = '\0';
	return options_parse(options, argc, argv, error);
}

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define SERVE "--socket-path=/s", "--shared-dir=/d"

static void defaults_are_those_of_the_man_page(void **state)
{
	struct options options;

	(void)state;
	assert_int_equal(parse(&options, ARGS(SERVE)), 0);
	assert_int_equal(options.action, ACTION_SERVE);
	assert_string_equal(options.socket_path, "/s");
	assert_int_equal(options.fd, -1);
	assert_string_equal(options.shared_dir, "/d");
	assert_null(options.tag);
	assert_int_equal(options.fs.cache, VIRTIOFS_CACHE_AUTO);
	assert_int_equal(options.log_level, VIRTIOFS_LOG_INFO);
	assert_int_equal(options.sandbox, SANDBOX_DEFAULT);
	assert_int_equal(options.num_request_queues, 1);
	assert_int_equal(options.max_write, 1 << 20);
	assert_false(options.exit_on_disconnect);
}

static void value_is_behind_an_equals_sign_or_the_next_argument(void **state)
{
	struct options options;

	(void)state;
	assert_int_equal(parse(&options, ARGS("--socket-path", "/a=b", "--shared-dir=/x=y", "--tag",
					      "-t", "--cache", "never", "--log-level=off",
					      "--sandbox", "chroot", "--num-request-queues", "64")),
			 0);
	assert_string_equal(options.socket_path, "/a=b");
	assert_string_equal(options.shared_dir, "/x=y");
	assert_string_equal(options.tag, "-t");
	assert_int_equal(options.fs.cache, VIRTIOFS_CACHE_NEVER);
	assert_int_equal(options.log_level, LOG_OFF);
	assert_int_equal(options.sandbox, SANDBOX_CHROOT);
	assert_int_equal(options.num_request_queues, 64);
}

static void last_of_a_repeated_option_counts(void **state)
{
	struct options options;

	(void)state;
	assert_int_equal(parse(&options, ARGS(SERVE, "--cache=never", "--cache=always",
					      "--exit-on-disconnect", "--exit-on-disconnect")),
			 0);
	assert_int_equal(options.fs.cache, VIRTIOFS_CACHE_ALWAYS);
	assert_true(options.exit_on_disconnect);
}

static void flag_of_the_share_is_taken_back_by_its_no(void **state)
{
	struct options options;

	(void)state;
	assert_int_equal(parse(&options, ARGS(SERVE)), 0);
	assert_int_equal(options.fs.file_attr, 0);
	assert_int_equal(parse(&options, ARGS(SERVE, "--file-attr", "--max-inodes", "7")), 0);
	assert_int_equal(options.fs.file_attr, VIRTIOFS_ON);
	assert_int_equal(options.fs.max_inodes, 7);
	assert_int_equal(parse(&options, ARGS(SERVE, "--file-attr", "--no-file-attr")), 0);
	assert_int_equal(options.fs.file_attr, VIRTIOFS_OFF);
}

static void listening_descriptor_takes_the_place_of_a_path(void **state)
{
	struct options options;

	(void)state;
	assert_int_equal(parse(&options, ARGS("--fd=0", "--shared-dir=/d")), 0);
	assert_int_equal(options.fd, 0);
	assert_null(options.socket_path);
}

static void help_and_version_need_nothing_else(void **state)
{
	struct options options;

	(void)state;
	assert_int_equal(parse(&options, ARGS("--help", "--nonsense")), 0);
	assert_int_equal(options.action, ACTION_HELP);
	assert_int_equal(parse(&options, ARGS("-h")), 0);
	assert_int_equal(options.action, ACTION_HELP);
	assert_int_equal(parse(&options, ARGS("--version")), 0);
	assert_int_equal(options.action, ACTION_VERSION);
	assert_int_equal(parse(&options, ARGS("-V")), 0);
	assert_int_equal(options.action, ACTION_VERSION);
	assert_int_equal(parse(&options, ARGS("--print-capabilities")), 0);
	assert_int_equal(options.action, ACTION_CAPABILITIES);
}

/* A command line that is refused, and the error; NULL: an unknown option's. */
static const struct {
	const char *args[5]; /* the last one NULL */
	const char *error;
} refused[] = {
	{ { NULL }, "one of --socket-path and --fd is needed" },
	{ { "--socket-path=/s" }, "--shared-dir is needed" },
	{ { SERVE, "--fd=3" }, "--socket-path and --fd exclude each other" },
	{ { SERVE, "--cache" }, "--cache needs a value" },
	{ { SERVE, "--cache=none" },
	  "--cache=none is not known; allowed are auto, always, metadata, never" },
	{ { SERVE, "--cache=" },
	  "--cache= is not known; allowed are auto, always, metadata, never" },
	{ { SERVE, "--log-level=loud" },
	  "--log-level=loud is not known; allowed are error, warn, info, debug, off" },
	{ { SERVE, "--sandbox=namespace" },
	  "--sandbox=namespace is not available in this version; allowed are none, chroot" },
	{ { SERVE, "--num-request-queues=0" },
	  "--num-request-queues=0 is not a number from 1 to 64" },
	{ { SERVE, "--num-request-queues=65" },
	  "--num-request-queues=65 is not a number from 1 to 64" },
	{ { SERVE, "--num-request-queues=2x" },
	  "--num-request-queues=2x is not a number from 1 to 64" },
	{ { SERVE, "--num-request-queues= 2" },
	  "--num-request-queues= 2 is not a number from 1 to 64" },
	{ { SERVE, "--num-request-queues=" },
	  "--num-request-queues= is not a number from 1 to 64" },
	{ { SERVE, "--max-write=0" }, "--max-write=0 is not a number from 4096 to 16777216" },
	{ { SERVE, "--max-write=16781312" },
	  "--max-write=16781312 is not a number from 4096 to 16777216" },
	{ { SERVE, "--max-write=5000" }, "--max-write=5000 is not a multiple of 4096" },
	{ { "--shared-dir=/d", "--fd=-1" }, "--fd=-1 is not a number from 0 to 2147483647" },
	{ { "--shared-dir=/d", "--fd=99999999999999999999" },
	  "--fd=99999999999999999999 is not a number from 0 to 2147483647" },
	{ { SERVE, "--tag=" }, "--tag: a value of 0 bytes; allowed are 1 to 36" },
	{ { SERVE, "--tag=0123456789012345678901234567890123456" },
	  "--tag: a value of 37 bytes; allowed are 1 to 36" },
	{ { "--socket-path=" }, "--socket-path: a value of 0 bytes; allowed are 1 to 4096" },
	{ { SERVE, "--exit-on-disconnect=yes" }, "--exit-on-disconnect takes no value" },
	{ { SERVE, "--help=me" }, "--help takes no value" },
	{ { SERVE, "--file-attr=on" }, "--file-attr takes no value" },
	{ { SERVE, "--no-cache" }, NULL },
	{ { SERVE, "--max-handles=0" }, "--max-handles=0 is not a number from 1 to 4294967294" },
	{ { SERVE, "--max-handles=4294967295" },
	  "--max-handles=4294967295 is not a number from 1 to 4294967294" },
	{ { SERVE, "/mnt" }, "unexpected argument '/mnt'" },
	{ { SERVE, "-" }, "unexpected argument '-'" },
	{ { SERVE, "" }, "unexpected argument ''" },
};

static void bad_command_lines_say_what_is_wrong_and_what_is_allowed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct options options;

		assert_int_equal(parse(&options, refused[i].args), -EINVAL);
		if (refused[i].error)
			assert_string_equal(error, refused[i].error);
		else
			assert_memory_equal(error, "unknown option", 14);
	}
}

static void unknown_option_is_answered_with_the_list(void **state)
{
	static const char *const unknown[] = {
		"--nonsense", "--nonsense=1", "--socket", "--socket-path2", "-x",
		"-hV",	      "--",	      "-o",	  "---help"
	};
	char line[256];
	struct options options;

	(void)state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		snprintf(line, sizeof(line),
			 "unknown option '%.*s'; the options are --socket-path,",
			 (int)strcspn(unknown[i], "="), unknown[i]);
		assert_int_equal(parse(&options, ARGS(SERVE, unknown[i])), -EINVAL);
		assert_memory_equal(error, line, strlen(line));
		for (size_t o = 0; options_name(o); o++) {
			snprintf(line, sizeof(line), " --%s", options_name(o));
			assert_non_null(strstr(error, line));
		}
	}
}

static void error_about_a_very_long_option_still_ends_with_the_list(void **state)
{
	static char arg[100000];
	struct options options;

	(void)state;
	memset(arg, '-', sizeof(arg) - 1);
	assert_int_equal(parse(&options, ARGS(arg)), -EINVAL);
	assert_non_null(strstr(error, "--version"));
	for (size_t i = 0; i < strlen("--cache="); i++)
		arg[i] = "--cache="[i];
	assert_int_equal(parse(&options, ARGS(arg)), -EINVAL);
	assert_int_equal(strlen(error), OPTIONS_ERROR_SIZE - 1);
}

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 65536);

	assert_non_null(file);
	assert_non_null(text);
	assert_in_range(fread(text, 1, 65535, file), 1, 65534);
	fclose(file);
	return text;
}

/* "\-\-socket\-path" as roff has it. */
static void roff_name(char *roff, size_t size, const char *name)
{
	size_t n = (size_t)snprintf(roff, size, "\\-\\-");

	for (; *name; name++)
		n += (size_t)snprintf(roff + n, size - n, *name == '-' ? "\\-" : "%c", *name);
}

static void every_option_has_a_paragraph_in_the_man_page(void **state)
{
	char *page = read_file(MAN_PAGE);
	char roff[128];
	unsigned listed = 0;
	unsigned options = 0;
	const char *section = strstr(page, ".SH OPTIONS");
	char *end;

	(void)state;
	assert_non_null(section);
	end = strstr(section, ".SH EXIT STATUS");
	assert_non_null(end);
	*end = '\0';
	for (; options_name(options); options++) {
		const char *p = section;
		bool found = false;

		roff_name(roff, sizeof(roff), options_name(options));
		while (!found && (p = strstr(p, ".T"))) {
			const char *at;

			p += strlen(".T");
			/* A paragraph's tag, or one more tag of the same. */
			if (strncmp(p, "P\n", 2) != 0 && strncmp(p, "Q\n", 2) != 0)
				continue;
			p += 2;
			at = strstr(p, roff);
			found = at && at < strchr(p, '\n') && strchr("= \n", at[strlen(roff)]);
		}
		if (!found)
			print_error("no paragraph for --%s\n", options_name(options));
		assert_true(found);
	}
	/* And none that is no option any more. */
	for (const char *p = section; (p = strstr(p, ".TP\n")); p += 4) {
		const char *dashes = strstr(p, "\\-\\-");

		listed += dashes && dashes < strchr(p + 4, '\n');
	}
	for (const char *p = section; (p = strstr(p, ".TQ\n")); p += 4)
		listed++;
	assert_int_equal(listed, options);
	free(page);
}

static void help_shows_every_option_and_fits_a_terminal(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	char dashed[64];

	(void)state;
	assert_non_null(file);
	options_help(file);
	fclose(file);
	for (size_t i = 0; options_name(i); i++) {
		snprintf(dashed, sizeof(dashed), "  --%s", options_name(i));
		if (!strstr(text, dashed))
			snprintf(dashed, sizeof(dashed), ", --%s", options_name(i));
		if (!strstr(text, dashed))
			snprintf(dashed, sizeof(dashed), "  --[no-]%s", options_name(i));
		assert_non_null(strstr(text, dashed));
	}
	assert_non_null(strstr(text, "--cache=auto|always|metadata|never\n"));
	assert_non_null(strstr(text, "--sandbox=none|chroot\n"));
	assert_non_null(strstr(text, "--[no-]file-attr\n"));
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");

		assert_in_range(len, 0, 80);
		line += len + 1;
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_man_page),
		cmocka_unit_test(value_is_behind_an_equals_sign_or_the_next_argument),
		cmocka_unit_test(last_of_a_repeated_option_counts),
		cmocka_unit_test(flag_of_the_share_is_taken_back_by_its_no),
		cmocka_unit_test(listening_descriptor_takes_the_place_of_a_path),
		cmocka_unit_test(help_and_version_need_nothing_else),
		cmocka_unit_test(bad_command_lines_say_what_is_wrong_and_what_is_allowed),
		cmocka_unit_test(unknown_option_is_answered_with_the_list),
		cmocka_unit_test(error_about_a_very_long_option_still_ends_with_the_list),
		cmocka_unit_test(every_option_has_a_paragraph_in_the_man_page),
		cmocka_unit_test(help_shows_every_option_and_fits_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
