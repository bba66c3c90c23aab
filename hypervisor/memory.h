/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/memory.h - how much memory a guest has: its balloon. */
#ifndef HYPERVISOR_MEMORY_H
#define HYPERVISOR_MEMORY_H

#include <stdint.h>

#include "base/util.h"

struct vm;

/**
 * struct memory - Which pages of RAM the guest has given back.
 *
 * One bit for each page of the RAM memfd, by its place there; allocated when
 * the first page goes.  A page that is given back stays in the guest's map and
 * reads as zero: taking it again without asking gains a guest nothing, for it
 * never has more than it was created with.  lock: vm->lock
 */
struct memory {
	uint64_t *given;
	uint64_t ngiven;
};

/** memory_init(), memory_fini() - Nothing given back. */
void memory_init(struct vm *vm);
void memory_fini(struct vm *vm);

/**
 * memory_give(), memory_take() - Give pages back to the host, or take them.
 * @gfn:    UNTRUSTED: first frame; @npages: UNTRUSTED: at most MEMORY_RANGE.
 *
 * Return: 0, -EINVAL (and nothing changed) if any frame is not RAM or not in
 * that state, or -errno.
 */
int memory_give(struct vm *vm, uint64_t gfn, uint64_t npages) must_check;
int memory_take(struct vm *vm, uint64_t gfn, uint64_t npages) must_check;

/** MEMORY_RANGE - Most pages in one call: 2 MiB. */
#define MEMORY_RANGE 512

/**
 * memory_restore() - A part of the bitmap of pages given back, as it was.
 * @words: UNTRUSTED: from word @first on, @n of them.
 *
 * Return: 0, -EINVAL if there are not so many pages, or -ENOMEM.
 */
int memory_restore(struct vm *vm, uint64_t first, const uint64_t *words,
		   uint64_t n) must_check;

/** memory_pages() - Pages that the guest has now. */
uint64_t memory_pages(const struct vm *vm);

#endif
