// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/fakenic.c - a whole card: domain, queues, TAP, the host's side.
#include "tests/lib/fakenic.h"

#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "dom0-backend/link_nl.h"
#include "dom0-backend/tap.h"
#include "tests/lib/netns.h"
#include "tests/lib/packet.h"
#include "tests/lib/patience.h"

#define DOMID 7

const struct net_caps fakenic_all_caps = { true, true, true, true, true };

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

void fakenic_silence(void)
{
	int fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6",
		      O_WRONLY | O_CLOEXEC);

	require(fd >= 0 && write(fd, "1", 1) == 1, "disable_ipv6");
	close(fd);
}

static void open_tap(struct fakenic *n, unsigned int mtu)
{
	struct link_want want = { .mtu = mtu, .txqlen = 256, .up = true };
	struct link_info info;
	struct link_nl *nl;

	require(!tap_open("t0", n->nqueues, n->tap), "tap");
	for (unsigned int i = 0; i < n->nqueues; i++)
		require(!tap_attach(n->tap[i], true), "tap queue");
	require(!link_open(&nl) && !link_get(nl, "t0", &info) &&
			!link_change(nl, info.index, &want),
		"t0");
	link_close(nl);
}

void fakenic_init(struct fakenic *n, unsigned int nqueues, bool split,
		  unsigned int mtu)
{
	*n = (struct fakenic){ .nqueues = nqueues, .packet = -1 };
	n->conf.caps = fakenic_all_caps;
	netns_enter();
	fakenic_silence();
	fakedom_run_dir();
	n->dom = fakedom_new(DOMID, FAKENET_RAM);
	for (unsigned int i = 0; i < nqueues; i++)
		n->front[i] = fakenet_new(n->dom, split);
	require(!dom_connect(&n->dev.dom, DOMID, DOM_ROLE_BACKEND, "vif/0",
			     false) &&
			!gnt_new(&n->dev.gnt, n->dev.dom),
		"fakedom");
	n->dev.domid = DOMID;
	n->dev.fail_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	open_tap(n, mtu);
	n->packet = packet_open("t0");
}

