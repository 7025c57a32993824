/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks: whose they are, against whom they hold, what takes them away, and who waits for them. */
#include "guest.h"

#include <pthread.h>
#include <sys/file.h>

enum { ALICE = 1, BOB = 2, CAROL = 3 };

static const uint64_t second = 1000000000;
static const uint64_t whole = INT64_MAX;

static int setup_locks(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	struct guest *g;

	options.posix_lock = VIRTIOFS_ON;
	options.flock = VIRTIOFS_ON;
	guest_setup_with(state, &options);
	g = *state;
	host_write(g, "file", "text");
	return 0;
}

struct file {
	uint64_t node, fh;
};

static struct file open_file(struct guest *g)
{
	struct file f = { .node = node_of(g, ROOT, "file") };

	assert_int_equal(do_open(g, f.node, O_RDWR, &f.fh), 0);
	return f;
}

static struct virtiofs_fuse_lk_in lock_of(struct file f, uint64_t owner, int type, uint64_t start,
					  uint64_t end)
{
	return (struct virtiofs_fuse_lk_in){
		.fh = f.fh,
		.owner = owner,
		.lk = { .start = start,
			.end = end,
			.type = (uint32_t)type,
			.pid = 100 + (uint32_t)owner },
	};
}

static int set_lock(struct guest *g, struct file f, uint64_t owner, int type, uint64_t start,
		    uint64_t end)
{
	const struct virtiofs_fuse_lk_in in = lock_of(f, owner, type, start, end);

	g->ops->setlk(g->session, fake_req(&g->req), f.node, &in, false);
	return fake_reply_error(&g->req);
}

static int set_flock(struct guest *g, struct file f, uint64_t owner, int type)
{
	struct virtiofs_fuse_lk_in in = lock_of(f, owner, type, 0, whole);

	in.lk_flags = VIRTIOFS_FUSE_LK_FLOCK;
	g->ops->setlk(g->session, fake_req(&g->req), f.node, &in, false);
	return fake_reply_error(&g->req);
}

/* A request that waits. */
static void want(struct guest *g, struct virtiofs_req *req, struct file f, uint64_t owner, int type)
{
	const struct virtiofs_fuse_lk_in in = lock_of(f, owner, type, 0, whole);

	memset(req, 0, sizeof(*req));
	g->ops->setlk(g->session, req, f.node, &in, true);
}

static void get_lock(struct guest *g, struct file f, uint64_t owner, int type,
		     struct virtiofs_fuse_lk_out *out)
{
	const struct virtiofs_fuse_lk_in in = lock_of(f, owner, type, 0, whole);

	g->ops->getlk(g->session, fake_req(&g->req), f.node, &in);
	assert_int_equal(fake_reply_body(&g->req, out, sizeof(*out)), 0);
}

static int flush_of(struct guest *g, struct file f, uint64_t owner)
{
	const struct virtiofs_fuse_flush_in in = { .fh = f.fh, .lock_owner = owner };

	g->ops->flush(g->session, fake_req(&g->req), f.node, &in);
	return fake_reply_error(&g->req);
}

/* ---- Whose they are ---- */

static void lock_is_its_owners(void **state)
{
	struct guest *g = *state;
	struct file f = open_file(g), other = open_file(g);

	assert_int_equal(set_lock(g, f, ALICE, F_WRLCK, 0, 9), 0);
	/* By whichever handle: it is the process's. */
	assert_int_equal(set_lock(g, other, ALICE, F_RDLCK, 5, 5), 0);
	assert_int_equal(set_lock(g, other, ALICE, F_WRLCK, 5, 5), 0);
	assert_int_equal(set_lock(g, f, BOB, F_WRLCK, 9, 9), -EAGAIN);
	assert_int_equal(set_lock(g, f, BOB, F_RDLCK, 9, 20), -EAGAIN);
	assert_int_equal(set_lock(g, f, BOB, F_WRLCK, 10, 20), 0);
	assert_int_equal(set_lock(g, f, ALICE, F_UNLCK, 5, 9), 0);
	assert_int_equal(set_lock(g, f, BOB, F_WRLCK, 5, 9), 0);
	assert_int_equal(set_lock(g, f, BOB, F_WRLCK, 4, 4), -EAGAIN);
	assert_int_equal(set_lock(g, f, CAROL, F_UNLCK, 0, whole), 0);
}

