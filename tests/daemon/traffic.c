/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon with a guest: what comes out at the other end of the shared directory. */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <virtiofs/fuse_wire.h>

#include "process.h"
#include "vhost_user/front_end.h"

enum { ROOT = 1, RING_SIZE = 128, SIZE = 100000 };

#define WAITING "Waiting for vhost-user socket connection..."

static struct place place;
static struct process process;
static struct front_end guest;

static int make_place(void **state)
{
	(void)state;
	place_make(&place);
	return 0;
}

static int remove_place(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r '%s'/*", place.share);
	assert_int_equal(system(command), 0);
	place_remove(&place);
	return 0;
}

static void start_daemon(const char *const args[])
{
	process_start_at(&process, &place, args);
	process_wait_log(&process, WAITING);
}

static void plug_in(unsigned rings)
{
	front_end_open_socket(&guest, front_end_connect(place.socket), rings, RING_SIZE);
	front_end_start(&guest);
	front_end_init(&guest);
}

static uint64_t lookup(unsigned ring, const char *name)
{
	struct virtiofs_fuse_entry_out out = { 0 };
	const struct fuse_call call = {
		.opcode = VIRTIOFS_FUSE_LOOKUP,
		.nodeid = ROOT,
		.in = name,
		.in_len = (uint32_t)strlen(name) + 1,
		.out = &out,
		.out_len = sizeof(out),
	};

	return front_end_call(&guest, ring, &call) == 0 ? out.nodeid : 0;
}

/* A file made, written and closed by the guest. */
static void make_file(unsigned ring, const char *name, const unsigned char *data, uint32_t len)
{
	const struct virtiofs_fuse_create_in create = { .flags = O_RDWR, .mode = S_IFREG | 0666 };
	struct {
		struct virtiofs_fuse_entry_out entry;
		struct virtiofs_fuse_open_out open;
	} made = { 0 };
	const struct fuse_call create_call = {
		.opcode = VIRTIOFS_FUSE_CREATE,
		.nodeid = ROOT,
		.in = &create,
		.in_len = sizeof(create),
		.payload = name,
		.payload_len = (uint32_t)strlen(name) + 1,
		.out = &made,
		.out_len = sizeof(made),
	};
	struct virtiofs_fuse_write_in write = { .size = len };
	struct virtiofs_fuse_write_out written = { 0 };
	struct fuse_call write_call = {
		.opcode = VIRTIOFS_FUSE_WRITE,
		.in = &write,
		.in_len = sizeof(write),
		.payload = data,
		.payload_len = len,
		.out = &written,
		.out_len = sizeof(written),
	};
	struct virtiofs_fuse_release_in release = { 0 };
	struct fuse_call release_call = {
		.opcode = VIRTIOFS_FUSE_RELEASE,
		.in = &release,
		.in_len = sizeof(release),
	};

	assert_int_equal(front_end_call(&guest, ring, &create_call), 0);
	write.fh = release.fh = made.open.fh;
	write_call.nodeid = release_call.nodeid = made.entry.nodeid;
	assert_int_equal(front_end_call(&guest, ring, &write_call), 0);
	assert_int_equal(written.size, len);
	assert_int_equal(front_end_call(&guest, ring, &release_call), 0);
}

/* All of a file, up to @len bytes, as the guest reads it. */
static void read_file(unsigned ring, const char *name, unsigned char *data, uint32_t len)
{
	const struct virtiofs_fuse_open_in open = { .flags = O_RDONLY };
	struct virtiofs_fuse_open_out opened = { 0 };
	struct fuse_call open_call = {
		.opcode = VIRTIOFS_FUSE_OPEN,
		.nodeid = lookup(ring, name),
		.in = &open,
		.in_len = sizeof(open),
		.out = &opened,
		.out_len = sizeof(opened),
	};
	struct virtiofs_fuse_read_in read = { .size = len };
	const struct fuse_call read_call = {
		.opcode = VIRTIOFS_FUSE_READ,
		.nodeid = open_call.nodeid,
		.in = &read,
		.in_len = sizeof(read),
		.out = data,
		.out_len = len,
	};

	assert_int_not_equal(open_call.nodeid, 0);
	assert_int_equal(front_end_call(&guest, ring, &open_call), 0);
	read.fh = opened.fh;
	assert_int_equal(front_end_call(&guest, ring, &read_call), 0);
}

static void fill(unsigned char *data, unsigned seed)
{
	for (unsigned i = 0; i < SIZE; i++)
		data[i] = (unsigned char)(i * 7 + i / 4096 + seed);
}

static void host_path(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", place.share, name);
}

static void host_write(const char *name, const unsigned char *data)
{
	char path[128];
	FILE *file;

	host_path(path, sizeof(path), name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, SIZE, file), SIZE);
	fclose(file);
}

