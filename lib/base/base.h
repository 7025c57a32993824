/* SPDX-License-Identifier: BSD-2-Clause */
/* What every layer uses: the environment, sized structs, small helpers. */
#ifndef VFI_BASE_H
#define VFI_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <virtiofs/env.h>

#define VFI_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define VFI_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define VFI_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

static inline uint64_t vfi_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline bool vfi_is_pow2(uint64_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

/*
 * Take a struct of the public API in: one that begins with its size, and may come
 * from a caller compiled against an older or a newer header. @dst is filled with
 * @src's members, and zero behind them.
 * Returns 0; -EINVAL the size cannot be; -E2BIG a member this library does not
 * know is set.
 */
int vfi_copy_sized(void *dst, size_t dst_size, const void *src);

/* Copy an embedder's environment with the defaults filled in. Errors: as above. */
int vfi_env_init(struct virtiofs_env *dst, const struct virtiofs_env *src);

/* Zeroed memory, aligned for any type and at least to 64 bytes, or NULL. */
void *vfi_alloc(const struct virtiofs_env *env, size_t size);
/* The same for @count records of @size; NULL also where the product overflows. */
void *vfi_alloc_array(const struct virtiofs_env *env, size_t count, size_t size);
/* Give memory back with the size asked for. NULL is nothing. */
void vfi_free(const struct virtiofs_env *env, void *memory, size_t size);

/* A line for the embedder's log; cut off behind 255 bytes. Keeps errno. */
void vfi_log(const struct virtiofs_env *env, unsigned level, const char *format, ...)
	VFI_PRINTF(3, 4);

/* CLOCK_MONOTONIC, in nanoseconds. */
uint64_t vfi_now(void);

/* Lets one line through per second and counts the others; zeroed at first. Thread: any. */
struct vfi_ratelimit {
	int64_t next; /* CLOCK_MONOTONIC_COARSE, seconds */
	uint32_t dropped;
};
/* Whether to log now; *@dropped gets how many were not since the last time. */
bool vfi_ratelimit_ok(struct vfi_ratelimit *limit, uint32_t *dropped);

#endif /* VFI_BASE_H */
