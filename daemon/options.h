/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line. One table makes the parser, --help and the text of errors, and
 * the library has one of the filesystem's options; a test holds the man page against both.
 */
#ifndef VIRTIOFSD_OPTIONS_H
#define VIRTIOFSD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <virtiofs/passthrough.h>

enum action { ACTION_SERVE, ACTION_HELP, ACTION_VERSION, ACTION_CAPABILITIES };

/* Room for any error text: the longest lists every option. */
#define OPTIONS_ERROR_SIZE 2048

enum sandbox { SANDBOX_DEFAULT, SANDBOX_NONE, SANDBOX_CHROOT };

/* Strings are those of argv. */
struct options {
	int action;		 /* enum action */
	const char *socket_path; /* NULL: fd is given */
	int fd;			 /* -1: socket_path is given */
	const char *shared_dir;
	const char *tag;	/* NULL: none */
	int log_level;		/* VIRTIOFS_LOG_, or LOG_OFF */
	int sandbox;		/* enum sandbox */
	int num_request_queues; /* 1 to 64 */
	int max_write;		/* bytes, a multiple of 4096 */
	bool exit_on_disconnect;
	struct virtiofs_passthrough_options fs;
};

/*
 * Read the command line. Where it says --help, --version or the like, what
 * follows is not looked at.
 * Returns 0; or -EINVAL with one line of text, without a newline, in @error.
 */
int options_parse(struct options *options, int argc, char *const argv[],
		  char error[OPTIONS_ERROR_SIZE]);

/* Print the help, made from the table. */
void options_help(FILE *file);

/* The name of option @index without its dashes; NULL behind the last. */
const char *options_name(size_t index);

#endif /* VIRTIOFSD_OPTIONS_H */
