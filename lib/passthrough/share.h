/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The filesystem that shares a directory of this host. What its files share:
 *
 *	struct vfi_share	the directory and the options, whoever is served
 *	  struct vfi_guest	a session: what one guest got to know
 *	    struct vfi_inode	a node id: a file, held by an O_PATH descriptor or not
 *	    struct vfi_handle	a file handle: a regular file or directory, open
 *
 * A guest names files by number and name only. A number is looked up in a table;
 * a name is one component, and is resolved below the descriptor of a directory.
 */
#ifndef VFI_PASSTHROUGH_SHARE_H
#define VFI_PASSTHROUGH_SHARE_H

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include <virtiofs/fs.h>
#include <virtiofs/io.h>
#include <virtiofs/passthrough.h>

#include "base/base.h"
#include "base/table.h"
#include "passthrough/inode.h"
#include "passthrough/locks.h"

/* How many descriptors of a kind there may be, over all guests. */
struct vfi_budget {
	uint32_t max;
	uint32_t used; /* atomic */
};

enum vfi_id_kind { VFI_ID_RANGE, VFI_ID_SQUASH, VFI_ID_FORBID };

/* So many ids from the first on, and what they are on the other side. */
struct vfi_id_range {
	uint32_t first;
	uint32_t count;
	uint32_t target;
	enum vfi_id_kind kind;
};

/* Ascending, none in another. */
struct vfi_id_ranges {
	uint32_t count;
	struct vfi_id_range ranges[VIRTIOFS_TRANSLATE_MAX];
};

struct vfi_idmap {
	struct vfi_id_ranges to_host;
	struct vfi_id_ranges to_guest;
};

enum vfi_xattrmap_type {
	VFI_XATTRMAP_PREFIX,
	VFI_XATTRMAP_OK,
	VFI_XATTRMAP_BAD,
	VFI_XATTRMAP_UNSUPPORTED,
	VFI_XATTRMAP_MAP, /* in a text alone: it stands for several */
};

/* A part of a text. */
struct vfi_text {
	const char *at;
	size_t len;
};

struct vfi_xattrmap_rule {
	enum vfi_xattrmap_type type;
	uint8_t scope;		 /* xattrmap.c */
	struct vfi_text key;	 /* what a guest's name begins with */
	struct vfi_text prepend; /* what one of this host's does */
};

struct vfi_xattrmap {
	struct vfi_xattrmap_rule *rules;
	uint32_t count; /* 0: names are the same on both sides */
	char *text;
	size_t text_size;
};

/* As the protocol has it. */
struct vfi_period {
	uint64_t sec;
	uint32_t nsec;
};

struct vfi_share {
	struct virtiofs_env env;
	uint32_t cache;		 /* VIRTIOFS_CACHE_ */
	bool killpriv_v2;	 /* granted where the guest offers it */
	uint32_t security_label; /* VIRTIOFS_NEVER, _AUTO, _ALWAYS */
	bool posix_lock;	 /* fcntl(2)'s locks are this host's */
	bool flock;		 /* and those of flock(2) */
	uint64_t lock_timeout;	 /* nanoseconds that somebody waits for one */
	bool xattr;		 /* extended attributes are served */
	uint32_t posix_acl;	 /* VIRTIOFS_NEVER, _AUTO, _ALWAYS */
	struct vfi_xattrmap xattrmap;
	/* What security.capability is called here, if not that. */
	char capabilities[XATTR_NAME_MAX + 1];
	struct vfi_idmap uids;
	struct vfi_idmap gids;
	struct vfi_period entry_valid; /* how long a name, and attributes, are good for, */
	struct vfi_period attr_valid;
	struct vfi_period negative_valid; /* and that a name is not there; 0: not told */
	uint32_t readdirplus;		  /* VIRTIOFS_ON, _OFF, or 0 */
	bool allow_mmap;		  /* of files whose data is not cached */
	bool writeback;			  /* the guest may keep what is written to itself */
	bool direct_io;			  /* O_DIRECT is handed on */
	bool noatime;			  /* O_NOATIME is handed on */
	bool readonly;			  /* nothing is changed */
	bool is_local;			  /* root_dev is a file system of this host's own disks */
	uint32_t root_dev;		  /* of the directory, as struct vfi_mount has it */
	bool file_attr;			  /* IOCTL is served */
	bool submounts;			  /* are announced */
	bool export;			  /* "." and ".." are looked up */
	int root_fd;			  /* the directory */
	int proc_fd;			  /* /proc/self/fd */
	bool has_openat2;		  /* Linux 5.6, and no filter in the way */
	uint32_t no_creation;		  /* atomic; a thread could not be given its ids back */
	/* Protects the two below; a change of ids clears the process's flag, cred.c. */
	pthread_mutex_t dumpable_lock;
	uint32_t switched; /* threads with a guest's ids */
	int dumpable;	   /* what the flag was before the first of them */
	struct vfi_budget inodes;
	struct vfi_budget handles;
	struct vfi_hot *hot;
	struct vfi_mount_fds *mounts;
	struct vfi_mount_fd *root_mount;
	bool by_handle;			 /* inodes may be found again by file handle */
	bool handles_only;		 /* and in no other way */
	struct vfi_hot own_hot;		 /* hot, also for who may not change the rest */
	struct vfi_mount_fds own_mounts; /* mounts, likewise */
	struct vfi_ratelimit spent;	 /* of the line that says that one of them is */
};

