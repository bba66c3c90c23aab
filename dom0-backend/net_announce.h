/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/net_announce.h - a guest that is at another place; no I/O, no memory. */
#ifndef DOM0_BACKEND_NET_ANNOUNCE_H
#define DOM0_BACKEND_NET_ANNOUNCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "dom0-backend/net_guard.h"

/*
 * How it works
 *
 * A guest that was saved goes on behind another port of some switch, perhaps of
 * another host, and does not know.  So its worker says it in its name:
 *
 *	RARP request	of whatever addresses it has: each switch on the way learns
 *			from the sender's MAC address where it is (RFC 903)
 *	ARP request	for each IPv4 address that is known to be its own, from
 *			that address and for it (RFC 5227)
 *	neighbour	for each IPv6 address likewise, to all nodes, unsolicited and
 *	advertisement	overriding (RFC 4861, 7.2.6)
 *
 * Known are those that ip= names, one by one, the link-local one then, and the one
 * that it was given by DHCP.
 */
#define ANNOUNCE_MAX 86u /* bytes: 14 + 40 + 24 + 8 */

/** ANNOUNCE_TIMES - How often, a second apart: a port may need some to be open. */
#define ANNOUNCE_TIMES 5u

/**
 * struct announce - Who it is.
 * @guard: *Borrowed*; NULL: it may call itself anything.
 * @ip4:   That it was given; 0: none.
 */
struct announce {
	uint8_t mac[6];
	const struct net_guard *guard;
	uint32_t ip4;
};

/**
 * announce_frame() - One of the Ethernet frames that say so.
 * @i:   From 0 on.
 * @out: ANNOUNCE_MAX bytes.
 *
 * Return: its length; 0 if frame @i is not needed; -ENOENT if there are no more.
 */
int announce_frame(const struct announce *a, unsigned int i,
		   uint8_t *out) must_check;

#endif
