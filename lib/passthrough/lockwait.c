/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who waits for a lock: first come, first served, and without a thread. It is tried again
 * when a lock of this guest's on the same file goes, and now and then by the clock, for
 * what another guest or a program of this host's held. Linux's virtio-fs cannot take a
 * request back, so a wait has an end (--lock-timeout).
 *
 * A waiter is tried by one thread at a time; a reason to try that comes meanwhile makes it
 * try once more, so that none is lost. Who takes a waiter off the list answers it.
 */
#include "passthrough/share.h"

#include <errno.h>

enum {
	FIRST_LOOK = 5000000, /* nanoseconds; twice as long each time, up to the last */
	LAST_LOOK = 200000000,
};

struct vfi_lock_waiter {
	struct vfi_lock_waiter *next; /* in the list of the guest's, oldest first */
	struct virtiofs_req *req;
	struct vfi_handle_local *handle;
	struct vfi_lock lock;
	uint64_t end; /* CLOCK_MONOTONIC */
	uint64_t look;
	/* With the list's lock: */
	bool trying;
	bool wanted;  /* there is a reason to try */
	int given_up; /* 0, or what to answer when a try is in vain */
};

/* ---- With the list's lock ---- */

static void add(struct vfi_locks *locks, struct vfi_lock_waiter *waiter)
{
	struct vfi_lock_waiter **link = &locks->waiters;

	while (*link)
		link = &(*link)->next;
	*link = waiter;
}

static void take_off(struct vfi_locks *locks, struct vfi_lock_waiter *waiter)
{
	struct vfi_lock_waiter **link = &locks->waiters;

	while (*link != waiter)
		link = &(*link)->next;
	*link = waiter->next;
}

static struct vfi_lock_waiter *find(struct vfi_locks *locks, const struct virtiofs_req *req)
{
	struct vfi_lock_waiter *waiter = locks->waiters;

	while (waiter && waiter->req != req)
		waiter = waiter->next;
	return waiter;
}

/* Give one up: at once, or when who tries it has seen that it is still in vain. */
static bool give_up(struct vfi_locks *locks, struct vfi_lock_waiter *waiter, int err)
{
	waiter->given_up = err;
	if (waiter->trying)
		return false;
	take_off(locks, waiter);
	return true;
}

/* ---- Trying ---- */

/* Of one that is off the list. */
static void answer(struct vfi_guest *guest, struct vfi_lock_waiter *waiter, int err)
{
	struct virtiofs_req *req = waiter->req;

	vfi_handle_put(waiter->handle);
	vfi_free(&guest->share->env, waiter, sizeof(*waiter));
	virtiofs_reply_err(req, err);
}

/* Try one that this thread has claimed. */
static void try(struct vfi_guest *guest, struct vfi_lock_waiter *waiter)
{
	struct vfi_locks *locks = &guest->locks;
	bool over = false;
	int err = 0;

	while (!over) {
		err = vfi_lock_try(guest, waiter->handle, &waiter->lock);
		pthread_mutex_lock(&locks->lock);
		if (err == -EAGAIN && waiter->given_up)
			err = waiter->given_up;
		else if (err == -EAGAIN && !waiter->wanted)
			waiter->trying = false;
		over = err != -EAGAIN || waiter->given_up || !waiter->trying;
		waiter->wanted = false;
		if (over && waiter->trying)
			take_off(locks, waiter);
		else if (over)
			waiter = NULL;
		pthread_mutex_unlock(&locks->lock);
	}
	if (waiter)
		answer(guest, waiter, err);
}

void vfi_lockwait_wake(struct vfi_guest *guest, uint64_t nodeid)
{
	struct vfi_locks *locks = &guest->locks;
	struct vfi_lock_waiter *waiter;

	pthread_mutex_lock(&locks->lock);
	for (waiter = locks->waiters; waiter; waiter = waiter->next)
		waiter->wanted |= waiter->lock.nodeid == nodeid;
	for (;;) {
		for (waiter = locks->waiters; waiter; waiter = waiter->next) {
			if (waiter->wanted && !waiter->trying)
				break;
		}
		if (!waiter)
			break;
		waiter->wanted = false;
		waiter->trying = true;
		pthread_mutex_unlock(&locks->lock);
		try(guest, waiter);
		pthread_mutex_lock(&locks->lock);
	}
	pthread_mutex_unlock(&locks->lock);
}

