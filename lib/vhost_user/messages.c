/* SPDX-License-Identifier: BSD-2-Clause */
#include "vhost_user/messages.h"

#include "base/base.h"

/* An id this back-end does not know is skipped over, with as much payload as this. */
enum { SIZE_ANY = sizeof(union vfi_vu_payload) };

#define NONE 0, 0
#define EXACTLY(type) sizeof(type), sizeof(type)
#define U64 EXACTLY(uint64_t)
#define STATE EXACTLY(struct vfi_vu_vring_state)
/* Messages of features that are not offered: passed over whatever they carry. */
#define ANY 0, SIZE_ANY

static const struct vfi_vu_message_type types[] = {
	[0] = { NULL, ANY, 0, false },
	[VU_GET_FEATURES] = { "GET_FEATURES", NONE, 0, true },
	[VU_SET_FEATURES] = { "SET_FEATURES", U64, 0, false },
	[VU_SET_OWNER] = { "SET_OWNER", NONE, 0, false },
	[VU_RESET_OWNER] = { "RESET_OWNER", NONE, 0, false },
	[VU_SET_MEM_TABLE] = { "SET_MEM_TABLE", VU_MEM_TABLE_HEAD, sizeof(struct vfi_vu_mem_table),
			       VU_MEM_TABLE_MAX, false },
	[VU_SET_LOG_BASE] = { "SET_LOG_BASE", ANY, 1, false },
	[VU_SET_LOG_FD] = { "SET_LOG_FD", ANY, 1, false },
	[VU_SET_VRING_NUM] = { "SET_VRING_NUM", STATE, 0, false },
	[VU_SET_VRING_ADDR] = { "SET_VRING_ADDR", EXACTLY(struct vfi_vu_vring_addr), 0, false },
	[VU_SET_VRING_BASE] = { "SET_VRING_BASE", STATE, 0, false },
	[VU_GET_VRING_BASE] = { "GET_VRING_BASE", STATE, 0, true },
	[VU_SET_VRING_KICK] = { "SET_VRING_KICK", U64, 1, false },
	[VU_SET_VRING_CALL] = { "SET_VRING_CALL", U64, 1, false },
	[VU_SET_VRING_ERR] = { "SET_VRING_ERR", U64, 1, false },
	[VU_GET_PROTOCOL_FEATURES] = { "GET_PROTOCOL_FEATURES", NONE, 0, true },
	[VU_SET_PROTOCOL_FEATURES] = { "SET_PROTOCOL_FEATURES", U64, 0, false },
	[VU_GET_QUEUE_NUM] = { "GET_QUEUE_NUM", NONE, 0, true },
	[VU_SET_VRING_ENABLE] = { "SET_VRING_ENABLE", STATE, 0, false },
	[VU_SEND_RARP] = { "SEND_RARP", ANY, 0, false },
	[VU_NET_SET_MTU] = { "NET_SET_MTU", ANY, 0, false },
	[VU_SET_BACKEND_REQ_FD] = { "SET_BACKEND_REQ_FD", NONE, 1, false },
	[VU_IOTLB_MSG] = { "IOTLB_MSG", ANY, 0, false },
	[VU_SET_VRING_ENDIAN] = { "SET_VRING_ENDIAN", STATE, 0, false },
	[VU_GET_CONFIG] = { "GET_CONFIG", VU_CONFIG_HEAD, sizeof(struct vfi_vu_config), 0, true },
	[VU_SET_CONFIG] = { "SET_CONFIG", VU_CONFIG_HEAD, sizeof(struct vfi_vu_config), 0, false },
	[VU_CREATE_CRYPTO_SESSION] = { "CREATE_CRYPTO_SESSION", ANY, 0, false },
	[VU_CLOSE_CRYPTO_SESSION] = { "CLOSE_CRYPTO_SESSION", ANY, 0, false },
	[VU_POSTCOPY_ADVISE] = { "POSTCOPY_ADVISE", ANY, 0, false },
	[VU_POSTCOPY_LISTEN] = { "POSTCOPY_LISTEN", ANY, 0, false },
	[VU_POSTCOPY_END] = { "POSTCOPY_END", ANY, 0, false },
	[VU_GET_INFLIGHT_FD] = { "GET_INFLIGHT_FD", ANY, 0, false },
	[VU_SET_INFLIGHT_FD] = { "SET_INFLIGHT_FD", ANY, 1, false },
	[VU_GPU_SET_SOCKET] = { "GPU_SET_SOCKET", ANY, 1, false },
	[VU_RESET_DEVICE] = { "RESET_DEVICE", NONE, 0, false },
	[VU_VRING_KICK] = { "VRING_KICK", ANY, 0, false },
	[VU_GET_MAX_MEM_SLOTS] = { "GET_MAX_MEM_SLOTS", NONE, 0, true },
	[VU_ADD_MEM_REG] = { "ADD_MEM_REG", EXACTLY(struct vfi_vu_mem_reg), 1, false },
	/* The region's descriptor may come along; QEMU sends none. */
	[VU_REM_MEM_REG] = { "REM_MEM_REG", EXACTLY(struct vfi_vu_mem_reg), 1, false },
	[VU_SET_STATUS] = { "SET_STATUS", ANY, 0, false },
	[VU_GET_STATUS] = { "GET_STATUS", ANY, 0, false },
	[VU_GET_SHARED_OBJECT] = { "GET_SHARED_OBJECT", ANY, 0, false },
	[VU_SET_DEVICE_STATE_FD] = { "SET_DEVICE_STATE_FD", ANY, 1, false },
	[VU_CHECK_DEVICE_STATE] = { "CHECK_DEVICE_STATE", ANY, 0, false },
	[VU_GET_SHMEM_CONFIG] = { "GET_SHMEM_CONFIG", ANY, 0, false },
};

const struct vfi_vu_message_type *vfi_vu_message_type(uint32_t request)
{
	return &types[request < VFI_ARRAY_SIZE(types) ? request : 0];
}

bool vfi_vu_size_ok(const struct vfi_vu_header *header)
{
	const struct vfi_vu_message_type *type = vfi_vu_message_type(header->request);

	return header->size >= type->size_min && header->size <= type->size_max;
}
