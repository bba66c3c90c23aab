/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/net_guard.h - whose addresses a guest may use; no I/O, no memory. */
#ifndef DOM0_BACKEND_NET_GUARD_H
#define DOM0_BACKEND_NET_GUARD_H

#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

/*
 * How it works
 *
 * A card whose specification has ip= may send in its own name only. What is
 * judged are a frame's first bytes, a private copy, which are also what is sent
 * (net_slots.h); what cannot be judged by them does not pass:
 *
 *	any		the card's source MAC address; up to two VLAN tags, and
 *			what is behind them is judged as without
 *	IPv4		a source address that is listed; or 0.0.0.0 in a DHCP
 *			request, which is no fragment
 *	IPv6		one that is listed or the link-local one that follows
 *			from the MAC address; or :: where a host without an
 *			address speaks: neighbour and router solicitations,
 *			multicast listener reports.  Extension headers are
 *			followed, in a first fragment too, to what is carried: a
 *			neighbour advertisement must be for an address of the
 *			guest's, and whole
 *	ARP		for IPv4 on Ethernet: the card's MAC address and a listed
 *			address as the sender's; or 0.0.0.0 in a request (a
 *			probe)
 *	anything else	dropped: it may carry IP, or speak for others
 */
#define NET_GUARD_MAX  16u  /* addresses */
#define NET_GUARD_TEXT 768u /* bytes of a list of them, with NUL */

/** struct net_guard_addr - The first @bits of @at's @len bytes: 4 or 16. */
struct net_guard_addr {
	uint8_t len, bits;
	uint8_t at[16];
};

/**
 * struct net_guard - What a guest may call itself.
 * @addr: @n of them; the first one is the link-local one.
 */
struct net_guard {
	uint8_t mac[6];
	uint8_t n;
	struct net_guard_addr addr[1 + NET_GUARD_MAX];
};

/**
 * net_guard_parse() - Read what a card's specification allows.
 * @mac:  The card's MAC address.
 * @list: Addresses with spaces between, each IPv4 or IPv6, "10.0.0.2", or all of a
 *        network, "fd00:0:0:7::/64".
 * @out:  Written only on success.
 *
 * Return: 0; -EINVAL if @mac is none, or an entry of @list, or there is none;
 * -E2BIG if there are more than NET_GUARD_MAX, or more than NET_GUARD_TEXT bytes.
 */
int net_guard_parse(const char *mac, const char *list,
		    struct net_guard *out) must_check;

/**
 * net_guard_fault() - Judge a frame from the guest.
 * @h:   Its first bytes; a private copy.
 * @len: Bytes at @h.
 *
 * Return: NULL, or static text that says why it must be dropped.
 */
const char *net_guard_fault(const struct net_guard *g, const uint8_t *h,
			    size_t len) must_check;

#endif
