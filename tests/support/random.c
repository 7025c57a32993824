/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t test_seed(void)
{
	static uint64_t seed;
	const char *given = getenv("VIRTIOFS_TEST_SEED");
	struct timespec now;

	if (seed != 0)
		return seed;
	if (given) {
		seed = strtoull(given, NULL, 0);
	} else {
		clock_gettime(CLOCK_REALTIME, &now);
		seed = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	}
	if (seed == 0)
		seed = 1;
	fprintf(stderr, "seed: VIRTIOFS_TEST_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

void test_random_init(struct test_random *random, uint64_t seed)
{
	random->state = seed;
}

/* A step of Steele and others' SplitMix64: every seed is a good one. */
uint64_t test_random_u64(struct test_random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

uint32_t test_random_range(struct test_random *random, uint32_t min, uint32_t max)
{
	return min + (uint32_t)(test_random_u64(random) % ((uint64_t)max - min + 1));
}

bool test_random_one_in(struct test_random *random, uint32_t n)
{
	return test_random_u64(random) % n == 0;
}

void test_random_fill(struct test_random *random, void *buf, uint64_t len)
{
	unsigned char *bytes = buf;

	for (uint64_t i = 0; i < len; i += 8) {
		uint64_t word = test_random_u64(random);

		memcpy(bytes + i, &word, len - i < 8 ? len - i : 8);
	}
}
