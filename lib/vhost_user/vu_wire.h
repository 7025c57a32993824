/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vhost-user on the wire: message ids, flags, feature bits, payloads. From the
 * protocol's text (QEMU, docs/interop/vhost-user.rst). All numbers have the
 * host's byte order.
 */
#ifndef VFI_VU_WIRE_H
#define VFI_VU_WIRE_H

#include <stdint.h>

enum vfi_vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_RESET_OWNER = 4,
	VU_SET_MEM_TABLE = 5,
	VU_SET_LOG_BASE = 6,
	VU_SET_LOG_FD = 7,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_GET_VRING_BASE = 11,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_SET_VRING_ERR = 14,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_GET_QUEUE_NUM = 17,
	VU_SET_VRING_ENABLE = 18,
	VU_SEND_RARP = 19,
	VU_NET_SET_MTU = 20,
	VU_SET_BACKEND_REQ_FD = 21,
	VU_IOTLB_MSG = 22,
	VU_SET_VRING_ENDIAN = 23,
	VU_GET_CONFIG = 24,
	VU_SET_CONFIG = 25,
	VU_CREATE_CRYPTO_SESSION = 26,
	VU_CLOSE_CRYPTO_SESSION = 27,
	VU_POSTCOPY_ADVISE = 28,
	VU_POSTCOPY_LISTEN = 29,
	VU_POSTCOPY_END = 30,
	VU_GET_INFLIGHT_FD = 31,
	VU_SET_INFLIGHT_FD = 32,
	VU_GPU_SET_SOCKET = 33,
	VU_RESET_DEVICE = 34,
	VU_VRING_KICK = 35,
	VU_GET_MAX_MEM_SLOTS = 36,
	VU_ADD_MEM_REG = 37,
	VU_REM_MEM_REG = 38,
	VU_SET_STATUS = 39,
	VU_GET_STATUS = 40,
	VU_GET_SHARED_OBJECT = 41,
	VU_SET_DEVICE_STATE_FD = 42,
	VU_CHECK_DEVICE_STATE = 43,
	VU_GET_SHMEM_CONFIG = 44,
};

struct vfi_vu_header {
	uint32_t request; /* enum vfi_vu_request */
	uint32_t flags;	  /* VU_FLAG_ */
	uint32_t size;	  /* bytes of payload */
};

#define VU_FLAG_VERSION_MASK 0x3u
#define VU_FLAG_VERSION 0x1u
#define VU_FLAG_REPLY 0x4u
#define VU_FLAG_NEED_REPLY 0x8u

/* Protocol features, by bit number: those this back-end has. */
#define VU_PF_MQ 0u
#define VU_PF_REPLY_ACK 3u
#define VU_PF_BACKEND_REQ 5u
#define VU_PF_CONFIG 9u
#define VU_PF_RESET_DEVICE 13u
#define VU_PF_CONFIGURE_MEM_SLOTS 15u

/* Virtio feature bits that are not a ring's (virtqueue.h): virtio 1.2, 6; vhost-user's own. */
#define VU_F_PROTOCOL_FEATURES 30u
#define VU_F_VERSION_1 32u

enum {
	/* Regions, and descriptors, of one SET_MEM_TABLE: QEMU sends up to 8, rust-vmm's
	 * front-ends up to 32. */
	VU_MEM_TABLE_MAX = 32,
	VU_FDS_MAX = 32,
	/* Configuration space that one message may ask for: a page. */
	VU_CONFIG_MAX = 4096,
};

/* SET_VRING_NUM, _BASE, _ENABLE, GET_VRING_BASE. */
struct vfi_vu_vring_state {
	uint32_t index;
	uint32_t num;
};

struct vfi_vu_vring_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc; /* addresses of the front-end */
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};

/* SET_VRING_KICK, _CALL, _ERR: a ring's index, and whether a descriptor comes along. */
#define VU_VRING_INDEX_MASK 0xffu
#define VU_VRING_NO_FD 0x100u

struct vfi_vu_region {
	uint64_t guest_addr;
	uint64_t size;
	uint64_t user_addr;
	uint64_t mmap_offset;
};

struct vfi_vu_mem_table {
	uint32_t count;
	uint32_t padding;
	struct vfi_vu_region regions[VU_MEM_TABLE_MAX];
};

/* ADD_MEM_REG, REM_MEM_REG. */
struct vfi_vu_mem_reg {
	uint64_t padding;
	struct vfi_vu_region region;
};

struct vfi_vu_config {
	uint32_t offset;
	uint32_t size;
	uint32_t flags;
	uint8_t data[VU_CONFIG_MAX];
};

union vfi_vu_payload {
	uint64_t u64;
	struct vfi_vu_vring_state state;
	struct vfi_vu_vring_addr addr;
	struct vfi_vu_mem_table table;
	struct vfi_vu_mem_reg mem_reg;
	struct vfi_vu_config config;
};

/* Bytes of a payload that ends in an array, without the array. */
enum {
	VU_MEM_TABLE_HEAD = 8,
	VU_CONFIG_HEAD = 12,
};

_Static_assert(sizeof(struct vfi_vu_header) == 12, "header");
_Static_assert(sizeof(struct vfi_vu_vring_state) == 8, "vring state");
_Static_assert(sizeof(struct vfi_vu_vring_addr) == 40, "vring addresses");
_Static_assert(sizeof(struct vfi_vu_region) == 32, "memory region");
_Static_assert(sizeof(struct vfi_vu_mem_table) == VU_MEM_TABLE_HEAD + 32 * VU_MEM_TABLE_MAX,
	       "memory table");
_Static_assert(sizeof(struct vfi_vu_mem_reg) == 40, "single memory region");
_Static_assert(sizeof(struct vfi_vu_config) == VU_CONFIG_HEAD + VU_CONFIG_MAX, "configuration");

#endif /* VFI_VU_WIRE_H */
