/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/fuse_calls.h"

#include <errno.h>
#include <string.h>

#include "support/check.h"

enum { OUT_HEADER = sizeof(struct virtiofs_fuse_out_header) };

static struct iovec part(const void *bytes, size_t len)
{
	/* Only read from; iovec knows no const. */
	return (struct iovec){ (void *)(uintptr_t)bytes, len };
}

static struct iovec name_part(const char *name)
{
	return part(name, strlen(name) + 1);
}

/* A request whose success has a body of exactly @size bytes. */
static int call_fixed(struct fuse_client *c, struct fuse_request *request, void *body,
		      uint32_t size)
{
	uint32_t len;
	int error;

	request->room = OUT_HEADER + size;
	error = fuse_client_call(c, request, body, size, &len);
	CHECK(error != 0 || len == size);
	return error;
}

/* The commonest shape: a fixed part and a name, either of which may be missing. */
static int call_in(struct fuse_client *c, uint32_t opcode, uint64_t nodeid, const void *in,
		   size_t in_len, const char *name, void *body, uint32_t size)
{
	struct fuse_request request = { .opcode = opcode, .nodeid = nodeid };

	request.parts[0] = part(in, in_len);
	if (name)
		request.parts[1] = name_part(name);
	return call_fixed(c, &request, body, size);
}

int fuse_init(struct fuse_client *c, uint64_t flags, struct virtiofs_fuse_init_out *out)
{
	struct virtiofs_fuse_init_in in = {
		.major = 7,
		.minor = 38,
		.max_readahead = 128 * 1024,
		.flags = (uint32_t)flags | VIRTIOFS_FUSE_INIT_EXT,
		.flags2 = (uint32_t)(flags >> 32),
	};

	return call_in(c, VIRTIOFS_FUSE_INIT, 0, &in, sizeof(in), NULL, out, sizeof(*out));
}

void fuse_mount(struct fuse_client *c)
{
	struct virtiofs_fuse_init_out out;

	CHECK(fuse_init(c,
			VIRTIOFS_FUSE_ASYNC_READ | VIRTIOFS_FUSE_BIG_WRITES |
				VIRTIOFS_FUSE_DO_READDIRPLUS | VIRTIOFS_FUSE_READDIRPLUS_AUTO |
				VIRTIOFS_FUSE_PARALLEL_DIROPS | VIRTIOFS_FUSE_MAX_PAGES,
			&out) == 0);
	CHECK(out.major == 7);
}

int fuse_destroy(struct fuse_client *c)
{
	return call_in(c, VIRTIOFS_FUSE_DESTROY, 0, NULL, 0, NULL, NULL, 0);
}

int fuse_lookup(struct fuse_client *c, uint64_t parent, const char *name,
		struct virtiofs_fuse_entry_out *out)
{
	return call_in(c, VIRTIOFS_FUSE_LOOKUP, parent, NULL, 0, name, out, sizeof(*out));
}

static void call_without_answer(struct fuse_client *c, const struct fuse_request *request)
{
	CHECK(fuse_client_call(c, request, NULL, 0, NULL) == -ENODATA);
}

void fuse_forget(struct fuse_client *c, uint64_t nodeid, uint64_t nlookup)
{
	struct virtiofs_fuse_forget_in in = { .nlookup = nlookup };
	struct fuse_request request = { .opcode = VIRTIOFS_FUSE_FORGET, .nodeid = nodeid };

	request.parts[0] = part(&in, sizeof(in));
	call_without_answer(c, &request);
}

void fuse_batch_forget(struct fuse_client *c, const struct virtiofs_fuse_forget_one *ones,
		       uint32_t count)
{
	struct virtiofs_fuse_batch_forget_in in = { .count = count };
	struct fuse_request request = { .opcode = VIRTIOFS_FUSE_BATCH_FORGET };

	request.parts[0] = part(&in, sizeof(in));
	request.parts[1] = part(ones, count * sizeof(*ones));
	call_without_answer(c, &request);
}

static int attr_call(struct fuse_client *c, uint32_t opcode, uint64_t nodeid, const void *in,
		     size_t in_len, struct virtiofs_fuse_attr *attr)
{
	struct virtiofs_fuse_attr_out out;
	int error = call_in(c, opcode, nodeid, in, in_len, NULL, &out, sizeof(out));

	if (error == 0 && attr)
		*attr = out.attr;
	return error;
}

