/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/gnttab.h - the grant table (version 1) and its frames. */
#ifndef HYPERVISOR_GNTTAB_H
#define HYPERVISOR_GNTTAB_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/grant_table.h>

#include "base/domsock.h"
#include "base/util.h"
#include "hypervisor/gva.h"
#include "hypervisor/physmap.h"

struct vm;

/** GNTTAB_PER_FRAME - Version 1 entries of 8 bytes in a frame. */
#define GNTTAB_PER_FRAME (SV_PAGE_SIZE / sizeof(struct grant_entry_v1))

/** GNTTAB_MAX_FRAMES - Upper bound of --max-grant-frames. */
#define GNTTAB_MAX_FRAMES 1024

/** struct gnttab - The table.  lock: vm->lock */
struct gnttab {
	int fd;		  /* memfd that holds frames not placed in RAM */
	uint8_t *map;	  /* of all max frames, touched as they are used */
	unsigned int nr;  /* frames that the guest has so far */
	unsigned int max; /* frames that it may have */
	struct physmap_page *frame; /* @max places */
};

/** gnttab_init() - One frame; entries 0 and 1 grant console and store. */
int gnttab_init(struct vm *vm, unsigned int max) must_check;

/** gnttab_anew() - Forget all grants and frames: as gnttab_init() leaves it. */
void gnttab_anew(struct vm *vm);

/** gnttab_fini() - A half-made table is fine. */
void gnttab_fini(struct vm *vm);

/**
 * gnttab_grow() - Let the guest have at least @nr frames.
 *
 * Return: 0, or -ENOSPC beyond the maximum.
 */
int gnttab_grow(struct vm *vm, uint64_t nr) must_check;

/**
 * gnttab_place() - XENMAPSPACE_grant_table: show frame @idx at @gfn.
 *
 * Grows the table.  Return: 0, -EINVAL, -ENOSPC or -errno.
 */
int gnttab_place(struct vm *vm, uint64_t idx, uint64_t gfn) must_check;

/** gnttab_unplace() - Take a frame away from @gfn; Return: if one was there. */
bool gnttab_unplace(struct vm *vm, uint64_t gfn);

/** gnttab_frames() - Where frames from @first on lie, for DOM_GRANT_FRAMES. */
void gnttab_frames(const struct vm *vm, uint32_t first, struct dom_frames *f);

/**
 * gnttab_copy() - Copy within a page, between the guest's own frames or its
 * grants to itself.
 * @op: A private copy; every field UNTRUSTED.
 *
 * Return: GNTST_*.
 */
int16_t gnttab_copy(struct vm *vm, const struct gnttab_copy *op);

#endif
