/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/test.h"

#include "vhost_user/messages.h"

static void every_id_has_a_name_and_room_in_the_buffer(void **state)
{
	(void)state;
	for (uint32_t id = VU_GET_FEATURES; id <= VU_GET_SHMEM_CONFIG; id++) {
		const struct vfi_vu_message_type *type = vfi_vu_message_type(id);

		assert_non_null(type->name);
		assert_true(type->size_min <= type->size_max);
		assert_true(type->size_max <= sizeof(union vfi_vu_payload));
		assert_true(type->fds_max <= VU_FDS_MAX);
	}
}

static void unknown_ids_share_a_row_without_a_name(void **state)
{
	const uint32_t unknown[] = { 0, VU_GET_SHMEM_CONFIG + 1, 1002, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		const struct vfi_vu_message_type *type = vfi_vu_message_type(unknown[i]);

		assert_null(type->name);
		assert_int_equal(type->fds_max, 0);
		assert_false(type->replies);
	}
}

/* The protocol's sizes, from its text, beside those of the table. */
static void payload_sizes_are_the_protocols(void **state)
{
	const struct {
		uint32_t id, min, max;
	} rows[] = {
		{ VU_GET_FEATURES, 0, 0 },	  { VU_SET_FEATURES, 8, 8 },
		{ VU_SET_OWNER, 0, 0 },		  { VU_SET_MEM_TABLE, 8, 8 + 32 * 32 },
		{ VU_SET_VRING_NUM, 8, 8 },	  { VU_SET_VRING_ADDR, 40, 40 },
		{ VU_SET_VRING_BASE, 8, 8 },	  { VU_GET_VRING_BASE, 8, 8 },
		{ VU_SET_VRING_KICK, 8, 8 },	  { VU_SET_VRING_CALL, 8, 8 },
		{ VU_SET_VRING_ERR, 8, 8 },	  { VU_GET_PROTOCOL_FEATURES, 0, 0 },
		{ VU_GET_QUEUE_NUM, 0, 0 },	  { VU_SET_PROTOCOL_FEATURES, 8, 8 },
		{ VU_SET_VRING_ENABLE, 8, 8 },	  { VU_SET_BACKEND_REQ_FD, 0, 0 },
		{ VU_GET_CONFIG, 12, 12 + 4096 }, { VU_SET_CONFIG, 12, 12 + 4096 },
		{ VU_RESET_DEVICE, 0, 0 },	  { VU_GET_MAX_MEM_SLOTS, 0, 0 },
		{ VU_ADD_MEM_REG, 40, 40 },	  { VU_REM_MEM_REG, 40, 40 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vfi_vu_header header = { .request = rows[i].id };

		header.size = rows[i].min;
		assert_true(vfi_vu_size_ok(&header));
		header.size = rows[i].max;
		assert_true(vfi_vu_size_ok(&header));
		header.size = rows[i].max + 1;
		assert_false(vfi_vu_size_ok(&header));
		header.size = rows[i].min - 1; /* 0 becomes the largest there is */
		assert_false(vfi_vu_size_ok(&header));
	}
}

static void payload_of_an_unknown_id_is_limited(void **state)
{
	struct vfi_vu_header header = { .request = 1002, .size = 4096 };

	(void)state;
	assert_true(vfi_vu_size_ok(&header));
	header.size = 4096 + 64;
	assert_false(vfi_vu_size_ok(&header));
	header.size = UINT32_MAX;
	assert_false(vfi_vu_size_ok(&header));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_id_has_a_name_and_room_in_the_buffer),
		cmocka_unit_test(unknown_ids_share_a_row_without_a_name),
		cmocka_unit_test(payload_sizes_are_the_protocols),
		cmocka_unit_test(payload_of_an_unknown_id_is_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
