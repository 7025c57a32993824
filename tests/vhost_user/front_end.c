/* SPDX-License-Identifier: BSD-2-Clause */
#include "vhost_user/front_end.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/check.h"
#include "support/entries.h"

/* ---- Life ---- */

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	CHECK(fd >= 0);
	return fd;
}

static void make_guest(struct front_end *fe, unsigned rings, uint32_t num)
{
	const struct guest_ring_options options = { .num = num,
						    .indirect = true,
						    .event_idx = true };

	CHECK(rings <= FRONT_END_RINGS_MAX);
	fe->ram = guest_ram_create();
	fe->ring_count = rings;
	fe->unique = 1;
	for (unsigned i = 0; i < rings; i++) {
		struct front_end_ring *ring = &fe->rings[i];

		guest_ring_init(&ring->ring, fe->ram, &options);
		ring->kick = new_eventfd();
		ring->call = new_eventfd();
		ring->err = new_eventfd();
	}
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fe->channel) == 0);
	fe->features = UINT64_MAX;
	fe->protocol_features = UINT64_MAX;
}

void front_end_reconnect(struct front_end *fe)
{
	int pair[2];

	CHECK(fe->socket < 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	fe->socket = pair[1];
	fe->disconnects = test_get(&fe->be->disconnects);
	back_end_connect(fe->be, pair[0]);
}

void front_end_open(struct front_end *fe, struct back_end *be, unsigned rings, uint32_t num)
{
	memset(fe, 0, sizeof(*fe));
	fe->be = be;
	fe->socket = -1;
	make_guest(fe, rings, num);
	front_end_reconnect(fe);
}

void front_end_open_socket(struct front_end *fe, int socket, unsigned rings, uint32_t num)
{
	memset(fe, 0, sizeof(*fe));
	fe->socket = socket;
	make_guest(fe, rings, num);
}

void front_end_hang_up(struct front_end *fe)
{
	close(fe->socket);
	fe->socket = -1;
	if (fe->be)
		back_end_wait_disconnected(fe->be, fe->disconnects + 1);
}

void front_end_close(struct front_end *fe)
{
	if (fe->socket >= 0)
		front_end_hang_up(fe);
	for (unsigned i = 0; i < fe->ring_count; i++) {
		guest_ring_exit(&fe->rings[i].ring);
		close(fe->rings[i].kick);
		close(fe->rings[i].call);
		close(fe->rings[i].err);
	}
	close(fe->channel[0]);
	close(fe->channel[1]);
	guest_ram_destroy(fe->ram);
}

void front_end_pump(struct front_end *fe)
{
	if (fe->be)
		back_end_pump(fe->be);
	else
		usleep(50);
}

/* ---- Raw ---- */

static void send_some(struct front_end *fe, const void *bytes, size_t len, const int *fds,
		      unsigned fd_count)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(253 * sizeof(int))];
	} control;
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };

	memset(&control, 0, sizeof(control));
	if (fd_count) {
		struct cmsghdr *cmsg;

		hdr.msg_control = &control;
		hdr.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&hdr);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, fd_count * sizeof(int));
	}
	/* EPIPE: it has dropped us, which who asks for the answer finds out. */
	CHECK(sendmsg(fe->socket, &hdr, MSG_NOSIGNAL) == (ssize_t)len || errno == EPIPE);
}

void front_end_send(struct front_end *fe, uint32_t request, uint32_t flags, const void *payload,
		    uint32_t size, const int *fds, unsigned fd_count)
{
	unsigned char message[sizeof(struct vfi_vu_header) + sizeof(union vfi_vu_payload)];
	const struct vfi_vu_header header = { request, flags, size };
	const size_t len = sizeof(header) + size;

	CHECK(len <= sizeof(message));
	memcpy(message, &header, sizeof(header));
	if (size)
		memcpy(message + sizeof(header), payload, size);
	if (++fe->sent == fe->give_up_at) {
		if (fe->in_the_middle)
			send_some(fe, message, len / 2, fds, fd_count);
		longjmp(fe->gave_up, 1);
	}
	if (!fe->in_bytes) {
		send_some(fe, message, len, fds, fd_count);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		send_some(fe, message + i, 1, fds, i ? 0 : fd_count);
		/* Most often it is to see less than the whole. */
		if (i % 5 == 0)
			front_end_pump(fe);
	}
}

bool front_end_has_reply(struct front_end *fe)
{
	struct pollfd pfd = { .fd = fe->socket, .events = POLLIN };

	return poll(&pfd, 1, 0) > 0;
}

