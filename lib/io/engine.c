/* SPDX-License-Identifier: BSD-2-Clause */
/* Which engine a queue gets. */
#include "io/engine.h"

#include <errno.h>

#include <virtiofs/device.h>

#ifndef VIRTIOFS_HAVE_URING
int vfi_io_uring_create(struct vfi_io_engine **ret, const struct virtiofs_env *env, unsigned depth,
			int event_fd, unsigned setup, const char **why)
{
	(void)ret;
	(void)env;
	(void)depth;
	(void)event_fd;
	(void)setup;
	*why = "the library was built without it";
	return -ENOSYS;
}
#endif

/* Containers and hardened hosts refuse io_uring; who runs on one wants to know, once. */
static void tell(const struct virtiofs_env *env, unsigned *told, const char *why, int err)
{
	if (__atomic_exchange_n(told, 1, __ATOMIC_RELAXED) == 0)
		vfi_log(env, VIRTIOFS_LOG_INFO, "no io_uring here: %s (error %d)", why, -err);
}

int vfi_io_engine_create(struct vfi_io_engine **ret, const struct virtiofs_env *env, uint32_t mode,
			 unsigned depth, int event_fd, unsigned *told)
{
	const char *why = NULL;
	int err;

	if (mode != VIRTIOFS_IO_SYNC) {
		err = vfi_io_uring_create(ret, env, depth, event_fd, 0, &why);
		if (!err || !why)
			return err;
		tell(env, told, why, err);
		if (mode == VIRTIOFS_IO_URING)
			return -ENOTSUP;
	}
	return vfi_io_sync_create(ret, env);
}
