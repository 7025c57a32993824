/* SPDX-License-Identifier: BSD-2-Clause */
/* Users and groups that have other numbers in the guest than on this host. */
#include "guest.h"

#include <sys/syscall.h>
#include <sys/xattr.h>

static void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

/* ---- Rules ---- */

static int add_all(struct vfi_idmap *map, const char *const *rules, char *error, size_t size)
{
	int err = 0;

	memset(map, 0, sizeof(*map));
	for (; *rules && !err; rules++)
		err = vfi_idmap_add(map, *rules, error, size);
	return err;
}

#define RULES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static struct vfi_idmap map_of(const char *const *rules)
{
	struct vfi_idmap map;
	char error[128] = "";

	assert_int_equal(add_all(&map, rules, error, sizeof(error)), 0);
	assert_string_equal(error, "");
	return map;
}

static uint32_t to_host(const struct vfi_idmap *map, uint32_t id)
{
	uint32_t host = 0xdead;

	assert_int_equal(vfi_idmap_to_host(map, id, &host), 0);
	return host;
}

static void what_has_no_rule_is_the_same_on_both_sides(void **state)
{
	static const uint32_t ids[] = { 0, 1, 1000, 65534, UINT32_MAX - 1, UINT32_MAX };
	const struct vfi_idmap empty = { 0 };
	struct vfi_idmap map = map_of(RULES("map:10:20:5", "squash-guest:30:40:5"));

	(void)state;
	for (size_t i = 0; i < VFI_ARRAY_SIZE(ids); i++) {
		assert_int_equal(to_host(&empty, ids[i]), ids[i]);
		assert_int_equal(vfi_idmap_to_guest(&empty, ids[i]), ids[i]);
		assert_int_equal(to_host(&map, ids[i]), ids[i]);
		assert_int_equal(vfi_idmap_to_guest(&map, ids[i]), ids[i]);
	}
}

static void each_kind_translates_its_direction(void **state)
{
	struct vfi_idmap map;

	(void)state;
	map = map_of(RULES("guest:100:5000:10"));
	assert_int_equal(to_host(&map, 99), 99);
	assert_int_equal(to_host(&map, 100), 5000);
	assert_int_equal(to_host(&map, 109), 5009);
	assert_int_equal(to_host(&map, 110), 110);
	assert_int_equal(vfi_idmap_to_guest(&map, 5000), 5000);

	map = map_of(RULES("host:5000:100:10"));
	assert_int_equal(vfi_idmap_to_guest(&map, 5009), 109);
	assert_int_equal(vfi_idmap_to_guest(&map, 5010), 5010);
	assert_int_equal(to_host(&map, 100), 100);

	map = map_of(RULES("map:100:5000:10"));
	assert_int_equal(to_host(&map, 105), 5005);
	assert_int_equal(vfi_idmap_to_guest(&map, 5005), 105);
	assert_int_equal(to_host(&map, 5005), 5005);

	map = map_of(RULES("squash-guest:0:1000:4294967295"));
	assert_int_equal(to_host(&map, 0), 1000);
	assert_int_equal(to_host(&map, UINT32_MAX - 1), 1000);
	/* Which is no id, and stays none. */
	assert_int_equal(to_host(&map, UINT32_MAX), UINT32_MAX);
	assert_int_equal(vfi_idmap_to_guest(&map, 7), 7);

	map = map_of(RULES("squash-host:0:65534:4294967295"));
	assert_int_equal(vfi_idmap_to_guest(&map, 1000), 65534);
	assert_int_equal(to_host(&map, 1000), 1000);
}

static void forbidden_ids_are_eperm(void **state)
{
	struct vfi_idmap map = map_of(
		RULES("forbid-guest:0:1000", "map:1000:1000:1", "forbid-guest:1001:4294966294"));
	uint32_t host = 0xdead;

	(void)state;
	assert_int_equal(vfi_idmap_to_host(&map, 0, &host), -EPERM);
	assert_int_equal(vfi_idmap_to_host(&map, 999, &host), -EPERM);
	assert_int_equal(vfi_idmap_to_host(&map, 1001, &host), -EPERM);
	assert_int_equal(vfi_idmap_to_host(&map, UINT32_MAX - 1, &host), -EPERM);
	assert_int_equal(host, 0xdead);
	assert_int_equal(to_host(&map, 1000), 1000);
	assert_int_equal(vfi_idmap_to_guest(&map, 0), 0);
}

