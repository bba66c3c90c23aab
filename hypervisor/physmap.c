// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/physmap.c - pages of ours at guest frames that the guest picks.
#include "hypervisor/physmap.h"

#include <errno.h>
#include <string.h>

#include "hypervisor/guestmem.h"
#include "hypervisor/layout.h"
#include "hypervisor/vm.h"

/* Frames above 52 address bits do not exist on x86. */
#define GFN_LIMIT (UINT64_C(1) << (52 - SV_PAGE_SHIFT))

void physmap_init(struct physmap_page *p, uint8_t SHM *home, unsigned int slot)
{
	*p = (struct physmap_page){
		.host = home, .home = home, .gfn = PHYSMAP_NONE, .slot = slot
	};
}

static bool usable(uint64_t gfn)
{
	uint64_t special = LAYOUT_SPECIAL >> SV_PAGE_SHIFT;

	if (gfn >= GFN_LIMIT || gfn == LAYOUT_LAPIC >> SV_PAGE_SHIFT)
		return false;
	return gfn < special || gfn >= special + LAYOUT_SPECIAL_PAGES;
}

void physmap_remove(struct vm *vm, struct physmap_page *p)
{
	if (p->in_ram)
		memcpy(shm_bulk(p->home), shm_bulk(p->host), SV_PAGE_SIZE);
	else if (p->gfn != PHYSMAP_NONE &&
		 vm->engine->slot(vm, p->slot, gpa_of(0), NULL, 0))
		log_warn("memory slot %u: cannot be removed", p->slot);
	p->host = p->home;
	p->gfn = PHYSMAP_NONE;
	p->in_ram = false;
}

int physmap_place(struct vm *vm, struct physmap_page *p, uint64_t gfn)
{
	uint8_t SHM *ram;
	int ret;

	if (!usable(gfn))
		return -EINVAL;
	if (gfn == p->gfn)
		return 0;
	physmap_remove(vm, p);
	ram = guestmem_ptr(vm->mem, gpa_of_gfn(gfn), SV_PAGE_SIZE);
	if (ram) {
		memcpy(shm_bulk(ram), shm_bulk(p->home), SV_PAGE_SIZE);
		p->host = ram;
		p->in_ram = true;
	} else {
		ret = vm->engine->slot(vm, p->slot, gpa_of_gfn(gfn), p->home,
				       SV_PAGE_SIZE);
		if (ret)
			return ret == -EEXIST ? -EINVAL : ret;
	}
	p->gfn = gfn;
	return 0;
}
