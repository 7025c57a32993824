/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IOCTL: the flags of a file that lsattr(1) shows and chattr(1) changes, and nothing
 * else of what a file or directory of this host answers to.
 *
 * A change is made from the host's own flags, in which only bits that are safe may
 * differ. Not safe is what other files pay for (project ids), what changes how the
 * host reads the file (DAX, encryption, verity, journalled data), and hints of
 * allocation.
 */
#include "passthrough/share.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

/* The same command has one number in 32-bit programs and one in 64-bit ones. */
#define GETFLAGS_32 _IOR('f', 1, int)
#define SETFLAGS_32 _IOW('f', 2, int)

static const uint32_t known_ioctl_flags = VIRTIOFS_FUSE_IOCTL_COMPAT | VIRTIOFS_FUSE_IOCTL_32BIT |
					  VIRTIOFS_FUSE_IOCTL_DIR | VIRTIOFS_FUSE_IOCTL_COMPAT_X32;

/* The host wants CAP_LINUX_IMMUTABLE for two of these, as the guest's kernel does of its user. */
static const uint32_t settable_flags = FS_SYNC_FL | FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL |
				       FS_NOATIME_FL | FS_DIRSYNC_FL | FS_COMPR_FL | FS_NOCOW_FL;
static const uint32_t settable_xflags =
	FS_XFLAG_SYNC | FS_XFLAG_IMMUTABLE | FS_XFLAG_APPEND | FS_XFLAG_NODUMP | FS_XFLAG_NOATIME;
/* What a file has, and nobody sets: newer kernels leave them out of what they send. */
static const uint32_t found_xflags = FS_XFLAG_PREALLOC | FS_XFLAG_HASATTR;

/* Flags are an int, whatever the command's number says; Linux before 5.9 goes by the number. */
static bool is_flags_size(uint32_t size)
{
	return size == sizeof(int) || size == sizeof(uint64_t);
}

static int host_ioctl(int fd, unsigned long command, void *arg)
{
	return ioctl(fd, command, arg) < 0 ? -errno : 0;
}

static int get_flags(int fd, const struct virtiofs_fuse_ioctl_in *in,
		     const struct virtiofs_iov *dst, size_t *len)
{
	uint32_t flags = 0;
	int err;

	if (in->in_size != 0 || !is_flags_size(in->out_size))
		return -EINVAL;
	err = host_ioctl(fd, FS_IOC_GETFLAGS, &flags);
	if (err)
		return err;
	*len = sizeof(flags);
	return vfi_iov_put(dst, &flags, sizeof(flags)) ? 0 : -EINVAL;
}

static int set_flags(int fd, const struct virtiofs_fuse_ioctl_in *in,
		     const struct virtiofs_iov *src)
{
	uint32_t flags, now = 0;
	int err;

	if (in->out_size != 0 || !is_flags_size(in->in_size) ||
	    !vfi_iov_take(src, &flags, sizeof(flags)))
		return -EINVAL;
	err = host_ioctl(fd, FS_IOC_GETFLAGS, &now);
	if (err)
		return err;
	if ((flags ^ now) & ~settable_flags)
		return -EOPNOTSUPP;
	return host_ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static int get_xattr(int fd, const struct virtiofs_fuse_ioctl_in *in,
		     const struct virtiofs_iov *dst, size_t *len)
{
	struct fsxattr attr = { 0 };
	int err;

	if (in->in_size != 0 || in->out_size != sizeof(attr))
		return -EINVAL;
	err = host_ioctl(fd, FS_IOC_FSGETXATTR, &attr);
	if (err)
		return err;
	*len = sizeof(attr);
	return vfi_iov_put(dst, &attr, sizeof(attr)) ? 0 : -EINVAL;
}

static int set_xattr(int fd, const struct virtiofs_fuse_ioctl_in *in,
		     const struct virtiofs_iov *src)
{
	struct fsxattr attr, now = { 0 };
	uint32_t changed;
	int err;

	if (in->out_size != 0 || in->in_size != sizeof(attr) ||
	    !vfi_iov_take(src, &attr, sizeof(attr)))
		return -EINVAL;
	err = host_ioctl(fd, FS_IOC_FSGETXATTR, &now);
	if (err)
		return err;
	/* How many extents it has is nothing that is set. */
	changed = (attr.fsx_xflags ^ now.fsx_xflags) & ~found_xflags;
	if ((changed & ~settable_xflags) || attr.fsx_extsize != now.fsx_extsize ||
	    attr.fsx_cowextsize != now.fsx_cowextsize || attr.fsx_projid != now.fsx_projid)
		return -EOPNOTSUPP;
	now.fsx_xflags ^= changed;
	return host_ioctl(fd, FS_IOC_FSSETXATTR, &now);
}

static int run(int fd, const struct virtiofs_fuse_ioctl_in *in, const struct virtiofs_iov *src,
	       const struct virtiofs_iov *dst, size_t *len)
{
	*len = 0;
	switch (in->cmd) {
	case FS_IOC_GETFLAGS:
	case GETFLAGS_32:
		return get_flags(fd, in, dst, len);
	case FS_IOC_SETFLAGS:
	case SETFLAGS_32:
		return set_flags(fd, in, src);
	case FS_IOC_FSGETXATTR:
		return get_xattr(fd, in, dst, len);
	case FS_IOC_FSSETXATTR:
		return set_xattr(fd, in, src);
	default:
		return -ENOTTY;
	}
}

void vfi_share_ioctl(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_ioctl_in *in, const struct virtiofs_iov *src,
		     const struct virtiofs_iov *dst)
{
	struct vfi_guest *guest = session;
	enum vfi_handle_kind kind =
		in->flags & VIRTIOFS_FUSE_IOCTL_DIR ? VFI_HANDLE_DIR : VFI_HANDLE_FILE;
	struct vfi_handle_local *handle;
	size_t len = 0;
	int err;

	if (!guest->share->file_attr) {
		virtiofs_reply_err(req, -ENOTTY);
		return;
	}
	/* An unrestricted ioctl is for devices, and has this side read a process's memory. */
	if (in->flags & ~known_ioctl_flags) {
		virtiofs_reply_err(req, -EINVAL);
		return;
	}
	handle = vfi_handle_get(guest, in->fh, nodeid, kind);
	if (!handle) {
		virtiofs_reply_err(req, -EBADF);
		return;
	}
	err = run(handle->fd, in, src, dst, &len);
	vfi_handle_put(handle);
	if (err)
		virtiofs_reply_err(req, err);
	else
		virtiofs_reply_ioctl(req, 0, len);
}