int fuse_getattr(struct fuse_client *c, uint64_t nodeid, struct virtiofs_fuse_attr *attr)
{
	struct virtiofs_fuse_getattr_in in = { .getattr_flags = 0 };

	return attr_call(c, VIRTIOFS_FUSE_GETATTR, nodeid, &in, sizeof(in), attr);
}

int fuse_setattr(struct fuse_client *c, uint64_t nodeid, const struct virtiofs_fuse_setattr_in *in,
		 struct virtiofs_fuse_attr *attr)
{
	return attr_call(c, VIRTIOFS_FUSE_SETATTR, nodeid, in, sizeof(*in), attr);
}

int fuse_readlink(struct fuse_client *c, uint64_t nodeid, char *target, size_t size)
{
	struct fuse_request request = { .opcode = VIRTIOFS_FUSE_READLINK,
					.nodeid = nodeid,
					.room = OUT_HEADER + 4096 };
	uint32_t len;
	int error = fuse_client_call(c, &request, target, size - 1, &len);

	if (error == 0)
		target[len < size - 1 ? len : size - 1] = '\0';
	return error;
}

int fuse_symlink(struct fuse_client *c, uint64_t parent, const char *name, const char *target,
		 struct virtiofs_fuse_entry_out *out)
{
	struct fuse_request request = { .opcode = VIRTIOFS_FUSE_SYMLINK, .nodeid = parent };

	request.parts[0] = name_part(name);
	request.parts[1] = name_part(target);
	return call_fixed(c, &request, out, sizeof(*out));
}

int fuse_mknod(struct fuse_client *c, uint64_t parent, const char *name, uint32_t mode,
	       uint32_t rdev, struct virtiofs_fuse_entry_out *out)
{
	struct virtiofs_fuse_mknod_in in = { .mode = mode, .rdev = rdev };

	return call_in(c, VIRTIOFS_FUSE_MKNOD, parent, &in, sizeof(in), name, out, sizeof(*out));
}

int fuse_mkdir(struct fuse_client *c, uint64_t parent, const char *name, uint32_t mode,
	       struct virtiofs_fuse_entry_out *out)
{
	struct virtiofs_fuse_mkdir_in in = { .mode = mode };

	return call_in(c, VIRTIOFS_FUSE_MKDIR, parent, &in, sizeof(in), name, out, sizeof(*out));
}

int fuse_unlink(struct fuse_client *c, uint64_t parent, const char *name)
{
	return call_in(c, VIRTIOFS_FUSE_UNLINK, parent, NULL, 0, name, NULL, 0);
}

int fuse_rmdir(struct fuse_client *c, uint64_t parent, const char *name)
{
	return call_in(c, VIRTIOFS_FUSE_RMDIR, parent, NULL, 0, name, NULL, 0);
}

/* Both renames: their fixed parts begin alike. */
static int rename_call(struct fuse_client *c, uint32_t opcode, uint64_t parent, const void *in,
		       size_t in_len, const char *name, const char *newname)
{
	struct fuse_request request = { .opcode = opcode, .nodeid = parent };

	request.parts[0] = part(in, in_len);
	request.parts[1] = name_part(name);
	request.parts[2] = name_part(newname);
	return call_fixed(c, &request, NULL, 0);
}

int fuse_rename(struct fuse_client *c, uint64_t parent, const char *name, uint64_t newparent,
		const char *newname)
{
	struct virtiofs_fuse_rename_in in = { .newdir = newparent };

	return rename_call(c, VIRTIOFS_FUSE_RENAME, parent, &in, sizeof(in), name, newname);
}

int fuse_rename2(struct fuse_client *c, uint64_t parent, const char *name, uint64_t newparent,
		 const char *newname, uint32_t flags)
{
	struct virtiofs_fuse_rename2_in in = { .newdir = newparent, .flags = flags };

	return rename_call(c, VIRTIOFS_FUSE_RENAME2, parent, &in, sizeof(in), name, newname);
}

int fuse_link(struct fuse_client *c, uint64_t nodeid, uint64_t newparent, const char *newname,
	      struct virtiofs_fuse_entry_out *out)
{
	struct virtiofs_fuse_link_in in = { .oldnodeid = nodeid };

	return call_in(c, VIRTIOFS_FUSE_LINK, newparent, &in, sizeof(in), newname, out,
		       sizeof(*out));
}

/* ---- files ---- */

static int open_call(struct fuse_client *c, uint32_t opcode, uint64_t nodeid, uint32_t flags,
		     uint64_t *fh)
{
	struct virtiofs_fuse_open_in in = { .flags = flags };
	struct virtiofs_fuse_open_out out;
	int error = call_in(c, opcode, nodeid, &in, sizeof(in), NULL, &out, sizeof(out));

	if (error == 0)
		*fh = out.fh;
	return error;
}