/* ---- limits.c ---- */

/* Set what is bounded. Errors: -EINVAL, -EMFILE. */
int vfi_limits_set(struct vfi_share *share, const struct virtiofs_passthrough_options *options);

/* ---- budget.c ---- */

/* One descriptor of a kind more; false: there is none left, which a line of the log says. */
bool vfi_budget_take(struct vfi_share *share, struct vfi_budget *budget);
/* The same without the line. */
bool vfi_budget_try(struct vfi_budget *budget);
void vfi_budget_give(struct vfi_budget *budget);

struct vfi_guest {
	struct vfi_share *share;
	struct vfi_locks locks;
	bool submounts;		/* are announced: the guest knows what they are */
	struct vfi_guest *next; /* of the share's, hot.c */
	uint32_t refs;		/* atomic; the session, and who makes its inodes cold */
	struct vfi_table inodes;
	struct vfi_table handles;
	uint64_t seed; /* of the index's hash, so that a guest cannot aim at one bucket */
	struct vfi_inode_shard shards[VFI_INODE_SHARDS];
	struct vfi_names names;
	struct vfi_bitmap hot;	  /* inodes with a descriptor, but the root */
	uint32_t hot_count;	  /* atomic */
	uint32_t hot_hand;	  /* atomic; the clock's: the next to be looked at */
	struct vfi_bitmap memory; /* inodes that the guest forgot, and we did not */
	uint32_t memory_count;	  /* atomic */
	uint32_t memory_hand;	  /* atomic */
	bool remembers;
};

/* A guest is gone with its last reference; session.c. */
void vfi_guest_put(struct vfi_guest *guest);

/* ---- handle.c ---- */

enum vfi_handle_kind { VFI_HANDLE_FILE = 1, VFI_HANDLE_DIR = 2 };

struct vfi_handle {
	struct vfi_record head;
	uint64_t nodeid;
	uint32_t kind;
	uint32_t pad;
};

struct vfi_dirbuf;

struct vfi_handle_local {
	struct vfi_local head;
	struct vfi_guest *guest;
	struct vfi_handle *handle;
	int fd;
	uint32_t fresh;		   /* of a directory, for vfi_lookup() */
	uint32_t listing;	   /* atomic; a READDIR has @dirbuf and the position of @fd */
	struct vfi_dirbuf *dirbuf; /* dir.c */
};

int vfi_handles_init(struct vfi_guest *guest);
void vfi_handles_destroy(struct vfi_guest *guest);

/* Room for one more handle. Errors: -ENFILE, -ENOMEM. */
int vfi_handle_reserve(struct vfi_guest *guest, struct vfi_handle_local **room);
void vfi_handle_cancel(struct vfi_handle_local *room);
/* Make it known; takes @fd. Returns the file handle. */
uint64_t vfi_handle_publish(struct vfi_handle_local *room, uint64_t nodeid,
			    enum vfi_handle_kind kind, int fd);
/* The handle of that number, held until put; NULL, answer EBADF: there is none, it is not
 * of that kind, or not of that inode. */