static void assert_host_has(const char *name, const unsigned char *data)
{
	unsigned char *found = malloc(SIZE);
	char path[128];
	FILE *file;

	host_path(path, sizeof(path), name);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(found);
	assert_int_equal(fread(found, 1, SIZE, file), SIZE);
	fclose(file);
	assert_memory_equal(found, data, SIZE);
	free(found);
}

static unsigned char data[SIZE];
static unsigned char back[SIZE];

/* Both ways, over request queue @ring. */
static void exchange_files(unsigned ring, unsigned seed)
{
	char name[32];

	fill(data, seed);
	snprintf(name, sizeof(name), "host%u", seed);
	host_write(name, data);
	memset(back, 0, SIZE);
	read_file(ring, name, back, SIZE);
	assert_memory_equal(back, data, SIZE);
	fill(data, seed + 1);
	snprintf(name, sizeof(name), "guest%u", seed);
	make_file(ring, name, data, SIZE);
	assert_host_has(name, data);
}

static void guest_and_host_see_each_others_files(void **state)
{
	(void)state;
	start_daemon(NULL);
	plug_in(2);
	exchange_files(1, 10);
	assert_int_equal(lookup(1, "missing"), 0);
	front_end_close(&guest);
	assert_int_equal(process_end(&process, SIGTERM), 0);
}

static void chroot_changes_nothing_for_the_guest(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	/* A leak checker looks for itself in /proc, at the end and in vain. */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	start_daemon((const char *const[]){ "--sandbox=chroot", NULL });
	unsetenv("ASAN_OPTIONS");
	plug_in(2);
	exchange_files(1, 20);
	front_end_close(&guest);
	assert_int_equal(process_end(&process, SIGTERM), 0);
}

static void every_request_queue_serves(void **state)
{
	(void)state;
	start_daemon((const char *const[]){ "--num-request-queues=3", NULL });
	plug_in(4);
	for (unsigned ring = 1; ring <= 3; ring++)
		exchange_files(ring, 30 + 10 * ring);
	front_end_close(&guest);
	assert_int_equal(process_end(&process, SIGTERM), 0);
}

static void mode_is_the_guests_whatever_the_umask_was(void **state)
{
	struct stat st;
	char path[128];
	mode_t mask = umask(077);

	(void)state;
	start_daemon(NULL);
	umask(mask);
	plug_in(2);
	fill(data, 0);
	make_file(1, "mode", data, SIZE);
	host_path(path, sizeof(path), "mode");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	front_end_close(&guest);
	assert_int_equal(process_end(&process, SIGTERM), 0);
}

static void next_guest_starts_afresh_and_nothing_is_left_of_the_last(void **state)
{
	unsigned count;

	(void)state;
	start_daemon(NULL);
	count = process_fd_count(&process);
	for (unsigned i = 0; i < 5; i++) {
		plug_in(2);
		exchange_files(1, 100 + 10 * i);
		assert_true(process_fd_count(&process) > count);
		/* As a VMM that dies: no DESTROY, an open file, and inodes looked up. */
		front_end_close(&guest);
		process_wait_log(&process, WAITING);
		assert_int_equal(process_fd_count(&process), count);
	}
	assert_int_equal(process_end(&process, SIGTERM), 0);
}

static void request_before_init_is_refused_after_the_last_guest_too(void **state)
{
	(void)state;
	start_daemon(NULL);
	plug_in(2);
	fill(data, 0);
	make_file(1, "init", data, SIZE);
	assert_int_not_equal(lookup(1, "init"), 0);
	front_end_close(&guest);
	front_end_open_socket(&guest, front_end_connect(place.socket), 2, RING_SIZE);
	front_end_start(&guest);
	assert_int_equal(lookup(1, "init"), 0);
	front_end_init(&guest);
	assert_int_not_equal(lookup(1, "init"), 0);
	front_end_close(&guest);
	assert_int_equal(process_end(&process, SIGTERM), 0);
}

/* Have thirty requests in work, and wait for no answer. */
static void ask_and_leave(void)
{
	const struct virtiofs_fuse_getattr_in in = { 0 };
	struct virtiofs_fuse_attr_out out;
	const struct fuse_call call = {
		.opcode = VIRTIOFS_FUSE_GETATTR,
		.nodeid = ROOT,
		.in = &in,
		.in_len = sizeof(in),
		.out = &out,
		.out_len = sizeof(out),
	};

	for (int i = 0; i < 30; i++)
		free(front_end_submit(&guest, 1, &call, false));
}

