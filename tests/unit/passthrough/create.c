/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest creates: is it what the same call on this host would have made? */
#include "guest.h"

#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

enum { USER = 1234, GROUP = 2345, OTHER_GROUP = 3456 };

/* Files of a guest's user are made by root alone. */
static void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

static mode_t mode_of(struct guest *g, const char *name)
{
	return host_stat(g, name).st_mode;
}

static void created_file_is_open(void **state)
{
	struct guest *g = *state;
	struct virtiofs_create_out out;
	char buf[8];

	assert_int_equal(do_create(g, ROOT, "file", O_RDWR, 0644, &out), 0);
	assert_int_equal(mode_of(g, "file"), S_IFREG | 0644);
	assert_int_equal(out.entry.attr.mode, S_IFREG | 0644);
	assert_int_equal(out.entry.attr.ino, host_stat(g, "file").st_ino);
	assert_int_equal(node_of(g, ROOT, "file"), out.entry.nodeid);
	assert_int_equal(do_write(g, out.entry.nodeid, out.open.fh, 0, "hello", 0, 0), 5);
	assert_int_equal(do_read(g, out.entry.nodeid, out.open.fh, 0, buf, sizeof(buf)), 5);
	assert_int_equal(do_release(g, out.entry.nodeid, out.open.fh), 0);
	do_forget(g, out.entry.nodeid, 2);
}

static void file_is_created_open_for_what_its_mode_forbids(void **state)
{
	struct guest *g = *state;
	struct virtiofs_create_out out;

	become(g, USER, GROUP);
	assert_int_equal(fchmod(g->dir, 0777), 0);
	assert_int_equal(do_create(g, ROOT, "file", O_WRONLY, 0444, &out), 0);
	assert_int_equal(do_write(g, out.entry.nodeid, out.open.fh, 0, "hello", 0, 0), 5);
}

static void existing_file_is_opened_unless_exclusive(void **state)
{
	struct guest *g = *state;
	struct virtiofs_create_out out;

	host_write(g, "file", "hello");
	assert_int_equal(do_create(g, ROOT, "file", O_RDWR | O_EXCL, 0644, &out), -EEXIST);
	assert_int_equal(do_create(g, ROOT, "file", O_RDWR, 0600, &out), 0);
	assert_int_equal(out.entry.attr.size, 5);
	assert_int_equal(mode_of(g, "file"), S_IFREG | 0644);
	assert_int_equal(do_create(g, ROOT, "file", O_RDWR | O_TRUNC, 0600, &out), 0);
	assert_int_equal(host_stat(g, "file").st_size, 0);
}

static void create_opens_nothing_but_files(void **state)
{
	struct guest *g = *state;
	struct virtiofs_create_out out;
	int before;

	assert_int_equal(mkfifoat(g->dir, "fifo", 0666), 0);
	assert_int_equal(symlinkat("/tmp/virtiofs-no-such-file", g->dir, "dangling"), 0);
	assert_int_equal(symlinkat("/etc/passwd", g->dir, "link"), 0);
	assert_int_equal(mkdirat(g->dir, "dir", 0755), 0);
	before = count_descriptors();
	assert_int_equal(do_create(g, ROOT, "fifo", O_RDONLY, 0644, &out), -ENXIO);
	assert_int_equal(do_create(g, ROOT, "dangling", O_RDWR, 0644, &out), -ELOOP);
	assert_int_equal(do_create(g, ROOT, "link", O_RDONLY, 0644, &out), -ELOOP);
	assert_int_equal(do_create(g, ROOT, "dir", O_RDONLY, 0755, &out), -EISDIR);
	assert_int_not_equal(access("/tmp/virtiofs-no-such-file", F_OK), 0);
	/* And counts no lookup of what it then did not open. */
	assert_int_equal(count_descriptors(), before);
}

