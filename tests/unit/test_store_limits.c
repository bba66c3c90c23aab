// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_store_limits.c - GET/SET_FEATURE and GET/SET_QUOTA.
#include "tests/lib/storebed.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/lib/fakedom.h"
#include "tests/lib/fini.h"
#include "tests/lib/patience.h"
#include "xenstore-lite/quota.h"

#define ALL WIRE_FEATURES

static struct bed_client *d0, *g;
static struct fakedom *dom;

static void setup(void)
{
	cr_assert(fakedom_run_dir());
	bed_init();
	d0 = bed_dom0();
	g = NULL;
	dom = fakedom_new(5, 64);
	bed_home(5);
}

static void end_domain(void)
{
	if (g)
		bed_close(g);
	g = NULL;
	if (dom)
		fakedom_free(dom);
	dom = NULL;
	bed_pump();
}

static void teardown(void)
{
	end_domain();
	FINI_CHECK(bed_consistent());
	bed_close(d0);
	bed_fini();
	fakedom_run_dir_remove();
}

TestSuite(store_limits, .init = setup, .fini = teardown, .timeout = 300);

#define ASK(type, ...) bed_str(d0, XS_##type, 0, __VA_ARGS__, NULL)

static void introduce(void)
{
	char gfn[24];

	snprintf(gfn, sizeof(gfn), "%u", FAKEDOM_STORE_GFN);
	cr_assert_eq(ASK(INTRODUCE, "5", gfn, "1"), 3);
	g = bed_domain(5, fakedom_store_page(dom));
}

/* What dom0 is told: a number, or an errno. */
static long number(int ret)
{
	return ret < 0 ? ret : strtol(d0->reply, NULL, 10);
}

#define QUOTA(...)   number(ASK(GET_QUOTA, __VA_ARGS__))
#define FEATURE(...) number(ASK(GET_FEATURE, __VA_ARGS__))

/* ---- Features ---------------------------------------------------------- */

Test(store_limits, features_of_a_domain)
{
	cr_expect_eq(number(bed_op(d0, XS_GET_FEATURE, 0, "", 0)), ALL);
	cr_expect_eq(FEATURE("0"), ALL);
	cr_expect_eq(FEATURE("5"), ALL, "not introduced yet");
	cr_expect_eq(FEATURE("6"), -ENOENT, "nor will it ever be");
	cr_expect_eq(FEATURE("32752"), -ENOENT);
	cr_expect_eq(FEATURE("five"), -EINVAL);
	cr_expect_eq(FEATURE("5", "6"), -EINVAL);
	cr_expect_eq(ASK(SET_FEATURE, "5", "6"), 3);
	cr_expect_eq(FEATURE("5"), 6);
	cr_expect_eq(ASK(SET_FEATURE, "5", "64"), -EINVAL);
	cr_expect_eq(ASK(SET_FEATURE, "5"), -EINVAL);
	cr_expect_eq(ASK(SET_FEATURE, "5", "x"), -EINVAL);
	cr_expect_eq(ASK(SET_FEATURE, "6", "0"), -ENOENT);
	cr_expect_eq(ASK(SET_FEATURE, "0", "0"), -EBUSY);
	introduce();
	cr_expect_eq(g->page->server_features, 6);
	cr_expect_eq(ASK(SET_FEATURE, "5", "2"), -EBUSY);
	cr_expect_eq(FEATURE("5"), 6);
	cr_expect_eq(bed_op(g, XS_GET_FEATURE, 0, "", 0), 2);
	cr_expect_str_eq(g->reply, "6");
	cr_expect_eq(bed_str(g, XS_GET_FEATURE, 0, "5", NULL), -EACCES);
	cr_expect_eq(bed_str(g, XS_SET_FEATURE, 0, "5", "0", NULL), -EACCES);
}

