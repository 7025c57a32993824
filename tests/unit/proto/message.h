/* SPDX-License-Identifier: BSD-2-Clause */
/* A request in the codec's hands: bytes in pieces in, pieces of room for the answer. */
#ifndef TESTS_UNIT_PROTO_MESSAGE_H
#define TESTS_UNIT_PROTO_MESSAGE_H

#include "proto/proto.h"
#include "support/pieces.h"
#include "support/raw_request.h"

enum { MESSAGE_MAX_WRITE = 4096 };

struct message {
	struct vfi_msg msg;
	struct pieces in;
	struct pieces out;
	/* Just as many as the codec was promised. */
	struct iovec *readable;
	struct iovec *writable;
};

/* @m->in and @m->out are cut already. */
void message_init(struct message *m);
void message_free(struct message *m);
/* Header and the rest; what either returns. */
int message_decode(struct message *m);

/* Decode @r in one piece, with room for @room bytes of answer. Free it afterwards. */
int message_decode_flat(struct message *m, const struct raw_request *r, size_t room,
			uint64_t granted);

#endif /* TESTS_UNIT_PROTO_MESSAGE_H */
