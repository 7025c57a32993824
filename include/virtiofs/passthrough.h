/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The filesystem that shares a directory of this host.
 *
 * Who includes it: embedders. It is written against fs.h and io.h like anyone's.
 * Every path step is one name below a directory it holds open, never through a
 * symbolic link; only regular files and directories are opened for I/O, so that
 * a guest reaches nothing outside the directory, with a sandbox or without. The one
 * way up, from a directory that a file handle led to (export_support), is proven to
 * end in the directory or below it.
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

#include <stdbool.h>
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

/* What is on or off; 0 is its default. */
#define VIRTIOFS_ON 1u
#define VIRTIOFS_OFF 2u

/* Whether to do what a guest may be too old for. */
#define VIRTIOFS_NEVER 0u
#define VIRTIOFS_AUTO 1u   /* with guests that can */
#define VIRTIOFS_ALWAYS 2u /* others are refused */

/* A time of nothing at all; 0 is its default. */
#define VIRTIOFS_NO_TIME UINT64_MAX

/* How a file that the guest knows, and does not use, is found again: as virtiofsd's
 * --inode-file-handles. Opening by a file handle takes CAP_DAC_READ_SEARCH. */
#define VIRTIOFS_INODE_FILE_HANDLES_PREFER 0u	 /* by file handle; else as with never */
#define VIRTIOFS_INODE_FILE_HANDLES_NEVER 1u	 /* by name, which must lead to the same file */
#define VIRTIOFS_INODE_FILE_HANDLES_MANDATORY 2u /* by file handle; else it is refused */

/* Zero in a member (but size) means its default. Copied. */
struct virtiofs_passthrough_options {
	size_t size;	      /* sizeof(struct virtiofs_passthrough_options) */
	uint32_t cache;	      /* VIRTIOFS_CACHE_ */
	uint32_t max_inodes;  /* files and directories guests may know at once, all of
			       * them together, 128 bytes each; more get ENFILE; default:
			       * what fits in a 32nd of the memory, 65536 to 4194304 */
	uint32_t max_handles; /* open files and directories; default: a quarter of
			       * RLIMIT_NOFILE, at most 1048576 */
	int proc_self_fd;     /* an O_PATH descriptor of /proc/self/fd, duplicated, for who
			       * has no /proc later; default: opens it itself */
	uint32_t killpriv_v2; /* VIRTIOFS_ON: where the guest offers it (FUSE_HANDLE_KILLPRIV_V2):
			       * take S_ISUID and S_ISGID off a file that is written to by who may
			       * not keep them; default: the guest's kernel does, with
			       * requests of its own */
	uint32_t file_attr;   /* VIRTIOFS_ON: guests read and change what lsattr(1) shows of a file;
			       * default: they cannot */
	uint32_t announce_submounts; /* VIRTIOFS_OFF: what is mounted below the directory is to
				      * guests a part of it, and inode numbers may repeat;
				      * default: it is a mount of its own to guests that
				      * know FUSE_SUBMOUNTS */
	uint32_t export_support;     /* VIRTIOFS_OFF: a guest's file handles (open_by_handle_at(2),
				      * its NFS server) are good while its kernel has the file in
				      * memory; default: beyond that */
	/* How long the guest may rely on a name, on attributes, and on there being no such
	 * name: nanoseconds, or VIRTIOFS_NO_TIME; default: as @cache says, and for the last
	 * none. */
	uint64_t entry_timeout;
	uint64_t attr_timeout;
	uint64_t negative_timeout;
	uint32_t readdirplus; /* VIRTIOFS_ON, _OFF: whether a listing may carry the attributes of
			       * what it lists; default: but with VIRTIOFS_CACHE_NEVER */
	uint32_t allow_mmap;  /* VIRTIOFS_ON: a file whose data is not cached can be mapped shared
			       * (guests from 7.39, Linux 6.6), and then is cached as far as it
			       * is mapped; default: mmap(2) fails with ENODEV */
	/* VIRTIOFS_NEVER, _AUTO, _ALWAYS: what a guest makes has the label from its first
	 * moment on that its security module (SELinux, Smack) chose for it, as an extended
	 * attribute of its name "security.*"; takes CAP_SYS_ADMIN; default: never. */
	uint32_t security_label;
	uint32_t writeback;	   /* VIRTIOFS_ON: the guest may keep what is written to itself, and
				    * write it later; default: it writes at once */
	uint32_t allow_direct_io;  /* VIRTIOFS_ON: a file that a program of the guest's opens with
				    * O_DIRECT is opened so here, past this host's page cache, where
				    * its file system can. Memory of the program's that is not
				    * aligned as that asks gets EINVAL, as it would here; default:
				    * through the page cache */
	uint32_t preserve_noatime; /* VIRTIOFS_ON: O_NOATIME holds here too, for files that this
				    * process may open so; default: reading changes the time */
	uint32_t readonly; /* VIRTIOFS_ON: what would change a file is EROFS; default: it is done */
	uint32_t xattr;	   /* VIRTIOFS_ON: extended attributes are served. Those of security.* and
			    * trusted.* too, which then are this host's own for what it sees;
			    * default: there are none, unless one of the two below is set */
	/* Rules by which extended attributes have other names here than in the guest, as
	 * virtiofsd's --xattrmap: ":map::user.virtiofs.:"; default: the same ones. */
	const char *xattrmap;
	/* VIRTIOFS_NEVER, _AUTO, _ALWAYS: POSIX ACLs, which the guest's kernel goes by and this
	 * host's too; not with translate_uid and translate_gid, for what is in an ACL is not
	 * translated (with auto there are none then); default: never. */
	uint32_t posix_acl;
	/* VIRTIOFS_ON: locks of fcntl(2), and of flock(2), hold against other guests and this
	 * host's programs. Each process that locks a file takes a descriptor, which counts as a
	 * handle; default: a guest's locks are its own business. */
	uint32_t posix_lock;
	uint32_t flock;
	/* How long a program waits for a lock at most: nanoseconds, or VIRTIOFS_NO_TIME; then it
	 * gets EAGAIN. A Linux guest cannot end such a wait: its program cannot be killed
	 * meanwhile; default: 60 seconds. */
	uint64_t lock_timeout;
	/* Rules by which a user or group has another number in the guest than here, as
	 * virtiofsd's --translate-uid: "map:1000:0:1"; NULL behind the last. */
	const char *translate_uid[VIRTIOFS_TRANSLATE_MAX];
	const char *translate_gid[VIRTIOFS_TRANSLATE_MAX];
	uint32_t inode_file_handles; /* VIRTIOFS_INODE_FILE_HANDLES_ */
	uint32_t max_hot_inodes;     /* of those that are known, how many keep a descriptor, which
				      * makes them faster; default: half of RLIMIT_NOFILE, at
				      * most 262144 */
};

