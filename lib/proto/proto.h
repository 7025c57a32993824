/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The FUSE codec: from a chain's bytes to a call of an op, and from a reply to
 * bytes. No system call, no allocation, no state but the message's own.
 */
#ifndef VFI_PROTO_H
#define VFI_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <virtiofs/fs.h>
#include <virtiofs/fuse_wire.h>

enum {
	VFI_IN_HEADER = sizeof(struct virtiofs_fuse_in_header),
	VFI_OUT_HEADER = sizeof(struct virtiofs_fuse_out_header),
	VFI_NAME_MAX = 255,    /* NAME_MAX of linux/limits.h */
	VFI_TARGET_MAX = 4095, /* PATH_MAX less its NUL */
	VFI_NAMES_SIZE = (VFI_NAME_MAX + 1) + (VFI_TARGET_MAX + 1),
	VFI_ARGS_SIZE = 128,	   /* largest fixed part of a request, rounded up */
	VFI_OPCODES = 54,	   /* slots of the opcode table: 0 to COPY_FILE_RANGE_64 */
	VFI_SPARE_IOV = 2,	   /* iovecs more than the chain's, for splitting at payload */
	VFI_MINOR_EXT_HEADER = 38, /* protocol 7.38 gave extensions a length and types */
	/* A page: what Linux takes of a process as the label of what it makes next. */
	VFI_LABEL_MAX = 4096,
	VFI_SECCTX_SIZE = VFI_NAME_MAX + 1 + VFI_LABEL_MAX,
};

/* ---- cursor.c: reading and writing over any split of the bytes ---- */

/*
 * A position in an array of iovecs. It is sticky: an access behind the end fails
 * as a whole, moves nothing, and every later one fails too, so that a caller can
 * check the last one only.
 */
struct vfi_cursor {
	const struct iovec *iov;
	uint32_t count;
	uint32_t index; /* current iovec */
	size_t offset;	/* in it */
	bool failed;
};

void vfi_cursor_init(struct vfi_cursor *c, const struct iovec *iov, uint32_t count);
bool vfi_cursor_read(struct vfi_cursor *c, void *dst, size_t len);
bool vfi_cursor_write(struct vfi_cursor *c, const void *src, size_t len);
bool vfi_cursor_skip(struct vfi_cursor *c, size_t len);
/* Bytes from here to the end. */
size_t vfi_cursor_left(const struct vfi_cursor *c);
/* Sum of the lengths; SIZE_MAX if it overflows. */
size_t vfi_iov_len(const struct iovec *iov, uint32_t count);

/* ---- optable.c: the one table of opcodes ---- */

enum vfi_op_flags {
	VFI_OP_NO_REPLY = 1 << 0,    /* FORGET, BATCH_FORGET, INTERRUPT, NOTIFY_REPLY */
	VFI_OP_CORE = 1 << 1,	     /* not the filesystem's: INIT, DESTROY, INTERRUPT */
	VFI_OP_PREINIT = 1 << 2,     /* allowed without a session */
	VFI_OP_EXT = 1 << 3,	     /* may carry extensions (total_extlen) */
	VFI_OP_PAYLOAD_IN = 1 << 4,  /* bytes behind the fixed part and names stay in place */
	VFI_OP_PAYLOAD_OUT = 1 << 5, /* answer has bytes behind the header, filled in place
				      * or copied */
};

/* What a string of a request may be. */
enum vfi_name_rule {
	VFI_NAME_NONE = 0,
	VFI_NAME_ENTRY,	 /* one path component, not "." or ".." */
	VFI_NAME_LOOKUP, /* the same, but "." and ".." under EXPORT_SUPPORT */
	VFI_NAME_TARGET, /* a symlink's target */
	VFI_NAME_XATTR,	 /* an extended attribute's name */
};

struct vfi_msg;

#define VFI_PAYLOAD_BAD SIZE_MAX

/* A row of the table. */
struct vfi_op {
	const char *name; /* as the protocol spells it, without FUSE_; NULL: unused number */
	uint16_t op;	  /* offset of its member in virtiofs_fs_ops; 0: it has none */
	uint16_t in_min;  /* bytes of the fixed part: shorter than max comes from an older */
	uint16_t in_max;  /* guest and is extended with zeros */
	uint16_t out;	  /* bytes of the fixed part of a success's body: room that must be there */
	uint8_t names[2]; /* enum vfi_name_rule of each string behind the fixed part */
	uint8_t flags;	  /* enum vfi_op_flags */
	/* Size of the fixed part where negotiation decides it; NULL: in_max. */
	uint16_t (*in_size)(uint64_t granted);
	/* Room for the answer where the request's values decide it; NULL: out. */
	size_t (*out_size)(const struct vfi_msg *msg);
	/* Bytes of payload in and out the decoded fixed part claims; payload_out NULL: all
	 * there is room for. Payload in may be VFI_PAYLOAD_BAD: more than is ever taken. */
	size_t (*payload_in)(const struct vfi_msg *msg);
	size_t (*payload_out)(const struct vfi_msg *msg);
	/* Call the op, which is there. NULL: it has none. */
	void (*run)(struct vfi_msg *msg, const struct virtiofs_fs_ops *ops, void *session,
		    struct virtiofs_req *req);
};

extern const struct vfi_op vfi_optable[VFI_OPCODES];
/* The row of an opcode, or NULL. */
const struct vfi_op *vfi_op_find(uint32_t opcode);

/* ---- decode.c ---- */

/*
 * A request on its way: what came in, and where the answer goes. @readable and
 * @writable are the message's own arrays, with VFI_SPARE_IOV more than counted,
 * so that the payload can begin at an iovec of its own.
 */
