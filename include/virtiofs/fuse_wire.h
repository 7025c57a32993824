/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The FUSE protocol, version 7.45, as Linux speaks it.
 *
 * A copy of the Linux kernel's include/uapi/linux/fuse.h under the BSD side of
 * its licence (below), with every name prefixed so that it lives beside any
 * system's own <linux/fuse.h>, and without the flexible array members, which
 * C++ does not have. The comments are the kernel's.
 *
 * Who includes it: whoever writes a filesystem against fs.h. All integers are
 * in the guest's byte order, which must be the host's.
 *
 * Copyright (C) 2001-2008  Miklos Szeredi <miklos@szeredi.hu>
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions
 * are met:
 * 1. Redistributions of source code must retain the above copyright
 * notice, this list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright
 * notice, this list of conditions and the following disclaimer in the
 * documentation and/or other materials provided with the distribution.
 *
 * THIS SOFTWARE IS PROVIDED BY AUTHOR AND CONTRIBUTORS ``AS IS'' AND
 * ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE
 * IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE
 * ARE DISCLAIMED.  IN NO EVENT SHALL AUTHOR OR CONTRIBUTORS BE LIABLE
 * FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS
 * OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION)
 * HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT
 * LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY
 * OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF
 * SUCH DAMAGE.
 */

#ifndef VIRTIOFS_FUSE_WIRE_H
#define VIRTIOFS_FUSE_WIRE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Version number of this interface */
#define VIRTIOFS_FUSE_KERNEL_VERSION 7

/** Minor version number of this interface */
#define VIRTIOFS_FUSE_KERNEL_MINOR_VERSION 45

/** The node ID of the root inode */
#define VIRTIOFS_FUSE_ROOT_ID 1

/* Make sure all structures are padded to 64bit boundary, so 32bit
   userspace works under 64bit kernels */

struct virtiofs_fuse_attr {
	uint64_t	ino;
	uint64_t	size;
	uint64_t	blocks;
	uint64_t	atime;
	uint64_t	mtime;
	uint64_t	ctime;
	uint32_t	atimensec;
	uint32_t	mtimensec;
	uint32_t	ctimensec;
	uint32_t	mode;
	uint32_t	nlink;
	uint32_t	uid;
	uint32_t	gid;
	uint32_t	rdev;
	uint32_t	blksize;
	uint32_t	flags;
};

/*
 * The following structures are bit-for-bit compatible with the statx(2) ABI in
 * Linux.
 */
struct virtiofs_fuse_sx_time {
	int64_t		tv_sec;
	uint32_t	tv_nsec;
	int32_t		__reserved;
};

struct virtiofs_fuse_statx {
	uint32_t	mask;
	uint32_t	blksize;
	uint64_t	attributes;
	uint32_t	nlink;
	uint32_t	uid;
	uint32_t	gid;
	uint16_t	mode;
	uint16_t	__spare0[1];
	uint64_t	ino;
	uint64_t	size;
	uint64_t	blocks;
	uint64_t	attributes_mask;
	struct virtiofs_fuse_sx_time	atime;
	struct virtiofs_fuse_sx_time	btime;
	struct virtiofs_fuse_sx_time	ctime;
	struct virtiofs_fuse_sx_time	mtime;
	uint32_t	rdev_major;
	uint32_t	rdev_minor;
	uint32_t	dev_major;
	uint32_t	dev_minor;
	uint64_t	__spare2[14];
};

struct virtiofs_fuse_kstatfs {
	uint64_t	blocks;
	uint64_t	bfree;
	uint64_t	bavail;
	uint64_t	files;
	uint64_t	ffree;
	uint32_t	bsize;
	uint32_t	namelen;
	uint32_t	frsize;
	uint32_t	padding;
	uint32_t	spare[6];
};

struct virtiofs_fuse_file_lock {
	uint64_t	start;
	uint64_t	end;
	uint32_t	type;
	uint32_t	pid; /* tgid */
};

/**
 * Bitmasks for virtiofs_fuse_setattr_in.valid
 */
#define VIRTIOFS_FATTR_MODE	(1U << 0)
#define VIRTIOFS_FATTR_UID	(1U << 1)
#define VIRTIOFS_FATTR_GID	(1U << 2)
#define VIRTIOFS_FATTR_SIZE	(1U << 3)
#define VIRTIOFS_FATTR_ATIME	(1U << 4)
#define VIRTIOFS_FATTR_MTIME	(1U << 5)
#define VIRTIOFS_FATTR_FH	(1U << 6)
#define VIRTIOFS_FATTR_ATIME_NOW	(1U << 7)
#define VIRTIOFS_FATTR_MTIME_NOW	(1U << 8)
#define VIRTIOFS_FATTR_LOCKOWNER	(1U << 9)
#define VIRTIOFS_FATTR_CTIME	(1U << 10)
#define VIRTIOFS_FATTR_KILL_SUIDGID	(1U << 11)

/**
 * Flags returned by the OPEN request
 *
 * VIRTIOFS_FOPEN_DIRECT_IO: bypass page cache for this open file
 * VIRTIOFS_FOPEN_KEEP_CACHE: don't invalidate the data cache on open
 * VIRTIOFS_FOPEN_NONSEEKABLE: the file is not seekable
 * VIRTIOFS_FOPEN_CACHE_DIR: allow caching this directory
 * VIRTIOFS_FOPEN_STREAM: the file is stream-like (no file position at all)
 * VIRTIOFS_FOPEN_NOFLUSH: don't flush data cache on close (unless VIRTIOFS_FUSE_WRITEBACK_CACHE)
 * VIRTIOFS_FOPEN_PARALLEL_DIRECT_WRITES: Allow concurrent direct writes on the same inode
 * VIRTIOFS_FOPEN_PASSTHROUGH: passthrough read/write io for this open file
 */
