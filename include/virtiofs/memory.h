/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Maps of guest memory that change while requests are in flight.
 *
 * Who includes it: transports that have guest addresses rather than pointers;
 * virtqueue.h works over such a map.
 *
 *	 guest-physical                      this process
 *	0x0_0000_0000 +---------+ region 0  0x7f10_0000_0000 +---------+
 *		      | RAM	| ------------------------>  | mmap    |
 *	0x0_8000_0000 +---------+			     +---------+
 *		      | hole	|
 *	0x1_0000_0000 +---------+ region 1  0x7f20_0000_0000 +---------+
 *		      | RAM	| ------------------------>  | mmap    |
 *	0x1_4000_0000 +---------+			     +---------+
 *
 * A map is immutable; a change publishes a new one. References are held per
 * region: what is in flight holds just the regions it touches, so a removed
 * region is released as soon as its last user is done, whatever else goes on.
 */
#ifndef VIRTIOFS_MEMORY_H
#define VIRTIOFS_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <virtiofs/env.h>

#ifdef __cplusplus
extern "C" {
#endif

struct virtiofs_mem;	/* holds the current map; any thread */
struct virtiofs_region; /* one region, reference counted; any thread */

/* Regions of one map. 509 is what vhost-user back-ends traditionally take. */
#define VIRTIOFS_MEM_REGIONS_MAX 509u

/* A region as the embedder describes it. Copied. */
struct virtiofs_region_desc {
	uint64_t guest_addr; /* where the guest has it, in bytes */
	uint64_t user_addr;  /* where the front-end has it (vhost-user ring addresses);
			      * 0 for embedders that have no such thing */
	uint64_t len;	     /* bytes, not 0; neither address may wrap */
	void *host;	     /* where this process has it: readable and writable */
	void *cookie;	     /* for released(), and to tell regions apart: a region of the
			      * new map that equals one of the old in every member is
			      * the same region and is kept */
};

/*
 * Make an empty map.
 * @released: runs once for each region when it is in no map any more and its
 *	last user is done: unmap it there. From any thread that drops a
 *	reference; no lock is held.
 * Errors: -ENOMEM, -EINVAL.
 */
VIRTIOFS_API int virtiofs_mem_create(struct virtiofs_mem **ret, const struct virtiofs_env *env,
				     void (*released)(void *arg,
						      const struct virtiofs_region_desc *desc),
				     void *arg);
/* Publish an empty map and free. Regions in use live on until released. NULL is nothing. */
VIRTIOFS_API void virtiofs_mem_destroy(struct virtiofs_mem *mem);

/*
 * Publish a new map in place of the current one. Thread: one at a time.
 * Errors: -EINVAL a length of 0, an address that wraps, or regions that overlap
 * in guest addresses; -E2BIG over VIRTIOFS_MEM_REGIONS_MAX; -ENOMEM. After an
 * error the old map holds, and released() runs for none of the new regions.
 */
VIRTIOFS_API int virtiofs_mem_publish(struct virtiofs_mem *mem,
				      const struct virtiofs_region_desc *regions, size_t count);

/* Counts maps published; cheap to compare with the value seen last. Thread: any. */
VIRTIOFS_API uint64_t virtiofs_mem_generation(const struct virtiofs_mem *mem);

struct virtiofs_mem_map; /* one immutable map, reference counted */

/* The current map, with a reference for the caller. Thread: any. Never NULL. */
VIRTIOFS_API struct virtiofs_mem_map *virtiofs_mem_get(struct virtiofs_mem *mem);
/* Drop that reference. NULL is nothing. Thread: any. */
VIRTIOFS_API void virtiofs_mem_put(struct virtiofs_mem_map *map);
/* The value of virtiofs_mem_generation() that published this map. */
VIRTIOFS_API uint64_t virtiofs_mem_map_generation(const struct virtiofs_mem_map *map);

/*
 * Turn @len bytes at @guest_addr into at most @max iovecs; a range may cross
 * adjacent regions, not a hole.
 * @regions: NULL, or an array of @max: the region of each iovec, borrowed from
 *	the map.
 * Returns the number of iovecs (0 for a @len of 0); -EFAULT a byte lies in no
 * region or the range wraps; -E2BIG it takes more than @max.
 */
VIRTIOFS_API int virtiofs_mem_translate(const struct virtiofs_mem_map *map, uint64_t guest_addr,
					uint64_t len, struct iovec *iov,
					struct virtiofs_region **regions, unsigned max);
/*
 * The same for a front-end's user address; the whole range lies in one region.
 * Returns the host address, or NULL.
 */
VIRTIOFS_API void *virtiofs_mem_translate_user(const struct virtiofs_mem_map *map,
					       uint64_t user_addr, uint64_t len);
/* For a range of guest addresses that must lie in one region. */
VIRTIOFS_API void *virtiofs_mem_translate_one(const struct virtiofs_mem_map *map,
					      uint64_t guest_addr, uint64_t len);

/* One more, one less user of a region. Thread: any. */
VIRTIOFS_API void virtiofs_region_get(struct virtiofs_region *region);
VIRTIOFS_API void virtiofs_region_put(struct virtiofs_region *region);

#ifdef __cplusplus
}
#endif

#endif /* VIRTIOFS_MEMORY_H */
