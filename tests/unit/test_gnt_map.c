// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_gnt_map.c - grant references to pages of a guest's memory.
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "dom0-backend/gnt_map.h"
#include "tests/lib/fakedom.h"

#define PAGES 64u
#define DOMID 7u

static struct fakedom *f;
static struct dom *dom;
static struct gnt_map *g;

static void set_up(void)
{
	fakedom_run_dir();
	f = fakedom_new(DOMID, PAGES);
	cr_assert_eq(dom_connect(&dom, DOMID, DOM_ROLE_BACKEND, "vbd/1", false),
		     0);
	cr_assert_eq(gnt_new(&g, dom), 0);
}

static void tear_down(void)
{
	gnt_free(g);
	dom_free(dom);
	fakedom_free(f);
	fakedom_run_dir_remove();
}

TestSuite(gnt_map, .init = set_up, .fini = tear_down);

static uint16_t flags(uint32_t ref)
{
	return __atomic_load_n(&fakedom_entry(f, ref)->flags, __ATOMIC_SEQ_CST);
}

Test(gnt_map, page_is_the_guests)
{
	static const uint64_t gfns[] = { 0, 1, PAGES / 2 - 1, FAKEDOM_HIGH,
					 FAKEDOM_HIGH + PAGES / 2 - 1 };
	void *page;

	for (size_t i = 0; i < sizeof(gfns) / sizeof(gfns[0]); i++) {
		uint32_t ref = fakedom_grant(f, gfns[i], 0);

		memset(fakedom_page(f, gfns[i]), 0x40 + (int)i, 4096);
		cr_assert_eq(gnt_get(g, ref, GNT_WRITE, &page), 0);
		cr_expect_eq(*(char *)page, 0x40 + (int)i);
		((char *)page)[4095] = 'w';
		cr_expect_eq(((char *)fakedom_page(f, gfns[i]))[4095], 'w');
		gnt_put(g, ref, GNT_WRITE);
	}
}

Test(gnt_map, bits_tell_the_guest)
{
	uint32_t ref = fakedom_grant(f, 3, 0);
	void *page;

	cr_assert_eq(gnt_get(g, ref, GNT_READ, &page), 0);
	cr_expect_eq(flags(ref), GTF_permit_access | GTF_reading);
	cr_assert_eq(gnt_get(g, ref, GNT_WRITE, &page), 0);
	cr_expect_eq(flags(ref), GTF_permit_access | GTF_reading | GTF_writing);
	cr_assert_eq(gnt_get(g, ref, GNT_WRITE, &page), 0);
	cr_expect_eq(gnt_pins(g, ref), 3);
	gnt_put(g, ref, GNT_WRITE);
	cr_expect_eq(flags(ref), GTF_permit_access | GTF_reading | GTF_writing);
	gnt_put(g, ref, GNT_WRITE);
	cr_expect_eq(flags(ref), GTF_permit_access | GTF_reading);
	gnt_put(g, ref, GNT_READ);
	cr_expect_eq(flags(ref), GTF_permit_access);
	cr_expect_eq(gnt_pins(g, ref), 0);
}

/* What the last owner of a table has left can be seen; a grant made anew has none. */
Test(gnt_map, marks_outlive_their_owner)
{
	uint32_t ref = fakedom_grant(f, 3, 0);
	void *page;

	cr_expect(!gnt_marked(g, ref));
	cr_assert_eq(gnt_get(g, ref, GNT_READ, &page), 0);
	cr_expect(!gnt_marked(g, ref), "not for writing");
	cr_assert_eq(gnt_get(g, ref, GNT_WRITE, &page), 0);
	cr_expect(gnt_marked(g, ref));
	fakedom_entry(f, ref)->flags = GTF_permit_access;
	cr_expect(!gnt_marked(g, ref));
	gnt_put(g, ref, GNT_WRITE);
	gnt_put(g, ref, GNT_READ);
	fakedom_entry(f, ref)->flags |= GTF_writing;
	cr_expect(gnt_marked(g, ref));
	cr_expect(!gnt_marked(g, UINT32_MAX));
}

struct lie {
	char name[32];
	uint16_t flags, domid;
	uint32_t frame;
	enum gnt_access access;
	int want;
};

