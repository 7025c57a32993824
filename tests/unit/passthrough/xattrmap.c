/* SPDX-License-Identifier: BSD-2-Clause */
/* The language of --xattrmap: what its rules make of a name, and what is no rule. */
#include "passthrough/share.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

static struct virtiofs_env env;
static struct vfi_xattrmap map;

static void use(const char *rules)
{
	char error[128] = "";

	vfi_xattrmap_destroy(&map, &env);
	assert_int_equal(vfi_xattrmap_check(NULL, rules, error, sizeof(error)), 0);
	assert_int_equal(vfi_xattrmap_init(&map, &env, rules, error, sizeof(error)), 0);
	assert_string_equal(error, "");
}

static int setup(void **state)
{
	(void)state;
	return vfi_env_init(&env, NULL);
}

static int teardown(void **state)
{
	(void)state;
	vfi_xattrmap_destroy(&map, &env);
	return 0;
}

/* What a guest's name is here; an error as its number. */
static const char *to_host(const char *name)
{
	static char buf[XATTR_NAME_MAX + 1];
	const char *host;

	switch (vfi_xattrmap_to_host(&map, name, buf, &host)) {
	case 0:
		return host;
	case -EPERM:
		return "EPERM";
	case -EOPNOTSUPP:
		return "EOPNOTSUPP";
	case -ERANGE:
		return "ERANGE";
	default:
		return "?";
	}
}

static const char *to_guest(const char *name)
{
	const char *guest = vfi_xattrmap_to_guest(&map, name);

	return guest ? guest : "hidden";
}

static void without_rules_names_stay(void **state)
{
	(void)state;
	vfi_xattrmap_destroy(&map, &env);
	assert_string_equal(to_host("user.x"), "user.x");
	assert_string_equal(to_guest("trusted.x"), "trusted.x");
}

static void all_names_can_get_a_prefix(void **state)
{
	static const char *const same[] = {
		":prefix:all::user.virtiofs.::bad:all:::",
		":map::user.virtiofs.:",
		" \n/map//user.virtiofs./\t\n",
		"xmapxxuser.virtiofs.x",
		"/prefix/client//user.virtiofs./ |prefix|server||user.virtiofs.|\n,bad,all,,,",
	};

	(void)state;
	for (size_t i = 0; i < VFI_ARRAY_SIZE(same); i++) {
		use(same[i]);
		assert_string_equal(to_host("user.x"), "user.virtiofs.user.x");
		assert_string_equal(to_host("security.capability"),
				    "user.virtiofs.security.capability");
		assert_string_equal(to_host("user.virtiofs.user.x"),
				    "user.virtiofs.user.virtiofs.user.x");
		assert_string_equal(to_guest("user.virtiofs.trusted.x"), "trusted.x");
		assert_string_equal(to_guest("user.x"), "hidden");
		assert_string_equal(to_guest("security.selinux"), "hidden");
	}
}

static void some_names_can_get_a_prefix_and_its_target_is_closed(void **state)
{
	static const char four[] = "/prefix/all/trusted./user.virtiofs./\n"
				   " /bad/server//trusted./\n"
				   " /bad/client/user.virtiofs.//\n"
				   " /ok/all///";
	static const char *const same[] = {
		four,
		"/map/trusted./user.virtiofs./",
		":map:trusted.:user.virtiofs.:",
	};

	(void)state;
	for (size_t i = 0; i < VFI_ARRAY_SIZE(same); i++) {
		use(same[i]);
		assert_string_equal(to_host("trusted.x"), "user.virtiofs.trusted.x");
		assert_string_equal(to_guest("user.virtiofs.trusted.x"), "trusted.x");
		assert_string_equal(to_guest("trusted.x"), "hidden");
		/* A guest's ordinary user may set these: he would have set trusted.x. */
		assert_string_equal(to_host("user.virtiofs.trusted.x"), "EPERM");
		assert_string_equal(to_host("user.x"), "user.x");
		assert_string_equal(to_guest("security.x"), "security.x");
	}
}

static void names_can_be_refused(void **state)
{
	(void)state;
	use("/bad/all/security./security./ /unsupported/all/trusted./trusted./ /ok/all///");
	assert_string_equal(to_host("security.selinux"), "EPERM");
	assert_string_equal(to_host("trusted.x"), "EOPNOTSUPP");
	assert_string_equal(to_host("user.x"), "user.x");
	assert_string_equal(to_guest("security.selinux"), "hidden");
	assert_string_equal(to_guest("trusted.x"), "hidden");
	assert_string_equal(to_guest("user.x"), "user.x");
}

static void each_direction_has_rules_of_its_own(void **state)
{
	(void)state;
	use(":ok:client:user.:: :bad:server::user.: :bad:client::: :ok:server:::");
	assert_string_equal(to_host("user.x"), "user.x");
	assert_string_equal(to_guest("user.x"), "hidden");
	assert_string_equal(to_host("trusted.x"), "EPERM");
	assert_string_equal(to_guest("trusted.x"), "trusted.x");
}

