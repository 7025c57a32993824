/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A filesystem of one's own for a guest: memfs over vhost-user, all on one thread.
 *
 *	memfs_vhost SOCKET
 *
 * Serves one front-end after the other, until it is killed. The transport is the
 * daemon's: what is different is the filesystem.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "memfs.h"

enum { RINGS = 2 }; /* hiprio and one request queue */

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(addr.sun_path))
		return -1;
	strcpy(addr.sun_path, path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 1) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Serve the connected front-end until it goes. */
static void serve(struct virtiofs_vhost_user *vu)
{
	struct pollfd fds[RINGS + 1] = { { .fd = virtiofs_vhost_user_fd(vu), .events = POLLIN } };

	for (unsigned i = 0; i < RINGS; i++) {
		fds[i + 1].fd = virtiofs_vhost_user_queue_fd(vu, i);
		fds[i + 1].events = POLLIN;
	}
	for (;;) {
		poll(fds, RINGS + 1, -1);
		for (unsigned i = 0; i < RINGS; i++)
			virtiofs_vhost_user_queue_run(vu, i, 0);
		if (virtiofs_vhost_user_process(vu) < 0)
			return;
	}
}

static void log_line(void *ctx, unsigned level, const char *message)
{
	(void)ctx;
	if (level < VIRTIOFS_LOG_DEBUG)
		fprintf(stderr, "memfs_vhost: %s\n", message);
}

int main(int argc, char **argv)
{
	const struct virtiofs_env env = { .size = sizeof(env), .log = log_line };
	struct virtiofs_vhost_user *vu = NULL;
	struct virtiofs_fs *fs = NULL;
	int listener = argc == 2 ? listen_at(argv[1]) : -1;

	if (listener < 0) {
		fprintf(stderr, "usage: memfs_vhost SOCKET (which is made)\n");
		return 2;
	}
	if (memfs_create(&fs) < 0 || virtiofs_vhost_user_create(&vu, &env, fs, NULL) < 0)
		return 1;
	for (unsigned i = 0; i < RINGS; i++)
		if (virtiofs_vhost_user_queue_attach(vu, i, 0) < 0)
			return 1;
	for (;;) {
		int socket = accept(listener, NULL, NULL);

		if (socket >= 0 && virtiofs_vhost_user_connect(vu, socket) == 0)
			serve(vu);
	}
}
