/* SPDX-License-Identifier: BSD-2-Clause */
/* Small things from and to guest memory, which the guest may change at any time: copied once. */
#include "passthrough/share.h"

#include <string.h>

bool vfi_iov_take(const struct virtiofs_iov *src, void *buf, size_t len)
{
	unsigned char *to = buf;

	if (src->len < len)
		return false;
	for (uint32_t i = 0; i < src->count && len; i++) {
		size_t n = vfi_min_u64(src->iov[i].iov_len, len);

		memcpy(to, src->iov[i].iov_base, n);
		to += n;
		len -= n;
	}
	return len == 0;
}

bool vfi_iov_put(const struct virtiofs_iov *dst, const void *buf, size_t len)
{
	const unsigned char *from = buf;

	if (dst->len < len)
		return false;
	for (uint32_t i = 0; i < dst->count && len; i++) {
		size_t n = vfi_min_u64(dst->iov[i].iov_len, len);

		memcpy(dst->iov[i].iov_base, from, n);
		from += n;
		len -= n;
	}
	return len == 0;
}
