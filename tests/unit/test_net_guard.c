/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_net_guard.c - whose addresses a guest may use. */
#include "dom0-backend/net_guard.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-backend/net_slots.h"

#define GUEST_MAC "00:16:3e:01:02:03"
#define LIST	  "10.0.0.2 10.8.0.0/13 fd00::2 fd01:0:0:6::/63"

/* Pieces of frames, in hex. */
#define TO	"ffffffffffff "
#define US	"00163e010203 "
#define THEM	"00163e010204 "
#define OUR4	"0a000002 "
#define THEIR4	"0a000003 "
#define NET4	"0a0fffff "
#define NONE4	"00000000 "
#define OUR6	"fd000000000000000000000000000002 "
#define THEIR6	"fd000000000000000000000000000003 "
#define NET6	"fd010000000000070000000000000099 "
#define LOCAL6	"fe8000000000000002163efffe010203 "
#define LOCAL6B "fe8000000000000002163efffe010204 "
#define NONE6	"00000000000000000000000000000000 "
#define ALL6	"ff020000000000000000000000000001 "
#define TAG	"8100 0007 "
#define STAG	"88a8 0008 "

#define ETH(src, type) TO src type
#define IP4(len, proto, src) \
	"4500" len " 00000000 40" proto "0000 " src "0a000001 "
#define UDP(sport, dport)   sport dport "00080000 "
#define DHCP		    UDP("0044", "0043")
#define IP6(len, next, src) "60000000 " len next "ff " src ALL6
#define ARP(op, mac, ip)    "0001 0800 06 04 " op mac ip "000000000000 0a000001 "
#define ND(type, target)    type "000000 00000000 " target
#define HBH(next)	    next "00 0502000001 00 " /* router alert */
#define FRAG(next, at)	    next "00 " at " 00000001 "

struct frame {
	const char *name;
	size_t need; /* bytes without which it does not pass */
	const char *hex;
};

static const struct frame good[] = {
	{ "IPv4", 34, ETH(US, "0800") IP4("001c", "11", OUR4) DHCP },
	{ "IPv4 of a network", 34,
	  ETH(US, "0800") IP4("001c", "06", NET4) DHCP },
	{ "IPv4 with options", 34,
	  ETH(US, "0800") "46000020 00000000 40110000" OUR4 THEIR4
			  "01010101" DHCP },
	{ "IPv4, a later fragment", 34,
	  ETH(US, "0800") "4500001c 00002001 40110000" OUR4 THEIR4 DHCP },
	{ "IPv4, tagged", 38, ETH(US, TAG "0800") IP4("001c", "11", OUR4) },
	{ "IPv4, tagged twice", 42,
	  ETH(US, STAG TAG "0800") IP4("001c", "11", OUR4) },
	{ "DHCP", 38, ETH(US, "0800") IP4("001c", "11", NONE4) DHCP },
	{ "DHCP, tagged", 42,
	  ETH(US, TAG "0800") IP4("001c", "11", NONE4) DHCP },
	{ "DHCP, with options", 42,
	  ETH(US, "0800") "46000020 00000000 40110000" NONE4 "ffffffff"
			  "01010101" DHCP },
	{ "ARP request", 42, ETH(US, "0806") ARP("0001", US, OUR4) },
	{ "ARP reply", 42, ETH(US, "0806") ARP("0002", US, NET4) },
	{ "ARP probe", 42, ETH(US, "0806") ARP("0001", US, NONE4) },
	{ "ARP, tagged", 46, ETH(US, TAG "0806") ARP("0001", US, OUR4) },
	{ "IPv6", 54, ETH(US, "86dd") IP6("0008", "11", OUR6) DHCP },
	{ "IPv6 of a network", 54,
	  ETH(US, "86dd") IP6("0008", "06", NET6) DHCP },
	{ "IPv6, tagged", 58, ETH(US, TAG "86dd") IP6("0008", "11", OUR6) },
	{ "link-local", 54, ETH(US, "86dd") IP6("0008", "11", LOCAL6) DHCP },
	{ "TCP behind options", 56,
	  ETH(US, "86dd") IP6("0010", "3c", OUR6) "0601 0000 0000 0000"
						  "0000000000000000" },
	{ "echo", 55,
	  ETH(US, "86dd") IP6("0008", "3a", OUR6) "80000000 00010001" },
	{ "ESP", 54, ETH(US, "86dd") IP6("0008", "32", OUR6) DHCP },
	{ "solicitation without an address", 55,
	  ETH(US, "86dd") IP6("0018", "3a", NONE6) ND("87", THEIR6) },
	{ "solicitation for another's address", 55,
	  ETH(US, "86dd") IP6("0018", "3a", OUR6) ND("87", THEIR6) },
	{ "router solicitation without an address", 55,
	  ETH(US, "86dd") IP6("0008", "3a", NONE6) "85000000 00000000" },
	{ "listener report without an address", 63,
	  ETH(US, "86dd") IP6("0010", "00", NONE6)
		  HBH("3a") "8f000000 00000000" },
	{ "advertisement", 78,
	  ETH(US, "86dd") IP6("0018", "3a", OUR6) ND("88", OUR6) },
	{ "advertisement of the link-local address", 78,
	  ETH(US, "86dd") IP6("0018", "3a", LOCAL6) ND("88", LOCAL6) },
	{ "advertisement behind options", 86,
	  ETH(US, "86dd") IP6("0020", "00", NET6) HBH("3a") ND("88", NET6) },
	{ "IPv6, a later fragment", 62,
	  ETH(US, "86dd") IP6("0010", "2c", OUR6)
		  FRAG("3a", "0008") "8800000000000000" },
	{ "IPv6, the first fragment", 62,
	  ETH(US, "86dd") IP6("0010", "2c", OUR6) FRAG("11", "0001") DHCP },
	{ "echo, the first fragment", 63,
	  ETH(US, "86dd") IP6("0010", "2c", OUR6)
		  FRAG("3a", "0001") "8000000000000000" },
};

