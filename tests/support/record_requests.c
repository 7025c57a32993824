/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Preloaded into a program that serves /dev/fuse, this writes the requests it reads
 * to the file $RECORD_REQUESTS, one after the other: a request's header has its
 * length. scripts/record-requests makes tests/data/requests.bin with it.
 *
 * So that the kernel sends as much as it can, INIT's answer grants what is in
 * EXTRA, and an answer of ENOSYS, after which it stops asking, becomes EOPNOTSUPP.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <virtiofs/fuse_wire.h>

#define EXTRA                                                                                  \
	(VIRTIOFS_FUSE_POSIX_LOCKS | VIRTIOFS_FUSE_FLOCK_LOCKS | VIRTIOFS_FUSE_HAS_IOCTL_DIR | \
	 VIRTIOFS_FUSE_SETXATTR_EXT | VIRTIOFS_FUSE_INIT_EXT | VIRTIOFS_FUSE_SECURITY_CTX |    \
	 VIRTIOFS_FUSE_CREATE_SUPP_GROUP | VIRTIOFS_FUSE_HANDLE_KILLPRIV_V2 |                  \
	 VIRTIOFS_FUSE_DO_READDIRPLUS | VIRTIOFS_FUSE_READDIRPLUS_AUTO)

enum {
	OPCODES = 64,
	SAME_LENGTH = 2, /* requests of an opcode that have one length, and */
	SAME_OPCODE = 8, /* of any length */
	LONGEST = 8192,
};

static struct {
	unsigned count;
	uint32_t lengths[SAME_OPCODE];
} seen[OPCODES];

static uint64_t init_unique, init_offered;

static bool is_fuse(int fd)
{
	char path[64] = "/proc/self/fd/", target[16];
	size_t len = strlen(path);
	char digits[12];
	int n = 0;

	do {
		digits[n++] = (char)('0' + fd % 10);
		fd /= 10;
	} while (fd);
	while (n)
		path[len++] = digits[--n];
	return readlink(path, target, sizeof(target)) == 9 && memcmp(target, "/dev/fuse", 9) == 0;
}

/* Whether a request of this kind is wanted still. */
static bool is_new(uint32_t opcode, uint32_t length)
{
	unsigned same = 0;

	if (opcode >= OPCODES || length > LONGEST || seen[opcode].count == SAME_OPCODE)
		return false;
	for (unsigned i = 0; i < seen[opcode].count; i++)
		same += seen[opcode].lengths[i] == length;
	if (same == SAME_LENGTH)
		return false;
	seen[opcode].lengths[seen[opcode].count++] = length;
	return true;
}

static void keep(const void *buf, size_t len)
{
	static int out = -1;
	ssize_t (*real)(int, const void *, size_t);
	const char *name = getenv("RECORD_REQUESTS");

	*(void **)&real = dlsym(RTLD_NEXT, "write");
	if (out < 0 && name)
		out = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (out < 0 || real(out, buf, len) != (ssize_t)len)
		abort();
}

ssize_t read(int fd, void *buf, size_t nbytes)
{
	struct virtiofs_fuse_in_header header;
	ssize_t (*real)(int, void *, size_t);
	ssize_t n;

	*(void **)&real = dlsym(RTLD_NEXT, "read");
	n = real(fd, buf, nbytes);
	if (n < (ssize_t)sizeof(header) || !is_fuse(fd))
		return n;
	memcpy(&header, buf, sizeof(header));
	if (header.opcode == VIRTIOFS_FUSE_INIT) {
		struct virtiofs_fuse_init_in init;

		memcpy(&init, (char *)buf + sizeof(header), sizeof(init));
		init_unique = header.unique;
		init_offered = init.flags | (uint64_t)init.flags2 << 32;
	}
	if (is_new(header.opcode, header.len))
		keep(buf, (size_t)n);
	return n;
}

static void grant_more(unsigned char *answer)
{
	const size_t at = sizeof(struct virtiofs_fuse_out_header);
	struct virtiofs_fuse_init_out init;

	memcpy(&init, answer + at, sizeof(init));
	init.flags |= (uint32_t)(init_offered & EXTRA);
	init.flags2 |= (uint32_t)((init_offered & EXTRA) >> 32);
	memcpy(answer + at, &init, sizeof(init));
}

ssize_t write(int fd, const void *buf, size_t n)
{
	struct virtiofs_fuse_out_header header;
	unsigned char answer[sizeof(header) + sizeof(struct virtiofs_fuse_init_out)];
	ssize_t (*real)(int, const void *, size_t);

	*(void **)&real = dlsym(RTLD_NEXT, "write");
	if (n < sizeof(header) || n > sizeof(answer) || !is_fuse(fd))
		return real(fd, buf, n);
	memcpy(answer, buf, n);
	memcpy(&header, answer, sizeof(header));
	if (header.error == -ENOSYS)
		header.error = -EOPNOTSUPP;
	memcpy(answer, &header, sizeof(header));
	if (header.unique == init_unique && n == sizeof(answer))
		grant_more(answer);
	return real(fd, answer, n);
}
