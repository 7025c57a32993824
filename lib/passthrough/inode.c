/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Node ids: a table of inodes, and an index of it by what they are on this host.
 *
 * An inode is held by references, those of operations at work on it, and known by
 * lookups, those that the guest was told of. Lookups are the guest's word: with
 * the last it leaves the index and the table, but its descriptor stays open until
 * the last reference is put. While it is open no other file can have its numbers.
 */
#include "passthrough/share.h"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

enum { FIRST_BUCKETS = 16 };

/* What an inode is on this host. */
struct identity {
	uint64_t ino;
	uint32_t dev;
	uint32_t mount;
};

static struct vfi_inode_local *local_of(const struct vfi_guest *guest,
					const struct vfi_inode *inode)
{
	return vfi_table_local(&guest->inodes, inode);
}

static struct identity identify(const struct statx *st)
{
	struct vfi_mount mount = vfi_mount_of(st);
	struct identity who = { st->stx_ino, mount.dev, mount.id };

	return who;
}

static struct identity identity_of(const struct vfi_inode *inode)
{
	struct identity who = { inode->ino, inode->dev, inode->mount };

	return who;
}

static bool is_same(struct identity a, struct identity b)
{
	return a.ino == b.ino && a.dev == b.dev && a.mount == b.mount;
}

static uint64_t birth(const struct statx *st)
{
	if (!(st->stx_mask & STATX_BTIME))
		return 0;
	return (uint64_t)st->stx_btime.tv_sec * 1000000000u + st->stx_btime.tv_nsec;
}

/* The finalizer of MurmurHash3: every bit of the input reaches every bit of the output. */
static uint64_t mix(uint64_t h)
{
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
	return h ^ h >> 33;
}

static uint64_t hash(const struct vfi_guest *guest, struct identity who)
{
	return mix(mix(guest->seed ^ who.ino) ^ ((uint64_t)who.dev << 32 | who.mount));
}

/* Shards go by the upper bits of a hash, buckets by the lower. */
static struct vfi_inode_shard *shard_of(struct vfi_guest *guest, uint64_t h)
{
	return &guest->shards[(h >> 32) % VFI_INODE_SHARDS];
}

static uint32_t *bucket_of(struct vfi_inode_shard *shard, uint64_t h)
{
	return &shard->buckets[h & (shard->size - 1)];
}

static uint32_t *next_of(struct vfi_guest *guest, uint32_t index)
{
	return &local_of(guest, vfi_table_record(&guest->inodes, index))->next;
}

static struct vfi_inode *search(struct vfi_guest *guest, struct vfi_inode_shard *shard, uint64_t h,
				struct identity who)
{
	for (uint32_t i = *bucket_of(shard, h); i != 0; i = *next_of(guest, i)) {
		struct vfi_inode *inode = vfi_table_record(&guest->inodes, i);

		if (is_same(identity_of(inode), who))
			return inode;
	}
	return NULL;
}

/* Where chains get longer than two, double the buckets; without memory let them. */
static void maybe_grow(struct vfi_guest *guest, struct vfi_inode_shard *shard)
{
	uint32_t *old = shard->buckets;
	uint32_t old_size = shard->size;
	uint32_t *buckets;

	if (shard->count / 2 <= old_size || old_size > UINT32_MAX / 2)
		return;
	buckets = vfi_alloc_array(&guest->share->env, (size_t)old_size * 2, sizeof(*buckets));
	if (!buckets)
		return;
	shard->buckets = buckets;
	shard->size = old_size * 2;
	for (uint32_t i = 0; i < old_size; i++) {
		uint32_t index = old[i];

		while (index != 0) {
			struct vfi_inode *inode = vfi_table_record(&guest->inodes, index);
			uint32_t *bucket = bucket_of(shard, hash(guest, identity_of(inode)));
			uint32_t next = *next_of(guest, index);

			*next_of(guest, index) = *bucket;
			*bucket = index;
			index = next;
		}
	}
	vfi_free(&guest->share->env, old, old_size * sizeof(*old));
}

static void link_inode(struct vfi_guest *guest, struct vfi_inode_shard *shard,
		       struct vfi_inode *inode, uint64_t h)
{
	shard->count++;
	maybe_grow(guest, shard);
	local_of(guest, inode)->next = *bucket_of(shard, h);
	*bucket_of(shard, h) = inode->head.index;
}

static void unlink_inode(struct vfi_guest *guest, struct vfi_inode_shard *shard,
			 struct vfi_inode *inode, uint64_t h)
{
	uint32_t *link = bucket_of(shard, h);

	while (*link != inode->head.index)
		link = next_of(guest, *link);
	*link = local_of(guest, inode)->next;
	shard->count--;
}

/* The last that held an inode the guest does not know any more has put it. */
static void released(void *arg, void *record, void *local)
{
	struct vfi_guest *guest = arg;
	struct vfi_inode_local *inode = local;

	(void)record;
	close(inode->fd);
	vfi_budget_give(&guest->share->inodes);
}

static int init_shard(struct vfi_guest *guest, struct vfi_inode_shard *shard)
{
	shard->buckets = vfi_alloc_array(&guest->share->env, FIRST_BUCKETS, sizeof(uint32_t));
	if (!shard->buckets)
		return -ENOMEM;
	shard->size = FIRST_BUCKETS;
	pthread_mutex_init(&shard->lock, NULL);
	return 0;
}

static void destroy_shards(struct vfi_guest *guest)
{
	for (unsigned i = 0; i < VFI_INODE_SHARDS; i++) {
		struct vfi_inode_shard *shard = &guest->shards[i];

		if (!shard->buckets)
			continue;
		pthread_mutex_destroy(&shard->lock);
		vfi_free(&guest->share->env, shard->buckets, shard->size * sizeof(uint32_t));
	}
}

