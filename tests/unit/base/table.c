/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/test.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/table.h"

struct node {
	struct vfi_record head;
	uint64_t value;
};

struct node_local {
	struct vfi_local head;
	uint64_t copy; /* of value */
};

/* A table whose release is counted. */
struct fixture {
	struct vfi_table table;
	uint64_t released;	/* atomic */
	uint64_t last_released; /* value of the last one */
	uint64_t torn;		/* atomic: released with halves that do not match */
};

static void count_release(void *arg, void *record, void *local)
{
	struct fixture *f = arg;
	struct node *node = record;
	struct node_local *half = local;

	if (node->value != half->copy)
		__atomic_fetch_add(&f->torn, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&f->last_released, node->value, __ATOMIC_RELAXED);
	__atomic_fetch_add(&f->released, 1, __ATOMIC_RELAXED);
}

static void setup(struct fixture *f, uint32_t max)
{
	struct vfi_table_options options = {
		.max = max,
		.record_size = sizeof(struct node),
		.local_size = sizeof(struct node_local),
		.released = count_release,
		.arg = f,
	};

	memset(f, 0, sizeof(*f));
	assert_int_equal(vfi_table_init(&f->table, &options), 0);
}

static uint64_t add(struct fixture *f, uint64_t value)
{
	void *record, *local;

	if (vfi_table_alloc(&f->table, &record, &local))
		return 0;
	((struct node *)record)->value = value;
	((struct node_local *)local)->copy = value;
	return vfi_table_publish(&f->table, record);
}

static bool drop(struct fixture *f, uint64_t id)
{
	void *record = vfi_table_get(&f->table, id);
	bool removed;

	if (!record)
		return false;
	removed = vfi_table_remove(&f->table, record);
	vfi_table_put(&f->table, record);
	return removed;
}

static void first_id_is_one_and_zero_is_none(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 10);
	assert_null(vfi_table_get(&f.table, 1));
	assert_int_equal(add(&f, 7), 1);
	assert_null(vfi_table_get(&f.table, 0));
	assert_null(vfi_table_get(&f.table, 2));
	assert_null(vfi_table_get(&f.table, UINT64_MAX));
	assert_null(vfi_table_get(&f.table, 1 | UINT64_C(1) << 32));
	vfi_table_destroy(&f.table);
}

static void record_is_found_by_its_id_with_its_local(void **state)
{
	struct fixture f;
	uint64_t a, b;
	struct node *node;
	struct node_local *local;

	(void)state;
	setup(&f, 10);
	a = add(&f, 100);
	b = add(&f, 200);
	node = vfi_table_get(&f.table, b);
	assert_non_null(node);
	local = vfi_table_local(&f.table, node);
	assert_int_equal(node->value, 200);
	assert_int_equal(local->copy, 200);
	assert_int_equal(vfi_table_id(node), b);
	assert_int_not_equal(a, b);
	vfi_table_put(&f.table, node);
	vfi_table_destroy(&f.table);
}

static void id_of_a_removed_record_never_finds_its_successor(void **state)
{
	struct fixture f;
	uint64_t old, id;

	(void)state;
	setup(&f, 1);
	old = add(&f, 1);
	assert_true(drop(&f, old));
	id = add(&f, 2);
	assert_int_equal((uint32_t)id, (uint32_t)old);
	assert_int_not_equal(id, old);
	assert_null(vfi_table_get(&f.table, old));
	vfi_table_destroy(&f.table);
}

static void record_in_use_is_released_by_the_last_put(void **state)
{
	struct fixture f;
	uint64_t id;
	void *one, *two;

	(void)state;
	setup(&f, 4);
	id = add(&f, 5);
	one = vfi_table_get(&f.table, id);
	two = vfi_table_get(&f.table, id);
	assert_true(vfi_table_remove(&f.table, one));
	assert_false(vfi_table_remove(&f.table, two));
	assert_null(vfi_table_get(&f.table, id));
	vfi_table_put(&f.table, one);
	assert_int_equal(f.released, 0);
	assert_int_equal(((struct node *)two)->value, 5);
	vfi_table_put(&f.table, two);
	assert_int_equal(f.released, 1);
	assert_int_equal(f.last_released, 5);
	assert_int_equal(vfi_table_count(&f.table), 0);
	vfi_table_destroy(&f.table);
	assert_int_equal(f.released, 1);
}

