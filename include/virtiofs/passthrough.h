/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The filesystem that shares a directory of this host.
 *
 * Who includes it: embedders. It is written against fs.h and io.h like anyone's.
 * Every path step is one name below a directory it holds open, never through a
 * symbolic link; only regular files and directories are opened for I/O, so that
 * a guest reaches nothing outside the directory, with a sandbox or without.
 *
 * As root it creates files as the guest's user and group: their ids are switched
 * for that one system call on the queue's thread, and switched back. Meanwhile the
 * kernel has the process undumpable (PR_SET_DUMPABLE of prctl(2)); that is put back
 * with the last of several such threads.
 *
 * A guest mounts it with default_permissions, as Linux does with any virtio-fs (behind
 * /dev/fuse that is a mount option): its kernel checks what its users may do.
 *
 * As with any program, a file that grows beyond RLIMIT_FSIZE raises SIGXFSZ: who
 * runs under that limit ignores the signal, and the guest gets EFBIG.
 */
#ifndef VIRTIOFS_PASSTHROUGH_H
#define VIRTIOFS_PASSTHROUGH_H

#include <stddef.h>
#include <stdint.h>

#include <virtiofs/fs.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How long the guest may rely on what it was told, as virtiofsd's --cache. */
#define VIRTIOFS_CACHE_AUTO 0u	   /* names and attributes for a second, data while unchanged */
#define VIRTIOFS_CACHE_ALWAYS 1u   /* for a day: nobody else changes the directory */
#define VIRTIOFS_CACHE_METADATA 2u /* names and attributes for a day, data not at all */
#define VIRTIOFS_CACHE_NEVER 3u	   /* nothing: the guest asks every time */

/* Rules of a translation of ids. */
#define VIRTIOFS_TRANSLATE_MAX 64u

/* Zero in a member (but size) means its default. Copied. */
struct virtiofs_passthrough_options {
	size_t size;	      /* sizeof(struct virtiofs_passthrough_options) */
	uint32_t cache;	      /* VIRTIOFS_CACHE_ */
	uint32_t max_inodes;  /* files and directories guests may know at once, all of
			       * them together, each a descriptor; more get ENFILE;
			       * default: what RLIMIT_NOFILE leaves (the rest of the
			       * process keeps 256 and the handles), at most 1048576 */
	uint32_t max_handles; /* open files and directories; default: a quarter of
			       * RLIMIT_NOFILE, at most 1048576 */
	int proc_self_fd;     /* an O_PATH descriptor of /proc/self/fd, duplicated, for who
			       * has no /proc later; default: opens it itself */
	uint32_t killpriv_v2; /* nonzero: where the guest offers it (FUSE_HANDLE_KILLPRIV_V2): take
			       * S_ISUID and S_ISGID off a file that is written to by who may
			       * not keep them; default: the guest's kernel does, with
			       * requests of its own */
	uint32_t file_attr;   /* nonzero: guests read and change what lsattr(1) shows of a file;
			       * default: they cannot */
	uint32_t no_announce_submounts; /* nonzero: what is mounted below the directory is to
					 * guests a part of it, and inode numbers may repeat;
					 * default: it is a mount of its own to guests that
					 * know FUSE_SUBMOUNTS */
	/* Rules by which a user or group has another number in the guest than here, as
	 * virtiofsd's --translate-uid: "map:1000:0:1"; NULL behind the last. */
	const char *translate_uid[VIRTIOFS_TRANSLATE_MAX];
	const char *translate_gid[VIRTIOFS_TRANSLATE_MAX];
};

#define VIRTIOFS_PASSTHROUGH_OPTIONS_INIT                                                   \
	{                                                                                   \
		sizeof(struct virtiofs_passthrough_options), 0, 0, 0, 0, 0, 0, 0, { NULL }, \
		{                                                                           \
			NULL                                                                \
		}                                                                           \
	}

/*
 * Make a filesystem of the directory @root_fd (O_PATH suffices; duplicated).
 * Free it with virtiofs_fs_destroy().
 * Errors: -EINVAL an option out of range, a rule that is none (which the log says), or proc_self_fd
 * is not in a proc file system; -E2BIG an option this library does not know; -ENOTDIR; -EBADF;
 * -ENOMEM; -EMFILE; what opening /proc/self/fd returns.
 */
VIRTIOFS_API int virtiofs_passthrough_create(struct virtiofs_fs **ret,
					     const struct virtiofs_env *env, int root_fd,
					     const struct virtiofs_passthrough_options *options);

#ifdef __cplusplus
}
#endif

#endif /* VIRTIOFS_PASSTHROUGH_H */
