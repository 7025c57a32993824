/* SPDX-License-Identifier: BSD-2-Clause */
#include "control.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

/* How long to let the listening socket be when no descriptor is free for a client. */
#define ACCEPT_PAUSE_MS 1000

enum state {
	WAITING,   /* for a client */
	CONNECTED, /* to one */
	ENDING,	   /* told to end; the client's requests are finished */
	ENDED,
};

struct loop {
	const struct control *control;
	enum state state;
	int64_t end_at;	   /* ENDING: when to give up, in milliseconds of CLOCK_MONOTONIC */
	int64_t accept_at; /* WAITING: when to look at the socket again */
	int error;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_ignored(int signal)
{
	struct sigaction action;

	return sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

int control_catch_signals(void)
{
	sigset_t mask;
	int fd;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	/* Ignored by nohup(1), or by a shell for what it runs in the background. */
	if (!is_ignored(SIGINT))
		sigaddset(&mask, SIGINT);
	if (!is_ignored(SIGHUP))
		sigaddset(&mask, SIGHUP);
	/* A write beyond RLIMIT_FSIZE, or to a log nobody reads, is an error, no more. */
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static const char *signal_name(uint32_t signal)
{
	switch (signal) {
	case SIGTERM:
		return "SIGTERM";
	case SIGINT:
		return "SIGINT";
	default:
		return "SIGHUP";
	}
}

static void end_late(struct loop *loop)
{
	log_warning("Requests are still in work, ending without them");
	loop->error = -ETIMEDOUT;
	loop->state = ENDED;
}

static void on_signal(struct loop *loop)
{
	struct signalfd_siginfo info;

	if (read(loop->control->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (loop->state == ENDING)
		return end_late(loop);
	log_info("Ended by %s, shutting down", signal_name(info.ssi_signo));
	if (loop->state == WAITING) {
		loop->state = ENDED;
		return;
	}
	virtiofs_vhost_user_disconnect(loop->control->vu);
	loop->state = ENDING;
	loop->end_at = now_ms() + CONTROL_END_MS;
}

static void wait_for_client(struct loop *loop)
{
	log_info("Waiting for vhost-user socket connection...");
	loop->state = WAITING;
	loop->accept_at = 0;
}

static void on_message(struct loop *loop)
{
	if (virtiofs_vhost_user_process(loop->control->vu) == 0)
		return;
	if (loop->state == ENDING) {
		loop->state = ENDED;
	} else if (loop->control->exit_on_disconnect) {
		log_info("Client disconnected, shutting down");
		loop->state = ENDED;
	} else {
		log_info("Client disconnected");
		wait_for_client(loop);
	}
}

static void on_client(struct loop *loop)
{
	int fd = listener_accept(loop->control->listener);
	int err;

	if (fd == -EAGAIN || fd == -ECONNABORTED)
		return;
	if (fd < 0) {
		/* It stays readable: asking again at once would only burn the CPU. */
		log_errno(VIRTIOFS_LOG_WARNING, fd, "Cannot accept a client");
		loop->accept_at = now_ms() + ACCEPT_PAUSE_MS;
		return;
	}
	err = virtiofs_vhost_user_connect(loop->control->vu, fd);
	if (err) {
		log_errno(VIRTIOFS_LOG_WARNING, err, "Cannot serve a client");
		close(fd);
		return;
	}
	log_info("Client connected, servicing requests");
	loop->state = CONNECTED;
}

/* How long poll(2) may take: until the next thing that happens by itself. */
static int timeout(const struct loop *loop, int64_t now)
{
	int64_t at = 0;

	if (loop->state == ENDING)
		at = loop->end_at;
	else if (loop->state == WAITING)
		at = loop->accept_at;
	if (!at)
		return -1;
	return at > now ? (int)(at - now) : 0;
}

static void step(struct loop *loop)
{
	const struct control *control = loop->control;
	int64_t now = now_ms();
	bool connected = loop->state == CONNECTED || loop->state == ENDING;
	bool accepting = loop->state == WAITING && loop->accept_at <= now;
	struct pollfd fds[] = {
		{ .fd = control->signals, .events = POLLIN },
		{ .fd = control->failed, .events = POLLIN },
		{ .fd = connected ? virtiofs_vhost_user_fd(control->vu) : -1, .events = POLLIN },
		{ .fd = accepting ? control->listener->fd : -1, .events = POLLIN },
	};

	if (accepting)
		loop->accept_at = 0;
	if (poll(fds, sizeof(fds) / sizeof(fds[0]), timeout(loop, now)) < 0) {
		if (errno == EINTR)
			return;
		loop->error = -errno;
		log_errno(VIRTIOFS_LOG_ERR, errno, "Cannot poll");
		loop->state = ENDED;
		return;
	}
	if (fds[1].revents) {
		loop->error = -EIO;
		loop->state = ENDED;
		return;
	}
	if (fds[2].revents)
		on_message(loop);
	if (fds[3].revents)
		on_client(loop);
	if (fds[0].revents && loop->state != ENDED)
		on_signal(loop);
	if (loop->state == ENDING && now_ms() >= loop->end_at)
		end_late(loop);
}

int control_run(const struct control *control)
{
	struct loop loop = { .control = control };

	wait_for_client(&loop);
	while (loop.state != ENDED)
		step(&loop);
	return loop.error;
}
