/* SPDX-License-Identifier: BSD-2-Clause */
/* cmocka, with what its header wants before it. */
#ifndef TESTS_SUPPORT_TEST_H
#define TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif /* TESTS_SUPPORT_TEST_H */
