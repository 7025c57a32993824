/* SPDX-License-Identifier: BSD-2-Clause */
/* The one table of messages. */
#ifndef VFI_VU_MESSAGES_H
#define VFI_VU_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "vhost_user/vu_wire.h"

struct virtiofs_vhost_user;
struct vfi_vu_message;

/* A row: what a message of the front-end may look like. */
struct vfi_vu_message_type {
	const char *name;  /* as the protocol spells it, without VHOST_USER_; NULL: no such id */
	uint16_t size_min; /* bytes of payload */
	uint16_t size_max;
	uint8_t fds_max;
	/* The message has a reply of its own, and never the one that NEED_REPLY asks for. */
	bool replies;
	/*
	 * Do what it asks. A reply of its own is left in payload and header.size.
	 * Returns 0, VU_LATER or VU_AGAIN (backend.h), or an error: it is refused,
	 * and the log says why; never where the message @replies.
	 * NULL: belongs to a feature that is not offered.
	 */
	int (*handle)(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg);
};

/* What messages do: requests.c, and for those of a ring, ring_requests.c. */
#define VU_HANDLER(name) int name(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
VU_HANDLER(vfi_vu_get_features);
VU_HANDLER(vfi_vu_set_features);
VU_HANDLER(vfi_vu_get_protocol_features);
VU_HANDLER(vfi_vu_set_protocol_features);
VU_HANDLER(vfi_vu_set_owner);
VU_HANDLER(vfi_vu_reset_owner);
VU_HANDLER(vfi_vu_reset_device);
VU_HANDLER(vfi_vu_get_queue_num);
VU_HANDLER(vfi_vu_get_max_mem_slots);
VU_HANDLER(vfi_vu_set_mem_table);
VU_HANDLER(vfi_vu_add_mem_reg);
VU_HANDLER(vfi_vu_rem_mem_reg);
VU_HANDLER(vfi_vu_set_backend_req_fd);
VU_HANDLER(vfi_vu_get_config);
VU_HANDLER(vfi_vu_set_config);
VU_HANDLER(vfi_vu_set_vring_num);
VU_HANDLER(vfi_vu_set_vring_addr);
VU_HANDLER(vfi_vu_set_vring_base);
VU_HANDLER(vfi_vu_get_vring_base);
VU_HANDLER(vfi_vu_set_vring_kick);
VU_HANDLER(vfi_vu_set_vring_call);
VU_HANDLER(vfi_vu_set_vring_err);
VU_HANDLER(vfi_vu_set_vring_enable);
VU_HANDLER(vfi_vu_set_vring_endian);

/* Never NULL: unknown ids share a row. */
const struct vfi_vu_message_type *vfi_vu_message_type(uint32_t request);

/* Whether a message may have as much payload as its header says; for vfi_vu_socket_receive(). */
bool vfi_vu_size_ok(const struct vfi_vu_header *header);

#endif /* VFI_VU_MESSAGES_H */
