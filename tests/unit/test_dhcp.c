/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_dhcp.c - one lease, offered to one card. */
#include "dom0-backend/dhcp.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Offsets in the frames, from RFC 894, 791, 768 and 2131. */
enum { IP = 14, UDP = 34, BOOTP = 42, OPTIONS = 282 };

static const struct dhcp_lease lease = {
	.mac = { 0x00, 0x16, 0x3e, 0x12, 0x34, 0x56 },
	.ip = 0xc0a8e711,
	.router = 0xc0a8e701,
	.dns = { 0x01020304, 0x05060708 },
	.prefix = 24,
	.ndns = 2,
	.mtu = 1400,
};

struct frame {
	uint8_t b[600];
	size_t len;
};

static void option(struct frame *f, uint8_t code, size_t n, const void *p)
{
	f->b[f->len++] = code;
	f->b[f->len++] = (uint8_t)n;
	memcpy(f->b + f->len, p, n);
	f->len += n;
}

/* A client's frame without the end option. */
static void ask(struct frame *f, uint8_t type)
{
	static const uint8_t cookie[4] = { 0x63, 0x82, 0x53, 0x63 };

	memset(f, 0, sizeof(*f));
	memset(f->b, 0xff, 6);
	memcpy(f->b + 6, lease.mac, 6);
	f->b[12] = 0x08;
	f->b[IP] = 0x45;
	f->b[IP + 9] = 17;
	memset(f->b + IP + 16, 0xff, 4);
	f->b[UDP + 1] = 68;
	f->b[UDP + 3] = 67;
	f->b[BOOTP] = 1;
	f->b[BOOTP + 1] = 1;
	f->b[BOOTP + 2] = 6;
	memcpy(f->b + BOOTP + 4, "xid!", 4);
	memcpy(f->b + BOOTP + 28, lease.mac, 6);
	memcpy(f->b + OPTIONS - 4, cookie, 4);
	f->len = OPTIONS;
	option(f, 53, 1, &type);
}

static size_t reply(const struct frame *f, uint8_t *out)
{
	uint8_t *tight = malloc(f->len); /* ASan sees what is read behind */
	size_t n;

	memcpy(tight, f->b, f->len);
	n = dhcp_reply(tight, f->len, &lease, out);
	free(tight);
	return n;
}

static const uint8_t *find(const uint8_t *out, uint8_t code)
{
	const uint8_t *p = out + OPTIONS;

	while (*p != 255) {
		if (*p == code)
			return p + 1;
		p += 2 + p[1];
		cr_assert_lt(p, out + DHCP_REPLY_MAX);
	}
	return NULL;
}

static uint32_t sum(const uint8_t *p, size_t len)
{
	uint32_t s = 0;

	for (size_t i = 0; i < len; i += 2)
		s += (uint32_t)p[i] << 8 | p[i + 1];
	return s;
}

static uint32_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

static void expect_sums(const uint8_t *out)
{
	cr_expect_eq(fold(sum(out + IP, 20)), 0xffff);
	cr_expect_eq(fold(sum(out + IP + 12, 8) + 17 + (DHCP_REPLY_MAX - UDP) +
			  sum(out + UDP, DHCP_REPLY_MAX - UDP)),
		     0xffff);
}

static void expect_option(const uint8_t *out, uint8_t code, size_t n,
			  const char *value)
{
	const uint8_t *p = find(out, code);

	cr_assert_not_null(p, "option %u", code);
	cr_assert_eq(*p, n, "option %u", code);
	cr_expect_arr_eq(p + 1, value, n, "option %u", code);
}

