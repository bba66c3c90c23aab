// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/ra.c - the IPv6 router's part for one card; no I/O, no memory.
#include "dom0-backend/ra.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/be.h"
#include "dom0-backend/dhcp.h"
#include "dom0-backend/words.h"

/* Offsets in a frame without VLAN tag and extension headers. */
enum { IP6 = 14, ICMP = IP6 + 40, OPTIONS = ICMP + 16 };

enum { SOLICIT = 133, ADVERTISE = 134 };
enum { OPT_PREFIX = 3, OPT_MTU = 5, OPT_RDNSS = 25 };

#define NEXT_ICMP6    58
#define HOP_LIMIT     255 /* of neighbour discovery: it came from the link */
#define GUEST_HOPS    64
#define ROUTER_SECS   9000u
#define VALID_SECS    86400u
#define PREFERRED     14400u
#define ON_LINK_AUTO  0xc0
#define SOLICIT_BYTES 8u

static const uint8_t host_mac[6] = VIF_HOST_MAC;

void ra_print(const struct ra *r, char *text)
{
	char ip[INET6_ADDRSTRLEN];
	uint8_t net[16] = { 0 };
	size_t at;

	memcpy(net, r->prefix, sizeof(r->prefix));
	inet_ntop(AF_INET6, net, ip, sizeof(ip));
	at = (size_t)snprintf(text, RA_TEXT,
			      "mac=%02x:%02x:%02x:%02x:%02x:%02x prefix=%s/64 "
			      "mtu=%u",
			      r->mac[0], r->mac[1], r->mac[2], r->mac[3],
			      r->mac[4], r->mac[5], ip, r->mtu);
	inet_ntop(AF_INET6, r->router, ip, sizeof(ip));
	at += (size_t)snprintf(text + at, RA_TEXT - at, " router=%s", ip);
	for (unsigned int i = 0; i < r->ndns; i++) {
		inet_ntop(AF_INET6, r->dns[i], ip, sizeof(ip));
		at += (size_t)snprintf(text + at, RA_TEXT - at, " dns=%s", ip);
	}
}

static int parse_ip6(const char *text, uint8_t *out)
{
	return inet_pton(AF_INET6, text, out) == 1 ? 0 : -EINVAL;
}

static int parse_prefix(char *text, struct ra *r)
{
	const char *len = words_cut(text);
	uint8_t net[16];

	if (!len || strcmp(len, "64") != 0 || parse_ip6(text, net))
		return -EINVAL;
	memcpy(r->prefix, net, sizeof(r->prefix));
	return 0;
}

static int parse_word(const char *word, char *value, void *ra)
{
	struct ra *r = ra;
	uint64_t n;

	if (!strcmp(word, "mac"))
		return dhcp_mac_parse(value, r->mac);
	if (!strcmp(word, "prefix"))
		return parse_prefix(value, r);
	if (!strcmp(word, "router"))
		return parse_ip6(value, r->router);
	if (!strcmp(word, "dns") && r->ndns < RA_DNS_MAX)
		return parse_ip6(value, r->dns[r->ndns++]);
	if (strcmp(word, "mtu") != 0 || util_u64(value, 65535, &n))
		return -EINVAL;
	r->mtu = (uint16_t)n;
	return 0;
}

int ra_parse(const char *text, struct ra *out)
{
	struct ra r = { 0 };
	int ret = words_each(text, parse_word, &r);

	if (ret || !r.prefix[0] || r.router[0] != 0xfe)
		return -EINVAL;
	*out = r;
	return 0;
}

bool ra_asked(const uint8_t *h, size_t len, const struct ra *ra)
{
	return len >= ICMP + SOLICIT_BYTES && !memcmp(h + 6, ra->mac, 6) &&
	       h[12] == 0x86 && h[13] == 0xdd && h[IP6] >> 4 == 6 &&
	       h[IP6 + 6] == NEXT_ICMP6 && h[IP6 + 7] == HOP_LIMIT &&
	       h[ICMP] == SOLICIT && !h[ICMP + 1];
}

static uint8_t *put_prefix(uint8_t *p, const uint8_t *prefix)
{
	p[0] = OPT_PREFIX;
	p[1] = 4; /* in units of 8 bytes, as always */
	p[2] = 64;
	p[3] = ON_LINK_AUTO;
	set_be32(p + 4, VALID_SECS);
	set_be32(p + 8, PREFERRED);
	memcpy(p + 16, prefix, 8);
	return p + 32;
}

static uint8_t *put_mtu(uint8_t *p, uint16_t mtu)
{
	p[0] = OPT_MTU;
	p[1] = 1;
	set_be32(p + 4, mtu);
	return p + 8;
}

static uint8_t *put_dns(uint8_t *p, const struct ra *ra)
{
	size_t len = (size_t)16 * ra->ndns;

	p[0] = OPT_RDNSS;
	p[1] = (uint8_t)(1 + 2 * ra->ndns);
	set_be32(p + 4, ROUTER_SECS);
	memcpy(p + 8, ra->dns, len);
	return p + 8 + len;
}

/* Of @len bytes, an even number, from the addresses on. */
static uint16_t checksum(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

size_t ra_frame(const struct ra *ra, uint8_t *out)
{
	static const uint8_t all_mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	static const uint8_t all[16] = { [0] = 0xff, [1] = 2, [15] = 1 };
	uint8_t *p = out + OPTIONS;
	size_t len;

	memset(out, 0, RA_MAX);
	memcpy(out, all_mac, 6);
	memcpy(out + 6, host_mac, 6);
	set_be16(out + 12, 0x86dd);
	out[ICMP] = ADVERTISE;
	out[ICMP + 4] = GUEST_HOPS;
	set_be16(out + ICMP + 6, ROUTER_SECS);
	p = put_prefix(p, ra->prefix);
	if (ra->mtu)
		p = put_mtu(p, ra->mtu);
	if (ra->ndns)
		p = put_dns(p, ra);
	len = (size_t)(p - out);

	out[IP6] = 0x60;
	set_be16(out + IP6 + 4, (uint32_t)(len - ICMP));
	out[IP6 + 6] = NEXT_ICMP6;
	out[IP6 + 7] = HOP_LIMIT;
	memcpy(out + IP6 + 8, ra->router, 16);
	memcpy(out + IP6 + 24, all, 16);
	set_be16(out + ICMP + 2, checksum(out + IP6 + 8, len - IP6 - 8,
					  NEXT_ICMP6 + (uint32_t)(len - ICMP)));
	return len;
}
