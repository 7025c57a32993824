/* SPDX-License-Identifier: BSD-2-Clause */
/* ACLs: who sees them, what they do to what is made and to S_ISGID, and who can have them. */
#include "xattr.h"

#include "support/acl.h"

static int setup_acl(void **state)
{
	struct guest *g = begin(state, "posix-acl", "auto");

	g->req.granted =
		VIRTIOFS_FUSE_POSIX_ACL | VIRTIOFS_FUSE_DONT_MASK | VIRTIOFS_FUSE_SETXATTR_EXT;
	return 0;
}

static void need_acls(struct guest *g)
{
	host_write(g, "probe", "");
	if (lsetxattr(host_path(g, "probe"), ACL_ACCESS, &user_reads, sizeof(user_reads), 0))
		skip();
}

static void acls_are_for_who_goes_by_them(void **state)
{
	struct guest *g = *state;
	uint64_t node;
	char buf[128];

	need_acls(g);
	node = node_of(g, ROOT, "probe");
	assert_int_equal(do_get(g, node, ACL_ACCESS, buf, sizeof(buf)), sizeof(user_reads));
	assert_true(lists(g, node, ACL_ACCESS));
	g->req.granted = 0;
	assert_int_equal(do_get(g, node, ACL_ACCESS, buf, sizeof(buf)), -EOPNOTSUPP);
	assert_int_equal(do_get(g, node, ACL_DEFAULT, buf, sizeof(buf)), -EOPNOTSUPP);
	assert_int_equal(do_set(g, node, ACL_ACCESS, &user_reads, sizeof(user_reads), 0, 0),
			 -EOPNOTSUPP);
	assert_int_equal(do_remove(g, node, ACL_ACCESS), -EOPNOTSUPP);
	assert_false(lists(g, node, ACL_ACCESS));
	assert_int_equal(lgetxattr(host_path(g, "probe"), ACL_ACCESS, NULL, 0), sizeof(user_reads));
}

static void no_mapping_leads_to_acls_that_are_not_granted(void **state)
{
	struct guest *g = begin(state, "xattrmap", ":prefix:client:posix:system.: :ok:all:::");

	need_acls(g);
	assert_int_equal(do_remove(g, node_of(g, ROOT, "probe"), "posix_acl_access"), -EOPNOTSUPP);
	guest_teardown(state);
}

static mode_t mode_after_acl(struct guest *g, uint32_t flags)
{
	uint64_t node;

	host_write(g, "file", "");
	assert_int_equal(chmod(host_path(g, "file"), 02770), 0);
	node = node_of(g, ROOT, "file");
	assert_int_equal(do_set(g, node, ACL_ACCESS, &user_reads, sizeof(user_reads), 0, flags), 0);
	return host_stat(g, "file").st_mode & 07777;
}

static void acl_takes_s_isgid_of_who_may_not_keep_it(void **state)
{
	struct guest *g = *state;

	need_acls(g);
	if (geteuid() != 0)
		skip();
	assert_int_equal(mode_after_acl(g, 0), 02740);
	assert_int_equal(mode_after_acl(g, VIRTIOFS_FUSE_SETXATTR_ACL_KILL_SGID), 0740);
}

static void new_files_inherit_a_default_acl_and_no_umask(void **state)
{
	struct guest *g = *state;
	struct virtiofs_create_out out;
	struct virtiofs_fuse_entry_out entry;
	char buf[128];

	need_acls(g);
	if (geteuid() != 0)
		skip();
	g->umask = 077;
	assert_int_equal(do_create(g, ROOT, "before", O_WRONLY, 0666, &out), 0);
	assert_int_equal(out.entry.attr.mode, S_IFREG | 0600);
	assert_int_equal(do_set(g, ROOT, ACL_DEFAULT, &user_reads, sizeof(user_reads), 0, 0), 0);
	for (int dedicated = 0; dedicated < 2; dedicated++) {
		const char *name = dedicated ? "one" : "two";

		g->req.dedicated = dedicated;
		assert_int_equal(do_create(g, ROOT, name, O_WRONLY, 0666, &out), 0);
		assert_int_equal(out.entry.attr.mode, S_IFREG | 0640);
		assert_int_equal(do_get(g, out.entry.nodeid, ACL_ACCESS, buf, sizeof(buf)),
				 sizeof(user_reads));
	}
	assert_int_equal(do_mkdir(g, ROOT, "dir", 0777, &entry), 0);
	assert_int_equal(do_get(g, entry.nodeid, ACL_DEFAULT, buf, sizeof(buf)),
			 sizeof(user_reads));
}

/* ---- Negotiation ---- */

static char logged[256];

static void log_line(void *ctx, unsigned level, const char *message)
{
	(void)ctx;
	(void)level;
	snprintf(logged, sizeof(logged), "%s", message);
}

static int make(struct guest *g, struct virtiofs_passthrough_options *options,
		struct virtiofs_fs **fs)
{
	const struct virtiofs_env env = { .size = sizeof(env), .log = log_line };

