/* SPDX-License-Identifier: BSD-2-Clause */
/* How many files the daemon may have open: what a guest can know of at once. */
#ifndef VIRTIOFSD_OPEN_FILES_H
#define VIRTIOFSD_OPEN_FILES_H

#include <stdint.h>

/*
 * Raise RLIMIT_NOFILE as far as open_files_wanted() says and the system lets us. Too
 * few is a warning: the guest is told ENFILE when they are used up.
 */
void open_files_raise_limit(void);

/*
 * How many to ask for, where a process may have @nr_open at most, and the system
 * @file_max in all.
 */
uint64_t open_files_wanted(uint64_t nr_open, uint64_t file_max);

#endif /* VIRTIOFSD_OPEN_FILES_H */
