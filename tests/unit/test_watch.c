// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_watch.c - watches: who hears of what, in which order.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <criterion/criterion.h>

#include "tests/lib/fini.h"
#include "tests/lib/storebed.h"
#include "xenstore-lite/path.h"

static struct bed_client *d0, *w, *g;

static void setup(void)
{
	bed_init();
	d0 = bed_dom0();
	w = bed_dom0();
	g = bed_guest(3);
	bed_write(d0, 0, "/local/domain/3", "");
	bed_str(d0, XS_SET_PERMS, 0, "/local/domain/3", "n0", "r3", NULL);
	bed_write(d0, 0, "/local/domain/3/data", "");
	bed_str(d0, XS_SET_PERMS, 0, "/local/domain/3/data", "n3", NULL);
	bed_write(d0, 0, "/secret/key", "s");
}

static void teardown(void)
{
	FINI_CHECK(bed_consistent());
	bed_close(g);
	bed_close(w);
	bed_close(d0);
	bed_fini();
}

TestSuite(watch, .init = setup, .fini = teardown);

Test(watch, first_event_after_ok)
{
	struct xsd_sockmsg h = { .type = XS_WATCH, .len = 5 };
	char msg[sizeof(h) + 5];
	char back[128];

	memcpy(msg, &h, sizeof(h));
	memcpy(msg + sizeof(h), "/a\0t", 5);
	cr_assert_eq(bed_send(w, msg, sizeof(msg)), sizeof(msg));
	bed_pump();
	cr_assert_eq(recv(w->fd, back, sizeof(back), 0), 16 + 3 + 16 + 5);
	memcpy(&h, back, sizeof(h));
	cr_expect_eq(h.type, XS_WATCH);
	memcpy(&h, back + 19, sizeof(h));
	cr_expect_eq(h.type, XS_WATCH_EVENT);
	cr_expect_eq(h.req_id, 0);
	cr_expect(!memcmp(back + 35, "/a\0t", 5));
}

Test(watch, self_parents_and_children)
{
	bed_watch(w, "/a/b", "t");
	bed_event(w);
	bed_write(d0, 0, "/a", "");
	cr_expect_str_eq(bed_event(w), "", "a parent's value");
	bed_write(d0, 0, "/a/b", "");
	cr_expect_str_eq(bed_event(w), "/a/b|t");
	bed_write(d0, 0, "/a/b/c/d", "");
	cr_expect_str_eq(bed_event(w), "/a/b/c/d|t");
	cr_expect_str_eq(bed_event(w), "", "/a/b/c is not announced");
	bed_write(d0, 0, "/a/bb", "");
	cr_expect_str_eq(bed_event(w), "");
	bed_str(d0, XS_SET_PERMS, 0, "/a/b", "r0", NULL);
	cr_expect_str_eq(bed_event(w), "/a/b|t");
	bed_str(d0, XS_MKDIR, 0, "/a/b/c", NULL);
	cr_expect_str_eq(bed_event(w), "", "it was there");
	bed_str(d0, XS_MKDIR, 0, "/a/b/e", NULL);
	cr_expect_str_eq(bed_event(w), "/a/b/e|t");
}

Test(watch, root)
{
	bed_watch(w, "/", "t");
	cr_expect_str_eq(bed_event(w), "/|t");
	bed_write(d0, 0, "/a/b", "");
	cr_expect_str_eq(bed_event(w), "/a/b|t");
}

Test(watch, removal)
{
	bed_write(d0, 0, "/a/b/c", "");
	bed_write(d0, 0, "/a/b/d", "");
	bed_watch(w, "/a/b/c", "exact");
	bed_watch(w, "/a", "up");
	bed_event(w);
	bed_event(w);
	bed_str(d0, XS_RM, 0, "/a/b", NULL);
	cr_expect_str_eq(bed_event(w), "/a/b|up");
	cr_expect_str_eq(bed_event(w), "/a/b/c|exact");
	cr_expect_str_eq(bed_event(w), "");
}

Test(watch, depth)
{
	bed_str(w, XS_WATCH, 0, "/a", "d0", "0", NULL);
	bed_str(w, XS_WATCH, 0, "/a", "d1", "1", NULL);
	cr_expect_str_eq(bed_event(w), "/a|d0");
	cr_expect_str_eq(bed_event(w), "/a|d1");
	bed_write(d0, 0, "/a", "");
	cr_expect_str_eq(bed_event(w), "/a|d0");
	cr_expect_str_eq(bed_event(w), "/a|d1");
	bed_write(d0, 0, "/a/b", "");
	cr_expect_str_eq(bed_event(w), "/a/b|d1");
	bed_write(d0, 0, "/a/b/c", "");
	cr_expect_str_eq(bed_event(w), "");
	cr_expect_eq(bed_str(w, XS_WATCH, 0, "/a", "x", "-1", NULL), -EINVAL);
}

Test(watch, relative)
{
	bed_watch(g, "data", "t");
	cr_expect_str_eq(bed_event(g), "data|t");
	bed_write(d0, 0, "/local/domain/3/data/x", "");
	cr_expect_str_eq(bed_event(g), "data/x|t");
	cr_expect_eq(bed_watch(g, "/local/domain/3/data", "t"), -EEXIST,
		     "the same node and token");
	cr_expect_eq(bed_str(g, XS_UNWATCH, 0, "/local/domain/3/data", "t",
			     NULL),
		     3);
}

