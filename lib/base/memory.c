/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/memory.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* It outlives the mem it came from, so it carries all that its end needs. */
struct virtiofs_region {
	struct virtiofs_region_desc desc;
	uint32_t refs; /* atomic: maps it is in, and users */
	struct virtiofs_env env;
	void (*released)(void *arg, const struct virtiofs_region_desc *desc);
	void *arg;
};

struct virtiofs_mem {
	struct virtiofs_env env;
	void (*released)(void *arg, const struct virtiofs_region_desc *desc);
	void *arg;
	uint64_t generation;		  /* atomic: of the current map */
	pthread_mutex_t lock;		  /* protects current against its replacement */
	struct virtiofs_mem_map *current; /* one reference */
};

/* ---- regions ---- */

void virtiofs_region_get(struct virtiofs_region *region)
{
	__atomic_fetch_add(&region->refs, 1, __ATOMIC_RELAXED);
}

static void free_region(struct virtiofs_region *region)
{
	struct virtiofs_env env = region->env;

	vfi_free(&env, region, sizeof(*region));
}

void virtiofs_region_put(struct virtiofs_region *region)
{
	if (__atomic_fetch_sub(&region->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	if (region->released)
		region->released(region->arg, &region->desc);
	free_region(region);
}

static struct virtiofs_region *new_region(const struct virtiofs_mem *mem,
					  const struct virtiofs_region_desc *desc)
{
	struct virtiofs_region *region = vfi_alloc(&mem->env, sizeof(*region));

	if (!region)
		return NULL;
	region->desc = *desc;
	region->refs = 1;
	region->env = mem->env;
	region->released = mem->released;
	region->arg = mem->arg;
	return region;
}

static bool same_desc(const struct virtiofs_region_desc *a, const struct virtiofs_region_desc *b)
{
	return a->guest_addr == b->guest_addr && a->user_addr == b->user_addr && a->len == b->len &&
	       a->host == b->host && a->cookie == b->cookie;
}

/* ---- maps ---- */

static size_t map_size(size_t count)
{
	return sizeof(struct virtiofs_mem_map) + count * sizeof(struct vfi_mem_range);
}

static struct virtiofs_mem_map *new_map(const struct virtiofs_env *env, size_t count,
					uint64_t generation)
{
	struct virtiofs_mem_map *map = vfi_alloc(env, map_size(count));

	if (!map)
		return NULL;
	map->env = *env;
	map->generation = generation;
	map->refs = 1;
	map->count = (uint32_t)count;
	return map;
}

static void free_map(struct virtiofs_mem_map *map)
{
	struct virtiofs_env env = map->env;

	vfi_free(&env, map, map_size(map->count));
}

void vfi_mem_map_get(struct virtiofs_mem_map *map)
{
	__atomic_fetch_add(&map->refs, 1, __ATOMIC_RELAXED);
}

void virtiofs_mem_put(struct virtiofs_mem_map *map)
{
	if (!map || __atomic_fetch_sub(&map->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	for (uint32_t i = 0; i < map->count; i++)
		virtiofs_region_put(map->ranges[i].region);
	free_map(map);
}

uint64_t virtiofs_mem_map_generation(const struct virtiofs_mem_map *map)
{
	return map->generation;
}

/* Whether @len bytes from @addr on end within the address space. */
static bool fits(uint64_t addr, uint64_t len, uint64_t space_end)
{
	return len != 0 && addr <= space_end && len - 1 <= space_end - addr;
}

static bool valid_desc(const struct virtiofs_region_desc *desc)
{
	return desc->host && fits(desc->guest_addr, desc->len, UINT64_MAX) &&
	       fits(desc->user_addr, desc->len, UINT64_MAX) &&
	       fits((uintptr_t)desc->host, desc->len, UINTPTR_MAX);
}

/* The old map's region that is described by @desc, with a reference; or a new one. */
static struct virtiofs_region *region_for(const struct virtiofs_mem *mem,
					  const struct virtiofs_region_desc *desc)
{
	const struct virtiofs_mem_map *old = mem->current;

	for (uint32_t i = 0; i < old->count; i++) {
		struct virtiofs_region *region = old->ranges[i].region;

		if (same_desc(&region->desc, desc)) {
			virtiofs_region_get(region);
			return region;
		}
	}
	return new_region(mem, desc);
}

/* Put a range where it belongs among the first @count, which are in order. */
static void insert(struct vfi_mem_range *ranges, uint32_t count, const struct vfi_mem_range *range)
{
	uint32_t i = count;

	for (; i > 0 && ranges[i - 1].start > range->start; i--)
		ranges[i] = ranges[i - 1];
	ranges[i] = *range;
}

static bool overlaps(const struct virtiofs_mem_map *map)
{
	for (uint32_t i = 1; i < map->count; i++) {
		if (map->ranges[i].start - map->ranges[i - 1].start < map->ranges[i - 1].len)
			return true;
	}
	return false;
}

/* Undo fill(): the new regions go without released(), the kept ones stay in use. */
static void abandon(const struct virtiofs_mem *mem, struct virtiofs_mem_map *map, uint32_t filled)
{
	for (uint32_t i = 0; i < filled; i++) {
		struct virtiofs_region *region = map->ranges[i].region;
		bool kept = false;

		for (uint32_t k = 0; k < mem->current->count; k++)
			kept = kept || mem->current->ranges[k].region == region;
		if (kept)
			virtiofs_region_put(region);
		else
			free_region(region);
	}
	free_map(map);
}

static int fill(const struct virtiofs_mem *mem, struct virtiofs_mem_map *map,
		const struct virtiofs_region_desc *regions)
{
	for (uint32_t i = 0; i < map->count; i++) {
		struct vfi_mem_range range = {
			.start = regions[i].guest_addr,
			.len = regions[i].len,
			.host = regions[i].host,
		};
		int err = valid_desc(&regions[i]) ? 0 : -EINVAL;

		if (!err) {
			range.region = region_for(mem, &regions[i]);
			err = range.region ? 0 : -ENOMEM;
		}
		if (err) {
			abandon(mem, map, i);
			return err;
		}
		insert(map->ranges, i, &range);
	}
	if (overlaps(map)) {
		abandon(mem, map, map->count);
		return -EINVAL;
	}
	return 0;
}

/* ---- the current map ---- */

int virtiofs_mem_create(struct virtiofs_mem **ret, const struct virtiofs_env *env,
			void (*released)(void *arg, const struct virtiofs_region_desc *desc),
			void *arg)
{
	struct virtiofs_env copy;
	struct virtiofs_mem *mem;
	int err = vfi_env_init(&copy, env);

	if (err)
		return err;
	mem = vfi_alloc(&copy, sizeof(*mem));
	if (!mem)
		return -ENOMEM;
	mem->env = copy;
	mem->released = released;
	mem->arg = arg;
	mem->current = new_map(&copy, 0, 0);
	if (!mem->current) {
		vfi_free(&copy, mem, sizeof(*mem));
		return -ENOMEM;
	}
	pthread_mutex_init(&mem->lock, NULL);
	*ret = mem;
	return 0;
}

void virtiofs_mem_destroy(struct virtiofs_mem *mem)
{
	struct virtiofs_env env;

	if (!mem)
		return;
	env = mem->env;
	virtiofs_mem_put(mem->current);
	pthread_mutex_destroy(&mem->lock);
	vfi_free(&env, mem, sizeof(*mem));
}

int virtiofs_mem_publish(struct virtiofs_mem *mem, const struct virtiofs_region_desc *regions,
			 size_t count)
{
	struct virtiofs_mem_map *map, *old;
	int err;

	if (count > VIRTIOFS_MEM_REGIONS_MAX)
		return -E2BIG;
	map = new_map(&mem->env, count, mem->current->generation + 1);
	if (!map)
		return -ENOMEM;
	err = fill(mem, map, regions);
	if (err)
		return err;
	pthread_mutex_lock(&mem->lock);
	old = mem->current;
	mem->current = map;
	pthread_mutex_unlock(&mem->lock);
	__atomic_store_n(&mem->generation, map->generation, __ATOMIC_RELEASE);
	virtiofs_mem_put(old);
	return 0;
}

uint64_t virtiofs_mem_generation(const struct virtiofs_mem *mem)
{
	return __atomic_load_n(&mem->generation, __ATOMIC_ACQUIRE);
}

struct virtiofs_mem_map *virtiofs_mem_get(struct virtiofs_mem *mem)
{
	struct virtiofs_mem_map *map;

	pthread_mutex_lock(&mem->lock);
	map = mem->current;
	vfi_mem_map_get(map);
	pthread_mutex_unlock(&mem->lock);
	return map;
}

/* ---- translation ---- */

const struct vfi_mem_range *vfi_mem_find(const struct virtiofs_mem_map *map, uint64_t addr)
{
	uint32_t low = 0, high = map->count;

	/* The first range that starts behind addr is at high; the one before may have it. */
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (map->ranges[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (high == 0 || addr - map->ranges[high - 1].start >= map->ranges[high - 1].len)
		return NULL;
	return &map->ranges[high - 1];
}

int virtiofs_mem_translate(const struct virtiofs_mem_map *map, uint64_t guest_addr, uint64_t len,
			   struct iovec *iov, struct virtiofs_region **regions, unsigned max)
{
	unsigned count = 0;

	if (len != 0 && len - 1 > UINT64_MAX - guest_addr)
		return -EFAULT;
	while (len != 0) {
		const struct vfi_mem_range *range = vfi_mem_find(map, guest_addr);
		uint64_t offset, piece;

		if (!range)
			return -EFAULT;
		if (count == max)
			return -E2BIG;
		offset = guest_addr - range->start;
		piece = vfi_min_u64(len, range->len - offset);
		iov[count].iov_base = range->host + offset;
		iov[count].iov_len = (size_t)piece;
		if (regions)
			regions[count] = range->region;
		count++;
		guest_addr += piece;
		len -= piece;
	}
	return (int)count;
}

void *virtiofs_mem_translate_one(const struct virtiofs_mem_map *map, uint64_t guest_addr,
				 uint64_t len)
{
	const struct vfi_mem_range *range = vfi_mem_find(map, guest_addr);

	if (!range || len > range->len - (guest_addr - range->start))
		return NULL;
	return range->host + (guest_addr - range->start);
}

void *virtiofs_mem_translate_user(const struct virtiofs_mem_map *map, uint64_t user_addr,
				  uint64_t len)
{
	for (uint32_t i = 0; i < map->count; i++) {
		const struct virtiofs_region_desc *desc = &map->ranges[i].region->desc;
		uint64_t offset = user_addr - desc->user_addr;

		/* 0 stands for a region that has no user address. */
		if (desc->user_addr != 0 && offset < desc->len && len <= desc->len - offset)
			return (unsigned char *)desc->host + offset;
	}
	return NULL;
}
