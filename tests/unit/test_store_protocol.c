// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_store_protocol.c - every message, as docs/store.md has them in a table.
#include "tests/lib/storebed.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "tests/lib/fakedom.h"
#include "tests/lib/fini.h"
#include "tests/lib/patience.h"

static struct bed_client *d0, *g;
static struct fakedom *dom;
static uint32_t tx; /* a transaction of each */

static void setup(void)
{
	char gfn[24];

	cr_assert(fakedom_run_dir());
	bed_init();
	d0 = bed_dom0();
	dom = fakedom_new(5, 64);
	bed_home(5);
	bed_write(d0, 0, "/secret", "s");
	snprintf(gfn, sizeof(gfn), "%u", FAKEDOM_STORE_GFN);
	cr_assert_eq(bed_str(d0, XS_INTRODUCE, 0, "5", gfn, "1", NULL), 3);
	g = bed_domain(5, fakedom_store_page(dom));
	bed_write(g, 0, "data/x", "value");
}

static void teardown(void)
{
	FINI_CHECK(bed_consistent());
	bed_close(g);
	fakedom_free(dom);
	bed_pump();
	bed_close(d0);
	bed_fini();
	fakedom_run_dir_remove();
}

TestSuite(store_protocol, .init = setup, .fini = teardown, .timeout = 300);

enum from { DOM0, GUEST };
enum in { OUTSIDE, INSIDE, NOWHERE };

/*
 * One request: its strings are separated, and ended, by '|'.  @want is an errno, or 0
 * for success, with @text if that is not empty.
 */
struct call {
	enum from from;
	uint32_t type;
	enum in in;
	char args[48];
	int want;
	char text[40];
};

#define OK "OK|"

