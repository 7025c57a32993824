/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extended attributes of what only an O_PATH descriptor holds, for which the system calls
 * of old have no way: whichever of several works here.
 */
#include "passthrough/share.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

static ssize_t by_file(int file, const struct vfi_xattr *x)
{
	ssize_t n = -1;

	switch (x->op) {
	case VFI_XATTR_SET:
		n = fsetxattr(file, x->name, x->value, x->size, (int)x->flags);
		break;
	case VFI_XATTR_GET:
		n = fgetxattr(file, x->name, x->buf, x->size);
		break;
	case VFI_XATTR_LIST:
		n = flistxattr(file, x->buf, x->size);
		break;
	case VFI_XATTR_REMOVE:
		n = fremovexattr(file, x->name);
		break;
	}
	return n < 0 ? -errno : n;
}

static ssize_t by_path(const char *path, const struct vfi_xattr *x)
{
	ssize_t n = -1;

	switch (x->op) {
	case VFI_XATTR_SET:
		n = setxattr(path, x->name, x->value, x->size, (int)x->flags);
		break;
	case VFI_XATTR_GET:
		n = getxattr(path, x->name, x->buf, x->size);
		break;
	case VFI_XATTR_LIST:
		n = listxattr(path, x->buf, x->size);
		break;
	case VFI_XATTR_REMOVE:
		n = removexattr(path, x->name);
		break;
	}
	return n < 0 ? -errno : n;
}

/* Linux 6.13; a C library may be older. The numbers are those of every architecture but Alpha. */
#if !defined(SYS_setxattrat) && !defined(__alpha__)
#define SYS_setxattrat 463
#define SYS_getxattrat 464
#define SYS_listxattrat 465
#define SYS_removexattrat 466
#endif

/* struct xattr_args of linux/xattr.h, from the same version on. */
struct xattr_value {
	uint64_t value __attribute__((aligned(8)));
	uint32_t size;
	uint32_t flags;
};

/* Below the directory of descriptors, which may be all there is of /proc: chroot(2). */
static ssize_t by_number(const struct vfi_share *share, int fd, const struct vfi_xattr *x)
{
#ifdef SYS_setxattrat
	const struct vfi_fd_name path = vfi_fd_name(fd);
	const struct xattr_value set = { (uintptr_t)x->value, (uint32_t)x->size, x->flags };
	const struct xattr_value get = { (uintptr_t)x->buf, (uint32_t)x->size, 0 };
	int dir = share->proc_fd;
	long n = -1;

	switch (x->op) {
	case VFI_XATTR_SET:
		n = syscall(SYS_setxattrat, dir, path.text, 0, x->name, &set, sizeof(set));
		break;
	case VFI_XATTR_GET:
		n = syscall(SYS_getxattrat, dir, path.text, 0, x->name, &get, sizeof(get));
		break;
	case VFI_XATTR_LIST:
		n = syscall(SYS_listxattrat, dir, path.text, 0, x->buf, x->size);
		break;
	case VFI_XATTR_REMOVE:
		n = syscall(SYS_removexattrat, dir, path.text, 0, x->name);
		break;
	}
	if (n >= 0)
		return n;
	/* What older kernels and filters of system calls say; EPERM the next way says again. */
	return errno == ENOSYS || errno == EPERM ? -ENOSYS : -errno;
#else
	(void)share;
	(void)fd;
	(void)x;
	return -ENOSYS;
#endif
}

/* Regular files and directories: through a descriptor that can be read from. */
static ssize_t by_reopening(const struct vfi_share *share, int fd, uint32_t type,
			    const struct vfi_xattr *x)
{
	int file = vfi_path_reopen(share, fd, type, O_RDONLY);
	ssize_t n;

	if (file < 0)
		return file;
	n = by_file(file, x);
	close(file);
	return n;
}

/* On a thread whose working directory is its own. */
static ssize_t by_directory(const struct vfi_share *share, int fd, const struct vfi_xattr *x)
{
	int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ssize_t n;

	if (before < 0)
		return errno == EMFILE ? -ENFILE : -errno;
	n = fchdir(share->proc_fd) ? -errno : by_path(vfi_fd_name(fd).text, x);
	if (fchdir(before) && n >= 0)
		n = -errno;
	close(before);
	return n;
}

ssize_t vfi_xattr_call(const struct vfi_share *share, const struct virtiofs_req *req, int fd,
		       uint32_t type, const struct vfi_xattr *x)
{
	char path[32];
	ssize_t n = by_number(share, fd, x);

	if (n != -ENOSYS)
		return n;
	if (S_ISREG(type) || S_ISDIR(type)) {
		n = by_reopening(share, fd, type, x);
		/* Of a file that may not be read the other ways still tell. */
		if (n != -EACCES)
			return n;
	}
	if (virtiofs_req_dedicated(req))
		return by_directory(share, fd, x);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return by_path(path, x);
}