Test(dhcp, discover_is_offered)
{
	uint8_t out[DHCP_REPLY_MAX];
	struct frame f;

	ask(&f, 1);
	option(&f, 255, 0, "");
	cr_assert_eq(reply(&f, out), DHCP_REPLY_MAX);
	expect_sums(out);
	cr_expect_arr_eq(out, lease.mac, 6);
	cr_expect_arr_eq(out + 6, "\xfe\xff\xff\xff\xff\xff", 6);
	cr_expect_arr_eq(out + IP + 12, "\xc0\xa8\xe7\x01", 4);
	cr_expect_arr_eq(out + IP + 16, "\xc0\xa8\xe7\x11", 4);
	cr_expect_arr_eq(out + UDP, "\0\x43\0\x44", 4);
	cr_expect_eq(out[BOOTP], 2);
	cr_expect_arr_eq(out + BOOTP + 4, "xid!", 4);
	cr_expect_arr_eq(out + BOOTP + 16, "\xc0\xa8\xe7\x11", 4);
	cr_expect_arr_eq(out + BOOTP + 28, lease.mac, 6);
	expect_option(out, 53, 1, "\2");
	expect_option(out, 54, 4, "\xc0\xa8\xe7\x01");
	expect_option(out, 1, 4, "\xff\xff\xff\0");
	expect_option(out, 3, 4, "\xc0\xa8\xe7\x01");
	expect_option(out, 6, 8, "\1\2\3\4\5\6\7\x08");
	expect_option(out, 26, 2, "\x05\x78");
	expect_option(out, 51, 4, "\0\0\xa8\xc0");
}

Test(dhcp, request_is_acknowledged_or_refused)
{
	uint8_t out[DHCP_REPLY_MAX];
	struct frame f;

	ask(&f, 3);
	option(&f, 50, 4, "\xc0\xa8\xe7\x11");
	option(&f, 54, 4, "\xc0\xa8\xe7\x01");
	cr_assert_eq(reply(&f, out), DHCP_REPLY_MAX);
	expect_option(out, 53, 1, "\5");
	expect_sums(out);

	ask(&f, 3); /* a client that remembers another network */
	option(&f, 50, 4, "\x0a\0\0\x05");
	cr_assert_eq(reply(&f, out), DHCP_REPLY_MAX);
	expect_option(out, 53, 1, "\6");
	expect_sums(out);
	cr_expect_null(find(out, 3));
	cr_expect_arr_eq(out, "\xff\xff\xff\xff\xff\xff", 6);
	cr_expect_arr_eq(out + BOOTP + 16, "\0\0\0\0", 4);

	ask(&f, 3); /* renewal: unicast, by its address alone */
	memcpy(f.b + IP + 16, "\xc0\xa8\xe7\x01", 4);
	memcpy(f.b + BOOTP + 12, "\xc0\xa8\xe7\x11", 4);
	cr_assert_eq(reply(&f, out), DHCP_REPLY_MAX);
	expect_option(out, 53, 1, "\5");
	cr_expect_arr_eq(out + BOOTP + 12, "\xc0\xa8\xe7\x11", 4);
}

Test(dhcp, broadcast_when_the_client_asks)
{
	uint8_t out[DHCP_REPLY_MAX];
	struct frame f;

	ask(&f, 1);
	f.b[BOOTP + 10] = 0x80;
	cr_assert_eq(reply(&f, out), DHCP_REPLY_MAX);
	cr_expect_arr_eq(out, "\xff\xff\xff\xff\xff\xff", 6);
	cr_expect_arr_eq(out + IP + 16, "\xff\xff\xff\xff", 4);
}

/* Each change alone makes the frame somebody else's. */
Test(dhcp, all_else_passes)
{
	static const struct {
		size_t at;
		uint8_t value;
	} change[] = {
		{ 12, 0x86 },	    { IP, 0x46 },	   { IP + 9, 6 },
		{ IP + 16, 0x0a },  { IP + 6, 0x20 },	   { IP + 7, 1 },
		{ UDP + 1, 69 },    { UDP + 3, 68 },	   { BOOTP, 2 },
		{ BOOTP + 1, 6 },   { BOOTP + 2, 16 },	   { BOOTP + 33, 0 },
		{ OPTIONS - 1, 0 }, { OPTIONS, 52 },	   { OPTIONS + 1, 9 },
		{ OPTIONS + 2, 2 }, { OPTIONS + 2, 4 },	   { OPTIONS + 2, 7 },
		{ OPTIONS + 2, 8 }, { OPTIONS + 2, 0xff },
	};
	uint8_t out[DHCP_REPLY_MAX];
	struct frame f;

	for (size_t i = 0; i < ARRAY_SIZE(change); i++) {
		ask(&f, 1);
		cr_assert_neq(f.b[change[i].at], change[i].value);
		f.b[change[i].at] = change[i].value;
		cr_expect_eq(reply(&f, out), 0, "change %zu", i);
	}
	ask(&f, 3); /* of another server */
	option(&f, 54, 4, "\xc0\xa8\xe7\x02");
	cr_expect_eq(reply(&f, out), 0);
	ask(&f, 1);
	cr_expect(dhcp_may_be(f.b, 64));
	cr_expect_not(dhcp_may_be(f.b, 63));
	for (size_t n = 1; n < OPTIONS + 3; n++) {
		f.len = n;
		cr_expect_eq(reply(&f, out), 0, "%zu bytes", n);
	}
}