static void readers_share(void **state)
{
	struct guest *g = *state;
	struct file f = open_file(g);

	assert_int_equal(set_lock(g, f, ALICE, F_RDLCK, 0, whole), 0);
	assert_int_equal(set_lock(g, f, BOB, F_RDLCK, 0, UINT64_MAX), 0);
	assert_int_equal(set_lock(g, f, BOB, F_WRLCK, 0, whole), -EAGAIN);
	assert_int_equal(set_lock(g, f, ALICE, F_UNLCK, 0, whole), 0);
	assert_int_equal(set_lock(g, f, BOB, F_WRLCK, 0, whole), 0);
}

static void flock_is_another_lock(void **state)
{
	struct guest *g = *state;
	struct file f = open_file(g);

	assert_int_equal(set_lock(g, f, ALICE, F_WRLCK, 0, whole), 0);
	assert_int_equal(set_flock(g, f, BOB, F_WRLCK), 0);
	assert_int_equal(set_flock(g, f, CAROL, F_RDLCK), -EAGAIN);
	/* The flush of a process does not end it. */
	assert_int_equal(flush_of(g, f, BOB), 0);
	assert_int_equal(set_flock(g, f, CAROL, F_RDLCK), -EAGAIN);
	assert_int_equal(set_flock(g, f, BOB, F_RDLCK), 0);
	assert_int_equal(set_flock(g, f, CAROL, F_RDLCK), 0);
	assert_int_equal(set_flock(g, f, BOB, F_UNLCK), 0);
	assert_int_equal(set_flock(g, f, CAROL, F_WRLCK), 0);
}

static void it_holds_against_this_hosts_programs(void **state)
{
	struct guest *g = *state;
	struct file f = open_file(g);
	int fd = openat(g->dir, "file", O_RDWR | O_CLOEXEC);
	struct flock range = { .l_type = F_WRLCK, .l_start = 2, .l_len = 1 };

	assert_int_equal(set_lock(g, f, ALICE, F_WRLCK, 2, 2), 0);
	assert_int_equal(set_flock(g, f, ALICE, F_WRLCK), 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &range), -1);
	assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), -1);
	range.l_start = 1;
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &range), 0);
	assert_int_equal(set_lock(g, f, ALICE, F_WRLCK, 1, 1), -EAGAIN);
	close(fd);
}

static void it_is_told_who_has_one(void **state)
{
	struct guest *g = *state;
	struct file f = open_file(g);
	struct virtiofs_fuse_lk_out out;
	struct flock range = { .l_type = F_WRLCK, .l_start = 50, .l_len = 0 };
	int fd;

	get_lock(g, f, ALICE, F_WRLCK, &out);
	assert_int_equal(out.lk.type, F_UNLCK);
	assert_int_equal(set_lock(g, f, ALICE, F_RDLCK, 3, 7), 0);
	get_lock(g, f, ALICE, F_WRLCK, &out);
	assert_int_equal(out.lk.type, F_UNLCK);
	get_lock(g, f, BOB, F_RDLCK, &out);
	assert_int_equal(out.lk.type, F_UNLCK);
	get_lock(g, f, BOB, F_WRLCK, &out);
	assert_int_equal(out.lk.type, F_RDLCK);
	assert_int_equal(out.lk.start, 3);
	assert_int_equal(out.lk.end, 7);
	assert_int_equal(out.lk.pid, 100 + ALICE);
	assert_int_equal(flush_of(g, f, ALICE), 0);
	fd = openat(g->dir, "file", O_RDWR | O_CLOEXEC);
	assert_int_equal(fcntl(fd, F_SETLK, &range), 0);
	get_lock(g, f, BOB, F_RDLCK, &out);
	assert_int_equal(out.lk.type, F_WRLCK);
	assert_int_equal(out.lk.start, 50);
	assert_int_equal(out.lk.end, INT64_MAX);
	/* A number of this host's means nothing there. */
	assert_int_equal(out.lk.pid, 0);
	close(fd);
}

