/* SPDX-License-Identifier: BSD-2-Clause */
/* Space: of the file system, and in files. */
#include "guest.h"

#include <linux/falloc.h>
#include <sys/vfs.h>

static void statfs_is_the_hosts(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_statfs_out out;
	struct statfs st;

	assert_int_equal(fstatfs(g->dir, &st), 0);
	g->ops->statfs(g->session, fake_req(&g->req), ROOT);
	assert_int_equal(fake_reply_body(&g->req, &out, sizeof(out)), 0);
	assert_int_equal(out.st.blocks, st.f_blocks);
	assert_int_equal(out.st.bsize, st.f_bsize);
	assert_int_equal(out.st.namelen, st.f_namelen);
	g->ops->statfs(g->session, fake_req(&g->req), 999);
	assert_int_equal(fake_reply_error(&g->req), -ESTALE);
}

struct file {
	uint64_t node;
	uint64_t fh;
};

static struct file open_file(struct guest *g, const char *name, const char *text)
{
	struct file file;

	host_write(g, name, text);
	file.node = node_of(g, ROOT, name);
	assert_int_equal(do_open(g, file.node, O_RDWR, &file.fh), 0);
	return file;
}

static int do_fallocate(struct guest *g, struct file file, uint32_t mode, uint64_t offset,
			uint64_t len)
{
	const struct virtiofs_fuse_fallocate_in in = {
		.fh = file.fh,
		.mode = mode,
		.offset = offset,
		.length = len,
	};

	g->ops->fallocate(g->session, fake_req(&g->req), file.node, &in);
	return fake_reply_error(&g->req);
}

static int truncate_file(struct guest *g, struct file file, uint64_t size)
{
	const struct virtiofs_fuse_setattr_in in = { .valid = VIRTIOFS_FATTR_SIZE, .size = size };
	struct virtiofs_fuse_attr attr;

	return do_setattr(g, file.node, &in, &attr);
}

static void space_is_allocated(void **state)
{
	struct guest *g = *state;
	struct file file = open_file(g, "file", "hello");
	struct file wrong = { file.node, 999 };

	assert_int_equal(do_fallocate(g, file, 0, 0, 8192), 0);
	assert_int_equal(host_stat(g, "file").st_size, 8192);
	assert_int_equal(do_fallocate(g, file, FALLOC_FL_KEEP_SIZE, 8192, 8192), 0);
	assert_int_equal(host_stat(g, "file").st_size, 8192);
	assert_int_equal(do_fallocate(g, file, 0, UINT64_MAX, 1), -EINVAL);
	assert_int_equal(do_fallocate(g, file, 0, 0, UINT64_MAX), -EINVAL);
	assert_int_equal(do_fallocate(g, wrong, 0, 0, 1), -EBADF);
}

