/* SPDX-License-Identifier: BSD-2-Clause */
/* S_ISUID, S_ISGID and file capabilities do not survive a write of who may not keep them. */
#include "guest.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

enum { USER = 1234, GROUP = 2345, WANTED = VIRTIOFS_FUSE_WRITE_KILL_SUIDGID };

static int setup(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	struct guest *g;

	options.killpriv_v2 = VIRTIOFS_ON;
	guest_setup_with(state, &options);
	g = *state;
	g->req.granted = g->init.granted & g->init.offered;
	return 0;
}

/* Without root this host's kernel drops them at any write. */
static void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

static uint64_t file_with_mode(struct guest *g, mode_t mode)
{
	host_write(g, "file", "hello");
	assert_int_equal(fchmodat(g->dir, "file", mode, 0), 0);
	return node_of(g, ROOT, "file");
}

static mode_t mode_of_file(struct guest *g)
{
	return host_stat(g, "file").st_mode & 07777;
}

/* ---- Who does it ---- */

static void it_is_granted_where_asked_for(void **state)
{
	struct guest *g = *state;

	assert_true(g->init.granted & VIRTIOFS_FUSE_HANDLE_KILLPRIV_V2);
	/* The first version says nothing of who writes: it would drop them for root too. */
	assert_false(g->init.granted & VIRTIOFS_FUSE_HANDLE_KILLPRIV);
}

static void it_is_not_granted_by_itself(void **state)
{
	struct guest *g = *state;

	assert_false(g->init.granted & VIRTIOFS_FUSE_HANDLE_KILLPRIV_V2);
	assert_false(g->init.granted & VIRTIOFS_FUSE_HANDLE_KILLPRIV);
}

/* ---- Write ---- */

static mode_t mode_after_write(struct guest *g, mode_t mode, uint32_t write_flags)
{
	uint64_t node = file_with_mode(g, mode), fh;

	assert_int_equal(do_open(g, node, O_WRONLY, &fh), 0);
	assert_int_equal(do_write(g, node, fh, 0, "x", 0, write_flags), 1);
	assert_int_equal(do_release(g, node, fh), 0);
	return mode_of_file(g);
}

static void write_drops_them_where_told(void **state)
{
	struct guest *g = *state;

	need_root();
	assert_int_equal(mode_after_write(g, 06777, 0), 06777);
	assert_int_equal(mode_after_write(g, 06777, WANTED), 0777);
	assert_int_equal(mode_after_write(g, 04711, WANTED), 0711);
	assert_int_equal(mode_after_write(g, 02755, WANTED), 0755);
	/* S_ISGID without S_IXGRP is no right to pass on: mandatory locking, once. */
	assert_int_equal(mode_after_write(g, 06767, WANTED), 02767);
	assert_int_equal(mode_after_write(g, 02644, WANTED), 02644);
	assert_int_equal(mode_after_write(g, 01640, WANTED), 01640);
}

/* ---- Truncation ---- */

static mode_t mode_after_truncate(struct guest *g, uint32_t valid, bool by_handle)
{
	uint64_t node = file_with_mode(g, 06755);
	struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_SIZE | valid, .size = 3 };
	struct virtiofs_fuse_attr attr;

	if (by_handle) {
		assert_int_equal(do_open(g, node, O_WRONLY, &in.fh), 0);
		in.valid |= VIRTIOFS_FATTR_FH;
	}
	assert_int_equal(do_setattr(g, node, &in, &attr), 0);
	assert_int_equal(attr.size, 3);
	assert_int_equal(attr.mode, host_stat(g, "file").st_mode);
	if (by_handle)
		assert_int_equal(do_release(g, node, in.fh), 0);
	return mode_of_file(g);
}

static void truncation_drops_them_where_told(void **state)
{
	struct guest *g = *state;

	need_root();
	assert_int_equal(mode_after_truncate(g, 0, false), 06755);
	assert_int_equal(mode_after_truncate(g, 0, true), 06755);
	assert_int_equal(mode_after_truncate(g, VIRTIOFS_FATTR_KILL_SUIDGID, false), 0755);
	assert_int_equal(mode_after_truncate(g, VIRTIOFS_FATTR_KILL_SUIDGID, true), 0755);
}

/* ---- Open and create ---- */

static mode_t mode_after_open(struct guest *g, uint32_t flags, uint32_t open_flags)
{
	const struct virtiofs_fuse_open_in in = { .flags = flags, .open_flags = open_flags };
	uint64_t node = file_with_mode(g, 06755);
	struct virtiofs_fuse_open_out out;

	g->ops->open(g->session, fake_req(&g->req), node, &in);
	assert_int_equal(fake_reply_body(&g->req, &out, sizeof(out)), 0);
	assert_int_equal(do_release(g, node, out.fh), 0);
	return mode_of_file(g);
}

