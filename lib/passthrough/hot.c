/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which inodes have a descriptor. One that is used gets it and is hot. Where there are
 * more than should be, a clock's hand goes round over the hot ones: one that was used
 * since it last came by is let off, another is made cold, its descriptor closed, and how
 * to open it again is kept.
 *
 * An operation takes no lock: it holds the inode, then reads its descriptor. Who makes it
 * cold takes the descriptor away, then looks whether somebody holds the inode, and if so
 * puts it back. One of both sees the other, whoever is first.
 */
#include "passthrough/share.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

enum {
	/* Hot inodes that one turn of the hand looks at, and how many it makes cold: more
	 * than the one that came to be hot. */
	LOOKS = 128,
	TURN = 2,
	/* And where a descriptor is needed at once. */
	RELIEF = 16,
	/*
	 * A file changed less than this ago, in nanoseconds, could have the same times as
	 * another that gets its number: the kernel's clock ticks at least 100 times a second.
	 */
	TICK = 20000000,
};

void vfi_hot_count(struct vfi_guest *guest, const struct vfi_inode *inode)
{
	__atomic_fetch_add(&guest->share->hot->used, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&guest->hot_count, 1, __ATOMIC_RELAXED);
	/* What is not in the set is never looked at. */
	if (inode->head.index != VIRTIOFS_FUSE_ROOT_ID && !(inode->flags & VFI_INODE_KEPT))
		vfi_bitmap_set(&guest->hot, inode->head.index);
}

/* It is without a descriptor now. */
static void uncount(struct vfi_guest *guest, const struct vfi_inode *inode)
{
	vfi_bitmap_clear(&guest->hot, inode->head.index);
	__atomic_fetch_sub(&guest->hot_count, 1, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&guest->share->hot->used, 1, __ATOMIC_RELAXED);
}

void vfi_hot_close(struct vfi_guest *guest, const struct vfi_inode *inode)
{
	int fd = vfi_inode_local(guest, inode)->fd;

	if (fd < 0)
		return;
	uncount(guest, inode);
	close(fd);
}