	logged[0] = '\0';
	return virtiofs_passthrough_create(fs, &env, g->dir, options);
}

#define ACL_FLAGS (VIRTIOFS_FUSE_POSIX_ACL | VIRTIOFS_FUSE_DONT_MASK | VIRTIOFS_FUSE_SETXATTR_EXT)

/* Returns what a session begins with, and which of the flags were granted. */
static int negotiate(struct guest *g, uint32_t option, uint64_t offered, uint64_t *granted)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	struct virtiofs_init init = { .size = sizeof(init), .offered = offered };
	struct virtiofs_fs *fs;
	void *session;
	int err;

	options.posix_acl = option;
	assert_int_equal(make(g, &options, &fs), 0);
	assert_true((fs->ops.getxattr != NULL) == (option != VIRTIOFS_NEVER));
	err = fs->ops.session_begin(fs->fs, &session, &init);
	if (!err)
		fs->ops.session_end(session);
	*granted = init.granted & ACL_FLAGS;
	virtiofs_fs_destroy(fs);
	return err;
}

static void acls_are_an_option_that_a_guest_may_not_have(void **state)
{
	static const uint64_t less[] = { 0, ACL_FLAGS & ~VIRTIOFS_FUSE_POSIX_ACL,
					 ACL_FLAGS & ~VIRTIOFS_FUSE_DONT_MASK,
					 ACL_FLAGS & ~VIRTIOFS_FUSE_SETXATTR_EXT };
	struct guest *g = *state;
	uint64_t granted;

	assert_int_equal(negotiate(g, VIRTIOFS_NEVER, ACL_FLAGS, &granted), 0);
	assert_int_equal(granted, 0);
	assert_int_equal(negotiate(g, VIRTIOFS_AUTO, ACL_FLAGS, &granted), 0);
	assert_int_equal(granted, ACL_FLAGS);
	assert_int_equal(negotiate(g, VIRTIOFS_ALWAYS, ACL_FLAGS, &granted), 0);
	assert_int_equal(granted, ACL_FLAGS);
	assert_string_equal(logged, "");
	for (size_t i = 0; i < VFI_ARRAY_SIZE(less); i++) {
		assert_int_equal(negotiate(g, VIRTIOFS_AUTO, less[i], &granted), 0);
		assert_int_equal(granted, 0);
		assert_string_equal(logged, "posix ACLs requested but client does not support it, "
					    "continuing without");
		assert_int_equal(negotiate(g, VIRTIOFS_ALWAYS, less[i], &granted), -EPROTO);
		assert_string_equal(logged, "Cannot enable posix ACLs, client does not support it");
	}
}

static void acls_are_not_translated(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	struct virtiofs_init init = { .size = sizeof(init), .offered = ACL_FLAGS };
	struct guest *g = *state;
	struct virtiofs_fs *fs;
	void *session;

	options.translate_gid[0] = "map:0:1000:1";
	options.posix_acl = VIRTIOFS_ALWAYS;
	assert_int_equal(make(g, &options, &fs), -EINVAL);
	assert_non_null(strstr(logged, "with --posix-acl=always"));
	options.posix_acl = VIRTIOFS_AUTO;
	assert_int_equal(make(g, &options, &fs), 0);
	assert_non_null(strstr(logged, "no posix ACLs"));
	assert_int_equal(fs->ops.session_begin(fs->fs, &session, &init), 0);
	assert_int_equal(init.granted & ACL_FLAGS, 0);
	fs->ops.session_end(session);
	virtiofs_fs_destroy(fs);
}

static void options_that_are_none_are_refused(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	struct guest *g = *state;
	struct virtiofs_fs *fs;
	char error[128];

	options.posix_acl = 3;
	assert_int_equal(make(g, &options, &fs), -EINVAL);
	options.posix_acl = 0;
	options.xattrmap = ":ok:some:::";
	assert_int_equal(make(g, &options, &fs), -EINVAL);
	assert_string_equal(logged, "xattrmap: rule 1 is not for client, server or all");
	assert_int_equal(
		virtiofs_passthrough_set(&options, "xattrmap", ":nonsense:", error, sizeof(error)),
		-EINVAL);
	assert_string_equal(error, "--xattrmap: rule 1 is not prefix, ok, bad, unsupported or map");
	assert_int_equal(
		virtiofs_passthrough_set(&options, "posix-acl", NULL, error, sizeof(error)), 0);
	assert_int_equal(options.posix_acl, VIRTIOFS_ALWAYS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
#define TEST_ACL(name) cmocka_unit_test_setup_teardown(name, setup_acl, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST_ACL(acls_are_for_who_goes_by_them),
		cmocka_unit_test(no_mapping_leads_to_acls_that_are_not_granted),
		TEST_ACL(acl_takes_s_isgid_of_who_may_not_keep_it),
		TEST_ACL(new_files_inherit_a_default_acl_and_no_umask),
		TEST(acls_are_an_option_that_a_guest_may_not_have),
		TEST(acls_are_not_translated),
		TEST(options_that_are_none_are_refused),
	};

	umask(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
