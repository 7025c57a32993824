/* SPDX-License-Identifier: BSD-2-Clause */
/* embed DIRECTORY FILE: a device in an epoll loop, and a guest of a few lines that reads FILE. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <virtiofs/virtiofs.h>

/* What a guest's driver lays out in its memory: a request, and room for the answer. */
static struct guest {
	char request[512];
	char answer[65536];
	size_t request_len;
	uint64_t nodeid, fh;
	const char *file;
	int step;
} guest;

/* Lay the guest's next request out; false when it has nothing more to ask. */
static bool next_request(void)
{
	struct virtiofs_fuse_in_header header = { .unique = (uint64_t)guest.step + 1,
						  .nodeid = VIRTIOFS_FUSE_ROOT_ID };
	struct virtiofs_fuse_init_in init = { .major = 7, .minor = 45 };
	struct virtiofs_fuse_open_in open_in = { .flags = O_RDONLY };
	struct virtiofs_fuse_read_in read_in = { .fh = guest.fh, .size = 32768 };
	const struct {
		uint32_t opcode;
		const void *args;
		size_t len;
	} steps[] = {
		{ VIRTIOFS_FUSE_INIT, &init, sizeof(init) },
		{ VIRTIOFS_FUSE_LOOKUP, guest.file, strlen(guest.file) + 1 },
		{ VIRTIOFS_FUSE_OPEN, &open_in, sizeof(open_in) },
		{ VIRTIOFS_FUSE_READ, &read_in, sizeof(read_in) },
	};

	if (guest.step == 4 || steps[guest.step].len > sizeof(guest.request) - sizeof(header))
		return false;
	header.opcode = steps[guest.step].opcode;
	header.len = (uint32_t)(sizeof(header) + steps[guest.step].len);
	if (guest.step > 1)
		header.nodeid = guest.nodeid;
	memcpy(guest.request, &header, sizeof(header));
	memcpy(guest.request + sizeof(header), steps[guest.step].args, steps[guest.step].len);
	guest.request_len = header.len;
	return true;
}

static bool take_answer(uint32_t written)
{
	const char *body = guest.answer + sizeof(struct virtiofs_fuse_out_header);
	struct virtiofs_fuse_out_header header;

	memcpy(&header, guest.answer, sizeof(header));
	if (header.error)
		fprintf(stderr, "request %d: %s\n", guest.step + 1, strerror(-header.error));
	else if (guest.step == 1)
		memcpy(&guest.nodeid, body, sizeof(guest.nodeid));
	else if (guest.step == 2)
		memcpy(&guest.fh, body, sizeof(guest.fh));
	else if (guest.step == 3)
		fwrite(body, 1, written - sizeof(header), stdout);
	guest.step++;
	return header.error == 0;
}

static void complete(void *host, struct virtiofs_queue *queue, void *cookie, uint32_t written,
		     uint32_t touched)
{
	(void)queue, (void)cookie, (void)touched;
	*(bool *)host = take_answer(written);
}

int main(int argc, char **argv)
{
	const struct virtiofs_host_ops ops = { .size = sizeof(ops), .complete = complete };
	struct virtiofs_queue *queue;
	struct virtiofs_device *dev = NULL;
	struct virtiofs_fs *fs = NULL;
	struct epoll_event event = { .events = EPOLLIN };
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int root = argc == 3 ? open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	bool go_on = true;

	if (root < 0 || virtiofs_passthrough_create(&fs, NULL, root, NULL) < 0 ||
	    virtiofs_device_create(&dev, NULL, NULL, fs, &ops, &go_on) < 0) {
		fprintf(stderr, "usage: embed DIRECTORY FILE\n");
		return 2;
	}
	guest.file = argv[2];
	queue = virtiofs_device_queue(dev, 1);
	if (virtiofs_queue_attach(queue, 0) < 0 ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, virtiofs_queue_fd(queue), &event) < 0)
		return 1;
	/* complete() may run inside submit, or inside run after the eventfd said so. */
	while (go_on && next_request()) {
		struct iovec in = { guest.request, guest.request_len };
		struct iovec out = { guest.answer, sizeof(guest.answer) };
		struct virtiofs_chain chain = { sizeof(chain), &in, &out, 1, 1, NULL, 0 };

		if (virtiofs_queue_submit(queue, &chain) < 0)
			go_on = false;
		while (virtiofs_queue_inflight(queue)) {
			epoll_wait(epoll_fd, &event, 1, -1);
			virtiofs_queue_run(queue, 0);
		}
	}
	virtiofs_queue_detach(queue);
	virtiofs_device_destroy(dev);
	virtiofs_fs_destroy(fs);
	close(root);
	close(epoll_fd);
	return guest.step == 4 && go_on ? 0 : 1;
}
