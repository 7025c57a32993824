/* SPDX-License-Identifier: BSD-2-Clause */
#include "proto/proto.h"

#include <string.h>

enum direction { SKIP, READ, WRITE };

void vfi_cursor_init(struct vfi_cursor *c, const struct iovec *iov, uint32_t count)
{
	*c = (struct vfi_cursor){ .iov = iov, .count = count };
}

size_t vfi_iov_len(const struct iovec *iov, uint32_t count)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (__builtin_add_overflow(sum, iov[i].iov_len, &sum))
			return SIZE_MAX;
	}
	return sum;
}

size_t vfi_cursor_left(const struct vfi_cursor *c)
{
	size_t left = 0;

	for (uint32_t i = c->index; i < c->count; i++) {
		size_t n = c->iov[i].iov_len - (i == c->index ? c->offset : 0);

		if (__builtin_add_overflow(left, n, &left))
			return SIZE_MAX;
	}
	return left;
}

/* Whether @len bytes are there; looks no further than it must. */
static bool has(const struct vfi_cursor *c, size_t len)
{
	size_t seen = 0;

	for (uint32_t i = c->index; i < c->count && seen < len; i++) {
		size_t n = c->iov[i].iov_len - (i == c->index ? c->offset : 0);

		if (n >= len - seen)
			return true;
		seen += n;
	}
	return seen >= len;
}

static bool move(struct vfi_cursor *c, enum direction direction, unsigned char *dst,
		 const unsigned char *src, size_t len)
{
	if (c->failed || !has(c, len)) {
		c->failed = true;
		return false;
	}
	while (len) {
		const struct iovec *v = &c->iov[c->index];
		size_t n = v->iov_len - c->offset;

		if (n > len)
			n = len;
		/* An empty iovec may have no address, to which not even 0 may be added. */
		if (direction == READ && n) {
			memcpy(dst, (unsigned char *)v->iov_base + c->offset, n);
			dst += n;
		} else if (direction == WRITE && n) {
			memcpy((unsigned char *)v->iov_base + c->offset, src, n);
			src += n;
		}
		len -= n;
		c->offset += n;
		if (c->offset == v->iov_len) {
			c->index++;
			c->offset = 0;
		}
	}
	return true;
}

bool vfi_cursor_read(struct vfi_cursor *c, void *dst, size_t len)
{
	return move(c, READ, dst, NULL, len);
}

bool vfi_cursor_write(struct vfi_cursor *c, const void *src, size_t len)
{
	return move(c, WRITE, NULL, src, len);
}

bool vfi_cursor_skip(struct vfi_cursor *c, size_t len)
{
	return move(c, SKIP, NULL, NULL, len);
}
