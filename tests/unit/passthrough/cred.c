/* SPDX-License-Identifier: BSD-2-Clause */
/* The guard around a change of ids, when the kernel does not let it change them back. */
#include "guest.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char logged[256];

static void log_line(void *ctx, unsigned level, const char *message)
{
	(void)ctx;
	(void)level;
	snprintf(logged, sizeof(logged), "%s", message);
}

/* From here on the system call @nr fails in this process, where its argument @i is @value. */
static bool forbid(uint32_t nr, size_t i, uint32_t value)
{
	const uint32_t arg = (uint32_t)(offsetof(struct seccomp_data, args) + 8 * i);
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, arg),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { VFI_ARRAY_SIZE(filter), filter };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* In a child process: what went wrong, or 0. */
static int lose_ids(struct vfi_share *share)
{
	struct virtiofs_req user = { .in = { .uid = 1234, .gid = 2345 } };
	struct virtiofs_req root = { 0 };
	struct vfi_cred cred;

	if (!forbid(SYS_setresuid, 1, 0))
		return 77;
	if (vfi_cred_enter(&cred, share, fake_req(&user), 0))
		return 1;
	if (logged[0] || share->no_creation)
		return 2;
	vfi_cred_leave(&cred);
	if (!strstr(logged, "could not be restored"))
		return 3;
	if (vfi_cred_enter(&cred, share, fake_req(&user), 0) != -EIO ||
	    vfi_cred_enter(&cred, share, fake_req(&root), 0) != -EIO)
		return 4;
	return 0;
}