/* What was not offered cannot be used. */
Test(store_limits, features_that_a_domain_lacks)
{
	cr_assert_eq(ASK(SET_FEATURE, "5", "0"), 3);
	introduce();
	cr_expect_eq(g->page->server_features, 0);
	cr_expect_eq(bed_str(g, XS_WATCH, 0, "data", "t", "1", NULL), -EINVAL);
	cr_expect_eq(bed_str(g, XS_WATCH, 0, "data", "t", NULL), 3);
	bed_write(d0, 0, "/local/domain/5/data/x", "");
	bed_str(d0, XS_SET_PERMS, 0, "/local/domain/5/data/x", "n5", NULL);
	cr_expect_eq(
		bed_str(g, XS_SET_PERMS, 0, "data/x", "n5", "r32757", NULL), 3);
	bed_str(d0, XS_GET_PERMS, 0, "/local/domain/5/data/x", NULL);
	cr_expect_eq(d0->reply_len, 3, "a right that gives nothing");
	g->page->req_prod += 5000;
	bed_send(g, "", 0);
	conn_kick(g->conn);
	bed_pump();
	cr_expect(g->conn->parked);
	cr_expect_eq(g->page->error, XENSTORE_ERROR_NONE, "it is not told");
}

Test(store_limits, features_go_with_the_domain)
{
	cr_assert_eq(ASK(SET_FEATURE, "5", "2"), 3);
	end_domain();
	cr_expect(SOON((bed_pump(), FEATURE("5") == -ENOENT)));
	dom = fakedom_new(5, 64);
	cr_expect_eq(FEATURE("5"), ALL);
	introduce();
	cr_expect_eq(g->page->server_features, ALL);
}

/* ---- Quotas ------------------------------------------------------------ */

Test(store_limits, global_quotas)
{
	cr_expect_gt(bed_op(d0, XS_GET_QUOTA, 0, "", 0), 0);
	cr_expect_str_eq(d0->reply,
			 "nodes watches outstanding memory soft-memory "
			 "transactions transaction-nodes node-permissions "
			 "path-max node-size");
	cr_expect_eq(QUOTA("nodes"), 1000);
	cr_expect_eq(QUOTA("permissions"), 5);
	cr_expect_eq(QUOTA("apples"), -EINVAL);
	cr_expect_eq(QUOTA("soft-nodes"), -EINVAL);
	cr_expect_eq(ASK(SET_QUOTA, "nodes", "20"), 3);
	cr_expect_eq(QUOTA("nodes"), 20);
	cr_expect_eq(QUOTA("5", "nodes"), 20);
	cr_expect_eq(ASK(SET_QUOTA, "nodes", "x"), -EINVAL);
	cr_expect_eq(ASK(SET_QUOTA, "nodes", "4294967295"), -EINVAL);
	cr_expect_eq(ASK(SET_QUOTA, "apples", "1"), -EINVAL);
	cr_expect_eq(ASK(SET_QUOTA, "nodes"), -EINVAL);
	cr_expect_eq(ASK(SET_QUOTA, "5", "nodes", "1", "2"), -EINVAL);
	cr_expect_eq(QUOTA("5", "nodes", "1"), -EINVAL);
	cr_expect_eq(ASK(SET_QUOTA, "nodes", "1000"), 3);
}

Test(store_limits, quotas_of_a_domain)
{
	cr_expect_eq(QUOTA("6", "nodes"), -ENOENT);
	cr_expect_eq(ASK(SET_QUOTA, "6", "nodes", "1"), -ENOENT);
	cr_expect_eq(ASK(SET_QUOTA, "32758", "nodes", "1"), -ENOENT);
	cr_expect_eq(ASK(SET_QUOTA, "5", "apples", "1"), -EINVAL);
	cr_expect_eq(ASK(SET_QUOTA, "5", "watches", "1"), 3, "early");
	introduce();
	cr_expect_eq(QUOTA("5", "watches"), 1);
	cr_expect_eq(QUOTA("watches"), 128);
	cr_expect_eq(bed_watch(g, "data", "t"), 0);
	cr_expect_eq(bed_watch(g, "data/x", "t"), -E2BIG);
	cr_expect_eq(ASK(SET_QUOTA, "5", "watches", "0"), 3);
	for (int i = 0; i < 300; i++) {
		char token[8];

		snprintf(token, sizeof(token), "%d", i);
		cr_assert_eq(bed_watch(g, "data/x", token), 0, "no limit");
	}
	cr_expect_eq(bed_str(g, XS_SET_QUOTA, 0, "5", "nodes", "9999", NULL),
		     -EACCES);
	cr_expect_eq(bed_str(g, XS_GET_QUOTA, 0, "nodes", NULL), -EACCES);
}

