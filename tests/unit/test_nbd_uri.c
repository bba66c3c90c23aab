// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_nbd_uri.c - addresses of disks on NBD servers.
#include "dom0-backend/nbd_uri.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/util.h"

Test(nbd_uri, good)
{
	static const struct {
		const char *uri, *host, *port, *path, *name;
		uint32_t timeout;
	} t[] = {
		{ "nbd://h", "h", "10809", "", "", 0 },
		{ "nbd://h/", "h", "10809", "", "", 0 },
		{ "nbd://h:1/a/b", "h", "1", "", "a/b", 0 },
		{ "nbd://[::1]/x", "::1", "10809", "", "x", 0 },
		{ "nbd://[fe80::1]:99", "fe80::1", "99", "", "", 0 },
		{ "nbd://h/%41%2f%3F", "h", "10809", "", "A/?", 0 },
		{ "nbd://h/x?timeout=60", "h", "10809", "", "x", 60 },
		{ "nbd://h?timeout=60", "h", "10809", "", "", 60 },
		{ "nbd+unix:///?socket=/s", "", "", "/s", "", 0 },
		{ "nbd+unix:///x?timeout=5&socket=/a%20b", "", "", "/a b", "x",
		  5 },
	};
	struct nbd_uri u;
	const char *why;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		cr_assert(nbd_uri_is(t[i].uri));
		cr_assert_eq(nbd_uri_parse(&u, t[i].uri, &why), 0, "%s: %s",
			     t[i].uri, why);
		cr_expect_str_eq(u.host, t[i].host, "%s", t[i].uri);
		cr_expect_str_eq(u.port, t[i].port, "%s", t[i].uri);
		cr_expect_str_eq(u.path, t[i].path, "%s", t[i].uri);
		cr_expect_str_eq(u.name, t[i].name, "%s", t[i].uri);
		cr_expect_eq(u.timeout, t[i].timeout, "%s", t[i].uri);
	}
}

Test(nbd_uri, bad)
{
	static const char *const t[] = {
		"nbd:h:1",
		"nbds://h",
		"nbd+vsock:///",
		"nbd://",
		"nbd://:1",
		"nbd://h:",
		"nbd://h:0",
		"nbd://h:65536",
		"nbd://h:1x",
		"nbd://[::1",
		"nbd://[::1]x",
		"nbd://h/%",
		"nbd://h/%4",
		"nbd://h/%00",
		"nbd://h/%+1",
		"nbd://h/%zz",
		"nbd://h/?socket=/s",
		"nbd://h/?timeout=",
		"nbd://h/?timeout=-1",
		"nbd://h/?timeout=99999999",
		"nbd://h/?retry=1",
		"nbd+unix:///x",
		"nbd+unix://h/?socket=/s",
		"nbd+unix:///?socket=",
		"nbd+unix:///?socket=relative",
	};
	struct nbd_uri u = { .port = "x" };
	const char *why;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		cr_expect_eq(nbd_uri_parse(&u, t[i], &why), -EINVAL, "%s",
			     t[i]);
		cr_expect(why && *why);
	}
	cr_expect_str_eq(u.port, "x", "nothing is written on failure");
}

/* As long as it can be, and one byte more. */
Test(nbd_uri, long_names)
{
	static char uri[DISK_LINK_NAME + 64];
	struct nbd_uri u;
	const char *why;

	strcpy(uri, "nbd://h/");
	memset(uri + 8, 'n', DISK_LINK_NAME);
	cr_expect_eq(nbd_uri_parse(&u, uri, &why), 0);
	cr_expect_eq(strlen(u.name), DISK_LINK_NAME);
	uri[8 + DISK_LINK_NAME] = 'n';
	cr_expect_eq(nbd_uri_parse(&u, uri, &why), -EINVAL);
	strcpy(uri, "nbd+unix:///?socket=/");
	memset(uri + 21, 's', 106);
	uri[21 + 106] = '\0';
	cr_expect_eq(nbd_uri_parse(&u, uri, &why), 0);
	strcat(uri, "s");
	cr_expect_eq(nbd_uri_parse(&u, uri, &why), -EINVAL);
}

Test(nbd_uri, others)
{
	cr_expect_not(nbd_uri_is("/nbd://h"));
	cr_expect_not(nbd_uri_is("qcow2:/x"));
	cr_expect_not(nbd_uri_is("nbdx"));
}