static bool is_old(uint64_t changed)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return changed + TICK < (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Keep what will lead back to an inode that has the descriptor @fd; false: nothing would. */
static bool keep_handle(struct vfi_guest *guest, struct vfi_inode *inode, int fd)
{
	struct vfi_fh fh;

	vfi_inode_get_fh(guest, inode, &fh);
	if (fh.size != 0)
		return true;
	return vfi_fh_get(fd, "", &fh) == 0 && fh.opens && vfi_inode_set_fh(guest, inode, &fh) == 0;
}

static bool keep_name(struct vfi_guest *guest, struct vfi_inode *inode, int fd,
		      const struct statx *st)
{
	char text[NAME_MAX + 1];
	uint64_t parent;
	struct vfi_fh fh;

	if (!vfi_name_get(guest, inode, &parent, text))
		return false;
	if (vfi_fh_get(fd, "", &fh) || (fh.size == 0 && !is_old(vfi_change(st))))
		return false;
	return vfi_name_set_changed(guest, inode, vfi_change(st)) == 0 &&
	       vfi_inode_set_fh(guest, inode, &fh) == 0;
}

static bool keep_way_back(struct vfi_guest *guest, struct vfi_inode *inode, int fd, bool hard)
{
	struct statx st;

	if (vfi_path_stat(fd, "", &st))
		return false;
	/* A removed file is gone with its last descriptor, unless the guest has it open; a
	 * directory may be where a process of it works. In hard times it is let go. */
	if (st.stx_nlink == 0)
		return hard;
	return inode->flags & VFI_INODE_BY_NAME ? keep_name(guest, inode, fd, &st)
						: keep_handle(guest, inode, fd);
}

bool vfi_hot_demote(struct vfi_guest *guest, struct vfi_inode *inode, bool hard)
{
	struct vfi_inode_local *local = vfi_inode_local(guest, inode);
	/* Held here, it is not made cold by another. */
	int fd = __atomic_load_n(&local->fd, __ATOMIC_SEQ_CST);
	struct vfi_inode_shard *shard;

	if (fd < 0 || !keep_way_back(guest, inode, fd, hard))
		return false;

	shard = vfi_inode_lock(guest, inode);
	__atomic_store_n(&local->fd, -1, __ATOMIC_SEQ_CST);
	if (vfi_table_is_idle(&guest->inodes, inode)) {
		uncount(guest, inode);
	} else {
		__atomic_store_n(&local->fd, fd, __ATOMIC_SEQ_CST);
		fd = -1;
	}
	pthread_mutex_unlock(&shard->lock);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* The next hot inode that the hand comes to, held; NULL: there is none, or it has gone. */
static struct vfi_inode *next_hot(struct vfi_guest *guest)
{
	uint32_t from = __atomic_load_n(&guest->hot_hand, __ATOMIC_RELAXED);
	uint32_t index = vfi_bitmap_next(&guest->hot, from);

	if (index == guest->hot.size)
		index = vfi_bitmap_next(&guest->hot, 0);
	if (index == guest->hot.size)
		return NULL;
	__atomic_store_n(&guest->hot_hand, index + 1, __ATOMIC_RELAXED);
	return vfi_table_hold(&guest->inodes, index);
}

/* Look at so many hot inodes, or make @want of them cold. Returns how many were. */
static uint32_t turn(struct vfi_guest *guest, uint32_t looks, uint32_t want, bool hard)
{
	uint32_t done = 0;

	while (looks-- > 0 && done < want) {
		struct vfi_inode *inode = next_hot(guest);

		if (!inode)
			continue;
		if (__atomic_load_n(&inode->used, __ATOMIC_RELAXED))
			__atomic_store_n(&inode->used, 0, __ATOMIC_RELAXED);
		else
			done += vfi_hot_demote(guest, inode, hard);
		vfi_table_put(&guest->inodes, inode);
	}
	return done;
}

static uint32_t used(const struct vfi_hot *hot)
{
	return __atomic_load_n(&hot->used, __ATOMIC_RELAXED);
}

struct vfi_guest *vfi_hot_pick(struct vfi_hot *hot, bool remembered)
{
	struct vfi_guest *most = NULL;
	uint32_t count = 0;

	pthread_mutex_lock(&hot->lock);
	for (struct vfi_guest *guest = hot->guests; guest; guest = guest->next) {
		const uint32_t *of = remembered ? &guest->memory_count : &guest->hot_count;
		uint32_t n = __atomic_load_n(of, __ATOMIC_RELAXED);

		if (n > count) {
			most = guest;
			count = n;
		}
	}
	if (most)
		__atomic_fetch_add(&most->refs, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&hot->lock);
	return most;
}

/* Have the guest that has most give some back. Twice round, each is looked at twice. */
static bool relieve(struct vfi_hot *hot, uint32_t want)
{
	struct vfi_guest *guest = vfi_hot_pick(hot, false);
	uint32_t looks, done;

	if (!guest)
		return false;
	looks = 2 * __atomic_load_n(&guest->hot_count, __ATOMIC_RELAXED);
	done = turn(guest, looks, want, false);
	if (done == 0)
		done = turn(guest, looks, want, true);
	vfi_guest_put(guest);
	return done != 0;
}

void vfi_hot_trim(struct vfi_guest *guest)
{
	struct vfi_hot *hot = guest->share->hot;
	uint32_t guests = __atomic_load_n(&hot->guest_count, __ATOMIC_RELAXED);
	uint32_t own = __atomic_load_n(&guest->hot_count, __ATOMIC_RELAXED);

	if (used(hot) <= hot->max)
		return;
	/* Who has more than its part gives; else who has most. */
	if (guests <= 1 || own > hot->max / guests)
		turn(guest, LOOKS, TURN, false);
	else
		relieve(hot, TURN);
}

bool vfi_hot_has_room(struct vfi_guest *guest)
{
	struct vfi_hot *hot = guest->share->hot;
	uint32_t dropped;

	if (used(hot) < hot->limit)
		return true;
	if (relieve(hot, RELIEF) || used(hot) < hot->limit)
		return true;
	if (vfi_ratelimit_ok(&guest->share->spent, &dropped))
		vfi_log(&guest->share->env, VIRTIOFS_LOG_WARNING,
			"%u files of the guest have to stay open, for they could not be found "
			"again: it gets ENFILE",
			used(hot));
	return false;
}

bool vfi_hot_relieve(struct vfi_hot *hot)
{
	return relieve(hot, RELIEF);
}

int vfi_hot_install(struct vfi_guest *guest, struct vfi_inode *inode, int fd)
{
	struct vfi_inode_local *local = vfi_inode_local(guest, inode);
	struct vfi_inode_shard *shard = vfi_inode_lock(guest, inode);
	int now = __atomic_load_n(&local->fd, __ATOMIC_RELAXED);
	bool ours = now < 0 && fd >= 0;

	if (ours) {
		__atomic_store_n(&local->fd, fd, __ATOMIC_SEQ_CST);
		vfi_hot_count(guest, inode);
	}
	pthread_mutex_unlock(&shard->lock);
	if (ours) {
		vfi_hot_trim(guest);
		return fd;
	}
	/* Another was faster. */
	if (fd >= 0)
		close(fd);
	return now >= 0 ? now : fd;
}

int vfi_hot_open(struct vfi_guest *guest, struct vfi_inode *inode)
{
	struct vfi_inode_shard *shard = vfi_inode_lock(guest, inode);
	int fd = __atomic_load_n(&vfi_inode_local(guest, inode)->fd, __ATOMIC_RELAXED);

	pthread_mutex_unlock(&shard->lock);
	if (fd >= 0)
		return fd;
	if (!vfi_hot_has_room(guest))
		return -ENFILE;
	return vfi_hot_install(guest, inode, vfi_reopen(guest, inode));
}
