/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's users, as requests name them: supplementary groups, labels, translated ids. */
#include "shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

enum { USER = 1234, GROUP = 2345, OTHER_GROUP = 3456 };

static void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

/* As Linux sends it: one group, the directory's. */
struct groups {
	struct virtiofs_fuse_ext_header head;
	struct virtiofs_fuse_supp_groups groups;
	uint32_t group;
};

static int make_in_group(struct fuse_client *c, const char *name, uint32_t mode, uint32_t group,
			 uint32_t claimed)
{
	const struct virtiofs_fuse_mknod_in in = { .mode = mode };
	const struct groups ext = {
		.head = { sizeof(ext), VIRTIOFS_FUSE_EXT_GROUPS },
		.groups = { claimed },
		.group = group,
	};
	struct virtiofs_fuse_entry_out out;
	struct fuse_request request = {
		.opcode = VIRTIOFS_FUSE_MKNOD,
		.nodeid = FUSE_ROOT,
		.extlen = sizeof(ext) / 8,
		.room = 16 + sizeof(out),
	};

	/* Read from only, but an iovec's base is not const. */
	request.parts[0] = (struct iovec){ (void *)(uintptr_t)&in, sizeof(in) };
	request.parts[1] = (struct iovec){ (void *)(uintptr_t)name, strlen(name) + 1 };
	request.parts[2] = (struct iovec){ (void *)(uintptr_t)&ext, sizeof(ext) };
	return fuse_client_call(c, &request, &out, sizeof(out), NULL);
}

static void mount_again(struct shared *s, uint64_t flags)
{
	struct virtiofs_fuse_init_out out;

	assert_int_equal(fuse_init(s->c, flags, &out), 0);
	assert_int_equal(out.flags2, flags >> 32);
}

static void file_keeps_setgid_for_who_is_in_the_group(void **state)
{
	const uint32_t mode = S_IFREG | 02775;
	struct shared *s = *state;

	need_root();
	assert_int_equal(fchown(s->dir.fd, 0, OTHER_GROUP), 0);
	assert_int_equal(fchmod(s->dir.fd, 02777), 0);
	s->c->uid = USER;
	s->c->gid = GROUP;
	mount_again(s, VIRTIOFS_FUSE_CREATE_SUPP_GROUP);
	assert_int_equal(make_in_group(s->c, "member", mode, OTHER_GROUP, 1), 0);
	assert_int_equal(host_stat(s, "member").st_mode, mode);
	assert_int_equal(make_in_group(s->c, "stranger", mode, OTHER_GROUP + 1, 1), 0);
	assert_int_equal(host_stat(s, "stranger").st_mode, S_IFREG | 0775);
	assert_int_equal(make_in_group(s->c, "nobody", mode, OTHER_GROUP, 0), 0);
	assert_int_equal(host_stat(s, "nobody").st_mode, S_IFREG | 0775);
	assert_int_equal(syscall(SYS_getgroups, 0, NULL), 0);
}

static void groups_that_were_not_granted_are_nobodys(void **state)
{
	struct shared *s = *state;

	need_root();
	assert_int_equal(fchown(s->dir.fd, 0, OTHER_GROUP), 0);
	assert_int_equal(fchmod(s->dir.fd, 02777), 0);
	s->c->uid = USER;
	s->c->gid = GROUP;
	assert_int_equal(make_in_group(s->c, "file", S_IFREG | 02775, OTHER_GROUP, 1), 0);
	assert_int_equal(host_stat(s, "file").st_mode, S_IFREG | 0775);
}

static void groups_that_are_not_there_make_nothing(void **state)
{
	struct shared *s = *state;

	mount_again(s, VIRTIOFS_FUSE_CREATE_SUPP_GROUP);
	assert_int_equal(make_in_group(s->c, "file", S_IFREG | 0644, 0, 2), -EINVAL);
	assert_int_equal(make_in_group(s->c, "file", S_IFREG | 0644, 0, UINT32_MAX), -E2BIG);
	assert_false(host_exists(s, "file"));
}

