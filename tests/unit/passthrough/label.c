/* SPDX-License-Identifier: BSD-2-Clause */
/* The label that a guest's security module sends with what it makes. */
#include "guest.h"

#include <sys/wait.h>
#include <sys/xattr.h>

enum { USER = 1234, GROUP = 2345 };

static const char label_name[] = "security.virtiofs-test";

/* To set attributes of that kind takes CAP_SYS_ADMIN, and a file system that has them. */
static void need_labels(struct guest *g)
{
	if (geteuid() != 0 || fsetxattr(g->dir, label_name, "x", 1, 0))
		skip();
	assert_int_equal(fchmod(g->dir, 0777), 0);
	become(g, USER, GROUP);
}

static void send_label(struct guest *g, const char *name, const char *label)
{
	g->req.label_name = name;
	g->req.label = label;
}

static bool has_label(const struct guest *g, const char *name, const char *label)
{
	char path[128], value[64];
	ssize_t len;

	snprintf(path, sizeof(path), "%s/%s", g->path, name);
	len = lgetxattr(path, label_name, value, sizeof(value));
	return len == (ssize_t)strlen(label) && memcmp(value, label, (size_t)len) == 0;
}

/* One of each kind. Returns the first error. */
static int make_all(struct guest *g)
{
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_create_out out;
	int err = do_create(g, ROOT, "file", O_WRONLY, 0200, &out);

	if (!err)
		err = do_release(g, out.entry.nodeid, out.open.fh);
	if (!err)
		err = do_mkdir(g, ROOT, "dir", 0700, &entry);
	if (!err)
		err = do_mknod(g, ROOT, "node", S_IFREG | 0, 0, &entry);
	if (!err)
		err = do_mknod(g, ROOT, "fifo", S_IFIFO | 0600, 0, &entry);
	if (!err)
		err = do_mknod(g, ROOT, "socket", S_IFSOCK | 0600, 0, &entry);
	if (!err)
		err = do_symlink(g, ROOT, "link", "/etc/passwd", &entry);
	return err;
}

static const char *const all[] = { "file", "dir", "node", "fifo", "socket", "link" };

static bool all_have_label(const struct guest *g, const char *label)
{
	for (size_t i = 0; i < VFI_ARRAY_SIZE(all); i++) {
		if (!has_label(g, all[i], label))
			return false;
	}
	return true;
}

/* ---- Negotiation ---- */

static char logged[256];

static void log_line(void *ctx, unsigned level, const char *message)
{
	(void)ctx;
	(void)level;
	snprintf(logged, sizeof(logged), "%s", message);
}

/* What a session begins with, and whether labels were granted. */
static int negotiate(const struct guest *g, uint32_t option, uint64_t offered, bool *granted)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	struct virtiofs_env env = { .size = sizeof(env), .log = log_line };
	struct virtiofs_init init = { .size = sizeof(init), .offered = offered };
	struct virtiofs_fs *fs;
	void *session;
	int err;

	logged[0] = '\0';
	options.security_label = option;
	assert_int_equal(virtiofs_passthrough_create(&fs, &env, g->dir, &options), 0);
	err = fs->ops.session_begin(fs->fs, &session, &init);
	if (!err)
		fs->ops.session_end(session);
	*granted = init.granted & VIRTIOFS_FUSE_SECURITY_CTX;
	virtiofs_fs_destroy(fs);
	return err;
}

