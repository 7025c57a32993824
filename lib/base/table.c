/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/table.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum {
	/* A multiple of every page size Linux has on our targets. */
	CHUNK = 64 * 1024,
	/* Index 0 stays unused, so that no id is 0. */
	FIRST_INDEX = 1,
};

static struct vfi_record *record_at(const struct vfi_table *table, uint32_t index)
{
	return (void *)(table->records + (size_t)index * table->options.record_size);
}

static struct vfi_local *local_at(const struct vfi_table *table, uint32_t index)
{
	return (void *)(table->locals + (size_t)index * table->options.local_size);
}

/* Bytes of the address space for an array of @max records; 0: too many. */
static size_t reserve_size(uint32_t max, uint32_t size)
{
	size_t total;

	if (__builtin_mul_overflow((size_t)max + FIRST_INDEX, (size_t)size, &total) ||
	    total > PTRDIFF_MAX - CHUNK)
		return 0;
	return (total + CHUNK - 1) / CHUNK * CHUNK;
}

static void *reserve(size_t size)
{
	void *memory;

	if (size == 0)
		return NULL;
	memory = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

static void unreserve(void *memory, size_t size)
{
	if (memory)
		munmap(memory, size);
}

/* Make at least @need bytes of an array usable. */
static int commit(unsigned char *array, size_t *committed, size_t need)
{
	size_t size = (need + CHUNK - 1) / CHUNK * CHUNK;

	if (need <= *committed)
		return 0;
	if (mprotect(array + *committed, size - *committed, PROT_READ | PROT_WRITE))
		return -ENOMEM;
	*committed = size;
	return 0;
}

int vfi_table_init(struct vfi_table *table, const struct vfi_table_options *options)
{
	size_t records_size = reserve_size(options->max, options->record_size);
	size_t locals_size = reserve_size(options->max, options->local_size);
	int saved = errno;

	if (options->max == 0 || options->max == UINT32_MAX || options->record_size % 8 ||
	    options->record_size < sizeof(struct vfi_record) || options->local_size % 8 ||
	    options->local_size < sizeof(struct vfi_local) || !options->released)
		return -EINVAL;
	memset(table, 0, sizeof(*table));
	table->options = *options;
	table->used = FIRST_INDEX;
	table->records = reserve(records_size);
	table->locals = reserve(locals_size);
	if (!table->records || !table->locals) {
		unreserve(table->records, records_size);
		unreserve(table->locals, locals_size);
		errno = saved;
		return -ENOMEM;
	}
	pthread_mutex_init(&table->lock, NULL);
	return 0;
}

void vfi_table_destroy(struct vfi_table *table)
{
	const struct vfi_table_options *options = &table->options;

	for (uint32_t i = FIRST_INDEX; i < table->used; i++) {
		struct vfi_local *local = local_at(table, i);

		assert(local->refs <= 1);
		if (local->refs != 0)
			options->released(options->arg, record_at(table, i), local);
	}
	unreserve(table->records, reserve_size(options->max, options->record_size));
	unreserve(table->locals, reserve_size(options->max, options->local_size));
	pthread_mutex_destroy(&table->lock);
}

/* Take an index never used before. With the lock held. */
static int extend(struct vfi_table *table, uint32_t *ret)
{
	uint32_t index = table->used;
	size_t end = (size_t)index + 1;
	int saved = errno;

	if (index > table->options.max)
		return -ENFILE;
	if (commit(table->records, &table->committed[0], end * table->options.record_size) ||
	    commit(table->locals, &table->committed[1], end * table->options.local_size)) {
		errno = saved;
		return -ENOMEM;
	}
	record_at(table, index)->index = index;
	/* From here on get() may look at it. */
	__atomic_store_n(&table->used, index + 1, __ATOMIC_RELEASE);
	*ret = index;
	return 0;
}

static int take_index(struct vfi_table *table, uint32_t *ret)
{
	int err = 0;

	pthread_mutex_lock(&table->lock);
	if (table->first_free != 0) {
		*ret = table->first_free;
		table->first_free = local_at(table, *ret)->next_free;
	} else {
		err = extend(table, ret);
	}
	pthread_mutex_unlock(&table->lock);
	return err;
}

static void give_index(struct vfi_table *table, uint32_t index)
{
	struct vfi_local *local = local_at(table, index);

	__atomic_fetch_sub(&table->count, 1, __ATOMIC_RELAXED);
	/* An index whose generations are used up is not used again: ids stay unique. */
	if (++record_at(table, index)->generation == UINT32_MAX)
		return;
	pthread_mutex_lock(&table->lock);
	local->next_free = table->first_free;
	table->first_free = index;
	pthread_mutex_unlock(&table->lock);
}

int vfi_table_alloc(struct vfi_table *table, void **record, void **local)
{
	uint32_t index;
	int err = take_index(table, &index);

	if (err)
		return err;
	__atomic_fetch_add(&table->count, 1, __ATOMIC_RELAXED);
	*record = record_at(table, index);
	*local = local_at(table, index);
	memset((char *)*record + sizeof(struct vfi_record), 0,
	       table->options.record_size - sizeof(struct vfi_record));
	memset((char *)*local + sizeof(struct vfi_local), 0,
	       table->options.local_size - sizeof(struct vfi_local));
	return 0;
}

uint64_t vfi_table_id(const void *record)
{
	const struct vfi_record *head = record;

	return head->index | (uint64_t)head->generation << 32;
}

uint64_t vfi_table_publish(struct vfi_table *table, void *record)
{
	struct vfi_record *head = record;
	uint64_t id = vfi_table_id(record);

	__atomic_store_n(&head->id, id, __ATOMIC_RELEASE);
	/* get() looks here first: this store is the one that publishes. */
	__atomic_store_n(&local_at(table, head->index)->refs, 1, __ATOMIC_RELEASE);
	return id;
}

void vfi_table_cancel(struct vfi_table *table, void *record)
{
	give_index(table, ((struct vfi_record *)record)->index);
}

/* Hold what is published at an index below used. */
static struct vfi_record *hold(struct vfi_table *table, uint32_t index)
{
	struct vfi_local *local = local_at(table, index);
	uint32_t refs = __atomic_load_n(&local->refs, __ATOMIC_RELAXED);

	do {
		if (refs == 0)
			return NULL;
		/* Sequentially consistent for vfi_table_is_idle(). */
	} while (!__atomic_compare_exchange_n(&local->refs, &refs, refs + 1, true, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	return record_at(table, index);
}

static bool was_used(const struct vfi_table *table, uint32_t index)
{
	return index >= FIRST_INDEX && index < __atomic_load_n(&table->used, __ATOMIC_ACQUIRE);
}

void *vfi_table_hold(struct vfi_table *table, uint32_t index)
{
	struct vfi_record *record = was_used(table, index) ? hold(table, index) : NULL;

	/* Removed, and held by others still. */
	if (record && __atomic_load_n(&record->id, __ATOMIC_ACQUIRE) == 0) {
		vfi_table_put(table, record);
		return NULL;
	}
	return record;
}

void *vfi_table_get(struct vfi_table *table, uint64_t id)
{
	uint32_t index = (uint32_t)id;
	struct vfi_record *record;

	if (!was_used(table, index))
		return NULL;
	if (__atomic_load_n(&record_at(table, index)->id, __ATOMIC_RELAXED) != id)
		return NULL;
	record = hold(table, index);
	if (!record)
		return NULL;
	/* Held, it cannot become another's; but it may have since the first look. */
	if (__atomic_load_n(&record->id, __ATOMIC_ACQUIRE) != id) {
		vfi_table_put(table, record);
		return NULL;
	}
	return record;
}

void vfi_table_put(struct vfi_table *table, void *record)
{
	uint32_t index = ((struct vfi_record *)record)->index;
	struct vfi_local *local = local_at(table, index);

	if (__atomic_fetch_sub(&local->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	table->options.released(table->options.arg, record, local);
	give_index(table, index);
}

bool vfi_table_remove(struct vfi_table *table, void *record)
{
	struct vfi_record *head = record;

	if (__atomic_exchange_n(&head->id, 0, __ATOMIC_ACQ_REL) == 0)
		return false;
	/* The reference of being published; the caller's own keeps the record here. */
	__atomic_fetch_sub(&local_at(table, head->index)->refs, 1, __ATOMIC_RELEASE);
	return true;
}

uint32_t vfi_table_count(const struct vfi_table *table)
{
	return __atomic_load_n(&table->count, __ATOMIC_RELAXED);
}
