/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_gnttab.c - grant frames, their places, and copies. */
#include "hypervisor/gnttab.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "hypervisor/layout.h"
#include "tests/lib/fakevm.h"

#define SRC UINT64_C(0x300000)
#define DST UINT64_C(0x301000)

static struct fakevm *f;
static struct vm *vm;

static void setup(void)
{
	f = fakevm_new(1);
	vm = &f->vm;
}

static void teardown(void)
{
	fakevm_free(f);
}

TestSuite(gnttab, .init = setup, .fini = teardown);

static struct grant_entry_v1 *entry(uint32_t ref)
{
	struct grant_entry_v1 *frame =
		(struct grant_entry_v1 *)(void *)vm->gnttab.frame[ref / 512]
			.host;

	return &frame[ref % 512];
}

static void grant(uint32_t ref, uint16_t flags, uint16_t domid, uint64_t gpa)
{
	*entry(ref) = (struct grant_entry_v1){
		.flags = flags,
		.domid = domid,
		.frame = (uint32_t)(gpa >> 12),
	};
}

Test(gnttab, seeded_for_console_and_store)
{
	cr_expect_eq(entry(0)->flags, GTF_permit_access);
	cr_expect_eq(entry(0)->domid, 0);
	cr_expect_eq(entry(0)->frame, LAYOUT_CONSOLE >> 12);
	cr_expect_eq(entry(1)->frame, LAYOUT_STORE >> 12);
	cr_expect_eq(entry(2)->flags, 0);
}

Test(gnttab, frames_in_ram_are_used_in_place)
{
	struct dom_frames d;

	cr_assert_eq(gnttab_place(vm, 0, LAYOUT_GRANT >> 12), 0);
	cr_expect_eq(vm->gnttab.frame[0].host, fakevm_at(f, LAYOUT_GRANT));
	cr_expect_eq(entry(1)->frame, LAYOUT_STORE >> 12, "contents moved");
	for (unsigned int i = 0; i < FAKEVM_SLOTS; i++)
		cr_expect_eq(f->slot_gpa[i], UINT64_MAX);
	gnttab_frames(vm, 0, &d);
	cr_expect_eq(d.n, 1);
	cr_expect_eq(d.total, 1);
	cr_expect(d.frame[0].in_ram);
	cr_expect_eq(d.frame[0].offset, LAYOUT_GRANT);
}

Test(gnttab, frames_in_a_hole_have_a_slot)
{
	uint64_t hole = UINT64_C(0xc0000);
	struct dom_frames d;

	cr_assert_eq(gnttab_place(vm, 1, hole), 0);
	cr_expect_eq(vm->gnttab.nr, 2);
	cr_expect_eq(f->slot_gpa[VM_SLOT_GRANT + 1], hole << 12);
	gnttab_frames(vm, 1, &d);
	cr_expect_eq(d.n, 1);
	cr_expect_not(d.frame[0].in_ram);
	cr_expect_eq(d.frame[0].offset, 4096);
	/* Two frames at one place: the second is refused. */
	cr_expect_eq(gnttab_place(vm, 2, hole), -EINVAL);
	cr_expect_eq(vm->gnttab.nr, 2);
	/* Into RAM, and away again. */
	entry(512)->frame = 0x1234;
	cr_assert_eq(gnttab_place(vm, 1, 0x300), 0);
	cr_expect_eq(f->slot_gpa[VM_SLOT_GRANT + 1], UINT64_MAX);
	cr_expect_eq(entry(512)->frame, 0x1234);
	entry(512)->frame = 0x5678;
	cr_expect(gnttab_unplace(vm, 0x300));
	cr_expect_not(gnttab_unplace(vm, 0x300));
	cr_expect_eq(entry(512)->frame, 0x5678);
}

Test(gnttab, places_that_cannot_be)
{
	static const uint64_t gfns[] = {
		LAYOUT_LAPIC >> 12,   LAYOUT_STORE >> 12, LAYOUT_CONSOLE >> 12,
		LAYOUT_SPECIAL >> 12, UINT64_C(1) << 40,  UINT64_MAX,
	};

	for (size_t i = 0; i < ARRAY_SIZE(gfns); i++)
		cr_expect_eq(gnttab_place(vm, 0, gfns[i]), -EINVAL, "%#llx",
			     (unsigned long long)gfns[i]);
	cr_expect_eq(gnttab_place(vm, 4, 0x300), -ENOSPC);
	cr_expect_eq(gnttab_place(vm, UINT64_MAX, 0x300), -ENOSPC);
	cr_expect_eq(gnttab_grow(vm, 5), -ENOSPC);
	cr_expect_eq(gnttab_grow(vm, UINT64_MAX), -ENOSPC);
	cr_expect_eq(vm->gnttab.nr, 1);
}

struct copy {
	char name[40];
	bool src_ref, dst_ref;
	uint64_t src, dst;
	uint16_t src_off, dst_off, len, src_dom;
	int16_t want;
};

