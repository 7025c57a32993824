/* SPDX-License-Identifier: BSD-2-Clause */
/* All of libvirtiofs. */
#ifndef VIRTIOFS_VIRTIOFS_H
#define VIRTIOFS_VIRTIOFS_H

#include <virtiofs/device.h>
#include <virtiofs/env.h>
#include <virtiofs/fs.h>
#include <virtiofs/fuse_wire.h>
#include <virtiofs/io.h>
#include <virtiofs/memory.h>
#include <virtiofs/passthrough.h>
#include <virtiofs/queue.h>
#include <virtiofs/version.h>
#include <virtiofs/vhost_user.h>
#include <virtiofs/virtqueue.h>

#endif /* VIRTIOFS_VIRTIOFS_H */
