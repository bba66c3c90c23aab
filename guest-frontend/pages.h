/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/pages.h - memory by the page. */
#ifndef GUEST_FRONTEND_PAGES_H
#define GUEST_FRONTEND_PAGES_H

#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES 4096u

/**
 * pages_add() - Hand a range of free RAM to the allocator, once, at start-up.
 * @from, @to: Addresses; shortened to whole pages.
 */
void pages_add(uintptr_t from, uintptr_t to);

/**
 * pages_alloc() - Take pages that follow each other.
 *
 * Return: zeroed memory, *owned*; NULL when there is none.
 */
void *pages_alloc(size_t n);

/** pages_free() - Give @n pages back; NULL is fine. */
void pages_free(void *p, size_t n);

/** pages_left() - Number of free pages. */
size_t pages_left(void);

/** page_gfn() - Guest frame number of a page. */
uint64_t page_gfn(const void *p);

#endif