struct vfi_handle_local *vfi_handle_get(struct vfi_guest *guest, uint64_t fh, uint64_t nodeid,
					enum vfi_handle_kind kind);
void vfi_handle_put(struct vfi_handle_local *local);
/* Close it, once those that hold it are done. Returns 0 or -EBADF. */
int vfi_handle_release(struct vfi_guest *guest, uint64_t fh, uint64_t nodeid,
		       enum vfi_handle_kind kind);

/* An O_PATH descriptor of an inode that the guest has open, or -ESTALE: it has not. */
int vfi_handle_hold(struct vfi_guest *guest, uint64_t nodeid);

/* Like get, for an operation that ends in a callback: the handle is the request's context.
 * NULL: it has been answered. */
struct vfi_handle_local *vfi_handle_begin(struct virtiofs_req *req, struct vfi_guest *guest,
					  uint64_t fh, uint64_t nodeid, enum vfi_handle_kind kind);
/* Before the reply, after which the guest may be gone and its handles with it. */
void vfi_handle_end(struct virtiofs_req *req);

/* ---- path.c: every way from a name or a descriptor to a descriptor ---- */

/* Whether openat2() is there, seen from @dir. */
bool vfi_path_has_openat2(int dir);
/*
 * Open one component below @dir, a symbolic link being just that.
 * Returns a descriptor or a negative errno; EMFILE, which a guest would take for
 * its own process's, is -ENFILE.
 */
int vfi_path_open(const struct vfi_share *share, int dir, const char *name, int flags, mode_t mode);
/* Open what an O_PATH descriptor holds: a regular file or directory, and nothing else. */
int vfi_path_reopen(const struct vfi_share *share, int fd, uint32_t type, int flags);
/* An O_PATH descriptor of what @fd has open. */
int vfi_path_hold(const struct vfi_share *share, int fd);
/* Whether it is "." or "..". */
bool vfi_path_is_dot(const char *name);
/* An O_PATH descriptor of the directory that the directory @fd is in. The one way up: it
 * may lead out of the shared directory, and who calls it finds out. */
int vfi_path_parent(int fd);
/* An open() that failed for want of descriptors: whether to do it again. @tries begins at 0. */
bool vfi_path_again(const struct vfi_share *share, int fd, unsigned *tries);
/* statx(2) of a component, or with "" of the descriptor itself. */
int vfi_path_stat(int dir, const char *name, struct statx *st);

/* The name of a descriptor below proc_fd. */
struct vfi_fd_name {
	char text[12];
};
struct vfi_fd_name vfi_fd_name(int fd);

/* ---- idmap.c ---- */

/* One rule more, as passthrough.h has them. -EINVAL: it is none, which @error says why. */
int vfi_idmap_add(struct vfi_idmap *map, const char *text, char *error, size_t size);
/* Whether @rule may be one more behind @rules, of which a NULL is the last. */
int vfi_idmap_check(const char *const *rules, const char *rule, char *error, size_t size);
/* An id of the guest's. -EPERM: it is forbidden. */
int vfi_idmap_to_host(const struct vfi_idmap *map, uint32_t id, uint32_t *host);
/* An id of this host's. */
uint32_t vfi_idmap_to_guest(const struct vfi_idmap *map, uint32_t id);

/* ---- attr.c ---- */

void vfi_attr_fill(const struct vfi_share *share, struct virtiofs_fuse_attr *attr,
		   const struct statx *st);
/* GETATTR's and SETATTR's answer: @err, or what @st says. */
void vfi_attr_reply(const struct vfi_share *share, struct virtiofs_req *req, int err,
		    const struct statx *st);
void vfi_entry_fill(const struct vfi_share *share, struct virtiofs_fuse_entry_out *out,
		    uint64_t nodeid, const struct statx *st);

/* ---- dir.c ---- */

void vfi_dirbuf_free(const struct virtiofs_env *env, struct vfi_dirbuf *buf);

/* ---- submount.c ---- */

/* What of this host's mounts a file is on. */
struct vfi_mount {
	uint32_t dev;
	uint32_t id; /* 0: the kernel does not tell */
};

struct vfi_mount vfi_mount_of(const struct statx *st);
/* Say so in @out, where the directory of @st is not on the mount of its parent. */
void vfi_mount_announce(const struct vfi_guest *guest, struct vfi_mount parent,
			const struct statx *st, struct virtiofs_fuse_entry_out *out);

