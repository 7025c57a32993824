/* SPDX-License-Identifier: BSD-2-Clause */
/* The data of files under a real kernel: as fuse_mount.c, run for each way to serve them. */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/mount.h"
#include "support/random.h"

static struct mount m;

static void sparse_file_stays_sparse(void **state)
{
	const off_t gap = 64 << 20;
	struct stat st;
	char byte = 1;
	int fd = open(in(&m, "sparse"), O_RDWR | O_CREAT, 0644);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "end", 3, gap), 3);
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(pread(fd, &byte, 1, gap / 2), 1);
	assert_int_equal(byte, 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, gap + 3);
	assert_true(st.st_blocks < 1024);
	assert_int_equal(lseek(fd, 0, SEEK_DATA), gap);
	assert_int_equal(lseek(fd, 0, SEEK_HOLE), 0);
	close(fd);
}

static void appended_writes_follow_each_other(void **state)
{
	int one = open(in(&m, "log"), O_WRONLY | O_CREAT | O_APPEND, 0644);
	int two = open(in(&m, "log"), O_WRONLY | O_APPEND);
	int host = open(behind(&m, "log"), O_WRONLY | O_APPEND);

	(void)state;
	assert_int_equal(write(one, "1", 1), 1);
	assert_int_equal(write(two, "2", 1), 1);
	assert_int_equal(write(m.writeback ? one : host, "3", 1), 1);
	assert_int_equal(write(one, "4", 1), 1);
	close(one);
	close(two);
	close(host);
	expect_file(behind(&m, "log"), "1234");
}

/* Of mapped pages nobody but msync(2) and fsync(2) says that there was no room. */
static void full_file_system_is_told_to_who_wrote_through_a_mapping(void **state)
{
	enum { SIZE = 1 << 20 }; /* all in one request, and half of it has room */
	char *map;
	int fd, err;

	(void)state;
	assert_int_equal(mkdir(behind(&m, "small"), 0755), 0);
	if (mount("none", behind(&m, "small"), "tmpfs", 0, "size=1m"))
		skip();
	fd = open(behind(&m, "small/other"), O_WRONLY | O_CREAT, 0644);
	assert_int_equal(posix_fallocate(fd, 0, SIZE / 2), 0);
	close(fd);
	fd = open(in(&m, "small/file"), O_RDWR | O_CREAT, 0644);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	/* Without a cache there are no mappings. */
	if (map != MAP_FAILED) {
		memset(map, 'x', SIZE);
		err = msync(map, SIZE, MS_SYNC) ? errno : 0;
		munmap(map, SIZE);
	} else {
		err = errno == ENODEV ? ENOSPC : errno;
	}
	close(fd);
	assert_int_equal(unlink(in(&m, "small/file")), 0);
	assert_int_equal(umount2(behind(&m, "small"), MNT_DETACH), 0);
	assert_int_equal(rmdir(behind(&m, "small")), 0);
	assert_int_equal(err, ENOSPC);
}

static void size_is_set_both_ways(void **state)
{
	char buf[16] = { 0 };
	struct stat st;
	int fd;

	(void)state;
	write_file(in(&m, "size"), "0123456789");
	assert_int_equal(truncate(in(&m, "size"), 4), 0);
	expect_file(behind(&m, "size"), "0123");
	fd = open(in(&m, "size"), O_RDWR);
	assert_int_equal(ftruncate(fd, 8), 0);
	assert_int_equal(pread(fd, buf, sizeof(buf), 0), 8);
	assert_memory_equal(buf, "0123\0\0\0\0", 8);
	close(fd);
	fd = open(in(&m, "size"), O_WRONLY | O_TRUNC);
	close(fd);
	assert_int_equal(stat(behind(&m, "size"), &st), 0);
	assert_int_equal(st.st_size, 0);
}

static void mapped_memory_reaches_the_file(void **state)
{
	enum { SIZE = 3 * 4096 };
	int fd = open(in(&m, "mapped"), O_RDWR | O_CREAT, 0644);
	char byte = 0;
	char *map;

	(void)state;
	assert_int_equal(ftruncate(fd, SIZE), 0);
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		/* Files without a page cache (--cache=never) are mapped for reading only. */
		assert_int_equal(errno, ENODEV);
		assert_int_equal(pwrite(fd, "p", 1, 5000), 1);
		map = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
		assert_true(map != MAP_FAILED);
		assert_int_equal(map[5000], 'p');
		munmap(map, SIZE);
		close(fd);
		return;
	}
	assert_true(map != MAP_FAILED);
	map[5000] = 'm';
	assert_int_equal(msync(map, SIZE, MS_SYNC), 0);
	munmap(map, SIZE);
	close(fd);
	fd = open(behind(&m, "mapped"), O_RDONLY);
	assert_int_equal(pread(fd, &byte, 1, 5000), 1);
	assert_int_equal(byte, 'm');
	close(fd);
}

