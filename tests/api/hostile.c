/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that means harm: every opcode, with numbers and names that are right, nearly
 * right or wild, on ids and handles it was given. What answers must be well-formed (the
 * client checks each), what lies beside the shared directory stays as it is, and the next
 * guest is served.
 */
#include "shared.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "proto/proto.h"
#include "support/check.h"

enum {
	REQUESTS = 20000,
	KNOWN = 24,	     /* ids and handles it keeps in mind */
	PAYLOAD = 64,	     /* bytes behind fixed part and names */
	SIZE_OFFSET = 16,    /* of the size in fuse_read_in and fuse_write_in */
	LARGEST = 256 << 10, /* a file, so that nothing takes long */
};

struct hostile {
	struct shared *s;
	struct test_random *random;
	uint64_t nodes[KNOWN], handles[KNOWN], opened[KNOWN]; /* handles are of opened */
	unsigned next_node, next_handle;
	unsigned succeeded[VFI_OPCODES];
	unsigned char fixed[VFI_ARGS_SIZE], payload[PAYLOAD];
	char names[2][4200];
};

/* Not here: the session's own, what the whole machine waits for. */
static bool is_left_out(uint32_t opcode)
{
	return opcode == VIRTIOFS_FUSE_INIT || opcode == VIRTIOFS_FUSE_DESTROY ||
	       opcode == VIRTIOFS_FUSE_SYNCFS || opcode == VIRTIOFS_FUSE_FSYNC ||
	       opcode == VIRTIOFS_FUSE_FSYNCDIR;
}

static uint64_t pick_node(struct hostile *h)
{
	if (test_random_one_in(h->random, 20))
		return test_random_u64(h->random);
	return h->nodes[test_random_range(h->random, 0, KNOWN - 1)];
}

static uint64_t pick_number(struct hostile *h)
{
	static const uint64_t numbers[] = {
		0,	   0,	       0,	   1,	      2,	  8,
		64,	   4096,       65535,	   INT32_MAX, UINT32_MAX, 1ull << 32,
		INT64_MAX, 1ull << 63, UINT64_MAX, 0100644,   040755,	  0120777,
	};

	switch (test_random_range(h->random, 0, 5)) {
	case 0:
		return h->handles[test_random_range(h->random, 0, KNOWN - 1)];
	case 1:
		return pick_node(h);
	case 2:
		return test_random_u64(h->random) >> test_random_range(h->random, 0, 63);
	default:
		return numbers[test_random_range(h->random, 0,
						 sizeof(numbers) / sizeof(numbers[0]) - 1)];
	}
}

static void pick_name(struct hostile *h, char *name)
{
	static const char *const names[] = {
		"a",
		"b",
		"c",
		"dir",
		"link",
		"fifo",
		"file",
		".",
		"..",
		"../beside",
		"/",
		"",
		"a/b",
		"/etc/passwd",
		"...",
		"\xff\xfe",
		"user.a",
		"security.capability",
		"system.posix_acl_access",
	};

	if (test_random_one_in(h->random, 30)) {
		size_t len = test_random_range(h->random, 250, 4100);

		memset(name, 'n', len);
		name[len] = '\0';
		return;
	}
	/* Mostly what may be a name. */
	strcpy(name, names[test_random_range(h->random, 0,
					     test_random_one_in(h->random, 4)
						     ? sizeof(names) / sizeof(names[0]) - 1
						     : 6)]);
}

/* Where it says what is open, half of the time that is true. */
static void fill_fixed(struct hostile *h, uint32_t opcode, uint64_t *nodeid)
{
	unsigned known = test_random_range(h->random, 0, KNOWN - 1);
	const uint32_t size = PAYLOAD;

	for (size_t at = 0; at < sizeof(h->fixed); at += 8) {
		uint64_t n = pick_number(h);

		memcpy(h->fixed + at, &n, sizeof(n));
	}
	if (test_random_one_in(h->random, 2)) {
		memcpy(h->fixed, &h->handles[known], sizeof(h->handles[known]));
		*nodeid = h->opened[known];
	}
	if (opcode == VIRTIOFS_FUSE_WRITE && !test_random_one_in(h->random, 4))
		memcpy(h->fixed + SIZE_OFFSET, &size, sizeof(size));
}

/* What it learns from a success: ids first in an entry, handles first or behind one. */
static void learn(struct hostile *h, uint32_t opcode, uint64_t parent, const unsigned char *body,
		  uint32_t len)
{
	uint64_t node = 0, handle = 0;

	switch (opcode) {
	case VIRTIOFS_FUSE_CREATE:
	case VIRTIOFS_FUSE_TMPFILE:
		CHECK(len == sizeof(struct virtiofs_create_out));
		memcpy(&handle, body + sizeof(struct virtiofs_fuse_entry_out), sizeof(handle));
		memcpy(&node, body, sizeof(node));
		break;
	case VIRTIOFS_FUSE_LOOKUP:
	case VIRTIOFS_FUSE_MKNOD:
	case VIRTIOFS_FUSE_MKDIR:
	case VIRTIOFS_FUSE_SYMLINK:
	case VIRTIOFS_FUSE_LINK:
		memcpy(&node, body, sizeof(node));
		break;
	case VIRTIOFS_FUSE_OPEN:
	case VIRTIOFS_FUSE_OPENDIR:
		memcpy(&handle, body, sizeof(handle));
		break;
	default:
		break;
	}
	if (node)
		h->nodes[h->next_node++ % KNOWN] = node;
	if (handle) {
		h->opened[h->next_handle % KNOWN] = node ? node : parent;
		h->handles[h->next_handle++ % KNOWN] = handle;
	}
}

