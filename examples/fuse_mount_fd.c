/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuse_mount_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int mount_as_root(const char *source, const char *mount_point, const char *options)
{
	char data[512];
	struct stat st;
	int fd, err;

	if (stat(mount_point, &st) < 0)
		return -errno;
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(data, sizeof(data), "fd=%d,rootmode=%o,user_id=%u,group_id=%u,%s", fd,
		 st.st_mode & S_IFMT, getuid(), getgid(), options);
	if (mount(source, mount_point, "fuse.virtiofs", 0, data) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* Run fusermount3; it mounts with its privilege and sends the descriptor over @socket. */
static pid_t run_fusermount(int socket, const char *const *argv)
{
	char number[16];
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (socket >= 0) {
		fcntl(socket, F_SETFD, 0);
		snprintf(number, sizeof(number), "%d", socket);
		setenv("_FUSE_COMMFD", number, 1);
	}
	execvp(argv[0], (char *const *)(unsigned long)argv);
	fprintf(stderr, "fuse_mount: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int receive_fd(int socket)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int fd;

	if (recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -EPERM; /* fusermount3 has said why */
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -EPERM;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

static int mount_as_user(const char *mount_point, const char *options)
{
	const char *argv[] = { "fusermount3", "-o", options, "--", mount_point, NULL };
	int sockets[2], status, fd;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	pid = run_fusermount(sockets[0], argv);
	close(sockets[0]);
	fd = pid < 0 ? -errno : receive_fd(sockets[1]);
	close(sockets[1]);
	if (pid > 0)
		waitpid(pid, &status, 0);
	return fd;
}

int fuse_mount(const char *source, const char *mount_point, const char *options)
{
	if (geteuid() == 0)
		return mount_as_root(source, mount_point, options);
	return mount_as_user(mount_point, options);
}

void fuse_unmount(const char *mount_point)
{
	const char *argv[] = { "fusermount3", "-u", "-z", "--", mount_point, NULL };
	int status;
	pid_t pid;

	if (geteuid() == 0) {
		umount2(mount_point, MNT_DETACH);
		return;
	}
	pid = run_fusermount(-1, argv);
	if (pid > 0)
		waitpid(pid, &status, 0);
}
