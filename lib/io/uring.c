/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The io_uring engine: what the page cache answers is done in place, what would
 * wait goes to the ring.
 *
 * A ring belongs to the thread that made it. What the kernel completes it says
 * by the queue's eventfd, for under DEFER_TASKRUN the ring's own descriptor does
 * not wake a foreign poll (io_uring_setup(2)).
 */
#include "io/engine.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	BATCH = 256,	/* SQEs between two submissions; more are submitted in between */
	REFUSALS = 64,	/* descriptors that are remembered */
	ASK_AGAIN = 255 /* operations */
};

/* DEFER_TASKRUN came with Linux 6.1, COOP_TASKRUN 5.19, R_DISABLED 5.10. */
static const unsigned setups[VFI_IO_URING_SETUPS] = {
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
		IORING_SETUP_SUBMIT_ALL,
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
	0,
};

/* All a ring may do: one that is taken over opens no file, past a seccomp filter or not. */
static const uint8_t opcodes[] = {
	IORING_OP_READV,     IORING_OP_WRITEV,	     IORING_OP_FSYNC,
	IORING_OP_FALLOCATE, IORING_OP_ASYNC_CANCEL,
};

/*
 * That a descriptor's file cannot say what would wait (EOPNOTSUPP for RWF_NOWAIT:
 * tmpfs, overlayfs, writes on ext4). To ask each time costs a 4 KiB read on tmpfs a
 * quarter more. The number may become another file's, so it is asked now and then.
 */
struct refusal {
	int fd;
	unsigned left; /* operations until it is asked again; 0: not known to refuse */
};

struct uring {
	struct vfi_io_engine base;
	struct io_uring ring;
	pid_t tid; /* of the thread that may use it */
	int event_fd;
	bool running;	/* inside run(), which submits at its end */
	bool announced; /* the eventfd says that there is something to submit */
	bool broken;	/* the kernel refuses submissions: plain calls from here on */
	struct refusal reads[REFUSALS]; /* by descriptor number, modulo */
	struct refusal writes[REFUSALS];
};

static struct uring *uring_of(struct vfi_io_engine *engine)
{
	return VFI_CONTAINER_OF(engine, struct uring, base);
}

/*
 * Whether the calling thread may use the ring. A forked child has the same
 * mappings, and what it wrote there would be its parent's requests.
 */
static bool is_mine(const struct uring *u)
{
	return gettid() == u->tid;
}

static void announce(const struct uring *u)
{
	uint64_t one = 1;
	ssize_t n = write(u->event_fd, &one, sizeof(one));

	(void)n; /* EAGAIN: the counter is full, so it is readable */
}

static void finish(struct uring *u, struct vfi_io_op *op, int64_t result)
{
	op->in_flight = false;
	u->base.in_flight--;
	op->done(op, result);
}

/* ---- Into the ring ---- */

/* Do with plain calls what the kernel has not taken out of the submission queue. */
static void give_up(struct uring *u)
{
	struct io_uring_sq *sq = &u->ring.sq;
	unsigned head = io_uring_smp_load_acquire(sq->khead);

	u->broken = true;
	for (; head != sq->sqe_tail; head++) {
		uintptr_t data = (uintptr_t)sq->sqes[head & sq->ring_mask].user_data;
		struct vfi_io_op *op = (struct vfi_io_op *)data;

		if (op)
			finish(u, op, vfi_io_sync(op));
	}
}

/* Submit what is prepared and have completions posted; a system call only if there are any. */
static void push(struct uring *u)
{
	int ret;

	if (u->broken)
		return;
	do {
		ret = io_uring_submit(&u->ring);
		/* Without SUBMIT_ALL an SQE that fails at once ends a submission. */
	} while (ret == -EINTR || (ret > 0 && io_uring_sq_ready(&u->ring)));
	u->announced = false;
	if (ret >= 0)
		return;
	/* Out of memory, or of room for completions: again after the next reap. */
	if (ret == -EAGAIN || ret == -EBUSY)
		announce(u);
	else
		give_up(u);
}

static struct io_uring_sqe *get_sqe(struct uring *u)
{
	struct io_uring_sqe *sqe;

	if (u->broken)
		return NULL;
	sqe = io_uring_get_sqe(&u->ring);
	if (!sqe) {
		push(u);
		sqe = u->broken ? NULL : io_uring_get_sqe(&u->ring);
	}
	if (sqe && !u->running && !u->announced) {
		u->announced = true;
		announce(u);
	}
	return sqe;
}

