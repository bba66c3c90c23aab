// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/memory.c - how much memory a guest has: its balloon.
#include "hypervisor/memory.h"

#include <errno.h>
#include <stdlib.h>

#include "hypervisor/guestmem.h"
#include "hypervisor/vm.h"

void memory_init(struct vm *vm)
{
	vm->memory = (struct memory){ .given = NULL };
}

void memory_fini(struct vm *vm)
{
	free(vm->memory.given);
	vm->memory.given = NULL;
}

static bool is_given(const struct memory *m, uint64_t page)
{
	return m->given && m->given[page / 64] >> page % 64 & 1;
}

/*
 * The place of a range in the bitmap: regions are contiguous in the memfd, and
 * a range lies in one region.
 */
static int place(struct vm *vm, uint64_t gfn, uint64_t npages, uint64_t *page)
{
	uint64_t offset;

	if (npages > MEMORY_RANGE ||
	    !guestmem_ptr(vm->mem, gpa_of_gfn(gfn), npages << SV_PAGE_SHIFT) ||
	    guestmem_offset(vm->mem, gfn, &offset))
		return -EINVAL;
	*page = offset >> SV_PAGE_SHIFT;
	return 0;
}

static int check(const struct memory *m, uint64_t page, uint64_t npages,
		 bool given)
{
	for (uint64_t i = page; i < page + npages; i++) {
		if (is_given(m, i) != given)
			return -EINVAL;
	}
	return 0;
}

static void flip(struct memory *m, uint64_t page, uint64_t npages)
{
	for (uint64_t i = page; i < page + npages; i++)
		m->given[i / 64] ^= UINT64_C(1) << i % 64;
}

int memory_give(struct vm *vm, uint64_t gfn, uint64_t npages)
{
	struct memory *m = &vm->memory;
	uint64_t page;
	int ret;

	ret = place(vm, gfn, npages, &page);
	if (!ret)
		ret = check(m, page, npages, false);
	if (ret)
		return ret;
	if (!m->given)
		m->given = calloc((vm->mem->size >> SV_PAGE_SHIFT) / 64 + 1,
				  sizeof(*m->given));
	if (!m->given)
		return -ENOMEM;
	for (uint64_t i = 0; i < npages; i++)
		(void)gnttab_unplace(vm, gfn + i);
	ret = guestmem_discard(vm->mem, gfn, npages);
	if (ret)
		return ret;
	flip(m, page, npages);
	m->ngiven += npages;
	return 0;
}

int memory_take(struct vm *vm, uint64_t gfn, uint64_t npages)
{
	struct memory *m = &vm->memory;
	uint64_t page;
	int ret;

	ret = place(vm, gfn, npages, &page);
	if (!ret)
		ret = check(m, page, npages, true);
	if (ret)
		return ret;
	flip(m, page, npages);
	m->ngiven -= npages;
	return 0;
}

int memory_restore(struct vm *vm, uint64_t first, const uint64_t *words,
		   uint64_t n)
{
	uint64_t pages = vm->mem->size >> SV_PAGE_SHIFT, all = pages / 64 + 1;
	struct memory *m = &vm->memory;

	if (first > all || n > all - first)
		return -EINVAL;
	/* Behind the last page there is none to be given. */
	if (first + n == all && n && words[n - 1] >> pages % 64)
		return -EINVAL;
	if (!m->given)
		m->given = calloc(all, sizeof(*m->given));
	if (!m->given)
		return -ENOMEM;
	for (uint64_t i = 0; i < n; i++) {
		m->ngiven -=
			(uint64_t)__builtin_popcountll(m->given[first + i]);
		m->given[first + i] = words[i];
		m->ngiven += (uint64_t)__builtin_popcountll(words[i]);
	}
	return 0;
}

uint64_t memory_pages(const struct vm *vm)
{
	return (vm->mem->size >> SV_PAGE_SHIFT) - vm->memory.ngiven;
}