static void rules_are_written_as_virtiofsd_has_them(void **state)
{
	struct vfi_idmap map;

	(void)state;
	map = map_of(RULES("MAP/1/2/3", "Squash-Guest;10;20;30", "forbid-guest 100 1"));
	assert_int_equal(to_host(&map, 3), 4);
	assert_int_equal(to_host(&map, 39), 20);
	map = map_of(RULES("guest:0:4294967294:1"));
	assert_int_equal(to_host(&map, 0), UINT32_MAX - 1);
	/* In any order of their ids. */
	map = map_of(RULES("guest:20:120:10", "guest:0:100:10", "guest:10:110:10",
			   "guest:40:140:10", "guest:30:130:10"));
	for (uint32_t id = 0; id < 50; id++)
		assert_int_equal(to_host(&map, id), id + 100);
	assert_int_equal(to_host(&map, 50), 50);
}

static void what_is_no_rule_is_refused_with_a_reason(void **state)
{
	static const struct {
		const char *rule, *reason;
	} cases[] = {
		{ "", "Unknown type" },
		{ ":1:2:3", "Unknown type" },
		{ "maps:1:2:3", "Unknown type" },
		{ "map", "Not of the form TYPE:SOURCE:TARGET:COUNT" },
		{ "map:1:2", "Not of the form TYPE:SOURCE:TARGET:COUNT" },
		{ "map:1:2:3:4", "Invalid number" },
		{ "forbid-guest:1", "Not of the form TYPE:SOURCE:COUNT" },
		{ "forbid-guest:1:2:3", "Not of the form TYPE:SOURCE:COUNT" },
		{ "map:1:2:", "Invalid number" },
		{ "map::2:3", "Invalid number" },
		{ "map:1:2;3", "Invalid number" },
		{ "map:1:2:3 ", "Invalid number" },
		{ "map:-1:2:3", "Invalid number" },
		{ "map:0x1:2:3", "Invalid number" },
		{ "map:4294967296:2:3", "Invalid number" },
		{ "map:18446744073709551617:2:3", "Invalid number" },
		{ "map:1:2:0", "Empty range" },
		{ "guest:1:2:4294967295", "Range overflow" },
		{ "guest:0:1:4294967295", "Range overflow" },
		{ "map:0:1:4294967295", "Range overflow" },
		{ "guest:0:4294967295:1", "Range overflow" },
		{ "squash-guest:0:4294967295:1", "Range overflow" },
		{ "forbid-guest:4294967295:1", "Range overflow" },
	};

	(void)state;
	for (size_t i = 0; i < VFI_ARRAY_SIZE(cases); i++) {
		struct vfi_idmap map = { 0 };
		char error[128] = "";

		assert_int_equal(vfi_idmap_add(&map, cases[i].rule, error, sizeof(error)), -EINVAL);
		assert_memory_equal(error, cases[i].rule, strlen(cases[i].rule));
		assert_non_null(strstr(error, cases[i].reason));
		assert_int_equal(map.to_guest.count, 0);
	}
}

static void overlaps_are_refused(void **state)
{
	static const char *const second[] = {
		"guest:10:0:1",	       "guest:19:0:1",	      "guest:5:0:6", "guest:5:0:100",
		"squash-guest:12:0:2", "forbid-guest:19:100", "map:15:0:1",
	};
	static const char *const beside[] = { "guest:9:0:1", "guest:20:0:1", "host:10:0:10" };

	(void)state;
	for (size_t i = 0; i < VFI_ARRAY_SIZE(second); i++) {
		struct vfi_idmap map;
		char error[128];

		assert_int_equal(
			add_all(&map, RULES("guest:10:50:10", second[i]), error, sizeof(error)),
			-EINVAL);
		assert_non_null(strstr(error, "intersects previously added entry"));
	}
	for (size_t i = 0; i < VFI_ARRAY_SIZE(beside); i++)
		map_of(RULES("guest:10:50:10", beside[i]));
}

