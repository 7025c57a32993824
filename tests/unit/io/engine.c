/* SPDX-License-Identifier: BSD-2-Clause */
/* One set of tests for every engine: the results are the same, whoever moves the data. */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/engine.h"

enum { DEPTH = 64, MANY = 600, FILE_SIZE = 1 << 20 };

struct kind {
	const char *name;
	int setup; /* of io_uring; -1: the plain engine */
};

static struct kind kinds[] = {
	{ "sync", -1 },
	{ "io_uring of 6.1", 0 },
	{ "io_uring of 5.19", 1 },
	{ "io_uring of 5.10", 2 },
};

struct bench {
	struct virtiofs_env env;
	struct vfi_io_engine *engine;
	int event_fd;
	int fd; /* a file without a name, on a disk where there is one: not tmpfs */
};

struct item {
	struct vfi_io_op op;
	int done;
	int64_t result;
};

static void item_done(struct vfi_io_op *op, int64_t result)
{
	struct item *item = VFI_CONTAINER_OF(op, struct item, op);

	item->done++;
	item->result = result;
}

static int make_file(void)
{
	char name[] = "unit-io-XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	unlink(name);
	return fd;
}

static int set_up(void **state)
{
	const struct kind *kind = *state;
	struct bench *b = calloc(1, sizeof(*b));
	const char *why = NULL;
	int err;

	assert_non_null(b);
	assert_int_equal(vfi_env_init(&b->env, NULL), 0);
	b->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	b->fd = make_file();
	if (kind->setup < 0)
		err = vfi_io_sync_create(&b->engine, &b->env);
	else
		err = vfi_io_uring_create(&b->engine, &b->env, DEPTH, b->event_fd,
					  (unsigned)kind->setup, &why);
	if (err && kind->setup >= 0)
		print_message("no io_uring here: %s: %s\n", why, strerror(-err));
	else
		assert_int_equal(err, 0);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	if (b->engine) {
		assert_int_equal(b->engine->in_flight, 0);
		b->engine->ops->destroy(b->engine);
	}
	close(b->event_fd);
	close(b->fd);
	free(b);
	return 0;
}

static struct bench *bench_of(void **state)
{
	struct bench *b = *state;

	if (!b->engine)
		skip();
	return b;
}

static void start(struct bench *b, struct item *item)
{
	item->op.done = item_done;
	b->engine->ops->start(b->engine, &item->op);
}

/* Run until @item is done, told by the eventfd alone: a hang is a lost wake-up. */
static void wait_for(struct bench *b, const struct item *item)
{
	struct pollfd pfd = { .fd = b->event_fd, .events = POLLIN };
	uint64_t value;

	while (!item->done) {
		int n = poll(&pfd, 1, 60000);

		if (n < 0 && errno == EINTR)
			continue; /* COOP_TASKRUN and older interrupt the sleeper */
		assert_int_equal(n, 1);
		assert_int_equal(read(b->event_fd, &value, sizeof(value)), sizeof(value));
		b->engine->ops->run(b->engine);
	}
}

static int64_t run_one(struct bench *b, struct item *item)
{
	start(b, item);
	wait_for(b, item);
	assert_int_equal(item->done, 1);
	assert_false(item->op.in_flight);
	return item->result;
}

static int64_t transfer(struct bench *b, enum vfi_io_kind kind, int fd, const struct iovec *iov,
			uint32_t count, uint64_t offset, int flags)
{
	struct item item = { .op = { .kind = kind,
				     .fd = fd,
				     .iov = iov,
				     .iov_count = count,
				     .offset = offset,
				     .flags = flags } };

	for (uint32_t i = 0; i < count; i++)
		item.op.len += iov[i].iov_len;
	return run_one(b, &item);
}

static int64_t simple(struct bench *b, enum vfi_io_kind kind, int fd, uint64_t offset, uint64_t len,
		      int flags)
{
	struct item item = {
		.op = { .kind = kind, .fd = fd, .offset = offset, .len = len, .flags = flags },
	};

	return run_one(b, &item);
}

static unsigned char byte_at(size_t offset)
{
	return (unsigned char)(offset * 7 + offset / 251);
}

