/* SPDX-License-Identifier: BSD-2-Clause */
/* Making the filesystem out of a directory and options, and the table of its operations. */
#include "passthrough/share.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

static void destroy(void *fs);

static const struct virtiofs_fs_ops ops = {
	.size = sizeof(ops),
	.destroy = destroy,
	.session_begin = vfi_share_session_begin,
	.session_end = vfi_share_session_end,
	.lookup = vfi_share_lookup,
	.forget = vfi_share_forget,
	.cancel = vfi_share_cancel,
	.expire = vfi_share_expire,
	.getattr = vfi_share_getattr,
	.setattr = vfi_share_setattr,
	.readlink = vfi_share_readlink,
	.symlink = vfi_share_symlink,
	.mknod = vfi_share_mknod,
	.mkdir = vfi_share_mkdir,
	.unlink = vfi_share_unlink,
	.rmdir = vfi_share_rmdir,
	.rename = vfi_share_rename,
	.link = vfi_share_link,
	.open = vfi_share_open,
	.read = vfi_share_read,
	.write = vfi_share_write,
	.statfs = vfi_share_statfs,
	.release = vfi_share_release,
	.fsync = vfi_share_fsync,
	.setxattr = vfi_share_setxattr,
	.getxattr = vfi_share_getxattr,
	.listxattr = vfi_share_listxattr,
	.removexattr = vfi_share_removexattr,
	.flush = vfi_share_flush,
	.opendir = vfi_share_opendir,
	.readdir = vfi_share_readdir,
	.readdirplus = vfi_share_readdirplus,
	.releasedir = vfi_share_releasedir,
	.fsyncdir = vfi_share_fsyncdir,
	.ioctl = vfi_share_ioctl,
	.getlk = vfi_share_getlk,
	.setlk = vfi_share_setlk,
	.access = vfi_share_access,
	.create = vfi_share_create,
	.fallocate = vfi_share_fallocate,
	.lseek = vfi_share_lseek,
	.copy_file_range = vfi_share_copy_file_range,
	.syncfs = vfi_share_syncfs,
	.tmpfile = vfi_share_tmpfile,
	.statx = vfi_share_statx,
};

static struct vfi_period period(uint64_t option, uint64_t seconds)
{
	const uint64_t second = 1000000000;
	uint64_t ns = option ? option : seconds * second;

	if (option == VIRTIOFS_NO_TIME)
		ns = 0;
	return (struct vfi_period){ ns / second, (uint32_t)(ns % second) };
}

static int set_cache(struct vfi_share *share, const struct virtiofs_passthrough_options *options)
{
	/* A day, and the second that virtiofsd's users know. */
	static const uint64_t valid[] = {
		[VIRTIOFS_CACHE_AUTO] = 1,
		[VIRTIOFS_CACHE_ALWAYS] = 86400,
		[VIRTIOFS_CACHE_METADATA] = 86400,
		[VIRTIOFS_CACHE_NEVER] = 0,
	};

	if (options->cache >= VFI_ARRAY_SIZE(valid))
		return -EINVAL;
	share->cache = options->cache;
	share->entry_valid = period(options->entry_timeout, valid[share->cache]);
	share->attr_valid = period(options->attr_timeout, valid[share->cache]);
	share->negative_valid = period(options->negative_timeout, 0);
	share->readdirplus = options->readdirplus;
	share->allow_mmap = options->allow_mmap == VIRTIOFS_ON;
	share->writeback = options->writeback == VIRTIOFS_ON;
	share->direct_io = options->allow_direct_io == VIRTIOFS_ON;
	share->noatime = options->preserve_noatime == VIRTIOFS_ON;
	share->readonly = options->readonly == VIRTIOFS_ON;
	return 0;
}

/* A program that waits can be killed when it is over, and not before. */
enum { LOCK_TIMEOUT = 60 };

static void set_locks(struct vfi_share *share, const struct virtiofs_passthrough_options *options)
{
	const uint64_t second = 1000000000;

	share->posix_lock = options->posix_lock == VIRTIOFS_ON;
	share->flock = options->flock == VIRTIOFS_ON;
	share->lock_timeout = options->lock_timeout ? options->lock_timeout : LOCK_TIMEOUT * second;
	if (options->lock_timeout == VIRTIOFS_NO_TIME)
		share->lock_timeout = 0;
}

