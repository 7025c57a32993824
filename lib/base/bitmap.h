/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A set of small numbers, indexes of a table, one bit each. Thread: any, for all but
 * init and destroy. Memory is taken as bits are first set.
 */
#ifndef VFI_BITMAP_H
#define VFI_BITMAP_H

#include "base/base.h"

struct vfi_bitmap {
	uint64_t *words; /* atomic */
	uint32_t size;	 /* numbers are below it */
	uint32_t end;	 /* atomic; so are those that were ever set */
};

/* Make an empty set of numbers below @size. Errors: -EINVAL @size is 0; -ENOMEM. */
int vfi_bitmap_init(struct vfi_bitmap *bitmap, uint32_t size);
void vfi_bitmap_destroy(struct vfi_bitmap *bitmap);

void vfi_bitmap_set(struct vfi_bitmap *bitmap, uint32_t n);
void vfi_bitmap_clear(struct vfi_bitmap *bitmap, uint32_t n);
bool vfi_bitmap_test(const struct vfi_bitmap *bitmap, uint32_t n);
/* The least number in the set that is not below @from; the set's size: there is none. */
uint32_t vfi_bitmap_next(const struct vfi_bitmap *bitmap, uint32_t from);

#endif /* VFI_BITMAP_H */