static void send_one(struct hostile *h)
{
	uint32_t opcode = test_random_range(h->random, 1, VFI_OPCODES - 1);
	const struct vfi_op *op = vfi_op_find(opcode);
	struct fuse_request request = { .opcode = opcode, .nodeid = pick_node(h) };
	static unsigned char body[8192];
	unsigned part = 0;
	uint32_t len;
	int error;

	if (!op || is_left_out(opcode))
		return;
	fill_fixed(h, opcode, &request.nodeid);
	request.parts[part++] = (struct iovec){ h->fixed, op->in_max };
	for (int i = 0; i < 2 && op->names[i] != VFI_NAME_NONE; i++) {
		pick_name(h, h->names[i]);
		request.parts[part++] = (struct iovec){ h->names[i], strlen(h->names[i]) + 1 };
	}
	if ((op->flags & VFI_OP_PAYLOAD_IN) && part < FUSE_REQUEST_PARTS)
		request.parts[part++] = (struct iovec){ h->payload, PAYLOAD };
	request.room = test_random_one_in(h->random, 20)
			       ? test_random_range(h->random, 0, 200)
			       : test_random_range(h->random, 400, sizeof(body));
	h->s->c->uid = test_random_one_in(h->random, 8) ? (uint32_t)pick_number(h) : geteuid();
	h->s->c->gid = test_random_one_in(h->random, 8) ? (uint32_t)pick_number(h) : getegid();
	error = fuse_client_call(h->s->c, &request, body, sizeof(body), &len);
	if (error)
		return;
	h->succeeded[opcode]++;
	learn(h, opcode, request.nodeid, body, len);
}

static void limit_files(rlim_t max, void (*handler)(int))
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	signal(SIGXFSZ, handler);
}

/* A directory that nobody may touch. */
static void make_beside(struct temp_dir *beside)
{
	int fd;

	temp_dir_create(beside);
	fd = openat(beside->fd, "secret", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "secret", 6), 6);
	close(fd);
}

static void assert_untouched(const struct temp_dir *beside)
{
	DIR *dir = opendir(beside->path);
	char text[16];
	struct stat st;
	int entries = 0, fd;

	assert_non_null(dir);
	while (readdir(dir))
		entries++;
	closedir(dir);
	assert_int_equal(entries, 3);
	assert_int_equal(fstatat(beside->fd, "secret", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(st.st_nlink, 1);
	fd = openat(beside->fd, "secret", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, text, sizeof(text)), 6);
	close(fd);
}

static void wild_requests_harm_nobody(void **state)
{
	struct shared *s = *state;
	struct hostile h = { .s = s, .random = &s->random };
	struct virtiofs_fuse_init_out init;
	struct virtiofs_fuse_attr attr;
	struct rlimit before;
	struct temp_dir beside;
	unsigned opcodes = 0;

	make_beside(&beside);
	assert_int_equal(symlinkat(beside.path, s->dir.fd, "link"), 0);
	host_mkdir(s, "dir", 0755);
	host_write(s, "file", "hello", 5);
	assert_int_equal(fuse_init(s->c, UINT64_MAX, &init), 0);
	for (unsigned i = 0; i < KNOWN; i++) {
		h.nodes[i] = FUSE_ROOT;
		h.opened[i] = FUSE_ROOT;
	}
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit_files(LARGEST, SIG_IGN);
	for (int i = 0; i < REQUESTS; i++)
		send_one(&h);
	limit_files(before.rlim_cur, SIG_DFL);
	for (uint32_t i = 0; i < VFI_OPCODES; i++)
		opcodes += h.succeeded[i] != 0;
	print_message("%u opcodes had a success\n", opcodes);
	/* Or it was not harm but noise. */
	assert_true(opcodes >= 20);
	assert_untouched(&beside);
	s->c->uid = geteuid();
	s->c->gid = getegid();
	assert_int_equal(fuse_getattr(s->c, FUSE_ROOT, &attr), 0);
	fuse_mount(s->c);
	assert_int_equal(fuse_getattr(s->c, FUSE_ROOT, &attr), 0);
	temp_dir_remove(&beside);
}

/* All that is an option, but flags of files: who makes one immutable leaves it behind. */
static int setup_with_all(void **state)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	const struct shared_options with = { .passthrough = &options };
	struct shared *s = calloc(1, sizeof(*s));

	CHECK(s);
	options.xattrmap = ":map:trusted.:user.virtiofs.:";
	options.posix_acl = VIRTIOFS_AUTO;
	options.security_label = VIRTIOFS_AUTO;
	options.posix_lock = VIRTIOFS_ON;
	options.flock = VIRTIOFS_ON;
	options.lock_timeout = 1000000;
	options.killpriv_v2 = VIRTIOFS_ON;
	options.writeback = VIRTIOFS_ON;
	options.allow_direct_io = VIRTIOFS_ON;
	options.preserve_noatime = VIRTIOFS_ON;
	options.max_hot_inodes = 8;
	shared_open(s, &with);
	*state = s;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED_TEST(wild_requests_harm_nobody),
		{ "wild_requests_harm_nobody with all options", wild_requests_harm_nobody,
		  setup_with_all, shared_teardown, NULL },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
