/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_gva.c - page-table walks in every paging mode. */
#include "hypervisor/gva.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <string.h>

#define MIB	 (UINT64_C(1) << 20)
#define RAM	 (16 * MIB)
#define TABLES	 UINT64_C(0x100000) /* one page for each level, top first */
#define PAGE	 UINT64_C(0x200000) /* what is mapped */
#define P	 UINT64_C(1)
#define W	 UINT64_C(2)
#define LARGE	 UINT64_C(0x80)
#define NX	 (UINT64_C(1) << 63)
#define CR0_PG	 (UINT64_C(1) << 31)
#define CR0_WP	 (UINT64_C(1) << 16)
#define CR4_PSE	 UINT64_C(0x10)
#define CR4_PAE	 UINT64_C(0x20)
#define CR4_LA57 (UINT64_C(1) << 12)
#define LMA	 UINT64_C(0x400)

enum mode { NONE, LEGACY, PAE, FOUR, FIVE };

static struct gva make(enum mode mode)
{
	static const uint64_t cr4[] = { 0, CR4_PSE, CR4_PAE, CR4_PAE,
					CR4_PAE | CR4_LA57 };
	struct gva g = { .cr0 = mode == NONE ? 0 : CR0_PG | CR0_WP,
			 .cr3 = TABLES,
			 .cr4 = cr4[mode],
			 .efer = mode >= FOUR ? LMA : 0,
			 .longmode = mode >= FOUR };

	cr_assert_eq(guestmem_new(&g.mem, RAM), 0);
	return g;
}

static unsigned int levels(enum mode mode)
{
	static const unsigned int n[] = { 0, 2, 3, 4, 5 };

	return n[mode];
}

/* Index of @addr at @level (1 is the lowest). */
static uint64_t index_at(enum mode mode, uint64_t addr, unsigned int level)
{
	unsigned int bits = mode == LEGACY ? 10 : 9;

	return addr >> (12 + (level - 1) * bits) & ((1u << bits) - 1);
}

static uint64_t table(enum mode mode, unsigned int level)
{
	return TABLES + (levels(mode) - level) * 4096;
}

static void set(struct gva *g, enum mode mode, uint64_t addr,
		unsigned int level, uint64_t pte)
{
	uint64_t at = table(mode, level);
	uint32_t low = (uint32_t)pte;

	if (mode == LEGACY) {
		at += index_at(mode, addr, level) * 4;
		cr_assert_eq(guestmem_write(g->mem, gpa_of(at), &low, 4), 0);
		return;
	}
	at += (mode == PAE && level == 3 ? addr >> 30 & 3
					 : index_at(mode, addr, level)) *
	      8;
	cr_assert_eq(guestmem_write(g->mem, gpa_of(at), &pte, 8), 0);
}

/* Map @addr with a leaf at @leaf_level; tables above allow all. */
static void map(struct gva *g, enum mode mode, uint64_t addr,
		unsigned int leaf_level, uint64_t leaf)
{
	for (unsigned int l = levels(mode); l > leaf_level; l--)
		set(g, mode, addr, l,
		    table(mode, l - 1) | P | (mode == PAE && l == 3 ? 0 : W));
	set(g, mode, addr, leaf_level, leaf);
}

struct walk {
	char name[40];
	enum mode mode;
	unsigned int leaf_level;
	uint64_t addr, leaf;
	bool write;
	int want;
	uint64_t gpa;
};

#define A48 UINT64_C(0xffff888012345678)
#define A57 UINT64_C(0xff11888012345678)