static void labels_are_an_option_that_a_guest_may_not_have(void **state)
{
	const uint64_t with = VIRTIOFS_FUSE_SECURITY_CTX, without = 0;
	struct guest *g = *state;
	bool granted;

	assert_int_equal(negotiate(g, VIRTIOFS_NEVER, with, &granted), 0);
	assert_false(granted);
	assert_int_equal(negotiate(g, VIRTIOFS_AUTO, with, &granted), 0);
	assert_true(granted);
	assert_int_equal(negotiate(g, VIRTIOFS_ALWAYS, with, &granted), 0);
	assert_true(granted);
	assert_int_equal(negotiate(g, VIRTIOFS_NEVER, without, &granted), 0);
	assert_string_equal(logged, "");
	assert_int_equal(negotiate(g, VIRTIOFS_AUTO, without, &granted), 0);
	assert_non_null(strstr(logged, "continuing without"));
	assert_int_equal(negotiate(g, VIRTIOFS_ALWAYS, without, &granted), -EPROTO);
	assert_non_null(strstr(logged, "Cannot enable security label"));
}

static void label_option_has_three_values(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	struct guest *g = *state;
	struct virtiofs_fs *fs;
	char error[128];

	options.security_label = 3;
	assert_int_equal(virtiofs_passthrough_create(&fs, NULL, g->dir, &options), -EINVAL);
	assert_int_equal(
		virtiofs_passthrough_set(&options, "security-label", "auto", error, sizeof(error)),
		0);
	assert_int_equal(options.security_label, VIRTIOFS_AUTO);
	assert_int_equal(
		virtiofs_passthrough_set(&options, "security-label", NULL, error, sizeof(error)),
		0);
	assert_int_equal(options.security_label, VIRTIOFS_ALWAYS);
}

/* ---- Labels ---- */

static void everything_made_has_its_label(void **state)
{
	struct guest *g = *state;

	need_labels(g);
	send_label(g, label_name, "system_u:object_r:tmp_t:s0");
	assert_int_equal(make_all(g), 0);
	assert_true(all_have_label(g, "system_u:object_r:tmp_t:s0"));
	assert_int_equal(host_stat(g, "file").st_uid, USER);
}

static void without_one_nothing_is_labelled(void **state)
{
	struct guest *g = *state;

	need_labels(g);
	assert_int_equal(make_all(g), 0);
	assert_false(has_label(g, "file", ""));
	for (size_t i = 0; i < VFI_ARRAY_SIZE(all); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", g->path, all[i]);
		assert_int_equal(lgetxattr(path, label_name, NULL, 0), -1);
	}
}

static void file_that_exists_keeps_its_label(void **state)
{
	struct guest *g = *state;
	struct virtiofs_create_out out;

	need_labels(g);
	send_label(g, label_name, "old");
	assert_int_equal(do_create(g, ROOT, "file", O_RDWR, 0600, &out), 0);
	send_label(g, label_name, "new");
	assert_int_equal(do_create(g, ROOT, "file", O_RDWR, 0600, &out), 0);
	assert_true(has_label(g, "file", "old"));
}

static void file_without_a_name_is_labelled(void **state)
{
	const struct virtiofs_fuse_create_in in = { .flags = O_RDWR, .mode = 0600 };
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_create_out out;
	struct guest *g = *state;

	need_labels(g);
	send_label(g, label_name, "nameless");
	g->ops->tmpfile(g->session, fake_req(&g->req), ROOT, &in);
	if (fake_reply_error(&g->req) == -EOPNOTSUPP)
		skip();
	assert_int_equal(fake_reply_body(&g->req, &out, sizeof(out)), 0);
	assert_int_equal(do_link(g, out.entry.nodeid, ROOT, "named", &entry), 0);
	assert_true(has_label(g, "named", "nameless"));
}

/* ---- What cannot be labelled is not made ---- */

static void expect_nothing(struct guest *g, const char *name, const char *label, int error)
{
	const struct virtiofs_fuse_create_in in = { .flags = O_RDWR, .mode = 0600 };
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_create_out out;
	int before = count_descriptors();

	send_label(g, name, label);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(do_create(g, ROOT, "file", O_RDWR, 0600, &out), error);
		assert_int_equal(do_mkdir(g, ROOT, "dir", 0700, &entry), error);
		assert_int_equal(do_mknod(g, ROOT, "node", S_IFREG | 0600, 0, &entry), error);
		assert_int_equal(do_mknod(g, ROOT, "fifo", S_IFIFO | 0600, 0, &entry), error);
		assert_int_equal(do_symlink(g, ROOT, "link", "x", &entry), error);
		g->ops->tmpfile(g->session, fake_req(&g->req), ROOT, &in);
		assert_int_equal(fake_reply_error(&g->req), error);
	}
	for (size_t i = 0; i < VFI_ARRAY_SIZE(all); i++)
		assert_false(host_has(g, all[i]));
	assert_int_equal(count_descriptors(), before);
}

