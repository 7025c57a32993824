/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moving file data on behalf of a request: in place, or on the queue's io_uring.
 *
 * Who includes it: filesystem authors who serve files of this host. Which engine
 * moves the data is the device's option (VIRTIOFS_IO_) and what a probe found at
 * attach; the results are the same.
 *
 * One operation at a time for a request. @fd stays open, and the request's
 * memory stays given, until @done, which runs exactly once: on the queue's
 * thread, maybe before the call returns; in an op that was moved by
 * virtiofs_req_offload(), on that thread, before the call returns.
 */
#ifndef VIRTIOFS_IO_H
#define VIRTIOFS_IO_H

#include <stdbool.h>
#include <stdint.h>

#include <virtiofs/fs.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * @result: bytes moved (0 for fsync and fallocate), or a negative errno;
 * -ECANCELED: the queue is being stopped.
 */
typedef void (*virtiofs_io_done)(struct virtiofs_req *req, int64_t result);

/*
 * A flag of virtiofs_io_write(), beside those of the system call: an error after some bytes
 * fails the write. For pages of a guest's cache (VIRTIOFS_FUSE_WRITE_CACHE): Linux does not
 * look at how much of them was written, but at errors alone (fuse_writepage_end()).
 */
#define VIRTIOFS_IO_WHOLE 0x40000000

/*
 * preadv2(2) and pwritev2(2): from or to @offset, going on after a short transfer
 * until the end of file or an error. After some bytes, an error gives a write's
 * bytes, but fails a read: to a guest, a short read says end of file.
 * @flags: RWF_ bits of those calls, such as RWF_APPEND; VIRTIOFS_IO_WHOLE. @iov: borrowed until
 * @done. -EINVAL: @offset is beyond INT64_MAX.
 */
VIRTIOFS_API void virtiofs_io_read(struct virtiofs_req *req, int fd, const struct virtiofs_iov *iov,
				   uint64_t offset, int flags, virtiofs_io_done done);
VIRTIOFS_API void virtiofs_io_write(struct virtiofs_req *req, int fd,
				    const struct virtiofs_iov *iov, uint64_t offset, int flags,
				    virtiofs_io_done done);
/* fsync(2), or fdatasync(2) where @data_only. */
VIRTIOFS_API void virtiofs_io_fsync(struct virtiofs_req *req, int fd, bool data_only,
				    virtiofs_io_done done);
/* fallocate(2). */
VIRTIOFS_API void virtiofs_io_fallocate(struct virtiofs_req *req, int fd, int mode, uint64_t offset,
					uint64_t len, virtiofs_io_done done);

#ifdef __cplusplus
}
#endif

#endif /* VIRTIOFS_IO_H */
