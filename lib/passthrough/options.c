/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The options by name: one table, from which programs have their command lines,
 * their help and the text of their errors.
 */
#include "passthrough/share.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* What a row's member is. */
enum kind {
	KIND_FLAG,   /* uint32_t: VIRTIOFS_ON, or by "no-NAME" VIRTIOFS_OFF */
	KIND_CHOICE, /* uint32_t: the place of the value among those of the help */
	KIND_NUMBER, /* uint32_t: a decimal from min to max */
	KIND_TIME,   /* uint64_t: nanoseconds of a decimal number of seconds */
	KIND_TEXT,   /* const char *: borrowed */
	KIND_LIST,   /* const char *[max + 1]: the values, borrowed, up to a NULL */
};

struct row {
	struct virtiofs_option option;
	enum kind kind;
	size_t offset; /* of the member */
	uint32_t min;
	uint32_t max;
	uint32_t bare; /* of a choice whose value is left out */
	/* Whether a text, or one value more of a list, is good: 0, or an errno and a text of
	 * why not; NULL: any is. */
	int (*check)(const char *const *list, const char *value, char *error, size_t error_size);
};

#define MEMBER(name) .offset = offsetof(struct virtiofs_passthrough_options, name)

static const struct row rows[] = {
	{ .option = { .name = "cache",
		      .value = "auto|always|metadata|never",
		      .help = "How long the guest may rely on what it has read:\n"
			      "auto, a second; always, a day; metadata, a day, but\n"
			      "not for data; never, not at all (default: auto)" },
	  .kind = KIND_CHOICE,
	  MEMBER(cache) },
	{ .option = { .name = "attr-timeout",
		      .value = "SECONDS",
		      .help = "How long attributes may be relied on (default: as\n"
			      "--cache says)" },
	  .kind = KIND_TIME,
	  MEMBER(attr_timeout) },
	{ .option = { .name = "entry-timeout",
		      .value = "SECONDS",
		      .help = "How long names may be relied on (default: as --cache\n"
			      "says)" },
	  .kind = KIND_TIME,
	  MEMBER(entry_timeout) },
	{ .option = { .name = "negative-timeout",
		      .value = "SECONDS",
		      .help = "How long the absence of a name may be relied on\n"
			      "(default: 0)" },
	  .kind = KIND_TIME,
	  MEMBER(negative_timeout) },
	{ .option = { .name = "readdirplus",
		      .help = "Have a listing carry the attributes of what it lists\n"
			      "(default: on, but for --cache=never)" },
	  .kind = KIND_FLAG,
	  MEMBER(readdirplus) },
	{ .option = { .name = "allow-mmap",
		      .help = "Have files be mapped shared whose data is not cached\n"
			      "(default: off)" },
	  .kind = KIND_FLAG,
	  MEMBER(allow_mmap) },
	{ .option = { .name = "readonly",
		      .help = "Have nothing changed, however the guest mounts it\n"
			      "(default: off)" },
	  .kind = KIND_FLAG,
	  MEMBER(readonly) },
	{ .option = { .name = "writeback",
		      .help = "Have the guest keep what is written to itself, and write\n"
			      "it later (default: off)" },
	  .kind = KIND_FLAG,
	  MEMBER(writeback) },
	{ .option = { .name = "allow-direct-io",
		      .help = "Open with O_DIRECT what the guest's programs open so\n"
			      "(default: off)" },
	  .kind = KIND_FLAG,
	  MEMBER(allow_direct_io) },
	{ .option = { .name = "preserve-noatime",
		      .help = "Open with O_NOATIME what the guest's programs open so\n"
			      "(default: off)" },
	  .kind = KIND_FLAG,
	  MEMBER(preserve_noatime) },
	{ .option = { .name = "killpriv-v2",
		      .help = "Take set-user-id and set-group-id bits off what a user\n"
			      "writes to, without a request of the guest's for each\n"
			      "(default: off)" },
	  .kind = KIND_FLAG,
	  MEMBER(killpriv_v2) },
	{ .option = { .name = "file-attr",
		      .help = "Have the guest read and change what lsattr(1) shows\n"
			      "(default: off)" },
	  .kind = KIND_FLAG,
	  MEMBER(file_attr) },
	{ .option = { .name = "announce-submounts",
		      .help = "Have what is mounted below DIR be mounts to the guest\n"
			      "too (default: on)" },
	  .kind = KIND_FLAG,
	  MEMBER(announce_submounts) },
	{ .option = { .name = "export-support",
		      .help = "Have the guest find a file by its handle when its kernel\n"
			      "has forgotten it, as its NFS server needs (default: on)" },
	  .kind = KIND_FLAG,
	  MEMBER(export_support) },
	{ .option = { .name = "security-label",
		      .value = "never|auto|always",
		      .optional = true,
		      .help = "Store the label that the guest's security module\n"
			      "(SELinux) has for what it makes; auto, with guests\n"
			      "that can; always, and refuse others (default: never)" },
	  .kind = KIND_CHOICE,
	  .bare = VIRTIOFS_ALWAYS,
	  MEMBER(security_label) },
	{ .option = { .name = "xattr", .help = "Serve extended attributes (default: off)" },
	  .kind = KIND_FLAG,
	  MEMBER(xattr) },
	{ .option = { .name = "xattrmap",
		      .value = "RULES",
		      .help = "Give extended attributes other names on the host than in\n"
			      "the guest, and have --xattr: \":TYPE:SCOPE:KEY:PREPEND:\"\n"
			      "once or several times; TYPE is prefix, ok, bad or\n"
			      "unsupported, SCOPE is client, server or all; or\n"
			      "\":map:KEY:PREPEND:\" as the last" },
	  .kind = KIND_TEXT,
	  MEMBER(xattrmap),
	  .check = vfi_xattrmap_check },
	{ .option = { .name = "posix-acl",
		      .value = "never|auto|always",
		      .optional = true,
		      .help = "Have POSIX ACLs, and --xattr; auto, with guests that\n"
			      "can; always, and refuse others (default: never)" },
	  .kind = KIND_CHOICE,
	  .bare = VIRTIOFS_ALWAYS,
	  MEMBER(posix_acl) },
	{ .option = { .name = "posix-lock",
		      .help = "Have locks of fcntl(2) hold on the host too, and between\n"
			      "guests (default: off, each guest has its own)" },
	  .kind = KIND_FLAG,
	  MEMBER(posix_lock) },
	{ .option = { .name = "flock", .help = "The same for flock(2) (default: off)" },
	  .kind = KIND_FLAG,
	  MEMBER(flock) },
	{ .option = { .name = "lock-timeout",
		      .value = "SECONDS",
		      .help = "How long a program waits for a lock that others hold,\n"
			      "before it gets EAGAIN (default: 60)" },
	  .kind = KIND_TIME,
	  MEMBER(lock_timeout) },
	{ .option = { .name = "translate-uid",
		      .value = "RULE",
		      .help = "Give users other numbers in the guest than on the host;\n"
			      "RULE is guest:G:H:N, host:H:G:N, map:G:H:N,\n"
			      "squash-guest:G:H:N, squash-host:H:G:N or\n"
			      "forbid-guest:G:N; may be given several times" },
	  .kind = KIND_LIST,
	  MEMBER(translate_uid),
	  .check = vfi_idmap_check,
	  .max = VIRTIOFS_TRANSLATE_MAX - 1 },
	{ .option = { .name = "translate-gid", .value = "RULE", .help = "The same for groups" },
	  .kind = KIND_LIST,
	  MEMBER(translate_gid),
	  .check = vfi_idmap_check,
	  .max = VIRTIOFS_TRANSLATE_MAX - 1 },
	{ .option = { .name = "inode-file-handles",
		      .value = "prefer|never|mandatory",
		      .help = "How to find a file again that is known and not in use:\n"
			      "by its file handle, else by its name (prefer, the\n"
			      "default); never, or in no other way (mandatory)" },
	  .kind = KIND_CHOICE,
	  MEMBER(inode_file_handles) },
	{ .option = { .name = "max-hot-inodes",
		      .value = "N",
		      .help = "Files and directories that keep a descriptor when the\n"
			      "guest knows them (default: half of RLIMIT_NOFILE)" },
	  .kind = KIND_NUMBER,
	  MEMBER(max_hot_inodes),
	  .min = 1,
	  .max = INT32_MAX },
	{ .option = { .name = "max-inodes",
		      .value = "N",
		      .help = "Files and directories that the guest may know at once" },
	  .kind = KIND_NUMBER,
	  MEMBER(max_inodes),
	  .min = 1,
	  .max = UINT32_MAX - 1 },
	{ .option = { .name = "max-handles",
		      .value = "N",
		      .help = "Files and directories that the guest may have open at\n"
			      "once" },
	  .kind = KIND_NUMBER,
	  MEMBER(max_handles),
	  .min = 1,
	  .max = UINT32_MAX - 1 },
};

