/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/pages.c - memory by the page: first fit in an ordered list. */
#include "guest-frontend/pages.h"

#include "guest-frontend/lock.h"
#include "guest-frontend/minilibc.h"

/* Lies at the start of the range that it describes. */
struct range {
	struct range *next; /* at a higher address */
	size_t n;	    /* pages */
};

static struct lock lock; /* for what follows */
static struct range *first;
static size_t left;

void pages_add(uintptr_t from, uintptr_t to)
{
	from = (from + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1);
	to &= ~(uintptr_t)(PAGE_BYTES - 1);
	if (from < to)
		pages_free((void *)from, (to - from) / PAGE_BYTES);
}

static void *take(size_t n)
{
	struct range **link = &first, *r;

	while (*link && (*link)->n < n)
		link = &(*link)->next;
	r = *link;
	if (!n || !r)
		return NULL;
	left -= n;
	r->n -= n;
	/* The end of the range: what is left stays where it is. */
	if (r->n) {
		r = (struct range *)((uintptr_t)r + r->n * PAGE_BYTES);
	} else {
		*link = r->next;
	}
	return r;
}

void *pages_alloc(size_t n)
{
	void *p;

	lock_take(&lock);
	p = take(n);
	lock_drop(&lock);
	return p ? memset(p, 0, n * PAGE_BYTES) : NULL;
}

static uintptr_t end_of(const struct range *r)
{
	return (uintptr_t)r + r->n * PAGE_BYTES;
}

static void put(struct range *r, size_t n)
{
	struct range **link = &first, *prev = NULL;

	while (*link && *link < r) {
		prev = *link;
		link = &prev->next;
	}
	*r = (struct range){ .next = *link, .n = n };
	*link = r;
	left += n;
	if (r->next && end_of(r) == (uintptr_t)r->next) {
		r->n += r->next->n;
		r->next = r->next->next;
	}
	if (prev && end_of(prev) == (uintptr_t)r) {
		prev->n += r->n;
		prev->next = r->next;
	}
}

void pages_free(void *p, size_t n)
{
	if (!p || !n)
		return;
	lock_take(&lock);
	put(p, n);
	lock_drop(&lock);
}

size_t pages_left(void)
{
	size_t n;

	lock_take(&lock);
	n = left;
	lock_drop(&lock);
	return n;
}