#define VIRTIOFS_FOPEN_DIRECT_IO		(1U << 0)
#define VIRTIOFS_FOPEN_KEEP_CACHE	(1U << 1)
#define VIRTIOFS_FOPEN_NONSEEKABLE	(1U << 2)
#define VIRTIOFS_FOPEN_CACHE_DIR		(1U << 3)
#define VIRTIOFS_FOPEN_STREAM		(1U << 4)
#define VIRTIOFS_FOPEN_NOFLUSH		(1U << 5)
#define VIRTIOFS_FOPEN_PARALLEL_DIRECT_WRITES	(1U << 6)
#define VIRTIOFS_FOPEN_PASSTHROUGH	(1U << 7)

/**
 * INIT request/reply flags
 *
 * VIRTIOFS_FUSE_ASYNC_READ: asynchronous read requests
 * VIRTIOFS_FUSE_POSIX_LOCKS: remote locking for POSIX file locks
 * VIRTIOFS_FUSE_FILE_OPS: kernel sends file handle for fstat, etc... (not yet supported)
 * VIRTIOFS_FUSE_ATOMIC_O_TRUNC: handles the O_TRUNC open flag in the filesystem
 * VIRTIOFS_FUSE_EXPORT_SUPPORT: filesystem handles lookups of "." and ".."
 * VIRTIOFS_FUSE_BIG_WRITES: filesystem can handle write size larger than 4kB
 * VIRTIOFS_FUSE_DONT_MASK: don't apply umask to file mode on create operations
 * VIRTIOFS_FUSE_SPLICE_WRITE: kernel supports splice write on the device
 * VIRTIOFS_FUSE_SPLICE_MOVE: kernel supports splice move on the device
 * VIRTIOFS_FUSE_SPLICE_READ: kernel supports splice read on the device
 * VIRTIOFS_FUSE_FLOCK_LOCKS: remote locking for BSD style file locks
 * VIRTIOFS_FUSE_HAS_IOCTL_DIR: kernel supports ioctl on directories
 * VIRTIOFS_FUSE_AUTO_INVAL_DATA: automatically invalidate cached pages
 * VIRTIOFS_FUSE_DO_READDIRPLUS: do READDIRPLUS (READDIR+LOOKUP in one)
 * VIRTIOFS_FUSE_READDIRPLUS_AUTO: adaptive readdirplus
 * VIRTIOFS_FUSE_ASYNC_DIO: asynchronous direct I/O submission
 * VIRTIOFS_FUSE_WRITEBACK_CACHE: use writeback cache for buffered writes
 * VIRTIOFS_FUSE_NO_OPEN_SUPPORT: kernel supports zero-message opens
 * VIRTIOFS_FUSE_PARALLEL_DIROPS: allow parallel lookups and readdir
 * VIRTIOFS_FUSE_HANDLE_KILLPRIV: fs handles killing suid/sgid/cap on write/chown/trunc
 * VIRTIOFS_FUSE_POSIX_ACL: filesystem supports posix acls
 * VIRTIOFS_FUSE_ABORT_ERROR: reading the device after abort returns ECONNABORTED
 * VIRTIOFS_FUSE_MAX_PAGES: init_out.max_pages contains the max number of req pages
 * VIRTIOFS_FUSE_CACHE_SYMLINKS: cache READLINK responses
 * VIRTIOFS_FUSE_NO_OPENDIR_SUPPORT: kernel supports zero-message opendir
 * VIRTIOFS_FUSE_EXPLICIT_INVAL_DATA: only invalidate cached pages on explicit request
 * VIRTIOFS_FUSE_MAP_ALIGNMENT: init_out.map_alignment contains log2(byte alignment) for
 *		       foffset and moffset fields in struct
 *		       virtiofs_fuse_setupmapping_out and virtiofs_fuse_removemapping_one.
 * VIRTIOFS_FUSE_SUBMOUNTS: kernel supports auto-mounting directory submounts
 * VIRTIOFS_FUSE_HANDLE_KILLPRIV_V2: fs kills suid/sgid/cap on write/chown/trunc.
 *			Upon write/truncate suid/sgid is only killed if caller
 *			does not have CAP_FSETID. Additionally upon
 *			write/truncate sgid is killed only if file has group
 *			execute permission. (Same as Linux VFS behavior).
 * VIRTIOFS_FUSE_SETXATTR_EXT:	Server supports extended struct virtiofs_fuse_setxattr_in
 * VIRTIOFS_FUSE_INIT_EXT: extended virtiofs_fuse_init_in request
 * VIRTIOFS_FUSE_INIT_RESERVED: reserved, do not use
 * VIRTIOFS_FUSE_SECURITY_CTX:	add security context to create, mkdir, symlink, and
 *			mknod
 * VIRTIOFS_FUSE_HAS_INODE_DAX:  use per inode DAX
 * VIRTIOFS_FUSE_CREATE_SUPP_GROUP: add supplementary group info to create, mkdir,
 *			symlink and mknod (single group that matches parent)
 * VIRTIOFS_FUSE_HAS_EXPIRE_ONLY: kernel supports expiry-only entry invalidation
 * VIRTIOFS_FUSE_DIRECT_IO_ALLOW_MMAP: allow shared mmap in VIRTIOFS_FOPEN_DIRECT_IO mode.
 * VIRTIOFS_FUSE_NO_EXPORT_SUPPORT: explicitly disable export support
 * VIRTIOFS_FUSE_HAS_RESEND: kernel supports resending pending requests, and the high bit
 *		    of the request ID indicates resend requests
 * VIRTIOFS_FUSE_ALLOW_IDMAP: allow creation of idmapped mounts
 * VIRTIOFS_FUSE_OVER_IO_URING: Indicate that client supports io-uring
 * VIRTIOFS_FUSE_REQUEST_TIMEOUT: kernel supports timing out requests.
 *			 init_out.request_timeout contains the timeout (in secs)
 */
