/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/guest_ram.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/check.h"

enum {
	LOW_SIZE = 0x1000000, /* of each of the two low regions */
	HIGH_SIZE = 0x4000000,
	TOTAL_SIZE = 2 * LOW_SIZE + HIGH_SIZE,
	UNIT = 64,   /* smallest buffer */
	CLASSES = 21 /* free buffers by size: UNIT << class */
};

/* What is adjacent for the guest: buffers come from the bottom up. */
struct span {
	uint64_t next;
	uint64_t end;
};

struct guest_ram {
	int fd;
	struct guest_ram_region regions[GUEST_RAM_REGIONS];
	pthread_mutex_t lock; /* protects what is below */
	struct span low;
	struct span high;
	/* Freed buffers, as lists through next_free, which is indexed by unit of the memfd. */
	uint64_t first_free[CLASSES];
	uint64_t *next_free;
};

struct guest_ram *guest_ram_create(void)
{
	static const uint64_t addrs[GUEST_RAM_REGIONS] = { 0, GUEST_RAM_SEAM, GUEST_RAM_HIGH };
	static const uint64_t sizes[GUEST_RAM_REGIONS] = { LOW_SIZE, LOW_SIZE, HIGH_SIZE };
	struct guest_ram *ram = calloc(1, sizeof(*ram));
	uint64_t offset = 0;

