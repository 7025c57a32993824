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

struct vfi_inode_local *vfi_inode_local(const struct vfi_guest *guest,
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

bool vfi_inode_matches(const struct vfi_inode *inode, const struct statx *st)
{
	return is_same(identity_of(inode), identify(st)) && inode->type == (st->stx_mode & S_IFMT);
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
	return &vfi_inode_local(guest, vfi_table_record(&guest->inodes, index))->next;
}

struct vfi_inode_shard *vfi_inode_lock(struct vfi_guest *guest, const struct vfi_inode *inode)
{
	struct vfi_inode_shard *shard = shard_of(guest, hash(guest, identity_of(inode)));

	pthread_mutex_lock(&shard->lock);
	return shard;
}

bool vfi_inode_is_hot(const struct vfi_guest *guest, const struct vfi_inode *inode)
{
	return __atomic_load_n(&vfi_inode_local(guest, inode)->fd, __ATOMIC_RELAXED) >= 0;
}

/*
 * A hot inode of these numbers, which are nobody else's while its descriptor is open; or
 * a cold one for which there is proof. @cold: without it there is one that may be.
 */
static struct vfi_inode *search(struct vfi_guest *guest, struct vfi_inode_shard *shard, uint64_t h,
				struct identity who, const struct vfi_proof *proof, bool *cold)
{
	struct vfi_inode *found = NULL;

	for (uint32_t i = *bucket_of(shard, h); i != 0; i = *next_of(guest, i)) {
		struct vfi_inode *inode = vfi_table_record(&guest->inodes, i);

		if (!is_same(identity_of(inode), who))
			continue;
		if (vfi_inode_is_hot(guest, inode))
			return inode;
		if (!proof)
			*cold = true;
		else if (!found && vfi_proof_holds(guest, inode, proof))
			found = inode;
	}
	return found;
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
	vfi_inode_local(guest, inode)->next = *bucket_of(shard, h);
	*bucket_of(shard, h) = inode->head.index;
}

static void unlink_inode(struct vfi_guest *guest, struct vfi_inode_shard *shard,
			 struct vfi_inode *inode, uint64_t h)
{
	uint32_t *link = bucket_of(shard, h);

	while (*link != inode->head.index)
		link = next_of(guest, *link);
	*link = vfi_inode_local(guest, inode)->next;
	shard->count--;
}

/* The last that held an inode the guest does not know any more has put it. */
static void released(void *arg, void *record, void *local)
{
	struct vfi_guest *guest = arg;
	struct vfi_inode *inode = record;

	(void)local;
	vfi_hot_close(guest, inode);
	vfi_name_free(guest, inode);
	if (!(inode->flags & VFI_INODE_KEPT))
		vfi_mount_fd_put(guest->share, inode->mount);
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

/* What is made before the table, and goes after it. */
static int init_index(struct vfi_guest *guest)
{
	uint32_t size = guest->share->inodes.max + 1;
	int err = vfi_names_init(guest);

	if (!err)
		err = vfi_bitmap_init(&guest->hot, size);
	if (!err)
		err = vfi_bitmap_init(&guest->memory, size);
	for (unsigned i = 0; i < VFI_INODE_SHARDS && !err; i++)
		err = init_shard(guest, &guest->shards[i]);
	return err;
}

static void destroy_index(struct vfi_guest *guest)
{
	destroy_shards(guest);
	vfi_bitmap_destroy(&guest->memory);
	vfi_bitmap_destroy(&guest->hot);
	vfi_names_destroy(guest);
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
	int err;

	/* Early after boot there is no entropy, and what is found here must do. */
	if (getrandom(&guest->seed, sizeof(guest->seed), GRND_NONBLOCK) < 0)
		guest->seed = (uintptr_t)guest;
	err = init_index(guest);
	if (!err)
		err = vfi_table_init(&guest->inodes, &options);
	if (err)
		destroy_index(guest);
	return err;
}

void vfi_inodes_destroy(struct vfi_guest *guest)
{
	vfi_table_destroy(&guest->inodes);
	destroy_index(guest);
}

int vfi_node_open(struct vfi_guest *guest, uint64_t nodeid, struct vfi_node *node)
{
	struct vfi_inode *inode = vfi_table_get(&guest->inodes, nodeid);
	struct vfi_inode_local *local;
	int fd;

	if (!inode)
		return -ESTALE;
	local = vfi_inode_local(guest, inode);
	/* Held, and with a descriptor: it stays, for vfi_hot_demote() sees that it is held. */
	fd = __atomic_load_n(&local->fd, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&inode->used, __ATOMIC_RELAXED))
		__atomic_store_n(&inode->used, 1, __ATOMIC_RELAXED);
	if (fd < 0) {
		fd = vfi_hot_open(guest, inode);
		if (fd < 0) {
			vfi_table_put(&guest->inodes, inode);
			return fd;
		}
	}
	*node = (struct vfi_node){ guest, inode, fd, &local->fresh };
	return 0;
}

void vfi_node_close(struct vfi_node *node)
{
	vfi_table_put(&node->guest->inodes, node->inode);
}

/* One lookup more. With its shard's lock. */
static uint64_t count_lookup(struct vfi_guest *guest, struct vfi_inode *inode)
{
	vfi_remember_end(guest, inode);
	inode->lookups++;
	return vfi_table_id(inode);
}

uint64_t vfi_inode_find(struct vfi_guest *guest, int dir, const char *name, const struct statx *st)
{
	struct identity who = identify(st);
	uint64_t h = hash(guest, who);
	struct vfi_inode_shard *shard = shard_of(guest, h);
	struct vfi_inode *inode;
	struct vfi_proof proof;
	bool cold = false;
	uint64_t id = 0;

	pthread_mutex_lock(&shard->lock);
	inode = search(guest, shard, h, who, NULL, &cold);
	/*
	 * Between the statx and here the file may have gone and its numbers may
	 * have come to another; that one was born later.
	 */
	if (inode && inode->born == vfi_birth(st) && inode->type == (st->stx_mode & S_IFMT))
		id = count_lookup(guest, inode);
	pthread_mutex_unlock(&shard->lock);
	if (inode || !cold)
		return id;

	vfi_proof_take(&proof, dir, name, st);
	pthread_mutex_lock(&shard->lock);
	inode = search(guest, shard, h, who, &proof, &cold);
	/* Proven for later than the statx, it had its number all the time, and @st is of it. */
	if (inode && inode->born == vfi_birth(st) && inode->type == (st->stx_mode & S_IFMT))
		id = count_lookup(guest, inode);
	pthread_mutex_unlock(&shard->lock);
	return id;
}

bool vfi_node_again(const struct vfi_node *node)
{
	struct vfi_inode_shard *shard = vfi_inode_lock(node->guest, node->inode);
	bool known = __atomic_load_n(&node->inode->head.id, __ATOMIC_RELAXED) != 0;

	if (known)
		count_lookup(node->guest, node->inode);
	pthread_mutex_unlock(&shard->lock);
	return known;
}

int vfi_inode_reserve(struct vfi_guest *guest, struct vfi_inode **room)
{
	struct vfi_budget *budget = &guest->share->inodes;
	void *record, *local;
	int err;

	if (!vfi_hot_has_room(guest))
		return -ENFILE;
	if (!vfi_budget_try(budget)) {
		vfi_remember_evict(guest);
		if (!vfi_budget_take(guest->share, budget))
			return -ENFILE;
	}
	err = vfi_table_alloc(&guest->inodes, &record, &local);
	if (err) {
		vfi_budget_give(budget);
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

static void fill(struct vfi_guest *guest, struct vfi_inode *room, int fd, const struct statx *st)
{
	struct identity who = identify(st);
	struct vfi_mount_fd *mount;

	room->dev = who.dev;
	room->ino = who.ino;
	room->mount = who.mount;
	room->type = st->stx_mode & S_IFMT;
	room->born = vfi_birth(st);
	room->lookups = 1;
	vfi_inode_local(guest, room)->fd = fd;
	mount = vfi_mount_fd_get(guest->share, who.mount, fd, room->type);
	if (!mount)
		room->flags = VFI_INODE_KEPT;
	else if (mount->fd < 0)
		room->flags = VFI_INODE_BY_NAME;
}

/* Have @room in the index, or find what is there already: NULL, and @cold may be set. */
static struct vfi_inode *insert(struct vfi_guest *guest, struct vfi_inode *room,
				const struct vfi_proof *proof, bool *cold, uint64_t *id)
{
	struct identity who = identity_of(room);
	uint64_t h = hash(guest, who);
	struct vfi_inode_shard *shard = shard_of(guest, h);
	int fd = vfi_inode_local(guest, room)->fd;
	struct vfi_inode *inode;

	pthread_mutex_lock(&shard->lock);
	inode = search(guest, shard, h, who, proof, cold);
	if (inode) {
		/* Both descriptors are open, or it is proven, so this is the same file;
		 * some file systems let its time of birth be changed. */
		inode->born = room->born;
		if (!vfi_inode_is_hot(guest, inode)) {
			__atomic_store_n(&vfi_inode_local(guest, inode)->fd, fd, __ATOMIC_SEQ_CST);
			vfi_inode_local(guest, room)->fd = -1;
			vfi_hot_count(guest, inode);
		}
		*id = count_lookup(guest, inode);
	} else if (!*cold || proof) {
		link_inode(guest, shard, room, h);
		vfi_hot_count(guest, room);
		*id = vfi_table_publish(&guest->inodes, room);
		inode = room;
	}
	pthread_mutex_unlock(&shard->lock);
	return inode;
}

uint64_t vfi_inode_add(struct vfi_guest *guest, struct vfi_inode *room, int fd,
		       const struct statx *st)
{
	struct vfi_proof proof;
	struct vfi_inode *inode;
	bool cold = false;
	uint64_t id;

	fill(guest, room, fd, st);
	inode = insert(guest, room, NULL, &cold, &id);
	if (!inode) {
		vfi_proof_take(&proof, fd, "", st);
		inode = insert(guest, room, &proof, &cold, &id);
	}
	if (inode != room) {
		fd = vfi_inode_local(guest, room)->fd;
		if (fd >= 0)
			close(fd);
		if (!(room->flags & VFI_INODE_KEPT))
			vfi_mount_fd_put(guest->share, room->mount);
		vfi_inode_cancel(guest, room);
	}
	vfi_hot_trim(guest);
	return id;
}

bool vfi_inode_settle(struct vfi_guest *guest, struct vfi_inode_shard *shard,
		      struct vfi_inode *inode)
{
	/* The root is known for as long as the session lives. */
	if (inode->lookups != 0 || inode->remembered ||
	    vfi_inode_local(guest, inode)->children != 0 ||
	    vfi_table_id(inode) == VIRTIOFS_FUSE_ROOT_ID ||
	    !vfi_table_remove(&guest->inodes, inode))
		return false;
	unlink_inode(guest, shard, inode, hash(guest, identity_of(inode)));
	return true;
}

/* What goes on when the lookups of an inode that is held came to nothing. */
static bool forget(struct vfi_guest *guest, struct vfi_inode *inode, uint64_t n, bool *remember)
{
	struct vfi_inode_shard *shard = vfi_inode_lock(guest, inode);
	bool known = inode->lookups != 0;
	bool gone = false;

	*remember = false;
	inode->lookups -= vfi_min_u64(n, inode->lookups);
	if (known && inode->lookups == 0) {
		*remember =
			guest->remembers && !(inode->flags & (VFI_INODE_BY_NAME | VFI_INODE_KEPT));
		inode->remembered = *remember;
		gone = vfi_inode_settle(guest, shard, inode);
	}
	pthread_mutex_unlock(&shard->lock);
	return gone;
}

void vfi_inode_forget(struct vfi_guest *guest, uint64_t nodeid, uint64_t n)
{
	struct vfi_inode *inode = vfi_table_get(&guest->inodes, nodeid);
	bool remember;

	if (!inode)
		return;
	if (nodeid != VIRTIOFS_FUSE_ROOT_ID) {
		bool gone = forget(guest, inode, n, &remember);

		if (gone || remember)
			vfi_locks_forget(guest, nodeid);
		if (gone)
			vfi_name_drop(guest, inode);
		else if (remember)
			vfi_remember(guest, inode);
	}
	vfi_table_put(&guest->inodes, inode);
}

void vfi_inode_lost_child(struct vfi_guest *guest, uint64_t nodeid)
{
	/* Ancestors that only the name below them kept may go one after the other. */
	while (nodeid != 0) {
		struct vfi_inode *inode = vfi_table_get(&guest->inodes, nodeid);
		struct vfi_inode_shard *shard;
		bool gone;

		nodeid = 0;
		if (!inode)
			return;
		shard = vfi_inode_lock(guest, inode);
		vfi_inode_local(guest, inode)->children--;
		gone = vfi_inode_settle(guest, shard, inode);
		pthread_mutex_unlock(&shard->lock);
		if (gone)
			nodeid = vfi_name_take(guest, inode);
		vfi_table_put(&guest->inodes, inode);
	}
}