#define VIRTIOFS_FUSE_ASYNC_READ		(1U << 0)
#define VIRTIOFS_FUSE_POSIX_LOCKS	(1U << 1)
#define VIRTIOFS_FUSE_FILE_OPS		(1U << 2)
#define VIRTIOFS_FUSE_ATOMIC_O_TRUNC	(1U << 3)
#define VIRTIOFS_FUSE_EXPORT_SUPPORT	(1U << 4)
#define VIRTIOFS_FUSE_BIG_WRITES		(1U << 5)
#define VIRTIOFS_FUSE_DONT_MASK		(1U << 6)
#define VIRTIOFS_FUSE_SPLICE_WRITE	(1U << 7)
#define VIRTIOFS_FUSE_SPLICE_MOVE	(1U << 8)
#define VIRTIOFS_FUSE_SPLICE_READ	(1U << 9)
#define VIRTIOFS_FUSE_FLOCK_LOCKS	(1U << 10)
#define VIRTIOFS_FUSE_HAS_IOCTL_DIR	(1U << 11)
#define VIRTIOFS_FUSE_AUTO_INVAL_DATA	(1U << 12)
#define VIRTIOFS_FUSE_DO_READDIRPLUS	(1U << 13)
#define VIRTIOFS_FUSE_READDIRPLUS_AUTO	(1U << 14)
#define VIRTIOFS_FUSE_ASYNC_DIO		(1U << 15)
#define VIRTIOFS_FUSE_WRITEBACK_CACHE	(1U << 16)
#define VIRTIOFS_FUSE_NO_OPEN_SUPPORT	(1U << 17)
#define VIRTIOFS_FUSE_PARALLEL_DIROPS    (1U << 18)
#define VIRTIOFS_FUSE_HANDLE_KILLPRIV	(1U << 19)
#define VIRTIOFS_FUSE_POSIX_ACL		(1U << 20)
#define VIRTIOFS_FUSE_ABORT_ERROR	(1U << 21)
#define VIRTIOFS_FUSE_MAX_PAGES		(1U << 22)
#define VIRTIOFS_FUSE_CACHE_SYMLINKS	(1U << 23)
#define VIRTIOFS_FUSE_NO_OPENDIR_SUPPORT (1U << 24)
#define VIRTIOFS_FUSE_EXPLICIT_INVAL_DATA (1U << 25)
#define VIRTIOFS_FUSE_MAP_ALIGNMENT	(1U << 26)
#define VIRTIOFS_FUSE_SUBMOUNTS		(1U << 27)
#define VIRTIOFS_FUSE_HANDLE_KILLPRIV_V2	(1U << 28)
#define VIRTIOFS_FUSE_SETXATTR_EXT	(1U << 29)
#define VIRTIOFS_FUSE_INIT_EXT		(1U << 30)
#define VIRTIOFS_FUSE_INIT_RESERVED	(1U << 31)
/* bits 32..63 get shifted down 32 bits into the flags2 field */
#define VIRTIOFS_FUSE_SECURITY_CTX	(1ULL << 32)
#define VIRTIOFS_FUSE_HAS_INODE_DAX	(1ULL << 33)
#define VIRTIOFS_FUSE_CREATE_SUPP_GROUP	(1ULL << 34)
#define VIRTIOFS_FUSE_HAS_EXPIRE_ONLY	(1ULL << 35)
#define VIRTIOFS_FUSE_DIRECT_IO_ALLOW_MMAP (1ULL << 36)
#define VIRTIOFS_FUSE_PASSTHROUGH	(1ULL << 37)
#define VIRTIOFS_FUSE_NO_EXPORT_SUPPORT	(1ULL << 38)
#define VIRTIOFS_FUSE_HAS_RESEND		(1ULL << 39)
/* Obsolete alias for VIRTIOFS_FUSE_DIRECT_IO_ALLOW_MMAP */
#define VIRTIOFS_FUSE_DIRECT_IO_RELAX	VIRTIOFS_FUSE_DIRECT_IO_ALLOW_MMAP
#define VIRTIOFS_FUSE_ALLOW_IDMAP	(1ULL << 40)
#define VIRTIOFS_FUSE_OVER_IO_URING	(1ULL << 41)
#define VIRTIOFS_FUSE_REQUEST_TIMEOUT	(1ULL << 42)

/**
 * CUSE INIT request/reply flags
 *
 * VIRTIOFS_CUSE_UNRESTRICTED_IOCTL:  use unrestricted ioctl
 */
#define VIRTIOFS_CUSE_UNRESTRICTED_IOCTL	(1U << 0)

/**
 * Release flags
 */
#define VIRTIOFS_FUSE_RELEASE_FLUSH	(1U << 0)
#define VIRTIOFS_FUSE_RELEASE_FLOCK_UNLOCK	(1U << 1)

/**
 * Getattr flags
 */
#define VIRTIOFS_FUSE_GETATTR_FH		(1U << 0)

/**
 * Lock flags
 */
#define VIRTIOFS_FUSE_LK_FLOCK		(1U << 0)

/**
 * WRITE flags
 *
 * VIRTIOFS_FUSE_WRITE_CACHE: delayed write from page cache, file handle is guessed
 * VIRTIOFS_FUSE_WRITE_LOCKOWNER: lock_owner field is valid
 * VIRTIOFS_FUSE_WRITE_KILL_SUIDGID: kill suid and sgid bits
 */
