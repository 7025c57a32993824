/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of extended attributes: the four requests, and what is there on the host. */
#ifndef TESTS_UNIT_PASSTHROUGH_XATTR_H
#define TESTS_UNIT_PASSTHROUGH_XATTR_H

#include <sys/uio.h>
#include <sys/xattr.h>

#include "guest.h"

/* A guest of a new directory with one option. */
static inline struct guest *begin(void **state, const char *option, const char *value)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	char error[128];

	assert_int_equal(virtiofs_passthrough_set(&options, option, value, error, sizeof(error)),
			 0);
	guest_setup_with(state, &options);
	return *state;
}

/* ---- The four requests ---- */

static inline int do_set(struct guest *g, uint64_t node, const char *name, const void *value,
			 size_t size, uint32_t flags, uint32_t more)
{
	const struct virtiofs_fuse_setxattr_in in = {
		.size = (uint32_t)size,
		.flags = flags,
		.setxattr_flags = more,
	};
	/* Guest memory comes in pieces. */
	const size_t half = size / 2;
	const struct iovec iov[2] = { { (void *)(uintptr_t)value, half },
				      { (char *)(uintptr_t)value + half, size - half } };
	const struct virtiofs_iov src = { iov, 2, size };

	g->ops->setxattr(g->session, fake_req(&g->req), node, &in, name, &src);
	return fake_reply_error(&g->req);
}

static inline int set_text(struct guest *g, uint64_t node, const char *name, const char *text)
{
	return do_set(g, node, name, text, strlen(text), 0, 0);
}

/* Bytes, or a negative errno. */
static inline int sized_reply(struct guest *g, uint32_t size, void *buf)
{
	int err = fake_reply_error(&g->req);
	struct virtiofs_fuse_getxattr_out out;

	if (err)
		return err;
	if (size == 0) {
		assert_int_equal(fake_reply_body(&g->req, &out, sizeof(out)), 0);
		return (int)out.size;
	}
	assert_true(g->req.len <= size);
	memcpy(buf, g->req.body, g->req.len);
	return (int)g->req.len;
}

static inline int do_get(struct guest *g, uint64_t node, const char *name, void *buf, uint32_t size)
{
	const struct virtiofs_fuse_getxattr_in in = { .size = size };

	g->ops->getxattr(g->session, fake_req(&g->req), node, &in, name);
	return sized_reply(g, size, buf);
}

static inline int do_list(struct guest *g, uint64_t node, void *buf, uint32_t size)
{
	const struct virtiofs_fuse_getxattr_in in = { .size = size };

	g->ops->listxattr(g->session, fake_req(&g->req), node, &in);
	return sized_reply(g, size, buf);
}

static inline int do_remove(struct guest *g, uint64_t node, const char *name)
{
	g->ops->removexattr(g->session, fake_req(&g->req), node, name);
	return fake_reply_error(&g->req);
}

static inline bool lists(struct guest *g, uint64_t node, const char *name)
{
	char buf[4096];
	int n = do_list(g, node, buf, sizeof(buf));

	assert_true(n >= 0);
	for (char *at = buf; at < buf + n; at += strlen(at) + 1) {
		if (strcmp(at, name) == 0)
			return true;
	}
	return false;
}

/* ---- On the host's side ---- */

static const char *host_path(struct guest *g, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", g->path, name);
	return path;
}

static inline bool host_xattr_is(struct guest *g, const char *file, const char *name,
				 const char *text)
{
	char buf[256];
	ssize_t n = lgetxattr(host_path(g, file), name, buf, sizeof(buf));

	return n == (ssize_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

static inline int host_set(struct guest *g, const char *file, const char *name, const char *text)
{
	return lsetxattr(host_path(g, file), name, text, strlen(text), 0) ? -errno : 0;
}

/* Where /tmp has none there is nothing to be tested. */
static inline void need_attributes(struct guest *g, const char *name)
{
	host_write(g, "probe", "");
	if (host_set(g, "probe", name, "x"))
		skip();
}

#endif /* TESTS_UNIT_PASSTHROUGH_XATTR_H */
