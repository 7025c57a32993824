/* SPDX-License-Identifier: BSD-2-Clause */
#include "shared.h"

#include <stdlib.h>
#include <sys/sysmacros.h>

#include "support/check.h"

void shared_open(struct shared *s, const struct shared_options *options)
{
	static const uint32_t sizes[] = { 16, 64, 128, 1024 };
	static uint64_t nth; /* test of this program */
	struct fake_vmm_options vmm = { .env = options->env, .device = options->device };

	memset(s, 0, sizeof(*s));
	test_random_init(&s->random, test_seed() + nth++);
	vmm.ring.num = sizes[test_random_range(&s->random, 0, 3)];
	vmm.ring.indirect = test_random_one_in(&s->random, 2);
	vmm.ring.event_idx = test_random_one_in(&s->random, 2);
	vmm.layout = options->layout;
	temp_dir_create(&s->dir);
	CHECK(virtiofs_passthrough_create(&s->fs, options->env, s->dir.fd, options->passthrough) ==
	      0);
	fake_vmm_open(&s->vmm, s->fs, &vmm);
	s->c = fake_vmm_client(&s->vmm, 1);
	s->c->random.state = test_random_u64(&s->random);
	/* Its own user: ids are switched for what needs them, where that is root. */
	s->c->uid = geteuid();
	s->c->gid = getegid();
	fuse_mount(s->c);
}

void shared_close(struct shared *s)
{
	fake_vmm_close(&s->vmm);
	virtiofs_fs_destroy(s->fs);
	temp_dir_remove(&s->dir);
}

int shared_setup(void **state)
{
	const struct shared_options usual = { .env = NULL };
	struct shared *s = calloc(1, sizeof(*s));

	CHECK(s);
	shared_open(s, &usual);
	*state = s;
	return 0;
}

int shared_teardown(void **state)
{
	struct shared *s = *state;

	shared_close(s);
	free(s);
	return 0;
}

/* ---- on the host's side ---- */

void host_write(const struct shared *s, const char *name, const void *bytes, size_t len)
{
	int fd = openat(s->dir.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

void host_mkdir(const struct shared *s, const char *name, mode_t mode)
{
	assert_int_equal(mkdirat(s->dir.fd, name, mode), 0);
}

struct stat host_stat(const struct shared *s, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(s->dir.fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH), 0);
	return st;
}

bool host_exists(const struct shared *s, const char *name)
{
	struct stat st;

	return fstatat(s->dir.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

void host_assert_content(const struct shared *s, const char *name, const void *bytes, size_t len)
{
	int fd = openat(s->dir.fd, name, O_RDONLY | O_CLOEXEC);
	unsigned char *buf = malloc(len + 1);

	assert_true(fd >= 0);
	assert_non_null(buf);
	assert_int_equal(read(fd, buf, len + 1), len);
	assert_memory_equal(buf, bytes, len);
	free(buf);
	close(fd);
}

/* ---- on the guest's side ---- */

uint64_t node_of(const struct shared *s, uint64_t parent, const char *name)
{
	struct virtiofs_fuse_entry_out out;

	assert_int_equal(fuse_lookup(s->c, parent, name, &out), 0);
	assert_int_not_equal(out.nodeid, 0);
	return out.nodeid;
}

void assert_attr_of(const struct virtiofs_fuse_attr *attr, const struct stat *st)
{
	assert_int_equal(attr->ino, st->st_ino);
	assert_int_equal(attr->size, st->st_size);
	assert_int_equal(attr->blocks, st->st_blocks);
	assert_int_equal(attr->atime, st->st_atim.tv_sec);
	assert_int_equal(attr->mtime, st->st_mtim.tv_sec);
	assert_int_equal(attr->ctime, st->st_ctim.tv_sec);
	assert_int_equal(attr->atimensec, st->st_atim.tv_nsec);
	assert_int_equal(attr->mtimensec, st->st_mtim.tv_nsec);
	assert_int_equal(attr->ctimensec, st->st_ctim.tv_nsec);
	assert_int_equal(attr->mode, st->st_mode);
	assert_int_equal(attr->nlink, st->st_nlink);
	assert_int_equal(attr->uid, st->st_uid);
	assert_int_equal(attr->gid, st->st_gid);
	assert_int_equal(attr->blksize, st->st_blksize);
	/* Linux's new_decode_dev(): 12 bits of major, 20 of minor in two parts. */
	assert_int_equal(attr->rdev, (minor(st->st_rdev) & 0xff) | major(st->st_rdev) << 8 |
					     (minor(st->st_rdev) & ~0xffu) << 12);
}
