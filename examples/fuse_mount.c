/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mounts a directory of this host, or a filesystem in memory, through /dev/fuse:
 * the kernel's requests are fed to the same virtiofs_queue_submit() as a guest's.
 *
 * A second transport beside virtqueues, and the way to run programs on the library
 * at native speed, without a guest. Each thread has a queue of the device and a
 * clone of the /dev/fuse descriptor of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <virtiofs/virtiofs.h>

#include "fuse_mount_fd.h"
#include "memfs.h"

enum {
	MAX_THREADS = 64,
	SLOTS = 16, /* requests in work on a queue at once */
	MAX_WRITE = 1 << 20,
	BUFFER = MAX_WRITE + 8192, /* payload, header and arguments (fs/fuse/dev.c wants 4 KiB) */
};

/* A request of the kernel's and room for its answer. */
struct slot {
	struct slot *next;
	struct iovec in;
	struct iovec out;
};

struct worker {
	pthread_t thread;
	int fuse_fd;
	int stop_fd; /* readable: stop */
	int done_fd; /* written: the filesystem is unmounted */
	struct virtiofs_queue *queue;
	struct slot slots[SLOTS];
	struct slot *free;
	bool unmounted;
	bool stopped;
};

struct options {
	const char *source;
	const char *mount_point;
	const char *mount_options;
	struct virtiofs_passthrough_options passthrough;
	uint32_t io;
	unsigned threads;
	bool memfs;
	bool debug;
};

static void log_line(void *ctx, unsigned level, const char *message)
{
	const bool *debug = ctx;

	if (level < VIRTIOFS_LOG_DEBUG || *debug)
		fprintf(stderr, "fuse_mount: %s\n", message);
}

