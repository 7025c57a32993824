/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests whose data an engine moves later: out of order, short, failing, cancelled. */
#include "support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/fake_engine.h"
#include "support/fake_host.h"
#include "support/random.h"

enum { INFLIGHT = 16, EACH = 64 };

/* A filesystem of one file, which is @fd whatever the node id. */
struct late {
	int fd;
	struct virtiofs_fs *fs;
	struct fake_host host;
	struct virtiofs_queue *q;
	struct fake_engine *engine;
};

static struct late *current;

static void read_done(struct virtiofs_req *req, int64_t result)
{
	if (result < 0)
		virtiofs_reply_err(req, (int)result);
	else
		virtiofs_reply_data(req, (size_t)result);
}

static void op_read(void *session, struct virtiofs_req *req, uint64_t nodeid,
		    const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst)
{
	(void)session;
	(void)nodeid;
	virtiofs_io_read(req, current->fd, dst, in->offset, 0, read_done);
}

static void op_fsync(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_fsync_in *in)
{
	(void)session;
	(void)nodeid;
	virtiofs_io_fsync(req, current->fd, in->fsync_flags & 1, read_done);
}

static int set_up(void **state)
{
	static const struct virtiofs_fs_ops ops = { .size = sizeof(ops),
						    .read = op_read,
						    .fsync = op_fsync };
	const struct virtiofs_device_options options = { .size = sizeof(options),
							 .max_inflight = INFLIGHT };
	struct late *late = calloc(1, sizeof(*late));
	char name[] = "unit-late-XXXXXX";
	unsigned char data[INFLIGHT * EACH];

	assert_non_null(late);
	late->fd = mkstemp(name);
	assert_true(late->fd >= 0);
	unlink(name);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 31 + i / 256);
	assert_int_equal(write(late->fd, data, sizeof(data)), sizeof(data));
	assert_int_equal(virtiofs_fs_create(&late->fs, NULL, &ops, NULL), 0);
	fake_host_open(&late->host, NULL, &options, late->fs);
	late->q = fake_attach(&late->host, 1);
	fake_mount(late->q);
	late->engine = fake_engine_install(late->q);
	current = late;
	*state = late;
	return 0;
}

static int tear_down(void **state)
{
	struct late *late = *state;

	fake_host_close(&late->host);
	virtiofs_fs_destroy(late->fs);
	close(late->fd);
	free(late);
	return 0;
}

static void submit_read(struct late *late, struct fake_chain *chain, uint64_t offset, uint32_t size)
{
	struct virtiofs_fuse_read_in in = { .offset = offset, .size = size };

	fake_request(chain, VIRTIOFS_FUSE_READ, 1, &in, sizeof(in));
	assert_int_equal(fake_submit(late->q, chain), 0);
}

static void results_come_in_any_order_and_reach_their_request(void **state)
{
	struct late *late = *state;
	static struct fake_chain chains[INFLIGHT];
	unsigned char want[EACH];

	for (int i = 0; i < INFLIGHT; i++)
		submit_read(late, &chains[i], (uint64_t)i * EACH, EACH);
	assert_int_equal(virtiofs_queue_inflight(late->q), INFLIGHT);
	fake_engine_do_all(late->engine, test_seed());
	for (int i = 0; i < INFLIGHT; i++) {
		fake_wait(late->q, &chains[i]);
		assert_int_equal(fake_error(&chains[i]), 0);
		assert_int_equal(chains[i].written, 16 + EACH);
		assert_int_equal(pread(late->fd, want, EACH, i * EACH), EACH);
		assert_memory_equal(chains[i].out + 16, want, EACH);
	}
	assert_int_equal(virtiofs_queue_inflight(late->q), 0);
}

