/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands behind the names of a request that makes a file: groups and a label. */
#include "support/test.h"

#include <errno.h>
#include <string.h>

#include "unit/proto/message.h"

static const uint64_t both = VIRTIOFS_FUSE_SECURITY_CTX | VIRTIOFS_FUSE_CREATE_SUPP_GROUP;

/* ---- A request, record by record ---- */

struct ext {
	unsigned char bytes[8192];
	size_t len;
};

static void add(struct ext *e, const void *data, size_t len)
{
	assert_true(e->len + len <= sizeof(e->bytes));
	memcpy(e->bytes + e->len, data, len);
	e->len += len;
}

static void add_u32(struct ext *e, uint32_t value)
{
	add(e, &value, sizeof(value));
}

/* A record's size, once it is known what is in it. */
static void close_record(struct ext *e, size_t at)
{
	static const char zeros[8];
	uint32_t size;

	add(e, zeros, -(e->len - at) % 8);
	size = (uint32_t)(e->len - at);
	memcpy(e->bytes + at, &size, sizeof(size));
}

static void add_groups(struct ext *e, uint32_t claimed, uint32_t count)
{
	size_t at = e->len;

	add_u32(e, 0);
	add_u32(e, VIRTIOFS_FUSE_EXT_GROUPS);
	add_u32(e, claimed);
	for (uint32_t i = 0; i < count; i++)
		add_u32(e, 100 + i);
	close_record(e, at);
}

static void add_secctx(struct ext *e, uint32_t count, const char *name, size_t name_len,
		       uint32_t claimed, size_t label_len)
{
	static char label[VFI_LABEL_MAX + 1];
	size_t at = e->len;

	memset(label, 'l', sizeof(label));
	add_u32(e, 0);
	add_u32(e, count);
	add_u32(e, claimed);
	add_u32(e, 0);
	add(e, name, name_len);
	add(e, label, label_len);
	close_record(e, at);
}

static void make_request(struct raw_request *r, const struct ext *e, uint32_t extlen)
{
	const struct virtiofs_fuse_mkdir_in in = { .mode = 0755 };
	struct virtiofs_fuse_in_header header;

	raw_request_init(r, VIRTIOFS_FUSE_MKDIR, 1);
	raw_request_add(r, &in, sizeof(in));
	raw_request_add_name(r, "name");
	raw_request_add(r, e->bytes, e->len);
	header = raw_request_header(r);
	header.total_extlen = (uint16_t)extlen;
	raw_request_set_header(r, &header);
}

static int decode(struct message *m, const struct ext *e, uint64_t granted)
{
	struct raw_request r;

	make_request(&r, e, (uint32_t)(e->len / 8));
	return message_decode_flat(m, &r, 16 + 128, granted);
}

static int decode_error(const struct ext *e)
{
	struct message m;
	int err = decode(&m, e, both);

	message_free(&m);
	return err;
}