ParameterizedTestParameters(gnttab, copies)
{
	static struct copy t[] = {
		{ "frames", 0, 0, SRC >> 12, DST >> 12, 0, 0, 4096, DOMID_SELF,
		  GNTST_okay },
		{ "last byte", 0, 0, SRC >> 12, DST >> 12, 4095, 4095, 1,
		  FAKEVM_DOMID, GNTST_okay },
		{ "source crosses", 0, 0, SRC >> 12, DST >> 12, 4095, 0, 2,
		  DOMID_SELF, GNTST_bad_copy_arg },
		{ "dest crosses", 0, 0, SRC >> 12, DST >> 12, 0, 1, 4096,
		  DOMID_SELF, GNTST_bad_copy_arg },
		{ "huge", 0, 0, SRC >> 12, DST >> 12, 0xffff, 0xffff, 0xffff,
		  DOMID_SELF, GNTST_bad_copy_arg },
		{ "not RAM", 0, 0, 0xfffff, DST >> 12, 0, 0, 8, DOMID_SELF,
		  GNTST_bad_page },
		{ "wraps", 0, 0, UINT64_MAX, DST >> 12, 0, 0, 8, DOMID_SELF,
		  GNTST_bad_page },
		{ "dom0's memory", 0, 0, SRC >> 12, DST >> 12, 0, 0, 8, 0,
		  GNTST_bad_domain },
		{ "read a read-only grant", 1, 0, 8, DST >> 12, 0, 0, 8,
		  DOMID_SELF, GNTST_okay },
		{ "write a read-only grant", 0, 1, SRC >> 12, 8, 0, 0, 8,
		  DOMID_SELF, GNTST_general_error },
		{ "write a grant", 0, 1, SRC >> 12, 9, 0, 0, 8, DOMID_SELF,
		  GNTST_okay },
		{ "grant for another", 1, 0, 10, DST >> 12, 0, 0, 8, DOMID_SELF,
		  GNTST_general_error },
		{ "transitive", 1, 0, 11, DST >> 12, 0, 0, 8, DOMID_SELF,
		  GNTST_general_error },
		{ "free entry", 1, 0, 12, DST >> 12, 0, 0, 8, DOMID_SELF,
		  GNTST_general_error },
		{ "grant of no RAM", 1, 0, 13, DST >> 12, 0, 0, 8, DOMID_SELF,
		  GNTST_bad_page },
		{ "beyond the table", 1, 0, 512, DST >> 12, 0, 0, 8, DOMID_SELF,
		  GNTST_bad_gntref },
		{ "far beyond", 1, 0, UINT32_MAX, DST >> 12, 0, 0, 8,
		  DOMID_SELF, GNTST_bad_gntref },
	};
	return cr_make_param_array(struct copy, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct copy *t, gnttab, copies)
{
	struct gnttab_copy c = { .len = t->len };
	uint8_t *src = fakevm_at(f, SRC), *dst = fakevm_at(f, DST);
	struct grant_entry_v1 before[16], after[16];

	memset(src, 'x', 4096);
	grant(8, GTF_permit_access | GTF_readonly, FAKEVM_DOMID, SRC);
	grant(9, GTF_permit_access, FAKEVM_DOMID, DST);
	grant(10, GTF_permit_access, FAKEVM_DOMID + 1, SRC);
	grant(11, GTF_transitive, FAKEVM_DOMID, SRC);
	grant(13, GTF_permit_access, FAKEVM_DOMID, UINT64_C(0xfffff000));
	c.source.u.gmfn = t->src;
	c.source.domid = t->src_dom;
	c.source.offset = t->src_off;
	c.dest.u.gmfn = t->dst;
	c.dest.domid = DOMID_SELF;
	c.dest.offset = t->dst_off;
	c.flags = (uint16_t)((t->src_ref ? GNTCOPY_source_gref : 0) |
			     (t->dst_ref ? GNTCOPY_dest_gref : 0));
	memcpy(before, entry(0), sizeof(before));
	cr_expect_eq(gnttab_copy(vm, &c), t->want, "%s", t->name);
	memcpy(after, entry(0), sizeof(after));
	cr_expect_arr_eq(before, after, sizeof(before),
			 "%s: no mark is left behind", t->name);
	cr_expect_eq(dst[t->dst_off % 4096] == 'x', t->want == GNTST_okay, "%s",
		     t->name);
}

Test(gnttab, copy_keeps_anothers_marks)
{
	struct gnttab_copy c = { .len = 8, .flags = GNTCOPY_source_gref };

	grant(8, GTF_permit_access | GTF_reading, FAKEVM_DOMID, SRC);
	c.source.u.ref = 8;
	c.source.domid = c.dest.domid = DOMID_SELF;
	c.dest.u.gmfn = DST >> 12;
	cr_expect_eq(gnttab_copy(vm, &c), GNTST_okay);
	cr_expect_eq(entry(8)->flags, GTF_permit_access | GTF_reading);
	c.flags |= 4;
	cr_expect_eq(gnttab_copy(vm, &c), GNTST_general_error);
}
