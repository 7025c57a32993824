/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Creating in a guest user's name. Who owns a new file, whether it inherits its
 * directory's group, whether S_ISGID stays: the kernel decides all that by the
 * ids of the calling thread, so these are changed for the one system call.
 *
 * Raw system calls: glibc's functions of these names change every thread of the
 * process. Supplementary groups become those the guest sent, none most often: this
 * thread's own would vouch for S_ISGID in directories of groups that the guest's user
 * is not in (CVE-2022-0358).
 */
#include "passthrough/share.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Leave an id as it is: setresuid(2). */
#define KEEP ((uint32_t)-1)

static struct __user_cap_header_struct cap_header(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };

	return header;
}

static int save_groups(struct vfi_cred *cred)
{
	long n = syscall(SYS_getgroups, 0, NULL);

	if (n < 0)
		return -errno;
	cred->group_count = (size_t)n;
	if (n == 0)
		return 0;
	if (cred->group_count > VFI_ARRAY_SIZE(cred->few_groups)) {
		cred->groups =
			vfi_alloc_array(&cred->share->env, cred->group_count, sizeof(uint32_t));
		if (!cred->groups)
			return -ENOMEM;
	}
	return syscall(SYS_getgroups, n, cred->groups) == n ? 0 : -EIO;
}

static void free_groups(struct vfi_cred *cred)
{
	if (cred->groups != cred->few_groups)
		vfi_free(&cred->share->env, cred->groups, cred->group_count * sizeof(uint32_t));
}

static bool is_itself(const struct vfi_cred *cred, const struct vfi_user *user)
{
	return user->uid == cred->uid[1] && user->gid == cred->gid[1];
}

/* What there is to be changed, and what changes with it. */
static int save(struct vfi_cred *cred, const struct vfi_user *user)
{
	struct __user_cap_header_struct header = cap_header();

	if (syscall(SYS_getresgid, &cred->gid[0], &cred->gid[1], &cred->gid[2]))
		return -errno;
	if (user->uid != cred->uid[1] && syscall(SYS_capget, &header, cred->caps))
		return -errno;
	if (!is_itself(cred, user) && prctl(PR_GET_PDEATHSIG, &cred->death_signal))
		return -errno;
	return save_groups(cred);
}

/*
 * Without its uid of 0 the thread loses all effective capabilities. One is taken
 * back: the guest's kernel has checked the directory's permissions, and knows all of
 * the user's groups, of which it sends the directory's alone, and only newer ones do.
 */
static int limit_caps(struct vfi_cred *cred)
{
	struct __user_cap_header_struct header = cap_header();
	struct __user_cap_data_struct caps[2] = { cred->caps[0], cred->caps[1] };

	if (cred->asking)
		return 0;
	caps[0].effective = caps[0].permitted & 1u << CAP_DAC_OVERRIDE;
	caps[1].effective = 0;
	return syscall(SYS_capset, &header, caps) ? -errno : 0;
}

/*
 * With a change of ids the kernel makes the whole process undumpable: no core, no
 * debugger, and /proc/self is root's (prctl(2), PR_SET_DUMPABLE). The last thread
 * that is itself again brings the flag back; not the first, for it reads what
 * another has cleared. (Only the threads of one share know of each other.)
 */
static void note_dumpable(struct vfi_cred *cred)
{
	struct vfi_share *share = cred->share;

	pthread_mutex_lock(&share->dumpable_lock);
	if (share->switched++ == 0)
		share->dumpable = prctl(PR_GET_DUMPABLE);
	pthread_mutex_unlock(&share->dumpable_lock);
	cred->switched = true;
}

static void restore_dumpable(const struct vfi_cred *cred)
{
	struct vfi_share *share = cred->share;

	pthread_mutex_lock(&share->dumpable_lock);
	if (--share->switched == 0 && share->dumpable == 1)
		prctl(PR_SET_DUMPABLE, 1);
	pthread_mutex_unlock(&share->dumpable_lock);
}

static int change_groups(struct vfi_cred *cred, const struct vfi_user *user)
{
	if (cred->group_count == user->group_count &&
	    memcmp(cred->groups, user->groups, user->group_count * sizeof(uint32_t)) == 0)
		return 0;
	if (syscall(SYS_setgroups, user->group_count, user->groups)) {
		/* A user namespace may forbid it for good: who creates as himself does so with
		 * the groups he has, and others not at all. */
		return errno == EPERM && is_itself(cred, user) ? 0 : -errno;
	}
	cred->changed |= VFI_CRED_GROUPS;
	return 0;
}

