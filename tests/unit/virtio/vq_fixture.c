/* SPDX-License-Identifier: BSD-2-Clause */
#include "vq_fixture.h"

#include <stdlib.h>

static void count_release(void *arg, const struct virtiofs_region_desc *desc)
{
	struct vq_fixture *f = arg;

	(void)desc;
	f->released++;
}

static int setup(void **state, const struct guest_ring_options *ring_options, uint32_t max_chains)
{
	struct virtiofs_virtqueue_options options = {
		.size = sizeof(options),
		.max_size = 64,
		.max_segments = MAX_SEGMENTS,
		.max_chains = max_chains,
	};
	struct vq_fixture *f = calloc(1, sizeof(*f));
	struct virtiofs_virtqueue_config config;

	if (!f)
		return -1;
	*state = f;
	f->ram = guest_ram_create();
	guest_ring_init(&f->ring, f->ram, ring_options);
	f->page = guest_ram_alloc(f->ram, 4096, 4096);
	if (virtiofs_mem_create(&f->mem, NULL, count_release, f))
		return -1;
	guest_ram_publish(f->ram, f->mem);
	config = guest_ring_config(&f->ring);
	if (virtiofs_virtqueue_create(&f->vq, NULL, f->mem, &options))
		return -1;
	return virtiofs_virtqueue_start(f->vq, &config);
}

int vq_setup(void **state)
{
	const struct guest_ring_options options = { RING_SIZE, true, true };

	return setup(state, &options, 0);
}

int vq_setup_plain(void **state)
{
	const struct guest_ring_options options = { RING_SIZE, false, false };

	return setup(state, &options, 0);
}

int vq_setup_one_chain(void **state)
{
	const struct guest_ring_options options = { RING_SIZE, true, true };

	return setup(state, &options, 1);
}

int vq_teardown(void **state)
{
	struct vq_fixture *f = *state;

	if (!f)
		return 0;
	virtiofs_virtqueue_destroy(f->vq);
	virtiofs_mem_destroy(f->mem);
	guest_ring_exit(&f->ring);
	guest_ram_destroy(f->ram);
	free(f);
	return 0;
}

void vq_desc(struct vq_fixture *f, uint16_t index, uint64_t addr, uint32_t len, unsigned flags,
	     uint16_t next)
{
	f->ring.desc[index] = (struct guest_desc){ addr, len, (uint16_t)flags, next };
}

struct virtiofs_vq_chain *vq_pop(struct vq_fixture *f)
{
	struct virtiofs_vq_chain *chain = NULL;

	assert_int_equal(virtiofs_virtqueue_pop(f->vq, &chain), 1);
	assert_non_null(chain);
	return chain;
}

struct virtiofs_vq_chain *vq_expose_and_pop(struct vq_fixture *f, uint16_t head)
{
	guest_ring_expose(&f->ring, head);
	return vq_pop(f);
}

void vq_assert_iov(struct vq_fixture *f, const struct iovec *iov, uint64_t addr, size_t len)
{
	assert_ptr_equal(iov->iov_base, guest_ram_host(f->ram, addr, 1));
	assert_int_equal(iov->iov_len, len);
}

void vq_add_one(struct vq_fixture *f)
{
	const struct guest_buffer buffer = { f->page, 1, false };

	assert_true(guest_ring_add(&f->ring, &buffer, 1, 1, f));
}
