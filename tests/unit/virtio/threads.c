/* SPDX-License-Identifier: BSD-2-Clause */
/* Driver and device on a thread each: wake-ups, order of memory, and a hostile guest. */
#include "vq_fixture.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "support/check.h"
#include "support/random.h"

#if defined(__SANITIZE_THREAD__)
#define UNSEEN_BY_TSAN __attribute__((no_sanitize("thread"), noinline))
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNSEEN_BY_TSAN __attribute__((no_sanitize("thread"), noinline))
#endif
#endif
#ifndef UNSEEN_BY_TSAN
#define UNSEEN_BY_TSAN
#endif

enum { CHAINS = 20000, BUFFERS = 4, BUFFER_LEN = 64, WAIT_MS = 60000 };

/* A ring with a thread at either end. */
struct link {
	struct guest_ram *ram;
	struct guest_ring ring;
	struct virtiofs_mem *mem;
	struct virtiofs_virtqueue *vq;
	int kick;
	int call;
	unsigned kicks;
	unsigned calls;
	int stop; /* atomic */
};

static void open_link(struct link *link, const struct guest_ring_options *options)
{
	struct virtiofs_virtqueue_config config;

	memset(link, 0, sizeof(*link));
	link->ram = guest_ram_create();
	guest_ring_init(&link->ring, link->ram, options);
	CHECK(virtiofs_mem_create(&link->mem, NULL, NULL, NULL) == 0);
	guest_ram_publish(link->ram, link->mem);
	CHECK(virtiofs_virtqueue_create(&link->vq, NULL, link->mem, NULL) == 0);
	config = guest_ring_config(&link->ring);
	CHECK(virtiofs_virtqueue_start(link->vq, &config) == 0);
	link->kick = eventfd(0, EFD_CLOEXEC);
	link->call = eventfd(0, EFD_CLOEXEC);
	CHECK(link->kick >= 0 && link->call >= 0);
}

static void close_link(struct link *link)
{
	virtiofs_virtqueue_destroy(link->vq);
	virtiofs_mem_destroy(link->mem);
	guest_ring_exit(&link->ring);
	guest_ram_destroy(link->ram);
	close(link->kick);
	close(link->call);
}

static void notify(int fd, unsigned *count)
{
	CHECK(eventfd_write(fd, 1) == 0);
	(*count)++;
}

/* A wake-up that never comes ends the program here. */
static void sleep_on(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	eventfd_t value;

	CHECK(poll(&pollfd, 1, WAIT_MS) == 1);
	CHECK(eventfd_read(fd, &value) == 0);
}

/* Copy what is readable to what is writable. */
static uint32_t echo(const struct virtiofs_vq_chain *chain)
{
	unsigned char bytes[BUFFERS * BUFFER_LEN];
	uint32_t len = 0, done = 0;

	CHECK(!chain->malformed);
	for (uint32_t i = 0; i < chain->readable_count; i++) {
		CHECK(chain->readable[i].iov_len <= sizeof(bytes) - len);
		memcpy(bytes + len, chain->readable[i].iov_base, chain->readable[i].iov_len);
		len += (uint32_t)chain->readable[i].iov_len;
	}
	for (uint32_t i = 0; i < chain->writable_count; i++) {
		memcpy(chain->writable[i].iov_base, bytes + done, chain->writable[i].iov_len);
		done += (uint32_t)chain->writable[i].iov_len;
	}
	CHECK(done == len);
	return done;
}

static void *serve(void *arg)
{
	struct link *link = arg;
	unsigned served = 0;

	while (served < CHAINS) {
		struct virtiofs_vq_chain *chain;

		virtiofs_virtqueue_disable_kicks(link->vq);
		while (virtiofs_virtqueue_pop(link->vq, &chain) == 1) {
			virtiofs_virtqueue_push(link->vq, chain, echo(chain));
			served++;
			if (served % 3 == 0 && virtiofs_virtqueue_should_signal(link->vq))
				notify(link->call, &link->calls);
		}
		if (virtiofs_virtqueue_should_signal(link->vq))
			notify(link->call, &link->calls);
		if (served < CHAINS && !virtiofs_virtqueue_enable_kicks(link->vq))
			sleep_on(link->kick);
	}
	return NULL;
}

/* A request: its bytes out, and room for them to come back. */
struct message {
	uint64_t addr[2 * BUFFERS];
	unsigned char bytes[BUFFERS * BUFFER_LEN];
	bool out;
};

