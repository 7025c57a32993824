/* SPDX-License-Identifier: BSD-2-Clause */
/* Open files: handles, and the data behind them. */
#include "guest.h"

#include <signal.h>
#include <sys/resource.h>

#include <sys/sysmacros.h>

/* "file" with "hello" in it, opened; returns its node id. */
static uint64_t open_hello(struct guest *g, uint32_t flags, uint64_t *fh)
{
	uint64_t node;

	host_write(g, "file", "hello");
	node = node_of(g, ROOT, "file");
	assert_int_equal(do_open(g, node, flags, fh), 0);
	return node;
}

static void file_is_read_through_its_handle(void **state)
{
	struct guest *g = *state;
	uint64_t node, fh;
	char buf[16];

	node = open_hello(g, O_RDONLY, &fh);
	assert_int_equal(do_read(g, node, fh, 1, buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "ello", 4);
	assert_int_equal(do_read(g, node, fh, 5, buf, sizeof(buf)), 0);
	assert_int_equal(do_release(g, node, fh), 0);
}

static void read_far_behind_the_end_is_einval(void **state)
{
	struct guest *g = *state;
	uint64_t node, fh;
	char buf[16];

	node = open_hello(g, O_RDONLY, &fh);
	/* -1 is the file's position to preadv2(2), which is not the guest's to use. */
	assert_int_equal(do_read(g, node, fh, UINT64_MAX, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(do_read(g, node, fh, 1ull << 63, buf, sizeof(buf)), -EINVAL);
}

static void released_handle_is_ebadf(void **state)
{
	struct guest *g = *state;
	uint64_t node, fh;
	char buf[16];

	node = open_hello(g, O_RDONLY, &fh);
	assert_int_equal(do_release(g, node, fh), 0);
	assert_int_equal(do_release(g, node, fh), -EBADF);
	assert_int_equal(do_read(g, node, fh, 0, buf, sizeof(buf)), -EBADF);
}

static void handle_of_another_file_is_ebadf(void **state)
{
	struct guest *g = *state;
	uint64_t a, b, fh;
	char buf[16];

	host_write(g, "a", "hello");
	host_write(g, "b", "world");
	a = node_of(g, ROOT, "a");
	b = node_of(g, ROOT, "b");
	assert_int_equal(do_open(g, a, O_RDONLY, &fh), 0);
	assert_int_equal(do_read(g, b, fh, 0, buf, sizeof(buf)), -EBADF);
	assert_int_equal(do_release(g, b, fh), -EBADF);
	assert_int_equal(do_read(g, a, fh, 0, buf, sizeof(buf)), 5);
}

static void handle_of_the_other_kind_is_ebadf(void **state)
{
	struct guest *g = *state;
	uint64_t node, file, dir;
	char buf[512];

	host_write(g, "file", "hello");
	node = node_of(g, ROOT, "file");
	assert_int_equal(do_open(g, node, O_RDONLY, &file), 0);
	assert_int_equal(do_opendir(g, ROOT, &dir), 0);
	assert_int_equal(do_read(g, ROOT, dir, 0, buf, sizeof(buf)), -EBADF);
	assert_int_equal(do_readdir(g, node, file, 0, buf, sizeof(buf)), -EBADF);
	assert_int_equal(do_release(g, ROOT, dir), -EBADF);
	assert_int_equal(do_releasedir(g, node, file), -EBADF);
}

static void made_up_handles_are_ebadf(void **state)
{
	static const uint64_t ids[] = { 0, 1, 2, UINT32_MAX, 1ull << 32, UINT64_MAX };
	struct guest *g = *state;
	uint64_t node;
	char buf[512];

	host_write(g, "file", "hello");
	node = node_of(g, ROOT, "file");
	for (size_t i = 0; i < VFI_ARRAY_SIZE(ids); i++) {
		assert_int_equal(do_read(g, node, ids[i], 0, buf, sizeof(buf)), -EBADF);
		assert_int_equal(do_readdir(g, ROOT, ids[i], 0, buf, sizeof(buf)), -EBADF);
		assert_int_equal(do_release(g, node, ids[i]), -EBADF);
		assert_int_equal(do_releasedir(g, ROOT, ids[i]), -EBADF);
	}
}

static void open_truncates_where_asked(void **state)
{
	struct guest *g = *state;
	uint64_t fh;

	host_write(g, "file", "hello");
	assert_int_equal(do_open(g, node_of(g, ROOT, "file"), O_WRONLY | O_TRUNC, &fh), 0);
	assert_int_equal(host_stat(g, "file").st_size, 0);
}

static void open_that_frees_much_is_offloaded(void **state)
{
	struct guest *g = *state;
	const struct virtiofs_fuse_open_in in = { .flags = O_WRONLY | O_TRUNC };
	uint64_t node, fh;

	host_write(g, "file", "hello");
	node = node_of(g, ROOT, "file");
	g->req.offload = true;
	assert_int_equal(do_open(g, node, O_WRONLY | O_TRUNC, &fh), 0);
	assert_false(g->req.offloaded);
	assert_int_equal(do_write(g, node, fh, 2 << 20, "x", 0, 0), 1);
	g->ops->open(g->session, fake_req(&g->req), node, &in);
	assert_true(g->req.offloaded);
	assert_int_equal(g->req.replies, 0);
	g->ops->open(g->session, &g->req, node, &in);
	assert_int_equal(fake_reply_error(&g->req), 0);
	assert_int_equal(host_stat(g, "file").st_size, 0);
}

static void a_fifo_is_never_opened(void **state)
{
	struct guest *g = *state;
	uint64_t node, fh;

	assert_int_equal(mkfifoat(g->dir, "fifo", 0666), 0);
	node = node_of(g, ROOT, "fifo");
	/* An open of the FIFO itself would wait for a writer. */
	assert_int_equal(do_open(g, node, O_RDONLY, &fh), -ENXIO);
	assert_int_equal(do_open(g, node, O_RDWR, &fh), -ENXIO);
}

static void a_device_is_never_opened(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_entry_out out;
	uint64_t fh;

	if (mknodat(g->dir, "null", S_IFCHR | 0666, makedev(1, 3)))
		skip();
	assert_int_equal(do_lookup(g, ROOT, "null", &out), 0);
	assert_true(S_ISCHR(out.attr.mode));
	assert_int_equal(out.attr.rdev, 1 << 8 | 3);
	assert_int_equal(do_open(g, out.nodeid, O_RDONLY, &fh), -ENXIO);
}

static void a_directory_is_no_file(void **state)
{
	uint64_t fh;

	assert_int_equal(do_open(*state, ROOT, O_RDONLY, &fh), -EISDIR);
}

static void an_unlinked_file_opens_by_its_node(void **state)
{
	struct guest *g = *state;
	uint64_t node, fh;
	char buf[16];

	host_write(g, "file", "hello");
	node = node_of(g, ROOT, "file");
	assert_int_equal(unlinkat(g->dir, "file", 0), 0);
	assert_int_equal(do_open(g, node, O_RDONLY, &fh), 0);
	assert_int_equal(do_read(g, node, fh, 0, buf, sizeof(buf)), 5);
}

static void file_is_written_through_its_handle(void **state)
{
	struct guest *g = *state;
	uint64_t node, fh;
	char buf[16];

	node = open_hello(g, O_RDWR, &fh);
	assert_int_equal(do_write(g, node, fh, 4, "ring", 0, 0), 4);
	assert_int_equal(do_read(g, node, fh, 0, buf, sizeof(buf)), 8);
	assert_memory_equal(buf, "hellring", 8);
	assert_int_equal(do_write(g, node, fh, UINT64_MAX, "x", 0, 0), -EINVAL);
	assert_int_equal(do_write(g, node, 999, 0, "x", 0, 0), -EBADF);
}

static void file_opened_to_read_is_not_written(void **state)
{
	struct guest *g = *state;
	uint64_t node, fh;

	node = open_hello(g, O_RDONLY, &fh);
	assert_int_equal(do_write(g, node, fh, 0, "x", 0, 0), -EBADF);
}

static void write_appends_where_the_file_was_opened_to(void **state)
{
	struct guest *g = *state;
	uint64_t node, fh;
	char buf[32];

	node = open_hello(g, O_RDWR | O_APPEND, &fh);
	/* The guest knows a size of 0, the host has 5 bytes by now. */
	assert_int_equal(do_write(g, node, fh, 0, " world", O_APPEND, 0), 6);
	assert_int_equal(do_read(g, node, fh, 0, buf, sizeof(buf)), 11);
	assert_memory_equal(buf, "hello world", 11);
	/* The page cache writes a page that was read: it goes where it came from. */
	assert_int_equal(do_write(g, node, fh, 0, "J", O_APPEND, VIRTIOFS_FUSE_WRITE_CACHE), 1);
	assert_int_equal(do_read(g, node, fh, 0, buf, sizeof(buf)), 11);
	assert_memory_equal(buf, "Jello world", 11);
}

/* A guest's kernel looks at how much of a program's write was done; of a cached page's, it does
 * not, and the page would be lost. */
static void page_that_is_written_in_part_is_an_error(void **state)
{
	struct guest *g = *state;
	struct rlimit before, limit;
	void (*handler)(int);
	uint64_t node, fh;
	int part, page;

	host_write(g, "file", "");
	node = node_of(g, ROOT, "file");
	assert_int_equal(do_open(g, node, O_RDWR, &fh), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){ 4096, before.rlim_max };
	handler = signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	part = do_write(g, node, fh, 4094, "text", 0, 0);
	page = do_write(g, node, fh, 4094, "text", 0, VIRTIOFS_FUSE_WRITE_CACHE);
	setrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, handler);
	assert_int_equal(part, 2);
	assert_int_equal(page, -EFBIG);
	assert_int_equal(do_release(g, node, fh), 0);
}

static void file_is_flushed_and_synced(void **state)
{
	struct guest *g = *state;
	int before;
	uint64_t node, fh;

	node = open_hello(g, O_RDWR, &fh);
	before = count_descriptors();
	assert_int_equal(do_flush(g, node, fh), 0);
	assert_int_equal(do_fsync(g, node, fh, 0), 0);
	assert_int_equal(do_fsync(g, node, fh, VIRTIOFS_FUSE_FSYNC_FDATASYNC), 0);
	assert_int_equal(count_descriptors(), before);
	assert_int_equal(do_flush(g, ROOT, fh), -EBADF);
	assert_int_equal(do_fsync(g, ROOT, fh, 0), -EBADF);
	assert_int_equal(do_fsyncdir(g, node, fh), -EBADF);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(file_is_read_through_its_handle),
		TEST(read_far_behind_the_end_is_einval),
		TEST(released_handle_is_ebadf),
		TEST(handle_of_another_file_is_ebadf),
		TEST(handle_of_the_other_kind_is_ebadf),
		TEST(made_up_handles_are_ebadf),
		TEST(file_is_written_through_its_handle),
		TEST(file_opened_to_read_is_not_written),
		TEST(write_appends_where_the_file_was_opened_to),
		TEST(page_that_is_written_in_part_is_an_error),
		TEST(file_is_flushed_and_synced),
		TEST(open_truncates_where_asked),
		TEST(open_that_frees_much_is_offloaded),
		TEST(a_fifo_is_never_opened),
		TEST(a_device_is_never_opened),
		TEST(a_directory_is_no_file),
		TEST(an_unlinked_file_opens_by_its_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