static void index_is_held_while_something_is_published_there(void **state)
{
	struct fixture f;
	uint64_t id;
	void *one, *two;

	(void)state;
	setup(&f, 4);
	assert_null(vfi_table_hold(&f.table, 0));
	assert_null(vfi_table_hold(&f.table, 1));
	assert_null(vfi_table_hold(&f.table, UINT32_MAX));
	id = add(&f, 5);
	one = vfi_table_hold(&f.table, (uint32_t)id);
	assert_ptr_equal(one, vfi_table_record(&f.table, (uint32_t)id));
	assert_true(vfi_table_is_idle(&f.table, one));
	two = vfi_table_get(&f.table, id);
	assert_false(vfi_table_is_idle(&f.table, one));
	vfi_table_put(&f.table, two);
	assert_true(vfi_table_is_idle(&f.table, one));
	assert_true(vfi_table_remove(&f.table, one));
	assert_false(vfi_table_is_idle(&f.table, one));
	assert_null(vfi_table_hold(&f.table, (uint32_t)id));
	vfi_table_put(&f.table, one);
	assert_int_equal(f.released, 1);
	vfi_table_destroy(&f.table);
}

static void unpublished_record_is_invisible_and_can_be_cancelled(void **state)
{
	struct fixture f;
	void *record, *local;
	uint64_t id;

	(void)state;
	setup(&f, 1);
	assert_int_equal(vfi_table_alloc(&f.table, &record, &local), 0);
	assert_null(vfi_table_get(&f.table, vfi_table_id(record)));
	vfi_table_cancel(&f.table, record);
	assert_int_equal(f.released, 0);
	assert_int_equal(vfi_table_count(&f.table), 0);
	id = add(&f, 3);
	assert_int_not_equal(id, 0);
	vfi_table_destroy(&f.table);
}

static void reused_record_is_zero_behind_its_head(void **state)
{
	struct fixture f;
	void *record, *local;

	(void)state;
	setup(&f, 1);
	assert_true(drop(&f, add(&f, UINT64_MAX)));
	assert_int_equal(vfi_table_alloc(&f.table, &record, &local), 0);
	assert_int_equal(((struct node *)record)->value, 0);
	assert_int_equal(((struct node_local *)local)->copy, 0);
	vfi_table_cancel(&f.table, record);
	vfi_table_destroy(&f.table);
}

static void full_table_says_so_and_takes_again_after_a_removal(void **state)
{
	enum { MAX = 3 };
	struct fixture f;
	void *record, *local;

	(void)state;
	setup(&f, MAX);
	for (uint64_t i = 0; i < MAX; i++)
		assert_int_equal(add(&f, i), i + 1);
	assert_int_equal(vfi_table_alloc(&f.table, &record, &local), -ENFILE);
	assert_true(drop(&f, 2));
	assert_int_equal((uint32_t)add(&f, 9), 2);
	vfi_table_destroy(&f.table);
	assert_int_equal(f.released, MAX + 1);
}

static void records_do_not_move_while_the_table_grows(void **state)
{
	enum { MANY = 50000 };
	struct fixture f;
	struct node *first;

	(void)state;
	setup(&f, MANY);
	first = vfi_table_get(&f.table, add(&f, 0));
	for (uint64_t i = 1; i < MANY; i++)
		assert_int_not_equal(add(&f, i), 0);
	for (uint64_t id = 1; id <= MANY; id++) {
		struct node *node = vfi_table_get(&f.table, id);

		assert_non_null(node);
		assert_int_equal(node->value, id - 1);
		vfi_table_put(&f.table, node);
	}
	assert_ptr_equal(first, vfi_table_get(&f.table, 1));
	vfi_table_put(&f.table, first);
	vfi_table_put(&f.table, first);
	assert_int_equal(vfi_table_count(&f.table), MANY);
	vfi_table_destroy(&f.table);
	assert_int_equal(f.released, MANY);
}

static void huge_maximum_costs_only_address_space(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, 1u << 30);
	assert_int_equal(add(&f, 1), 1);
	vfi_table_destroy(&f.table);
}

static void index_with_no_generation_left_is_not_used_again(void **state)
{
	struct fixture f;
	struct node *node;
	uint64_t id;

	(void)state;
	setup(&f, 2);
	node = vfi_table_get(&f.table, add(&f, 1));
	assert_true(vfi_table_remove(&f.table, node));
	node->head.generation = UINT32_MAX - 1;
	vfi_table_put(&f.table, node);
	id = add(&f, 2);
	assert_int_equal((uint32_t)id, 2);
	assert_int_equal(add(&f, 3), 0);
	vfi_table_destroy(&f.table);
}

