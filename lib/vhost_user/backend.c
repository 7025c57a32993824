/* SPDX-License-Identifier: BSD-2-Clause */
/* Making and freeing the back-end. */
#include "vhost_user/backend.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* device.h's defaults, which the rings have to know as well. */
enum { DEFAULT_MAX_INFLIGHT = 128, DEFAULT_MAX_SEGMENTS = 1032 };

static size_t size_for(uint32_t rings)
{
	return sizeof(struct virtiofs_vhost_user) + rings * sizeof(struct vfi_vu_ring);
}

static int make_control(struct virtiofs_vhost_user *vu)
{
	struct epoll_event event = { .events = EPOLLIN };

	vu->epoll = epoll_create1(EPOLL_CLOEXEC);
	vu->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	event.data.fd = vu->bell;
	if (vu->epoll < 0 || vu->bell < 0 ||
	    epoll_ctl(vu->epoll, EPOLL_CTL_ADD, vu->bell, &event) < 0)
		return -errno;
	return 0;
}

static int make_rings(struct virtiofs_vhost_user *vu, uint32_t max_segments)
{
	const struct virtiofs_virtqueue_options options = {
		.size = sizeof(options),
		.max_size = vu->max_queue_size,
		.max_segments = max_segments,
		.max_chains = vu->max_inflight,
	};

	while (vu->ring_count < virtiofs_device_queue_count(vu->dev)) {
		struct vfi_vu_ring *ring = &vu->rings[vu->ring_count];
		int err;

		ring->vu = vu;
		ring->index = vu->ring_count++;
		ring->config.size = sizeof(ring->config);
		err = vfi_vu_ring_init(ring, &options);
		if (err)
			return err;
	}
	return 0;
}

static void free_backend(struct virtiofs_vhost_user *vu)
{
	struct virtiofs_env env = vu->env;

	for (unsigned i = 0; i < vu->ring_count; i++)
		vfi_vu_ring_fini(&vu->rings[i]);
	(void)virtiofs_device_destroy(vu->dev);
	vfi_vu_memory_fini(&vu->memory);
	if (vu->epoll >= 0)
		close(vu->epoll);
	if (vu->bell >= 0)
		close(vu->bell);
	vfi_free(&env, vu, size_for(vu->ring_room));
}

static int take_options(struct virtiofs_vhost_user_options *options,
			struct virtiofs_device_options *device,
			const struct virtiofs_vhost_user_options *from)
{
	const struct virtiofs_vhost_user_options defaults = VIRTIOFS_VHOST_USER_OPTIONS_INIT;
	const struct virtiofs_device_options device_defaults = VIRTIOFS_DEVICE_OPTIONS_INIT;
	int err = vfi_copy_sized(options, sizeof(*options), from ? from : &defaults);

	if (!err)
		err = vfi_copy_sized(device, sizeof(*device),
				     options->device ? options->device : &device_defaults);
	if (err)
		return err;
	if (!options->max_queue_size)
		options->max_queue_size = VIRTIOFS_VIRTQUEUE_SIZE_MAX;
	if (!device->request_queues)
		device->request_queues = 1;
	if (!device->max_inflight)
		device->max_inflight = DEFAULT_MAX_INFLIGHT;
	if (!device->max_segments)
		device->max_segments = DEFAULT_MAX_SEGMENTS;
	return device->request_queues > VU_VRING_INDEX_MASK ? -EINVAL : 0;
}

static int make_backend(struct virtiofs_vhost_user *vu, struct virtiofs_fs *fs,
			const struct virtiofs_device_options *options)
{
	const struct virtiofs_host_ops host_ops = {
		.size = sizeof(host_ops),
		.complete = vfi_vu_complete,
	};
	int err = make_control(vu);

	if (!err)
		err = vfi_vu_memory_init(&vu->memory, &vu->env);
	if (!err)
		err = virtiofs_device_create(&vu->dev, &vu->env, options, fs, &host_ops, vu);
	if (!err)
		err = make_rings(vu, options->max_segments);
	return err;
}

int virtiofs_vhost_user_create(struct virtiofs_vhost_user **ret, const struct virtiofs_env *env,
			       struct virtiofs_fs *fs,
			       const struct virtiofs_vhost_user_options *user_options)
{
	struct virtiofs_vhost_user_options options;
	struct virtiofs_device_options device;
	struct virtiofs_vhost_user *vu;
	struct virtiofs_env copy;
	int saved = errno;
	int err = vfi_env_init(&copy, env);

	if (!err)
		err = take_options(&options, &device, user_options);
	if (err)
		return err;
	vu = vfi_alloc(&copy, size_for(device.request_queues + 1));
	if (!vu)
		return -ENOMEM;
	vu->env = copy;
	vu->max_queue_size = options.max_queue_size;
	vu->max_inflight = device.max_inflight;
	vu->has_tag = device.tag && device.tag[0];
	vu->ring_room = device.request_queues + 1;
	vu->epoll = vu->bell = vu->socket.fd = vu->backend_fd = -1;
	err = make_backend(vu, fs, &device);
	if (err) {
		free_backend(vu);
		errno = saved;
		return err;
	}
	errno = saved;
	*ret = vu;
	return 0;
}

/* Chains that the last owner of a ring left in work are answered with an error. */
static int abort_ring(struct vfi_vu_ring *ring)
{
	int err;

	if (virtiofs_queue_inflight(ring->queue) == 0)
		return 0;
	err = virtiofs_queue_attach(ring->queue, 0);
	if (err)
		return err;
	(void)virtiofs_queue_abort(ring->queue);
	(void)virtiofs_queue_resume(ring->queue);
	return virtiofs_queue_detach(ring->queue);
}

int virtiofs_vhost_user_destroy(struct virtiofs_vhost_user *vu)
{
	if (!vu)
		return 0;
	for (unsigned i = 0; i < vu->ring_count; i++) {
		if (__atomic_load_n(&vu->rings[i].owner, __ATOMIC_ACQUIRE) != VU_OWNER_NONE)
			return -EBUSY;
	}
	for (unsigned i = 0; i < vu->ring_count; i++) {
		if (abort_ring(&vu->rings[i]) < 0)
			return -EBUSY;
	}
	/* Where nobody has a ring, and nothing is in work, this waits for nothing. */
	virtiofs_vhost_user_disconnect(vu);
	(void)virtiofs_vhost_user_process(vu);
	if (virtiofs_device_destroy(vu->dev) < 0)
		return -EBUSY;
	vu->dev = NULL;
	free_backend(vu);
	return 0;
}
