/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_net_hash.c - hashes that spread packets. */
#include "dom0-backend/net_hash.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define SUCCESS	 XEN_NETIF_CTRL_STATUS_SUCCESS
#define INVALID	 XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER
#define TOO_LONG XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW
#define NO	 XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED
#define NONE	 XEN_NETIF_CTRL_HASH_ALGORITHM_NONE
#define TOEPLITZ XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ

enum { IP4 = 1, TCP4 = 2, IP6 = 4, TCP6 = 8, ALL = 15 };

/* The key of the published verification suite for receive side scaling. */
static const uint8_t rss_key[NET_HASH_KEY_MAX] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
	0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
	0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
	0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static struct net_hash all_types(void)
{
	struct net_hash h = { .nqueues = 4 };

	cr_assert_eq(net_hash_set_algorithm(&h, TOEPLITZ), SUCCESS);
	cr_assert_eq(net_hash_set_types(&h, ALL), SUCCESS);
	net_hash_set_key(&h, rss_key, sizeof(rss_key));
	return h;
}

/* ---- packets ---------------------------------------------------------------- */

/* A case of the suite, and its results without and with ports. */
struct vector {
	char dst[40], src[40];
	uint16_t dport, sport;
	uint32_t ip, tcp;
};

static struct vector suite[] = {
	{ "161.142.100.80", "66.9.149.187", 1766, 2794, 0x323e8fc2,
	  0x51ccc178 },
	{ "65.69.140.83", "199.92.111.2", 4739, 14230, 0xd718262a, 0xc626b0ea },
	{ "12.22.207.184", "24.19.198.95", 38024, 12898, 0xd2d0a5de,
	  0x5c2b394a },
	{ "209.142.163.6", "38.27.205.30", 2217, 48228, 0x82989176,
	  0xafc7327f },
	{ "202.188.127.2", "153.39.163.191", 1303, 44251, 0x5d1809c5,
	  0x10e828a2 },
	{ "3ffe:2501:200:3::1", "3ffe:2501:200:1fff::7", 1766, 2794, 0x2cc18cd5,
	  0x40207d3d },
	{ "ff02::1", "3ffe:501:8::260:97ff:fe40:efab", 4739, 14230, 0x0f0c461c,
	  0xdde51bbf },
	{ "fe80::200:f8ff:fe21:67cf", "3ffe:1900:4545:3:200:f8ff:fe21:67cf",
	  38024, 44251, 0x4b61e985, 0x02d1feef },
};

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* How a packet of the suite is wrapped. */
struct wrap {
	char name[24];
	unsigned int tags, options; /* bytes behind the IP header */
	bool fragment, udp;
};

/* Return: its length; the last bytes are those of the two ports. */
static size_t build(uint8_t *p, const struct vector *t, const struct wrap *w)
{
	bool v6 = strchr(t->dst, ':');
	uint8_t proto = w->udp ? IPPROTO_UDP : IPPROTO_TCP, *ip;
	size_t at = 12;

	memset(p, 0, NET_HDR_MAX);
	for (unsigned int i = 0; i < w->tags; i++, at += 4)
		put16(p + at, 0x8100);
	put16(p + at, v6 ? 0x86dd : 0x0800);
	ip = p + at + 2;
	if (v6) {
		ip[0] = 0x60;
		ip[6] = w->fragment  ? IPPROTO_FRAGMENT
			: w->options ? IPPROTO_DSTOPTS
				     : proto;
		ip[40] = proto;
		ip[41] = (uint8_t)(w->options / 8 - 1);
		cr_assert_eq(inet_pton(AF_INET6, t->src, ip + 8), 1);
		cr_assert_eq(inet_pton(AF_INET6, t->dst, ip + 24), 1);
		at += 2 + 40 + w->options;
	} else {
		ip[0] = (uint8_t)(0x45 + w->options / 4);
		put16(ip + 6, w->fragment ? 0x2000 : 0x4000);
		ip[9] = proto;
		cr_assert_eq(inet_pton(AF_INET, t->src, ip + 12), 1);
		cr_assert_eq(inet_pton(AF_INET, t->dst, ip + 16), 1);
		at += 2 + 20 + w->options;
	}
	put16(p + at, t->sport);
	put16(p + at + 2, t->dport);
	return at + 4;
}

static void expect_hash(const struct net_hash *h, const uint8_t *p, size_t len,
			int type, uint32_t value, const char *what)
{
	struct net_mark m = net_hash_mark(h, p, len);

	cr_expect_eq(m.known, type >= 0, "%s", what);
	if (type < 0)
		return;
	cr_expect_eq(m.type, type, "%s: type %u", what, m.type);
	cr_expect_eq(m.value, value, "%s: %08x, not %08x", what, m.value,
		     value);
}

ParameterizedTestParameters(net_hash, verification_suite)
{
	static struct wrap t[] = {
		{ "plain", 0, 0, false, false },
		{ "a VLAN", 1, 0, false, false },
		{ "a VLAN in another", 2, 0, false, false },
		{ "options", 0, 8, false, false },
		{ "all its options", 2, 40, false, false },
	};
	return cr_make_param_array(struct wrap, t, ARRAY_SIZE(t));
}