static void so_many_rules_and_no_more(void **state)
{
	struct vfi_idmap map = { 0 };
	char rule[64], error[128];

	(void)state;
	for (uint32_t i = 0; i < VIRTIOFS_TRANSLATE_MAX; i++) {
		snprintf(rule, sizeof(rule), "map:%u:%u:1", 1000 - i * 10, 100000 + i);
		assert_int_equal(vfi_idmap_add(&map, rule, error, sizeof(error)), 0);
	}
	for (uint32_t i = 0; i < VIRTIOFS_TRANSLATE_MAX; i++) {
		assert_int_equal(to_host(&map, 1000 - i * 10), 100000 + i);
		assert_int_equal(vfi_idmap_to_guest(&map, 100000 + i), 1000 - i * 10);
	}
	assert_int_equal(vfi_idmap_add(&map, "guest:1:2:1", error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "Too many rules"));
}

/* ---- A share with rules ---- */

static char logged[256];

static void log_line(void *ctx, unsigned level, const char *message)
{
	(void)ctx;
	if (level == VIRTIOFS_LOG_ERR)
		snprintf(logged, sizeof(logged), "%s", message);
}

static void share_with_a_rule_that_is_none_is_not_made(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	struct virtiofs_env env = { .size = sizeof(env), .log = log_line };
	int dir = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct virtiofs_fs *fs = NULL;

	(void)state;
	options.translate_gid[0] = "map:1:2:3";
	options.translate_gid[1] = "map:2:3:4";
	assert_int_equal(virtiofs_passthrough_create(&fs, &env, dir, &options), -EINVAL);
	assert_null(fs);
	assert_string_equal(logged, "GID map: map:2:3:4: Mapping intersects previously added "
				    "entry of its direction");
	close(dir);
}

/* Guest users 1000 to 1009 are 5000 to 5009 here, groups 2000 to 2009 are 6000 to 6009. */
static int setup(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;

	options.translate_uid[0] = "map:1000:5000:10";
	options.translate_uid[1] = "forbid-guest:0:1";
	options.translate_gid[0] = "map:2000:6000:10";
	options.translate_gid[1] = "forbid-guest:0:1";
	return guest_setup_with(state, &options);
}

static void assert_host_owner(struct guest *g, const char *name, uid_t uid, gid_t gid)
{
	struct stat st = host_stat(g, name);

	assert_int_equal(st.st_uid, uid);
	assert_int_equal(st.st_gid, gid);
}

static void what_a_guest_makes_has_the_hosts_ids_here_and_its_own_there(void **state)
{
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_create_out out;
	struct guest *g = *state;

	need_root();
	assert_int_equal(fchmod(g->dir, 0777), 0);
	become(g, 1001, 2002);
	assert_int_equal(do_create(g, ROOT, "file", O_RDWR, 0644, &out), 0);
	assert_host_owner(g, "file", 5001, 6002);
	assert_int_equal(out.entry.attr.uid, 1001);
	assert_int_equal(out.entry.attr.gid, 2002);
	assert_int_equal(do_mkdir(g, ROOT, "dir", 0755, &entry), 0);
	assert_host_owner(g, "dir", 5001, 6002);
	assert_int_equal(entry.attr.uid, 1001);
	assert_int_equal(do_mknod(g, ROOT, "fifo", S_IFIFO | 0644, 0, &entry), 0);
	assert_host_owner(g, "fifo", 5001, 6002);
	assert_int_equal(do_symlink(g, ROOT, "link", "x", &entry), 0);
	assert_host_owner(g, "link", 5001, 6002);
	assert_int_equal(entry.attr.gid, 2002);
}

