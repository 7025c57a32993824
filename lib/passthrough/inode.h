/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest knows by node id, and how millions of them are kept with few descriptors:
 *
 *	inode.c		the table, and its index by what the files are on this host
 *	hot.c		an inode in use has a descriptor and is hot, others are made cold
 *	reopen.c	a descriptor for a cold one
 *	filehandle.c	by its file handle, or proven by it
 *	mountfd.c	which mounts can open by file handle
 *	names.c		by its name, where they cannot
 *	remember.c	inodes that the guest forgot
 *
 * Locks: that of the names may be taken with a shard's held, not the other way round.
 */
#ifndef VFI_PASSTHROUGH_INODE_H
#define VFI_PASSTHROUGH_INODE_H

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/bitmap.h"
#include "base/table.h"

struct vfi_share;
struct vfi_guest;

/* Handles up to this size are kept in the record: those of ext4, XFS, btrfs and tmpfs. */
enum { VFI_HANDLE_ROOM = 32 };

/* Of an inode, for good. */
enum {
	VFI_INODE_KEPT = 1,    /* its descriptor is: nothing would lead back to it */
	VFI_INODE_BY_NAME = 2, /* its mount does not open by file handle */
};

struct vfi_inode {
	struct vfi_record head;
	uint8_t used; /* atomic; since the clock's hand came by, hot.c */
	uint8_t flags;
	uint8_t remembered;  /* the guest forgot it; with the shard's lock */
	uint8_t handle_size; /* 0: none, or not asked for yet; with the shard's lock */
	uint16_t handle_type;
	uint16_t type; /* S_IFMT of its mode: never changes */
	/* Who it is. While it is hot, the descriptor keeps these from being used again. */
	uint64_t ino;
	uint32_t dev; /* as the kernel has it: 12 bits major, 20 bits minor */
	uint32_t mount;
	uint64_t born;	  /* time of birth, nanoseconds; 0: the file system has none */
	uint64_t lookups; /* with the shard's lock, as is what follows */
	unsigned char handle[VFI_HANDLE_ROOM]; /* a longer one is in struct vfi_name */
};

/* Of some inodes: their name, and what does not fit into the record. */
struct vfi_name {
	uint64_t parent;   /* its node id; 0: it has no name */
	uint64_t changed;  /* when the file was, when it was made cold */
	struct vfi_fh *fh; /* a long handle, or NULL */
	uint32_t next;	   /* in its bucket: an index; 0: it is the last */
	uint16_t len;
	char text[]; /* without a NUL */
};

struct vfi_names {
	pthread_mutex_t lock; /* protects what is below, and the name of each inode */
	uint32_t count;	      /* atomic to read; of inodes with a name */
	uint32_t size;	      /* buckets, a power of two; 0: none yet */
	uint32_t *buckets;    /* the index of the first inode; 0: none */
};

struct vfi_inode_local {
	struct vfi_local head;
	struct vfi_name *name; /* with the names' lock */
	uint32_t next;	       /* in its bucket: an index; 0: it is the last */
	int fd;		       /* atomic; O_PATH, or -1; written with the shard's lock */
	uint32_t children;     /* whose names are below it; with the shard's lock */
	uint32_t fresh;	       /* of a directory, for vfi_lookup() */
};

/* Buckets of the index of inodes are spread over so many locks. */
enum { VFI_INODE_SHARDS = 64 };

struct vfi_inode_shard {
	pthread_mutex_t lock; /* protects what is below, and its inodes */
	uint32_t count;
	uint32_t size;	   /* buckets, a power of two */
	uint32_t *buckets; /* the index of the first inode; 0: none */
};

/* ---- inode.c ---- */

int vfi_inodes_init(struct vfi_guest *guest);
void vfi_inodes_destroy(struct vfi_guest *guest);

/* An inode that an operation is at work on: held, and with a descriptor. */
struct vfi_node {
	struct vfi_guest *guest;
	struct vfi_inode *inode;
	int fd;		 /* O_PATH; the node's, until it is closed */
	uint32_t *fresh; /* of a directory, for vfi_lookup() */
};

/* Returns 0, and @node is to be closed; or the errno to answer: -ESTALE there is no such
 * id, or no such file any more; -ENFILE. */
int vfi_node_open(struct vfi_guest *guest, uint64_t nodeid, struct vfi_node *node);
void vfi_node_close(struct vfi_node *node);

/*
 * One lookup more for the file that a statx of @name below @dir saw. Returns its node
 * id; 0: it is not known, or it is not sure that it is that one: open it and add it.
 */
uint64_t vfi_inode_find(struct vfi_guest *guest, int dir, const char *name, const struct statx *st);
/* One lookup more for an inode that is held; false: it was forgotten meanwhile. */
bool vfi_node_again(const struct vfi_node *node);
/* Room for one more inode: before anything is done on its behalf. Errors: -ENFILE, -ENOMEM. */
int vfi_inode_reserve(struct vfi_guest *guest, struct vfi_inode **room);
void vfi_inode_cancel(struct vfi_guest *guest, struct vfi_inode *room);
/*
 * One lookup more for the file of @fd, known or not; @room and @fd are used up.
 * @st is of @fd. Returns its node id.
 */
