/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/gnt_map.h - grant references to pages of a guest's memory. */
#ifndef DOM0_BACKEND_GNT_MAP_H
#define DOM0_BACKEND_GNT_MAP_H

#include <stdint.h>

#include "base/domsock.h"
#include "ring/shm.h"

/*
 * How it works
 *
 * A worker maps all of its guest's RAM once.  From then on "mapping" a grant is
 * a look-up in the guest's grant table (v1, xen/grant_table.h): the entry's
 * flags and domid are read as one word, judged, and replaced by a
 * compare-and-exchange that sets GTF_reading (and GTF_writing); only then is
 * the frame number read, once.  While these bits are set a guest that follows
 * the rules neither revokes the grant nor reuses the page.  One that does not
 * can only spoil pages of its own: whatever frame it names must lie in its RAM;
 * the special pages are in none of the regions mapped here.
 *
 * The same reference may be in use several times at once (by requests of one
 * queue or of several threads): uses are counted, and the bits are cleared at
 * the last one.  The count's top bit is a lock held for a few instructions, so
 * that clearing and setting the bits cannot cross.  Counts are per process.
 *
 * The table's frames are looked up through the domain socket when the map is
 * made, on gnt_refresh(), and when a reference lies beyond those known.
 */

struct gnt_map;

enum gnt_access {
	GNT_READ,  /* we read the guest's page */
	GNT_WRITE, /* we may also write it */
};

/**
 * gnt_new() - Map a guest's RAM and grant table.
 * @out: *Owned* by the caller; written only on success.
 * @dom: Connection with role DOM_ROLE_BACKEND; *borrowed* until gnt_free().
 *
 * Return: 0; -EPROTO if the domain's answer makes no sense; or -errno.
 */
int gnt_new(struct gnt_map **out, struct dom *dom) must_check;

/** gnt_free() - Unmap everything; nothing may be pinned.  NULL is fine. */
void gnt_free(struct gnt_map *g);

/**
 * gnt_refresh() - Look up all frames of the table again.
 *
 * Call before a frontend's grants are first used: a kernel started by kexec may
 * have placed its table elsewhere.  No other thread may use @g meanwhile.
 *
 * Return: 0 or -errno.
 */
int gnt_refresh(struct gnt_map *g) must_check;

/**
 * gnt_get() - Pin the page behind a grant reference.
 * @g:      The map; any thread.
 * @ref:    UNTRUSTED: from the guest.
 * @access: What we will do with the page.
 * @page:   4096 bytes of guest memory, valid until the gnt_put() that must
 *          follow with the same @ref and @access; written only on success.
 *          UNTRUSTED: the guest can write it at any time.
 *
 * No allocation; no system call for a reference in the frames known so far.
 *
 * Return: 0; -ENOENT if the reference is outside the table; -EACCES if the entry
 * does not permit this access to us; -EFAULT if its frame is not RAM; -EBUSY if
 * the entry keeps changing or is in use too many times.
 */
int gnt_get(struct gnt_map *g, uint32_t ref, enum gnt_access access,
	    void SHM **page) must_check;

/** gnt_put() - Give back one gnt_get(); any thread. */
void gnt_put(struct gnt_map *g, uint32_t ref, enum gnt_access access);

/**
 * gnt_marked() - Whether an entry says that a backend may write the page.
 *
 * If nobody of this process does, one that died has left it so, or one that is to
 * be succeeded; and the guest has not made the grant anew since.
 */
bool gnt_marked(struct gnt_map *g, uint32_t ref);

/** gnt_pins() - Uses now held on @ref, for tests. */
unsigned int gnt_pins(const struct gnt_map *g, uint32_t ref);

#endif
