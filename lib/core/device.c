/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/core.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

enum {
	DEFAULT_INFLIGHT = 128,	 /* QEMU's default queue-size */
	DEFAULT_SEGMENTS = 1032, /* a ring of 1024, the largest of QEMU, and some */
	DEFAULT_WRITE = 1 << 20, /* 256 pages, what Linux asks for by itself */
	MAX_INFLIGHT = 32768,	 /* the largest ring of virtio */
	MIN_SEGMENTS = 8,
	MAX_SEGMENTS = 65536,
	MIN_WRITE = 4096,
	MAX_WRITE = 16 << 20,
};

static bool option(uint32_t *value, uint32_t fallback, uint32_t min, uint32_t max)
{
	if (*value == 0)
		*value = fallback;
	return *value >= min && *value <= max;
}

static int check_options(struct virtiofs_device_options *o)
{
	if (!option(&o->request_queues, 1, 1, VFI_MAX_REQUEST_QUEUES) ||
	    !option(&o->max_inflight, DEFAULT_INFLIGHT, 1, MAX_INFLIGHT) ||
	    !option(&o->max_segments, DEFAULT_SEGMENTS, MIN_SEGMENTS, MAX_SEGMENTS) ||
	    !option(&o->max_write, DEFAULT_WRITE, MIN_WRITE, MAX_WRITE) ||
	    o->max_write % MIN_WRITE != 0 || o->io > VIRTIOFS_IO_URING)
		return -EINVAL;
	if (o->tag && strnlen(o->tag, VIRTIOFS_TAG_MAX + 1) > VIRTIOFS_TAG_MAX)
		return -EINVAL;
	return 0;
}

static size_t device_size(unsigned queue_count)
{
	return sizeof(struct virtiofs_device) + queue_count * sizeof(struct virtiofs_queue);
}

static void free_device(struct virtiofs_device *dev)
{
	struct virtiofs_env env = dev->env;
	unsigned queue_count = dev->queue_count;

	for (unsigned i = 0; i < queue_count; i++)
		vfi_queue_fini(&dev->queues[i]);
	pthread_mutex_destroy(&dev->lock);
	vfi_free(&env, dev, device_size(queue_count));
}

static int fill_device(struct virtiofs_device *dev, const struct virtiofs_device_options *options)
{
	dev->options = *options;
	if (options->tag)
		memcpy(dev->tag, options->tag, strlen(options->tag));
	dev->options.tag = dev->tag;
	for (unsigned i = 0; i < dev->queue_count; i++) {
		int err = vfi_queue_init(dev, &dev->queues[i], i);

		if (err)
			return err;
	}
	return 0;
}

int virtiofs_device_create(struct virtiofs_device **ret, const struct virtiofs_env *env,
			   const struct virtiofs_device_options *options, struct virtiofs_fs *fs,
			   const struct virtiofs_host_ops *host_ops, void *host)
{
	struct virtiofs_device_options opts = VIRTIOFS_DEVICE_OPTIONS_INIT;
	struct virtiofs_host_ops hops;
	struct virtiofs_device *dev;
	struct virtiofs_env copy;
	int err;

	if (!ret || !fs || !host_ops)
		return -EINVAL;
	err = vfi_env_init(&copy, env);
	if (!err && options)
		err = vfi_copy_sized(&opts, sizeof(opts), options);
	if (!err)
		err = vfi_copy_sized(&hops, sizeof(hops), host_ops);
	if (!err)
		err = check_options(&opts);
	if (!err && !hops.complete)
		err = -EINVAL;
	if (err)
		return err;

	dev = vfi_alloc(&copy, device_size(opts.request_queues + 1));
	if (!dev)
		return -ENOMEM;
	pthread_mutex_init(&dev->lock, NULL);
	dev->env = copy;
	dev->host_ops = hops;
	dev->host = host;
	dev->fs = fs;
	dev->queue_count = opts.request_queues + 1;
	err = fill_device(dev, &opts);
	if (err) {
		free_device(dev);
		return err;
	}
	*ret = dev;
	return 0;
}

/* Whether every queue is nobody's and holds nothing. */
static bool is_idle(struct virtiofs_device *dev)
{
	for (unsigned i = 0; i < dev->queue_count; i++) {
		struct virtiofs_queue *q = &dev->queues[i];

		if (vfi_queue_is_attached(q))
			return false;
		vfi_queue_collect(q);
		vfi_queue_reap_detached(q);
		if (q->inflight || q->detached)
			return false;
	}
	return true;
}

int virtiofs_device_destroy(struct virtiofs_device *dev)
{
	int err;

	if (!dev)
		return 0;
	if (!is_idle(dev))
		return -EBUSY;
	err = vfi_session_reset(dev);
	if (err)
		return err;
	for (unsigned i = 0; i < dev->queue_count; i++)
		assert(dev->queues[i].stats.accepted == dev->queues[i].stats.completed);
	free_device(dev);
	return 0;
}

/* A queue that is attached is stopped by its owner; what nobody has is looked after here. */
static bool is_stopped(struct virtiofs_queue *q)
{
	if (!vfi_queue_is_attached(q)) {
		vfi_queue_collect(q);
		vfi_queue_reap_detached(q);
		return q->inflight == 0 && q->detached == 0;
	}
	return __atomic_load_n(&q->quiesce, __ATOMIC_ACQUIRE) == VFI_STOP_DONE;
}

int virtiofs_device_reset(struct virtiofs_device *dev)
{
	for (unsigned i = 0; i < dev->queue_count; i++) {
		if (!is_stopped(&dev->queues[i]))
			return -EBUSY;
	}
	return vfi_session_reset(dev);
}

unsigned virtiofs_device_queue_count(const struct virtiofs_device *dev)
{
	return dev->queue_count;
}

struct virtiofs_queue *virtiofs_device_queue(struct virtiofs_device *dev, unsigned index)
{
	return index < dev->queue_count ? &dev->queues[index] : NULL;
}

void virtiofs_device_config_read(const struct virtiofs_device *dev, size_t offset, void *buf,
				 size_t len)
{
	/* struct virtio_fs_config: the tag without a NUL, then the number of request queues. */
	unsigned char config[VIRTIOFS_CONFIG_SIZE] = { 0 };
	uint32_t queues = htole32(dev->options.request_queues);

	memcpy(config, dev->tag, VIRTIOFS_TAG_MAX);
	memcpy(config + VIRTIOFS_TAG_MAX, &queues, sizeof(queues));
	memset(buf, 0, len);
	if (offset < sizeof(config))
		memcpy(buf, config + offset, vfi_min_u64(len, sizeof(config) - offset));
}
