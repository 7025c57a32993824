/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <virtiofs/device.h>
#include <virtiofs/passthrough.h>

#include "log.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* One of the values of an option that has a list of them. */
struct choice {
	const char *name;
	int value;
	const char *refused; /* why it is known and yet not accepted */
};

/* How an option's value gets into struct options, and the type of its member there. */
enum kind {
	KIND_TEXT,   /* const char *: the value, of min to max bytes */
	KIND_NUMBER, /* int: a decimal from min to max */
	KIND_CHOICE, /* int: that of the choice named */
	KIND_FLAG,   /* bool: true; takes no value */
	KIND_ACTION, /* int: min, and nothing more is read; takes no value */
};

struct row {
	const char *name;
	char letter; /* or 0 */
	enum kind kind;
	size_t offset; /* of the member */
	int min;
	int max;
	int unit;		      /* of a number: what it is a multiple of; 0: any */
	const struct choice *choices; /* ends with a NULL name */
	const char *value;	      /* what the help calls the value; NULL: the choices */
	const char *help;	      /* lines of at most 52 columns */
};

static const struct choice log_levels[] = {
	{ "error", VIRTIOFS_LOG_ERR, NULL },
	{ "warn", VIRTIOFS_LOG_WARNING, NULL },
	{ "info", VIRTIOFS_LOG_INFO, NULL },
	{ "debug", VIRTIOFS_LOG_DEBUG, NULL },
	{ "off", LOG_OFF, NULL },
	{ NULL, 0, NULL },
};

static const struct choice sandboxes[] = {
	{ "none", SANDBOX_NONE, NULL },
	{ "chroot", SANDBOX_CHROOT, NULL },
	{ "namespace", SANDBOX_DEFAULT, "is not available in this version" },
	{ NULL, 0, NULL },
};

static const struct row table[] = {
	{ .name = "socket-path",
	  .kind = KIND_TEXT,
	  .offset = offsetof(struct options, socket_path),
	  .min = 1,
	  .max = PATH_MAX,
	  .value = "PATH",
	  .help = "Make a UNIX socket at PATH and serve who connects" },
	{ .name = "fd",
	  .kind = KIND_NUMBER,
	  .offset = offsetof(struct options, fd),
	  .max = INT_MAX,
	  .value = "N",
	  .help = "Serve who connects to the listening UNIX socket that\n"
		  "is this process's descriptor N" },
	{ .name = "shared-dir",
	  .kind = KIND_TEXT,
	  .offset = offsetof(struct options, shared_dir),
	  .min = 1,
	  .max = PATH_MAX,
	  .value = "DIR",
	  .help = "Share the directory DIR" },
	{ .name = "tag",
	  .kind = KIND_TEXT,
	  .offset = offsetof(struct options, tag),
	  .min = 1,
	  .max = VIRTIOFS_TAG_MAX,
	  .value = "TAG",
	  .help = "The name the guest mounts by, up to 36 bytes; for\n"
		  "front-ends that ask the daemon (QEMU has its own)" },
	{ .name = "sandbox",
	  .kind = KIND_CHOICE,
	  .offset = offsetof(struct options, sandbox),
	  .choices = sandboxes,
	  .help = "What to confine the daemon to, apart from the checks\n"
		  "of every path (default: chroot as root, else none)" },
	{ .name = "num-request-queues",
	  .kind = KIND_NUMBER,
	  .offset = offsetof(struct options, num_request_queues),
	  .min = 1,
	  .max = 64,
	  .value = "N",
	  .help = "Request queues, each with a thread (default: 1)" },
	{ .name = "max-write",
	  .kind = KIND_NUMBER,
	  .offset = offsetof(struct options, max_write),
	  .min = 4096,
	  .max = 16 << 20,
	  .unit = 4096,
	  .value = "BYTES",
	  .help = "Data that one request reads or writes at most, a\n"
		  "multiple of 4096, and with it the pages of a request\n"
		  "(default: 1048576)" },
	{ .name = "exit-on-disconnect",
	  .kind = KIND_FLAG,
	  .offset = offsetof(struct options, exit_on_disconnect),
	  .help = "End when the client disconnects (default: wait for\n"
		  "the next one)" },
	{ .name = "log-level",
	  .kind = KIND_CHOICE,
	  .offset = offsetof(struct options, log_level),
	  .choices = log_levels,
	  .help = "What to log to stderr (default: info)" },
	{ .name = "print-capabilities",
	  .kind = KIND_ACTION,
	  .min = ACTION_CAPABILITIES,
	  .offset = offsetof(struct options, action),
	  .help = "Show what management tools ask for, as JSON, and end" },
	{ .name = "help",
	  .letter = 'h',
	  .kind = KIND_ACTION,
	  .min = ACTION_HELP,
	  .offset = offsetof(struct options, action),
	  .help = "Show this text and end" },
	{ .name = "version",
	  .letter = 'V',
	  .kind = KIND_ACTION,
	  .min = ACTION_VERSION,
	  .offset = offsetof(struct options, action),
	  .help = "Show the version and end" },
};

