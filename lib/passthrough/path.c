/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a name or a descriptor to a descriptor. Nothing else in this filesystem
 * opens anything of the shared directory.
 */
#include "passthrough/share.h"

#include <errno.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What tells files apart, and all that the protocol's attributes hold. */
enum { STAT_MASK = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID };

static int opened(int fd)
{
	if (fd >= 0)
		return fd;
	return errno == EMFILE ? -ENFILE : -errno;
}

static int open_confined(int dir, const char *name, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)flags,
		.mode = mode,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

bool vfi_path_has_openat2(int dir)
{
	int fd = open_confined(dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	/* A system call filter says EPERM, an older kernel ENOSYS. */
	return fd >= 0 || (errno != ENOSYS && errno != EPERM);
}

int vfi_path_open(const struct vfi_share *share, int dir, const char *name, int flags, mode_t mode)
{
	flags |= O_NOFOLLOW | O_CLOEXEC;
	if (share->has_openat2)
		return opened(open_confined(dir, name, flags, mode));
	return opened(openat(dir, name, flags, mode));
}

struct vfi_fd_name vfi_fd_name(int fd)
{
	struct vfi_fd_name name;

	snprintf(name.text, sizeof(name.text), "%d", fd);
	return name;
}

int vfi_path_reopen(const struct vfi_share *share, int fd, uint32_t type, int flags)
{
	if (S_ISDIR(type))
		return opened(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	/* To open a device or a FIFO is to act on this host, and may never return. */
	if (!S_ISREG(type))
		return S_ISLNK(type) ? -ELOOP : -ENXIO;
	return opened(openat(share->proc_fd, vfi_fd_name(fd).text, flags | O_CLOEXEC));
}

int vfi_path_hold(const struct vfi_share *share, int fd)
{
	return opened(openat(share->proc_fd, vfi_fd_name(fd).text, O_PATH | O_CLOEXEC));
}

bool vfi_path_is_dot(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

int vfi_path_parent(int fd)
{
	return opened(openat(fd, "..", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

int vfi_path_stat(int dir, const char *name, struct statx *st)
{
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;

	if (name[0] == '\0')
		flags |= AT_EMPTY_PATH;
	return statx(dir, name, flags, STAT_MASK, st) ? -errno : 0;
}
