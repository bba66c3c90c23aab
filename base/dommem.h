/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/dommem.h - a domain's memory, as a client of its socket maps it. */
#ifndef BASE_DOMMEM_H
#define BASE_DOMMEM_H

#include "base/domsock.h"

/*
 * How it works
 *
 * Guest RAM and the grant table are memfds that the domain socket hands out;
 * each is mapped once, whole. What the domain says of them is checked here, so
 * that every address given out lies inside a mapping. What lies there is
 * UNTRUSTED: the guest can write it at any time.
 */

/**
 * struct dommem - RAM and grant table of one domain. All members are private.
 * @prot:   PROT_* of both mappings.
 * @ram:    All regions, one behind the other; NULL before dommem_init().
 * @table:  The grant memfd; NULL before the first dommem_frames().
 */
struct dommem {
	int prot;
	uint8_t *ram;
	size_t ram_size;
	unsigned int nregions;
	struct dom_region region[DOM_MAX_REGIONS];
	uint8_t *table;
	size_t table_size;
};

/**
 * struct dommem_frames - A part of the grant table's frames.
 * @first: Number of the first one.
 * @n:     Valid entries of @at.
 * @total: Frames that the guest has so far.
 * @at:    4096 bytes each, valid until dommem_fini().
 */
struct dommem_frames {
	uint32_t first, n, total;
	void *at[DOM_FRAMES_PER_MSG];
};

/**
 * dommem_init() - Map a domain's RAM.
 * @m:    Filled in; usable only on success.
 * @dom:  Connection whose role may ask for DOM_MEMMAP; not kept.
 * @prot: PROT_READ, or that and PROT_WRITE.
 *
 * Return: 0; -EPROTO if the domain's answer makes no sense; or -errno.
 */
int dommem_init(struct dommem *m, struct dom *dom, int prot) must_check;

/** dommem_fini() - Unmap everything; fine on a zeroed @m. */
void dommem_fini(struct dommem *m);

/** dommem_page() - A page of RAM; Return: NULL if @gfn is none. */
void *dommem_page(const struct dommem *m, uint64_t gfn);

/**
 * dommem_frames() - Ask where frames of the grant table lie.
 * @m:     Initialised; one caller at a time.
 * @dom:   Connection whose role may ask for DOM_GRANT_FRAMES.
 * @first: Frames from this one on, as many as one message tells.
 * @out:   Filled on success.
 *
 * Return: 0; -EPROTO if the domain's answer makes no sense; or -errno.
 */
int dommem_frames(struct dommem *m, struct dom *dom, uint32_t first,
		  struct dommem_frames *out) must_check;

#endif