static void check_label(const struct message *m, const char *name, size_t len)
{
	assert_non_null(m->msg.secctx_name);
	assert_string_equal(m->msg.secctx_name, name);
	assert_int_equal(m->msg.label_len, len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(m->msg.label[i], 'l');
}

/* ---- Where they are ---- */

static int decode_mkdir_with_extensions(uint16_t extlen, size_t behind)
{
	static const struct ext zeros;
	struct ext e = zeros;
	struct raw_request r;
	struct message m;
	int err;

	e.len = behind;
	make_request(&r, &e, extlen);
	/* Not granted, they may be anything of that length but records that are none. */
	err = message_decode_flat(&m, &r, 16 + 128, 0);
	message_free(&m);
	return err;
}

static void extensions_are_the_tail_and_must_fit(void **state)
{
	(void)state;
	assert_int_equal(decode_mkdir_with_extensions(0, 0), 0);
	assert_int_equal(decode_mkdir_with_extensions(0, 19), 0);
	/* They would begin inside the name, inside the fixed part, before the request. */
	assert_int_equal(decode_mkdir_with_extensions(2, 12), -EINVAL);
	assert_int_equal(decode_mkdir_with_extensions(1, 0), -EINVAL);
	assert_int_equal(decode_mkdir_with_extensions(2, 2), -EINVAL);
	assert_int_equal(decode_mkdir_with_extensions(4, 16), -EINVAL);
	assert_int_equal(decode_mkdir_with_extensions(UINT16_MAX, 16), -EINVAL);
}

static void bytes_between_name_and_extensions_are_skipped(void **state)
{
	struct ext e = { .len = 0 };
	struct raw_request r;
	struct message m;

	(void)state;
	add(&e, "skipped", 7);
	add_groups(&e, 1, 1);
	make_request(&r, &e, 2);
	assert_int_equal(message_decode_flat(&m, &r, 16 + 128, both), 0);
	assert_int_equal(m.msg.group_count, 1);
	assert_int_equal(m.msg.groups[0], 100);
	message_free(&m);
}

static void extension_length_is_padding_where_there_can_be_none(void **state)
{
	const struct virtiofs_fuse_access_in in = { .mask = 4 };
	struct virtiofs_fuse_in_header header;
	struct raw_request r;
	struct message m;

	(void)state;
	raw_request_init(&r, VIRTIOFS_FUSE_ACCESS, 1);
	raw_request_add(&r, &in, sizeof(in));
	header = raw_request_header(&r);
	header.total_extlen = UINT16_MAX;
	raw_request_set_header(&r, &header);
	assert_int_equal(message_decode_flat(&m, &r, 16, both), 0);
	assert_int_equal(m.msg.group_count, 0);
	assert_null(m.msg.secctx_name);
	message_free(&m);
}

/* ---- What is in them ---- */

static void groups_and_label_are_read_in_either_order(void **state)
{
	for (int groups_first = 0; groups_first < 2; groups_first++) {
		struct ext e = { .len = 0 };
		struct message m;

		(void)state;
		if (groups_first)
			add_groups(&e, 3, 3);
		add_secctx(&e, 1, "security.selinux", 17, 30, 30);
		if (!groups_first)
			add_groups(&e, 3, 3);
		assert_int_equal(decode(&m, &e, both), 0);
		assert_string_equal(m.msg.name[0], "name");
		assert_int_equal(m.msg.group_count, 3);
		assert_int_equal(m.msg.groups[0], 100);
		assert_int_equal(m.msg.groups[2], 102);
		check_label(&m, "security.selinux", 30);
		message_free(&m);
	}
}

static void guest_without_label_or_groups_has_none(void **state)
{
	struct ext e = { .len = 0 };
	struct message m;

	(void)state;
	/* As Linux sends it where no module has a label: a head alone. */
	add_u32(&e, 8);
	add_u32(&e, 0);
	assert_int_equal(decode(&m, &e, both), 0);
	assert_int_equal(m.msg.group_count, 0);
	assert_null(m.msg.secctx_name);
	message_free(&m);
	e.len = 0;
	assert_int_equal(decode(&m, &e, both), 0);
	assert_int_equal(m.msg.group_count, 0);
	assert_null(m.msg.secctx_name);
	message_free(&m);
}

static void what_was_not_granted_is_not_there(void **state)
{
	struct ext e = { .len = 0 };
	struct message m;

	(void)state;
	add_secctx(&e, 1, "security.selinux", 17, 30, 30);
	add_groups(&e, 1, 1);
	/* Of a type that nobody knows. */
	add_u32(&e, 16);
	add_u32(&e, 33);
	add_u32(&e, UINT32_MAX);
	add_u32(&e, UINT32_MAX);
	assert_int_equal(decode(&m, &e, 0), 0);
	assert_int_equal(m.msg.group_count, 0);
	assert_null(m.msg.secctx_name);
	message_free(&m);
	assert_int_equal(decode(&m, &e, VIRTIOFS_FUSE_CREATE_SUPP_GROUP), 0);
	assert_int_equal(m.msg.group_count, 1);
	assert_null(m.msg.secctx_name);
	message_free(&m);
	assert_int_equal(decode(&m, &e, VIRTIOFS_FUSE_SECURITY_CTX), 0);
	assert_int_equal(m.msg.group_count, 0);
	check_label(&m, "security.selinux", 30);
	message_free(&m);
}

/* ---- Hostile ones ---- */

static void record_of_an_impossible_size_is_einval(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 7, 9, 12, 24, 1 << 20, UINT32_MAX, UINT32_MAX - 7 };
	static const uint32_t types[] = { 1, VIRTIOFS_FUSE_EXT_GROUPS, 33 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (size_t j = 0; j < sizeof(types) / sizeof(types[0]); j++) {
			struct ext e = { .len = 0 };

			add_u32(&e, sizes[i]);
			add_u32(&e, types[j]);
			add_u32(&e, 0);
			add_u32(&e, 0);
			assert_int_equal(decode_error(&e), -EINVAL);
		}
	}
}

/* All would be where it claims, and nothing but its alignment is wrong. */
static void record_that_is_no_multiple_of_8_is_einval(void **state)
{
	struct ext e = { .len = 0 };

	(void)state;
	add_u32(&e, 12);
	add_u32(&e, 0);
	add_u32(&e, 0);
	add_u32(&e, 20);
	add_u32(&e, VIRTIOFS_FUSE_EXT_GROUPS);
	add_u32(&e, 2);
	add_u32(&e, 1);
	add_u32(&e, 2);
	assert_int_equal(decode_error(&e), -EINVAL);
}

