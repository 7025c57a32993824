/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks of the guest's on this host's files, so that they hold between guests and against
 * this host's own programs: GETLK, SETLK and SETLKW, for fcntl(2) and for flock(2).
 *
 * A lock belongs to an owner the guest names: a process, or for flock(2) an open file. Each
 * owner has, for each file, an open file description of its own here, whose locks are what
 * F_OFD_SETLK and flock(2) know of it; closed, they are gone. It goes with the FLUSH of its
 * owner, for a process loses its locks on a file with any close of it; with the RELEASE of
 * the handle it came by; with the inode; with the session.
 *
 * Who has to wait is in a queue (lockwait.c).
 */
#include "passthrough/share.h"

#include <errno.h>
#include <sys/file.h>
#include <unistd.h>

static struct vfi_lock_owner **bucket_of(struct vfi_locks *locks, uint64_t nodeid)
{
	/* The lower half of a node id is an index. */
	return &locks->buckets[nodeid % VFI_LOCK_BUCKETS];
}

static bool is_owner(const struct vfi_lock_owner *o, const struct vfi_lock *lock)
{
	return o->nodeid == lock->nodeid && o->owner == lock->owner && o->flock == lock->flock;
}

void vfi_locks_init(struct vfi_guest *guest)
{
	pthread_mutex_init(&guest->locks.lock, NULL);
}

static void free_owner(struct vfi_guest *guest, struct vfi_lock_owner *o)
{
	close(o->fd);
	vfi_budget_give(&guest->share->handles);
	vfi_free(&guest->share->env, o, sizeof(*o));
}

void vfi_locks_destroy(struct vfi_guest *guest)
{
	for (size_t i = 0; i < VFI_LOCK_BUCKETS; i++) {
		struct vfi_lock_owner *o = guest->locks.buckets[i];

		while (o) {
			struct vfi_lock_owner *next = o->next;

			free_owner(guest, o);
			o = next;
		}
	}
	pthread_mutex_destroy(&guest->locks.lock);
}

/* ---- Owners ---- */

static void put_owner(struct vfi_guest *guest, struct vfi_lock_owner *o)
{
	bool last;

	pthread_mutex_lock(&guest->locks.lock);
	last = --o->refs == 0;
	pthread_mutex_unlock(&guest->locks.lock);
	if (last)
		free_owner(guest, o);
}

static struct vfi_lock_owner *get_owner(struct vfi_guest *guest, const struct vfi_lock *lock)
{
	struct vfi_lock_owner *o;

	pthread_mutex_lock(&guest->locks.lock);
	for (o = *bucket_of(&guest->locks, lock->nodeid); o; o = o->next) {
		if (is_owner(o, lock)) {
			o->refs++;
			break;
		}
	}
	pthread_mutex_unlock(&guest->locks.lock);
	return o;
}

/* A description that can hold locks of both kinds, if the file may be written to; else
 * what the handle can. */
static int open_for_locks(const struct vfi_share *share, const struct vfi_handle_local *handle)
{
	int fd = -EROFS, flags = fcntl(handle->fd, F_GETFL);

	if (flags < 0)
		return -errno;
	if (!share->readonly)
		fd = vfi_path_reopen(share, handle->fd, S_IFREG, O_RDWR);
	if (fd == -EACCES || fd == -EPERM || fd == -EROFS || fd == -ETXTBSY)
		fd = vfi_path_reopen(share, handle->fd, S_IFREG, flags & O_ACCMODE);
	return fd;
}