static const struct call calls[] = {
	/* 0 CONTROL */
	{ DOM0, XS_CONTROL, OUTSIDE, "check|", 0, OK },
	{ DOM0, XS_CONTROL, OUTSIDE, "", EINVAL, "" },
	{ DOM0, XS_CONTROL, OUTSIDE, "frob|", EINVAL, "" },
	{ GUEST, XS_CONTROL, OUTSIDE, "help|", EACCES, "" },
	/* 1 DIRECTORY */
	{ GUEST, XS_DIRECTORY, OUTSIDE, "data|", 0, "x|" },
	{ GUEST, XS_DIRECTORY, OUTSIDE, "data/x|", 0, "" },
	{ GUEST, XS_DIRECTORY, OUTSIDE, "data/q|", ENOENT, "" },
	{ GUEST, XS_DIRECTORY, OUTSIDE, "/secret|", EACCES, "" },
	{ GUEST, XS_DIRECTORY, OUTSIDE, "/secret/q|", EACCES, "" },
	{ GUEST, XS_DIRECTORY, OUTSIDE, "data", EINVAL, "" },
	{ GUEST, XS_DIRECTORY, OUTSIDE, "data|x|", EINVAL, "" },
	{ GUEST, XS_DIRECTORY, OUTSIDE, "data/|", EINVAL, "" },
	{ GUEST, XS_DIRECTORY, NOWHERE, "data|", ENOENT, "" },
	{ DOM0, XS_DIRECTORY, OUTSIDE, "@releaseDomain|", EINVAL, "" },
	/* 2 READ */
	{ GUEST, XS_READ, OUTSIDE, "data/x|", 0, "value" },
	{ GUEST, XS_READ, INSIDE, "data/x|", 0, "value" },
	{ GUEST, XS_READ, NOWHERE, "data/x|", ENOENT, "" },
	{ GUEST, XS_READ, OUTSIDE, "data/q|", ENOENT, "" },
	{ GUEST, XS_READ, OUTSIDE, "/secret|", EACCES, "" },
	{ GUEST, XS_READ, OUTSIDE, "", EINVAL, "" },
	{ GUEST, XS_READ, OUTSIDE, "data//x|", EINVAL, "" },
	{ GUEST, XS_READ, OUTSIDE, "data/x y|", EINVAL, "" },
	{ DOM0, XS_READ, OUTSIDE, "/local/domain/5/data/x|", 0, "value" },
	/* 3 GET_PERMS */
	{ GUEST, XS_GET_PERMS, OUTSIDE, "data|", 0, "n5|" },
	{ GUEST, XS_GET_PERMS, OUTSIDE, "data/q|", ENOENT, "" },
	{ GUEST, XS_GET_PERMS, OUTSIDE, "/secret|", EACCES, "" },
	{ DOM0, XS_GET_PERMS, OUTSIDE, "@introduceDomain|", 0, "n0|" },
	{ DOM0, XS_GET_PERMS, OUTSIDE, "@releaseDomain|", 0, "n0|r32757|" },
	{ DOM0, XS_GET_PERMS, OUTSIDE, "@releaseDomain/5|", ENOENT, "" },
	/* 4 WATCH, 5 UNWATCH */
	{ GUEST, XS_WATCH, OUTSIDE, "data|t|", 0, OK },
	{ GUEST, XS_WATCH, OUTSIDE, "data|t|", EEXIST, "" },
	{ GUEST, XS_WATCH, NOWHERE, "data|u|", 0, OK },
	{ GUEST, XS_WATCH, OUTSIDE, "data|v|1|", 0, OK },
	{ GUEST, XS_WATCH, OUTSIDE, "data|w|-1|", EINVAL, "" },
	{ GUEST, XS_WATCH, OUTSIDE, "data|", EINVAL, "" },
	{ GUEST, XS_WATCH, OUTSIDE, "data|x|1|more|", EINVAL, "" },
	{ GUEST, XS_WATCH, OUTSIDE, "/secret|t|", 0, OK },
	{ GUEST, XS_WATCH, OUTSIDE, "@releaseDomain|t|", 0, OK },
	{ GUEST, XS_WATCH, OUTSIDE, "@releaseDomain/7|t|", 0, OK },
	{ GUEST, XS_WATCH, OUTSIDE, "@releaseDomain/x|t|", EINVAL, "" },
	{ GUEST, XS_WATCH, OUTSIDE, "@other|t|", EINVAL, "" },
	{ GUEST, XS_UNWATCH, NOWHERE, "data|t|", 0, OK },
	{ GUEST, XS_UNWATCH, OUTSIDE, "data|t|", ENOENT, "" },
	{ GUEST, XS_UNWATCH, OUTSIDE, "data|", EINVAL, "" },
	{ GUEST, XS_UNWATCH, OUTSIDE, "data|t|more|", EINVAL, "" },
	/* 6 TRANSACTION_START, 7 TRANSACTION_END */
	{ GUEST, XS_TRANSACTION_START, OUTSIDE, "|", 0, "" },
	{ GUEST, XS_TRANSACTION_START, INSIDE, "|", EBUSY, "" },
	{ GUEST, XS_TRANSACTION_START, NOWHERE, "|", ENOENT, "" },
	{ GUEST, XS_TRANSACTION_END, OUTSIDE, "T|", ENOENT, "" },
	{ GUEST, XS_TRANSACTION_END, NOWHERE, "T|", ENOENT, "" },
	{ GUEST, XS_TRANSACTION_END, INSIDE, "X|", EINVAL, "" },
	{ GUEST, XS_TRANSACTION_END, INSIDE, "T|", 0, OK },
	{ GUEST, XS_TRANSACTION_END, INSIDE, "F|", ENOENT, "" },
	/* 8 INTRODUCE */
	{ DOM0, XS_INTRODUCE, OUTSIDE, "6|1|1|", ENOENT, "" },
	{ DOM0, XS_INTRODUCE, OUTSIDE, "0|1|1|", EINVAL, "" },
	{ DOM0, XS_INTRODUCE, OUTSIDE, "32752|1|1|", ENOENT, "" },
	{ DOM0, XS_INTRODUCE, OUTSIDE, "6|1|", EINVAL, "" },
	{ GUEST, XS_INTRODUCE, OUTSIDE, "6|1|1|", EACCES, "" },
	/* 9 RELEASE, 18 RESUME, 19 SET_TARGET */
	{ DOM0, XS_RELEASE, OUTSIDE, "6|", ENOENT, "" },
	{ DOM0, XS_RELEASE, OUTSIDE, "0|", EINVAL, "" },
	{ DOM0, XS_RELEASE, OUTSIDE, "65535|", ENOENT, "" },
	{ DOM0, XS_RELEASE, OUTSIDE, "65536|", EINVAL, "" },
	{ GUEST, XS_RELEASE, OUTSIDE, "5|", EACCES, "" },
	{ DOM0, XS_RESUME, OUTSIDE, "5|", 0, OK },
	{ DOM0, XS_RESUME, OUTSIDE, "6|", ENOENT, "" },
	{ DOM0, XS_RESUME, OUTSIDE, "0|", EINVAL, "" },
	{ GUEST, XS_RESUME, OUTSIDE, "5|", EACCES, "" },
	{ DOM0, XS_SET_TARGET, OUTSIDE, "5|5|", 0, OK },
	{ DOM0, XS_SET_TARGET, OUTSIDE, "5|6|", ENOENT, "" },
	{ DOM0, XS_SET_TARGET, OUTSIDE, "6|5|", ENOENT, "" },
	{ DOM0, XS_SET_TARGET, OUTSIDE, "5|0|", ENOENT, "" },
	{ DOM0, XS_SET_TARGET, OUTSIDE, "5|", EINVAL, "" },
	{ GUEST, XS_SET_TARGET, OUTSIDE, "5|0|", EACCES, "" },
	/* 10 GET_DOMAIN_PATH */
	{ GUEST, XS_GET_DOMAIN_PATH, OUTSIDE, "007|", 0, "/local/domain/7|" },
	{ GUEST, XS_GET_DOMAIN_PATH, OUTSIDE, "32752|", 0,
	  "/local/domain/32752|" },
	{ GUEST, XS_GET_DOMAIN_PATH, OUTSIDE, "65536|", EINVAL, "" },
	{ GUEST, XS_GET_DOMAIN_PATH, OUTSIDE, "x|", EINVAL, "" },
	/* 11 WRITE, 12 MKDIR, 13 RM */
	{ GUEST, XS_WRITE, OUTSIDE, "data/a/b|1", 0, OK },
	{ GUEST, XS_READ, OUTSIDE, "data/a|", 0, "" },
	{ GUEST, XS_WRITE, OUTSIDE, "data/a|", 0, OK },
	{ GUEST, XS_WRITE, OUTSIDE, "/secret|1", EACCES, "" },
	{ GUEST, XS_WRITE, OUTSIDE, "data", EINVAL, "" },
	{ GUEST, XS_WRITE, OUTSIDE, "@releaseDomain|1", EINVAL, "" },
	{ GUEST, XS_WRITE, NOWHERE, "data|1", ENOENT, "" },
	{ GUEST, XS_MKDIR, OUTSIDE, "data/c/d|", 0, OK },
	{ GUEST, XS_MKDIR, OUTSIDE, "data/x|", 0, OK },
	{ GUEST, XS_READ, OUTSIDE, "data/x|", 0, "value" },
	{ GUEST, XS_MKDIR, OUTSIDE, "/q|", EACCES, "" },
	{ GUEST, XS_RM, OUTSIDE, "data/c|", 0, OK },
	{ GUEST, XS_RM, OUTSIDE, "data/c|", 0, OK },
	{ GUEST, XS_RM, OUTSIDE, "data/c/d|", ENOENT, "" },
	{ GUEST, XS_RM, OUTSIDE, "/secret|", EACCES, "" },
	{ DOM0, XS_RM, OUTSIDE, "/|", EINVAL, "" },
	{ DOM0, XS_RM, OUTSIDE, "@releaseDomain|", EINVAL, "" },
	/* 14 SET_PERMS */
	{ GUEST, XS_SET_PERMS, OUTSIDE, "data/x|b5|r32757|", 0, OK },
	{ GUEST, XS_GET_PERMS, OUTSIDE, "data/x|", 0, "b5|r32757|" },
	{ GUEST, XS_SET_PERMS, OUTSIDE, "data/x|n6|", EPERM, "" },
	{ GUEST, XS_SET_PERMS, OUTSIDE, "data/x|q5|", EINVAL, "" },
	{ GUEST, XS_SET_PERMS, OUTSIDE, "data/x|", EINVAL, "" },
	{ GUEST, XS_SET_PERMS, OUTSIDE, "data/q|n5|", ENOENT, "" },
	{ GUEST, XS_SET_PERMS, OUTSIDE, "/secret|n5|", EACCES, "" },
	{ GUEST, XS_SET_PERMS, OUTSIDE, "@releaseDomain|n5|", EACCES, "" },
	{ DOM0, XS_SET_PERMS, OUTSIDE, "@introduceDomain|n0|r5|", 0, OK },
	{ DOM0, XS_SET_PERMS, OUTSIDE, "@releaseDomain/5|n0|", ENOENT, "" },
	{ DOM0, XS_SET_PERMS, OUTSIDE, "/secret|n32757|", EINVAL, "" },
	/* 15 WATCH_EVENT, 16 ERROR, 20: not to be asked */
	{ DOM0, XS_WATCH_EVENT, OUTSIDE, "a|b|", ENOSYS, "" },
	{ DOM0, XS_ERROR, OUTSIDE, "EINVAL|", ENOSYS, "" },
	{ DOM0, 20, OUTSIDE, "5|", ENOSYS, "" },
	{ DOM0, 27, OUTSIDE, "5|", ENOSYS, "" },
	{ DOM0, XS_INVALID, OUTSIDE, "5|", ENOSYS, "" },
	/* 17 IS_DOMAIN_INTRODUCED */
	{ DOM0, XS_IS_DOMAIN_INTRODUCED, OUTSIDE, "5|", 0, "T|" },
	{ DOM0, XS_IS_DOMAIN_INTRODUCED, OUTSIDE, "0|", 0, "T|" },
	{ DOM0, XS_IS_DOMAIN_INTRODUCED, OUTSIDE, "6|", 0, "F|" },
	{ DOM0, XS_IS_DOMAIN_INTRODUCED, OUTSIDE, "32752|", 0, "T|" },
	{ DOM0, XS_IS_DOMAIN_INTRODUCED, OUTSIDE, "32757|", 0, "F|" },
	{ DOM0, XS_IS_DOMAIN_INTRODUCED, OUTSIDE, "65536|", EINVAL, "" },
	{ GUEST, XS_IS_DOMAIN_INTRODUCED, OUTSIDE, "5|", EACCES, "" },
	/* 21 RESET_WATCHES */
	{ GUEST, XS_RESET_WATCHES, OUTSIDE, "|", 0, OK },
	{ GUEST, XS_UNWATCH, OUTSIDE, "data|u|", ENOENT, "" },
	/* 22 DIRECTORY_PART */
	{ GUEST, XS_DIRECTORY_PART, OUTSIDE, "data|", EINVAL, "" },
	{ GUEST, XS_DIRECTORY_PART, OUTSIDE, "data|-1|", EINVAL, "" },
	{ GUEST, XS_DIRECTORY_PART, OUTSIDE, "data|0|0|", EINVAL, "" },
	{ GUEST, XS_DIRECTORY_PART, OUTSIDE, "data/q|0|", ENOENT, "" },
	{ GUEST, XS_DIRECTORY_PART, OUTSIDE, "/secret|0|", EACCES, "" },
	/* 23 to 26: test_store_limits.c has more */
	{ GUEST, XS_GET_FEATURE, OUTSIDE, "", 0, "15|" },
	{ GUEST, XS_GET_FEATURE, OUTSIDE, "5|", EACCES, "" },
	{ DOM0, XS_GET_FEATURE, OUTSIDE, "5|", 0, "15|" },
	{ DOM0, XS_SET_FEATURE, OUTSIDE, "5|1|", EBUSY, "" },
	{ GUEST, XS_SET_FEATURE, OUTSIDE, "5|1|", EACCES, "" },
	{ DOM0, XS_GET_QUOTA, OUTSIDE, "5|nodes|", 0, "1000|" },
	{ GUEST, XS_GET_QUOTA, OUTSIDE, "nodes|", EACCES, "" },
	{ DOM0, XS_SET_QUOTA, OUTSIDE, "5|nodes|900|", 0, OK },
	{ GUEST, XS_SET_QUOTA, OUTSIDE, "5|nodes|900|", EACCES, "" },
};