/* ---- lookup.c ---- */

/*
 * Find @name in the directory @dir and count the lookup. Returns 0 or a negative errno.
 * A file that is known takes one statx of its name; one that is not is opened and then
 * looked at, and a statx before that would be for nothing. @fresh is the guess which
 * it will be: what it was for the name before, in that directory. Atomic. @mount is
 * the directory's own.
 */
int vfi_lookup(struct vfi_guest *guest, int dir, struct vfi_mount mount, const char *name,
	       uint32_t *fresh, struct virtiofs_fuse_entry_out *out);

/* ---- export.c ---- */

/* "." or ".." looked up, and the lookup counted. Returns 0 or a negative errno. */
int vfi_export_lookup(const struct vfi_node *node, const char *name,
		      struct virtiofs_fuse_entry_out *out);

/* ---- open.c ---- */

/* What of open flags the guest asks for is handed on; the rest is ours to decide. */
int vfi_open_flags(const struct virtiofs_req *req, uint32_t guest_flags);
/* Flags that an open file gets where it can have them. */
void vfi_open_settle(const struct vfi_share *share, int fd, uint32_t guest_flags);
/* Whether the file system of @fd is known to have all its errors told before a close. */
bool vfi_open_is_local(int fd);
/* The FOPEN_ flags of an answer, for a file on the file system @dev (struct vfi_mount). */
uint32_t vfi_open_answer(const struct virtiofs_req *req, const struct vfi_share *share,
			 enum vfi_handle_kind kind, uint32_t dev, uint32_t guest_flags);

/* A handle of the node, if it is of that kind. @open_flags: VIRTIOFS_FUSE_OPEN_.
 * Returns 0 or a negative errno. */
int vfi_open_node(const struct virtiofs_req *req, const struct vfi_node *node,
		  enum vfi_handle_kind kind, uint32_t flags, uint32_t open_flags,
		  struct virtiofs_fuse_open_out *out);

/* ---- readonly.c ---- */

/* Have the operations that would change the share refuse to. */
void vfi_readonly_ops(struct virtiofs_fs_ops *ops);

/* ---- killpriv.c ---- */

/* Take S_ISUID and S_ISGID from an open file, as a write of one without the right to keep
 * them does. Returns 0, or the errno with which not to write. */
int vfi_kill_suidgid(int fd);
/* Take S_ISGID from what an O_PATH descriptor holds. Returns 0 or a negative errno. */
int vfi_kill_sgid(const struct vfi_share *share, int fd);
/* Take the capabilities from a file that is about to change, where the host's kernel does
 * not: of an open file, and of a node. Returns 0, or the errno with which not to change it. */
int vfi_kill_capabilities(const struct vfi_share *share, int fd);
int vfi_kill_node_capabilities(const struct vfi_node *node, const struct virtiofs_req *req);
/* VIRTIOFS_FUSE_OPEN_ flags of a request, with what the guest's kernel does not say. */
uint32_t vfi_kill_open_flags(const struct virtiofs_req *req, uint32_t open_flags);
/* The same before what the guest's kernel leaves to us without saying for whom. */
int vfi_kill_for_user(const struct virtiofs_req *req, int fd);

/* ---- iov.c ---- */

/* Copy @len bytes from or to the front of guest memory; false: it is shorter. */
bool vfi_iov_take(const struct virtiofs_iov *src, void *buf, size_t len);
bool vfi_iov_put(const struct virtiofs_iov *dst, const void *buf, size_t len);

/* ---- fdxattr.c ---- */

enum vfi_xattr_op { VFI_XATTR_SET, VFI_XATTR_GET, VFI_XATTR_LIST, VFI_XATTR_REMOVE };

/* What is to be done with extended attributes; as setxattr(2) and its sisters have it. */
struct vfi_xattr {
	enum vfi_xattr_op op;
	uint32_t flags;
	const char *name;
	const void *value; /* to set */
	void *buf;	   /* to get or list into */
	size_t size;
};
/* Do it to what the O_PATH descriptor @fd holds, of @type. Returns bytes or a negative errno. */
ssize_t vfi_xattr_call(const struct vfi_share *share, const struct virtiofs_req *req, int fd,
		       uint32_t type, const struct vfi_xattr *x);

