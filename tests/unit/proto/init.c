/* SPDX-License-Identifier: BSD-2-Clause */
/* Negotiation with guests old and new, and with filesystems that want too much. */
#include "support/test.h"

#include <errno.h>
#include <string.h>

#include "unit/proto/message.h"

enum { MAX_WRITE = 1 << 20 };

/* What Linux 6.1 and 7.2 offer over virtio-fs. */
static const struct virtiofs_fuse_init_in linux_6_1 = {
	.major = 7, .minor = 38, .max_readahead = 131072, .flags = 0x7bfffffb, .flags2 = 0xb
};
static const struct virtiofs_fuse_init_in linux_7_2 = {
	.major = 7, .minor = 45, .max_readahead = 131072, .flags = 0x7bfffffb, .flags2 = 0x5ff
};

/* Linux 5.4, the first with virtio-fs: 7.31 without what came later. */
static const struct virtiofs_fuse_init_in linux_5_4 = {
	.major = 7, .minor = 31, .max_readahead = 131072, .flags = 0x03fffffb
};

static const uint64_t own = VIRTIOFS_FUSE_ASYNC_READ | VIRTIOFS_FUSE_BIG_WRITES |
			    VIRTIOFS_FUSE_PARALLEL_DIROPS | VIRTIOFS_FUSE_MAX_PAGES;

static void ask(struct message *m, const struct virtiofs_fuse_init_in *in, size_t len)
{
	struct raw_request r;

	raw_request_init(&r, VIRTIOFS_FUSE_INIT, 0);
	raw_request_add(&r, in, len);
	assert_int_equal(message_decode_flat(m, &r, 80, 0), 0);
}

static int read_init(const struct virtiofs_fuse_init_in *in, size_t len, struct virtiofs_init *init,
		     bool *reply_major)
{
	struct message m;
	int err;

	ask(&m, in, len);
	*init = (struct virtiofs_init){ .size = sizeof(*init) };
	*reply_major = false;
	err = vfi_init_read(&m.msg, MAX_WRITE, init, reply_major);
	message_free(&m);
	return err;
}

/* The answer to @in, where the filesystem changed what it was told into @init. */
static struct virtiofs_fuse_init_out answer(const struct virtiofs_fuse_init_in *in,
					    struct virtiofs_init *init)
{
	struct virtiofs_fuse_init_out out;
	struct message m;

	ask(&m, in, sizeof(*in));
	memset(&out, 0xee, sizeof(out));
	vfi_init_write(&m.msg, MAX_WRITE, init, &out);
	message_free(&m);
	return out;
}

static void newest_guest_is_granted_what_holds_for_any_filesystem(void **state)
{
	struct virtiofs_init init;
	bool reply_major;

	(void)state;
	assert_int_equal(read_init(&linux_7_2, 64, &init, &reply_major), 0);
	assert_int_equal(init.major, 7);
	assert_int_equal(init.minor, 45);
	assert_int_equal(init.offered, UINT64_C(0x5ff7bfffffb));
	assert_int_equal(init.granted, own | VIRTIOFS_FUSE_INIT_EXT);
	assert_int_equal(init.max_readahead, 131072);
	assert_int_equal(init.max_write, MAX_WRITE);
	assert_int_equal(init.max_background, 65535);
	assert_int_equal(init.congestion_threshold, 49151);
	assert_int_equal(init.time_gran, 1);
	assert_false(reply_major);
}

static void old_guest_has_16_bytes_and_no_upper_flags(void **state)
{
	struct virtiofs_init init;
	bool reply_major;

	(void)state;
	assert_int_equal(read_init(&linux_5_4, 16, &init, &reply_major), 0);
	assert_int_equal(init.minor, 31);
	assert_int_equal(init.offered, 0x03fffffb);
	assert_int_equal(init.granted, own);
}

static void upper_flags_count_only_under_init_ext(void **state)
{
	struct virtiofs_fuse_init_in in = linux_6_1;
	struct virtiofs_init init;
	bool reply_major;

	(void)state;
	assert_int_equal(read_init(&in, 64, &init, &reply_major), 0);
	assert_int_equal(init.offered, UINT64_C(0xb7bfffffb));
	in.flags &= ~VIRTIOFS_FUSE_INIT_EXT;
	assert_int_equal(read_init(&in, 64, &init, &reply_major), 0);
	assert_int_equal(init.offered, 0x3bfffffb);
}

static void oldest_guest_is_7_27(void **state)
{
	struct virtiofs_fuse_init_in in = linux_5_4;
	struct virtiofs_init init;
	bool reply_major;

	(void)state;
	in.minor = 27;
	assert_int_equal(read_init(&in, 16, &init, &reply_major), 0);
	in.minor = 26;
	assert_int_equal(read_init(&in, 16, &init, &reply_major), -EPROTO);
	assert_false(reply_major);
	in.major = 6;
	in.minor = 45;
	assert_int_equal(read_init(&in, 16, &init, &reply_major), -EPROTO);
	assert_false(reply_major);
	assert_int_equal(init.granted, 0);
}

static void newer_major_is_told_ours(void **state)
{
	struct virtiofs_fuse_init_in in = { .major = 8 };
	struct virtiofs_init init;
	bool reply_major;

	(void)state;
	assert_int_equal(read_init(&in, 64, &init, &reply_major), -EPROTO);
	assert_true(reply_major);
}

static void newer_minor_is_met_with_ours(void **state)
{
	struct virtiofs_fuse_init_in in = linux_7_2;
	struct virtiofs_init init;
	bool reply_major;

	(void)state;
	in.minor = 99;
	assert_int_equal(read_init(&in, 64, &init, &reply_major), 0);
	assert_int_equal(init.minor, 99);
	assert_int_equal(answer(&in, &init).minor, 45);
}

