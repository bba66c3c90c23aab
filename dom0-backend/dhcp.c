// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/dhcp.c - one lease, offered to one card; no I/O, no memory.
#include "dom0-backend/dhcp.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/be.h"
#include "dom0-backend/words.h"

/* Offsets in a frame without VLAN tag and IP options: no client sends them. */
enum {
	ETH = 0,
	IP = 14,
	UDP = IP + 20,
	BOOTP = UDP + 8,
	B_OP = BOOTP,
	B_HTYPE = BOOTP + 1,
	B_HLEN = BOOTP + 2,
	B_XID = BOOTP + 4,
	B_FLAGS = BOOTP + 10,
	B_CIADDR = BOOTP + 12,
	B_YIADDR = BOOTP + 16,
	B_CHADDR = BOOTP + 28,
	B_COOKIE = BOOTP + 236,
	B_OPTIONS = BOOTP + 240,
};
_Static_assert(B_OPTIONS + 60 == DHCP_REPLY_MAX, "room for the options");

enum {
	OPT_PAD = 0,
	OPT_MASK = 1,
	OPT_ROUTER = 3,
	OPT_DNS = 6,
	OPT_MTU = 26,
	OPT_WANTED_IP = 50,
	OPT_LEASE_TIME = 51,
	OPT_TYPE = 53,
	OPT_SERVER = 54,
	OPT_END = 255,
};

enum { DISCOVER = 1, OFFER = 2, REQUEST = 3, ACK = 5, NAK = 6 };

#define COOKIE	     0x63825363u
#define LEASE_SECS   43200u
#define SERVER_PORT  67
#define CLIENT_PORT  68
#define IP_ANY_BCAST 0xffffffffu

static const uint8_t host_mac[6] = VIF_HOST_MAC;

static void print_ip(char *buf, uint32_t ip)
{
	struct in_addr a = { htonl(ip) };

	inet_ntop(AF_INET, &a, buf, INET_ADDRSTRLEN);
}

void dhcp_lease_print(const struct dhcp_lease *l, char *text)
{
	char ip[INET_ADDRSTRLEN];
	size_t at;

	print_ip(ip, l->ip);
	at = (size_t)snprintf(
		text, DHCP_LEASE_TEXT,
		"mac=%02x:%02x:%02x:%02x:%02x:%02x ip=%s/%u mtu=%u", l->mac[0],
		l->mac[1], l->mac[2], l->mac[3], l->mac[4], l->mac[5], ip,
		l->prefix, l->mtu);
	print_ip(ip, l->router);
	at += (size_t)snprintf(text + at, DHCP_LEASE_TEXT - at, " router=%s",
			       ip);
	for (unsigned int i = 0; i < l->ndns; i++) {
		print_ip(ip, l->dns[i]);
		at += (size_t)snprintf(text + at, DHCP_LEASE_TEXT - at,
				       " dns=%s", ip);
	}
}

int dhcp_mac_parse(const char *text, uint8_t mac[6])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t m[6];

	if (strlen(text) != 17)
		return -EINVAL;
	for (int i = 0; i < 6; i++, text += 3) {
		const char *hi =
			strchr(digits, tolower((unsigned char)text[0]));
		const char *lo =
			strchr(digits, tolower((unsigned char)text[1]));

		if (!hi || !lo || text[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		m[i] = (uint8_t)((hi - digits) << 4 | (lo - digits));
	}
	memcpy(mac, m, sizeof(m));
	return 0;
}

static int parse_ip(const char *text, uint32_t *ip)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1)
		return -EINVAL;
	*ip = ntohl(a.s_addr);
	return 0;
}

/* "A.B.C.D/LEN" */
static int parse_net(char *text, struct dhcp_lease *l)
{
	const char *len = words_cut(text);
	uint64_t n;

	if (!len || util_u64(len, 30, &n) || !n)
		return -EINVAL;
	l->prefix = (uint8_t)n;
	return parse_ip(text, &l->ip);
}

static int parse_word(const char *word, char *value, void *lease)
{
	struct dhcp_lease *l = lease;
	uint64_t n;

	if (!strcmp(word, "mac"))
		return dhcp_mac_parse(value, l->mac);
	if (!strcmp(word, "ip"))
		return parse_net(value, l);
	if (!strcmp(word, "router"))
		return parse_ip(value, &l->router);
	if (!strcmp(word, "dns") && l->ndns < DHCP_DNS_MAX)
		return parse_ip(value, &l->dns[l->ndns++]);
	if (strcmp(word, "mtu") != 0 || util_u64(value, 65535, &n))
		return -EINVAL;
	l->mtu = (uint16_t)n;
	return 0;
}

int dhcp_lease_parse(const char *text, struct dhcp_lease *out)
{
	struct dhcp_lease l = { 0 };
	int ret = words_each(text, parse_word, &l);

	if (ret || !l.ip || !l.router)
		return -EINVAL;
	*out = l;
	return 0;
}

bool dhcp_may_be(const uint8_t *h, size_t len)
{
	return len >= 64 && get_be16(h + ETH + 12) == 0x0800 && h[IP] == 0x45 &&
	       h[IP + 9] == 17 && get_be16(h + UDP + 2) == SERVER_PORT &&
	       get_be16(h + UDP) == CLIENT_PORT;
}

/* What of a request matters. */
struct ask {
	uint8_t type;
	uint32_t wanted, server; /* 0: not said */
};

static void take_option(uint8_t code, const uint8_t *p, size_t n, struct ask *a)
{
	if (code == OPT_TYPE && n == 1)
		a->type = *p;
	else if (code == OPT_WANTED_IP && n == 4)
		a->wanted = get_be32(p);
	else if (code == OPT_SERVER && n == 4)
		a->server = get_be32(p);
}

