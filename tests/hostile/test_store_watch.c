// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_store_watch.c - what a guest learns by watching.
//
// XSA-115.  Random changes by dom0 to a small tree, with random permissions; a
// model says for each which of the guest's watches may hear of it: those whose
// guest can read the node, or could before a change of its permissions, or can
// read (thus list) its parent.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <criterion/criterion.h>

#include "tests/lib/storebed.h"

#define LEVELS 4
#define FAN    3
#define NODES  40 /* 1 + 3 + 9 + 27 */

/* A node that may be there; its parent is (i - 1) / FAN. */
static struct {
	char path[LEVELS * 2 + 1];
	bool there, readable;
} model[NODES];

static const int watched[] = { 0, 1, 2, 5, 6, 14, 15 };

static struct bed_client *d0, *g;
static char *want[256]; /* events that must come for one change */
static size_t nwant;

static int parent(int i)
{
	return (i - 1) / FAN;
}

static void setup(void)
{
	bed_init();
	d0 = bed_dom0();
	g = bed_guest(1);
	for (int i = 0; i < NODES; i++) {
		snprintf(model[i].path, sizeof(model[i].path), "%s/%c",
			 i ? model[parent(i)].path : "",
			 i ? 'a' + (i - 1) % FAN : 'm');
	}
	for (size_t i = 0; i < ARRAY_SIZE(watched); i++) {
		char token[16];

		snprintf(token, sizeof(token), "%zu", i);
		cr_assert_eq(bed_watch(g, model[watched[i]].path, token), 0);
		bed_event(g);
	}
}

static void teardown(void)
{
	cr_expect(bed_consistent());
	bed_close(g);
	bed_close(d0);
	bed_fini();
}

TestSuite(store_watch, .init = setup, .fini = teardown, .timeout = 300);

static bool covers(int watch, int node)
{
	while (node > watch)
		node = parent(node);
	return node == watch;
}

/* @exact: only who watches this very node is told. */
static void expect_event(int node, bool exact)
{
	for (size_t i = 0; i < ARRAY_SIZE(watched); i++) {
		if (exact ? watched[i] != node : !covers(watched[i], node))
			continue;
		cr_assert_lt(nwant, ARRAY_SIZE(want));
		cr_assert_gt(asprintf(&want[nwant++], "%s|%zu",
				      model[node].path, i),
			     0);
	}
}

/* The root's parent is "/", which the guest cannot read. */
static bool knows(int i)
{
	return model[i].readable || (i && model[parent(i)].readable);
}

static void do_write(int i)
{
	int up = i;

	cr_assert_eq(bed_write(d0, 0, model[i].path, "v"), 3);
	/* New ones have the permissions of the nearest that was there. */
	while (up && !model[up].there)
		up = parent(up);
	for (int k = i; k > up || (!k && !model[0].there); k = parent(k)) {
		model[k].readable = model[up].there && model[up].readable;
		model[k].there = true;
		if (!k)
			break;
	}
	if (knows(i))
		expect_event(i, false);
}

static void do_chmod(int i, bool readable, bool everybody)
{
	bool knew = model[i].readable;
	int ret;

	ret = everybody ? bed_str(d0, XS_SET_PERMS, 0, model[i].path, "r0",
				  readable ? "w9" : "n1", NULL)
			: bed_str(d0, XS_SET_PERMS, 0, model[i].path, "n0",
				  readable ? "r1" : "w1", NULL);
	cr_assert_eq(ret, model[i].there ? 3 : -ENOENT);
	if (!model[i].there)
		return;
	model[i].readable = readable;
	if (knew || knows(i))
		expect_event(i, false);
}

static void do_rm(int i)
{
	int ret = bed_str(d0, XS_RM, 0, model[i].path, NULL);

	cr_assert_eq(ret, model[i].there || !i || model[parent(i)].there
				  ? 3
				  : -ENOENT);
	if (!model[i].there)
		return;
	for (int k = i; k < NODES; k++)
		if (model[k].there && covers(i, k) && knows(k))
			expect_event(k, k != i);
	for (int k = i; k < NODES; k++)
		if (covers(i, k))
			model[k].there = model[k].readable = false;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void compare(int step)
{
	char *got[256];
	size_t n = 0;
	const char *e;

	while (*(e = bed_event(g))) {
		cr_assert_lt(n, ARRAY_SIZE(got));
		got[n++] = strdup(e);
	}
	qsort(got, n, sizeof(got[0]), by_text);
	qsort(want, nwant, sizeof(want[0]), by_text);
	cr_assert_eq(n, nwant, "step %d: %zu events, not %zu; first %s", step,
		     n, nwant, n ? got[0] : want[0]);
	for (size_t i = 0; i < n; i++) {
		cr_assert_str_eq(got[i], want[i], "step %d", step);
		free(got[i]);
		free(want[i]);
	}
	nwant = 0;
	for (size_t i = 0; i < g->nevents; i++)
		free(g->events[i]);
	g->nevents = g->next_event = 0;
}

Test(store_watch, only_what_may_be_read)
{
	unsigned int heard = 0, silent = 0;

	srand(115);
	for (int step = 0; step < 20000; step++) {
		int i = rand() % NODES;

		switch (rand() % 8) {
		case 0:
			do_rm(i);
			break;
		case 1:
		case 2:
		case 3:
			do_chmod(i, rand() % 3 == 0, rand() % 2);
			break;
		default:
			do_write(i);
			break;
		}
		heard += nwant > 0;
		silent += nwant == 0;
		compare(step);
	}
	/* Both kinds, and not rarely. */
	cr_expect_gt(heard, 2000);
	cr_expect_gt(silent, 2000);
}