#define VIRTIOFS_FUSE_WRITE_CACHE	(1U << 0)
#define VIRTIOFS_FUSE_WRITE_LOCKOWNER	(1U << 1)
#define VIRTIOFS_FUSE_WRITE_KILL_SUIDGID (1U << 2)

/* Obsolete alias; this flag implies killing suid/sgid only. */
#define VIRTIOFS_FUSE_WRITE_KILL_PRIV	VIRTIOFS_FUSE_WRITE_KILL_SUIDGID

/**
 * Read flags
 */
#define VIRTIOFS_FUSE_READ_LOCKOWNER	(1U << 1)

/**
 * Ioctl flags
 *
 * VIRTIOFS_FUSE_IOCTL_COMPAT: 32bit compat ioctl on 64bit machine
 * VIRTIOFS_FUSE_IOCTL_UNRESTRICTED: not restricted to well-formed ioctls, retry allowed
 * VIRTIOFS_FUSE_IOCTL_RETRY: retry with new iovecs
 * VIRTIOFS_FUSE_IOCTL_32BIT: 32bit ioctl
 * VIRTIOFS_FUSE_IOCTL_DIR: is a directory
 * VIRTIOFS_FUSE_IOCTL_COMPAT_X32: x32 compat ioctl on 64bit machine (64bit time_t)
 *
 * VIRTIOFS_FUSE_IOCTL_MAX_IOV: maximum of in_iovecs + out_iovecs
 */
#define VIRTIOFS_FUSE_IOCTL_COMPAT	(1U << 0)
#define VIRTIOFS_FUSE_IOCTL_UNRESTRICTED	(1U << 1)
#define VIRTIOFS_FUSE_IOCTL_RETRY	(1U << 2)
#define VIRTIOFS_FUSE_IOCTL_32BIT	(1U << 3)
#define VIRTIOFS_FUSE_IOCTL_DIR		(1U << 4)
#define VIRTIOFS_FUSE_IOCTL_COMPAT_X32	(1U << 5)

#define VIRTIOFS_FUSE_IOCTL_MAX_IOV	256

/**
 * Poll flags
 *
 * VIRTIOFS_FUSE_POLL_SCHEDULE_NOTIFY: request poll notify
 */
#define VIRTIOFS_FUSE_POLL_SCHEDULE_NOTIFY (1U << 0)

/**
 * Fsync flags
 *
 * VIRTIOFS_FUSE_FSYNC_FDATASYNC: Sync data only, not metadata
 */
#define VIRTIOFS_FUSE_FSYNC_FDATASYNC	(1U << 0)

/**
 * virtiofs_fuse_attr flags
 *
 * VIRTIOFS_FUSE_ATTR_SUBMOUNT: Object is a submount root
 * VIRTIOFS_FUSE_ATTR_DAX: Enable DAX for this file in per inode DAX mode
 */
#define VIRTIOFS_FUSE_ATTR_SUBMOUNT      (1U << 0)
#define VIRTIOFS_FUSE_ATTR_DAX		(1U << 1)

/**
 * Open flags
 * VIRTIOFS_FUSE_OPEN_KILL_SUIDGID: Kill suid and sgid if executable
 */
#define VIRTIOFS_FUSE_OPEN_KILL_SUIDGID	(1U << 0)

/**
 * setxattr flags
 * VIRTIOFS_FUSE_SETXATTR_ACL_KILL_SGID: Clear SGID when system.posix_acl_access is set
 */
#define VIRTIOFS_FUSE_SETXATTR_ACL_KILL_SGID	(1U << 0)

/**
 * notify_inval_entry flags
 * VIRTIOFS_FUSE_EXPIRE_ONLY
 */
#define VIRTIOFS_FUSE_EXPIRE_ONLY		(1U << 0)

/**
 * extension type
 * VIRTIOFS_FUSE_MAX_NR_SECCTX: maximum value of &virtiofs_fuse_secctx_header.nr_secctx
 * VIRTIOFS_FUSE_EXT_GROUPS: &virtiofs_fuse_supp_groups extension
 */
enum virtiofs_fuse_ext_type {
	/* Types 0..31 are reserved for virtiofs_fuse_secctx_header */
	VIRTIOFS_FUSE_MAX_NR_SECCTX	= 31,
	VIRTIOFS_FUSE_EXT_GROUPS		= 32,
};

