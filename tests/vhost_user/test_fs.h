/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The filesystem behind the back-end under test: a directory with one file in
 * memory. It counts what begins and ends, and can keep a request for later.
 */
#ifndef TESTS_VHOST_USER_TEST_FS_H
#define TESTS_VHOST_USER_TEST_FS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <virtiofs/virtiofs.h>

enum {
	TEST_FS_ROOT = 1,
	TEST_FS_FILE = 2,
	TEST_FS_SIZE = 1 << 20,
};
#define TEST_FS_NAME "file"

struct test_fs {
	struct virtiofs_fs *fs;
	/* Atomic. */
	int begun;
	int ended;
	int forgotten;
	int cancelled;
	int served;	      /* GETATTRs */
	int hold;	      /* STATFS stays unanswered: until it is cancelled (1), for good (2) */
	pthread_mutex_t lock; /* protects held */
	struct virtiofs_req *held;
	unsigned char data[TEST_FS_SIZE];
};

enum { TEST_FS_HOLD_UNTIL_CANCEL = 1, TEST_FS_HOLD = 2 };

void test_fs_create(struct test_fs *fs);
void test_fs_destroy(struct test_fs *fs);
bool test_fs_holds(struct test_fs *fs);
/* Answer what is held. */
void test_fs_release(struct test_fs *fs);

int test_get(const int *counter);

#endif /* TESTS_VHOST_USER_TEST_FS_H */
