/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/test.h"
#include "support/entries.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vhost_user/messages.h"
#include "vhost_user/socket.h"

struct fixture {
	struct vfi_vu_socket s;
	int peer;
	int fds_before;
};

static int count_fds(void)
{
	return count_entries("/proc/self/fd");
}

static int set_up(void **state)
{
	static struct fixture f;
	int pair[2];

	f.fds_before = count_fds();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(vfi_vu_socket_open(&f.s, pair[0]), 0);
	f.peer = pair[1];
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	vfi_vu_socket_close(&f->s);
	if (f->peer >= 0)
		close(f->peer);
	assert_int_equal(count_fds(), f->fds_before);
	return 0;
}

static int receive(struct fixture *f)
{
	return vfi_vu_socket_receive(&f->s, vfi_vu_size_ok);
}

struct wire {
	struct vfi_vu_header header;
	unsigned char payload[64];
};

static const struct wire set_features = {
	{ VU_SET_FEATURES, VU_FLAG_VERSION | VU_FLAG_NEED_REPLY, 8 },
	{ 1, 2, 3, 4, 5, 6, 7, 8 },
};
enum { SET_FEATURES_LEN = sizeof(struct vfi_vu_header) + 8 };

static void send_bytes(struct fixture *f, const void *bytes, size_t len)
{
	assert_int_equal(send(f->peer, bytes, len, MSG_NOSIGNAL), len);
}

/* Send bytes with @count descriptors, all of them of one eventfd. */
static void send_with_fds(struct fixture *f, const void *bytes, size_t len, unsigned count)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(253 * sizeof(int))];
	} control;
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr hdr = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)),
	};
	struct cmsghdr *cmsg;
	int fd = eventfd(0, EFD_CLOEXEC);

	assert_true(fd >= 0);
	memset(&control, 0, sizeof(control));
	cmsg = CMSG_FIRSTHDR(&hdr);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(count * sizeof(int));
	for (unsigned i = 0; i < count; i++)
		memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &fd, sizeof(fd));
	assert_int_equal(sendmsg(f->peer, &hdr, MSG_NOSIGNAL), len);
	close(fd);
}

static void message_may_come_byte_by_byte(void **state)
{
	struct fixture *f = *state;
	const char *bytes = (const char *)&set_features;

	for (size_t i = 0; i < SET_FEATURES_LEN; i++) {
		assert_int_equal(receive(f), 0);
		send_bytes(f, bytes + i, 1);
	}
	assert_int_equal(receive(f), 1);
	assert_int_equal(f->s.message.header.request, VU_SET_FEATURES);
	assert_memory_equal(&f->s.message.payload, set_features.payload, 8);
}

static void two_messages_in_one_segment_are_two(void **state)
{
	struct fixture *f = *state;
	char both[2 * SET_FEATURES_LEN];

	memcpy(both, &set_features, SET_FEATURES_LEN);
	memcpy(both + SET_FEATURES_LEN, &set_features, SET_FEATURES_LEN);
	both[SET_FEATURES_LEN] = VU_SET_PROTOCOL_FEATURES;
	send_bytes(f, both, sizeof(both));
	assert_int_equal(receive(f), 1);
	assert_int_equal(f->s.message.header.request, VU_SET_FEATURES);
	vfi_vu_socket_next(&f->s);
	assert_int_equal(receive(f), 1);
	assert_int_equal(f->s.message.header.request, VU_SET_PROTOCOL_FEATURES);
	vfi_vu_socket_next(&f->s);
	assert_int_equal(receive(f), 0);
}

static void descriptors_come_with_the_first_byte(void **state)
{
	struct fixture *f = *state;
	const struct wire kick = { { VU_SET_VRING_KICK, VU_FLAG_VERSION, 8 }, { 0 } };

	send_with_fds(f, &kick, 1, 1);
	send_bytes(f, (const char *)&kick + 1, SET_FEATURES_LEN - 1);
	assert_int_equal(receive(f), 1);
	assert_int_equal(f->s.message.fd_count, 1);
	assert_int_equal(fcntl(f->s.message.fds[0], F_GETFD), FD_CLOEXEC);
}

static void descriptors_nobody_took_are_closed(void **state)
{
	struct fixture *f = *state;
	int before = count_fds();

	send_with_fds(f, &set_features, SET_FEATURES_LEN, VU_FDS_MAX);
	assert_int_equal(receive(f), 1);
	assert_int_equal(f->s.message.fd_count, VU_FDS_MAX);
	assert_int_equal(count_fds(), before + VU_FDS_MAX);
	vfi_vu_socket_next(&f->s);
	assert_int_equal(count_fds(), before);
}

static void descriptor_that_was_taken_stays_open(void **state)
{
	struct fixture *f = *state;
	int fd;

	send_with_fds(f, &set_features, SET_FEATURES_LEN, 2);
	assert_int_equal(receive(f), 1);
	fd = f->s.message.fds[0];
	f->s.message.fds[0] = -1;
	vfi_vu_socket_next(&f->s);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	close(fd);
}

static void more_descriptors_than_any_message_has_are_an_error(void **state)
{
	struct fixture *f = *state;

	/* 253 is SCM_MAX_FD, the kernel's own limit. */
	send_with_fds(f, &set_features, SET_FEATURES_LEN, 253);
	assert_int_equal(receive(f), -EMFILE);
}

static void descriptors_spread_over_a_header_are_limited_too(void **state)
{
	struct fixture *f = *state;

	send_with_fds(f, &set_features, 4, VU_FDS_MAX);
	send_with_fds(f, (const char *)&set_features + 4, 4, 1);
	assert_int_equal(receive(f), -EMFILE);
}