static void impossible_sizes_are_refused(void **state)
{
	struct vfi_table table;
	struct vfi_table_options options = {
		.max = 1,
		.record_size = sizeof(struct node),
		.local_size = sizeof(struct node_local),
		.released = count_release,
	};

	(void)state;
	options.max = 0;
	assert_int_equal(vfi_table_init(&table, &options), -EINVAL);
	options.max = UINT32_MAX;
	assert_int_equal(vfi_table_init(&table, &options), -EINVAL);
	options.max = 1;
	options.record_size = sizeof(struct vfi_record) - 8;
	assert_int_equal(vfi_table_init(&table, &options), -EINVAL);
	options.record_size = sizeof(struct node) + 1;
	assert_int_equal(vfi_table_init(&table, &options), -EINVAL);
	options.record_size = UINT32_MAX & ~7u;
	options.max = UINT32_MAX - 1;
	assert_int_equal(vfi_table_init(&table, &options), -ENOMEM);
}

/* Threads that add, look up and remove in a table far too small for them. */
enum { THREADS = 4, ROUNDS = 20000, SHARED_IDS = 8 };

struct racer {
	struct fixture *f;
	uint64_t *ids; /* SHARED_IDS, atomic */
	uint64_t seed;
	uint64_t added;
	uint64_t removed;
	uint64_t wrong;
};

static void *race(void *arg)
{
	struct racer *r = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t *slot, id;
		struct node *node;

		r->seed = r->seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		slot = &r->ids[(r->seed >> 33) % SHARED_IDS];
		id = __atomic_load_n(slot, __ATOMIC_RELAXED);
		node = vfi_table_get(&r->f->table, id);
		if (!node) {
			id = add(r->f, r->seed);
			r->added += id != 0;
			if (id != 0)
				id = __atomic_exchange_n(slot, id, __ATOMIC_RELAXED);
			if (id != 0)
				r->removed += drop(r->f, id);
			continue;
		}
		if (node->value != ((struct node_local *)vfi_table_local(&r->f->table, node))->copy)
			r->wrong++;
		if ((r->seed >> 40) % 4 == 0)
			r->removed += vfi_table_remove(&r->f->table, node);
		vfi_table_put(&r->f->table, node);
	}
	return NULL;
}

static void each_record_is_released_once_under_threads(void **state)
{
	uint64_t ids[SHARED_IDS] = { 0 };
	struct racer racers[THREADS];
	pthread_t threads[THREADS];
	uint64_t added = 0, removed = 0, wrong = 0;
	struct fixture f;

	(void)state;
	setup(&f, SHARED_IDS);
	for (unsigned i = 0; i < THREADS; i++) {
		racers[i] = (struct racer){ .f = &f, .ids = ids, .seed = i + 1 };
		assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		added += racers[i].added;
		removed += racers[i].removed;
		wrong += racers[i].wrong;
	}
	assert_int_equal(wrong, 0);
	assert_int_equal(f.torn, 0);
	assert_int_equal(f.released, removed);
	assert_int_equal(vfi_table_count(&f.table), added - removed);
	vfi_table_destroy(&f.table);
	assert_int_equal(f.released, added);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_id_is_one_and_zero_is_none),
		cmocka_unit_test(record_is_found_by_its_id_with_its_local),
		cmocka_unit_test(id_of_a_removed_record_never_finds_its_successor),
		cmocka_unit_test(record_in_use_is_released_by_the_last_put),
		cmocka_unit_test(index_is_held_while_something_is_published_there),
		cmocka_unit_test(unpublished_record_is_invisible_and_can_be_cancelled),
		cmocka_unit_test(reused_record_is_zero_behind_its_head),
		cmocka_unit_test(full_table_says_so_and_takes_again_after_a_removal),
		cmocka_unit_test(records_do_not_move_while_the_table_grows),
		cmocka_unit_test(huge_maximum_costs_only_address_space),
		cmocka_unit_test(index_with_no_generation_left_is_not_used_again),
		cmocka_unit_test(impossible_sizes_are_refused),
		cmocka_unit_test(each_record_is_released_once_under_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