static void more_groups_than_the_record_has_are_einval(void **state)
{
	struct ext e = { .len = 0 };

	(void)state;
	add_groups(&e, 2, 1);
	assert_int_equal(decode_error(&e), -EINVAL);
	e.len = 0;
	add_u32(&e, 8);
	add_u32(&e, VIRTIOFS_FUSE_EXT_GROUPS);
	assert_int_equal(decode_error(&e), -EINVAL);
	/* A second list would say something else than the first. */
	e.len = 0;
	add_groups(&e, 1, 1);
	add_groups(&e, 1, 1);
	assert_int_equal(decode_error(&e), -EINVAL);
}

static void groups_are_bounded(void **state)
{
	struct ext e = { .len = 0 };
	struct message m;

	(void)state;
	add_groups(&e, VIRTIOFS_REQ_GROUPS_MAX, VIRTIOFS_REQ_GROUPS_MAX);
	assert_int_equal(decode(&m, &e, both), 0);
	assert_int_equal(m.msg.group_count, VIRTIOFS_REQ_GROUPS_MAX);
	assert_int_equal(m.msg.groups[VIRTIOFS_REQ_GROUPS_MAX - 1],
			 100 + VIRTIOFS_REQ_GROUPS_MAX - 1);
	message_free(&m);
	e.len = 0;
	add_groups(&e, VIRTIOFS_REQ_GROUPS_MAX + 1, VIRTIOFS_REQ_GROUPS_MAX + 1);
	assert_int_equal(decode_error(&e), -E2BIG);
	e.len = 0;
	add_groups(&e, UINT32_MAX, 1);
	assert_int_equal(decode_error(&e), -E2BIG);
	e.len = 0;
	add_groups(&e, 1u << 30, 1); /* times 4 is 0 in 32 bits */
	assert_int_equal(decode_error(&e), -E2BIG);
}

static void label_longer_than_its_record_is_einval(void **state)
{
	static const uint32_t claims[] = { 0, 14, 4096, 4097, UINT32_MAX, UINT32_MAX - 20 };
	struct ext e;

	(void)state;
	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		e.len = 0;
		add_secctx(&e, 1, "a", 2, claims[i], 6);
		assert_int_equal(decode_error(&e), -EINVAL);
	}
	/* The head of the context is cut off. */
	for (uint32_t size = 8; size < 16; size += 8) {
		e.len = 0;
		add_u32(&e, size);
		add_u32(&e, 1);
		assert_int_equal(decode_error(&e), -EINVAL);
	}
	/* A second label. */
	e.len = 0;
	add_secctx(&e, 1, "a", 2, 6, 6);
	add_secctx(&e, 1, "b", 2, 6, 6);
	assert_int_equal(decode_error(&e), -EINVAL);
}

static void label_and_its_name_are_bounded(void **state)
{
	char name[258];
	struct ext e = { .len = 0 };
	struct message m;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	add_secctx(&e, 1, name, 256, VFI_LABEL_MAX, VFI_LABEL_MAX);
	assert_int_equal(decode(&m, &e, both), 0);
	check_label(&m, name, VFI_LABEL_MAX);
	message_free(&m);
	e.len = 0;
	add_secctx(&e, 1, "a", 2, VFI_LABEL_MAX + 1, VFI_LABEL_MAX + 1);
	assert_int_equal(decode_error(&e), -E2BIG);
	/* As many as the protocol has room for; Linux sends one. */
	for (uint32_t count = 2; count <= VIRTIOFS_FUSE_MAX_NR_SECCTX; count++) {
		e.len = 0;
		add_secctx(&e, count, "a", 2, 6, 6);
		assert_int_equal(decode_error(&e), -E2BIG);
	}
	name[255] = 'n';
	name[256] = '\0';
	e.len = 0;
	add_secctx(&e, 1, name, 257, 6, 6);
	assert_int_equal(decode_error(&e), -ENAMETOOLONG);
}

static void label_without_a_name_is_einval(void **state)
{
	struct ext e = { .len = 0 };

	(void)state;
	add_secctx(&e, 1, "", 1, 6, 6);
	assert_int_equal(decode_error(&e), -EINVAL);
	/* A name that would end in the next record, or in none. */
	e.len = 0;
	add_secctx(&e, 1, "xxxxxxxx", 8, 6, 0);
	add_groups(&e, 1, 1);
	assert_int_equal(decode_error(&e), -EINVAL);
	e.len = 0;
	add_secctx(&e, 1, "xxxxxxxx", 8, 6, 0);
	assert_int_equal(decode_error(&e), -EINVAL);
}

/* ---- Protocol 7.36 and 7.37 ---- */