static void descriptors_lost_to_the_process_limit_are_an_error(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, low;

	send_with_fds(f, &set_features, SET_FEATURES_LEN, 8);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	/* Room for fewer than eight above the lowest free number. */
	low.rlim_cur = (rlim_t)f->peer + 4;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(receive(f), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void wrong_version_is_no_header(void **state)
{
	struct fixture *f = *state;
	struct wire wire = set_features;

	wire.header.flags = 2;
	send_bytes(f, &wire, SET_FEATURES_LEN);
	assert_int_equal(receive(f), -EPROTO);
}

static void reply_is_no_request(void **state)
{
	struct fixture *f = *state;
	struct wire wire = set_features;

	wire.header.flags = VU_FLAG_VERSION | VU_FLAG_REPLY;
	send_bytes(f, &wire, SET_FEATURES_LEN);
	assert_int_equal(receive(f), -EPROTO);
}

static void size_is_refused_before_the_payload_is_read(void **state)
{
	struct fixture *f = *state;
	struct wire wire = set_features;

	wire.header.size = UINT32_MAX;
	send_bytes(f, &wire, sizeof(wire.header));
	assert_int_equal(receive(f), -EMSGSIZE);
}

static void end_of_stream_between_messages_is_a_close(void **state)
{
	struct fixture *f = *state;

	send_bytes(f, &set_features, SET_FEATURES_LEN);
	close(f->peer);
	f->peer = -1;
	assert_int_equal(receive(f), 1);
	vfi_vu_socket_next(&f->s);
	assert_int_equal(receive(f), -ENOTCONN);
}

static void end_of_stream_within_a_message_is_told_apart(void **state)
{
	struct fixture *f = *state;

	send_with_fds(f, &set_features, SET_FEATURES_LEN - 1, 3);
	close(f->peer);
	f->peer = -1;
	assert_int_equal(receive(f), -EPIPE);
}

static void reply_has_exactly_the_flags_of_a_reply(void **state)
{
	struct fixture *f = *state;
	struct {
		struct vfi_vu_header header;
		unsigned char payload[8];
	} reply;
	uint64_t value = 0x1122334455667788;

	send_bytes(f, &set_features, SET_FEATURES_LEN);
	assert_int_equal(receive(f), 1);
	vfi_vu_socket_reply(&f->s, &value, sizeof(value));
	assert_int_equal(vfi_vu_socket_flush(&f->s), 0);
	assert_int_equal(recv(f->peer, &reply, sizeof(reply), 0), sizeof(reply));
	assert_int_equal(reply.header.request, VU_SET_FEATURES);
	assert_int_equal(reply.header.flags, 5);
	assert_int_equal(reply.header.size, 8);
	assert_memory_equal(reply.payload, &value, 8);
}

static void reply_the_peer_does_not_read_is_owed_and_goes_out_in_pieces(void **state)
{
	struct fixture *f = *state;
	static unsigned char payload[VU_CONFIG_MAX], got[64 * 1024];
	size_t total = 0, expected = 0;
	int small = 4096;
	ssize_t n;

	assert_int_equal(setsockopt(f->s.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	memset(payload, 0x5a, sizeof(payload));
	send_bytes(f, &set_features, SET_FEATURES_LEN);
	assert_int_equal(receive(f), 1);
	do {
		vfi_vu_socket_reply(&f->s, payload, sizeof(payload));
		expected += sizeof(struct vfi_vu_header) + sizeof(payload);
	} while (vfi_vu_socket_flush(&f->s) == 0);
	assert_int_equal(vfi_vu_socket_flush(&f->s), -EAGAIN);
	while (total < expected) {
		n = recv(f->peer, got, 100, 0);
		assert_true(n > 0);
		total += (size_t)n;
		(void)vfi_vu_socket_flush(&f->s);
	}
	assert_int_equal(vfi_vu_socket_flush(&f->s), 0);
	assert_int_equal(total, expected);
}

static void reply_to_a_peer_that_is_gone_raises_no_signal(void **state)
{
	struct fixture *f = *state;

	send_bytes(f, &set_features, SET_FEATURES_LEN);
	assert_int_equal(receive(f), 1);
	close(f->peer);
	f->peer = -1;
	vfi_vu_socket_reply(&f->s, NULL, 0);
	assert_int_equal(vfi_vu_socket_flush(&f->s), -EPIPE);
}

#define WITH_SOCKET(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SOCKET(message_may_come_byte_by_byte),
		WITH_SOCKET(two_messages_in_one_segment_are_two),
		WITH_SOCKET(descriptors_come_with_the_first_byte),
		WITH_SOCKET(descriptors_nobody_took_are_closed),
		WITH_SOCKET(descriptor_that_was_taken_stays_open),
		WITH_SOCKET(more_descriptors_than_any_message_has_are_an_error),
		WITH_SOCKET(descriptors_spread_over_a_header_are_limited_too),
		WITH_SOCKET(descriptors_lost_to_the_process_limit_are_an_error),
		WITH_SOCKET(wrong_version_is_no_header),
		WITH_SOCKET(reply_is_no_request),
		WITH_SOCKET(size_is_refused_before_the_payload_is_read),
		WITH_SOCKET(end_of_stream_between_messages_is_a_close),
		WITH_SOCKET(end_of_stream_within_a_message_is_told_apart),
		WITH_SOCKET(reply_has_exactly_the_flags_of_a_reply),
		WITH_SOCKET(reply_the_peer_does_not_read_is_owed_and_goes_out_in_pieces),
		WITH_SOCKET(reply_to_a_peer_that_is_gone_raises_no_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