static void fail(const char *format, ...)
{
	va_list args;

	fputs("fuse_mount: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

/* ---- A worker: from /dev/fuse to its queue and back ---- */

static void complete(void *host, struct virtiofs_queue *queue, void *cookie, uint32_t written,
		     uint32_t touched)
{
	struct worker *workers = host, *w = &workers[virtiofs_queue_index(queue) - 1];
	struct slot *slot = cookie;

	(void)touched;
	/* FORGET has no answer; ENOENT says that who asked was killed meanwhile. */
	if (written && write(w->fuse_fd, slot->out.iov_base, written) < 0 && errno != ENOENT &&
	    errno != ENODEV)
		fprintf(stderr, "fuse_mount: answering: %s\n", strerror(errno));
	slot->next = w->free;
	w->free = slot;
}

/* Take what the kernel has for us. Returns false when there is nothing more for now. */
static bool take_request(struct worker *w)
{
	struct slot *slot = w->free;
	struct virtiofs_chain chain = {
		.size = sizeof(chain),
		.readable_count = 1,
		.writable_count = 1,
		.cookie = slot,
	};
	ssize_t n;

	if (!slot)
		return false;
	n = read(w->fuse_fd, slot->in.iov_base, BUFFER);
	if (n < 0) {
		/* ENOENT: it was interrupted before we had it. */
		if (errno == EINTR || errno == ENOENT)
			return true;
		if (errno != EAGAIN)
			w->unmounted = true;
		return false;
	}
	slot->in.iov_len = (size_t)n;
	chain.readable = &slot->in;
	chain.writable = &slot->out;
	w->free = slot->next;
	if (virtiofs_queue_submit(w->queue, &chain) < 0) {
		slot->next = w->free;
		w->free = slot;
		return false;
	}
	return true;
}

static void stopped(void *arg)
{
	struct worker *w = arg;

	w->stopped = true;
}

static void serve(struct worker *w)
{
	struct pollfd fds[] = {
		{ .fd = w->stop_fd, .events = POLLIN },
		{ .fd = virtiofs_queue_fd(w->queue), .events = POLLIN },
		{ .fd = w->fuse_fd, .events = POLLIN },
	};

	while (!w->unmounted && !(fds[0].revents & POLLIN)) {
		while (take_request(w))
			;
		virtiofs_queue_run(w->queue, 0);
		/* With all slots in work only their completion can make one free. */
		fds[2].fd = w->free ? w->fuse_fd : -1;
		if (!w->unmounted && poll(fds, 3, -1) < 0 && errno != EINTR)
			break;
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct pollfd pfd;
	int err = virtiofs_queue_attach(w->queue, VIRTIOFS_QUEUE_DEDICATED);

	if (err)
		fail("attaching a queue: %s", strerror(-err));
	serve(w);
	eventfd_write(w->done_fd, 1);
	virtiofs_queue_stop(w->queue, stopped, w);
	pfd = (struct pollfd){ .fd = virtiofs_queue_fd(w->queue), .events = POLLIN };
	while (!w->stopped) {
		poll(&pfd, 1, -1);
		virtiofs_queue_run(w->queue, 0);
	}
	virtiofs_queue_detach(w->queue);
	return NULL;
}

static void open_worker(struct worker *w, int fuse_fd, bool first)
{
	uint32_t source = (uint32_t)fuse_fd;

	w->fuse_fd = first ? fuse_fd : open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (w->fuse_fd < 0 || (!first && ioctl(w->fuse_fd, FUSE_DEV_IOC_CLONE, &source) < 0))
		fail("cloning /dev/fuse: %s", strerror(errno));
	fcntl(w->fuse_fd, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < SLOTS; i++) {
		struct slot *slot = &w->slots[i];

		slot->in.iov_base = malloc(BUFFER);
		slot->out.iov_base = malloc(BUFFER);
		slot->out.iov_len = BUFFER;
		if (!slot->in.iov_base || !slot->out.iov_base)
			fail("out of memory");
		slot->next = w->free;
		w->free = slot;
	}
}

static void close_worker(struct worker *w)
{
	for (int i = 0; i < SLOTS; i++) {
		free(w->slots[i].in.iov_base);
		free(w->slots[i].out.iov_base);
	}
	close(w->fuse_fd);
}

/* ---- The filesystem, the device, and their life ---- */

static struct virtiofs_fs *make_fs(const struct options *o, const struct virtiofs_env *env)
{
	struct virtiofs_fs *fs;
	int root, err;

	if (o->memfs) {
		err = memfs_create(&fs);
		if (err)
			fail("making the filesystem: %s", strerror(-err));
		return fs;
	}
	root = open(o->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		fail("'%s': %s", o->source, strerror(errno));
	err = virtiofs_passthrough_create(&fs, env, root, &o->passthrough);
	if (err)
		fail("sharing '%s': %s", o->source, strerror(-err));
	close(root);
	return fs;
}

/* Wait for a signal or for the end of the mount; then see that it is unmounted. */
static void wait_for_end(const struct options *o, int done_fd)
{
	sigset_t signals;
	struct pollfd fds[2];

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	fds[0] = (struct pollfd){ .fd = signalfd(-1, &signals, SFD_CLOEXEC), .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = done_fd, .events = POLLIN };
	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	if (fds[0].revents)
		fuse_unmount(o->mount_point);
	close(fds[0].fd);
}

static void run(const struct options *o)
{
	static struct worker workers[MAX_THREADS];
	const struct virtiofs_host_ops ops = { .size = sizeof(ops), .complete = complete };
	const struct virtiofs_env env = {
		.size = sizeof(env),
		.ctx = (void *)(uintptr_t)&o->debug,
		.log = log_line,
	};
	struct virtiofs_device_options dopts = VIRTIOFS_DEVICE_OPTIONS_INIT;
	struct virtiofs_fs *fs = make_fs(o, &env);
	struct virtiofs_device *dev;
	int stop_fd = eventfd(0, EFD_CLOEXEC), done_fd = eventfd(0, EFD_CLOEXEC);
	int fuse_fd, err;

	dopts.request_queues = o->threads;
	dopts.max_write = MAX_WRITE;
	dopts.max_inflight = SLOTS;
	dopts.max_segments = 8;
	dopts.io = o->io;
	err = virtiofs_device_create(&dev, &env, &dopts, fs, &ops, workers);
	if (err || stop_fd < 0 || done_fd < 0)
		fail("making the device: %s", strerror(err ? -err : errno));
	/* Last: who fails before leaves no mount behind that nobody serves. */
	fuse_fd = fuse_mount(o->source, o->mount_point, o->mount_options);
	if (fuse_fd < 0)
		fail("mounting on '%s': %s", o->mount_point, strerror(-fuse_fd));
	for (unsigned i = 0; i < o->threads; i++) {
		workers[i].queue = virtiofs_device_queue(dev, i + 1);
		workers[i].stop_fd = stop_fd;
		workers[i].done_fd = done_fd;
		open_worker(&workers[i], fuse_fd, i == 0);
	}
	for (unsigned i = 0; i < o->threads; i++)
		if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]))
			fail("starting a thread");
	wait_for_end(o, done_fd);
	eventfd_write(stop_fd, 1);
	for (unsigned i = 0; i < o->threads; i++)
		pthread_join(workers[i].thread, NULL);
	for (unsigned i = 0; i < o->threads; i++)
		close_worker(&workers[i]);
	virtiofs_device_destroy(dev);
	virtiofs_fs_destroy(fs);
	close(stop_fd);
	close(done_fd);
}

/* ---- Options ---- */

static void usage(FILE *file)
{
	const struct virtiofs_option *option;

	fputs("usage: fuse_mount [options] DIRECTORY MOUNTPOINT\n"
	      "       fuse_mount [options] --memfs MOUNTPOINT\n"
	      "Mounts DIRECTORY, or a filesystem in memory, until it is unmounted or killed.\n"
	      "  --threads=N    threads that serve it, 1 to 64 (default 1)\n"
	      "  --io=auto|sync|uring  how data is moved\n"
	      "  -o OPTIONS     mount options (default: default_permissions, and allow_other as "
	      "root)\n"
	      "  --memfs        serve an empty filesystem in memory\n"
	      "  -d, --debug    log more\n"
	      "  -h, --help     this text\n"
	      "and for DIRECTORY those of virtiofsd, whose manual says what they do:\n",
	      file);
	for (size_t i = 0; (option = virtiofs_passthrough_option(i)); i++)
		fprintf(file, "  --%s%s%s%s\n", option->value ? "" : "[no-]", option->name,
			option->value ? "=" : "", option->value ? option->value : "");
}

static uint32_t choice(const char *option, const char *value, const char *const *names)
{
	for (uint32_t i = 0; names[i]; i++) {
		if (strcmp(names[i], value) == 0)
			return i;
	}
	fprintf(stderr, "fuse_mount: --%s: '%s' is none of its values\n", option, value);
	exit(2);
}

/*
 * Take the options of the filesystem out of @argv, as "--name" or "--name=value":
 * what is left is ours. Of one that is given several times the last counts.
 */
static int take_passthrough(struct options *o, int argc, char **argv)
{
	int left = 1;

	for (int i = 1; i < argc; i++) {
		char name[64], error[256];
		size_t len = strcspn(argv[i], "=");
		const char *value = argv[i][len] ? argv[i] + len + 1 : NULL;
		int err = -ENOENT;

		if (strncmp(argv[i], "--", 2) == 0 && len - 2 < sizeof(name)) {
			snprintf(name, sizeof(name), "%.*s", (int)len - 2, argv[i] + 2);
			err = virtiofs_passthrough_set(&o->passthrough, name, value, error,
						       sizeof(error));
		}
		if (err == -ENOENT) {
			argv[left++] = argv[i];
		} else if (err) {
			fprintf(stderr, "fuse_mount: %s\n", error);
			exit(2);
		}
	}
	argv[left] = NULL;
	return left;
}

static void parse(struct options *o, int argc, char **argv)
{
	/* In the order of VIRTIOFS_IO_. */
	static const char *const ios[] = { "auto", "sync", "uring", NULL };
	static const struct option longs[] = {
		{ "threads", required_argument, NULL, 't' }, { "io", required_argument, NULL, 'i' },
		{ "memfs", no_argument, NULL, 'm' },	     { "debug", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },	     { NULL, 0, NULL, 0 },
	};
	int c, want;

	argc = take_passthrough(o, argc, argv);
	while ((c = getopt_long(argc, argv, "o:dh", longs, NULL)) != -1) {
		if (c == 'i')
			o->io = choice("io", optarg, ios);
		else if (c == 't')
			o->threads = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'o')
			o->mount_options = optarg;
		else if (c == 'm')
			o->memfs = true;
		else if (c == 'd')
			o->debug = true;
		else
			exit(c == 'h' ? (usage(stdout), 0) : (usage(stderr), 2));
	}
	/* memfs has no lock. */
	if (o->memfs && o->threads != 1) {
		fputs("fuse_mount: --memfs has one thread\n", stderr);
		exit(2);
	}
	want = o->memfs ? 1 : 2;
	if (argc - optind != want || o->threads < 1 || o->threads > MAX_THREADS) {
		usage(stderr);
		exit(2);
	}
	o->source = o->memfs ? "memfs" : argv[optind];
	o->mount_point = argv[argc - 1];
}

/* Each file the kernel knows is a descriptor of ours. */
static void raise_nofile(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	struct options o = { .passthrough = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT, .threads = 1 };
	sigset_t signals;

	parse(&o, argc, argv);
	if (!o.mount_options)
		o.mount_options =
			geteuid() == 0 ? "default_permissions,allow_other" : "default_permissions";
	raise_nofile();
	/* Before the first thread, so that all have them blocked. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	/* A write beyond RLIMIT_FSIZE is its writer's error, not our end. */
	signal(SIGXFSZ, SIG_IGN);
	run(&o);
	return 0;
}
