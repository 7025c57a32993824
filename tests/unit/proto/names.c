/* SPDX-License-Identifier: BSD-2-Clause */
/* The strings of a request. */
#include "support/test.h"

#include <errno.h>
#include <string.h>

#include "unit/proto/message.h"

/* Decode LOOKUP or UNLINK of @len bytes of @name, which come without a NUL of their own. */
static int decode_name(uint32_t opcode, const void *name, size_t len, uint64_t granted)
{
	struct raw_request r;
	struct message m;
	int err;

	raw_request_init(&r, opcode, 1);
	raw_request_add(&r, name, len);
	err = message_decode_flat(&m, &r, 16 + 128, granted);
	if (!err)
		assert_string_equal(m.msg.name[0], name);
	message_free(&m);
	return err;
}

static void name_is_one_path_component(void **state)
{
	const uint32_t ops[] = { VIRTIOFS_FUSE_LOOKUP, VIRTIOFS_FUSE_UNLINK };

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(decode_name(ops[i], "a", 2, 0), 0);
		assert_int_equal(decode_name(ops[i], "...", 4, 0), 0);
		assert_int_equal(decode_name(ops[i], ".a", 3, 0), 0);
		assert_int_equal(decode_name(ops[i], "..a", 4, 0), 0);
		assert_int_equal(decode_name(ops[i], "\xff\x80\n", 4, 0), 0);
		assert_int_equal(decode_name(ops[i], "", 1, 0), -EINVAL);
		assert_int_equal(decode_name(ops[i], "/", 2, 0), -EINVAL);
		assert_int_equal(decode_name(ops[i], "a/b", 4, 0), -EINVAL);
		assert_int_equal(decode_name(ops[i], "/a", 3, 0), -EINVAL);
		assert_int_equal(decode_name(ops[i], "a/", 3, 0), -EINVAL);
		assert_int_equal(decode_name(ops[i], ".", 2, 0), -EINVAL);
		assert_int_equal(decode_name(ops[i], "..", 3, 0), -EINVAL);
		/* What is behind the NUL is not looked at. */
		assert_int_equal(decode_name(ops[i], "a\0/..", 6, 0), 0);
		assert_int_equal(decode_name(ops[i], ".\0a", 4, 0), -EINVAL);
	}
}

static void dots_are_for_lookup_under_export_support(void **state)
{
	const uint64_t granted = VIRTIOFS_FUSE_EXPORT_SUPPORT;

	(void)state;
	assert_int_equal(decode_name(VIRTIOFS_FUSE_LOOKUP, ".", 2, granted), 0);
	assert_int_equal(decode_name(VIRTIOFS_FUSE_LOOKUP, "..", 3, granted), 0);
	assert_int_equal(decode_name(VIRTIOFS_FUSE_LOOKUP, "../", 4, granted), -EINVAL);
	assert_int_equal(decode_name(VIRTIOFS_FUSE_UNLINK, ".", 2, granted), -EINVAL);
	assert_int_equal(decode_name(VIRTIOFS_FUSE_UNLINK, "..", 3, granted), -EINVAL);
	assert_int_equal(decode_name(VIRTIOFS_FUSE_RMDIR, "..", 3, granted), -EINVAL);
	assert_int_equal(decode_name(VIRTIOFS_FUSE_LOOKUP, "..", 3, ~granted), -EINVAL);
}

static void name_without_its_nul_is_einval(void **state)
{
	char name[300];

	(void)state;
	memset(name, 'n', sizeof(name));
	assert_int_equal(decode_name(VIRTIOFS_FUSE_LOOKUP, "", 0, 0), -EINVAL);
	assert_int_equal(decode_name(VIRTIOFS_FUSE_LOOKUP, name, 1, 0), -EINVAL);
	assert_int_equal(decode_name(VIRTIOFS_FUSE_LOOKUP, name, 255, 0), -EINVAL);
	assert_int_equal(decode_name(VIRTIOFS_FUSE_LOOKUP, name, 256, 0), -EINVAL);
}