const struct virtiofs_option *virtiofs_passthrough_option(size_t index)
{
	return index < VFI_ARRAY_SIZE(rows) ? &rows[index].option : NULL;
}

/* The row of @name; *@on is false for "no-" before that of a flag. */
static const struct row *find(const char *name, bool *on)
{
	for (size_t i = 0; i < VFI_ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];

		*on = strcmp(name, row->option.name) == 0;
		if (*on || (row->kind == KIND_FLAG && strncmp(name, "no-", 3) == 0 &&
			    strcmp(name + 3, row->option.name) == 0))
			return row;
	}
	return NULL;
}

/* The place of @value in "one|two|three"; -1: it is none of them. */
static int place(const char *choices, const char *value)
{
	size_t len = strlen(value);

	for (int i = 0; *choices; i++) {
		size_t n = strcspn(choices, "|");

		if (n == len && memcmp(choices, value, n) == 0)
			return i;
		choices += n + (choices[n] == '|');
	}
	return -1;
}

static bool parse_number(const char *value, uint64_t max, const char **end, uint64_t *number)
{
	*number = 0;
	if (*value < '0' || *value > '9')
		return false;
	for (; *value >= '0' && *value <= '9'; value++) {
		*number = *number * 10 + (uint64_t)(*value - '0');
		if (*number > max)
			return false;
	}
	*end = value;
	return true;
}