static void make(const struct call *c, size_t row)
{
	struct bed_client *by = c->from == DOM0 ? d0 : g;
	uint32_t id = c->in == INSIDE ? tx : c->in == NOWHERE ? 4711 : 0;
	char body[sizeof(c->args)], text[sizeof(by->reply)];
	size_t len = strlen(c->args);
	int got;

	memcpy(body, c->args, len);
	for (size_t i = 0; i < len; i++)
		if (body[i] == '|')
			body[i] = '\0';
	got = bed_op(by, c->type, id, body, len);
	cr_expect_eq(MIN(got, 0), -c->want, "row %zu: %u %s: %d", row, c->type,
		     c->args, got);
	if (!*c->text || got < 0)
		return;
	for (int i = 0; i < got; i++)
		text[i] = by->reply[i] ? by->reply[i] : '|';
	text[got] = '\0';
	cr_expect_str_eq(text, c->text, "row %zu: %u %s", row, c->type,
			 c->args);
}

Test(store_protocol, answers)
{
	tx = bed_start(g);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		make(&calls[i], i);
}

/* Each message has a row of its own, of dom0 or of a guest, and one that fails. */
Test(store_protocol, every_message_is_there)
{
	for (uint32_t type = 0; type <= XS_SET_QUOTA; type++) {
		size_t fine = 0, wrong = 0;

		for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
			fine += calls[i].type == type && !calls[i].want;
			wrong += calls[i].type == type && calls[i].want;
		}
		cr_expect(wrong || type == XS_RESET_WATCHES, "%u", type);
		cr_expect(fine || type == XS_INTRODUCE || type == XS_RELEASE ||
				  type == XS_WATCH_EVENT || type == XS_ERROR ||
				  type == 20 || type == XS_DIRECTORY_PART ||
				  type == XS_SET_FEATURE,
			  "%u", type);
	}
}

