/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/test.h"

#include "support/fake_host.h"

#include <poll.h>
#include <string.h>

enum { ROOM = 4096 };

static void complete(void *arg, struct virtiofs_queue *q, void *cookie, uint32_t written,
		     uint32_t touched)
{
	struct fake_host *host = arg;
	struct fake_chain *chain = cookie;

	chain->written = written;
	chain->touched = touched;
	__atomic_add_fetch(&chain->completions, 1, __ATOMIC_RELEASE);
	__atomic_add_fetch(&host->completed, 1, __ATOMIC_RELEASE);
	if (host->on_complete)
		host->on_complete(host, q, chain);
}

void fake_host_open(struct fake_host *host, const struct virtiofs_env *env,
		    const struct virtiofs_device_options *options, struct virtiofs_fs *fs)
{
	const struct virtiofs_host_ops ops = { .size = sizeof(ops), .complete = complete };

	memset(host, 0, sizeof(*host));
	assert_int_equal(virtiofs_device_create(&host->dev, env, options, fs, &ops, host), 0);
}

void fake_host_close(struct fake_host *host)
{
	struct virtiofs_stats stats = { .size = sizeof(stats) };

	for (unsigned i = 0; i < virtiofs_device_queue_count(host->dev); i++)
		virtiofs_queue_detach(virtiofs_device_queue(host->dev, i));
	assert_int_equal(virtiofs_device_stats(host->dev, &stats), 0);
	assert_int_equal(stats.accepted, stats.completed);
	assert_int_equal(stats.completed, host->completed);
	assert_int_equal(virtiofs_device_destroy(host->dev), 0);
}

struct virtiofs_queue *fake_attach(struct fake_host *host, unsigned index)
{
	struct virtiofs_queue *q = virtiofs_device_queue(host->dev, index);

	assert_non_null(q);
	assert_int_equal(virtiofs_queue_attach(q, 0), 0);
	return q;
}

uint64_t fake_request(struct fake_chain *chain, uint32_t opcode, uint64_t nodeid, const void *args,
		      size_t len)
{
	static uint64_t unique;
	struct virtiofs_fuse_in_header header = {
		.len = (uint32_t)(sizeof(header) + len),
		.opcode = opcode,
		.unique = __atomic_add_fetch(&unique, 2, __ATOMIC_RELAXED),
		.nodeid = nodeid,
		.uid = 1000,
		.gid = 1000,
		.pid = 1,
	};

	memset(chain, 0, sizeof(*chain));
	assert_in_range(len, 0, sizeof(chain->in) - sizeof(header));
	memcpy(chain->in, &header, sizeof(header));
	if (len)
		memcpy(chain->in + sizeof(header), args, len);
	chain->in_len = header.len;
	chain->out_len = ROOM;
	return header.unique;
}

void fake_init(struct fake_chain *chain, uint32_t minor, uint64_t flags)
{
	struct virtiofs_fuse_init_in in = {
		.major = 7,
		.minor = minor,
		.max_readahead = 131072,
		.flags = (uint32_t)flags,
		.flags2 = (uint32_t)(flags >> 32),
	};

	fake_request(chain, VIRTIOFS_FUSE_INIT, 0, &in, sizeof(in));
}

int fake_submit(struct virtiofs_queue *q, struct fake_chain *chain)
{
	struct virtiofs_chain c = {
		.size = sizeof(c),
		.readable = &chain->in_iov,
		.writable = &chain->out_iov,
		.readable_count = 1,
		.writable_count = 1,
		.cookie = chain,
	};

	chain->in_iov.iov_base = chain->in;
	chain->in_iov.iov_len = chain->in_len;
	chain->out_iov.iov_base = chain->out;
	chain->out_iov.iov_len = chain->out_len;
	return virtiofs_queue_submit(q, &c);
}

int fake_completions(const struct fake_chain *chain)
{
	return __atomic_load_n(&chain->completions, __ATOMIC_ACQUIRE);
}

void fake_wait(struct virtiofs_queue *q, struct fake_chain *chain)
{
	struct pollfd pfd = { .fd = virtiofs_queue_fd(q), .events = POLLIN };

	while (!fake_completions(chain)) {
		/* A hang is a lost wake-up: the eventfd must tell. */
		assert_int_equal(poll(&pfd, 1, 60000), 1);
		assert_true(virtiofs_queue_run(q, 0) >= 0);
	}
}

struct virtiofs_fuse_out_header fake_answer(const struct fake_chain *chain)
{
	struct virtiofs_fuse_out_header out;
	struct virtiofs_fuse_in_header in;

	assert_int_equal(fake_completions(chain), 1);
	memcpy(&out, chain->out, sizeof(out));
	memcpy(&in, chain->in, sizeof(in));
	assert_int_equal(chain->written, out.len);
	assert_true(chain->touched >= chain->written);
	assert_int_equal(out.unique, in.unique);
	return out;
}

int fake_error(const struct fake_chain *chain)
{
	return fake_answer(chain).error;
}

void fake_mount(struct virtiofs_queue *q)
{
	struct fake_chain chain;

	fake_init(&chain, 45, UINT64_MAX);
	assert_int_equal(fake_submit(q, &chain), 0);
	fake_wait(q, &chain);
	assert_int_equal(fake_error(&chain), 0);
}
