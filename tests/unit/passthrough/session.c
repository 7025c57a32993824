/* SPDX-License-Identifier: BSD-2-Clause */
/* Making the filesystem, and beginning sessions on it. */
#include "guest.h"

static int create(int root_fd, const struct virtiofs_passthrough_options *options)
{
	struct virtiofs_fs *fs = NULL;
	int before = count_descriptors();
	int err = virtiofs_passthrough_create(&fs, NULL, root_fd, options);

	assert_true(!fs == (err != 0));
	virtiofs_fs_destroy(fs);
	assert_int_equal(count_descriptors(), before);
	return err;
}

static void root_has_to_be_a_directory(void **state)
{
	int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	int path = open("/tmp", O_PATH | O_CLOEXEC);

	(void)state;
	assert_int_equal(create(file, NULL), -ENOTDIR);
	assert_int_equal(create(-1, NULL), -EBADF);
	assert_int_equal(create(path, NULL), 0);
	close(path);
	close(file);
}

static void options_are_checked(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	int path = open("/tmp", O_PATH | O_CLOEXEC);

	(void)state;
	options.cache = VIRTIOFS_CACHE_NEVER + 1;
	assert_int_equal(create(path, &options), -EINVAL);
	options.cache = 0;
	options.max_inodes = UINT32_MAX;
	assert_int_equal(create(path, &options), -EINVAL);
	options.max_inodes = 0;
	options.size = 3;
	assert_int_equal(create(path, &options), -EINVAL);
	close(path);
}

static void proc_self_fd_has_to_be_proc(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	int path = open("/tmp", O_PATH | O_CLOEXEC);

	(void)state;
	/* In any other directory, a file named by a number would be opened in a guest's name. */
	options.proc_self_fd = path;
	assert_int_equal(create(path, &options), -EINVAL);
	options.proc_self_fd = 9999;
	assert_int_equal(create(path, &options), -EBADF);
	options.proc_self_fd = open("/proc/self/fd", O_PATH | O_CLOEXEC);
	assert_int_equal(create(path, &options), 0);
	close(options.proc_self_fd);
	close(path);
}

static void guests_of_one_filesystem_know_nothing_of_each_other(void **state)
{
	struct guest *g = *state;
	struct guest other = guest_on_thread(g);
	struct virtiofs_fuse_attr attr;
	uint64_t node, fh;
	char buf[8];

	assert_int_equal(g->ops->session_begin(g->fs->fs, &other.session, &other.init), 0);
	host_write(g, "file", "hello");
	node = node_of(g, ROOT, "file");
	assert_int_equal(do_open(g, node, O_RDONLY, &fh), 0);
	assert_int_equal(do_getattr(&other, node, &attr), -ESTALE);
	assert_int_equal(node_of(&other, ROOT, "file"), node);
	assert_int_equal(do_read(&other, node, fh, 0, buf, sizeof(buf)), -EBADF);
	g->ops->session_end(other.session);
	assert_int_equal(do_read(g, node, fh, 0, buf, sizeof(buf)), 5);
}

static void session_takes_everything_with_it(void **state)
{
	struct guest *g = *state;
	int before = count_descriptors();
	struct guest other = guest_on_thread(g);
	uint64_t fh;

	host_write(g, "file", "hello");
	assert_int_equal(g->ops->session_begin(g->fs->fs, &other.session, &other.init), 0);
	assert_int_equal(do_open(&other, node_of(&other, ROOT, "file"), O_RDONLY, &fh), 0);
	assert_int_equal(do_opendir(&other, ROOT, &fh), 0);
	assert_true(count_descriptors() > before);
	g->ops->session_end(other.session);
	assert_int_equal(count_descriptors(), before);
}

static int lines_logged;

static void log_line(void *ctx, unsigned level, const char *message)
{
	(void)ctx;
	assert_int_equal(level, VIRTIOFS_LOG_WARNING);
	assert_non_null(strstr(message, "ENFILE"));
	lines_logged++;
}