static const struct frame bad[] = {
	{ "IPv4: MAC", 0, ETH(THEM, "0800") IP4("001c", "11", OUR4) DHCP },
	{ "IPv4: address", 0, ETH(US, "0800") IP4("001c", "11", THEIR4) DHCP },
	{ "IPv4: none, no DHCP", 0,
	  ETH(US, "0800") IP4("001c", "11", NONE4) UDP("0045", "0043") },
	{ "IPv4: none, DHCP server", 0,
	  ETH(US, "0800") IP4("001c", "11", NONE4) UDP("0043", "0044") },
	{ "IPv4: none, to no DHCP server", 0,
	  ETH(US, "0800") IP4("001c", "11", NONE4) UDP("0044", "0045") },
	{ "IPv4: none, TCP", 0, ETH(US, "0800") IP4("001c", "06", NONE4) DHCP },
	{ "IPv4: none, a fragment", 0,
	  ETH(US, "0800") "4500001c 00002000 40110000" NONE4 THEIR4 DHCP },
	{ "IPv4: ports behind its end", 0,
	  ETH(US, "0800") IP4("0014", "11", NONE4) DHCP },
	{ "IPv4: DHCP from another's address", 0,
	  ETH(US, "0800") IP4("001c", "11", THEIR4) DHCP },
	{ "IPv4: tagged", 0,
	  ETH(US, TAG "0800") IP4("001c", "11", THEIR4) DHCP },
	{ "IPv4: tagged twice", 0,
	  ETH(US, STAG TAG "0800") IP4("001c", "11", THEIR4) DHCP },
	{ "three tags", 0,
	  ETH(US, STAG STAG TAG "0800") IP4("001c", "11", OUR4) DHCP },
	{ "IPv4: options do not help", 0,
	  ETH(US, "0800") "46000020 00000000 40110000" THEIR4 OUR4 OUR4 DHCP },
	{ "IPv6 called IPv4", 0, ETH(US, "0800") IP6("0008", "11", OUR6) DHCP },
	{ "IPv4 called IPv6", 0,
	  ETH(US, "86dd") IP4("001c", "11", OUR4) DHCP OUR6 OUR6 },
	{ "ARP: frame's MAC", 0, ETH(THEM, "0806") ARP("0001", US, OUR4) },
	{ "ARP: sender's MAC", 0, ETH(US, "0806") ARP("0001", THEM, OUR4) },
	{ "ARP: sender's address", 0, ETH(US, "0806") ARP("0001", US, THEIR4) },
	{ "ARP: reply for another", 0,
	  ETH(US, "0806") ARP("0002", US, THEIR4) },
	{ "ARP: reply for nobody", 0, ETH(US, "0806") ARP("0002", US, NONE4) },
	{ "ARP: tagged", 0, ETH(US, TAG "0806") ARP("0001", US, THEIR4) },
	{ "ARP: longer addresses", 0,
	  ETH(US, "0806") "0001 0800 08 04 0001" US OUR4 OUR4 OUR4 OUR4 },
	{ "ARP: longer protocol addresses", 0,
	  ETH(US, "0806") "0001 0800 06 10 0001" US OUR4 OUR4 OUR4 OUR4 },
	{ "ARP: for another protocol", 0,
	  ETH(US, "0806") "0001 0806 06 04 0001" US OUR4 OUR4 OUR4 OUR4 },
	{ "ARP: for another hardware", 0,
	  ETH(US, "0806") "0006 0800 06 04 0001" US OUR4 OUR4 OUR4 OUR4 },
	{ "IPv6: MAC", 0, ETH(THEM, "86dd") IP6("0008", "11", OUR6) DHCP },
	{ "IPv6: address", 0, ETH(US, "86dd") IP6("0008", "11", THEIR6) DHCP },
	{ "IPv6: another's link-local", 0,
	  ETH(US, "86dd") IP6("0008", "11", LOCAL6B) DHCP },
	{ "IPv6: tagged", 0,
	  ETH(US, TAG "86dd") IP6("0008", "11", THEIR6) DHCP },
	{ "IPv6: none, UDP", 0, ETH(US, "86dd") IP6("0008", "11", NONE6) DHCP },
	{ "IPv6: none, echo", 0,
	  ETH(US, "86dd") IP6("0008", "3a", NONE6) "80000000 00010001" },
	{ "IPv6: none, in a fragment", 0,
	  ETH(US, "86dd") IP6("0020", "2c", NONE6) FRAG("3a", "0001")
		  ND("87", THEIR6) },
	{ "IPv6: none, a later fragment", 0,
	  ETH(US, "86dd") IP6("0010", "2c", NONE6)
		  FRAG("3a", "0008") "8700000000000000" },
	{ "IPv6: address in a later fragment", 0,
	  ETH(US, "86dd") IP6("0010", "2c", THEIR6) FRAG("11", "0008") DHCP },
	{ "advertises another's address", 0,
	  ETH(US, "86dd") IP6("0018", "3a", OUR6) ND("88", THEIR6) },
	{ "the same from the link-local address", 0,
	  ETH(US, "86dd") IP6("0018", "3a", LOCAL6) ND("88", THEIR6) },
	{ "the same from nobody", 0,
	  ETH(US, "86dd") IP6("0018", "3a", NONE6) ND("88", OUR6) },
	{ "the same behind options", 0,
	  ETH(US, "86dd") IP6("0020", "00", OUR6) HBH("3a") ND("88", THEIR6) },
	{ "the same behind all kinds of headers", 0,
	  ETH(US, "86dd") IP6("0044", "00", OUR6) HBH("3c") HBH("2b")
		  HBH("33") "3a01 0000 00000000 00000000" ND("88", THEIR6) },
	{ "the same in a fragment", 0,
	  ETH(US, "86dd") IP6("0020", "2c", OUR6) FRAG("3a", "0001")
		  ND("88", THEIR6) },
	{ "the same in the only fragment", 0,
	  ETH(US, "86dd") IP6("0020", "2c", OUR6) FRAG("3a", "0000")
		  ND("88", THEIR6) },
	{ "its own in a fragment", 0,
	  ETH(US, "86dd") IP6("0020", "2c", OUR6) FRAG("3a", "0001")
		  ND("88", OUR6) },
	{ "options within a fragment", 0,
	  ETH(US, "86dd") IP6("0028", "2c", OUR6) FRAG("3c", "0001") HBH("3a")
		  ND("88", THEIR6) },
	{ "a fragment within a fragment", 0,
	  ETH(US, "86dd") IP6("0028", "2c", OUR6) FRAG("2c", "0001")
		  FRAG("3a", "0001") ND("88", OUR6) },
	{ "a fragment that ends before what is carried", 0,
	  ETH(US, "86dd") IP6("0010", "2c", OUR6) FRAG("3c", "0001")
		  HBH("3a") "80000000 00000000" },
	{ "a packet that ends before what is carried", 0,
	  ETH(US, "86dd") IP6("0008", "00", OUR6)
		  HBH("3a") "80000000 00000000" },
	{ "options as long as can be", 0,
	  ETH(US, "86dd") IP6("0900", "3c", OUR6) "3aff 0000 00000000" },
	{ "options beyond what is known", 0,
	  ETH(US, "86dd") IP6("0900", "3c", OUR6) "3cff 0000 00000000" },
	{ "a target behind the packet's end", 0,
	  ETH(US, "86dd") IP6("0008", "3a", OUR6) ND("88", OUR6) },
	{ "no next header", 0, ETH(US, "86dd") IP6("0008", "3b", OUR6) DHCP },
	{ "RARP", 0, ETH(US, "8035") ARP("0003", US, OUR4) },
	{ "PPPoE", 0,
	  ETH(US, "8864") "11000000 0016 0021" IP4("0014", "11", THEIR4) },
	{ "MPLS", 0, ETH(US, "8847") "00001140" IP4("0014", "11", THEIR4) },
	{ "LLC", 0, ETH(US, "0026") "424203" OUR4 OUR4 OUR4 OUR4 },
};

