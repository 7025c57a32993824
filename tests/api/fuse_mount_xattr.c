/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended attributes and ACLs through a real kernel, which caches them and goes by them. */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "api/mount.h"
#include "support/acl.h"

static struct mount m;

static int begin(void **state)
{
	const char *const *args = *state;

	mount_open(&m, args[0], args[1], NULL);
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_int_equal(mount_stop(&m), 0);
	mount_clean(&m);
	return 0;
}

static void need(const char *name)
{
	write_file(behind(&m, "probe"), "");
	if (setxattr(behind(&m, "probe"), name, "x", 1, 0) && errno != EINVAL)
		skip();
}

static void without_the_option_attributes_are_not_supported(void **state)
{
	char buf[16];

	(void)state;
	need("user.x");
	write_file(in(&m, "file"), "");
	assert_int_equal(setxattr(in(&m, "file"), "user.x", "1", 1, 0), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(getxattr(in(&m, "file"), "user.x", buf, sizeof(buf)), -1);
	assert_int_equal(errno, EOPNOTSUPP);
}

static void attributes_go_both_ways(void **state)
{
	char buf[16], list[256];
	ssize_t n;

	(void)state;
	need("user.x");
	write_file(in(&m, "file"), "");
	assert_int_equal(setxattr(in(&m, "file"), "user.x", "value", 5, 0), 0);
	assert_int_equal(getxattr(behind(&m, "file"), "user.x", buf, sizeof(buf)), 5);
	assert_int_equal(setxattr(behind(&m, "file"), "user.y", "other", 5, 0), 0);
	assert_int_equal(getxattr(in(&m, "file"), "user.y", buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "other", 5);
	n = listxattr(in(&m, "file"), list, sizeof(list));
	assert_int_equal(n, listxattr(behind(&m, "file"), NULL, 0));
	assert_int_equal(removexattr(in(&m, "file"), "user.x"), 0);
	assert_int_equal(getxattr(behind(&m, "file"), "user.x", buf, sizeof(buf)), -1);
	assert_int_equal(errno, ENODATA);
}

/* trusted.overlay.* and user.overlay.*, with which overlayfs keeps its upper layer. */
static void overlay_can_keep_its_marks(void **state)
{
	(void)state;
	need("trusted.x");
	assert_int_equal(mkdir(in(&m, "upper"), 0755), 0);
	assert_int_equal(setxattr(in(&m, "upper"), "trusted.overlay.opaque", "y", 1, 0), 0);
	assert_int_equal(setxattr(in(&m, "upper"), "user.overlay.opaque", "y", 1, 0), 0);
	assert_int_equal(mknod(in(&m, "upper/whiteout"), S_IFCHR, 0), 0);
}

/* An overlay whose upper layer is on the mount: what it changes of a lower file is kept there. */
static void overlayfs_works_on_it(void **state)
{
	char options[512];
	struct stat st;

	(void)state;
	need("trusted.x");
	assert_int_equal(mkdir(behind(&m, "lower"), 0755), 0);
	write_file(behind(&m, "lower/changed"), "lower");
	write_file(behind(&m, "lower/removed"), "lower");
	assert_int_equal(mkdir(behind(&m, "lower/dir"), 0755), 0);
	assert_int_equal(mkdir(in(&m, "up"), 0755), 0);
	assert_int_equal(mkdir(in(&m, "work"), 0755), 0);
	assert_int_equal(mkdir(behind(&m, "merged"), 0755), 0);
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s",
		 behind(&m, "lower"), in(&m, "up"), in(&m, "work"));
	if (mount("none", behind(&m, "merged"), "overlay", 0, options))
		skip();
	write_file(behind(&m, "merged/changed"), "upper");
	assert_int_equal(unlink(behind(&m, "merged/removed")), 0);
	assert_int_equal(rmdir(behind(&m, "merged/dir")), 0);
	assert_int_equal(mkdir(behind(&m, "merged/dir"), 0755), 0);
	write_file(behind(&m, "merged/new"), "upper");
	assert_int_equal(rename(behind(&m, "merged/new"), behind(&m, "merged/dir/moved")), 0);
	expect_file(behind(&m, "merged/changed"), "upper");
	assert_int_equal(umount2(behind(&m, "merged"), 0), 0);
	/* On the host, as it would be on its own file systems. */
	expect_file(behind(&m, "lower/changed"), "lower");
	expect_file(behind(&m, "up/changed"), "upper");
	expect_file(behind(&m, "up/dir/moved"), "upper");
	assert_int_equal(lstat(behind(&m, "up/removed"), &st), 0);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0);
	assert_int_equal(getxattr(behind(&m, "up/dir"), "trusted.overlay.opaque", options, 8), 1);
}