/* Returns false at the end of the stream. */
static bool receive(struct front_end *fe, void *buf, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = recv(fe->socket, (char *)buf + got, len - got, MSG_DONTWAIT);

		if (n > 0)
			got += (size_t)n;
		else if (n == 0 || errno == ECONNRESET)
			return false;
		else if (errno == EAGAIN)
			front_end_pump(fe);
		else
			CHECK(0); /* recv failed */
	}
	return true;
}

bool front_end_reply(struct front_end *fe, uint32_t request, void *payload, uint32_t size)
{
	struct vfi_vu_header header;

	if (!receive(fe, &header, sizeof(header)))
		return false;
	CHECK(header.request == request);
	CHECK(header.flags == (VU_FLAG_VERSION | VU_FLAG_REPLY));
	CHECK(header.size == size);
	return receive(fe, payload, size);
}

uint64_t front_end_ask(struct front_end *fe, uint32_t request, const void *payload, uint32_t size,
		       const int *fds, unsigned fd_count)
{
	uint64_t answer;

	front_end_send(fe, request, VU_FLAG_VERSION | VU_FLAG_NEED_REPLY, payload, size, fds,
		       fd_count);
	CHECK(front_end_reply(fe, request, &answer, sizeof(answer)));
	return answer;
}

void front_end_expect_drop(struct front_end *fe)
{
	char byte;

	CHECK(!receive(fe, &byte, 1));
	front_end_hang_up(fe);
	front_end_reconnect(fe);
}

/* ---- Messages ---- */

void front_end_table(const struct front_end *fe, struct vfi_vu_mem_table *table, int *fds)
{
	const struct guest_ram_region *regions = guest_ram_regions(fe->ram);

	memset(table, 0, sizeof(*table));
	table->count = GUEST_RAM_REGIONS;
	for (unsigned i = 0; i < GUEST_RAM_REGIONS; i++) {
		table->regions[i] = (struct vfi_vu_region){
			.guest_addr = regions[i].guest_addr,
			.size = regions[i].len,
			.user_addr = (uintptr_t)regions[i].host + fe->user_shift,
			.mmap_offset = regions[i].offset,
		};
		fds[i] = guest_ram_fd(fe->ram);
	}
}

struct vfi_vu_vring_addr front_end_addr(const struct front_end *fe, unsigned ring)
{
	const struct guest_ring *r = &fe->rings[ring].ring;

	return (struct vfi_vu_vring_addr){
		.index = ring,
		.desc = (uintptr_t)r->desc + fe->user_shift,
		.used = (uintptr_t)r->used + fe->user_shift,
		.avail = (uintptr_t)r->avail + fe->user_shift,
	};
}

static void send_checked(struct front_end *fe, uint32_t request, const void *payload, uint32_t size,
			 const int *fds, unsigned fd_count)
{
	if (fe->need_reply & ACK(request))
		CHECK(front_end_ask(fe, request, payload, size, fds, fd_count) == 0);
	else
		front_end_send(fe, request, VU_FLAG_VERSION, payload, size, fds, fd_count);
}

/* A message with a reply of its own: that one, and no other, whatever the flags. */
static void query(struct front_end *fe, uint32_t request, const void *payload, uint32_t size,
		  void *answer, uint32_t answer_size)
{
	uint32_t flags = VU_FLAG_VERSION;

	if (fe->need_reply & ACK(request))
		flags |= VU_FLAG_NEED_REPLY;
	front_end_send(fe, request, flags, payload, size, NULL, 0);
	CHECK(front_end_reply(fe, request, answer, answer_size));
}

static uint64_t query_u64(struct front_end *fe, uint32_t request)
{
	uint64_t answer;

	query(fe, request, NULL, 0, &answer, sizeof(answer));
	return answer;
}

static void send_u64(struct front_end *fe, uint32_t request, uint64_t value)
{
	send_checked(fe, request, &value, sizeof(value), NULL, 0);
}

static void send_state(struct front_end *fe, uint32_t request, unsigned ring, uint32_t num)
{
	const struct vfi_vu_vring_state state = { ring, num };

	send_checked(fe, request, &state, sizeof(state), NULL, 0);
}

static void send_fd(struct front_end *fe, uint32_t request, unsigned ring, int fd)
{
	uint64_t value = fe->polled ? ring | VU_VRING_NO_FD : ring;

	send_checked(fe, request, &value, sizeof(value), &fd, fe->polled ? 0 : 1);
}

static void send_mem_table(struct front_end *fe)
{
	struct vfi_vu_mem_table table;
	int fds[VU_FDS_MAX];

	front_end_table(fe, &table, fds);
	send_checked(fe, VU_SET_MEM_TABLE, &table,
		     (uint32_t)(VU_MEM_TABLE_HEAD + table.count * sizeof(table.regions[0])), fds,
		     table.count);
}

