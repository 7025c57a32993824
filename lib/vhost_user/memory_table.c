/* SPDX-License-Identifier: BSD-2-Clause */
#include "vhost_user/memory_table.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* What a region's cookie points to: the mapping, which may begin before the region. */
struct mapping {
	const struct virtiofs_env *env;
	void *base;
	size_t len;
};

static void unmap(const struct virtiofs_region_desc *desc)
{
	struct mapping *mapping = desc->cookie;

	munmap(mapping->base, mapping->len);
	vfi_free(mapping->env, mapping, sizeof(*mapping));
}

static void released(void *arg, const struct virtiofs_region_desc *desc)
{
	(void)arg;
	unmap(desc);
}

int vfi_vu_memory_init(struct vfi_vu_memory *memory, const struct virtiofs_env *env)
{
	memory->env = env;
	memory->count = 0;
	return virtiofs_mem_create(&memory->mem, env, released, NULL);
}

void vfi_vu_memory_fini(struct vfi_vu_memory *memory)
{
	virtiofs_mem_destroy(memory->mem);
	memory->count = 0;
}

static bool wraps(uint64_t addr, uint64_t len)
{
	return addr + (len - 1) < addr;
}

static bool overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a <= b + (b_len - 1) && b <= a + (a_len - 1);
}

static bool clashes(const struct virtiofs_region_desc *a, const struct vfi_vu_region *b)
{
	return overlap(a->guest_addr, a->len, b->guest_addr, b->size) ||
	       overlap(a->user_addr, a->len, b->user_addr, b->size);
}

/* What an offset and a length of mmap(2) and munmap(2) must be a multiple of. */
static size_t map_granule(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC && fs.f_bsize > 0)
		return (size_t)fs.f_bsize;
	return (size_t)sysconf(_SC_PAGESIZE);
}

/*
 * Only a regular file has a size to compare: a character device (Bao's memory) says
 * 0, and what its mmap accepts is all there is to know.
 */
static int check_size(int fd, uint64_t end)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size < end)
		return -ERANGE;
	return 0;
}

static int map_fd(struct mapping *mapping, const struct vfi_vu_region *region, int fd,
		  size_t *before)
{
	const size_t granule = map_granule(fd);
	const uint64_t offset = region->mmap_offset & ~((uint64_t)granule - 1);
	uint64_t len;
	int err;

	*before = (size_t)(region->mmap_offset - offset);
	if (__builtin_add_overflow(region->size, *before + granule - 1, &len) || len > SSIZE_MAX)
		return -EINVAL;
	len &= ~((uint64_t)granule - 1);
	err = check_size(fd, region->mmap_offset + region->size);
	if (err)
		return err;
	/*
	 * Pages are not touched, now or ahead: a region may be longer than what is
	 * behind it. Nor reserved; the guest's memory is accounted for elsewhere.
	 */
	mapping->base = mmap(NULL, (size_t)len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
			     fd, (off_t)offset);
	if (mapping->base == MAP_FAILED)
		return -errno;
	mapping->len = (size_t)len;
	/* A guest's secrets are not for our core dumps, nor for a child. Best effort. */
	(void)madvise(mapping->base, mapping->len, MADV_DONTDUMP);
	(void)madvise(mapping->base, mapping->len, MADV_DONTFORK);
	return 0;
}

static int map_region(struct vfi_vu_memory *memory, struct virtiofs_region_desc *desc,
		      const struct vfi_vu_region *region, int fd)
{
	struct mapping *mapping;
	size_t before;
	int err;

	if (region->size == 0 || wraps(region->guest_addr, region->size) ||
	    wraps(region->user_addr, region->size) || wraps(region->mmap_offset, region->size) ||
	    region->mmap_offset + region->size > SSIZE_MAX)
		return -EINVAL;
	mapping = vfi_alloc(memory->env, sizeof(*mapping));
	if (!mapping)
		return -ENOMEM;
	mapping->env = memory->env;
	err = map_fd(mapping, region, fd, &before);
	if (err) {
		vfi_free(memory->env, mapping, sizeof(*mapping));
		return err;
	}
	desc->guest_addr = region->guest_addr;
	desc->user_addr = region->user_addr;
	desc->len = region->size;
	desc->host = (char *)mapping->base + before;
	desc->cookie = mapping;
	return 0;
}

int vfi_vu_memory_set(struct vfi_vu_memory *memory, const struct vfi_vu_region *regions,
		      const int *fds, unsigned count)
{
	struct virtiofs_region_desc descs[VU_MEM_TABLE_MAX] = { 0 };
	unsigned mapped = 0;
	int err = 0;

	if (count > VU_MEM_TABLE_MAX)
		return -E2BIG;
	while (!err && mapped < count) {
		const struct vfi_vu_region *region = &regions[mapped];

		err = map_region(memory, &descs[mapped], region, fds[mapped]);
		for (unsigned i = 0; !err && i < mapped; i++) {
			if (clashes(&descs[i], region)) {
				unmap(&descs[mapped]);
				err = -EINVAL;
			}
		}
		if (!err)
			mapped++;
	}
	if (!err)
		err = virtiofs_mem_publish(memory->mem, descs, count);
	if (err) {
		while (mapped > 0)
			unmap(&descs[--mapped]);
		return err;
	}
	memcpy(memory->regions, descs, count * sizeof(descs[0]));
	memory->count = count;
	return 0;
}

int vfi_vu_memory_add(struct vfi_vu_memory *memory, const struct vfi_vu_region *region, int fd)
{
	struct virtiofs_region_desc desc, old;
	unsigned slot = memory->count;
	int err;

	for (unsigned i = 0; i < memory->count; i++) {
		const struct virtiofs_region_desc *r = &memory->regions[i];

		if (r->guest_addr == region->guest_addr && r->len == region->size)
			slot = i;
	}
	if (slot == VIRTIOFS_MEM_REGIONS_MAX)
		return -E2BIG;
	err = map_region(memory, &desc, region, fd);
	if (err)
		return err;
	for (unsigned i = 0; !err && i < memory->count; i++) {
		if (i != slot && clashes(&memory->regions[i], region))
			err = -EINVAL;
	}
	old = memory->regions[slot];
	memory->regions[slot] = desc;
	if (!err)
		err = virtiofs_mem_publish(memory->mem, memory->regions,
					   slot == memory->count ? memory->count + 1
								 : memory->count);
	if (err) {
		memory->regions[slot] = old;
		unmap(&desc);
		return err;
	}
	if (slot == memory->count)
		memory->count++;
	return 0;
}

int vfi_vu_memory_remove(struct vfi_vu_memory *memory, const struct vfi_vu_region *region)
{
	for (unsigned i = 0; i < memory->count; i++) {
		struct virtiofs_region_desc *r = &memory->regions[i];
		struct virtiofs_region_desc old = *r;
		int err;

		if (r->guest_addr != region->guest_addr || r->user_addr != region->user_addr ||
		    r->len != region->size)
			continue;
		*r = memory->regions[memory->count - 1];
		err = virtiofs_mem_publish(memory->mem, memory->regions, memory->count - 1);
		if (err)
			*r = old;
		else
			memory->count--;
		return err;
	}
	return -ENOENT;
}

int vfi_vu_memory_clear(struct vfi_vu_memory *memory)
{
	int err = virtiofs_mem_publish(memory->mem, NULL, 0);

	if (!err)
		memory->count = 0;
	return err;
}
