/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/test.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "blocking_pool.h"

/* Work of this test: says that it runs, then waits until it may end. */
struct virtiofs_work {
	sem_t running;
	sem_t may_end;
	atomic_int runs;
};

/* In place of the library's. */
void virtiofs_work_run(struct virtiofs_work *work)
{
	atomic_fetch_add(&work->runs, 1);
	sem_post(&work->running);
	sem_wait(&work->may_end);
}

enum { MAX = 4 };

static struct virtiofs_work works[MAX + 1];

static int init_works(void **state)
{
	(void)state;
	for (int i = 0; i <= MAX; i++) {
		sem_init(&works[i].running, 0, 0);
		sem_init(&works[i].may_end, 0, 0);
		atomic_init(&works[i].runs, 0);
	}
	return 0;
}

static int destroy_works(void **state)
{
	(void)state;
	for (int i = 0; i <= MAX; i++) {
		sem_destroy(&works[i].running);
		sem_destroy(&works[i].may_end);
	}
	return 0;
}

static void work_that_blocks_does_not_hold_up_other_work(void **state)
{
	struct blocking_pool *pool = NULL;

	(void)state;
	assert_int_equal(blocking_pool_create(&pool, MAX), 0);
	/* All at once: the threads for them are still to be made. */
	for (int i = 0; i < MAX; i++)
		assert_int_equal(blocking_pool_run(pool, &works[i]), 0);
	for (int i = 0; i < MAX; i++)
		sem_wait(&works[i].running);
	for (int i = 0; i < MAX; i++)
		sem_post(&works[i].may_end);
	blocking_pool_destroy(pool);
	for (int i = 0; i < MAX; i++)
		assert_int_equal(works[i].runs, 1);
}

static void work_without_a_free_thread_is_refused(void **state)
{
	struct blocking_pool *pool = NULL;
	int err;

	(void)state;
	assert_int_equal(blocking_pool_create(&pool, MAX), 0);
	for (int i = 0; i < MAX; i++)
		assert_int_equal(blocking_pool_run(pool, &works[i]), 0);
	assert_int_equal(blocking_pool_run(pool, &works[MAX]), -EAGAIN);
	for (int i = 0; i < MAX; i++)
		sem_wait(&works[i].running);
	assert_int_equal(blocking_pool_run(pool, &works[MAX]), -EAGAIN);
	/* One is free again soon. */
	sem_post(&works[0].may_end);
	sem_post(&works[MAX].may_end);
	do {
		err = blocking_pool_run(pool, &works[MAX]);
	} while (err == -EAGAIN);
	assert_int_equal(err, 0);
	for (int i = 1; i < MAX; i++)
		sem_post(&works[i].may_end);
	blocking_pool_destroy(pool);
	assert_int_equal(works[MAX].runs, 1);
}

static void what_was_taken_runs_before_the_pool_is_gone(void **state)
{
	struct blocking_pool *pool = NULL;

	(void)state;
	assert_int_equal(blocking_pool_create(&pool, MAX), 0);
	for (int i = 0; i < MAX; i++) {
		sem_post(&works[i].may_end);
		assert_int_equal(blocking_pool_run(pool, &works[i]), 0);
	}
	blocking_pool_destroy(pool);
	for (int i = 0; i < MAX; i++)
		assert_int_equal(works[i].runs, 1);
}

static void pool_of_one_thread_serves_again_and_again(void **state)
{
	struct blocking_pool *pool = NULL;
	int done = 0;

	(void)state;
	assert_int_equal(blocking_pool_create(&pool, 1), 0);
	while (done < 100) {
		if (blocking_pool_run(pool, &works[0]) == 0) {
			sem_wait(&works[0].running);
			sem_post(&works[0].may_end);
			done++;
		}
	}
	blocking_pool_destroy(pool);
	assert_int_equal(works[0].runs, 100);
}

static void pool_that_is_not_used_ends_at_once(void **state)
{
	struct blocking_pool *pool = NULL;

	(void)state;
	assert_int_equal(blocking_pool_create(&pool, 0), -EINVAL);
	assert_null(pool);
	assert_int_equal(blocking_pool_create(&pool, MAX), 0);
	blocking_pool_destroy(pool);
	blocking_pool_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(work_that_blocks_does_not_hold_up_other_work,
						init_works, destroy_works),
		cmocka_unit_test_setup_teardown(work_without_a_free_thread_is_refused, init_works,
						destroy_works),
		cmocka_unit_test_setup_teardown(what_was_taken_runs_before_the_pool_is_gone,
						init_works, destroy_works),
		cmocka_unit_test_setup_teardown(pool_of_one_thread_serves_again_and_again,
						init_works, destroy_works),
		cmocka_unit_test(pool_that_is_not_used_ends_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
