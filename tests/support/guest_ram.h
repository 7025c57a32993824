/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory of a fake guest: a memfd, mapped region by region.
 *
 *	guest-physical			this process
 *	0x0		+--------+	each region is a mapping of its own, and
 *			| low 0	 |	no two of them lie side by side
 *	GUEST_RAM_SEAM	+--------+  <-- adjacent for the guest only
 *			| low 1	 |
 *			+--------+
 *			| hole	 |
 *	GUEST_RAM_HIGH	+--------+
 *			| high	 |
 *			+--------+
 *
 * Buffers are handed out by the guest's address, and may lie across the seam.
 * Any thread may take and free them.
 */
#ifndef TESTS_SUPPORT_GUEST_RAM_H
#define TESTS_SUPPORT_GUEST_RAM_H

#include <stddef.h>
#include <stdint.h>

#include <virtiofs/memory.h>

#define GUEST_RAM_SEAM UINT64_C(0x1000000)
#define GUEST_RAM_HIGH UINT64_C(0x100000000)
#define GUEST_RAM_NONE UINT64_MAX /* never an address of a buffer */

enum { GUEST_RAM_REGIONS = 3 };

struct guest_ram_region {
	uint64_t guest_addr;
	uint64_t len;
	uint64_t offset; /* in the memfd */
	unsigned char *host;
};

struct guest_ram;

struct guest_ram *guest_ram_create(void);
void guest_ram_destroy(struct guest_ram *ram);

int guest_ram_fd(const struct guest_ram *ram);
const struct guest_ram_region *guest_ram_regions(const struct guest_ram *ram);
/* Publish its regions to @mem. */
void guest_ram_publish(const struct guest_ram *ram, struct virtiofs_mem *mem);

/* A buffer of @len bytes at a multiple of @align (a power of two); of any content. */
uint64_t guest_ram_alloc(struct guest_ram *ram, uint64_t len, uint64_t align);
/* The same, in one region: what a ring needs. */
uint64_t guest_ram_alloc_one(struct guest_ram *ram, uint64_t len, uint64_t align);
void guest_ram_free(struct guest_ram *ram, uint64_t addr, uint64_t len);
/* Hand the next buffers out of the low regions, from @addr on. */
void guest_ram_seek(struct guest_ram *ram, uint64_t addr);

/* Where a range that lies in one region is here. */
void *guest_ram_host(const struct guest_ram *ram, uint64_t addr, uint64_t len);
void guest_ram_write(const struct guest_ram *ram, uint64_t addr, const void *src, uint64_t len);
void guest_ram_read(const struct guest_ram *ram, uint64_t addr, void *dst, uint64_t len);
void guest_ram_fill(const struct guest_ram *ram, uint64_t addr, unsigned char byte, uint64_t len);

#endif /* TESTS_SUPPORT_GUEST_RAM_H */
