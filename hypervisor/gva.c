// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/gva.c - guest-virtual addresses: the only walk of page tables.
#include "hypervisor/gva.h"

#include <errno.h>

/* Architectural bits (Intel SDM volume 3, chapter 4). */
#define CR0_WP	 (UINT64_C(1) << 16)
#define CR0_PG	 (UINT64_C(1) << 31)
#define CR4_PSE	 (UINT64_C(1) << 4)
#define CR4_PAE	 (UINT64_C(1) << 5)
#define CR4_LA57 (UINT64_C(1) << 12)
#define EFER_LMA (UINT64_C(1) << 10)

#define PTE_PRESENT (UINT64_C(1) << 0)
#define PTE_WRITE   (UINT64_C(1) << 1)
#define PTE_USER    (UINT64_C(1) << 2)
#define PTE_LARGE   (UINT64_C(1) << 7)
#define PTE_ADDR    UINT64_C(0x000ffffffffff000)

/** struct shape - One paging mode: how an address is cut into indices. */
struct shape {
	unsigned int levels;
	unsigned int bits;  /* of one index */
	unsigned int top;   /* bits of the topmost index */
	unsigned int entry; /* bytes */
	unsigned int large; /* highest level that may hold a large page */
};

static const struct shape shape_32 = { 2, 10, 10, 4, 2 };
static const struct shape shape_pae = { 3, 9, 2, 8, 2 };
static const struct shape shape_4 = { 4, 9, 9, 8, 3 };
static const struct shape shape_5 = { 5, 9, 9, 8, 3 };

static const struct shape *shape_of(const struct gva *g)
{
	if (!(g->cr4 & CR4_PAE))
		return &shape_32;
	if (!(g->efer & EFER_LMA))
		return &shape_pae;
	return g->cr4 & CR4_LA57 ? &shape_5 : &shape_4;
}

static uint64_t sign_extend(const struct shape *s, uint64_t addr)
{
	unsigned int unused = 64 - SV_PAGE_SHIFT - s->levels * s->bits;

	return (uint64_t)((int64_t)(addr << unused) >> unused);
}

static bool canonical(uint64_t addr, const struct shape *s)
{
	if (s->levels < 4)
		return addr >> 32 == 0;
	return sign_extend(s, addr) == addr;
}

/* Root of the tables: PAE's four entries need 32 bytes only. */
static uint64_t root_of(const struct gva *g, const struct shape *s)
{
	if (s == &shape_32)
		return g->cr3 & 0xfffff000;
	if (s == &shape_pae)
		return g->cr3 & 0xffffffe0;
	return g->cr3 & PTE_ADDR;
}

static int read_entry(const struct gva *g, const struct shape *s, uint64_t at,
		      uint64_t *pte)
{
	uint32_t pte32;
	int ret;

	if (s->entry == 8)
		return guestmem_read(g->mem, gpa_of(at), pte, 8);
	ret = guestmem_read(g->mem, gpa_of(at), &pte32, 4);
	if (!ret)
		*pte = pte32;
	return ret;
}

/* The address within a page of 1 << @shift bytes that @pte maps. */
static uint64_t leaf(const struct shape *s, uint64_t pte, uint64_t addr,
		     unsigned int shift)
{
	uint64_t in = (UINT64_C(1) << shift) - 1;
	uint64_t base = pte & PTE_ADDR & ~in;

	/* PSE-36: bits 13 to 20 of a 4 MiB entry are address bits 32 to 39. */
	if (s == &shape_32 && shift == 22)
		base = (pte & 0xffc00000) | (pte >> 13 & 0xff) << 32;
	return base | (addr & in);
}

static bool is_leaf(const struct gva *g, const struct shape *s, uint64_t pte,
		    unsigned int level)
{
	if (level == 1)
		return true;
	if (level > s->large || !(pte & PTE_LARGE))
		return false;
	return s != &shape_32 || g->cr4 & CR4_PSE;
}

