// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_txn_orders.c - V7: whatever the order, as if one by one.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <criterion/criterion.h>

#include "base/util.h"
#include "tests/lib/fini.h"
#include "tests/lib/storebed.h"

/*
 * How it works
 *
 * Two clients with a transaction each, of up to two operations on two nodes:
 * every pair of transactions is run in every order of its steps.  With three
 * operations every pair is run in one order, drawn evenly from all.  What was
 * committed must then look, answers and all, as if one had come after the
 * other; the same is said by play(), which knows only letters in an array.
 */
#define MAX_OPS 3
#define NNODES	2

enum { OP_READ, OP_WRITE, OP_RM, OP_LIST };
#define NOPS (OP_LIST * NNODES + 1) /* there is one list of both */

static const char *const paths[NNODES] = { "/x/one", "/x/two" };

/* What the nodes are: a letter each, or 0 for one that is not there. */
struct nodes {
	char value[NNODES];
};

struct prog {
	struct bed_client *client;
	char letter; /* what it writes */
	int n, ops[MAX_OPS];
	/* One run of it: */
	uint32_t t;
	int at;
	struct nodes seen[MAX_OPS];
	int status;	/* of the commit */
	bool disturbed; /* the other one has committed meanwhile */
};

static struct prog progs[2] = { { .letter = 'a' }, { .letter = 'b' } };
static unsigned long runs, conflicts;

static void setup(void)
{
	bed_init();
	progs[0].client = bed_dom0();
	progs[1].client = bed_dom0();
	bed_write(progs[0].client, 0, "/x", "");
	/* What either of them makes there counts as that guest's. */
	bed_str(progs[0].client, XS_SET_PERMS, 0, "/x", "n1", NULL);
}

static void teardown(void)
{
	FINI_CHECK(bed_consistent());
	bed_close(progs[0].client);
	bed_close(progs[1].client);
	bed_fini();
}

TestSuite(txn_orders, .init = setup, .fini = teardown, .timeout = 600);

static int kind_of(int op)
{
	return op / NNODES;
}

static char letter_at(struct bed_client *c, uint32_t t, int node)
{
	const char *s = bed_read(c, t, paths[node]);

	if (!strcmp(s, "<ENOENT>"))
		return 0;
	cr_assert(s[0] && !s[1], "%s is %s", paths[node], s);
	return s[0];
}

static struct nodes names_at(struct bed_client *c, uint32_t t)
{
	const char *s = bed_list(c, t, "/x");

	return (struct nodes){ { strstr(s, "one") ? '+' : 0,
				 strstr(s, "two") ? '+' : 0 } };
}

/* An operation of the store; Return: what it has told. */
static struct nodes ask(struct prog *p, int op)
{
	int node = op % NNODES;
	char value[2] = { p->letter };
	struct nodes seen = { 0 };
	int ret;

	switch (kind_of(op)) {
	case OP_READ:
		seen.value[node] = letter_at(p->client, p->t, node);
		break;
	case OP_WRITE:
		ret = bed_write(p->client, p->t, paths[node], value);
		cr_assert_eq(ret, 3, "write: %d", ret);
		break;
	case OP_RM:
		bed_str(p->client, XS_RM, p->t, paths[node], NULL);
		break;
	default:
		seen = names_at(p->client, p->t);
	}
	return seen;
}

/* The same with letters only. */
static struct nodes play_one(const struct prog *p, int op, struct nodes *at)
{
	int node = op % NNODES;
	struct nodes seen = { 0 };

	switch (kind_of(op)) {
	case OP_READ:
		seen.value[node] = at->value[node];
		break;
	case OP_WRITE:
		at->value[node] = p->letter;
		break;
	case OP_RM:
		at->value[node] = 0;
		break;
	default:
		for (int i = 0; i < NNODES; i++)
			seen.value[i] = at->value[i] ? '+' : 0;
	}
	return seen;
}

/* Whether a transaction that begins with these nodes has its answers. */
static bool play(const struct prog *p, struct nodes *at)
{
	for (int i = 0; i < p->n; i++) {
		struct nodes seen = play_one(p, p->ops[i], at);

		if (memcmp(&seen, &p->seen[i], sizeof(seen)) != 0)
			return false;
	}
	return true;
}

