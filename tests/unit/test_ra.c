/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_ra.c - router advertisements for one card. */
#include "dom0-backend/ra.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Offsets in the frames, from RFC 2464, 8200 and 4861. */
enum { IP6 = 14, ICMP = 54, OPTIONS = 70 };

static const char text[] = "mac=00:16:3e:12:34:56 prefix=fd01:203:405::/64 "
			   "mtu=1400 router=fe80::1 dns=2001:db8::53";

static struct ra parsed(const char *t)
{
	struct ra r = { 0 };

	cr_assert_eq(ra_parse(t, &r), 0, "%s", t);
	return r;
}

Test(ra, text_and_back)
{
	static const char *const bad[] = {
		"",
		"mac=00:16:3e:12:34:56",
		"prefix=fd01::/64",
		"router=fe80::1",
		"prefix=fd01::/63 router=fe80::1",
		"prefix=fd01:: router=fe80::1",
		"prefix=10.0.0.0/64 router=fe80::1",
		"prefix=fd01::/64 router=fd01::1",
		"prefix=fd01::/64 router=fe80::1 mtu=65536",
		"prefix=fd01::/64 router=fe80::1 dns=1.2.3.4",
		"prefix=fd01::/64 router=fe80::1 dns=::1 dns=::1 dns=::1 dns=::1",
		"prefix=fd01::/64 router=fe80::1 what=1",
		"prefix=fd01::/64 router=fe80::1 what",
	};
	struct ra r = parsed(text), kept = r;
	char again[RA_TEXT], longer[RA_TEXT + 1];

	ra_print(&r, again);
	cr_expect_str_eq(again, text);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_eq(ra_parse(bad[i], &r), -EINVAL, "%s", bad[i]);
	memset(longer, ' ', RA_TEXT);
	longer[RA_TEXT] = '\0';
	cr_expect_eq(ra_parse(longer, &r), -EINVAL);
	cr_expect_arr_eq(&r, &kept, sizeof(r), "written on failure");
}

Test(ra, longest_text_fits)
{
	struct ra r;
	char again[RA_TEXT];

	memset(&r, 0xee, sizeof(r));
	r.ndns = RA_DNS_MAX;
	ra_print(&r, again);
	cr_expect_lt(strlen(again), RA_TEXT - 1);
	cr_expect_not_null(strstr(again, "dns=eeee:"), "%s", again);
}

/* The sum over the pseudo-header and the message is right if it is all ones. */
static uint32_t sum(const uint8_t *f, size_t len)
{
	uint32_t s = 58 + (uint32_t)(len - ICMP);

	for (size_t i = IP6 + 8; i < len; i += 2)
		s += (uint32_t)f[i] << 8 | f[i + 1];
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

Test(ra, frame)
{
	static const uint8_t options[] = {
		3,    4, 64,   0xc0, 0,	   1,	 0x51, 0x80, 0,	  0, 0x38,
		0x40, 0, 0,    0,    0,	   0xfd, 1,    2,    3,	  4, 5,
		0,    0, 0,    0,    0,	   0,	 0,    0,    0,	  0, 5,
		1,    0, 0,    0,    0,	   5,	 0x78, 25,   3,	  0, 0,
		0,    0, 0x23, 0x28, 0x20, 1,	 0x0d, 0xb8, 0,	  0, 0,
		0,    0, 0,    0,    0,	   0,	 0,    0,    0x53
	};
	struct ra r = parsed(text);
	uint8_t *f = malloc(RA_MAX); /* ASan sees what is written behind */
	size_t len = ra_frame(&r, f);

	cr_assert_eq(len, OPTIONS + sizeof(options));
	cr_expect_arr_eq(f, "\x33\x33\0\0\0\1\xfe\xff\xff\xff\xff\xff\x86\xdd",
			 14);
	cr_expect_eq(f[IP6], 0x60);
	cr_expect_eq(f[IP6 + 4] << 8 | f[IP6 + 5], (int)(len - ICMP));
	cr_expect_eq(f[IP6 + 6], 58);
	cr_expect_eq(f[IP6 + 7], 255);
	cr_expect_arr_eq(f + IP6 + 8, r.router, 16);
	cr_expect_arr_eq(f + IP6 + 24, "\xff\2\0\0\0\0\0\0\0\0\0\0\0\0\0\1",
			 16);
	cr_expect_eq(f[ICMP], 134);
	cr_expect_arr_eq(f + ICMP + 4, "\x40\0\x23\x28", 4);
	cr_expect_arr_eq(f + OPTIONS, options, sizeof(options));
	cr_expect_eq(sum(f, len), 0xffff);
	r.ndns = RA_DNS_MAX;
	cr_expect_eq(ra_frame(&r, f), RA_MAX);
	cr_expect_eq(sum(f, RA_MAX), 0xffff);
	r.ndns = 0;
	r.mtu = 0;
	cr_expect_eq(ra_frame(&r, f), OPTIONS + 32);
	free(f);
}

Test(ra, only_solicitations_are_answered)
{
	static const struct {
		unsigned int at;
		uint8_t value;
	} wrong[] = { { 11, 0x57 },  { 12, 8 },	     { 13, 0 },
		      { IP6, 0x45 }, { IP6 + 6, 0 }, { IP6 + 7, 254 },
		      { ICMP, 135 }, { ICMP + 1, 1 } };
	struct ra r = parsed(text);
	uint8_t *f = calloc(1, ICMP + 8);

	memcpy(f + 6, r.mac, 6);
	memcpy(f + 12, "\x86\xdd\x60", 3);
	f[IP6 + 6] = 58;
	f[IP6 + 7] = 255;
	f[ICMP] = 133;
	cr_expect(ra_asked(f, ICMP + 8, &r));
	cr_expect_not(ra_asked(f, ICMP + 7, &r));
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		uint8_t was = f[wrong[i].at];

		f[wrong[i].at] = wrong[i].value;
		cr_expect_not(ra_asked(f, ICMP + 8, &r), "byte %u",
			      wrong[i].at);
		f[wrong[i].at] = was;
	}
	free(f);
}