/* ---- What takes them away ---- */

static void any_close_of_the_owners_does(void **state)
{
	struct guest *g = *state;
	struct file f = open_file(g), other = open_file(g);
	int before = count_descriptors();

	assert_int_equal(set_lock(g, f, ALICE, F_WRLCK, 0, whole), 0);
	assert_int_equal(flush_of(g, other, BOB), 0);
	assert_int_equal(set_lock(g, f, BOB, F_WRLCK, 0, whole), -EAGAIN);
	assert_int_equal(flush_of(g, other, ALICE), 0);
	assert_int_equal(set_lock(g, f, BOB, F_WRLCK, 0, whole), 0);
	assert_int_equal(flush_of(g, f, BOB), 0);
	assert_int_equal(count_descriptors(), before);
}

static void release_of_the_handle_does(void **state)
{
	struct guest *g = *state;
	struct file f = open_file(g), other = open_file(g);

	assert_int_equal(set_lock(g, f, ALICE, F_WRLCK, 0, whole), 0);
	assert_int_equal(set_flock(g, f, ALICE, F_WRLCK), 0);
	assert_int_equal(do_release(g, f.node, f.fh), 0);
	assert_int_equal(set_lock(g, other, BOB, F_WRLCK, 0, whole), 0);
	assert_int_equal(set_flock(g, other, BOB, F_WRLCK), 0);
}

static void forget_does(void **state)
{
	struct guest *g = *state;

	for (int remembers = 0; remembers < 2; remembers++) {
		struct file f = open_file(g), again;

		((struct vfi_guest *)g->session)->remembers = remembers;
		assert_int_equal(set_lock(g, f, ALICE, F_WRLCK, 0, whole), 0);
		do_forget(g, f.node, UINT64_MAX);
		again = open_file(g);
		assert_int_equal(set_lock(g, again, BOB, F_WRLCK, 0, whole), 0);
		assert_int_equal(flush_of(g, again, BOB), 0);
	}
}

static void end_of_the_session_does(void **state)
{
	struct guest *g = *state;
	struct file f = open_file(g);
	int fd = openat(g->dir, "file", O_RDWR | O_CLOEXEC);

	assert_int_equal(set_flock(g, f, ALICE, F_WRLCK), 0);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
	g->ops->session_end(g->session);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	close(fd);
	assert_int_equal(g->ops->session_begin(g->fs->fs, &g->session, &g->init), 0);
}

/* ---- What is refused ---- */

static void nonsense_is_refused(void **state)
{
	struct guest *g = *state;
	struct file f = open_file(g);
	const struct file none = { f.node, 4711 }, wrong = { ROOT, f.fh };
	const struct virtiofs_fuse_lk_in unlock = lock_of(f, ALICE, F_UNLCK, 0, 1);

	assert_int_equal(set_lock(g, none, ALICE, F_WRLCK, 0, 1), -EBADF);
	assert_int_equal(set_lock(g, wrong, ALICE, F_WRLCK, 0, 1), -EBADF);
	assert_int_equal(set_lock(g, f, ALICE, 77, 0, 1), -EINVAL);
	assert_int_equal(set_lock(g, f, ALICE, F_WRLCK, 2, 1), -EINVAL);
	assert_int_equal(set_lock(g, f, ALICE, F_WRLCK, 1ull << 63, UINT64_MAX), -EINVAL);
	assert_int_equal(set_lock(g, f, ALICE, F_WRLCK, INT64_MAX, UINT64_MAX), 0);
	g->ops->getlk(g->session, fake_req(&g->req), f.node, &unlock);
	assert_int_equal(fake_reply_error(&g->req), -EINVAL);
}

