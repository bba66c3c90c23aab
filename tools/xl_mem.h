/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_mem.h - a domain's RAM, written into a stream, also while it runs. */
#ifndef TOOLS_XL_MEM_H
#define TOOLS_XL_MEM_H

#include "base/dommem.h"
#include "base/savefile.h"
#include "tools/xl_progress.h"

/*
 * How it works
 *
 * A round looks at every page that there is, and writes those whose contents are not
 * what was last written of them, as told by a sum of 64 bits for each.  So it does not
 * matter who has changed a page (the guest, a backend in its own mapping, the VMM,
 * KVM), nobody has to keep a record of it, and a guest at work pays nothing.  A page
 * is copied first, so that what is summed up is what is written.
 *
 * The first round writes everything; after one on a guest that is stopped, all that
 * was written is as the guest has it.
 */

/** struct xl_mem - RAM as it is looked at; all members are private. */
struct xl_mem {
	struct dommem mem;
	int fd;	       /* to find holes */
	uint64_t *sum; /* by page, of what was written; 0: nothing, or zeros */
	uint8_t *buf;  /* pages on their way, @n of them from @first on */
	uint64_t first, n;
	uint64_t written; /* in this round */
	uint8_t *packed;  /* SAVEFILE_CHUNK bytes; NULL: nothing is */
	struct savezip *zip;
	struct xl_progress progress;
};

/**
 * xl_mem_open() - Begin to write a domain's RAM.
 * @dom: Connection as DOM_ROLE_ADMIN; not kept.
 * @m:   To be given to xl_mem_close() if this returns 0.
 *
 * Return: 0; -EPROTO if what its VMM says makes no sense; or -errno.
 */
int xl_mem_open(struct xl_mem *m, struct dom *dom) must_check;

/** xl_mem_pack() - Have it packed where that pays; Return: 0 or -ENOMEM. */
int xl_mem_pack(struct xl_mem *m) must_check;

/**
 * xl_mem_round() - Write what has changed, as SAVE_MEMORY or SAVE_PACKED.
 * @pages: How many pages those were.
 *
 * Return: 0 or -errno.
 */
int xl_mem_round(struct xl_mem *m, struct savefile *s,
		 uint64_t *pages) must_check;

/** xl_mem_file() - The file of a domain's RAM, *owned* by the caller; or -errno. */
int xl_mem_file(struct dom *dom) must_check;

/** xl_mem_close() - Release all. */
void xl_mem_close(struct xl_mem *m);

/** xl_mem_sum() - What tells contents of a page apart; 0 for zeros alone. */
uint64_t xl_mem_sum(const void *page);

#endif
