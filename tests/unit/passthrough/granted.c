/* SPDX-License-Identifier: BSD-2-Clause */
/* What an option changes of a session: flags of INIT, and how long an answer is good for. */
#include "guest.h"

static void begin_with(void **state, const char *name, const char *value)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	char error[128] = "";

	if (name && virtiofs_passthrough_set(&options, name, value, error, sizeof(error)) < 0)
		fail_msg("--%s: %s", name, error);
	guest_setup_with(state, &options);
}

static uint64_t flags_with(const char *name, const char *value)
{
	void *state;
	uint64_t flags;

	begin_with(&state, name, value);
	flags = ((struct guest *)state)->init.granted;
	guest_teardown(&state);
	return flags;
}

#define READDIRPLUS (VIRTIOFS_FUSE_DO_READDIRPLUS | VIRTIOFS_FUSE_READDIRPLUS_AUTO)

/* An option, and the flags that it adds to and takes from those of no option at all. */
static const struct {
	const char *name, *value;
	uint64_t added, taken;
} rows[] = {
	{ "cache", "auto", 0, 0 },
	{ "cache", "always", 0, VIRTIOFS_FUSE_AUTO_INVAL_DATA },
	{ "cache", "metadata", 0, 0 },
	{ "cache", "never", 0, READDIRPLUS | VIRTIOFS_FUSE_CACHE_SYMLINKS },
	{ "no-readdirplus", NULL, 0, READDIRPLUS },
	{ "readdirplus", NULL, 0, 0 },
	{ "allow-mmap", NULL, VIRTIOFS_FUSE_DIRECT_IO_ALLOW_MMAP, 0 },
	{ "no-allow-mmap", NULL, 0, 0 },
	{ "writeback", NULL, VIRTIOFS_FUSE_WRITEBACK_CACHE, 0 },
	{ "allow-direct-io", NULL, 0, 0 },
	{ "readonly", NULL, 0, 0 },
	{ "preserve-noatime", NULL, 0, 0 },
	{ "killpriv-v2", NULL, VIRTIOFS_FUSE_HANDLE_KILLPRIV_V2, 0 },
	{ "posix-lock", NULL, VIRTIOFS_FUSE_POSIX_LOCKS, 0 },
	{ "flock", NULL, VIRTIOFS_FUSE_FLOCK_LOCKS, 0 },
	{ "lock-timeout", "1.5", 0, 0 },
	{ "xattr", NULL, 0, 0 },
	{ "xattrmap", ":map::user.virtiofs.:", 0, 0 },
	{ "file-attr", NULL, VIRTIOFS_FUSE_HAS_IOCTL_DIR, 0 },
	{ "no-announce-submounts", NULL, 0, VIRTIOFS_FUSE_SUBMOUNTS },
	{ "no-export-support", NULL, 0, VIRTIOFS_FUSE_EXPORT_SUPPORT },
};

/* The library's own, which hold for any filesystem, come on top. */
static void without_options_these_are_granted_and_no_other(void **state)
{
	(void)state;
	assert_int_equal(flags_with(NULL, NULL),
			 VIRTIOFS_FUSE_ATOMIC_O_TRUNC | VIRTIOFS_FUSE_EXPORT_SUPPORT |
				 VIRTIOFS_FUSE_AUTO_INVAL_DATA | READDIRPLUS |
				 VIRTIOFS_FUSE_ASYNC_DIO | VIRTIOFS_FUSE_CACHE_SYMLINKS |
				 VIRTIOFS_FUSE_SUBMOUNTS | VIRTIOFS_FUSE_CREATE_SUPP_GROUP |
				 VIRTIOFS_FUSE_ALLOW_IDMAP);
}

static void each_option_grants_its_flags_and_no_other(void **state)
{
	const uint64_t plain = flags_with(NULL, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t flags = flags_with(rows[i].name, rows[i].value);

		if (flags != ((plain | rows[i].added) & ~rows[i].taken))
			print_error("--%s\n", rows[i].name);
		assert_int_equal(flags, (plain | rows[i].added) & ~rows[i].taken);
		assert_int_equal(plain & rows[i].added, 0);
		assert_int_equal(plain & rows[i].taken, rows[i].taken);
	}
}

static void readdirplus_can_be_had_without_a_cache(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	struct guest *g;

	options.cache = VIRTIOFS_CACHE_NEVER;
	options.readdirplus = VIRTIOFS_ON;
	guest_setup_with(state, &options);
	g = *state;
	assert_int_equal(g->init.granted & READDIRPLUS, READDIRPLUS);
	guest_teardown(state);
}

/* What a LOOKUP of a file that is there is good for. */
static struct virtiofs_fuse_entry_out entry_with(const char *name, const char *value)
{
	struct virtiofs_fuse_entry_out out;
	void *state;

	begin_with(&state, name, value);
	host_write(state, "file", "");
	assert_int_equal(do_lookup(state, ROOT, "file", &out), 0);
	assert_int_equal(out.attr.nlink, 1);
	guest_teardown(&state);
	return out;
}

static void timeouts_are_told_to_the_nanosecond(void **state)
{
	struct virtiofs_fuse_entry_out out = entry_with("entry-timeout", "2.5");

	(void)state;
	assert_int_equal(out.entry_valid, 2);
	assert_int_equal(out.entry_valid_nsec, 500000000);
	assert_int_equal(out.attr_valid, 1);
	assert_int_equal(out.attr_valid_nsec, 0);
	out = entry_with("attr-timeout", "0.000000001");
	assert_int_equal(out.entry_valid, 1);
	assert_int_equal(out.attr_valid, 0);
	assert_int_equal(out.attr_valid_nsec, 1);
	out = entry_with("entry-timeout", "0");
	assert_int_equal(out.entry_valid, 0);
	assert_int_equal(out.entry_valid_nsec, 0);
	assert_int_equal(out.attr_valid, 1);
}

static void absence_may_be_relied_on_where_that_is_asked_for(void **state)
{
	struct virtiofs_fuse_entry_out out;

	begin_with(state, "negative-timeout", "0.25");
	assert_int_equal(do_lookup(*state, ROOT, "nothing", &out), 0);
	assert_int_equal(out.nodeid, 0);
	assert_int_equal(out.entry_valid, 0);
	assert_int_equal(out.entry_valid_nsec, 250000000);
	/* Only that it is not there: any other error stays one. */
	assert_int_equal(do_lookup(*state, 77, "nothing", &out), -ESTALE);
	guest_teardown(state);
	begin_with(state, NULL, NULL);
	assert_int_equal(do_lookup(*state, ROOT, "nothing", &out), -ENOENT);
	guest_teardown(state);
}

static void times_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = { "",	  ".5",	 "1.",	 "-1",		 "1s",
					   "1,5", " 1",	 "1e3",	 "0.0000000001", "99999999999",
					   "inf", "0x1", "1.5.5" };
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	char error[128];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(virtiofs_passthrough_set(&options, "attr-timeout", bad[i], error,
							  sizeof(error)),
				 -EINVAL);
		assert_non_null(strstr(error, "--attr-timeout="));
	}
	assert_int_equal(options.attr_timeout, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_options_these_are_granted_and_no_other),
		cmocka_unit_test(each_option_grants_its_flags_and_no_other),
		cmocka_unit_test(readdirplus_can_be_had_without_a_cache),
		cmocka_unit_test(timeouts_are_told_to_the_nanosecond),
		cmocka_unit_test(absence_may_be_relied_on_where_that_is_asked_for),
		cmocka_unit_test(times_that_are_none_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