enum virtiofs_fuse_opcode {
	VIRTIOFS_FUSE_LOOKUP		= 1,
	VIRTIOFS_FUSE_FORGET		= 2,  /* no reply */
	VIRTIOFS_FUSE_GETATTR		= 3,
	VIRTIOFS_FUSE_SETATTR		= 4,
	VIRTIOFS_FUSE_READLINK		= 5,
	VIRTIOFS_FUSE_SYMLINK		= 6,
	VIRTIOFS_FUSE_MKNOD		= 8,
	VIRTIOFS_FUSE_MKDIR		= 9,
	VIRTIOFS_FUSE_UNLINK		= 10,
	VIRTIOFS_FUSE_RMDIR		= 11,
	VIRTIOFS_FUSE_RENAME		= 12,
	VIRTIOFS_FUSE_LINK		= 13,
	VIRTIOFS_FUSE_OPEN		= 14,
	VIRTIOFS_FUSE_READ		= 15,
	VIRTIOFS_FUSE_WRITE		= 16,
	VIRTIOFS_FUSE_STATFS		= 17,
	VIRTIOFS_FUSE_RELEASE		= 18,
	VIRTIOFS_FUSE_FSYNC		= 20,
	VIRTIOFS_FUSE_SETXATTR		= 21,
	VIRTIOFS_FUSE_GETXATTR		= 22,
	VIRTIOFS_FUSE_LISTXATTR		= 23,
	VIRTIOFS_FUSE_REMOVEXATTR	= 24,
	VIRTIOFS_FUSE_FLUSH		= 25,
	VIRTIOFS_FUSE_INIT		= 26,
	VIRTIOFS_FUSE_OPENDIR		= 27,
	VIRTIOFS_FUSE_READDIR		= 28,
	VIRTIOFS_FUSE_RELEASEDIR		= 29,
	VIRTIOFS_FUSE_FSYNCDIR		= 30,
	VIRTIOFS_FUSE_GETLK		= 31,
	VIRTIOFS_FUSE_SETLK		= 32,
	VIRTIOFS_FUSE_SETLKW		= 33,
	VIRTIOFS_FUSE_ACCESS		= 34,
	VIRTIOFS_FUSE_CREATE		= 35,
	VIRTIOFS_FUSE_INTERRUPT		= 36,
	VIRTIOFS_FUSE_BMAP		= 37,
	VIRTIOFS_FUSE_DESTROY		= 38,
	VIRTIOFS_FUSE_IOCTL		= 39,
	VIRTIOFS_FUSE_POLL		= 40,
	VIRTIOFS_FUSE_NOTIFY_REPLY	= 41,
	VIRTIOFS_FUSE_BATCH_FORGET	= 42,
	VIRTIOFS_FUSE_FALLOCATE		= 43,
	VIRTIOFS_FUSE_READDIRPLUS	= 44,
	VIRTIOFS_FUSE_RENAME2		= 45,
	VIRTIOFS_FUSE_LSEEK		= 46,
	VIRTIOFS_FUSE_COPY_FILE_RANGE	= 47,
	VIRTIOFS_FUSE_SETUPMAPPING	= 48,
	VIRTIOFS_FUSE_REMOVEMAPPING	= 49,
	VIRTIOFS_FUSE_SYNCFS		= 50,
	VIRTIOFS_FUSE_TMPFILE		= 51,
	VIRTIOFS_FUSE_STATX		= 52,
	VIRTIOFS_FUSE_COPY_FILE_RANGE_64	= 53,

	/* CUSE specific operations */
	VIRTIOFS_CUSE_INIT		= 4096,

	/* Reserved opcodes: helpful to detect structure endian-ness */
	VIRTIOFS_CUSE_INIT_BSWAP_RESERVED	= 1048576,	/* VIRTIOFS_CUSE_INIT << 8 */
	VIRTIOFS_FUSE_INIT_BSWAP_RESERVED	= 436207616,	/* VIRTIOFS_FUSE_INIT << 24 */
};

enum virtiofs_fuse_notify_code {
	VIRTIOFS_FUSE_NOTIFY_POLL   = 1,
	VIRTIOFS_FUSE_NOTIFY_INVAL_INODE = 2,
	VIRTIOFS_FUSE_NOTIFY_INVAL_ENTRY = 3,
	VIRTIOFS_FUSE_NOTIFY_STORE = 4,
	VIRTIOFS_FUSE_NOTIFY_RETRIEVE = 5,
	VIRTIOFS_FUSE_NOTIFY_DELETE = 6,
	VIRTIOFS_FUSE_NOTIFY_RESEND = 7,
	VIRTIOFS_FUSE_NOTIFY_INC_EPOCH = 8,
	VIRTIOFS_FUSE_NOTIFY_PRUNE = 9,
};

/* The read buffer is required to be at least 8k, but may be much larger */
#define VIRTIOFS_FUSE_MIN_READ_BUFFER 8192

#define VIRTIOFS_FUSE_COMPAT_ENTRY_OUT_SIZE 120

struct virtiofs_fuse_entry_out {
	uint64_t	nodeid;		/* Inode ID */
	uint64_t	generation;	/* Inode generation: nodeid:gen must
					   be unique for the fs's lifetime */
	uint64_t	entry_valid;	/* Cache timeout for the name */
	uint64_t	attr_valid;	/* Cache timeout for the attributes */
	uint32_t	entry_valid_nsec;
	uint32_t	attr_valid_nsec;
	struct virtiofs_fuse_attr attr;
};

struct virtiofs_fuse_forget_in {
	uint64_t	nlookup;
};

struct virtiofs_fuse_forget_one {
	uint64_t	nodeid;
	uint64_t	nlookup;
};

struct virtiofs_fuse_batch_forget_in {
	uint32_t	count;
	uint32_t	dummy;
};

struct virtiofs_fuse_getattr_in {
	uint32_t	getattr_flags;
	uint32_t	dummy;
	uint64_t	fh;
};

#define VIRTIOFS_FUSE_COMPAT_ATTR_OUT_SIZE 96

struct virtiofs_fuse_attr_out {
	uint64_t	attr_valid;	/* Cache timeout for the attributes */
	uint32_t	attr_valid_nsec;
	uint32_t	dummy;
	struct virtiofs_fuse_attr attr;
};

struct virtiofs_fuse_statx_in {
	uint32_t	getattr_flags;
	uint32_t	reserved;
	uint64_t	fh;
	uint32_t	sx_flags;
	uint32_t	sx_mask;
};

struct virtiofs_fuse_statx_out {
	uint64_t	attr_valid;	/* Cache timeout for the attributes */
	uint32_t	attr_valid_nsec;
	uint32_t	flags;
	uint64_t	spare[2];
	struct virtiofs_fuse_statx stat;
};

#define VIRTIOFS_FUSE_COMPAT_MKNOD_IN_SIZE 8

struct virtiofs_fuse_mknod_in {
	uint32_t	mode;
	uint32_t	rdev;
	uint32_t	umask;
	uint32_t	padding;
};

struct virtiofs_fuse_mkdir_in {
	uint32_t	mode;
	uint32_t	umask;
};

