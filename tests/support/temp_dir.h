/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A directory for one test, below TMPDIR or /tmp. It goes with temp_dir_remove(),
 * or with the process, however that ends.
 */
#ifndef TESTS_SUPPORT_TEMP_DIR_H
#define TESTS_SUPPORT_TEMP_DIR_H

struct temp_dir {
	char path[256];
	int fd;	      /* O_RDONLY */
	int lifeline; /* held open as long as the directory is wanted */
	int reaper;   /* pid of who removes it */
};

void temp_dir_create(struct temp_dir *dir);
void temp_dir_remove(struct temp_dir *dir);

#endif /* TESTS_SUPPORT_TEMP_DIR_H */