static void prepare(struct io_uring_sqe *sqe, struct vfi_io_op *op)
{
	uint64_t offset = op->offset + op->moved;
	const struct iovec *iov;
	uint32_t count;

	switch (op->kind) {
	case VFI_IO_READ:
		count = vfi_io_next_part(op, &iov);
		io_uring_prep_readv2(sqe, op->fd, iov, count, offset, op->flags);
		break;
	case VFI_IO_WRITE:
		count = vfi_io_next_part(op, &iov);
		io_uring_prep_writev2(sqe, op->fd, iov, count, offset, op->flags);
		break;
	case VFI_IO_FSYNC:
		io_uring_prep_fsync(sqe, op->fd, 0);
		break;
	case VFI_IO_FDATASYNC:
		io_uring_prep_fsync(sqe, op->fd, IORING_FSYNC_DATASYNC);
		break;
	case VFI_IO_FALLOCATE:
		io_uring_prep_fallocate(sqe, op->fd, op->flags, (off_t)offset, (off_t)op->len);
		break;
	}
	io_uring_sqe_set_data(sqe, op);
}

/* Put an operation, or the rest of it, into the ring. */
static bool enqueue(struct uring *u, struct vfi_io_op *op)
{
	struct io_uring_sqe *sqe = get_sqe(u);

	if (!sqe)
		return false;
	prepare(sqe, op);
	return true;
}

/* ---- In place ---- */

static struct refusal *find_refusal(struct uring *u, const struct vfi_io_op *op)
{
	struct refusal *table = op->kind == VFI_IO_READ ? u->reads : u->writes;

	return &table[(unsigned)op->fd % REFUSALS];
}

static bool is_refused(struct uring *u, const struct vfi_io_op *op)
{
	struct refusal *r = find_refusal(u, op);

	if (r->fd != op->fd || r->left == 0)
		return false;
	r->left--;
	return true;
}

static void note_refusal(struct uring *u, const struct vfi_io_op *op)
{
	*find_refusal(u, op) = (struct refusal){ .fd = op->fd, .left = ASK_AGAIN };
}

static ssize_t transfer_nowait(struct vfi_io_op *op)
{
	off_t offset = (off_t)(op->offset + op->moved);
	const struct iovec *iov;
	uint32_t count = vfi_io_next_part(op, &iov);
	int flags = op->flags | RWF_NOWAIT;

	if (op->kind == VFI_IO_READ)
		return preadv2(op->fd, iov, (int)count, offset, flags);
	return pwritev2(op->fd, iov, (int)count, offset, flags);
}

/*
 * Do what needs no waiting; true: that was all of it, with *@result. Where a file
 * cannot tell, all of it is done here: the ring would hand it to a thread of the
 * kernel's, which costs a cached 4 KiB three times as much as the call.
 */
static bool try_in_place(struct uring *u, struct vfi_io_op *op, int64_t *result)
{
	ssize_t ret;

	if (op->len == 0 || (op->flags & RWF_NOWAIT) || is_refused(u, op)) {
		*result = vfi_io_sync(op);
		return true;
	}
	do {
		ret = transfer_nowait(op);
		if (ret < 0 && errno == EAGAIN)
			return false;
		if (ret < 0 && errno == EOPNOTSUPP) {
			note_refusal(u, op);
			*result = vfi_io_sync(op);
			return true;
		}
	} while (vfi_io_end_part(op, ret < 0 ? -errno : ret, result));
	return true;
}

static void uring_start(struct vfi_io_engine *engine, struct vfi_io_op *op)
{
	struct uring *u = uring_of(engine);
	bool transfer = op->kind == VFI_IO_READ || op->kind == VFI_IO_WRITE;
	int saved = errno;
	int64_t result = 0;

	if (transfer && try_in_place(u, op, &result)) {
		op->done(op, result);
	} else if (is_mine(u) && enqueue(u, op)) {
		op->in_flight = true;
		engine->in_flight++;
	} else {
		op->done(op, vfi_io_sync(op));
	}
	errno = saved;
}

/* ---- Out of the ring ---- */

static void complete(struct uring *u, struct vfi_io_op *op, int res)
{
	int64_t result;

	/* Even the ring does not wait for a descriptor that is O_NONBLOCK. */
	if (res == -EAGAIN && !op->cancelled)
		finish(u, op, vfi_io_sync(op));
	else if (!vfi_io_end_part(op, res, &result))
		finish(u, op, result);
	else if (!enqueue(u, op))
		finish(u, op, vfi_io_sync(op));
}

static void reap(struct uring *u)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&u->ring, &cqe) == 0) {
		struct vfi_io_op *op = io_uring_cqe_get_data(cqe);
		int res = cqe->res;

		io_uring_cqe_seen(&u->ring, cqe);
		/* A cancellation's own has no operation. */
		if (op)
			complete(u, op, res);
	}
}

static void uring_run(struct vfi_io_engine *engine)
{
	struct uring *u = uring_of(engine);

	if (engine->in_flight == 0 || !is_mine(u))
		return;
	u->running = true;
	push(u);
	reap(u);
	push(u); /* rests of short transfers, and what done started */
	u->running = false;
}

static void uring_cancel(struct vfi_io_engine *engine, struct vfi_io_op *op)
{
	struct uring *u = uring_of(engine);
	struct io_uring_sqe *sqe;

	if (!op->in_flight || op->cancelled || !is_mine(u))
		return;
	op->cancelled = true;
	/* Where there is no room for it the operation just ends by itself. */
	sqe = get_sqe(u);
	if (!sqe)
		return;
	io_uring_prep_cancel(sqe, op, 0);
	io_uring_sqe_set_data(sqe, NULL);
}

