// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/net_guard.c - whose addresses a guest may use; no I/O, no memory.
#include "dom0-backend/net_guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <string.h>

#include "base/be.h"
#include "dom0-backend/dhcp.h"
#include "dom0-backend/net_slots.h"

#define MAC	     6u
#define IP4	     4u
#define IP6	     16u
#define ETH_SRC_AT   6u
#define IP4_LEN_AT   2u /* from the IP header */
#define IP4_SRC_AT   12u
#define IP6_LEN_AT   4u
#define IP6_NEXT_AT  6u
#define IP6_SRC_AT   8u
#define IP6_HDR	     40u
#define FRAG_HDR     8u
#define FRAG_OFF_AT  2u
#define UDP_PORTS    4u
#define DHCP_CLIENT  68u
#define DHCP_SERVER  67u
#define ARP_OP_AT    6u
#define ARP_MAC_AT   8u
#define ARP_IP_AT    14u
#define ARP_SIZE     28u
#define ARP_REQUEST  1u
#define ND_TARGET_AT 8u /* of an advertisement, from the ICMPv6 header */

/* Types of ICMPv6 messages. */
enum {
	MLD_REPORT = 131,
	MLD_DONE = 132,
	ROUTER_SOLICIT = 133,
	NEIGHBOUR_SOLICIT = 135,
	NEIGHBOUR_ADVERT = 136,
	MLD2_REPORT = 143,
};

/* ---- the list --------------------------------------------------------------- */

/* "ADDRESS" or "ADDRESS/BITS" */
static int parse_addr(char *word, struct net_guard_addr *out)
{
	struct net_guard_addr a = { .len = IP4 };
	char *slash = strchr(word, '/');
	uint64_t bits;

	if (slash)
		*slash = '\0';
	if (inet_pton(AF_INET, word, a.at) != 1) {
		a.len = IP6;
		if (inet_pton(AF_INET6, word, a.at) != 1)
			return -EINVAL;
	}
	bits = UINT64_C(8) * a.len;
	if (slash && util_u64(slash + 1, bits, &bits))
		return -EINVAL;
	a.bits = (uint8_t)bits;
	*out = a;
	return 0;
}

/* fe80:: and the MAC address, as by RFC 4291. */
static struct net_guard_addr link_local(const uint8_t *mac)
{
	return (struct net_guard_addr){
		.len = IP6,
		.bits = IP6 * 8,
		.at = { 0xfe, 0x80, [8] = mac[0] ^ 2u, mac[1], mac[2], 0xff,
			0xfe, mac[3], mac[4], mac[5] },
	};
}

int net_guard_parse(const char *mac, const char *list, struct net_guard *out)
{
	char buf[NET_GUARD_TEXT], *word, *rest = buf;
	struct net_guard g = { .n = 1 };

	if (dhcp_mac_parse(mac, g.mac))
		return -EINVAL;
	g.addr[0] = link_local(g.mac);
	if (strlen(list) >= sizeof(buf))
		return -E2BIG;
	memcpy(buf, list, strlen(list) + 1);
	while ((word = strsep(&rest, " "))) {
		if (!*word)
			continue;
		if (g.n > NET_GUARD_MAX)
			return -E2BIG;
		if (parse_addr(word, &g.addr[g.n++]))
			return -EINVAL;
	}
	if (g.n == 1)
		return -EINVAL;
	*out = g;
	return 0;
}

static bool covers(const struct net_guard_addr *a, const uint8_t *ip)
{
	size_t whole = a->bits / 8u;
	unsigned int rest = a->bits % 8u;

	return !memcmp(a->at, ip, whole) &&
	       (!rest || !((a->at[whole] ^ ip[whole]) >> (8 - rest)));
}

/* Whether the guest may call itself @ip, @len bytes. */
static bool listed(const struct net_guard *g, const uint8_t *ip, size_t len)
{
	for (unsigned int i = 0; i < g->n; i++) {
		if (g->addr[i].len == len && covers(&g->addr[i], ip))
			return true;
	}
	return false;
}

static bool unspecified(const uint8_t *ip, size_t len)
{
	static const uint8_t zero[IP6];

	return !memcmp(ip, zero, len);
}

/* ---- frames ------------------------------------------------------------------- */

static const char *judge_ip4(const struct net_guard *g, const uint8_t *h,
			     size_t len)
{
	const uint8_t *src;
	struct net_hdr o;
	uint8_t proto;

	if (net_ip_parse(h, len, &o, &proto))
		return "it has no whole IPv4 header";
	src = h + o.ip + IP4_SRC_AT;
	if (listed(g, src, IP4))
		return NULL;
	/* What is behind the packet's own end is not its. */
	len = MIN(len, (size_t)o.ip + get_be16(h + o.ip + IP4_LEN_AT));
	if (unspecified(src, IP4) && proto == IPPROTO_UDP &&
	    o.l4 + UDP_PORTS <= len && get_be16(h + o.l4) == DHCP_CLIENT &&
	    get_be16(h + o.l4 + 2) == DHCP_SERVER)
		return NULL;
	return "its IPv4 source address is not in ip=";
}

