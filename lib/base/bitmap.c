/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/bitmap.h"

#include <errno.h>
#include <sys/mman.h>

enum { WORD = 64 };

static size_t bytes(uint32_t size)
{
	return ((size_t)size + WORD - 1) / WORD * sizeof(uint64_t);
}

int vfi_bitmap_init(struct vfi_bitmap *bitmap, uint32_t size)
{
	int saved = errno;
	void *words;

	if (size == 0)
		return -EINVAL;
	words = mmap(NULL, bytes(size), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (words == MAP_FAILED) {
		errno = saved;
		return -ENOMEM;
	}
	*bitmap = (struct vfi_bitmap){ .words = words, .size = size };
	return 0;
}

void vfi_bitmap_destroy(struct vfi_bitmap *bitmap)
{
	if (bitmap->words)
		munmap(bitmap->words, bytes(bitmap->size));
}

void vfi_bitmap_set(struct vfi_bitmap *bitmap, uint32_t n)
{
	uint32_t end = __atomic_load_n(&bitmap->end, __ATOMIC_RELAXED);

	__atomic_fetch_or(&bitmap->words[n / WORD], UINT64_C(1) << n % WORD, __ATOMIC_RELAXED);
	while (end <= n && !__atomic_compare_exchange_n(&bitmap->end, &end, n + 1, true,
							__ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

void vfi_bitmap_clear(struct vfi_bitmap *bitmap, uint32_t n)
{
	__atomic_fetch_and(&bitmap->words[n / WORD], ~(UINT64_C(1) << n % WORD), __ATOMIC_RELAXED);
}

bool vfi_bitmap_test(const struct vfi_bitmap *bitmap, uint32_t n)
{
	return __atomic_load_n(&bitmap->words[n / WORD], __ATOMIC_RELAXED) >> n % WORD & 1;
}

uint32_t vfi_bitmap_next(const struct vfi_bitmap *bitmap, uint32_t from)
{
	uint32_t end = __atomic_load_n(&bitmap->end, __ATOMIC_RELAXED);

	while (from < end) {
		uint64_t word = __atomic_load_n(&bitmap->words[from / WORD], __ATOMIC_RELAXED);

		word >>= from % WORD;
		if (word != 0)
			return from + (uint32_t)__builtin_ctzll(word);
		/* To the next word. The size may be near the largest number. */
		if (from / WORD == (end - 1) / WORD)
			break;
		from = (from / WORD + 1) * WORD;
	}
	return bitmap->size;
}