static void short_result_and_error_are_the_answer(void **state)
{
	struct late *late = *state;
	struct fake_chain part, failed, gone;

	submit_read(late, &part, 0, EACH);
	submit_read(late, &failed, 0, EACH);
	submit_read(late, &gone, 0, EACH);
	fake_engine_do(late->engine, 0, 5);
	fake_engine_end(late->engine, 0, -EIO);
	fake_engine_end(late->engine, 0, -ECANCELED);
	fake_wait(late->q, &gone);
	assert_int_equal(fake_error(&part), 0);
	assert_int_equal(part.written, 16 + 5);
	assert_int_equal(fake_error(&failed), -EIO);
	assert_int_equal(fake_error(&gone), -ECANCELED);
}

static void offset_that_no_file_has_never_means_the_descriptors_own(void **state)
{
	struct late *late = *state;
	struct fake_chain chain;

	submit_read(late, &chain, UINT64_MAX, EACH);
	assert_int_equal(fake_error(&chain), -EINVAL);
	assert_int_equal(late->engine->started, 0);
}

static void count_done(void *arg)
{
	++*(int *)arg;
}

static void stop_cancels_what_the_engine_has_and_waits_for_it(void **state)
{
	struct late *late = *state;
	struct fake_chain chain, stubborn;
	int stopped = 0;

	submit_read(late, &chain, 0, EACH);
	assert_int_equal(virtiofs_queue_stop(late->q, count_done, &stopped), 0);
	assert_int_equal(late->engine->cancelled, 1);
	fake_wait(late->q, &chain);
	assert_int_equal(fake_error(&chain), -ECANCELED);
	assert_int_equal(stopped, 1);

	assert_int_equal(virtiofs_queue_resume(late->q), 0);
	late->engine->deaf = true;
	submit_read(late, &stubborn, 0, EACH);
	assert_int_equal(virtiofs_queue_stop(late->q, count_done, &stopped), 0);
	virtiofs_queue_run(late->q, 0);
	assert_int_equal(fake_completions(&stubborn), 0);
	assert_int_equal(stopped, 1);
	fake_engine_do(late->engine, 0, EACH);
	fake_wait(late->q, &stubborn);
	assert_int_equal(fake_error(&stubborn), 0);
	assert_int_equal(stopped, 2);
}

static void abort_takes_back_what_the_engine_has(void **state)
{
	struct late *late = *state;
	static struct fake_chain chains[INFLIGHT];

	for (int i = 0; i < INFLIGHT; i++)
		submit_read(late, &chains[i], 0, EACH);
	assert_int_equal(virtiofs_queue_abort(late->q), 0);
	assert_int_equal(late->engine->cancelled, INFLIGHT);
	for (int i = 0; i < INFLIGHT; i++)
		assert_int_equal(fake_error(&chains[i]), -ECANCELED);
	assert_int_equal(virtiofs_queue_inflight(late->q), 0);
}

static void queue_is_not_detached_while_the_kernel_moves_its_data(void **state)
{
	struct late *late = *state;
	struct virtiofs_fuse_fsync_in in = { .fsync_flags = 1 };
	struct fake_chain chain;

	fake_request(&chain, VIRTIOFS_FUSE_FSYNC, 1, &in, sizeof(in));
	assert_int_equal(fake_submit(late->q, &chain), 0);
	assert_int_equal(late->engine->held[0]->kind, VFI_IO_FDATASYNC);
	assert_int_equal(virtiofs_queue_detach(late->q), -EBUSY);
	assert_int_equal(virtiofs_device_destroy(late->host.dev), -EBUSY);
	fake_engine_do(late->engine, 0, 0);
	fake_wait(late->q, &chain);
	assert_int_equal(fake_error(&chain), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(results_come_in_any_order_and_reach_their_request),
		T(short_result_and_error_are_the_answer),
		T(offset_that_no_file_has_never_means_the_descriptors_own),
		T(stop_cancels_what_the_engine_has_and_waits_for_it),
		T(abort_takes_back_what_the_engine_has),
		T(queue_is_not_detached_while_the_kernel_moves_its_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
