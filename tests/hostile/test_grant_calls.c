// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_grant_calls.c - a guest that lies to grant_table_op.
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>
#include <xen/grant_table.h>

#include "tests/lib/fakevm.h"
#include "tests/lib/flipper.h"

#define PAGES	8u
#define DATA	UINT64_C(0x300000) /* PAGES pages */
#define LIST	UINT64_C(0x200000) /* of copies */
#define RAM	(UINT64_C(16) << 20)
#define HOLE	UINT64_C(0x8000000) /* not RAM */
#define BATCH	150u
#define NENT	(SV_PAGE_SIZE / sizeof(struct grant_entry_v1))
#define NGRANTS 24u

static struct fakevm *f;
static struct vm *vm;

static void set_up(void)
{
	f = fakevm_new(2);
	vm = &f->vm;
	log_init("", LOG_LVL_ERR);
	srand(1);
}

static void tear_down(void)
{
	fakevm_free(f);
}

TestSuite(grant_calls, .init = set_up, .fini = tear_down, .timeout = 300);

static struct grant_entry_v1 *entry(uint32_t ref)
{
	return (struct grant_entry_v1 *)(void *)vm->gnttab.frame[0].host + ref;
}

static int64_t call(uint32_t op, uint64_t at, uint64_t count)
{
	return fakevm_call(f, __HYPERVISOR_grant_table_op, op, at, count);
}

/* ---- what there is not ------------------------------------------------------ */

/* GT-12, GT-15, GT-16, GT-17, GT-21: no operation but seven, whatever is asked. */
Test(grant_calls, operations_that_do_not_exist)
{
	static const uint64_t counts[] = { 0, 1, 2, UINT32_MAX, UINT64_MAX };
	static const uint64_t there =
		1 << GNTTABOP_map_grant_ref | 1 << GNTTABOP_unmap_grant_ref |
		1 << GNTTABOP_setup_table | 1 << GNTTABOP_copy |
		1 << GNTTABOP_query_size | 1 << GNTTABOP_set_version |
		1 << GNTTABOP_get_version;

	for (uint32_t op = 0; op < 64; op++) {
		if (there >> op & 1)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
			cr_expect_eq(call(op, LIST, counts[i]), -ENOSYS);
			cr_expect_eq(call(op, HOLE, counts[i]), -ENOSYS);
		}
	}
}

Test(grant_calls, version_1_only)
{
	struct gnttab_set_version *set = fakevm_at(f, LIST);
	struct gnttab_get_version *get = fakevm_at(f, LIST);

	for (uint32_t v = 0; v < 100; v++) {
		set->version = v;
		cr_expect_eq(call(GNTTABOP_set_version, LIST, 1),
			     v == 1   ? 0
			     : v == 2 ? -ENOSYS
				      : -EINVAL);
		memset(get, 0, sizeof(*get));
		get->dom = DOMID_SELF;
		cr_assert_eq(call(GNTTABOP_get_version, LIST, 1), 0);
		cr_expect_eq(get->version, 1);
	}
}

/* GT-03, GT-21: more frames than there may be; nothing of it is done. */
Test(grant_calls, growing_beyond_the_end)
{
	static const uint32_t frames[] = { 5, 6, 0x10000000, 0x20000001,
					   UINT32_MAX };
	struct gnttab_setup_table *s = fakevm_at(f, LIST);
	uint64_t *list = fakevm_at(f, DATA);

	for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
		memset(list, 0xaa, SV_PAGE_SIZE);
		*s = (struct gnttab_setup_table){ .dom = DOMID_SELF,
						  .nr_frames = frames[i] };
		s->frame_list.p = (void *)(uintptr_t)DATA;
		cr_expect_eq(call(GNTTABOP_setup_table, LIST, 1), 0);
		cr_expect_eq(s->status, GNTST_general_error);
		cr_expect_eq(vm->gnttab.nr, 1);
		for (size_t b = 0; b < SV_PAGE_SIZE / 8; b++)
			cr_assert_eq(list[b], UINT64_C(0xaaaaaaaaaaaaaaaa));
	}
}

/* ---- counts ----------------------------------------------------------------- */

/* GT-02: no count makes a step longer than HC_BATCH, or an index wrap. */
Test(grant_calls, counts)
{
	static const uint64_t at[] = { 0, LIST, RAM - 4096, RAM - 40,
				       UINT64_MAX - 100 };
	static const uint32_t ops[] = { GNTTABOP_map_grant_ref,
					GNTTABOP_unmap_grant_ref,
					GNTTABOP_copy };
	struct hc *hc = &f->vcpu[0].hc;

	for (size_t o = 0; o < ARRAY_SIZE(ops); o++) {
		cr_expect_eq(call(ops[o], HOLE, 0), 0);
		cr_expect_eq(call(ops[o], LIST, UINT32_MAX), -EINVAL);
		cr_expect_eq(call(ops[o], LIST, UINT64_C(1) << 31), -EINVAL);
		for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
			uint64_t arg[6] = { ops[o], at[i], INT32_MAX };
			uint64_t before = 0;
			int64_t ret = hc_begin(
				hc, 0, true, __HYPERVISOR_grant_table_op, arg);

			cr_assert_leq(hc->done, HC_BATCH);
			while (ret == HC_AGAIN) {
				before = hc->done;
				ret = hc_continue(hc);
				cr_assert_leq(hc->done - before, HC_BATCH);
			}
			cr_expect_eq(ret, -EFAULT, "op %u at %#llx", ops[o],
				     (unsigned long long)at[i]);
		}
	}
}

