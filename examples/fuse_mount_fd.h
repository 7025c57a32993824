/* SPDX-License-Identifier: BSD-2-Clause */
/* Getting a mounted /dev/fuse descriptor: as root by mount(2), else by fusermount3. */
#ifndef EXAMPLES_FUSE_MOUNT_FD_H
#define EXAMPLES_FUSE_MOUNT_FD_H

/*
 * Mount on @mount_point. @options: comma-separated, of fuse's own (allow_other,
 * default_permissions, max_read=N). Returns the descriptor, or a negative errno.
 */
int fuse_mount(const char *source, const char *mount_point, const char *options);
/* Take the mount away; it ends when its last user is gone. */
void fuse_unmount(const char *mount_point);

#endif /* EXAMPLES_FUSE_MOUNT_FD_H */