static void attributes_have_the_guests_ids(void **state)
{
	const struct virtiofs_fuse_statx_in statx_in = { .sx_mask = STATX_BASIC_STATS };
	struct virtiofs_fuse_statx_out statx_out;
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_fuse_attr attr;
	struct guest *g = *state;
	uint64_t fh;
	char buf[4096];
	int len;

	need_root();
	host_write(g, "file", "");
	assert_int_equal(fchownat(g->dir, "file", 5003, 6004, 0), 0);
	assert_int_equal(do_lookup(g, ROOT, "file", &entry), 0);
	assert_int_equal(entry.attr.uid, 1003);
	assert_int_equal(entry.attr.gid, 2004);
	assert_int_equal(do_getattr(g, entry.nodeid, &attr), 0);
	assert_int_equal(attr.uid, 1003);
	assert_int_equal(attr.gid, 2004);
	g->ops->statx(g->session, fake_req(&g->req), entry.nodeid, &statx_in);
	assert_int_equal(fake_reply_body(&g->req, &statx_out, sizeof(statx_out)), 0);
	assert_int_equal(statx_out.stat.uid, 1003);
	assert_int_equal(statx_out.stat.gid, 2004);
	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	len = do_readdirplus(g, ROOT, fh, 0, buf, sizeof(buf));
	for (int at = 0; at < len;) {
		struct virtiofs_fuse_direntplus plus;

		memcpy(&plus, buf + at, sizeof(plus));
		if (plus.dirent.namelen == 4) {
			assert_int_equal(plus.entry_out.attr.uid, 1003);
			assert_int_equal(plus.entry_out.attr.gid, 2004);
		}
		at += (int)virtiofs_direntplus_size(plus.dirent.namelen);
	}
	assert_int_equal(do_releasedir(g, ROOT, fh), 0);
}

static void owner_is_set_by_the_guests_ids(void **state)
{
	struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_UID | VIRTIOFS_FATTR_GID,
					       .uid = 1005,
					       .gid = 2006 };
	struct virtiofs_fuse_attr attr;
	struct guest *g = *state;
	uint64_t node;

	need_root();
	host_write(g, "file", "");
	node = node_of(g, ROOT, "file");
	assert_int_equal(do_setattr(g, node, &in, &attr), 0);
	assert_int_equal(attr.uid, 1005);
	assert_int_equal(attr.gid, 2006);
	assert_host_owner(g, "file", 5005, 6006);
	/* One of the two alone, as chown(2) and chgrp(1) do it. */
	in = (struct virtiofs_fuse_setattr_in){ .valid = VIRTIOFS_FATTR_GID, .gid = 2007 };
	assert_int_equal(do_setattr(g, node, &in, &attr), 0);
	assert_host_owner(g, "file", 5005, 6007);
}

static void forbidden_users_neither_make_nor_own(void **state)
{
	struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_UID, .uid = 0 };
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_create_out out;
	struct virtiofs_fuse_attr attr;
	struct guest *g = *state;
	uint64_t node;

	become(g, 0, 2000);
	assert_int_equal(do_create(g, ROOT, "file", O_RDWR, 0644, &out), -EPERM);
	assert_int_equal(do_mkdir(g, ROOT, "dir", 0755, &entry), -EPERM);
	assert_int_equal(do_mknod(g, ROOT, "fifo", S_IFIFO | 0644, 0, &entry), -EPERM);
	assert_int_equal(do_symlink(g, ROOT, "link", "x", &entry), -EPERM);
	become(g, 1000, 0);
	assert_int_equal(do_mkdir(g, ROOT, "dir", 0755, &entry), -EPERM);
	become(g, 1000, 2000);
	g->req.group_count = 1;
	g->req.groups[0] = 0;
	assert_int_equal(do_mkdir(g, ROOT, "dir", 0755, &entry), -EPERM);
	g->req.group_count = 0;
	assert_false(host_has(g, "dir"));
	host_write(g, "file", "");
	node = node_of(g, ROOT, "file");
	assert_int_equal(do_setattr(g, node, &in, &attr), -EPERM);
	in = (struct virtiofs_fuse_setattr_in){ .valid = VIRTIOFS_FATTR_GID, .gid = 0 };
	assert_int_equal(do_setattr(g, node, &in, &attr), -EPERM);
}