/* Each mode there is does what the host's fallocate(2) does, and no other bit is handed on. */
static void every_mode_is_the_hosts(void **state)
{
	static const uint32_t modes[] = {
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_COLLAPSE_RANGE,
		FALLOC_FL_INSERT_RANGE,
		FALLOC_FL_UNSHARE_RANGE,
		FALLOC_FL_PUNCH_HOLE,
		FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE,
	};
	struct guest *g = *state;
	struct file file = open_file(g, "file", "");

	for (unsigned i = 0; i < VFI_ARRAY_SIZE(modes); i++) {
		int fd = openat(g->dir, "twin", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		int want;

		assert_true(fd >= 0);
		assert_int_equal(ftruncate(fd, 65536), 0);
		assert_int_equal(truncate_file(g, file, 65536), 0);
		want = fallocate(fd, (int)modes[i], 4096, 8192) ? -errno : 0;
		assert_int_equal(do_fallocate(g, file, modes[i], 4096, 8192), want);
		assert_int_equal(host_stat(g, "file").st_size, host_stat(g, "twin").st_size);
		close(fd);
	}
	/* 4 is FALLOC_FL_NO_HIDE_STALE. */
	assert_int_equal(do_fallocate(g, file, 4, 0, 4096), -EOPNOTSUPP);
	for (uint32_t bit = FALLOC_FL_UNSHARE_RANGE << 1; bit; bit <<= 1)
		assert_int_equal(do_fallocate(g, file, bit, 0, 4096), -EOPNOTSUPP);
	assert_int_equal(do_fallocate(g, file, UINT32_MAX, 0, 4096), -EOPNOTSUPP);
}

static int64_t do_lseek(struct guest *g, struct file file, uint64_t offset, uint32_t whence)
{
	const struct virtiofs_fuse_lseek_in in = {
		.fh = file.fh,
		.offset = offset,
		.whence = whence,
	};
	struct virtiofs_fuse_lseek_out out;
	int err;

	g->ops->lseek(g->session, fake_req(&g->req), file.node, &in);
	err = fake_reply_body(&g->req, &out, sizeof(out));
	return err ? err : (int64_t)out.offset;
}

static void holes_are_found(void **state)
{
	struct guest *g = *state;
	struct file file = open_file(g, "file", "hello");

	assert_int_equal(do_write(g, file.node, file.fh, 1 << 20, "there", 0, 0), 5);
	assert_int_equal(do_lseek(g, file, 0, SEEK_DATA), 0);
	/* A file system without holes says that there is one at the end. */
	assert_in_range(do_lseek(g, file, 0, SEEK_HOLE), 1, (1 << 20) + 5);
	assert_int_equal(do_lseek(g, file, 0, SEEK_END), (1 << 20) + 5);
	assert_int_equal(do_lseek(g, file, 1 << 21, SEEK_DATA), -ENXIO);
	assert_int_equal(do_lseek(g, file, 0, SEEK_CUR), -EINVAL);
	assert_int_equal(do_lseek(g, file, 0, SEEK_SET), -EINVAL);
	assert_int_equal(do_lseek(g, file, 0, 77), -EINVAL);
}

/* Their positions are between READDIRs, and nobody else's. */
static void a_directory_has_no_place_to_seek(void **state)
{
	struct guest *g = *state;
	struct file dir = { .node = ROOT };

	assert_int_equal(do_opendir(g, ROOT, &dir.fh), 0);
	assert_int_equal(do_lseek(g, dir, 0, SEEK_END), -EBADF);
	assert_int_equal(do_lseek(g, dir, UINT64_MAX, SEEK_DATA), -EBADF);
}

static int64_t do_copy(struct guest *g, struct file from, struct file to,
		       struct virtiofs_fuse_copy_file_range_in in)
{
	struct virtiofs_fuse_copy_file_range_out out;
	int err;

	in.fh_in = from.fh;
	in.nodeid_out = to.node;
	in.fh_out = to.fh;
	g->ops->copy_file_range(g->session, fake_req(&g->req), from.node, &in);
	err = fake_reply_body(&g->req, &out, sizeof(out));
	return err ? err : (int64_t)out.bytes_copied;
}

static void data_is_copied_from_file_to_file(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_copy_file_range_in in = { .off_in = 1, .off_out = 2, .len = 3 };
	struct file from = open_file(g, "from", "hello");
	struct file to = open_file(g, "to", "......");
	struct file wrong = { to.node, from.fh };
	char buf[16];

	assert_int_equal(do_copy(g, from, to, in), 3);
	assert_int_equal(do_read(g, to.node, to.fh, 0, buf, sizeof(buf)), 6);
	assert_memory_equal(buf, "..ell.", 6);
	assert_int_equal(do_copy(g, from, wrong, in), -EBADF);
	assert_int_equal(do_copy(g, wrong, to, in), -EBADF);
	in.flags = 1;
	assert_int_equal(do_copy(g, from, to, in), -EINVAL);
	in.flags = 0;
	in.off_in = UINT64_MAX;
	assert_true(do_copy(g, from, to, in) < 0);
	in.off_in = 0;
	in.off_out = INT64_MAX;
	assert_true(do_copy(g, from, to, in) < 0);
	/* The length may be anything: there is not more than the file. */
	in.off_out = 0;
	in.len = UINT64_MAX;
	assert_true(do_copy(g, from, to, in) < 0 || host_stat(g, "to").st_size == 6);
}

static void copies_begin_behind_4_gib_too(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_copy_file_range_in in = { .len = 5ull << 30 };
	struct file from = open_file(g, "from", "");
	struct file to = open_file(g, "to", "");

	assert_int_equal(truncate_file(g, from, 5ull << 30), 0);
	in.off_in = (5ull << 30) - 4096;
	g->req.in.opcode = VIRTIOFS_FUSE_COPY_FILE_RANGE;
	assert_int_equal(do_copy(g, from, to, in), 4096);
	g->req.in.opcode = VIRTIOFS_FUSE_COPY_FILE_RANGE_64;
	assert_int_equal(do_copy(g, from, to, in), 4096);
}

static void file_system_is_synced(void **state)
{
	struct guest *g = *state;
	struct file file = open_file(g, "file", "hello");

	g->ops->syncfs(g->session, fake_req(&g->req), ROOT);
	assert_int_equal(fake_reply_error(&g->req), 0);
	g->ops->syncfs(g->session, fake_req(&g->req), file.node);
	assert_int_equal(fake_reply_error(&g->req), 0);
	g->ops->syncfs(g->session, fake_req(&g->req), 999);
	assert_int_equal(fake_reply_error(&g->req), -ESTALE);
}

/* Those that may take long are moved to where they may, and done there. */
static void long_operations_are_offloaded(void **state)
{
	struct guest *g = *state;
	const struct virtiofs_fuse_copy_file_range_in in = { 0 };

	g->req.offload = true;
	g->ops->syncfs(g->session, fake_req(&g->req), ROOT);
	assert_true(g->req.offloaded);
	assert_int_equal(g->req.replies, 0);
	g->ops->syncfs(g->session, &g->req, ROOT);
	assert_int_equal(fake_reply_error(&g->req), 0);
	g->ops->copy_file_range(g->session, fake_req(&g->req), ROOT, &in);
	assert_true(g->req.offloaded);
	assert_int_equal(g->req.replies, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(statfs_is_the_hosts),
		TEST(space_is_allocated),
		TEST(holes_are_found),
		TEST(data_is_copied_from_file_to_file),
		TEST(file_system_is_synced),
		TEST(long_operations_are_offloaded),
		TEST(every_mode_is_the_hosts),
		TEST(a_directory_has_no_place_to_seek),
		TEST(copies_begin_behind_4_gib_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
