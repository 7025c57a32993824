/* SPDX-License-Identifier: BSD-2-Clause */
/* TMPFILE: a file without a name, and how it gets one. */
#include "shared.h"

#include <dirent.h>

#include "support/fuse_newer_calls.h"

/* Whether the file system below /tmp has such files. */
static bool host_can(const struct shared *s)
{
	int fd = openat(s->dir.fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool is_empty(const struct shared *s)
{
	DIR *dir = opendir(s->dir.path);
	int entries = 0;

	assert_non_null(dir);
	while (readdir(dir))
		entries++;
	closedir(dir);
	return entries == 2;
}

static void file_without_a_name_is_made_and_open(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	struct virtiofs_fuse_attr attr;
	char buf[8];
	uint64_t fh;

	if (!host_can(s))
		skip();
	assert_int_equal(
		fuse_tmpfile(s->c, FUSE_ROOT, O_TMPFILE | O_RDWR, S_IFREG | 0640, &out, &fh), 0);
	assert_int_equal(out.attr.mode, S_IFREG | 0640);
	assert_int_equal(out.attr.nlink, 0);
	assert_int_equal(out.attr.uid, geteuid());
	assert_int_equal(fuse_write(s->c, out.nodeid, fh, 0, "abc", 3), 3);
	assert_int_equal(fuse_read(s->c, out.nodeid, fh, 0, buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "abc", 3);
	assert_int_equal(fuse_getattr(s->c, out.nodeid, &attr), 0);
	assert_int_equal(attr.size, 3);
	assert_true(is_empty(s));
	assert_int_equal(fuse_release(s->c, out.nodeid, fh), 0);
	fuse_forget(s->c, out.nodeid, 1);
	assert_int_equal(fuse_getattr(s->c, out.nodeid, &attr), -ESTALE);
}

static void link_gives_it_a_name_unless_it_is_never_to_have_one(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out, linked;
	uint64_t fh;

	if (!host_can(s))
		skip();
	assert_int_equal(
		fuse_tmpfile(s->c, FUSE_ROOT, O_TMPFILE | O_RDWR, S_IFREG | 0600, &out, &fh), 0);
	assert_int_equal(fuse_write(s->c, out.nodeid, fh, 0, "abc", 3), 3);
	assert_int_equal(fuse_link(s->c, out.nodeid, FUSE_ROOT, "name", &linked), 0);
	assert_int_equal(linked.nodeid, out.nodeid);
	assert_int_equal(linked.attr.nlink, 1);
	host_assert_content(s, "name", "abc", 3);
	assert_int_equal(node_of(s, FUSE_ROOT, "name"), out.nodeid);
	assert_int_equal(fuse_tmpfile(s->c, FUSE_ROOT, O_TMPFILE | O_RDWR | O_EXCL, S_IFREG | 0600,
				      &out, &fh),
			 0);
	assert_int_equal(fuse_link(s->c, out.nodeid, FUSE_ROOT, "never", &linked), -ENOENT);
	assert_false(host_exists(s, "never"));
}

static void mode_is_the_guests_under_any_umask(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	uint64_t fh;
	mode_t before;

	if (!host_can(s))
		skip();
	before = umask(077);
	assert_int_equal(
		fuse_tmpfile(s->c, FUSE_ROOT, O_TMPFILE | O_WRONLY, S_IFREG | 0666, &out, &fh), 0);
	assert_int_equal(out.attr.mode, S_IFREG | 0666);
	assert_int_equal(umask(before), 077);
}

static void it_belongs_to_the_guests_user(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	uint64_t fh;

	if (!host_can(s) || geteuid() != 0)
		skip();
	assert_int_equal(fchmod(s->dir.fd, 0777), 0);
	s->c->uid = 1000;
	s->c->gid = 2000;
	assert_int_equal(
		fuse_tmpfile(s->c, FUSE_ROOT, O_TMPFILE | O_RDWR, S_IFREG | 0600, &out, &fh), 0);
	assert_int_equal(out.attr.uid, 1000);
	assert_int_equal(out.attr.gid, 2000);
	assert_int_equal(geteuid(), 0);
	assert_int_equal(getegid(), 0);
}

static void nonsense_makes_nothing(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_entry_out out;
	uint64_t fh, file;

	host_write(s, "file", "x", 1);
	file = node_of(s, FUSE_ROOT, "file");
	assert_int_equal(fuse_tmpfile(s->c, file, O_RDWR, 0600, &out, &fh), -ENOTDIR);
	assert_int_equal(fuse_tmpfile(s->c, 12345, O_RDWR, 0600, &out, &fh), -ESTALE);
	/* Nobody could ever write to it. */
	assert_int_equal(fuse_tmpfile(s->c, FUSE_ROOT, O_RDONLY, 0600, &out, &fh), -EINVAL);
	/* Flags and types that are not for this opcode are not handed on. */
	if (!host_can(s))
		skip();
	assert_int_equal(fuse_tmpfile(s->c, FUSE_ROOT, O_RDWR | O_CREAT | O_DIRECT | O_PATH,
				      S_IFDIR | 07777, &out, &fh),
			 0);
	assert_int_equal(out.attr.mode & S_IFMT, S_IFREG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED_TEST(file_without_a_name_is_made_and_open),
		SHARED_TEST(link_gives_it_a_name_unless_it_is_never_to_have_one),
		SHARED_TEST(mode_is_the_guests_under_any_umask),
		SHARED_TEST(it_belongs_to_the_guests_user),
		SHARED_TEST(nonsense_makes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
