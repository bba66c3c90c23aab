// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_wire.c - messages as bytes.
#include <errno.h>
#include <string.h>
#include <criterion/criterion.h>

#include "xenstore-lite/wire.h"

Test(wire, size)
{
	struct xsd_sockmsg h = { .len = 5 };

	cr_expect_eq(wire_size(&h, 0), 0);
	cr_expect_eq(wire_size(&h, 15), 0);
	cr_expect_eq(wire_size(&h, 16), 21);
	h.len = XENSTORE_PAYLOAD_MAX;
	cr_expect_eq(wire_size(&h, 16), 16 + 4096);
}

/* XSA-38, XSA-420: every length above the limit, also "negative" ones. */
Test(wire, too_long)
{
	static const uint32_t len[] = { 4097, 0x7fffffff, 0x80000000,
					0xfffffff0, 0xffffffff };

	for (size_t i = 0; i < ARRAY_SIZE(len); i++) {
		struct xsd_sockmsg h = { .len = len[i] };

		cr_expect_eq(wire_size(&h, 16), -EPROTO, "%#x", len[i]);
	}
}

static struct wire_args split(const char *body, uint32_t len, size_t max)
{
	struct wire_msg m = { .hdr = { .len = len }, .body = body };
	struct wire_args a;

	wire_args(&m, max, &a);
	return a;
}

Test(wire, args)
{
	struct wire_args a = split("a\0bc\0d", 6, 8);

	cr_expect_eq(a.n, 2);
	cr_expect_str_eq(a.v[0], "a");
	cr_expect_str_eq(a.v[1], "bc");
	cr_expect_eq(a.rest_len, 1);
	cr_expect_eq(*a.rest, 'd');
	a = split("a\0bc\0d", 6, 1);
	cr_expect_eq(a.n, 1);
	cr_expect_eq(a.rest_len, 4);
	a = split("", 0, 3);
	cr_expect_eq(a.n, 0);
	cr_expect_eq(a.rest_len, 0);
	a = split("abc", 3, 1);
	cr_expect_eq(a.n, 0, "a string without its NUL is none");
	a = split("\0\0\0\0\0\0\0\0\0\0", 10, 100);
	cr_expect_eq(a.n, WIRE_MAXARGS);
}

Test(wire, names)
{
	cr_expect_str_eq(wire_error(ENOENT), "ENOENT");
	cr_expect_str_eq(wire_error(EAGAIN), "EAGAIN");
	cr_expect_str_eq(wire_error(EOWNERDEAD), "EINVAL");
	cr_expect_str_eq(wire_type_name(XS_RM), "RM");
	cr_expect_str_eq(wire_type_name(20), "?");
	cr_expect_str_eq(wire_type_name(UINT32_MAX), "?");
}
