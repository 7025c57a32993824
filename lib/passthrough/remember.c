/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inodes that the guest forgot, and that stay known by their node id: it may have given
 * them to others, whom it lets open files by handle or by NFS, and who come back with them
 * (EXPORT_SUPPORT). They have no descriptor, and go before anybody is refused a new one.
 */
#include "passthrough/share.h"

enum {
	/* Evicted at once, where there is no room. */
	BATCH = 32,
	/* Of all that may be known, one part in so many at most is remembered. */
	PART = 4,
};

void vfi_remember_end(struct vfi_guest *guest, struct vfi_inode *inode)
{
	if (!inode->remembered)
		return;
	inode->remembered = false;
	/* Not there yet, if vfi_remember() was slower. */
	if (vfi_bitmap_test(&guest->memory, inode->head.index)) {
		vfi_bitmap_clear(&guest->memory, inode->head.index);
		__atomic_fetch_sub(&guest->memory_count, 1, __ATOMIC_RELAXED);
	}
}

/* Forget an inode that is held, if it is still nothing but remembered. */
static bool let_go(struct vfi_guest *guest, struct vfi_inode *inode)
{
	struct vfi_inode_shard *shard = vfi_inode_lock(guest, inode);
	bool gone;

	vfi_remember_end(guest, inode);
	gone = vfi_inode_settle(guest, shard, inode);
	pthread_mutex_unlock(&shard->lock);
	if (gone)
		vfi_name_drop(guest, inode);
	return gone;
}

/* Go round once at most, twice where all were used, and evict so many. */
static bool evict(struct vfi_guest *guest, uint32_t want)
{
	uint32_t looks = 2 * __atomic_load_n(&guest->memory_count, __ATOMIC_RELAXED);
	uint32_t done = 0;

	while (looks-- > 0 && done < want) {
		uint32_t from = __atomic_load_n(&guest->memory_hand, __ATOMIC_RELAXED);
		uint32_t index = vfi_bitmap_next(&guest->memory, from);
		struct vfi_inode *inode;

		if (index == guest->memory.size)
			index = vfi_bitmap_next(&guest->memory, 0);
		if (index == guest->memory.size)
			break;
		__atomic_store_n(&guest->memory_hand, index + 1, __ATOMIC_RELAXED);
		inode = vfi_table_hold(&guest->inodes, index);
		if (!inode)
			continue;
		if (__atomic_load_n(&inode->used, __ATOMIC_RELAXED))
			__atomic_store_n(&inode->used, 0, __ATOMIC_RELAXED);
		else
			done += let_go(guest, inode);
		vfi_table_put(&guest->inodes, inode);
	}
	return done != 0;
}

void vfi_remember(struct vfi_guest *guest, struct vfi_inode *inode)
{
	uint32_t most = guest->share->inodes.max / PART;
	struct vfi_inode_shard *shard = vfi_inode_lock(guest, inode);

	/* Known again meanwhile, or also forgotten once more. */
	if (inode->remembered && !vfi_bitmap_test(&guest->memory, inode->head.index)) {
		__atomic_store_n(&inode->used, 0, __ATOMIC_RELAXED);
		vfi_bitmap_set(&guest->memory, inode->head.index);
		__atomic_fetch_add(&guest->memory_count, 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&shard->lock);
	/* A file that is removed now is to give its blocks back: no descriptor stays. */
	if (!vfi_hot_demote(guest, inode, false) && vfi_inode_is_hot(guest, inode))
		let_go(guest, inode);
	else if (__atomic_load_n(&guest->memory_count, __ATOMIC_RELAXED) > most)
		evict(guest, 1);
}

bool vfi_remember_evict(struct vfi_guest *guest)
{
	struct vfi_guest *other;
	bool done;

	if (evict(guest, BATCH))
		return true;
	other = vfi_hot_pick(guest->share->hot, true);
	if (!other)
		return false;
	done = evict(other, BATCH);
	vfi_guest_put(other);
	return done;
}