uint64_t vfi_inode_add(struct vfi_guest *guest, struct vfi_inode *room, int fd,
		       const struct statx *st);
/* @n lookups less, and the inode is gone with the last. Takes any number for either. */
void vfi_inode_forget(struct vfi_guest *guest, uint64_t nodeid, uint64_t n);

struct vfi_inode_local *vfi_inode_local(const struct vfi_guest *guest,
					const struct vfi_inode *inode);
/* Whether it has a descriptor: for sure where its shard is locked. */
bool vfi_inode_is_hot(const struct vfi_guest *guest, const struct vfi_inode *inode);
/* The shard that an inode is in, locked. */
struct vfi_inode_shard *vfi_inode_lock(struct vfi_guest *guest, const struct vfi_inode *inode);
/* Whether a statx is of that inode: the same numbers, of the same mount. */
bool vfi_inode_matches(const struct vfi_inode *inode, const struct statx *st);
/* Take it out if nothing needs it: no lookup, no child, no memory of it. It is held, its
 * shard locked. Returns whether it was taken out now: then call vfi_name_drop(). */
bool vfi_inode_settle(struct vfi_guest *guest, struct vfi_inode_shard *shard,
		      struct vfi_inode *inode);
/* One child less, of an inode that nothing else may keep. 0 is none. */
void vfi_inode_lost_child(struct vfi_guest *guest, uint64_t nodeid);

/* ---- filehandle.c ---- */

/* A file handle as the kernel has it. MAX_HANDLE_SZ is 128. */
struct vfi_fh {
	uint16_t type;
	uint8_t size; /* 0: there is none */
	bool opens;   /* what open_by_handle_at() takes; others only compare */
	unsigned char bytes[128];
};

/* The handle of a name below a directory, or with "" of the descriptor itself; of size 0
 * where the file system makes none. Returns 0 or a negative errno. */
int vfi_fh_get(int dir, const char *name, struct vfi_fh *fh);
/* An O_PATH descriptor of what a handle means on the mount of @mount_fd. */
int vfi_fh_open(const struct vfi_share *share, int mount_fd, const struct vfi_fh *fh);

/* That of an inode, kept at its demotion. */
void vfi_inode_get_fh(struct vfi_guest *guest, struct vfi_inode *inode, struct vfi_fh *fh);
/* Returns 0 or -ENOMEM. */
int vfi_inode_set_fh(struct vfi_guest *guest, struct vfi_inode *inode, const struct vfi_fh *fh);

/*
 * What tells that a file is the one that was made cold, whose numbers may have come to
 * another: its handle, which holds a generation; without one, that neither its time of
 * birth nor that of its last change is another.
 */
struct vfi_proof {
	struct vfi_fh fh;
	uint64_t born;
	uint64_t changed;
};
/* Of what a statx by name, or of a descriptor with "", saw. */
void vfi_proof_take(struct vfi_proof *proof, int dir, const char *name, const struct statx *st);
/* Whether the cold inode is that file. Its shard is locked. */
bool vfi_proof_holds(struct vfi_guest *guest, const struct vfi_inode *inode,
		     const struct vfi_proof *proof);
uint64_t vfi_birth(const struct statx *st);
uint64_t vfi_change(const struct statx *st);

/* ---- hot.c ---- */

/* What the guests of a share have of descriptors for inodes. */
struct vfi_hot {
	uint32_t max;	      /* where inodes begin to be made cold */
	uint32_t limit;	      /* where no more are opened, for none can be made cold */
	uint32_t used;	      /* atomic */
	pthread_mutex_t lock; /* protects what is below */
	uint32_t guest_count;
	struct vfi_guest *guests;
};

/* An inode, held, that has a descriptor now: count it. Its shard is locked, or it is not
 * published yet. */
void vfi_hot_count(struct vfi_guest *guest, const struct vfi_inode *inode);
/* The opposite, for one that nobody holds any more. */
void vfi_hot_close(struct vfi_guest *guest, const struct vfi_inode *inode);
/* There may be more than should be: make some cold. */
void vfi_hot_trim(struct vfi_guest *guest);
/* Whether there may be one more; false: answer ENFILE. */
bool vfi_hot_has_room(struct vfi_guest *guest);
/* A guest of a share, referenced: that with the most hot or remembered inodes. NULL: none
 * has any. */
struct vfi_guest *vfi_hot_pick(struct vfi_hot *hot, bool remembered);
/* This process has no descriptor left: make inodes cold, of any guest. Whether it helped. */
bool vfi_hot_relieve(struct vfi_hot *hot);
/* Make an inode cold that is held. Returns whether it was done: nobody else uses it, and
 * there is a way back. @hard: also if it was removed, and there is none. */
