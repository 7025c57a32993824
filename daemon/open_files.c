/* SPDX-License-Identifier: BSD-2-Clause */
#include "open_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "log.h"

/* As many as virtiofsd has always asked for. */
#define WANTED_FILES 1000000

/* fs.nr_open of a kernel that nobody configured (NR_OPEN_DEFAULT is 1024 * 1024). */
#define DEFAULT_NR_OPEN 1048576

/* A number in a file of /proc/sys; @fallback where it cannot be read. */
static uint64_t read_sysctl(const char *path, uint64_t fallback)
{
	char text[32];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return fallback;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return fallback;
	text[n] = '\0';
	return strtoull(text, NULL, 10);
}

uint64_t open_files_wanted(uint64_t nr_open, uint64_t file_max)
{
	/* A quarter stays for the rest of the host: root is not held to file-max itself. */
	uint64_t share = file_max - file_max / 4;
	uint64_t wanted = WANTED_FILES;

	if (wanted > nr_open)
		wanted = nr_open;
	return wanted < share ? wanted : share;
}

void open_files_raise_limit(void)
{
	struct rlimit now, limit;
	rlim_t wanted = open_files_wanted(read_sysctl("/proc/sys/fs/nr_open", DEFAULT_NR_OPEN),
					  read_sysctl("/proc/sys/fs/file-max", UINT64_MAX));

	if (getrlimit(RLIMIT_NOFILE, &now) < 0 || now.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted;
	limit.rlim_max = now.rlim_max > wanted ? now.rlim_max : wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return;
	/* Only root may raise the hard limit. */
	limit.rlim_cur = limit.rlim_max = now.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		limit.rlim_cur = now.rlim_cur;
	log_warning(
		"The limit of open files (RLIMIT_NOFILE) stays at %llu instead of %llu: the guest "
		"may run out of them",
		(unsigned long long)limit.rlim_cur, (unsigned long long)wanted);
}