struct virtiofs_fuse_rename_in {
	uint64_t	newdir;
};

struct virtiofs_fuse_rename2_in {
	uint64_t	newdir;
	uint32_t	flags;
	uint32_t	padding;
};

struct virtiofs_fuse_link_in {
	uint64_t	oldnodeid;
};

struct virtiofs_fuse_setattr_in {
	uint32_t	valid;
	uint32_t	padding;
	uint64_t	fh;
	uint64_t	size;
	uint64_t	lock_owner;
	uint64_t	atime;
	uint64_t	mtime;
	uint64_t	ctime;
	uint32_t	atimensec;
	uint32_t	mtimensec;
	uint32_t	ctimensec;
	uint32_t	mode;
	uint32_t	unused4;
	uint32_t	uid;
	uint32_t	gid;
	uint32_t	unused5;
};

struct virtiofs_fuse_open_in {
	uint32_t	flags;
	uint32_t	open_flags;	/* VIRTIOFS_FUSE_OPEN_... */
};

struct virtiofs_fuse_create_in {
	uint32_t	flags;
	uint32_t	mode;
	uint32_t	umask;
	uint32_t	open_flags;	/* VIRTIOFS_FUSE_OPEN_... */
};

struct virtiofs_fuse_open_out {
	uint64_t	fh;
	uint32_t	open_flags;
	int32_t		backing_id;
};

struct virtiofs_fuse_release_in {
	uint64_t	fh;
	uint32_t	flags;
	uint32_t	release_flags;
	uint64_t	lock_owner;
};

struct virtiofs_fuse_flush_in {
	uint64_t	fh;
	uint32_t	unused;
	uint32_t	padding;
	uint64_t	lock_owner;
};

struct virtiofs_fuse_read_in {
	uint64_t	fh;
	uint64_t	offset;
	uint32_t	size;
	uint32_t	read_flags;
	uint64_t	lock_owner;
	uint32_t	flags;
	uint32_t	padding;
};

#define VIRTIOFS_FUSE_COMPAT_WRITE_IN_SIZE 24

struct virtiofs_fuse_write_in {
	uint64_t	fh;
	uint64_t	offset;
	uint32_t	size;
	uint32_t	write_flags;
	uint64_t	lock_owner;
	uint32_t	flags;
	uint32_t	padding;
};

struct virtiofs_fuse_write_out {
	uint32_t	size;
	uint32_t	padding;
};

#define VIRTIOFS_FUSE_COMPAT_STATFS_SIZE 48

struct virtiofs_fuse_statfs_out {
	struct virtiofs_fuse_kstatfs st;
};

struct virtiofs_fuse_fsync_in {
	uint64_t	fh;
	uint32_t	fsync_flags;
	uint32_t	padding;
};

#define VIRTIOFS_FUSE_COMPAT_SETXATTR_IN_SIZE 8

struct virtiofs_fuse_setxattr_in {
	uint32_t	size;
	uint32_t	flags;
	uint32_t	setxattr_flags;
	uint32_t	padding;
};

struct virtiofs_fuse_getxattr_in {
	uint32_t	size;
	uint32_t	padding;
};

struct virtiofs_fuse_getxattr_out {
	uint32_t	size;
	uint32_t	padding;
};

struct virtiofs_fuse_lk_in {
	uint64_t	fh;
	uint64_t	owner;
	struct virtiofs_fuse_file_lock lk;
	uint32_t	lk_flags;
	uint32_t	padding;
};

struct virtiofs_fuse_lk_out {
	struct virtiofs_fuse_file_lock lk;
};

struct virtiofs_fuse_access_in {
	uint32_t	mask;
	uint32_t	padding;
};

struct virtiofs_fuse_init_in {
	uint32_t	major;
	uint32_t	minor;
	uint32_t	max_readahead;
	uint32_t	flags;
	uint32_t	flags2;
	uint32_t	unused[11];
};

#define VIRTIOFS_FUSE_COMPAT_INIT_OUT_SIZE 8
#define VIRTIOFS_FUSE_COMPAT_22_INIT_OUT_SIZE 24

struct virtiofs_fuse_init_out {
	uint32_t	major;
	uint32_t	minor;
	uint32_t	max_readahead;
	uint32_t	flags;
	uint16_t	max_background;
	uint16_t	congestion_threshold;
	uint32_t	max_write;
	uint32_t	time_gran;
	uint16_t	max_pages;
	uint16_t	map_alignment;
	uint32_t	flags2;
	uint32_t	max_stack_depth;
	uint16_t	request_timeout;
	uint16_t	unused[11];
};

#define VIRTIOFS_CUSE_INIT_INFO_MAX 4096

struct virtiofs_cuse_init_in {
	uint32_t	major;
	uint32_t	minor;
	uint32_t	unused;
	uint32_t	flags;
};

struct virtiofs_cuse_init_out {
	uint32_t	major;
	uint32_t	minor;
	uint32_t	unused;
	uint32_t	flags;
	uint32_t	max_read;
	uint32_t	max_write;
	uint32_t	dev_major;		/* chardev major */
	uint32_t	dev_minor;		/* chardev minor */
	uint32_t	spare[10];
};

struct virtiofs_fuse_interrupt_in {
	uint64_t	unique;
};

struct virtiofs_fuse_bmap_in {
	uint64_t	block;
	uint32_t	blocksize;
	uint32_t	padding;
};

struct virtiofs_fuse_bmap_out {
	uint64_t	block;
};

struct virtiofs_fuse_ioctl_in {
	uint64_t	fh;
	uint32_t	flags;
	uint32_t	cmd;
	uint64_t	arg;
	uint32_t	in_size;
	uint32_t	out_size;
};

