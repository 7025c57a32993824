/* SPDX-License-Identifier: BSD-2-Clause */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static unsigned threshold = VIRTIOFS_LOG_INFO;

void log_open(unsigned level)
{
	threshold = level;
	/*
	 * glibc reads the time zone's file at its first use, even for UTC. That use
	 * must not come after chroot(2): the file would be the guest's then.
	 */
	tzset();
}

static const char *level_name(unsigned level)
{
	if (level <= VIRTIOFS_LOG_ERR)
		return "ERROR";
	if (level <= VIRTIOFS_LOG_WARNING)
		return "WARN ";
	if (level <= VIRTIOFS_LOG_INFO)
		return "INFO ";
	return "DEBUG";
}

size_t log_format(char line[LOG_LINE_SIZE], time_t now, unsigned level, const char *message)
{
	char stamp[sizeof("9999-12-31T23:59:59Z")] = "";
	struct tm tm;
	int n;
	size_t len;

	if (gmtime_r(&now, &tm))
		strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	n = snprintf(line, LOG_LINE_SIZE, "[%s %s virtiofsd] %s", stamp, level_name(level),
		     message);
	len = n < 0 ? 0 : (size_t)n;
	if (len > LOG_LINE_SIZE - 1)
		len = LOG_LINE_SIZE - 1;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	}
	line[len] = '\n'; /* in place of the NUL */
	return len + 1;
}

/* One write(2) a line, so that lines of several threads never mix. */
static void put(unsigned level, const char *message)
{
	char line[LOG_LINE_SIZE];
	size_t len = log_format(line, time(NULL), level, message);
	ssize_t n;

	do {
		n = write(STDERR_FILENO, line, len);
	} while (n < 0 && errno == EINTR);
}

void log_write(unsigned level, const char *format, ...)
{
	char message[LOG_LINE_SIZE];
	int saved = errno;
	va_list args;

	if (level > threshold)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args); /* with the caller's errno, for %m */
	va_end(args);
	put(level, message);
	errno = saved;
}

void log_errno(unsigned level, int err, const char *format, ...)
{
	char message[LOG_LINE_SIZE];
	int saved = errno;
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	/* %m takes errno, and is safe in any thread, as strerror(3) is not. */
	errno = err < 0 ? -err : err;
	log_write(level, "%s: %m", message);
	errno = saved;
}

void log_library(void *ctx, unsigned level, const char *message)
{
	(void)ctx;
	log_write(level, "%s", message);
}
