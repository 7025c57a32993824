/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/fake_vmm.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "support/check.h"

static void complete(void *host, struct virtiofs_queue *queue, void *cookie, uint32_t written,
		     uint32_t touched)
{
	struct fake_vmm *vmm = host;

	CHECK(touched >= written);
	for (unsigned i = 0; i < vmm->queue_count; i++) {
		if (vmm->queues[i].queue != queue)
			continue;
		virtiofs_virtqueue_push(vmm->queues[i].vq, cookie, written);
		vmm->completed++;
		return;
	}
	CHECK(0); /* a completion on an unknown queue */
}

/* Submit one; false: not now. */
static bool submit(struct fake_vmm_queue *q, struct virtiofs_vq_chain *popped)
{
	struct virtiofs_chain chain = {
		.size = sizeof(chain),
		.readable = popped->readable,
		.writable = popped->writable,
		.readable_count = popped->readable_count,
		.writable_count = popped->writable_count,
		.cookie = popped,
		.flags = popped->malformed ? VIRTIOFS_CHAIN_MALFORMED : 0,
	};
	int err = virtiofs_queue_submit(q->queue, &chain);

	CHECK(err == 0 || err == -EAGAIN || err == -ESHUTDOWN);
	q->vmm->submitted += err == 0;
	return err == 0;
}

static void hand_in(struct fake_vmm_queue *q)
{
	if (q->pending && !submit(q, q->pending))
		return;
	q->pending = NULL;
	while (virtiofs_virtqueue_pop(q->vq, &q->pending) == 1) {
		if (!submit(q, q->pending))
			return;
		q->pending = NULL;
	}
}

void fake_vmm_serve(struct fake_vmm *vmm, unsigned queue)
{
	struct fake_vmm_queue *q = &vmm->queues[queue];

	virtiofs_virtqueue_disable_kicks(q->vq);
	do {
		hand_in(q);
		CHECK(virtiofs_queue_run(q->queue, 0) >= 0);
	} while (virtiofs_virtqueue_enable_kicks(q->vq) && !q->pending);
	q->signals += virtiofs_virtqueue_should_signal(q->vq);
}

void fake_vmm_sleep(struct fake_vmm *vmm, unsigned queue, int timeout_ms)
{
	struct pollfd fd = { .fd = virtiofs_queue_fd(vmm->queues[queue].queue), .events = POLLIN };

	CHECK(poll(&fd, 1, timeout_ms) >= 0 || errno == EINTR);
}

/* The ring's thread is this one: a kick is served when somebody waits for an answer. */
static void kick(void *arg)
{
	(void)arg;
}

static void wait(void *arg)
{
	struct fake_vmm_queue *q = arg;
	unsigned index = (unsigned)(q - q->vmm->queues);
	uint16_t before = guest_ring_used_idx(&q->client.ring);

	fake_vmm_serve(q->vmm, index);
	if (guest_ring_used_idx(&q->client.ring) == before)
		fake_vmm_sleep(q->vmm, index, 1000);
}

static void open_queue(struct fake_vmm *vmm, unsigned index, const struct fake_vmm_options *options)
{
	struct fake_vmm_queue *q = &vmm->queues[index];
	struct fuse_transport transport = { .kick = kick, .wait = wait, .arg = q };
	struct virtiofs_virtqueue_config config;

	q->vmm = vmm;
	q->queue = virtiofs_device_queue(vmm->dev, index);
	CHECK(q->queue);
	CHECK(virtiofs_queue_attach(q->queue, 0) == 0);
	fuse_client_init(&q->client, vmm->ram, &options->ring, options->layout, &transport);
	CHECK(virtiofs_virtqueue_create(&q->vq, options->env, vmm->mem, NULL) == 0);
	config = guest_ring_config(&q->client.ring);
	CHECK(virtiofs_virtqueue_start(q->vq, &config) == 0);
}

void fake_vmm_open(struct fake_vmm *vmm, struct virtiofs_fs *fs,
		   const struct fake_vmm_options *options)
{
	const struct virtiofs_host_ops ops = { .size = sizeof(ops), .complete = complete };

	memset(vmm, 0, sizeof(*vmm));
	vmm->ram = guest_ram_create();
	/* Close enough to the seam for buffers to lie across it soon. */
	guest_ram_seek(vmm->ram, GUEST_RAM_SEAM - 0x8000);
	CHECK(virtiofs_mem_create(&vmm->mem, options->env, NULL, NULL) == 0);
	guest_ram_publish(vmm->ram, vmm->mem);
	CHECK(virtiofs_device_create(&vmm->dev, options->env, options->device, fs, &ops, vmm) == 0);
	vmm->queue_count = virtiofs_device_queue_count(vmm->dev);
	CHECK(vmm->queue_count <= FAKE_VMM_QUEUES);
	for (unsigned i = 0; i < vmm->queue_count; i++)
		open_queue(vmm, i, options);
}

void fake_vmm_close(struct fake_vmm *vmm)
{
	struct virtiofs_stats stats = { .size = sizeof(stats) };

	for (unsigned i = 0; i < vmm->queue_count; i++) {
		struct fake_vmm_queue *q = &vmm->queues[i];

		CHECK(!q->pending);
		CHECK(virtiofs_queue_inflight(q->queue) == 0);
		CHECK(virtiofs_virtqueue_out(q->vq) == 0);
		fuse_client_exit(&q->client);
		virtiofs_virtqueue_destroy(q->vq);
		CHECK(virtiofs_queue_detach(q->queue) == 0);
	}
	CHECK(virtiofs_device_stats(vmm->dev, &stats) == 0);
	CHECK(stats.accepted == vmm->submitted);
	CHECK(stats.completed == vmm->completed);
	CHECK(vmm->submitted == vmm->completed);
	CHECK(virtiofs_device_destroy(vmm->dev) == 0);
	virtiofs_mem_destroy(vmm->mem);
	guest_ram_destroy(vmm->ram);
}

struct fuse_client *fake_vmm_client(struct fake_vmm *vmm, unsigned queue)
{
	CHECK(queue < vmm->queue_count);
	return &vmm->queues[queue].client;
}