/* One after the other, those that were committed; does it end in @end? */
static bool explains(int first, struct nodes at, const struct nodes *end)
{
	for (int i = 0; i < 2; i++) {
		struct prog *p = &progs[i ? !first : first];

		if (!p->status && !play(p, &at))
			return false;
	}
	return !memcmp(&at, end, sizeof(at));
}

static void step(struct prog *p, struct prog *other)
{
	if (p->at < 0) {
		p->t = bed_start(p->client);
		p->disturbed = false;
	} else if (p->at < p->n) {
		p->seen[p->at] = ask(p, p->ops[p->at]);
	} else {
		p->status = bed_end(p->client, p->t, true);
		if (!p->status)
			other->disturbed = true;
	}
	p->at++;
}

static void judge(const struct nodes *begin, unsigned int order)
{
	struct nodes end;
	unsigned int n = 1; /* /x */

	for (int i = 0; i < NNODES; i++) {
		end.value[i] = letter_at(progs[0].client, 0, i);
		n += end.value[i] != 0;
	}
	for (int i = 0; i < 2; i++) {
		struct prog *p = &progs[i];

		cr_assert(!p->status || (p->status == -EAGAIN && p->disturbed),
			  "client %d: %d without a reason", i, p->status);
		conflicts += p->status != 0;
	}
	cr_assert(explains(0, *begin, &end) || explains(1, *begin, &end),
		  "%d %d %d | %d %d %d in order %x: no order explains it",
		  progs[0].ops[0], progs[0].ops[1], progs[0].ops[2],
		  progs[1].ops[0], progs[1].ops[1], progs[1].ops[2], order);
	cr_assert_eq(bed_nodes(1), n, "%u nodes counted, %u there",
		     bed_nodes(1), n);
	runs++;
}

/* @order: whose step is next, a bit each. */
static void run(unsigned int order)
{
	struct nodes begin = { { '0', 0 } };

	bed_write(progs[0].client, 0, paths[0], "0");
	bed_str(progs[0].client, XS_RM, 0, paths[1], NULL);
	progs[0].at = progs[1].at = -1;
	for (int i = 0; i < progs[0].n + progs[1].n + 4; i++) {
		int who = order >> i & 1;

		step(&progs[who], &progs[!who]);
	}
	judge(&begin, order);
}

static void run_all_orders(void)
{
	int steps = progs[0].n + progs[1].n + 4;

	for (unsigned int order = 0; order < 1U << steps; order++)
		if (__builtin_popcount(order) == progs[1].n + 2)
			run(order);
}

/* The transaction of that number; Return: false behind the last. */
static bool choose(struct prog *p, int number, int max)
{
	int of_length = NOPS;

	for (p->n = 1; p->n < max && number >= of_length; p->n++) {
		number -= of_length;
		of_length *= NOPS;
	}
	for (int i = p->n - 1; i >= 0; i--) {
		p->ops[i] = number % NOPS;
		number /= NOPS;
	}
	return number == 0;
}

static void expect_some_conflicts(void)
{
	cr_log_info("%lu runs, %lu conflicts", runs, conflicts);
	cr_expect_gt(conflicts, 0);
	cr_expect_lt(conflicts, runs);
}

Test(txn_orders, as_if_one_by_one)
{
	for (int i = 0; choose(&progs[0], i, 2); i++)
		for (int j = i; choose(&progs[1], j, 2); j++)
			run_all_orders();
	expect_some_conflicts();
}

static uint32_t seed = 20241;

/* An order of all steps of both; each is as likely as the others. */
static void run_any_order(void)
{
	unsigned int steps = (unsigned int)(progs[0].n + progs[1].n + 4);
	unsigned int order;

	do {
		seed = seed * 1664525 + 1013904223;
		order = seed >> (32 - steps);
	} while (__builtin_popcount(order) != progs[1].n + 2);
	run(order);
}

/* One of them has three operations, the other as many or fewer. */
Test(txn_orders, three_operations)
{
	for (int i = 0; choose(&progs[0], i, 3); i++) {
		for (int j = 0; progs[0].n == 3 && j <= i; j++) {
			cr_assert(choose(&progs[1], j, 3));
			run_any_order();
		}
	}
	expect_some_conflicts();
}
