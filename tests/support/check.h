/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must hold for a test to go on, in support code: unlike cmocka's asserts it
 * may be used on any thread, and by programs that are no cmocka test.
 */
#ifndef TESTS_SUPPORT_CHECK_H
#define TESTS_SUPPORT_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(cond)                                                                               \
	do {                                                                                      \
		if (!(cond)) {                                                                    \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                                  \
		}                                                                                 \
	} while (0)

#endif /* TESTS_SUPPORT_CHECK_H */
