/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/pieces.h"

#include <stdlib.h>
#include <string.h>

#include "support/check.h"

static void add_piece(struct pieces *p, const void *src, size_t from, size_t to)
{
	struct iovec *v;

	CHECK(p->count < PIECES_MAX && to >= from);
	v = &p->iov[p->count++];
	v->iov_len = to - from;
	v->iov_base = NULL;
	if (!v->iov_len)
		return;
	v->iov_base = malloc(v->iov_len);
	CHECK(v->iov_base);
	if (src)
		memcpy(v->iov_base, (const char *)src + from, v->iov_len);
	else
		memset(v->iov_base, PIECES_FILL, v->iov_len);
}

void pieces_cut(struct pieces *p, const void *src, size_t len, const size_t *cuts, uint32_t count)
{
	size_t from = 0;

	p->count = 0;
	p->len = len;
	for (uint32_t i = 0; i < count; i++) {
		add_piece(p, src, from, cuts[i]);
		from = cuts[i];
	}
	add_piece(p, src, from, len);
}

void pieces_cut_random(struct pieces *p, const void *src, size_t len, struct test_random *random)
{
	uint32_t left = test_random_range(random, 0, PIECES_MAX - 1);
	size_t from = 0;

	p->count = 0;
	p->len = len;
	for (; left; left--) {
		size_t n = 0;

		if (!test_random_one_in(random, 4))
			n = test_random_range(random, 1, test_random_one_in(random, 2) ? 1 : 60);
		if (n > len - from)
			n = len - from;
		add_piece(p, src, from, from + n);
		from += n;
	}
	add_piece(p, src, from, len);
}

void pieces_free(struct pieces *p)
{
	for (uint32_t i = 0; i < p->count; i++)
		free(p->iov[i].iov_base);
	p->count = 0;
}

void pieces_gather(const struct pieces *p, void *dst)
{
	char *at = dst;

	for (uint32_t i = 0; i < p->count; i++) {
		if (p->iov[i].iov_len)
			memcpy(at, p->iov[i].iov_base, p->iov[i].iov_len);
		at += p->iov[i].iov_len;
	}
}

int pieces_next_cuts(size_t *cuts, uint32_t count, size_t len)
{
	for (uint32_t i = count; i-- > 0;) {
		if (cuts[i] < len) {
			size_t at = cuts[i] + 1;

			for (; i < count; i++)
				cuts[i] = at;
			return 1;
		}
	}
	return 0;
}
