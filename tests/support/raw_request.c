/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/raw_request.h"

#include <string.h>

#include "support/check.h"

struct virtiofs_fuse_in_header raw_request_header(const struct raw_request *r)
{
	struct virtiofs_fuse_in_header header;

	memcpy(&header, r->bytes, sizeof(header));
	return header;
}

void raw_request_set_header(struct raw_request *r, const struct virtiofs_fuse_in_header *header)
{
	memcpy(r->bytes, header, sizeof(*header));
}

static void set_len(struct raw_request *r, size_t len)
{
	struct virtiofs_fuse_in_header header = raw_request_header(r);

	r->len = len;
	header.len = (uint32_t)len;
	if (len >= sizeof(header))
		raw_request_set_header(r, &header);
}

void raw_request_init(struct raw_request *r, uint32_t opcode, uint64_t nodeid)
{
	const struct virtiofs_fuse_in_header header = {
		.len = sizeof(header),
		.opcode = opcode,
		.unique = RAW_REQUEST_UNIQUE,
		.nodeid = nodeid,
		.uid = 1000,
		.gid = 1001,
		.pid = 77,
	};

	raw_request_set_header(r, &header);
	r->len = sizeof(header);
}

void raw_request_add(struct raw_request *r, const void *data, size_t len)
{
	CHECK(len <= sizeof(r->bytes) - r->len);
	if (len)
		memcpy(r->bytes + r->len, data, len);
	set_len(r, r->len + len);
}

void raw_request_add_name(struct raw_request *r, const char *name)
{
	raw_request_add(r, name, strlen(name) + 1);
}

void raw_request_cut(struct raw_request *r, size_t len)
{
	CHECK(len <= r->len);
	set_len(r, r->len - len);
}
