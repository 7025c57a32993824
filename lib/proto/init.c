/* SPDX-License-Identifier: BSD-2-Clause */
/* Negotiation: FUSE_INIT's flags are 64 bits in two halves, the upper under INIT_EXT. */
#include "proto/proto.h"

#include <errno.h>

enum {
	OLDEST_MINOR = 27, /* Linux 4.20; virtio-fs came with 5.4 and 7.31 */
	PAGE = 4096,	   /* what max_pages counts, whatever the guest's pages are */
	MAX_BACKGROUND = 65535,
	MIN_MAX_WRITE = 4096, /* Linux takes a smaller one for this (process_init_reply) */
};

/* What is the codec's own to grant, or holds for any filesystem. */
static const uint64_t own_flags = VIRTIOFS_FUSE_ASYNC_READ | VIRTIOFS_FUSE_BIG_WRITES |
				  VIRTIOFS_FUSE_MAX_PAGES | VIRTIOFS_FUSE_INIT_EXT |
				  VIRTIOFS_FUSE_PARALLEL_DIROPS;

/* What needs more than a filesystem has: its grant would be a promise that is not kept. */
static const uint64_t unserved_flags =
	VIRTIOFS_FUSE_INIT_RESERVED |
	/* a window of shared memory */
	VIRTIOFS_FUSE_MAP_ALIGNMENT | VIRTIOFS_FUSE_HAS_INODE_DAX |
	/* another transport */
	VIRTIOFS_FUSE_PASSTHROUGH | VIRTIOFS_FUSE_OVER_IO_URING |
	/* a member of fuse_init_out that struct virtiofs_init does not have */
	VIRTIOFS_FUSE_REQUEST_TIMEOUT;

static uint64_t offered(const struct virtiofs_fuse_init_in *in)
{
	if (!(in->flags & VIRTIOFS_FUSE_INIT_EXT))
		return in->flags;
	return in->flags | (uint64_t)in->flags2 << 32;
}

int vfi_init_read(const struct vfi_msg *msg, uint32_t max_write, struct virtiofs_init *init,
		  bool *reply_major)
{
	const struct virtiofs_fuse_init_in *in = &msg->args.init;

	if (in->major > VIRTIOFS_FUSE_KERNEL_VERSION) {
		*reply_major = true;
		return -EPROTO;
	}
	if (in->major < VIRTIOFS_FUSE_KERNEL_VERSION || in->minor < OLDEST_MINOR)
		return -EPROTO;
	init->major = in->major;
	init->minor = in->minor;
	init->offered = offered(in);
	init->granted = own_flags & init->offered;
	init->max_readahead = in->max_readahead;
	init->max_write = max_write;
	init->max_background = MAX_BACKGROUND;
	init->congestion_threshold = MAX_BACKGROUND * 3 / 4;
	init->time_gran = 1;
	return 0;
}

static uint32_t clamp(uint32_t n, uint32_t min, uint32_t max)
{
	return n < min ? min : n > max ? max : n;
}

void vfi_init_write(const struct vfi_msg *msg, uint32_t max_write, struct virtiofs_init *init,
		    struct virtiofs_fuse_init_out *out)
{
	const struct virtiofs_fuse_init_in *in = &msg->args.init;

	init->granted &= offered(in) & ~unserved_flags;
	/* The upper half is there only under the flag. */
	if (!(init->granted & VIRTIOFS_FUSE_INIT_EXT))
		init->granted &= UINT32_MAX;
	init->max_write = clamp(init->max_write, MIN_MAX_WRITE, max_write);
	init->max_readahead = clamp(init->max_readahead, 0, in->max_readahead);
	*out = (struct virtiofs_fuse_init_out){
		.major = VIRTIOFS_FUSE_KERNEL_VERSION,
		.minor = clamp(in->minor, 0, VIRTIOFS_FUSE_KERNEL_MINOR_VERSION),
		.max_readahead = init->max_readahead,
		.flags = (uint32_t)init->granted,
		.flags2 = (uint32_t)(init->granted >> 32),
		.max_background = init->max_background,
		.congestion_threshold = init->congestion_threshold,
		.max_write = init->max_write,
		.time_gran = init->time_gran,
	};
	if (init->granted & VIRTIOFS_FUSE_MAX_PAGES)
		out->max_pages = (uint16_t)((init->max_write + PAGE - 1) / PAGE);
}
