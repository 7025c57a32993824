/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/temp_dir.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check.h"

/*
 * A shell that removes the directory when its standard input ends: which it does
 * also when this process is killed.
 */
static pid_t spawn_reaper(const char *path, int lifeline)
{
	static const char script[] = "trap '' INT TERM HUP; read line; "
				     "chmod -R u+rwX \"$0\" 2>/dev/null; rm -rf \"$0\"";
	char *const argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, strdup(script), strdup(path),
			       NULL };
	char *const envp[] = { (char[]){ "PATH=/usr/bin:/bin" }, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid;

	CHECK(argv[2] && argv[3]);
	CHECK(posix_spawn_file_actions_init(&actions) == 0);
	CHECK(posix_spawn_file_actions_adddup2(&actions, lifeline, 0) == 0);
	CHECK(posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, envp) == 0);
	posix_spawn_file_actions_destroy(&actions);
	free(argv[2]);
	free(argv[3]);
	return pid;
}

void temp_dir_create(struct temp_dir *dir)
{
	const char *base = getenv("TMPDIR");
	int ends[2];

	CHECK(snprintf(dir->path, sizeof(dir->path), "%s/virtiofs-test-XXXXXX",
		       base && base[0] ? base : "/tmp") < (int)sizeof(dir->path));
	CHECK(mkdtemp(dir->path));
	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	dir->reaper = spawn_reaper(dir->path, ends[0]);
	close(ends[0]);
	dir->lifeline = ends[1];
	dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(dir->fd >= 0);
}

void temp_dir_remove(struct temp_dir *dir)
{
	int status;

	close(dir->fd);
	close(dir->lifeline);
	CHECK(waitpid(dir->reaper, &status, 0) == dir->reaper);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(access(dir->path, F_OK) != 0);
}
