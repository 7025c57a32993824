/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CACHE_LINE = 64, LOG_LINE_MAX = 256 };

int vfi_copy_sized(void *dst, size_t dst_size, const void *src)
{
	const unsigned char *bytes = src;
	size_t size;

	memcpy(&size, src, sizeof(size));
	/* A size beyond a page is no struct of ours, of whatever version. */
	if (size < sizeof(size) || size > 4096)
		return -EINVAL;
	for (size_t i = dst_size; i < size; i++) {
		if (bytes[i] != 0)
			return -E2BIG;
	}
	memset(dst, 0, dst_size);
	memcpy(dst, src, size < dst_size ? size : dst_size);
	memcpy(dst, &dst_size, sizeof(dst_size));
	return 0;
}

static void *default_alloc(void *ctx, size_t size, size_t align)
{
	(void)ctx;
	/* aligned_alloc wants a multiple of the alignment (C11, 7.22.3.1). */
	return aligned_alloc(align, (size + align - 1) & ~(align - 1));
}

static void default_free(void *ctx, void *memory, size_t size)
{
	(void)ctx;
	(void)size;
	free(memory);
}

int vfi_env_init(struct virtiofs_env *dst, const struct virtiofs_env *src)
{
	if (src) {
		int err = vfi_copy_sized(dst, sizeof(*dst), src);

		if (err)
			return err;
	} else {
		memset(dst, 0, sizeof(*dst));
		dst->size = sizeof(*dst);
	}
	if (!dst->alloc != !dst->free)
		return -EINVAL;
	if (!dst->alloc) {
		dst->alloc = default_alloc;
		dst->free = default_free;
	}
	return 0;
}

void *vfi_alloc(const struct virtiofs_env *env, size_t size)
{
	int saved = errno;
	void *memory = env->alloc(env->ctx, size, CACHE_LINE);

	errno = saved;
	if (memory)
		memset(memory, 0, size);
	return memory;
}

void *vfi_alloc_array(const struct virtiofs_env *env, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	return vfi_alloc(env, total);
}

void vfi_free(const struct virtiofs_env *env, void *memory, size_t size)
{
	if (memory)
		env->free(env->ctx, memory, size);
}

void vfi_log(const struct virtiofs_env *env, unsigned level, const char *format, ...)
{
	char line[LOG_LINE_MAX];
	int saved = errno;
	va_list args;

	if (!env->log)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	env->log(env->ctx, level, line);
	errno = saved;
}

uint64_t vfi_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool vfi_ratelimit_ok(struct vfi_ratelimit *limit, uint32_t *dropped)
{
	struct timespec now;
	int64_t next = __atomic_load_n(&limit->next, __ATOMIC_RELAXED);

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (now.tv_sec < next ||
	    !__atomic_compare_exchange_n(&limit->next, &next, (int64_t)now.tv_sec + 1, false,
					 __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
		__atomic_fetch_add(&limit->dropped, 1, __ATOMIC_RELAXED);
		return false;
	}
	*dropped = __atomic_exchange_n(&limit->dropped, 0, __ATOMIC_RELAXED);
	return true;
}
