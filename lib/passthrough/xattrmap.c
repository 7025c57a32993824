/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extended attributes that have another name in the guest than on this host, by rules
 * as virtiofsd's --xattrmap has them, one behind the other, with white space between:
 *
 *	:prefix:SCOPE:KEY:PREPEND:	a guest's name that begins with KEY has PREPEND
 *					before it here
 *	:ok:SCOPE:KEY:PREPEND:		it is the same on both sides
 *	:bad:SCOPE:KEY:PREPEND:		EPERM
 *	:unsupported:SCOPE:KEY:PREPEND:	EOPNOTSUPP
 *	:map:KEY:PREPEND:		a prefix and what makes it safe, as the last rule
 *
 * SCOPE is client, where the guest names one; server, where it lists those of this host
 * that begin with PREPEND, which bad and unsupported hide; or all. The first rule that
 * fits decides; a name that none fits is bad. Any character but white space may stand
 * for the colon, another one in each rule.
 */
#include "passthrough/share.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>

enum { SCOPE_CLIENT = 1, SCOPE_SERVER = 2, SCOPE_ALL = SCOPE_CLIENT | SCOPE_SERVER };

static const char *const types[] = {
	[VFI_XATTRMAP_PREFIX] = "prefix", [VFI_XATTRMAP_OK] = "ok",
	[VFI_XATTRMAP_BAD] = "bad",	  [VFI_XATTRMAP_UNSUPPORTED] = "unsupported",
	[VFI_XATTRMAP_MAP] = "map",
};
static const char *const scopes[] = {
	[SCOPE_CLIENT] = "client", [SCOPE_SERVER] = "server", [SCOPE_ALL] = "all"
};

/* ---- Parsing ---- */

struct parser {
	const char *text; /* what is left */
	unsigned rule;	  /* the number of the one that is being read */
	char *error;
	size_t error_size;
};

static int complain(struct parser *parser, const char *what)
{
	snprintf(parser->error, parser->error_size, "rule %u %s", parser->rule, what);
	return -EINVAL;
}

/* Take what is before the next @separator. */
static int field(struct parser *parser, char separator, struct vfi_text *field)
{
	const char *end = strchr(parser->text, separator);

	if (!end)
		return complain(parser, "ends too early");
	*field = (struct vfi_text){ parser->text, (size_t)(end - parser->text) };
	parser->text = end + 1;
	return 0;
}

/* The place of @word among @words; -1: it is none of them. */
static int place(const char *const *words, size_t count, struct vfi_text word)
{
	for (size_t i = 0; i < count; i++) {
		if (words[i] && strlen(words[i]) == word.len &&
		    memcmp(words[i], word.at, word.len) == 0)
			return (int)i;
	}
	return -1;
}

static int parse_rule(struct parser *parser, struct vfi_xattrmap_rule *rule)
{
	const char separator = *parser->text++;
	struct vfi_text word;
	int at, err = field(parser, separator, &word);

	if (err)
		return err;
	at = place(types, VFI_ARRAY_SIZE(types), word);
	if (at < 0)
		return complain(parser, "is not prefix, ok, bad, unsupported or map");
	rule->type = (enum vfi_xattrmap_type)at;
	rule->scope = SCOPE_ALL;
	if (rule->type != VFI_XATTRMAP_MAP) {
		err = field(parser, separator, &word);
		if (err)
			return err;
		at = place(scopes, VFI_ARRAY_SIZE(scopes), word);
		if (at < 0)
			return complain(parser, "is not for client, server or all");
		rule->scope = (uint8_t)at;
	}
	err = field(parser, separator, &rule->key);
	return err ? err : field(parser, separator, &rule->prepend);
}

/* A map rule in four, or two for all names: what it leads to is closed to the guest, and what
 * it covers is hidden. Returns how many. */
static size_t expand(const struct vfi_xattrmap_rule *map, struct vfi_xattrmap_rule rules[4])
{
	const struct vfi_text none = { "", 0 };

	rules[0] = *map;
	rules[0].type = VFI_XATTRMAP_PREFIX;
	if (map->key.len == 0) {
		rules[1] = (struct vfi_xattrmap_rule){ VFI_XATTRMAP_BAD, SCOPE_ALL, none, none };
		return 2;
	}
	rules[1] = (struct vfi_xattrmap_rule){ VFI_XATTRMAP_BAD, SCOPE_SERVER, none, map->key };
	rules[2] = (struct vfi_xattrmap_rule){ VFI_XATTRMAP_BAD, SCOPE_CLIENT, map->prepend, none };
	rules[3] = (struct vfi_xattrmap_rule){ VFI_XATTRMAP_OK, SCOPE_ALL, none, none };
	return 4;
}

