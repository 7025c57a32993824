/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What inodes cost that a guest knows: memory, and time to look them up. Requests go to the
 * passthrough filesystem itself, one at a time, without a device around it.
 *
 *	bench_inodes DIRECTORY COUNT [prefer|never [MAX_HOT]]
 *
 * COUNT files are made in a new directory below DIRECTORY, a thousand in each, and removed
 * again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "unit/passthrough/guest.h"

enum { PER_DIR = 1000 };

struct bench {
	struct guest guest;
	unsigned count;
	uint64_t *dirs;
	uint64_t *nodes;
	double started;
	double cpu;
};

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static double now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Bytes of this process that are in memory. */
static unsigned long resident(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long all, here = 0;

	if (!file || fscanf(file, "%lu %lu", &all, &here) != 2)
		die("/proc/self/statm");
	fclose(file);
	return here * (unsigned long)sysconf(_SC_PAGESIZE);
}

static void begin(struct bench *bench)
{
	bench->started = now(CLOCK_MONOTONIC);
	bench->cpu = now(CLOCK_PROCESS_CPUTIME_ID);
}

/* The time that went by, and of the CPU's, which is what counts where others run too. */
static void end(const struct bench *bench, const char *what, unsigned count)
{
	double seconds = now(CLOCK_MONOTONIC) - bench->started;
	double cpu = now(CLOCK_PROCESS_CPUTIME_ID) - bench->cpu;

	printf("  %-28s %9.0f /s  %9.0f /s of CPU time\n", what, count / seconds, count / cpu);
	fflush(stdout);
}

static void make_files(struct bench *bench)
{
	char name[32];

	for (unsigned i = 0; i < bench->count; i++) {
		if (i % PER_DIR == 0) {
			sprintf(name, "d%u", i / PER_DIR);
			if (mkdirat(bench->guest.dir, name, 0755))
				die(name);
		}
		sprintf(name, "d%u/f%u", i / PER_DIR, i);
		if (mknodat(bench->guest.dir, name, S_IFREG | 0644, 0))
			die(name);
	}
}

static void remove_files(struct bench *bench)
{
	char name[32];

	for (unsigned i = 0; i < bench->count; i++) {
		sprintf(name, "d%u/f%u", i / PER_DIR, i);
		unlinkat(bench->guest.dir, name, 0);
		if (i % PER_DIR == PER_DIR - 1 || i == bench->count - 1) {
			sprintf(name, "d%u", i / PER_DIR);
			unlinkat(bench->guest.dir, name, AT_REMOVEDIR);
		}
	}
	rmdir(bench->guest.path);
}

static uint64_t look_up(struct bench *bench, uint64_t parent, const char *name)
{
	struct virtiofs_fuse_entry_out out;

	errno = -do_lookup(&bench->guest, parent, name, &out);
	if (errno)
		die(name);
	return out.nodeid;
}

static void look_up_all(struct bench *bench, const char *what)
{
	char name[32];

	for (unsigned i = 0; i < bench->count; i += PER_DIR) {
		sprintf(name, "d%u", i / PER_DIR);
		bench->dirs[i / PER_DIR] = look_up(bench, ROOT, name);
	}
	begin(bench);
	for (unsigned i = 0; i < bench->count; i++) {
		sprintf(name, "f%u", i);
		bench->nodes[i] = look_up(bench, bench->dirs[i / PER_DIR], name);
	}
	end(bench, what, bench->count);
}

/* So few that they stay hot. */
static void look_up_few(struct bench *bench)
{
	enum { FEW = 100, ROUNDS = 1000 };
	unsigned few = bench->count < FEW ? bench->count : FEW;
	char name[32];

	for (unsigned i = 0; i < few; i++) {
		struct virtiofs_fuse_attr attr;

		if (do_getattr(&bench->guest, bench->nodes[i], &attr))
			die("getattr");
	}
	begin(bench);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < few; i++) {
			sprintf(name, "f%u", i);
			look_up(bench, bench->dirs[0], name);
		}
	}
	end(bench, "LOOKUP, known and hot", few * ROUNDS);
}

