/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables of what a guest knows by number: node ids, file handles.
 *
 * A table is two arrays, reserved at their maximum and committed by chunk, so
 * that nothing in them ever moves:
 *
 *	records:  fixed size, no pointer in them: what could be saved
 *	locals:	  what belongs to this process alone: descriptors, indexes, locks
 *
 * An id is looked up, never cast: index | generation << 32, where the generation
 * counts the uses of the index. 0 is never an id; the first id of a new table is 1.
 *
 * Life of a record:  alloc -> fill in -> publish -> (get -> put)... -> remove,
 * and when the last that got it has put it, released() runs and the index is free.
 * get and put take no lock.
 */
#ifndef VFI_TABLE_H
#define VFI_TABLE_H

#include <pthread.h>

#include "base/base.h"

/* Begins every record. Written by the table alone. */
struct vfi_record {
	uint64_t id; /* atomic; 0: not published */
	uint32_t index;
	uint32_t generation;
};

/* Begins every local. The table's alone. */
struct vfi_local {
	uint32_t refs; /* atomic: those that got the record, and 1 while it is published */
	uint32_t next_free;
};

struct vfi_table_options {
	uint32_t max;	      /* records at once */
	uint32_t record_size; /* of a struct that begins with struct vfi_record */
	uint32_t local_size;  /* of a struct that begins with struct vfi_local */
	/*
	 * A record that was published is out of reach: give back what it stands
	 * for. On the thread of the last put; no lock is held.
	 */
	void (*released)(void *arg, void *record, void *local);
	void *arg;
};

struct vfi_table {
	struct vfi_table_options options;
	unsigned char *records;
	unsigned char *locals;
	uint32_t used;	/* atomic: indexes below it are committed and were used once */
	uint32_t count; /* atomic: records allocated */

	pthread_mutex_t lock; /* protects what is below, and next_free of each local */
	uint32_t first_free;  /* 0: none */
	size_t committed[2];  /* bytes of records, of locals */
};

/* Make an empty table. Errors: -EINVAL a size that cannot be; -ENOMEM. */
int vfi_table_init(struct vfi_table *table, const struct vfi_table_options *options);
/* Release every record, published or not removed yet. Nobody has one any more. */
void vfi_table_destroy(struct vfi_table *table);

/*
 * Take an index. The record and its local are zero behind their heads, and the
 * caller's alone until published. Errors: -ENFILE the table is full; -ENOMEM.
 */
int vfi_table_alloc(struct vfi_table *table, void **record, void **local);
/* Make it known; returns its id. Afterwards it may be removed by anyone at any time. */
uint64_t vfi_table_publish(struct vfi_table *table, void *record);
/* The id that publish will return: for what has to be filled in with it. */
uint64_t vfi_table_id(const void *record);
/* Give back what was never published; released() does not run. */
void vfi_table_cancel(struct vfi_table *table, void *record);

/* The record of an id, held until vfi_table_put(); NULL: no such id. */
void *vfi_table_get(struct vfi_table *table, uint64_t id);
/* The same of an index, whatever its id; NULL: none is published there. */
void *vfi_table_hold(struct vfi_table *table, uint32_t index);
void vfi_table_put(struct vfi_table *table, void *record);
/*
 * Have get() find it no more. The caller holds it (and puts it afterwards).
 * Returns whether this call did it: of several at once, one does.
 */
bool vfi_table_remove(struct vfi_table *table, void *record);

/* The record at an index that was allocated. */
static inline void *vfi_table_record(const struct vfi_table *table, uint32_t index)
{
	return table->records + (size_t)index * table->options.record_size;
}

/* The other half of a record. */
static inline void *vfi_table_local(const struct vfi_table *table, const void *record)
{
	const struct vfi_record *head = record;

	return table->locals + (size_t)head->index * table->options.local_size;
}

/*
 * Whether nobody but the caller, who holds it, holds a record that is published.
 * Others may get it a moment later; what they do then comes after what the caller
 * did before (sequential consistency), so that one of both sees the other.
 */
static inline bool vfi_table_is_idle(const struct vfi_table *table, const void *record)
{
	const struct vfi_record *head = record;
	const struct vfi_local *local = vfi_table_local(table, record);

	return __atomic_load_n(&head->id, __ATOMIC_SEQ_CST) != 0 &&
	       __atomic_load_n(&local->refs, __ATOMIC_SEQ_CST) == 2;
}

/* How many records are allocated. Thread: any. */
uint32_t vfi_table_count(const struct vfi_table *table);

#endif /* VFI_TABLE_H */