/* ---- copies ----------------------------------------------------------------- */

/* Of every kind: good, read-only, others', free, none, not RAM. */
static void make_grants(void)
{
	for (uint32_t i = 0; i < NGRANTS; i++) {
		struct grant_entry_v1 e = {
			.flags = GTF_permit_access,
			.domid = FAKEVM_DOMID,
			.frame = (uint32_t)(DATA >> 12) + i % PAGES,
		};

		switch (i % 12) {
		case 7:
			e.flags |= GTF_readonly;
			break;
		case 8:
			e.domid++;
			break;
		case 9:
			e.flags = 0;
			break;
		case 10:
			e.flags = GTF_transitive;
			break;
		case 11:
			e.frame = UINT32_MAX - i;
			break;
		default:
			break;
		}
		*entry(i) = e;
	}
}

static uint16_t any_size(void)
{
	static const uint16_t border[] = { 0,	 1,    2,      7,
					   64,	 2048, 4094,   4095,
					   4096, 4097, 0x8000, 0xffff };

	return rand() % 3 ? (uint16_t)(rand() % 2100)
			  : border[(size_t)rand() % ARRAY_SIZE(border)];
}

static struct gnttab_copy_ptr any_end(bool ref)
{
	struct gnttab_copy_ptr p = { .domid = DOMID_SELF,
				     .offset = any_size() };

	if (rand() % 8 == 0)
		p.domid = (domid_t)(rand() % 10);
	if (ref)
		p.u.ref = rand() % 16 ? (uint32_t)rand() % NGRANTS
				      : (uint32_t)rand() << 9;
	else
		p.u.gmfn = rand() % 16 ? (DATA >> 12) + (uint64_t)rand() % PAGES
				       : (uint64_t)rand() << 12;
	return p;
}

static struct gnttab_copy any_copy(void)
{
	struct gnttab_copy c = { .len = any_size(),
				 .flags = (uint16_t)(rand() % 4),
				 .status = 77 };

	if (rand() % 16 == 0)
		c.flags = (uint16_t)rand();
	c.source = any_end(c.flags & GNTCOPY_source_gref);
	c.dest = any_end(c.flags & GNTCOPY_dest_gref);
	return c;
}

/* The page an end names, by a plain reading of the rules; NULL: none. */
static uint8_t *model_page(uint8_t (*pages)[SV_PAGE_SIZE],
			   const struct gnttab_copy_ptr *p, bool ref,
			   bool write)
{
	uint64_t frame = p->u.gmfn;

	if (p->domid != DOMID_SELF && p->domid != FAKEVM_DOMID)
		return NULL;
	if (ref) {
		const struct grant_entry_v1 *e;

		if (p->u.ref >= NENT)
			return NULL;
		e = entry(p->u.ref);
		if ((e->flags & GTF_type_mask) != GTF_permit_access ||
		    e->domid != FAKEVM_DOMID ||
		    (write && e->flags & GTF_readonly))
			return NULL;
		frame = e->frame;
	}
	if (frame < DATA >> 12 || frame >= (DATA >> 12) + PAGES)
		return NULL;
	return pages[frame - (DATA >> 12)];
}

static bool model_copy(uint8_t (*pages)[SV_PAGE_SIZE],
		       const struct gnttab_copy *c)
{
	uint8_t *from, *to;

	if (c->flags > 3 || c->source.offset + c->len > (int)SV_PAGE_SIZE ||
	    c->dest.offset + c->len > (int)SV_PAGE_SIZE)
		return false;
	from = model_page(pages, &c->source, c->flags & GNTCOPY_source_gref,
			  false);
	to = model_page(pages, &c->dest, c->flags & GNTCOPY_dest_gref, true);
	if (!from || !to)
		return false;
	memmove(to + c->dest.offset, from + c->source.offset, c->len);
	return true;
}

/*
 * GT-09, GT-19, GT-22: batches of any copies do what a model does; each element
 * has its status, okay or negative, however the batch was cut into steps.
 */