	CHECK(ram);
	pthread_mutex_init(&ram->lock, NULL);
	ram->fd = memfd_create("guest-ram", MFD_CLOEXEC);
	CHECK(ram->fd >= 0);
	CHECK(ftruncate(ram->fd, TOTAL_SIZE) == 0);
	for (unsigned i = 0; i < GUEST_RAM_REGIONS; i++) {
		/* Mapped one page longer and cut: nothing of ours comes right behind. */
		size_t guard = (size_t)sysconf(_SC_PAGESIZE);
		unsigned char *host =
			mmap(NULL, sizes[i] + guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		CHECK(host != MAP_FAILED);
		CHECK(mmap(host, sizes[i], PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, ram->fd,
			   (off_t)offset) == host);
		ram->regions[i] = (struct guest_ram_region){ addrs[i], sizes[i], offset, host };
		offset += sizes[i];
	}
	/* Address 0 stays free: a buffer that nobody set is found out. */
	ram->low = (struct span){ 0x1000, 2 * LOW_SIZE };
	ram->high = (struct span){ GUEST_RAM_HIGH, GUEST_RAM_HIGH + HIGH_SIZE };
	ram->next_free = calloc(TOTAL_SIZE / UNIT, sizeof(*ram->next_free));
	CHECK(ram->next_free);
	for (unsigned i = 0; i < CLASSES; i++)
		ram->first_free[i] = GUEST_RAM_NONE;
	return ram;
}

void guest_ram_destroy(struct guest_ram *ram)
{
	if (!ram)
		return;
	for (unsigned i = 0; i < GUEST_RAM_REGIONS; i++)
		munmap(ram->regions[i].host, ram->regions[i].len + (size_t)sysconf(_SC_PAGESIZE));
	close(ram->fd);
	pthread_mutex_destroy(&ram->lock);
	free(ram->next_free);
	free(ram);
}

int guest_ram_fd(const struct guest_ram *ram)
{
	return ram->fd;
}

const struct guest_ram_region *guest_ram_regions(const struct guest_ram *ram)
{
	return ram->regions;
}

void guest_ram_publish(const struct guest_ram *ram, struct virtiofs_mem *mem)
{
	struct virtiofs_region_desc descs[GUEST_RAM_REGIONS];

	for (unsigned i = 0; i < GUEST_RAM_REGIONS; i++) {
		descs[i] = (struct virtiofs_region_desc){
			.guest_addr = ram->regions[i].guest_addr,
			.user_addr = (uintptr_t)ram->regions[i].host,
			.len = ram->regions[i].len,
			.host = ram->regions[i].host,
		};
	}
	CHECK(virtiofs_mem_publish(mem, descs, GUEST_RAM_REGIONS) == 0);
}

/* ---- buffers ---- */

static const struct guest_ram_region *region_of(const struct guest_ram *ram, uint64_t addr)
{
	for (unsigned i = 0; i < GUEST_RAM_REGIONS; i++) {
		if (addr - ram->regions[i].guest_addr < ram->regions[i].len)
			return &ram->regions[i];
	}
	CHECK(0); /* in no region of the guest */
	return NULL;
}

static size_t unit_of(const struct guest_ram *ram, uint64_t addr)
{
	const struct guest_ram_region *region = region_of(ram, addr);

	return (region->offset + addr - region->guest_addr) / UNIT;
}

static unsigned class_of(uint64_t len)
{
	unsigned class = 0;

	while ((uint64_t)UNIT << class < len)
		class ++;
	CHECK(class < CLASSES);
	return class;
}

static uint64_t align_up(uint64_t value, uint64_t align)
{
	return (value + align - 1) & ~(align - 1);
}

static uint64_t take(struct span *span, uint64_t size, uint64_t align)
{
	uint64_t addr = align_up(span->next, align);

	if (addr > span->end || size > span->end - addr)
		return GUEST_RAM_NONE;
	span->next = addr + size;
	return addr;
}

static uint64_t reuse(struct guest_ram *ram, unsigned class, uint64_t align)
{
	uint64_t addr = ram->first_free[class];

	if (addr == GUEST_RAM_NONE || addr % align != 0)
		return GUEST_RAM_NONE;
	ram->first_free[class] = ram->next_free[unit_of(ram, addr)];
	return addr;
}

uint64_t guest_ram_alloc(struct guest_ram *ram, uint64_t len, uint64_t align)
{
	unsigned class = class_of(len);
	uint64_t size = (uint64_t)UNIT << class;
	uint64_t addr;

	pthread_mutex_lock(&ram->lock);
	addr = reuse(ram, class, align);
	if (align < UNIT)
		align = UNIT;
	if (addr == GUEST_RAM_NONE)
		addr = take(&ram->low, size, align);
	if (addr == GUEST_RAM_NONE)
		addr = take(&ram->high, size, align);
	pthread_mutex_unlock(&ram->lock);
	CHECK(addr != GUEST_RAM_NONE);
	return addr;
}

uint64_t guest_ram_alloc_one(struct guest_ram *ram, uint64_t len, uint64_t align)
{
	uint64_t addr;

	pthread_mutex_lock(&ram->lock);
	addr = take(&ram->high, align_up(len, UNIT), align < UNIT ? UNIT : align);
	pthread_mutex_unlock(&ram->lock);
	CHECK(addr != GUEST_RAM_NONE);
	return addr;
}

void guest_ram_free(struct guest_ram *ram, uint64_t addr, uint64_t len)
{
	unsigned class = class_of(len);

	pthread_mutex_lock(&ram->lock);
	ram->next_free[unit_of(ram, addr)] = ram->first_free[class];
	ram->first_free[class] = addr;
	pthread_mutex_unlock(&ram->lock);
}

void guest_ram_seek(struct guest_ram *ram, uint64_t addr)
{
	pthread_mutex_lock(&ram->lock);
	CHECK(addr >= ram->low.next && addr <= ram->low.end);
	ram->low.next = addr;
	pthread_mutex_unlock(&ram->lock);
}

/* ---- access ---- */

void *guest_ram_host(const struct guest_ram *ram, uint64_t addr, uint64_t len)
{
	const struct guest_ram_region *region = region_of(ram, addr);

	CHECK(len <= region->len - (addr - region->guest_addr));
	return region->host + (addr - region->guest_addr);
}

/* What of a range lies in the region of its first byte. */
static uint64_t first_piece(const struct guest_ram *ram, uint64_t addr, uint64_t len)
{
	const struct guest_ram_region *region = region_of(ram, addr);
	uint64_t left = region->len - (addr - region->guest_addr);

	return len < left ? len : left;
}

void guest_ram_write(const struct guest_ram *ram, uint64_t addr, const void *src, uint64_t len)
{
	const unsigned char *bytes = src;

	while (len != 0) {
		uint64_t piece = first_piece(ram, addr, len);

		memcpy(guest_ram_host(ram, addr, piece), bytes, piece);
		addr += piece;
		bytes += piece;
		len -= piece;
	}
}

void guest_ram_read(const struct guest_ram *ram, uint64_t addr, void *dst, uint64_t len)
{
	unsigned char *bytes = dst;

	while (len != 0) {
		uint64_t piece = first_piece(ram, addr, len);

		memcpy(bytes, guest_ram_host(ram, addr, piece), piece);
		addr += piece;
		bytes += piece;
		len -= piece;
	}
}

void guest_ram_fill(const struct guest_ram *ram, uint64_t addr, unsigned char byte, uint64_t len)
{
	while (len != 0) {
		uint64_t piece = first_piece(ram, addr, len);

		memset(guest_ram_host(ram, addr, piece), byte, piece);
		addr += piece;
		len -= piece;
	}
}
