/* SPDX-License-Identifier: BSD-2-Clause */
/* The log: lines on stderr, in the format virtiofsd has always had. */
#ifndef VIRTIOFSD_LOG_H
#define VIRTIOFSD_LOG_H

#include <stddef.h>
#include <time.h>

#include <virtiofs/env.h>

/* In place of a level: nothing is logged. */
#define LOG_OFF 0

/* Longest line with its newline; what is longer is cut. */
#define LOG_LINE_SIZE 1024

/* Log @level (VIRTIOFS_LOG_, or LOG_OFF) and what is more urgent. Before any thread is made. */
void log_open(unsigned level);

/* One line: message without a newline. From any thread; keeps errno. */
void log_write(unsigned level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with what errno number @err (of either sign) means behind it: "message: text". */
void log_errno(unsigned level, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(...) log_write(VIRTIOFS_LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_write(VIRTIOFS_LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_write(VIRTIOFS_LOG_INFO, __VA_ARGS__)

/* struct virtiofs_env.log of the library's objects. */
void log_library(void *ctx, unsigned level, const char *message);

/*
 * Make the line: time, level and @message, a newline behind it; control characters
 * in @message become '?', so that one message is one line.
 * Returns its length.
 */
size_t log_format(char line[LOG_LINE_SIZE], time_t now, unsigned level, const char *message);

#endif /* VIRTIOFSD_LOG_H */