/* Fill the file, and drop it out of the page cache as far as the kernel does that. */
static void fill_file(struct bench *b, size_t size)
{
	unsigned char *data = malloc(size);

	assert_non_null(data);
	for (size_t i = 0; i < size; i++)
		data[i] = byte_at(i);
	assert_int_equal(pwrite(b->fd, data, size, 0), size);
	free(data);
	fsync(b->fd);
	posix_fadvise(b->fd, 0, 0, POSIX_FADV_DONTNEED);
}

static void expect_bytes(const unsigned char *data, size_t len, size_t offset)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] != byte_at(offset + i))
			fail_msg("byte %zu is %u, not %u", offset + i, data[i],
				 byte_at(offset + i));
	}
}

static void read_gets_what_is_in_the_cache_and_what_is_not(void **state)
{
	struct bench *b = bench_of(state);
	static unsigned char data[FILE_SIZE];
	const struct iovec iov = { data, sizeof(data) };

	fill_file(b, FILE_SIZE);
	for (int i = 0; i < 2; i++) {
		memset(data, 0, sizeof(data));
		assert_int_equal(transfer(b, VFI_IO_READ, b->fd, &iov, 1, 0, 0), FILE_SIZE);
		expect_bytes(data, FILE_SIZE, 0);
	}
}

static void read_of_a_half_cached_file_is_whole(void **state)
{
	struct bench *b = bench_of(state);
	static unsigned char data[FILE_SIZE];
	const struct iovec iov = { data, sizeof(data) };

	fill_file(b, FILE_SIZE);
	posix_fadvise(b->fd, 0, 0, POSIX_FADV_RANDOM);
	assert_int_equal(pread(b->fd, data, 100000, 0), 100000);
	assert_int_equal(pread(b->fd, data, 4096, FILE_SIZE / 2), 4096);
	memset(data, 0, sizeof(data));
	assert_int_equal(transfer(b, VFI_IO_READ, b->fd, &iov, 1, 0, 0), FILE_SIZE);
	expect_bytes(data, FILE_SIZE, 0);
}

static void read_fills_more_iovecs_than_a_call_takes(void **state)
{
	enum { COUNT = 3 * IOV_MAX + 7, EACH = 33 };
	struct bench *b = bench_of(state);
	static unsigned char data[COUNT * EACH];
	static struct iovec iov[COUNT];

	fill_file(b, sizeof(data) + 100);
	for (size_t i = 0; i < COUNT; i++)
		iov[i] = (struct iovec){ data + i * EACH, EACH };
	assert_int_equal(transfer(b, VFI_IO_READ, b->fd, iov, COUNT, 100, 0), sizeof(data));
	expect_bytes(data, sizeof(data), 100);
}

static void empty_and_one_byte_iovecs_are_filled_in_order(void **state)
{
	enum { COUNT = 2 * IOV_MAX };
	struct bench *b = bench_of(state);
	unsigned char data[8] = { 0 };
	static struct iovec iov[COUNT];

	fill_file(b, 4096);
	memset(iov, 0, sizeof(iov));
	/* Behind as many empty ones as one call takes, and between others. */
	for (size_t i = 0; i < sizeof(data); i++)
		iov[IOV_MAX + 1 + 3 * i] = (struct iovec){ data + i, 1 };
	assert_int_equal(transfer(b, VFI_IO_READ, b->fd, iov, COUNT, 5, 0), sizeof(data));
	expect_bytes(data, sizeof(data), 5);
}

static void nothing_to_move_is_done_at_once(void **state)
{
	struct bench *b = bench_of(state);
	const struct iovec iov = { NULL, 0 };

	assert_int_equal(transfer(b, VFI_IO_READ, b->fd, NULL, 0, 0, 0), 0);
	assert_int_equal(transfer(b, VFI_IO_WRITE, b->fd, &iov, 1, 0, 0), 0);
}

static void read_is_short_at_the_end_of_the_file_only(void **state)
{
	struct bench *b = bench_of(state);
	unsigned char data[8192];
	const struct iovec iov[] = { { data, 4000 }, { data + 4000, 4192 } };

	fill_file(b, 5000);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(transfer(b, VFI_IO_READ, b->fd, iov, 2, 0, 0), 5000);
		expect_bytes(data, 5000, 0);
		assert_int_equal(transfer(b, VFI_IO_READ, b->fd, iov, 2, 4999, 0), 1);
		assert_int_equal(transfer(b, VFI_IO_READ, b->fd, iov, 2, 5000, 0), 0);
		assert_int_equal(transfer(b, VFI_IO_READ, b->fd, iov, 2, 1 << 30, 0), 0);
	}
}