/* Each turn goes on by at least one byte: ends at @len. */
static void parse_options(const uint8_t *in, size_t len, struct ask *a)
{
	size_t at = B_OPTIONS;

	while (at < len && in[at] != OPT_END) {
		size_t n;

		if (in[at] == OPT_PAD) {
			at++;
			continue;
		}
		if (at + 2 > len)
			return;
		n = in[at + 1];
		if (at + 2 + n > len)
			return;
		take_option(in[at], in + at + 2, n, a);
		at += 2 + n;
	}
}

/* Whether the headers are those of a request from the card. */
static bool is_request(const uint8_t *in, size_t len,
		       const struct dhcp_lease *lease)
{
	uint32_t dst;

	if (len < B_OPTIONS || !dhcp_may_be(in, len))
		return false;
	dst = get_be32(in + IP + 16);
	return (dst == IP_ANY_BCAST || dst == lease->router) &&
	       !(get_be16(in + IP + 6) & 0x3fff) && in[B_OP] == 1 &&
	       in[B_HTYPE] == 1 && in[B_HLEN] == 6 &&
	       get_be32(in + B_COOKIE) == COOKIE &&
	       !memcmp(in + B_CHADDR, lease->mac, 6);
}

/* The type of answer, or 0. */
static uint8_t decide(const uint8_t *in, const struct ask *a,
		      const struct dhcp_lease *lease)
{
	uint32_t ip = a->wanted ? a->wanted : get_be32(in + B_CIADDR);

	if (a->server && a->server != lease->router)
		return 0;
	if (a->type == DISCOVER)
		return OFFER;
	if (a->type != REQUEST)
		return 0;
	return ip == lease->ip ? ACK : NAK;
}

static uint8_t *put_option(uint8_t *p, uint8_t code, size_t n, uint32_t v)
{
	*p++ = code;
	*p++ = (uint8_t)n;
	for (size_t i = n; i--;)
		*p++ = (uint8_t)(v >> (8 * i));
	return p;
}

static void put_options(uint8_t *p, uint8_t type, const struct dhcp_lease *l)
{
	p = put_option(p, OPT_TYPE, 1, type);
	p = put_option(p, OPT_SERVER, 4, l->router);
	if (type != NAK) {
		p = put_option(p, OPT_LEASE_TIME, 4, LEASE_SECS);
		p = put_option(p, OPT_MASK, 4, ~0u << (32 - l->prefix));
		p = put_option(p, OPT_ROUTER, 4, l->router);
		if (l->mtu)
			p = put_option(p, OPT_MTU, 2, l->mtu);
		if (l->ndns) {
			*p++ = OPT_DNS;
			*p++ = (uint8_t)(4 * l->ndns);
		}
		for (unsigned int i = 0; i < l->ndns; i++, p += 4)
			set_be32(p, l->dns[i]);
	}
	*p = OPT_END;
}

static uint16_t checksum(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i += 2) /* @len is even here */
		sum += get_be16(p + i);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

/* Ethernet, IP and UDP headers around what is there already. */
static void put_headers(uint8_t *out, const uint8_t *to_mac, uint32_t to,
			uint32_t from)
{
	size_t udp_len = DHCP_REPLY_MAX - UDP;
	uint16_t sum;

	memcpy(out + ETH, to_mac, 6);
	memcpy(out + ETH + 6, host_mac, 6);
	set_be16(out + ETH + 12, 0x0800);

	out[IP] = 0x45;
	set_be16(out + IP + 2, DHCP_REPLY_MAX - IP);
	out[IP + 8] = 64;
	out[IP + 9] = 17;
	set_be32(out + IP + 12, from);
	set_be32(out + IP + 16, to);
	set_be16(out + IP + 10, checksum(out + IP, 20, 0));

	set_be16(out + UDP, SERVER_PORT);
	set_be16(out + UDP + 2, CLIENT_PORT);
	set_be16(out + UDP + 4, (uint32_t)udp_len);
	sum = (uint16_t)~checksum(out + IP + 12, 8, 17 + (uint32_t)udp_len);
	sum = checksum(out + UDP, udp_len, sum);
	set_be16(out + UDP + 6, sum ? sum : 0xffff); /* 0 would mean none */
}

size_t dhcp_reply(const uint8_t *in, size_t len, const struct dhcp_lease *lease,
		  uint8_t *out)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct ask ask = { 0 };
	uint8_t type;
	bool bcast;

	if (!is_request(in, len, lease))
		return 0;
	parse_options(in, len, &ask);
	type = decide(in, &ask, lease);
	if (!type)
		return 0;

	memset(out, 0, DHCP_REPLY_MAX);
	out[B_OP] = 2;
	out[B_HTYPE] = 1;
	out[B_HLEN] = 6;
	memcpy(out + B_XID, in + B_XID, 4);
	memcpy(out + B_FLAGS, in + B_FLAGS, 2);
	memcpy(out + B_CHADDR, in + B_CHADDR, 16);
	if (type != NAK)
		set_be32(out + B_YIADDR, lease->ip);
	if (type == ACK)
		memcpy(out + B_CIADDR, in + B_CIADDR, 4);
	set_be32(out + B_COOKIE, COOKIE);
	put_options(out + B_OPTIONS, type, lease);

	bcast = type == NAK || (in[B_FLAGS] & 0x80);
	put_headers(out, bcast ? all : lease->mac,
		    bcast ? IP_ANY_BCAST : lease->ip, lease->router);
	return DHCP_REPLY_MAX;
}