struct virtiofs_fuse_ioctl_iovec {
	uint64_t	base;
	uint64_t	len;
};

struct virtiofs_fuse_ioctl_out {
	int32_t		result;
	uint32_t	flags;
	uint32_t	in_iovs;
	uint32_t	out_iovs;
};

struct virtiofs_fuse_poll_in {
	uint64_t	fh;
	uint64_t	kh;
	uint32_t	flags;
	uint32_t	events;
};

struct virtiofs_fuse_poll_out {
	uint32_t	revents;
	uint32_t	padding;
};

struct virtiofs_fuse_notify_poll_wakeup_out {
	uint64_t	kh;
};

struct virtiofs_fuse_fallocate_in {
	uint64_t	fh;
	uint64_t	offset;
	uint64_t	length;
	uint32_t	mode;
	uint32_t	padding;
};

/**
 * FUSE request unique ID flag
 *
 * Indicates whether this is a resend request. The receiver should handle this
 * request accordingly.
 */
#define VIRTIOFS_FUSE_UNIQUE_RESEND (1ULL << 63)

/**
 * This value will be set by the kernel to
 * (struct virtiofs_fuse_in_header).{uid,gid} fields in
 * case when:
 * - fuse daemon enabled VIRTIOFS_FUSE_ALLOW_IDMAP
 * - idmapping information is not available and uid/gid
 *   can not be mapped in accordance with an idmapping.
 *
 * Note: an idmapping information always available
 * for inode creation operations like:
 * VIRTIOFS_FUSE_MKNOD, VIRTIOFS_FUSE_SYMLINK, VIRTIOFS_FUSE_MKDIR, VIRTIOFS_FUSE_TMPFILE,
 * VIRTIOFS_FUSE_CREATE and VIRTIOFS_FUSE_RENAME2 (with RENAME_WHITEOUT).
 */
#define VIRTIOFS_FUSE_INVALID_UIDGID ((uint32_t)(-1))

struct virtiofs_fuse_in_header {
	uint32_t	len;
	uint32_t	opcode;
	uint64_t	unique;
	uint64_t	nodeid;
	uint32_t	uid;
	uint32_t	gid;
	uint32_t	pid;
	uint16_t	total_extlen; /* length of extensions in 8byte units */
	uint16_t	padding;
};

struct virtiofs_fuse_out_header {
	uint32_t	len;
	int32_t		error;
	uint64_t	unique;
};

struct virtiofs_fuse_dirent {
	uint64_t	ino;
	uint64_t	off;
	uint32_t	namelen;
	uint32_t	type;
};

/* Align variable length records to 64bit boundary */
#define VIRTIOFS_FUSE_REC_ALIGN(x) \
	(((x) + sizeof(uint64_t) - 1) & ~(sizeof(uint64_t) - 1))

#define VIRTIOFS_FUSE_NAME_OFFSET offsetof(struct virtiofs_fuse_dirent, name)
#define VIRTIOFS_FUSE_DIRENT_ALIGN(x) VIRTIOFS_FUSE_REC_ALIGN(x)
#define VIRTIOFS_FUSE_DIRENT_SIZE(d) \
	VIRTIOFS_FUSE_DIRENT_ALIGN(VIRTIOFS_FUSE_NAME_OFFSET + (d)->namelen)

struct virtiofs_fuse_direntplus {
	struct virtiofs_fuse_entry_out entry_out;
	struct virtiofs_fuse_dirent dirent;
};

#define VIRTIOFS_FUSE_NAME_OFFSET_DIRENTPLUS \
	offsetof(struct virtiofs_fuse_direntplus, dirent.name)
#define VIRTIOFS_FUSE_DIRENTPLUS_SIZE(d) \
	VIRTIOFS_FUSE_DIRENT_ALIGN(VIRTIOFS_FUSE_NAME_OFFSET_DIRENTPLUS + (d)->dirent.namelen)

struct virtiofs_fuse_notify_inval_inode_out {
	uint64_t	ino;
	int64_t		off;
	int64_t		len;
};

struct virtiofs_fuse_notify_inval_entry_out {
	uint64_t	parent;
	uint32_t	namelen;
	uint32_t	flags;
};

struct virtiofs_fuse_notify_delete_out {
	uint64_t	parent;
	uint64_t	child;
	uint32_t	namelen;
	uint32_t	padding;
};

struct virtiofs_fuse_notify_store_out {
	uint64_t	nodeid;
	uint64_t	offset;
	uint32_t	size;
	uint32_t	padding;
};

struct virtiofs_fuse_notify_retrieve_out {
	uint64_t	notify_unique;
	uint64_t	nodeid;
	uint64_t	offset;
	uint32_t	size;
	uint32_t	padding;
};

/* Matches the size of virtiofs_fuse_write_in */
struct virtiofs_fuse_notify_retrieve_in {
	uint64_t	dummy1;
	uint64_t	offset;
	uint32_t	size;
	uint32_t	dummy2;
	uint64_t	dummy3;
	uint64_t	dummy4;
};

struct virtiofs_fuse_notify_prune_out {
	uint32_t	count;
	uint32_t	padding;
	uint64_t	spare;
};

struct virtiofs_fuse_backing_map {
	int32_t		fd;
	uint32_t	flags;
	uint64_t	padding;
};

/* Device ioctls: */
#define VIRTIOFS_FUSE_DEV_IOC_MAGIC		229
#define VIRTIOFS_FUSE_DEV_IOC_CLONE		_IOR(VIRTIOFS_FUSE_DEV_IOC_MAGIC, 0, uint32_t)
#define VIRTIOFS_FUSE_DEV_IOC_BACKING_OPEN	_IOW(VIRTIOFS_FUSE_DEV_IOC_MAGIC, 1, \
					     struct virtiofs_fuse_backing_map)
