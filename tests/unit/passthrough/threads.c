/* SPDX-License-Identifier: BSD-2-Clause */
/* Several queues at once on one session. What the answers are is chance; that they are answers,
 * and that nothing is lost or left open, is not. */
#include "cold.h"

#include <pthread.h>

enum { THREADS = 4, ROUNDS = 2000, NAMES = 8 };

struct worker {
	struct guest guest;
	unsigned random;
	bool *done;
	pthread_t thread;
};

static unsigned pick(struct worker *w, unsigned n)
{
	/* Numerical Recipes' generator: its upper bits will do. */
	w->random = w->random * 1664525u + 1013904223u;
	return (w->random >> 16) % n;
}

static const char *pick_name(struct worker *w)
{
	static const char *const names[NAMES] = { "a", "b", "c", "d", "e", "f", "g", "h" };

	return names[pick(w, NAMES)];
}

/* cmocka's assertions are for the main thread: this ends the process, which is as loud. */
static void check_at(bool ok, int line)
{
	if (!ok) {
		fprintf(stderr, "threads.c:%d\n", line);
		abort();
	}
}

#define check(ok) check_at(ok, __LINE__)

static void use_file(struct worker *w, uint64_t node)
{
	struct guest *g = &w->guest;
	char buf[64];
	uint64_t fh;
	int err = do_open(g, node, O_RDWR, &fh);

	check(!err || err == -EISDIR || err == -ELOOP || err == -ESTALE);
	if (err)
		return;
	check(do_write(g, node, fh, pick(w, 32), "text", 0, 0) == 4);
	check(do_read(g, node, fh, 0, buf, sizeof(buf)) >= 4);
	check(do_release(g, node, fh) == 0);
}

static bool few_hot(struct guest *g)
{
	return guest_of(g)->share->hot->max < NAMES;
}

static void look_up(struct worker *w)
{
	struct guest *g = &w->guest;
	struct virtiofs_fuse_entry_out out;
	struct virtiofs_fuse_attr attr;
	int err = do_lookup(g, ROOT, pick_name(w), &out);

	check(!err || err == -ENOENT);
	if (err)
		return;
	err = do_getattr(g, out.nodeid, &attr);
	/* Without a descriptor it goes with its last name. */
	check(!err || (err == -ESTALE && few_hot(g)));
	check(err || attr.ino == out.attr.ino);
	use_file(w, out.nodeid);
	do_forget(g, out.nodeid, 1);
}

static void make_one(struct worker *w)
{
	struct guest *g = &w->guest;
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_create_out out;
	int err;

	switch (pick(w, 4)) {
	case 0:
		err = do_create(g, ROOT, pick_name(w), O_RDWR, 0600, &out);
		if (!err) {
			check(do_release(g, out.entry.nodeid, out.open.fh) == 0);
			do_forget(g, out.entry.nodeid, 1);
		}
		check(!err || err == -EISDIR || err == -ENOENT || err == -ELOOP ||
		      (err == -ESTALE && few_hot(g)));
		return;
	case 1:
		err = do_mkdir(g, ROOT, pick_name(w), 0700, &entry);
		break;
	case 2:
		err = do_mknod(g, ROOT, pick_name(w), S_IFREG | 0600, 0, &entry);
		break;
	default:
		err = do_symlink(g, ROOT, pick_name(w), "x", &entry);
		break;
	}
	if (!err)
		do_forget(g, entry.nodeid, 1);
	/* ENOENT: made, and gone before it could be looked at. */
	check(!err || err == -EEXIST || err == -ENOENT);
}

static void remove_one(struct worker *w)
{
	struct guest *g = &w->guest;
	int err;

	switch (pick(w, 3)) {
	case 0:
		err = do_unlink(g, ROOT, pick_name(w));
		check(!err || err == -ENOENT || err == -EISDIR);
		break;
	case 1:
		err = do_rmdir(g, ROOT, pick_name(w));
		check(!err || err == -ENOENT || err == -ENOTDIR);
		break;
	default:
		err = do_rename(g, ROOT, pick_name(w), ROOT, pick_name(w), 0);
		check(!err || err == -ENOENT || err == -ENOTDIR || err == -EISDIR);
		break;
	}
}

static void list_all(struct worker *w)
{
	struct guest *g = &w->guest;
	struct virtiofs_fuse_direntplus entry;
	char buf[4096];
	uint64_t fh;
	int n;

	check(do_opendir(g, ROOT, &fh) == 0);
	n = do_readdirplus(g, ROOT, fh, 0, buf, sizeof(buf));
	check(n > 0);
	for (size_t pos = 0; pos < (size_t)n;) {
		memcpy(&entry, buf + pos, sizeof(entry));
		if (entry.entry_out.nodeid)
			do_forget(g, entry.entry_out.nodeid, 1);
		pos += virtiofs_direntplus_size(entry.dirent.namelen);
	}
	check(do_releasedir(g, ROOT, fh) == 0);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS; i++) {
		switch (pick(w, 8)) {
		case 0:
			list_all(w);
			break;
		case 1:
		case 2:
			make_one(w);
			break;
		case 3:
			remove_one(w);
			break;
		default:
			look_up(w);
			break;
		}
	}
	return NULL;
}

static void run(struct guest *g, void *(*function)(void *), struct worker *workers)
{
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].guest = guest_on_thread(g);
		workers[i].random = 4711 + i;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, function, &workers[i]),
				 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
}

static void queues_at_once_lose_no_lookup(void **state)
{
	struct guest *g = *state;
	struct worker workers[THREADS];
	int before = count_descriptors();

	run(g, work, workers);
	/* Every lookup was forgotten, every handle released. */
	assert_int_equal(count_descriptors(), before);
}

