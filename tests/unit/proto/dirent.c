/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries as fs/fuse/readdir.c takes them apart, over any split of the buffer. */
#include "support/test.h"

#include <dirent.h>
#include <string.h>

#include <virtiofs/fs.h>

#include "support/pieces.h"

/* "abc" with inode 0x0a0b, going on at 0x0c0d, DT_REG; little or big, the host's order. */
static void expect_abc(unsigned char *at)
{
	const struct virtiofs_fuse_dirent head = {
		.ino = 0x0a0b, .off = 0x0c0d, .namelen = 3, .type = DT_REG
	};

	static const char name[8] = "abc";

	memcpy(at, &head, 24);
	memcpy(at + 24, name, 8);
}

static void size_is_head_and_name_to_eight_bytes(void **state)
{
	(void)state;
	assert_int_equal(virtiofs_dirent_size(1), 32);
	assert_int_equal(virtiofs_dirent_size(8), 32);
	assert_int_equal(virtiofs_dirent_size(9), 40);
	assert_int_equal(virtiofs_dirent_size(255), 24 + 256);
	assert_int_equal(virtiofs_direntplus_size(1), 128 + 32);
	assert_int_equal(virtiofs_direntplus_size(9), 128 + 40);
}

static void entry_is_packed_with_zeroed_padding_over_every_split(void **state)
{
	enum { ROOM = 40 };
	size_t cuts[2] = { 0, 0 };

	(void)state;
	do {
		unsigned char got[ROOM], expected[ROOM];
		struct virtiofs_iov dst;
		struct pieces p;
		size_t used = 4;

		pieces_cut(&p, NULL, ROOM, cuts, 2);
		dst = (struct virtiofs_iov){ p.iov, p.count, ROOM };
		assert_true(virtiofs_dirent_add(&dst, &used, 0x0a0b, 0x0c0d, DT_REG, "abc", 3));
		assert_int_equal(used, 36);

		memset(expected, PIECES_FILL, ROOM);
		expect_abc(expected + 4);
		pieces_gather(&p, got);
		assert_memory_equal(got, expected, ROOM);
		pieces_free(&p);
	} while (pieces_next_cuts(cuts, 2, ROOM));
}

static void plus_entry_has_the_lookup_in_front(void **state)
{
	const struct virtiofs_fuse_entry_out entry = { .nodeid = 17, .attr = { .ino = 0x0a0b } };
	unsigned char got[168], expected[168];
	struct virtiofs_iov dst;
	size_t used = 0, cut = 100;
	struct pieces p;

	(void)state;
	pieces_cut(&p, NULL, sizeof(got), &cut, 1);
	dst = (struct virtiofs_iov){ p.iov, p.count, p.len };
	assert_true(virtiofs_direntplus_add(&dst, &used, &entry, 0x0a0b, 0x0c0d, DT_REG, "abc", 3));
	assert_int_equal(used, 160);

	memset(expected, PIECES_FILL, sizeof(expected));
	memcpy(expected, &entry, 128);
	expect_abc(expected + 128);
	pieces_gather(&p, got);
	assert_memory_equal(got, expected, sizeof(got));
	pieces_free(&p);
}

static void entry_without_room_writes_nothing(void **state)
{
	const struct virtiofs_fuse_entry_out entry = { .nodeid = 17 };
	unsigned char got[63];
	struct virtiofs_iov dst;
	struct pieces p;
	size_t used = 32;

	(void)state;
	/* The name would fit, its padding not: Linux takes that for the end. */
	pieces_cut(&p, NULL, sizeof(got), NULL, 0);
	dst = (struct virtiofs_iov){ p.iov, p.count, p.len };
	assert_false(virtiofs_dirent_add(&dst, &used, 1, 1, DT_DIR, "abc", 3));
	assert_false(virtiofs_direntplus_add(&dst, &used, &entry, 1, 1, DT_DIR, "a", 1));
	assert_int_equal(used, 32);
	pieces_gather(&p, got);
	for (size_t i = 0; i < sizeof(got); i++)
		assert_int_equal(got[i], PIECES_FILL);

	used = 64; /* behind the end */
	assert_false(virtiofs_dirent_add(&dst, &used, 1, 1, DT_DIR, "abc", 3));
	pieces_free(&p);

	used = 0;
	dst = (struct virtiofs_iov){ NULL, 0, 0 };
	assert_false(virtiofs_dirent_add(&dst, &used, 1, 1, DT_DIR, "abc", 3));
}

static void names_have_1_to_255_bytes(void **state)
{
	static char name[256];
	struct virtiofs_iov dst;
	struct pieces p;
	size_t used = 0;

	(void)state;
	memset(name, 'n', sizeof(name));
	pieces_cut(&p, NULL, 1024, NULL, 0);
	dst = (struct virtiofs_iov){ p.iov, p.count, p.len };
	assert_false(virtiofs_dirent_add(&dst, &used, 1, 1, DT_DIR, name, 0));
	assert_false(virtiofs_dirent_add(&dst, &used, 1, 1, DT_DIR, name, 256));
#if SIZE_MAX > UINT32_MAX
	/* Its lower 32 bits are 3. */
	assert_false(virtiofs_dirent_add(&dst, &used, 1, 1, DT_DIR, name, 0x100000003));
#endif
	assert_int_equal(used, 0);
	assert_true(virtiofs_dirent_add(&dst, &used, 1, 1, DT_DIR, name, 255));
	assert_int_equal(used, 280);
	pieces_free(&p);
}

static void entries_fill_a_buffer_to_the_last_byte(void **state)
{
	struct virtiofs_iov dst;
	struct pieces p;
	size_t used = 0;
	int n = 0;

	(void)state;
	pieces_cut(&p, NULL, 4096, NULL, 0);
	dst = (struct virtiofs_iov){ p.iov, p.count, p.len };
	while (virtiofs_dirent_add(&dst, &used, 1, 1, DT_DIR, "12345678", 8))
		n++;
	assert_int_equal(n, 4096 / 32);
	assert_int_equal(used, 4096);
	pieces_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(size_is_head_and_name_to_eight_bytes),
		cmocka_unit_test(entry_is_packed_with_zeroed_padding_over_every_split),
		cmocka_unit_test(plus_entry_has_the_lookup_in_front),
		cmocka_unit_test(entry_without_room_writes_nothing),
		cmocka_unit_test(names_have_1_to_255_bytes),
		cmocka_unit_test(entries_fill_a_buffer_to_the_last_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
