/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/proofs/gnttab.c - V4: copies by grants, whatever the guest writes. */
#include "tests/proofs/atomics.h"

#include "hypervisor/gnttab.c"

/*
 * PROOF: copied
 * OPTIONS: copied --unwind 6
 * BROKEN: copied hypervisor/gnttab.c s/op->dest.offset + op->len > SV_PAGE_SIZE/0/
 * BROKEN: copied hypervisor/gnttab.c s/ref >= vm->gnttab.nr \* GNTTAB_PER_FRAME/ref > vm->gnttab.nr * GNTTAB_PER_FRAME/
 * BROKEN: copied hypervisor/gnttab.c s/(write && word & GTF_readonly)/0/
 * BROKEN: copied hypervisor/gnttab.c s/^\trelease(&from);//
 */

#define FRAMES 2
#define PAGES  2

static _Alignas(8) uint8_t table[FRAMES][SV_PAGE_SIZE];
static uint8_t ram[PAGES][SV_PAGE_SIZE];
static struct guestmem guest_ram;

static bool peers_word(const void *word, size_t size)
{
	PROVE(size == 8 && __CPROVER_rw_ok(word, 8) &&
		      __CPROVER_same_object(word, table),
	      "an entry of the table");
	return true;
}

/* V1 (guestmem.c) shows what it does: exactly the bytes asked for, or none. */
void *guestmem_ptr(const struct guestmem *m, gpa_t gpa, uint64_t len)
{
	uint64_t gfn = gpa.v >> SV_PAGE_SHIFT;

	(void)m;
	PROVE(len == SV_PAGE_SIZE, "a page");
	return gfn < PAGES ? ram[gfn] : NULL;
}

void *memmove(void *to, const void *from, size_t n)
{
	PROVE(__CPROVER_w_ok(to, n) && __CPROVER_r_ok(from, n),
	      "copies within two pages");
	PROVE(__CPROVER_same_object(to, ram) &&
		      __CPROVER_same_object(from, ram),
	      "of guest RAM");
	return to;
}

/* Any operation: the fields are the guest's, and its table is, too. */
void copied(void)
{
	struct physmap_page placed[FRAMES];
	struct vm vm = { .mem = &guest_ram };
	struct gnttab_copy c;
	int16_t status;

	vm.cfg.domid = any_u16();
	vm.gnttab.frame = placed;
	vm.gnttab.max = FRAMES;
	vm.gnttab.nr = any_bool() ? FRAMES : 1;
	for (unsigned int i = 0; i < FRAMES; i++)
		placed[i].host = table[i];
	status = gnttab_copy(&vm, &c);
	PROVE(status <= 0 && status >= GNTST_eagain, "its results");
	PROVE(peer.marked == peer.cleared, "no mark stays");
	if (status != GNTST_okay)
		return;
	PROVE(c.source.offset + c.len <= (int)SV_PAGE_SIZE &&
		      c.dest.offset + c.len <= (int)SV_PAGE_SIZE,
	      "each within its page");
	PROVE(!(c.flags & ~(GNTCOPY_source_gref | GNTCOPY_dest_gref)),
	      "no flag that is not known");
	PROVE(peer.marked == (c.flags & GNTCOPY_source_gref ? 1u : 0) +
				     (c.flags & GNTCOPY_dest_gref ? 1u : 0),
	      "each reference was marked while it was used");
	PROVE(!(c.flags & GNTCOPY_dest_gref) ||
		      ((peer.replaced & GTF_type_mask) == GTF_permit_access &&
		       !(peer.replaced & GTF_readonly) &&
		       (uint16_t)(peer.replaced >> 16) == vm.cfg.domid),
	      "written only if that is permitted, and to us");
}