const char *options_name(size_t index)
{
	const struct virtiofs_option *option;

	if (index < ARRAY_SIZE(table))
		return table[index].name;
	option = virtiofs_passthrough_option(index - ARRAY_SIZE(table));
	return option ? option->name : NULL;
}

static bool takes_value(const struct row *row)
{
	return row->kind != KIND_FLAG && row->kind != KIND_ACTION;
}

/* The choices that are accepted, with @separator in between. */
static void print_choices(FILE *file, const struct choice *choices, const char *separator)
{
	const char *before = "";

	for (; choices->name; choices++) {
		if (choices->refused)
			continue;
		fprintf(file, "%s%s", before, choices->name);
		before = separator;
	}
}

static void print_help(FILE *file, const char *help)
{
	while (*help) {
		size_t len = strcspn(help, "\n");

		fprintf(file, "            %.*s\n", (int)len, help);
		help += len + (help[len] == '\n');
	}
}

static void print_row(FILE *file, const struct row *row)
{
	if (row->letter)
		fprintf(file, "  -%c, --%s", row->letter, row->name);
	else
		fprintf(file, "      --%s", row->name);
	if (takes_value(row))
		fputc('=', file);
	if (row->value)
		fputs(row->value, file);
	else if (row->choices)
		print_choices(file, row->choices, "|");
	fputc('\n', file);
	print_help(file, row->help);
}

static void print_fs_option(FILE *file, const struct virtiofs_option *option)
{
	/* All by itself, a flag has a way back. */
	fprintf(file, "      --%s%s", option->value ? "" : "[no-]", option->name);
	if (option->value)
		fprintf(file, option->optional ? "[=%s]" : "=%s", option->value);
	fputc('\n', file);
	print_help(file, option->help);
}

void options_help(FILE *file)
{
	fputs("Usage: virtiofsd --socket-path=PATH|--fd=N --shared-dir=DIR [OPTION]...\n"
	      "Share a directory with a guest, as a virtio-fs device over vhost-user.\n\n",
	      file);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		print_row(file, &table[i]);
	fputs("\nThe share:\n", file);
	for (size_t i = 0; virtiofs_passthrough_option(i); i++)
		print_fs_option(file, virtiofs_passthrough_option(i));
	fputs("\nA value may also be an argument of its own: --cache always.\n"
	      "Exit status: 0 ended as asked, 1 failed, 2 a bad command line.\n",
	      file);
}

/* Where to write an error: memory that is cut off at its end, and always ends in a NUL. */
static FILE *open_error(char error[OPTIONS_ERROR_SIZE])
{
	error[0] = '\0';
	return fmemopen(error, OPTIONS_ERROR_SIZE, "w");
}

static int close_error(FILE *file, char error[OPTIONS_ERROR_SIZE])
{
	if (file)
		fclose(file);
	error[OPTIONS_ERROR_SIZE - 1] = '\0';
	return -EINVAL;
}

static int unknown_option(const char *arg, char error[OPTIONS_ERROR_SIZE])
{
	FILE *file = open_error(error);
	size_t len = strcspn(arg, "=");

	if (!file)
		return -EINVAL;
	/* Cut, so that the list behind it always has room. */
	fprintf(file, "unknown option '%.*s'; the options are", len < 64 ? (int)len : 64, arg);
	for (size_t i = 0; options_name(i); i++)
		fprintf(file, "%s --%s", i ? "," : "", options_name(i));
	return close_error(file, error);
}

static int bad_choice(const struct row *row, const char *value, const char *why,
		      char error[OPTIONS_ERROR_SIZE])
{
	FILE *file = open_error(error);

	if (!file)
		return -EINVAL;
	fprintf(file, "--%s=%s %s; allowed are ", row->name, value, why);
	print_choices(file, row->choices, ", ");
	return close_error(file, error);
}

static int bad_value(char error[OPTIONS_ERROR_SIZE], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int bad_value(char error[OPTIONS_ERROR_SIZE], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, OPTIONS_ERROR_SIZE, format, args);
	va_end(args);
	return -EINVAL;
}

static int set_text(const struct row *row, const char **member, const char *value,
		    char error[OPTIONS_ERROR_SIZE])
{
	size_t len = strlen(value);

	if (len < (size_t)row->min || len > (size_t)row->max)
		return bad_value(error, "--%s: a value of %zu bytes; allowed are %d to %d",
				 row->name, len, row->min, row->max);
	*member = value;
	return 0;
}

static int set_number(const struct row *row, int *member, const char *value,
		      char error[OPTIONS_ERROR_SIZE])
{
	char *end;
	long number;

	errno = 0;
	number = strtol(value, &end, 10);
	/* strtol() also takes blanks and signs. */
	if (value[0] < '0' || value[0] > '9' || *end || errno || number < row->min ||
	    number > row->max)
		return bad_value(error, "--%s=%s is not a number from %d to %d", row->name, value,
				 row->min, row->max);
	if (row->unit && number % row->unit)
		return bad_value(error, "--%s=%s is not a multiple of %d", row->name, value,
				 row->unit);
	*member = (int)number;
	return 0;
}