/* Far apart, in an order that meets each once: a prime step. */
static void get_attributes(struct bench *bench)
{
	struct virtiofs_fuse_attr attr;
	uint64_t at = 0;

	begin(bench);
	for (unsigned i = 0; i < bench->count; i++) {
		at = (at + 7919) % bench->count;
		if (do_getattr(&bench->guest, bench->nodes[at], &attr))
			die("getattr");
	}
	end(bench, "GETATTR, all, at random", bench->count);
}

static void forget_all(struct bench *bench)
{
	begin(bench);
	for (unsigned i = 0; i < bench->count; i++)
		do_forget(&bench->guest, bench->nodes[i], UINT64_MAX);
	end(bench, "FORGET", bench->count);
}

static void open_guest(struct bench *bench, const char *directory,
		       const struct virtiofs_passthrough_options *options)
{
	struct guest *g = &bench->guest;

	if ((size_t)snprintf(g->path, sizeof(g->path), "%s/bench-XXXXXX", directory) >=
	    sizeof(g->path))
		errno = ENAMETOOLONG;
	else if (mkdtemp(g->path))
		errno = 0;
	if (errno)
		die(directory);
	g->dir = open(g->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	errno = -virtiofs_passthrough_create(&g->fs, NULL, g->dir, options);
	if (errno)
		die("virtiofs_passthrough_create");
	g->ops = &g->fs->ops;
	g->init = (struct virtiofs_init){ .size = sizeof(g->init) };
	errno = -g->ops->session_begin(g->fs->fs, &g->session, &g->init);
	if (errno)
		die("session_begin");
}

static void run(struct bench *bench)
{
	unsigned long before = resident();

	look_up_all(bench, "LOOKUP, new");
	printf("  %-28s %9.1f bytes\n", "memory of an inode",
	       (double)(resident() - before) / bench->count);
	look_up_all(bench, "LOOKUP, known, all in turn");
	look_up_few(bench);
	get_attributes(bench);
	forget_all(bench);
}

int main(int argc, char **argv)
{
	struct virtiofs_passthrough_options options = VIRTIOFS_PASSTHROUGH_OPTIONS_INIT;
	struct bench bench = { .count = 0 };

	if (argc > 2)
		bench.count = (unsigned)strtoul(argv[2], NULL, 10);
	if (bench.count == 0 || bench.count > 100000000) {
		fprintf(stderr, "usage: %s DIRECTORY COUNT [prefer|never [MAX_HOT]]\n", argv[0]);
		return EXIT_FAILURE;
	}
	if (argc > 3 && strcmp(argv[3], "never") == 0)
		options.inode_file_handles = VIRTIOFS_INODE_FILE_HANDLES_NEVER;
	if (argc > 4)
		options.max_hot_inodes = (uint32_t)strtoul(argv[4], NULL, 10);
	/* Written to now, so as not to be counted later. */
	bench.dirs = malloc((bench.count / PER_DIR + 1) * sizeof(*bench.dirs));
	bench.nodes = malloc(bench.count * sizeof(*bench.nodes));
	if (!bench.dirs || !bench.nodes)
		die("malloc");
	memset(bench.dirs, 1, (bench.count / PER_DIR + 1) * sizeof(*bench.dirs));
	memset(bench.nodes, 1, bench.count * sizeof(*bench.nodes));
	open_guest(&bench, argv[1], &options);
	printf("%u files in %s\n", bench.count, argv[1]);
	make_files(&bench);
	run(&bench);
	bench.guest.ops->session_end(bench.guest.session);
	virtiofs_fs_destroy(bench.guest.fs);
	remove_files(&bench);
	close(bench.guest.dir);
	free(bench.nodes);
	free(bench.dirs);
	return EXIT_SUCCESS;
}