static void write_lands_where_it_should_whatever_its_iovecs(void **state)
{
	enum { COUNT = 2 * IOV_MAX + 3, EACH = 17 };
	struct bench *b = bench_of(state);
	static unsigned char data[COUNT * EACH], back[COUNT * EACH];
	static struct iovec iov[COUNT];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = byte_at(77 + i);
	for (size_t i = 0; i < COUNT; i++)
		iov[i] = (struct iovec){ data + i * EACH, EACH };
	assert_int_equal(transfer(b, VFI_IO_WRITE, b->fd, iov, COUNT, 77, 0), sizeof(data));
	assert_int_equal(pread(b->fd, back, sizeof(back), 77), sizeof(back));
	expect_bytes(back, sizeof(back), 77);
	assert_int_equal(lseek(b->fd, 0, SEEK_END), 77 + sizeof(data));
}

static void append_ignores_the_offset(void **state)
{
	struct bench *b = bench_of(state);
	const struct iovec iov = { (void *)(uintptr_t) "tail", 4 };
	char back[16] = { 0 };

	assert_int_equal(pwrite(b->fd, "head", 4, 0), 4);
	assert_int_equal(transfer(b, VFI_IO_WRITE, b->fd, &iov, 1, 0, RWF_APPEND), 4);
	assert_int_equal(pread(b->fd, back, sizeof(back), 0), 8);
	assert_string_equal(back, "headtail");
}

static void caller_that_will_not_wait_does_not(void **state)
{
	struct bench *b = bench_of(state);
	static unsigned char data[FILE_SIZE];
	const struct iovec iov = { data, sizeof(data) };
	int64_t result;

	fill_file(b, FILE_SIZE);
	result = transfer(b, VFI_IO_READ, b->fd, &iov, 1, 0, RWF_NOWAIT);
	if (result != -EAGAIN && result != -EOPNOTSUPP)
		assert_int_equal(result, FILE_SIZE);
}