/* ---- Special watches --------------------------------------------------- */

static void end_domain(void)
{
	fakedom_shutdown(dom, 0);
}

static const char *heard(struct bed_client *c)
{
	const char *e;

	(void)SOON((bed_pump(), bed_take(c), *(e = bed_event(c))));
	return e;
}

Test(store_protocol, end_of_one_domain)
{
	struct bed_client *one = bed_dom0(), *all = bed_dom0();
	struct bed_client *other = bed_dom0(), *none = bed_dom0();
	struct bed_client *plain = bed_dom0();

	bed_watch(one, "@releaseDomain/5", "t");
	bed_watch(other, "@releaseDomain/6", "t");
	bed_watch(plain, "@releaseDomain", "t");
	bed_str(all, XS_WATCH, 0, "@releaseDomain", "t", "1", NULL);
	bed_str(none, XS_WATCH, 0, "@releaseDomain", "t", "0", NULL);
	cr_expect_str_eq(bed_event(one), "@releaseDomain/5|t");
	bed_event(other);
	bed_event(plain);
	cr_expect_str_eq(bed_event(all), "@releaseDomain|t");
	bed_event(none);
	end_domain();
	cr_expect_str_eq(heard(one), "@releaseDomain/5|t");
	cr_expect_str_eq(heard(all), "@releaseDomain/5|t");
	cr_expect_str_eq(heard(plain), "@releaseDomain|t");
	bed_take(other);
	bed_take(none);
	cr_expect_str_eq(bed_event(other), "");
	cr_expect_str_eq(bed_event(none), "", "it looks at no level below");
	bed_close(one);
	bed_close(all);
	bed_close(other);
	bed_close(none);
	bed_close(plain);
}

