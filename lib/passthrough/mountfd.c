/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mounts that inodes are on. A file handle means something on its mount only, which
 * open_by_handle_at() takes as a descriptor of anything there that is open for reading.
 * The first inode that is seen of a mount is the mount's root, which is opened for that;
 * so nobody has to find the mount in /proc/self/mountinfo, where a sandbox would not
 * have it.
 */
#include "passthrough/share.h"

#include <errno.h>
#include <unistd.h>

static struct vfi_mount_fd **place_of(struct vfi_mount_fds *mounts, uint32_t id)
{
	struct vfi_mount_fd **place = &mounts->buckets[id % VFI_MOUNT_BUCKETS];

	while (*place && (*place)->id != id)
		place = &(*place)->next;
	return place;
}

/* Whether a file is found again by its handle. Returns 0 or a negative errno. */
static int try_handle(const struct vfi_share *share, int mount_fd)
{
	struct statx st, again;
	struct vfi_fh fh;
	int fd, err;

	err = vfi_path_stat(mount_fd, "", &st);
	if (!err)
		err = vfi_fh_get(mount_fd, "", &fh);
	if (err)
		return err;
	if (!fh.opens)
		return -EOPNOTSUPP;
	fd = vfi_fh_open(share, mount_fd, &fh);
	if (fd < 0)
		return fd;
	err = vfi_path_stat(fd, "", &again);
	close(fd);
	if (err)
		return err;
	return st.stx_ino == again.stx_ino && st.stx_mnt_id == again.stx_mnt_id ? 0 : -EOPNOTSUPP;
}

/* What vfi_fh_open() needs, or a negative errno. */
static int open_mount(const struct vfi_share *share, uint32_t id, int fd, uint32_t type)
{
	int mount_fd, err;

	/* Without ids, Linux before 5.8, what is on one mount cannot be told from another. */
	if (!share->by_handle || id == 0)
		return -EOPNOTSUPP;
	mount_fd = vfi_path_reopen(share, fd, type, O_RDONLY);
	if (mount_fd < 0)
		return mount_fd;
	err = try_handle(share, mount_fd);
	if (!err)
		return mount_fd;
	close(mount_fd);
	return err;
}

/* One user more, if it is known. */
static struct vfi_mount_fd *find(struct vfi_mount_fds *mounts, uint32_t id, uint32_t users)
{
	struct vfi_mount_fd *mount;

	pthread_mutex_lock(&mounts->lock);
	mount = *place_of(mounts, id);
	if (mount)
		mount->users += users;
	pthread_mutex_unlock(&mounts->lock);
	return mount;
}

struct vfi_mount_fd *vfi_mount_fd_get(struct vfi_share *share, uint32_t id, int fd, uint32_t type)
{
	struct vfi_mount_fds *mounts = share->mounts;
	struct vfi_mount_fd *mount = find(mounts, id, 1), *made, **place;

	if (mount)
		return mount;
	made = vfi_alloc(&share->env, sizeof(*made));
	if (!made)
		return NULL;
	made->id = id;
	made->users = 1;
	made->fd = open_mount(share, id, fd, type);
	if (made->fd < 0) {
		made->why_not = made->fd;
		made->fd = -1;
	}
	pthread_mutex_lock(&mounts->lock);
	place = place_of(mounts, id);
	mount = *place;
	if (mount)
		mount->users++;
	else
		*place = made;
	pthread_mutex_unlock(&mounts->lock);
	if (!mount)
		return made;
	/* Another was faster. */
	if (made->fd >= 0)
		close(made->fd);
	vfi_free(&share->env, made, sizeof(*made));
	return mount;
}

int vfi_mount_fd_check(struct vfi_share *share, int fd, const struct statx *st)
{
	struct vfi_mount_fd *mount;
	int err;

	if (!share->handles_only)
		return 0;
	mount = vfi_mount_fd_get(share, vfi_mount_of(st).id, fd, st->stx_mode & S_IFMT);
	if (!mount)
		return -ENOMEM;
	err = mount->fd < 0 ? -EOPNOTSUPP : 0;
	vfi_mount_fd_put(share, mount->id);
	return err;
}

struct vfi_mount_fd *vfi_mount_fd_of(struct vfi_share *share, const struct vfi_inode *inode)
{
	return find(share->mounts, inode->mount, 0);
}

void vfi_mount_fd_put(struct vfi_share *share, uint32_t id)
{
	struct vfi_mount_fds *mounts = share->mounts;
	struct vfi_mount_fd **place, *unused = NULL;

	pthread_mutex_lock(&mounts->lock);
	place = place_of(mounts, id);
	if (--(*place)->users == 0) {
		unused = *place;
		*place = unused->next;
	}
	pthread_mutex_unlock(&mounts->lock);
	if (!unused)
		return;
	/* With it the host may unmount, and use the number again. */
	if (unused->fd >= 0)
		close(unused->fd);
	vfi_free(&share->env, unused, sizeof(*unused));
}
