/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of the names of inodes when the guest has names removed or moved. */
#include "passthrough/share.h"

void vfi_renaming_begin(struct vfi_renaming *names)
{
	struct vfi_guest *guest = names->guest;

	for (int i = 0; i < 2; i++) {
		names->inode[i] = NULL;
		if (names->text[i])
			names->inode[i] = vfi_name_find(guest, names->parent[i], names->text[i]);
		/* Held, it stays hot until its next name is known. If it is not to be found
		 * it has lost its name already. */
		if (names->inode[i])
			(void)vfi_hot_open(guest, names->inode[i]);
	}
}

static void give(struct vfi_renaming *names, int from, int to)
{
	if (names->inode[from])
		vfi_name_set(names->guest, names->inode[from], names->parent[to], names->text[to]);
}

void vfi_renaming_end(struct vfi_renaming *names, bool done, bool exchanged)
{
	struct vfi_inode *lost = names->inode[names->text[1] ? 1 : 0];

	if (done && !exchanged && lost)
		vfi_name_drop(names->guest, lost);
	if (done && names->text[1]) {
		give(names, 0, 1);
		if (exchanged)
			give(names, 1, 0);
	}
	for (int i = 0; i < 2; i++) {
		if (names->inode[i])
			vfi_table_put(&names->guest->inodes, names->inode[i]);
	}
}
