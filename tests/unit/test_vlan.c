/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_vlan.c - vlan= of a vif. */
#include "dom0-backend/vlan.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* All runs of a set: "10p 20-29t 40u". */
static void show(const struct vlan_set *set, char *text, size_t size)
{
	static const char kinds[] = { 0, 't', 'u' };
	unsigned int first, last, from = 1;
	enum vlan_member m;
	size_t at = 0;

	text[0] = '\0';
	while ((m = vlan_run(set, from, &first, &last))) {
		at += (size_t)snprintf(text + at, size - at, "%s%u",
				       at ? " " : "", first);
		if (last != first)
			at += (size_t)snprintf(text + at, size - at, "-%u",
					       last);
		at += (size_t)snprintf(text + at, size - at, "%c",
				       first == set->pvid ? 'p' : kinds[m]);
		from = last + 1;
	}
}

struct good {
	char text[40], runs[64];
};

ParameterizedTestParameters(vlan, good)
{
	static struct good t[] = {
		{ "10", "10p" },
		{ "4094", "4094p" },
		{ "10p", "10p" },
		{ "10p/20", "10p 20t" },
		{ "20/10p", "10p 20t" },
		{ "10p/20-29", "10p 20-29t" },
		{ "10p/20-29u/30", "10p 20-29u 30t" },
		{ "1p/10-15/20-25u", "1p 10-15t 20-25u" },
		{ "12p/10-11/13-14", "10-11t 12p 13-14t" },
		{ "12p/10-11u/13u", "10-11u 12p 13u" },
		{ "10p/100+10x4", "10p 100t 110t 120t 130t" },
		{ "10p/2+1x3", "2-4t 10p" },
		{ "1p/2-4094", "1p 2-4094t" },
		{ "7-7", "7p" },
	};

	return cr_make_param_array(struct good, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct good *t, vlan, good)
{
	const char *why = "untouched";
	struct vlan_set set;
	char runs[128];

	cr_assert_eq(vlan_parse(t->text, &set, &why), 0, "%s: %s", t->text,
		     why);
	show(&set, runs, sizeof(runs));
	cr_expect_str_eq(runs, t->runs, "%s", t->text);
}

struct bad {
	char text[40], why[24];
};

ParameterizedTestParameters(vlan, bad)
{
	static struct bad t[] = {
		{ "", "each part" },
		{ "0", "each part" },
		{ "4095", "each part" },
		{ "10000", "each part" },
		{ "4294967306", "each part" },
		{ "-1", "each part" },
		{ "10 ", "each part" },
		{ " 10", "each part" },
		{ "10,20", "each part" },
		{ "10p/", "each part" },
		{ "/10", "each part" },
		{ "10pu", "each part" },
		{ "10x", "each part" },
		{ "10-", "each part" },
		{ "20-10", "each part" },
		{ "10-20p", "each part" },
		{ "10+0x3", "each part" },
		{ "10+1x0", "each part" },
		{ "10+1", "each part" },
		{ "10+9999x9999", "each part" },
		{ "4090+1x6", "each part" },
		{ "10/20", "must be the port's own" },
		{ "10-11", "must be the port's own" },
		{ "10p/20p", "only one" },
		{ "10p/10", "named twice" },
		{ "10p/5-15", "named twice" },
	};

	return cr_make_param_array(struct bad, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct bad *t, vlan, bad)
{
	struct vlan_set set = { .pvid = 77 };
	const char *why = "";

	cr_expect_eq(vlan_parse(t->text, &set, &why), -EINVAL, "%s", t->text);
	cr_expect_not_null(strstr(why, t->why), "%s: %s", t->text, why);
	cr_expect_eq(set.pvid, 77, "written on failure");
}
