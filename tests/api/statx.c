/* SPDX-License-Identifier: BSD-2-Clause */
/* STATX: what the host's statx(2) says, as far as the protocol has room for it. */
#include "shared.h"

#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include <linux/fs.h>

#include "support/fuse_newer_calls.h"

static const struct virtiofs_fuse_statx_in usual = {
	.sx_mask = STATX_BASIC_STATS | STATX_BTIME,
};

static struct statx host_statx(const struct shared *s, const char *name)
{
	struct statx st;

	assert_int_equal(statx(s->dir.fd, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH,
			       STATX_BASIC_STATS | STATX_BTIME, &st),
			 0);
	return st;
}

static void assert_time(const struct virtiofs_fuse_sx_time *time, struct statx_timestamp want)
{
	assert_int_equal(time->tv_sec, want.tv_sec);
	assert_int_equal(time->tv_nsec, want.tv_nsec);
	assert_int_equal(time->__reserved, 0);
}

static void assert_statx_of(const struct virtiofs_fuse_statx *got, const struct statx *st)
{
	assert_int_equal(got->mask, st->stx_mask & (STATX_BASIC_STATS | STATX_BTIME));
	assert_int_equal(got->blksize, st->stx_blksize);
	assert_int_equal(got->nlink, st->stx_nlink);
	assert_int_equal(got->uid, st->stx_uid);
	assert_int_equal(got->gid, st->stx_gid);
	assert_int_equal(got->mode, st->stx_mode);
	assert_int_equal(got->ino, st->stx_ino);
	assert_int_equal(got->size, st->stx_size);
	assert_int_equal(got->blocks, st->stx_blocks);
	assert_time(&got->atime, st->stx_atime);
	assert_time(&got->ctime, st->stx_ctime);
	assert_time(&got->mtime, st->stx_mtime);
	if (st->stx_mask & STATX_BTIME)
		assert_time(&got->btime, st->stx_btime);
	assert_int_equal(got->rdev_major, st->stx_rdev_major);
	assert_int_equal(got->rdev_minor, st->stx_rdev_minor);
	assert_int_equal(got->dev_major, st->stx_dev_major);
	assert_int_equal(got->dev_minor, st->stx_dev_minor);
}

static void statx_is_the_files_own(void **state)
{
	static const struct virtiofs_fuse_statx nothing;
	struct shared *s = *state;
	struct virtiofs_fuse_statx_out out;
	struct statx st;

	host_write(s, "file", "0123456789", 10);
	assert_int_equal(symlinkat("file", s->dir.fd, "link"), 0);
	assert_int_equal(mkfifoat(s->dir.fd, "pipe", 0604), 0);
	static const char *const names[] = { "file", "link", "pipe" };
	for (unsigned i = 0; i < 3; i++) {
		st = host_statx(s, names[i]);
		assert_int_equal(fuse_statx(s->c, node_of(s, FUSE_ROOT, names[i]), &usual, &out),
				 0);
		assert_statx_of(&out.stat, &st);
		assert_int_equal(out.attr_valid, 1);
		assert_int_equal(out.attr_valid_nsec, 0);
		assert_int_equal(out.flags, 0);
		assert_memory_equal(out.spare, &nothing, sizeof(out.spare));
		assert_memory_equal(out.stat.__spare2, &nothing, sizeof(out.stat.__spare2));
		assert_int_equal(out.stat.__spare0[0], 0);
	}
	st = host_statx(s, "");
	assert_int_equal(fuse_statx(s->c, FUSE_ROOT, &usual, &out), 0);
	assert_statx_of(&out.stat, &st);
}

static void numbers_of_a_device_are_apart(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_statx_out out;

	if (mknodat(s->dir.fd, "null", S_IFCHR | 0600, makedev(1, 300)) < 0)
		skip();
	assert_int_equal(fuse_statx(s->c, node_of(s, FUSE_ROOT, "null"), &usual, &out), 0);
	assert_int_equal(out.stat.rdev_major, 1);
	assert_int_equal(out.stat.rdev_minor, 300);
}

static void attributes_are_those_of_the_file_alone(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_statx_out out;
	unsigned flags = FS_NODUMP_FL;
	struct statx st;
	int fd;

	host_write(s, "file", "x", 1);
	fd = openat(s->dir.fd, "file", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0) {
		close(fd);
		skip();
	}
	close(fd);
	st = host_statx(s, "file");
	assert_int_equal(fuse_statx(s->c, node_of(s, FUSE_ROOT, "file"), &usual, &out), 0);
	assert_int_equal(out.stat.attributes, st.stx_attributes & STATX_ATTR_NODUMP);
	assert_true(out.stat.attributes_mask & STATX_ATTR_NODUMP || st.stx_attributes_mask == 0);
	/* Where it is mounted on the host is none of the guest's business. */
	assert_int_equal(out.stat.attributes_mask &
				 (STATX_ATTR_MOUNT_ROOT | STATX_ATTR_AUTOMOUNT | STATX_ATTR_DAX),
			 0);
}

static void removed_file_is_there_while_it_is_known(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_statx_in in = usual;
	struct virtiofs_fuse_statx_out out;
	uint64_t node;

	host_write(s, "file", "abc", 3);
	node = node_of(s, FUSE_ROOT, "file");
	assert_int_equal(fuse_open(s->c, node, O_RDONLY, &in.fh), 0);
	in.getattr_flags = VIRTIOFS_FUSE_GETATTR_FH;
	assert_int_equal(unlinkat(s->dir.fd, "file", 0), 0);
	assert_int_equal(fuse_statx(s->c, node, &in, &out), 0);
	assert_int_equal(out.stat.nlink, 0);
	assert_int_equal(out.stat.size, 3);
	assert_int_equal(fuse_release(s->c, node, in.fh), 0);
	assert_int_equal(fuse_statx(s->c, node, &usual, &out), 0);
	assert_int_equal(fuse_statx(s->c, 12345, &usual, &out), -ESTALE);
}

static void masks_and_flags_are_those_of_statx(void **state)
{
	static const struct {
		uint32_t flags, mask;
		int error;
	} cases[] = {
		{ AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, 0 },
		{ AT_STATX_DONT_SYNC, STATX_BASIC_STATS, 0 },
		{ 0, 0, 0 },
		/* Bits that nobody knows yet ask for nothing. */
		{ 0, 0x7fffffff, 0 },
		{ 0, STATX__RESERVED, -EINVAL },
		{ 0, UINT32_MAX, -EINVAL },
		{ AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, -EINVAL },
		{ AT_SYMLINK_FOLLOW, STATX_BASIC_STATS, -EINVAL },
		{ AT_EMPTY_PATH, STATX_BASIC_STATS, -EINVAL },
		{ UINT32_MAX, STATX_BASIC_STATS, -EINVAL },
	};
	struct shared *s = *state;
	struct virtiofs_fuse_statx_out out;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct virtiofs_fuse_statx_in in = {
			.getattr_flags = UINT32_MAX,
			.fh = UINT64_MAX,
			.sx_flags = cases[i].flags,
			.sx_mask = cases[i].mask,
		};

		assert_int_equal(fuse_statx(s->c, FUSE_ROOT, &in, &out), cases[i].error);
		if (!cases[i].error)
			assert_int_equal(out.stat.mask & ~(STATX_BASIC_STATS | STATX_BTIME), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED_TEST(statx_is_the_files_own),
		SHARED_TEST(numbers_of_a_device_are_apart),
		SHARED_TEST(attributes_are_those_of_the_file_alone),
		SHARED_TEST(removed_file_is_there_while_it_is_known),
		SHARED_TEST(masks_and_flags_are_those_of_statx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
