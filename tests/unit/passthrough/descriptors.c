/* SPDX-License-Identifier: BSD-2-Clause */
/* A process that may open a hundred files, and a guest that knows thousands; and what becomes
 * of it where file handles may not be used. */
#include "cold.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { LIMIT = 100, MANY = 5000, PER_DIR = 100 };

static struct rlimit kept;

static int setup_limited(void **state, uint32_t file_handles)
{
	struct rlimit few = { .rlim_cur = LIMIT };

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &kept), 0);
	few.rlim_max = kept.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	return setup_hot(state, file_handles, 0);
}

static int setup_limited_by_handle(void **state)
{
	return setup_limited(state, VIRTIOFS_INODE_FILE_HANDLES_PREFER);
}

static int setup_limited_by_name(void **state)
{
	return setup_limited(state, VIRTIOFS_INODE_FILE_HANDLES_NEVER);
}

static int teardown_limited(void **state)
{
	int err = guest_teardown(state);

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &kept), 0);
	return err;
}

static void thousands_of_files_with_a_hundred_descriptors(void **state)
{
	static uint64_t nodes[MANY], dirs[MANY / PER_DIR];
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;
	struct virtiofs_create_out file;
	struct virtiofs_fuse_attr attr;
	char name[16];
	uint64_t fh;

	for (int i = 0; i < MANY; i++) {
		uint64_t *dir = &dirs[i / PER_DIR];

		sprintf(name, "d%d", i / PER_DIR);
		if (i % PER_DIR == 0) {
			assert_int_equal(do_mkdir(g, ROOT, name, 0755, &out), 0);
			*dir = out.nodeid;
		}
		sprintf(name, "f%d", i);
		assert_int_equal(do_create(g, *dir, name, O_RDWR, 0644, &file), 0);
		assert_int_equal(do_release(g, file.entry.nodeid, file.open.fh), 0);
		nodes[i] = file.entry.nodeid;
	}
	/* Far apart, so that each is cold, and its directory too. */
	for (int i = 0; i < MANY; i++) {
		int at = (int)((unsigned)i * 2003u % MANY);
		uint64_t dir = dirs[at / PER_DIR];
		char renamed[16];

		sprintf(name, "f%d", at);
		sprintf(renamed, "r%d", at);
		assert_int_equal(do_open(g, nodes[at], O_RDWR, &fh), 0);
		assert_int_equal(do_write(g, nodes[at], fh, 0, name, 0, 0), strlen(name));
		assert_int_equal(do_rename(g, dir, name, dir, renamed, 0), 0);
		assert_int_equal(do_getattr(g, nodes[at], &attr), 0);
		assert_int_equal(attr.size, strlen(name));
		assert_int_equal(do_release(g, nodes[at], fh), 0);
	}
	for (int i = 0; i < MANY; i++) {
		int at = (int)((unsigned)i * 4001u % MANY);
		uint64_t dir = dirs[at / PER_DIR];

		sprintf(name, "r%d", at);
		assert_int_equal(do_getattr(g, nodes[at], &attr), 0);
		assert_int_equal(node_of(g, dir, name), nodes[at]);
		assert_int_equal(do_unlink(g, dir, name), 0);
		do_forget(g, nodes[at], 2);
	}
}

/* All descriptors but @left are taken by others of the process. */
static void others_of_the_process_may_take_descriptors(void **state)
{
	struct guest *g = *state;
	uint64_t nodes[40], fh;
	struct virtiofs_fuse_attr attr;
	int others[LIMIT];
	int n = 0;
	char name[16];

	for (int i = 0; i < 40; i++) {
		sprintf(name, "f%d", i);
		host_write(g, name, "text");
		nodes[i] = node_of(g, ROOT, name);
	}
	while (n < LIMIT && (others[n] = dup(g->dir)) >= 0)
		n++;
	assert_true(n < LIMIT);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(do_open(g, nodes[i], O_RDONLY, &fh), 0);
		assert_int_equal(do_getattr(g, nodes[i], &attr), 0);
		assert_int_equal(do_release(g, nodes[i], fh), 0);
	}
	while (n > 0)
		close(others[--n]);
}

/* ---- What the option means ---- */