/* Read all rules into @rules, unless it is NULL. Returns how many there are, or -EINVAL. */
static int parse(struct parser *parser, struct vfi_xattrmap_rule *rules)
{
	struct vfi_xattrmap_rule rule, expanded[4];
	size_t n, count = 0;
	int err;

	for (;;) {
		while (isspace((unsigned char)*parser->text))
			parser->text++;
		if (*parser->text == '\0')
			break;
		parser->rule++;
		err = parse_rule(parser, &rule);
		if (err)
			return err;
		expanded[0] = rule;
		n = rule.type == VFI_XATTRMAP_MAP ? expand(&rule, expanded) : 1;
		if (rules)
			memcpy(rules + count, expanded, n * sizeof(*rules));
		count += n;
		if (rule.type == VFI_XATTRMAP_MAP &&
		    parser->text[strspn(parser->text, " \t\r\n\v\f")])
			return complain(parser, "is a map, and not the last one");
	}
	if (count == 0) {
		snprintf(parser->error, parser->error_size, "there is no rule");
		return -EINVAL;
	}
	return (int)count;
}

int vfi_xattrmap_check(const char *const *none, const char *text, char *error, size_t size)
{
	struct parser parser = { .text = text, .error = error, .error_size = size };
	int count = parse(&parser, NULL);

	(void)none;
	return count < 0 ? count : 0;
}

int vfi_xattrmap_init(struct vfi_xattrmap *map, const struct virtiofs_env *env, const char *text,
		      char *error, size_t size)
{
	struct parser parser = { .text = text, .error = error, .error_size = size };
	int count = parse(&parser, NULL);

	if (count < 0)
		return count;
	map->text_size = strlen(text) + 1;
	map->text = vfi_alloc(env, map->text_size);
	map->rules = vfi_alloc_array(env, (size_t)count, sizeof(*map->rules));
	map->count = (uint32_t)count;
	if (!map->text || !map->rules) {
		vfi_xattrmap_destroy(map, env);
		snprintf(error, size, "there is no memory");
		return -ENOMEM;
	}
	memcpy(map->text, text, map->text_size);
	parser = (struct parser){ .text = map->text, .error = error, .error_size = size };
	(void)parse(&parser, map->rules);
	return 0;
}

void vfi_xattrmap_destroy(struct vfi_xattrmap *map, const struct virtiofs_env *env)
{
	vfi_free(env, map->rules, map->count * sizeof(*map->rules));
	vfi_free(env, map->text, map->text_size);
	*map = (struct vfi_xattrmap){ 0 };
}

/* ---- Mapping ---- */

static bool begins_with(const char *name, struct vfi_text prefix)
{
	return strncmp(name, prefix.at, prefix.len) == 0;
}

static const struct vfi_xattrmap_rule *find(const struct vfi_xattrmap *map, uint8_t scope,
					    const char *name)
{
	for (uint32_t i = 0; i < map->count; i++) {
		const struct vfi_xattrmap_rule *rule = &map->rules[i];

		if ((rule->scope & scope) &&
		    begins_with(name, scope == SCOPE_CLIENT ? rule->key : rule->prepend))
			return rule;
	}
	return NULL;
}

int vfi_xattrmap_to_host(const struct vfi_xattrmap *map, const char *name,
			 char buf[XATTR_NAME_MAX + 1], const char **host)
{
	const struct vfi_xattrmap_rule *rule;
	size_t len;

	*host = name;
	if (map->count == 0)
		return 0;
	rule = find(map, SCOPE_CLIENT, name);
	if (!rule || rule->type == VFI_XATTRMAP_BAD)
		return -EPERM;
	if (rule->type == VFI_XATTRMAP_UNSUPPORTED)
		return -EOPNOTSUPP;
	if (rule->type == VFI_XATTRMAP_OK)
		return 0;
	len = strlen(name);
	/* What the kernel says to a name that is too long. */
	if (rule->prepend.len + len > XATTR_NAME_MAX)
		return -ERANGE;
	memcpy(buf, rule->prepend.at, rule->prepend.len);
	memcpy(buf + rule->prepend.len, name, len + 1);
	*host = buf;
	return 0;
}

const char *vfi_xattrmap_to_guest(const struct vfi_xattrmap *map, const char *name)
{
	const struct vfi_xattrmap_rule *rule;

	if (map->count == 0)
		return name;
	rule = find(map, SCOPE_SERVER, name);
	if (!rule || rule->type == VFI_XATTRMAP_BAD || rule->type == VFI_XATTRMAP_UNSUPPORTED)
		return NULL;
	if (rule->type == VFI_XATTRMAP_PREFIX)
		name += rule->prepend.len;
	/* Without a name it would have the guest's kernel refuse the whole list. */
	return *name ? name : NULL;
}
