/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The listening socket, and the pid file that says whose it is.
 *
 * A daemon that was killed leaves its socket file behind. The lock on <socket>.pid
 * tells it from one that is alive: the kernel drops a lock with its process.
 */
#ifndef VIRTIOFSD_LISTEN_H
#define VIRTIOFSD_LISTEN_H

#include <limits.h>
#include <sys/types.h>

struct listener {
	int fd;	    /* listening, non-blocking */
	int dir;    /* where socket and pid file are, O_PATH; -1: the socket was adopted */
	int pid_fd; /* the pid file, locked; -1: none */
	dev_t dev;  /* the socket file's identity: what replaced it is not ours to unlink */
	ino_t inode;
	char name[NAME_MAX + 1];     /* of the socket file, in dir */
	char pid_name[NAME_MAX + 1]; /* of the pid file, in dir */
};

/*
 * Lock <@path>.pid (mode 0600), replace a stale socket file and listen at @path
 * (mode 0700). Errors are logged, and returned as a negative errno: -EADDRINUSE
 * somebody alive has it; -ENAMETOOLONG; what bind(2) and open(2) return.
 * Sets the umask for a moment: before any thread is made.
 */
int listener_open(struct listener *listener, const char *path);

/* Listen on @fd, a UNIX stream socket that listens already. Owned from success on. */
int listener_adopt(struct listener *listener, int fd);

/*
 * Accept a connection, blocking (the library changes that).
 * Returns it, or a negative errno; -EAGAIN there is none.
 */
int listener_accept(const struct listener *listener);

/* Stop listening; unlink what listener_open() made, if it still is what it made. */
void listener_close(struct listener *listener);

#endif /* VIRTIOFSD_LISTEN_H */
