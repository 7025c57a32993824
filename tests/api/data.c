/* SPDX-License-Identifier: BSD-2-Clause */
/* OPEN, READ, WRITE, FLUSH, FSYNC, FALLOCATE, LSEEK, COPY_FILE_RANGE, RELEASE. */
#include "shared.h"

#include <linux/falloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "support/fuse_newer_calls.h"

enum { MIB = 1024 * 1024 };

/* A file with this content, open. */
static uint64_t open_file(struct shared *s, const char *name, const void *bytes, size_t len,
			  uint32_t flags, uint64_t *node)
{
	uint64_t fh;

	host_write(s, name, bytes, len);
	*node = node_of(s, FUSE_ROOT, name);
	assert_int_equal(fuse_open(s->c, *node, flags, &fh), 0);
	return fh;
}

static unsigned char *random_bytes(struct shared *s, size_t len)
{
	unsigned char *bytes = malloc(len);

	assert_non_null(bytes);
	test_random_fill(&s->random, bytes, len);
	return bytes;
}

static void read_gives_what_is_there_and_not_more(void **state)
{
	struct shared *s = *state;
	char buf[32] = { 0 };
	uint64_t node, fh;

	fh = open_file(s, "file", "0123456789", 10, O_RDONLY, &node);
	assert_int_equal(fuse_read(s->c, node, fh, 0, buf, 10), 10);
	assert_memory_equal(buf, "0123456789", 10);
	assert_int_equal(fuse_read(s->c, node, fh, 3, buf, 4), 4);
	assert_memory_equal(buf, "3456", 4);
	assert_int_equal(fuse_read(s->c, node, fh, 8, buf, sizeof(buf)), 2);
	assert_memory_equal(buf, "89", 2);
	assert_int_equal(fuse_read(s->c, node, fh, 10, buf, sizeof(buf)), 0);
	assert_int_equal(fuse_read(s->c, node, fh, 1000000, buf, sizeof(buf)), 0);
	assert_int_equal(fuse_read(s->c, node, fh, 0, buf, 0), 0);
	assert_int_equal(fuse_release(s->c, node, fh), 0);
}

static void read_of_an_impossible_offset_is_einval(void **state)
{
	struct shared *s = *state;
	uint64_t node, fh;
	char byte;

	fh = open_file(s, "file", "abc", 3, O_RDWR, &node);
	assert_int_equal(fuse_read(s->c, node, fh, UINT64_MAX, &byte, 1), -EINVAL);
	assert_int_equal(fuse_read(s->c, node, fh, UINT64_C(1) << 63, &byte, 1), -EINVAL);
	assert_int_equal(fuse_write(s->c, node, fh, UINT64_MAX, "x", 1), -EINVAL);
	host_assert_content(s, "file", "abc", 3);
	assert_int_equal(fuse_release(s->c, node, fh), 0);
}

static void a_mebibyte_goes_both_ways_whole(void **state)
{
	struct shared *s = *state;
	unsigned char *bytes = random_bytes(s, MIB), *back = malloc(MIB);
	uint64_t node, fh;

	assert_non_null(back);
	fh = open_file(s, "file", "", 0, O_RDWR, &node);
	assert_int_equal(fuse_write(s->c, node, fh, 0, bytes, MIB), MIB);
	host_assert_content(s, "file", bytes, MIB);
	assert_int_equal(fuse_read(s->c, node, fh, 0, back, MIB), MIB);
	assert_memory_equal(back, bytes, MIB);
	assert_int_equal(fuse_release(s->c, node, fh), 0);
	free(bytes);
	free(back);
}

static void any_range_reads_and_writes_as_on_the_host(void **state)
{
	enum { SIZE = 20000, ROUNDS = 150 };
	struct shared *s = *state;
	unsigned char *mirror = random_bytes(s, SIZE), *bytes = random_bytes(s, SIZE);
	unsigned char *back = malloc(SIZE);
	uint64_t node, fh;

	assert_non_null(back);
	fh = open_file(s, "file", mirror, SIZE, O_RDWR, &node);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t offset = test_random_range(&s->random, 0, SIZE - 1);
		uint32_t len = test_random_range(&s->random, 0, SIZE - offset);

		if (test_random_one_in(&s->random, 2)) {
			memcpy(mirror + offset, bytes, len);
			assert_int_equal(fuse_write(s->c, node, fh, offset, bytes, len), len);
		} else {
			assert_int_equal(fuse_read(s->c, node, fh, offset, back, len), len);
			assert_memory_equal(back, mirror + offset, len);
		}
	}
	host_assert_content(s, "file", mirror, SIZE);
	assert_int_equal(fuse_release(s->c, node, fh), 0);
	free(mirror);
	free(bytes);
	free(back);
}