static void truncating_open_drops_them_where_told(void **state)
{
	struct guest *g = *state;

	need_root();
	assert_int_equal(mode_after_open(g, O_WRONLY | O_TRUNC, 0), 06755);
	assert_int_equal(mode_after_open(g, O_WRONLY, VIRTIOFS_FUSE_OPEN_KILL_SUIDGID), 06755);
	assert_int_equal(mode_after_open(g, O_WRONLY | O_TRUNC, VIRTIOFS_FUSE_OPEN_KILL_SUIDGID),
			 0755);
	assert_int_equal(mode_after_open(g, O_RDONLY | O_TRUNC, VIRTIOFS_FUSE_OPEN_KILL_SUIDGID),
			 0755);
}

/* With ATOMIC_O_TRUNC and without KILLPRIV_V2 nobody says whether the user may keep them. */
static void truncating_open_drops_them_by_the_user_where_nobody_tells(void **state)
{
	struct guest *g = *state;

	need_root();
	g->req.granted = 0;
	become(g, USER, GROUP);
	assert_int_equal(mode_after_open(g, O_WRONLY | O_TRUNC, 0), 0755);
	assert_int_equal(mode_after_open(g, O_WRONLY, 0), 06755);
	become(g, 0, 0);
	assert_int_equal(mode_after_open(g, O_WRONLY | O_TRUNC, 0), 06755);
	/* Not even who it is. */
	become(g, VIRTIOFS_FUSE_INVALID_UIDGID, VIRTIOFS_FUSE_INVALID_UIDGID);
	assert_int_equal(mode_after_open(g, O_WRONLY | O_TRUNC, 0), 06755);
}

static mode_t mode_after_create(struct guest *g, const char *name)
{
	const struct virtiofs_fuse_create_in in = {
		.flags = O_RDWR | O_TRUNC,
		.mode = 04755,
		.open_flags = VIRTIOFS_FUSE_OPEN_KILL_SUIDGID,
	};
	struct virtiofs_create_out out;

	g->ops->create(g->session, fake_req(&g->req), ROOT, &in, name);
	assert_int_equal(fake_reply_body(&g->req, &out, sizeof(out)), 0);
	assert_int_equal(do_release(g, out.entry.nodeid, out.open.fh), 0);
	return host_stat(g, name).st_mode & 07777;
}

static void create_drops_them_of_a_file_there_was(void **state)
{
	struct guest *g = *state;

	need_root();
	file_with_mode(g, 06755);
	assert_int_equal(mode_after_create(g, "file"), 0755);
	/* What was asked for is no one else's program. */
	assert_int_equal(mode_after_create(g, "new"), 04755);
}

/* ---- Fallocate and copies, of which nothing says who may keep the bits ---- */

static mode_t mode_after_fallocate(struct guest *g)
{
	uint64_t node = file_with_mode(g, 06755);
	struct virtiofs_fuse_fallocate_in in = { .offset = 0, .length = 4096 };

	assert_int_equal(do_open(g, node, O_WRONLY, &in.fh), 0);
	g->ops->fallocate(g->session, fake_req(&g->req), node, &in);
	assert_int_equal(fake_reply_error(&g->req), 0);
	assert_int_equal(do_release(g, node, in.fh), 0);
	return mode_of_file(g);
}

static mode_t mode_after_copy(struct guest *g)
{
	struct virtiofs_fuse_copy_file_range_in in = { .len = 2 };
	uint64_t from;

	host_write(g, "from", "other");
	from = node_of(g, ROOT, "from");
	in.nodeid_out = file_with_mode(g, 06755);
	assert_int_equal(do_open(g, from, O_RDONLY, &in.fh_in), 0);
	assert_int_equal(do_open(g, in.nodeid_out, O_WRONLY, &in.fh_out), 0);
	g->ops->copy_file_range(g->session, fake_req(&g->req), from, &in);
	assert_int_equal(fake_reply_error(&g->req), 0);
	assert_int_equal(do_release(g, from, in.fh_in), 0);
	assert_int_equal(do_release(g, in.nodeid_out, in.fh_out), 0);
	return mode_of_file(g);
}

static void others_than_root_lose_them_by_fallocate_and_copies(void **state)
{
	struct guest *g = *state;

	need_root();
	become(g, USER, GROUP);
	assert_int_equal(mode_after_fallocate(g), 0755);
	assert_int_equal(mode_after_copy(g), 0755);
	become(g, 0, 0);
	assert_int_equal(mode_after_fallocate(g), 06755);
	assert_int_equal(mode_after_copy(g), 06755);
	/* Where it was not granted the guest's kernel has done it. */
	become(g, USER, GROUP);
	g->req.granted = 0;
	assert_int_equal(mode_after_fallocate(g), 06755);
	assert_int_equal(mode_after_copy(g), 06755);
}

