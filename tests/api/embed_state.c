/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an embedder's process was before, it is after: whatever the library changes
 * of a thread to create files as a guest's user, it changes back. And its umask is
 * the embedder's, not the guest's.
 */
#include "api/shared.h"

#include <dirent.h>
#include <grp.h>
#include <linux/kcmp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include "support/fake_host.h"

/* A thread, as far as the library could have changed it, and its process. */
struct snapshot {
	char status[2048]; /* lines of /proc/thread-self/status */
	char cwd[256];
	int securebits;
	int dumpable;
	int death_signal;
	int no_new_privs;
	unsigned descriptors;
};

static bool is_kept(const char *line)
{
	/* Ids (real, effective, saved, file system), groups, umask, capabilities, signals. */
	static const char *const prefixes[] = {
		"Uid:",	   "Gid:",    "Groups:", "Umask:",  "Cap",
		"SigBlk:", "SigIgn:", "SigCgt:", "Seccomp", "Name:"
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (strncmp(line, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	}
	return false;
}

static void take_status(struct snapshot *s)
{
	FILE *file = fopen("/proc/thread-self/status", "re");
	char line[256];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (is_kept(line))
			strncat(s->status, line, sizeof(s->status) - strlen(s->status) - 1);
	}
	fclose(file);
}

static struct snapshot take_snapshot(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct snapshot s;

	assert_non_null(dir);
	memset(&s, 0, sizeof(s));
	take_status(&s);
	assert_true(readlink("/proc/thread-self/cwd", s.cwd, sizeof(s.cwd) - 1) > 0);
	s.securebits = prctl(PR_GET_SECUREBITS);
	s.dumpable = prctl(PR_GET_DUMPABLE);
	s.no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	assert_int_equal(prctl(PR_GET_PDEATHSIG, &s.death_signal), 0);
	while (readdir(dir))
		s.descriptors++;
	closedir(dir);
	return s;
}

static void assert_same(const struct snapshot *before, const struct snapshot *after)
{
	assert_string_equal(after->status, before->status);
	assert_string_equal(after->cwd, before->cwd);
	assert_int_equal(after->securebits, before->securebits);
	assert_int_equal(after->dumpable, before->dumpable);
	assert_int_equal(after->no_new_privs, before->no_new_privs);
	assert_int_equal(after->death_signal, before->death_signal);
}

static void *do_nothing(void *arg)
{
	return arg;
}

/* Be somebody in particular: nothing that could be set by accident is at its default. */
static int become_somebody(void **state)
{
	const gid_t groups[] = { 11, 2222, 33333 };
	sigset_t blocked;
	pthread_t thread;

	(void)state;
	/* With its first thread the C library installs a signal handler of its own. */
	assert_int_equal(pthread_create(&thread, NULL, do_nothing, NULL), 0);
	pthread_join(thread, NULL);
	umask(077);
	assert_int_equal(chdir("/tmp"), 0);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &blocked, NULL);
	assert_int_equal(prctl(PR_SET_PDEATHSIG, SIGHUP), 0);
	assert_int_equal(prctl(PR_SET_DUMPABLE, 1), 0);
	if (geteuid() == 0)
		assert_int_equal(setgroups(3, groups), 0);
	return 0;
}

/* Create one of each kind, as a guest's user, and check what became of it. */
static void create_all_kinds(struct shared *s, uid_t uid)
{
	static const struct {
		const char *name;
		mode_t mode;
	} kinds[] = {
		{ "file", S_IFREG | 0666 }, { "set-id", S_IFREG | 06755 },
		{ "dir", S_IFDIR | 0777 },  { "sticky", S_IFDIR | 01777 },
		{ "pipe", S_IFIFO | 0622 }, { "socket", S_IFSOCK | 0777 },
		{ "node", S_IFREG | 0640 }, { "link", S_IFLNK | 0777 },
	};
	struct virtiofs_fuse_entry_out out;
	uint64_t fh;

	s->c->uid = uid;
	s->c->gid = uid;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *name = kinds[i].name;
		mode_t mode = kinds[i].mode;
		struct stat st;
		int err;

		if (S_ISDIR(mode))
			err = fuse_mkdir(s->c, FUSE_ROOT, name, mode & 07777, &out);
		else if (S_ISLNK(mode))
			err = fuse_symlink(s->c, FUSE_ROOT, name, "target", &out);
		else if (S_ISREG(mode) && strcmp(name, "node") != 0)
			err = fuse_create(s->c, FUSE_ROOT, name, O_RDWR, mode, &out, &fh);
		else
			err = fuse_mknod(s->c, FUSE_ROOT, name, mode, 0, &out);
		assert_int_equal(err, 0);
		st = host_stat(s, name);
		assert_int_equal(st.st_mode, mode);
		assert_int_equal(st.st_uid, uid);
		assert_int_equal(st.st_gid, uid);
		assert_attr_of(&out.attr, &st);
	}
	assert_int_equal(fuse_write(s->c, out.nodeid, fh, 0, "x", 1), -EBADF);
	assert_int_equal(fuse_rename(s->c, FUSE_ROOT, "file", FUSE_ROOT, "renamed"), 0);
	assert_int_equal(fuse_unlink(s->c, FUSE_ROOT, "renamed"), 0);
	/* One that fails with the ids switched. */
	assert_int_equal(fuse_mkdir(s->c, FUSE_ROOT, "dir", 0777, &out), -EEXIST);
}

