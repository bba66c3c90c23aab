/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/fakenic.h - a whole card: domain, queues, TAP, the host's side. */
#ifndef TESTS_LIB_FAKENIC_H
#define TESTS_LIB_FAKENIC_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dom0-backend/netback.h"
#include "tests/lib/fakedom.h"
#include "tests/lib/fakenet.h"

/**
 * struct fakenic - What a test of netback needs, in a network namespace of the
 * test's own.
 * @dev:    Good enough for netback_start(): no store, no event loop.
 * @tap:    TAP queues of interface "t0", up.
 * @packet: Packet socket on t0 with a struct virtio_net_hdr before each frame:
 *          receives what the guest sends, sends what the guest receives.
 */
struct fakenic {
	struct fakedom *dom;
	struct device dev;
	struct net_conf conf;
	unsigned int nqueues;
	int tap[VIF_MAX_QUEUES];
	struct fakenet *front[VIF_MAX_QUEUES];
	struct net_queue *back[VIF_MAX_QUEUES];
	struct log_limit limit[VIF_MAX_QUEUES];
	int packet;
};

extern const struct net_caps fakenic_all_caps;

/** fakenic_silence() - The host says nothing by itself on new interfaces. */
void fakenic_silence(void);

/**
 * fakenic_init() - Make everything; the queues do not run yet.
 * @nqueues: 1 to 3.
 * @split:   Event channels.
 * @mtu:     Of t0.
 */
void fakenic_init(struct fakenic *n, unsigned int nqueues, bool split,
		  unsigned int mtu);

/** fakenic_start() - Start the queues as @conf says, plug the cable in. */
void fakenic_start(struct fakenic *n);

/**
 * fakenic_cable() - Plug the cable in or out, and wait until the kernel knows.
 *
 * fakenic_link() - The host's administrator switches t0 on or off.  Sockets
 * learn of it: @packet is a new one when it is on again.
 */
void fakenic_cable(struct fakenic *n, bool in);
void fakenic_link(struct fakenic *n, bool up);

/** fakenic_stop() - Stop the queues; Return: their counters. */
struct net_stats fakenic_stop(struct fakenic *n);

/** fakenic_fini() - Stop what runs and remove everything. */
void fakenic_fini(struct fakenic *n);

/** fakenic_failed() - Wait up to 5 s for device_fail(); NULL: none came. */
const char *fakenic_failed(struct fakenic *n);

/** fakenic_pins() - Pinned grants, of all that any queue has. */
unsigned int fakenic_pins(const struct fakenic *n);

/** fakenic_to_guest() - The host sends a frame; uses @packet only. */
void fakenic_to_guest(struct fakenic *n, const struct virtio_net_hdr *v,
		      const void *frame, size_t len);

/**
 * fakenic_from_guest() - The host receives a frame of the guest.
 * @frame: PACKET_MAX bytes.
 *
 * Return: its length, 0 if none came for @ms.
 */
size_t fakenic_from_guest(struct fakenic *n, struct virtio_net_hdr *v,
			  uint8_t *frame, int ms);

/* ---- frames ---- */

#define FRAME_ETH  14u
#define FRAME_IP4  20u
#define FRAME_IP6  40u
#define FRAME_TCP4 54u /* all headers */
#define FRAME_TCP6 74u
#define FRAME_UDP4 42u

/**
 * frame_tcp() - Make a TCP frame with a pseudo-header's sum where the checksum
 * goes, and random payload.
 *
 * Return: description that goes with it; GSO if @mss is not 0.
 */
struct virtio_net_hdr frame_tcp(uint8_t *frame, size_t len, bool v6,
				uint16_t mss);

/** frame_udp() - The same for UDP over IPv4. */
struct virtio_net_hdr frame_udp(uint8_t *frame, size_t len);

/** frame_udp_to() - The same to port 5000, with addresses; IP as on the wire. */
struct virtio_net_hdr frame_udp_to(uint8_t *frame, size_t len,
				   const uint8_t *dst, const uint8_t *src,
				   uint32_t from, uint32_t to);

/** frame_sum_ok() - Whether the TCP or UDP checksum of a frame is right. */
bool frame_sum_ok(const uint8_t *frame, size_t len);

#endif