static void what_cannot_be_labelled_is_not_there_and_open_nowhere(void **state)
{
	struct guest *g = *state;

	need_labels(g);
	/* The kernel looks at what is in this one. */
	expect_nothing(g, "security.capability", "no capability", -EINVAL);
}

static void label_is_a_security_modules(void **state)
{
	static const char *const names[] = {
		"user.x",
		"trusted.overlay.opaque",
		"system.posix_acl_access",
		"security.",
		"security",
		"securityx",
		"SECURITY.x",
		"x",
	};
	struct guest *g = *state;

	for (size_t i = 0; i < VFI_ARRAY_SIZE(names); i++)
		expect_nothing(g, names[i], "label", -EINVAL);
}

static void labelled_files_leave_no_descriptor_behind(void **state)
{
	struct virtiofs_fuse_entry_out entry;
	struct guest *g = *state;
	int before;

	need_labels(g);
	send_label(g, label_name, "label");
	before = count_descriptors();
	for (int i = 0; i < 20; i++) {
		assert_int_equal(do_mkdir(g, ROOT, "dir", 0700, &entry), 0);
		do_forget(g, entry.nodeid, 1);
		assert_int_equal(do_rmdir(g, ROOT, "dir"), 0);
		assert_int_equal(do_symlink(g, ROOT, "link", "x", &entry), 0);
		do_forget(g, entry.nodeid, 1);
		assert_int_equal(do_unlink(g, ROOT, "link"), 0);
		assert_int_equal(do_mknod(g, ROOT, "fifo", S_IFIFO | 0600, 0, &entry), 0);
		do_forget(g, entry.nodeid, 1);
		assert_int_equal(do_unlink(g, ROOT, "fifo"), 0);
	}
	assert_int_equal(count_descriptors(), before);
}

/* ---- Kernels without setxattrat(2) ---- */

static int label_without_setxattrat(bool dedicated)
{
	char before[64], after[64];
	struct guest *g;
	void *state;
	int err;

	if (!forbid_xattrat())
		return 77;
	guest_setup(&state);
	g = state;
	become(g, USER, GROUP);
	send_label(g, label_name, "older");
	g->req.dedicated = dedicated;
	if (fchmod(g->dir, 0777) || chdir("/tmp"))
		return 1;
	if (!getcwd(before, sizeof(before)))
		return 2;
	err = make_all(g);
	if (err)
		return -err;
	if (!getcwd(after, sizeof(after)) || strcmp(before, after) != 0)
		return 3;
	err = all_have_label(g, "older") ? 0 : 4;
	guest_teardown(&state);
	return err;
}

static void older_kernels_have_other_ways(void **state)
{
	struct guest *g = *state;

	need_labels(g);
	for (int dedicated = 0; dedicated < 2; dedicated++) {
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(label_without_setxattrat(dedicated));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 77)
			skip();
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(labels_are_an_option_that_a_guest_may_not_have),
		TEST(label_option_has_three_values),
		TEST(everything_made_has_its_label),
		TEST(without_one_nothing_is_labelled),
		TEST(file_that_exists_keeps_its_label),
		TEST(file_without_a_name_is_labelled),
		TEST(what_cannot_be_labelled_is_not_there_and_open_nowhere),
		TEST(label_is_a_security_modules),
		TEST(labelled_files_leave_no_descriptor_behind),
		TEST(older_kernels_have_other_ways),
	};

	umask(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