/* ---- xattrmap.c ---- */

/* Whether @text is a list of rules; -EINVAL and a text in @error: it is none. @none: unused. */
int vfi_xattrmap_check(const char *const *none, const char *text, char *error, size_t size);
/* Errors: -EINVAL, -ENOMEM, with a text in @error. */
int vfi_xattrmap_init(struct vfi_xattrmap *map, const struct virtiofs_env *env, const char *text,
		      char *error, size_t size);
void vfi_xattrmap_destroy(struct vfi_xattrmap *map, const struct virtiofs_env *env);
/* What the guest's @name is here: *@host is that or @buf. Or the errno to answer: -EPERM,
 * -EOPNOTSUPP; -ERANGE it would be too long. */
int vfi_xattrmap_to_host(const struct vfi_xattrmap *map, const char *name,
			 char buf[XATTR_NAME_MAX + 1], const char **host);
/* What a name of this host's is to the guest, a part of @name; NULL: nothing. */
const char *vfi_xattrmap_to_guest(const struct vfi_xattrmap *map, const char *name);

/* ---- xattr.c ---- */

#define VFI_ACL_ACCESS "system.posix_acl_access"
#define VFI_ACL_DEFAULT "system.posix_acl_default"

/* ---- label.c ---- */

/* Give a file that was just made, and that @fd holds, the label that came with the request,
 * if one did. Returns 0, or the errno with which not to keep the file. */
int vfi_label_new(const struct vfi_share *share, const struct virtiofs_req *req, int fd,
		  uint32_t type);

/* ---- cred.c ---- */

enum { VFI_CRED_GROUPS = 1, VFI_CRED_GID = 2, VFI_CRED_UID = 4, VFI_CRED_UMASK = 8 };

/* The user that a request is made for. */
struct vfi_user {
	uint32_t uid;
	uint32_t gid;
	uint32_t group_count; /* supplementary ones */
	uint32_t groups[VIRTIOFS_REQ_GROUPS_MAX];
};

/*
 * The calling thread in the name of a guest's user: begun with enter before the
 * first change, and everything is as before after leave. No callback in between.
 */
struct vfi_cred {
	struct vfi_share *share;
	uint32_t owner;	  /* who owns what is created */
	uint32_t changed; /* VFI_CRED_ */
	uint32_t uid[3];  /* real, effective, saved */
	uint32_t gid[3];
	struct __user_cap_data_struct caps[2];
	int death_signal;
	mode_t umask;
	bool asking;   /* what the user may, without capabilities */
	bool switched; /* counted in the share */
	size_t group_count;
	uint32_t *groups; /* few_groups, or allocated */
	uint32_t few_groups[64];
};

/*
 * @mask: what the host's kernel is to take off the modes of what is created, by its own
 * rule (none where the directory has a default ACL); only on a thread that has a umask of
 * its own: virtiofs_req_dedicated().
 * Errors: -EIO a thread's ids could not be restored once; -EOVERFLOW no valid id; -EPERM a
 * forbidden one; what the system calls return. Then nothing has changed, and leave must not be
 * called.
 */
int vfi_cred_enter(struct vfi_cred *cred, struct vfi_share *share, const struct virtiofs_req *req,
		   mode_t mask);
/* The same to ask the host's kernel what that user may do. */
int vfi_cred_enter_to_ask(struct vfi_cred *cred, struct vfi_share *share,
			  const struct virtiofs_req *req);
void vfi_cred_leave(struct vfi_cred *cred);

/* ---- The operations, each in the file its comment names ---- */

/* session.c */
int vfi_share_session_begin(void *fs, void **session, struct virtiofs_init *init);
void vfi_share_session_end(void *session);

/* lookup.c */
void vfi_share_lookup(void *session, struct virtiofs_req *req, uint64_t parent, const char *name);
void vfi_share_forget(void *session, uint64_t nodeid, uint64_t nlookup);
void vfi_share_readlink(void *session, struct virtiofs_req *req, uint64_t nodeid);

/* attr.c */
void vfi_share_getattr(void *session, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_getattr_in *in);

/* statx.c */
void vfi_share_statx(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_statx_in *in);

/* setattr.c */
void vfi_share_setattr(void *session, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_setattr_in *in);
void vfi_share_access(void *session, struct virtiofs_req *req, uint64_t nodeid,
		      const struct virtiofs_fuse_access_in *in);

