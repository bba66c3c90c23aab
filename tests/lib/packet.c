// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/packet.c - frames of a network interface, as the host has them.
#include "tests/lib/packet.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

int packet_open(const char *ifname)
{
	struct sockaddr_ll sa = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(ifname),
	};
	int on = 1, size = 16 << 20;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	require(fd >= 0 && sa.sll_ifindex &&
			!setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on,
				    sizeof(on)) &&
			!setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on,
				    sizeof(on)) &&
			!setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size,
				    sizeof(size)) &&
			!bind(fd, (struct sockaddr *)&sa, sizeof(sa)),
		"packet socket");
	return fd;
}

void packet_send(int fd, const struct virtio_net_hdr *v, const void *frame,
		 size_t len)
{
	struct iovec iov[2] = {
		{ (void *)(uintptr_t)v, sizeof(*v) },
		{ (void *)(uintptr_t)frame, len },
	};

	require(writev(fd, iov, 2) == (ssize_t)(sizeof(*v) + len),
		"frame to the guest");
}

size_t packet_recv(int fd, struct virtio_net_hdr *v, void *frame, int ms)
{
	struct iovec iov[2] = { { v, sizeof(*v) }, { frame, PACKET_MAX } };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t got;

	if (poll(&p, 1, ms) <= 0)
		return 0;
	got = readv(fd, iov, 2);
	require(got > (ssize_t)sizeof(*v), "frame from the guest");
	return (size_t)got - sizeof(*v);
}
