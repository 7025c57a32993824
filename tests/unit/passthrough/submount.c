/* SPDX-License-Identifier: BSD-2-Clause */
/* What tells a mount from the directory around it. */
#include "guest.h"

static bool is_announced(const struct statx *parent, const struct statx *st, bool knows)
{
	const struct vfi_guest guest = { .submounts = knows };
	struct virtiofs_fuse_entry_out out = { .nodeid = 9 };

	vfi_mount_announce(&guest, vfi_mount_of(parent), st, &out);
	return out.attr.flags == VIRTIOFS_FUSE_ATTR_SUBMOUNT;
}

static void a_directory_of_another_mount_is_announced(void **state)
{
	struct statx parent = { .stx_mask = STATX_MNT_ID, .stx_mode = S_IFDIR | 0755 };
	struct statx st;

	(void)state;
	parent.stx_dev_major = 8;
	parent.stx_dev_minor = 1;
	parent.stx_mnt_id = 20;
	st = parent;
	assert_false(is_announced(&parent, &st, true));
	/* A bind mount, and what is its own device on one mount: btrfs's subvolumes. */
	st.stx_mnt_id = 21;
	assert_true(is_announced(&parent, &st, true));
	st = parent;
	st.stx_dev_minor = 2;
	assert_true(is_announced(&parent, &st, true));
	st = parent;
	st.stx_dev_major = 9;
	assert_true(is_announced(&parent, &st, true));
	assert_false(is_announced(&parent, &st, false));
	st.stx_mode = S_IFREG | 0644;
	assert_false(is_announced(&parent, &st, true));
}

/* Before Linux 5.8 the number of the mount is whatever was in memory. */
static void without_numbers_of_mounts_the_device_decides(void **state)
{
	struct statx parent = { .stx_mask = STATX_BASIC_STATS, .stx_mode = S_IFDIR | 0755 };
	struct statx st = parent;

	(void)state;
	parent.stx_mnt_id = 1;
	st.stx_mnt_id = 2;
	assert_false(is_announced(&parent, &st, true));
	st.stx_dev_minor = 7;
	assert_true(is_announced(&parent, &st, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_directory_of_another_mount_is_announced),
		cmocka_unit_test(without_numbers_of_mounts_the_device_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
