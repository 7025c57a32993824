/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening: what of a guest's flags holds on this host, and what the guest is told. */
#include "guest.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

static void begin_with(void **state, const char *option)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	char error[128];

	assert_int_equal(virtiofs_passthrough_set(&options, option, NULL, error, sizeof(error)), 0);
	guest_setup_with(state, &options);
}

static int host_flags_of(struct guest *g, uint64_t fh)
{
	const struct vfi_handle *handle =
		vfi_table_get(&((struct vfi_guest *)g->session)->handles, fh);
	struct vfi_handle_local *local;
	int flags;

	assert_non_null(handle);
	local = vfi_table_local(&((struct vfi_guest *)g->session)->handles, handle);
	flags = fcntl(local->fd, F_GETFL);
	vfi_handle_put(local);
	/* O_LARGEFILE, which the C library has as 0 and the kernel has not; and what made the
	 * file had O_NOFOLLOW. */
	return flags & ~(0100000 | O_NOFOLLOW);
}

static int opened_with(struct guest *g, uint32_t flags)
{
	uint64_t node, fh;
	int host;

	host_write(g, "file", "hello");
	node = node_of(g, ROOT, "file");
	assert_int_equal(do_open(g, node, flags, &fh), 0);
	host = host_flags_of(g, fh);
	assert_int_equal(do_release(g, node, fh), 0);
	return host;
}

static void no_flag_of_an_effect_of_its_own_is_handed_on(void **state)
{
	struct guest *g = *state;

	assert_int_equal(opened_with(g, O_RDWR | O_SYNC), O_RDWR | O_SYNC);
	assert_int_equal(opened_with(g, O_WRONLY | O_DSYNC), O_WRONLY | O_DSYNC);
	assert_int_equal(opened_with(g, O_CREAT | O_EXCL | O_APPEND | O_NONBLOCK | O_DIRECT |
						O_NOATIME | O_NOFOLLOW | O_PATH | O_DIRECTORY |
						O_TMPFILE | O_ASYNC | O_NOCTTY),
			 0);
}

static void direct_io_is_handed_on_where_it_is_allowed(void **state)
{
	struct virtiofs_create_out out;
	struct guest *g;
	int fd;

	begin_with(state, "allow-direct-io");
	g = *state;
	host_write(g, "can", "");
	fd = openat(g->dir, "can", O_RDWR | O_DIRECT | O_CLOEXEC);
	/* tmpfs of older kernels has none: then the file is opened without. */
	assert_int_equal(opened_with(g, O_RDWR | O_DIRECT) & O_DIRECT, fd >= 0 ? O_DIRECT : 0);
	assert_int_equal(opened_with(g, O_RDWR), O_RDWR);
	assert_int_equal(do_create(g, ROOT, "made", O_WRONLY | O_DIRECT, 0644, &out), 0);
	assert_int_equal(host_flags_of(g, out.open.fh) & O_DIRECT, fd >= 0 ? O_DIRECT : 0);
	if (fd >= 0)
		close(fd);
	guest_teardown(state);
}

static void noatime_is_handed_on_where_it_is_allowed(void **state)
{
	begin_with(state, "preserve-noatime");
	assert_int_equal(opened_with(*state, O_RDONLY | O_NOATIME), O_RDONLY | O_NOATIME);
	assert_int_equal(opened_with(*state, O_RDONLY), O_RDONLY);
	guest_teardown(state);
}

/* A guest that keeps pages reads what it writes a part of. */
static void writer_may_read_where_writes_are_kept_back(void **state)
{
	struct virtiofs_create_out out;
	struct guest *g;

	begin_with(state, "writeback");
	g = *state;
	assert_int_equal(opened_with(g, O_WRONLY), O_WRONLY);
	g->req.granted = VIRTIOFS_FUSE_WRITEBACK_CACHE;
	assert_int_equal(opened_with(g, O_WRONLY), O_RDWR);
	assert_int_equal(opened_with(g, O_RDONLY), O_RDONLY);
	assert_int_equal(do_create(g, ROOT, "made", O_WRONLY, 0200, &out), 0);
	assert_int_equal(host_flags_of(g, out.open.fh), O_RDWR);
	guest_teardown(state);
}

