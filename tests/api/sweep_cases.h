/* SPDX-License-Identifier: BSD-2-Clause */
/* For every opcode a request, and by hand what must come of it and of its mutilations. */
#ifndef TESTS_API_SWEEP_CASES_H
#define TESTS_API_SWEEP_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/raw_request.h"

enum {
	SWEEP_NODE = 9,	       /* nodeid of all requests */
	SWEEP_NO_ANSWER = 999, /* the chain comes back with used length 0 */
};

struct sweep_case {
	uint32_t opcode;
	/* The request: @fixed bytes of a pattern, of which some are set to a value of
	 * 32 bits; then @tail, names with their NULs and payload. */
	uint16_t fixed;
	uint16_t tail_len;
	uint8_t set_count;
	struct {
		uint8_t offset;
		uint32_t value;
	} set[3];
	const char *tail;
	int16_t last_nul; /* in the tail; -1: no name */
	/* How the op is called for the request that is whole; NULL: no op is. */
	const char *call;
	const char *payload; /* what it is given to read */
	bool extensions;     /* a group and a label stand behind the tail */
	/* The answer: an error or 0, then bytes of RECORDING_FILL, zeros, and @data. */
	int error;
	uint16_t out_fill, out_zero;
	const void *data;
	uint16_t data_len;
	/* Negative errno, 0 or SWEEP_NO_ANSWER: one byte of the request is missing; the
	 * last name has no NUL; one byte of room is missing. */
	int short_error;
	int unterminated_error;
	int room_error;
	/* With a byte of room missing the op runs all the same, and answers so much data. */
	bool room_runs;
	uint16_t room_data_len;
};

extern const struct sweep_case sweep_cases[];
extern const size_t sweep_case_count;

void sweep_request(const struct sweep_case *c, struct raw_request *r);
/* Bytes of room the whole answer takes. */
size_t sweep_room(const struct sweep_case *c);

#endif /* TESTS_API_SWEEP_CASES_H */