/* Who may hear of domains is a matter of the special nodes' permissions. */
Test(store_protocol, who_may_hear_of_domains)
{
	cr_assert_eq(bed_watch(g, "@releaseDomain", "r"), 0);
	cr_assert_eq(bed_watch(g, "@introduceDomain", "i"), 0);
	cr_expect_str_eq(bed_event(g), "@releaseDomain|r");
	cr_expect_str_eq(bed_event(g), "@introduceDomain|i");
	cr_assert_eq(bed_str(d0, XS_SET_PERMS, 0, "@releaseDomain", "n0", NULL),
		     3);
	bed_take(g);
	cr_expect_str_eq(bed_event(g), "@releaseDomain|r",
			 "a change of permissions");
	bed_watch(d0, "@releaseDomain", "d");
	bed_event(d0);
	end_domain();
	cr_expect_str_eq(heard(d0), "@releaseDomain|d");
	bed_take(g);
	cr_expect_str_eq(bed_event(g), "", "it may not");
	bed_str(d0, XS_RESUME, 0, "5", NULL);
	cr_assert_eq(bed_str(d0, XS_SET_PERMS, 0, "@releaseDomain", "n0", "r5",
			     NULL),
		     3);
	bed_take(g);
	cr_expect_str_eq(bed_event(g), "@releaseDomain|r");
	end_domain();
	cr_expect_str_eq(heard(g), "@releaseDomain|r");
	bed_str(d0, XS_SET_PERMS, 0, "@releaseDomain", "n0", "r32757", NULL);
}