/* Below what is used already: nothing is lost, nothing can be added. */
Test(store_limits, lowered_below_use)
{
	introduce();
	for (int i = 0; i < 10; i++) {
		char path[16];

		snprintf(path, sizeof(path), "data/%d", i);
		cr_assert_eq(bed_write(g, 0, path, "old"), 3);
	}
	cr_expect_eq(ASK(SET_QUOTA, "5", "nodes", "4"), 3);
	cr_expect_eq(bed_write(g, 0, "data/new", ""), -ENOSPC);
	cr_expect_eq(bed_write(g, 0, "data/3", "new"), 3, "nothing is added");
	cr_expect_eq(bed_str(g, XS_RM, 0, "data/1", NULL), 3);
	cr_expect_eq(bed_write(g, 0, "data/new", ""), -ENOSPC);
	cr_expect_eq(ASK(SET_QUOTA, "5", "nodes", "11"), 3);
	cr_expect_eq(bed_write(g, 0, "data/new", ""), 3);
	cr_expect_eq(bed_write(g, 0, "data/newer", ""), -ENOSPC);
}

/* A watch that could not be set any more can be given up. */
Test(store_limits, watch_of_a_path_that_is_too_long_now)
{
	introduce();
	cr_assert_eq(bed_watch(g, "data/longer", "t"), 0);
	cr_assert_eq(ASK(SET_QUOTA, "5", "path-max", "6"), 3);
	cr_expect_eq(bed_watch(g, "data/longer", "u"), -EINVAL);
	cr_expect_eq(bed_str(g, XS_UNWATCH, 0, "data/longer", "t", NULL), 3);
	cr_expect_eq(bed_str(g, XS_UNWATCH, 0, "data/longer", "t", NULL),
		     -ENOENT);
}

static const struct {
	const char *name, *limit;
} each[] = {
	{ "nodes", "1" },
	{ "watches", "1" },
	{ "transactions", "1" },
	{ "transaction-nodes", "1" },
	{ "node-permissions", "1" },
	{ "path-max", "6" },
	{ "node-size", "3" },
	{ "memory", "600" },
};

/* What each of them refuses. */
static int go_beyond(const char *name, uint32_t tx)
{
	if (!strcmp(name, "watches"))
		return bed_watch(g, "data/x", "t2");
	if (!strcmp(name, "transactions"))
		return bed_str(g, XS_TRANSACTION_START, 0, "", NULL);
	if (!strcmp(name, "transaction-nodes"))
		return bed_str(g, XS_READ, tx, "data", NULL);
	if (!strcmp(name, "node-permissions"))
		return bed_str(g, XS_SET_PERMS, 0, "data", "n5", "r6", NULL);
	if (!strcmp(name, "path-max"))
		return bed_write(g, 0, "data/xy", "");
	if (!strcmp(name, "node-size"))
		return bed_write(g, 0, "data", "four");
	if (!strcmp(name, "memory"))
		return bed_write(g, 0, "data", "a value that is longer");
	return bed_write(g, 0, "data/x", "");
}

Test(store_limits, each_of_them_binds)
{
	uint32_t tx;

	introduce();
	cr_assert_eq(bed_watch(g, "data", "t"), 0);
	tx = bed_start(g);
	cr_assert_eq(bed_str(g, XS_READ, tx, "data/q", NULL), -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(each); i++) {
		char was[16];

		snprintf(was, sizeof(was), "%ld", QUOTA("5", each[i].name));
		cr_assert_eq(ASK(SET_QUOTA, "5", each[i].name, each[i].limit),
			     3);
		cr_expect_lt(go_beyond(each[i].name, tx), 0, "%s",
			     each[i].name);
		cr_assert_eq(ASK(SET_QUOTA, "5", each[i].name, was), 3);
		if (strcmp(each[i].name, "transaction-nodes") != 0)
			cr_expect_geq(go_beyond(each[i].name, tx), 0, "%s",
				      each[i].name);
	}
}

