// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_txn.c - transactions: isolation, conflicts, all or nothing.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <criterion/criterion.h>

#include "tests/lib/fini.h"
#include "tests/lib/storebed.h"

static struct bed_client *a, *b;

static void setup(void)
{
	bed_init();
	a = bed_dom0();
	b = bed_dom0();
	cr_assert_eq(bed_write(a, 0, "/x/one", "1"), 3);
	cr_assert_eq(bed_write(a, 0, "/x/two", "2"), 3);
}

static void teardown(void)
{
	FINI_CHECK(bed_consistent());
	bed_close(a);
	bed_close(b);
	bed_fini();
}

TestSuite(txn, .init = setup, .fini = teardown);

Test(txn, isolation)
{
	uint32_t t = bed_start(a);

	bed_write(a, t, "/x/one", "new");
	bed_write(a, t, "/x/three/four", "4");
	bed_str(a, XS_RM, t, "/x/two", NULL);
	cr_expect_str_eq(bed_read(a, t, "/x/one"), "new");
	cr_expect_str_eq(bed_list(a, t, "/x"), "one three");
	cr_expect_str_eq(bed_read(b, 0, "/x/one"), "1");
	cr_expect_str_eq(bed_list(b, 0, "/x"), "one two");
	cr_expect_eq(bed_end(a, t, true), 0);
	cr_expect_str_eq(bed_read(b, 0, "/x/one"), "new");
	cr_expect_str_eq(bed_list(b, 0, "/x"), "one three");
	cr_expect_str_eq(bed_read(b, 0, "/x/three/four"), "4");
}

Test(txn, abort_leaves_nothing)
{
	uint32_t t = bed_start(a);

	bed_write(a, t, "/x/one", "new");
	bed_write(a, t, "/y", "");
	cr_expect_eq(bed_end(a, t, false), 0);
	cr_expect_str_eq(bed_read(b, 0, "/x/one"), "1");
	cr_expect_str_eq(bed_read(b, 0, "/y"), "<ENOENT>");
	cr_expect_eq(bed_end(a, t, true), -ENOENT, "it is over");
}

Test(txn, sees_the_past)
{
	uint32_t t = bed_start(a);

	bed_write(b, 0, "/x/one", "later");
	cr_expect_str_eq(bed_read(a, t, "/x/one"), "1");
	cr_expect_eq(bed_end(a, t, true), -EAGAIN);
}

/* What was read must be as it was. */
Test(txn, read_changed)
{
	uint32_t t = bed_start(a);

	bed_read(a, t, "/x/one");
	bed_write(a, t, "/x/two", "x");
	bed_write(b, 0, "/x/one", "1");
	cr_expect_eq(bed_end(a, t, true), -EAGAIN);
	cr_expect_str_eq(bed_read(b, 0, "/x/two"), "2");
}

Test(txn, read_removed_and_read_absent)
{
	uint32_t t = bed_start(a);

	bed_read(a, t, "/x/one");
	bed_str(b, XS_RM, 0, "/x/one", NULL);
	cr_expect_eq(bed_end(a, t, true), -EAGAIN);
	t = bed_start(a);
	cr_expect_str_eq(bed_read(a, t, "/x/one"), "<ENOENT>");
	bed_write(b, 0, "/x/one", "back");
	cr_expect_eq(bed_end(a, t, true), -EAGAIN);
}

Test(txn, blind_overwrite_wins)
{
	uint32_t t = bed_start(a);

	bed_write(a, t, "/x/one", "mine");
	bed_write(b, 0, "/x/one", "theirs");
	cr_expect_eq(bed_end(a, t, true), 0);
	cr_expect_str_eq(bed_read(b, 0, "/x/one"), "mine");
}

/* An update that depends on what was read is never lost. */
Test(txn, read_modify_write)
{
	uint32_t t = bed_start(a);

	bed_read(a, t, "/x/one");
	bed_write(a, t, "/x/one", "2");
	bed_write(b, 0, "/x/one", "5");
	cr_expect_eq(bed_end(a, t, true), -EAGAIN);
	cr_expect_str_eq(bed_read(b, 0, "/x/one"), "5");
}