static char last_line[256];

static void keep_line(void *ctx, unsigned level, const char *message)
{
	(void)ctx;
	(void)level;
	snprintf(last_line, sizeof(last_line), "%s", message);
}

static int create(uint32_t file_handles)
{
	const struct virtiofs_env env = { .size = sizeof(env), .log = keep_line };
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	int root = open("/tmp", O_PATH | O_CLOEXEC);
	struct virtiofs_fs *fs = NULL;
	int err;

	options.inode_file_handles = file_handles;
	last_line[0] = '\0';
	err = virtiofs_passthrough_create(&fs, &env, root, &options);
	virtiofs_fs_destroy(fs);
	close(root);
	return err;
}

static int drop_capability(unsigned number)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	data[0].effective &= ~(1u << number);
	data[0].permitted &= ~(1u << number);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/* Runs in a process of its own; 0: as it should be, or the line where it was not. */
static int without_capability(void)
{
	if (drop_capability(CAP_DAC_READ_SEARCH))
		return __LINE__;
	if (create(VIRTIOFS_INODE_FILE_HANDLES_NEVER) || last_line[0])
		return __LINE__;
	if (create(VIRTIOFS_INODE_FILE_HANDLES_PREFER) || !strstr(last_line, "CAP_DAC_READ_SEARCH"))
		return __LINE__;
	if (create(VIRTIOFS_INODE_FILE_HANDLES_MANDATORY) != -EPERM ||
	    !strstr(last_line, "CAP_DAC_READ_SEARCH"))
		return __LINE__;
	return 0;
}

static void run_apart(int (*function)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int line = function();

		if (line)
			fprintf(stderr, "descriptors.c:%d\n", line);
		_exit(line != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void without_the_capability_handles_are_not_used(void **state)
{
	(void)state;
	run_apart(without_capability);
}

static void options_have_their_bounds(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	struct virtiofs_fs *fs = NULL;
	int root = open("/tmp", O_PATH | O_CLOEXEC);

	(void)state;
	assert_int_equal(create(VIRTIOFS_INODE_FILE_HANDLES_MANDATORY + 1), -EINVAL);
	/* More than RLIMIT_NOFILE lets it have. */
	options.max_hot_inodes = INT32_MAX;
	assert_int_equal(virtiofs_passthrough_create(&fs, NULL, root, &options), -EINVAL);
	close(root);
}

/* ---- Mounts below the directory ---- */

/* One file through three mounts, of which one is of the file alone. */
static int tell_mounts_apart(struct guest *g, uint64_t dir, uint64_t bind)
{
	uint64_t here = node_of(g, dir, "file"), there = node_of(g, bind, "file");
	uint64_t one = node_of(g, ROOT, "one");
	struct virtiofs_fuse_attr attr;

	if (here == there || there == one || here == one)
		return __LINE__;
	for (int i = 0; i < 2; i++) {
		if (!try_cold(g, here) || !try_cold(g, there) || !try_cold(g, one) ||
		    !try_cold(g, bind))
			return __LINE__;
		if (do_getattr(g, here, &attr) || do_getattr(g, there, &attr) ||
		    do_getattr(g, one, &attr))
			return __LINE__;
	}
	if (node_of(g, ROOT, "one") != one || node_of(g, bind, "file") != there)
		return __LINE__;
	return 0;
}

static int mount_at(struct guest *g, const char *what, const char *at)
{
	char from[128], to[128];

	snprintf(from, sizeof(from), "%s/%s", g->path, what);
	snprintf(to, sizeof(to), "%s/%s", g->path, at);
	return mount(from, to, NULL, MS_BIND, NULL);
}

static int with_mounts(int (*setup)(void **state))
{
	void *state = NULL;
	struct guest *g;
	int line;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL))
		return 0; /* no right to */
	if (setup(&state))
		return __LINE__;
	g = state;
	if (mkdirat(g->dir, "dir", 0755) || mkdirat(g->dir, "bind", 0755))
		return __LINE__;
	host_write(g, "dir/file", "text");
	host_write(g, "one", "");
	if (mount_at(g, "dir", "bind") || mount_at(g, "dir/file", "one"))
		return __LINE__;
	line = tell_mounts_apart(g, node_of(g, ROOT, "dir"), node_of(g, ROOT, "bind"));
	for (int i = 0; i < 2; i++) {
		char at[128];

		snprintf(at, sizeof(at), "%s/%s", g->path, i ? "bind" : "one");
		umount2(at, MNT_DETACH);
	}
	guest_teardown(&state);
	return line;
}

