/* SPDX-License-Identifier: BSD-2-Clause */
/* Making and unmaking a device: options, configuration space, and what fails on the way. */
#include "support/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/fake_host.h"

static const struct virtiofs_fs_ops no_ops = { .size = sizeof(no_ops) };

static void complete(void *host, struct virtiofs_queue *q, void *cookie, uint32_t written,
		     uint32_t touched)
{
	(void)host;
	(void)q;
	(void)cookie;
	(void)written;
	(void)touched;
}

static const struct virtiofs_host_ops host_ops = { .size = sizeof(host_ops), .complete = complete };

static int setup(void **state)
{
	return virtiofs_fs_create((struct virtiofs_fs **)state, NULL, &no_ops, NULL);
}

static int teardown(void **state)
{
	virtiofs_fs_destroy(*state);
	return 0;
}

static int create_with(struct virtiofs_fs *fs, const struct virtiofs_device_options *options)
{
	struct virtiofs_device *dev = NULL;
	int err = virtiofs_device_create(&dev, NULL, options, fs, &host_ops, NULL);

	if (err)
		assert_null(dev);
	else
		assert_int_equal(virtiofs_device_destroy(dev), 0);
	return err;
}

static void options_out_of_range_are_refused(void **state)
{
	const struct virtiofs_device_options defaults = VIRTIOFS_DEVICE_OPTIONS_INIT;
	struct virtiofs_device_options o;

	assert_int_equal(create_with(*state, NULL), 0);
	assert_int_equal(create_with(*state, &defaults), 0);
#define REFUSED(member, value) \
	o = defaults;          \
	o.member = value;      \
	assert_int_equal(create_with(*state, &o), -EINVAL)
	REFUSED(request_queues, 65);
	REFUSED(max_inflight, 32769);
	REFUSED(max_segments, 7);
	REFUSED(max_segments, 65537);
	REFUSED(max_write, 4095);
	REFUSED(max_write, 4097);
	REFUSED(max_write, 17 << 20);
	REFUSED(io, 3);
	REFUSED(tag, "a tag of thirty-seven bytes, no less ");
	REFUSED(size, 4);
#undef REFUSED
	o = defaults;
	o.tag = "a tag of thirty-six bytes, no more..";
	o.request_queues = 64;
	o.max_inflight = 1;
	assert_int_equal(create_with(*state, &o), 0);
}

static void complete_is_needed(void **state)
{
	const struct virtiofs_host_ops none = { .size = sizeof(none) };
	struct virtiofs_device *dev = NULL;

	assert_int_equal(virtiofs_device_create(&dev, NULL, NULL, *state, &none, NULL), -EINVAL);
	assert_null(dev);
}

static void configuration_space_reads_at_any_offset(void **state)
{
	struct virtiofs_device_options o = VIRTIOFS_DEVICE_OPTIONS_INIT;
	const unsigned char whole[44] = "myfs";
	unsigned char expected[44], got[64];
	struct virtiofs_device *dev;

	o.tag = "myfs";
	o.request_queues = 3;
	memcpy(expected, whole, sizeof(expected));
	expected[36] = 3; /* little-endian */
	assert_int_equal(virtiofs_device_create(&dev, NULL, &o, *state, &host_ops, NULL), 0);
	for (size_t offset = 0; offset <= 44; offset++) {
		for (size_t len = 0; offset + len <= 44; len++) {
			memset(got, 0xff, sizeof(got));
			virtiofs_device_config_read(dev, offset, got, len);
			assert_memory_equal(got, expected + offset, len);
			assert_int_equal(got[len], 0xff);
		}
	}
	virtiofs_device_config_read(dev, SIZE_MAX - 1, got, 4);
	assert_memory_equal(got, "\0\0\0\0", 4);
	assert_int_equal(virtiofs_device_destroy(dev), 0);
}

static void queues_go_by_virtqueue_number(void **state)
{
	struct virtiofs_device_options o = VIRTIOFS_DEVICE_OPTIONS_INIT;
	struct virtiofs_device *dev;

	o.request_queues = 2;
	assert_int_equal(virtiofs_device_create(&dev, NULL, &o, *state, &host_ops, NULL), 0);
	assert_int_equal(virtiofs_device_queue_count(dev), 3);
	assert_non_null(virtiofs_device_queue(dev, 2));
	assert_null(virtiofs_device_queue(dev, 3));
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(virtiofs_queue_index(virtiofs_device_queue(dev, i)), i);
	assert_int_equal(virtiofs_device_destroy(dev), 0);
}