Test(watch, duplicates_and_unwatch)
{
	cr_expect_eq(bed_watch(w, "/a", "t"), 0);
	cr_expect_eq(bed_watch(w, "/a", "t"), -EEXIST);
	cr_expect_eq(bed_watch(w, "/a", "u"), 0);
	cr_expect_eq(bed_watch(d0, "/a", "t"), 0, "another client");
	cr_expect_eq(bed_str(w, XS_UNWATCH, 0, "/a", "x", NULL), -ENOENT);
	cr_expect_eq(bed_str(w, XS_UNWATCH, 0, "/a", "t", NULL), 3);
	cr_expect_eq(bed_str(w, XS_UNWATCH, 0, "/a", "t", NULL), -ENOENT);
	bed_event(w);
	bed_event(w);
	bed_write(d0, 0, "/a", "");
	cr_expect_str_eq(bed_event(w), "/a|u");
	cr_expect_str_eq(bed_event(w), "");
}

Test(watch, order_is_that_of_registration)
{
	bed_watch(w, "/a/b", "1");
	bed_watch(w, "/", "2");
	bed_watch(w, "/a", "3");
	for (int i = 0; i < 3; i++)
		bed_event(w);
	bed_write(d0, 0, "/a/b", "");
	cr_expect_str_eq(bed_event(w), "/a/b|1");
	cr_expect_str_eq(bed_event(w), "/a/b|2");
	cr_expect_str_eq(bed_event(w), "/a/b|3");
}

/* XSA-115: a guest learns nothing of what it may not read. */
Test(watch, hidden)
{
	bed_watch(g, "/", "all");
	bed_watch(g, "/secret/key", "key");
	bed_event(g);
	bed_event(g);
	bed_write(d0, 0, "/secret/key", "2");
	bed_write(d0, 0, "/secret/new", "");
	bed_str(d0, XS_SET_PERMS, 0, "/secret/new", "n0", "r9", NULL);
	bed_str(d0, XS_RM, 0, "/secret/new", NULL);
	bed_str(d0, XS_RM, 0, "/secret", NULL);
	cr_expect_str_eq(bed_event(g), "");
	bed_write(d0, 0, "/local/domain/3/x", "");
	cr_expect_str_eq(bed_event(g), "/local/domain/3/x|all");
}

Test(watch, right_taken_away)
{
	bed_write(d0, 0, "/shared/key", "");
	bed_str(d0, XS_SET_PERMS, 0, "/shared/key", "n0", "r3", NULL);
	bed_watch(g, "/shared/key", "t");
	bed_event(g);
	bed_str(d0, XS_SET_PERMS, 0, "/shared/key", "n0", NULL);
	cr_expect_str_eq(bed_event(g), "/shared/key|t", "the last it hears");
	bed_write(d0, 0, "/shared/key", "");
	cr_expect_str_eq(bed_event(g), "");
}

/* What may be listed may be watched: the parent is readable. */
Test(watch, parent_readable)
{
	bed_watch(g, "/local/domain/3", "t");
	bed_event(g);
	bed_write(d0, 0, "/local/domain/3/priv", "");
	bed_str(d0, XS_SET_PERMS, 0, "/local/domain/3/priv", "n0", NULL);
	cr_expect_str_eq(bed_event(g), "/local/domain/3/priv|t", "made");
	cr_expect_str_eq(bed_event(g), "/local/domain/3/priv|t", "hidden");
	bed_write(d0, 0, "/local/domain/3/priv/deep", "");
	cr_expect_str_eq(bed_event(g), "");
}

/* Identical events that wait together are one; others are kept apart. */
Test(watch, collapse)
{
	bed_watch(g, "data", "t");
	bed_event(g);
	/* Unread, so that events wait behind a full ring. */
	for (int i = 0; i < 200; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/local/domain/3/data/n%d", i);
		bed_write(d0, 0, path, "");
	}
	for (int i = 0; i < 50; i++)
		bed_write(d0, 0, "/local/domain/3/data/n199", "again");
	for (int i = 0; i < 200; i++) {
		char want[32];

		snprintf(want, sizeof(want), "data/n%d|t", i);
		cr_assert_str_eq(bed_event(g), want);
	}
	cr_expect_str_eq(bed_event(g), "");
}

Test(watch, special)
{
	bed_watch(w, PATH_RELEASE, "all");
	bed_str(w, XS_WATCH, 0, PATH_RELEASE, "one", "1", NULL);
	bed_watch(w, PATH_RELEASE "/7", "seven");
	bed_watch(w, PATH_RELEASE "/8", "eight");
	bed_watch(g, PATH_RELEASE, "g");
	bed_watch(g, PATH_INTRODUCE, "g");
	for (int i = 0; i < 4; i++)
		cr_expect_str_neq(bed_event(w), "");
	for (int i = 0; i < 2; i++)
		cr_expect_str_neq(bed_event(g), "");
	watch_fire_special(PATH_RELEASE, 7, &bed_tree);
	watch_fire_special(PATH_INTRODUCE, 7, &bed_tree);
	cr_expect_str_eq(bed_event(w), "@releaseDomain|all");
	cr_expect_str_eq(bed_event(w), "@releaseDomain/7|one");
	cr_expect_str_eq(bed_event(w), "@releaseDomain/7|seven");
	cr_expect_str_eq(bed_event(w), "");
	cr_expect_str_eq(bed_event(g), "@releaseDomain|g");
	cr_expect_str_eq(bed_event(g), "", "introductions are not for guests");
	cr_expect_eq(bed_watch(w, "@other", "t"), -EINVAL);
}

Test(watch, reset)
{
	bed_watch(g, "data", "t");
	bed_watch(g, "data", "u");
	cr_expect_eq(bed_str(g, XS_RESET_WATCHES, 0, "", NULL), 3);
	bed_event(g);
	bed_event(g);
	bed_write(d0, 0, "/local/domain/3/data", "x");
	cr_expect_str_eq(bed_event(g), "");
	cr_expect_eq(bed_watch(g, "data", "t"), 0);
}
