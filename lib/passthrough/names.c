/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names of inodes whose mount does not open by file handle: a parent's node id and a
 * component, by which a cold one is found again. It is what the guest last found it by,
 * and follows what the guest renames. It is a hint: what is found there has to be proven.
 *
 * An inode has one name or none, a name one inode or none. A parent is kept for as long
 * as there are names below it, known to the guest or not.
 */
#include "passthrough/share.h"

#include <errno.h>
#include <string.h>

enum { FIRST_BUCKETS = 64 };

static struct vfi_name **name_of(struct vfi_guest *guest, uint32_t index)
{
	const struct vfi_inode *inode = vfi_table_record(&guest->inodes, index);

	return &vfi_inode_local(guest, inode)->name;
}

static size_t size_of(size_t len)
{
	return sizeof(struct vfi_name) + len;
}

/* The finalizer of MurmurHash3, over eight bytes at a time. */
static uint64_t hash(const struct vfi_guest *guest, uint64_t parent, const char *text, size_t len)
{
	uint64_t h = guest->seed ^ parent;

	do {
		size_t n = vfi_min_u64(len, sizeof(uint64_t));
		uint64_t part = n;

		memcpy(&part, text, n);
		h ^= part;
		h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
		h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
		h ^= h >> 33;
		text += n;
		len -= n;
	} while (len > 0);
	return h;
}

static uint32_t *bucket_of(struct vfi_guest *guest, uint64_t parent, const char *text, size_t len)
{
	return &guest->names.buckets[hash(guest, parent, text, len) & (guest->names.size - 1)];
}

static bool is_called(const struct vfi_name *name, uint64_t parent, const char *text, size_t len)
{
	return name->parent == parent && name->len == len && memcmp(name->text, text, len) == 0;
}

/* Where there are more names than buckets, double them; without memory chains get longer. */
static bool make_buckets(struct vfi_guest *guest)
{
	struct vfi_names *names = &guest->names;
	uint32_t size = names->size ? names->size * 2 : FIRST_BUCKETS;
	uint32_t *old = names->buckets, old_size = names->size;
	uint32_t *buckets;

	if (names->size != 0 && (names->count < names->size || names->size > UINT32_MAX / 2))
		return true;
	buckets = vfi_alloc_array(&guest->share->env, size, sizeof(*buckets));
	if (!buckets)
		return names->size != 0;
	names->buckets = buckets;
	names->size = size;
	for (uint32_t i = 0; i < old_size; i++) {
		uint32_t index = old[i];

		while (index != 0) {
			struct vfi_name *name = *name_of(guest, index);
			uint32_t *bucket = bucket_of(guest, name->parent, name->text, name->len);
			uint32_t next = name->next;

			name->next = *bucket;
			*bucket = index;
			index = next;
		}
	}
	vfi_free(&guest->share->env, old, old_size * sizeof(*old));
	return true;
}

/* The index of who has that name; 0: nobody. */
static uint32_t search(struct vfi_guest *guest, uint64_t parent, const char *text, size_t len)
{
	uint32_t index = guest->names.size ? *bucket_of(guest, parent, text, len) : 0;

	while (index != 0 && !is_called(*name_of(guest, index), parent, text, len))
		index = (*name_of(guest, index))->next;
	return index;
}

/* Take the name from an inode. Returns the parent's node id, or 0: it had none. */
static uint64_t detach(struct vfi_guest *guest, uint32_t index)
{
	struct vfi_name *name = *name_of(guest, index);
	uint64_t parent = name ? name->parent : 0;
	uint32_t *link;

	if (parent == 0)
		return 0;
	link = bucket_of(guest, parent, name->text, name->len);
	while (*link != index)
		link = &(*name_of(guest, *link))->next;
	*link = name->next;
	name->parent = 0;
	__atomic_fetch_sub(&guest->names.count, 1, __ATOMIC_RELAXED);
	return parent;
}

static void free_name(struct vfi_guest *guest, struct vfi_name *name)
{
	if (name)
		vfi_free(&guest->share->env, name, size_of(name->len));
}

int vfi_names_init(struct vfi_guest *guest)
{
	return -pthread_mutex_init(&guest->names.lock, NULL);
}