Test(dhcp, noise_in_the_options)
{
	uint8_t out[DHCP_REPLY_MAX];
	struct frame f;

	for (int turn = 0; turn < 200000; turn++) {
		size_t n = (size_t)random() % 64;

		ask(&f, 1);
		for (size_t i = 0; i < n; i++)
			f.b[f.len++] = (uint8_t)random();
		if (reply(&f, out))
			expect_sums(out);
	}
}

Test(dhcp, lease_as_text)
{
	char text[DHCP_LEASE_TEXT], bad[DHCP_LEASE_TEXT + 16];
	struct dhcp_lease got = { 0 };
	static const char *const wrong[] = {
		"",
		"ip=1.2.3.4/24",
		"router=1.2.3.1",
		"ip=1.2.3.4 router=1.2.3.1",
		"ip=1.2.3.4/31 router=1.2.3.1",
		"ip=1.2.3.4/0 router=1.2.3.1",
		"ip=1.2.3.456/24 router=1.2.3.1",
		"ip=1.2.3.4/24 router=1.2.3.1 ",
		"ip=1.2.3.4/24 router=1.2.3.1 what=1",
		"ip=1.2.3.4/24 router=1.2.3.1 mtu=65536",
		"mac=00:16:3e:00:00 ip=1.2.3.4/24 router=1.2.3.1",
	};

	dhcp_lease_print(&lease, text);
	cr_assert_eq(dhcp_lease_parse(text, &got), 0);
	cr_expect_eq(memcmp(&got, &lease, sizeof(got)), 0, "%s", text);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		cr_expect_eq(dhcp_lease_parse(wrong[i], &got), -EINVAL, "%s",
			     wrong[i]);
	snprintf(bad, sizeof(bad), "%s dns=1.1.1.1", text);
	cr_expect_eq(dhcp_lease_parse(bad, &got), 0);
	cr_expect_eq(got.ndns, 3);
	strcat(bad, " dns=1.1.1.1");
	cr_expect_eq(dhcp_lease_parse(bad, &got), -EINVAL);
	got = lease;
	memset(bad, 'm', DHCP_LEASE_TEXT);
	bad[DHCP_LEASE_TEXT] = '\0';
	cr_expect_eq(dhcp_lease_parse(bad, &got), -EINVAL);
	cr_expect_eq(memcmp(&got, &lease, sizeof(got)), 0, "written on error");
}

Test(dhcp, mac_as_text)
{
	uint8_t mac[6];
	static const char *const wrong[] = {
		"",
		"00:16:3e:12:34",
		"00:16:3e:12:34:5",
		"00:16:3e:12:34:567",
		"00:16:3e:12:34:5g",
		"00-16-3e-12-34-56",
		" 0:16:3e:12:34:56",
		"+1:16:3e:12:34:56",
		"0x:16:3e:12:34:56",
	};

	cr_assert_eq(dhcp_mac_parse("00:16:3E:ab:CD:ef", mac), 0);
	cr_expect_arr_eq(mac, "\x00\x16\x3e\xab\xcd\xef", 6);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		cr_expect_eq(dhcp_mac_parse(wrong[i], mac), -EINVAL, "%s",
			     wrong[i]);
}
