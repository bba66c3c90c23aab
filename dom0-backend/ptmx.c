/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/ptmx.c - new terminals for a process that can open no device. */
#include "dom0-backend/ptmx.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/jail.h"
#include "base/log.h"
#include "base/sock.h"

#define NAME	  "sv-consolepty"
#define ANSWER_MS 2000

static int open_here(void)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	if (grantpt(fd) || unlockpt(fd)) {
		ret = -errno;
		fd_close(&fd);
		return ret;
	}
	return fd;
}

/* ---- The process that opens them ------------------------------------------ */

static int confine(void)
{
	static const struct jail_call calls[] = {
		{ .nr = SYS_recvmsg },
		{ .nr = SYS_sendmsg },
		{ .nr = SYS_openat, .request = O_RDWR },
		{ .nr = SYS_ioctl, .request = TIOCGPTN },
		{ .nr = SYS_ioctl, .request = TIOCSPTLCK },
		{ .nr = SYS_close },
		{ .nr = SYS_write }, /* the log's */
		{ .nr = SYS_exit_group },
		{ .nr = SYS_rt_sigreturn },
		{ .nr = SYS_restart_syscall },
	};
	const struct jail j = { .calls = calls, .ncalls = ARRAY_SIZE(calls) };

#ifdef SV_SANITIZED
	/* What sanitizers ask for is on no list. */
	return sandbox_enter();
#endif
	return jail_enter(&j);
}

/* It is told to end by the end of who asks. */
static void keep_on(void)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

static _Noreturn void serve(int sock)
{
	int ret, fds[SOCK_MAX_FDS];
	char request;
	size_t n;

	prctl(PR_SET_NAME, NAME);
	log_init("consolepty", LOG_LVL_INFO);
	log_set_cap(0);
	keep_on();
	if (dup3(sock, STDERR_FILENO + 1, O_CLOEXEC) >= 0)
		sock = STDERR_FILENO + 1;
	syscall(SYS_close_range, sock + 1, UINT_MAX, 0);
	ret = confine();
	if (ret) {
		log_err("cannot give up what it does not need: error %d", -ret);
		_exit(1);
	}
	while (!sock_recv_fds(sock, &request, sizeof(request), fds, &n)) {
		while (n)
			close(fds[--n]);
		ret = open_here();
		if (sock_send_fds(sock, &ret, sizeof(ret), &ret, ret >= 0))
			break;
		fd_close(&ret);
	}
	_exit(0);
}

/* ---- The process that asks -------------------------------------------------- */

int ptmx_start(void)
{
	int ends[2], ret;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		serve(ends[1]);
	}
	ret = pid < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) ? -errno : 0;
	fd_close(&ends[1]);
	if (!ret)
		return ends[0];
	fd_close(&ends[0]);
	return ret;
}

/* Return: a master, or -errno; -EAGAIN if there is no answer yet. */
static int take_answer(int helper)
{
	int answer, fds[SOCK_MAX_FDS];
	size_t n;
	int ret = sock_recv_fds(helper, &answer, sizeof(answer), fds, &n);

	if (ret)
		return ret == -EPIPE || ret == -ECONNRESET ? -EIO : ret;
	return n ? fds[0] : MIN(answer, -1);
}

/* SYSCALLS: poll */
int ptmx_open(int helper)
{
	struct pollfd pfd = { .fd = helper, .events = POLLIN };
	int ret;

	if (helper < 0)
		return open_here();
	ret = sock_send_fds(helper, "", 1, NULL, 0);
	if (ret)
		return ret == -EPIPE ? -EIO : ret;
	while ((ret = poll(&pfd, 1, ANSWER_MS)) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return ret ? take_answer(helper) : -ETIMEDOUT;
}

bool ptmx_gone(int helper)
{
	int fd = take_answer(helper);

	if (fd < 0)
		return fd == -EIO;
	fd_close(&fd);
	return false;
}
