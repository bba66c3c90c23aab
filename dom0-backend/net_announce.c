// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/net_announce.c - a guest that is at another place; no I/O, no memory.
#include "dom0-backend/net_announce.h"

#include <errno.h>
#include <string.h>

#include "base/be.h"

/* Offsets in a frame. */
enum { TYPE = 12, BODY = 14, ICMP = BODY + 40 };

enum { ETHER_ARP = 0x0806, ETHER_RARP = 0x8035, ETHER_IP6 = 0x86dd };
enum { ARP_REQUEST = 1, RARP_REQUEST = 3 };

#define ADVERTISE   136
#define OVERRIDE    0x20
#define OPT_MAC	    2 /* target link-layer address */
#define NEXT_ICMP6  58
#define HOP_LIMIT   255
#define ICMP_LEN    32u
#define FRAME_LEAST 60u /* of Ethernet, without its checksum */

static void put_addrs(const struct announce *a, const uint8_t *to,
		      uint32_t type, uint8_t *out)
{
	memset(out, 0, ANNOUNCE_MAX);
	memcpy(out, to, 6);
	memcpy(out + 6, a->mac, 6);
	set_be16(out + TYPE, type);
}

/* @ip: From and for it; NULL: none. */
static int put_arp(const struct announce *a, uint32_t type, uint32_t op,
		   const uint8_t *ip, uint8_t *out)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static const uint8_t ip4_on_ether[6] = { 0, 1, 8, 0, 6, 4 };
	uint8_t *p = out + BODY;

	put_addrs(a, all, type, out);
	memcpy(p, ip4_on_ether, sizeof(ip4_on_ether));
	set_be16(p + 6, op);
	memcpy(p + 8, a->mac, 6);
	if (type == ETHER_RARP)
		memcpy(p + 18, a->mac, 6);
	if (ip) {
		memcpy(p + 14, ip, 4);
		memcpy(p + 24, ip, 4);
	}
	return FRAME_LEAST;
}

/* RFC 1071, of an even number of bytes. */
static uint32_t checksum(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i += 2)
		sum += get_be16(p + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

static int put_advert(const struct announce *a, const uint8_t *ip, uint8_t *out)
{
	static const uint8_t all_mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	static const uint8_t all[16] = { [0] = 0xff, [1] = 2, [15] = 1 };
	uint8_t *p = out + BODY, *icmp = out + ICMP;

	put_addrs(a, all_mac, ETHER_IP6, out);
	p[0] = 0x60;
	set_be16(p + 4, ICMP_LEN);
	p[6] = NEXT_ICMP6;
	p[7] = HOP_LIMIT;
	memcpy(p + 8, ip, 16);
	memcpy(p + 24, all, 16);
	icmp[0] = ADVERTISE;
	icmp[4] = OVERRIDE;
	memcpy(icmp + 8, ip, 16);
	icmp[24] = OPT_MAC;
	icmp[25] = 1; /* in units of 8 bytes */
	memcpy(icmp + 26, a->mac, 6);
	/* Addresses, length and type of the pseudo-header, and the message. */
	set_be16(icmp + 2,
		 checksum(p + 8, 32 + ICMP_LEN, ICMP_LEN + NEXT_ICMP6));
	return ICMP + ICMP_LEN;
}

/* A network's addresses are not one by one its own. */
static int put_own(const struct announce *a, const struct net_guard_addr *addr,
		   uint8_t *out)
{
	if (addr->bits != addr->len * 8)
		return 0;
	return addr->len == 4
		       ? put_arp(a, ETHER_ARP, ARP_REQUEST, addr->at, out)
		       : put_advert(a, addr->at, out);
}

int announce_frame(const struct announce *a, unsigned int i, uint8_t *out)
{
	unsigned int n = a->guard ? a->guard->n : 0;
	uint8_t ip[4];

	if (!i)
		return put_arp(a, ETHER_RARP, RARP_REQUEST, NULL, out);
	if (--i < n)
		return put_own(a, &a->guard->addr[i], out);
	if (i > n || !a->ip4)
		return -ENOENT;
	set_be32(ip, a->ip4);
	return put_arp(a, ETHER_ARP, ARP_REQUEST, ip, out);
}