static void session_leaves_thread_and_process_as_they_were(void **state)
{
	static const struct shared_options usual = { 0 };
	struct snapshot before, between, after;
	struct shared s;

	(void)state;
	before = take_snapshot();
	shared_open(&s, &usual);
	create_all_kinds(&s, geteuid() == 0 ? 1000 : geteuid());
	between = take_snapshot();
	shared_close(&s);
	after = take_snapshot();
	assert_same(&before, &between);
	assert_same(&before, &after);
	assert_int_equal(after.descriptors, before.descriptors);
}

/* ---- A thread of the library's own: the others notice nothing ---- */

struct dedicated {
	struct virtiofs_queue *queue;
	pid_t tid; /* atomic; once it serves */
	bool done; /* atomic: the main thread has looked */
	int error;
};

static bool load_done(const struct dedicated *d)
{
	return __atomic_load_n(&d->done, __ATOMIC_ACQUIRE);
}

static void create_as(struct dedicated *d, const char *name, uint32_t uid)
{
	struct {
		struct virtiofs_fuse_create_in in;
		char name[16];
	} args = { .in = { .flags = O_RDWR | O_CREAT, .mode = S_IFREG | 0666 } };
	struct virtiofs_fuse_in_header header;
	struct fake_chain chain;

	strcpy(args.name, name);
	fake_request(&chain, VIRTIOFS_FUSE_CREATE, FUSE_ROOT, &args,
		     sizeof(args.in) + strlen(name) + 1);
	memcpy(&header, chain.in, sizeof(header));
	header.uid = header.gid = uid;
	memcpy(chain.in, &header, sizeof(header));
	d->error = fake_submit(d->queue, &chain);
	if (!d->error) {
		fake_wait(d->queue, &chain);
		d->error = fake_error(&chain);
	}
}

static void *serve_dedicated(void *arg)
{
	struct dedicated *d = arg;

	d->error = virtiofs_queue_attach(d->queue, VIRTIOFS_QUEUE_DEDICATED);
	if (!d->error) {
		fake_mount(d->queue);
		create_as(d, "dedicated", geteuid() == 0 ? 1000 : geteuid());
	}
	__atomic_store_n(&d->tid, gettid(), __ATOMIC_RELEASE);
	while (!load_done(d))
		sched_yield();
	virtiofs_queue_detach(d->queue);
	return NULL;
}

static void dedicated_thread_changes_nothing_for_the_others(void **state)
{
	struct snapshot before = take_snapshot(), between;
	struct dedicated d = { .queue = NULL };
	struct fake_host host;
	struct virtiofs_fs *fs;
	struct temp_dir dir;
	struct stat st;
	pthread_t thread;

	(void)state;
	temp_dir_create(&dir);
	assert_int_equal(virtiofs_passthrough_create(&fs, NULL, dir.fd, NULL), 0);
	fake_host_open(&host, NULL, NULL, fs);
	d.queue = virtiofs_device_queue(host.dev, 1);
	assert_int_equal(pthread_create(&thread, NULL, serve_dedicated, &d), 0);
	while (!__atomic_load_n(&d.tid, __ATOMIC_ACQUIRE))
		sched_yield();
	between = take_snapshot();
	/* Its umask and working directory are its own. Not equal: 1, 2 or 3. */
	if (syscall(SYS_kcmp, gettid(), d.tid, KCMP_FS, 0, 0) >= 0)
		assert_true(syscall(SYS_kcmp, gettid(), d.tid, KCMP_FS, 0, 0) > 0);
	__atomic_store_n(&d.done, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	assert_int_equal(d.error, 0);
	assert_same(&before, &between);
	assert_int_equal(fstatat(dir.fd, "dedicated", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0666);
	assert_int_equal(st.st_uid, geteuid() == 0 ? 1000 : geteuid());
	fake_host_close(&host);
	virtiofs_fs_destroy(fs);
	temp_dir_remove(&dir);
}

/* Without DEDICATED the thread goes on sharing these with the process. */
static void *attach_and_compare(void *arg)
{
	struct virtiofs_queue *queue = arg;
	long ret;

	if (virtiofs_queue_attach(queue, 0))
		return arg;
	ret = syscall(SYS_kcmp, getpid(), gettid(), KCMP_FS, 0, 0);
	virtiofs_queue_detach(queue);
	return ret > 0 ? arg : NULL;
}

static void other_thread_shares_its_umask_with_the_process(void **state)
{
	static const struct virtiofs_fs_ops ops = { .size = sizeof(ops) };
	struct fake_host host;
	struct virtiofs_fs *fs;
	pthread_t thread;
	void *failed = &host;

	(void)state;
	assert_int_equal(virtiofs_fs_create(&fs, NULL, &ops, NULL), 0);
	fake_host_open(&host, NULL, NULL, fs);
	assert_int_equal(pthread_create(&thread, NULL, attach_and_compare,
					virtiofs_device_queue(host.dev, 1)),
			 0);
	pthread_join(thread, &failed);
	assert_null(failed);
	fake_host_close(&host);
	virtiofs_fs_destroy(fs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(session_leaves_thread_and_process_as_they_were),
		cmocka_unit_test(dedicated_thread_changes_nothing_for_the_others),
		cmocka_unit_test(other_thread_shares_its_umask_with_the_process),
	};

	return cmocka_run_group_tests(tests, become_somebody, NULL);
}