static bool send_message(struct link *link, struct test_random *random, struct message *message)
{
	struct guest_buffer buffers[2 * BUFFERS];
	uint32_t count = test_random_range(random, 1, BUFFERS);

	test_random_fill(random, message->bytes, sizeof(message->bytes));
	for (uint32_t i = 0; i < count; i++) {
		guest_ram_write(link->ram, message->addr[i], message->bytes + i * BUFFER_LEN,
				BUFFER_LEN);
		buffers[i] = (struct guest_buffer){ message->addr[i], BUFFER_LEN, false };
		buffers[count + i] =
			(struct guest_buffer){ message->addr[BUFFERS + i], BUFFER_LEN, true };
	}
	return guest_ring_add(&link->ring, buffers, 2 * count, test_random_range(random, 0, 3),
			      message);
}

static void check_message(struct link *link, const struct message *message, uint32_t used)
{
	unsigned char back[BUFFER_LEN];

	CHECK(used % BUFFER_LEN == 0 && used > 0);
	for (uint32_t i = 0; i < used / BUFFER_LEN; i++) {
		guest_ram_read(link->ram, message->addr[BUFFERS + i], back, BUFFER_LEN);
		CHECK(memcmp(back, message->bytes + i * BUFFER_LEN, BUFFER_LEN) == 0);
	}
}

enum { MESSAGES = 8 };

static void exchange(struct link *link, struct test_random *random)
{
	static struct message messages[MESSAGES];
	unsigned sent = 0, received = 0;

	for (unsigned m = 0; m < MESSAGES; m++) {
		for (unsigned i = 0; i < 2 * BUFFERS; i++)
			messages[m].addr[i] = guest_ram_alloc(link->ram, BUFFER_LEN, 1);
		messages[m].out = false;
	}
	while (received < CHAINS) {
		struct message *message;
		uint32_t used;

		for (unsigned m = 0; m < MESSAGES && sent < CHAINS; m++) {
			if (messages[m].out || !send_message(link, random, &messages[m]))
				continue;
			messages[m].out = true;
			sent++;
		}
		if (guest_ring_must_kick(&link->ring))
			notify(link->kick, &link->kicks);
		guest_ring_disable_signals(&link->ring);
		do {
			while ((message = guest_ring_take(&link->ring, &used))) {
				check_message(link, message, used);
				message->out = false;
				received++;
			}
		} while (guest_ring_enable_signals(&link->ring));
		if (received < sent && received < CHAINS)
			sleep_on(link->call);
	}
}

static void no_wake_up_and_no_byte_is_lost(const struct guest_ring_options *options)
{
	struct test_random random;
	struct link link;
	pthread_t device;

	test_random_init(&random, test_seed());
	open_link(&link, options);
	assert_int_equal(pthread_create(&device, NULL, serve, &link), 0);
	exchange(&link, &random);
	pthread_join(device, NULL);
	assert_int_equal(virtiofs_virtqueue_out(link.vq), 0);
	close_link(&link);
}

static void nothing_is_lost_with_event_indexes(void **state)
{
	const struct guest_ring_options options = { 16, true, true };

	(void)state;
	no_wake_up_and_no_byte_is_lost(&options);
}

static void nothing_is_lost_with_flags(void **state)
{
	const struct guest_ring_options options = { 16, false, false };

	(void)state;
	no_wake_up_and_no_byte_is_lost(&options);
}

/* ---- maps that change under a ring at work ---- */

static void *replace_maps(void *arg)
{
	struct link *link = arg;
	const struct guest_ram_region *regions = guest_ram_regions(link->ram);
	struct virtiofs_region_desc descs[GUEST_RAM_REGIONS + 1];
	unsigned count = 0;

	for (; count < GUEST_RAM_REGIONS; count++) {
		descs[count] = (struct virtiofs_region_desc){
			.guest_addr = regions[count].guest_addr,
			.user_addr = (uintptr_t)regions[count].host,
			.len = regions[count].len,
			.host = regions[count].host,
		};
	}
	/* One more that comes and goes, and a cookie that makes a region another. */
	descs[count] = (struct virtiofs_region_desc){ .guest_addr = UINT64_C(1) << 40,
						      .len = 4096,
						      .host = regions[0].host };
	for (unsigned i = 0; !__atomic_load_n(&link->stop, __ATOMIC_RELAXED); i++) {
		descs[0].cookie = i % 3 == 0 ? link : NULL;
		CHECK(virtiofs_mem_publish(link->mem, descs, count + i % 2) == 0);
		usleep(100);
	}
	return NULL;
}