static int change(struct vfi_cred *cred, const struct vfi_user *user)
{
	int err = change_groups(cred, user);

	if (err)
		return err;
	/* The saved id keeps the way back open. */
	if (user->gid != cred->gid[1]) {
		if (syscall(SYS_setresgid, KEEP, user->gid, cred->gid[1]))
			return -errno;
		cred->changed |= VFI_CRED_GID;
	}
	if (user->uid != cred->uid[1]) {
		if (syscall(SYS_setresuid, KEEP, user->uid, cred->uid[1]))
			return -errno;
		cred->changed |= VFI_CRED_UID;
		return limit_caps(cred);
	}
	return 0;
}

static int get_user(const struct vfi_share *share, const struct virtiofs_req *req,
		    struct vfi_user *user)
{
	const struct virtiofs_fuse_in_header *in = virtiofs_req_header(req);
	const uint32_t *groups = virtiofs_req_groups(req, &user->group_count);
	int err = vfi_idmap_to_host(&share->uids, in->uid, &user->uid);

	if (!err)
		err = vfi_idmap_to_host(&share->gids, in->gid, &user->gid);
	for (uint32_t i = 0; !err && i < user->group_count; i++)
		err = vfi_idmap_to_host(&share->gids, groups[i], &user->groups[i]);
	return err;
}

static int enter_as(struct vfi_cred *cred, const struct vfi_user *user)
{
	int err;

	/* That would be "keep", and create as root. */
	if (user->uid == KEEP || user->gid == KEEP)
		return -EOVERFLOW;
	err = save(cred, user);
	if (!err && !is_itself(cred, user))
		note_dumpable(cred);
	if (!err)
		err = change(cred, user);
	if (!err)
		cred->owner = user->uid;
	return err;
}

static int enter(struct vfi_cred *cred, struct vfi_share *share, const struct virtiofs_req *req)
{
	struct vfi_user user;
	int err;

	cred->share = share;
	cred->changed = 0;
	cred->switched = false;
	cred->death_signal = 0;
	cred->group_count = 0;
	cred->groups = cred->few_groups;
	if (__atomic_load_n(&share->no_creation, __ATOMIC_RELAXED))
		return -EIO;
	err = get_user(share, req, &user);
	if (err)
		return err;
	if (syscall(SYS_getresuid, &cred->uid[0], &cred->uid[1], &cred->uid[2]))
		return -errno;
	cred->owner = cred->uid[1];
	/* Who is not root creates as himself. */
	if (cred->uid[1] != 0)
		return 0;
	err = enter_as(cred, &user);
	if (err)
		vfi_cred_leave(cred);
	return err;
}

int vfi_cred_enter(struct vfi_cred *cred, struct vfi_share *share, const struct virtiofs_req *req,
		   mode_t mask)
{
	int err;

	cred->asking = false;
	err = enter(cred, share, req);
	if (!err && mask) {
		cred->umask = umask(mask);
		cred->changed |= VFI_CRED_UMASK;
	}
	return err;
}

int vfi_cred_enter_to_ask(struct vfi_cred *cred, struct vfi_share *share,
			  const struct virtiofs_req *req)
{
	cred->asking = true;
	return enter(cred, share, req);
}

/* The reverse order: the uid brings the capabilities, and those the right to the rest. */
static bool restore(struct vfi_cred *cred)
{
	struct __user_cap_header_struct header = cap_header();
	bool ok = true;

	if (cred->changed & VFI_CRED_UMASK)
		umask(cred->umask);
	if (cred->changed & VFI_CRED_UID) {
		ok &= !syscall(SYS_setresuid, KEEP, cred->uid[1], cred->uid[2]);
		ok &= !syscall(SYS_capset, &header, cred->caps);
	}
	if (cred->changed & VFI_CRED_GID)
		ok &= !syscall(SYS_setresgid, KEEP, cred->gid[1], cred->gid[2]);
	if (cred->changed & VFI_CRED_GROUPS)
		ok &= !syscall(SYS_setgroups, cred->group_count, cred->groups);
	/* A change of ids clears it. */
	if (cred->switched && cred->death_signal)
		ok &= !prctl(PR_SET_PDEATHSIG, cred->death_signal);
	return ok;
}

void vfi_cred_leave(struct vfi_cred *cred)
{
	if (!restore(cred)) {
		/* This thread has ids that are not its own: nobody can tell what it would create.
		 */
		__atomic_store_n(&cred->share->no_creation, 1, __ATOMIC_RELAXED);
		vfi_log(&cred->share->env, VIRTIOFS_LOG_ERR,
			"a thread's user and group ids could not be restored; "
			"nothing is created any more");
	} else if (cred->switched) {
		restore_dumpable(cred);
	}
	free_groups(cred);
}
