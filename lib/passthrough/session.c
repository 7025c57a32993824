/* SPDX-License-Identifier: BSD-2-Clause */
/* A session: from INIT until the guest is gone. */
#include "passthrough/share.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

/* ACLs work with all of these or not at all: the umask is for who knows the default ACL, and an
 * ACL may take S_ISGID away. */
static const uint64_t acl_flags =
	VIRTIOFS_FUSE_POSIX_ACL | VIRTIOFS_FUSE_DONT_MASK | VIRTIOFS_FUSE_SETXATTR_EXT;

/* What is granted beyond what holds for any filesystem, if the guest offers it. */
static uint64_t granted_flags(const struct vfi_share *share, uint64_t offered)
{
	uint64_t flags = VIRTIOFS_FUSE_ATOMIC_O_TRUNC | VIRTIOFS_FUSE_ASYNC_DIO |
			 VIRTIOFS_FUSE_CREATE_SUPP_GROUP | VIRTIOFS_FUSE_ALLOW_IDMAP;

	if (share->killpriv_v2)
		flags |= VIRTIOFS_FUSE_HANDLE_KILLPRIV_V2;
	if (share->security_label != VIRTIOFS_NEVER)
		flags |= VIRTIOFS_FUSE_SECURITY_CTX;
	if (share->posix_lock)
		flags |= VIRTIOFS_FUSE_POSIX_LOCKS;
	if (share->flock)
		flags |= VIRTIOFS_FUSE_FLOCK_LOCKS;
	if (share->posix_acl != VIRTIOFS_NEVER && (offered & acl_flags) == acl_flags)
		flags |= acl_flags;
	/* Where nobody else changes files, a new mtime is the guest's own doing. */
	if (share->cache != VIRTIOFS_CACHE_ALWAYS)
		flags |= VIRTIOFS_FUSE_AUTO_INVAL_DATA;
	if (share->export)
		flags |= VIRTIOFS_FUSE_EXPORT_SUPPORT;
	if (share->submounts)
		flags |= VIRTIOFS_FUSE_SUBMOUNTS;
	if (share->file_attr)
		flags |= VIRTIOFS_FUSE_HAS_IOCTL_DIR;
	/* Attributes that may not be kept are not worth fetching with a listing. */
	if (share->readdirplus == VIRTIOFS_ON ||
	    (share->readdirplus == 0 && share->cache != VIRTIOFS_CACHE_NEVER))
		flags |= VIRTIOFS_FUSE_DO_READDIRPLUS | VIRTIOFS_FUSE_READDIRPLUS_AUTO;
	if (share->cache != VIRTIOFS_CACHE_NEVER)
		flags |= VIRTIOFS_FUSE_CACHE_SYMLINKS;
	if (share->writeback)
		flags |= VIRTIOFS_FUSE_WRITEBACK_CACHE;
	if (share->allow_mmap)
		flags |= VIRTIOFS_FUSE_DIRECT_IO_ALLOW_MMAP;
	return flags;
}

static int check_acl_offer(const struct vfi_share *share, uint64_t offered)
{
	if (share->posix_acl == VIRTIOFS_NEVER || (offered & acl_flags) == acl_flags)
		return 0;
	if (share->posix_acl == VIRTIOFS_ALWAYS) {
		vfi_log(&share->env, VIRTIOFS_LOG_ERR,
			"Cannot enable posix ACLs, client does not support it");
		return -EPROTO;
	}
	vfi_log(&share->env, VIRTIOFS_LOG_WARNING,
		"posix ACLs requested but client does not support it, continuing without");
	return 0;
}

static int check_label_offer(const struct vfi_share *share, uint64_t offered)
{
	if (share->security_label == VIRTIOFS_NEVER || (offered & VIRTIOFS_FUSE_SECURITY_CTX))
		return 0;
	if (share->security_label == VIRTIOFS_ALWAYS) {
		vfi_log(&share->env, VIRTIOFS_LOG_ERR,
			"Cannot enable security label. kernel does not support "
			"FUSE_SECURITY_CTX capability");
		return -EPROTO;
	}
	vfi_log(&share->env, VIRTIOFS_LOG_WARNING,
		"security label requested but kernel does not support it, continuing without");
	return 0;
}