static void nothing_is_lost_while_maps_change(void **state)
{
	const struct guest_ring_options options = { 16, true, true };
	struct test_random random;
	pthread_t device, control;
	struct link link;

	(void)state;
	test_random_init(&random, test_seed());
	open_link(&link, &options);
	assert_int_equal(pthread_create(&control, NULL, replace_maps, &link), 0);
	assert_int_equal(pthread_create(&device, NULL, serve, &link), 0);
	exchange(&link, &random);
	pthread_join(device, NULL);
	__atomic_store_n(&link.stop, 1, __ATOMIC_RELAXED);
	pthread_join(control, NULL);
	close_link(&link);
}

/* ---- a guest that writes whatever it likes, whenever it likes ---- */

/* Plausible numbers, so that chains get far before they go wrong. */
static UNSEEN_BY_TSAN void scribble(struct link *link, struct test_random *random)
{
	volatile struct guest_desc *desc =
		&link->ring.desc[test_random_range(random, 0, link->ring.options.num - 1)];
	const uint64_t addrs[] = { 0x1000,	   GUEST_RAM_SEAM - 8,	 GUEST_RAM_HIGH,
				   UINT64_MAX - 8, link->ring.desc_addr, test_random_u64(random) };

	switch (test_random_range(random, 0, 4)) {
	case 0:
		desc->addr = addrs[test_random_range(random, 0, 5)];
		break;
	case 1:
		desc->len = test_random_one_in(random, 4) ? (uint32_t)test_random_u64(random)
							  : 16 * test_random_range(random, 0, 16);
		break;
	case 2:
		desc->flags = (uint16_t)test_random_range(random, 0, 7);
		break;
	case 3:
		desc->next = (uint16_t)test_random_range(random, 0, link->ring.options.num);
		break;
	default:
		*(volatile uint16_t *)&link->ring.avail[2 + test_random_range(random, 0, 15)] =
			(uint16_t)test_random_range(random, 0, 15);
		break;
	}
}

static void *scribble_on(void *arg)
{
	struct link *link = arg;
	struct test_random random;

	test_random_init(&random, test_seed() + 1);
	while (!__atomic_load_n(&link->stop, __ATOMIC_RELAXED))
		scribble(link, &random);
	return NULL;
}

/* Each iovec lies in guest memory, whole. */
static void check_inside(const struct link *link, const struct iovec *iov, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const unsigned char *base = iov[i].iov_base;
		bool inside = false;

		for (unsigned r = 0; r < GUEST_RAM_REGIONS; r++) {
			const struct guest_ram_region *region = &guest_ram_regions(link->ram)[r];
			uint64_t offset = (uint64_t)(base - region->host);

			inside = inside || (base >= region->host && offset < region->len &&
					    iov[i].iov_len <= region->len - offset);
		}
		CHECK(inside);
	}
}

static void guest_that_rewrites_its_ring_gets_chains_in_its_memory_only(void **state)
{
	const struct guest_ring_options options = { 16, true, true };
	struct virtiofs_vq_chain *chain;
	pthread_t guest;
	struct link link;

	(void)state;
	open_link(&link, &options);
	assert_int_equal(pthread_create(&guest, NULL, scribble_on, &link), 0);
	for (unsigned i = 0; i < 200000; i++) {
		guest_ring_set_avail_idx(&link.ring, (uint16_t)(i + 1));
		assert_int_equal(virtiofs_virtqueue_pop(link.vq, &chain), 1);
		assert_true(chain->readable_count + chain->writable_count <= 1032);
		check_inside(&link, chain->readable, chain->readable_count);
		check_inside(&link, chain->writable, chain->writable_count);
		virtiofs_virtqueue_push(link.vq, chain, 0);
	}
	__atomic_store_n(&link.stop, 1, __ATOMIC_RELAXED);
	pthread_join(guest, NULL);
	close_link(&link);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_with_event_indexes),
		cmocka_unit_test(nothing_is_lost_with_flags),
		cmocka_unit_test(nothing_is_lost_while_maps_change),
		cmocka_unit_test(guest_that_rewrites_its_ring_gets_chains_in_its_memory_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
