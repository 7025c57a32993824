/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

static void line_has_the_time_the_level_and_the_name(void **state)
{
	static const struct {
		unsigned level;
		const char *line;
	} lines[] = {
		{ VIRTIOFS_LOG_ERR, "[2026-11-21T07:03:52Z ERROR virtiofsd] text\n" },
		{ VIRTIOFS_LOG_WARNING, "[2026-11-21T07:03:52Z WARN  virtiofsd] text\n" },
		{ VIRTIOFS_LOG_INFO, "[2026-11-21T07:03:52Z INFO  virtiofsd] text\n" },
		{ VIRTIOFS_LOG_DEBUG, "[2026-11-21T07:03:52Z DEBUG virtiofsd] text\n" },
	};
	char line[LOG_LINE_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		size_t len = log_format(line, 1795244632, lines[i].level, "text");

		assert_int_equal(len, strlen(lines[i].line));
		assert_memory_equal(line, lines[i].line, len);
	}
}

static void control_characters_do_not_make_a_second_line(void **state)
{
	static const char expected[] = "[1970-01-01T00:00:00Z INFO  virtiofsd] a?b?[1m?\xc3\xa4\n";
	char line[LOG_LINE_SIZE];
	size_t len = log_format(line, 0, VIRTIOFS_LOG_INFO, "a\nb\x1b[1m\x7f\xc3\xa4");

	(void)state;
	assert_int_equal(len, strlen(expected));
	assert_memory_equal(line, expected, len);
}

static void long_message_is_cut_and_still_a_line(void **state)
{
	char message[3 * LOG_LINE_SIZE];
	char line[LOG_LINE_SIZE];

	(void)state;
	memset(message, 'x', sizeof(message) - 1);
	message[sizeof(message) - 1] = '\0';
	assert_int_equal(log_format(line, 0, VIRTIOFS_LOG_INFO, message), LOG_LINE_SIZE);
	assert_int_equal(line[LOG_LINE_SIZE - 1], '\n');
	assert_int_equal(line[LOG_LINE_SIZE - 2], 'x');
}

/* stderr, while a test catches it. */
static int caught_from;
static int kept;

static void catch_stderr(void)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	kept = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	caught_from = fds[0];
}

/* Give stderr back; returns the bytes caught. */
static size_t caught(char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	dup2(kept, STDERR_FILENO);
	close(kept);
	while (len < size - 1 && (n = read(caught_from, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(caught_from);
	return len;
}

static void level_says_what_is_logged(void **state)
{
	static const unsigned levels[] = { VIRTIOFS_LOG_ERR, VIRTIOFS_LOG_WARNING,
					   VIRTIOFS_LOG_INFO, VIRTIOFS_LOG_DEBUG };
	char text[4096];

	(void)state;
	for (size_t max = 0; max <= 4; max++) {
		size_t lines = 0;

		catch_stderr();
		log_open(max ? levels[max - 1] : LOG_OFF);
		for (size_t i = 0; i < 4; i++)
			log_write(levels[i], "line %zu", i);
		caught(text, sizeof(text));
		for (const char *p = text; (p = strchr(p, '\n')); p++)
			lines++;
		assert_int_equal(lines, max);
	}
	log_open(VIRTIOFS_LOG_INFO);
}

static void logging_keeps_errno(void **state)
{
	char text[4096];

	(void)state;
	catch_stderr();
	errno = ENOENT;
	log_info("%s", "hello");
	assert_int_equal(errno, ENOENT);
	log_library(NULL, VIRTIOFS_LOG_WARNING, "100%s");
	log_errno(VIRTIOFS_LOG_ERR, -EBADF, "cannot %s", "do");
	log_errno(VIRTIOFS_LOG_ERR, EBADF, "cannot %s", "be");
	assert_int_equal(errno, ENOENT);
	caught(text, sizeof(text));
	assert_non_null(strstr(text, " INFO  virtiofsd] hello\n"));
	assert_non_null(strstr(text, " WARN  virtiofsd] 100%s\n"));
	assert_non_null(strstr(text, " ERROR virtiofsd] cannot do: Bad file descriptor\n"));
	assert_non_null(strstr(text, " ERROR virtiofsd] cannot be: Bad file descriptor\n"));
}

enum { THREADS = 4, LINES = 50 };

static void *write_lines(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_info("begin %s end", (const char *)arg);
	return NULL;
}

static void lines_of_several_threads_do_not_mix(void **state)
{
	static char text[THREADS * LINES * 128];
	static char words[THREADS][2] = { "a", "b", "c", "d" };
	char *rest = text;
	pthread_t threads[THREADS];
	int lines = 0;

	(void)state;
	catch_stderr();
	/* All of it fits the pipe: nobody reads meanwhile. */
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, words[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	caught(text, sizeof(text));
	for (char *line; (line = strsep(&rest, "\n")) && *line; lines++) {
		assert_int_equal(strlen(line),
				 strlen("[1970-01-01T00:00:00Z INFO  virtiofsd] begin a end"));
		assert_non_null(strstr(line, "Z INFO  virtiofsd] begin "));
		assert_string_equal(line + strlen(line) - 4, " end");
	}
	assert_int_equal(lines, THREADS * LINES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_has_the_time_the_level_and_the_name),
		cmocka_unit_test(control_characters_do_not_make_a_second_line),
		cmocka_unit_test(long_message_is_cut_and_still_a_line),
		cmocka_unit_test(level_says_what_is_logged),
		cmocka_unit_test(logging_keeps_errno),
		cmocka_unit_test(lines_of_several_threads_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
