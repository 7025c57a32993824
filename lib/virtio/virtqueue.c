/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtqueue's life: its slots, its start and stop, and its moves from map to map. */
#include "virtio/ring.h"

#include <assert.h>
#include <errno.h>

enum {
	DEFAULT_SIZE = 1024,
	DEFAULT_SEGMENTS = 1032, /* 1 MiB in pages, headers and arguments: 260, four times over */
	SEGMENTS_MAX = 65536,
	CACHE_LINE = 64,
};

void vfi_vq_complain(struct virtiofs_virtqueue *vq, const char *what)
{
	uint32_t dropped;

	if (vq->env.log && vfi_ratelimit_ok(&vq->complaints, &dropped))
		vfi_log(&vq->env, VIRTIOFS_LOG_DEBUG, "virtqueue: %s (and %u more complaints)",
			what, dropped);
}

/* ---- slots ---- */

struct vfi_vq_slot *vfi_vq_take_slot(struct virtiofs_virtqueue *vq)
{
	struct vfi_vq_slot *slot;

	if (vq->first_free == VFI_NO_SLOT)
		return NULL;
	slot = &vq->slots[vq->first_free];
	vq->first_free = slot->next_free;
	slot->epoch = vq->epoch;
	slot->out = true;
	vq->out++;
	return slot;
}

/* Have a slot keep its regions by itself. */
static void pin(struct virtiofs_virtqueue *vq, struct vfi_vq_slot *slot)
{
	slot->pinned = true;
	if (slot->all_regions) {
		slot->map = vq->map;
		vfi_mem_map_get(slot->map);
		return;
	}
	for (unsigned i = 0; i < slot->region_count; i++)
		virtiofs_region_get(slot->regions[i]);
}

static void unpin(struct vfi_vq_slot *slot)
{
	slot->pinned = false;
	if (slot->all_regions) {
		virtiofs_mem_put(slot->map);
		return;
	}
	for (unsigned i = 0; i < slot->region_count; i++)
		virtiofs_region_put(slot->regions[i]);
}

void vfi_vq_free_slot(struct virtiofs_virtqueue *vq, struct vfi_vq_slot *slot)
{
	assert(slot->out);
	slot->out = false;
	slot->next_free = vq->first_free;
	vq->first_free = slot->index;
	vq->out--;
	/* Last: it may run the embedder's released(). */
	if (slot->pinned)
		unpin(slot);
}

/* ---- the map ---- */

/* Leave the current map for @next, or for none. */
static void change_map(struct virtiofs_virtqueue *vq, struct virtiofs_mem_map *next)
{
	struct virtiofs_mem_map *old = vq->map;

	for (uint32_t i = 0; i < vq->max_chains && vq->out != 0; i++) {
		struct vfi_vq_slot *slot = &vq->slots[i];

		if (slot->out && !slot->pinned)
			pin(vq, slot);
	}
	vq->map = next;
	vq->generation = next ? virtiofs_mem_map_generation(next) : 0;
	vq->range = NULL;
	virtiofs_mem_put(old);
}

static void *locate(const struct virtiofs_mem_map *map,
		    const struct virtiofs_virtqueue_config *config, uint64_t addr, size_t size)
{
	return config->user_addresses ? virtiofs_mem_translate_user(map, addr, size)
				      : virtiofs_mem_translate_one(map, addr, size);
}

/* Find the three areas in the current map. */
static int resolve(struct virtiofs_virtqueue *vq)
{
	const struct virtiofs_virtqueue_config *config = &vq->config;
	void *desc = locate(vq->map, config, config->desc, vfi_split_desc_size(config));
	void *avail = locate(vq->map, config, config->avail, vfi_split_avail_size(config));
	void *used = locate(vq->map, config, config->used, vfi_split_used_size(config));

	if (!desc || !avail || !used)
		return -EFAULT;
	/* Misaligned here too, where the region itself is: no atomic access. */
	if ((uintptr_t)avail % 2 != 0 || (uintptr_t)used % 4 != 0)
		return -EINVAL;
	vq->desc = desc;
	vq->avail = avail;
	vq->used = used;
	return 0;
}

int virtiofs_virtqueue_refresh(struct virtiofs_virtqueue *vq)
{
	struct virtiofs_mem_map *map;

	if (!vq->started)
		return 0;
	if (virtiofs_mem_generation(vq->mem) != vq->generation) {
		map = virtiofs_mem_get(vq->mem);
		change_map(vq, map);
		if (!vq->broken && resolve(vq)) {
			vq->broken = -EFAULT;
			vfi_vq_complain(vq, "the ring's memory is gone");
		}
	}
	return vq->broken == -EFAULT ? -EFAULT : 0;
}

bool vfi_vq_ready(struct virtiofs_virtqueue *vq)
{
	if (__builtin_expect(vq->generation != virtiofs_mem_generation(vq->mem), 0))
		(void)virtiofs_virtqueue_refresh(vq);
	return vq->started && !vq->broken;
}

/* ---- create and destroy ---- */