static void first_rule_that_fits_decides(void **state)
{
	(void)state;
	use(":ok:all:user.a:user.a: :bad:all:user.:user.: :prefix:all::p.:");
	assert_string_equal(to_host("user.abc"), "user.abc");
	assert_string_equal(to_host("user.b"), "EPERM");
	assert_string_equal(to_host("trusted.x"), "p.trusted.x");
	assert_string_equal(to_guest("user.abc"), "user.abc");
	assert_string_equal(to_guest("user.b"), "hidden");
	assert_string_equal(to_guest("p.trusted.x"), "trusted.x");
}

static void name_that_no_rule_fits_is_refused(void **state)
{
	(void)state;
	use(":ok:all:user.:user.:");
	assert_string_equal(to_host("trusted.x"), "EPERM");
	assert_string_equal(to_guest("trusted.x"), "hidden");
}

static void prefix_alone_is_no_name(void **state)
{
	(void)state;
	use(":map::user.virtiofs.:");
	assert_string_equal(to_guest("user.virtiofs."), "hidden");
}

static void prefix_may_make_a_name_too_long(void **state)
{
	char name[XATTR_NAME_MAX + 2];

	(void)state;
	use(":map::user.virtiofs.:");
	memset(name, 'n', sizeof(name));
	name[XATTR_NAME_MAX - 14] = '\0';
	assert_int_equal(strlen(to_host(name)), XATTR_NAME_MAX);
	name[XATTR_NAME_MAX - 14] = 'n';
	name[XATTR_NAME_MAX - 13] = '\0';
	assert_string_equal(to_host(name), "ERANGE");
	name[XATTR_NAME_MAX - 13] = 'n';
	name[XATTR_NAME_MAX + 1] = '\0';
	assert_string_equal(to_host(name), "ERANGE");
}

static void what_is_no_rule_is_said_and_where(void **state)
{
	static const struct {
		const char *rules, *error;
	} wrong[] = {
		{ "", "there is no rule" },
		{ " \n\t", "there is no rule" },
		{ ":", "rule 1 ends too early" },
		{ ":prefix", "rule 1 ends too early" },
		{ ":prefix:all:trusted.:user.vm.", "rule 1 ends too early" },
		{ ":map::user.virtiofs.", "rule 1 ends too early" },
		{ ":ok:all::: :bad:all", "rule 2 ends too early" },
		{ "::all:::", "rule 1 is not prefix, ok, bad, unsupported or map" },
		{ ":okay:all:::", "rule 1 is not prefix, ok, bad, unsupported or map" },
		{ ":ok:all::::", "rule 2 ends too early" },
		{ ":ok:all:::x", "rule 2 ends too early" },
		{ ":ok:both:::", "rule 1 is not for client, server or all" },
		{ ":ok::::", "rule 1 is not for client, server or all" },
		{ ":map::a.: :ok:all:::", "rule 1 is a map, and not the last one" },
		{ ":map::a.::map::b.:", "rule 1 is a map, and not the last one" },
		{ "user.", "rule 1 ends too early" },
	};
	char error[128];

	(void)state;
	for (size_t i = 0; i < VFI_ARRAY_SIZE(wrong); i++) {
		struct vfi_xattrmap none = { 0 };

		assert_int_equal(
			vfi_xattrmap_init(&none, &env, wrong[i].rules, error, sizeof(error)),
			-EINVAL);
		assert_string_equal(error, wrong[i].error);
		assert_null(none.rules);
		assert_int_equal(vfi_xattrmap_check(NULL, wrong[i].rules, error, sizeof(error)),
				 -EINVAL);
		assert_string_equal(error, wrong[i].error);
	}
}

/* Who starts the daemon writes them; still, no text is worse than wrong. */
static void any_text_is_rules_or_an_error(void **state)
{
	static const char *const words[] = { ":",   "/",   "prefix", "ok",     "bad",
					     "map", "all", "client", "server", "user.",
					     " ",   "\n",  "x" };
	char text[256], error[128];

	(void)state;
	srand(4711);
	for (int i = 0; i < 20000; i++) {
		struct vfi_xattrmap some = { 0 };
		int err;

		text[0] = '\0';
		for (int n = rand() % 24; n > 0; n--)
			strcat(text, words[(size_t)rand() % VFI_ARRAY_SIZE(words)]);
		err = vfi_xattrmap_init(&some, &env, text, error, sizeof(error));
		assert_true(err == 0 || err == -EINVAL);
		assert_int_equal(some.count != 0, err == 0);
		vfi_xattrmap_destroy(&some, &env);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_rules_names_stay),
		cmocka_unit_test(all_names_can_get_a_prefix),
		cmocka_unit_test(some_names_can_get_a_prefix_and_its_target_is_closed),
		cmocka_unit_test(names_can_be_refused),
		cmocka_unit_test(each_direction_has_rules_of_its_own),
		cmocka_unit_test(first_rule_that_fits_decides),
		cmocka_unit_test(name_that_no_rule_fits_is_refused),
		cmocka_unit_test(prefix_alone_is_no_name),
		cmocka_unit_test(prefix_may_make_a_name_too_long),
		cmocka_unit_test(what_is_no_rule_is_said_and_where),
		cmocka_unit_test(any_text_is_rules_or_an_error),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