int vfi_inodes_init(struct vfi_guest *guest)
{
	const struct vfi_table_options options = {
		.max = guest->share->inodes.max,
		.record_size = sizeof(struct vfi_inode),
		.local_size = sizeof(struct vfi_inode_local),
		.released = released,
		.arg = guest,
	};
	int err = vfi_table_init(&guest->inodes, &options);

	if (err)
		return err;
	/* Early after boot there is no entropy, and what is found here must do. */
	if (getrandom(&guest->seed, sizeof(guest->seed), GRND_NONBLOCK) < 0)
		guest->seed = (uintptr_t)guest;
	for (unsigned i = 0; i < VFI_INODE_SHARDS && !err; i++)
		err = init_shard(guest, &guest->shards[i]);
	if (err) {
		destroy_shards(guest);
		vfi_table_destroy(&guest->inodes);
	}
	return err;
}

void vfi_inodes_destroy(struct vfi_guest *guest)
{
	vfi_table_destroy(&guest->inodes);
	destroy_shards(guest);
}

int vfi_node_open(struct vfi_guest *guest, uint64_t nodeid, struct vfi_node *node)
{
	struct vfi_inode *inode = vfi_table_get(&guest->inodes, nodeid);
	struct vfi_inode_local *local;

	if (!inode)
		return -ESTALE;
	local = local_of(guest, inode);
	*node = (struct vfi_node){ guest, inode, local->fd, &local->fresh };
	return 0;
}

void vfi_node_close(struct vfi_node *node)
{
	vfi_table_put(&node->guest->inodes, node->inode);
}

uint64_t vfi_inode_find(struct vfi_guest *guest, const struct statx *st)
{
	struct identity who = identify(st);
	uint64_t h = hash(guest, who);
	struct vfi_inode_shard *shard = shard_of(guest, h);
	struct vfi_inode *inode;
	uint64_t id = 0;

	pthread_mutex_lock(&shard->lock);
	inode = search(guest, shard, h, who);
	/*
	 * Between the statx and here the file may have gone and its numbers may
	 * have come to another; that one was born later.
	 */
	if (inode && inode->born == birth(st) && inode->type == (st->stx_mode & S_IFMT)) {
		inode->lookups++;
		id = vfi_table_id(inode);
	}
	pthread_mutex_unlock(&shard->lock);
	return id;
}

bool vfi_node_again(const struct vfi_node *node)
{
	struct vfi_guest *guest = node->guest;
	struct vfi_inode *inode = node->inode;
	struct vfi_inode_shard *shard = shard_of(guest, hash(guest, identity_of(inode)));
	bool known;

	pthread_mutex_lock(&shard->lock);
	known = inode->lookups != 0;
	if (known)
		inode->lookups++;
	pthread_mutex_unlock(&shard->lock);
	return known;
}

int vfi_inode_reserve(struct vfi_guest *guest, struct vfi_inode **room)
{
	void *record, *local;
	int err;

	if (!vfi_budget_take(guest->share, &guest->share->inodes))
		return -ENFILE;
	err = vfi_table_alloc(&guest->inodes, &record, &local);
	if (err) {
		vfi_budget_give(&guest->share->inodes);
		return err;
	}
	*room = record;
	return 0;
}

void vfi_inode_cancel(struct vfi_guest *guest, struct vfi_inode *room)
{
	vfi_table_cancel(&guest->inodes, room);
	vfi_budget_give(&guest->share->inodes);
}

uint64_t vfi_inode_add(struct vfi_guest *guest, struct vfi_inode *room, int fd,
		       const struct statx *st)
{
	struct identity who = identify(st);
	uint64_t h = hash(guest, who);
	struct vfi_inode_shard *shard = shard_of(guest, h);
	struct vfi_inode *inode;
	uint64_t id;

	room->dev = who.dev;
	room->ino = who.ino;
	room->mount = who.mount;
	room->type = st->stx_mode & S_IFMT;
	room->born = birth(st);
	room->lookups = 1;
	local_of(guest, room)->fd = fd;

	pthread_mutex_lock(&shard->lock);
	inode = search(guest, shard, h, who);
	if (inode) {
		/* Both descriptors are open, so this is the same file; some file
		 * systems let its time of birth be changed. */
		inode->born = room->born;
		inode->lookups++;
		id = vfi_table_id(inode);
	} else {
		link_inode(guest, shard, room, h);
		id = vfi_table_publish(&guest->inodes, room);
	}
	pthread_mutex_unlock(&shard->lock);
	if (inode) {
		close(fd);
		vfi_inode_cancel(guest, room);
	}
	return id;
}

void vfi_inode_forget(struct vfi_guest *guest, uint64_t nodeid, uint64_t n)
{
	struct vfi_inode *inode = vfi_table_get(&guest->inodes, nodeid);
	struct vfi_inode_shard *shard;
	uint64_t h;

	if (!inode)
		return;
	h = hash(guest, identity_of(inode));
	shard = shard_of(guest, h);
	pthread_mutex_lock(&shard->lock);
	/* The root is known for as long as the session lives. */
	if (nodeid != VIRTIOFS_FUSE_ROOT_ID && inode->lookups != 0) {
		inode->lookups -= vfi_min_u64(n, inode->lookups);
		if (inode->lookups == 0) {
			unlink_inode(guest, shard, inode, h);
			vfi_table_remove(&guest->inodes, inode);
		}
	}
	pthread_mutex_unlock(&shard->lock);
	vfi_table_put(&guest->inodes, inode);
}