Test(txn, unrelated_changes_do_not_disturb)
{
	uint32_t t = bed_start(a);

	bed_read(a, t, "/x/one");
	bed_write(a, t, "/x/made/here", "");
	bed_write(b, 0, "/x/two", "other");
	bed_write(b, 0, "/x/sibling", "");
	cr_expect_eq(bed_end(a, t, true), 0);
	cr_expect_str_eq(bed_list(b, 0, "/x"), "one two sibling made");
	cr_expect_str_eq(bed_read(b, 0, "/x/two"), "other");
}

Test(txn, listed_directory_changed)
{
	uint32_t t = bed_start(a);

	bed_list(a, t, "/x");
	bed_write(b, 0, "/x/two", "value only");
	cr_expect_eq(bed_end(a, t, true), 0, "the list is the same");
	t = bed_start(a);
	bed_list(a, t, "/x");
	bed_write(b, 0, "/x/new", "");
	cr_expect_eq(bed_end(a, t, true), -EAGAIN);
}

Test(txn, place_of_creation_vanished)
{
	uint32_t t = bed_start(a);

	bed_write(a, t, "/x/sub/leaf", "");
	bed_str(b, XS_RM, 0, "/x", NULL);
	cr_expect_eq(bed_end(a, t, true), -EAGAIN);
	cr_expect_str_eq(bed_list(b, 0, "/"), "");
}

Test(txn, created_by_another_meanwhile)
{
	uint32_t t = bed_start(a);

	bed_write(a, t, "/x/new", "a");
	bed_write(b, 0, "/x/new", "b");
	cr_expect_eq(bed_end(a, t, true), -EAGAIN);
}

Test(txn, permissions_changed_meanwhile)
{
	uint32_t t = bed_start(a);

	bed_write(a, t, "/x/one", "a");
	bed_str(b, XS_SET_PERMS, 0, "/x/one", "n0", "r3", NULL);
	cr_expect_eq(bed_end(a, t, true), -EAGAIN);
	t = bed_start(a);
	bed_str(a, XS_SET_PERMS, t, "/x/one", "n0", "b4", NULL);
	bed_write(b, 0, "/x/one", "value");
	cr_expect_eq(bed_end(a, t, true), 0);
	cr_expect_str_eq(bed_read(b, 0, "/x/one"), "value");
	cr_expect_eq(bed_str(b, XS_GET_PERMS, 0, "/x/one", NULL), 6);
	cr_expect_str_eq(b->reply + 3, "b4");
}

/* XSA-421: made and removed in one transaction. */
Test(txn, create_and_remove)
{
	uint32_t t = bed_start(a);

	bed_write(a, t, "/n/m", "1");
	bed_str(a, XS_RM, t, "/n", NULL);
	cr_expect_eq(bed_end(a, t, true), 0);
	cr_expect_str_eq(bed_list(b, 0, "/"), "x");
}

/* Removed and made again: what had been below must not come back. */
Test(txn, remove_and_create)
{
	uint32_t t = bed_start(a);

	bed_write(a, t, "/x/two", "changed first");
	bed_str(a, XS_RM, t, "/x", NULL);
	bed_write(a, t, "/x/one/deep", "new");
	cr_expect_eq(bed_end(a, t, true), 0);
	cr_expect_str_eq(bed_list(b, 0, "/x"), "one");
	cr_expect_str_eq(bed_read(b, 0, "/x/one"), "");
	cr_expect_str_eq(bed_read(b, 0, "/x/one/deep"), "new");
}

Test(txn, remove_twice_over)
{
	uint32_t t = bed_start(a);

	bed_str(a, XS_RM, t, "/x", NULL);
	bed_write(a, t, "/x/one", "a");
	bed_str(a, XS_RM, t, "/x", NULL);
	bed_write(a, t, "/x/two", "b");
	cr_expect_eq(bed_end(a, t, true), 0);
	cr_expect_str_eq(bed_list(b, 0, "/x"), "two");
}