static void answer_has_every_member_set(void **state)
{
	struct virtiofs_fuse_init_out out, zero = { 0 };
	struct virtiofs_init init;
	bool reply_major;

	(void)state;
	assert_int_equal(read_init(&linux_7_2, 64, &init, &reply_major), 0);
	init.granted |= VIRTIOFS_FUSE_ALLOW_IDMAP | VIRTIOFS_FUSE_POSIX_LOCKS;
	out = answer(&linux_7_2, &init);
	assert_int_equal(out.major, 7);
	assert_int_equal(out.minor, 45);
	assert_int_equal(out.max_readahead, 131072);
	assert_int_equal(out.flags, own | VIRTIOFS_FUSE_INIT_EXT | VIRTIOFS_FUSE_POSIX_LOCKS);
	assert_int_equal(out.flags2, 1 << 8);
	assert_int_equal(out.max_background, 65535);
	assert_int_equal(out.congestion_threshold, 49151);
	assert_int_equal(out.max_write, MAX_WRITE);
	assert_int_equal(out.time_gran, 1);
	assert_int_equal(out.max_pages, 256);
	assert_int_equal(out.map_alignment, 0);
	assert_int_equal(out.max_stack_depth, 0);
	assert_int_equal(out.request_timeout, 0);
	assert_memory_equal(out.unused, zero.unused, sizeof(out.unused));
}

static void answer_to_an_old_guest_has_its_minor_and_no_upper_flags(void **state)
{
	struct virtiofs_fuse_init_out out;
	struct virtiofs_init init;
	bool reply_major;

	(void)state;
	assert_int_equal(read_init(&linux_5_4, 16, &init, &reply_major), 0);
	init.granted = UINT64_MAX;
	out = answer(&linux_5_4, &init);
	assert_int_equal(out.minor, 31);
	/* All it offers but MAP_ALIGNMENT, which it does not. */
	assert_int_equal(out.flags, 0x03fffffb);
	assert_int_equal(out.flags2, 0);
	assert_int_equal(init.granted, 0x03fffffb);
}

static void filesystem_that_grants_all_gets_what_is_offered_and_served(void **state)
{
	struct virtiofs_fuse_init_in in = linux_7_2;
	struct virtiofs_fuse_init_out out;
	struct virtiofs_init init;
	bool reply_major;

	(void)state;
	in.flags = UINT32_MAX & ~VIRTIOFS_FUSE_WRITEBACK_CACHE;
	in.flags2 = UINT32_MAX;
	assert_int_equal(read_init(&in, 64, &init, &reply_major), 0);
	/* It must not be able to widen the offer either. */
	init.offered = UINT64_MAX;
	init.granted = UINT64_MAX;
	out = answer(&in, &init);
	assert_int_equal(out.flags, UINT32_MAX & ~VIRTIOFS_FUSE_WRITEBACK_CACHE &
					    ~VIRTIOFS_FUSE_MAP_ALIGNMENT &
					    ~VIRTIOFS_FUSE_INIT_RESERVED);
	/* Bits 33, 37, 41 and 42. */
	assert_int_equal(out.flags2, UINT32_MAX & ~0x622u);
	assert_int_equal(init.granted, out.flags | (uint64_t)out.flags2 << 32);
}

static void filesystem_may_lower_limits_not_raise_them(void **state)
{
	struct virtiofs_fuse_init_out out;
	struct virtiofs_init init;
	bool reply_major;

	(void)state;
	assert_int_equal(read_init(&linux_7_2, 64, &init, &reply_major), 0);
	init.max_write = 2 * MAX_WRITE;
	init.max_readahead = UINT32_MAX;
	out = answer(&linux_7_2, &init);
	assert_int_equal(out.max_write, MAX_WRITE);
	assert_int_equal(init.max_write, MAX_WRITE);
	assert_int_equal(out.max_readahead, 131072);
	assert_int_equal(out.max_pages, 256);

	init.max_write = 5000;
	init.max_readahead = 0;
	out = answer(&linux_7_2, &init);
	assert_int_equal(out.max_write, 5000);
	assert_int_equal(out.max_readahead, 0);
	assert_int_equal(out.max_pages, 2);

	/* Linux sends 4096 bytes whatever we say. */
	init.max_write = 0;
	out = answer(&linux_7_2, &init);
	assert_int_equal(out.max_write, 4096);
	assert_int_equal(out.max_pages, 1);
}

static void max_pages_is_there_only_where_granted(void **state)
{
	struct virtiofs_init init;
	bool reply_major;

	(void)state;
	assert_int_equal(read_init(&linux_7_2, 64, &init, &reply_major), 0);
	init.granted &= ~(uint64_t)VIRTIOFS_FUSE_MAX_PAGES;
	assert_int_equal(answer(&linux_7_2, &init).max_pages, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newest_guest_is_granted_what_holds_for_any_filesystem),
		cmocka_unit_test(old_guest_has_16_bytes_and_no_upper_flags),
		cmocka_unit_test(upper_flags_count_only_under_init_ext),
		cmocka_unit_test(oldest_guest_is_7_27),
		cmocka_unit_test(newer_major_is_told_ours),
		cmocka_unit_test(newer_minor_is_met_with_ours),
		cmocka_unit_test(answer_has_every_member_set),
		cmocka_unit_test(answer_to_an_old_guest_has_its_minor_and_no_upper_flags),
		cmocka_unit_test(filesystem_that_grants_all_gets_what_is_offered_and_served),
		cmocka_unit_test(filesystem_may_lower_limits_not_raise_them),
		cmocka_unit_test(max_pages_is_there_only_where_granted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