/**
 * struct carried - What is behind an IPv6 packet's headers.
 * @at:    Where it begins: perhaps not before @end.
 * @end:   Of what is known of the packet.
 * @proto: IPPROTO_*; IPPROTO_FRAGMENT in fragments other than the first, of which
 *         nothing is known nor matters.
 * @whole: Not a fragment.
 */
struct carried {
	size_t at, end;
	uint8_t proto;
	bool whole;
};

/* Return: false if the headers do not show what is carried. */
static bool follow(const uint8_t *h, size_t len, size_t ip, struct carried *c)
{
	size_t end = ip + IP6_HDR + get_be16(h + ip + IP6_LEN_AT);

	*c = (struct carried){
		.at = ip + IP6_HDR,
		.end = MIN(len, end), /* behind it is not the packet's own */
		.proto = h[ip + IP6_NEXT_AT],
		.whole = true,
	};
	net_ip6_skip(h, c->end, &c->at, &c->proto);
	if (c->proto == IPPROTO_FRAGMENT) {
		const uint8_t *frag = h + c->at;

		c->whole = false;
		if (c->at + FRAG_HDR > c->end)
			return false;
		if (get_be16(frag + FRAG_OFF_AT) & 0xfff8)
			return true;
		c->proto = frag[0];
		c->at += FRAG_HDR;
		net_ip6_skip(h, c->end, &c->at, &c->proto);
		if (c->proto == IPPROTO_FRAGMENT)
			return false;
	}
	return c->proto != IPPROTO_NONE &&
	       (c->proto != IPPROTO_ICMPV6 || c->at < c->end);
}

static bool speaks_without_address(uint8_t type)
{
	return type == NEIGHBOUR_SOLICIT || type == ROUTER_SOLICIT ||
	       type == MLD_REPORT || type == MLD_DONE || type == MLD2_REPORT;
}

static const char *judge_ip6(const struct net_guard *g, const uint8_t *h,
			     size_t len)
{
	struct carried c;
	struct net_hdr o;
	uint8_t proto, type = 0;

	if (net_ip_parse(h, len, &o, &proto))
		return "it has no whole IPv6 header";
	if (!follow(h, len, o.ip, &c))
		return "its IPv6 extension headers do not show what it carries";
	if (c.proto == IPPROTO_ICMPV6)
		type = h[c.at];
	if (!listed(g, h + o.ip + IP6_SRC_AT, IP6) &&
	    !(unspecified(h + o.ip + IP6_SRC_AT, IP6) && c.whole &&
	      speaks_without_address(type)))
		return "its IPv6 source address is not in ip=";
	if (type != NEIGHBOUR_ADVERT)
		return NULL;
	if (!c.whole || c.at + ND_TARGET_AT + IP6 > c.end)
		return "a neighbour advertisement is not whole";
	return listed(g, h + c.at + ND_TARGET_AT, IP6)
		       ? NULL
		       : "the address it advertises is not in ip=";
}

static const char *judge_arp(const struct net_guard *g, const uint8_t *arp,
			     size_t len)
{
	static const uint8_t ip4_on_ethernet[] = { 0, 1, 8, 0, MAC, IP4 };

	if (len < ARP_SIZE ||
	    memcmp(arp, ip4_on_ethernet, sizeof(ip4_on_ethernet)) != 0)
		return "it is no ARP packet for IPv4 on Ethernet";
	if (memcmp(arp + ARP_MAC_AT, g->mac, MAC) != 0)
		return "its ARP sender's MAC address is not the card's";
	if (listed(g, arp + ARP_IP_AT, IP4) ||
	    (unspecified(arp + ARP_IP_AT, IP4) &&
	     get_be16(arp + ARP_OP_AT) == ARP_REQUEST))
		return NULL;
	return "its ARP sender's IPv4 address is not in ip=";
}

const char *net_guard_fault(const struct net_guard *g, const uint8_t *h,
			    size_t len)
{
	uint16_t type;
	size_t at;

	if (net_eth_parse(h, len, &at, &type))
		return "it has no whole Ethernet header";
	if (memcmp(h + ETH_SRC_AT, g->mac, MAC) != 0)
		return "its source MAC address is not the card's";
	switch (type) {
	case ETH_P_IP:
		return judge_ip4(g, h, len);
	case ETH_P_IPV6:
		return judge_ip6(g, h, len);
	case ETH_P_ARP:
		return judge_arp(g, h + at, len - at);
	default:
		return "it is neither IPv4 nor IPv6 nor ARP";
	}
}