static void write_behind_the_end_leaves_zeros(void **state)
{
	struct shared *s = *state;
	uint64_t node, fh;

	fh = open_file(s, "file", "ab", 2, O_WRONLY, &node);
	assert_int_equal(fuse_write(s->c, node, fh, 5, "cd", 2), 2);
	host_assert_content(s, "file", "ab\0\0\0cd", 7);
	assert_int_equal(fuse_release(s->c, node, fh), 0);
}

/* A guest that does not cache writes says with each that it is to append. */
static void write_that_appends_does_so_wherever_the_guest_thinks_the_end_is(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_write_in in = { .size = 3, .offset = 0, .flags = O_APPEND };
	struct fuse_request request = { .opcode = VIRTIOFS_FUSE_WRITE, .room = 16 + 8 };
	struct virtiofs_fuse_write_out out;
	uint64_t node;

	in.fh = open_file(s, "file", "abc", 3, O_WRONLY | O_APPEND, &node);
	request.nodeid = node;
	request.parts[0] = (struct iovec){ &in, sizeof(in) };
	request.parts[1] = (struct iovec){ (char[]){ "def" }, 3 };
	assert_int_equal(fuse_client_call(s->c, &request, &out, sizeof(out), NULL), 0);
	assert_int_equal(out.size, 3);
	host_assert_content(s, "file", "abcdef", 6);
	/* Write-back of the guest's page cache is at its offset. */
	in.write_flags = VIRTIOFS_FUSE_WRITE_CACHE;
	assert_int_equal(fuse_client_call(s->c, &request, &out, sizeof(out), NULL), 0);
	host_assert_content(s, "file", "defdef", 6);
	assert_int_equal(fuse_release(s->c, node, in.fh), 0);
}

static void open_that_truncates_does(void **state)
{
	struct shared *s = *state;
	uint64_t node, fh;

	fh = open_file(s, "file", "0123456789", 10, O_RDWR | O_TRUNC, &node);
	assert_int_equal(host_stat(s, "file").st_size, 0);
	assert_int_equal(fuse_release(s->c, node, fh), 0);
}

