/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/console_pty.c - a console's pseudo terminal and who holds it. */
#include "dom0-backend/console_pty.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"

/* Settings and queues of the slave can be reached through the master. */
static void make_raw(int fd)
{
	struct termios t;

	if (tcgetattr(fd, &t))
		return;
	cfmakeraw(&t);
	(void)!tcsetattr(fd, TCSANOW, &t);
}

/*
 * A hang-up is only reported once the slave has been open; console_pty_open()
 * sees to that.
 */
static bool hung_up(const struct console_pty *p)
{
	struct pollfd pfd = { .fd = p->master, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLHUP);
}

static void reader_left(struct console_pty *p)
{
	p->held = p->left = false;
	(void)!tcflush(p->master, TCIOFLUSH);
	make_raw(p->master);
}

int console_pty_open(struct console_pty *p, int inotify)
{
	int slave, ret;

	*p = (struct console_pty){ .master = -1, .drain = -1, .watch = -1 };
	p->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (p->master < 0)
		return -errno;
	if (grantpt(p->master) || unlockpt(p->master) ||
	    ptsname_r(p->master, p->name, sizeof(p->name)))
		goto close;
	slave = open(p->name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		goto close;
	make_raw(slave);
	fd_close(&slave);
	p->watch = inotify_add_watch(inotify, p->name, IN_OPEN | IN_CLOSE);
	if (p->watch < 0)
		goto close;
	/* Somebody may have been faster than the watch. */
	p->held = !hung_up(p);
	return 0;

close:
	ret = -errno;
	fd_close(&p->master);
	return ret;
}

void console_pty_close(struct console_pty *p, int inotify)
{
	if (p->watch >= 0)
		(void)!inotify_rm_watch(inotify, p->watch);
	p->watch = -1;
	p->held = false;
	fd_close(&p->drain);
	fd_close(&p->master);
}

/*
 * Like events in a row come as one, so they cannot be counted; the hang-up tells
 * whether anybody is there. An open begins a new session if nobody was there, or
 * if somebody has left since the last open: who reads beside others joins them.
 */
bool console_pty_event(struct console_pty *p, unsigned int mask)
{
	bool fresh;

	if (p->drain >= 0)
		return false;
	if (hung_up(p)) {
		if (p->held)
			reader_left(p);
		return false;
	}
	if (!(mask & (IN_OPEN | IN_Q_OVERFLOW))) {
		p->left = true;
		return false;
	}
	fresh = !p->held || p->left;
	if (p->held && p->left)
		reader_left(p);
	p->left = false;
	p->held = true;
	return fresh;
}

int console_pty_write(struct console_pty *p, const void *buf, size_t n)
{
	ssize_t ret;

	ret = write(p->master, buf, MIN(n, (size_t)INT_MAX));
	if (ret >= 0)
		return (int)ret;
	if (errno == EAGAIN || errno == EINTR)
		return 0;
	return -EIO;
}

int console_pty_read(struct console_pty *p, void *buf, size_t n)
{
	ssize_t ret;

	ret = read(p->master, buf, MIN(n, (size_t)INT_MAX));
	if (ret > 0)
		return (int)ret;
	if (ret < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (p->drain < 0)
		reader_left(p);
	return -EIO;
}

bool console_pty_drained(struct console_pty *p)
{
	int left = 0;

	if (p->drain < 0)
		p->drain = open(p->name,
				O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (p->drain < 0 || ioctl(p->drain, TIOCINQ, &left))
		return true;
	return left == 0;
}