static void send_mem_regs(struct front_end *fe, uint32_t request)
{
	struct vfi_vu_mem_table table;
	int fds[VU_FDS_MAX];

	front_end_table(fe, &table, fds);
	for (unsigned i = 0; i < table.count; i++) {
		const struct vfi_vu_mem_reg reg = { 0, table.regions[i] };

		send_checked(fe, request, &reg, sizeof(reg), &fds[i],
			     request == VU_ADD_MEM_REG ? 1 : 0);
	}
}

static void get_base(struct front_end *fe, unsigned ring)
{
	struct vfi_vu_vring_state state = { ring, 0 };

	query(fe, VU_GET_VRING_BASE, &state, sizeof(state), &state, sizeof(state));
	CHECK(state.index == ring);
	CHECK(state.num <= UINT16_MAX);
	fe->rings[ring].base = (uint16_t)state.num;
}

static void do_ring(struct front_end *fe, uint32_t request, unsigned ring, uint64_t value)
{
	struct front_end_ring *r = &fe->rings[ring];
	struct vfi_vu_vring_addr addr;

	switch (request) {
	case VU_SET_VRING_NUM:
		send_state(fe, request, ring, r->ring.options.num);
		break;
	case VU_SET_VRING_BASE:
	case VU_SET_VRING_ENABLE:
		send_state(fe, request, ring, (uint32_t)value);
		break;
	case VU_GET_VRING_BASE:
		get_base(fe, ring);
		break;
	case VU_SET_VRING_ADDR:
		addr = front_end_addr(fe, ring);
		send_checked(fe, request, &addr, sizeof(addr), NULL, 0);
		break;
	case VU_SET_VRING_KICK:
		send_fd(fe, request, ring, r->kick);
		break;
	case VU_SET_VRING_CALL:
		send_fd(fe, request, ring, r->call);
		break;
	case VU_SET_VRING_ERR:
		send_fd(fe, request, ring, r->err);
		break;
	default:
		CHECK(0); /* no such message */
	}
}

void front_end_do(struct front_end *fe, uint32_t request, unsigned ring, uint64_t value)
{
	switch (request) {
	case VU_GET_FEATURES:
		fe->offered = query_u64(fe, request);
		break;
	case VU_SET_FEATURES:
		send_u64(fe, request, fe->offered & fe->features);
		break;
	case VU_GET_PROTOCOL_FEATURES:
		fe->offered_protocol = query_u64(fe, request);
		break;
	case VU_SET_PROTOCOL_FEATURES:
		send_u64(fe, request, fe->offered_protocol & fe->protocol_features);
		break;
	case VU_GET_QUEUE_NUM:
		CHECK(query_u64(fe, request) >= fe->ring_count);
		break;
	case VU_GET_MAX_MEM_SLOTS:
		CHECK(query_u64(fe, request) >= 32);
		break;
	case VU_SET_OWNER:
	case VU_RESET_OWNER:
	case VU_RESET_DEVICE:
		send_checked(fe, request, NULL, 0, NULL, 0);
		break;
	case VU_SET_MEM_TABLE:
		send_mem_table(fe);
		break;
	case VU_ADD_MEM_REG:
	case VU_REM_MEM_REG:
		send_mem_regs(fe, request);
		break;
	case VU_SET_BACKEND_REQ_FD:
		send_checked(fe, request, NULL, 0, &fe->channel[1], 1);
		break;
	default:
		do_ring(fe, request, ring, value);
	}
}

void front_end_start(struct front_end *fe)
{
	front_end_do(fe, VU_GET_FEATURES, 0, 0);
	front_end_do(fe, VU_SET_FEATURES, 0, 0);
	front_end_do(fe, VU_SET_MEM_TABLE, 0, 0);
	for (unsigned i = 0; i < fe->ring_count; i++) {
		front_end_do(fe, VU_SET_VRING_NUM, i, 0);
		front_end_do(fe, VU_SET_VRING_BASE, i, fe->rings[i].ring.avail_idx);
		front_end_do(fe, VU_SET_VRING_ADDR, i, 0);
		front_end_do(fe, VU_SET_VRING_CALL, i, 0);
		front_end_do(fe, VU_SET_VRING_ERR, i, 0);
		front_end_do(fe, VU_SET_VRING_KICK, i, 0);
		front_end_do(fe, VU_SET_VRING_ENABLE, i, 1);
	}
}

/* ---- What may leak ---- */

int count_fds(void)
{
	return count_entries("/proc/self/fd");
}

int count_mappings(void)
{
	static const char *const names[] = { "guest-ram", "/dev/zero", "secretmem" };
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int n = 0;

	CHECK(maps);
	while (fgets(line, sizeof(line), maps)) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			n += strstr(line, names[i]) != NULL;
	}
	fclose(maps);
	return n;
}