static int set_translation(const struct vfi_share *share, struct vfi_idmap *map,
			   const char *const *rules, const char *what)
{
	char error[128];

	for (size_t i = 0; i < VIRTIOFS_TRANSLATE_MAX && rules[i]; i++) {
		int err = vfi_idmap_add(map, rules[i], error, sizeof(error));

		if (err) {
			vfi_log(&share->env, VIRTIOFS_LOG_ERR, "%s map: %s", what, error);
			return err;
		}
	}
	return 0;
}

/* Who may execute a file with what rights follows from attributes that the host's kernel looks
 * after, unless they are called something else here. */
static void set_capabilities(struct vfi_share *share)
{
	static const char theirs[] = "security.capability";
	char buf[XATTR_NAME_MAX + 1];
	const char *host;

	if (vfi_xattrmap_to_host(&share->xattrmap, theirs, buf, &host) == 0 &&
	    strcmp(host, theirs) != 0)
		memcpy(share->capabilities, host, strlen(host) + 1);
}

static int set_xattr(struct vfi_share *share, const struct virtiofs_passthrough_options *options)
{
	bool translates = options->translate_uid[0] || options->translate_gid[0];
	char error[128];
	int err;

	if (options->posix_acl > VIRTIOFS_ALWAYS)
		return -EINVAL;
	if (options->posix_acl == VIRTIOFS_ALWAYS && translates) {
		vfi_log(&share->env, VIRTIOFS_LOG_ERR,
			"Cannot use --translate-uid or --translate-gid with --posix-acl=always, "
			"translating UIDs/GIDs would break posix ACLs");
		return -EINVAL;
	}
	if (options->posix_acl == VIRTIOFS_AUTO && translates)
		vfi_log(&share->env, VIRTIOFS_LOG_WARNING,
			"no posix ACLs: they would not be translated with users and groups");
	else
		share->posix_acl = options->posix_acl;
	share->xattr = options->xattr == VIRTIOFS_ON || options->xattrmap ||
		       options->posix_acl != VIRTIOFS_NEVER;
	if (!options->xattrmap)
		return 0;
	err = vfi_xattrmap_init(&share->xattrmap, &share->env, options->xattrmap, error,
				sizeof(error));
	if (err)
		vfi_log(&share->env, VIRTIOFS_LOG_ERR, "xattrmap: %s", error);
	else
		set_capabilities(share);
	return err;
}