Test(grant_calls, any_copies_against_a_model)
{
	static uint8_t pages[PAGES][SV_PAGE_SIZE];
	static struct gnttab_copy c[BATCH];
	struct gnttab_copy *list = fakevm_at(f, LIST);
	struct grant_entry_v1 before[NGRANTS];
	unsigned int good = 0;

	make_grants();
	memcpy(before, entry(0), sizeof(before));
	for (size_t i = 0; i < sizeof(pages); i++)
		((uint8_t *)pages)[i] = (uint8_t)rand();
	memcpy(fakevm_at(f, DATA), pages, sizeof(pages));
	for (int round = 0; round < 200; round++) {
		for (unsigned int i = 0; i < BATCH; i++)
			c[i] = any_copy();
		memcpy(list, c, sizeof(c));
		cr_assert_eq(call(GNTTABOP_copy, LIST, BATCH), 0);
		for (unsigned int i = 0; i < BATCH; i++) {
			bool want = model_copy(pages, &c[i]);

			good += want;
			cr_assert_eq(list[i].status == GNTST_okay, want,
				     "round %d, %u: %d", round, i,
				     list[i].status);
			cr_assert_leq(list[i].status, 0);
		}
		cr_assert_eq(memcmp(fakevm_at(f, DATA), pages, sizeof(pages)),
			     0, "round %d", round);
		cr_assert_eq(memcmp(before, entry(0), sizeof(before)), 0,
			     "a mark is left");
	}
	cr_expect_gt(good, 1000, "%u", good);
}

/* GT-13: after very many refusals of each kind, nothing is held. */
Test(grant_calls, refusals_hold_nothing)
{
	struct gnttab_copy *list = fakevm_at(f, LIST), good = { .len = 64 };

	make_grants();
	for (int i = 0; i < 100000; i++) {
		*list = any_copy();
		list->flags |= GNTCOPY_source_gref | GNTCOPY_dest_gref;
		list->source.u.ref = (uint32_t)i % NGRANTS;
		list->dest.u.ref = 7 + (uint32_t)i % 5; /* none to write to */
		list->source.domid = list->dest.domid = DOMID_SELF;
		cr_assert_eq(call(GNTTABOP_copy, LIST, 1), 0);
		cr_assert_lt(list->status, 0);
	}
	good.source.u.gmfn = DATA >> 12;
	good.dest.u.gmfn = (DATA >> 12) + 1;
	good.source.domid = good.dest.domid = DOMID_SELF;
	*list = good;
	cr_assert_eq(call(GNTTABOP_copy, LIST, 1), 0);
	cr_expect_eq(list->status, GNTST_okay);
	for (uint32_t i = 0; i < NGRANTS; i++)
		cr_expect_eq(entry(i)->flags & (GTF_reading | GTF_writing), 0);
}

/* ---- entries that change ---------------------------------------------------- */

static _Atomic bool flipping;

/* What it permits names one page, what it does not permit another. */
static void *flip_entry(void *arg)
{
	struct grant_entry_v1 good = *entry(0), other = good;
	uint64_t a, b, c;

	(void)arg;
	other.frame++;
	other.flags = 0;
	memcpy(&a, &good, sizeof(a));
	memcpy(&b, &other, sizeof(b));
	other.flags = GTF_permit_access;
	other.domid++;
	memcpy(&c, &other, sizeof(c));
	while (flipping) {
		__atomic_store_n((uint64_t *)(void *)entry(0), b,
				 __ATOMIC_RELAXED);
		__atomic_store_n((uint64_t *)(void *)entry(0), a,
				 __ATOMIC_RELAXED);
		__atomic_store_n((uint64_t *)(void *)entry(0), c,
				 __ATOMIC_RELAXED);
		__atomic_store_n((uint64_t *)(void *)entry(0), a,
				 __ATOMIC_RELAXED);
	}
	return NULL;
}

/* GT-14, GT-18: what is copied is what was judged, and it ends. */
Test(grant_calls, entries_change_under_us)
{
	struct gnttab_copy *list = fakevm_at(f, LIST);
	uint8_t *page = fakevm_at(f, DATA), *to = page + 4 * SV_PAGE_SIZE;
	unsigned long long begin = 0;
	unsigned long seen[2] = { 0 };
	pthread_t t;

	*entry(0) = (struct grant_entry_v1){ GTF_permit_access, FAKEVM_DOMID,
					     DATA >> 12 };
	memset(page, 'a', SV_PAGE_SIZE);
	memset(page + SV_PAGE_SIZE, 'b', SV_PAGE_SIZE);
	*list = (struct gnttab_copy){ .len = 64, .flags = GNTCOPY_source_gref };
	list->source.domid = list->dest.domid = DOMID_SELF;
	list->dest.u.gmfn = (DATA >> 12) + 4;
	flipping = true;
	cr_assert_eq(pthread_create(&t, NULL, flip_entry, NULL), 0);
	/* Both threads must run for once: the suite's time limit ends it. */
	while (flipper_time(&begin) || !seen[0] || !seen[1]) {
		memset(to, 0, 64);
		cr_assert_eq(call(GNTTABOP_copy, LIST, 1), 0);
		seen[list->status == GNTST_okay]++;
		for (int i = 0; i < 64; i++)
			cr_assert_neq(to[i], 'b', "%lu", seen[1]);
	}
	flipping = false;
	pthread_join(t, NULL);
	cr_log_info("%lu copied, %lu refused", seen[1], seen[0]);
}
