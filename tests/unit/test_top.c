/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_top.c - what xl top makes of two looks. */
#include "tools/top.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

static struct top_how how;

static void add(struct top *t, const char *name, unsigned int domid,
		uint64_t cpu_ns)
{
	struct counters c = { .info = { .domid = domid,
					.cpu_ns = cpu_ns,
					.ram_kib = 4096,
					.vcpus_online = 3,
					.state = DOM_RUNNING } };

	snprintf(c.name, sizeof(c.name), "%s", name);
	cr_assert_eq(top_add(t, &c, 16384), 0);
}

static const char *text(const struct top_row *r)
{
	static char buf[1024];
	FILE *f = fmemopen(buf, sizeof(buf), "w");

	cr_assert_not_null(f);
	top_write(f, r, &how);
	fclose(f);
	return buf;
}

Test(top, a_row)
{
	struct top t = { 0 };

	add(&t, "one", 1, 2 * SECOND);
	cr_expect_str_eq(
		text(&t.row[0]),
		"       one -----r          2    0.0       4096   25.0       4096      25.0"
		"     3    0        0        0    0        0        0        0          0"
		"          0    0\n");
	top_free(&t);
}

Test(top, rows_in_json)
{
	struct top t = { 0 };
	char buf[2048] = "";
	FILE *f = fmemopen(buf, sizeof(buf), "w");

	add(&t, "one \"1\"", 1, 2 * SECOND);
	add(&t, "two", 2, SECOND);
	t.row[1].max_kib = UINT64_MAX;
	cr_assert_not_null(f);
	cr_expect_eq(top_json(f, &t), 0);
	fclose(f);
	cr_expect_eq(strchr(buf, '\n'), buf + strlen(buf) - 1, "one line");
	cr_expect(strstr(buf, "[{\"domid\":1,\"name\":\"one \\\"1\\\"\","),
		  "%s", buf);
	cr_expect(strstr(buf, "\"maxmem_kib\":4096,\"maxmem_percent\":25.0,"),
		  "%s", buf);
	cr_expect(strstr(buf, "\"maxmem_kib\":null,\"maxmem_percent\":null,"),
		  "%s", buf);
	cr_expect(strstr(buf, "\"ssid\":0}]"), "%s", buf);
	top_free(&t);
}

/* By domid, wherever it is; who was not there before has no share and no past. */
Test(top, shares_and_past)
{
	static const uint64_t used[] = { 0, 1, 1, 3, 3 };
	struct top before = { 0 }, t = { 0 };

	how.spark = TOP_ASCII;
	for (unsigned int i = 0; i < 5; i++) {
		t = (struct top){ .ns = i * SECOND };
		add(&t, "one", 1, used[i] * SECOND);
		if (i & 1)
			add(&t, "new", 2, 7 * SECOND);
		top_share(&t, &before);
		top_free(&before);
		before = t;
	}
	cr_expect_eq(t.row[0].npast, 4);
	cr_expect_float_eq(t.row[0].past[2], 200, 0.001);
	cr_expect_float_eq(t.row[0].cpu, 0, 0.001);
	cr_expect(strstr(text(&t.row[0]), " - # \n"), "%s", text(&t.row[0]));
	how.spark = TOP_BLOCKS;
	cr_expect(strstr(text(&t.row[0]), " ▃ ▇ \n"), "%s", text(&t.row[0]));
	top_free(&t);
}

/* No more is remembered than there is place for: the last ones. */
Test(top, the_past_is_short)
{
	struct top before = { 0 }, t = { 0 };

	for (unsigned int i = 0; i < 2 * TOP_PAST; i++) {
		t = (struct top){ .ns = i * SECOND };
		add(&t, "one", 1, i < TOP_PAST + 2 ? 0 : i * SECOND / 2);
		top_share(&t, &before);
		top_free(&before);
		before = t;
	}
	cr_expect_eq(t.row[0].npast, TOP_PAST);
	cr_expect_float_eq(t.row[0].past[0], 0, 0.001);
	cr_expect_float_eq(t.row[0].past[1], 0, 0.001);
	cr_expect_gt(t.row[0].past[2], 50);
	cr_expect_float_eq(t.row[0].past[TOP_PAST - 1], 50, 0.001);
	top_free(&t);
}

static void expect_order(const struct top *t, const char *names)
{
	char got[64] = "";

	for (size_t i = 0; i < t->n; i++)
		strncat(got, t->row[i].name, 8);
	cr_expect_str_eq(got, names);
}

Test(top, order)
{
	struct top t = { 0 };

	add(&t, "a", 0, 0);
	add(&t, "c", 1, 5 * SECOND);
	add(&t, "b", 2, 5 * SECOND);
	add(&t, "d", 3, 9 * SECOND);
	top_sort(&t, 0, false);
	expect_order(&t, "abcd");
	cr_assert_str_eq(top_column(2), "CPU(sec)");
	top_sort(&t, 2, false);
	expect_order(&t, "dcba");
	top_sort(&t, 2, true);
	expect_order(&t, "adcb");
	top_free(&t);
}

Test(top, counts)
{
	unsigned int n[TOP_NCOUNTS];
	struct top t = { 0 };

	add(&t, "a", 1, 0);
	add(&t, "b", 2, 0);
	strcpy(t.row[1].state, "-s-c--");
	top_count(&t, n);
	cr_expect_eq(n[TOP_RUNNING], 1);
	cr_expect_eq(n[TOP_BLOCKED], 0);
	cr_expect_eq(n[TOP_CRASHED], 1);
	cr_expect_eq(n[TOP_DOWN], 1);
	top_free(&t);
}