static void attached_device_is_not_destroyed(void **state)
{
	struct virtiofs_device *dev;

	assert_int_equal(virtiofs_device_create(&dev, NULL, NULL, *state, &host_ops, NULL), 0);
	assert_int_equal(virtiofs_queue_attach(virtiofs_device_queue(dev, 0), 2), -EINVAL);
	assert_int_equal(virtiofs_queue_attach(virtiofs_device_queue(dev, 0), 0), 0);
	assert_int_equal(virtiofs_device_destroy(dev), -EBUSY);
	assert_int_equal(virtiofs_queue_detach(virtiofs_device_queue(dev, 0)), 0);
	assert_int_equal(virtiofs_device_destroy(dev), 0);
	assert_int_equal(virtiofs_device_destroy(NULL), 0);
}

static void older_callers_get_the_stats_they_know(void **state)
{
	struct virtiofs_stats stats;
	struct virtiofs_device *dev;

	assert_int_equal(virtiofs_device_create(&dev, NULL, NULL, *state, &host_ops, NULL), 0);
	memset(&stats, 0xff, sizeof(stats));
	stats.size = offsetof(struct virtiofs_stats, malformed);
	assert_int_equal(virtiofs_device_stats(dev, &stats), 0);
	assert_int_equal(stats.accepted, 0);
	assert_true(stats.malformed == UINT64_MAX);
	stats.size = sizeof(stats) + 8;
	assert_int_equal(virtiofs_device_stats(dev, &stats), -EINVAL);
	stats.size = 0;
	assert_int_equal(virtiofs_device_stats(dev, &stats), -EINVAL);
	assert_int_equal(virtiofs_device_destroy(dev), 0);
}

/* ---- What fails on the way ---- */

struct failing {
	int left; /* allocations that succeed */
	int live;
};

static void *failing_alloc(void *ctx, size_t size, size_t align)
{
	struct failing *f = ctx;

	if (f->left-- <= 0)
		return NULL;
	f->live++;
	return aligned_alloc(align, (size + align - 1) / align * align);
}

static void failing_free(void *ctx, void *memory, size_t size)
{
	struct failing *f = ctx;

	(void)size;
	f->live--;
	free(memory);
}

static void allocation_that_fails_at_any_index_leaks_nothing(void **state)
{
	struct failing f;
	const struct virtiofs_env env = {
		.size = sizeof(env),
		.ctx = &f,
		.alloc = failing_alloc,
		.free = failing_free,
	};
	int err = -ENOMEM;

	for (int i = 0; err; i++) {
		struct virtiofs_device *dev = NULL;
		struct virtiofs_fs *fs = NULL;

		assert_in_range(i, 0, 100);
		f = (struct failing){ .left = i };
		err = virtiofs_fs_create(&fs, &env, &no_ops, NULL);
		if (!err)
			err = virtiofs_device_create(&dev, &env, NULL, fs, &host_ops, NULL);
		if (!err)
			err = virtiofs_queue_attach(virtiofs_device_queue(dev, 1), 0);
		if (err)
			assert_int_equal(err, -ENOMEM);
		else
			virtiofs_queue_detach(virtiofs_device_queue(dev, 1));
		assert_int_equal(virtiofs_device_destroy(dev), 0);
		virtiofs_fs_destroy(fs);
		assert_int_equal(f.live, 0);
	}
	(void)state;
}

static void no_descriptors_left_is_reported(void **state)
{
	struct virtiofs_device *dev = NULL;
	struct rlimit old, none;
	int err;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	err = virtiofs_device_create(&dev, NULL, NULL, *state, &host_ops, NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(err, -EMFILE);
	assert_null(dev);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(options_out_of_range_are_refused),
		TEST(complete_is_needed),
		TEST(configuration_space_reads_at_any_offset),
		TEST(queues_go_by_virtqueue_number),
		TEST(attached_device_is_not_destroyed),
		TEST(older_callers_get_the_stats_they_know),
		TEST(allocation_that_fails_at_any_index_leaks_nothing),
		TEST(no_descriptors_left_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
