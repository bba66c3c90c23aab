// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/gnttab.c - the grant table (version 1) and its frames.
#include "hypervisor/gnttab.h"

#include <errno.h>
#include <stdint.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "hypervisor/guestmem.h"
#include "hypervisor/layout.h"
#include "hypervisor/vm.h"
#include "ring/shm.h"

/*
 * How it works
 *
 * A grant is an entry that the guest writes and a backend reads in place: there
 * is nothing to do here when one is used.  This file makes frames, shows them
 * where the guest wants them, and tells backends where they are: in RAM, or in
 * a memfd of the table's own for frames that the guest put into a hole.
 */

/* An entry as one word: flags, domid, frame from the lowest bits up. */
typedef _Atomic uint64_t entry_word;

/* Attempts to mark an entry that its guest keeps changing. */
#define MAX_TRIES 64

static uint8_t SHM *frame_of(const struct vm *vm, uint32_t ref)
{
	return vm->gnttab.frame[ref / GNTTAB_PER_FRAME].host;
}

static void seed(struct vm *vm, uint32_t ref, uint64_t gpa)
{
	struct grant_entry_v1 e = {
		.flags = GTF_permit_access,
		.domid = VM_BACKEND,
		.frame = (uint32_t)(gpa >> SV_PAGE_SHIFT),
	};

	shm_post(frame_of(vm, ref) + ref % GNTTAB_PER_FRAME * sizeof(e), &e,
		 sizeof(e));
}

static void make_first(struct vm *vm)
{
	vm->gnttab.nr = 1;
	seed(vm, GNTTAB_RESERVED_CONSOLE, LAYOUT_CONSOLE);
	seed(vm, GNTTAB_RESERVED_XENSTORE, LAYOUT_STORE);
}

int gnttab_init(struct vm *vm, unsigned int max)
{
	struct gnttab *g = &vm->gnttab;
	size_t size = (size_t)max * SV_PAGE_SIZE;
	void *map;

	g->fd = fd_memfd("sv-grants", size);
	if (g->fd < 0)
		return g->fd;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, g->fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	g->map = map;
	g->max = max;
	g->frame = calloc(max, sizeof(*g->frame));
	if (!g->frame)
		return -ENOMEM;
	for (unsigned int i = 0; i < max; i++)
		physmap_init(&g->frame[i], g->map + (size_t)i * SV_PAGE_SIZE,
			     VM_SLOT_GRANT + i);
	make_first(vm);
	return 0;
}

void gnttab_anew(struct vm *vm)
{
	struct gnttab *g = &vm->gnttab;

	for (unsigned int i = 0; i < g->nr; i++) {
		physmap_remove(vm, &g->frame[i]);
		memset(shm_bulk(g->frame[i].host), 0, SV_PAGE_SIZE);
	}
	make_first(vm);
}

void gnttab_fini(struct vm *vm)
{
	struct gnttab *g = &vm->gnttab;

	free(g->frame);
	g->frame = NULL;
	if (g->map)
		munmap(g->map, (size_t)g->max * SV_PAGE_SIZE);
	g->map = NULL;
	fd_close(&g->fd);
}

int gnttab_grow(struct vm *vm, uint64_t nr)
{
	if (nr > vm->gnttab.max)
		return -ENOSPC;
	vm->gnttab.nr = MAX(vm->gnttab.nr, (unsigned int)nr);
	return 0;
}

int gnttab_place(struct vm *vm, uint64_t idx, uint64_t gfn)
{
	int ret;

	if (idx >= vm->gnttab.max)
		return -ENOSPC;
	ret = physmap_place(vm, &vm->gnttab.frame[idx], gfn);
	return ret ? ret : gnttab_grow(vm, idx + 1);
}

bool gnttab_unplace(struct vm *vm, uint64_t gfn)
{
	for (unsigned int i = 0; i < vm->gnttab.nr; i++) {
		if (vm->gnttab.frame[i].gfn != gfn)
			continue;
		physmap_remove(vm, &vm->gnttab.frame[i]);
		return true;
	}
	return false;
}

