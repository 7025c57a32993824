/* SPDX-License-Identifier: BSD-2-Clause */
/* The one table of messages. */
#ifndef VFI_VU_MESSAGES_H
#define VFI_VU_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "vhost_user/vu_wire.h"

/* A row: what a message of the front-end may look like. */
struct vfi_vu_message_type {
	const char *name;  /* as the protocol spells it, without VHOST_USER_; NULL: no such id */
	uint16_t size_min; /* bytes of payload */
	uint16_t size_max;
	uint8_t fds_max;
	/* The message has a reply of its own, and never the one that NEED_REPLY asks for. */
	bool replies;
};

/* Never NULL: unknown ids share a row. */
const struct vfi_vu_message_type *vfi_vu_message_type(uint32_t request);

/* Whether a message may have as much payload as its header says; for vfi_vu_socket_receive(). */
bool vfi_vu_size_ok(const struct vfi_vu_header *header);

#endif /* VFI_VU_MESSAGES_H */
