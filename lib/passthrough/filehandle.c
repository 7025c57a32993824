/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * File handles: what an inode can be opened by again, and what tells it from another that
 * came by its number. They come from files that were reached by a name and are kept here;
 * a guest never sees one, nor names a file by one.
 */
#include "passthrough/share.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* Linux 6.5: a handle that is good for nothing but to compare. */
#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200
#endif

/* The kernel's FILEID_INO32_GEN and FILEID_INO64_GEN: for a file system that knows nothing
 * better it makes one of these, and there may be no generation in it. */
enum { INO32_GEN = 1, INO64_GEN = 0x81 };

/* A struct file_handle with room behind it. */
struct room {
	_Alignas(
		struct file_handle) unsigned char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

_Static_assert(sizeof(((struct vfi_fh *)0)->bytes) == MAX_HANDLE_SZ, "the largest there is");

static int get(int dir, const char *name, int flags, struct vfi_fh *fh)
{
	struct room room;
	struct file_handle *handle = (void *)room.bytes;
	int mount_id;

	handle->handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(dir, name, handle, &mount_id, flags))
		return -errno;
	if (handle->handle_bytes == 0 || handle->handle_bytes > MAX_HANDLE_SZ ||
	    handle->handle_type < 0 || handle->handle_type > UINT16_MAX)
		return -EOPNOTSUPP;
	fh->type = (uint16_t)handle->handle_type;
	fh->size = (uint8_t)handle->handle_bytes;
	memcpy(fh->bytes, handle->f_handle, handle->handle_bytes);
	return 0;
}

int vfi_fh_get(int dir, const char *name, struct vfi_fh *fh)
{
	int flags = name[0] == '\0' ? AT_EMPTY_PATH : 0;
	int err = get(dir, name, flags, fh);

	fh->opens = err == 0;
	if (err == -EOPNOTSUPP) {
		err = get(dir, name, flags | AT_HANDLE_FID, fh);
		if (!err && (fh->type == INO32_GEN || fh->type == INO64_GEN))
			err = -EOPNOTSUPP;
	}
	/* EINVAL: a kernel that does not know of the flag. EOVERFLOW: longer than any. */
	if (err == -EOPNOTSUPP || err == -EINVAL || err == -EOVERFLOW || err == -ENOSYS ||
	    err == -EPERM) {
		fh->size = 0;
		return 0;
	}
	return err;
}

/*
 * The kernel says ENOMEM while the number in a handle is being given to a new file: its
 * iget_locked() has no other word for an inode that is I_CREATING. A moment later the new
 * generation tells that the handle is stale.
 */
static bool again_without_memory(int fd, unsigned *tries)
{
	enum { MOST = 7, FIRST = 500000 }; /* 64 ms in all, for a busy journal */
	struct timespec pause = { 0 };
	int saved = errno;

	if (fd >= 0 || saved != ENOMEM || *tries == MOST)
		return false;
	pause.tv_nsec = FIRST << (*tries)++;
	nanosleep(&pause, NULL);
	errno = saved;
	return true;
}

int vfi_fh_open(const struct vfi_share *share, int mount_fd, const struct vfi_fh *fh)
{
	struct room room;
	struct file_handle *handle = (void *)room.bytes;
	unsigned tries = 0, waits = 0;
	int fd;

	handle->handle_bytes = fh->size;
	handle->handle_type = fh->type;
	memcpy(handle->f_handle, fh->bytes, fh->size);
	do {
		fd = open_by_handle_at(mount_fd, handle, O_PATH | O_CLOEXEC);
	} while (vfi_path_again(share, fd, &tries) || again_without_memory(fd, &waits));
	if (fd >= 0)
		return fd;
	return errno == EMFILE ? -ENFILE : -errno;
}

void vfi_inode_get_fh(struct vfi_guest *guest, struct vfi_inode *inode, struct vfi_fh *fh)
{
	struct vfi_inode_shard *shard = vfi_inode_lock(guest, inode);

	fh->type = inode->handle_type;
	fh->size = inode->handle_size;
	if (fh->size <= VFI_HANDLE_ROOM)
		memcpy(fh->bytes, inode->handle, fh->size);
	else
		vfi_name_get_fh(guest, inode, fh);
	pthread_mutex_unlock(&shard->lock);
}

int vfi_inode_set_fh(struct vfi_guest *guest, struct vfi_inode *inode, const struct vfi_fh *fh)
{
	struct vfi_inode_shard *shard;

	if (fh->size > VFI_HANDLE_ROOM) {
		int err = vfi_name_set_fh(guest, inode, fh);

		if (err)
			return err;
	}
	shard = vfi_inode_lock(guest, inode);
	inode->handle_type = fh->type;
	inode->handle_size = fh->size;
	if (fh->size <= VFI_HANDLE_ROOM)
		memcpy(inode->handle, fh->bytes, fh->size);
	pthread_mutex_unlock(&shard->lock);
	return 0;
}

static uint64_t nanoseconds(const struct statx_timestamp *time)
{
	return (uint64_t)time->tv_sec * 1000000000u + time->tv_nsec;
}

uint64_t vfi_birth(const struct statx *st)
{
	return st->stx_mask & STATX_BTIME ? nanoseconds(&st->stx_btime) : 0;
}

uint64_t vfi_change(const struct statx *st)
{
	return nanoseconds(&st->stx_ctime);
}

void vfi_proof_take(struct vfi_proof *proof, int dir, const char *name, const struct statx *st)
{
	/* What has no handle now proves nothing: another may have come by the name. */
	if (vfi_fh_get(dir, name, &proof->fh))
		proof->fh.size = 0;
	proof->born = vfi_birth(st);
	proof->changed = vfi_change(st);
}

bool vfi_proof_holds(struct vfi_guest *guest, const struct vfi_inode *inode,
		     const struct vfi_proof *proof)
{
	if (inode->handle_size != proof->fh.size)
		return false;
	if (proof->fh.size == 0)
		return inode->born == proof->born &&
		       vfi_name_changed(guest, inode) == proof->changed;
	if (inode->handle_type != proof->fh.type)
		return false;
	if (proof->fh.size > VFI_HANDLE_ROOM) {
		struct vfi_fh fh = { 0 };

		vfi_name_get_fh(guest, inode, &fh);
		return memcmp(fh.bytes, proof->fh.bytes, proof->fh.size) == 0;
	}
	return memcmp(inode->handle, proof->fh.bytes, proof->fh.size) == 0;
}