/* Each type of hash, alone and with the others, for each packet of the suite. */
ParameterizedTest(struct wrap *w, net_hash, verification_suite)
{
	struct net_hash h = all_types();
	uint8_t p[NET_HDR_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(suite); i++) {
		const struct vector *t = &suite[i];
		bool v6 = strchr(t->dst, ':');
		size_t len = build(p, t, w);

		for (uint32_t types = 1; types <= ALL; types++) {
			bool tcp = types & (v6 ? TCP6 : TCP4);
			bool ip = types & (v6 ? IP6 : IP4);

			cr_assert_eq(net_hash_set_types(&h, types), SUCCESS);
			expect_hash(&h, p, len,
				    tcp	 ? (v6 ? 3 : 1)
				    : ip ? (v6 ? 2 : 0)
					 : -1,
				    tcp ? t->tcp : t->ip, t->dst);
		}
	}
}

/* Without ports, or without TCP: the addresses alone. */
Test(net_hash, no_ports)
{
	static const struct wrap fragment = { .fragment = true },
				 udp = { .udp = true }, plain = { 0 };
	struct net_hash h = all_types();
	uint8_t p[NET_HDR_MAX];
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(suite); i++) {
		const struct vector *t = &suite[i];
		int type = strchr(t->dst, ':') ? 2 : 0;

		cr_assert_eq(net_hash_set_types(&h, ALL), SUCCESS);
		len = build(p, t, &fragment);
		expect_hash(&h, p, len, type, t->ip, "a fragment");
		len = build(p, t, &udp);
		expect_hash(&h, p, len, type, t->ip, "UDP");
		len = build(p, t, &plain);
		expect_hash(&h, p, len - 1, type, t->ip, "cut");
		cr_assert_eq(net_hash_set_types(&h, TCP4 | TCP6), SUCCESS);
		expect_hash(&h, p, len - 1, -1, 0, "cut, TCP only");
	}
}

/* Any length, at the very end of readable memory: nothing behind it is read. */
Test(net_hash, cut_anywhere)
{
	static const struct wrap long_one = { .tags = 2, .options = 40 };
	struct net_hash h = all_types();
	uint8_t p[NET_HDR_MAX], *tight;
	unsigned int known = 0;

	for (size_t i = 0; i < ARRAY_SIZE(suite); i++) {
		size_t len = build(p, &suite[i], &long_one);

		for (size_t n = 0; n <= len; n++) {
			tight = malloc(n + 1); /* watched by the sanitizer */
			memcpy(tight + 1, p, n);
			known += net_hash_mark(&h, tight + 1, n).known;
			free(tight);
		}
	}
	/* Addresses from IPv4's 20 and IPv6's 40 bytes on. */
	cr_expect_eq(known, 5 * (40 + 4 + 1) + 3 * (40 + 4 + 1), "%u", known);
}

Test(net_hash, other_packets_have_none)
{
	struct net_hash h = all_types();
	uint8_t arp[60] = { [12] = 8, [13] = 6 };

	expect_hash(&h, arp, sizeof(arp), -1, 0, "ARP");
	arp[13] = 0;
	expect_hash(&h, arp, sizeof(arp), -1, 0, "IPv4 of version 0");
}

/* ---- requests ---------------------------------------------------------------- */

Test(net_hash, keys)
{
	static const struct wrap plain = { 0 };
	struct net_hash h = all_types();
	uint8_t p[NET_HDR_MAX], key[NET_HASH_KEY_MAX];
	size_t len = build(p, &suite[0], &plain);

	cr_expect_eq(net_hash_key_fault(0), SUCCESS);
	cr_expect_eq(net_hash_key_fault(NET_HASH_KEY_MAX), SUCCESS);
	cr_expect_eq(net_hash_key_fault(NET_HASH_KEY_MAX + 1), TOO_LONG);
	cr_expect_eq(net_hash_key_fault(UINT32_MAX), TOO_LONG);
	net_hash_set_key(&h, rss_key, 16); /* 12 bytes and the 4 after them */
	expect_hash(&h, p, len, 1, suite[0].tcp, "as long as is needed");
	memset(key, 0, sizeof(key));
	memcpy(key, rss_key, 5);
	net_hash_set_key(&h, rss_key, 5);
	cr_expect_arr_eq(h.key, key, sizeof(key), "zeros behind it");
	net_hash_set_key(&h, key, 0);
	expect_hash(&h, p, len, 1, 0, "no key");
}