static bool append_only(struct guest *g, bool on)
{
	int fd = openat(g->dir, "file", O_RDONLY | O_CLOEXEC);
	uint32_t flags = 0;
	bool ok;

	ok = ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0;
	flags = on ? flags | FS_APPEND_FL : flags & ~(uint32_t)FS_APPEND_FL;
	ok = ok && ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
	close(fd);
	return ok;
}

/* chattr +a: the host opens it to append alone. */
static void file_that_is_only_appended_to_is_opened_so(void **state)
{
	struct guest *g = *state;
	uint64_t node, fh;
	int plain, append, kept, n;

	host_write(g, "file", "one");
	node = node_of(g, ROOT, "file");
	if (!append_only(g, true))
		skip();
	plain = do_open(g, node, O_RDWR, &fh);
	g->req.granted = VIRTIOFS_FUSE_WRITEBACK_CACHE;
	kept = do_open(g, node, O_WRONLY | O_APPEND, &fh);
	g->req.granted = 0;
	append = do_open(g, node, O_WRONLY | O_APPEND, &fh);
	n = append ? append : do_write(g, node, fh, 0, "two", O_WRONLY, VIRTIOFS_FUSE_WRITE_CACHE);
	assert_true(append_only(g, false));
	assert_int_equal(plain, -EPERM);
	/* Pages would be appended as often as they are written. */
	assert_int_equal(kept, -EPERM);
	assert_int_equal(append, 0);
	assert_int_equal(n, 3);
	assert_int_equal(host_stat(g, "file").st_size, 6);
	assert_int_equal(do_release(g, node, fh), 0);
}

static uint32_t answer_to(struct guest *g, uint32_t flags)
{
	const struct virtiofs_fuse_open_in in = { .flags = flags };
	struct virtiofs_fuse_open_out out;
	uint64_t node;

	host_write(g, "file", "hello");
	node = node_of(g, ROOT, "file");
	g->ops->open(g->session, fake_req(&g->req), node, &in);
	assert_int_equal(fake_reply_body(&g->req, &out, sizeof(out)), 0);
	return out.open_flags;
}

static void close_of_a_reader_is_not_asked_for_on_local_disks(void **state)
{
	struct guest *g = *state;
	const uint32_t quiet = vfi_open_is_local(g->dir) ? VIRTIOFS_FOPEN_NOFLUSH : 0;

	assert_int_equal(answer_to(g, O_RDONLY), quiet);
	/* Pages it mapped are written at its close. */
	assert_int_equal(answer_to(g, O_WRONLY), 0);
	assert_int_equal(answer_to(g, O_RDWR), 0);
	/* A lock ends with it. */
	g->req.granted = VIRTIOFS_FUSE_POSIX_LOCKS;
	assert_int_equal(answer_to(g, O_RDONLY), 0);
	g->req.granted = VIRTIOFS_FUSE_WRITEBACK_CACHE;
	assert_int_equal(answer_to(g, O_RDONLY), 0);
	g->req.granted = 0;
}

static void close_of_a_writer_is_not_asked_for_where_nobody_looks(void **state)
{
	struct guest *g;
	uint32_t quiet;

	guest_setup_cached(state, VIRTIOFS_CACHE_ALWAYS);
	g = *state;
	quiet = vfi_open_is_local(g->dir) ? VIRTIOFS_FOPEN_NOFLUSH : 0;
	assert_int_equal(answer_to(g, O_RDWR), VIRTIOFS_FOPEN_KEEP_CACHE | quiet);
	guest_teardown(state);
}

/* /proc has files whose close may well have something to say, as those of a network have. */
static void only_file_systems_that_are_known_are_local(void **state)
{
	int proc = open("/proc", O_PATH | O_CLOEXEC);

	(void)state;
	assert_false(vfi_open_is_local(proc));
	assert_false(vfi_open_is_local(-1));
	close(proc);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(no_flag_of_an_effect_of_its_own_is_handed_on),
		cmocka_unit_test(direct_io_is_handed_on_where_it_is_allowed),
		cmocka_unit_test(noatime_is_handed_on_where_it_is_allowed),
		cmocka_unit_test(writer_may_read_where_writes_are_kept_back),
		TEST(file_that_is_only_appended_to_is_opened_so),
		TEST(close_of_a_reader_is_not_asked_for_on_local_disks),
		cmocka_unit_test(close_of_a_writer_is_not_asked_for_where_nobody_looks),
		cmocka_unit_test(only_file_systems_that_are_known_are_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
