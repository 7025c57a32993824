/* SPDX-License-Identifier: BSD-2-Clause */
/* Directories that change while they are listed, and names of any bytes. */
#include "guest.h"

enum { FILES = 600, NAMES = 2 * FILES };

/* How often each name was listed; names are "s" or "n" and a number. */
struct seen {
	unsigned stays[NAMES];
	unsigned others;
};

static char *name_of(char kind, int i)
{
	static char names[2][16];
	static unsigned next;
	char *name = names[next++ % 2];

	snprintf(name, sizeof(names[0]), "%c%d", kind, i);
	return name;
}

static void make_files(struct guest *g)
{
	for (int i = 0; i < FILES; i++)
		host_write(g, name_of('s', i), "");
}

/* One answer; returns where to go on, or 0: this was the end. */
static uint64_t read_some(struct guest *g, uint64_t fh, uint64_t offset, bool plus,
			  struct seen *seen)
{
	struct virtiofs_fuse_dirent entry = { .off = 0 };
	size_t skip = plus ? sizeof(struct virtiofs_fuse_entry_out) : 0;
	char buf[2048];
	int n = plus ? do_readdirplus(g, ROOT, fh, offset, buf, sizeof(buf))
		     : do_readdir(g, ROOT, fh, offset, buf, sizeof(buf));
	size_t pos = 0;

	assert_true(n >= 0);
	while (pos < (size_t)n) {
		const char *name = buf + pos + skip + sizeof(entry);

		memcpy(&entry, buf + pos + skip, sizeof(entry));
		if (name[0] == 's')
			seen->stays[atoi(name + 1)]++;
		else
			seen->others++;
		pos += plus ? virtiofs_direntplus_size(entry.namelen)
			    : virtiofs_dirent_size(entry.namelen);
	}
	return n ? entry.off : 0;
}

static void list(struct guest *g, uint64_t fh, bool plus, struct seen *seen)
{
	uint64_t offset = 0;

	memset(seen, 0, sizeof(*seen));
	do {
		offset = read_some(g, fh, offset, plus, seen);
	} while (offset);
}

/* Between any two answers, others come and go; what stays is listed once. */
static void what_stays_is_listed_once(void **state)
{
	struct guest *g = *state;
	struct seen seen;
	uint64_t fh;

	make_files(g);
	for (int plus = 0; plus < 2; plus++) {
		uint64_t offset = 0;
		int change = 0;

		memset(&seen, 0, sizeof(seen));
		assert_int_equal(do_opendir(g, ROOT, &fh), 0);
		do {
			offset = read_some(g, fh, offset, plus, &seen);
			for (int i = 0; i < 5; i++)
				host_write(g, name_of('n', change++), "");
			assert_int_equal(unlinkat(g->dir, name_of('n', change - 2), 0), 0);
			assert_int_equal(renameat(g->dir, name_of('n', change - 1), g->dir,
						  name_of('r', change)),
					 0);
			/* An ever growing directory need not end. */
		} while (offset && change < 2000);
		for (int i = 0; i < FILES; i++)
			assert_int_equal(seen.stays[i], 1);
		assert_int_equal(do_releasedir(g, ROOT, fh), 0);
	}
}

/* Each entry is renamed away and back as it is seen: the listing ends all the same. */
static void listing_ends_while_entries_are_renamed(void **state)
{
	struct guest *g = *state;
	struct seen seen = { .others = 0 };
	uint64_t fh, offset = 0;
	int answers = 0, i = 0;

	make_files(g);
	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	do {
		offset = read_some(g, fh, offset, false, &seen);
		for (int n = 0; n < 20; n++, i = (i + 1) % FILES) {
			assert_int_equal(renameat(g->dir, name_of('s', i), g->dir, "temporary"), 0);
			assert_int_equal(renameat(g->dir, "temporary", g->dir, name_of('s', i)), 0);
		}
		assert_in_range(++answers, 1, 1000);
	} while (offset);
	assert_int_equal(do_releasedir(g, ROOT, fh), 0);
}

/* What came after opendir(3) is there behind a rewinddir(3), though nothing was read yet. */
static void rewinding_shows_what_came_since_it_was_opened(void **state)
{
	struct guest *g = *state;
	struct seen seen;
	uint64_t fh;

	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	make_files(g);
	list(g, fh, false, &seen);
	for (int i = 0; i < FILES; i++)
		assert_int_equal(seen.stays[i], 1);
	for (int i = 0; i < FILES; i += 2)
		assert_int_equal(unlinkat(g->dir, name_of('s', i), 0), 0);
	list(g, fh, true, &seen);
	for (int i = 0; i < FILES; i++)
		assert_int_equal(seen.stays[i], i % 2);
	assert_int_equal(do_releasedir(g, ROOT, fh), 0);
}

static void directory_that_is_gone_has_no_entries(void **state)
{
	struct guest *g = *state;
	char buf[512];
	uint64_t node, fh;

	assert_int_equal(mkdirat(g->dir, "dir", 0755), 0);
	node = node_of(g, ROOT, "dir");
	assert_int_equal(do_opendir(g, node, &fh), 0);
	assert_int_equal(unlinkat(g->dir, "dir", AT_REMOVEDIR), 0);
	/* As on the host; Linux's client makes an end of it, as its system call does. */
	assert_int_equal(do_readdir(g, node, fh, 0, buf, sizeof(buf)), -ENOENT);
	assert_int_equal(do_releasedir(g, node, fh), 0);
}

/* Every byte but two may stand in a name, 255 times. */
static void names_are_bytes(void **state)
{
	struct guest *g = *state;
	struct virtiofs_fuse_dirent entry;
	struct virtiofs_fuse_entry_out out;
	char name[256], longest[256], buf[1024];
	bool found[2] = { false, false };
	uint64_t fh, offset = 0;
	int n;

	for (int i = 0; i < 254; i++)
		name[i] = (char)(i + 1 == '/' ? 0xff : i + 1);
	name[254] = (char)0xff;
	name[255] = '\0';
	memset(longest, 0xfe, 255);
	longest[255] = '\0';
	host_write(g, name, "");
	host_write(g, longest, "");
	assert_int_equal(do_lookup(g, ROOT, name, &out), 0);
	assert_int_equal(do_lookup(g, ROOT, longest, &out), 0);
	assert_int_equal(do_opendir(g, ROOT, &fh), 0);
	while ((n = do_readdir(g, ROOT, fh, offset, buf, sizeof(buf))) > 0) {
		for (size_t pos = 0; pos < (size_t)n;) {
			const char *got = buf + pos + sizeof(entry);

			memcpy(&entry, buf + pos, sizeof(entry));
			found[0] |= entry.namelen == 255 && memcmp(got, name, 255) == 0;
			found[1] |= entry.namelen == 255 && memcmp(got, longest, 255) == 0;
			pos += virtiofs_dirent_size(entry.namelen);
			offset = entry.off;
		}
	}
	assert_int_equal(n, 0);
	assert_true(found[0] && found[1]);
	assert_int_equal(do_releasedir(g, ROOT, fh), 0);
	assert_int_equal(do_unlink(g, ROOT, name), 0);
	assert_int_equal(do_rename(g, ROOT, longest, ROOT, name, 0), 0);
	assert_true(host_has(g, name));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_stays_is_listed_once),
		TEST(listing_ends_while_entries_are_renamed),
		TEST(rewinding_shows_what_came_since_it_was_opened),
		TEST(directory_that_is_gone_has_no_entries),
		TEST(names_are_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
