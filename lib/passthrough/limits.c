/* SPDX-License-Identifier: BSD-2-Clause */
/* How much a guest may know and have open, where the options leave it to us. */
#include "passthrough/share.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

enum {
	/* The kernel's memory for so many open files is about a gigabyte. */
	MOST_HANDLES = 1048576,
	/* A hot inode keeps the host's from being reclaimed: a kilobyte of the kernel's. */
	MOST_HOT = 262144,
	/* An inode costs us 128 bytes: at most a 32nd of the memory there is, and 512 MiB. */
	INODE_SIZE = 128,
	INODE_PART = 32,
	FEWEST_INODES = 65536,
	MOST_INODES = 4194304,
	/* Threads at work, with two each. */
	FEWEST_MORE = 16,
	/* With fewer descriptors than this there is nothing to divide. */
	FEWEST_FILES = 32,
};

_Static_assert(sizeof(struct vfi_inode) + sizeof(struct vfi_inode_local) + sizeof(uint32_t) <=
		       INODE_SIZE,
	       "what an inode costs: its record, what is beside it, its share of the index");

static uint32_t default_inodes(void)
{
	struct sysinfo info;
	uint64_t n;

	if (sysinfo(&info))
		return FEWEST_INODES;
	n = (uint64_t)info.totalram * info.mem_unit / INODE_PART / INODE_SIZE;
	if (n < FEWEST_INODES)
		return FEWEST_INODES;
	return (uint32_t)vfi_min_u64(n, MOST_INODES);
}

int vfi_limits_set(struct vfi_share *share, const struct virtiofs_passthrough_options *options)
{
	struct vfi_hot *hot = share->hot;
	struct rlimit limit;
	uint64_t files;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	files = limit.rlim_cur;
	if (files < FEWEST_FILES)
		return -EMFILE;
	share->handles.max = options->max_handles;
	if (share->handles.max == 0)
		share->handles.max = (uint32_t)vfi_min_u64(files / 4, MOST_HANDLES);
	share->inodes.max = options->max_inodes;
	if (share->inodes.max == 0)
		share->inodes.max = default_inodes();
	hot->max = options->max_hot_inodes;
	if (hot->max == 0)
		hot->max = (uint32_t)vfi_min_u64(files / 2, MOST_HOT);
	if (hot->max >= files)
		return -EINVAL;
	/* A quarter more, for those in use at the same time and those that cannot be cold. */
	hot->limit = hot->max + (hot->max / 4 > FEWEST_MORE ? hot->max / 4 : FEWEST_MORE);
	/* The tables' own: one more than fits in an index. */
	if (share->handles.max == UINT32_MAX || share->inodes.max == UINT32_MAX)
		return -EINVAL;
	return 0;
}