/* What was asked for, and is not offered; 0, or the errno with which not to begin. */
static int check_offer(const struct vfi_share *share, uint64_t offered)
{
	int err = check_acl_offer(share, offered);

	if (share->killpriv_v2 && !(offered & VIRTIOFS_FUSE_HANDLE_KILLPRIV_V2))
		vfi_log(&share->env, VIRTIOFS_LOG_WARNING,
			"Cannot enable KILLPRIV_V2, client does not support it");
	return err ? err : check_label_offer(share, offered);
}

/* The first inode of a table has the id that the protocol gives to the root. */
static int add_root(struct vfi_guest *guest)
{
	struct vfi_inode *room;
	struct statx st;
	uint64_t id;
	int fd, err;

	err = vfi_inode_reserve(guest, &room);
	if (err)
		return err;
	fd = fcntl(guest->share->root_fd, F_DUPFD_CLOEXEC, 0);
	err = fd < 0 ? -errno : vfi_path_stat(fd, "", &st);
	if (err) {
		if (fd >= 0)
			close(fd);
		vfi_inode_cancel(guest, room);
		return err;
	}
	id = vfi_inode_add(guest, room, fd, &st);
	assert(id == VIRTIOFS_FUSE_ROOT_ID);
	(void)id;
	return 0;
}

static void add_guest(struct vfi_hot *hot, struct vfi_guest *guest)
{
	pthread_mutex_lock(&hot->lock);
	guest->next = hot->guests;
	hot->guests = guest;
	__atomic_fetch_add(&hot->guest_count, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&hot->lock);
}

static void remove_guest(struct vfi_hot *hot, struct vfi_guest *guest)
{
	struct vfi_guest **link = &hot->guests;

	pthread_mutex_lock(&hot->lock);
	while (*link != guest)
		link = &(*link)->next;
	*link = guest->next;
	__atomic_fetch_sub(&hot->guest_count, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&hot->lock);
}

static int make_guest(struct vfi_share *share, struct vfi_guest **ret)
{
	struct vfi_guest *guest = vfi_alloc(&share->env, sizeof(*guest));
	int err = -ENOMEM;

	if (!guest)
		return err;
	guest->share = share;
	guest->refs = 1;
	vfi_locks_init(guest);
	err = vfi_inodes_init(guest);
	if (err)
		goto free_guest;
	err = vfi_handles_init(guest);
	if (err)
		goto destroy_inodes;
	err = add_root(guest);
	if (err)
		goto destroy_handles;
	add_guest(share->hot, guest);
	*ret = guest;
	return 0;

destroy_handles:
	vfi_handles_destroy(guest);
destroy_inodes:
	vfi_inodes_destroy(guest);
free_guest:
	vfi_locks_destroy(guest);
	vfi_free(&share->env, guest, sizeof(*guest));
	return err;
}

void vfi_guest_put(struct vfi_guest *guest)
{
	struct vfi_share *share = guest->share;

	if (__atomic_fetch_sub(&guest->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	vfi_locks_destroy(guest);
	vfi_handles_destroy(guest);
	vfi_inodes_destroy(guest);
	vfi_free(&share->env, guest, sizeof(*guest));
}

int vfi_share_session_begin(void *fs, void **session, struct virtiofs_init *init)
{
	struct vfi_share *share = fs;
	struct vfi_guest *guest;
	int err = check_offer(share, init->offered);

	if (err)
		return err;
	err = make_guest(share, &guest);
	if (err) {
		vfi_log(&share->env, VIRTIOFS_LOG_ERR, "cannot begin a session: error %d", -err);
		return err;
	}
	init->granted |= granted_flags(share, init->offered);
	guest->remembers = init->granted & init->offered & VIRTIOFS_FUSE_EXPORT_SUPPORT;
	guest->submounts = share->submounts && (init->offered & VIRTIOFS_FUSE_SUBMOUNTS);
	*session = guest;
	return 0;
}

void vfi_share_session_end(void *session)
{
	struct vfi_guest *guest = session;

	/* Another guest may still be making inodes of this one cold: then that ends it. */
	remove_guest(guest->share->hot, guest);
	vfi_guest_put(guest);
}
