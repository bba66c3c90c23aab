/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_link_nl.c - interfaces and TAP queues, in a namespace. */
#include "dom0-backend/link_nl.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "dom0-backend/tap.h"
#include "tests/lib/netns.h"

static struct link_nl *nl;

static void init(void)
{
	netns_enter();
	cr_assert_eq(link_open(&nl), 0);
}

static void fini(void)
{
	link_close(nl);
}

TestSuite(link_nl, .init = init, .fini = fini);

static struct link_info get(const char *name)
{
	struct link_info info = { 0 };

	cr_assert_eq(link_get(nl, name, &info), 0, "%s", name);
	return info;
}

static int count(void *arg, const struct link_info *info)
{
	(void)info;
	++*(int *)arg;
	return 0;
}

static int stop(void *arg, const struct link_info *info)
{
	(void)info;
	++*(int *)arg;
	return -ENOTNAM;
}

Test(link_nl, bridge_from_make_to_remove)
{
	struct link_want want = { .alias = "ours", .mtu = 1400, .up = true };
	struct link_info info;
	int n = 0;

	cr_expect_eq(link_get(nl, "br0", &info), -ENODEV);
	cr_assert_eq(link_add_bridge(nl, "br0", "02:53:00:00:00:01"), 0);
	cr_expect_eq(link_add_bridge(nl, "br0", "02:53:00:00:00:01"), -EEXIST);
	info = get("br0");
	cr_expect(info.bridge);
	cr_expect_eq(info.mtu, 1500);
	cr_expect_str_eq(info.alias, "");
	cr_assert_eq(link_change(nl, info.index, &want), 0);
	info = get("br0");
	cr_expect_str_eq(info.alias, "ours");
	cr_expect_eq(info.mtu, 1400);

	cr_expect_eq(link_each(nl, count, &n), 0);
	cr_expect_eq(n, 2, "lo and br0");
	n = 0;
	cr_expect_eq(link_each(nl, stop, &n), -ENOTNAM);
	cr_expect_eq(n, 1);

	cr_expect_eq(link_del(nl, info.index), 0);
	cr_expect_eq(link_del(nl, info.index), -ENODEV);
	cr_expect_eq(link_change(nl, info.index, &want), -ENODEV);
	cr_expect_eq(link_get(nl, "br0", &info), -ENODEV);
}

Test(link_nl, addresses_and_routes)
{
	struct link_want up = { .up = true };
	char name[LINK_NAME_MAX] = "";
	struct link_info info;

	cr_assert_eq(link_add_bridge(nl, "br0", "02:53:00:00:00:01"), 0);
	info = get("br0");
	cr_expect_eq(link_has_addr(nl, info.index, 0xc0a80101, 24), 0);
	cr_assert_eq(link_add_addr(nl, info.index, 0xc0a80101, 24), 0);
	cr_expect_eq(link_add_addr(nl, info.index, 0xc0a80101, 24), -EEXIST);
	cr_expect_eq(link_has_addr(nl, info.index, 0xc0a80101, 24), 1);
	cr_expect_eq(link_has_addr(nl, info.index, 0xc0a80101, 16), 0);
	cr_expect_eq(link_has_addr(nl, info.index, 0xc0a80102, 24), 0);
	cr_assert_eq(link_change(nl, info.index, &up), 0);

	cr_expect_eq(link_route_clash(nl, 0xc0a80105, 24, 0, name), 1);
	cr_expect_str_eq(name, "br0");
	cr_expect_eq(link_route_clash(nl, 0xc0a80105, 24, info.index, name), 0);
	cr_expect_eq(link_route_clash(nl, 0xc0a80205, 24, 0, name), 0);
	cr_expect_eq(link_route_clash(nl, 0xc0a80205, 16, 0, name), 1);
	cr_expect_eq(link_route_clash(nl, 0xc0a80105, 28, 0, name), 0);
}

Test(link_nl, tap_with_queues_in_a_bridge)
{
	struct link_want want = { .mac = "fe:ff:ff:ff:ff:ff", .up = true };
	struct net_caps caps = { true, true, true, true, true };
	struct link_info info;
	int fd[4], again;

	cr_assert_eq(tap_open("t0", 4, fd), 0);
	cr_expect_eq(tap_open("t0", 1, &again), -EBUSY);
	cr_assert_eq(link_add_bridge(nl, "br0", "02:53:00:00:00:01"), 0);
	want.master = get("br0").index;
	cr_assert_eq(link_change(nl, get("t0").index, &want), 0);
	info = get("t0");
	cr_expect_eq(info.master, want.master);
	cr_expect_not(info.bridge);

	for (int i = 3; i >= 0; i--) { /* in any order, also twice */
		cr_expect_eq(tap_attach(fd[i], true), 0, "%d", i);
		cr_expect_eq(tap_attach(fd[i], true), 0, "%d", i);
	}
	cr_expect_eq(tap_offload(fd[3], &caps), 0);
	caps = (struct net_caps){ 0 };
	cr_expect_eq(tap_offload(fd[0], &caps), 0);
	cr_expect_eq(tap_carrier(fd[0], true), 0);
	cr_expect_eq(tap_attach(fd[0], false), 0);
	cr_expect_eq(tap_attach(fd[0], false), 0);

	for (int i = 0; i < 4; i++) {
		cr_expect_eq(link_get(nl, "t0", &info), 0, "%d", i);
		close(fd[i]);
	}
	cr_expect_eq(link_get(nl, "t0", &info), -ENODEV);
}

Test(link_nl, tap_named_as_another_interface)
{
	int fd;

	cr_assert_eq(link_add_bridge(nl, "br0", "02:53:00:00:00:01"), 0);
	cr_expect_lt(tap_open("br0", 1, &fd), 0);
}
