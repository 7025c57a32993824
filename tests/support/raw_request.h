/* SPDX-License-Identifier: BSD-2-Clause */
/* The bytes of a request, as a guest puts them together. */
#ifndef TESTS_SUPPORT_RAW_REQUEST_H
#define TESTS_SUPPORT_RAW_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include <virtiofs/fuse_wire.h>

struct raw_request {
	unsigned char bytes[9216];
	size_t len;
};

#define RAW_REQUEST_UNIQUE UINT64_C(0x1122334455667788)

/* A header, and nothing else yet. */
void raw_request_init(struct raw_request *r, uint32_t opcode, uint64_t nodeid);
/* Append; the header's length grows with it. */
void raw_request_add(struct raw_request *r, const void *data, size_t len);
/* Append a string with its NUL. */
void raw_request_add_name(struct raw_request *r, const char *name);
/* Take @len bytes off the end; the header's length shrinks too, where it is still there. */
void raw_request_cut(struct raw_request *r, size_t len);

struct virtiofs_fuse_in_header raw_request_header(const struct raw_request *r);
void raw_request_set_header(struct raw_request *r, const struct virtiofs_fuse_in_header *header);

#endif /* TESTS_SUPPORT_RAW_REQUEST_H */