#define VIRTIOFS_FUSE_DEV_IOC_BACKING_CLOSE	_IOW(VIRTIOFS_FUSE_DEV_IOC_MAGIC, 2, uint32_t)
#define VIRTIOFS_FUSE_DEV_IOC_SYNC_INIT		_IO(VIRTIOFS_FUSE_DEV_IOC_MAGIC, 3)

struct virtiofs_fuse_lseek_in {
	uint64_t	fh;
	uint64_t	offset;
	uint32_t	whence;
	uint32_t	padding;
};

struct virtiofs_fuse_lseek_out {
	uint64_t	offset;
};

struct virtiofs_fuse_copy_file_range_in {
	uint64_t	fh_in;
	uint64_t	off_in;
	uint64_t	nodeid_out;
	uint64_t	fh_out;
	uint64_t	off_out;
	uint64_t	len;
	uint64_t	flags;
};

/* For VIRTIOFS_FUSE_COPY_FILE_RANGE_64 */
struct virtiofs_fuse_copy_file_range_out {
	uint64_t	bytes_copied;
};

#define VIRTIOFS_FUSE_SETUPMAPPING_FLAG_WRITE (1ull << 0)
#define VIRTIOFS_FUSE_SETUPMAPPING_FLAG_READ (1ull << 1)
struct virtiofs_fuse_setupmapping_in {
	/* An already open handle */
	uint64_t	fh;
	/* Offset into the file to start the mapping */
	uint64_t	foffset;
	/* Length of mapping required */
	uint64_t	len;
	/* Flags, VIRTIOFS_FUSE_SETUPMAPPING_FLAG_* */
	uint64_t	flags;
	/* Offset in Memory Window */
	uint64_t	moffset;
};

struct virtiofs_fuse_removemapping_in {
	/* number of virtiofs_fuse_removemapping_one follows */
	uint32_t        count;
};

struct virtiofs_fuse_removemapping_one {
	/* Offset into the dax window start the unmapping */
	uint64_t        moffset;
	/* Length of mapping required */
	uint64_t	len;
};

#define VIRTIOFS_FUSE_REMOVEMAPPING_MAX_ENTRY   \
		(PAGE_SIZE / sizeof(struct virtiofs_fuse_removemapping_one))

struct virtiofs_fuse_syncfs_in {
	uint64_t	padding;
};

/*
 * For each security context, send virtiofs_fuse_secctx with size of security context
 * virtiofs_fuse_secctx will be followed by security context name and this in turn
 * will be followed by actual context label.
 * virtiofs_fuse_secctx, name, context
 */
struct virtiofs_fuse_secctx {
	uint32_t	size;
	uint32_t	padding;
};

/*
 * Contains the information about how many virtiofs_fuse_secctx structures are being
 * sent and what's the total size of all security contexts (including
 * size of virtiofs_fuse_secctx_header).
 *
 */
struct virtiofs_fuse_secctx_header {
	uint32_t	size;
	uint32_t	nr_secctx;
};

/**
 * struct virtiofs_fuse_ext_header - extension header
 * @size: total size of this extension including this header
 * @type: type of extension
 *
 * This is made compatible with virtiofs_fuse_secctx_header by using type values >
 * VIRTIOFS_FUSE_MAX_NR_SECCTX
 */
struct virtiofs_fuse_ext_header {
	uint32_t	size;
	uint32_t	type;
};

/**
 * struct virtiofs_fuse_supp_groups - Supplementary group extension
 * @nr_groups: number of supplementary groups
 * @groups: flexible array of group IDs
 */
struct virtiofs_fuse_supp_groups {
	uint32_t	nr_groups;
};

/**
 * Size of the ring buffer header
 */
#define VIRTIOFS_FUSE_URING_IN_OUT_HEADER_SZ 128
#define VIRTIOFS_FUSE_URING_OP_IN_OUT_SZ 128

/* Used as part of the virtiofs_fuse_uring_req_header */
struct virtiofs_fuse_uring_ent_in_out {
	uint64_t flags;

	/*
	 * commit ID to be used in a reply to a ring request (see also
	 * struct virtiofs_fuse_uring_cmd_req)
	 */
	uint64_t commit_id;

	/* size of user payload buffer */
	uint32_t payload_sz;
	uint32_t padding;

	uint64_t reserved;
};

/**
 * Header for all fuse-io-uring requests
 */
struct virtiofs_fuse_uring_req_header {
	/* struct virtiofs_fuse_in_header / struct virtiofs_fuse_out_header */
	char in_out[VIRTIOFS_FUSE_URING_IN_OUT_HEADER_SZ];

	/* per op code header */
	char op_in[VIRTIOFS_FUSE_URING_OP_IN_OUT_SZ];

	struct virtiofs_fuse_uring_ent_in_out ring_ent_in_out;
};

/**
 * sqe commands to the kernel
 */
enum virtiofs_fuse_uring_cmd {
	VIRTIOFS_FUSE_IO_URING_CMD_INVALID = 0,

	/* register the request buffer and fetch a fuse request */
	VIRTIOFS_FUSE_IO_URING_CMD_REGISTER = 1,

	/* commit fuse request result and fetch next request */
	VIRTIOFS_FUSE_IO_URING_CMD_COMMIT_AND_FETCH = 2,
};

/**
 * In the 80B command area of the SQE.
 */
struct virtiofs_fuse_uring_cmd_req {
	uint64_t flags;

	/* entry identifier for commits */
	uint64_t commit_id;

	/* queue the command is for (queue index) */
	uint16_t qid;
	uint8_t padding[6];
};

#ifdef __cplusplus
}
#endif

#endif /* VIRTIOFS_FUSE_WIRE_H */
