/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/core.h"

#include <errno.h>
#include <string.h>

/* Every member of the stats behind size is one counter. */
static void add_counters(struct virtiofs_stats *sum, const struct virtiofs_stats *part)
{
	const size_t first = offsetof(struct virtiofs_stats, accepted);
	const size_t count = (sizeof(*sum) - first) / sizeof(uint64_t);
	uint64_t *to = &sum->accepted;
	const uint64_t *from = &part->accepted;

	for (size_t i = 0; i < count; i++)
		to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

int virtiofs_device_stats(const struct virtiofs_device *dev, struct virtiofs_stats *stats)
{
	struct virtiofs_stats sum = { 0 };
	size_t size = stats->size;

	if (size < sizeof(size) || size > sizeof(sum))
		return -EINVAL;
	for (unsigned i = 0; i < dev->queue_count; i++)
		add_counters(&sum, &dev->queues[i].stats);
	sum.size = size;
	memcpy(stats, &sum, size);
	return 0;
}