static int release_call(struct fuse_client *c, uint32_t opcode, uint64_t nodeid, uint64_t fh)
{
	struct virtiofs_fuse_release_in in = { .fh = fh };

	return call_in(c, opcode, nodeid, &in, sizeof(in), NULL, NULL, 0);
}

static int fsync_call(struct fuse_client *c, uint32_t opcode, uint64_t nodeid, uint64_t fh,
		      uint32_t flags)
{
	struct virtiofs_fuse_fsync_in in = { .fh = fh, .fsync_flags = flags };

	return call_in(c, opcode, nodeid, &in, sizeof(in), NULL, NULL, 0);
}

/* READ, READDIR and READDIRPLUS. */
static int read_call(struct fuse_client *c, uint32_t opcode, uint64_t nodeid, uint64_t fh,
		     uint64_t offset, void *buf, uint32_t size)
{
	struct virtiofs_fuse_read_in in = { .fh = fh, .offset = offset, .size = size };
	struct fuse_request request = { .opcode = opcode,
					.nodeid = nodeid,
					.room = OUT_HEADER + size };
	uint32_t len;
	int error;

	request.parts[0] = part(&in, sizeof(in));
	error = fuse_client_call(c, &request, buf, size, &len);
	return error == 0 ? (int)len : error;
}

int fuse_open(struct fuse_client *c, uint64_t nodeid, uint32_t flags, uint64_t *fh)
{
	return open_call(c, VIRTIOFS_FUSE_OPEN, nodeid, flags, fh);
}

int fuse_create(struct fuse_client *c, uint64_t parent, const char *name, uint32_t flags,
		uint32_t mode, struct virtiofs_fuse_entry_out *out, uint64_t *fh)
{
	struct virtiofs_fuse_create_in in = { .flags = flags, .mode = mode };
	struct {
		struct virtiofs_fuse_entry_out entry;
		struct virtiofs_fuse_open_out open;
	} both;
	int error = call_in(c, VIRTIOFS_FUSE_CREATE, parent, &in, sizeof(in), name, &both,
			    sizeof(both));

	if (error == 0) {
		*out = both.entry;
		*fh = both.open.fh;
	}
	return error;
}

int fuse_read(struct fuse_client *c, uint64_t nodeid, uint64_t fh, uint64_t offset, void *buf,
	      uint32_t size)
{
	return read_call(c, VIRTIOFS_FUSE_READ, nodeid, fh, offset, buf, size);
}

int fuse_write(struct fuse_client *c, uint64_t nodeid, uint64_t fh, uint64_t offset,
	       const void *buf, uint32_t size)
{
	struct virtiofs_fuse_write_in in = { .fh = fh, .offset = offset, .size = size };
	struct fuse_request request = { .opcode = VIRTIOFS_FUSE_WRITE, .nodeid = nodeid };
	struct virtiofs_fuse_write_out out;
	int error;

	request.parts[0] = part(&in, sizeof(in));
	request.parts[1] = part(buf, size);
	error = call_fixed(c, &request, &out, sizeof(out));
	return error == 0 ? (int)out.size : error;
}

int fuse_flush(struct fuse_client *c, uint64_t nodeid, uint64_t fh)
{
	struct virtiofs_fuse_flush_in in = { .fh = fh };

	return call_in(c, VIRTIOFS_FUSE_FLUSH, nodeid, &in, sizeof(in), NULL, NULL, 0);
}

int fuse_release(struct fuse_client *c, uint64_t nodeid, uint64_t fh)
{
	return release_call(c, VIRTIOFS_FUSE_RELEASE, nodeid, fh);
}

int fuse_fsync(struct fuse_client *c, uint64_t nodeid, uint64_t fh, bool data_only)
{
	return fsync_call(c, VIRTIOFS_FUSE_FSYNC, nodeid, fh,
			  data_only ? VIRTIOFS_FUSE_FSYNC_FDATASYNC : 0);
}

int fuse_fallocate(struct fuse_client *c, uint64_t nodeid, uint64_t fh, uint32_t mode,
		   uint64_t offset, uint64_t len)
{
	struct virtiofs_fuse_fallocate_in in = {
		.fh = fh, .offset = offset, .length = len, .mode = mode
	};

	return call_in(c, VIRTIOFS_FUSE_FALLOCATE, nodeid, &in, sizeof(in), NULL, NULL, 0);
}

