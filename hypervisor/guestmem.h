/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/guestmem.h - guest RAM: the only way from an address to bytes. */
#ifndef HYPERVISOR_GUESTMEM_H
#define HYPERVISOR_GUESTMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "ring/shm.h"

struct dom_memmap;

/** gpa_t - A guest-physical address.  UNTRUSTED wherever a guest chose it. */
typedef struct {
	uint64_t v;
} gpa_t;

static inline gpa_t gpa_of(uint64_t v)
{
	return (gpa_t){ v };
}

static inline gpa_t gpa_of_gfn(uint64_t gfn)
{
	/* A frame number with high bits set must not wrap to a valid one. */
	return gpa_of(gfn >> (64 - SV_PAGE_SHIFT) ? UINT64_MAX
						  : gfn << SV_PAGE_SHIFT);
}

/** struct guestmem_region - RAM that lies together, in the guest and here. */
struct guestmem_region {
	gpa_t gpa;
	uint64_t size;	   /* bytes, a multiple of the page size */
	uint64_t offset;   /* into the memfd */
	uint8_t SHM *host; /* UNTRUSTED: writable by the guest at any time */
};

#define GUESTMEM_MAX_REGIONS 2

/**
 * struct guestmem - All RAM of one guest: a memfd, mapped once.
 *
 * Regions are sorted by address and constant after guestmem_new(), so any
 * thread may use the functions below without a lock.
 */
struct guestmem {
	int fd;
	unsigned int n;
	uint64_t size;	  /* bytes of RAM and of the memfd */
	bool huge_faults; /* see guestmem_fill() */
	struct guestmem_region region[GUESTMEM_MAX_REGIONS];
	uint8_t *map; /* the whole mapping, for guestmem_free() */
	size_t map_size;
};

/**
 * guestmem_new() - Make the RAM of a guest, all zero, as layout.h says.
 * @out:  *Owned* by the caller; written only on success.
 * @size: Bytes, a multiple of the page size.
 *
 * Pages are allocated when first touched, huge ones where the host lets shmem
 * have them (/sys/kernel/mm/transparent_hugepage/shmem_enabled).
 *
 * Return: 0, -EINVAL if @size is not a multiple of 4096 or out of
 * [LAYOUT_MEM_MIN, LAYOUT_MEM_MAX], or -errno.
 */
int guestmem_new(struct guestmem **out, uint64_t size) must_check;

/** guestmem_free() - Unmap and close; NULL is fine. */
void guestmem_free(struct guestmem *m);

/**
 * guestmem_ptr() - The place of a range of guest RAM in this process.
 * @gpa: UNTRUSTED.
 * @len: UNTRUSTED: bytes; 0 is a range like any other.
 *
 * What the guest can write may change at any time: copy with shm_fetch() before
 * judging.  A range never spans two regions.
 *
 * Return: the first byte, or NULL if any byte of the range is not RAM.
 */
void SHM *guestmem_ptr(const struct guestmem *m, gpa_t gpa, uint64_t len);

/**
 * guestmem_read(), guestmem_write() - Copy out of or into guest RAM, once.
 *
 * Return: 0, or -EFAULT (and nothing copied) if any byte is not RAM.
 */
int guestmem_read(const struct guestmem *m, gpa_t gpa, void *buf,
		  size_t len) must_check;
int guestmem_write(struct guestmem *m, gpa_t gpa, const void *buf,
		   size_t len) must_check;

/**
 * guestmem_fill() - As guestmem_write(), for much data into fresh memory.
 *
 * Goes through the memfd where that is faster: a page that is not there yet is
 * made without a fault and without being cleared first.
 *
 * Return: 0, -EFAULT if any byte is not RAM, or -errno.
 */
int guestmem_fill(struct guestmem *m, gpa_t gpa, const void *buf,
		  size_t len) must_check;

/**
 * guestmem_offset() - Where a page of RAM lies in the memfd.
 * @gfn:    UNTRUSTED: guest frame number.
 * @offset: Bytes; written only on success.
 *
 * Return: 0, or -EFAULT if the frame is not RAM.
 */
int guestmem_offset(const struct guestmem *m, uint64_t gfn,
		    uint64_t *offset) must_check;

/**
 * guestmem_discard() - Give pages back to the host; they read as zero after.
 * @gfn:    UNTRUSTED: first frame.
 * @npages: UNTRUSTED: count.
 *
 * For the balloon.  Every process that maps the memfd loses the pages.
 *
 * Return: 0, -EFAULT if any frame is not RAM, or -errno.
 */
int guestmem_discard(struct guestmem *m, uint64_t gfn,
		     uint64_t npages) must_check;

/** guestmem_memmap() - Describe the RAM for DOM_MEMMAP. */
void guestmem_memmap(const struct guestmem *m, struct dom_memmap *map);

#endif