/* @all: Bits that all entries have. */
static int walk(const struct gva *g, uint64_t addr, bool write, gpa_t *gpa,
		uint64_t *all)
{
	bool need_write = write && g->cr0 & CR0_WP;
	const struct shape *s = shape_of(g);
	uint64_t table, pte, index;
	unsigned int shift;

	*all = g->cr0 & CR0_PG ? UINT64_MAX : 0;
	if (!g->longmode)
		addr = (uint32_t)addr;
	if (!(g->cr0 & CR0_PG)) {
		*gpa = gpa_of(addr);
		return 0;
	}
	if (!canonical(addr, s))
		return -EFAULT;
	table = root_of(g, s);
	for (unsigned int level = s->levels; level > 0; level--) {
		shift = SV_PAGE_SHIFT + (level - 1) * s->bits;
		index = addr >> shift &
			((1u << (level == s->levels ? s->top : s->bits)) - 1);
		if (read_entry(g, s, table + index * s->entry, &pte))
			return -EFAULT;
		if (!(pte & PTE_PRESENT))
			return -EFAULT;
		if (s != &shape_pae || level < 3)
			*all &= pte;
		/* PAE's top entries have no writable bit. */
		if (need_write && !(pte & PTE_WRITE) &&
		    !(s == &shape_pae && level == 3))
			return -EFAULT;
		if (is_leaf(g, s, pte, level)) {
			*gpa = gpa_of(leaf(s, pte, addr, shift));
			return 0;
		}
		table = pte & PTE_ADDR;
	}
	return -EFAULT;
}

int gva_to_gpa(const struct gva *g, uint64_t addr, bool write, gpa_t *gpa)
{
	uint64_t all;

	return walk(g, addr, write, gpa, &all);
}

bool gva_is_user(const struct gva *g, uint64_t addr)
{
	uint64_t all;
	gpa_t gpa;

	return !walk(g, addr, false, &gpa, &all) && all & PTE_USER;
}

/* Bytes from @addr to the end of its page, at most @len. */
static size_t in_page(uint64_t addr, size_t len)
{
	return MIN(len, SV_PAGE_SIZE - (size_t)(addr % SV_PAGE_SIZE));
}

int gva_read(const struct gva *g, void *to, uint64_t addr, size_t len)
{
	uint8_t *at = to;
	gpa_t gpa;
	size_t n;

	for (; len; len -= n, addr += n, at += n) {
		n = in_page(addr, len);
		if (gva_to_gpa(g, addr, false, &gpa) ||
		    guestmem_read(g->mem, gpa, at, n))
			return -EFAULT;
	}
	return 0;
}

int gva_write(const struct gva *g, uint64_t addr, const void *from, size_t len)
{
	const uint8_t *at = from;
	gpa_t gpa;
	size_t n;

	for (; len; len -= n, addr += n, at += n) {
		n = in_page(addr, len);
		if (gva_to_gpa(g, addr, true, &gpa) ||
		    guestmem_write(g->mem, gpa, at, n))
			return -EFAULT;
	}
	return 0;
}

int gva_range(const struct gva *g, uint64_t addr, size_t len, gpa_t *gpa)
{
	gpa_t first, next;
	uint64_t done;

	if (gva_to_gpa(g, addr, true, &first))
		return -EFAULT;
	for (done = in_page(addr, len); done < len; done += SV_PAGE_SIZE) {
		if (gva_to_gpa(g, addr + done, true, &next))
			return -EFAULT;
		if (next.v != first.v + done)
			return -EINVAL;
	}
	if (!guestmem_ptr(g->mem, first, len))
		return -EINVAL;
	*gpa = first;
	return 0;
}

/* ---- Everything that is mapped --------------------------------------------- */

#define MAX_LEVELS 5

/** struct step - Where the walk stands in a table. */
struct step {
	uint64_t table, base; /* which is for the addresses from @base on */
	uint64_t next;	      /* index */
};

int gva_each(const struct gva *g, uint64_t from,
	     int (*fn)(void *arg, uint64_t addr, gpa_t gpa, uint64_t size),
	     void *arg)
{
	const struct shape *s = shape_of(g);
	struct step step[MAX_LEVELS + 1] = { 0 };
	unsigned int level = s->levels, tables = 1, shift;
	uint64_t addr, pte, size;
	int ret = 0;

	if (!(g->cr0 & CR0_PG) || level < 4)
		return 0;
	step[level].table = root_of(g, s);
	while (level <= s->levels && !ret) {
		struct step *at = &step[level];
		uint64_t index = at->next++;

		if (index >> s->bits) {
			level++;
			continue;
		}
		shift = SV_PAGE_SHIFT + (level - 1) * s->bits;
		size = UINT64_C(1) << shift;
		addr = sign_extend(s, at->base | index << shift);
		if (addr + (size - 1) < from ||
		    read_entry(g, s, at->table + index * s->entry, &pte) ||
		    !(pte & PTE_PRESENT))
			continue;
		if (is_leaf(g, s, pte, level))
			ret = fn(arg, addr, gpa_of(leaf(s, pte, addr, shift)),
				 size);
		else if (tables++ == GVA_MAX_TABLES)
			ret = -E2BIG;
		else
			step[--level] =
				(struct step){ pte & PTE_ADDR, addr, 0 };
	}
	return ret;
}