int fuse_lseek(struct fuse_client *c, uint64_t nodeid, uint64_t fh, uint64_t offset,
	       uint32_t whence, uint64_t *out)
{
	struct virtiofs_fuse_lseek_in in = { .fh = fh, .offset = offset, .whence = whence };
	struct virtiofs_fuse_lseek_out where;
	int error = call_in(c, VIRTIOFS_FUSE_LSEEK, nodeid, &in, sizeof(in), NULL, &where,
			    sizeof(where));

	if (error == 0)
		*out = where.offset;
	return error;
}

int fuse_copy_file_range(struct fuse_client *c, uint64_t nodeid_in, uint64_t fh_in, uint64_t off_in,
			 uint64_t nodeid_out, uint64_t fh_out, uint64_t off_out, uint64_t len)
{
	struct virtiofs_fuse_copy_file_range_in in = {
		.fh_in = fh_in,
		.off_in = off_in,
		.nodeid_out = nodeid_out,
		.fh_out = fh_out,
		.off_out = off_out,
		.len = len,
	};
	struct virtiofs_fuse_write_out out;
	int error = call_in(c, VIRTIOFS_FUSE_COPY_FILE_RANGE, nodeid_in, &in, sizeof(in), NULL,
			    &out, sizeof(out));

	return error == 0 ? (int)out.size : error;
}

/* ---- directories ---- */

int fuse_opendir(struct fuse_client *c, uint64_t nodeid, uint64_t *fh)
{
	return open_call(c, VIRTIOFS_FUSE_OPENDIR, nodeid, 0, fh);
}

int fuse_releasedir(struct fuse_client *c, uint64_t nodeid, uint64_t fh)
{
	return release_call(c, VIRTIOFS_FUSE_RELEASEDIR, nodeid, fh);
}

int fuse_fsyncdir(struct fuse_client *c, uint64_t nodeid, uint64_t fh)
{
	return fsync_call(c, VIRTIOFS_FUSE_FSYNCDIR, nodeid, fh, 0);
}

int fuse_readdir(struct fuse_client *c, uint64_t nodeid, uint64_t fh, uint64_t offset, void *buf,
		 uint32_t size, bool plus)
{
	return read_call(c, plus ? VIRTIOFS_FUSE_READDIRPLUS : VIRTIOFS_FUSE_READDIR, nodeid, fh,
			 offset, buf, size);
}

bool fuse_dirent_next(const void *buf, uint32_t len, bool plus, uint32_t *at,
		      struct fuse_dirent *entry)
{
	const unsigned char *bytes = buf;
	uint32_t header = plus ? sizeof(struct virtiofs_fuse_direntplus)
			       : sizeof(struct virtiofs_fuse_dirent);
	struct virtiofs_fuse_dirent dirent;
	uint32_t size;

	if (*at == len)
		return false;
	CHECK(len - *at >= header);
	memset(entry, 0, sizeof(*entry));
	if (plus)
		memcpy(&entry->entry, bytes + *at, sizeof(entry->entry));
	memcpy(&dirent, bytes + *at + header - sizeof(dirent), sizeof(dirent));
	CHECK(dirent.namelen > 0 && dirent.namelen < sizeof(entry->name));
	size = (uint32_t)VIRTIOFS_FUSE_REC_ALIGN(header + dirent.namelen);
	CHECK(len - *at >= size);
	memcpy(entry->name, bytes + *at + header, dirent.namelen);
	entry->ino = dirent.ino;
	entry->off = dirent.off;
	entry->type = dirent.type;
	*at += size;
	return true;
}

/* ---- the rest ---- */

int fuse_statfs(struct fuse_client *c, uint64_t nodeid, struct virtiofs_fuse_kstatfs *out)
{
	struct virtiofs_fuse_statfs_out statfs;
	int error =
		call_in(c, VIRTIOFS_FUSE_STATFS, nodeid, NULL, 0, NULL, &statfs, sizeof(statfs));

	if (error == 0)
		*out = statfs.st;
	return error;
}

int fuse_access(struct fuse_client *c, uint64_t nodeid, uint32_t mask)
{
	struct virtiofs_fuse_access_in in = { .mask = mask };

	return call_in(c, VIRTIOFS_FUSE_ACCESS, nodeid, &in, sizeof(in), NULL, NULL, 0);
}

int fuse_syncfs(struct fuse_client *c, uint64_t nodeid)
{
	struct virtiofs_fuse_syncfs_in in = { .padding = 0 };

	return call_in(c, VIRTIOFS_FUSE_SYNCFS, nodeid, &in, sizeof(in), NULL, NULL, 0);
}