ParameterizedTestParameters(gva, walks)
{
	static struct walk t[] = {
		{ "none", NONE, 0, 0x1234, 0, true, 0, 0x1234 },
		{ "none, cut to 32 bits", NONE, 0, 0x100001234, 0, true, 0,
		  0x1234 },
		{ "32, 4 KiB", LEGACY, 1, 0xc0001abc, PAGE | P | W, true, 0,
		  PAGE + 0xabc },
		{ "32, 4 MiB", LEGACY, 2, 0xc0101abc, 0x400000 | P | W | LARGE,
		  true, 0, 0x501abc },
		{ "32, 4 MiB above 4 GiB", LEGACY, 2, 0xc0101abc,
		  0x400000 | P | LARGE | 1 << 13, false, 0, 0x100501abc },
		{ "32, read-only", LEGACY, 1, 0xc0001abc, PAGE | P, true,
		  -EFAULT, 0 },
		{ "pae, 4 KiB", PAE, 1, 0xc0001abc, PAGE | P | W | NX, true, 0,
		  PAGE + 0xabc },
		{ "pae, 2 MiB", PAE, 2, 0xc0101abc, 0x400000 | P | W | LARGE,
		  true, 0, 0x501abc },
		{ "4, 4 KiB", FOUR, 1, A48, PAGE | P | W, true, 0,
		  PAGE + 0x678 },
		{ "4, no-execute", FOUR, 1, A48, PAGE | P | W | NX, true, 0,
		  PAGE + 0x678 },
		{ "4, 2 MiB", FOUR, 2, A48, 0x400000 | P | W | LARGE, true, 0,
		  0x545678 },
		{ "4, 1 GiB", FOUR, 3, A48, 0x40000000 | P | W | LARGE, true, 0,
		  0x52345678 },
		{ "4, large bit at the top is nothing", FOUR, 4, A48,
		  (TABLES + 4096) | P | W | LARGE, true, -EFAULT, 0 },
		{ "4, not present", FOUR, 1, A48, PAGE | W, false, -EFAULT, 0 },
		{ "4, read-only, read", FOUR, 1, A48, PAGE | P, false, 0,
		  PAGE + 0x678 },
		{ "4, read-only, write", FOUR, 1, A48, PAGE | P, true, -EFAULT,
		  0 },
		{ "4, read-only in the middle", FOUR, 2, A48,
		  0x400000 | P | LARGE, true, -EFAULT, 0 },
		{ "4, not canonical", FOUR, 1, A48 ^ UINT64_C(1) << 63,
		  PAGE | P | W, false, -EFAULT, 0 },
		{ "5, 4 KiB", FIVE, 1, A57, PAGE | P | W, true, 0,
		  PAGE + 0x678 },
		{ "5, 1 GiB", FIVE, 3, A57, 0x40000000 | P | W | LARGE, true, 0,
		  0x52345678 },
		{ "5, not canonical", FIVE, 1, A57 ^ UINT64_C(1) << 63,
		  PAGE | P | W, false, -EFAULT, 0 },
		{ "table outside RAM", FOUR, 2, A48, (RAM + 4096) | P | W,
		  false, -EFAULT, 0 },
	};
	return cr_make_param_array(struct walk, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct walk *t, gva, walks)
{
	struct gva g = make(t->mode);
	gpa_t gpa = gpa_of(0xdead);

	if (t->mode != NONE)
		map(&g, t->mode, t->addr, t->leaf_level, t->leaf);
	cr_expect_eq(gva_to_gpa(&g, t->addr, t->write, &gpa), t->want, "%s",
		     t->name);
	if (t->want == 0)
		cr_expect_eq(gpa.v, t->gpa, "%s: %#llx", t->name,
			     (unsigned long long)gpa.v);
	guestmem_free(g.mem);
}

Test(gva, supervisor_writes_without_wp)
{
	struct gva g = make(FOUR);
	gpa_t gpa;

	g.cr0 = CR0_PG;
	map(&g, FOUR, A48, 1, PAGE | P);
	cr_expect_eq(gva_to_gpa(&g, A48, true, &gpa), 0);
	guestmem_free(g.mem);
}

Test(gva, copies_cross_pages_that_lie_apart)
{
	struct gva g = make(FOUR);
	uint64_t addr = A48 & ~UINT64_C(4095);
	char in[64], out[64];

	memset(in, 'x', sizeof(in));
	in[0] = 'a';
	in[63] = 'z';
	map(&g, FOUR, addr, 1, PAGE | P | W);
	map(&g, FOUR, addr + 4096, 1, (PAGE + 0x5000) | P | W);
	cr_assert_eq(gva_write(&g, addr + 4090, in, sizeof(in)), 0);
	cr_assert_eq(gva_read(&g, out, addr + 4090, sizeof(out)), 0);
	cr_expect_arr_eq(in, out, sizeof(in));
	cr_expect_eq(*(char *)guestmem_ptr(g.mem, gpa_of(PAGE + 4090), 1), 'a');
	cr_expect_eq(*(char *)guestmem_ptr(g.mem, gpa_of(PAGE + 0x5000 + 57),
					   1),
		     'z');
	/* The second page is gone: the copy says so. */
	set(&g, FOUR, addr + 4096, 1, 0);
	cr_expect_eq(gva_read(&g, out, addr + 4090, sizeof(out)), -EFAULT);
	cr_expect_eq(gva_read(&g, out, addr + 4090, 6), 0);
	guestmem_free(g.mem);
}

Test(gva, ranges_must_be_contiguous_ram)
{
	struct gva g = make(FOUR);
	uint64_t addr = A48 & ~UINT64_C(4095);
	gpa_t gpa;

	map(&g, FOUR, addr, 1, PAGE | P | W);
	map(&g, FOUR, addr + 4096, 1, (PAGE + 4096) | P | W);
	cr_expect_eq(gva_range(&g, addr + 4090, 48, &gpa), 0);
	cr_expect_eq(gpa.v, PAGE + 4090);
	set(&g, FOUR, addr + 4096, 1, (PAGE + 0x5000) | P | W);
	cr_expect_eq(gva_range(&g, addr + 4090, 48, &gpa), -EINVAL);
	set(&g, FOUR, addr + 4096, 1, (PAGE + 4096) | P);
	cr_expect_eq(gva_range(&g, addr + 4090, 48, &gpa), -EFAULT);
	/* Mapped, but to a hole. */
	set(&g, FOUR, addr, 1, (RAM + 4096) | P | W);
	cr_expect_eq(gva_range(&g, addr, 48, &gpa), -EINVAL);
	guestmem_free(g.mem);
}

struct found {
	uint64_t n, until;
	uint64_t addr, gpa, size;
};

static int find(void *arg, uint64_t addr, gpa_t gpa, uint64_t size)
{
	struct found *f = arg;

	f->n++;
	f->addr = addr;
	f->gpa = gpa.v;
	f->size = size;
	return f->n == f->until;
}

/* A page in the upper half of the address space. */
static void each(enum mode mode, uint64_t addr)
{
	struct gva g = make(mode);
	struct found f = { 0 };

	map(&g, mode, addr, 2, 0x400000 | P | LARGE);
	cr_expect_eq(gva_each(&g, UINT64_C(1) << 63, find, &f), 0);
	cr_expect_eq(f.n, 1);
	cr_expect_eq(f.addr, addr);
	cr_expect_eq(f.gpa, 0x400000);
	cr_expect_eq(f.size, 2 * MIB);
	/* Not what lies before. */
	cr_expect_eq(gva_each(&g, addr + 2 * MIB, find, &f), 0);
	cr_expect_eq(f.n, 1);
	guestmem_free(g.mem);
}

Test(gva, each_page_with_4_levels)
{
	each(FOUR, UINT64_C(0xffff800000200000));
}

Test(gva, each_page_with_5_levels)
{
	each(FIVE, UINT64_C(0xff00000000200000));
}

Test(gva, each_page_without_long_mode_is_none)
{
	struct found f = { 0 };
	struct gva g = make(PAE);

	map(&g, PAE, 0x400000, 1, PAGE | P);
	cr_expect_eq(gva_each(&g, 0, find, &f), 0);
	g.cr0 = 0;
	cr_expect_eq(gva_each(&g, 0, find, &f), 0);
	cr_expect_eq(f.n, 0);
	guestmem_free(g.mem);
}

Test(gva, each_page_of_tables_that_contain_themselves, .timeout = 60)
{
	struct found f = { .until = 1000 };
	struct gva g = make(FOUR);

	for (uint64_t i = 0; i < 512; i++)
		set(&g, FOUR, i << 39, 4, TABLES | P);
	cr_expect_eq(gva_each(&g, 0, find, &f), 1);
	cr_expect_eq(f.n, 1000);
	f.until = 0;
	cr_expect_eq(gva_each(&g, 0, find, &f), -E2BIG);
	cr_expect_leq(f.n, GVA_MAX_TABLES * UINT64_C(512));
	guestmem_free(g.mem);
}
