/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * S_ISUID and S_ISGID, which a write takes away where the writer may not keep them: who
 * could write to another's program would else run what he likes in its name. The
 * host's kernel sees this process write, which may keep them (CAP_FSETID). So where the
 * guest's kernel says that its user may not, they are taken away first, in one step, by
 * chown(2) of nothing: it looks at the mode and changes it under one lock, so that no
 * chmod(2) of anyone's is lost. Who sets the bits between that and the write has set
 * them as if after it.
 *
 * Capabilities of a file (security.capability) the host's kernel takes away itself,
 * whoever writes; but not where --xattrmap has them under another name
 * (CVE-2021-20263).
 */
#include "passthrough/share.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

static bool may_keep_them(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[2];

	return syscall(SYS_capget, &header, caps) || caps[0].effective & 1u << CAP_FSETID;
}

int vfi_kill_suidgid(int fd)
{
	mode_t kept = 0;
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return -errno;
	/* Without the right to execute it means something else: setattr_should_drop_sgid(). */
	if (!(st.st_mode & S_IXGRP))
		kept = S_ISGID;
	if (!S_ISREG(st.st_mode) || !(st.st_mode & (S_ISUID | S_ISGID) & ~kept))
		return 0;
	if (fchown(fd, (uid_t)-1, (gid_t)-1) == 0)
		return 0;
	/* Who may not change the file's mode has no right to keep the bits either, most
	 * likely, and the host's kernel does it. */
	err = -errno;
	return err == -EPERM && !may_keep_them() ? 0 : err;
}

int vfi_kill_sgid(const struct vfi_share *share, int fd)
{
	const mode_t kept = 07777 & ~(mode_t)S_ISGID;
	struct statx st;
	int err = vfi_path_stat(fd, "", &st);

	if (err || !(st.stx_mode & S_ISGID))
		return err;
	return fchmodat(share->proc_fd, vfi_fd_name(fd).text, st.stx_mode & kept, 0) ? -errno : 0;
}

/* What a removal says where there was nothing to remove. */
static int unless_absent(int err)
{
	return err == -ENODATA || err == -EOPNOTSUPP ? 0 : err;
}

int vfi_kill_capabilities(const struct vfi_share *share, int fd)
{
	if (share->capabilities[0] == '\0' || fremovexattr(fd, share->capabilities) == 0)
		return 0;
	return unless_absent(-errno);
}

int vfi_kill_node_capabilities(const struct vfi_node *node, const struct virtiofs_req *req)
{
	const struct vfi_share *share = node->guest->share;
	const struct vfi_xattr x = { .op = VFI_XATTR_REMOVE, .name = share->capabilities };

	if (share->capabilities[0] == '\0' || !S_ISREG(node->inode->type))
		return 0;
	return unless_absent((int)vfi_xattr_call(share, req, node->fd, S_IFREG, &x));
}

uint32_t vfi_kill_open_flags(const struct virtiofs_req *req, uint32_t open_flags)
{
	uint32_t uid = virtiofs_req_header(req)->uid;

	/*
	 * With ATOMIC_O_TRUNC the guest's kernel truncates by OPEN alone, and without
	 * KILLPRIV_V2 says nothing of the bits. Of whom nobody knows we think the best:
	 * what stays is an empty file, and the first write will take them.
	 */
	if (!(virtiofs_req_granted(req) & VIRTIOFS_FUSE_HANDLE_KILLPRIV_V2) && uid != 0 &&
	    uid != VIRTIOFS_FUSE_INVALID_UIDGID)
		open_flags |= VIRTIOFS_FUSE_OPEN_KILL_SUIDGID;
	return open_flags;
}

int vfi_kill_for_user(const struct virtiofs_req *req, int fd)
{
	/* The guest's kernel leaves these to us without a flag that says who may keep the
	 * bits; of its users root alone may. */
	if (!(virtiofs_req_granted(req) & VIRTIOFS_FUSE_HANDLE_KILLPRIV_V2) ||
	    virtiofs_req_header(req)->uid == 0)
		return 0;
	return vfi_kill_suidgid(fd);
}
