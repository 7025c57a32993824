/* SPDX-License-Identifier: BSD-2-Clause */
/* How many entries a directory has, "." and ".." among them; of /proc/self/fd, this one too. */
#ifndef TESTS_SUPPORT_ENTRIES_H
#define TESTS_SUPPORT_ENTRIES_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static inline int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	if (!dir) {
		perror(path);
		abort();
	}
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

#endif /* TESTS_SUPPORT_ENTRIES_H */