static int set_choice(const struct row *row, int *member, const char *value,
		      char error[OPTIONS_ERROR_SIZE])
{
	for (const struct choice *choice = row->choices; choice->name; choice++) {
		if (strcmp(choice->name, value) != 0)
			continue;
		if (choice->refused)
			return bad_choice(row, value, choice->refused, error);
		*member = choice->value;
		return 0;
	}
	return bad_choice(row, value, "is not known", error);
}

static int set(struct options *options, const struct row *row, const char *value,
	       char error[OPTIONS_ERROR_SIZE])
{
	void *member = (char *)options + row->offset;

	switch (row->kind) {
	case KIND_TEXT:
		return set_text(row, member, value, error);
	case KIND_NUMBER:
		return set_number(row, member, value, error);
	case KIND_CHOICE:
		return set_choice(row, member, value, error);
	case KIND_FLAG:
		*(bool *)member = true;
		return 0;
	case KIND_ACTION:
		*(int *)member = row->min;
		return 0;
	}
	return -EINVAL;
}

/* The row of "--name", "--name=value" or "-n"; *@value gets what is behind the '='. */
static const struct row *find(const char *arg, const char **value)
{
	const char *name = arg + 2;
	size_t len = strcspn(arg, "=");

	*value = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const struct row *row = &table[i];

		if (row->letter && arg[1] == row->letter && arg[2] == '\0')
			return row;
		if (arg[1] != '-' || strlen(row->name) != len - 2 ||
		    strncmp(name, row->name, len - 2) != 0)
			continue;
		if (arg[len] == '=')
			*value = arg + len + 1;
		return row;
	}
	return NULL;
}

/* ---- The filesystem's ---- */

/* The option of the library's that "--name" or "--name=value" is; NULL: it is none. */
static const struct virtiofs_option *find_fs_option(const char *arg)
{
	const char *name = arg + 2;
	size_t len = strcspn(arg, "=");

	if (strncmp(arg, "--", 2) != 0)
		return NULL;
	len -= 2;
	for (size_t i = 0; virtiofs_passthrough_option(i); i++) {
		const struct virtiofs_option *option = virtiofs_passthrough_option(i);
		size_t skip = !option->value && strncmp(name, "no-", 3) == 0 ? 3 : 0;

		if (strlen(option->name) == len - skip &&
		    strncmp(option->name, name + skip, len - skip) == 0)
			return option;
	}
	return NULL;
}

/* Set @option of the library's from the argument @arg, and perhaps the one behind it. */
static int set_fs_option(struct options *options, const struct virtiofs_option *option,
			 const char *arg, const char *next, bool *took_next,
			 char error[OPTIONS_ERROR_SIZE])
{
	size_t len = strcspn(arg, "=");
	const char *value = arg[len] == '=' ? arg + len + 1 : NULL;
	char name[64];

	*took_next = option->value && !option->optional && !value && next;
	if (*took_next)
		value = next;
	snprintf(name, sizeof(name), "%.*s", (int)len - 2, arg + 2);
	return virtiofs_passthrough_set(&options->fs, name, value, error, OPTIONS_ERROR_SIZE);
}

/* What cannot be seen in one option alone. */
static int check(const struct options *options, char error[OPTIONS_ERROR_SIZE])
{
	if (options->socket_path && options->fd >= 0)
		return bad_value(error, "--socket-path and --fd exclude each other");
	if (!options->socket_path && options->fd < 0)
		return bad_value(error, "one of --socket-path and --fd is needed");
	if (!options->shared_dir)
		return bad_value(error, "--shared-dir is needed");
	return 0;
}

int options_parse(struct options *options, int argc, char *const argv[],
		  char error[OPTIONS_ERROR_SIZE])
{
	*options = (struct options){
		.action = ACTION_SERVE,
		.fd = -1,
		.fs = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT,
		.log_level = VIRTIOFS_LOG_INFO,
		.sandbox = SANDBOX_DEFAULT,
		.num_request_queues = 1,
		.max_write = 1 << 20,
	};
	for (int i = 1; i < argc && options->action == ACTION_SERVE; i++) {
		const struct row *row;
		const char *value;
		const struct virtiofs_option *fs_option;
		bool took_next;
		int err;

		if (argv[i][0] != '-' || argv[i][1] == '\0')
			return bad_value(error, "unexpected argument '%s'", argv[i]);
		fs_option = find_fs_option(argv[i]);
		if (fs_option) {
			err = set_fs_option(options, fs_option, argv[i], argv[i + 1], &took_next,
					    error);
			if (err)
				return err;
			i += took_next;
			continue;
		}
		row = find(argv[i], &value);
		if (!row)
			return unknown_option(argv[i], error);
		if (value && !takes_value(row))
			return bad_value(error, "--%s takes no value", row->name);
		if (takes_value(row) && !value) {
			if (++i == argc)
				return bad_value(error, "--%s needs a value", row->name);
			value = argv[i];
		}
		err = set(options, row, value, error);
		if (err)
			return err;
	}
	return options->action == ACTION_SERVE ? check(options, error) : 0;
}
