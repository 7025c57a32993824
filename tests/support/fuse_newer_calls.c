/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/fuse_newer_calls.h"

#include <string.h>

#include "support/check.h"

/* A request of a fixed part and @tail, whose success has a body of exactly @size bytes. */
static int call(struct fuse_client *c, uint32_t opcode, uint64_t nodeid, const void *in,
		size_t in_len, struct iovec tail, void *body, uint32_t size)
{
	struct fuse_request request = {
		.opcode = opcode,
		.nodeid = nodeid,
		.room = (uint32_t)sizeof(struct virtiofs_fuse_out_header) + size,
	};
	uint32_t len;
	int error;

	/* Only read from; iovec knows no const. */
	request.parts[0] = (struct iovec){ (void *)(uintptr_t)in, in_len };
	request.parts[1] = tail;
	error = fuse_client_call(c, &request, body, size, &len);
	CHECK(error != 0 || len == size);
	return error;
}

int fuse_statx(struct fuse_client *c, uint64_t nodeid, const struct virtiofs_fuse_statx_in *in,
	       struct virtiofs_fuse_statx_out *out)
{
	return call(c, VIRTIOFS_FUSE_STATX, nodeid, in, sizeof(*in), (struct iovec){ 0 }, out,
		    sizeof(*out));
}

int fuse_tmpfile(struct fuse_client *c, uint64_t parent, uint32_t flags, uint32_t mode,
		 struct virtiofs_fuse_entry_out *out, uint64_t *fh)
{
	struct virtiofs_fuse_create_in in = { .flags = flags, .mode = mode };
	struct {
		struct virtiofs_fuse_entry_out entry;
		struct virtiofs_fuse_open_out open;
	} both;
	/* The name of a nameless dentry, as Linux sends it. */
	char name[] = "/";
	int error = call(c, VIRTIOFS_FUSE_TMPFILE, parent, &in, sizeof(in),
			 (struct iovec){ name, sizeof(name) }, &both, sizeof(both));

	if (error == 0) {
		*out = both.entry;
		*fh = both.open.fh;
	}
	return error;
}

int64_t fuse_copy_file_range_64(struct fuse_client *c, uint64_t nodeid_in,
				const struct virtiofs_fuse_copy_file_range_in *in)
{
	struct virtiofs_fuse_copy_file_range_out out;
	int error = call(c, VIRTIOFS_FUSE_COPY_FILE_RANGE_64, nodeid_in, in, sizeof(*in),
			 (struct iovec){ 0 }, &out, sizeof(out));

	return error == 0 ? (int64_t)out.bytes_copied : error;
}

int fuse_ioctl(struct fuse_client *c, uint64_t nodeid, const struct virtiofs_fuse_ioctl_in *in,
	       void *data, uint32_t *len)
{
	unsigned char answer[256];
	const uint32_t fixed = sizeof(struct virtiofs_fuse_ioctl_out);
	struct fuse_request request = {
		.opcode = VIRTIOFS_FUSE_IOCTL,
		.nodeid = nodeid,
		.room = (uint32_t)sizeof(struct virtiofs_fuse_out_header) + fixed + in->out_size,
	};
	struct virtiofs_fuse_ioctl_out out;
	uint32_t got;
	int error;

	CHECK(fixed + in->out_size <= sizeof(answer));
	request.parts[0] = (struct iovec){ (void *)(uintptr_t)in, sizeof(*in) };
	request.parts[1] = (struct iovec){ data, in->in_size };
	error = fuse_client_call(c, &request, answer, sizeof(answer), &got);
	if (error)
		return error;
	CHECK(got >= fixed);
	memcpy(&out, answer, fixed);
	/* Never "try again with this much of that process's memory". */
	CHECK(out.flags == 0 && out.in_iovs == 0 && out.out_iovs == 0);
	*len = got - fixed;
	memcpy(data, answer + fixed, *len);
	return out.result;
}
