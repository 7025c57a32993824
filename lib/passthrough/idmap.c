/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Users and groups that have other numbers in the guest than on this host, by rules as
 * virtiofsd's --translate-uid and --translate-gid have them:
 *
 *	guest:G:H:N	    the N ids from G on of the guest's are those from H on here
 *	host:H:G:N	    the same from here to the guest
 *	map:G:H:N	    both
 *	squash-guest:G:H:N  these of the guest's are all H here
 *	squash-host:H:G:N   these of this host's are all G there
 *	forbid-guest:G:N    these of the guest's are refused
 *
 * Each direction is for itself; an id without a rule is the same on both sides. Any
 * character that is not of the first word may stand for the colon.
 */
#include "passthrough/share.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct rule {
	uint32_t numbers[3];
	unsigned count; /* of them */
};

/* ---- Parsing ---- */

/* Decimal, at most 32 bits; returns behind it, or NULL. */
static const char *parse_number(const char *text, uint32_t *number)
{
	uint64_t n = 0;

	if (!isdigit((unsigned char)*text))
		return NULL;
	for (; isdigit((unsigned char)*text); text++) {
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > UINT32_MAX)
			return NULL;
	}
	*number = (uint32_t)n;
	return text;
}

static int parse_numbers(const char *text, struct rule *rule)
{
	const char separator = *text;

	rule->count = 0;
	while (*text) {
		if (*text != separator || rule->count == VFI_ARRAY_SIZE(rule->numbers))
			return -EINVAL;
		text = parse_number(text + 1, &rule->numbers[rule->count++]);
		if (!text)
			return -EINVAL;
	}
	return 0;
}

static size_t word_length(const char *text)
{
	size_t n = 0;

	while (isalnum((unsigned char)text[n]) || text[n] == '-' || text[n] == '_')
		n++;
	return n;
}

/* ---- The two tables ---- */

/* The range that @id is in, or before which one with it would stand. */
static uint32_t find(const struct vfi_id_ranges *table, uint32_t id)
{
	uint32_t low = 0, high = table->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		const struct vfi_id_range *r = &table->ranges[middle];

		if (id < r->first)
			high = middle;
		else if (id - r->first < r->count)
			return middle;
		else
			low = middle + 1;
	}
	return low;
}

static const struct vfi_id_range *lookup(const struct vfi_id_ranges *table, uint32_t id)
{
	uint32_t at = find(table, id);

	return at < table->count && table->ranges[at].first <= id ? &table->ranges[at] : NULL;
}

/* Returns what is wrong with it, or NULL. */
static const char *insert(struct vfi_id_ranges *table, const struct vfi_id_range *range)
{
	uint32_t at = find(table, range->first);
	const struct vfi_id_range *next = at < table->count ? &table->ranges[at] : NULL;

	if (range->count == 0)
		return "Empty range";
	/* The last number of all is no id. */
	if (range->count > UINT32_MAX - range->first ||
	    (range->kind == VFI_ID_RANGE && range->count > UINT32_MAX - range->target) ||
	    range->target == UINT32_MAX)
		return "Range overflow";
	if (next && (next->first <= range->first || next->first - range->first < range->count))
		return "Mapping intersects previously added entry of its direction";
	if (table->count == VFI_ARRAY_SIZE(table->ranges))
		return "Too many rules";
	memmove(&table->ranges[at + 1], &table->ranges[at],
		(table->count - at) * sizeof(table->ranges[0]));
	table->ranges[at] = *range;
	table->count++;
	return NULL;
}

/* ---- Rules ---- */

enum direction { FROM_GUEST = 1, FROM_HOST = 2 };

struct form {
	const char *word;
	unsigned numbers;
	unsigned directions; /* enum direction */
	enum vfi_id_kind kind;
};

static const struct form forms[] = {
	{ "guest", 3, FROM_GUEST, VFI_ID_RANGE },
	{ "host", 3, FROM_HOST, VFI_ID_RANGE },
	{ "map", 3, FROM_GUEST | FROM_HOST, VFI_ID_RANGE },
	{ "squash-guest", 3, FROM_GUEST, VFI_ID_SQUASH },
	{ "squash-host", 3, FROM_HOST, VFI_ID_SQUASH },
	{ "forbid-guest", 2, FROM_GUEST, VFI_ID_FORBID },
};

static const struct form *find_form(const char *word, size_t len)
{
	for (size_t i = 0; i < VFI_ARRAY_SIZE(forms); i++) {
		if (strlen(forms[i].word) == len && strncasecmp(forms[i].word, word, len) == 0)
			return &forms[i];
	}
	return NULL;
}

static const char *add(struct vfi_idmap *map, const struct form *form, const struct rule *rule)
{
	struct vfi_id_range range = { .first = rule->numbers[0], .kind = form->kind };
	const char *wrong = NULL;

	range.count = rule->numbers[form->numbers - 1];
	if (form->numbers == 3)
		range.target = rule->numbers[1];
	if (form->directions != FROM_HOST)
		wrong = insert(&map->to_host, &range);
	if (!wrong && form->directions == (FROM_GUEST | FROM_HOST)) {
		range.first = rule->numbers[1];
		range.target = rule->numbers[0];
	}
	if (!wrong && form->directions != FROM_GUEST)
		wrong = insert(&map->to_guest, &range);
	return wrong;
}

int vfi_idmap_add(struct vfi_idmap *map, const char *text, char *error, size_t size)
{
	size_t len = word_length(text);
	const struct form *form = find_form(text, len);
	const char *wrong = NULL;
	struct rule rule = { { 0 }, 0 };

	if (!form)
		wrong = "Unknown type (guest, host, squash-guest, squash-host, forbid-guest, map)";
	else if (parse_numbers(text + len, &rule))
		wrong = "Invalid number";
	else if (rule.count != form->numbers)
		wrong = form->numbers == 3 ? "Not of the form TYPE:SOURCE:TARGET:COUNT"
					   : "Not of the form TYPE:SOURCE:COUNT";
	else
		wrong = add(map, form, &rule);
	if (!wrong)
		return 0;
	snprintf(error, size, "%s: %s", text, wrong);
	return -EINVAL;
}

int vfi_idmap_check(const char *const *rules, const char *rule, char *error, size_t size)
{
	struct vfi_idmap map = { 0 };
	int err = 0;

	for (; *rules && !err; rules++)
		err = vfi_idmap_add(&map, *rules, error, size);
	return err ? err : vfi_idmap_add(&map, rule, error, size);
}

/* ---- Translation ---- */

static uint32_t translate(const struct vfi_id_range *range, uint32_t id)
{
	if (!range)
		return id;
	return range->kind == VFI_ID_SQUASH ? range->target : range->target + (id - range->first);
}

int vfi_idmap_to_host(const struct vfi_idmap *map, uint32_t id, uint32_t *host)
{
	const struct vfi_id_range *range = lookup(&map->to_host, id);

	if (range && range->kind == VFI_ID_FORBID)
		return -EPERM;
	*host = translate(range, id);
	return 0;
}

uint32_t vfi_idmap_to_guest(const struct vfi_idmap *map, uint32_t id)
{
	return translate(lookup(&map->to_guest, id), id);
}
