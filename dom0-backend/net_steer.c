// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/net_steer.c - which queue of a card a packet goes to.
#include "dom0-backend/net_steer.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/fd.h"
#include "base/log.h"

#define ROOM (2 << 20) /* bytes; the kernel doubles it */
#define HEAD (sizeof(struct virtio_net_hdr) + sizeof(struct net_mark))

static void close_pairs(struct net_steer *s)
{
	while (s->nqueues) {
		s->nqueues--;
		fd_close(&s->in[s->nqueues]);
		fd_close(&s->out[s->nqueues]);
	}
}

/*
 * The host gives net.core.wmem_max at most, and counts its own overhead in.
 *
 * SYSCALLS, at times: socketpair setsockopt
 */
static int make_pair(int pair[2])
{
	int size = ROOM;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       0, pair))
		return -errno;
	if (setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)))
		log_debug("a socket's room stays as it is");
	return 0;
}

int net_steer_init(struct net_steer *s, unsigned int nqueues)
{
	int pair[2], ret;

	*s = (struct net_steer){ .hash.nqueues = nqueues, .version = 1 };
	while (s->nqueues < nqueues) {
		ret = make_pair(pair);
		if (ret) {
			close_pairs(s);
			return ret;
		}
		s->in[s->nqueues] = pair[0];
		s->out[s->nqueues++] = pair[1];
	}
	pthread_mutex_init(&s->lock, NULL);
	return 0;
}

void net_steer_fini(struct net_steer *s)
{
	close_pairs(s);
	pthread_mutex_destroy(&s->lock);
}

void net_steer_set(struct net_steer *s, const struct net_hash *h)
{
	pthread_mutex_lock(&s->lock);
	s->hash = *h;
	atomic_fetch_add(&s->version, 1);
	pthread_mutex_unlock(&s->lock);
}

void net_steer_get(struct net_steer *s, uint32_t *version, struct net_hash *h)
{
	if (atomic_load(&s->version) == *version)
		return;
	pthread_mutex_lock(&s->lock);
	*h = s->hash;
	*version = atomic_load(&s->version);
	pthread_mutex_unlock(&s->lock);
}

int net_steer_fd(const struct net_steer *s, unsigned int i)
{
	return s->in[i];
}

/* SYSCALLS, at times: writev */
int net_steer_pass(const struct net_steer *s, unsigned int to,
		   const struct virtio_net_hdr *v, const struct net_mark *mark,
		   const uint8_t *p, size_t len)
{
	struct iovec iov[] = {
		{ (void *)(uintptr_t)v, sizeof(*v) },
		{ (void *)(uintptr_t)mark, sizeof(*mark) },
		{ (void *)(uintptr_t)p, len },
	};

	return writev(s->out[to], iov, ARRAY_SIZE(iov)) < 0 ? -errno : 0;
}

/* SYSCALLS, at times: readv */
size_t net_steer_take(const struct net_steer *s, unsigned int i,
		      struct virtio_net_hdr *v, struct net_mark *mark,
		      uint8_t *p, size_t size)
{
	struct iovec iov[] = {
		{ v, sizeof(*v) },
		{ mark, sizeof(*mark) },
		{ p, size },
	};
	ssize_t n;

	do {
		n = readv(s->in[i], iov, ARRAY_SIZE(iov));
	} while (n < 0 && errno == EINTR);
	return n > (ssize_t)HEAD ? (size_t)n - HEAD : 0;
}
