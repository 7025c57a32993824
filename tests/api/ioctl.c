/* SPDX-License-Identifier: BSD-2-Clause */
/* IOCTL: the flags of files, and nothing else. */
#include "shared.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "support/fuse_newer_calls.h"

#define GETFLAGS_32 _IOR('f', 1, int)
#define SETFLAGS_32 _IOW('f', 2, int)

static int setup(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	const struct shared_options with = { .passthrough = &options };
	struct shared *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	options.file_attr = VIRTIOFS_ON;
	shared_open(s, &with);
	*state = s;
	return 0;
}

struct file {
	uint64_t node, fh;
	bool dir;
};

static struct file open_file(struct shared *s, const char *name)
{
	struct file file = { 0 };

	host_write(s, name, "x", 1);
	file.node = node_of(s, FUSE_ROOT, name);
	/* As Linux's client opens what it asks this of. */
	assert_int_equal(fuse_open(s->c, file.node, O_RDONLY, &file.fh), 0);
	return file;
}

static int run(struct shared *s, struct file file, unsigned long command, void *data,
	       uint32_t in_size, uint32_t out_size)
{
	const struct virtiofs_fuse_ioctl_in in = {
		.fh = file.fh,
		.flags = file.dir ? VIRTIOFS_FUSE_IOCTL_DIR : 0,
		.cmd = (uint32_t)command,
		.in_size = in_size,
		.out_size = out_size,
	};
	uint32_t len;
	int err = fuse_ioctl(s->c, file.node, &in, data, &len);

	if (!err && out_size)
		assert_int_equal(len, command == FS_IOC_FSGETXATTR ? 28 : 4);
	return err;
}

static int get(struct shared *s, struct file file, uint32_t *flags)
{
	return run(s, file, FS_IOC_GETFLAGS, flags, 0, sizeof(*flags));
}

static int set(struct shared *s, struct file file, uint32_t flags)
{
	return run(s, file, FS_IOC_SETFLAGS, &flags, sizeof(flags), 0);
}

static uint32_t host_flags(struct shared *s, const char *name)
{
	int fd = openat(s->dir.fd, name, O_RDONLY | O_CLOEXEC);
	uint32_t flags = 0;

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, FS_IOC_GETFLAGS, &flags), 0);
	close(fd);
	return flags;
}

/* The file system below /tmp may know no such flags: everything here would be its ENOTTY. */
static bool host_has_flags(struct shared *s)
{
	uint32_t flags;
	int err = ioctl(s->dir.fd, FS_IOC_GETFLAGS, &flags);

	return err == 0;
}

static void flags_are_read_and_set(void **state)
{
	struct shared *s = *state;
	struct file file = open_file(s, "file"), dir = { .node = FUSE_ROOT, .dir = true };
	uint32_t flags, was;

	if (!host_has_flags(s))
		skip();
	assert_int_equal(get(s, file, &was), 0);
	assert_int_equal(was, host_flags(s, "file"));
	assert_int_equal(set(s, file, was | FS_NODUMP_FL | FS_NOATIME_FL), 0);
	assert_int_equal(host_flags(s, "file"), was | FS_NODUMP_FL | FS_NOATIME_FL);
	assert_int_equal(get(s, file, &flags), 0);
	assert_int_equal(flags, was | FS_NODUMP_FL | FS_NOATIME_FL);
	assert_int_equal(set(s, file, was), 0);
	assert_int_equal(host_flags(s, "file"), was);

	assert_int_equal(fuse_opendir(s->c, FUSE_ROOT, &dir.fh), 0);
	assert_int_equal(get(s, dir, &was), 0);
	assert_int_equal(set(s, dir, was | FS_NODUMP_FL), 0);
	assert_int_equal(host_flags(s, "."), was | FS_NODUMP_FL);
	assert_int_equal(set(s, dir, was), 0);
}