struct vfi_msg {
	struct iovec *readable;
	struct iovec *writable;
	uint32_t readable_count;
	uint32_t writable_count;
	size_t writable_len;

	struct virtiofs_fuse_in_header in; /* the one copy; never read again from the guest */
	const struct vfi_op *op;	   /* NULL: unknown opcode */
	uint64_t granted;		   /* flags INIT granted the session */
	uint32_t max_write;		   /* bytes WRITE may carry */
	uint32_t minor;			   /* of the session's protocol, as the guest speaks it */
	union {
		unsigned char bytes[VFI_ARGS_SIZE];
		struct virtiofs_fuse_init_in init;
		struct virtiofs_fuse_read_in read;
		struct virtiofs_fuse_write_in write;
		struct virtiofs_fuse_getxattr_in getxattr;
		struct virtiofs_fuse_setxattr_in setxattr;
		struct virtiofs_fuse_ioctl_in ioctl;
		struct virtiofs_fuse_batch_forget_in batch_forget;
		struct virtiofs_fuse_interrupt_in interrupt;
		struct virtiofs_fuse_forget_in forget;
		struct virtiofs_fuse_rename_in rename;
		struct virtiofs_fuse_rename2_in rename2;
		struct virtiofs_fuse_link_in link;
		struct virtiofs_fuse_lk_in lk;
		struct virtiofs_fuse_removemapping_in removemapping;
		uint64_t align;
	} args;
	const char *name[2];
	struct virtiofs_iov payload_in;	 /* readable bytes behind fixed part and names */
	struct virtiofs_iov payload_out; /* writable bytes behind header and fixed answer */
	/* Extensions. */
	uint32_t group_count;
	uint32_t label_len;
	const char
		*secctx_name; /* of the attribute that is to hold the label; NULL: none was sent */
	const char *label;
	uint32_t groups[VIRTIOFS_REQ_GROUPS_MAX];
	char names[VFI_NAMES_SIZE];   /* what name[] points into */
	char secctx[VFI_SECCTX_SIZE]; /* what secctx_name and label point into */
};

/*
 * Read the header into msg->in and find the row. Returns 0; -EINVAL fewer bytes
 * than a header, or a length in it that is shorter than one or longer than the
 * chain; -ENOSYS the opcode is unknown. After an error too vfi_encode() can answer:
 * of a header that is cut off, what is missing is zero.
 */
int vfi_decode_header(struct vfi_msg *msg);

/* Whether an answer fits: a request that wants one and has no room is never run. */
static inline bool vfi_can_reply(const struct vfi_msg *msg)
{
	return msg->writable_len >= VFI_OUT_HEADER;
}

/*
 * The rest: fixed part, names, extensions, payload, room for the answer. msg->granted,
 * max_write and minor are set. Returns 0, or the errno to answer: -EINVAL too short, a
 * string without its NUL, a name that is none, an extension that is none, a payload
 * shorter than it claims or longer than max_write, no room for the answer;
 * -ENAMETOOLONG; -ENOENT an empty target; -E2BIG more groups, contexts or bytes of a
 * label than there is room for.
 */
int vfi_decode(struct vfi_msg *msg);
/* One string of the *@left bytes at @c, its NUL included in *@len, to @dst. */
int vfi_decode_name(const struct vfi_msg *msg, struct vfi_cursor *c, size_t *left,
		    enum vfi_name_rule rule, char *dst, size_t *len);

/*
 * Hand the decoded request to its op. Returns false: the filesystem has no such op,
 * and nothing was called.
 */
bool vfi_dispatch(struct vfi_msg *msg, const struct virtiofs_fs_ops *ops, void *session,
		  struct virtiofs_req *req);

/* ---- extension.c ---- */

/* Whether a header's total_extlen means anything. */
bool vfi_extensions_have_length(const struct vfi_msg *msg);
/* Of a VFI_OP_EXT request: @c is behind its names, @before bytes before its @len of
 * extensions, or before its end where those have no length. */
int vfi_decode_extensions(struct vfi_msg *msg, struct vfi_cursor *c, size_t before, size_t len);

/* ---- encode.c ---- */

/*
 * Write an answer: header, then @len bytes of @body, then @payload_len bytes that
 * are in payload_out already. @error is 0 or a negative errno (then no body).
 * Returns the used length: exactly what the header says; 0 where no header fits.
 */
uint32_t vfi_encode(struct vfi_msg *msg, int error, const void *body, size_t len,
		    size_t payload_len);
/* A success whose @len bytes behind the header are copied; longer than payload_out: ERANGE. */
uint32_t vfi_encode_buf(struct vfi_msg *msg, const void *buf, size_t len);
/* A filesystem's error as the protocol allows it: 0, or -1 to -511, else -EIO. */
int vfi_reply_errno(int error);
/* Bytes of the fixed part of this request's success; 0 for an unknown opcode. */
size_t vfi_fixed_out(const struct vfi_msg *msg);
/* Whether a success of this request has a body of exactly @len bytes. */
bool vfi_reply_fits(const struct vfi_msg *msg, size_t len);

/* ---- init.c ---- */

/*
 * What INIT asks, as the filesystem sees it. Returns 0, or -EPROTO: a protocol
 * older than 7.27, or another major version (then *@reply_major says to answer
 * with just our version, as the protocol asks of a newer major).
 */
int vfi_init_read(const struct vfi_msg *msg, uint32_t max_write, struct virtiofs_init *init,
		  bool *reply_major);
/*
 * The answer, after the filesystem had its say: @init is brought within what was
 * offered, what this library can keep, and @max_write.
 */
void vfi_init_write(const struct vfi_msg *msg, uint32_t max_write, struct virtiofs_init *init,
		    struct virtiofs_fuse_init_out *out);

#endif /* VFI_PROTO_H */
