/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/core.h"

#include <errno.h>

int virtiofs_fs_create(struct virtiofs_fs **ret, const struct virtiofs_env *env,
		       const struct virtiofs_fs_ops *ops, void *fs)
{
	struct virtiofs_env copy;
	struct virtiofs_fs *new;
	int err;

	if (!ret || !ops)
		return -EINVAL;
	err = vfi_env_init(&copy, env);
	if (err)
		return err;
	new = vfi_alloc(&copy, sizeof(*new));
	if (!new)
		return -ENOMEM;
	err = vfi_copy_sized(&new->ops, sizeof(new->ops), ops);
	if (err) {
		vfi_free(&copy, new, sizeof(*new));
		return err;
	}
	new->env = copy;
	new->ctx = fs;
	*ret = new;
	return 0;
}

void virtiofs_fs_destroy(struct virtiofs_fs *fs)
{
	struct virtiofs_env env;

	if (!fs)
		return;
	if (fs->ops.destroy)
		fs->ops.destroy(fs->ctx);
	env = fs->env;
	vfi_free(&env, fs, sizeof(*fs));
}