static void every_kind_of_node_is_made(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;
	char target[32];

	assert_int_equal(do_mkdir(g, ROOT, "dir", 01755, &out), 0);
	assert_int_equal(mode_of(g, "dir"), S_IFDIR | 01755);
	assert_int_equal(do_mkdir(g, out.nodeid, "sub", 0700, &out), 0);
	assert_true(host_has(g, "dir/sub"));
	assert_int_equal(do_symlink(g, ROOT, "link", "to/../where", &out), 0);
	assert_int_equal(do_readlink(g, out.nodeid, target, sizeof(target)), 0);
	assert_string_equal(target, "to/../where");
	assert_int_equal(do_mknod(g, ROOT, "fifo", S_IFIFO | 0600, 0, &out), 0);
	assert_int_equal(mode_of(g, "fifo"), S_IFIFO | 0600);
	assert_int_equal(do_mknod(g, ROOT, "sock", S_IFSOCK | 0755, 0, &out), 0);
	assert_int_equal(mode_of(g, "sock"), S_IFSOCK | 0755);
	assert_int_equal(do_mknod(g, ROOT, "file", S_IFREG | 04711, 0, &out), 0);
	assert_int_equal(mode_of(g, "file"), S_IFREG | 04711);
	assert_int_equal(do_mknod(g, ROOT, "typeless", 0640, 0, &out), 0);
	assert_int_equal(mode_of(g, "typeless"), S_IFREG | 0640);
}

static void device_is_made_with_its_number(void **state)
{
	const uint32_t rdev = 0x12 << 8 | 0x34 | 0x567 << 20;
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;
	int err = do_mknod(g, ROOT, "dev", S_IFCHR | 0600, rdev, &out);

	if (err == -EPERM)
		skip();
	assert_int_equal(err, 0);
	assert_int_equal(out.attr.rdev, rdev);
	assert_int_equal(major(host_stat(g, "dev").st_rdev), 0x12);
	assert_int_equal(minor(host_stat(g, "dev").st_rdev), 0x56734);
}

static void mknod_makes_no_directory(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;

	assert_int_equal(do_mknod(g, ROOT, "x", S_IFDIR | 0755, 0, &out), -EINVAL);
	assert_int_equal(do_mknod(g, ROOT, "x", S_IFLNK | 0755, 0, &out), -EINVAL);
	assert_int_equal(do_mknod(g, ROOT, "x", S_IFMT, 0, &out), -EINVAL);
	assert_false(host_has(g, "x"));
}

static void failing_creation_leaves_nothing_behind(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_create_out out;
	int before;

	host_write(g, "file", "");
	before = count_descriptors();
	assert_int_equal(do_mkdir(g, ROOT, "file", 0755, &entry), -EEXIST);
	assert_int_equal(do_symlink(g, ROOT, "file", "x", &entry), -EEXIST);
	assert_int_equal(do_create(g, ROOT, "file", O_EXCL, 0755, &out), -EEXIST);
	assert_int_equal(do_mkdir(g, 999, "dir", 0755, &entry), -ESTALE);
	assert_int_equal(count_descriptors(), before);
}

/* ---- In whose name ---- */

static void assert_owner(struct guest *g, const char *name, uid_t uid, gid_t gid)
{
	struct stat st = host_stat(g, name);

	assert_int_equal(st.st_uid, uid);
	assert_int_equal(st.st_gid, gid);
}

static void files_belong_to_the_guests_user(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_create_out out;

	need_root();
	become(g, USER, GROUP);
	assert_int_equal(do_create(g, ROOT, "file", O_RDWR, 0644, &out), 0);
	assert_int_equal(out.entry.attr.uid, USER);
	assert_owner(g, "file", USER, GROUP);
	assert_int_equal(do_mkdir(g, ROOT, "dir", 0755, &entry), 0);
	assert_owner(g, "dir", USER, GROUP);
	assert_int_equal(do_mknod(g, ROOT, "fifo", S_IFIFO | 0644, 0, &entry), 0);
	assert_owner(g, "fifo", USER, GROUP);
	assert_int_equal(do_symlink(g, ROOT, "link", "x", &entry), 0);
	assert_owner(g, "link", USER, GROUP);
	become(g, USER, 0);
	assert_int_equal(do_mkdir(g, ROOT, "dir2", 0755, &entry), 0);
	assert_owner(g, "dir2", USER, 0);
	become(g, 0, GROUP);
	assert_int_equal(do_mkdir(g, ROOT, "dir3", 0755, &entry), 0);
	assert_owner(g, "dir3", 0, GROUP);
}

