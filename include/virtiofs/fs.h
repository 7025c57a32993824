/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A filesystem: one ops table in FUSE's own vocabulary.
 *
 * Who includes it: filesystem authors. An op gets a request, decoded and checked,
 * and answers it with one of the virtiofs_reply functions: before it returns, or
 * later, from any thread. What an op is for is the protocol's: the struct it is
 * given is the wire's (fuse_wire.h), and so is its answer.
 *
 * Threads: the ops of one session run on the threads of the device's queues, at
 * the same time where there are several, and on those that run_blocking found
 * (env.h). No lock of the library is held.
 *
 * What the library has checked before an op runs: lengths; names (not empty, no
 * '/', no NUL, not "." or "..", at most 255 bytes: lookup alone may get "." and
 * ".." where EXPORT_SUPPORT was granted); that the reply has room; that payload
 * is as long as it claims. What it has not: node ids, file handles, and every
 * other value.
 */
#ifndef VIRTIOFS_FS_H
#define VIRTIOFS_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <virtiofs/env.h>
#include <virtiofs/fuse_wire.h>

#ifdef __cplusplus
extern "C" {
#endif

struct virtiofs_fs;  /* a filesystem; may be served by several devices at once */
struct virtiofs_req; /* one guest request; ends with exactly one reply */

/* A piece of guest memory: @len bytes in @count iovecs. */
struct virtiofs_iov {
	const struct iovec *iov;
	uint32_t count;
	size_t len;
};

/* What session_begin is told, and may change (fuse_init_in, fuse_init_out). */
struct virtiofs_init {
	size_t size;	/* sizeof(struct virtiofs_init) of the library */
	uint32_t major; /* the guest's protocol version, 7.27 or newer */
	uint32_t minor;
	uint64_t offered;	 /* INIT flags the guest offers: flags | flags2 << 32 */
	uint64_t granted;	 /* in: what the library grants by itself; out: what is granted
				  * (taken away after the call: bits not offered, and those of
				  * what the library does not serve: DAX, other transports,
				  * request timeouts) */
	uint32_t max_readahead;	 /* bytes; in: the guest's; out: at most that */
	uint32_t max_write;	 /* bytes; in: the device's; out: at most that */
	uint16_t max_background; /* requests the guest keeps in flight in the background */
	uint16_t congestion_threshold;
	uint32_t time_gran; /* granularity of timestamps, nanoseconds */
};

/*
 * The operations. A NULL op answers ENOSYS, which makes Linux stop asking for
 * most; forget and the session's may be NULL as well. A member that a smaller
 * @size leaves out is NULL.
 *
 * Pointers given to an op stay valid until its reply. "Valid replies" lists the
 * success; virtiofs_reply_err() is always one more.
 */
struct virtiofs_fs_ops {
	size_t size; /* sizeof(struct virtiofs_fs_ops) */

	/* The filesystem is freed (virtiofs_fs_destroy()). */
	void (*destroy)(void *fs);

	/*
	 * A guest mounts. Everything it gets to know (node ids, handles) belongs
	 * to *@session, which every op is given. Default: *@session is the @fs.
	 * Returns 0, or a negative errno, with which the mount fails.
	 */
	int (*session_begin)(void *fs, void **session, struct virtiofs_init *init);
	/*
	 * The session is over: once for each that began, whatever ended it
	 * (DESTROY, a new INIT, a reset, a disconnect). No request is with the
	 * filesystem any more. Thread: a queue's or the device's.
	 */
	void (*session_end)(void *session);
	/*
	 * Have @req, which is still unanswered, replied to soon: a waiting lock
	 * with EINTR where virtiofs_req_interrupted(), else with EAGAIN. It comes
	 * from a stop, from the guest (INTERRUPT), or from the end of the session.
	 * Thread: that of the request's queue. It may race with the reply: @req
	 * itself stays valid until this call returns.
	 */
	void (*cancel)(void *session, struct virtiofs_req *req);

	/*
	 * The time that virtiofs_req_wait() gave @req is over, and it is unanswered still:
	 * reply, or wait on. Thread: that of the request's queue, in virtiofs_queue_run(). It
	 * may race with the reply of another thread, as cancel may.
	 */
	void (*expire)(void *session, struct virtiofs_req *req);

	/* Valid replies: virtiofs_reply_entry. A nodeid of 0 in it says "no such
	 * name", and may be cached. */
	void (*lookup)(void *session, struct virtiofs_req *req, uint64_t parent, const char *name);
	/* The guest drops @nlookup of the references that entries gave it. No reply. */
	void (*forget)(void *session, uint64_t nodeid, uint64_t nlookup);
	/* Valid replies: virtiofs_reply_attr. */
	void (*getattr)(void *session, struct virtiofs_req *req, uint64_t nodeid,
			const struct virtiofs_fuse_getattr_in *in);
	/* Valid replies: virtiofs_reply_attr. */
	void (*setattr)(void *session, struct virtiofs_req *req, uint64_t nodeid,
			const struct virtiofs_fuse_setattr_in *in);
	/* Valid replies: virtiofs_reply_buf: the target, without a NUL. */
	void (*readlink)(void *session, struct virtiofs_req *req, uint64_t nodeid);
	/* Valid replies: virtiofs_reply_entry. @target: 1 to 4095 bytes, any but NUL. */
	void (*symlink)(void *session, struct virtiofs_req *req, uint64_t parent, const char *name,
			const char *target);
	/* Valid replies: virtiofs_reply_entry. */
	void (*mknod)(void *session, struct virtiofs_req *req, uint64_t parent,
		      const struct virtiofs_fuse_mknod_in *in, const char *name);
	/* Valid replies: virtiofs_reply_entry. */
	void (*mkdir)(void *session, struct virtiofs_req *req, uint64_t parent,
		      const struct virtiofs_fuse_mkdir_in *in, const char *name);
	/* Valid replies: virtiofs_reply_ok. */
	void (*unlink)(void *session, struct virtiofs_req *req, uint64_t parent, const char *name);
	/* Valid replies: virtiofs_reply_ok. */
	void (*rmdir)(void *session, struct virtiofs_req *req, uint64_t parent, const char *name);
	/* RENAME and RENAME2; RENAME has @flags 0. Valid replies: virtiofs_reply_ok. */
	void (*rename)(void *session, struct virtiofs_req *req, uint64_t parent, const char *name,
		       uint64_t newparent, const char *newname, uint32_t flags);
	/* Make @newname in @newparent a link to @nodeid. Valid replies: virtiofs_reply_entry. */
	void (*link)(void *session, struct virtiofs_req *req, uint64_t nodeid, uint64_t newparent,
		     const char *newname);
	/* Valid replies: virtiofs_reply_open. */
	void (*open)(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_open_in *in);
	/* @dst: guest memory to fill, min(in->size, room). Valid replies:
	 * virtiofs_reply_data, virtiofs_reply_buf; short says end of file. */
	void (*read)(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst);
	/* @src: in->size bytes of guest memory. Valid replies: virtiofs_reply_write. */
	void (*write)(void *session, struct virtiofs_req *req, uint64_t nodeid,
		      const struct virtiofs_fuse_write_in *in, const struct virtiofs_iov *src);
	/* Valid replies: virtiofs_reply_statfs. */
	void (*statfs)(void *session, struct virtiofs_req *req, uint64_t nodeid);
	/* Valid replies: virtiofs_reply_ok. The guest ignores an error. */
	void (*release)(void *session, struct virtiofs_req *req, uint64_t nodeid,
			const struct virtiofs_fuse_release_in *in);
	/* Valid replies: virtiofs_reply_ok. */
	void (*fsync)(void *session, struct virtiofs_req *req, uint64_t nodeid,
		      const struct virtiofs_fuse_fsync_in *in);
	/* @value: in->size bytes. Valid replies: virtiofs_reply_ok. */
	void (*setxattr)(void *session, struct virtiofs_req *req, uint64_t nodeid,
			 const struct virtiofs_fuse_setxattr_in *in, const char *name,
			 const struct virtiofs_iov *value);
	/* Valid replies: virtiofs_reply_xattr_size where in->size is 0, else
	 * virtiofs_reply_buf with at most in->size bytes. */
	void (*getxattr)(void *session, struct virtiofs_req *req, uint64_t nodeid,
			 const struct virtiofs_fuse_getxattr_in *in, const char *name);
	/* As getxattr; names one after the other, each with its NUL. */
	void (*listxattr)(void *session, struct virtiofs_req *req, uint64_t nodeid,
			  const struct virtiofs_fuse_getxattr_in *in);
	/* Valid replies: virtiofs_reply_ok. */
	void (*removexattr)(void *session, struct virtiofs_req *req, uint64_t nodeid,
			    const char *name);
	/* A descriptor of the guest's is closed. Valid replies: virtiofs_reply_ok. */
	void (*flush)(void *session, struct virtiofs_req *req, uint64_t nodeid,
		      const struct virtiofs_fuse_flush_in *in);
	/* Valid replies: virtiofs_reply_open. */
	void (*opendir)(void *session, struct virtiofs_req *req, uint64_t nodeid,
			const struct virtiofs_fuse_open_in *in);
	/* @dst as in read; filled by virtiofs_dirent_add(). Valid replies: virtiofs_reply_data. */
	void (*readdir)(void *session, struct virtiofs_req *req, uint64_t nodeid,
			const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst);
	/* The same with virtiofs_direntplus_add(), each entry a lookup of its own. */
	void (*readdirplus)(void *session, struct virtiofs_req *req, uint64_t nodeid,
			    const struct virtiofs_fuse_read_in *in, const struct virtiofs_iov *dst);
	/* Valid replies: virtiofs_reply_ok. */
	void (*releasedir)(void *session, struct virtiofs_req *req, uint64_t nodeid,
			   const struct virtiofs_fuse_release_in *in);
	/* Valid replies: virtiofs_reply_ok. */
	void (*fsyncdir)(void *session, struct virtiofs_req *req, uint64_t nodeid,
			 const struct virtiofs_fuse_fsync_in *in);
	/* Valid replies: virtiofs_reply_lk. */
	void (*getlk)(void *session, struct virtiofs_req *req, uint64_t nodeid,
		      const struct virtiofs_fuse_lk_in *in);
	/* SETLK and, where @wait, SETLKW. Valid replies: virtiofs_reply_ok. */
	void (*setlk)(void *session, struct virtiofs_req *req, uint64_t nodeid,
		      const struct virtiofs_fuse_lk_in *in, bool wait);
	/* Valid replies: virtiofs_reply_ok. */
	void (*access)(void *session, struct virtiofs_req *req, uint64_t nodeid,
		       const struct virtiofs_fuse_access_in *in);
	/* Valid replies: virtiofs_reply_create. */
	void (*create)(void *session, struct virtiofs_req *req, uint64_t parent,
		       const struct virtiofs_fuse_create_in *in, const char *name);
	/* Valid replies: virtiofs_reply_bmap. */
	void (*bmap)(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_bmap_in *in);
	/* @src: in->in_size bytes; @dst: room for in->out_size. Valid replies:
	 * virtiofs_reply_ioctl. */
	void (*ioctl)(void *session, struct virtiofs_req *req, uint64_t nodeid,
		      const struct virtiofs_fuse_ioctl_in *in, const struct virtiofs_iov *src,
		      const struct virtiofs_iov *dst);
	/* Valid replies: virtiofs_reply_poll. */
	void (*poll)(void *session, struct virtiofs_req *req, uint64_t nodeid,
		     const struct virtiofs_fuse_poll_in *in);
	/* Valid replies: virtiofs_reply_ok. */
	void (*fallocate)(void *session, struct virtiofs_req *req, uint64_t nodeid,
			  const struct virtiofs_fuse_fallocate_in *in);
	/* Valid replies: virtiofs_reply_lseek. */
	void (*lseek)(void *session, struct virtiofs_req *req, uint64_t nodeid,
		      const struct virtiofs_fuse_lseek_in *in);
	/* COPY_FILE_RANGE and COPY_FILE_RANGE_64. Valid replies: virtiofs_reply_copied. */
	void (*copy_file_range)(void *session, struct virtiofs_req *req, uint64_t nodeid,
				const struct virtiofs_fuse_copy_file_range_in *in);
	/* Valid replies: virtiofs_reply_ok. */
	void (*syncfs)(void *session, struct virtiofs_req *req, uint64_t nodeid);
	/* A file without a name, open. Valid replies: virtiofs_reply_create. */
	void (*tmpfile)(void *session, struct virtiofs_req *req, uint64_t parent,
			const struct virtiofs_fuse_create_in *in);
	/* Valid replies: virtiofs_reply_statx. */
	void (*statx)(void *session, struct virtiofs_req *req, uint64_t nodeid,
		      const struct virtiofs_fuse_statx_in *in);
};

/*
 * Make a filesystem out of @ops (copied) and @fs (borrowed until destroy; first
 * argument of destroy and session_begin).
 * Errors: -EINVAL; -E2BIG @ops is of a newer library and sets an op this one does
 * not know; -ENOMEM.
 */
VIRTIOFS_API int virtiofs_fs_create(struct virtiofs_fs **ret, const struct virtiofs_env *env,
				    const struct virtiofs_fs_ops *ops, void *fs);
/* Call ops.destroy and free. No device serves it any more. NULL is nothing. */
VIRTIOFS_API void virtiofs_fs_destroy(struct virtiofs_fs *fs);

/* ---- The request, while an op has it ---- */

/* Its header: uid, gid, pid, opcode, unique. Valid until the reply. */
VIRTIOFS_API const struct virtiofs_fuse_in_header *virtiofs_req_header(
	const struct virtiofs_req *req);
/* The flags INIT granted this session: flags | flags2 << 32. */
VIRTIOFS_API uint64_t virtiofs_req_granted(const struct virtiofs_req *req);
/* Groups one request may come with. Linux sends one; it is room in each request. */
#define VIRTIOFS_REQ_GROUPS_MAX 32u
/*
 * Supplementary groups of the user, where CREATE_SUPP_GROUP was granted and a request
 * makes a file: as many as matter for it, which is none or the directory's own. Valid
 * until the reply.
 */
VIRTIOFS_API const uint32_t *virtiofs_req_groups(const struct virtiofs_req *req, uint32_t *count);
/*
 * The label that a file is to have from its first moment on, and the name of the
 * extended attribute to hold it ("security.selinux"), where SECURITY_CTX was granted
 * and a request makes a file. @name: 1 to 255 bytes, any but NUL. @label: 1 to 4096
 * bytes. Returns false, and sets nothing: none was sent. Valid until the reply.
 */
VIRTIOFS_API bool virtiofs_req_security_context(const struct virtiofs_req *req, const char **name,
						const void **label, size_t *len);
/* Whether the queue's thread was attached as VIRTIOFS_QUEUE_DEDICATED, and is the
 * one that runs the op. */
VIRTIOFS_API bool virtiofs_req_dedicated(const struct virtiofs_req *req);
/* A pointer of the filesystem's own, NULL at first; for a reply that comes later. */
VIRTIOFS_API void virtiofs_req_set_context(struct virtiofs_req *req, void *context);
VIRTIOFS_API void *virtiofs_req_context(const struct virtiofs_req *req);

/*
 * For a request that is replied to nobody knows when: have ops.expire called for it in @ns
 * nanoseconds, unless it is answered before. A later call sets the time anew. Thread: the
 * queue's, from the op or from expire.
 * Errors: -ENOLCK half of the queue's max_inflight requests wait so, and the others are for
 * what does not: do not wait; -EINVAL there is no expire, or this is another thread.
 */
VIRTIOFS_API int virtiofs_req_wait(struct virtiofs_req *req, uint64_t ns);
/*
 * In cancel: whether the guest asked for it, whose program has been sent a signal. Linux wants
 * EINTR then, and in no other case: a lock without a signal that is answered so is reported as
 * the error 512 (fuse_setlk()).
 */
VIRTIOFS_API bool virtiofs_req_interrupted(const struct virtiofs_req *req);

/*
 * Ask that the running op be run where it may block; the first line of an op
 * that takes long.
 * Returns true: it will be called once more, with the same arguments, from
 * another thread; it returns at once. False: go on here (nobody can take it, or
 * this is that second call).
 */
VIRTIOFS_API bool virtiofs_req_offload(struct virtiofs_req *req);

/*
 * For an op that has returned without a reply and now touches the guest memory
 * it was given: false says the chain was given back (virtiofs_queue_abort()), and
 * the memory is not the guest's word any more: touch nothing, just reply. True
 * keeps it until virtiofs_req_unpin(). While the op itself runs, its memory is
 * there without a pin. Thread: any, one at a time for a request.
 */
VIRTIOFS_API bool virtiofs_req_pin(struct virtiofs_req *req);
VIRTIOFS_API void virtiofs_req_unpin(struct virtiofs_req *req);

/*
 * Pack one entry into @dst from *@used on, and advance *@used.
 * @next: the offset that a READDIR going on behind this entry will carry.
 * @type: a DT_ value of dirent.h. @name: 1 to 255 bytes.
 * Returns true; false: no room, nothing was written.
 */
VIRTIOFS_API bool virtiofs_dirent_add(const struct virtiofs_iov *dst, size_t *used, uint64_t ino,
				      uint64_t next, uint32_t type, const char *name,
				      size_t name_len);
/* The same for READDIRPLUS. An @entry of all zero is a plain entry, without a lookup. */
VIRTIOFS_API bool virtiofs_direntplus_add(const struct virtiofs_iov *dst, size_t *used,
					  const struct virtiofs_fuse_entry_out *entry, uint64_t ino,
					  uint64_t next, uint32_t type, const char *name,
					  size_t name_len);
/* Bytes virtiofs_dirent_add() and virtiofs_direntplus_add() take for a name. */
VIRTIOFS_API size_t virtiofs_dirent_size(size_t name_len);
VIRTIOFS_API size_t virtiofs_direntplus_size(size_t name_len);

/* ---- Replies: exactly one a request, from any thread; they cannot fail ----
 *
 * A reply writes the answer into guest memory on the calling thread and hands
 * the request to its queue. Afterwards @req is gone; where the reply came later,
 * from another thread, so may be the session.
 */

/* @error: 0, or a negative errno of Linux, -1 to -511; any other becomes -EIO. */
VIRTIOFS_API void virtiofs_reply_err(struct virtiofs_req *req, int error);
/*
 * A success with a body of fixed size; use the typed ones below. A body that does
 * not fit the op's answer is the filesystem's mistake: it becomes EIO.
 */
VIRTIOFS_API void virtiofs_reply(struct virtiofs_req *req, const void *body, size_t len);
/* A success whose first @len bytes of payload are in @dst already. */
VIRTIOFS_API void virtiofs_reply_data(struct virtiofs_req *req, size_t len);
/* A success with @len bytes copied behind the header; too long for the guest: ERANGE. */
VIRTIOFS_API void virtiofs_reply_buf(struct virtiofs_req *req, const void *buf, size_t len);
/* COPY_FILE_RANGE's answer, in whichever of its two forms was asked for. */
VIRTIOFS_API void virtiofs_reply_copied(struct virtiofs_req *req, uint64_t bytes);
/* IOCTL's: @result of the call, with the first @len bytes of @dst filled. */
VIRTIOFS_API void virtiofs_reply_ioctl(struct virtiofs_req *req, int32_t result, size_t len);

static inline void virtiofs_reply_ok(struct virtiofs_req *req)
{
	virtiofs_reply_err(req, 0);
}

static inline void virtiofs_reply_entry(struct virtiofs_req *req,
					const struct virtiofs_fuse_entry_out *out)
{
	virtiofs_reply(req, out, sizeof(*out));
}

static inline void virtiofs_reply_attr(struct virtiofs_req *req,
				       const struct virtiofs_fuse_attr_out *out)
{
	virtiofs_reply(req, out, sizeof(*out));
}

static inline void virtiofs_reply_open(struct virtiofs_req *req,
				       const struct virtiofs_fuse_open_out *out)
{
	virtiofs_reply(req, out, sizeof(*out));
}

static inline void virtiofs_reply_statfs(struct virtiofs_req *req,
					 const struct virtiofs_fuse_statfs_out *out)
{
	virtiofs_reply(req, out, sizeof(*out));
}

static inline void virtiofs_reply_lk(struct virtiofs_req *req,
				     const struct virtiofs_fuse_lk_out *out)
{
	virtiofs_reply(req, out, sizeof(*out));
}

static inline void virtiofs_reply_statx(struct virtiofs_req *req,
					const struct virtiofs_fuse_statx_out *out)
{
	virtiofs_reply(req, out, sizeof(*out));
}

/* What CREATE and TMPFILE answer. */
struct virtiofs_create_out {
	struct virtiofs_fuse_entry_out entry;
	struct virtiofs_fuse_open_out open;
};

static inline void virtiofs_reply_create(struct virtiofs_req *req,
					 const struct virtiofs_create_out *out)
{
	virtiofs_reply(req, out, sizeof(*out));
}

static inline void virtiofs_reply_write(struct virtiofs_req *req, uint32_t bytes)
{
	struct virtiofs_fuse_write_out out = { bytes, 0 };

	virtiofs_reply(req, &out, sizeof(out));
}

static inline void virtiofs_reply_lseek(struct virtiofs_req *req, uint64_t offset)
{
	struct virtiofs_fuse_lseek_out out = { offset };

	virtiofs_reply(req, &out, sizeof(out));
}

static inline void virtiofs_reply_xattr_size(struct virtiofs_req *req, uint32_t size)
{
	struct virtiofs_fuse_getxattr_out out = { size, 0 };

	virtiofs_reply(req, &out, sizeof(out));
}

static inline void virtiofs_reply_bmap(struct virtiofs_req *req, uint64_t block)
{
	struct virtiofs_fuse_bmap_out out = { block };

	virtiofs_reply(req, &out, sizeof(out));
}

static inline void virtiofs_reply_poll(struct virtiofs_req *req, uint32_t revents)
{
	struct virtiofs_fuse_poll_out out = { revents, 0 };

	virtiofs_reply(req, &out, sizeof(out));
}

#ifdef __cplusplus
}
#endif

#endif /* VIRTIOFS_FS_H */
