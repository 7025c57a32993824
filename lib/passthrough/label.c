/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Security labels that the guest's kernel sends with what it makes (SECURITY_CTX): its
 * security module's, stored in an extended attribute, of which this host's modules are
 * not asked. Between the making and the labelling nobody in the guest finds the file:
 * its kernel has the directory locked until it is answered.
 */
#include "passthrough/share.h"

#include <errno.h>
#include <string.h>

/* Those of a security module alone: no user's, no file system's, no ACL. */
static bool is_label(const char *name)
{
	return strncmp(name, "security.", 9) == 0 && name[9] != '\0';
}

int vfi_label_new(const struct vfi_share *share, const struct virtiofs_req *req, int fd,
		  uint32_t type)
{
	struct vfi_xattr x = { .op = VFI_XATTR_SET };
	char name[XATTR_NAME_MAX + 1];
	int err;

	if (!virtiofs_req_security_context(req, &x.name, &x.value, &x.size))
		return 0;
	if (!is_label(x.name))
		return -EINVAL;
	err = vfi_xattrmap_to_host(&share->xattrmap, x.name, name, &x.name);
	return err ? err : (int)vfi_xattr_call(share, req, fd, type, &x);
}
