/* SPDX-License-Identifier: BSD-2-Clause */
/* What the daemon gives up before it talks to anyone. */
#ifndef VIRTIOFSD_SANDBOX_H
#define VIRTIOFSD_SANDBOX_H

/*
 * Enter @sandbox (enum sandbox of options.h; the default one is chroot for root) with
 * the open directory @root as its root; drop supplementary groups where they can be
 * dropped; have a umask of 0, as the guest has applied its own. Before any thread is
 * made. @name: of the directory, for the log.
 * Errors are logged, and returned as a negative errno.
 */
int sandbox_enter(int sandbox, int root, const char *name);

#endif /* VIRTIOFSD_SANDBOX_H */
