// SPDX-License-Identifier: GPL-2.0-or-later
// tests/stress/netback_stress.c - TCP between two kernels' stacks, through netback.
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dom0-backend/link_nl.h"
#include "dom0-backend/tap.h"
#include "tests/lib/fakectrl.h"
#include "tests/lib/fakenic.h"

/*
 * How it works
 *
 * The host's side is netback's TAP interface t0 in one network namespace. The
 * guest's side is a TAP interface g0 in another; threads carry its packets to
 * and from the rings of a scripted frontend, offloads included. So both ends
 * are real TCP stacks, and netback is all that lies between them.
 *
 *	socket - g0 - relay - rings - netback - t0 - socket
 *
 * All of it goes over twice: then the guest wants queues by a hash, and changes
 * its mind all the time: other keys, other tables, and sometimes no hash.
 */
#define QUEUES	2u
#define STREAMS 4u
#define BYTES	(24u << 20) /* of each stream, each way */
#define HOST	0x0a000001u
#define GUEST	0x0a000002u
#define PORT	7000

static struct fakenic nic;
static int guest_tap[QUEUES];
static _Atomic bool stop;
static unsigned int ntests;
static bool failed;

static void check(bool ok, const char *what)
{
	printf("%s %u - %s\n", ok ? "ok" : "not ok", ++ntests, what);
	failed |= !ok;
}

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

/* ---- the relay --------------------------------------------------------------- */

static void *relay_tx(void *arg)
{
	unsigned int i = *(unsigned int *)arg;
	static uint8_t bufs[QUEUES][NET_RX_LEN_MAX];
	struct fakenet *f = nic.front[i];
	struct virtio_net_hdr v;
	struct iovec iov[2] = { { &v, sizeof(v) },
				{ bufs[i], sizeof(bufs[i]) } };
	struct pollfd p = { .fd = guest_tap[i], .events = POLLIN };

	while (!atomic_load(&stop)) {
		ssize_t n = readv(guest_tap[i], iov, 2);
		size_t len = (size_t)n - sizeof(v);

		if (n < 0) {
			fakenet_push(f);
			fakenet_reap(f);
			poll(&p, 1, 10);
			continue;
		}
		if (len > NET_LEN_MAX)
			continue; /* more than a tx packet can be */
		while (!fakenet_send(f, &v, bufs[i], len, 4096) &&
		       !atomic_load(&stop)) {
			fakenet_push(f);
			if (!fakenet_reap(f))
				fakedom_wait(nic.dom, f->keys.tx_port, 10);
		}
	}
	return NULL;
}

/* What is missing of a description: where the blank checksum goes. */
static void complete(struct virtio_net_hdr *v, uint8_t *frame, size_t len)
{
	struct net_hdr h;

	if (!(v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) ||
	    net_hdr_parse(frame, len, &h))
		return;
	v->csum_start = h.l4;
	v->csum_offset = h.csum;
	v->hdr_len = h.end;
}

static void *relay_rx(void *arg)
{
	unsigned int i = *(unsigned int *)arg;
	static uint8_t bufs[QUEUES][NET_RX_LEN_MAX];
	struct fakenet *f = nic.front[i];
	struct virtio_net_hdr v;

	while (!atomic_load(&stop)) {
		int len = fakenet_recv(f, &v, bufs[i]);
		struct iovec iov[2] = { { &v, sizeof(v) },
					{ bufs[i], (size_t)len } };

		if (len <= 0) {
			fakenet_post(f, 256);
			fakedom_wait(nic.dom, f->keys.rx_port, 10);
			continue;
		}
		if (f->nspare > 64)
			fakenet_post(f, 256);
		complete(&v, bufs[i], (size_t)len);
		require(writev(guest_tap[i], iov, 2) > 0, "to the guest");
	}
	return NULL;
}

/* ---- queues by a hash --------------------------------------------------------- */

static struct fakectrl ctrl;

