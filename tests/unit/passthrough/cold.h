/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of inodes without a descriptor: guests with few, and making one cold. */
#ifndef TESTS_UNIT_PASSTHROUGH_COLD_H
#define TESTS_UNIT_PASSTHROUGH_COLD_H

#include "guest.h"

static inline struct vfi_guest *guest_of(struct guest *g)
{
	return g->session;
}

static inline int setup_hot(void **state, uint32_t file_handles, uint32_t hot)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;

	options.inode_file_handles = file_handles;
	options.max_hot_inodes = hot;
	return guest_setup_with(state, &options);
}

/* Where this process may not use handles, it is by name too. */
static inline int setup_by_handle(void **state)
{
	return setup_hot(state, VIRTIOFS_INODE_FILE_HANDLES_PREFER, 8);
}

static inline int setup_by_name(void **state)
{
	return setup_hot(state, VIRTIOFS_INODE_FILE_HANDLES_NEVER, 8);
}

static inline bool is_cold(struct guest *g, uint64_t nodeid)
{
	struct vfi_guest *guest = guest_of(g);
	struct vfi_inode *inode = vfi_table_get(&guest->inodes, nodeid);
	bool cold;

	assert_non_null(inode);
	cold = vfi_inode_local(guest, inode)->fd < 0;
	vfi_table_put(&guest->inodes, inode);
	return cold;
}

/* Take its descriptor; false: it has to keep it. */
static inline bool try_cold(struct guest *g, uint64_t nodeid)
{
	struct vfi_guest *guest = guest_of(g);
	struct vfi_inode *inode = vfi_table_get(&guest->inodes, nodeid);

	assert_non_null(inode);
	vfi_hot_demote(guest, inode, false);
	vfi_table_put(&guest->inodes, inode);
	return is_cold(g, nodeid);
}

static inline void make_cold(struct guest *g, uint64_t nodeid)
{
	assert_true(try_cold(g, nodeid));
}

#endif /* TESTS_UNIT_PASSTHROUGH_COLD_H */
