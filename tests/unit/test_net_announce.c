/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_net_announce.c - what is said of a guest that is at another place. */
#include "dom0-backend/net_announce.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define MAC 0x00, 0x16, 0x3e, 1, 2, 3

static uint8_t out[ANNOUNCE_MAX];

Test(net_announce, switches_learn_where_it_is)
{
	static const uint8_t want[60] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, MAC, 0x80, 0x35, 0, 1,   8,
		0,    6,    4,	  0,	3,    MAC,  0,	 0,    0,    0, MAC,
	};
	const struct announce a = { .mac = { MAC } };

	cr_assert_eq(announce_frame(&a, 0, out), 60);
	cr_expect_arr_eq(out, want, sizeof(want));
	cr_expect_eq(announce_frame(&a, 1, out), -ENOENT);
}

Test(net_announce, an_address_that_it_was_given)
{
	static const uint8_t want[60] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, MAC, 8,  6, 0, 1,
		8,    0,    6,	  4,	0,    1,    MAC, 10, 0, 0, 2,
		0,    0,    0,	  0,	0,    0,    10,	 0,  0, 2,
	};
	const struct announce a = { .mac = { MAC }, .ip4 = 0x0a000002 };

	cr_assert_eq(announce_frame(&a, 1, out), 60);
	cr_expect_arr_eq(out, want, sizeof(want));
	cr_expect_eq(announce_frame(&a, 2, out), -ENOENT);
}

/* RFC 1071: with the sum in its place the sum of all is 0xffff. */
static uint32_t sum(const uint8_t *p, size_t len, uint32_t s)
{
	for (size_t i = 0; i < len; i++)
		s += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

/* An advertisement of an address that ends so. */
static void expect_advert(const struct announce *a, unsigned int i,
			  uint8_t first, uint8_t last)
{
	static const uint8_t to[14] = {
		0x33, 0x33, 0, 0, 0, 1, MAC, 0x86, 0xdd
	};

	cr_assert_eq(announce_frame(a, i, out), 86);
	cr_expect_arr_eq(out, to, sizeof(to));
	cr_expect_eq(out[18] << 8 | out[19], 32, "length");
	cr_expect_eq(out[20], 58);
	cr_expect_eq(out[21], 255, "of this link");
	cr_expect_eq(out[22], first);
	cr_expect_eq(out[37], last);
	cr_expect_eq(out[38] << 8 | out[39], 0xff02, "to all nodes");
	cr_expect_eq(out[53], 1);
	cr_expect_eq(out[54], 136);
	cr_expect_eq(out[58], 0x20, "unsolicited, overriding");
	cr_expect_arr_eq(out + 62, out + 22, 16, "of its own address");
	cr_expect_arr_eq(out + 78, ((const uint8_t[]){ 2, 1, MAC }), 8);
	cr_expect_eq(sum(out + 22, 64, 32 + 58), 0xffff);
}

Test(net_announce, each_address_of_its_own_and_no_network)
{
	struct net_guard g;
	struct announce a = { .mac = { MAC }, .guard = &g };

	cr_assert_eq(net_guard_parse("00:16:3e:01:02:03",
				     "10.0.0.2 10.1.0.0/16 fd00::7 fd01::/64",
				     &g),
		     0);
	cr_expect_eq(announce_frame(&a, 0, out), 60);
	expect_advert(&a, 1, 0xfe, 3); /* link-local */
	cr_assert_eq(announce_frame(&a, 2, out), 60);
	cr_expect_arr_eq(out + 28, ((const uint8_t[]){ 10, 0, 0, 2 }), 4);
	cr_expect_arr_eq(out + 38, ((const uint8_t[]){ 10, 0, 0, 2 }), 4);
	cr_expect_eq(announce_frame(&a, 3, out), 0);
	expect_advert(&a, 4, 0xfd, 7);
	cr_expect_eq(announce_frame(&a, 5, out), 0);
	cr_expect_eq(announce_frame(&a, 6, out), -ENOENT);
}
