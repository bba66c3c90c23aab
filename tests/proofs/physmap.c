/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/proofs/physmap.c - V1: pages of ours at frames that a guest picks. */
#include "tests/proofs/env.h"

#include "hypervisor/physmap.c"

/*
 * PROOF: placed
 * BROKEN: placed hypervisor/physmap.c s/gfn >= GFN_LIMIT || //
 * BROKEN: placed hypervisor/physmap.c s/gfn < special || gfn >= special + LAYOUT_SPECIAL_PAGES/true/
 * BROKEN: placed hypervisor/physmap.c s/ret == -EEXIST ? -EINVAL : ret/ret/
 */

static uint8_t home[SV_PAGE_SIZE], ram[2][SV_PAGE_SIZE];
static uint64_t shown = PHYSMAP_NONE; /* where a memory slot has the page */

/* Two frames of RAM and nothing else: translated() shows it for any. */
void *guestmem_ptr(const struct guestmem *m, gpa_t gpa, uint64_t len)
{
	(void)m;
	PROVE(len == SV_PAGE_SIZE, "a page");
	return gpa.v / SV_PAGE_SIZE < 2 ? ram[gpa.v / SV_PAGE_SIZE] : NULL;
}

static int slot(struct vm *vm, unsigned int n, gpa_t gpa, void *host,
		uint64_t size)
{
	(void)vm;
	(void)n;
	PROVE(size == 0 || (host == home && size == SV_PAGE_SIZE),
	      "our page or nothing");
	PROVE(gpa.v % SV_PAGE_SIZE == 0 && gpa.v >> 52 == 0, "a real frame");
	if (any_bool())
		return any_bool() ? -EEXIST : -EINVAL;
	shown = size ? gpa.v / SV_PAGE_SIZE : PHYSMAP_NONE;
	return 0;
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

void *memcpy(void *to, const void *from, size_t n)
{
	PROVE(__CPROVER_w_ok(to, n) && __CPROVER_r_ok(from, n), "whole pages");
	PROVE(!__CPROVER_same_object(to, home) ||
		      !__CPROVER_same_object(from, home),
	      "from one place to another");
	return to;
}

static bool invariant(const struct physmap_page *p)
{
	if (p->gfn == PHYSMAP_NONE || !p->in_ram)
		return p->host == home && !p->in_ram;
	return p->gfn < 2 && p->host == ram[p->gfn];
}

static struct physmap_page any_page(void)
{
	struct physmap_page p;

	physmap_init(&p, home, 3);
	PROVE(invariant(&p), "as it begins");
	p.gfn = any_u64();
	p.in_ram = any_bool();
	if (p.in_ram)
		p.host = ram[p.gfn % 2];
	ASSUME(invariant(&p));
	return p;
}

/* From any place to any frame, or home; whatever the host refuses. */
void placed(void)
{
	static const struct engine engine = { .slot = slot };
	struct vm vm = { .engine = &engine };
	struct physmap_page p = any_page();
	uint64_t gfn = any_u64(), special = LAYOUT_SPECIAL / SV_PAGE_SIZE;
	uint64_t old = p.gfn;
	int ret;

	if (any_bool()) {
		physmap_remove(&vm, &p);
		PROVE(p.gfn == PHYSMAP_NONE && invariant(&p), "it is home");
		return;
	}
	ret = physmap_place(&vm, &p, gfn);
	PROVE(invariant(&p), "it is at home or in RAM, all of it");
	PROVE(ret || p.gfn == gfn, "where the guest wants it");
	PROVE(ret != -EEXIST, "a frame in use is a wrong frame");
	PROVE(ret || gfn == old ||
		      (gfn < UINT64_C(1) << 40 &&
		       gfn != LAYOUT_LAPIC / SV_PAGE_SIZE &&
		       gfn - special >= LAYOUT_SPECIAL_PAGES),
	      "never over what is not the guest's");
}
