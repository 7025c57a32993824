/* SPDX-License-Identifier: BSD-2-Clause */
/* File handles: a table of what the guest has open. */
#include "passthrough/share.h"

#include <errno.h>
#include <unistd.h>

static void released(void *arg, void *record, void *local)
{
	struct vfi_guest *guest = arg;
	struct vfi_handle_local *handle = local;

	(void)record;
	close(handle->fd);
	vfi_dirbuf_free(&guest->share->env, handle->dirbuf);
	vfi_budget_give(&guest->share->handles);
}

int vfi_handles_init(struct vfi_guest *guest)
{
	const struct vfi_table_options options = {
		.max = guest->share->handles.max,
		.record_size = sizeof(struct vfi_handle),
		.local_size = sizeof(struct vfi_handle_local),
		.released = released,
		.arg = guest,
	};

	return vfi_table_init(&guest->handles, &options);
}

void vfi_handles_destroy(struct vfi_guest *guest)
{
	vfi_table_destroy(&guest->handles);
}

int vfi_handle_reserve(struct vfi_guest *guest, struct vfi_handle_local **room)
{
	void *record, *memory;
	struct vfi_handle_local *local;
	int err;

	if (!vfi_budget_take(guest->share, &guest->share->handles))
		return -ENFILE;
	err = vfi_table_alloc(&guest->handles, &record, &memory);
	if (err) {
		vfi_budget_give(&guest->share->handles);
		return err;
	}
	local = memory;
	local->guest = guest;
	local->handle = record;
	*room = local;
	return 0;
}

void vfi_handle_cancel(struct vfi_handle_local *room)
{
	struct vfi_guest *guest = room->guest;

	vfi_table_cancel(&guest->handles, room->handle);
	vfi_budget_give(&guest->share->handles);
}

uint64_t vfi_handle_publish(struct vfi_handle_local *room, uint64_t nodeid,
			    enum vfi_handle_kind kind, int fd)
{
	room->fd = fd;
	room->handle->nodeid = nodeid;
	room->handle->kind = kind;
	return vfi_table_publish(&room->guest->handles, room->handle);
}

struct vfi_handle_local *vfi_handle_get(struct vfi_guest *guest, uint64_t fh, uint64_t nodeid,
					enum vfi_handle_kind kind)
{
	struct vfi_handle *handle = vfi_table_get(&guest->handles, fh);

	if (!handle)
		return NULL;
	if (handle->nodeid == nodeid && handle->kind == kind)
		return vfi_table_local(&guest->handles, handle);
	vfi_table_put(&guest->handles, handle);
	return NULL;
}

void vfi_handle_put(struct vfi_handle_local *local)
{
	vfi_table_put(&local->guest->handles, local->handle);
}

int vfi_handle_hold(struct vfi_guest *guest, uint64_t nodeid)
{
	uint32_t end = __atomic_load_n(&guest->handles.used, __ATOMIC_ACQUIRE);
	int fd = -ESTALE;

	for (uint32_t i = 1; i < end && fd == -ESTALE; i++) {
		struct vfi_handle *handle = vfi_table_hold(&guest->handles, i);
		struct vfi_handle_local *local;

		if (!handle)
			continue;
		local = vfi_table_local(&guest->handles, handle);
		if (handle->nodeid == nodeid)
			fd = vfi_path_hold(guest->share, local->fd);
		vfi_handle_put(local);
	}
	return fd;
}

int vfi_handle_release(struct vfi_guest *guest, uint64_t fh, uint64_t nodeid,
		       enum vfi_handle_kind kind)
{
	struct vfi_handle_local *local = vfi_handle_get(guest, fh, nodeid, kind);
	bool ours;

	if (!local)
		return -EBADF;
	ours = vfi_table_remove(&guest->handles, local->handle);
	if (ours)
		vfi_locks_release(guest, nodeid, fh);
	vfi_handle_put(local);
	return ours ? 0 : -EBADF;
}

struct vfi_handle_local *vfi_handle_begin(struct virtiofs_req *req, struct vfi_guest *guest,
					  uint64_t fh, uint64_t nodeid, enum vfi_handle_kind kind)
{
	struct vfi_handle_local *local = vfi_handle_get(guest, fh, nodeid, kind);

	if (local)
		virtiofs_req_set_context(req, local);
	else
		virtiofs_reply_err(req, -EBADF);
	return local;
}

void vfi_handle_end(struct virtiofs_req *req)
{
	vfi_handle_put(virtiofs_req_context(req));
}