static void setgid_directory_gives_its_group(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_create_out out;

	need_root();
	assert_int_equal(fchown(g->dir, 0, OTHER_GROUP), 0);
	assert_int_equal(fchmod(g->dir, 02777), 0);
	become(g, USER, GROUP);
	assert_int_equal(do_create(g, ROOT, "file", O_RDWR, 0664, &out), 0);
	assert_owner(g, "file", USER, OTHER_GROUP);
	assert_int_equal(do_mkdir(g, ROOT, "dir", 0755, &entry), 0);
	assert_owner(g, "dir", USER, OTHER_GROUP);
	assert_int_equal(mode_of(g, "dir"), S_IFDIR | 02755);
}

/* CVE-2018-13405, CVE-2022-0358. */
static void setgid_file_is_not_made_by_who_is_not_in_the_group(void **state)
{
	const gid_t groups[] = { OTHER_GROUP };
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_create_out out;

	need_root();
	/* This process is in the group; the guest's user is not. */
	assert_int_equal(syscall(SYS_setgroups, 1, groups), 0);
	assert_int_equal(fchown(g->dir, 0, OTHER_GROUP), 0);
	assert_int_equal(fchmod(g->dir, 02777), 0);
	become(g, USER, GROUP);
	assert_int_equal(do_create(g, ROOT, "file", O_RDWR, 02775, &out), 0);
	assert_int_equal(mode_of(g, "file"), S_IFREG | 0775);
	assert_int_equal(do_mknod(g, ROOT, "node", S_IFREG | 02775, 0, &entry), 0);
	assert_int_equal(mode_of(g, "node"), S_IFREG | 0775);
	become(g, USER, OTHER_GROUP);
	assert_int_equal(do_create(g, ROOT, "member", O_RDWR, 02775, &out), 0);
	assert_int_equal(mode_of(g, "member"), S_IFREG | 02775);
	assert_int_equal(syscall(SYS_setgroups, 0, NULL), 0);
}

/* The guest's kernel knows its users' groups, and has asked them. */
static void directory_writable_by_a_group_of_the_guests_is_written_to(void **state)
{
	struct guest *g = *state;
	struct virtiofs_create_out out;

	need_root();
	assert_int_equal(fchown(g->dir, 0, OTHER_GROUP), 0);
	assert_int_equal(fchmod(g->dir, 0770), 0);
	become(g, USER, GROUP);
	assert_int_equal(do_create(g, ROOT, "file", O_RDWR, 0644, &out), 0);
	assert_owner(g, "file", USER, GROUP);
}

static void no_id_is_no_user(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;

	need_root();
	become(g, UINT32_MAX, GROUP);
	assert_int_equal(do_mkdir(g, ROOT, "dir", 0755, &out), -EOVERFLOW);
	become(g, USER, UINT32_MAX);
	assert_int_equal(do_mkdir(g, ROOT, "dir", 0755, &out), -EOVERFLOW);
	assert_false(host_has(g, "dir"));
}

static void read_status(char *buf, size_t size)
{
	static const char *const lines[] = { "Uid:", "Gid:", "Groups:", "Cap", "Umask:" };
	FILE *file = fopen("/proc/thread-self/status", "re");
	char line[512];
	size_t len = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		for (size_t i = 0; i < VFI_ARRAY_SIZE(lines); i++) {
			if (strncmp(line, lines[i], strlen(lines[i])) == 0)
				len += (size_t)snprintf(buf + len, size - len, "%s", line);
		}
	}
	fclose(file);
	assert_true(len < size);
}

