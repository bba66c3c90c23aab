/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/gva.h - guest-virtual addresses: the only walk of page tables. */
#ifndef HYPERVISOR_GVA_H
#define HYPERVISOR_GVA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "hypervisor/guestmem.h"

/**
 * struct gva - How one vCPU translates addresses, as it stopped.
 *
 * The registers are the guest's and may be anything; the tables are in guest
 * memory and may change during a walk.  A walk reads each entry once and costs
 * at most five reads; whatever it yields is checked against guest RAM.
 */
struct gva {
	struct guestmem *mem; /* borrowed */
	uint64_t cr0, cr3, cr4, efer;
	bool longmode; /* 64-bit code: addresses are not cut to 32 bits */
};

/**
 * gva_to_gpa() - Translate one address for a supervisor access.
 * @addr:  UNTRUSTED.
 * @write: Whether it will be written.
 * @gpa:   Written only on success; need not be RAM.
 *
 * No paging, 32-bit, PAE, 4- and 5-level tables with every page size.  User
 * and no-execute bits do not limit a supervisor's data access (SMAP is not
 * applied: the kernel asks for it); present and, with CR0.WP, writable do.
 *
 * Return: 0 or -EFAULT.
 */
int gva_to_gpa(const struct gva *g, uint64_t addr, bool write,
	       gpa_t *gpa) must_check;

/** gva_is_user() - Whether @addr is mapped, for ring 3, too. */
bool gva_is_user(const struct gva *g, uint64_t addr) must_check;

/**
 * gva_read(), gva_write() - Copy from or to guest-virtual memory, once.
 * @addr: UNTRUSTED.
 * @len:  Bytes; may cross pages.
 *
 * Return: 0, or -EFAULT if a byte cannot be reached; earlier pages have been
 * copied then.
 */
int gva_read(const struct gva *g, void *to, uint64_t addr,
	     size_t len) must_check;
int gva_write(const struct gva *g, uint64_t addr, const void *from,
	      size_t len) must_check;

/**
 * gva_range() - Translate a range that must be contiguous guest RAM.
 *
 * For areas that are registered once and then written by the host for ever.
 *
 * Return: 0, -EFAULT if not mapped writable, or -EINVAL if it is not contiguous
 * RAM.
 */
int gva_range(const struct gva *g, uint64_t addr, size_t len,
	      gpa_t *gpa) must_check;

/** GVA_MAX_TABLES - So many pages of tables are read by gva_each(). */
#define GVA_MAX_TABLES 65536u

/**
 * gva_each() - All that is mapped from an address to the end, upwards.
 * @from: Canonical.
 * @fn:   Called with each page, small or large: @addr is mapped to @size bytes
 *        from @gpa on, which need not be RAM; other than 0 ends the walk.
 *
 * With 4- and 5-level tables; with others nothing is found.  Tables may contain
 * themselves, hence the limit.
 *
 * Return: 0, what @fn has returned, or -E2BIG after GVA_MAX_TABLES.
 */
int gva_each(const struct gva *g, uint64_t from,
	     int (*fn)(void *arg, uint64_t addr, gpa_t gpa, uint64_t size),
	     void *arg) must_check;

#endif
