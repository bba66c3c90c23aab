// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/usernet.c - a card's packets to and from passt(1).
#include "dom0-backend/usernet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "dom0-backend/net_slots.h"

#define ETHER	  14u /* bytes of a frame at least */
#define FRAME_MAX 65535u
#define LENGTH	  sizeof(uint32_t)
#define ROOM	  (256u << 10) /* some of the largest frames */
#define TURN	  64	       /* packets before the other side has its turn */

/**
 * struct usernet - Both directions.
 * @to:   A frame for passt with its length before it, from @to_at to @to_end; none if
 *        they are the same.
 * @from: What came from passt and is still to be passed on.
 * @held: The frame at @from_at waits for room in the wire.
 */
struct usernet {
	int wire, passt;
	size_t to_at, to_end, from_at, from_end;
	bool held;
	uint8_t to[LENGTH + FRAME_MAX + 1];
	uint8_t from[ROOM];
};

static bool is_full(void)
{
	return errno == EAGAIN || errno == EINTR || errno == ENOBUFS;
}

/* ---- from the guest ---------------------------------------------------------- */

/* Whether the frame of @len bytes behind its length can go; it is complete then. */
static bool finish(struct usernet *u, struct virtio_net_hdr *v, size_t len)
{
	uint32_t be = htonl((uint32_t)len);

	if (len < ETHER || len > FRAME_MAX)
		return false;
	if ((v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
	    net_csum_fill(u->to + LENGTH, len, v) < 0)
		return false;
	memcpy(u->to, &be, LENGTH);
	return true;
}

/* Return: 1 if there was a packet; 0; -ECANCELED at the end; or -errno. */
static int take(struct usernet *u)
{
	struct virtio_net_hdr v;
	struct iovec iov[] = { { &v, sizeof(v) },
			       { u->to + LENGTH, sizeof(u->to) - LENGTH } };
	ssize_t n = readv(u->wire, iov, ARRAY_SIZE(iov));
	size_t len;

	if (n < 0)
		return is_full() ? 0 : -errno;
	if (!n)
		return -ECANCELED;
	len = n > (ssize_t)sizeof(v) ? (size_t)n - sizeof(v) : 0;
	u->to_at = 0;
	u->to_end = finish(u, &v, len) ? LENGTH + len : 0;
	return 1;
}

/* Return: 0, also if it has to wait; or -errno. */
static int give_passt(struct usernet *u)
{
	ssize_t n;

	while (u->to_at < u->to_end) {
		n = send(u->passt, u->to + u->to_at, u->to_end - u->to_at,
			 MSG_NOSIGNAL);
		if (n < 0)
			return is_full() ? 0 : -EPIPE;
		u->to_at += (size_t)n;
	}
	u->to_at = 0;
	u->to_end = 0;
	return 0;
}

static int pass_out(struct usernet *u)
{
	int ret = give_passt(u);

	for (int i = 0; i < TURN && !ret && !u->to_end; i++) {
		ret = take(u);
		if (ret <= 0)
			return ret;
		ret = give_passt(u);
	}
	return ret;
}

/* ---- to the guest ------------------------------------------------------------ */

/* Return: 1 if it has gone, or cannot; 0 if it has to wait; or -errno. */
static int give_wire(const struct usernet *u, uint8_t *frame, size_t len)
{
	/* It comes from this host: nothing can have spoilt it. */
	struct virtio_net_hdr v = { .flags = VIRTIO_NET_HDR_F_DATA_VALID };
	struct iovec iov[] = { { &v, sizeof(v) }, { frame, len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov) };

	if (len < ETHER || sendmsg(u->wire, &msg, MSG_NOSIGNAL) >= 0 ||
	    errno == EMSGSIZE)
		return 1;
	if (is_full())
		return 0;
	return errno == EPIPE || errno == ECONNRESET ? -ECANCELED : -errno;
}

/* Pass on the whole frames that are there. */
static int give_all(struct usernet *u)
{
	uint32_t len;
	int ret;

	u->held = false;
	while (u->from_end - u->from_at >= LENGTH) {
		memcpy(&len, u->from + u->from_at, LENGTH);
		len = ntohl(len);
		if (len > NET_RX_LEN_MAX)
			return -EPROTO;
		if (u->from_end - u->from_at - LENGTH < len)
			break;
		ret = give_wire(u, u->from + u->from_at + LENGTH, len);
		u->held = !ret;
		if (ret <= 0)
			return ret;
		u->from_at += LENGTH + len;
	}
	memmove(u->from, u->from + u->from_at, u->from_end - u->from_at);
	u->from_end -= u->from_at;
	u->from_at = 0;
	return 0;
}

/* There is room behind an unfinished frame: it is at the front then. */
static int pass_in(struct usernet *u)
{
	int ret = u->held ? give_all(u) : 0;
	ssize_t n;

	if (ret || u->held)
		return ret;
	n = recv(u->passt, u->from + u->from_end, ROOM - u->from_end, 0);
	if (n < 0 && is_full())
		return 0;
	if (n <= 0)
		return -EPIPE;
	u->from_end += (size_t)n;
	return give_all(u);
}

/* ---- both -------------------------------------------------------------------- */

static int turn(struct usernet *u)
{
	struct pollfd p[] = { { .fd = u->wire }, { .fd = u->passt } };
	int ret;

	p[u->to_end ? 1 : 0].events |= u->to_end ? POLLOUT : POLLIN;
	p[u->held ? 0 : 1].events |= u->held ? POLLOUT : POLLIN;
	if (poll(p, ARRAY_SIZE(p), -1) < 0)
		return errno == EINTR ? 0 : -errno;
	ret = pass_out(u);
	if (!ret)
		ret = pass_in(u);
	if (ret)
		return ret;
	if (p[0].revents & (POLLHUP | POLLERR))
		return -ECANCELED;
	return p[1].revents & (POLLHUP | POLLERR) ? -EPIPE : 0;
}

int usernet_serve(int wire, int passt)
{
	struct usernet *u = calloc(1, sizeof(*u));
	int ret = u ? 0 : -ENOMEM;

	if (u) {
		u->wire = wire;
		u->passt = passt;
	}
	while (!ret)
		ret = turn(u);
	free(u);
	return ret == -ECANCELED ? 0 : ret;
}