static void thread_is_given_back_as_it_was(void **state)
{
	gid_t groups[100];
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out entry;
	char before[4096], after[4096];

	need_root();
	for (unsigned i = 0; i < VFI_ARRAY_SIZE(groups); i++)
		groups[i] = 5000 + i;
	for (unsigned n = 0; n <= 100; n += 50) {
		char name[16];

		assert_int_equal(syscall(SYS_setgroups, n, groups), 0);
		read_status(before, sizeof(before));
		become(g, USER, GROUP);
		snprintf(name, sizeof(name), "dir%u", n);
		assert_int_equal(do_mkdir(g, ROOT, name, 0755, &entry), 0);
		assert_int_equal(do_mkdir(g, ROOT, name, 0755, &entry), -EEXIST);
		/* Supplementary groups go, and come back, even where no id changes. */
		become(g, 0, 0);
		assert_int_equal(do_mkdir(g, ROOT, name, 0755, &entry), -EEXIST);
		read_status(after, sizeof(after));
		assert_string_equal(before, after);
	}
	assert_int_equal(syscall(SYS_setgroups, 0, NULL), 0);
}

static void nothing_is_created_by_a_thread_with_foreign_ids(void **state)
{
	struct guest *g = *state;
	struct vfi_share *share = g->fs->fs;
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_create_out out;

	share->no_creation = 1;
	assert_int_equal(do_mkdir(g, ROOT, "dir", 0755, &entry), -EIO);
	assert_int_equal(do_create(g, ROOT, "file", O_RDWR, 0644, &out), -EIO);
	assert_int_equal(do_mknod(g, ROOT, "node", S_IFREG | 0644, 0, &entry), -EIO);
	assert_int_equal(do_symlink(g, ROOT, "link", "x", &entry), -EIO);
	assert_int_equal(do_lookup(g, ROOT, "dir", &entry), -ENOENT);
}

/* ---- With what mode ---- */

static void umask_of_the_process_is_none_of_the_guests(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_create_out out;
	mode_t old = umask(077);

	become(g, USER, GROUP);
	assert_int_equal(do_create(g, ROOT, "file", O_RDWR, 0666, &out), 0);
	assert_int_equal(do_mkdir(g, ROOT, "dir", 01777, &entry), 0);
	assert_int_equal(do_mknod(g, ROOT, "fifo", S_IFIFO | 0666, 0, &entry), 0);
	assert_int_equal(do_mknod(g, ROOT, "setuid", S_IFREG | 04755, 0, &entry), 0);
	assert_int_equal(do_symlink(g, ROOT, "link", "x", &entry), 0);
	assert_int_equal(umask(old), 077);
	assert_int_equal(mode_of(g, "file"), S_IFREG | 0666);
	assert_int_equal(out.entry.attr.mode, S_IFREG | 0666);
	assert_int_equal(mode_of(g, "dir"), S_IFDIR | 01777);
	assert_int_equal(mode_of(g, "fifo"), S_IFIFO | 0666);
	assert_int_equal(mode_of(g, "setuid"), S_IFREG | 04755);
	assert_int_equal(entry.attr.mode, S_IFLNK | 0777);
}

static void umask_is_undone_beside_setgid_semantics(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_create_out out;
	mode_t old;

	need_root();
	assert_int_equal(fchown(g->dir, 0, OTHER_GROUP), 0);
	assert_int_equal(fchmod(g->dir, 02777), 0);
	become(g, USER, GROUP);
	old = umask(077);
	assert_int_equal(do_create(g, ROOT, "file", O_RDWR, 02777, &out), 0);
	assert_int_equal(do_mkdir(g, ROOT, "dir", 0755, &entry), 0);
	umask(old);
	assert_int_equal(mode_of(g, "file"), S_IFREG | 0777);
	assert_int_equal(mode_of(g, "dir"), S_IFDIR | 02755);
}

/* struct posix_acl_xattr_header and _entry of the kernel's posix_acl_xattr.h. */
struct acl_entry {
	uint16_t tag;
	uint16_t perm;
	uint32_t id;
};

static int set_default_acl(int dir)
{
	const struct {
		uint32_t version;
		struct acl_entry entries[3];
	} acl = {
		.version = 2,
		.entries = {
			{ 0x01, 7, UINT32_MAX }, /* user::rwx */
			{ 0x04, 5, UINT32_MAX }, /* group::r-x */
			{ 0x20, 0, UINT32_MAX }, /* other::--- */
		},
	};

	return fsetxattr(dir, "system.posix_acl_default", &acl, sizeof(acl), 0);
}