static void each_size_that_linux_sends_is_taken_and_no_other(void **state)
{
	static const uint32_t none[] = { 0, 1, 3, 5, 7, 9, 28, 100 };
	struct shared *s = *state;
	struct file file = open_file(s, "file");
	unsigned char data[128] = { 0 };
	uint32_t flags;

	if (!host_has_flags(s))
		skip();
	assert_int_equal(run(s, file, FS_IOC_GETFLAGS, data, 0, 8), 0);
	assert_int_equal(run(s, file, GETFLAGS_32, data, 0, 4), 0);
	memcpy(&flags, data, sizeof(flags));
	assert_int_equal(flags, host_flags(s, "file"));
	assert_int_equal(run(s, file, SETFLAGS_32, data, 4, 0), 0);
	assert_int_equal(run(s, file, FS_IOC_SETFLAGS, data, 8, 0), 0);
	for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_int_equal(run(s, file, FS_IOC_GETFLAGS, data, 0, none[i]), -EINVAL);
		assert_int_equal(run(s, file, FS_IOC_SETFLAGS, data, none[i], 0), -EINVAL);
		if (none[i] == sizeof(struct fsxattr))
			continue;
		assert_int_equal(run(s, file, FS_IOC_FSGETXATTR, data, 0, none[i]), -EINVAL);
		assert_int_equal(run(s, file, FS_IOC_FSSETXATTR, data, none[i], 0), -EINVAL);
	}
	assert_int_equal(run(s, file, FS_IOC_GETFLAGS, data, 4, 4), -EINVAL);
	assert_int_equal(run(s, file, FS_IOC_SETFLAGS, data, 4, 4), -EINVAL);
	assert_int_equal(host_flags(s, "file"), flags);
}

static void flags_that_are_not_safe_cannot_be_changed(void **state)
{
	static const uint32_t forbidden[] = {
		FS_ENCRYPT_FL,	    FS_VERITY_FL, FS_DAX_FL,	  FS_PROJINHERIT_FL,
		FS_CASEFOLD_FL,	    FS_EXTENT_FL, FS_EA_INODE_FL, FS_INLINE_DATA_FL,
		FS_JOURNAL_DATA_FL, FS_TOPDIR_FL, FS_INDEX_FL,	  FS_IMAGIC_FL,
		0x80000000,
	};
	struct shared *s = *state;
	struct file file = open_file(s, "file");
	uint32_t was;

	if (!host_has_flags(s))
		skip();
	was = host_flags(s, "file");
	for (unsigned i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		assert_int_equal(set(s, file, was ^ forbidden[i]), -EOPNOTSUPP);
		assert_int_equal(set(s, file, (was ^ forbidden[i]) | FS_NODUMP_FL), -EOPNOTSUPP);
	}
	assert_int_equal(set(s, file, UINT32_MAX), -EOPNOTSUPP);
	assert_int_equal(host_flags(s, "file"), was);
}

static void extended_attributes_change_by_their_flags_alone(void **state)
{
	struct shared *s = *state;
	struct file file = open_file(s, "file");
	struct fsxattr was = { 0 }, attr, changed[6];

	if (run(s, file, FS_IOC_FSGETXATTR, &was, 0, sizeof(was)) != 0)
		skip();
	for (unsigned i = 0; i < 6; i++)
		changed[i] = was;
	changed[0].fsx_projid ^= 7;
	changed[1].fsx_extsize ^= 65536;
	changed[2].fsx_cowextsize ^= 65536;
	changed[3].fsx_xflags ^= FS_XFLAG_DAX;
	changed[4].fsx_xflags ^= FS_XFLAG_PROJINHERIT;
	changed[5].fsx_xflags ^= FS_XFLAG_REALTIME;
	for (unsigned i = 0; i < 6; i++) {
		changed[i].fsx_xflags ^= FS_XFLAG_NODUMP;
		assert_int_equal(run(s, file, FS_IOC_FSSETXATTR, &changed[i], sizeof(attr), 0),
				 -EOPNOTSUPP);
		assert_int_equal(run(s, file, FS_IOC_FSGETXATTR, &attr, 0, sizeof(attr)), 0);
		assert_memory_equal(&attr, &was, sizeof(attr));
	}
	attr = was;
	attr.fsx_xflags |= FS_XFLAG_NODUMP;
	attr.fsx_nextents = 99;
	attr.fsx_xflags ^= FS_XFLAG_HASATTR | FS_XFLAG_PREALLOC;
	memset(attr.fsx_pad, 0xff, sizeof(attr.fsx_pad));
	assert_int_equal(run(s, file, FS_IOC_FSSETXATTR, &attr, sizeof(attr), 0), 0);
	assert_true(host_flags(s, "file") & FS_NODUMP_FL);
}