/* A guest that lies about what it forgets, and uses what it forgot. */
static void *lie(void *arg)
{
	struct worker *w = arg;
	struct guest *g = &w->guest;
	struct virtiofs_fuse_entry_out out;
	struct virtiofs_fuse_attr attr;
	uint64_t fh;
	int err;

	for (int i = 0; i < ROUNDS; i++) {
		check(do_lookup(g, ROOT, pick_name(w), &out) == 0);
		do_forget(g, out.nodeid, pick(w, 2) ? UINT64_MAX : 1);
		err = do_getattr(g, out.nodeid, &attr);
		check(!err || err == -ESTALE);
		err = do_open(g, out.nodeid, O_RDONLY, &fh);
		check(!err || err == -ESTALE);
		if (!err) {
			/* Each of the two may be a number of another's by now, who lies too. */
			do_release(g, out.nodeid, fh);
			do_release(g, out.nodeid, fh);
		}
		err = do_link(g, out.nodeid, ROOT, "a", &out);
		check(err == -EEXIST || err == -ESTALE);
	}
	return NULL;
}

static void lying_guest_harms_but_itself(void **state)
{
	struct guest *g = *state;
	struct worker workers[THREADS] = { 0 };
	char name[2] = "a";

	for (int i = 0; i < NAMES; i++, name[0]++)
		host_write(g, name, "text");
	run(g, lie, workers);
	node_of(g, ROOT, "a");
}

static int setup_few_by_handle(void **state)
{
	return setup_hot(state, VIRTIOFS_INODE_FILE_HANDLES_PREFER, 2);
}

static int setup_few_by_name(void **state)
{
	return setup_hot(state, VIRTIOFS_INODE_FILE_HANDLES_NEVER, 2);
}

/* Names that stay, so that every answer is known, and far fewer descriptors than names. */
static void *use_cold(void *arg)
{
	struct worker *w = arg;
	struct guest *g = &w->guest;
	struct virtiofs_fuse_entry_out out;
	struct virtiofs_fuse_attr attr;
	uint64_t fh;

	for (int i = 0; i < ROUNDS; i++) {
		check(do_lookup(g, ROOT, pick_name(w), &out) == 0);
		check(do_getattr(g, out.nodeid, &attr) == 0);
		check(attr.ino == out.attr.ino);
		if (pick(w, 4) == 0) {
			check(do_open(g, out.nodeid, O_RDONLY, &fh) == 0);
			check(do_release(g, out.nodeid, fh) == 0);
		}
		if (pick(w, 4) == 0)
			vfi_hot_relieve(guest_of(g)->share->hot);
		do_forget(g, out.nodeid, 1);
	}
	return NULL;
}

static void inodes_get_cold_while_others_use_them(void **state)
{
	struct guest *g = *state;
	struct worker workers[THREADS] = { 0 };
	int before = count_descriptors();
	uint64_t nodes[NAMES];
	char name[2] = "a";

	for (int i = 0; i < NAMES; i++, name[0]++) {
		host_write(g, name, "text");
		nodes[i] = node_of(g, ROOT, name);
	}
	run(g, use_cold, workers);
	for (int i = 0; i < NAMES; i++)
		do_forget(g, nodes[i], 1);
	assert_int_equal(count_descriptors(), before);
	assert_int_equal(guest_of(g)->share->hot->used, 1);
}

/* Somebody on this host who makes files and removes them, each with the number of the last. */
static void *make_and_remove(void *arg)
{
	struct worker *w = arg;
	int fd;

	for (int i = 0; i < ROUNDS; i++) {
		fd = openat(w->guest.dir, "other", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		check(fd >= 0);
		close(fd);
		check(unlinkat(w->guest.dir, "other", 0) == 0);
	}
	__atomic_store_n(w->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void removed_file_is_stale_while_another_gets_its_number(void **state)
{
	struct guest *g = *state;
	bool done = false;
	struct worker w = { .guest = guest_on_thread(g), .done = &done };
	struct virtiofs_fuse_attr attr;
	uint64_t node;

	host_write(g, "file", "text");
	node = node_of(g, ROOT, "file");
	make_cold(g, node);
	assert_int_equal(unlinkat(g->dir, "file", 0), 0);
	assert_int_equal(pthread_create(&w.thread, NULL, make_and_remove, &w), 0);
	while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE))
		assert_int_equal(do_getattr(g, node, &attr), -ESTALE);
	assert_int_equal(pthread_join(w.thread, NULL), 0);
}

static int setup_few_remembered(void **state)
{
	int err = setup_few_by_handle(state);

	guest_of(*state)->remembers = true;
	return err;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(queues_at_once_lose_no_lookup),
		TEST(lying_guest_harms_but_itself),
#define TEST_FEW(name, setup) { #name "_" #setup, name, setup, guest_teardown, NULL }
		TEST_FEW(queues_at_once_lose_no_lookup, setup_few_by_handle),
		TEST_FEW(queues_at_once_lose_no_lookup, setup_few_by_name),
		TEST_FEW(queues_at_once_lose_no_lookup, setup_few_remembered),
		TEST_FEW(lying_guest_harms_but_itself, setup_few_by_handle),
		TEST_FEW(lying_guest_harms_but_itself, setup_few_by_name),
		TEST_FEW(lying_guest_harms_but_itself, setup_few_remembered),
		TEST_FEW(inodes_get_cold_while_others_use_them, setup_few_by_handle),
		TEST_FEW(inodes_get_cold_while_others_use_them, setup_few_by_name),
		TEST_FEW(inodes_get_cold_while_others_use_them, setup_few_remembered),
		TEST_FEW(removed_file_is_stale_while_another_gets_its_number, setup_few_by_handle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
