/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host and guest change the same tree at once: what each cache mode promises of the
 * host's changes, and that no file is ever taken for another.
 */
#include "support/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/mount.h"

/* A guest that may rely on what it knows for a second is given longer, for slow machines. */
enum { STEP_MS = 20, PATIENCE_MS = 60000 };

static struct mount m;
/* Whether the mount shows the host's changes at once, or some time later. */
static bool at_once;

/* Wait until @shown, as long as the mount's promise allows. */
static void expect_soon(bool (*shown)(void))
{
	for (int waited = 0; !shown(); waited += STEP_MS) {
		assert_false(at_once);
		assert_true(waited < PATIENCE_MS);
		poll(NULL, 0, STEP_MS);
	}
}

static bool reads(const char *name, const char *text)
{
	char buf[64] = { 0 };
	int fd = open(in(&m, name), O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	return n >= 0 && strcmp(buf, text) == 0;
}

static bool name_is_there(void)
{
	return access(in(&m, "name"), F_OK) == 0;
}

static bool name_is_gone(void)
{
	return access(in(&m, "name"), F_OK) < 0 && errno == ENOENT;
}

static bool name_moved(void)
{
	return name_is_gone() && reads("moved", "moved");
}

static void names_come_and_go(void **state)
{
	(void)state;
	assert_true(name_is_gone());
	write_file(behind(&m, "name"), "moved");
	expect_soon(name_is_there);
	assert_int_equal(rename(behind(&m, "name"), behind(&m, "moved")), 0);
	expect_soon(name_moved);
	assert_int_equal(rename(behind(&m, "moved"), behind(&m, "name")), 0);
	expect_soon(name_is_there);
	assert_int_equal(unlink(behind(&m, "name")), 0);
	expect_soon(name_is_gone);
}

static bool has_grown(void)
{
	struct stat st;

	return stat(in(&m, "attr"), &st) == 0 && st.st_size == 7 && st.st_mode == (S_IFREG | 0604);
}

static void attributes_follow(void **state)
{
	struct stat st;

	(void)state;
	write_file(behind(&m, "attr"), "one");
	assert_int_equal(stat(in(&m, "attr"), &st), 0);
	assert_int_equal(st.st_size, 3);
	write_file(behind(&m, "attr"), "one two");
	assert_int_equal(chmod(behind(&m, "attr"), 0604), 0);
	expect_soon(has_grown);
}

static bool is_rewritten(void)
{
	return reads("data", "second version");
}

static bool is_cut(void)
{
	return reads("data", "sec");
}

static void data_follows(void **state)
{
	(void)state;
	write_file(behind(&m, "data"), "first one here");
	assert_true(reads("data", "first one here"));
	/* As long as before, and in place: only the time says that it is not the same. */
	write_file(behind(&m, "data"), "second version");
	expect_soon(is_rewritten);
	assert_int_equal(truncate(behind(&m, "data"), 3), 0);
	expect_soon(is_cut);
}

static bool is_listed(const char *name)
{
	DIR *dir = opendir(in(&m, "list"));
	struct dirent *entry;
	bool found = false;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		found = found || strcmp(entry->d_name, name) == 0;
	closedir(dir);
	return found;
}

/* A directory is not kept: each opening lists it anew, in both modes. */
static void listings_are_of_now(void **state)
{
	(void)state;
	assert_int_equal(mkdir(behind(&m, "list"), 0755), 0);
	write_file(behind(&m, "list/one"), "");
	assert_true(is_listed("one"));
	write_file(behind(&m, "list/two"), "");
	assert_int_equal(unlink(behind(&m, "list/one")), 0);
	assert_true(is_listed("two"));
	assert_false(is_listed("one"));
}

static bool is_the_new_one(void)
{
	return reads("replaced", "new");
}

/* Also where the new file is given the old one's inode number, as some file systems do. */
static void open_file_stays_the_one_that_was_opened(void **state)
{
	char buf[8] = { 0 };
	struct stat st;
	int fd;

	(void)state;
	for (int i = 0; i < 4; i++) {
		write_file(behind(&m, "replaced"), "old");
		fd = open(in(&m, "replaced"), O_RDWR);
		assert_true(fd >= 0);
		assert_int_equal(unlink(behind(&m, "replaced")), 0);
		write_file(behind(&m, "replaced"), "new");
		assert_int_equal(pread(fd, buf, sizeof(buf), 0), 3);
		assert_string_equal(buf, "old");
		assert_int_equal(pwrite(fd, "OLD", 3, 0), 3);
		assert_int_equal(fstat(fd, &st), 0);
		close(fd);
		expect_file(behind(&m, "replaced"), "new");
		expect_soon(is_the_new_one);
	}
}

/* ---- Two directories that change places all the time ---- */

static bool stop;

static void *exchange(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		/* Not in() and behind(): they share their memory. */
		char a[128], b[128];

		snprintf(a, sizeof(a), "%s/place", m.source);
		snprintf(b, sizeof(b), "%s/other", m.source);
		renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
	}
	return NULL;
}

