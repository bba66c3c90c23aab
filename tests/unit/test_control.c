/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_control.c - what an administrator may ask the store. */
#include "tests/lib/storebed.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/log.h"
#include "tests/lib/caplog.h"

static struct bed_client *d0, *g;

static void setup(void)
{
	log_init("", LOG_LVL_INFO);
	bed_init();
	d0 = bed_dom0();
	g = bed_guest(3);
	bed_write(d0, 0, "/g", "");
	bed_str(d0, XS_SET_PERMS, 0, "/g", "n3", NULL);
}

static void teardown(void)
{
	bed_close(g);
	bed_close(d0);
	bed_fini();
}

TestSuite(control, .init = setup, .fini = teardown, .timeout = 300);

#define ASK(...) bed_str(d0, XS_CONTROL, 0, __VA_ARGS__, NULL)

Test(control, counts_a_domains_nodes_and_watches)
{
	bed_write(g, 0, "/g/a", "1");
	bed_write(g, 0, "/g/b", "2");
	bed_watch(g, "/g", "t");
	cr_assert_gt(ASK("quota", "3"), 0);
	cr_expect(strstr(d0->reply, "Domain 3:\n"), "%s", d0->reply);
	cr_expect(strstr(d0->reply,
			 "nodes            :        3 (max        3)\n"),
		  "%s", d0->reply);
	cr_expect(strstr(d0->reply,
			 "watches          :        1 (max        1)\n"),
		  "%s", d0->reply);
	bed_str(g, XS_RM, 0, "/g/a", NULL);
	cr_assert_gt(ASK("quota", "3"), 0);
	cr_expect(strstr(d0->reply,
			 "nodes            :        2 (max        3)\n"),
		  "%s", d0->reply);
	cr_expect_gt(ASK("quota", "4"), 0, "a domain that has nothing");
	cr_expect_eq(ASK("quota", "32752"), -EINVAL);
	cr_expect_eq(ASK("quota", "-1"), -EINVAL);
}

Test(control, sets_a_quota)
{
	cr_assert_gt(ASK("quota", "set", "nodes", "2"), 0);
	cr_expect_gt(bed_write(g, 0, "/g/a", ""), 0);
	cr_expect_eq(bed_write(g, 0, "/g/b", ""), -ENOSPC);
	cr_expect_eq(ASK("quota", "set", "nodes", "4294967296"), -EINVAL);
	cr_expect_eq(ASK("quota", "set", "nodes", ""), -EINVAL);
	cr_expect_lt(ASK("quota", "set", "apples", "2"), 0);
	cr_expect_eq(ASK("quota", "set", "nodes"), -EINVAL);
	cr_assert_gt(ASK("quota", "set", "nodes", "1000"), 0);
	cr_expect_gt(bed_write(g, 0, "/g/b", ""), 0);
	cr_assert_gt(ASK("quota"), 0);
	cr_expect(strstr(d0->reply, "Quota settings:\n"
				    "nodes            :     1000 "),
		  "%s", d0->reply);
	cr_expect_null(strstr(d0->reply, "soft"));
	cr_expect_eq(ASK("quota", "set", "nodes", "0"), -EINVAL);
	cr_expect_eq(ASK("quota", "set", "soft-memory", "9"), -EINVAL);
}

Test(control, sets_a_soft_quota)
{
	char text[1001];

	cr_assert_gt(ASK("quota-soft"), 0);
	cr_expect(strstr(d0->reply, "Quota settings:\n"
				    "memory           :  2097152 "),
		  "%s", d0->reply);
	cr_expect_eq(ASK("quota-soft", "set", "nodes", "9"), -EINVAL);
	cr_assert_gt(ASK("quota-soft", "set", "memory", "500"), 0);
	memset(text, 'v', 1000);
	text[1000] = '\0';
	caplog_begin();
	cr_expect_eq(bed_write(g, 0, "/g/a", text), 3, "it is only a warning");
	bed_write(g, 0, "/g/a", "");
	cr_expect(strstr(caplog_end(), "dom3: has"));
	cr_assert_gt(ASK("quota-soft", "set", "memory", "2097152"), 0);
}

Test(control, shows_what_domains_had_at_most)
{
	cr_assert_gt(ASK("quota", "max", "-r"), 0);
	bed_write(g, 0, "/g/a", "");
	bed_write(g, 0, "/g/b", "");
	cr_assert_gt(ASK("quota", "max"), 0);
	cr_expect(strstr(d0->reply, "Max. seen accounting values:\n"
				    "nodes            :        3\n"),
		  "%s", d0->reply);
	cr_assert_gt(ASK("quota", "max", "-r"), 0);
	cr_expect(strstr(d0->reply, "nodes            :        0\n"), "%s",
		  d0->reply);
	cr_expect_eq(ASK("quota", "max", "-x"), -EINVAL);
	cr_expect_eq(ASK("quota", "max", "-r", "-r"), -EINVAL);
}

Test(control, helps)
{
	cr_assert_gt(ASK("help"), 0);
	cr_expect(strstr(d0->reply, "check           \n"), "%s", d0->reply);
	cr_expect(
		strstr(d0->reply,
		       "quota           [set <name> <val>|<domid>|max [-r]]\n"),
		"%s", d0->reply);
	cr_expect_eq(ASK("help", "me"), -EINVAL);
	cr_expect_eq(ASK("check", "it"), -EINVAL);
	cr_expect_eq(ASK("memreport", "a", "b"), -EINVAL);
}

Test(control, prints)
{
	const char *log;

	caplog_begin();
	cr_expect_gt(ASK("print", "a\033b"), 0);
	log = caplog_end();
	cr_expect(strstr(log, "a\\x1bb"), "%s", log);
	cr_expect_eq(ASK("print"), -EINVAL);
	cr_expect_lt(ASK("nothing"), 0);
}

Test(control, is_not_for_guests)
{
	cr_expect_eq(bed_str(g, XS_CONTROL, 0, "quota", "set", "nodes", "9999",
			     NULL),
		     -EACCES);
}
