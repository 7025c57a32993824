/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks that a guest has on files of this host: locks.c, and who waits for one: lockwait.c.
 */
#ifndef VFI_PASSTHROUGH_LOCKS_H
#define VFI_PASSTHROUGH_LOCKS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct virtiofs_req;
struct vfi_guest;
struct vfi_handle_local;

/* What a guest wants to be locked, or not to be. */
struct vfi_lock {
	uint64_t nodeid;
	uint64_t fh;	/* by which it came */
	uint64_t owner; /* as the guest's kernel calls it */
	uint64_t start; /* the first byte, */
	uint64_t end;	/* and the last; INT64_MAX and more: all there will be */
	uint32_t pid;	/* the guest's */
	int16_t type;	/* F_RDLCK, F_WRLCK, F_UNLCK */
	bool flock;	/* of flock(2): of the whole file, and another than those of fcntl(2) */
};

/* An owner's open file description of a file. */
struct vfi_lock_owner {
	struct vfi_lock_owner *next; /* in its bucket */
	uint64_t nodeid;
	uint64_t owner;
	uint64_t fh; /* by which the first lock came */
	uint32_t pid;
	uint32_t refs; /* with the locks' lock */
	int fd;
	bool flock;
};

enum { VFI_LOCK_BUCKETS = 256 };

struct vfi_lock_waiter;

struct vfi_locks {
	pthread_mutex_t lock; /* protects what is below; not held while the kernel is asked */
	uint32_t count;	      /* atomic to read; owners */
	struct vfi_lock_owner *buckets[VFI_LOCK_BUCKETS];
	struct vfi_lock_waiter *waiters; /* oldest first */
};

/* ---- locks.c ---- */

void vfi_locks_init(struct vfi_guest *guest);
void vfi_locks_destroy(struct vfi_guest *guest);
/* A process has closed a descriptor of the file: its locks are gone, those of fcntl(2). */
void vfi_locks_flush(struct vfi_guest *guest, uint64_t nodeid, uint64_t owner);
/* A handle is released: what came by it is gone. */
void vfi_locks_release(struct vfi_guest *guest, uint64_t nodeid, uint64_t fh);
/* An inode is forgotten: all of it is gone. */
void vfi_locks_forget(struct vfi_guest *guest, uint64_t nodeid);
/* Lock or unlock, without waiting. Returns 0 or a negative errno; -EAGAIN: another has it. */
int vfi_lock_set(int fd, const struct vfi_lock *lock);
/* The same in the name of its owner, who may be a new one. */
int vfi_lock_try(struct vfi_guest *guest, const struct vfi_handle_local *handle,
		 const struct vfi_lock *lock);

/* ---- lockwait.c ---- */

/* Have @req answered when it has the lock, or cannot get it. Takes @handle. */
void vfi_lockwait_begin(struct vfi_guest *guest, struct virtiofs_req *req,
			struct vfi_handle_local *handle, const struct vfi_lock *lock);
/* A lock on this inode is gone: who waits for one is tried. */
void vfi_lockwait_wake(struct vfi_guest *guest, uint64_t nodeid);
/* A handle is released: nobody waits by it any more. */
void vfi_lockwait_release(struct vfi_guest *guest, uint64_t fh);

#endif /* VFI_PASSTHROUGH_LOCKS_H */
