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

bool vfi_path_again(const struct vfi_share *share, int fd, unsigned *tries)
{
	enum { MOST = 4 }; /* others may take what was freed here */
	int saved = errno;
	bool again;

	if (fd >= 0 || (saved != EMFILE && saved != ENFILE))
		return false;
	again = (*tries)++ < MOST && vfi_hot_relieve(share->hot);
	errno = saved;
	return again;
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
	unsigned tries = 0;
	int fd;

	flags |= O_NOFOLLOW | O_CLOEXEC;
	do {
		fd = share->has_openat2 ? open_confined(dir, name, flags, mode)
					: openat(dir, name, flags, mode);
	} while (vfi_path_again(share, fd, &tries));
	return opened(fd);
}

struct vfi_fd_name vfi_fd_name(int fd)
{
	struct vfi_fd_name name;

	snprintf(name.text, sizeof(name.text), "%d", fd);
	return name;
}

static int open_as(const struct vfi_share *share, int dir, const char *name, int flags)
{
	unsigned tries = 0;
	int fd;

	do {
		fd = openat(dir, name, flags | O_CLOEXEC);
	} while (vfi_path_again(share, fd, &tries));
	return opened(fd);
}

int vfi_path_reopen(const struct vfi_share *share, int fd, uint32_t type, int flags)
{
	if (S_ISDIR(type))
		return open_as(share, fd, ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	/* To open a device or a FIFO is to act on this host, and may never return. */
	if (!S_ISREG(type))
		return S_ISLNK(type) ? -ELOOP : -ENXIO;
	return open_as(share, share->proc_fd, vfi_fd_name(fd).text, flags);
}

int vfi_path_hold(const struct vfi_share *share, int fd)
{
	return open_as(share, share->proc_fd, vfi_fd_name(fd).text, O_PATH);
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
