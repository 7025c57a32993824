/* SPDX-License-Identifier: BSD-2-Clause */
/* The front-end's memory regions, mapped into this process. Control's thread. */
#ifndef VFI_VU_MEMORY_TABLE_H
#define VFI_VU_MEMORY_TABLE_H

#include <virtiofs/memory.h>

#include "base/base.h"
#include "vhost_user/vu_wire.h"

struct vfi_vu_memory {
	const struct virtiofs_env *env;
	struct virtiofs_mem *mem; /* what the rings see */
	unsigned count;
	struct virtiofs_region_desc regions[VIRTIOFS_MEM_REGIONS_MAX];
};

/* Errors: those of virtiofs_mem_create(). */
int vfi_vu_memory_init(struct vfi_vu_memory *memory, const struct virtiofs_env *env);
void vfi_vu_memory_fini(struct vfi_vu_memory *memory);

/*
 * Replace the table by @count regions; add one, in place of that with the same guest
 * address and size, if there is one. The descriptors stay the caller's.
 * On an error the old table holds. -EINVAL: lengths, addresses or offset wrap, or
 * regions overlap; -ERANGE: a file is shorter than its region; -E2BIG: too many;
 * -ENOMEM; what mmap(2) says.
 */
int vfi_vu_memory_set(struct vfi_vu_memory *memory, const struct vfi_vu_region *regions,
		      const int *fds, unsigned count);
int vfi_vu_memory_add(struct vfi_vu_memory *memory, const struct vfi_vu_region *region, int fd);
/* Remove the region with these addresses and size. Errors: -ENOENT; -ENOMEM. */
int vfi_vu_memory_remove(struct vfi_vu_memory *memory, const struct vfi_vu_region *region);
/* Remove all. Errors: -ENOMEM, and all is as it was. */
int vfi_vu_memory_clear(struct vfi_vu_memory *memory);

#endif /* VFI_VU_MEMORY_TABLE_H */