static void open_of_what_is_no_regular_file_is_refused(void **state)
{
	struct shared *s = *state;
	uint64_t fh;

	host_mkdir(s, "dir", 0755);
	assert_int_equal(mknodat(s->dir.fd, "pipe", S_IFIFO | 0600, 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", s->dir.fd, "link"), 0);
	assert_int_equal(fuse_open(s->c, node_of(s, FUSE_ROOT, "dir"), O_RDONLY, &fh), -EISDIR);
	/* Nor does it hang, as the pipe's open would. */
	assert_true(fuse_open(s->c, node_of(s, FUSE_ROOT, "pipe"), O_RDONLY, &fh) < 0);
	assert_int_equal(fuse_open(s->c, node_of(s, FUSE_ROOT, "link"), O_RDONLY, &fh), -ELOOP);
	assert_int_equal(fuse_open(s->c, 12345, O_RDONLY, &fh), -ESTALE);
}

static void handle_is_good_for_what_it_was_opened_for(void **state)
{
	struct shared *s = *state;
	uint64_t node, other, reading, writing;
	char byte;

	host_write(s, "other", "", 0);
	other = node_of(s, FUSE_ROOT, "other");
	reading = open_file(s, "file", "abc", 3, O_RDONLY, &node);
	assert_int_equal(fuse_open(s->c, node, O_WRONLY, &writing), 0);
	assert_int_not_equal(reading, writing);
	assert_int_equal(fuse_write(s->c, node, reading, 0, "x", 1), -EBADF);
	assert_int_equal(fuse_read(s->c, node, writing, 0, &byte, 1), -EBADF);
	/* Of another node, of a directory's kind, of nobody. */
	assert_int_equal(fuse_read(s->c, other, reading, 0, &byte, 1), -EBADF);
	assert_int_equal(fuse_readdir(s->c, node, reading, 0, &byte, 1, false), -EBADF);
	assert_int_equal(fuse_read(s->c, node, 0, 0, &byte, 1), -EBADF);
	assert_int_equal(fuse_read(s->c, node, UINT64_MAX, 0, &byte, 1), -EBADF);
	assert_int_equal(fuse_release(s->c, node, reading), 0);
	assert_int_equal(fuse_release(s->c, node, reading), -EBADF);
	assert_int_equal(fuse_read(s->c, node, reading, 0, &byte, 1), -EBADF);
	assert_int_equal(fuse_release(s->c, node, writing), 0);
	host_assert_content(s, "file", "abc", 3);
}

static void removed_file_is_read_through_its_handle(void **state)
{
	struct shared *s = *state;
	uint64_t node, fh;
	char buf[3];

	fh = open_file(s, "file", "abc", 3, O_RDONLY, &node);
	assert_int_equal(fuse_unlink(s->c, FUSE_ROOT, "file"), 0);
	fuse_forget(s->c, node, 1);
	assert_int_equal(fuse_read(s->c, node, fh, 0, buf, 3), 3);
	assert_memory_equal(buf, "abc", 3);
	assert_int_equal(fuse_release(s->c, node, fh), 0);
}

static void flush_and_fsync_say_whether_there_is_such_a_file(void **state)
{
	struct shared *s = *state;
	uint64_t node, fh;

	fh = open_file(s, "file", "", 0, O_RDWR, &node);
	assert_int_equal(fuse_write(s->c, node, fh, 0, "abc", 3), 3);
	assert_int_equal(fuse_flush(s->c, node, fh), 0);
	assert_int_equal(fuse_fsync(s->c, node, fh, false), 0);
	assert_int_equal(fuse_fsync(s->c, node, fh, true), 0);
	assert_int_equal(fuse_flush(s->c, node, fh + 1), -EBADF);
	assert_int_equal(fuse_fsync(s->c, node, fh + 1, false), -EBADF);
	assert_int_equal(fuse_release(s->c, node, fh), 0);
	assert_int_equal(fuse_syncfs(s->c, FUSE_ROOT), 0);
	assert_int_equal(fuse_syncfs(s->c, 12345), -ESTALE);
}

static void space_is_given_and_holes_are_punched(void **state)
{
	struct shared *s = *state;
	unsigned char *bytes = random_bytes(s, 16384);
	uint64_t node, fh;

	fh = open_file(s, "file", bytes, 16384, O_RDWR, &node);
	assert_int_equal(fuse_fallocate(s->c, node, fh, 0, 0, 32768), 0);
	assert_int_equal(host_stat(s, "file").st_size, 32768);
	assert_int_equal(fuse_fallocate(s->c, node, fh, FALLOC_FL_KEEP_SIZE, 0, 65536), 0);
	assert_int_equal(host_stat(s, "file").st_size, 32768);
	assert_int_equal(fuse_fallocate(s->c, node, fh, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					4096, 4096),
			 0);
	assert_int_equal(host_stat(s, "file").st_size, 32768);
	memset(bytes + 4096, 0, 4096);
	{
		unsigned char *back = malloc(16384);

		assert_non_null(back);
		assert_int_equal(fuse_read(s->c, node, fh, 0, back, 16384), 16384);
		assert_memory_equal(back, bytes, 16384);
		free(back);
	}
	assert_int_equal(fuse_fallocate(s->c, node, fh, 0, 0, 0), -EINVAL);
	assert_int_equal(fuse_fallocate(s->c, node, fh + 1, 0, 0, 1), -EBADF);
	assert_int_equal(fuse_release(s->c, node, fh), 0);
	free(bytes);
}

static void seek_finds_data_and_holes(void **state)
{
	struct shared *s = *state;
	uint64_t node, fh, offset = 0;

	fh = open_file(s, "file", "", 0, O_RDWR, &node);
	assert_int_equal(fuse_write(s->c, node, fh, MIB, "abc", 3), 3);
	assert_int_equal(fuse_lseek(s->c, node, fh, 0, SEEK_HOLE, &offset), 0);
	assert_int_equal(offset, 0);
	assert_int_equal(fuse_lseek(s->c, node, fh, MIB, SEEK_DATA, &offset), 0);
	assert_int_equal(offset, MIB);
	assert_int_equal(fuse_lseek(s->c, node, fh, MIB, SEEK_HOLE, &offset), 0);
	assert_int_equal(offset, MIB + 3);
	assert_int_equal(fuse_lseek(s->c, node, fh, 2 * MIB, SEEK_DATA, &offset), -ENXIO);
	assert_int_equal(fuse_lseek(s->c, node, fh, 0, 99, &offset), -EINVAL);
	assert_int_equal(fuse_lseek(s->c, node, fh + 1, 0, SEEK_DATA, &offset), -EBADF);
	assert_int_equal(fuse_release(s->c, node, fh), 0);
}

static void data_is_copied_from_file_to_file(void **state)
{
	struct shared *s = *state;
	uint64_t from, to, from_fh, to_fh;

	from_fh = open_file(s, "from", "0123456789", 10, O_RDONLY, &from);
	to_fh = open_file(s, "to", "abcdefghij", 10, O_RDWR, &to);
	assert_int_equal(fuse_copy_file_range(s->c, from, from_fh, 2, to, to_fh, 5, 3), 3);
	host_assert_content(s, "to", "abcde234ij", 10);
	/* Up to the end, not more. */
	assert_int_equal(fuse_copy_file_range(s->c, from, from_fh, 8, to, to_fh, 0, 1000), 2);
	host_assert_content(s, "to", "89cde234ij", 10);
	assert_int_equal(fuse_copy_file_range(s->c, from, from_fh + 1, 0, to, to_fh, 0, 1), -EBADF);
	assert_int_equal(fuse_copy_file_range(s->c, from, from_fh, 0, to, from_fh, 0, 1), -EBADF);
	assert_int_equal(fuse_release(s->c, from, from_fh), 0);
	assert_int_equal(fuse_release(s->c, to, to_fh), 0);
}

static void newer_copies_answer_with_all_their_bits(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_copy_file_range_in in = { .off_in = 2, .off_out = 5, .len = 3 };
	uint64_t from;

	in.fh_in = open_file(s, "from", "0123456789", 10, O_RDONLY, &from);
	in.fh_out = open_file(s, "to", "abcdefghij", 10, O_RDWR, &in.nodeid_out);
	assert_int_equal(fuse_copy_file_range_64(s->c, from, &in), 3);
	host_assert_content(s, "to", "abcde234ij", 10);
	in.flags = 1;
	assert_int_equal(fuse_copy_file_range_64(s->c, from, &in), -EINVAL);
	in.flags = 0;
	in.off_in = UINT64_MAX;
	assert_true(fuse_copy_file_range_64(s->c, from, &in) < 0);
	assert_int_equal(fuse_copy_file_range_64(s->c, from + 1, &in), -EBADF);
	assert_int_equal(fuse_release(s->c, from, in.fh_in), 0);
	assert_int_equal(fuse_release(s->c, in.nodeid_out, in.fh_out), 0);
}

static void what_lies_behind_the_largest_offset_is_an_error(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_setattr_in set = { .valid = VIRTIOFS_FATTR_SIZE };
	struct virtiofs_fuse_attr attr;
	uint64_t node, fh, out;
	char buf[8];

	fh = open_file(s, "file", "abc", 3, O_RDWR, &node);
	assert_true(fuse_write(s->c, node, fh, INT64_MAX, "xyz", 3) < 0);
	assert_true(fuse_write(s->c, node, fh, INT64_MAX - 2, "xyz", 3) < 0);
	assert_true(fuse_write(s->c, node, fh, UINT64_MAX, "xyz", 3) < 0);
	/* Nothing is there, or it is not an offset. */
	assert_true(fuse_read(s->c, node, fh, INT64_MAX, buf, 8) <= 0);
	assert_int_equal(fuse_read(s->c, node, fh, INT64_MAX - 8, buf, 8), 0);
	assert_true(fuse_fallocate(s->c, node, fh, 0, INT64_MAX, 1) < 0);
	assert_true(fuse_fallocate(s->c, node, fh, 0, 1, INT64_MAX) < 0);
	assert_true(fuse_lseek(s->c, node, fh, INT64_MAX, SEEK_DATA, &out) < 0);
	assert_true(fuse_lseek(s->c, node, fh, INT64_MAX, SEEK_END, &out) < 0);
	set.size = (uint64_t)INT64_MAX + 1;
	assert_int_equal(fuse_setattr(s->c, node, &set, &attr), -EINVAL);
	host_assert_content(s, "file", "abc", 3);
	assert_int_equal(fuse_release(s->c, node, fh), 0);
}

static void no_file_outgrows_what_this_process_may_write(void **state)
{
	struct shared *s = *state;
	struct virtiofs_fuse_setattr_in set = { .valid = VIRTIOFS_FATTR_SIZE, .size = 2 * MIB };
	struct virtiofs_fuse_attr attr;
	struct rlimit before, limit;
	uint64_t node, fh, from, from_fh;
	void (*handler)(int);

	fh = open_file(s, "file", "abc", 3, O_RDWR, &node);
	from_fh = open_file(s, "from", "abc", 3, O_RDONLY, &from);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){ MIB, before.rlim_max };
	/* As passthrough.h asks of an embedder. */
	handler = signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(fuse_write(s->c, node, fh, MIB, "x", 1), -EFBIG);
	/* Up to there, not more. */
	assert_int_equal(fuse_write(s->c, node, fh, MIB - 2, "xyz", 3), 2);
	assert_int_equal(fuse_fallocate(s->c, node, fh, 0, 0, 2 * MIB), -EFBIG);
	assert_int_equal(fuse_setattr(s->c, node, &set, &attr), -EFBIG);
	assert_int_equal(fuse_copy_file_range(s->c, from, from_fh, 0, node, fh, MIB, 3), -EFBIG);
	assert_int_equal(host_stat(s, "file").st_size, MIB);
	setrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, handler);
	assert_int_equal(fuse_setattr(s->c, node, &set, &attr), 0);
}