/* ---- Relative paths, depth --------------------------------------------- */

Test(store_protocol, relative_paths)
{
	cr_expect_str_eq(bed_read(g, 0, "data/x"), "value");
	cr_expect_str_eq(bed_read(g, 0, "/local/domain/5/data/x"), "value");
	cr_assert_eq(bed_watch(g, "data", "rel"), 0);
	cr_assert_eq(bed_watch(g, "/local/domain/5/data", "abs"), 0);
	cr_expect_str_eq(bed_event(g), "data|rel");
	cr_expect_str_eq(bed_event(g), "/local/domain/5/data|abs");
	bed_write(d0, 0, "/local/domain/5/data/x", "");
	bed_take(g);
	cr_expect_str_eq(bed_event(g), "data/x|rel");
	cr_expect_str_eq(bed_event(g), "/local/domain/5/data/x|abs");
	cr_expect_eq(bed_str(g, XS_UNWATCH, 0, "data", "abs", NULL), 3,
		     "the same path");
}

Test(store_protocol, depth_of_a_watch)
{
	cr_assert_eq(bed_str(g, XS_WATCH, 0, "data", "0", "0", NULL), 3);
	cr_assert_eq(bed_str(g, XS_WATCH, 0, "data", "1", "1", NULL), 3);
	bed_event(g);
	bed_event(g);
	bed_write(g, 0, "data/x/y", "");
	cr_expect_str_eq(bed_event(g), "");
	bed_write(g, 0, "data/x", "");
	cr_expect_str_eq(bed_event(g), "data/x|1");
	bed_write(g, 0, "data", "");
	cr_expect_str_eq(bed_event(g), "data|0");
	cr_expect_str_eq(bed_event(g), "data|1");
}

/* ---- DIRECTORY_PART ---------------------------------------------------- */

Test(store_protocol, generation_of_a_list)
{
	static char before[sizeof(g->reply)];

	cr_assert_gt(bed_str(g, XS_DIRECTORY_PART, 0, "data", "0", NULL), 0);
	memcpy(before, g->reply, sizeof(before));
	cr_expect_str_eq(g->reply + strlen(before) + 1, "x");
	cr_expect_eq(g->reply_len, (int)strlen(before) + 1 + 2 + 1);
	bed_str(g, XS_DIRECTORY_PART, 0, "data", "2", NULL);
	cr_expect_eq(g->reply_len, (int)strlen(before) + 2, "its end");
	bed_str(g, XS_DIRECTORY_PART, 0, "data", "9999", NULL);
	cr_expect_eq(g->reply_len, (int)strlen(before) + 2);
	cr_expect_str_eq(g->reply, before);
	bed_write(g, 0, "data/y", "");
	bed_str(g, XS_DIRECTORY_PART, 0, "data", "0", NULL);
	cr_expect_str_neq(g->reply, before);
}
