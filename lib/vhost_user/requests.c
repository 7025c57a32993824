/* SPDX-License-Identifier: BSD-2-Clause */
/* What a front-end asks of the device as a whole: features, memory, configuration. */
#include "vhost_user/backend.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define BIT(n) (UINT64_C(1) << (n))

static int answer_u64(struct vfi_vu_message *msg, uint64_t value)
{
	msg->payload.u64 = value;
	msg->header.size = sizeof(value);
	return 0;
}

/* ---- Features ----
 *
 * No order is asked of a front-end: some set memory before features, some never
 * ask what is offered, some shake hands twice on one connection.
 */

static uint64_t offered_features(void)
{
	return BIT(VU_F_VERSION_1) | BIT(VIRTIOFS_F_INDIRECT_DESC) | BIT(VIRTIOFS_F_EVENT_IDX) |
	       BIT(VU_F_PROTOCOL_FEATURES);
}

/* Bits from 18 on are left out: some front-ends end where they see one they do not know. */
static uint64_t offered_protocol_features(const struct virtiofs_vhost_user *vu)
{
	uint64_t features = BIT(VU_PF_MQ) | BIT(VU_PF_REPLY_ACK) | BIT(VU_PF_BACKEND_REQ) |
			    BIT(VU_PF_RESET_DEVICE) | BIT(VU_PF_CONFIGURE_MEM_SLOTS);

	/* Without a tag it is the front-end that has the configuration space. */
	if (vu->has_tag)
		features |= BIT(VU_PF_CONFIG);
	return features;
}

int vfi_vu_get_features(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	(void)vu;
	return answer_u64(msg, offered_features());
}

int vfi_vu_set_features(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	uint64_t features = msg->payload.u64;

	if (features & ~offered_features())
		return vfi_vu_refuse(vu, "bits %#llx are not offered",
				     (unsigned long long)(features & ~offered_features()));
	vu->features = features;
	/* Without protocol features there is no SET_VRING_ENABLE: rings just run. */
	if (features & BIT(VU_F_PROTOCOL_FEATURES))
		return 0;
	return vfi_vu_enable_rings(vu) ? VU_LATER : 0;
}

int vfi_vu_get_protocol_features(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	return answer_u64(msg, offered_protocol_features(vu));
}

int vfi_vu_set_protocol_features(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	uint64_t unknown = msg->payload.u64 & ~offered_protocol_features(vu);

	if (unknown)
		return vfi_vu_refuse(vu, "bits %#llx are not offered", (unsigned long long)unknown);
	return 0;
}

int vfi_vu_get_queue_num(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	return answer_u64(msg, vu->ring_count);
}

/* ---- Owner and reset ---- */

/*
 * A front-end whose device was unplugged and plugged again begins anew on the same
 * socket, with other memory. A ring that runs says that this is not the case.
 */
int vfi_vu_set_owner(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	(void)msg;
	for (unsigned i = 0; i < vu->ring_count; i++) {
		if (vu->rings[i].started)
			return 0;
	}
	if (vu->memory.count == 0)
		return 0;
	return vfi_vu_memory_clear(&vu->memory);
}

/* Deprecated, and used with different meanings: nothing to do. */
int vfi_vu_reset_owner(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	(void)vu;
	(void)msg;
	return 0;
}

/* Memory, call descriptors and protocol features stay: QEMU does not send them again. */
int vfi_vu_reset_device(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	int r;

	(void)msg;
	for (unsigned i = 0; i < vu->ring_count; i++)
		vu->rings[i].enabled = false;
	if (vfi_vu_stop_rings(vu))
		return VU_AGAIN;
	r = vfi_vu_end_session(vu);
	if (!r)
		vu->features = 0;
	return r;
}

/* ---- Memory ---- */

int vfi_vu_get_max_mem_slots(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	(void)vu;
	return answer_u64(msg, VIRTIOFS_MEM_REGIONS_MAX);
}

static int memory_changed(struct virtiofs_vhost_user *vu, int err)
{
	if (err == -ERANGE)
		return vfi_vu_refuse(vu, "the file behind a region is shorter than the region");
	if (err == -ENOENT)
		return vfi_vu_refuse(vu, "no such region");
	if (err == -EINVAL)
		return vfi_vu_refuse(vu, "a region is empty, wraps, or overlaps another one");
	if (err)
		return vfi_vu_refuse(vu, "errno %d, with %u regions mapped", -err,
				     vu->memory.count);
	return vfi_vu_memory_is_new(vu) ? VU_LATER : 0;
}

int vfi_vu_set_mem_table(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	const struct vfi_vu_mem_table *table = &msg->payload.table;

	if (table->count > VU_MEM_TABLE_MAX || table->count != msg->fd_count ||
	    msg->header.size != VU_MEM_TABLE_HEAD + table->count * sizeof(table->regions[0]))
		return vfi_vu_refuse(vu, "%u regions in %u bytes with %u descriptors", table->count,
				     msg->header.size, msg->fd_count);
	return memory_changed(
		vu, vfi_vu_memory_set(&vu->memory, table->regions, msg->fds, table->count));
}

int vfi_vu_add_mem_reg(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	if (msg->fd_count != 1)
		return vfi_vu_refuse(vu, "no descriptor came along");
	return memory_changed(
		vu, vfi_vu_memory_add(&vu->memory, &msg->payload.mem_reg.region, msg->fds[0]));
}

int vfi_vu_rem_mem_reg(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	return memory_changed(vu, vfi_vu_memory_remove(&vu->memory, &msg->payload.mem_reg.region));
}

/* ---- The rest ---- */

/* Kept for the requests that the back-end may make one day; today it makes none. */
int vfi_vu_set_backend_req_fd(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	struct stat st;

	if (msg->fd_count != 1 || fstat(msg->fds[0], &st) < 0 || !S_ISSOCK(st.st_mode))
		return vfi_vu_refuse(vu, "no socket came along");
	if (vu->backend_fd >= 0)
		close(vu->backend_fd);
	vu->backend_fd = msg->fds[0];
	msg->fds[0] = -1;
	return 0;
}

/*
 * Front-ends differ in what they put into flags, and in the pieces they ask for:
 * single bytes, or four at any offset.
 */
int vfi_vu_get_config(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	struct vfi_vu_config *config = &msg->payload.config;

	if (!vu->has_tag || config->size != msg->header.size - VU_CONFIG_HEAD) {
		(void)vfi_vu_refuse(vu, "%s",
				    vu->has_tag ? "its two sizes differ" : "no tag was set");
		msg->header.size = 0; /* the protocol's way to say no */
		return 0;
	}
	virtiofs_device_config_read(vu->dev, config->offset, config->data, config->size);
	return 0;
}

int vfi_vu_set_config(struct virtiofs_vhost_user *vu, struct vfi_vu_message *msg)
{
	(void)msg;
	return vfi_vu_refuse(vu, "configuration space is read-only");
}