bool vfi_hot_demote(struct vfi_guest *guest, struct vfi_inode *inode, bool hard);
/* The descriptor of an inode that is held, hot or not, or a negative errno. */
int vfi_hot_open(struct vfi_guest *guest, struct vfi_inode *inode);
/* Have an inode that is held use @fd, or the one it got meanwhile; returns which. @fd may be
 * an errno instead. */
int vfi_hot_install(struct vfi_guest *guest, struct vfi_inode *inode, int fd);

/* ---- reopen.c ---- */

/* A descriptor for a cold inode that is held, not installed yet, or a negative errno. */
int vfi_reopen(struct vfi_guest *guest, struct vfi_inode *inode);

/* ---- mountfd.c ---- */

/* A mount of which a guest knows inodes. */
struct vfi_mount_fd {
	struct vfi_mount_fd *next;
	uint32_t id;
	uint32_t users;
	int fd; /* open for reading, for vfi_fh_open(); -1: that does not work here */
	int why_not;
};

enum { VFI_MOUNT_BUCKETS = 64 };

struct vfi_mount_fds {
	pthread_mutex_t lock; /* protects what is below */
	struct vfi_mount_fd *buckets[VFI_MOUNT_BUCKETS];
};

/* Whether inodes of that mount may be known. Returns 0 or -EOPNOTSUPP, -ENOMEM. */
int vfi_mount_fd_check(struct vfi_share *share, int fd, const struct statx *st);
/* One user more of the mount that @fd is on. Returns the mount, or NULL without memory. */
struct vfi_mount_fd *vfi_mount_fd_get(struct vfi_share *share, uint32_t id, int fd, uint32_t type);
/* The mount of an inode that is held. */
struct vfi_mount_fd *vfi_mount_fd_of(struct vfi_share *share, const struct vfi_inode *inode);
void vfi_mount_fd_put(struct vfi_share *share, uint32_t id);

/* ---- names.c: of inodes whose mount does not open by file handle ---- */

int vfi_names_init(struct vfi_guest *guest);
void vfi_names_destroy(struct vfi_guest *guest);
/* The guest found this node by that name: what it may be found by again. */
void vfi_name_note(struct vfi_guest *guest, uint64_t nodeid, uint64_t parent, const char *text);
/* The name of an inode that is held; false: it has none. */
bool vfi_name_get(struct vfi_guest *guest, const struct vfi_inode *inode, uint64_t *parent,
		  char text[NAME_MAX + 1]);
/* Give an inode that is held another name; without memory it has none then. */
void vfi_name_set(struct vfi_guest *guest, struct vfi_inode *inode, uint64_t parent,
		  const char *text);
/* Take its name from an inode that is held; and with take have its parent's node id
 * returned, for vfi_inode_lost_child(). */
void vfi_name_drop(struct vfi_guest *guest, struct vfi_inode *inode);
uint64_t vfi_name_take(struct vfi_guest *guest, struct vfi_inode *inode);
/* The inode of a name, held, or NULL. */
struct vfi_inode *vfi_name_find(struct vfi_guest *guest, uint64_t parent, const char *text);
/* Free what an inode has here; nobody holds it, and it has no name. */
void vfi_name_free(struct vfi_guest *guest, const struct vfi_inode *inode);
/* The rest of what is kept with a name. Errors: -ENOMEM. */
void vfi_name_get_fh(struct vfi_guest *guest, const struct vfi_inode *inode, struct vfi_fh *fh);
int vfi_name_set_fh(struct vfi_guest *guest, const struct vfi_inode *inode,
		    const struct vfi_fh *fh);
uint64_t vfi_name_changed(struct vfi_guest *guest, const struct vfi_inode *inode);
int vfi_name_set_changed(struct vfi_guest *guest, const struct vfi_inode *inode, uint64_t changed);

/*
 * The names that an UNLINK, RMDIR or RENAME is about to take away, and the inodes that
 * have them: a cold one is opened while it has its name.
 */
struct vfi_renaming {
	struct vfi_guest *guest;
	uint64_t parent[2];
	const char *text[2]; /* from, and to or NULL */
	struct vfi_inode *inode[2];
};
void vfi_renaming_begin(struct vfi_renaming *names);
/* @done: it was; @exchanged: each name has the other's file now. */
void vfi_renaming_end(struct vfi_renaming *names, bool done, bool exchanged);

/* ---- remember.c ---- */

/* An inode that is held was forgotten, and is marked as remembered: make that true. */
void vfi_remember(struct vfi_guest *guest, struct vfi_inode *inode);
/* It is known again. Its shard is locked. */
void vfi_remember_end(struct vfi_guest *guest, struct vfi_inode *inode);
/* Let go of some that are remembered, of any guest. Whether there were any. */
bool vfi_remember_evict(struct vfi_guest *guest);

#endif /* VFI_PASSTHROUGH_INODE_H */