/* ---- What the host's kernel does by itself ---- */

static void change_of_owner_drops_them(void **state)
{
	struct guest *g = *state;
	uint64_t node;
	const struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_UID, .uid = USER };
	struct virtiofs_fuse_attr attr;

	need_root();
	node = file_with_mode(g, 06755);
	assert_int_equal(do_setattr(g, node, &in, &attr), 0);
	assert_int_equal(attr.mode, S_IFREG | 0755);
}

static bool give_capability(struct guest *g)
{
	/* struct vfs_cap_data of linux/capability.h, revision 2: cap_chown, permitted. */
	const uint32_t cap[5] = { 0x02000000, 1 };
	int fd = openat(g->dir, "file", O_RDONLY | O_CLOEXEC);
	int err = fsetxattr(fd, "security.capability", cap, sizeof(cap), 0);

	close(fd);
	return err == 0;
}

static bool has_capability(struct guest *g)
{
	int fd = openat(g->dir, "file", O_RDONLY | O_CLOEXEC);
	ssize_t len = fgetxattr(fd, "security.capability", NULL, 0);

	close(fd);
	return len > 0;
}

static void file_capabilities_go_with_any_write(void **state)
{
	struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_SIZE, .size = 2 };
	struct guest *g = *state;
	struct virtiofs_fuse_attr attr;
	uint64_t node, fh;

	node = file_with_mode(g, 0755);
	if (!give_capability(g))
		skip();
	assert_int_equal(do_open(g, node, O_WRONLY, &fh), 0);
	assert_int_equal(do_write(g, node, fh, 0, "x", 0, 0), 1);
	assert_false(has_capability(g));
	assert_true(give_capability(g));
	assert_int_equal(do_setattr(g, node, &in, &attr), 0);
	assert_false(has_capability(g));
	assert_true(give_capability(g));
	in = (struct virtiofs_fuse_setattr_in){ .valid = VIRTIOFS_FATTR_UID, .uid = USER };
	assert_int_equal(do_setattr(g, node, &in, &attr), 0);
	assert_false(has_capability(g));
	assert_true(give_capability(g));
	assert_int_equal(do_release(g, node, fh), 0);
	assert_int_equal(do_open(g, node, O_WRONLY | O_TRUNC, &fh), 0);
	assert_false(has_capability(g));
}

/* ---- Without root ---- */

static int in_child(int (*run)(struct guest *g, int fd), struct guest *g)
{
	int status, fd;
	pid_t pid;

	file_with_mode(g, 06777);
	fd = openat(g->dir, "file", O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run(g, fd));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(fd);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Keeps of its capabilities those in @mask. */
static int become_user(uint32_t mask)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	const struct __user_cap_data_struct caps[2] = { { .effective = mask, .permitted = mask } };

	if (prctl(PR_SET_KEEPCAPS, 1) || syscall(SYS_setgroups, 0, NULL) ||
	    syscall(SYS_setresgid, GROUP, GROUP, GROUP) ||
	    syscall(SYS_setresuid, USER, USER, USER) || syscall(SYS_capset, &header, caps))
		return -1;
	return 0;
}

static int write_as_user(struct guest *g, int fd)
{
	(void)g;
	if (become_user(0))
		return 1;
	/* Not his file, whose mode he cannot change: the kernel does it. */
	if (vfi_kill_suidgid(fd))
		return 2;
	return write(fd, "x", 1) == 1 ? 0 : 3;
}

static int write_with_right_to_keep(struct guest *g, int fd)
{
	(void)g;
	if (become_user(1u << CAP_FSETID))
		return 1;
	/* The kernel would let him keep them, and he cannot drop them. */
	return vfi_kill_suidgid(fd) == -EPERM ? 0 : 2;
}

static void without_root_the_kernel_does_it_or_nobody_writes(void **state)
{
	struct guest *g = *state;

	need_root();
	assert_int_equal(in_child(write_as_user, g), 0);
	assert_int_equal(mode_of_file(g), 0777);
	assert_int_equal(in_child(write_with_right_to_keep, g), 0);
	assert_int_equal(mode_of_file(g), 06777);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(it_is_granted_where_asked_for),
		cmocka_unit_test_setup_teardown(it_is_not_granted_by_itself, guest_setup,
						guest_teardown),
		TEST(write_drops_them_where_told),
		TEST(truncation_drops_them_where_told),
		TEST(truncating_open_drops_them_where_told),
		TEST(truncating_open_drops_them_by_the_user_where_nobody_tells),
		TEST(create_drops_them_of_a_file_there_was),
		TEST(others_than_root_lose_them_by_fallocate_and_copies),
		TEST(change_of_owner_drops_them),
		TEST(file_capabilities_go_with_any_write),
		TEST(without_root_the_kernel_does_it_or_nobody_writes),
	};

	umask(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