static int with_mounts_by_handle(void)
{
	return with_mounts(setup_by_handle);
}

static int with_mounts_by_name(void)
{
	return with_mounts(setup_by_name);
}

static void mounts_are_told_apart(void **state)
{
	(void)state;
	run_apart(with_mounts_by_handle);
	run_apart(with_mounts_by_name);
}

static void long_handles_are_kept_beside_the_record(void **state)
{
	struct guest *g = *state;
	struct vfi_guest *guest = guest_of(g);
	struct vfi_fh fh = { .type = 7, .size = 128, .opens = true }, got;
	struct vfi_proof proof;
	struct vfi_node node;

	host_write(g, "file", "");
	assert_int_equal(vfi_node_open(guest, node_of(g, ROOT, "file"), &node), 0);
	for (unsigned i = 0; i < sizeof(fh.bytes); i++)
		fh.bytes[i] = (unsigned char)(i * 7);
	assert_int_equal(vfi_inode_set_fh(guest, node.inode, &fh), 0);
	vfi_inode_get_fh(guest, node.inode, &got);
	assert_int_equal(got.type, 7);
	assert_int_equal(got.size, 128);
	assert_memory_equal(got.bytes, fh.bytes, 128);
	proof.fh = fh;
	assert_true(vfi_proof_holds(guest, node.inode, &proof));
	proof.fh.bytes[127] ^= 1;
	assert_false(vfi_proof_holds(guest, node.inode, &proof));
	proof.fh = fh;
	proof.fh.size = 127;
	assert_false(vfi_proof_holds(guest, node.inode, &proof));
	vfi_node_close(&node);
}

/* Where a file system has no handles, times tell, unless they are too young for that. */
static void times_prove_where_there_are_no_handles(void **state)
{
	struct guest *g = *state;
	struct vfi_guest *guest = guest_of(g);
	struct vfi_proof proof;
	struct vfi_node node;
	struct statx st;

	host_write(g, "file", "");
	assert_int_equal(vfi_node_open(guest, node_of(g, ROOT, "file"), &node), 0);
	assert_int_equal(vfi_path_stat(node.fd, "", &st), 0);
	proof = (struct vfi_proof){ .born = vfi_birth(&st), .changed = vfi_change(&st) };
	assert_false(vfi_proof_holds(guest, node.inode, &proof));
	assert_int_equal(vfi_name_set_changed(guest, node.inode, proof.changed), 0);
	assert_true(vfi_proof_holds(guest, node.inode, &proof));
	proof.changed++;
	assert_false(vfi_proof_holds(guest, node.inode, &proof));
	proof.changed--;
	proof.born++;
	assert_false(vfi_proof_holds(guest, node.inode, &proof));
	vfi_node_close(&node);
}

int main(void)
{
#define LIMITED(name)                                                                     \
	cmocka_unit_test_setup_teardown(name, setup_limited_by_handle, teardown_limited), \
	{                                                                                 \
#name "_by_name", name, setup_limited_by_name, teardown_limited, NULL     \
	}
#define TEST(name)                                                              \
	cmocka_unit_test_setup_teardown(name, setup_by_handle, guest_teardown), \
	{                                                                       \
#name "_by_name", name, setup_by_name, guest_teardown, NULL     \
	}
	const struct CMUnitTest tests[] = {
		LIMITED(thousands_of_files_with_a_hundred_descriptors),
		LIMITED(others_of_the_process_may_take_descriptors),
		cmocka_unit_test(without_the_capability_handles_are_not_used),
		cmocka_unit_test(options_have_their_bounds),
		cmocka_unit_test(mounts_are_told_apart),
		TEST(long_handles_are_kept_beside_the_record),
		cmocka_unit_test_setup_teardown(times_prove_where_there_are_no_handles,
						setup_by_name, guest_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
