/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host that refuses io_uring, as container run-times do by seccomp: each test is
 * a child with a filter of its own that fails one of the three system calls.
 */
#include "support/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <virtiofs/device.h>

#include "io/engine.h"

static int lines; /* in the log */
static int done;
static int64_t results;

static void log_line(void *ctx, unsigned level, const char *message)
{
	(void)ctx;
	(void)level;
	if (strncmp(message, "no io_uring here: ", 18) == 0)
		lines++;
}

static void count(struct vfi_io_op *op, int64_t result)
{
	(void)op;
	done++;
	results += result;
}

/* From here on system call @nr of this process fails with EPERM. */
static void refuse(long nr)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = 4, .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(77);
}

static struct vfi_io_engine *create(uint32_t mode, unsigned *told, int *err)
{
	static struct virtiofs_env env;
	const struct virtiofs_env logging = { .size = sizeof(logging), .log = log_line };
	struct vfi_io_engine *engine = NULL;

	vfi_env_init(&env, &logging);
	*err = vfi_io_engine_create(&engine, &env, mode, 8, eventfd(0, EFD_NONBLOCK), told);
	return engine;
}

static int fsync_works(struct vfi_io_engine *engine)
{
	struct vfi_io_op op = { .kind = VFI_IO_FSYNC, .fd = open(".", O_RDONLY), .done = count };

	done = 0;
	results = 0;
	engine->ops->start(engine, &op);
	for (int i = 0; i < 10000 && !done; i++) {
		engine->ops->run(engine);
		poll(NULL, 0, 1);
	}
	close(op.fd);
	return done == 1 && results == 0;
}

/* A child's verdict is its exit status. */
#define CHECK(condition)                                                        \
	do {                                                                    \
		if (!(condition)) {                                             \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
			return 1;                                               \
		}                                                               \
	} while (0)

static int falls_back(long nr)
{
	struct vfi_io_engine *engine, *second;
	unsigned told = 0;
	int err;

	refuse(nr);
	engine = create(VIRTIOFS_IO_AUTO, &told, &err);
	CHECK(err == 0);
	CHECK(strcmp(engine->ops->name, "sync") == 0);
	second = create(VIRTIOFS_IO_AUTO, &told, &err);
	CHECK(err == 0);
	CHECK(lines == 1);
	CHECK(fsync_works(engine));
	engine->ops->destroy(engine);
	second->ops->destroy(second);
	create(VIRTIOFS_IO_URING, &told, &err);
	CHECK(err == -ENOTSUP);
	return 0;
}

static int plain_was_asked_for(long nr)
{
	struct vfi_io_engine *engine;
	unsigned told = 0;
	int err;

	refuse(nr);
	engine = create(VIRTIOFS_IO_SYNC, &told, &err);
	CHECK(err == 0);
	CHECK(lines == 0);
	CHECK(fsync_works(engine));
	engine->ops->destroy(engine);
	return 0;
}

/* A ring that worked, and then its submissions are refused. */
static int is_refused_late(long nr)
{
	struct vfi_io_op ops[40];
	struct vfi_io_engine *engine;
	unsigned told = 0;
	int err;
	int fd = open(".", O_RDONLY);

	engine = create(VIRTIOFS_IO_URING, &told, &err);
	if (err)
		return 77;
	refuse(nr);
	memset(ops, 0, sizeof(ops));
	for (size_t i = 0; i < VFI_ARRAY_SIZE(ops); i++) {
		ops[i] = (struct vfi_io_op){ .kind = VFI_IO_FSYNC, .fd = fd, .done = count };
		engine->ops->start(engine, &ops[i]);
		if (i % 4 == 0)
			engine->ops->cancel(engine, &ops[i]);
	}
	engine->ops->run(engine);
	CHECK(done == VFI_ARRAY_SIZE(ops));
	CHECK(results == 0);
	CHECK(engine->in_flight == 0);
	CHECK(fsync_works(engine));
	engine->ops->destroy(engine);
	return 0;
}

static int find_ring(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int fd = -1;

	while (dir && (entry = readdir(dir)) && fd < 0) {
		char target[64] = { 0 };

		if (readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1) > 0 &&
		    strcmp(target, "anon_inode:[io_uring]") == 0)
			fd = atoi(entry->d_name);
	}
	if (dir)
		closedir(dir);
	return fd;
}

/* The ring takes no registration any more: so its restrictions are in force. */
static int is_restricted(long nr)
{
	enum { REGISTER_PERSONALITY = 9 };
	struct vfi_io_engine *engine;
	unsigned told = 0;
	int err, ring;

	engine = create(VIRTIOFS_IO_URING, &told, &err);
	if (err)
		return 77;
	ring = find_ring();
	CHECK(ring >= 0);
	CHECK(syscall(nr, ring, REGISTER_PERSONALITY, NULL, 0) < 0);
	CHECK(errno == EACCES);
	CHECK(fsync_works(engine));
	engine->ops->destroy(engine);
	return 0;
}

static void in_a_child(int (*test)(long nr), long nr)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		_exit(test(nr));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void without_setup_plain_calls_serve(void **state)
{
	(void)state;
	in_a_child(falls_back, SYS_io_uring_setup);
}

static void without_register_plain_calls_serve(void **state)
{
	(void)state;
	in_a_child(falls_back, SYS_io_uring_register);
}

static void without_enter_plain_calls_serve(void **state)
{
	(void)state;
	in_a_child(falls_back, SYS_io_uring_enter);
}

static void plain_engine_does_not_even_ask(void **state)
{
	(void)state;
	in_a_child(plain_was_asked_for, SYS_io_uring_setup);
}

static void submissions_refused_later_lose_nothing(void **state)
{
	(void)state;
	in_a_child(is_refused_late, SYS_io_uring_enter);
}

static void ring_is_restricted_to_what_it_needs(void **state)
{
	(void)state;
	in_a_child(is_restricted, SYS_io_uring_register);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_setup_plain_calls_serve),
		cmocka_unit_test(without_register_plain_calls_serve),
		cmocka_unit_test(without_enter_plain_calls_serve),
		cmocka_unit_test(plain_engine_does_not_even_ask),
		cmocka_unit_test(submissions_refused_later_lose_nothing),
		cmocka_unit_test(ring_is_restricted_to_what_it_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