/* A new owner; one that another thread was faster with is taken instead. */
static struct vfi_lock_owner *add_owner(struct vfi_guest *guest, struct vfi_lock_owner *o,
					const struct vfi_lock *lock)
{
	struct vfi_lock_owner **bucket = bucket_of(&guest->locks, lock->nodeid);
	struct vfi_lock_owner *other;

	pthread_mutex_lock(&guest->locks.lock);
	for (other = *bucket; other && !is_owner(other, lock);)
		other = other->next;
	if (other) {
		other->refs++;
	} else {
		o->next = *bucket;
		*bucket = o;
		__atomic_fetch_add(&guest->locks.count, 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&guest->locks.lock);
	if (!other)
		return o;
	free_owner(guest, o);
	return other;
}

/* NULL, and *@err is what to answer: there is none. */
static struct vfi_lock_owner *make_owner(struct vfi_guest *guest,
					 const struct vfi_handle_local *handle,
					 const struct vfi_lock *lock, int *err)
{
	const struct virtiofs_env *env = &guest->share->env;
	struct vfi_lock_owner *o;

	/* A descriptor each, as a handle has. */
	*err = -ENOLCK;
	if (!vfi_budget_take(guest->share, &guest->share->handles))
		return NULL;
	o = vfi_alloc(env, sizeof(*o));
	if (!o) {
		vfi_budget_give(&guest->share->handles);
		return NULL;
	}
	*o = (struct vfi_lock_owner){
		.nodeid = lock->nodeid,
		.owner = lock->owner,
		.flock = lock->flock,
		.fh = lock->fh,
		.pid = lock->pid,
		.refs = 2, /* that of the table, and the caller's */
		.fd = open_for_locks(guest->share, handle),
	};
	if (o->fd < 0) {
		*err = o->fd;
		vfi_budget_give(&guest->share->handles);
		vfi_free(env, o, sizeof(*o));
		return NULL;
	}
	return add_owner(guest, o, lock);
}

/* What is in the table and goes: its locks are gone with the descriptor. */
static bool drop(struct vfi_guest *guest, uint64_t nodeid,
		 bool (*goes)(const struct vfi_lock_owner *o, const struct vfi_lock *which),
		 const struct vfi_lock *which)
{
	struct vfi_lock_owner *gone = NULL, *o, **link;
	bool any;

	if (__atomic_load_n(&guest->locks.count, __ATOMIC_RELAXED) == 0)
		return false;
	pthread_mutex_lock(&guest->locks.lock);
	for (link = bucket_of(&guest->locks, nodeid); (o = *link);) {
		if (o->nodeid != nodeid || !goes(o, which)) {
			link = &o->next;
			continue;
		}
		*link = o->next;
		o->next = gone;
		gone = o;
		__atomic_fetch_sub(&guest->locks.count, 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&guest->locks.lock);
	for (any = gone; (o = gone); put_owner(guest, o)) {
		gone = o->next;
		/* Somebody may be at work with it, and keep it open a little longer. */
		(void)vfi_lock_set(o->fd, &(struct vfi_lock){ .type = F_UNLCK, .flock = o->flock });
	}
	return any;
}

static bool is_that_process(const struct vfi_lock_owner *o, const struct vfi_lock *which)
{
	return !o->flock && o->owner == which->owner;
}

void vfi_locks_flush(struct vfi_guest *guest, uint64_t nodeid, uint64_t owner)
{
	const struct vfi_lock which = { .owner = owner };

	if (drop(guest, nodeid, is_that_process, &which))
		vfi_lockwait_wake(guest, nodeid);
}

static bool came_by(const struct vfi_lock_owner *o, const struct vfi_lock *which)
{
	return o->fh == which->fh;
}

void vfi_locks_release(struct vfi_guest *guest, uint64_t nodeid, uint64_t fh)
{
	const struct vfi_lock which = { .fh = fh };

	if (!guest->share->posix_lock && !guest->share->flock)
		return;
	vfi_lockwait_release(guest, fh);
	if (drop(guest, nodeid, came_by, &which))
		vfi_lockwait_wake(guest, nodeid);
}

static bool any_owner(const struct vfi_lock_owner *o, const struct vfi_lock *which)
{
	(void)o;
	(void)which;
	return true;
}

void vfi_locks_forget(struct vfi_guest *guest, uint64_t nodeid)
{
	(void)drop(guest, nodeid, any_owner, NULL);
}

/* ---- Locks ---- */

static struct flock host_range(const struct vfi_lock *lock)
{
	struct flock range = { .l_type = lock->type, .l_whence = SEEK_SET };

	range.l_start = (off_t)lock->start;
	/* To the end, however far that moves, is a length of 0. */
	if (lock->end < INT64_MAX)
		range.l_len = (off_t)(lock->end - lock->start + 1);
	return range;
}

int vfi_lock_set(int fd, const struct vfi_lock *lock)
{
	struct flock range = host_range(lock);
	int err;

	if (lock->flock) {
		int how = lock->type == F_UNLCK	  ? LOCK_UN
			  : lock->type == F_RDLCK ? LOCK_SH
						  : LOCK_EX;

		err = flock(fd, how | LOCK_NB) ? -errno : 0;
	} else {
		err = fcntl(fd, F_OFD_SETLK, &range) ? -errno : 0;
	}
	return err == -EACCES ? -EAGAIN : err;
}

int vfi_lock_try(struct vfi_guest *guest, const struct vfi_handle_local *handle,
		 const struct vfi_lock *lock)
{
	struct vfi_lock_owner *o = get_owner(guest, lock);
	int err;

	if (!o) {
		/* Nothing was locked that could be unlocked. */
		if (lock->type == F_UNLCK)
			return 0;
		o = make_owner(guest, handle, lock, &err);
		if (!o)
			return err;
	}
	err = vfi_lock_set(o->fd, lock);
	put_owner(guest, o);
	return err;
}

static int read_lock(const struct vfi_share *share, uint64_t nodeid,
		     const struct virtiofs_fuse_lk_in *in, struct vfi_lock *lock)
{
	*lock = (struct vfi_lock){
		.nodeid = nodeid,
		.fh = in->fh,
		.owner = in->owner,
		.start = in->lk.start,
		.end = in->lk.end,
		.pid = in->lk.pid,
		.type = (int16_t)in->lk.type,
		.flock = in->lk_flags & VIRTIOFS_FUSE_LK_FLOCK,
	};
	if (lock->flock ? !share->flock : !share->posix_lock)
		return -ENOSYS;
	if (in->lk.type != F_RDLCK && in->lk.type != F_WRLCK && in->lk.type != F_UNLCK)
		return -EINVAL;
	if (lock->start > INT64_MAX || lock->end < lock->start)
		return -EINVAL;
	return 0;
}

void vfi_share_setlk(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_lk_in *in, bool wait)
{
	struct vfi_guest *guest = session;
	struct vfi_handle_local *handle;
	struct vfi_lock lock;
	int err = read_lock(guest->share, nodeid, in, &lock);

	if (err) {
		virtiofs_reply_err(req, err);
		return;
	}
	handle = vfi_handle_get(guest, in->fh, nodeid, VFI_HANDLE_FILE);
	if (!handle) {
		virtiofs_reply_err(req, -EBADF);
		return;
	}
	err = vfi_lock_try(guest, handle, &lock);
	if (err == -EAGAIN && wait) {
		vfi_lockwait_begin(guest, req, handle, &lock);
		return;
	}
	vfi_handle_put(handle);
	/* A lock that is smaller now, or for reading, may be what others wait for. */
	if (!err && lock.type != F_WRLCK)
		vfi_lockwait_wake(guest, nodeid);
	virtiofs_reply_err(req, err);
}

/* Whose lock is in the way: the kernel does not say. If there is one other owner here, his;
 * 0 is nobody the guest knows. */
static uint32_t holder(struct vfi_guest *guest, const struct vfi_lock *lock)
{
	const struct vfi_lock_owner *o;
	uint32_t pid = 0;
	unsigned others = 0;

	pthread_mutex_lock(&guest->locks.lock);
	for (o = *bucket_of(&guest->locks, lock->nodeid); o; o = o->next) {
		if (o->nodeid == lock->nodeid && !o->flock && o->owner != lock->owner) {
			pid = o->pid;
			others++;
		}
	}
	pthread_mutex_unlock(&guest->locks.lock);
	return others == 1 ? pid : 0;
}

static int test_lock(struct vfi_guest *guest, const struct vfi_handle_local *handle,
		     const struct vfi_lock *lock, struct virtiofs_fuse_lk_out *out)
{
	struct vfi_lock_owner *o = get_owner(guest, lock);
	struct flock range = host_range(lock);
	/* The handle's own has no lock: every other is in its way. */
	int err = fcntl(o ? o->fd : handle->fd, F_OFD_GETLK, &range) ? -errno : 0;

	if (o)
		put_owner(guest, o);
	if (err)
		return err;
	*out = (struct virtiofs_fuse_lk_out){ .lk = { .type = (uint32_t)range.l_type } };
	if (range.l_type == F_UNLCK)
		return 0;
	out->lk.start = (uint64_t)range.l_start;
	out->lk.end = range.l_len ? (uint64_t)(range.l_start + range.l_len - 1) : INT64_MAX;
	/* A program of this host's is nobody there. */
	out->lk.pid = range.l_pid == -1 ? holder(guest, lock) : 0;
	return 0;
}

void vfi_share_getlk(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_lk_in *in)
{
	struct vfi_guest *guest = session;
	struct vfi_handle_local *handle;
	struct virtiofs_fuse_lk_out out;
	struct vfi_lock lock;
	int err = read_lock(guest->share, nodeid, in, &lock);

	if (!err && (lock.flock || lock.type == F_UNLCK))
		err = -EINVAL;
	if (!err) {
		handle = vfi_handle_get(guest, in->fh, nodeid, VFI_HANDLE_FILE);
		err = handle ? test_lock(guest, handle, &lock, &out) : -EBADF;
		if (handle)
			vfi_handle_put(handle);
	}
	if (err)
		virtiofs_reply_err(req, err);
	else
		virtiofs_reply_lk(req, &out);
}