static void capability_that_is_mapped_goes_with_a_write(void **state)
{
	/* struct vfs_cap_data of linux/capability.h, revision 2: cap_chown, permitted. */
	static const uint32_t cap[5] = { 0x02000000, 1 };
	static const char there[] = "user.virtiofs.security.capability";
	char buf[64];

	(void)state;
	need("user.x");
	write_file(in(&m, "program"), "text");
	assert_int_equal(setxattr(in(&m, "program"), "security.capability", cap, sizeof(cap), 0),
			 0);
	assert_int_equal(getxattr(behind(&m, "program"), there, buf, sizeof(buf)), sizeof(cap));
	write_file(in(&m, "program"), "changed");
	assert_int_equal(getxattr(behind(&m, "program"), there, buf, sizeof(buf)), -1);
	assert_int_equal(errno, ENODATA);
}

/* Whether a user other than root, of no group of the file's, can open it. */
static bool user_can(uid_t uid, const char *path, int flags)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (syscall(SYS_setgroups, 0, NULL) || setresgid(uid, uid, uid) ||
		    setresuid(uid, uid, uid))
			_exit(2);
		_exit(open(path, flags) >= 0 ? 0 : errno == EACCES ? 1 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
	return WEXITSTATUS(status) == 0;
}

static void acl_says_who_may(void **state)
{
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	need(ACL_ACCESS);
	assert_int_equal(chmod(m.dir, 0755), 0);
	assert_int_equal(chmod(m.source, 0755), 0);
	write_file(in(&m, "file"), "text");
	assert_int_equal(setxattr(in(&m, "file"), ACL_ACCESS, &user_reads, sizeof(user_reads), 0),
			 0);
	assert_int_equal(stat(in(&m, "file"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0740);
	assert_true(user_can(ACL_USER, in(&m, "file"), O_RDONLY));
	assert_false(user_can(ACL_USER, in(&m, "file"), O_WRONLY));
	assert_false(user_can(ACL_USER + 1, in(&m, "file"), O_RDONLY));
	/* chmod(2) changes its mask, on both sides. */
	assert_int_equal(chmod(in(&m, "file"), 0700), 0);
	assert_false(user_can(ACL_USER, in(&m, "file"), O_RDONLY));
	assert_false(user_can(ACL_USER, behind(&m, "file"), O_RDONLY));
}

static void default_acl_is_inherited_and_keeps_the_umask_off(void **state)
{
	mode_t before = umask(077);
	struct stat st;

	(void)state;
	need(ACL_ACCESS);
	write_file(in(&m, "plain"), "");
	assert_int_equal(stat(in(&m, "plain"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(mkdir(in(&m, "dir"), 0777), 0);
	assert_int_equal(setxattr(in(&m, "dir"), ACL_DEFAULT, &user_reads, sizeof(user_reads), 0),
			 0);
	write_file(in(&m, "dir/file"), "");
	assert_int_equal(stat(in(&m, "dir/file"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(getxattr(in(&m, "dir/file"), ACL_ACCESS, NULL, 0), sizeof(user_reads));
	umask(before);
}

int main(void)
{
	static const char *const none[] = { NULL, NULL };
	static const char *const xattr[] = { "--xattr", NULL };
	static const char *const xattr_readers[] = { "--xattr", "--cache=never" };
	static const char *const mapped[] = { "--xattrmap=:map::user.virtiofs.:", NULL };
	static const char *const acl[] = { "--posix-acl", NULL };
#define TEST(name, args)                                                   \
	{                                                                  \
#name " " #args, name, begin, end, (void *)(uintptr_t)args \
	}
	const struct CMUnitTest tests[] = {
		TEST(without_the_option_attributes_are_not_supported, none),
		TEST(attributes_go_both_ways, xattr),
		TEST(attributes_go_both_ways, xattr_readers),
		TEST(overlay_can_keep_its_marks, xattr),
		TEST(overlayfs_works_on_it, xattr),
		TEST(capability_that_is_mapped_goes_with_a_write, mapped),
		TEST(acl_says_who_may, acl),
		TEST(default_acl_is_inherited_and_keeps_the_umask_off, acl),
	};

	if (!mount_possible())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
