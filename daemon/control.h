/* SPDX-License-Identifier: BSD-2-Clause */
/* The main thread's loop: who connects, what he says, and when to end. */
#ifndef VIRTIOFSD_CONTROL_H
#define VIRTIOFSD_CONTROL_H

#include <stdbool.h>

#include <virtiofs/vhost_user.h>

#include "listen.h"

struct control {
	struct virtiofs_vhost_user *vu;
	const struct listener *listener;
	int signals; /* from control_catch_signals() */
	int failed;  /* readable: a thread had to give up */
	bool exit_on_disconnect;
};

/*
 * Have the signals that end the daemon wait in a descriptor, which is returned, and
 * ignore those that must not end it. Before any thread is made.
 */
int control_catch_signals(void);

/* Longest time requests in work are waited for at the end, in milliseconds. */
#define CONTROL_END_MS 2000

/*
 * Serve one front-end after the other until it is time to end.
 * Returns 0, nobody is connected any more; -ETIMEDOUT told to end, but requests do
 * not come back; -EIO a thread gave up; or another errno. Errors are logged.
 */
int control_run(const struct control *control);

#endif /* VIRTIOFSD_CONTROL_H */