#ifdef __cplusplus
/* C++ has no designators before 2020. */
static inline struct virtiofs_passthrough_options virtiofs_passthrough_options_init()
{
	struct virtiofs_passthrough_options options = virtiofs_passthrough_options();

	options.size = sizeof(options);
	return options;
}
#define VIRTIOFS_PASSTHROUGH_OPTIONS_INIT virtiofs_passthrough_options_init()
#else
#define VIRTIOFS_PASSTHROUGH_OPTIONS_INIT                            \
	{                                                            \
		.size = sizeof(struct virtiofs_passthrough_options), \
	}
#endif

/*
 * Make a filesystem of the directory @root_fd (O_PATH suffices; duplicated).
 * Free it with virtiofs_fs_destroy().
 * Errors: -EINVAL an option out of range, a rule that is none (which the log says), posix_acl
 * always with users or groups that are translated, or proc_self_fd is not in a proc file system;
 * -E2BIG an option this library does not know; -ENOTDIR; -EBADF; -ENOMEM; -EMFILE; what opening
 * /proc/self/fd returns. With file handles mandatory: -EPERM; -EOPNOTSUPP where the file system has
 * none; what opening by one returns.
 */
VIRTIOFS_API int virtiofs_passthrough_create(struct virtiofs_fs **ret,
					     const struct virtiofs_env *env, int root_fd,
					     const struct virtiofs_passthrough_options *options);

/* ---- The options by name, as on a command line ---- */

/* An option of the table. */
struct virtiofs_option {
	const char *name;  /* without dashes, as "cache" */
	const char *value; /* what a help calls its value: "N", or what it may be, as
			    * "auto|always"; NULL: it takes none, and "no-" before its
			    * name takes it back */
	const char *help;  /* what it does, in lines of at most 56 columns; without a
			    * newline at the end */
	bool optional;	   /* the value may be left out, and is never the next argument */
};

/* Option @index, for a help and a parser; NULL behind the last. Thread: any. Static memory. */
VIRTIOFS_API const struct virtiofs_option *virtiofs_passthrough_option(size_t index);

/*
 * Set what option @name stands for, as in "--name=value"; a flag may also be named
 * "no-NAME", and a rule is added to those given before. @options->size is set. @value: NULL, none
 * was given; a text is borrowed for as long as @options is used. The meaning of texts is looked at
 * in virtiofs_passthrough_create(). Errors: -ENOENT it is none of this filesystem's options;
 * -EINVAL a value that the option does not take, with a line of text, without a newline, in @error.
 */
VIRTIOFS_API int virtiofs_passthrough_set(struct virtiofs_passthrough_options *options,
					  const char *name, const char *value, char *error,
					  size_t error_size);

#ifdef __cplusplus
}
#endif

#endif /* VIRTIOFS_PASSTHROUGH_H */