static uint8_t digit(char c)
{
	return (uint8_t)(isdigit((unsigned char)c) ? c - '0' : c - 'a' + 10);
}

/* Return: bytes at @to. */
static size_t read_hex(const char *hex, uint8_t *to)
{
	size_t n = 0;

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		cr_assert_lt(n, NET_HDR_MAX);
		to[n++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
		hex++;
	}
	return n;
}

static struct net_guard guard(const char *list)
{
	struct net_guard g;

	cr_assert_eq(net_guard_parse(GUEST_MAC, list, &g), 0, "%s", list);
	return g;
}

/* Judge @len bytes, with none behind them. */
static const char *judge(const struct net_guard *g, const uint8_t *frame,
			 size_t len)
{
	uint8_t *tight = malloc(len ? len : 1);
	const char *why;

	memcpy(tight, frame, len);
	why = net_guard_fault(g, tight, len);
	free(tight);
	return why;
}

/* Each passes, with as many bytes as it takes, and under one MAC address only. */
Test(net_guard, in_its_own_name)
{
	struct net_guard g = guard(LIST);
	uint8_t frame[NET_HDR_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		size_t len = read_hex(good[i].hex, frame);

		for (size_t n = 0; n <= len; n++)
			cr_expect_eq(!judge(&g, frame, n), n >= good[i].need,
				     "%s, %zu bytes: %s", good[i].name, n,
				     judge(&g, frame, n));
		for (unsigned int bit = 48; bit < 96; bit++) {
			frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
			cr_expect(judge(&g, frame, len), "%s, bit %u",
				  good[i].name, bit);
			frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

/* None passes, nor does what begins like it and is shorter. */
Test(net_guard, in_the_name_of_others)
{
	struct net_guard g = guard(LIST);
	uint8_t frame[NET_HDR_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		size_t len = read_hex(bad[i].hex, frame);

		for (size_t n = 0; n <= len; n++)
			cr_expect(judge(&g, frame, n), "%s, %zu of %zu bytes",
				  bad[i].name, n, len);
	}
}

/* An address with any bit turned is another's. */
Test(net_guard, every_bit_of_an_address)
{
	static const struct {
		const char *hex;
		unsigned int at, len;
	} t[] = {
		{ ETH(US, "0800") IP4("001c", "11", OUR4) DHCP, 26, 4 },
		{ ETH(US, "0806") ARP("0001", US, OUR4), 22, 10 },
		{ ETH(US, "86dd") IP6("0008", "11", OUR6) DHCP, 22, 16 },
		{ ETH(US, "86dd") IP6("0008", "11", LOCAL6) DHCP, 22, 16 },
		{ ETH(US, "86dd") IP6("0018", "3a", OUR6) ND("88", OUR6), 62,
		  16 },
	};
	struct net_guard g = guard("10.0.0.2 fd00::2");
	uint8_t frame[NET_HDR_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		size_t len = read_hex(t[i].hex, frame);

		cr_expect_null(judge(&g, frame, len));
		for (unsigned int bit = 0; bit < 8 * t[i].len; bit++) {
			uint8_t *p = &frame[t[i].at + bit / 8];

			*p ^= (uint8_t)(1 << bit % 8);
			cr_expect(judge(&g, frame, len), "%zu, bit %u", i, bit);
			*p ^= (uint8_t)(1 << bit % 8);
		}
	}
}

/* The first and the last address of networks, and those beside them. */
Test(net_guard, networks)
{
	static const struct {
		const char *list;
		uint32_t ip;
		bool in;
	} t[] = {
		{ "10.0.0.77/25", 0x0a000000, true },
		{ "10.0.0.77/25", 0x0a00007f, true },
		{ "10.0.0.77/25", 0x0a000080, false },
		{ "10.0.0.77/25", 0x09ffffff, false },
		{ "10.0.0.77/32", 0x0a00004d, true },
		{ "10.0.0.77/32", 0x0a00004c, false },
		{ "10.0.0.77/31", 0x0a00004c, true },
		{ "10.0.0.77/31", 0x0a00004e, false },
		{ "10.0.0.0/8", 0x0affffff, true },
		{ "10.0.0.0/8", 0x0b000000, false },
		{ "128.0.0.0/1", 0xffffffff, true },
		{ "128.0.0.0/1", 0x7fffffff, false },
		{ "0.0.0.0/0", 0x01020304, true },
		{ "::/0", 0x01020304, false },
		{ "fd00::2 10.0.0.1  10.0.0.3 ", 0x0a000003, true },
		{ "fd00::2 10.0.0.1  10.0.0.3 ", 0x0a000002, false },
	};
	uint8_t frame[NET_HDR_MAX];
	size_t len = read_hex(ETH(US, "0800") IP4("0014", "11", OUR4), frame);

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct net_guard g = guard(t[i].list);

		for (int k = 0; k < 4; k++)
			frame[26 + k] = (uint8_t)(t[i].ip >> (24 - 8 * k));
		cr_expect_eq(!judge(&g, frame, len), t[i].in, "%s, %x",
			     t[i].list, t[i].ip);
	}
}

Test(net_guard, lists_that_are_none)
{
	static const char *const lists[] = {
		"",
		" ",
		"10.0.0",
		"10.0.0.256",
		"10.0.0.1/33",
		"10.0.0.1/",
		"10.0.0.1/-1",
		"10.0.0.1/8/8",
		"fd00::1/129",
		"fd00::1::1",
		"host",
		"10.0.0.1,10.0.0.2",
		"10.0.0.1 x",
		"10.0.0.1\n",
		"/8",
	};
	static const char *const macs[] = { "", "00:16:3e:01:02",
					    "00:16:3e:01:02:03:04", "x" };
	struct net_guard g = { .n = 99 };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		cr_expect_eq(net_guard_parse(GUEST_MAC, lists[i], &g), -EINVAL,
			     "'%s'", lists[i]);
	for (size_t i = 0; i < ARRAY_SIZE(macs); i++)
		cr_expect_eq(net_guard_parse(macs[i], "10.0.0.1", &g), -EINVAL,
			     "'%s'", macs[i]);
	cr_expect_eq(g.n, 99, "written on failure");
}

/* As many as there may be, as long as they may be, and one more. */
Test(net_guard, long_lists)
{
	char list[NET_GUARD_TEXT + 64] = "";
	struct net_guard g;
	size_t at = 0;

	for (unsigned int i = 0; i < NET_GUARD_MAX; i++)
		at += (size_t)snprintf(
			list + at, sizeof(list) - at,
			"fd00:1111:2222:3333:4444:5555:6666:%x/128 ",
			0x7000 + i);
	cr_assert_lt(at, NET_GUARD_TEXT);
	cr_expect_eq(net_guard_parse(GUEST_MAC, list, &g), 0);
	snprintf(list + at, sizeof(list) - at, "10.0.0.1");
	cr_expect_eq(net_guard_parse(GUEST_MAC, list, &g), -E2BIG);
	memset(list, ' ', sizeof(list));
	memcpy(list, "10.0.0.1", 8);
	list[NET_GUARD_TEXT - 1] = '\0';
	cr_expect_eq(net_guard_parse(GUEST_MAC, list, &g), 0);
	list[NET_GUARD_TEXT - 1] = ' ';
	list[NET_GUARD_TEXT] = '\0';
	cr_expect_eq(net_guard_parse(GUEST_MAC, list, &g), -E2BIG);
}