/* Where blocks lie on a disk, and what is ready in a pipe, is each side's own affair. */
static void blocks_and_readiness_are_not_told(void **state)
{
	struct shared *s = *state;
	const struct virtiofs_fuse_bmap_in bmap = { .blocksize = 4096 };
	struct virtiofs_fuse_poll_in poll = { .events = 1 };
	struct fuse_request request = { .opcode = VIRTIOFS_FUSE_BMAP, .room = 64 };

	poll.fh = open_file(s, "file", "abc", 3, O_RDWR, &request.nodeid);
	request.parts[0] = (struct iovec){ (void *)(uintptr_t)&bmap, sizeof(bmap) };
	assert_int_equal(fuse_client_call(s->c, &request, NULL, 0, NULL), -ENOSYS);
	request.opcode = VIRTIOFS_FUSE_POLL;
	request.parts[0] = (struct iovec){ &poll, sizeof(poll) };
	assert_int_equal(fuse_client_call(s->c, &request, NULL, 0, NULL), -ENOSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED_TEST(read_gives_what_is_there_and_not_more),
		SHARED_TEST(read_of_an_impossible_offset_is_einval),
		SHARED_TEST(a_mebibyte_goes_both_ways_whole),
		SHARED_TEST(any_range_reads_and_writes_as_on_the_host),
		SHARED_TEST(write_behind_the_end_leaves_zeros),
		SHARED_TEST(write_that_appends_does_so_wherever_the_guest_thinks_the_end_is),
		SHARED_TEST(open_that_truncates_does),
		SHARED_TEST(open_of_what_is_no_regular_file_is_refused),
		SHARED_TEST(handle_is_good_for_what_it_was_opened_for),
		SHARED_TEST(removed_file_is_read_through_its_handle),
		SHARED_TEST(flush_and_fsync_say_whether_there_is_such_a_file),
		SHARED_TEST(space_is_given_and_holes_are_punched),
		SHARED_TEST(seek_finds_data_and_holes),
		SHARED_TEST(data_is_copied_from_file_to_file),
		SHARED_TEST(newer_copies_answer_with_all_their_bits),
		SHARED_TEST(what_lies_behind_the_largest_offset_is_an_error),
		SHARED_TEST(no_file_outgrows_what_this_process_may_write),
		SHARED_TEST(blocks_and_readiness_are_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
