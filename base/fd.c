// SPDX-License-Identifier: GPL-2.0-or-later
// base/fd.c - file descriptors: closing, whole reads and writes, memfds.
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* SYSCALLS: close */
void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int fd_write_all(int fd, const void *buf, size_t len)
{
	const char *at = buf;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_read_all(int fd, void *buf, size_t len)
{
	char *at = buf;

	while (len) {
		ssize_t n = read(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EPIPE;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Until the peer goes on. */
static int await(int fd, short events, bool (*stop)(void))
{
	uint64_t end = util_clock_ns() + FD_SILENCE_S * UINT64_C(1000000000);
	struct pollfd pfd = { .fd = fd, .events = events };
	int n;

	do {
		if (stop())
			return -EINTR;
		n = poll(&pfd, 1, 500);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			return 0;
	} while (util_clock_ns() < end);
	return -ETIMEDOUT;
}

static bool is_again(void)
{
	return errno == EINTR || errno == EAGAIN;
}

int fd_read_peer(int fd, void *buf, size_t len, bool (*stop)(void))
{
	char *at = buf;

	while (len) {
		int ret = await(fd, POLLIN, stop);
		ssize_t n = ret ? 0 : read(fd, at, len);

		if (ret)
			return ret;
		if (n < 0 && is_again())
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_write_peer(int fd, const void *buf, size_t len, bool (*stop)(void))
{
	const char *at = buf;

	while (len) {
		int ret = await(fd, POLLOUT, stop);
		ssize_t n = ret ? 0 : write(fd, at, len);

		if (ret)
			return ret;
		if (n < 0 && is_again())
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_part(const char *path, char *part)
{
	int fd;

	if (snprintf(part, PATH_MAX, "%s.part", path) >= PATH_MAX)
		return -ENAMETOOLONG;
	/* What was there may be a link, or open to others. */
	unlink(part);
	fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

int fd_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int fd_memfd(const char *name, uint64_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int ret;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

/* SYSCALLS: fcntl newfstatat/fstat */
int fd_check_memory(int fd, uint64_t size)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) < 0 ||
	    (uint64_t)st.st_size < size)
		return -EPROTO;
	return 0;
}

/* SYSCALLS: newfstatat/fstat write */
int fd_check_event(int fd)
{
	struct stat st;

	/* Of all that are no files, only an eventfd takes eight zeros. */
	if (fstat(fd, &st) < 0 || st.st_mode & S_IFMT ||
	    eventfd_write(fd, 0) < 0)
		return -EPROTO;
	return 0;
}

int fd_check_view(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (flags < 0 || (flags & (O_ACCMODE | O_PATH)) != O_RDONLY ||
	    fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EINVAL;
	return 0;
}

void fd_raise_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return;
	lim.rlim_cur = lim.rlim_max;
	(void)!setrlimit(RLIMIT_NOFILE, &lim);
}

void fd_ready(int *fd)
{
	/* The starter may have gone: nothing depends on its hearing this. */
	if (*fd >= 0 && write(*fd, "", 1) < 0)
		errno = 0;
	fd_close(fd);
}