static void *change_mind(void *arg)
{
	static const uint8_t key[] = "some bytes that make a key";
	uint32_t map[3];

	for (uint32_t i = 0; !atomic_load(&stop); i++) {
		for (uint32_t k = 0; k < 3; k++)
			map[k] = (i >> k) % QUEUES;
		fakectrl_hash(&ctrl, key, sizeof(key) - i % 8, map, 1 + i % 3);
		usleep(10000);
		if (i % 4)
			continue;
		/* For a while by no hash at all. */
		require(!fakectrl_ask(
				&ctrl, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM,
				XEN_NETIF_CTRL_HASH_ALGORITHM_NONE, 0, 0, NULL),
			"no hash");
		usleep(10000);
	}
	return arg;
}

/* ---- the two ends -------------------------------------------------------------- */

static void give_address(const char *name, uint32_t ip)
{
	struct link_want want = { .up = true };
	struct link_info info;
	struct link_nl *nl;

	require(!link_open(&nl) && !link_get(nl, name, &info) &&
			!link_add_addr(nl, info.index, ip, 24) &&
			!link_change(nl, info.index, &want),
		name);
	link_close(nl);
}

/* Byte @at of stream @stream in one direction. */
static uint8_t byte_at(unsigned int stream, bool up, uint32_t at)
{
	uint32_t x = (at >> 2) * 2654435761u + stream * 97u + up;

	return (uint8_t)(x >> (8 * (at & 3)));
}

struct stream {
	int fd;
	unsigned int id;
	bool up, good;
};

static void *send_all(void *arg)
{
	struct stream *s = arg;
	uint8_t buf[65536];

	for (uint32_t at = 0; at < BYTES; at += sizeof(buf)) {
		for (uint32_t i = 0; i < sizeof(buf); i++)
			buf[i] = byte_at(s->id, s->up, at + i);
		if (send(s->fd, buf, sizeof(buf), MSG_NOSIGNAL) !=
		    (ssize_t)sizeof(buf))
			return NULL;
	}
	s->good = true;
	return NULL;
}

static void *recv_all(void *arg)
{
	struct stream *s = arg;
	uint8_t buf[65536];
	uint32_t at = 0;
	ssize_t n;

	while (at < BYTES) {
		n = recv(s->fd, buf, sizeof(buf), 0);
		if (n <= 0)
			return NULL;
		for (ssize_t i = 0; i < n; i++, at++) {
			if (buf[i] != byte_at(s->id, s->up, at)) {
				shutdown(s->fd, SHUT_RDWR);
				return NULL;
			}
		}
	}
	s->good = true;
	return NULL;
}