static void lost_ids_end_all_creation_loudly(void **state)
{
	struct vfi_share share = { 0 };
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(vfi_env_init(&share.env, NULL), 0);
	share.env.log = log_line;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(lose_ids(&share));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Groups are changed first: whatever fails after that has to give them back. */
static int fail_behind_the_groups(struct vfi_share *share)
{
	struct virtiofs_req user = { .in = { .uid = 1234, .gid = 2345 },
				     .group_count = 1,
				     .groups = { 3456 } };
	const gid_t own[] = { 77, 78 };
	gid_t groups[4];
	struct vfi_cred cred;

	if (syscall(SYS_setgroups, 2, own) || !forbid(SYS_setresgid, 1, 2345))
		return 77;
	if (vfi_cred_enter(&cred, share, fake_req(&user), 0) != -EPERM)
		return 1;
	if (share->no_creation || syscall(SYS_getgroups, 4, groups) != 2)
		return 2;
	return groups[0] == 77 && groups[1] == 78 ? 0 : 3;
}

static void groups_are_given_back_where_the_next_step_fails(void **state)
{
	struct vfi_share share = { 0 };
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(vfi_env_init(&share.env, NULL), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fail_behind_the_groups(&share));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int keep_death_signal(struct vfi_share *share)
{
	struct virtiofs_req user = { .in = { .uid = 1234, .gid = 2345 } };
	struct vfi_cred cred;
	int death_signal;

	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	if (vfi_cred_enter(&cred, share, fake_req(&user), 0))
		return 1;
	vfi_cred_leave(&cred);
	prctl(PR_GET_PDEATHSIG, &death_signal);
	return death_signal == SIGUSR1 ? 0 : 2;
}

/* A change of ids clears it: commit_creds() of the kernel. */
static void parent_death_signal_is_kept(void **state)
{
	struct vfi_share share = { 0 };
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(vfi_env_init(&share.env, NULL), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(keep_death_signal(&share));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Both ids are changed at the same time, and the first to change them is back first. */
struct overlap {
	struct vfi_share share;
	pthread_barrier_t barrier;
};

static void *overlap_longer(void *arg)
{
	struct virtiofs_req user = { .in = { .uid = 1234, .gid = 2345 } };
	struct overlap *o = arg;
	struct vfi_cred cred;
	int err;

	pthread_barrier_wait(&o->barrier);
	err = vfi_cred_enter(&cred, &o->share, fake_req(&user), 0);
	pthread_barrier_wait(&o->barrier);
	pthread_barrier_wait(&o->barrier);
	if (err)
		return arg;
	vfi_cred_leave(&cred);
	return NULL;
}

static int overlap(struct overlap *o)
{
	struct virtiofs_req user = { .in = { .uid = 4321, .gid = 5432 } };
	struct vfi_cred cred;
	pthread_t thread;
	void *failed;

	prctl(PR_SET_DUMPABLE, 1);
	pthread_barrier_init(&o->barrier, NULL, 2);
	if (pthread_create(&thread, NULL, overlap_longer, o) ||
	    vfi_cred_enter(&cred, &o->share, fake_req(&user), 0))
		return 1;
	pthread_barrier_wait(&o->barrier);
	pthread_barrier_wait(&o->barrier);
	vfi_cred_leave(&cred);
	if (prctl(PR_GET_DUMPABLE) == 1)
		return 2;
	pthread_barrier_wait(&o->barrier);
	pthread_join(thread, &failed);
	if (failed)
		return 3;
	return prctl(PR_GET_DUMPABLE) == 1 ? 0 : 4;
}

static void process_stays_dumpable_once_all_threads_are_themselves_again(void **state)
{
	static struct overlap o;
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(vfi_env_init(&o.share.env, NULL), 0);
	pthread_mutex_init(&o.share.dumpable_lock, NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(overlap(&o));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	pthread_mutex_destroy(&o.share.dumpable_lock);
}

/* glibc's setresuid(3) and setgroups(3) would change these too. */
static void *look_at_own_ids(void *arg)
{
	struct overlap *o = arg;
	gid_t groups[4];
	bool same;

	pthread_barrier_wait(&o->barrier);
	same = syscall(SYS_geteuid) == 0 && syscall(SYS_getegid) == 0 &&
	       syscall(SYS_getgroups, 4, groups) == 1 && groups[0] == 77;
	pthread_barrier_wait(&o->barrier);
	return same ? NULL : arg;
}

static int keep_others(struct overlap *o)
{
	struct virtiofs_req user = { .in = { .uid = 1234, .gid = 2345 },
				     .group_count = 1,
				     .groups = { 3456 } };
	const gid_t own[] = { 77 };
	struct vfi_cred cred;
	pthread_t thread;
	void *failed;

	pthread_barrier_init(&o->barrier, NULL, 2);
	if (syscall(SYS_setgroups, 1, own) || pthread_create(&thread, NULL, look_at_own_ids, o) ||
	    vfi_cred_enter(&cred, &o->share, fake_req(&user), 0))
		return 1;
	pthread_barrier_wait(&o->barrier);
	pthread_barrier_wait(&o->barrier);
	vfi_cred_leave(&cred);
	pthread_join(thread, &failed);
	return failed ? 2 : 0;
}

static void other_threads_keep_their_ids_and_groups(void **state)
{
	static struct overlap o;
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(vfi_env_init(&o.share.env, NULL), 0);
	pthread_mutex_init(&o.share.dumpable_lock, NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(keep_others(&o));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	pthread_mutex_destroy(&o.share.dumpable_lock);
}

static void who_is_not_root_creates_as_himself(void **state)
{
	struct virtiofs_req user = { .in = { .uid = 1234, .gid = 2345 } };
	struct vfi_share share = { 0 };
	struct vfi_cred cred;
	uid_t self = geteuid();

	(void)state;
	assert_int_equal(vfi_env_init(&share.env, NULL), 0);
	if (self == 0)
		assert_int_equal(syscall(SYS_setresuid, -1, 4321, 0), 0);
	assert_int_equal(vfi_cred_enter(&cred, &share, fake_req(&user), 0), 0);
	assert_int_equal(cred.owner, self == 0 ? 4321 : self);
	assert_int_equal(cred.changed, 0);
	vfi_cred_leave(&cred);
	if (self == 0)
		assert_int_equal(syscall(SYS_setresuid, -1, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost_ids_end_all_creation_loudly),
		cmocka_unit_test(groups_are_given_back_where_the_next_step_fails),
		cmocka_unit_test(parent_death_signal_is_kept),
		cmocka_unit_test(process_stays_dumpable_once_all_threads_are_themselves_again),
		cmocka_unit_test(other_threads_keep_their_ids_and_groups),
		cmocka_unit_test(who_is_not_root_creates_as_himself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