static void owners_are_bounded_as_handles_are(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	struct guest *g;
	struct file f;

	options.posix_lock = VIRTIOFS_ON;
	options.max_handles = 4;
	guest_setup_with(state, &options);
	g = *state;
	host_write(g, "file", "text");
	f = open_file(g);
	for (uint64_t owner = 1; owner <= 3; owner++)
		assert_int_equal(set_lock(g, f, owner, F_RDLCK, 0, whole), 0);
	assert_int_equal(set_lock(g, f, 4, F_RDLCK, 0, whole), -ENOLCK);
	assert_int_equal(flush_of(g, f, 2), 0);
	assert_int_equal(set_lock(g, f, 4, F_RDLCK, 0, whole), 0);
	/* What was not asked for is not there. */
	assert_int_equal(set_flock(g, f, ALICE, F_WRLCK), -ENOSYS);
	guest_teardown(state);
}

static void reader_of_a_file_he_may_not_write_locks_it(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	struct guest *g;
	struct file f;

	options.posix_lock = VIRTIOFS_ON;
	options.readonly = VIRTIOFS_ON;
	guest_setup_with(state, &options);
	g = *state;
	host_write(g, "file", "text");
	f.node = node_of(g, ROOT, "file");
	assert_int_equal(do_open(g, f.node, O_RDONLY, &f.fh), 0);
	assert_int_equal(set_lock(g, f, ALICE, F_RDLCK, 0, whole), 0);
	assert_int_equal(set_lock(g, f, ALICE, F_WRLCK, 0, whole), -EBADF);
	guest_teardown(state);
}

/* ---- Waiting ---- */

static void who_waits_gets_it_first_come_first_served(void **state)
{
	static struct virtiofs_req bob, carol;
	struct guest *g = *state;
	struct file f = open_file(g);

	assert_int_equal(set_lock(g, f, ALICE, F_WRLCK, 0, whole), 0);
	want(g, &bob, f, BOB, F_WRLCK);
	want(g, &carol, f, CAROL, F_WRLCK);
	assert_int_equal(bob.replies + carol.replies, 0);
	assert_true(bob.wait_ns > 0 && carol.wait_ns > 0);
	assert_int_equal(set_lock(g, f, ALICE, F_UNLCK, 0, whole), 0);
	assert_int_equal(fake_reply_error(&bob), 0);
	assert_int_equal(carol.replies, 0);
	assert_int_equal(flush_of(g, f, BOB), 0);
	assert_int_equal(fake_reply_error(&carol), 0);
	assert_int_equal(set_lock(g, f, ALICE, F_RDLCK, 0, 0), -EAGAIN);
}

static void all_readers_go_on_at_once(void **state)
{
	static struct virtiofs_req waiting[8];
	struct guest *g = *state;
	struct file f = open_file(g);

	assert_int_equal(set_lock(g, f, ALICE, F_WRLCK, 0, whole), 0);
	for (uint64_t i = 0; i < 8; i++)
		want(g, &waiting[i], f, 10 + i, F_RDLCK);
	/* A writer becomes a reader. */
	assert_int_equal(set_lock(g, f, ALICE, F_RDLCK, 0, whole), 0);
	for (int i = 0; i < 8; i++)
		assert_int_equal(fake_reply_error(&waiting[i]), 0);
}

static void release_wakes_who_waits_and_ends_what_waits_by_it(void **state)
{
	static struct virtiofs_req bob, carol;
	struct guest *g = *state;
	struct file f = open_file(g), other = open_file(g);

	assert_int_equal(set_lock(g, f, ALICE, F_WRLCK, 0, whole), 0);
	want(g, &bob, other, BOB, F_WRLCK);
	want(g, &carol, f, CAROL, F_WRLCK);
	assert_int_equal(do_release(g, f.node, f.fh), 0);
	assert_int_equal(fake_reply_error(&bob), 0);
	assert_int_equal(fake_reply_error(&carol), -EBADF);
}