static void default_acl_is_not_widened(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_create_out out;
	mode_t old;

	if (set_default_acl(g->dir))
		skip();
	old = umask(077);
	assert_int_equal(do_create(g, ROOT, "file", O_RDWR, 0666, &out), 0);
	assert_int_equal(do_mkdir(g, ROOT, "dir", 0777, &entry), 0);
	umask(old);
	/* Under a default ACL no umask counts, on this host or in the guest. */
	assert_int_equal(mode_of(g, "file"), S_IFREG | 0640);
	assert_int_equal(mode_of(g, "dir"), S_IFDIR | 0750);
}

static void thread_of_our_own_has_no_umask_to_undo(void **state)
{
	struct guest *g = *state;
	struct virtiofs_create_out out;
	mode_t old = umask(022);

	g->req.dedicated = true;
	assert_int_equal(do_create(g, ROOT, "file", O_RDWR, 0666, &out), 0);
	umask(old);
	assert_int_equal(mode_of(g, "file"), S_IFREG | 0644);
}

/* ---- LINK ---- */

static void link_is_another_name_of_the_node(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;
	uint64_t node;

	host_write(g, "a", "hello");
	node = node_of(g, ROOT, "a");
	assert_int_equal(do_link(g, node, ROOT, "b", &out), 0);
	assert_int_equal(out.nodeid, node);
	assert_int_equal(out.attr.nlink, 2);
	assert_int_equal(host_stat(g, "b").st_ino, host_stat(g, "a").st_ino);
	/* The answer was a lookup. */
	do_forget(g, node, 1);
	assert_int_equal(do_getattr(g, node, &out.attr), 0);
	do_forget(g, node, 1);
	assert_int_equal(do_getattr(g, node, &out.attr), -ESTALE);
}

static void symlink_itself_is_linked(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;

	assert_int_equal(symlinkat("/etc/passwd", g->dir, "link"), 0);
	assert_int_equal(do_link(g, node_of(g, ROOT, "link"), ROOT, "again", &out), 0);
	assert_true(S_ISLNK(mode_of(g, "again")));
	assert_int_equal(host_stat(g, "again").st_ino, host_stat(g, "link").st_ino);
}

static void failing_link_counts_no_lookup(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;
	uint64_t node;

	host_write(g, "a", "");
	node = node_of(g, ROOT, "a");
	assert_int_equal(do_link(g, node, ROOT, "a", &out), -EEXIST);
	assert_int_equal(do_link(g, ROOT, ROOT, "dir", &out), -EPERM);
	assert_int_equal(do_link(g, 999, ROOT, "b", &out), -ESTALE);
	assert_int_equal(do_link(g, node, 999, "b", &out), -ESTALE);
	do_forget(g, node, 1);
	assert_int_equal(do_getattr(g, node, &out.attr), -ESTALE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(created_file_is_open),
		TEST(file_is_created_open_for_what_its_mode_forbids),
		TEST(existing_file_is_opened_unless_exclusive),
		TEST(create_opens_nothing_but_files),
		TEST(every_kind_of_node_is_made),
		TEST(device_is_made_with_its_number),
		TEST(mknod_makes_no_directory),
		TEST(failing_creation_leaves_nothing_behind),
		TEST(files_belong_to_the_guests_user),
		TEST(setgid_directory_gives_its_group),
		TEST(setgid_file_is_not_made_by_who_is_not_in_the_group),
		TEST(directory_writable_by_a_group_of_the_guests_is_written_to),
		TEST(no_id_is_no_user),
		TEST(thread_is_given_back_as_it_was),
		TEST(nothing_is_created_by_a_thread_with_foreign_ids),
		TEST(umask_of_the_process_is_none_of_the_guests),
		TEST(umask_is_undone_beside_setgid_semantics),
		TEST(default_acl_is_not_widened),
		TEST(thread_of_our_own_has_no_umask_to_undo),
		TEST(link_is_another_name_of_the_node),
		TEST(symlink_itself_is_linked),
		TEST(failing_link_counts_no_lookup),
	};

	umask(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