static int decode_old(struct message *m, const struct raw_request *r, uint64_t granted)
{
	pieces_cut(&m->in, r->bytes, r->len, NULL, 0);
	pieces_cut(&m->out, NULL, 16 + 144, NULL, 0);
	message_init(m);
	m->msg.minor = 37;
	m->msg.granted = granted;
	return message_decode(m);
}

static void old_guests_label_stands_behind_the_name_without_a_length(void **state)
{
	struct ext e = { .len = 0 };
	struct raw_request r;
	struct message m;

	(void)state;
	add_secctx(&e, 1, "security.selinux", 17, 30, 30);
	make_request(&r, &e, 0);
	assert_int_equal(decode_old(&m, &r, VIRTIOFS_FUSE_SECURITY_CTX), 0);
	check_label(&m, "security.selinux", 30);
	message_free(&m);
	/* The length is padding, in which there may be anything. */
	make_request(&r, &e, UINT16_MAX);
	assert_int_equal(decode_old(&m, &r, VIRTIOFS_FUSE_SECURITY_CTX), 0);
	check_label(&m, "security.selinux", 30);
	message_free(&m);
	assert_int_equal(decode_old(&m, &r, 0), 0);
	assert_null(m.msg.secctx_name);
	message_free(&m);
	e.len = 0;
	make_request(&r, &e, 0);
	assert_int_equal(decode_old(&m, &r, VIRTIOFS_FUSE_SECURITY_CTX), 0);
	assert_null(m.msg.secctx_name);
	message_free(&m);
	add_secctx(&e, 1, "security.selinux", 17, 31 + 8, 30);
	make_request(&r, &e, 0);
	assert_int_equal(decode_old(&m, &r, VIRTIOFS_FUSE_SECURITY_CTX), -EINVAL);
	message_free(&m);
}

static void old_guests_tmpfile_has_a_name_before_the_label(void **state)
{
	const struct virtiofs_fuse_create_in in = { .mode = 0600 };
	struct ext e = { .len = 0 };
	struct raw_request r;
	struct message m;

	(void)state;
	add_secctx(&e, 1, "security.selinux", 17, 30, 30);
	raw_request_init(&r, VIRTIOFS_FUSE_TMPFILE, 1);
	raw_request_add(&r, &in, sizeof(in));
	raw_request_add_name(&r, "/");
	raw_request_add(&r, e.bytes, e.len);
	assert_int_equal(decode_old(&m, &r, VIRTIOFS_FUSE_SECURITY_CTX), 0);
	check_label(&m, "security.selinux", 30);
	message_free(&m);
}

/* ---- Over every split ---- */

static void extensions_are_read_over_every_split(void **state)
{
	struct ext e = { .len = 0 };
	size_t cuts[2] = { 0, 0 };
	struct raw_request r;

	(void)state;
	add_secctx(&e, 1, "security.a", 11, 7, 7);
	add_groups(&e, 2, 2);
	make_request(&r, &e, (uint32_t)(e.len / 8));
	do {
		struct message m;

		pieces_cut(&m.in, r.bytes, r.len, cuts, 2);
		pieces_cut(&m.out, NULL, 16 + 128, NULL, 0);
		message_init(&m);
		m.msg.granted = both;
		assert_int_equal(message_decode(&m), 0);
		assert_string_equal(m.msg.name[0], "name");
		check_label(&m, "security.a", 7);
		assert_int_equal(m.msg.group_count, 2);
		assert_int_equal(m.msg.groups[1], 101);
		message_free(&m);
	} while (pieces_next_cuts(cuts, 2, r.len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extensions_are_the_tail_and_must_fit),
		cmocka_unit_test(bytes_between_name_and_extensions_are_skipped),
		cmocka_unit_test(extension_length_is_padding_where_there_can_be_none),
		cmocka_unit_test(groups_and_label_are_read_in_either_order),
		cmocka_unit_test(guest_without_label_or_groups_has_none),
		cmocka_unit_test(what_was_not_granted_is_not_there),
		cmocka_unit_test(record_of_an_impossible_size_is_einval),
		cmocka_unit_test(record_that_is_no_multiple_of_8_is_einval),
		cmocka_unit_test(more_groups_than_the_record_has_are_einval),
		cmocka_unit_test(groups_are_bounded),
		cmocka_unit_test(label_longer_than_its_record_is_einval),
		cmocka_unit_test(label_and_its_name_are_bounded),
		cmocka_unit_test(label_without_a_name_is_einval),
		cmocka_unit_test(old_guests_label_stands_behind_the_name_without_a_length),
		cmocka_unit_test(old_guests_tmpfile_has_a_name_before_the_label),
		cmocka_unit_test(extensions_are_read_over_every_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
