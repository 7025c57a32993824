/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended attributes, as the guest and as this host has them. */
#include "xattr.h"

#include <sys/wait.h>

enum { USER = 1234 };

static int setup_xattr(void **state)
{
	begin(state, "xattr", NULL);
	return 0;
}

/* ---- Attributes ---- */

static void without_the_option_there_are_none(void **state)
{
	struct guest *g = *state;

	assert_null(g->ops->setxattr);
	assert_null(g->ops->getxattr);
	assert_null(g->ops->listxattr);
	assert_null(g->ops->removexattr);
}

static void attributes_are_set_read_listed_and_removed(void **state)
{
	struct guest *g = *state;
	uint64_t node;
	char buf[64];

	need_attributes(g, "user.x");
	host_write(g, "file", "");
	node = node_of(g, ROOT, "file");
	assert_int_equal(set_text(g, node, "user.one", "first"), 0);
	assert_true(host_xattr_is(g, "file", "user.one", "first"));
	assert_int_equal(do_get(g, node, "user.one", buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "first", 5);
	assert_int_equal(do_get(g, node, "user.one", NULL, 0), 5);
	assert_int_equal(do_get(g, node, "user.one", buf, 4), -ERANGE);
	assert_int_equal(set_text(g, node, "user.none", ""), 0);
	assert_int_equal(do_get(g, node, "user.none", buf, sizeof(buf)), 0);
	assert_true(lists(g, node, "user.one"));
	assert_true(lists(g, node, "user.none"));
	assert_int_equal(do_list(g, node, NULL, 0), do_list(g, node, buf, sizeof(buf)));
	assert_int_equal(do_list(g, node, buf, 3), -ERANGE);
	assert_int_equal(do_remove(g, node, "user.one"), 0);
	assert_false(lists(g, node, "user.one"));
	assert_int_equal(do_get(g, node, "user.one", buf, sizeof(buf)), -ENODATA);
	assert_int_equal(do_remove(g, node, "user.one"), -ENODATA);
}

static void attribute_is_created_or_replaced_as_was_asked(void **state)
{
	struct guest *g = *state;
	uint64_t node;

	need_attributes(g, "user.x");
	host_write(g, "file", "");
	node = node_of(g, ROOT, "file");
	assert_int_equal(do_set(g, node, "user.x", "1", 1, XATTR_REPLACE, 0), -ENODATA);
	assert_int_equal(do_set(g, node, "user.x", "1", 1, XATTR_CREATE, 0), 0);
	assert_int_equal(do_set(g, node, "user.x", "2", 1, XATTR_CREATE, 0), -EEXIST);
	assert_int_equal(do_set(g, node, "user.x", "3", 1, XATTR_REPLACE, 0), 0);
	assert_true(host_xattr_is(g, "file", "user.x", "3"));
	assert_int_equal(do_set(g, node, "user.x", "4", 1, 0x80, 0), -EINVAL);
}

/* Returns 0, or the number of the check that failed. */
static int use_every_kind(struct guest *g)
{
	static const char *const names[] = { "file", "unreadable", "dir", "fifo", "link" };
	char buf[16];

	for (size_t i = 0; i < VFI_ARRAY_SIZE(names); i++) {
		uint64_t node = node_of(g, ROOT, names[i]);

		for (int dedicated = 0; dedicated < 2; dedicated++) {
			g->req.dedicated = dedicated;
			if (set_text(g, node, "trusted.x", names[i]) ||
			    !host_xattr_is(g, names[i], "trusted.x", names[i]))
				return 1;
			if (do_get(g, node, "trusted.x", buf, sizeof(buf)) != (int)strlen(names[i]))
				return 2;
			if (!lists(g, node, "trusted.x"))
				return 3;
			if (do_remove(g, node, "trusted.x") ||
			    host_xattr_is(g, names[i], "trusted.x", names[i]))
				return 4;
		}
	}
	/* Nothing went through the link. */
	if (set_text(g, node_of(g, ROOT, "link"), "trusted.x", "link"))
		return 5;
	return host_xattr_is(g, "target", "trusted.x", "link") ? 6 : 0;
}

static void every_kind_of_file_has_them(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;
	int status;
	pid_t pid;

	need_attributes(g, "trusted.x");
	host_write(g, "file", "");
	host_write(g, "unreadable", "");
	assert_int_equal(chmod(host_path(g, "unreadable"), 0), 0);
	host_write(g, "target", "");
	assert_int_equal(do_mkdir(g, ROOT, "dir", 0700, &out), 0);
	assert_int_equal(do_mknod(g, ROOT, "fifo", S_IFIFO | 0600, 0, &out), 0);
	assert_int_equal(do_symlink(g, ROOT, "link", "target", &out), 0);
	assert_int_equal(use_every_kind(g), 0);
	/* Also where the kernel has no way but those of old. */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(forbid_xattrat() ? use_every_kind(g) : 77);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void large_values_and_lists_come_whole(void **state)
{
	static char value[XATTR_SIZE_MAX + 1], back[XATTR_SIZE_MAX], name[64];
	struct guest *g = *state;
	uint64_t node;
	int n = 2048;

	need_attributes(g, "user.x");
	host_write(g, "file", "");
	node = node_of(g, ROOT, "file");
	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (char)('a' + i % 26);
	/* What fits is the file system's to say, but what it takes comes back. */
	if (do_set(g, node, "user.large", value, XATTR_SIZE_MAX, 0, 0) == 0)
		n = XATTR_SIZE_MAX;
	else
		assert_int_equal(do_set(g, node, "user.large", value, (size_t)n, 0, 0), 0);
	assert_int_equal(do_get(g, node, "user.large", NULL, 0), n);
	assert_int_equal(do_get(g, node, "user.large", back, sizeof(back)), n);
	assert_memory_equal(back, value, (size_t)n);
	/* As the kernel has it. */
	assert_int_equal(do_set(g, node, "user.large", value, XATTR_SIZE_MAX + 1, 0, 0), -E2BIG);

	host_write(g, "many", "");
	node = node_of(g, ROOT, "many");
	for (n = 0; n < 40; n++) {
		snprintf(name, sizeof(name), "user.a-name-of-some-length-that-has-a-number-%d", n);
		assert_int_equal(set_text(g, node, name, ""), 0);
	}
	assert_true(do_list(g, node, NULL, 0) > 1024);
	assert_true(lists(g, node, "user.a-name-of-some-length-that-has-a-number-0"));
	assert_true(lists(g, node, "user.a-name-of-some-length-that-has-a-number-39"));
}

static void hostile_names_and_sizes_are_errors(void **state)
{
	struct guest *g = *state;
	char name[300], buf[16];
	uint64_t node;

	need_attributes(g, "user.x");
	host_write(g, "file", "");
	node = node_of(g, ROOT, "file");
	assert_int_equal(set_text(g, node, "user.x", "x"), 0);
	memset(name, 'n', sizeof(name));
	memcpy(name, "user.", 5);
	name[299] = '\0';
	assert_int_equal(do_get(g, node, name, buf, sizeof(buf)), -ERANGE);
	assert_int_equal(set_text(g, node, name, "x"), -ERANGE);
	assert_int_equal(do_remove(g, node, name), -ERANGE);
	assert_int_equal(do_get(g, node, "", buf, sizeof(buf)), -ERANGE);
	assert_int_equal(do_get(g, node, "nonsense", buf, sizeof(buf)), -EOPNOTSUPP);
	/* A size that nobody has memory for is not allocated. */
	{
		const struct virtiofs_fuse_getxattr_in in = { .size = UINT32_MAX };

		g->ops->getxattr(g->session, fake_req(&g->req), node, &in, "user.x");
		assert_int_equal(fake_reply_error(&g->req), 0);
		assert_int_equal(g->req.len, 1);
		g->ops->listxattr(g->session, fake_req(&g->req), node, &in);
		assert_int_equal(fake_reply_error(&g->req), 0);
	}
	assert_int_equal(do_get(g, 4711, "user.x", buf, sizeof(buf)), -ESTALE);
	assert_int_equal(do_list(g, 4711, buf, sizeof(buf)), -ESTALE);
	assert_int_equal(set_text(g, 4711, "user.x", "x"), -ESTALE);
	assert_int_equal(do_remove(g, 4711, "user.x"), -ESTALE);
}

/* ---- Names that are mapped ---- */

static void mapped_names_are_others_on_the_host(void **state)
{
	struct guest *g = begin(state, "xattrmap", ":map:trusted.:user.virtiofs.:");
	uint64_t node;
	char buf[16];

	need_attributes(g, "user.x");
	host_write(g, "file", "");
	node = node_of(g, ROOT, "file");
	assert_int_equal(set_text(g, node, "trusted.x", "mine"), 0);
	assert_true(host_xattr_is(g, "file", "user.virtiofs.trusted.x", "mine"));
	assert_int_equal(do_get(g, node, "trusted.x", buf, sizeof(buf)), 4);
	assert_true(lists(g, node, "trusted.x"));
	assert_false(lists(g, node, "user.virtiofs.trusted.x"));
	assert_int_equal(set_text(g, node, "user.virtiofs.trusted.x", "forged"), -EPERM);
	assert_int_equal(do_get(g, node, "user.virtiofs.trusted.x", buf, sizeof(buf)), -EPERM);
	assert_int_equal(do_remove(g, node, "user.virtiofs.trusted.x"), -EPERM);
	assert_int_equal(host_set(g, "file", "user.plain", "x"), 0);
	assert_true(lists(g, node, "user.plain"));
	assert_int_equal(do_remove(g, node, "trusted.x"), 0);
	assert_false(host_xattr_is(g, "file", "user.virtiofs.trusted.x", "mine"));
	guest_teardown(state);
}

static void hidden_names_are_not_counted(void **state)
{
	struct guest *g = begin(state, "xattrmap", ":bad:all:user.h:user.h: :ok:all:::");
	uint64_t node;
	int n;

	need_attributes(g, "user.x");
	host_write(g, "file", "");
	node = node_of(g, ROOT, "file");
	n = do_list(g, node, NULL, 0);
	assert_int_equal(host_set(g, "file", "user.hidden", "x"), 0);
	assert_int_equal(do_list(g, node, NULL, 0), n);
	assert_int_equal(host_set(g, "file", "user.seen", "x"), 0);
	assert_int_equal(do_list(g, node, NULL, 0), n + 10);
	guest_teardown(state);
}

/* CVE-2021-20263: under another name the host's kernel does not see what they are. */
static void mapped_capabilities_go_with_any_change(void **state)
{
	struct virtiofs_fuse_setattr_in size = { .valid = VIRTIOFS_FATTR_SIZE, .size = 2 };
	const struct virtiofs_fuse_setattr_in owner = { .valid = VIRTIOFS_FATTR_UID, .uid = USER };
	static const char name[] = "security.capability";
	static const char there[] = "user.virtiofs.security.capability";
	struct virtiofs_fuse_copy_file_range_in copy = { .len = 2 };
	struct virtiofs_fuse_fallocate_in space = { .length = 4096 };
	struct guest *g = begin(state, "xattrmap", ":map::user.virtiofs.:");
	struct virtiofs_fuse_attr attr;
	struct virtiofs_create_out out;
	uint64_t node, other, fh;

	need_attributes(g, "user.x");
	host_write(g, "file", "text");
	host_write(g, "other", "text");
	node = node_of(g, ROOT, "file");
	assert_int_equal(do_open(g, node, O_RDWR, &fh), 0);
	space.fh = copy.fh_out = fh;
	copy.nodeid_out = node;
#define GIVE() assert_int_equal(set_text(g, node, name, "all of them"), 0)
#define GONE() assert_false(host_xattr_is(g, "file", there, "all of them"))
	GIVE();
	assert_true(host_xattr_is(g, "file", there, "all of them"));
	assert_int_equal(do_write(g, node, fh, 0, "x", 0, 0), 1);
	GONE();
	/* And where there are none, that is no error. */
	assert_int_equal(do_write(g, node, fh, 0, "x", 0, 0), 1);
	GIVE();
	assert_int_equal(do_setattr(g, node, &size, &attr), 0);
	GONE();
	GIVE();
	size.valid |= VIRTIOFS_FATTR_FH;
	size.fh = fh;
	assert_int_equal(do_setattr(g, node, &size, &attr), 0);
	GONE();
	GIVE();
	if (geteuid() == 0) {
		assert_int_equal(do_setattr(g, node, &owner, &attr), 0);
		GONE();
	}
	GIVE();
	g->ops->fallocate(g->session, fake_req(&g->req), node, &space);
	(void)fake_reply_error(&g->req);
	GONE();
	GIVE();
	other = node_of(g, ROOT, "other");
	assert_int_equal(do_open(g, other, O_RDONLY, &copy.fh_in), 0);
	g->ops->copy_file_range(g->session, fake_req(&g->req), other, &copy);
	(void)fake_reply_error(&g->req);
	GONE();
	GIVE();
	assert_int_equal(do_open(g, node, O_WRONLY | O_TRUNC, &fh), 0);
	GONE();
	GIVE();
	assert_int_equal(do_create(g, ROOT, "file", O_WRONLY | O_TRUNC, 0600, &out), 0);
	GONE();
	/* Reading changes nothing. */
	GIVE();
	assert_int_equal(do_open(g, node, O_RDONLY, &fh), 0);
	assert_true(host_xattr_is(g, "file", there, "all of them"));
	guest_teardown(state);
}

static void a_directory_has_no_capabilities_to_lose(void **state)
{
	const struct virtiofs_fuse_setattr_in owner = { .valid = VIRTIOFS_FATTR_UID, .uid = USER };
	struct guest *g = begin(state, "xattrmap", ":map::user.virtiofs.:");
	struct virtiofs_fuse_entry_out out;
	struct virtiofs_fuse_attr attr;

	need_attributes(g, "user.x");
	if (geteuid() != 0)
		skip();
	assert_int_equal(do_mkdir(g, ROOT, "dir", 0700, &out), 0);
	assert_int_equal(set_text(g, out.nodeid, "security.capability", "x"), 0);
	assert_int_equal(do_setattr(g, out.nodeid, &owner, &attr), 0);
	assert_true(host_xattr_is(g, "dir", "user.virtiofs.security.capability", "x"));
	guest_teardown(state);
}

static void label_is_stored_under_its_mapped_name(void **state)
{
	struct guest *g = begin(state, "xattrmap", ":map::trusted.virtiofs.:");
	struct virtiofs_fuse_entry_out out;

	need_attributes(g, "trusted.x");
	g->req.label_name = "security.selinux";
	g->req.label = "label";
	assert_int_equal(do_mkdir(g, ROOT, "dir", 0700, &out), 0);
	assert_true(host_xattr_is(g, "dir", "trusted.virtiofs.security.selinux", "label"));
	guest_teardown(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
#define TEST_XATTR(name) cmocka_unit_test_setup_teardown(name, setup_xattr, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(without_the_option_there_are_none),
		TEST_XATTR(attributes_are_set_read_listed_and_removed),
		TEST_XATTR(attribute_is_created_or_replaced_as_was_asked),
		TEST_XATTR(every_kind_of_file_has_them),
		TEST_XATTR(large_values_and_lists_come_whole),
		TEST_XATTR(hostile_names_and_sizes_are_errors),
		cmocka_unit_test(mapped_names_are_others_on_the_host),
		cmocka_unit_test(hidden_names_are_not_counted),
		cmocka_unit_test(mapped_capabilities_go_with_any_change),
		cmocka_unit_test(a_directory_has_no_capabilities_to_lose),
		cmocka_unit_test(label_is_stored_under_its_mapped_name),
	};

	umask(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
