/* SPDX-License-Identifier: BSD-2-Clause */
/* An ACL as the kernel takes it (linux/posix_acl_xattr.h), of which the C library has nothing. */
#ifndef TESTS_SUPPORT_ACL_H
#define TESTS_SUPPORT_ACL_H

#include <stdint.h>

#define ACL_ACCESS "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

enum { ACL_USER = 1234 };

struct acl {
	uint32_t version;
	struct {
		uint16_t tag, perm;
		uint32_t id;
	} entries[5];
};

/* rwx for the owner, and ACL_USER reads; the group and others nothing. */
static const struct acl user_reads = { 2,
				       { { 0x01, 7, UINT32_MAX },
					 { 0x02, 4, ACL_USER },
					 { 0x04, 0, UINT32_MAX },
					 { 0x10, 4, UINT32_MAX },
					 { 0x20, 0, UINT32_MAX } } };

#endif /* TESTS_SUPPORT_ACL_H */