/* S_ISGID in a directory of group 6005, in which the guest's 2005 is. */
static void groups_sent_are_translated(void **state)
{
	struct virtiofs_create_out out;
	struct guest *g = *state;

	need_root();
	assert_int_equal(fchown(g->dir, 0, 6005), 0);
	assert_int_equal(fchmod(g->dir, 02777), 0);
	become(g, 1001, 2001);
	g->req.group_count = 1;
	g->req.groups[0] = 2005;
	assert_int_equal(do_create(g, ROOT, "member", O_RDWR, 02775, &out), 0);
	assert_int_equal(host_stat(g, "member").st_mode, S_IFREG | 02775);
	g->req.groups[0] = 2004;
	assert_int_equal(do_create(g, ROOT, "stranger", O_RDWR, 02775, &out), 0);
	assert_int_equal(host_stat(g, "stranger").st_mode, S_IFREG | 0775);
}

static void access_is_asked_for_as_the_hosts_user(void **state)
{
	struct guest *g = *state;
	uint64_t node;

	need_root();
	host_write(g, "file", "");
	assert_int_equal(fchownat(g->dir, "file", 5001, 6001, 0), 0);
	assert_int_equal(fchmodat(g->dir, "file", 0640, 0), 0);
	node = node_of(g, ROOT, "file");
	become(g, 1001, 2009);
	assert_int_equal(do_access(g, node, R_OK | W_OK), 0);
	become(g, 1002, 2001);
	assert_int_equal(do_access(g, node, R_OK), 0);
	assert_int_equal(do_access(g, node, W_OK), -EACCES);
	become(g, 1003, 2003);
	assert_int_equal(do_access(g, node, R_OK), -EACCES);
	/* A forbidden one makes nothing, and may look all the same: by the bits. */
	become(g, 0, 0);
	assert_int_equal(do_access(g, node, R_OK), 0);
}

/* ---- Guests' own idmapped mounts ---- */

static void requests_that_make_nothing_need_no_user(void **state)
{
	struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_MODE, .mode = 0600 };
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_fuse_attr attr;
	struct guest *g = *state;
	uint64_t node, fh;
	char buf[16];

	assert_true(g->init.granted & VIRTIOFS_FUSE_ALLOW_IDMAP);
	host_write(g, "file", "hello");
	become(g, VIRTIOFS_FUSE_INVALID_UIDGID, VIRTIOFS_FUSE_INVALID_UIDGID);
	node = node_of(g, ROOT, "file");
	assert_int_equal(do_getattr(g, node, &attr), 0);
	assert_int_equal(do_setattr(g, node, &in, &attr), 0);
	assert_int_equal(do_open(g, node, O_RDWR, &fh), 0);
	assert_int_equal(do_write(g, node, fh, 0, "J", 0, 0), 1);
	assert_int_equal(do_read(g, node, fh, 0, buf, sizeof(buf)), 5);
	assert_int_equal(do_fsync(g, node, fh, 0), 0);
	assert_int_equal(do_flush(g, node, fh), 0);
	assert_int_equal(do_release(g, node, fh), 0);
	assert_int_equal(do_link(g, node, ROOT, "link", &entry), 0);
	assert_int_equal(do_rename(g, ROOT, "link", ROOT, "name", 0), 0);
	assert_int_equal(do_unlink(g, ROOT, "name"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, guest_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_no_rule_is_the_same_on_both_sides),
		cmocka_unit_test(each_kind_translates_its_direction),
		cmocka_unit_test(forbidden_ids_are_eperm),
		cmocka_unit_test(rules_are_written_as_virtiofsd_has_them),
		cmocka_unit_test(what_is_no_rule_is_refused_with_a_reason),
		cmocka_unit_test(overlaps_are_refused),
		cmocka_unit_test(so_many_rules_and_no_more),
		cmocka_unit_test(share_with_a_rule_that_is_none_is_not_made),
		TEST(what_a_guest_makes_has_the_hosts_ids_here_and_its_own_there),
		TEST(attributes_have_the_guests_ids),
		TEST(owner_is_set_by_the_guests_ids),
		TEST(forbidden_users_neither_make_nor_own),
		TEST(groups_sent_are_translated),
		TEST(access_is_asked_for_as_the_hosts_user),
		cmocka_unit_test_setup_teardown(requests_that_make_nothing_need_no_user,
						guest_setup, guest_teardown),
	};

	umask(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
