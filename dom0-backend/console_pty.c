/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/console_pty.c - a console's pseudo terminal and who holds it. */
#include "dom0-backend/console_pty.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

/*
 * Not by its name: a sandbox need not have it, and it would let all others in.
 *
 * SYSCALLS: ioctl:TIOCGPTPEER
 */
static int open_slave(const struct console_pty *p)
{
	int fd = ioctl(p->master, TIOCGPTPEER,
		       O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

/* SYSCALLS: poll */
static bool hung_up(const struct console_pty *p)
{
	struct pollfd pfd = { .fd = p->master, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLHUP);
}

/*
 * Make the slave as new for the next reader, and see whether one is there by now.
 * The slave's own queue can only be reached from the slave; the watch is renewed
 * so that it tells nothing of this. (The master reports no hang-up before the
 * slave was open for the first time: that is done here as well.)
 *
 * SYSCALLS: inotify_rm_watch inotify_add_watch ioctl:TCGETS ioctl:TCSETS ioctl:TCFLSH
 */
static int renew(struct console_pty *p)
{
	struct termios t;
	int slave, ret = 0;

	if (p->watch >= 0)
		(void)!inotify_rm_watch(p->inotify, p->watch);
	slave = open_slave(p);
	if (slave < 0)
		ret = slave;
	if (slave >= 0 && !tcgetattr(slave, &t)) {
		cfmakeraw(&t);
		(void)!tcsetattr(slave, TCSANOW, &t);
		(void)!tcflush(slave, TCIFLUSH);
	}
	fd_close(&slave);
	p->watch = inotify_add_watch(p->inotify, p->name, IN_OPEN | IN_CLOSE);
	if (p->watch < 0)
		ret = -errno;
	p->left = false;
	p->held = !hung_up(p);
	return ret;
}

/* SYSCALLS: ioctl:TIOCGPTN */
int console_pty_open(struct console_pty *p, int master, int inotify)
{
	int ret;

	*p = (struct console_pty){
		.inotify = inotify, .master = master, .drain = -1, .watch = -1
	};
	ret = -ptsname_r(p->master, p->name, sizeof(p->name));
	if (!ret)
		ret = renew(p);
	if (ret)
		console_pty_close(p);
	return ret;
}

void console_pty_close(struct console_pty *p)
{
	if (p->watch >= 0)
		(void)!inotify_rm_watch(p->inotify, p->watch);
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
enum console_pty_news console_pty_event(struct console_pty *p,
					unsigned int mask)
{
	bool was = p->held, gone = hung_up(p);
	int ret = 0;

	if (p->drain >= 0)
		return CONSOLE_PTY_SAME;
	if (!gone && !(mask & (IN_OPEN | IN_Q_OVERFLOW))) {
		p->left = true;
		return CONSOLE_PTY_SAME;
	}
	if (!gone && was && !p->left)
		return CONSOLE_PTY_SAME;
	if (gone || p->left)
		ret = renew(p);
	else
		p->held = true;
	if (ret)
		log_warn("%s: cannot be made ready for the next reader: %s",
			 p->name, strerror(-ret));
	if (p->held)
		return CONSOLE_PTY_CAME;
	return was ? CONSOLE_PTY_LEFT : CONSOLE_PTY_SAME;
}

/* SYSCALLS: write */
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

/* SYSCALLS: read */
int console_pty_read(struct console_pty *p, void *buf, size_t n)
{
	ssize_t ret;

	ret = read(p->master, buf, MIN(n, (size_t)INT_MAX));
	if (ret > 0)
		return (int)ret;
	if (ret < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return -EIO;
}

/* SYSCALLS: ioctl:TIOCINQ */
bool console_pty_drained(struct console_pty *p)
{
	int left = 0;

	if (p->drain < 0)
		p->drain = open_slave(p);
	if (p->drain < 0 || ioctl(p->drain, TIOCINQ, &left))
		return true;
	return left == 0;
}