/* create.c */
void vfi_share_symlink(void *session, struct virtiofs_req *req, uint64_t parent, const char *name,
		       const char *target);
void vfi_share_mknod(void *session, struct virtiofs_req *req, uint64_t parent,
		     const struct virtiofs_fuse_mknod_in *in, const char *name);
void vfi_share_mkdir(void *session, struct virtiofs_req *req, uint64_t parent,
		     const struct virtiofs_fuse_mkdir_in *in, const char *name);
void vfi_share_create(void *session, struct virtiofs_req *req, uint64_t parent,
		      const struct virtiofs_fuse_create_in *in, const char *name);
void vfi_share_tmpfile(void *session, struct virtiofs_req *req, uint64_t parent,
		       const struct virtiofs_fuse_create_in *in);
void vfi_share_link(void *session, struct virtiofs_req *req, uint64_t nodeid, uint64_t newparent,
		    const char *newname);

/* remove.c */
void vfi_share_unlink(void *session, struct virtiofs_req *req, uint64_t parent, const char *name);
void vfi_share_rmdir(void *session, struct virtiofs_req *req, uint64_t parent, const char *name);
void vfi_share_rename(void *session, struct virtiofs_req *req, uint64_t parent, const char *name,
		      uint64_t newparent, const char *newname, uint32_t flags);

/* open.c */
void vfi_share_open(void *session, struct virtiofs_req *req, uint64_t nodeid,
		    const struct virtiofs_fuse_open_in *in);
void vfi_share_release(void *session, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_release_in *in);
void vfi_share_read(void *session, struct virtiofs_req *req, uint64_t nodeid,
		    const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst);
void vfi_share_write(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_write_in *in, const struct virtiofs_iov *src);
void vfi_share_flush(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_flush_in *in);
void vfi_share_fsync(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_fsync_in *in);
void vfi_share_fsyncdir(void *session, struct virtiofs_req *req, uint64_t nodeid,
			const struct virtiofs_fuse_fsync_in *in);

/* dir.c */
void vfi_share_opendir(void *session, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_open_in *in);
void vfi_share_releasedir(void *session, struct virtiofs_req *req, uint64_t nodeid,
			  const struct virtiofs_fuse_release_in *in);
void vfi_share_readdir(void *session, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst);
void vfi_share_readdirplus(void *session, struct virtiofs_req *req, uint64_t nodeid,
			   const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst);

/* xattr.c */
void vfi_share_setxattr(void *session, struct virtiofs_req *req, uint64_t nodeid,
			const struct virtiofs_fuse_setxattr_in *in, const char *name,
			const struct virtiofs_iov *value);
void vfi_share_getxattr(void *session, struct virtiofs_req *req, uint64_t nodeid,
			const struct virtiofs_fuse_getxattr_in *in, const char *name);
void vfi_share_listxattr(void *session, struct virtiofs_req *req, uint64_t nodeid,
			 const struct virtiofs_fuse_getxattr_in *in);
void vfi_share_removexattr(void *session, struct virtiofs_req *req, uint64_t nodeid,
			   const char *name);

/* locks.c, lockwait.c */
void vfi_share_getlk(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_lk_in *in);
void vfi_share_setlk(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_lk_in *in, bool wait);
void vfi_share_expire(void *session, struct virtiofs_req *req);
void vfi_share_cancel(void *session, struct virtiofs_req *req);

/* space.c */
void vfi_share_statfs(void *session, struct virtiofs_req *req, uint64_t nodeid);
void vfi_share_fallocate(void *session, struct virtiofs_req *req, uint64_t nodeid,
			 const struct virtiofs_fuse_fallocate_in *in);
void vfi_share_lseek(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_lseek_in *in);
void vfi_share_copy_file_range(void *session, struct virtiofs_req *req, uint64_t nodeid,
			       const struct virtiofs_fuse_copy_file_range_in *in);
void vfi_share_syncfs(void *session, struct virtiofs_req *req, uint64_t nodeid);

/* ioctl.c */
void vfi_share_ioctl(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_ioctl_in *in, const struct virtiofs_iov *src,
		     const struct virtiofs_iov *dst);

#endif /* VFI_PASSTHROUGH_SHARE_H */