/* Answers that wait besides what the ring holds. */
Test(store_limits, unread_answers)
{
	static const struct {
		struct xsd_sockmsg h;
		char path[5];
	} m = { { .type = XS_READ, .len = 5 }, "data" };
	char text[901];

	introduce();
	memset(text, 'v', 900);
	text[900] = '\0';
	cr_assert_eq(bed_write(g, 0, "data", text), 3);
	cr_assert_eq(ASK(SET_QUOTA, "5", "outstanding", "2"), 3);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(bed_send(g, &m, 21), 21);
	bed_pump();
	cr_expect_eq(g->conn->nreplies, 2);
	cr_expect_eq(ASK(SET_QUOTA, "5", "outstanding", "0"), 3);
	conn_kick(g->conn);
	bed_pump();
	cr_expect_geq(g->conn->nreplies, 9, "no limit");
	bed_take(g);
	cr_expect_str_eq(bed_read(g, 0, "data"), text);
	for (int i = 0; i < 3000 && bed_send(g, &m, 21) == 21; i++)
		bed_pump();
	cr_expect_eq(g->conn->nreplies, 1024, "but our own");
}

Test(store_limits, quotas_go_with_the_domain)
{
	cr_assert_eq(ASK(SET_QUOTA, "5", "nodes", "7"), 3);
	introduce();
	cr_assert_eq(bed_write(g, 0, "data/x", ""), 3);
	end_domain();
	cr_expect(SOON((bed_pump(), QUOTA("5", "nodes") == -ENOENT)));
	dom = fakedom_new(5, 64);
	cr_expect_eq(QUOTA("5", "nodes"), 1000);
	cr_assert_eq(ASK(SET_QUOTA, "5", "nodes", "7"), 3);
	cr_expect_eq(ASK(RELEASE, "5"), -ENOENT, "it was not introduced");
	cr_expect_eq(QUOTA("5", "nodes"), 1000);
}

/* A domain that is only known is neither there nor announced. */
Test(store_limits, known_is_not_introduced)
{
	bed_watch(d0, "@releaseDomain", "r");
	bed_watch(d0, "@introduceDomain", "i");
	bed_event(d0);
	bed_event(d0);
	cr_assert_eq(ASK(SET_QUOTA, "5", "nodes", "7"), 3);
	ASK(IS_DOMAIN_INTRODUCED, "5");
	cr_expect_str_eq(d0->reply, "F");
	cr_expect_eq(ASK(RESUME, "5"), -ENOENT);
	cr_expect_eq(ASK(SET_TARGET, "5", "5"), -ENOENT);
	fakedom_shutdown(dom, 0);
	end_domain();
	cr_expect(SOON((bed_pump(), QUOTA("5", "nodes") == -ENOENT)));
	cr_expect_str_eq(bed_event(d0), "");
}

/* It is announced then, and once. */
Test(store_limits, shut_down_before_it_is_introduced)
{
	bed_watch(d0, "@releaseDomain", "r");
	bed_event(d0);
	cr_assert_eq(ASK(SET_QUOTA, "5", "nodes", "7"), 3);
	fakedom_shutdown(dom, 0);
	cr_assert_eq(QUOTA("5", "nodes"), 7);
	introduce();
	bed_take(d0);
	cr_expect_str_eq(bed_event(d0), "@releaseDomain|r");
	bed_pump();
	bed_take(d0);
	cr_expect_str_eq(bed_event(d0), "");
	ASK(IS_DOMAIN_INTRODUCED, "5");
	cr_expect_str_eq(d0->reply, "T");
}
