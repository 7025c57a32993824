/* SPDX-License-Identifier: BSD-2-Clause */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

/* Clients that wait while one is served: a VMM that reconnects, and some to spare. */
#define BACKLOG 16

#define PID_SUFFIX ".pid"

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/*
 * Split @path into an open directory and a name in it: after a chroot(2) the path
 * leads nowhere, but the files are still to be unlinked.
 */
static int open_dir(struct listener *listener, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	struct sockaddr_un address;
	char dir[sizeof(address.sun_path)] = ".";

	/* sun_path need not end in a NUL for Linux, but for those who print it. */
	if (strlen(path) >= sizeof(address.sun_path)) {
		log_error("Socket path '%s' is too long: a UNIX socket's has at most %zu bytes",
			  path, sizeof(address.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	if (*name == '\0') {
		log_error("Socket path '%s' does not end in a file name", path);
		return -EINVAL;
	}
	if (slash)
		snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	snprintf(listener->name, sizeof(listener->name), "%s", name);
	snprintf(listener->pid_name, sizeof(listener->pid_name), "%s" PID_SUFFIX, name);
	listener->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (listener->dir < 0) {
		int err = errno;

		log_errno(VIRTIOFS_LOG_ERR, err, "Cannot open directory '%s' of the socket", dir);
		return -err;
	}
	return 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The pid file is locked by somebody else: say by whom, if he wrote it down yet. */
static int refuse_second(const char *path, int pid_fd)
{
	char pid[16];
	ssize_t n = pread(pid_fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? n : 0] = '\0';
	pid[strspn(pid, "0123456789")] = '\0';
	log_error("Socket '%s' is in use by process %s, which holds the lock on '%s" PID_SUFFIX "'",
		  path, pid[0] ? pid : "?", path);
	return -EADDRINUSE;
}

/*
 * Open and lock the pid file once.
 * Returns 0; -EAGAIN it was unlinked meanwhile, by an owner that ended.
 */
static int try_lock(struct listener *listener, const char *path)
{
	struct stat opened, named;
	int fd, err;

	/* O_NOFOLLOW, O_NONBLOCK: in a directory others may write to, it can be anything. */
	fd = openat(listener->dir, listener->pid_name,
		    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		goto fail;
	if (fstat(fd, &opened) < 0)
		goto fail;
	if (!S_ISREG(opened.st_mode)) {
		errno = EEXIST;
		goto fail;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			goto fail;
		err = refuse_second(path, fd);
		close(fd);
		return err;
	}
	if (fstatat(listener->dir, listener->pid_name, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !same_file(&opened, &named)) {
		close(fd);
		return -EAGAIN;
	}
	listener->pid_fd = fd;
	return 0;
fail:
	err = errno;
	log_errno(VIRTIOFS_LOG_ERR, err, "Cannot lock pid file '%s" PID_SUFFIX "'", path);
	close_fd(&fd);
	return -err;
}

static int write_pid(struct listener *listener, const char *path)
{
	char pid[16];
	int len = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	int err;

	if (fchmod(listener->pid_fd, 0600) == 0 && ftruncate(listener->pid_fd, 0) == 0) {
		ssize_t n = pwrite(listener->pid_fd, pid, (size_t)len, 0);

		if (n == len)
			return 0;
		if (n >= 0)
			errno = ENOSPC;
	}
	err = errno;
	log_errno(VIRTIOFS_LOG_ERR, err, "Cannot write pid file '%s" PID_SUFFIX "'", path);
	return -err;
}

static int lock_pid_file(struct listener *listener, const char *path)
{
	int err;

	do {
		err = try_lock(listener, path);
	} while (err == -EAGAIN);
	return err ? err : write_pid(listener, path);
}

/* Whether somebody listens at @address who keeps no pid file. */
static bool is_served(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool stale;

	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
		(errno == ECONNREFUSED || errno == ENOENT);
	close(fd);
	return !stale;
}

/* Make way for the socket. What is there and is no stale socket stays there. */
static int remove_stale(const struct listener *listener, const struct sockaddr_un *address)
{
	struct stat st;
	int err;

	if (fstatat(listener->dir, listener->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0; /* nothing there: bind(2) says what else may be wrong */
	if (!S_ISSOCK(st.st_mode)) {
		log_error("'%s' exists and is not a socket", address->sun_path);
		return -EADDRINUSE;
	}
	if (is_served(address)) {
		log_error("Socket '%s' is in use by another program", address->sun_path);
		return -EADDRINUSE;
	}
	if (unlinkat(listener->dir, listener->name, 0) == 0 || errno == ENOENT)
		return 0;
	err = errno;
	log_errno(VIRTIOFS_LOG_ERR, err, "Cannot remove stale socket '%s'", address->sun_path);
	return -err;
}

static int bind_and_listen(struct listener *listener, const struct sockaddr_un *address)
{
	struct stat st;
	mode_t mask;
	int err;

	listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener->fd < 0)
		goto fail;
	/* bind(2) makes the file with mode 0777 less the umask. */
	mask = umask(077);
	err = bind(listener->fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno
											 : 0;
	umask(mask);
	errno = err;
	if (err)
		goto fail;
	if (fstatat(listener->dir, listener->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		goto fail;
	listener->dev = st.st_dev;
	listener->inode = st.st_ino;
	if (listen(listener->fd, BACKLOG) == 0)
		return 0;
fail:
	err = errno;
	log_errno(VIRTIOFS_LOG_ERR, err, "Cannot listen at '%s'", address->sun_path);
	return -err;
}

int listener_open(struct listener *listener, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int err;

	*listener = (struct listener){ .fd = -1, .dir = -1, .pid_fd = -1 };
	err = open_dir(listener, path);
	if (err)
		return err;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	err = lock_pid_file(listener, path);
	if (!err)
		err = remove_stale(listener, &address);
	if (!err)
		err = bind_and_listen(listener, &address);
	if (err)
		listener_close(listener);
	return err;
}

static int socket_option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -errno : value;
}

int listener_adopt(struct listener *listener, int fd)
{
	int listens = socket_option(fd, SO_ACCEPTCONN);
	int flags;

	*listener = (struct listener){ .fd = -1, .dir = -1, .pid_fd = -1 };
	if (listens < 0) {
		log_errno(VIRTIOFS_LOG_ERR, listens, "Cannot use --fd=%d", fd);
		return listens;
	}
	if (socket_option(fd, SO_DOMAIN) != AF_UNIX || socket_option(fd, SO_TYPE) != SOCK_STREAM ||
	    !listens) {
		log_error("Cannot use --fd=%d: it is not a UNIX stream socket that listens", fd);
		return -EINVAL;
	}
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		int err = errno;

		log_errno(VIRTIOFS_LOG_ERR, err, "Cannot use --fd=%d", fd);
		return -err;
	}
	listener->fd = fd;
	return 0;
}

int listener_accept(const struct listener *listener)
{
	int fd;

	do {
		fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

/* Unlink @name if it is what stands behind @dev and @inode. */
static void unlink_own(int dir, const char *name, dev_t dev, ino_t inode)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == dev &&
	    st.st_ino == inode)
		unlinkat(dir, name, 0);
}

void listener_close(struct listener *listener)
{
	struct stat st;

	if (listener->inode)
		unlink_own(listener->dir, listener->name, listener->dev, listener->inode);
	close_fd(&listener->fd);
	/* The lock goes last: who gets it finds neither socket nor pid file of ours. */
	if (listener->pid_fd >= 0 && fstat(listener->pid_fd, &st) == 0)
		unlink_own(listener->dir, listener->pid_name, st.st_dev, st.st_ino);
	close_fd(&listener->pid_fd);
	close_fd(&listener->dir);
	listener->inode = 0;
}