/* XSA-440: two transactions remove the same nodes. */
Test(txn, both_remove)
{
	uint32_t t = bed_start(a), u = bed_start(b);
	char path[32];

	for (int i = 0; i < 50; i++) {
		snprintf(path, sizeof(path), "/x/n%d", i);
		bed_write(a, 0, path, "");
	}
	bed_end(a, t, false);
	bed_end(b, u, false);
	t = bed_start(a);
	u = bed_start(b);
	for (int i = 0; i < 50; i++) {
		snprintf(path, sizeof(path), "/x/n%d", i);
		cr_assert_eq(bed_str(a, XS_RM, t, path, NULL), 3);
		cr_assert_eq(bed_str(b, XS_RM, u, path, NULL), 3);
	}
	cr_expect_eq(bed_end(a, t, true), 0);
	cr_expect_eq(bed_end(b, u, true), -EAGAIN);
}

Test(txn, events_come_with_the_commit)
{
	uint32_t t;

	bed_watch(b, "/x", "tok");
	cr_expect_str_eq(bed_event(b), "/x|tok");
	t = bed_start(a);
	bed_write(a, t, "/x/one", "1");
	bed_write(a, t, "/x/one", "2");
	bed_write(a, t, "/x/p/q", "");
	cr_expect_str_eq(bed_event(b), "");
	cr_expect_eq(bed_end(a, t, true), 0);
	cr_expect_str_eq(bed_event(b), "/x/one|tok");
	cr_expect_str_eq(bed_event(b), "/x/p/q|tok");
	cr_expect_str_eq(bed_event(b), "");
	t = bed_start(a);
	bed_write(a, t, "/x/one", "3");
	bed_end(a, t, false);
	cr_expect_str_eq(bed_event(b), "");
}

Test(txn, ids)
{
	uint32_t t = bed_start(a);

	cr_expect_eq(bed_str(b, XS_READ, t, "/x/one", NULL), -ENOENT,
		     "another client's transaction");
	cr_expect_eq(bed_str(a, XS_READ, t + 77, "/x/one", NULL), -ENOENT);
	cr_expect_eq(bed_str(a, XS_TRANSACTION_START, t, "", NULL), -EBUSY);
	cr_expect_eq(bed_str(a, XS_TRANSACTION_END, t, "X", NULL), -EINVAL);
	cr_expect_eq(bed_str(a, XS_TRANSACTION_END, 0, "T", NULL), -ENOENT);
	cr_expect_eq(bed_end(a, t, true), 0);
}

/* A client that goes away takes its transactions along. */
Test(txn, client_dies)
{
	struct bed_client *c = bed_dom0();
	uint32_t t = bed_start(c);

	bed_write(c, t, "/z", "");
	bed_close(c);
	cr_expect_str_eq(bed_list(a, 0, "/"), "x");
}

/* XSA-484: RESET_WATCHES inside a transaction ends it. */
Test(txn, reset_watches)
{
	uint32_t t = bed_start(a);

	bed_write(a, t, "/z", "");
	cr_expect_eq(bed_str(a, XS_RESET_WATCHES, t, "", NULL), 3);
	cr_expect_eq(bed_end(a, t, true), -ENOENT);
}

/* The owner of a node to be made died: a new try finds that out. */
Test(txn, owner_died)
{
	struct bed_client *g = bed_guest(4);
	uint32_t t = bed_start(a);

	bed_write(a, t, "/g", "");
	bed_str(a, XS_SET_PERMS, t, "/g", "n4", NULL);
	bed_kill(g);
	cr_expect_eq(bed_end(a, t, true), -EAGAIN);
	cr_expect_str_eq(bed_list(a, 0, "/"), "x");
}

/* A guest that waits for dom0's next try is answered as soon as dom0 gives up. */
Test(txn, reset_lets_the_guests_go_on)
{
	struct bed_client *guest = bed_guest(1);
	uint32_t t = bed_start(a);

	bed_read(a, t, "/x/one");
	bed_write(b, 0, "/x/one", "2");
	cr_assert_eq(bed_end(a, t, true), -EAGAIN);
	bed_start(a);
	cr_expect_eq(bed_str(guest, XS_READ, 0, "/x/one", NULL), -ETIMEDOUT,
		     "dom0 has the store for itself");
	cr_assert_eq(bed_str(a, XS_RESET_WATCHES, 0, "", NULL), 3);
	bed_pump();
	cr_expect_eq(bed_take(guest), 1, "the answer that was held");
	bed_close(guest);
}