static void space_is_taken_and_given_back(void **state)
{
	enum { SIZE = 1 << 20 };
	struct stat st;
	int fd = open(in(&m, "space"), O_RDWR | O_CREAT, 0644);

	(void)state;
	assert_int_equal(fallocate(fd, 0, 0, SIZE), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, SIZE);
	assert_true(st.st_blocks >= SIZE / 512);
	assert_int_equal(pwrite(fd, "xxxx", 4, 8192), 4);
	assert_int_equal(
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, SIZE - 4096), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(st.st_blocks < SIZE / 512);
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(fdatasync(fd), 0);
	close(fd);
}

static void file_is_copied_in_place(void **state)
{
	off_t from = 2, to = 0;
	int src, dst;

	(void)state;
	write_file(in(&m, "copy-from"), "0123456789");
	write_file(in(&m, "copy-to"), "");
	src = open(in(&m, "copy-from"), O_RDONLY);
	dst = open(in(&m, "copy-to"), O_WRONLY);
	assert_int_equal(copy_file_range(src, &from, dst, &to, 6, 0), 6);
	close(src);
	close(dst);
	expect_file(behind(&m, "copy-to"), "234567");
}

/* What fsx does: random changes, and after each the file is what memory says. */
static void random_changes_are_what_memory_says(void **state)
{
	enum { MAX = 300000, OPS = 1500 };
	static unsigned char want[MAX], got[MAX + 1];
	struct test_random random;
	size_t size = 0;
	int fd = open(in(&m, "random"), O_RDWR | O_CREAT, 0644);

	(void)state;
	memset(want, 0, sizeof(want));
	test_random_init(&random, test_seed());
	for (int i = 0; i < OPS; i++) {
		size_t at = test_random_range(&random, 0, MAX - 1);
		size_t len = test_random_range(&random, 1, (uint32_t)(MAX - at));
		uint32_t op = test_random_range(&random, 0, 9);

		if (op < 5) {
			test_random_fill(&random, want + at, len);
			assert_int_equal(pwrite(fd, want + at, len, (off_t)at), len);
			size = at + len > size ? at + len : size;
		} else if (op == 5) {
			assert_int_equal(ftruncate(fd, (off_t)at), 0);
			if (at < size)
				memset(want + at, 0, size - at);
			size = at;
		} else if (op == 6 && size) {
			assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
						   (off_t)at, (off_t)len),
					 0);
			memset(want + at, 0, len);
		} else {
			ssize_t n = pread(fd, got, len, (off_t)at);

			assert_int_equal(n, at >= size ? 0 : len < size - at ? len : size - at);
			assert_memory_equal(got, want + at, (size_t)n);
		}
	}
	close(fd);
	fd = open(behind(&m, "random"), O_RDONLY);
	assert_int_equal(pread(fd, got, sizeof(got), 0), size);
	assert_memory_equal(got, want, size);
	close(fd);
}

enum { WRITERS = 4, RECORDS = 200, RECORD = 1000 };

static int write_records(int who)
{
	char record[RECORD], name[16];
	int shared = open(in(&m, "shared"), O_WRONLY);
	int own;

	snprintf(name, sizeof(name), "own-%d", who);
	own = open(in(&m, name), O_WRONLY | O_CREAT, 0644);
	memset(record, 'A' + who, sizeof(record));
	for (int i = 0; i < RECORDS; i++) {
		if (pwrite(shared, record, RECORD, (off_t)(i * WRITERS + who) * RECORD) != RECORD ||
		    write(own, record, RECORD) != RECORD)
			return 1;
	}
	return close(own) || close(shared);
}

static void writers_at_the_same_time_do_not_mix(void **state)
{
	static char all[WRITERS * RECORDS * RECORD];
	char name[16];
	struct stat st;
	int fd, status;

	(void)state;
	write_file(in(&m, "shared"), "");
	for (int who = 0; who < WRITERS; who++) {
		if (fork() == 0)
			_exit(write_records(who));
	}
	for (int who = 0; who < WRITERS; who++) {
		while (wait(&status) == m.pid)
			;
		assert_int_equal(status, 0);
	}
	fd = open(behind(&m, "shared"), O_RDONLY);
	assert_int_equal(read(fd, all, sizeof(all)), sizeof(all));
	close(fd);
	for (size_t i = 0; i < sizeof(all); i++)
		assert_int_equal(all[i], 'A' + (int)(i / RECORD % WRITERS));
	for (int who = 0; who < WRITERS; who++) {
		snprintf(name, sizeof(name), "own-%d", who);
		assert_int_equal(stat(behind(&m, name), &st), 0);
		assert_int_equal(st.st_size, RECORDS * RECORD);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(sparse_file_stays_sparse),
	cmocka_unit_test(appended_writes_follow_each_other),
	cmocka_unit_test(full_file_system_is_told_to_who_wrote_through_a_mapping),
	cmocka_unit_test(size_is_set_both_ways),
	cmocka_unit_test(mapped_memory_reaches_the_file),
	cmocka_unit_test(space_is_taken_and_given_back),
	cmocka_unit_test(file_is_copied_in_place),
	cmocka_unit_test(random_changes_are_what_memory_says),
	cmocka_unit_test(writers_at_the_same_time_do_not_mix),
};

int main(void)
{
	if (!mount_possible())
		return 77;
	return mount_run_each_way(&m, tests, sizeof(tests) / sizeof(tests[0]));
}
