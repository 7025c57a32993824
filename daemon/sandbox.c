/* SPDX-License-Identifier: BSD-2-Clause */
#include "sandbox.h"

#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "options.h"

static int enter_chroot(int root, const char *name)
{
	int err;

	/* By descriptor: the name might be another directory's by now. */
	if (fchdir(root) == 0 && chroot(".") == 0 && chdir("/") == 0)
		return 0;
	err = errno;
	log_errno(VIRTIOFS_LOG_ERR, err, "Cannot chroot to '%s'%s", name,
		  err == EPERM ? " (it needs root, --sandbox=none does not)" : "");
	return -err;
}

/*
 * A file that root makes in the guest's name must not get a group, nor keep a
 * set-group-ID bit, by a group that this process happens to have (CVE-2022-0358).
 */
static int drop_groups(void)
{
	int err;

	if (geteuid() != 0 || getgroups(0, NULL) == 0 || setgroups(0, NULL) == 0)
		return 0;
	err = errno;
	if (err == EPERM) {
		/* A user namespace whose maker may not map groups has setgroups denied. */
		log_errno(VIRTIOFS_LOG_WARNING, err, "Cannot drop supplementary groups");
		return 0;
	}
	log_errno(VIRTIOFS_LOG_ERR, err, "Cannot drop supplementary groups");
	return -err;
}

int sandbox_enter(int sandbox, int root, const char *name)
{
	int err = drop_groups();

	if (err)
		return err;
	if (sandbox == SANDBOX_DEFAULT)
		sandbox = geteuid() == 0 ? SANDBOX_CHROOT : SANDBOX_NONE;
	if (sandbox == SANDBOX_CHROOT) {
		err = enter_chroot(root, name);
		if (err)
			return err;
	}
	log_info("Sharing '%s', %s", name,
		 sandbox == SANDBOX_CHROOT ? "confined to it by chroot" : "without a sandbox");
	umask(0);
	return 0;
}