void vfi_names_destroy(struct vfi_guest *guest)
{
	pthread_mutex_destroy(&guest->names.lock);
	vfi_free(&guest->share->env, guest->names.buckets,
		 guest->names.size * sizeof(*guest->names.buckets));
}

void vfi_name_free(struct vfi_guest *guest, const struct vfi_inode *inode)
{
	struct vfi_name *name = vfi_inode_local(guest, inode)->name;

	if (name)
		vfi_free(&guest->share->env, name->fh, sizeof(*name->fh));
	free_name(guest, name);
}

uint64_t vfi_name_take(struct vfi_guest *guest, struct vfi_inode *inode)
{
	uint64_t parent;

	pthread_mutex_lock(&guest->names.lock);
	parent = detach(guest, inode->head.index);
	pthread_mutex_unlock(&guest->names.lock);
	return parent;
}

void vfi_name_drop(struct vfi_guest *guest, struct vfi_inode *inode)
{
	if (inode->flags & VFI_INODE_BY_NAME)
		vfi_inode_lost_child(guest, vfi_name_take(guest, inode));
}

bool vfi_name_get(struct vfi_guest *guest, const struct vfi_inode *inode, uint64_t *parent,
		  char text[NAME_MAX + 1])
{
	const struct vfi_name *name;
	bool has;

	pthread_mutex_lock(&guest->names.lock);
	name = vfi_inode_local(guest, inode)->name;
	has = name && name->parent != 0;
	if (has) {
		*parent = name->parent;
		memcpy(text, name->text, name->len);
		text[name->len] = '\0';
	}
	pthread_mutex_unlock(&guest->names.lock);
	return has;
}

struct vfi_inode *vfi_name_find(struct vfi_guest *guest, uint64_t parent, const char *text)
{
	size_t len = strlen(text);
	struct vfi_inode *inode;
	uint32_t index;

	if (__atomic_load_n(&guest->names.count, __ATOMIC_RELAXED) == 0)
		return NULL;
	pthread_mutex_lock(&guest->names.lock);
	index = search(guest, parent, text, len);
	pthread_mutex_unlock(&guest->names.lock);
	inode = index ? vfi_table_hold(&guest->inodes, index) : NULL;
	if (!inode)
		return NULL;
	/* It may have gone, and another have come to its place. */
	pthread_mutex_lock(&guest->names.lock);
	index = search(guest, parent, text, len);
	pthread_mutex_unlock(&guest->names.lock);
	if (index == inode->head.index)
		return inode;
	vfi_table_put(&guest->inodes, inode);
	return NULL;
}

/* Count a child of a node that is still known. */
static bool gain_child(struct vfi_guest *guest, uint64_t nodeid)
{
	struct vfi_inode *inode = vfi_table_get(&guest->inodes, nodeid);
	struct vfi_inode_shard *shard;
	bool known;

	if (!inode)
		return false;
	shard = vfi_inode_lock(guest, inode);
	known = __atomic_load_n(&inode->head.id, __ATOMIC_RELAXED) != 0;
	if (known)
		vfi_inode_local(guest, inode)->children++;
	pthread_mutex_unlock(&shard->lock);
	vfi_table_put(&guest->inodes, inode);
	return known;
}

/* A name for an inode, with what is kept beside the one it has; none if there is no memory. */
static struct vfi_name *make_name(struct vfi_guest *guest, uint64_t parent, const char *text)
{
	size_t len = strlen(text);
	struct vfi_name *name;

	if (len > NAME_MAX)
		return NULL;
	name = vfi_alloc(&guest->share->env, size_of(len));
	if (!name)
		return NULL;
	if (parent != 0 && !gain_child(guest, parent)) {
		vfi_free(&guest->share->env, name, size_of(len));
		return NULL;
	}
	name->parent = parent;
	name->len = (uint16_t)len;
	memcpy(name->text, text, len);
	return name;
}