static void set_limits(int fd)
{
	struct timeval limit = { .tv_sec = 60 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/* The guest's end: connects STREAMS sockets, out[i] each, and says which. */
static void *guest_side(void *arg)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(PORT),
				  .sin_addr = { htonl(HOST) } };
	struct net_caps caps = fakenic_all_caps;
	int *out = arg;

	require(!unshare(CLONE_NEWNET) && !tap_open("g0", QUEUES, guest_tap),
		"g0");
	for (unsigned int i = 0; i < QUEUES; i++)
		require(!tap_attach(guest_tap[i], true), "g0 queue");
	require(!tap_offload(guest_tap[0], &caps) &&
			!tap_carrier(guest_tap[0], true),
		"g0");
	give_address("g0", GUEST);
	atomic_store((_Atomic int *)&out[STREAMS], 1); /* the taps are there */
	for (uint8_t i = 0; i < STREAMS; i++) {
		out[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		set_limits(out[i]);
		require(!connect(out[i], (struct sockaddr *)&sa, sizeof(sa)) &&
				send(out[i], &i, 1, 0) == 1,
			"connect");
	}
	return NULL;
}

static int listen_host(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(PORT),
				  .sin_addr = { htonl(HOST) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	require(!bind(fd, (struct sockaddr *)&sa, sizeof(sa)) &&
			!listen(fd, STREAMS),
		"listen");
	return fd;
}

/* They come in any order: the queues race. */
static void accept_all(int listener, int *host)
{
	for (unsigned int i = 0; i < STREAMS; i++) {
		int fd = accept(listener, NULL, NULL);
		uint8_t id = 0;

		set_limits(fd);
		require(recv(fd, &id, 1, 0) == 1 && id < STREAMS, "accept");
		host[id] = fd;
	}
}

/* All streams, both ways at once. */
static void run_streams(const int *guest, const int *host)
{
	static struct stream s[STREAMS][4];
	pthread_t t[STREAMS][4];
	bool good = true;

	for (unsigned int i = 0; i < STREAMS; i++) {
		s[i][0] = (struct stream){ guest[i], i, true, false };
		s[i][1] = (struct stream){ host[i], i, true, false };
		s[i][2] = (struct stream){ host[i], i, false, false };
		s[i][3] = (struct stream){ guest[i], i, false, false };
		for (int k = 0; k < 4; k++)
			require(!pthread_create(&t[i][k], NULL,
						k & 1 ? recv_all : send_all,
						&s[i][k]),
				"thread");
	}
	for (unsigned int i = 0; i < STREAMS; i++) {
		for (int k = 0; k < 4; k++) {
			pthread_join(t[i][k], NULL);
			good &= s[i][k].good;
		}
	}
	check(good, "all bytes of all streams arrive as they were sent");
}

/* As fast as it can, and how fast that was. */
static void run_timed(const int *guest, const int *host)
{
	uint64_t begin = util_clock_ns(), bytes = (uint64_t)STREAMS * BYTES;

	run_streams(guest, host);
	printf("# %.2f Gbit/s each way\n",
	       (double)bytes * 8 / (double)(util_clock_ns() - begin));
}

int main(void)
{
	unsigned int id[QUEUES] = { 0, 1 };
	int guest[STREAMS + 1] = { 0 }, host[STREAMS], listener;
	pthread_t relay[2 * QUEUES], guest_thread, mind;
	uint64_t bytes = (uint64_t)2 * STREAMS * BYTES;
	struct net_stats sum;

	fakenic_init(&nic, QUEUES, true, 1500);
	fakectrl_init(&ctrl, nic.dom, nic.dev.gnt, QUEUES);
	nic.conf.steer = &ctrl.steer;
	fakenic_start(&nic);
	give_address("t0", HOST);
	listener = listen_host();
	require(!pthread_create(&guest_thread, NULL, guest_side, guest),
		"thread");
	while (!atomic_load((_Atomic int *)&guest[STREAMS]))
		usleep(1000);
	for (unsigned int i = 0; i < QUEUES; i++) {
		pthread_create(&relay[2 * i], NULL, relay_tx, &id[i]);
		pthread_create(&relay[2 * i + 1], NULL, relay_rx, &id[i]);
	}
	accept_all(listener, host);
	pthread_join(guest_thread, NULL);
	run_timed(guest, host);
	require(!pthread_create(&mind, NULL, change_mind, NULL), "thread");
	run_timed(guest, host);

	atomic_store(&stop, true);
	for (unsigned int i = 0; i < 2 * QUEUES; i++)
		pthread_join(relay[i], NULL);
	pthread_join(mind, NULL);
	sum = fakenic_stop(&nic);
	fakectrl_fini(&ctrl);
	printf("# packets from the guest %lu, to it %lu, dropped %lu and %lu\n",
	       sum.tx_packets, sum.rx_packets, sum.tx_drops, sum.rx_drops);
	/* But for what may not have fitted between two queues. */
	check(!sum.tx_drops && sum.rx_drops * 10 <= sum.rx_packets,
	      "netback drops nothing, or next to that by a hash");
	/* Far fewer packets than segments: they pass unsegmented. */
	check(sum.tx_packets < bytes / 4000 && sum.rx_packets < bytes / 4000,
	      "segmentation is left to the far end");
	check(fakenic_pins(&nic) == 0, "no grant stays pinned");
	check(!atomic_load(&nic.dev.failure), "the device has not failed");
	fakenic_fini(&nic);
	printf("1..%u\n", ntests);
	return failed;
}
