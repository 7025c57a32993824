/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In whose name things are made: groups the guest sends, umasks it leaves to us, and
 * what comes of them where this process may not change its ids.
 */
#include "guest.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

enum { USER = 1234, GROUP = 2345, OTHER_GROUP = 3456, THIRD_GROUP = 4567 };

static void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

static void with_group(struct guest *g, uint32_t group)
{
	g->req.group_count = 1;
	g->req.groups[0] = group;
}

static void without_groups(struct guest *g)
{
	g->req.group_count = 0;
}

static int become_for_good(uid_t uid, gid_t gid, const gid_t *groups, size_t count)
{
	if (syscall(SYS_setgroups, count, groups) || syscall(SYS_setresgid, gid, gid, gid) ||
	    syscall(SYS_setresuid, uid, uid, uid))
		return -1;
	/* So that /proc/self is its own again. */
	return prctl(PR_SET_DUMPABLE, 1);
}

/* Run @in_child in a process of its own, and expect that it returns 0; 77: skip. */
static void in_process(int (*in_child)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(in_child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Run @with with a share of this process's own. */
static int with_own_share(int (*with)(struct guest *g))
{
	void *state;
	int result;

	guest_setup(&state);
	result = with(state);
	guest_teardown(&state);
	return result;
}

/* ---- Groups ---- */

/* The same things made below "host" by a process of that user, and below "guest" by requests. */
struct made {
	uint32_t gid;
	uint32_t group; /* a supplementary one; 0: none */
	mode_t dir_mode;
	mode_t mode;
};

static int make_on_host(const struct guest *g, const struct made *m)
{
	const gid_t groups[] = { m->group };
	int dir = openat(g->dir, "host", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (become_for_good(USER, m->gid, groups, m->group ? 1 : 0) < 0)
		return 1;
	umask(0);
	if (openat(dir, "file", O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, m->mode) < 0)
		return 2;
	if (mkdirat(dir, "dir", m->mode) || mknodat(dir, "node", S_IFREG | m->mode, 0) ||
	    mknodat(dir, "fifo", S_IFIFO | m->mode, 0) || symlinkat("x", dir, "link"))
		return 3;
	return 0;
}

static void make_as_guest(struct guest *g, const struct made *m)
{
	uint64_t dir = node_of(g, ROOT, "guest");
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_create_out out;

	become(g, USER, m->gid);
	if (m->group)
		with_group(g, m->group);
	assert_int_equal(do_create(g, dir, "file", O_RDWR, m->mode, &out), 0);
	assert_int_equal(do_mkdir(g, dir, "dir", m->mode, &entry), 0);
	assert_int_equal(do_mknod(g, dir, "node", S_IFREG | m->mode, 0, &entry), 0);
	assert_int_equal(do_mknod(g, dir, "fifo", S_IFIFO | m->mode, 0, &entry), 0);
	assert_int_equal(do_symlink(g, dir, "link", "x", &entry), 0);
	without_groups(g);
}

static void prepare_dirs(struct guest *g, mode_t mode)
{
	static const char *const dirs[] = { "host", "guest" };

	for (size_t i = 0; i < VFI_ARRAY_SIZE(dirs); i++) {
		assert_int_equal(mkdirat(g->dir, dirs[i], 0777), 0);
		assert_int_equal(fchownat(g->dir, dirs[i], 0, OTHER_GROUP, 0), 0);
		assert_int_equal(fchmodat(g->dir, dirs[i], mode, 0), 0);
	}
}

static void compare(struct guest *g)
{
	static const char *const names[] = { "file", "dir", "node", "fifo", "link" };

	for (size_t i = 0; i < VFI_ARRAY_SIZE(names); i++) {
		char host[16], guest[16];
		struct stat a, b;

		snprintf(host, sizeof(host), "host/%s", names[i]);
		snprintf(guest, sizeof(guest), "guest/%s", names[i]);
		a = host_stat(g, host);
		b = host_stat(g, guest);
		assert_int_equal(a.st_mode, b.st_mode);
		assert_int_equal(a.st_uid, b.st_uid);
		assert_int_equal(a.st_gid, b.st_gid);
		assert_int_equal(unlinkat(g->dir, host, S_ISDIR(a.st_mode) ? AT_REMOVEDIR : 0), 0);
		assert_int_equal(unlinkat(g->dir, guest, S_ISDIR(a.st_mode) ? AT_REMOVEDIR : 0), 0);
	}
	assert_int_equal(unlinkat(g->dir, "host", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(g->dir, "guest", AT_REMOVEDIR), 0);
}

static void compare_with_host(struct guest *g, const struct made *m)
{
	pid_t pid;
	int status;

	prepare_dirs(g, m->dir_mode);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(make_on_host(g, m));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	make_as_guest(g, m);
	compare(g);
}

static void setgid_is_kept_and_dropped_as_on_the_host(void **state)
{
	static const mode_t dir_modes[] = { 0777, 02777, 03777 };
	static const mode_t modes[] = { 0664, 02775, 02664, 06755, 01755 };
	static const struct made users[] = {
		{ GROUP, 0, 0, 0 },	      /* in no group of the directory's */
		{ GROUP, THIRD_GROUP, 0, 0 }, /* in another */
		{ GROUP, OTHER_GROUP, 0, 0 }, /* in it, as a supplementary one */
		{ OTHER_GROUP, 0, 0, 0 },     /* in it, as the one of the process */
	};
	struct guest *g = *state;

	need_root();
	assert_int_equal(fchmod(g->dir, 0777), 0);
	for (size_t i = 0; i < VFI_ARRAY_SIZE(users); i++) {
		for (size_t j = 0; j < VFI_ARRAY_SIZE(dir_modes); j++) {
			for (size_t k = 0; k < VFI_ARRAY_SIZE(modes); k++) {
				struct made m = users[i];

				m.dir_mode = dir_modes[j];
				m.mode = modes[k];
				compare_with_host(g, &m);
			}
		}
	}
}

static size_t own_groups(gid_t *groups, size_t max)
{
	long n = syscall(SYS_getgroups, max, groups);

	assert_true(n >= 0);
	return (size_t)n;
}

/* Where no id changes there are still groups that have to go again. */
static void groups_of_the_guests_root_do_not_stay(void **state)
{
	const gid_t own[] = { THIRD_GROUP };
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;
	gid_t groups[8];

	need_root();
	become(g, 0, 0);
	with_group(g, OTHER_GROUP);
	assert_int_equal(do_mkdir(g, ROOT, "a", 0755, &out), 0);
	assert_int_equal(own_groups(groups, 8), 0);
	assert_int_equal(syscall(SYS_setgroups, 1, own), 0);
	assert_int_equal(do_mkdir(g, ROOT, "b", 0755, &out), 0);
	assert_int_equal(do_mkdir(g, ROOT, "b", 0755, &out), -EEXIST);
	assert_int_equal(own_groups(groups, 8), 1);
	assert_int_equal(groups[0], THIRD_GROUP);
	without_groups(g);
	assert_int_equal(do_mkdir(g, ROOT, "c", 0755, &out), 0);
	assert_int_equal(own_groups(groups, 8), 1);
	assert_int_equal(syscall(SYS_setgroups, 0, NULL), 0);
}

static void no_group_is_einval_and_changes_nothing(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;
	gid_t groups[8];

	need_root();
	become(g, USER, GROUP);
	with_group(g, UINT32_MAX);
	assert_int_equal(do_mkdir(g, ROOT, "dir", 0755, &out), -EINVAL);
	assert_false(host_has(g, "dir"));
	assert_int_equal(own_groups(groups, 8), 0);
	assert_int_equal(geteuid(), 0);
}

static void groups_are_granted(void **state)
{
	struct guest *g = *state;

	assert_true(g->init.granted & VIRTIOFS_FUSE_CREATE_SUPP_GROUP);
}

/* ---- Umask, where the guest's kernel has not applied it ---- */

static int set_default_acl(int dir)
{
	/* struct posix_acl_xattr_header and _entry of the kernel's posix_acl_xattr.h. */
	const struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} entries[3];
	} acl = {
		.version = 2,
		.entries = {
			{ 0x01, 7, UINT32_MAX }, /* user::rwx */
			{ 0x04, 6, UINT32_MAX }, /* group::rw- */
			{ 0x20, 0, UINT32_MAX }, /* other::--- */
		},
	};

	return fsetxattr(dir, "system.posix_acl_default", &acl, sizeof(acl), 0);
}

static void make_and_expect(struct guest *g, const char *suffix, mode_t file, mode_t dir)
{
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_create_out out;
	char name[32];

	snprintf(name, sizeof(name), "file-%s", suffix);
	assert_int_equal(do_create(g, ROOT, name, O_RDWR, 0666, &out), 0);
	assert_int_equal(host_stat(g, name).st_mode, S_IFREG | file);
	assert_int_equal(out.entry.attr.mode, S_IFREG | file);
	snprintf(name, sizeof(name), "node-%s", suffix);
	assert_int_equal(do_mknod(g, ROOT, name, S_IFIFO | 0666, 0, &entry), 0);
	assert_int_equal(host_stat(g, name).st_mode, S_IFIFO | file);
	snprintf(name, sizeof(name), "dir-%s", suffix);
	assert_int_equal(do_mkdir(g, ROOT, name, 01777, &entry), 0);
	assert_int_equal(host_stat(g, name).st_mode, S_IFDIR | 01000 | dir);
}

static void expect_umask(struct guest *g)
{
	mode_t own = umask(0);

	umask(own);
	g->umask = 027;
	g->req.granted = 0;
	make_and_expect(g, "masked-by-the-guest", 0666, 0777);
	g->req.granted = VIRTIOFS_FUSE_DONT_MASK;
	make_and_expect(g, "027", 0640, 0750);
	g->umask = 0;
	make_and_expect(g, "0", 0666, 0777);
	g->umask = UINT32_MAX;
	make_and_expect(g, "hostile", 0, 0);
	assert_int_equal(umask(own), own);
}

static void umask_left_to_us_is_applied(void **state)
{
	struct guest *g = *state;
	mode_t old;

	expect_umask(g);
	assert_int_equal(fchmod(g->dir, 0755), 0);
	/* With one of the process's own beside it. */
	old = umask(077);
	g->umask = 02;
	make_and_expect(g, "both", 0664, 0775);
	assert_int_equal(umask(old), 077);
}

static void umask_left_to_us_is_the_kernels_on_a_thread_of_our_own(void **state)
{
	struct guest *g = *state;

	g->req.dedicated = true;
	expect_umask(g);
}

static void no_umask_counts_under_a_default_acl(void **state)
{
	struct guest *g = *state;

	if (set_default_acl(g->dir))
		skip();
	g->req.granted = VIRTIOFS_FUSE_DONT_MASK;
	g->umask = 077;
	make_and_expect(g, "anywhere", 0660, 0760);
	g->req.dedicated = true;
	make_and_expect(g, "dedicated", 0660, 0760);
}

/* ---- Without root ---- */

static int make_as_nobody(struct guest *g)
{
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_create_out out;
	struct stat st;

	become(g, 4321, 5432);
	with_group(g, OTHER_GROUP);
	g->req.granted = VIRTIOFS_FUSE_DONT_MASK;
	g->umask = 027;
	if (do_create(g, ROOT, "file", O_RDWR, 0666, &out) ||
	    do_mkdir(g, ROOT, "dir", 0777, &entry) || do_symlink(g, ROOT, "link", "x", &entry))
		return 2;
	st = host_stat(g, "file");
	if (st.st_uid != USER || st.st_gid != GROUP || st.st_mode != (S_IFREG | 0640))
		return 3;
	st = host_stat(g, "dir");
	if (st.st_uid != USER || st.st_gid != GROUP || st.st_mode != (S_IFDIR | 0750))
		return 4;
	/* A directory that he cannot look into: its default ACL is for the kernel alone to know. */
	g->req.dedicated = true;
	if (fchmod(g->dir, 0333) || set_default_acl(g->dir) ||
	    do_create(g, ROOT, "acl", O_RDWR, 0666, &out) || fchmod(g->dir, 0755))
		return 7;
	if (host_stat(g, "acl").st_mode != (S_IFREG | 0660))
		return 8;
	/* Who is no user at all is nobody to him either. */
	become(g, UINT32_MAX, UINT32_MAX);
	return do_mkdir(g, ROOT, "by-no-one", 0755, &entry) == 0 ? 0 : 5;
}

static int nobody(void)
{
	const gid_t groups[] = { THIRD_GROUP };

	if (become_for_good(USER, GROUP, groups, 1))
		return 1;
	return with_own_share(make_as_nobody);
}

static void who_is_not_root_makes_everything_as_himself(void **state)
{
	(void)state;
	need_root();
	in_process(nobody);
}

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

static int make_as_root_of_one(struct guest *g)
{
	struct virtiofs_fuse_entry_out out;
	struct stat st;

	become(g, 0, 0);
	if (do_mkdir(g, ROOT, "own", 0755, &out))
		return 3;
	st = host_stat(g, "own");
	if (st.st_uid != 0 || st.st_gid != 0)
		return 4;
	with_group(g, OTHER_GROUP);
	if (do_mkdir(g, ROOT, "own2", 0755, &out))
		return 5;
	without_groups(g);
	/* It has no other user's id, and nobody else's groups. */
	become(g, 1000, 0);
	if (do_mkdir(g, ROOT, "other", 0755, &out) != -EPERM || host_has(g, "other"))
		return 6;
	return 0;
}

/* Root of a user namespace with one user, which may not change groups: `unshare -r`. */
static int root_of_one(void)
{
	const gid_t groups[] = { THIRD_GROUP, OTHER_GROUP };

	if (become_for_good(USER, GROUP, groups, 2))
		return 1;
	if (unshare(CLONE_NEWUSER) || put("/proc/self/setgroups", "deny") ||
	    put("/proc/self/uid_map", "0 1234 1") || put("/proc/self/gid_map", "0 2345 1"))
		return 77;
	return geteuid() == 0 ? with_own_share(make_as_root_of_one) : 2;
}

static void root_without_the_right_to_change_groups_makes_its_own(void **state)
{
	(void)state;
	need_root();
	in_process(root_of_one);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(setgid_is_kept_and_dropped_as_on_the_host),
		TEST(groups_of_the_guests_root_do_not_stay),
		TEST(no_group_is_einval_and_changes_nothing),
		TEST(groups_are_granted),
		TEST(umask_left_to_us_is_applied),
		TEST(umask_left_to_us_is_the_kernels_on_a_thread_of_our_own),
		TEST(no_umask_counts_under_a_default_acl),
		TEST(who_is_not_root_makes_everything_as_himself),
		TEST(root_without_the_right_to_change_groups_makes_its_own),
	};

	umask(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
