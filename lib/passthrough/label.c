/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Security labels that the guest's kernel sends with what it makes (SECURITY_CTX): its
 * security module's, stored in an extended attribute, of which this host's modules are
 * not asked. Between the making and the labelling nobody in the guest finds the file:
 * its kernel has the directory locked until it is answered.
 */
#include "passthrough/share.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Those of a security module alone: no user's, no file system's, no ACL. */
static bool is_label(const char *name)
{
	return strncmp(name, "security.", 9) == 0 && name[9] != '\0';
}

/* ---- An attribute of what only an O_PATH descriptor holds ---- */

/* Regular files and directories: through a descriptor that can be read from. */
static int set_by_reopening(const struct vfi_share *share, int fd, uint32_t type, const char *name,
			    const void *label, size_t len)
{
	int file = vfi_path_reopen(share, fd, type, O_RDONLY);
	int err;

	if (file < 0)
		return file;
	err = fsetxattr(file, name, label, len, 0) ? -errno : 0;
	close(file);
	return err;
}

/* Linux 6.13; a C library may be older. The number is that of every architecture but Alpha. */
#if !defined(SYS_setxattrat) && !defined(__alpha__)
#define SYS_setxattrat 463
#endif

/* struct xattr_args of linux/xattr.h, from the same version on. */
struct xattr_value {
	uint64_t value __attribute__((aligned(8)));
	uint32_t size;
	uint32_t flags;
};

/* Below the directory of descriptors, which may be all there is of /proc: chroot(2). */
static int set_by_number(const struct vfi_share *share, int fd, const char *name, const void *label,
			 size_t len)
{
#ifdef SYS_setxattrat
	const struct xattr_value value = { (uintptr_t)label, (uint32_t)len, 0 };

	if (syscall(SYS_setxattrat, share->proc_fd, vfi_fd_name(fd).text, 0, name, &value,
		    sizeof(value)) == 0)
		return 0;
	/* What older kernels and filters of system calls say; EPERM the next way says again. */
	return errno == ENOSYS || errno == EPERM ? -ENOSYS : -errno;
#else
	return -ENOSYS;
#endif
}

/* On a thread whose working directory is its own. */
static int set_by_directory(const struct vfi_share *share, int fd, const char *name,
			    const void *label, size_t len)
{
	int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (before < 0)
		return errno == EMFILE ? -ENFILE : -errno;
	err = fchdir(share->proc_fd) ? -errno : 0;
	if (!err && setxattr(vfi_fd_name(fd).text, name, label, len, 0))
		err = -errno;
	if (fchdir(before) && !err)
		err = -errno;
	close(before);
	return err;
}

static int set_by_path(int fd, const char *name, const void *label, size_t len)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return setxattr(path, name, label, len, 0) ? -errno : 0;
}

static int set(const struct vfi_share *share, const struct virtiofs_req *req, int fd, uint32_t type,
	       const char *name, const void *label, size_t len)
{
	int err;

	if (S_ISREG(type) || S_ISDIR(type))
		return set_by_reopening(share, fd, type, name, label, len);
	err = set_by_number(share, fd, name, label, len);
	if (err != -ENOSYS)
		return err;
	if (virtiofs_req_dedicated(req))
		return set_by_directory(share, fd, name, label, len);
	return set_by_path(fd, name, label, len);
}

int vfi_label_new(const struct vfi_share *share, const struct virtiofs_req *req, int fd,
		  uint32_t type)
{
	const void *label;
	const char *name;
	size_t len;

	if (!virtiofs_req_security_context(req, &name, &label, &len))
		return 0;
	if (!is_label(name))
		return -EINVAL;
	return set(share, req, fd, type, name, label, len);
}
