/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes cut into iovecs: each piece is an allocation of its own, just as long as
 * the piece, so that a byte too far is seen by the address sanitizer.
 */
#ifndef TESTS_SUPPORT_PIECES_H
#define TESTS_SUPPORT_PIECES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "support/random.h"

enum { PIECES_MAX = 32 };

struct pieces {
	struct iovec iov[PIECES_MAX];
	uint32_t count;
	size_t len;
};

/* What room for an answer is filled with. */
enum { PIECES_FILL = 0xa5 };

/*
 * Cut @len bytes of @src (NULL: PIECES_FILL) at @cuts, which do not descend; the
 * same place twice gives an empty piece. @count: of the cuts, one less than pieces.
 */
void pieces_cut(struct pieces *p, const void *src, size_t len, const size_t *cuts, uint32_t count);
/* Cut at random, into 1 to PIECES_MAX pieces, empty and one-byte ones among them. */
void pieces_cut_random(struct pieces *p, const void *src, size_t len, struct test_random *random);
void pieces_free(struct pieces *p);
/* All bytes of the pieces, one after the other. */
void pieces_gather(const struct pieces *p, void *dst);

/* Go on to the next of all ways to cut @len bytes at @count places; begin with zeros.
 * Returns 0 behind the last one. */
int pieces_next_cuts(size_t *cuts, uint32_t count, size_t len);

#endif /* TESTS_SUPPORT_PIECES_H */