static void non_blocking_descriptor_is_read_all_the_same(void **state)
{
	struct bench *b = bench_of(state);
	static unsigned char data[FILE_SIZE];
	const struct iovec iov = { data, sizeof(data) };

	fill_file(b, FILE_SIZE);
	assert_int_equal(fcntl(b->fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
	assert_int_equal(transfer(b, VFI_IO_READ, b->fd, &iov, 1, 0, 0), FILE_SIZE);
	expect_bytes(data, FILE_SIZE, 0);
}

static void bad_descriptor_is_an_error_of_every_operation(void **state)
{
	struct bench *b = bench_of(state);
	char c = 0;
	const struct iovec iov = { &c, 1 };
	int gone = dup(b->fd);

	close(gone);
	assert_int_equal(transfer(b, VFI_IO_READ, gone, &iov, 1, 0, 0), -EBADF);
	assert_int_equal(transfer(b, VFI_IO_WRITE, gone, &iov, 1, 0, 0), -EBADF);
	assert_int_equal(simple(b, VFI_IO_FSYNC, gone, 0, 0, 0), -EBADF);
	assert_int_equal(simple(b, VFI_IO_FDATASYNC, gone, 0, 0, 0), -EBADF);
	assert_int_equal(simple(b, VFI_IO_FALLOCATE, gone, 0, 4096, 0), -EBADF);
}

static void error_of_the_file_is_the_result(void **state)
{
	struct bench *b = bench_of(state);
	char c = 0;
	const struct iovec iov = { &c, 1 };
	int dir = open(".", O_RDONLY | O_DIRECTORY);
	int null = open("/dev/null", O_RDONLY);

	assert_int_equal(transfer(b, VFI_IO_READ, dir, &iov, 1, 0, 0), -EISDIR);
	assert_int_equal(transfer(b, VFI_IO_WRITE, null, &iov, 1, 0, 0), -EBADF);
	assert_int_equal(simple(b, VFI_IO_FSYNC, null, 0, 0, 0), -EINVAL);
	assert_int_equal(simple(b, VFI_IO_FALLOCATE, null, 0, 1, 0), -EBADF);
	assert_int_equal(simple(b, VFI_IO_FALLOCATE, b->fd, 0, 0, 0), -EINVAL);
	close(dir);
	close(null);
}

static void sync_and_fallocate_do_what_they_say(void **state)
{
	struct bench *b = bench_of(state);
	struct stat st;

	assert_int_equal(pwrite(b->fd, "x", 1, 0), 1);
	assert_int_equal(simple(b, VFI_IO_FSYNC, b->fd, 0, 0, 0), 0);
	assert_int_equal(simple(b, VFI_IO_FDATASYNC, b->fd, 0, 0, 0), 0);
	assert_int_equal(simple(b, VFI_IO_FALLOCATE, b->fd, 4096, 8192, 0), 0);
	assert_int_equal(fstat(b->fd, &st), 0);
	assert_int_equal(st.st_size, 12288);
	assert_int_equal(simple(b, VFI_IO_FALLOCATE, b->fd, 12288, 4096, FALLOC_FL_KEEP_SIZE), 0);
	assert_int_equal(fstat(b->fd, &st), 0);
	assert_int_equal(st.st_size, 12288);
}

/* More at once than the submission queue has room for, and than DEPTH promised. */
static void many_in_flight_come_back_once_each(void **state)
{
	struct bench *b = bench_of(state);
	static struct item items[MANY];
	static unsigned char data[MANY][512];
	static struct iovec iov[MANY];

	fill_file(b, FILE_SIZE);
	memset(items, 0, sizeof(items));
	for (size_t i = 0; i < MANY; i++) {
		iov[i] = (struct iovec){ data[i], sizeof(data[i]) };
		items[i].op = (struct vfi_io_op){
			.kind = i % 3 ? VFI_IO_READ : VFI_IO_FDATASYNC,
			.fd = b->fd,
			.iov = &iov[i],
			.iov_count = 1,
			.len = sizeof(data[i]),
			.offset = (i * 7919) % (FILE_SIZE - 512),
		};
		start(b, &items[i]);
	}
	for (size_t i = 0; i < MANY; i++) {
		wait_for(b, &items[i]);
		assert_int_equal(items[i].result, i % 3 ? 512 : 0);
		if (i % 3)
			expect_bytes(data[i], 512, items[i].op.offset);
	}
	b->engine->ops->run(b->engine);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(items[i].done, 1);
}

/* The kernel does those to one file one after the other, so that some are still waiting. */
static void cancelled_operation_ends_once_with_its_result_or_cancelled(void **state)
{
	struct bench *b = bench_of(state);
	static struct item items[DEPTH];

	memset(items, 0, sizeof(items));
	for (size_t i = 0; i < DEPTH; i++) {
		items[i].op = (struct vfi_io_op){
			.kind = VFI_IO_FALLOCATE, .fd = b->fd, .offset = i << 20, .len = 1 << 20
		};
		start(b, &items[i]);
	}
	b->engine->ops->run(b->engine);
	for (size_t i = 0; i < DEPTH; i++) {
		b->engine->ops->cancel(b->engine, &items[i].op);
		b->engine->ops->cancel(b->engine, &items[i].op);
	}
	for (size_t i = 0; i < DEPTH; i++)
		wait_for(b, &items[i]);
	b->engine->ops->run(b->engine);
	for (size_t i = 0; i < DEPTH; i++) {
		assert_int_equal(items[i].done, 1);
		assert_true(items[i].result == 0 || items[i].result == -ECANCELED);
	}
	assert_int_equal(b->engine->in_flight, 0);
}

static void operation_cancelled_before_it_was_submitted_ends_once(void **state)
{
	struct bench *b = bench_of(state);
	struct item item = { .op = { .kind = VFI_IO_FSYNC, .fd = b->fd } };

	start(b, &item);
	b->engine->ops->cancel(b->engine, &item.op);
	wait_for(b, &item);
	assert_int_equal(item.done, 1);
	assert_true(item.result == 0 || item.result == -ECANCELED);
}

struct chain {
	struct item item;
	struct bench *bench;
	int left;
};

static void start_the_next(struct vfi_io_op *op, int64_t result)
{
	struct chain *chain = VFI_CONTAINER_OF(op, struct chain, item.op);

	assert_int_equal(result, 0);
	if (--chain->left == 0) {
		chain->item.done = 1;
		return;
	}
	*op = (struct vfi_io_op){ .kind = VFI_IO_FDATASYNC, .fd = op->fd, .done = start_the_next };
	chain->bench->engine->ops->start(chain->bench->engine, op);
}

static void done_may_start_the_next_operation(void **state)
{
	struct bench *b = bench_of(state);
	struct chain chain = { .bench = b, .left = 50 };

	chain.item.op =
		(struct vfi_io_op){ .kind = VFI_IO_FSYNC, .fd = b->fd, .done = start_the_next };
	b->engine->ops->start(b->engine, &chain.item.op);
	wait_for(b, &chain.item);
	assert_int_equal(chain.left, 0);
	assert_int_equal(b->engine->in_flight, 0);
}

static void engine_keeps_errno(void **state)
{
	struct bench *b = bench_of(state);
	char c = 0;
	const struct iovec iov = { &c, 1 };

	errno = ENOTTY;
	assert_int_equal(transfer(b, VFI_IO_READ, -1, &iov, 1, 0, 0), -EBADF);
	assert_int_equal(errno, ENOTTY);
}

static void *start_elsewhere(void *arg)
{
	struct bench *b = arg;
	struct item item = { .op = { .kind = VFI_IO_FSYNC, .fd = b->fd } };

	start(b, &item);
	return (void *)(uintptr_t)(item.done == 1 && item.result == 0);
}

static void foreign_thread_never_submits(void **state)
{
	struct bench *b = bench_of(state);
	pthread_t thread;
	void *ok = NULL;

	assert_int_equal(pthread_create(&thread, NULL, start_elsewhere, b), 0);
	assert_int_equal(pthread_join(thread, &ok), 0);
	assert_non_null(ok);
	assert_int_equal(b->engine->in_flight, 0);
}

static void forked_child_never_submits(void **state)
{
	struct bench *b = bench_of(state);
	struct item item = { .op = { .kind = VFI_IO_FSYNC, .fd = b->fd } };
	int status = -1;
	pid_t child;

	/* Its parent's operation is prepared in memory that both share. */
	start(b, &item);
	child = fork();
	if (child == 0) {
		bool was_done = item.done;

		b->engine->ops->run(b->engine);
		b->engine->ops->cancel(b->engine, &item.op);
		_exit(item.done == was_done && start_elsewhere(b) ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	wait_for(b, &item);
	assert_int_equal(item.result, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(read_gets_what_is_in_the_cache_and_what_is_not),
	cmocka_unit_test(read_of_a_half_cached_file_is_whole),
	cmocka_unit_test(read_fills_more_iovecs_than_a_call_takes),
	cmocka_unit_test(empty_and_one_byte_iovecs_are_filled_in_order),
	cmocka_unit_test(nothing_to_move_is_done_at_once),
	cmocka_unit_test(read_is_short_at_the_end_of_the_file_only),
	cmocka_unit_test(write_lands_where_it_should_whatever_its_iovecs),
	cmocka_unit_test(append_ignores_the_offset),
	cmocka_unit_test(caller_that_will_not_wait_does_not),
	cmocka_unit_test(non_blocking_descriptor_is_read_all_the_same),
	cmocka_unit_test(bad_descriptor_is_an_error_of_every_operation),
	cmocka_unit_test(error_of_the_file_is_the_result),
	cmocka_unit_test(sync_and_fallocate_do_what_they_say),
	cmocka_unit_test(many_in_flight_come_back_once_each),
	cmocka_unit_test(cancelled_operation_ends_once_with_its_result_or_cancelled),
	cmocka_unit_test(operation_cancelled_before_it_was_submitted_ends_once),
	cmocka_unit_test(done_may_start_the_next_operation),
	cmocka_unit_test(engine_keeps_errno),
	cmocka_unit_test(foreign_thread_never_submits),
	cmocka_unit_test(forked_child_never_submits),
};

int main(void)
{
	static struct CMUnitTest all[VFI_ARRAY_SIZE(tests)];
	int failed = 0;

	for (size_t k = 0; k < VFI_ARRAY_SIZE(kinds); k++) {
		for (size_t i = 0; i < VFI_ARRAY_SIZE(tests); i++) {
			all[i] = tests[i];
			all[i].setup_func = set_up;
			all[i].teardown_func = tear_down;
			all[i].initial_state = &kinds[k];
		}
		failed += _cmocka_run_group_tests(kinds[k].name, all, VFI_ARRAY_SIZE(all), NULL,
						  NULL);
	}
	return failed;
}