static int open_root(struct vfi_share *share, int root_fd)
{
	struct statx stx;
	struct stat st;
	int err;

	if (fstat(root_fd, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	share->root_fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
	if (share->root_fd < 0)
		return -errno;
	share->is_local = vfi_open_is_local(share->root_fd);
	err = vfi_path_stat(share->root_fd, "", &stx);
	share->root_dev = err ? 0 : vfi_mount_of(&stx).dev;
	return err;
}

static int open_proc(struct vfi_share *share, int proc_self_fd)
{
	struct statfs st;

	if (proc_self_fd == 0)
		share->proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	else
		share->proc_fd = fcntl(proc_self_fd, F_DUPFD_CLOEXEC, 0);
	if (share->proc_fd < 0 || fstatfs(share->proc_fd, &st))
		return -errno;
	/* Numbers are opened below it: in any other directory they would be someone's files. */
	return st.f_type == PROC_SUPER_MAGIC ? 0 : -EINVAL;
}

static int set_file_handles(struct vfi_share *share, uint32_t mode)
{
	if (mode > VIRTIOFS_INODE_FILE_HANDLES_MANDATORY)
		return -EINVAL;
	share->by_handle = mode != VIRTIOFS_INODE_FILE_HANDLES_NEVER;
	share->handles_only = mode == VIRTIOFS_INODE_FILE_HANDLES_MANDATORY;
	return 0;
}

/* The root's mount is that of most inodes: whether file handles work shows there. */
static int try_file_handles(struct vfi_share *share)
{
	struct vfi_mount_fd *mount;
	struct statx st;
	int err = vfi_path_stat(share->root_fd, "", &st);

	if (err || !share->by_handle)
		return err;
	mount = vfi_mount_fd_get(share, vfi_mount_of(&st).id, share->root_fd, S_IFDIR);
	if (!mount)
		return -ENOMEM;
	share->root_mount = mount;
	if (mount->fd >= 0)
		return 0;
	err = mount->why_not;
	vfi_log(&share->env, share->handles_only ? VIRTIOFS_LOG_ERR : VIRTIOFS_LOG_WARNING,
		"file handles do not work here: %s (error %d)%s",
		err == -EPERM ? "this process has no CAP_DAC_READ_SEARCH"
			      : "the file system cannot open by them",
		-err,
		share->handles_only ? "" : "; files that are not in use are found again by name");
	return share->handles_only ? err : 0;
}

static void destroy(void *fs)
{
	struct vfi_share *share = fs;
	struct virtiofs_env env = share->env;

	if (share->root_mount)
		vfi_mount_fd_put(share, share->root_mount->id);
	pthread_mutex_destroy(&share->own_mounts.lock);
	pthread_mutex_destroy(&share->own_hot.lock);
	if (share->root_fd >= 0)
		close(share->root_fd);
	if (share->proc_fd >= 0)
		close(share->proc_fd);
	pthread_mutex_destroy(&share->dumpable_lock);
	vfi_xattrmap_destroy(&share->xattrmap, &env);
	vfi_free(&env, share, sizeof(*share));
}

static int setup(struct vfi_share *share, int root_fd,
		 const struct virtiofs_passthrough_options *options)
{
	int err = set_cache(share, options);

	if (!err && options->security_label > VIRTIOFS_ALWAYS)
		err = -EINVAL;
	share->security_label = options->security_label;
	share->killpriv_v2 = options->killpriv_v2 == VIRTIOFS_ON;
	set_locks(share, options);
	share->file_attr = options->file_attr == VIRTIOFS_ON;
	share->submounts = options->announce_submounts != VIRTIOFS_OFF;
	share->export = options->export_support != VIRTIOFS_OFF;
	if (!err)
		err = set_translation(share, &share->uids, options->translate_uid, "UID");
	if (!err)
		err = set_translation(share, &share->gids, options->translate_gid, "GID");
	if (!err)
		err = set_xattr(share, options);
	if (!err)
		err = vfi_limits_set(share, options);
	if (!err)
		err = set_file_handles(share, options->inode_file_handles);
	if (!err)
		err = open_root(share, root_fd);
	if (!err)
		err = open_proc(share, options->proc_self_fd);
	if (!err)
		share->has_openat2 = vfi_path_has_openat2(share->root_fd);
	if (!err)
		err = try_file_handles(share);
	return err;
}

static int create_fs(struct virtiofs_fs **ret, const struct virtiofs_env *env,
		     struct vfi_share *share)
{
	struct virtiofs_fs_ops own = ops;

	if (!share->xattr) {
		own.setxattr = NULL;
		own.getxattr = NULL;
		own.listxattr = NULL;
		own.removexattr = NULL;
	}
	if (!share->posix_lock && !share->flock) {
		own.cancel = NULL;
		own.expire = NULL;
		own.getlk = NULL;
		own.setlk = NULL;
	}
	if (share->readonly)
		vfi_readonly_ops(&own);
	return virtiofs_fs_create(ret, env, &own, share);
}

int virtiofs_passthrough_create(struct virtiofs_fs **ret, const struct virtiofs_env *env,
				int root_fd, const struct virtiofs_passthrough_options *options)
{
	struct virtiofs_passthrough_options own = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	struct virtiofs_env own_env;
	struct vfi_share *share;
	int err;

	if (!ret)
		return -EINVAL;
	err = vfi_env_init(&own_env, env);
	if (!err && options)
		err = vfi_copy_sized(&own, sizeof(own), options);
	if (err)
		return err;
	share = vfi_alloc(&own_env, sizeof(*share));
	if (!share)
		return -ENOMEM;
	share->env = own_env;
	share->root_fd = -1;
	share->proc_fd = -1;
	share->hot = &share->own_hot;
	share->mounts = &share->own_mounts;
	pthread_mutex_init(&share->dumpable_lock, NULL);
	pthread_mutex_init(&share->own_hot.lock, NULL);
	pthread_mutex_init(&share->own_mounts.lock, NULL);
	err = setup(share, root_fd, &own);
	if (!err)
		err = create_fs(ret, env, share);
	if (err)
		destroy(share);
	return err;
}
