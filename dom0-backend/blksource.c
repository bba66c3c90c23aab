// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/blksource.c - connections to what holds a disk.
#include "dom0-backend/blksource.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sock.h"
#include "dom0-backend/disk_link.h"

#define CONNECT_MS 5000

/* A server that is gone without a word is missed after half a minute. */
static void set_tcp(int fd)
{
	static const struct {
		int level, name, value;
	} opts[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 10 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 5 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 4 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, 30000 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
	};

	/* None of them is worth failing for. */
	for (size_t i = 0; i < ARRAY_SIZE(opts); i++)
		(void)!setsockopt(fd, opts[i].level, opts[i].name,
				  &opts[i].value, sizeof(opts[i].value));
}

static int wait_connected(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int err = 0;

	if (poll(&p, 1, CONNECT_MS) <= 0)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		return -errno;
	return -err;
}

static int connect_to(int family, const struct sockaddr *addr, socklen_t len)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, addr, len) < 0)
		ret = errno == EINPROGRESS ? wait_connected(fd) : -errno;
	if (ret) {
		fd_close(&fd);
		return ret;
	}
	if (family != AF_UNIX)
		set_tcp(fd);
	return fd;
}

static int connect_unix(const struct nbd_uri *uri, char *why, size_t size)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	memcpy(a.sun_path, uri->path, sizeof(a.sun_path));
	fd = connect_to(AF_UNIX, (struct sockaddr *)&a, sizeof(a));
	if (fd < 0)
		snprintf(why, size, "socket %s: %s", uri->path, strerror(-fd));
	return fd;
}

static int connect_tcp(const struct nbd_uri *uri, char *why, size_t size)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
				  .ai_socktype = SOCK_STREAM },
			*list = NULL, *a;
	int err = getaddrinfo(uri->host, uri->port, &hints, &list);
	int fd = -EHOSTUNREACH;

	if (err) {
		snprintf(why, size, "host %.100s: %s", uri->host,
			 gai_strerror(err));
		return fd;
	}
	for (a = list; a && fd < 0; a = a->ai_next)
		fd = connect_to(a->ai_family, a->ai_addr, a->ai_addrlen);
	freeaddrinfo(list);
	if (fd < 0)
		snprintf(why, size, "host %.100s, port %s: %s", uri->host,
			 uri->port, strerror(-fd));
	return fd;
}

int blksource_connect(const struct nbd_uri *uri, char *why, size_t size)
{
	return *uri->path ? connect_unix(uri, why, size)
			  : connect_tcp(uri, why, size);
}

/* Whether both sides have shut a connection, or it is broken. */
static bool is_shut(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

int blksource_keep(struct blksource_kept *k, int fd)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < k->n; i++) {
		if (is_shut(k->fd[i]))
			fd_close(&k->fd[i]);
		else
			k->fd[n++] = k->fd[i];
	}
	k->n = n;
	if (n == BLKSOURCE_KEPT)
		return -EMFILE;
	k->fd[n] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (k->fd[n] < 0)
		return -errno;
	k->n++;
	return 0;
}

/* Read till the server has closed, or the time is @end. */
static int read_to_end(int fd, uint64_t end)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t answers[4096];
	uint64_t now;
	ssize_t n;

	/* It may be shut down or broken already: then the read tells. */
	(void)!shutdown(fd, SHUT_WR);
	while ((now = util_clock_ns()) < end) {
		if (poll(&p, 1, (int)((end - now) / 1000000 + 1)) <= 0)
			continue;
		n = read(fd, answers, sizeof(answers));
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return 0;
	}
	return -EAGAIN;
}

int blksource_settle(struct blksource_kept *k)
{
	uint64_t end = util_clock_ns() + BLKSOURCE_WAIT_MS * 1000000ull;

	while (k->n) {
		if (read_to_end(k->fd[k->n - 1], end))
			return -EAGAIN;
		fd_close(&k->fd[--k->n]);
	}
	return 0;
}

/* Whoever has waited too long asks again, and listens here no more. */
static bool has_gone(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0;
}

int blksource_answer(int link, const struct nbd_uri *uri,
		     const struct blksource_ops *ops, void *arg)
{
	struct disk_link_answer a = { .error = 0 };
	struct disk_link_ask question;
	int fds[SOCK_MAX_FDS], fd, ret;
	size_t n;

	ret = sock_recv_fds(link, &question, sizeof(question), fds, &n);
	if (ret)
		return ret;
	if (n == 1 && question.version == DISK_LINK_VERSION &&
	    !has_gone(fds[0])) {
		snprintf(a.name, sizeof(a.name), "%s", uri->name);
		a.timeout = uri->timeout;
		fd = question.first ? ops->settle(arg, a.why, sizeof(a.why))
				    : 0;
		if (!fd)
			fd = ops->connect(arg, a.why, sizeof(a.why));
		a.error = fd < 0 ? -fd : 0;
		/* Gone meanwhile: as if it had not asked. */
		ret = sock_send_fds(fds[0], &a, sizeof(a), &fd, fd >= 0);
		fd_close(&fd);
	}
	while (n)
		fd_close(&fds[--n]);
	return ret == -EPIPE || ret == -ECONNRESET ? 0 : ret;
}