void vfi_name_set(struct vfi_guest *guest, struct vfi_inode *inode, uint64_t parent,
		  const char *text)
{
	uint32_t index = inode->head.index;
	struct vfi_name **place = name_of(guest, index);
	struct vfi_name *name, *old = NULL;
	uint64_t lost[3] = { 0, 0, 0 };
	uint32_t *bucket;

	/* Nothing is its own parent; where mounts are not told apart it may look like that. */
	name = parent == vfi_table_id(inode) ? NULL : make_name(guest, parent, text);
	pthread_mutex_lock(&guest->names.lock);
	lost[0] = detach(guest, index);
	if (name) {
		uint32_t other = search(guest, parent, text, name->len);

		old = *place;
		name->changed = old ? old->changed : 0;
		name->fh = old ? old->fh : NULL;
		if (other != 0)
			lost[1] = detach(guest, other);
		*place = name;
		/* Removed, it will not be asked again to let its name go. */
		if (make_buckets(guest) &&
		    __atomic_load_n(&inode->head.id, __ATOMIC_SEQ_CST) != 0) {
			bucket = bucket_of(guest, parent, text, name->len);
			name->next = *bucket;
			*bucket = index;
			__atomic_fetch_add(&guest->names.count, 1, __ATOMIC_RELAXED);
		} else {
			name->parent = 0;
			lost[2] = parent;
		}
	}
	pthread_mutex_unlock(&guest->names.lock);
	free_name(guest, old);
	for (size_t i = 0; i < VFI_ARRAY_SIZE(lost); i++)
		vfi_inode_lost_child(guest, lost[i]);
}

void vfi_name_note(struct vfi_guest *guest, uint64_t nodeid, uint64_t parent, const char *text)
{
	struct vfi_inode *inode = vfi_table_get(&guest->inodes, nodeid);
	const struct vfi_name *name;
	bool has;

	if (!inode)
		return;
	if ((inode->flags & VFI_INODE_BY_NAME) && nodeid != VIRTIOFS_FUSE_ROOT_ID) {
		pthread_mutex_lock(&guest->names.lock);
		name = vfi_inode_local(guest, inode)->name;
		has = name && is_called(name, parent, text, strlen(text));
		pthread_mutex_unlock(&guest->names.lock);
		if (!has)
			vfi_name_set(guest, inode, parent, text);
	}
	vfi_table_put(&guest->inodes, inode);
}

/* ---- What is kept with a name ---- */

void vfi_name_get_fh(struct vfi_guest *guest, const struct vfi_inode *inode, struct vfi_fh *fh)
{
	const struct vfi_name *name;

	pthread_mutex_lock(&guest->names.lock);
	name = vfi_inode_local(guest, inode)->name;
	if (name && name->fh)
		memcpy(fh->bytes, name->fh->bytes, sizeof(fh->bytes));
	else
		fh->size = 0;
	pthread_mutex_unlock(&guest->names.lock);
}

/* Have the inode a struct vfi_name to keep something in. With the lock. */
static struct vfi_name *need_name(struct vfi_guest *guest, const struct vfi_inode *inode)
{
	struct vfi_name **place = name_of(guest, inode->head.index);

	if (!*place)
		*place = vfi_alloc(&guest->share->env, size_of(0));
	return *place;
}

int vfi_name_set_fh(struct vfi_guest *guest, const struct vfi_inode *inode, const struct vfi_fh *fh)
{
	struct vfi_name *name;
	int err = -ENOMEM;

	pthread_mutex_lock(&guest->names.lock);
	name = need_name(guest, inode);
	if (name && !name->fh)
		name->fh = vfi_alloc(&guest->share->env, sizeof(*name->fh));
	if (name && name->fh) {
		*name->fh = *fh;
		err = 0;
	}
	pthread_mutex_unlock(&guest->names.lock);
	return err;
}

uint64_t vfi_name_changed(struct vfi_guest *guest, const struct vfi_inode *inode)
{
	const struct vfi_name *name;
	uint64_t changed;

	pthread_mutex_lock(&guest->names.lock);
	name = vfi_inode_local(guest, inode)->name;
	changed = name ? name->changed : 0;
	pthread_mutex_unlock(&guest->names.lock);
	return changed;
}

int vfi_name_set_changed(struct vfi_guest *guest, const struct vfi_inode *inode, uint64_t changed)
{
	struct vfi_name *name;

	pthread_mutex_lock(&guest->names.lock);
	name = need_name(guest, inode);
	if (name)
		name->changed = changed;
	pthread_mutex_unlock(&guest->names.lock);
	return name ? 0 : -ENOMEM;
}