static int check_options(struct virtiofs_virtqueue_options *options)
{
	if (options->max_size == 0)
		options->max_size = DEFAULT_SIZE;
	if (options->max_segments == 0)
		options->max_segments = DEFAULT_SEGMENTS;
	if (options->max_chains == 0)
		options->max_chains = options->max_size;
	if (!vfi_is_pow2(options->max_size) || options->max_size > VIRTIOFS_VIRTQUEUE_SIZE_MAX ||
	    options->max_segments > SEGMENTS_MAX ||
	    options->max_chains > VIRTIOFS_VIRTQUEUE_SIZE_MAX)
		return -EINVAL;
	return 0;
}

/* Bytes of the iovecs of all slots; SIZE_MAX where that overflows. */
static size_t iov_size(const struct virtiofs_virtqueue *vq)
{
	size_t size;

	if (__builtin_mul_overflow((size_t)vq->max_chains * sizeof(struct iovec),
				   (size_t)vq->max_segments, &size))
		return SIZE_MAX;
	return size;
}

/*
 * The iovecs are not zeroed: each is written before it is read, and slots are
 * reused last in, first out, so that pages of a slot that is never needed are
 * never touched.
 */
static int make_slots(struct virtiofs_virtqueue *vq)
{
	size_t size = iov_size(vq);

	vq->slots = vfi_alloc_array(&vq->env, vq->max_chains, sizeof(*vq->slots));
	if (!vq->slots || size == SIZE_MAX)
		return -ENOMEM;
	vq->iov = vq->env.alloc(vq->env.ctx, size, CACHE_LINE);
	if (!vq->iov)
		return -ENOMEM;
	vq->first_free = VFI_NO_SLOT;
	for (uint32_t i = vq->max_chains; i-- > 0;) {
		vq->slots[i].index = (uint16_t)i;
		vq->slots[i].iov = vq->iov + (size_t)i * vq->max_segments;
		vq->slots[i].next_free = vq->first_free;
		vq->first_free = (uint16_t)i;
	}
	return 0;
}

int virtiofs_virtqueue_create(struct virtiofs_virtqueue **ret, const struct virtiofs_env *env,
			      struct virtiofs_mem *mem,
			      const struct virtiofs_virtqueue_options *options)
{
	struct virtiofs_virtqueue_options ours = { .size = sizeof(ours) };
	struct virtiofs_virtqueue *vq;
	struct virtiofs_env copy;
	int err = vfi_env_init(&copy, env);

	if (!err && options)
		err = vfi_copy_sized(&ours, sizeof(ours), options);
	if (!err)
		err = check_options(&ours);
	if (err)
		return err;
	vq = vfi_alloc(&copy, sizeof(*vq));
	if (!vq)
		return -ENOMEM;
	vq->env = copy;
	vq->mem = mem;
	vq->max_size = ours.max_size;
	vq->max_segments = ours.max_segments;
	vq->max_chains = ours.max_chains;
	err = make_slots(vq);
	if (err) {
		virtiofs_virtqueue_destroy(vq);
		return err;
	}
	*ret = vq;
	return 0;
}

void virtiofs_virtqueue_destroy(struct virtiofs_virtqueue *vq)
{
	struct virtiofs_env env;

	if (!vq)
		return;
	assert(vq->out == 0);
	if (vq->started)
		virtiofs_virtqueue_stop(vq);
	env = vq->env;
	vfi_free(&env, vq->iov, iov_size(vq));
	vfi_free(&env, vq->slots, vq->max_chains * sizeof(*vq->slots));
	vfi_free(&env, vq, sizeof(*vq));
}

/* ---- start and stop ---- */

int virtiofs_virtqueue_start(struct virtiofs_virtqueue *vq,
			     const struct virtiofs_virtqueue_config *config)
{
	struct virtiofs_virtqueue_config copy;
	int err = vfi_copy_sized(&copy, sizeof(copy), config);

	if (err)
		return err;
	if (vq->started)
		return -EBUSY;
	if (!vfi_is_pow2(copy.num) || copy.num > vq->max_size || copy.desc % 16 != 0 ||
	    copy.avail % 2 != 0 || copy.used % 4 != 0)
		return -EINVAL;
	vq->config = copy;
	vq->num = copy.num;
	change_map(vq, virtiofs_mem_get(vq->mem));
	err = resolve(vq);
	if (err) {
		change_map(vq, NULL);
		return err;
	}
	vq->broken = 0;
	vq->started = true;
	vq->epoch++;
	vfi_split_begin(vq);
	return 0;
}

uint16_t virtiofs_virtqueue_stop(struct virtiofs_virtqueue *vq)
{
	vq->started = false;
	vq->broken = 0;
	change_map(vq, NULL);
	return vq->last_avail;
}

bool virtiofs_virtqueue_started(const struct virtiofs_virtqueue *vq)
{
	return vq->started;
}

unsigned virtiofs_virtqueue_out(const struct virtiofs_virtqueue *vq)
{
	return vq->out;
}
