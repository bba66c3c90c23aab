// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_perm.c - who may do what with a node.
#include <errno.h>
#include <string.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "xenstore-lite/perm.h"

#define RWO (PERM_READ | PERM_WRITE | PERM_OWNER)

static struct perms *parse(const char *text, size_t len)
{
	struct perms *p = NULL;

	cr_assert_eq(perm_parse(&p, text, len), 0);
	return p;
}
#define PARSE(s) parse(s, sizeof(s))

static struct perm_who guest(unsigned int domid)
{
	return (struct perm_who){ .domid = domid, .target = -1 };
}

struct bad {
	char text[16];
	size_t len;
};

ParameterizedTestParameters(perm, malformed)
{
	static struct bad t[] = {
		{ "", 0 },	 { "n0", 2 },
		{ "x0", 3 },	 { "n", 2 },
		{ "n-1", 4 },	 { "n 1", 4 },
		{ "n1x", 4 },	 { "n32752", 7 },
		{ "n65536", 7 }, { "n4294967296", 12 },
		{ "n0\0", 4 },	 { "n0\0r", 5 },
		{ "n32757", 7 }, { "\0n0", 4 },
		{ "N0", 3 },	 { "n0\0q3", 6 },
	};
	return cr_make_param_array(struct bad, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct bad *t, perm, malformed)
{
	struct perms *p = NULL;

	cr_expect_eq(perm_parse(&p, t->text, t->len), -EINVAL, "%s", t->text);
	cr_expect_null(p);
}

Test(perm, matrix)
{
	struct perms *p = PARSE("r1\0n2\0w3\0b4\0r2");
	struct perm_who dom0 = { .domid = 0, .target = -1, .privileged = true };
	struct perm_who who[6];

	for (unsigned int i = 1; i < 6; i++)
		who[i] = guest(i);
	cr_expect_eq(perm_rights(p, &dom0), RWO);
	cr_expect_eq(perm_rights(p, &who[1]), RWO);
	cr_expect_eq(perm_rights(p, &who[2]), PERM_NONE,
		     "the first entry wins");
	cr_expect_eq(perm_rights(p, &who[3]), PERM_WRITE);
	cr_expect_eq(perm_rights(p, &who[4]), PERM_READ | PERM_WRITE);
	cr_expect_eq(perm_rights(p, &who[5]), PERM_READ,
		     "owner's for the rest");
	perm_put(p);
}

Test(perm, everybody)
{
	struct perms *p = PARSE("n0\0r32757");
	struct perm_who g = guest(9);

	cr_expect_eq(perm_rights(p, &g), PERM_READ);
	perm_put(p);
}

Test(perm, print)
{
	struct perms *p = PARSE("b0\0r12\0w3");
	char text[PERM_TEXT];

	cr_expect_eq(perm_print(p, text), sizeof("b0\0r12\0w3"));
	cr_expect(!memcmp(text, "b0\0r12\0w3", sizeof("b0\0r12\0w3")));
	perm_put(p);
}

Test(perm, inherit)
{
	struct perms *p = PARSE("n0\0r1\0b2");
	struct perm_who dom0 = { .domid = 0, .target = -1, .privileged = true };
	struct perm_who g = guest(2);
	struct perms *c = perm_inherit(p, &dom0);

	cr_expect_eq(c, p);
	perm_put(c);
	c = perm_inherit(p, &g);
	cr_expect_eq(perm_owner(c), 2);
	cr_expect_eq(c->n, 3);
	cr_expect_eq(c->e[1].rights, PERM_READ);
	perm_put(c);
	perm_put(p);
}

/* XSA-322, XSA-417: rights end with the life in which they were given. */
Test(perm, death)
{
	struct perms *p = PARSE("n5\0r6");
	struct perm_who g5 = guest(5), g6 = guest(6);
	struct perms *q;
	char text[PERM_TEXT];

	perm_died(6);
	cr_expect_eq(perm_rights(p, &g6), PERM_NONE);
	cr_expect_eq(perm_rights(p, &g5), RWO);
	cr_expect_eq(perm_print(p, text), sizeof("n5"));
	q = PARSE("n5\0r6");
	cr_expect_eq(perm_rights(q, &g6), PERM_READ, "given to the next one");
	cr_expect(!perm_equal(p, q));
	perm_died(5);
	cr_expect_eq(perm_rights(p, &g5), PERM_NONE);
	cr_expect(!perm_owner_alive(p));
	perm_put(p);
	perm_put(q);
}

Test(perm, target)
{
	struct perms *p = PARSE("n0\0b7");
	struct perm_who g = guest(3);

	cr_expect_eq(perm_rights(p, &g), PERM_NONE);
	g.target = 7;
	g.target_life = perm_life(7);
	cr_expect_eq(perm_rights(p, &g), PERM_READ | PERM_WRITE);
	perm_died(7);
	perm_put(p);
	p = PARSE("n0\0b7");
	cr_expect_eq(perm_rights(p, &g), PERM_NONE, "another domain 7 by now");
	perm_put(p);
}
