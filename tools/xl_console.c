// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_console.c - a terminal on a guest's console.
#include "tools/xl_console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "tools/xl_daemons.h"
#include "tools/xl_proc.h"
#include "tools/xl_store.h"

#define TTY_TIMEOUT_MS 10000

struct wanted {
	unsigned int domid;
	char *tty;
};

static int has_tty(struct xs_handle *h, void *arg)
{
	struct wanted *w = arg;

	free(w->tty);
	w->tty = xl_store_get(h, XBT_NULL, "/local/domain/%u/console/tty",
			      w->domid);
	return w->tty && *w->tty ? 1 : 0;
}

/* A pty and nothing else, whatever the node says. */
static int open_pty(const char *tty)
{
	struct termios t;
	int fd;

	if (strncmp(tty, "/dev/pts/", 9) != 0 || strchr(tty + 9, '/'))
		return -EINVAL;
	fd = open(tty, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (tcgetattr(fd, &t) == 0) {
		cfmakeraw(&t);
		if (tcsetattr(fd, TCSANOW, &t) == 0)
			return fd;
	}
	fd_close(&fd);
	return -ENOTTY;
}

int xl_console_open(unsigned int domid)
{
	struct wanted w = { .domid = domid };
	struct xs_handle *h;
	char path[64];
	int ret;

	ret = xl_store_open(&h);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), "/local/domain/%u/console/tty", domid);
	ret = xl_daemons_wait(h, path, TTY_TIMEOUT_MS, has_tty, &w);
	xs_close(h);
	if (ret > 0)
		ret = open_pty(w.tty);
	if (ret == -ETIMEDOUT)
		log_err("domain %u: no console after %d s (is sv-backend running? its log says more)",
			domid, TTY_TIMEOUT_MS / 1000);
	else if (ret < 0)
		log_err("domain %u: its console '%s' cannot be opened: %s",
			domid, w.tty ? w.tty : "", strerror(-ret));
	free(w.tty);
	return ret;
}

/* What was typed goes to the guest; false at the escape character. */
static bool forward_input(struct pollfd *in, int fd)
{
	char buf[1024], *escape;
	ssize_t n = read(in->fd, buf, sizeof(buf));

	if (n <= 0) {
		if (n == 0 || (errno != EINTR && errno != EAGAIN))
			in->fd = -1;
		return true;
	}
	escape = memchr(buf, XL_ESCAPE, (size_t)n);
	if (escape)
		n = escape - buf;
	return !fd_write_all(fd, buf, (size_t)n) && !escape;
}

/* What the guest printed, as it is; false when the console is gone. */
static bool forward_output(int fd)
{
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	return n > 0 && !fd_write_all(STDOUT_FILENO, buf, (size_t)n);
}

static void forward(int fd)
{
	struct pollfd p[2] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = fd, .events = POLLIN },
	};

	while (!xl_interrupted()) {
		if (xl_poll(p, 2, -1) < 0) {
			if (errno != EINTR)
				return;
			continue;
		}
		if (p[1].revents && !forward_output(fd))
			return;
		if (p[0].fd >= 0 && p[0].revents && !forward_input(&p[0], fd))
			return;
	}
}

void xl_console_run(int fd)
{
	struct termios saved, raw;
	bool tty = tcgetattr(STDIN_FILENO, &saved) == 0;

	xl_catch_interrupts(); /* the terminal must be put back */
	if (tty) {
		raw = saved;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	forward(fd);
	if (tty)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}