/* The kernel drops packets until it has noticed the cable, a moment later. */
static void wait_for_carrier(bool on)
{
	struct ifreq ifr = { .ifr_name = "t0" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct link_info info;
	struct link_nl *nl = NULL;
	bool seen;

	seen = SOON(!ioctl(fd, SIOCGIFFLAGS, &ifr) &&
		    !(ifr.ifr_flags & IFF_RUNNING) == !on);
	close(fd);
	/* Waits for the lock under which the kernel does the rest. */
	require(seen && !link_open(&nl) && !link_get(nl, "t0", &info),
		"carrier of t0");
	link_close(nl);
}

void fakenic_cable(struct fakenic *n, bool in)
{
	require(!tap_carrier(n->tap[0], in), "cable of t0");
	wait_for_carrier(in);
}

void fakenic_link(struct fakenic *n, bool up)
{
	struct ifreq ifr = { .ifr_name = "t0" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	require(!ioctl(fd, SIOCGIFFLAGS, &ifr), "flags of t0");
	ifr.ifr_flags =
		(short)(up ? ifr.ifr_flags | IFF_UP : ifr.ifr_flags & ~IFF_UP);
	require(!ioctl(fd, SIOCSIFFLAGS, &ifr), "t0 up or down");
	close(fd);
	wait_for_carrier(up);
	if (up) {
		close(n->packet);
		n->packet = packet_open("t0");
	}
}

void fakenic_start(struct fakenic *n)
{
	for (unsigned int i = 0; i < n->nqueues; i++) {
		n->front[i]->keys.index = i;
		require(!netback_start(&n->back[i], &n->dev, &n->conf,
				       n->tap[i], &n->front[i]->keys,
				       &n->limit[i]) &&
				!netback_run(n->back[i]),
			"netback_start");
	}
	require(!tap_offload(n->tap[0], &n->conf.caps), "tap");
	fakenic_cable(n, true);
}

struct net_stats fakenic_stop(struct fakenic *n)
{
	struct net_stats sum = { 0 };

	for (unsigned int i = 0; i < n->nqueues; i++) {
		if (n->back[i])
			netback_stop(n->back[i], &sum);
		n->back[i] = NULL;
	}
	return sum;
}

void fakenic_fini(struct fakenic *n)
{
	fakenic_stop(n);
	for (unsigned int i = 0; i < n->nqueues; i++) {
		fakenet_free(n->front[i]);
		fd_close(&n->tap[i]);
	}
	fd_close(&n->packet);
	fd_close(&n->dev.fail_fd);
	gnt_free(n->dev.gnt);
	dom_free(n->dev.dom);
	fakedom_free(n->dom);
	fakedom_run_dir_remove();
}

const char *fakenic_failed(struct fakenic *n)
{
	struct pollfd p = { .fd = n->dev.fail_fd, .events = POLLIN };

	return poll(&p, 1, PATIENCE_MS) > 0 ? atomic_load(&n->dev.failure)
					    : NULL;
}

unsigned int fakenic_pins(const struct fakenic *n)
{
	unsigned int pins = 0;

	for (uint32_t ref = 0; ref < 2000; ref++)
		pins += gnt_pins(n->dev.gnt, ref);
	return pins;
}

void fakenic_to_guest(struct fakenic *n, const struct virtio_net_hdr *v,
		      const void *frame, size_t len)
{
	packet_send(n->packet, v, frame, len);
}

size_t fakenic_from_guest(struct fakenic *n, struct virtio_net_hdr *v,
			  uint8_t *frame, int ms)
{
	return packet_recv(n->packet, v, frame, ms);
}

/* ---- frames ---- */

static void set16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t add(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static size_t put_ip(uint8_t *frame, size_t len, bool v6, uint8_t proto)
{
	static const uint8_t mac[6] = { 0, 0x16, 0x3e, 1, 2, 3 };
	uint8_t *ip = frame + FRAME_ETH;

	memset(frame, 0, FRAME_ETH + FRAME_IP6);
	memcpy(frame, mac, 6);
	memcpy(frame + 6, mac, 6);
	frame[6] = 2;
	if (v6) {
		set16(frame + 12, 0x86dd);
		ip[0] = 0x60;
		set16(ip + 4, len - FRAME_ETH - FRAME_IP6);
		ip[6] = proto;
		ip[7] = 64;
		ip[8] = ip[24] = 0xfd;
		ip[23] = 1;
		ip[39] = 2;
		return FRAME_ETH + FRAME_IP6;
	}
	set16(frame + 12, 0x0800);
	ip[0] = 0x45;
	set16(ip + 2, len - FRAME_ETH);
	ip[6] = 0x40;
	ip[8] = 64;
	ip[9] = proto;
	memcpy(ip + 12, "\x0a\0\0\1\x0a\0\0\2", 8);
	set16(ip + 10, (uint16_t)~fold(add(ip, FRAME_IP4)));
	return FRAME_ETH + FRAME_IP4;
}

static uint32_t pseudo(const uint8_t *frame, size_t len, size_t l4,
		       uint8_t proto)
{
	size_t addr = l4 == FRAME_ETH + FRAME_IP6 ? 32 : 8;

	return add(frame + l4 - addr, addr) + proto + (uint32_t)(len - l4);
}

static struct virtio_net_hdr describe(size_t l4, uint16_t at)
{
	return (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = (uint16_t)l4,
		.csum_offset = at,
	};
}

struct virtio_net_hdr frame_tcp(uint8_t *frame, size_t len, bool v6,
				uint16_t mss)
{
	size_t l4 = put_ip(frame, len, v6, 6);
	struct virtio_net_hdr v = describe(l4, 16);

	for (size_t i = l4; i < len; i++)
		frame[i] = (uint8_t)random();
	frame[l4 + 12] = 0x50;
	frame[l4 + 13] = 0x10; /* ACK alone */
	set16(frame + l4 + 16, fold(pseudo(frame, len, l4, 6)));
	if (mss) {
		v.gso_type = v6 ? VIRTIO_NET_HDR_GSO_TCPV6
				: VIRTIO_NET_HDR_GSO_TCPV4;
		v.gso_size = mss;
		v.hdr_len = (uint16_t)(l4 + 20);
	}
	return v;
}

struct virtio_net_hdr frame_udp(uint8_t *frame, size_t len)
{
	size_t l4 = put_ip(frame, len, false, 17);

	for (size_t i = l4; i < len; i++)
		frame[i] = (uint8_t)random();
	set16(frame + l4 + 2, 5000); /* not DHCP */
	set16(frame + l4 + 4, len - l4);
	set16(frame + l4 + 6, fold(pseudo(frame, len, l4, 17)));
	return describe(l4, 6);
}

struct virtio_net_hdr frame_udp_to(uint8_t *frame, size_t len,
				   const uint8_t *dst, const uint8_t *src,
				   uint32_t from, uint32_t to)
{
	struct virtio_net_hdr v = frame_udp(frame, len);
	uint8_t *ip = frame + FRAME_ETH, *udp = ip + FRAME_IP4;

	memcpy(frame, dst, 6);
	memcpy(frame + 6, src, 6);
	memcpy(ip + 12, &from, 4);
	memcpy(ip + 16, &to, 4);
	set16(ip + 10, 0);
	set16(ip + 10, (uint16_t)~fold(add(ip, FRAME_IP4)));
	set16(udp + 6, fold(pseudo(frame, len, v.csum_start, 17)));
	return v;
}

bool frame_sum_ok(const uint8_t *frame, size_t len)
{
	bool v6 = frame[12] == 0x86;
	size_t l4 = FRAME_ETH + (v6 ? FRAME_IP6 : FRAME_IP4);
	uint8_t proto = frame[v6 ? FRAME_ETH + 6 : FRAME_ETH + 9];

	return fold(pseudo(frame, len, l4, proto) +
		    add(frame + l4, len - l4)) == 0xffff;
}