Test(net_hash, algorithms_and_types)
{
	struct net_hash h = { .nqueues = 1 };
	uint32_t types = 99;

	cr_expect_not(net_hash_active(&h));
	cr_expect_eq(net_hash_get_types(&h, &types), NO);
	cr_expect_eq(types, 99);
	cr_expect_eq(net_hash_set_types(&h, IP4), INVALID);
	cr_expect_eq(net_hash_set_algorithm(&h, 2), INVALID);
	cr_expect_eq(net_hash_set_algorithm(&h, UINT32_MAX), INVALID);
	cr_expect_eq(net_hash_set_algorithm(&h, TOEPLITZ), SUCCESS);
	cr_expect_not(net_hash_active(&h));
	cr_expect_eq(net_hash_get_types(&h, &types), SUCCESS);
	cr_expect_eq(types, ALL);
	cr_expect_eq(net_hash_set_types(&h, 16), INVALID);
	cr_expect_eq(net_hash_set_types(&h, ALL | UINT32_C(1) << 31), INVALID);
	cr_expect_eq(net_hash_set_types(&h, UINT32_MAX), INVALID);
	cr_expect_eq(net_hash_set_types(&h, ALL), SUCCESS);
	cr_expect(net_hash_active(&h));
	cr_expect_eq(net_hash_set_types(&h, 0), SUCCESS);
	cr_expect_not(net_hash_active(&h));
	cr_expect_eq(net_hash_set_types(&h, IP6), SUCCESS);
	cr_expect_eq(net_hash_set_algorithm(&h, NONE), SUCCESS);
	cr_expect_not(net_hash_active(&h));
}

struct part {
	char name[32];
	uint32_t size, n, at, want;
};

ParameterizedTestParameters(net_hash, table_parts)
{
	static struct part t[] = {
		{ "all of it", 128, 128, 0, SUCCESS },
		{ "nothing", 128, 0, 128, SUCCESS },
		{ "nothing, of nothing", 0, 0, 0, SUCCESS },
		{ "the last", 128, 1, 127, SUCCESS },
		{ "of a small one", 5, 2, 3, SUCCESS },
		{ "one too many", 5, 6, 0, INVALID },
		{ "one too far", 5, 2, 4, INVALID },
		{ "nothing, beyond", 5, 0, 6, INVALID },
		{ "in no table", 0, 1, 0, INVALID },
		{ "sum is 0", 5, 1, UINT32_MAX, INVALID },
		{ "sum is small", 128, 4, UINT32_MAX - 1, INVALID },
		{ "longer than any", 128, 129, 0, TOO_LONG },
		{ "far longer", 128, UINT32_MAX, 1, TOO_LONG },
		{ "bytes overflow", 128, 0x40000001, 0, TOO_LONG },
	};
	return cr_make_param_array(struct part, t, ARRAY_SIZE(t));
}

ParameterizedTest(struct part *t, net_hash, table_parts)
{
	struct net_hash h = { .nqueues = 4 }, was;
	uint32_t map[NET_HASH_MAP_MAX];

	for (uint32_t i = 0; i < NET_HASH_MAP_MAX; i++)
		map[i] = 1 + i % 3;
	cr_assert_eq(net_hash_set_map_size(&h, t->size), SUCCESS);
	cr_expect_eq(net_hash_map_fault(&h, t->n, t->at), t->want);
	if (t->want != SUCCESS)
		return;
	was = h;
	cr_assert_eq(net_hash_set_map(&h, map, t->n, t->at), SUCCESS);
	for (uint32_t i = 0; i < NET_HASH_MAP_MAX; i++)
		cr_assert_eq(h.map[i], i >= t->at && i - t->at < t->n
					       ? map[i - t->at]
					       : 0);
	memcpy(h.map, was.map, sizeof(h.map));
	cr_expect_arr_eq((uint8_t *)&h, (uint8_t *)&was, sizeof(h));
}

Test(net_hash, tables)
{
	struct net_hash h = { .nqueues = 3 };
	uint32_t map[] = { 2, 1, 3 };
	struct net_mark m = { true, 0, 7 }, none = { .value = 7 };

	cr_expect_eq(net_hash_queue(&h, &m), 1, "7 modulo 3");
	cr_expect_eq(net_hash_queue(&h, &none), 0);
	cr_expect_eq(net_hash_set_map_size(&h, 129), INVALID);
	cr_expect_eq(net_hash_set_map_size(&h, UINT32_MAX), INVALID);
	cr_expect_eq(h.nmap, 0);
	cr_expect_eq(net_hash_set_map_size(&h, 2), SUCCESS);
	cr_expect_eq(net_hash_queue(&h, &m), 0, "zero filled");
	cr_expect_eq(net_hash_set_map(&h, map, 2, 0), SUCCESS);
	cr_expect_eq(net_hash_queue(&h, &m), 1);
	cr_expect_eq(net_hash_queue(&h, &none), 2, "the first");
	cr_expect_eq(net_hash_set_map_size(&h, 3), SUCCESS);
	cr_expect_eq(net_hash_set_map(&h, map, 3, 0), INVALID, "no queue 3");
	cr_expect_eq(h.map[0], 0, "nothing has changed");
	cr_expect_eq(net_hash_set_map_size(&h, 0), SUCCESS);
	cr_expect_eq(net_hash_queue(&h, &m), 1, "modulo again");
}
