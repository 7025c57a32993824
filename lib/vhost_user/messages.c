/* SPDX-License-Identifier: BSD-2-Clause */
#include "vhost_user/messages.h"

#include "base/base.h"

/* An id this back-end does not know is skipped over, with as much payload as this. */
enum { SIZE_ANY = sizeof(union vfi_vu_payload) };

#define NONE 0, 0
#define EXACTLY(type) sizeof(type), sizeof(type)
#define U64 EXACTLY(uint64_t)
#define STATE EXACTLY(struct vfi_vu_vring_state)
#define ADDR EXACTLY(struct vfi_vu_vring_addr)
#define MEM_TABLE VU_MEM_TABLE_HEAD, sizeof(struct vfi_vu_mem_table)
#define MEM_REG EXACTLY(struct vfi_vu_mem_reg)
#define CONFIG VU_CONFIG_HEAD, sizeof(struct vfi_vu_config)

/* Answered by itself; acknowledged, where that is asked for; not ours: passed over. */
#define QUERY(name, size, handler) [VU_##name] = { #name, size, 0, true, handler }
#define COMMAND(name, size, fds, handler) [VU_##name] = { #name, size, fds, false, handler }
#define NOT_OFFERED(name) [VU_##name] = { #name, 0, SIZE_ANY, 0, false, NULL }

/* clang-format off */
static const struct vfi_vu_message_type types[] = {
	[0] = { NULL, 0, SIZE_ANY, 0, false, NULL }, /* and any id that is not in here */
	/*	name			payload		fds  handler */
	QUERY(GET_FEATURES,		NONE,		     vfi_vu_get_features),
	COMMAND(SET_FEATURES,		U64,		0,   vfi_vu_set_features),
	COMMAND(SET_OWNER,		NONE,		0,   vfi_vu_set_owner),
	COMMAND(RESET_OWNER,		NONE,		0,   vfi_vu_reset_owner),
	COMMAND(SET_MEM_TABLE,		MEM_TABLE,	VU_MEM_TABLE_MAX, vfi_vu_set_mem_table),
	NOT_OFFERED(SET_LOG_BASE),
	NOT_OFFERED(SET_LOG_FD),
	COMMAND(SET_VRING_NUM,		STATE,		0,   vfi_vu_set_vring_num),
	COMMAND(SET_VRING_ADDR,		ADDR,		0,   vfi_vu_set_vring_addr),
	COMMAND(SET_VRING_BASE,		STATE,		0,   vfi_vu_set_vring_base),
	QUERY(GET_VRING_BASE,		STATE,		     vfi_vu_get_vring_base),
	COMMAND(SET_VRING_KICK,		U64,		1,   vfi_vu_set_vring_kick),
	COMMAND(SET_VRING_CALL,		U64,		1,   vfi_vu_set_vring_call),
	COMMAND(SET_VRING_ERR,		U64,		1,   vfi_vu_set_vring_err),
	QUERY(GET_PROTOCOL_FEATURES,	NONE,		     vfi_vu_get_protocol_features),
	COMMAND(SET_PROTOCOL_FEATURES,	U64,		0,   vfi_vu_set_protocol_features),
	QUERY(GET_QUEUE_NUM,		NONE,		     vfi_vu_get_queue_num),
	COMMAND(SET_VRING_ENABLE,	STATE,		0,   vfi_vu_set_vring_enable),
	NOT_OFFERED(SEND_RARP),
	NOT_OFFERED(NET_SET_MTU),
	COMMAND(SET_BACKEND_REQ_FD,	NONE,		1,   vfi_vu_set_backend_req_fd),
	NOT_OFFERED(IOTLB_MSG),
	COMMAND(SET_VRING_ENDIAN,	STATE,		0,   vfi_vu_set_vring_endian),
	QUERY(GET_CONFIG,		CONFIG,		     vfi_vu_get_config),
	COMMAND(SET_CONFIG,		CONFIG,		0,   vfi_vu_set_config),
	NOT_OFFERED(CREATE_CRYPTO_SESSION),
	NOT_OFFERED(CLOSE_CRYPTO_SESSION),
	NOT_OFFERED(POSTCOPY_ADVISE),
	NOT_OFFERED(POSTCOPY_LISTEN),
	NOT_OFFERED(POSTCOPY_END),
	NOT_OFFERED(GET_INFLIGHT_FD),
	NOT_OFFERED(SET_INFLIGHT_FD),
	NOT_OFFERED(GPU_SET_SOCKET),
	COMMAND(RESET_DEVICE,		NONE,		0,   vfi_vu_reset_device),
	NOT_OFFERED(VRING_KICK),
	QUERY(GET_MAX_MEM_SLOTS,	NONE,		     vfi_vu_get_max_mem_slots),
	COMMAND(ADD_MEM_REG,		MEM_REG,	1,   vfi_vu_add_mem_reg),
	/* The region's descriptor may come along; QEMU sends none. */
	COMMAND(REM_MEM_REG,		MEM_REG,	1,   vfi_vu_rem_mem_reg),
	NOT_OFFERED(SET_STATUS),
	NOT_OFFERED(GET_STATUS),
	NOT_OFFERED(GET_SHARED_OBJECT),
	NOT_OFFERED(SET_DEVICE_STATE_FD),
	NOT_OFFERED(CHECK_DEVICE_STATE),
	NOT_OFFERED(GET_SHMEM_CONFIG),
};
/* clang-format on */

const struct vfi_vu_message_type *vfi_vu_message_type(uint32_t request)
{
	return &types[request < VFI_ARRAY_SIZE(types) ? request : 0];
}

bool vfi_vu_size_ok(const struct vfi_vu_header *header)
{
	const struct vfi_vu_message_type *type = vfi_vu_message_type(header->request);

	return header->size >= type->size_min && header->size <= type->size_max;
}
