// SPDX-License-Identifier: GPL-2.0-or-later
// base/sock.c - Unix sockets: listen, connect, messages with descriptors.
#include "base/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int set_path(struct sockaddr_un *sa, const char *path)
{
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(sa->sun_path))
		return -ENAMETOOLONG;
	memcpy(sa->sun_path, path, strlen(path));
	return 0;
}

/* SYSCALLS: socket setsockopt connect */
int sock_connect(const char *path, int type)
{
	const struct timeval limit = { .tv_sec = SOCK_SEND_S };
	struct sockaddr_un sa;
	int ret = set_path(&sa, path);
	int fd;

	if (ret)
		return ret;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A queue that nobody empties is waited for no longer than that. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) ||
	    connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

int sock_listen(const char *path, int type)
{
	struct sockaddr_un sa;
	int ret = set_path(&sa, path);
	int fd;

	if (ret)
		return ret;
	fd = sock_connect(path, type);
	if (fd >= 0) {
		close(fd);
		return -EADDRINUSE;
	}
	if (fd == -ECONNREFUSED)
		unlink(path);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* Nobody can connect before listen(), so the mode is never too open. */
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    chmod(path, 0600) < 0 || listen(fd, 64) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

bool sock_peer_is(int fd, uid_t uid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) &&
	       cred.uid == uid;
}

bool sock_peer_trusted(int fd)
{
	return sock_peer_is(fd, 0) || sock_peer_is(fd, geteuid());
}

union fd_control {
	char buf[CMSG_SPACE(SOCK_MAX_FDS * sizeof(int))];
	struct cmsghdr align;
};

/* SYSCALLS: sendmsg */
int sock_send_fds(int fd, const void *msg, size_t len, const int *fds,
		  size_t nfds)
{
	union fd_control control = { .buf = { 0 } };
	struct iovec iov = { .iov_len = len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	memcpy(&iov.iov_base, &msg, sizeof(msg));
	if (nfds > SOCK_MAX_FDS)
		return -EINVAL;
	if (nfds) {
		mh.msg_control = control.buf;
		mh.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		cmsg = &control.align;
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nfds * sizeof(int));
	}
	while (sendmsg(fd, &mh, MSG_NOSIGNAL) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* Take the descriptors out of @mh; more than fit are closed by the kernel. */
static size_t take_fds(struct msghdr *mh, int *fds)
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	}
	return n;
}

/* SYSCALLS: recvmsg */
int sock_recv_fds(int fd, void *msg, size_t len, int *fds, size_t *nfds)
{
	union fd_control control;
	struct iovec iov = { .iov_base = msg, .iov_len = len };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf) };
	int ret = -EPROTO;
	ssize_t n;

	*nfds = 0;
	do {
		n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	*nfds = take_fds(&mh, fds);
	if ((size_t)n == len && !(mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return 0;
	/* With room for all of them: we may not have so many. */
	if (mh.msg_flags & MSG_CTRUNC && *nfds < SOCK_MAX_FDS)
		ret = -EMFILE;
	while (*nfds)
		close(fds[--*nfds]);
	return n == 0 ? -EPIPE : ret;
}
