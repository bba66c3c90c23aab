/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/grants.c - the guest's grant table, version 1. */
#include "guest-frontend/grants.h"

#include <stddef.h>
#include <xen/errno.h>
#include <xen/grant_table.h>

#include "guest-frontend/lock.h"
#include "guest-frontend/pages.h"
#include "guest-frontend/start.h"

#define PER_FRAME  (PAGE_BYTES / sizeof(grant_entry_v1_t))
#define MAX_FRAMES 64u
#define RESERVED   8u /* Xen keeps the first for its own use */

/*
 * The entries of free references hold nothing that the other side may use: their
 * flags are 0.  They are kept apart, in a stack.
 */
static grant_entry_v1_t *table;
static struct lock lock; /* for what follows */
static uint16_t free_ref[MAX_FRAMES * PER_FRAME];
static unsigned int nfree, nframes;

int grants_init(unsigned int frames)
{
	if (!frames || frames > MAX_FRAMES)
		return -XEN_EINVAL;
	nframes = frames;
	nfree = 0;
	table = start_grant_table(frames);
	if (!table)
		return -XEN_ENOMEM;
	for (size_t ref = frames * PER_FRAME - 1; ref >= RESERVED; ref--)
		free_ref[nfree++] = (uint16_t)ref;
	return 0;
}

int grants_resume(void)
{
	return grants_init(nframes);
}

static uint32_t take(void)
{
	uint32_t ref = GRANTS_NONE;

	lock_take(&lock);
	if (nfree)
		ref = free_ref[--nfree];
	lock_drop(&lock);
	return ref;
}

uint32_t grants_give(unsigned int remote, const void *page, bool readonly)
{
	uint32_t ref = take();
	grant_entry_v1_t *e = &table[ref];

	if (ref == GRANTS_NONE)
		return ref;
	e->frame = (uint32_t)page_gfn(page);
	e->domid = (domid_t)remote;
	/* The flags last: they make it valid. */
	__atomic_store_n(&e->flags,
			 (uint16_t)(GTF_permit_access |
				    (readonly ? GTF_readonly : 0)),
			 __ATOMIC_RELEASE);
	return ref;
}

int grants_end(uint32_t ref)
{
	uint16_t *flags = &table[ref].flags;
	uint16_t old = __atomic_load_n(flags, __ATOMIC_RELAXED);

	if (ref == GRANTS_NONE)
		return 0;
	do {
		if (old & (GTF_reading | GTF_writing))
			return -XEN_EBUSY;
	} while (!__atomic_compare_exchange_n(
		flags, &old, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	lock_take(&lock);
	free_ref[nfree++] = (uint16_t)ref;
	lock_drop(&lock);
	return 0;
}

bool grants_page_make(struct grants_page *p, unsigned int remote, bool readonly)
{
	if (!p->mem)
		p->mem = pages_alloc(1);
	if (p->mem && p->ref == GRANTS_NONE)
		p->ref = grants_give(remote, p->mem, readonly);
	if (p->mem && p->ref != GRANTS_NONE)
		return true;
	grants_page_drop(p);
	return false;
}

void grants_page_lost(struct grants_page *p)
{
	p->ref = GRANTS_NONE;
}

void grants_page_drop(struct grants_page *p)
{
	if (p->mem && !grants_end(p->ref))
		pages_free(p->mem, 1);
	*p = (struct grants_page){ .mem = NULL };
}

unsigned int grants_free_refs(void)
{
	return nfree;
}