ParameterizedTestParameters(gnt_map, lies)
{
	static struct lie t[] = {
		{ "honest", GTF_permit_access, 0, 5, GNT_WRITE, 0 },
		{ "cache bits", GTF_permit_access | GTF_PWT, 0, 5, GNT_WRITE,
		  0 },
		{ "readonly, read", GTF_permit_access | GTF_readonly, 0, 5,
		  GNT_READ, 0 },
		{ "readonly, write", GTF_permit_access | GTF_readonly, 0, 5,
		  GNT_WRITE, -EACCES },
		{ "invalid", 0, 0, 5, GNT_READ, -EACCES },
		{ "transfer", GTF_accept_transfer, 0, 5, GNT_READ, -EACCES },
		{ "transitive", GTF_transitive, 0, 5, GNT_READ, -EACCES },
		{ "sub page", GTF_permit_access | GTF_sub_page, 0, 5, GNT_READ,
		  -EACCES },
		{ "another domain", GTF_permit_access, 1, 5, GNT_READ,
		  -EACCES },
		{ "DOMID_SELF", GTF_permit_access, 0x7ff0, 5, GNT_READ,
		  -EACCES },
		{ "end of low RAM", GTF_permit_access, 0, PAGES / 2, GNT_READ,
		  -EFAULT },
		{ "below high RAM", GTF_permit_access, 0, FAKEDOM_HIGH - 1,
		  GNT_READ, -EFAULT },
		{ "end of high RAM", GTF_permit_access, 0,
		  FAKEDOM_HIGH + PAGES / 2, GNT_READ, -EFAULT },
		{ "store page", GTF_permit_access, 0, FAKEDOM_STORE_GFN,
		  GNT_READ, -EFAULT },
		{ "console page", GTF_permit_access, 0, FAKEDOM_CONSOLE_GFN,
		  GNT_READ, -EFAULT },
		{ "LAPIC", GTF_permit_access, 0, 0xfee00, GNT_READ, -EFAULT },
		{ "last frame", GTF_permit_access, 0, UINT32_MAX, GNT_READ,
		  -EFAULT },
	};

	return cr_make_param_array(struct lie, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct lie *t, gnt_map, lies)
{
	uint32_t ref = fakedom_grant(f, 5, 0);
	void *page = NULL;

	fakedom_entry(f, ref)->domid = t->domid;
	fakedom_entry(f, ref)->frame = t->frame;
	fakedom_entry(f, ref)->flags = t->flags;
	cr_expect_eq(gnt_get(g, ref, t->access, &page), t->want, "%s", t->name);
	cr_expect_eq(page != NULL, t->want == 0, "%s", t->name);
	cr_expect_eq(gnt_pins(g, ref), t->want == 0, "%s", t->name);
	if (!t->want)
		gnt_put(g, ref, t->access);
	cr_expect_eq(flags(ref), t->flags, "%s: bits left behind", t->name);
}

Test(gnt_map, references_outside_the_table)
{
	void *page;

	cr_expect_eq(gnt_get(g, 512, GNT_READ, &page), -ENOENT);
	cr_expect_eq(gnt_get(g, 1024 * 512, GNT_READ, &page), -ENOENT);
	cr_expect_eq(gnt_get(g, UINT32_MAX, GNT_READ, &page), -ENOENT);
}

Test(gnt_map, table_grows_under_us)
{
	uint32_t last = FAKEDOM_GNT_FRAMES * 512 - 1;
	grant_entry_v1_t *e = fakedom_entry(f, last);
	void *page;

	cr_expect_eq(gnt_get(g, last, GNT_READ, &page), -ENOENT);
	fakedom_grow(f, FAKEDOM_GNT_FRAMES);
	cr_expect_eq(gnt_get(g, last, GNT_READ, &page), -EACCES);
	*e = (grant_entry_v1_t){ GTF_permit_access, 0, 9 };
	cr_expect_eq(gnt_get(g, last, GNT_READ, &page), 0);
	gnt_put(g, last, GNT_READ);
	cr_expect_eq(gnt_get(g, last + 1, GNT_READ, &page), -ENOENT);
}

/* Changing a pinned entry spoils nothing but the guest's own bookkeeping. */
Test(gnt_map, entry_changed_while_pinned)
{
	uint32_t ref = fakedom_grant(f, 3, 0);
	void *page, *other;

	cr_assert_eq(gnt_get(g, ref, GNT_WRITE, &page), 0);
	*fakedom_entry(f, ref) = (grant_entry_v1_t){ 0, 9, 0x12345678 };
	cr_expect_eq(gnt_get(g, ref, GNT_READ, &other), -EACCES);
	cr_expect_eq(gnt_pins(g, ref), 1);
	gnt_put(g, ref, GNT_WRITE);
	cr_expect_eq(flags(ref), 0);
	cr_expect_eq(gnt_pins(g, ref), 0);
}

Test(gnt_map, too_many_uses)
{
	uint32_t ref = fakedom_grant(f, 3, 0);
	unsigned int n = 0;
	void *page;

	while (gnt_get(g, ref, GNT_WRITE, &page) == 0)
		cr_assert_lt(++n, 1u << 20);
	cr_expect_eq(n, 0x7fff);
	cr_expect_eq(gnt_get(g, ref, GNT_WRITE, &page), -EBUSY);
	cr_expect_eq(gnt_get(g, ref, GNT_READ, &page), 0, "counted apart");
	gnt_put(g, ref, GNT_READ);
	while (n--)
		gnt_put(g, ref, GNT_WRITE);
	cr_expect_eq(flags(ref), GTF_permit_access);
}

/* Against a plain model: no bit without a use, no use without its bit. */
Test(gnt_map, random_uses_against_a_model)
{
	unsigned int uses[4][2] = { 0 };
	uint32_t ref[4];
	void *page;

	for (int i = 0; i < 4; i++)
		ref[i] = fakedom_grant(f, (uint64_t)i, 0);
	srand(1);
	for (int step = 0; step < 100000; step++) {
		int r = rand() % 4, a = rand() % 2;
		uint16_t want = GTF_permit_access;

		if (rand() % 2) {
			cr_assert_eq(gnt_get(g, ref[r], (enum gnt_access)a,
					     &page),
				     0);
			uses[r][a]++;
		} else if (uses[r][a]) {
			gnt_put(g, ref[r], (enum gnt_access)a);
			uses[r][a]--;
		}
		if (uses[r][GNT_WRITE])
			want |= GTF_writing | GTF_reading;
		if (uses[r][GNT_READ])
			want |= GTF_reading;
		cr_assert_eq(flags(ref[r]), want, "step %d", step);
	}
}

static void *use_it(void *arg)
{
	uint32_t ref = *(uint32_t *)arg;
	long bad = 0;
	void *page;

	for (int i = 0; i < 200000; i++) {
		int ret = gnt_get(g, ref, i % 2 ? GNT_READ : GNT_WRITE, &page);

		if (ret) {
			bad++;
			continue;
		}
		if (!(flags(ref) & GTF_reading))
			bad++;
		gnt_put(g, ref, i % 2 ? GNT_READ : GNT_WRITE);
	}
	return (void *)bad;
}

/* Queues of one device may use one reference; no bit clears under another. */
Test(gnt_map, threads_share_a_reference)
{
	uint32_t ref = fakedom_grant(f, 3, 0);
	pthread_t t[3];
	void *bad;

	for (int i = 0; i < 3; i++)
		cr_assert_eq(pthread_create(&t[i], NULL, use_it, &ref), 0);
	for (int i = 0; i < 3; i++) {
		pthread_join(t[i], &bad);
		cr_expect_null(bad);
	}
	cr_expect_eq(flags(ref), GTF_permit_access);
	cr_expect_eq(gnt_pins(g, ref), 0);
}

Test(gnt_map, domain_goes_away)
{
	struct fakedom *other = fakedom_new(DOMID + 1, PAGES);
	uint32_t ref = fakedom_grant(other, 3, 0);
	struct gnt_map *og;
	struct dom *od;
	void *page;

	cr_assert_eq(dom_connect(&od, DOMID + 1, DOM_ROLE_BACKEND, "vbd/1",
				 false),
		     0);
	cr_assert_eq(gnt_new(&og, od), 0);
	cr_assert_eq(gnt_get(og, ref, GNT_READ, &page), 0);
	fakedom_free(other);
	cr_expect_eq(*(char *)page, 0, "what we map stays mapped");
	gnt_put(og, ref, GNT_READ);
	cr_expect_eq(gnt_get(og, 5000, GNT_READ, &page), -ENOENT);
	cr_expect_neq(gnt_refresh(og), 0);
	gnt_free(og);
	dom_free(od);
}