/* ---- Making and freeing it ---- */

static void uring_destroy(struct vfi_io_engine *engine)
{
	struct uring *u = uring_of(engine);

	assert(engine->in_flight == 0 || !is_mine(u));
	io_uring_queue_exit(&u->ring);
	vfi_free(engine->env, u, sizeof(*u));
}

static const struct vfi_io_engine_ops uring_ops = {
	.name = "io_uring",
	.destroy = uring_destroy,
	.start = uring_start,
	.run = uring_run,
	.cancel = uring_cancel,
};

/* By hand: what there is of it in liburing depends on its version. */
static int ring_register(const struct uring *u, unsigned opcode, void *arg, unsigned count)
{
	long ret = syscall(__NR_io_uring_register, u->ring.ring_fd, opcode, arg, count);

	return ret < 0 ? -errno : 0;
}

static bool has_opcodes(const struct uring *u)
{
	union {
		struct io_uring_probe probe;
		unsigned char room[sizeof(struct io_uring_probe) +
				   IORING_OP_LAST * sizeof(struct io_uring_probe_op)];
	} p = { .room = { 0 } };

	if (ring_register(u, IORING_REGISTER_PROBE, &p, IORING_OP_LAST) < 0)
		return false;
	for (size_t i = 0; i < VFI_ARRAY_SIZE(opcodes); i++) {
		if (!io_uring_opcode_supported(&p.probe, opcodes[i]))
			return false;
	}
	return true;
}

static int restrict_opcodes(const struct uring *u)
{
	struct io_uring_restriction allow[VFI_ARRAY_SIZE(opcodes)] = { { .opcode = 0 } };

	for (size_t i = 0; i < VFI_ARRAY_SIZE(opcodes); i++) {
		allow[i].opcode = IORING_RESTRICTION_SQE_OP;
		allow[i].sqe_op = opcodes[i];
	}
	return ring_register(u, IORING_REGISTER_RESTRICTIONS, allow, VFI_ARRAY_SIZE(allow));
}

/* One round trip: cancelling nothing ends with ENOENT. */
static int try_out(struct uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
	struct io_uring_cqe *cqe;
	int ret;

	io_uring_prep_cancel(sqe, NULL, 0);
	io_uring_sqe_set_data(sqe, NULL);
	do {
		ret = io_uring_submit_and_wait(&u->ring, 1);
	} while (ret == -EINTR);
	if (ret < 0)
		return ret;
	if (io_uring_peek_cqe(&u->ring, &cqe) != 0)
		return -EIO;
	ret = cqe->res;
	io_uring_cqe_seen(&u->ring, cqe);
	return ret == -ENOENT ? 0 : -EIO;
}

static int open_ring(struct uring *u, unsigned depth, unsigned setup)
{
	int err = -EINVAL;

	for (; setup < VFI_IO_URING_SETUPS && err == -EINVAL; setup++) {
		struct io_uring_params p = {
			.flags = setups[setup] | IORING_SETUP_R_DISABLED | IORING_SETUP_CLAMP |
				 IORING_SETUP_CQSIZE,
			/* A completion for each operation, and for its cancellation. */
			.cq_entries = 2 * (depth < BATCH ? BATCH : depth),
		};

		err = io_uring_queue_init_params(depth < BATCH ? depth : BATCH, &u->ring, &p);
	}
	return err;
}

static int set_up(struct uring *u, const char **why)
{
	int err;

	*why = "it lacks an operation";
	if (!has_opcodes(u))
		return -ENOSYS;
	*why = "IORING_REGISTER_EVENTFD";
	err = ring_register(u, IORING_REGISTER_EVENTFD, &u->event_fd, 1);
	if (err)
		return err;
	*why = "IORING_REGISTER_RESTRICTIONS";
	err = restrict_opcodes(u);
	if (err)
		return err;
	*why = "IORING_REGISTER_ENABLE_RINGS";
	err = ring_register(u, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	if (err)
		return err;
	*why = "io_uring_enter";
	return try_out(u);
}

int vfi_io_uring_create(struct vfi_io_engine **ret, const struct virtiofs_env *env, unsigned depth,
			int event_fd, unsigned setup, const char **why)
{
	struct uring *u = vfi_alloc(env, sizeof(*u));
	int saved = errno;
	int err;

	*why = NULL;
	if (!u)
		return -ENOMEM;
	u->base.ops = &uring_ops;
	u->base.env = env;
	u->base.signals_event = true;
	u->tid = gettid();
	u->event_fd = event_fd;
	*why = "io_uring_setup";
	err = open_ring(u, depth, setup);
	if (!err) {
		err = set_up(u, why);
		if (err)
			io_uring_queue_exit(&u->ring);
	}
	if (err)
		vfi_free(env, u, sizeof(*u));
	else
		*ret = &u->base;
	errno = saved;
	return err;
}
