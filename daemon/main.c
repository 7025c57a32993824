/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtiofsd: a directory of this host for a guest, as a virtio-fs device over
 * vhost-user. Everything of the device is the library's; here are the process, its
 * threads and its manners.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <virtiofs/passthrough.h>
#include <virtiofs/vhost_user.h>

#include "blocking_pool.h"
#include "control.h"
#include "listen.h"
#include "log.h"
#include "open_files.h"
#include "options.h"
#include "sandbox.h"
#include "workers.h"

#define EXIT_USAGE 2

/*
 * Threads for what may block. A guest of 6.18 asks for a dozen requests in the
 * background at once (FUSE_DEFAULT_MAX_BACKGROUND), and few of them block.
 */
#define BLOCKING_THREADS 16

/* What serves, from the bottom to the top. */
struct server {
	struct virtiofs_env env;
	struct blocking_pool *pool;
	struct virtiofs_fs *fs;
	struct virtiofs_vhost_user *vu;
	struct workers *workers;
};

static int run_blocking(void *ctx, struct virtiofs_work *work)
{
	struct server *server = ctx;

	return blocking_pool_run(server->pool, work);
}

static int failed(const char *what, int err)
{
	log_errno(VIRTIOFS_LOG_ERR, err, "Cannot %s", what);
	return err;
}

/* Unmake it. -ETIMEDOUT: requests do not come back, and all must be left as it is. */
static int close_server(struct server *server)
{
	int err = workers_stop(server->workers, CONTROL_END_MS);

	server->workers = NULL;
	if (err)
		return failed("end the queues' threads", err);
	err = virtiofs_vhost_user_destroy(server->vu);
	if (err)
		return failed("end the device", err);
	virtiofs_fs_destroy(server->fs);
	blocking_pool_destroy(server->pool);
	return 0;
}

static int make_filesystem(struct server *server, const struct options *options, int root,
			   int proc_self_fd)
{
	struct virtiofs_passthrough_options passthrough = options->fs;
	int err;

	passthrough.proc_self_fd = proc_self_fd;
	err = virtiofs_passthrough_create(&server->fs, &server->env, root, &passthrough);
	return err ? failed("share the directory", err) : 0;
}

/* A page each, as Linux sends them, and some for headers and what is not aligned; 0: what the
 * library has by itself is enough. */
static uint32_t segments_for(uint32_t max_write)
{
	enum { PAGE = 4096, OTHERS = 8, USUAL = 1 << 20 };

	return max_write > USUAL ? max_write / PAGE + OTHERS : 0;
}

static int make_device(struct server *server, const struct options *options)
{
	struct virtiofs_device_options device = VIRTIOFS_DEVICE_OPTIONS_INIT;
	struct virtiofs_vhost_user_options vhost_user = VIRTIOFS_VHOST_USER_OPTIONS_INIT;
	int err;

	device.tag = options->tag;
	device.request_queues = (uint32_t)options->num_request_queues;
	device.max_write = (uint32_t)options->max_write;
	device.max_segments = segments_for(device.max_write);
	vhost_user.device = &device;
	err = virtiofs_vhost_user_create(&server->vu, &server->env, server->fs, &vhost_user);
	return err ? failed("make the device", err) : 0;
}

static int open_server(struct server *server, const struct options *options, int root,
		       int proc_self_fd)
{
	int err;

	*server = (struct server){ .env = { .size = sizeof(server->env),
					    .ctx = server,
					    .log = log_library,
					    .run_blocking = run_blocking } };
	err = blocking_pool_create(&server->pool, BLOCKING_THREADS);
	if (err)
		return failed("make a thread", err);
	err = make_filesystem(server, options, root, proc_self_fd);
	if (!err)
		err = make_device(server, options);
	if (!err)
		err = workers_start(&server->workers, server->vu);
	if (err)
		close_server(server);
	return err;
}

/* An O_PATH descriptor of a directory, or a negative errno, logged. */
static int open_directory(const char *path, const char *what)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	fd = -errno;
	log_errno(VIRTIOFS_LOG_ERR, fd, "Cannot open %s '%s'", what, path);
	return fd;
}

/* Inside the sandbox: serve until it is time to end. */
static int serve(const struct options *options, struct listener *listener, int root,
		 int proc_self_fd)
{
	struct control control = {
		.listener = listener,
		.exit_on_disconnect = options->exit_on_disconnect,
	};
	struct server server;
	int err;

	control.signals = control_catch_signals();
	if (control.signals < 0)
		return failed("catch signals", control.signals);
	err = open_server(&server, options, root, proc_self_fd);
	if (!err) {
		int unmade;

		control.vu = server.vu;
		control.failed = workers_failed_fd(server.workers);
		err = control_run(&control);
		unmade = err ? err : close_server(&server);
		if (unmade) {
			/* Threads are still at work, and what they use must stay. */
			listener_close(listener);
			_exit(EXIT_FAILURE);
		}
	}
	close(control.signals);
	return err;
}

/* Returns the exit status. */
static int run(const struct options *options)
{
	struct listener listener;
	int root, proc_self_fd, err;

	root = open_directory(options->shared_dir, "the directory to share");
	if (root < 0)
		return EXIT_FAILURE;
	proc_self_fd = open_directory("/proc/self/fd", "what files are reopened by,");
	if (proc_self_fd < 0)
		return EXIT_FAILURE;
	if (options->socket_path)
		err = listener_open(&listener, options->socket_path);
	else
		err = listener_adopt(&listener, options->fd);
	if (err)
		return EXIT_FAILURE;
	open_files_raise_limit();
	err = sandbox_enter(options->sandbox, root, options->shared_dir);
	if (!err)
		err = serve(options, &listener, root, proc_self_fd);
	listener_close(&listener);
	close(proc_self_fd);
	close(root);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int show(const struct options *options)
{
	unsigned version = virtiofs_version();

	switch (options->action) {
	case ACTION_HELP:
		options_help(stdout);
		break;
	case ACTION_VERSION:
		printf("virtiofsd %s (libvirtiofs %u.%u.%u)\n", VIRTIOFS_VERSION_STRING,
		       version >> 16, version >> 8 & 0xff, version & 0xff);
		break;
	case ACTION_CAPABILITIES:
		/* QEMU's docs/interop/vhost-user.json; the feature says not to use "-o". */
		puts("{\n"
		     "  \"type\": \"fs\",\n"
		     "  \"features\": [\n"
		     "    \"separate-options\"\n"
		     "  ]\n"
		     "}");
		break;
	default:
		break;
	}
	return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * Have descriptors 0 to 2, whatever our parent left us: else one of a guest's files
 * might become 2, and the log be written into it.
 */
static int open_standard(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	char error[OPTIONS_ERROR_SIZE];
	struct options options;

	if (open_standard() < 0)
		return EXIT_FAILURE;
	if (options_parse(&options, argc, argv, error) < 0) {
		fprintf(stderr, "virtiofsd: %s\nTry 'virtiofsd --help'.\n", error);
		return EXIT_USAGE;
	}
	if (options.action != ACTION_SERVE)
		return show(&options);
	log_open((unsigned)options.log_level);
	return run(&options);
}