static void spent_descriptors_are_logged_but_not_flooded(void **state)
{
	struct vfi_share share = { .inodes.max = 2 };

	(void)state;
	assert_int_equal(vfi_env_init(&share.env, NULL), 0);
	share.env.log = log_line;
	assert_true(vfi_budget_take(&share, &share.inodes));
	assert_true(vfi_budget_take(&share, &share.inodes));
	assert_int_equal(lines_logged, 0);
	for (int i = 0; i < 100; i++)
		assert_false(vfi_budget_take(&share, &share.inodes));
	/* A second may turn over in between. */
	assert_in_range(lines_logged, 1, 3);
	vfi_budget_give(&share.inodes);
	assert_true(vfi_budget_take(&share, &share.inodes));
}

/* What a cache policy means: seconds, flags of INIT, flags of open and opendir. */
struct policy {
	uint32_t cache;
	uint64_t valid;
	uint64_t granted;
	uint32_t file;
	uint32_t dir;
};

static void check_policy(void **state, const struct policy *policy)
{
	const uint64_t all = VIRTIOFS_FUSE_AUTO_INVAL_DATA | VIRTIOFS_FUSE_DO_READDIRPLUS;
	const struct virtiofs_fuse_open_in in = { .flags = O_RDONLY };
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_fuse_open_out out;
	struct guest *g;

	guest_setup_cached(state, policy->cache);
	g = *state;
	host_write(g, "file", "hello");
	assert_int_equal(do_lookup(g, ROOT, "file", &entry), 0);
	assert_int_equal(entry.entry_valid, policy->valid);
	assert_int_equal(entry.attr_valid, policy->valid);
	assert_int_equal(g->init.granted & all, policy->granted);
	g->ops->open(g->session, fake_req(&g->req), entry.nodeid, &in);
	assert_int_equal(fake_reply_body(&g->req, &out, sizeof(out)), 0);
	/* Which the file system behind decides. */
	assert_int_equal(out.open_flags & ~VIRTIOFS_FOPEN_NOFLUSH, policy->file);
	g->ops->opendir(g->session, fake_req(&g->req), ROOT, &in);
	assert_int_equal(fake_reply_body(&g->req, &out, sizeof(out)), 0);
	assert_int_equal(out.open_flags, policy->dir);
	guest_teardown(state);
}

static void cache_policy_decides_what_may_be_kept(void **state)
{
	const uint64_t inval = VIRTIOFS_FUSE_AUTO_INVAL_DATA;
	const uint64_t plus = VIRTIOFS_FUSE_DO_READDIRPLUS;
	const uint32_t direct = VIRTIOFS_FOPEN_DIRECT_IO | VIRTIOFS_FOPEN_PARALLEL_DIRECT_WRITES;
	const uint32_t kept = VIRTIOFS_FOPEN_KEEP_CACHE | VIRTIOFS_FOPEN_CACHE_DIR;
	const struct policy policies[] = {
		{ VIRTIOFS_CACHE_AUTO, 1, inval | plus, 0, 0 },
		{ VIRTIOFS_CACHE_ALWAYS, 86400, plus, VIRTIOFS_FOPEN_KEEP_CACHE, kept },
		{ VIRTIOFS_CACHE_METADATA, 86400, inval | plus, direct, kept },
		{ VIRTIOFS_CACHE_NEVER, 0, inval, direct, 0 },
	};

	for (size_t i = 0; i < VFI_ARRAY_SIZE(policies); i++)
		check_policy(state, &policies[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_has_to_be_a_directory),
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(proc_self_fd_has_to_be_proc),
		TEST(guests_of_one_filesystem_know_nothing_of_each_other),
		TEST(session_takes_everything_with_it),
		cmocka_unit_test(spent_descriptors_are_logged_but_not_flooded),
		cmocka_unit_test(cache_policy_decides_what_may_be_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
