/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/test.h"

#include "support/fake_engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "support/random.h"

static struct fake_engine *fake_of(struct vfi_io_engine *engine)
{
	return VFI_CONTAINER_OF(engine, struct fake_engine, base);
}

static void fake_destroy(struct vfi_io_engine *engine)
{
	struct fake_engine *fe = fake_of(engine);

	assert_int_equal(fe->held_count + fe->ended_count, 0);
	free(fe);
}

static void fake_start(struct vfi_io_engine *engine, struct vfi_io_op *op)
{
	struct fake_engine *fe = fake_of(engine);

	assert_in_range(fe->held_count, 0, FAKE_ENGINE_MAX - 1);
	fe->held[fe->held_count++] = op;
	fe->started++;
	op->in_flight = true;
	engine->in_flight++;
}

static void fake_run(struct vfi_io_engine *engine)
{
	struct fake_engine *fe = fake_of(engine);
	unsigned count = fe->ended_count;
	struct vfi_io_op *ended[FAKE_ENGINE_MAX];
	int64_t results[FAKE_ENGINE_MAX];

	memcpy(ended, fe->ended, sizeof(ended));
	memcpy(results, fe->results, sizeof(results));
	fe->ended_count = 0;
	for (unsigned i = 0; i < count; i++) {
		ended[i]->in_flight = false;
		engine->in_flight--;
		ended[i]->done(ended[i], results[i]);
	}
}

static void fake_cancel(struct vfi_io_engine *engine, struct vfi_io_op *op)
{
	struct fake_engine *fe = fake_of(engine);

	fe->cancelled++;
	op->cancelled = true;
	for (unsigned i = 0; i < fe->held_count && !fe->deaf; i++) {
		if (fe->held[i] == op) {
			fake_engine_end(fe, i, -ECANCELED);
			return;
		}
	}
}

static const struct vfi_io_engine_ops fake_ops = {
	.name = "fake",
	.destroy = fake_destroy,
	.start = fake_start,
	.run = fake_run,
	.cancel = fake_cancel,
};

struct fake_engine *fake_engine_install(struct virtiofs_queue *q)
{
	struct fake_engine *fe = calloc(1, sizeof(*fe));

	assert_non_null(fe);
	assert_true(vfi_queue_is_owner(q));
	assert_int_equal(q->engine->in_flight, 0);
	fe->base.ops = &fake_ops;
	fe->base.env = q->engine->env;
	fe->queue = q;
	q->engine->ops->destroy(q->engine);
	q->engine = &fe->base;
	return fe;
}

void fake_engine_end(struct fake_engine *fe, unsigned index, int64_t result)
{
	assert_in_range(index, 0, fe->held_count - 1);
	assert_in_range(fe->ended_count, 0, FAKE_ENGINE_MAX - 1);
	fe->ended[fe->ended_count] = fe->held[index];
	fe->results[fe->ended_count++] = result;
	fe->held_count--;
	memmove(&fe->held[index], &fe->held[index + 1],
		(fe->held_count - index) * sizeof(fe->held[0]));
	vfi_queue_wake(fe->queue);
}

void fake_engine_do(struct fake_engine *fe, unsigned index, uint64_t most)
{
	struct iovec clipped[FAKE_ENGINE_IOV];
	struct vfi_io_op op;

	assert_in_range(index, 0, fe->held_count - 1);
	op = *fe->held[index];
	assert_in_range(op.iov_count, 0, FAKE_ENGINE_IOV);
	if (op.iov) {
		op.len = 0;
		for (uint32_t i = 0; i < op.iov_count; i++) {
			clipped[i] = op.iov[i];
			clipped[i].iov_len = vfi_min_u64(clipped[i].iov_len, most - op.len);
			op.len += clipped[i].iov_len;
		}
		op.iov = clipped;
	}
	fake_engine_end(fe, index, vfi_io_sync(&op));
}

void fake_engine_do_all(struct fake_engine *fe, uint64_t seed)
{
	struct test_random random;

	test_random_init(&random, seed);
	while (fe->held_count)
		fake_engine_do(fe, test_random_range(&random, 0, fe->held_count - 1), UINT64_MAX);
}
