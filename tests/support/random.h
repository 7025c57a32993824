/* SPDX-License-Identifier: BSD-2-Clause */
/* Random choices that can be made again: the seed is printed, and can be given. */
#ifndef TESTS_SUPPORT_RANDOM_H
#define TESTS_SUPPORT_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct test_random {
	uint64_t state;
};

/*
 * The seed of this run: VIRTIOFS_TEST_SEED of the environment, or the clock's.
 * Printed once, for a failure to be repeated.
 */
uint64_t test_seed(void);

void test_random_init(struct test_random *random, uint64_t seed);
uint64_t test_random_u64(struct test_random *random);
/* A number from @min to @max, both included. */
uint32_t test_random_range(struct test_random *random, uint32_t min, uint32_t max);
/* True once in @n times. */
bool test_random_one_in(struct test_random *random, uint32_t n);
void test_random_fill(struct test_random *random, void *buf, uint64_t len);

#endif /* TESTS_SUPPORT_RANDOM_H */
