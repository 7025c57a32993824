/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit/proto/message.h"

#include <stdlib.h>
#include <string.h>

#include "support/check.h"

static struct iovec *copy_iov(const struct pieces *p)
{
	struct iovec *iov = malloc((p->count + VFI_SPARE_IOV) * sizeof(*iov));

	CHECK(iov);
	memcpy(iov, p->iov, p->count * sizeof(*iov));
	return iov;
}

void message_init(struct message *m)
{
	/* A slot that was used before: nothing in it may matter. */
	memset(&m->msg, 0xee, sizeof(m->msg));
	m->readable = copy_iov(&m->in);
	m->writable = copy_iov(&m->out);
	m->msg.readable = m->readable;
	m->msg.readable_count = m->in.count;
	m->msg.writable = m->writable;
	m->msg.writable_count = m->out.count;
	m->msg.writable_len = m->out.len;
	m->msg.granted = 0;
	m->msg.max_write = MESSAGE_MAX_WRITE;
	m->msg.minor = VIRTIOFS_FUSE_KERNEL_MINOR_VERSION;
}

void message_free(struct message *m)
{
	free(m->readable);
	free(m->writable);
	pieces_free(&m->in);
	pieces_free(&m->out);
}

int message_decode(struct message *m)
{
	int err = vfi_decode_header(&m->msg);

	return err ? err : vfi_decode(&m->msg);
}

int message_decode_flat(struct message *m, const struct raw_request *r, size_t room,
			uint64_t granted)
{
	pieces_cut(&m->in, r->bytes, r->len, NULL, 0);
	pieces_cut(&m->out, NULL, room, NULL, 0);
	message_init(m);
	m->msg.granted = granted;
	return message_decode(m);
}
