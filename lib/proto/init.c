/* SPDX-License-Identifier: BSD-2-Clause */
/* Negotiation: FUSE_INIT's flags are 64 bits in two halves, the upper under INIT_EXT. */
#include "proto/proto.h"

#include <errno.h>

enum {
	OLDEST_MINOR = 27, /* Linux 4.20; virtio-fs came with 5.4 and 7.31 */
	PAGE = 4096,	   /* what max_pages counts, whatever the guest's pages are */
	MAX_BACKGROUND = 65535,
};

/* What is the codec's own to grant, or holds for any filesystem. */
static const uint64_t own_flags = VIRTIOFS_FUSE_ASYNC_READ | VIRTIOFS_FUSE_BIG_WRITES |
				  VIRTIOFS_FUSE_MAX_PAGES | VIRTIOFS_FUSE_INIT_EXT |
				  VIRTIOFS_FUSE_PARALLEL_DIROPS;

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
	init->offered = in->flags;
	if (in->flags & VIRTIOFS_FUSE_INIT_EXT)
		init->offered |= (uint64_t)in->flags2 << 32;
	init->granted = own_flags & init->offered;
	init->max_readahead = in->max_readahead;
	init->max_write = max_write;
	init->max_background = MAX_BACKGROUND;
	init->congestion_threshold = MAX_BACKGROUND / 4 * 3;
	init->time_gran = 1;
	return 0;
}

void vfi_init_write(struct virtiofs_init *init, struct virtiofs_fuse_init_out *out)
{
	uint32_t minor = init->minor < VIRTIOFS_FUSE_KERNEL_MINOR_VERSION
				 ? init->minor
				 : VIRTIOFS_FUSE_KERNEL_MINOR_VERSION;

	init->granted &= init->offered;
	*out = (struct virtiofs_fuse_init_out){
		.major = VIRTIOFS_FUSE_KERNEL_VERSION,
		.minor = minor,
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