/* ---- Waiting ---- */

/* Takes @handle. */
void vfi_lockwait_begin(struct vfi_guest *guest, struct virtiofs_req *req,
			struct vfi_handle_local *handle, const struct vfi_lock *lock)
{
	struct vfi_lock_waiter *waiter = NULL;
	uint64_t timeout = guest->share->lock_timeout;
	int err = timeout ? 0 : -EAGAIN;

	if (!err) {
		waiter = vfi_alloc(&guest->share->env, sizeof(*waiter));
		err = waiter ? virtiofs_req_wait(req, FIRST_LOOK) : -ENOLCK;
	}
	if (err) {
		if (waiter)
			vfi_free(&guest->share->env, waiter, sizeof(*waiter));
		vfi_handle_put(handle);
		virtiofs_reply_err(req, err);
		return;
	}
	waiter->req = req;
	waiter->handle = handle;
	waiter->lock = *lock;
	/* For ever, to who says so. */
	waiter->end = vfi_now() + vfi_min_u64(timeout, INT64_MAX);
	waiter->look = FIRST_LOOK;
	waiter->trying = true;
	pthread_mutex_lock(&guest->locks.lock);
	add(&guest->locks, waiter);
	pthread_mutex_unlock(&guest->locks.lock);
	/* Who unlocked before it was on the list has not seen it. */
	try(guest, waiter);
}

void vfi_share_expire(void *session, struct virtiofs_req *req)
{
	struct vfi_guest *guest = session;
	struct vfi_locks *locks = &guest->locks;
	struct vfi_lock_waiter *waiter;
	uint64_t time = vfi_now(), look = 0;
	bool ours = false;

	pthread_mutex_lock(&locks->lock);
	waiter = find(locks, req);
	if (waiter) {
		ours = !waiter->trying;
		waiter->trying = true;
		waiter->wanted = !ours;
		waiter->look = vfi_min_u64(waiter->look * 2, LAST_LOOK);
		if (time >= waiter->end)
			waiter->given_up = -EAGAIN;
		else
			look = vfi_min_u64(waiter->look, waiter->end - time);
	}
	pthread_mutex_unlock(&locks->lock);
	if (look)
		(void)virtiofs_req_wait(req, look);
	if (ours)
		try(guest, waiter);
}

void vfi_share_cancel(void *session, struct virtiofs_req *req)
{
	struct vfi_guest *guest = session;
	int err = virtiofs_req_interrupted(req) ? -EINTR : -EAGAIN;
	struct vfi_lock_waiter *waiter;
	bool ours;

	pthread_mutex_lock(&guest->locks.lock);
	waiter = find(&guest->locks, req);
	ours = waiter && give_up(&guest->locks, waiter, err);
	pthread_mutex_unlock(&guest->locks.lock);
	if (ours)
		answer(guest, waiter, err);
}

/* One that came by this handle, taken off the list. */
static struct vfi_lock_waiter *give_up_one(struct vfi_locks *locks, uint64_t fh)
{
	struct vfi_lock_waiter *waiter;

	for (waiter = locks->waiters; waiter; waiter = waiter->next) {
		if (waiter->lock.fh == fh && give_up(locks, waiter, -EBADF))
			break;
	}
	return waiter;
}

void vfi_lockwait_release(struct vfi_guest *guest, uint64_t fh)
{
	struct vfi_lock_waiter *waiter;

	do {
		pthread_mutex_lock(&guest->locks.lock);
		waiter = give_up_one(&guest->locks, fh);
		pthread_mutex_unlock(&guest->locks.lock);
		if (waiter)
			answer(guest, waiter, -EBADF);
	} while (waiter);
}