/* What this host's programs held nobody tells of: the clock does. */
static void lock_of_a_program_of_this_host_is_waited_for_too(void **state)
{
	static struct virtiofs_req bob;
	struct guest *g = *state;
	struct file f = open_file(g);
	int fd = openat(g->dir, "file", O_RDWR | O_CLOEXEC);
	uint64_t before;

	assert_int_equal(flock(fd, LOCK_EX), 0);
	memset(&bob, 0, sizeof(bob));
	{
		struct virtiofs_fuse_lk_in in = lock_of(f, BOB, F_WRLCK, 0, whole);

		in.lk_flags = VIRTIOFS_FUSE_LK_FLOCK;
		g->ops->setlk(g->session, &bob, f.node, &in, true);
	}
	before = bob.wait_ns;
	g->ops->expire(g->session, &bob);
	assert_int_equal(bob.replies, 0);
	assert_int_equal(bob.wait_ns, 2 * before);
	for (int i = 0; i < 20; i++)
		g->ops->expire(g->session, &bob);
	/* Not so seldom that it would be felt. */
	assert_in_range(bob.wait_ns, second / 10, second);
	close(fd);
	g->ops->expire(g->session, &bob);
	assert_int_equal(fake_reply_error(&bob), 0);
}

static void wait_has_an_end(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	static struct virtiofs_req bob;
	struct guest *g;
	struct file f;

	options.posix_lock = VIRTIOFS_ON;
	options.lock_timeout = second / 50;
	guest_setup_with(state, &options);
	g = *state;
	host_write(g, "file", "text");
	f = open_file(g);
	assert_int_equal(set_lock(g, f, ALICE, F_WRLCK, 0, whole), 0);
	want(g, &bob, f, BOB, F_WRLCK);
	assert_int_equal(bob.replies, 0);
	usleep(25000);
	g->ops->expire(g->session, &bob);
	assert_int_equal(fake_reply_error(&bob), -EAGAIN);
	guest_teardown(state);
	options.lock_timeout = VIRTIOFS_NO_TIME;
	guest_setup_with(state, &options);
	g = *state;
	host_write(g, "file", "text");
	f = open_file(g);
	assert_int_equal(set_lock(g, f, ALICE, F_WRLCK, 0, whole), 0);
	want(g, &bob, f, BOB, F_WRLCK);
	assert_int_equal(fake_reply_error(&bob), -EAGAIN);
	guest_teardown(state);
}

static void wait_may_be_for_ever(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	static struct virtiofs_req bob;
	struct guest *g;
	struct file f;

	options.posix_lock = VIRTIOFS_ON;
	options.lock_timeout = VIRTIOFS_NO_TIME - 1;
	guest_setup_with(state, &options);
	g = *state;
	host_write(g, "file", "text");
	f = open_file(g);
	assert_int_equal(set_lock(g, f, ALICE, F_WRLCK, 0, whole), 0);
	want(g, &bob, f, BOB, F_WRLCK);
	g->ops->expire(g->session, &bob);
	assert_int_equal(bob.replies, 0);
	assert_int_equal(flush_of(g, f, ALICE), 0);
	assert_int_equal(fake_reply_error(&bob), 0);
	guest_teardown(state);
}

static void wait_can_be_cancelled(void **state)
{
	static struct virtiofs_req bob, carol, none;
	struct guest *g = *state;
	struct file f = open_file(g);

	assert_int_equal(set_lock(g, f, ALICE, F_WRLCK, 0, whole), 0);
	want(g, &bob, f, BOB, F_WRLCK);
	want(g, &carol, f, CAROL, F_WRLCK);
	bob.interrupted = true;
	g->ops->cancel(g->session, &bob);
	assert_int_equal(fake_reply_error(&bob), -EINTR);
	/* Without a signal EINTR would be an error 512 to the guest's program. */
	g->ops->cancel(g->session, &carol);
	assert_int_equal(fake_reply_error(&carol), -EAGAIN);
	g->ops->cancel(g->session, &none);
	g->ops->expire(g->session, &none);
	assert_int_equal(none.replies, 0);
	assert_int_equal(set_lock(g, f, ALICE, F_UNLCK, 0, whole), 0);
}