void gnttab_frames(const struct vm *vm, uint32_t first, struct dom_frames *f)
{
	const struct gnttab *g = &vm->gnttab;
	const struct physmap_page *p;

	*f = (struct dom_frames){ .first = first, .total = g->nr };
	f->size = (uint64_t)g->max * SV_PAGE_SIZE;
	while (f->n < DOM_FRAMES_PER_MSG && first + f->n < g->nr) {
		p = &g->frame[first + f->n];
		f->frame[f->n].in_ram = p->in_ram;
		f->frame[f->n].offset = (uint64_t)(p->home - g->map);
		/* A frame is only ever placed where there is RAM. */
		if (p->in_ram &&
		    guestmem_offset(vm->mem, p->gfn, &f->frame[f->n].offset))
			return;
		f->n++;
	}
}

/** struct end - One side of a copy, checked. */
struct end {
	uint8_t SHM *page; /* UNTRUSTED */
	entry_word *entry; /* marked as in use, or NULL */
	uint64_t mark;	   /* bits to clear afterwards */
};

static entry_word *entry_of(const struct vm *vm, uint32_t ref)
{
	uint8_t SHM *at =
		frame_of(vm, ref) + ref % GNTTAB_PER_FRAME * sizeof(entry_word);

	return (entry_word *)(void *)at;
}

/* Xen's one answer to all of these, xen/common/grant_table.c. */
static int16_t check_entry(const struct vm *vm, uint64_t word, bool write)
{
	if ((word & GTF_type_mask) != GTF_permit_access ||
	    (uint16_t)(word >> 16) != vm->cfg.domid ||
	    (write && word & GTF_readonly))
		return GNTST_general_error;
	return GNTST_okay;
}

/* Mark @ref as read or written and find its page. */
static int16_t hold(struct vm *vm, uint32_t ref, bool write, struct end *end)
{
	uint64_t mark = GTF_reading | (write ? GTF_writing : 0);
	uint64_t word, frame;
	int16_t status;
	int tries = MAX_TRIES;

	if (ref >= vm->gnttab.nr * GNTTAB_PER_FRAME)
		return GNTST_bad_gntref;
	end->entry = entry_of(vm, ref);
	word = atomic_load(end->entry);
	do {
		shm_race(end->entry, sizeof(*end->entry));
		status = check_entry(vm, word, write);
		if (status == GNTST_okay && tries-- == 0)
			status = GNTST_eagain;
		if (status != GNTST_okay) {
			end->entry = NULL;
			return status;
		}
	} while (!atomic_compare_exchange_weak(end->entry, &word, word | mark));
	end->mark = mark & ~word;
	frame = word >> 32;
	end->page = guestmem_ptr(vm->mem, gpa_of_gfn(frame), SV_PAGE_SIZE);
	return end->page ? GNTST_okay : GNTST_bad_page;
}

static void release(struct end *end)
{
	if (end->entry)
		atomic_fetch_and(end->entry, ~end->mark);
}

static int16_t open_end(struct vm *vm, const struct gnttab_copy_ptr *p,
			bool is_ref, bool write, struct end *end)
{
	if (p->domid != DOMID_SELF && p->domid != vm->cfg.domid)
		return GNTST_bad_domain;
	if (is_ref)
		return hold(vm, p->u.ref, write, end);
	end->page = guestmem_ptr(vm->mem, gpa_of_gfn(p->u.gmfn), SV_PAGE_SIZE);
	return end->page ? GNTST_okay : GNTST_bad_page;
}

int16_t gnttab_copy(struct vm *vm, const struct gnttab_copy *op)
{
	struct end from = { .page = NULL }, to = { .page = NULL };
	int16_t status;

	if (op->flags & ~(GNTCOPY_source_gref | GNTCOPY_dest_gref))
		return GNTST_general_error;
	if (op->source.offset + op->len > SV_PAGE_SIZE ||
	    op->dest.offset + op->len > SV_PAGE_SIZE)
		return GNTST_bad_copy_arg;
	status = open_end(vm, &op->source, op->flags & GNTCOPY_source_gref,
			  false, &from);
	if (status == GNTST_okay)
		status = open_end(vm, &op->dest, op->flags & GNTCOPY_dest_gref,
				  true, &to);
	if (status == GNTST_okay)
		memmove(shm_bulk(to.page + op->dest.offset),
			shm_bulk(from.page + op->source.offset), op->len);
	release(&to);
	release(&from);
	return status;
}
