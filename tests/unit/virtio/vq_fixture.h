/* SPDX-License-Identifier: BSD-2-Clause */
/* A fake guest's memory, a ring in it, and the device's virtqueue over both. */
#ifndef TESTS_UNIT_VIRTIO_VQ_FIXTURE_H
#define TESTS_UNIT_VIRTIO_VQ_FIXTURE_H

#include "support/test.h"

#include <virtiofs/virtqueue.h>

#include "support/guest_ram.h"
#include "support/guest_ring.h"

enum { RING_SIZE = 8, MAX_SEGMENTS = 16 };

struct vq_fixture {
	struct guest_ram *ram;
	struct guest_ring ring;
	struct virtiofs_mem *mem;
	struct virtiofs_virtqueue *vq;
	uint64_t page; /* a buffer of 4096 bytes */
	unsigned released;
};

/* Indirect descriptors and event indexes negotiated; started. */
int vq_setup(void **state);
/* Neither. */
int vq_setup_plain(void **state);
/* The first with room for one chain at a time. */
int vq_setup_one_chain(void **state);
int vq_teardown(void **state);

#define VQ_TEST(name) cmocka_unit_test_setup_teardown(name, vq_setup, vq_teardown)
#define VQ_TEST_PLAIN(name) cmocka_unit_test_setup_teardown(name, vq_setup_plain, vq_teardown)
#define VQ_TEST_ONE_CHAIN(name) \
	cmocka_unit_test_setup_teardown(name, vq_setup_one_chain, vq_teardown)

/* Set a descriptor of the ring's own table. */
void vq_desc(struct vq_fixture *f, uint16_t index, uint64_t addr, uint32_t len, unsigned flags,
	     uint16_t next);
/* Make @head available and pop it. */
struct virtiofs_vq_chain *vq_expose_and_pop(struct vq_fixture *f, uint16_t head);
/* Pop, which must give a chain. */
struct virtiofs_vq_chain *vq_pop(struct vq_fixture *f);
/* Whether iovec @iov is @len bytes of the guest's from @addr on. */
void vq_assert_iov(struct vq_fixture *f, const struct iovec *iov, uint64_t addr, size_t len);
/* A well-formed chain of one readable byte. */
void vq_add_one(struct vq_fixture *f);

#endif /* TESTS_UNIT_VIRTIO_VQ_FIXTURE_H */
