/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A filesystem that writes down how it was called, and answers every op with a
 * success that is easy to recognise: structs are filled with RECORDING_FILL, so far
 * as the reply takes a struct.
 */
#ifndef TESTS_API_RECORDING_FS_H
#define TESTS_API_RECORDING_FS_H

#include <stdbool.h>
#include <stddef.h>

#include <virtiofs/fs.h>

enum {
	RECORDING_FILL = 'r', /* of answers' structs */
	RECORDING_DATA = 'd', /* of memory an op is given to fill */
	RECORDING_NUMBER = 0x72727272,
};

struct recording {
	bool live; /* between session_begin and session_end */
	int calls;
	/* The last call, but of forget all since the last reset: the op's name, its
	 * node and names, and the numbers that are no part of a struct. */
	char line[8192];
	unsigned char in[128]; /* the struct it was given */
	size_t in_len;
	unsigned char payload[8192]; /* the guest memory it was given to read */
	size_t payload_len;
};

/* Forget the calls. */
void recording_reset(struct recording *recording);
struct virtiofs_fs *recording_fs(struct recording *recording);

#endif /* TESTS_API_RECORDING_FS_H */