static void too_many_may_not_wait(void **state)
{
	static struct virtiofs_req bob;
	struct guest *g = *state;
	struct file f = open_file(g);
	const struct virtiofs_fuse_lk_in in = lock_of(f, BOB, F_WRLCK, 0, whole);

	assert_int_equal(set_lock(g, f, ALICE, F_WRLCK, 0, whole), 0);
	memset(&bob, 0, sizeof(bob));
	bob.wait_error = -ENOLCK;
	g->ops->setlk(g->session, &bob, f.node, &in, true);
	assert_int_equal(fake_reply_error(&bob), -ENOLCK);
}

static void locks_are_options(void **state)
{
	struct guest *g = *state;

	assert_null(g->ops->setlk);
	assert_null(g->ops->getlk);
	assert_null(g->ops->expire);
	assert_null(g->ops->cancel);
}

/* ---- Several queues at once ---- */

enum { THREADS = 4, ROUNDS = 3000 };

struct worker {
	struct guest guest;
	struct file f;
	uint64_t owner;
	int *inside; /* how many have the lock */
	pthread_t thread;
};

static void *lock_and_unlock(void *arg)
{
	struct worker *w = arg;
	struct guest *g = &w->guest;

	for (int i = 0; i < ROUNDS; i++) {
		const struct virtiofs_fuse_lk_in in = lock_of(w->f, w->owner, F_WRLCK, 0, whole);
		struct virtiofs_req *req = fake_req(&g->req);

		g->ops->setlk(g->session, req, w->f.node, &in, true);
		/* An answer may come from another thread, which wakes it in its unlock. */
		while (__atomic_load_n(&req->replies, __ATOMIC_ACQUIRE) == 0) {
			if (i % 16 == 0)
				g->ops->expire(g->session, req);
			sched_yield();
		}
		if (req->error || __atomic_add_fetch(w->inside, 1, __ATOMIC_SEQ_CST) != 1)
			abort();
		__atomic_sub_fetch(w->inside, 1, __ATOMIC_SEQ_CST);
		if (i % 2 ? flush_of(g, w->f, w->owner)
			  : set_lock(g, w->f, w->owner, F_UNLCK, 0, whole))
			abort();
	}
	return NULL;
}

static void one_at_a_time_has_it_and_nobody_is_forgotten(void **state)
{
	static struct worker workers[THREADS];
	struct guest *g = *state;
	int inside = 0;

	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].guest = guest_on_thread(g);
		workers[i].f = open_file(g);
		workers[i].owner = i + 1;
		workers[i].inside = &inside;
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&workers[i].thread, NULL, lock_and_unlock, &workers[i]), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(do_release(g, workers[i].f.node, workers[i].f.fh), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_locks, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(lock_is_its_owners),
		TEST(readers_share),
		TEST(flock_is_another_lock),
		TEST(it_holds_against_this_hosts_programs),
		TEST(it_is_told_who_has_one),
		TEST(any_close_of_the_owners_does),
		TEST(release_of_the_handle_does),
		TEST(forget_does),
		TEST(end_of_the_session_does),
		TEST(nonsense_is_refused),
		cmocka_unit_test(owners_are_bounded_as_handles_are),
		cmocka_unit_test(reader_of_a_file_he_may_not_write_locks_it),
		TEST(who_waits_gets_it_first_come_first_served),
		TEST(all_readers_go_on_at_once),
		TEST(release_wakes_who_waits_and_ends_what_waits_by_it),
		TEST(lock_of_a_program_of_this_host_is_waited_for_too),
		cmocka_unit_test(wait_has_an_end),
		cmocka_unit_test(wait_may_be_for_ever),
		TEST(wait_can_be_cancelled),
		TEST(too_many_may_not_wait),
		cmocka_unit_test_setup_teardown(locks_are_options, guest_setup, guest_teardown),
		TEST(one_at_a_time_has_it_and_nobody_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
