/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon as a process: started, watched through its log, ended. */
#ifndef TESTS_DAEMON_PROCESS_H
#define TESTS_DAEMON_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
	pid_t pid;
	int log;	  /* its stderr, a pipe; -1: it has none */
	char text[65536]; /* what came out of it so far */
	size_t len;
	size_t seen; /* bytes that process_wait_log() is past */
};

/* A temporary directory, a directory to share in it, and a socket to be made. */
struct place {
	char dir[64];
	char share[80];
	char socket[80];
	char pid_file[96];
};

void place_make(struct place *place);
/* Fails where anything is left beside the shared directory. */
void place_remove(struct place *place);

/* How to start it, beside the options. */
enum {
	PROCESS_NO_STDIO = 1,	/* descriptors 0 to 2 are closed */
	PROCESS_IGNORE_HUP = 2, /* as nohup(1) has it */
	PROCESS_GROUPS = 4,	/* with a supplementary group; needs root */
	PROCESS_NO_CHROOT = 8,	/* without CAP_SYS_CHROOT; needs root, to have had it */
};

/* Start it with @args up to a NULL, behind "--sandbox=none" unless these say otherwise. */
void process_start(struct process *process, unsigned flags, const char *const args[]);
/* The same with the socket and the shared directory of @place before @args (or NULL). */
void process_start_at(struct process *process, const struct place *place, const char *const args[]);

/* Wait until a line with @text comes, behind the one waited for last. */
void process_wait_log(struct process *process, const char *text);
/* Wait for its end. Returns the exit status, or minus the signal; the log is complete. */
int process_wait_end(struct process *process);
/* The same after @signal. */
int process_end(struct process *process, int signal);

/* How many descriptors it has. */
unsigned process_fd_count(const struct process *process);
/* The CPU time it has used, in clock ticks. */
unsigned long process_ticks(const struct process *process);

/* Connect to @path, or fail the test. */
int front_end_connect(const char *path);
/* Whether the back-end answers VHOST_USER_GET_FEATURES within @timeout_ms. */
int front_end_is_served(int fd, int timeout_ms);

#endif /* TESTS_DAEMON_PROCESS_H */