/* Open a file by one of its two names: what it says and what it is have to agree. */
static void expect_one_of_the_two(const char *name, const ino_t inodes[2])
{
	char text[8] = { 0 };
	struct stat st;
	int fd = open(in(&m, name), O_RDONLY);

	if (fd < 0) {
		/* It changed places between two steps of ours. */
		assert_true(errno == ENOENT || errno == ESTALE);
		return;
	}
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(read(fd, text, sizeof(text) - 1), 1);
	assert_true(text[0] == '0' || text[0] == '1');
	assert_int_equal(st.st_ino, inodes[text[0] - '0']);
	close(fd);
}

static void directories_that_change_places_are_never_mixed_up(void **state)
{
	enum { ROUNDS = 3000 };
	static const char *const dirs[] = { "place", "other" };
	pthread_t thread;
	char name[32], text[2] = "0";
	ino_t inodes[2];
	struct stat st;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(mkdir(behind(&m, dirs[i]), 0755), 0);
		snprintf(name, sizeof(name), "%s/file", dirs[i]);
		text[0] = (char)('0' + i);
		write_file(behind(&m, name), text);
		assert_int_equal(stat(in(&m, name), &st), 0);
		inodes[i] = st.st_ino;
	}
	__atomic_store_n(&stop, false, __ATOMIC_RELAXED);
	assert_int_equal(pthread_create(&thread, NULL, exchange, NULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		expect_one_of_the_two("place/file", inodes);
		expect_one_of_the_two("other/file", inodes);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* Both sides append to one file by turns: nothing of either is lost. */
static void writes_of_both_sides_all_arrive(void **state)
{
	struct stat st;

	(void)state;
	write_file(behind(&m, "both"), "");
	for (int i = 0; i < 200; i++) {
		const char *path = i % 2 ? in(&m, "both") : behind(&m, "both");
		int fd = open(path, O_WRONLY | O_APPEND);

		assert_true(fd >= 0);
		assert_int_equal(write(fd, i % 2 ? "g" : "h", 1), 1);
		close(fd);
	}
	assert_int_equal(stat(behind(&m, "both"), &st), 0);
	assert_int_equal(st.st_size, 200);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(names_come_and_go),
	cmocka_unit_test(attributes_follow),
	cmocka_unit_test(data_follows),
	cmocka_unit_test(listings_are_of_now),
	cmocka_unit_test(open_file_stays_the_one_that_was_opened),
	cmocka_unit_test(directories_that_change_places_are_never_mixed_up),
	cmocka_unit_test(writes_of_both_sides_all_arrive),
};

static int open_never(void **state)
{
	(void)state;
	at_once = true;
	mount_open(&m, "--cache=never", "--threads=2", NULL);
	return 0;
}

static int open_auto(void **state)
{
	(void)state;
	at_once = false;
	mount_open(&m, "--cache=auto", "--threads=2", NULL);
	return 0;
}

static int ends(void **state)
{
	(void)state;
	assert_int_equal(mount_unmount(&m), 0);
	mount_clean(&m);
	return 0;
}

int main(void)
{
	int failed;

	if (!mount_possible())
		return 77;
	failed = cmocka_run_group_tests_name("cache=never", tests, open_never, ends);
	failed += cmocka_run_group_tests_name("cache=auto", tests, open_auto, ends);
	return failed;
}