/* "1", "0.25": to nanoseconds, of which none is lost. */
static bool parse_time(const char *value, uint64_t *ns)
{
	const uint64_t second = 1000000000;
	uint64_t unit = second, sec;

	if (!parse_number(value, UINT32_MAX, &value, &sec))
		return false;
	*ns = sec * second;
	if (*value == '.' && value[1] != '\0') {
		for (value++; *value >= '0' && *value <= '9' && unit > 1; value++) {
			unit /= 10;
			*ns += unit * (uint64_t)(*value - '0');
		}
	}
	return *value == '\0';
}

static int set_choice(const struct row *row, const char *value, uint32_t *member, char *error,
		      size_t error_size)
{
	int at = value ? place(row->option.value, value) : (int)row->bare;
	const char *choices = row->option.value;
	int n;

	if (at >= 0) {
		*member = (uint32_t)at;
		return 0;
	}
	n = snprintf(error, error_size, "--%s=%s is not known; allowed are", row->option.name,
		     value);
	while (*choices && n > 0 && (size_t)n < error_size) {
		size_t len = strcspn(choices, "|");

		n += snprintf(error + n, error_size - (size_t)n, " %.*s%s", (int)len, choices,
			      choices[len] ? "," : "");
		choices += len + (choices[len] == '|');
	}
	return -EINVAL;
}

static int set_number(const struct row *row, const char *value, uint32_t *member, char *error,
		      size_t error_size)
{
	uint64_t number;
	const char *end;

	if (!parse_number(value, row->max, &end, &number) || *end || number < row->min) {
		snprintf(error, error_size, "--%s=%s is not a number from %u to %u",
			 row->option.name, value, row->min, row->max);
		return -EINVAL;
	}
	*member = (uint32_t)number;
	return 0;
}

static int set_time(const struct row *row, const char *value, uint64_t *member, char *error,
		    size_t error_size)
{
	uint64_t ns;

	if (!parse_time(value, &ns)) {
		snprintf(error, error_size,
			 "--%s=%s is not a number of seconds, with at most nine decimals",
			 row->option.name, value);
		return -EINVAL;
	}
	/* Zero in a member is its default. */
	*member = ns ? ns : VIRTIOFS_NO_TIME;
	return 0;
}

static int check(const struct row *row, const char *const *list, const char *value, char *error,
		 size_t error_size)
{
	char why[128];
	int err = row->check ? row->check(list, value, why, sizeof(why)) : 0;

	if (err)
		snprintf(error, error_size, "--%s%s%s", row->option.name,
			 row->kind == KIND_LIST ? "=" : ": ", why);
	return err;
}

static int set_text(const struct row *row, const char *value, const char **member, char *error,
		    size_t error_size)
{
	int err = check(row, NULL, value, error, error_size);

	if (!err)
		*member = value;
	return err;
}

static int add(const struct row *row, const char *value, const char **list, char *error,
	       size_t error_size)
{
	uint32_t n = 0;
	int err;

	while (n < row->max && list[n])
		n++;
	if (n == row->max) {
		snprintf(error, error_size, "--%s is given more than %u times", row->option.name,
			 row->max);
		return -EINVAL;
	}
	err = check(row, list, value, error, error_size);
	if (!err)
		list[n] = value;
	return err;
}

int virtiofs_passthrough_set(struct virtiofs_passthrough_options *options, const char *name,
			     const char *value, char *error, size_t error_size)
{
	bool on;
	const struct row *row = find(name, &on);
	void *member;

	if (!row || row->offset >= options->size)
		return -ENOENT;
	member = (char *)options + row->offset;
	if (!row->option.value && value) {
		snprintf(error, error_size, "--%s takes no value", name);
		return -EINVAL;
	}
	if (row->option.value && !value && !row->option.optional) {
		snprintf(error, error_size, "--%s needs a value", name);
		return -EINVAL;
	}
	switch (row->kind) {
	case KIND_FLAG:
		*(uint32_t *)member = on ? VIRTIOFS_ON : VIRTIOFS_OFF;
		return 0;
	case KIND_CHOICE:
		return set_choice(row, value, member, error, error_size);
	case KIND_NUMBER:
		return set_number(row, value, member, error, error_size);
	case KIND_TIME:
		return set_time(row, value, member, error, error_size);
	case KIND_TEXT:
		return set_text(row, value, member, error, error_size);
	case KIND_LIST:
		return add(row, value, member, error, error_size);
	}
	return -EINVAL;
}