static void daemon_killed_amid_requests_is_followed_by_the_next(void **state)
{
	(void)state;
	start_daemon(NULL);
	plug_in(2);
	ask_and_leave();
	assert_int_equal(process_end(&process, SIGKILL), -SIGKILL);
	front_end_close(&guest);
	start_daemon(NULL);
	plug_in(2);
	exchange_files(1, 200);
	front_end_close(&guest);
	assert_int_equal(process_end(&process, SIGTERM), 0);
}

static void daemon_told_to_end_amid_requests_ends_cleanly(void **state)
{
	(void)state;
	start_daemon(NULL);
	plug_in(2);
	ask_and_leave();
	assert_int_equal(process_end(&process, SIGTERM), 0);
	front_end_close(&guest);
	assert_int_equal(access(place.socket, F_OK), -1);
}

/*
 * Mount a FUSE file system at @path, in a mount namespace of this test's own, that
 * never answers: not even INIT, so whoever asks it anything waits.
 * Returns what to close to end it, or -1: it cannot be had here.
 */
static int mount_silent(const char *path)
{
	char options[64];
	int fd;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (mount("silent", path, "fuse", 0, options) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Until the guest's request at the head of its ring has been taken to be served. */
static void wait_until_hanging(void)
{
	unsigned long ticks = 0;

	/* A thread of the daemon sleeps in the kernel's FUSE, and uses no CPU there. */
	for (int quiet = 0; quiet < 5; quiet++) {
		unsigned long now = process_ticks(&process);

		if (now != ticks)
			quiet = 0;
		ticks = now;
		usleep(50000);
	}
}

static void daemon_ends_although_the_hosts_file_system_hangs(void **state)
{
	struct virtiofs_fuse_entry_out out;
	const struct fuse_call call = {
		.opcode = VIRTIOFS_FUSE_LOOKUP,
		.nodeid = ROOT,
		.in = "silent",
		.in_len = sizeof("silent"),
		.out = &out,
		.out_len = sizeof(out),
	};
	char path[128];
	int fd;

	(void)state;
	host_path(path, sizeof(path), "silent");
	assert_int_equal(mkdir(path, 0755), 0);
	fd = mount_silent(path);
	if (fd < 0)
		skip();
	start_daemon(NULL);
	plug_in(2);
	free(front_end_submit(&guest, 1, &call, false));
	wait_until_hanging();
	assert_int_equal(process_end(&process, SIGTERM), 1);
	process_wait_log(&process, "Requests are still in work, ending without them");
	assert_int_equal(access(place.socket, F_OK), -1);
	assert_int_equal(access(place.pid_file, F_OK), -1);
	front_end_close(&guest);
	umount2(path, MNT_DETACH);
	close(fd);
}

static struct virtiofs_fuse_init_out negotiated(void)
{
	front_end_open_socket(&guest, front_end_connect(place.socket), 2, RING_SIZE);
	front_end_start(&guest);
	return front_end_negotiate(&guest, VIRTIOFS_FUSE_MAX_PAGES);
}

static void largest_write_is_as_large_as_it_was_told_to_be(void **state)
{
	static const char *const args[] = { "--max-write=4194304", NULL };
	struct virtiofs_fuse_init_out out;

	(void)state;
	start_daemon(args);
	out = negotiated();
	assert_int_equal(out.max_write, 4 << 20);
	assert_int_equal(out.max_pages, 1024);
	front_end_close(&guest);
	assert_int_equal(process_end(&process, SIGTERM), 0);
	start_daemon(NULL);
	out = negotiated();
	assert_int_equal(out.max_write, 1 << 20);
	assert_int_equal(out.max_pages, 256);
	front_end_close(&guest);
	assert_int_equal(process_end(&process, SIGTERM), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guest_and_host_see_each_others_files),
		cmocka_unit_test(chroot_changes_nothing_for_the_guest),
		cmocka_unit_test(every_request_queue_serves),
		cmocka_unit_test(mode_is_the_guests_whatever_the_umask_was),
		cmocka_unit_test(largest_write_is_as_large_as_it_was_told_to_be),
		cmocka_unit_test(next_guest_starts_afresh_and_nothing_is_left_of_the_last),
		cmocka_unit_test(request_before_init_is_refused_after_the_last_guest_too),
		cmocka_unit_test(daemon_killed_amid_requests_is_followed_by_the_next),
		cmocka_unit_test(daemon_told_to_end_amid_requests_ends_cleanly),
		cmocka_unit_test(daemon_ends_although_the_hosts_file_system_hangs),
	};

	return cmocka_run_group_tests(tests, make_place, remove_place);
}
