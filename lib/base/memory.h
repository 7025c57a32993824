/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside a map of guest memory: what the virtqueue's fast path looks at. */
#ifndef VFI_MEMORY_H
#define VFI_MEMORY_H

#include <virtiofs/memory.h>

#include "base/base.h"

/* A region's place in one map. */
struct vfi_mem_range {
	uint64_t start; /* guest address */
	uint64_t len;
	unsigned char *host;
	struct virtiofs_region *region; /* the map has a reference */
};

struct virtiofs_mem_map {
	struct virtiofs_env env;
	uint64_t generation;
	uint32_t refs; /* atomic */
	uint32_t count;
	struct vfi_mem_range ranges[]; /* by start */
};

/* The range a guest address lies in, or NULL. */
const struct vfi_mem_range *vfi_mem_find(const struct virtiofs_mem_map *map, uint64_t addr);
/* One more reference. */
void vfi_mem_map_get(struct virtiofs_mem_map *map);

#endif /* VFI_MEMORY_H */