static void name_over_255_bytes_is_enametoolong(void **state)
{
	char name[300];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	assert_int_equal(decode_name(VIRTIOFS_FUSE_LOOKUP, name, 256, 0), 0);
	assert_int_equal(decode_name(VIRTIOFS_FUSE_REMOVEXATTR, name, 256, 0), 0);
	name[255] = 'n';
	name[256] = '\0';
	assert_int_equal(decode_name(VIRTIOFS_FUSE_LOOKUP, name, 257, 0), -ENAMETOOLONG);
	assert_int_equal(decode_name(VIRTIOFS_FUSE_REMOVEXATTR, name, 257, 0), -ENAMETOOLONG);
	/* Too long, whatever comes then. */
	assert_int_equal(decode_name(VIRTIOFS_FUSE_LOOKUP, name, 300, 0), -ENAMETOOLONG);
}

static void xattr_name_may_be_anything_but_empty(void **state)
{
	(void)state;
	assert_int_equal(decode_name(VIRTIOFS_FUSE_REMOVEXATTR, "user.a/..", 10, 0), 0);
	assert_int_equal(decode_name(VIRTIOFS_FUSE_REMOVEXATTR, "..", 3, 0), 0);
	assert_int_equal(decode_name(VIRTIOFS_FUSE_REMOVEXATTR, "", 1, 0), -EINVAL);
}

static int decode_symlink(const char *name, const char *target, size_t target_len)
{
	struct raw_request r;
	struct message m;
	int err;

	raw_request_init(&r, VIRTIOFS_FUSE_SYMLINK, 1);
	raw_request_add_name(&r, name);
	raw_request_add(&r, target, target_len);
	err = message_decode_flat(&m, &r, 16 + 128, 0);
	if (!err) {
		assert_string_equal(m.msg.name[0], name);
		assert_string_equal(m.msg.name[1], target);
	}
	message_free(&m);
	return err;
}

static void symlink_target_is_any_path_up_to_4095_bytes(void **state)
{
	static char target[5000];
	char name[256];

	(void)state;
	memset(name, 'n', 255);
	name[255] = '\0';
	memset(target, '/', sizeof(target));
	target[4095] = '\0';
	assert_int_equal(decode_symlink(name, target, 4096), 0);
	assert_int_equal(decode_symlink("a", "..", 3), 0);
	assert_int_equal(decode_symlink("a", "", 1), -ENOENT);
	assert_int_equal(decode_symlink("..", "a", 2), -EINVAL);
	assert_int_equal(decode_symlink("a", "b", 1), -EINVAL); /* no NUL */
	assert_int_equal(decode_symlink("a", "b", 0), -EINVAL); /* not there */
	target[4095] = '/';
	target[4096] = '\0';
	assert_int_equal(decode_symlink(name, target, 4097), -ENAMETOOLONG);
}

static void second_name_has_the_rules_of_the_first(void **state)
{
	const struct virtiofs_fuse_rename_in in = { .newdir = 5 };
	const struct {
		const char *names;
		size_t len;
		int err;
	} cases[] = {
		{ "a\0b", 4, 0 },	  { "a\0..", 5, -EINVAL }, { "a\0", 3, -EINVAL },
		{ "a\0b/c", 6, -EINVAL }, { "a\0b", 3, -EINVAL },  { "a", 2, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct raw_request r;
		struct message m;

		raw_request_init(&r, VIRTIOFS_FUSE_RENAME, 1);
		raw_request_add(&r, &in, sizeof(in));
		raw_request_add(&r, cases[i].names, cases[i].len);
		assert_int_equal(message_decode_flat(&m, &r, 16, 0), cases[i].err);
		message_free(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_is_one_path_component),
		cmocka_unit_test(dots_are_for_lookup_under_export_support),
		cmocka_unit_test(name_without_its_nul_is_einval),
		cmocka_unit_test(name_over_255_bytes_is_enametoolong),
		cmocka_unit_test(xattr_name_may_be_anything_but_empty),
		cmocka_unit_test(symlink_target_is_any_path_up_to_4095_bytes),
		cmocka_unit_test(second_name_has_the_rules_of_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