static int setup_labels(void **state)
{
	struct virtiofs_passthrough_options passthrough = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	const struct shared_options options = { .passthrough = &passthrough };
	struct shared *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	passthrough.security_label = VIRTIOFS_AUTO;
	shared_open(s, &options);
	*state = s;
	return 0;
}

/* As Linux sends it with SELinux: a label, and the rest of its record. */
static int make_with_label(struct fuse_client *c, const char *name, const char *attr,
			   uint32_t label_len)
{
	const struct virtiofs_fuse_mkdir_in in = { .mode = 0755 };
	struct {
		struct virtiofs_fuse_secctx_header head;
		struct virtiofs_fuse_secctx secctx;
		char text[48];
	} ext = { .head = { sizeof(ext), 1 }, .secctx = { .size = label_len } };
	struct virtiofs_fuse_entry_out out;
	struct fuse_request request = {
		.opcode = VIRTIOFS_FUSE_MKDIR,
		.nodeid = FUSE_ROOT,
		.extlen = sizeof(ext) / 8,
		.room = 16 + sizeof(out),
	};
	size_t attr_len = strlen(attr) + 1;

	memcpy(ext.text, attr, attr_len);
	memcpy(ext.text + attr_len, "some_t:s0", 9);
	request.parts[0] = (struct iovec){ (void *)(uintptr_t)&in, sizeof(in) };
	request.parts[1] = (struct iovec){ (void *)(uintptr_t)name, strlen(name) + 1 };
	request.parts[2] = (struct iovec){ &ext, sizeof(ext) };
	return fuse_client_call(c, &request, &out, sizeof(out), NULL);
}

static void directory_has_the_label_it_was_sent_with(void **state)
{
	struct shared *s = *state;
	char path[300], value[64];

	if (fsetxattr(s->dir.fd, "security.virtiofs-test", "x", 1, 0))
		skip();
	mount_again(s, VIRTIOFS_FUSE_SECURITY_CTX);
	assert_int_equal(make_with_label(s->c, "dir", "security.virtiofs-test", 9), 0);
	snprintf(path, sizeof(path), "%s/dir", s->dir.path);
	assert_int_equal(getxattr(path, "security.virtiofs-test", value, sizeof(value)), 9);
	assert_memory_equal(value, "some_t:s0", 9);
	assert_int_equal(make_with_label(s->c, "user", "user.virtiofs-test", 9), -EINVAL);
	assert_int_equal(make_with_label(s->c, "long", "security.virtiofs-test", UINT32_MAX),
			 -EINVAL);
	assert_false(host_exists(s, "user"));
	assert_false(host_exists(s, "long"));
}

static int setup_translated(void **state)
{
	struct virtiofs_passthrough_options passthrough = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	const struct shared_options options = { .passthrough = &passthrough };
	struct shared *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	passthrough.translate_uid[0] = "map:1000:5000:10";
	passthrough.translate_gid[0] = "squash-guest:0:6000:4294967295";
	passthrough.translate_gid[1] = "squash-host:0:2000:4294967295";
	shared_open(s, &options);
	*state = s;
	return 0;
}

static void ids_are_translated_both_ways(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	struct stat st;

	need_root();
	assert_int_equal(fchmod(s->dir.fd, 0777), 0);
	s->c->uid = 1007;
	s->c->gid = 7;
	assert_int_equal(fuse_mkdir(s->c, FUSE_ROOT, "dir", 0755, &out), 0);
	st = host_stat(s, "dir");
	assert_int_equal(st.st_uid, 5007);
	assert_int_equal(st.st_gid, 6000);
	assert_int_equal(out.attr.uid, 1007);
	assert_int_equal(out.attr.gid, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED_TEST(file_keeps_setgid_for_who_is_in_the_group),
		SHARED_TEST(groups_that_were_not_granted_are_nobodys),
		SHARED_TEST(groups_that_are_not_there_make_nothing),
		cmocka_unit_test_setup_teardown(directory_has_the_label_it_was_sent_with,
						setup_labels, shared_teardown),
		cmocka_unit_test_setup_teardown(ids_are_translated_both_ways, setup_translated,
						shared_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
