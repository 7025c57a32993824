/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting for locks over a real ring: it takes no thread, and nothing else waits. */
#include "api/shared.h"

#include "support/entries.h"

enum { WAITERS = 100, RING = 256, QUEUE = 1, ALICE = 1, BOB = 1000, OUT_HEADER = 16 };

static struct shared *begin(void **state, uint64_t timeout)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	struct virtiofs_device_options device = VIRTIOFS_DEVICE_OPTIONS_INIT;
	const struct fake_vmm_options vmm = { .device = &device, .ring = { RING, true, true } };
	static struct shared s;
	int dir;

	memset(&s, 0, sizeof(s));
	device.max_inflight = RING;
	options.posix_lock = VIRTIOFS_ON;
	options.lock_timeout = timeout;
	temp_dir_create(&s.dir);
	dir = open(s.dir.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(virtiofs_passthrough_create(&s.fs, NULL, dir, &options), 0);
	close(dir);
	fake_vmm_open(&s.vmm, s.fs, &vmm);
	s.c = fake_vmm_client(&s.vmm, QUEUE);
	fuse_mount(s.c);
	*state = &s;
	return &s;
}

static int end(void **state)
{
	struct shared *s = *state;

	fake_vmm_close(&s->vmm);
	virtiofs_fs_destroy(s->fs);
	temp_dir_remove(&s->dir);
	return 0;
}

static struct fuse_call *submit_lock(struct shared *s, uint64_t node, uint64_t fh, uint64_t owner,
				     uint32_t opcode, uint32_t type)
{
	const struct virtiofs_fuse_lk_in in = {
		.fh = fh,
		.owner = owner,
		.lk = { .end = INT64_MAX, .type = type },
	};
	struct fuse_request request = {
		.opcode = opcode,
		.nodeid = node,
		.parts[0] = { (void *)(uintptr_t)&in, sizeof(in) },
		.room = OUT_HEADER,
	};
	struct fuse_call *call = fuse_client_submit(s->c, &request);

	assert_non_null(call);
	return call;
}

static int lock_now(struct shared *s, uint64_t node, uint64_t fh, uint64_t owner, uint32_t type)
{
	struct fuse_call *call = submit_lock(s, node, fh, owner, VIRTIOFS_FUSE_SETLK, type);
	int error;

	fuse_client_wait(s->c, call);
	error = fuse_call_error(call);
	fuse_call_free(call);
	return error;
}

static void hundred_wait_and_reads_go_on(void **state)
{
	struct shared *s = begin(state, 0);
	static struct fuse_call *waiting[WAITERS];
	uint64_t node, fh;
	char buf[4];
	int before;

	host_write(s, "file", "text", 4);
	node = node_of(s, FUSE_ROOT, "file");
	assert_int_equal(fuse_open(s->c, node, O_RDWR, &fh), 0);
	assert_int_equal(lock_now(s, node, fh, ALICE, F_WRLCK), 0);
	before = count_entries("/proc/self/task");
	for (uint64_t i = 0; i < WAITERS; i++)
		waiting[i] = submit_lock(s, node, fh, BOB + i, VIRTIOFS_FUSE_SETLKW, F_WRLCK);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(fuse_read(s->c, node, fh, 0, buf, sizeof(buf)), 4);
	}
	assert_int_equal(virtiofs_queue_inflight(s->vmm.queues[QUEUE].queue), WAITERS);
	assert_int_equal(count_entries("/proc/self/task"), before);
	/* One after the other has it, in the order they came. */
	assert_int_equal(lock_now(s, node, fh, ALICE, F_UNLCK), 0);
	for (uint64_t i = 0; i < WAITERS; i++) {
		fuse_client_wait(s->c, waiting[i]);
		assert_int_equal(fuse_call_error(waiting[i]), 0);
		assert_int_equal(lock_now(s, node, fh, ALICE, F_RDLCK), -EAGAIN);
		assert_int_equal(lock_now(s, node, fh, BOB + i, F_UNLCK), 0);
		fuse_call_free(waiting[i]);
	}
	assert_int_equal(lock_now(s, node, fh, ALICE, F_WRLCK), 0);
}

static void wait_ends_with_its_time_or_with_the_hosts_lock(void **state)
{
	const uint64_t second = 1000000000;
	struct shared *s = begin(state, second / 4);
	struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct fuse_call *call;
	uint64_t node, fh;
	int host;

	host_write(s, "file", "text", 4);
	node = node_of(s, FUSE_ROOT, "file");
	assert_int_equal(fuse_open(s->c, node, O_RDWR, &fh), 0);
	host = openat(s->dir.fd, "file", O_RDWR | O_CLOEXEC);
	assert_int_equal(fcntl(host, F_OFD_SETLK, &range), 0);
	call = submit_lock(s, node, fh, ALICE, VIRTIOFS_FUSE_SETLKW, F_WRLCK);
	fuse_client_wait(s->c, call);
	assert_int_equal(fuse_call_error(call), -EAGAIN);
	fuse_call_free(call);
	call = submit_lock(s, node, fh, ALICE, VIRTIOFS_FUSE_SETLKW, F_WRLCK);
	fake_vmm_serve(&s->vmm, QUEUE);
	close(host);
	fuse_client_wait(s->c, call);
	assert_int_equal(fuse_call_error(call), 0);
	fuse_call_free(call);
}

static void count_done(void *arg)
{
	++*(int *)arg;
}

static void stopped_queue_gives_back_who_waits(void **state)
{
	struct shared *s = begin(state, 0);
	struct virtiofs_queue *q = s->vmm.queues[QUEUE].queue;
	struct fuse_call *call;
	uint64_t node, fh;
	int done = 0;

	host_write(s, "file", "text", 4);
	node = node_of(s, FUSE_ROOT, "file");
	assert_int_equal(fuse_open(s->c, node, O_RDWR, &fh), 0);
	assert_int_equal(lock_now(s, node, fh, ALICE, F_WRLCK), 0);
	call = submit_lock(s, node, fh, BOB, VIRTIOFS_FUSE_SETLKW, F_WRLCK);
	fake_vmm_serve(&s->vmm, QUEUE);
	assert_int_equal(virtiofs_queue_inflight(q), 1);
	assert_int_equal(virtiofs_queue_stop(q, count_done, &done), 0);
	fake_vmm_serve(&s->vmm, QUEUE);
	assert_int_equal(done, 1);
	assert_int_equal(virtiofs_queue_resume(q), 0);
	fuse_client_wait(s->c, call);
	/* Not EINTR: there was no signal. */
	assert_int_equal(fuse_call_error(call), -EAGAIN);
	fuse_call_free(call);
	/* A session that ends has nobody wait on. */
	call = submit_lock(s, node, fh, BOB, VIRTIOFS_FUSE_SETLKW, F_WRLCK);
	fake_vmm_serve(&s->vmm, QUEUE);
	assert_int_equal(fuse_destroy(s->c), 0);
	fuse_client_wait(s->c, call);
	assert_int_equal(fuse_call_error(call), -EAGAIN);
	fuse_call_free(call);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(hundred_wait_and_reads_go_on, end),
		cmocka_unit_test_teardown(wait_ends_with_its_time_or_with_the_hosts_lock, end),
		cmocka_unit_test_teardown(stopped_queue_gives_back_who_waits, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