static void immutable_is_what_the_host_lets_it_be(void **state)
{
	struct shared *s = *state;
	struct file file = open_file(s, "file");
	uint32_t was;
	int err;

	if (!host_has_flags(s))
		skip();
	was = host_flags(s, "file");
	err = set(s, file, was | FS_IMMUTABLE_FL);
	/* Without CAP_LINUX_IMMUTABLE. */
	if (err == -EPERM)
		skip();
	assert_int_equal(err, 0);
	err = fuse_unlink(s->c, FUSE_ROOT, "file");
	assert_int_equal(set(s, file, was), 0);
	assert_int_equal(err, -EPERM);
}

static void everything_else_is_enotty(void **state)
{
	static const unsigned long commands[] = {
		FIFREEZE,
		FITHAW,
		FICLONE,
		FICLONERANGE,
		FIDEDUPERANGE,
		FS_IOC_FIEMAP,
		FIBMAP,
		FIONREAD,
		BLKGETSIZE64,
		FS_IOC_GETVERSION,
		FS_IOC_SETVERSION,
		FS_IOC_GETFSLABEL,
		FS_IOC_SETFSLABEL,
		FITRIM,
		0,
		UINT32_MAX,
		_IOR('f', 1, short),
		_IOR('X', 31, int),
		/* fscrypt and fs-verity */
		0x800c6613,
		0x40806685,
	};
	struct shared *s = *state;
	struct file file = open_file(s, "file");
	unsigned char data[128] = { 0 };

	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		assert_int_equal(run(s, file, commands[i], data, 0, 0), -ENOTTY);
		assert_int_equal(run(s, file, commands[i], data, 64, 64), -ENOTTY);
	}
}

static void handle_and_flags_must_be_right(void **state)
{
	struct shared *s = *state;
	struct file file = open_file(s, "file"), other = open_file(s, "other");
	struct virtiofs_fuse_ioctl_in in = {
		.fh = file.fh,
		.cmd = (uint32_t)FS_IOC_GETFLAGS,
		.out_size = 4,
	};
	uint32_t flags, len;
	uint64_t dir;

	assert_int_equal(fuse_ioctl(s->c, other.node, &in, &flags, &len), -EBADF);
	assert_int_equal(fuse_ioctl(s->c, 12345, &in, &flags, &len), -EBADF);
	in.flags = VIRTIOFS_FUSE_IOCTL_DIR;
	assert_int_equal(fuse_ioctl(s->c, file.node, &in, &flags, &len), -EBADF);
	assert_int_equal(fuse_opendir(s->c, FUSE_ROOT, &dir), 0);
	in.fh = dir;
	in.flags = 0;
	assert_int_equal(fuse_ioctl(s->c, FUSE_ROOT, &in, &flags, &len), -EBADF);
	in.fh = file.fh;
	in.flags = VIRTIOFS_FUSE_IOCTL_UNRESTRICTED;
	assert_int_equal(fuse_ioctl(s->c, file.node, &in, &flags, &len), -EINVAL);
	in.flags = UINT32_MAX;
	assert_int_equal(fuse_ioctl(s->c, file.node, &in, &flags, &len), -EINVAL);
}

static void without_the_option_there_is_none(void **state)
{
	struct shared *s = *state;
	struct file file = open_file(s, "file");
	struct virtiofs_fuse_init_out out;
	uint32_t flags = 0;

	assert_int_equal(get(s, file, &flags), -ENOTTY);
	assert_int_equal(set(s, file, FS_NODUMP_FL), -ENOTTY);
	assert_int_equal(fuse_init(s->c, VIRTIOFS_FUSE_HAS_IOCTL_DIR, &out), 0);
	assert_int_equal(out.flags & VIRTIOFS_FUSE_HAS_IOCTL_DIR, 0);
}

static void flag_of_directories_is_granted_with_it(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_init_out out;

	assert_int_equal(fuse_init(s->c, VIRTIOFS_FUSE_HAS_IOCTL_DIR, &out), 0);
	assert_int_equal(out.flags & VIRTIOFS_FUSE_HAS_IOCTL_DIR, VIRTIOFS_FUSE_HAS_IOCTL_DIR);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, shared_teardown)
	const struct CMUnitTest tests[] = {
		TEST(flags_are_read_and_set),
		TEST(each_size_that_linux_sends_is_taken_and_no_other),
		TEST(flags_that_are_not_safe_cannot_be_changed),
		TEST(extended_attributes_change_by_their_flags_alone),
		TEST(immutable_is_what_the_host_lets_it_be),
		TEST(everything_else_is_enotty),
		TEST(handle_and_flags_must_be_right),
		SHARED_TEST(without_the_option_there_is_none),
		TEST(flag_of_directories_is_granted_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
