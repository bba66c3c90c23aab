/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/shinfo.h - the shared_info page: where it lies, its bitmaps. */
#ifndef HYPERVISOR_SHINFO_H
#define HYPERVISOR_SHINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hypervisor/physmap.h"

struct vm;

/** SHINFO_VCPUS - vCPUs that have a vcpu_info within shared_info. */
#define SHINFO_VCPUS 32

/** SHINFO_VCPU_SIZE - Bytes of a vcpu_info, in both layouts. */
#define SHINFO_VCPU_SIZE 64

/** struct shinfo - The page and its layout.  lock: vm->lock */
struct shinfo {
	struct physmap_page page; /* UNTRUSTED: the guest writes it */
	bool is64;		  /* layout, as the guest last showed it */
};

/**
 * shinfo_ports() - Number of 2-level ports in the present layout.
 *
 * Computed at each use: the layout may change after ports were bound.
 */
uint32_t shinfo_ports(const struct vm *vm);

/** shinfo_pending() - Whether @port's pending bit is set. */
bool shinfo_pending(const struct vm *vm, uint32_t port);

/** shinfo_set_pending() - Set @port's pending bit, telling nobody. */
void shinfo_set_pending(struct vm *vm, uint32_t port);

/** shinfo_clear_pending() - Clear it; Return: whether it was set. */
bool shinfo_clear_pending(struct vm *vm, uint32_t port);

/** shinfo_clear_mask() - Clear @port's mask bit; Return: if it was set. */
bool shinfo_clear_mask(struct vm *vm, uint32_t port);

/**
 * shinfo_place() - XENMAPSPACE_shared_info: put the page at @gfn.
 * @is64: Whether the calling vCPU is in long mode; latched as the layout.
 *
 * Contents move along.  vCPUs whose vcpu_info is still in the page follow.
 *
 * Return: 0 or -errno.
 */
int shinfo_place(struct vm *vm, uint64_t gfn, bool is64) must_check;

/**
 * shinfo_anew() - Take the page away from the guest, empty.
 *
 * Every vCPU's vcpu_info is in it again.  No vCPU runs.
 *
 * Return: 0 or -errno.
 */
int shinfo_anew(struct vm *vm) must_check;

/** shinfo_set_width() - Latch the layout; pending ports that fit survive. */
int shinfo_set_width(struct vm *vm, bool is64) must_check;

/** shinfo_vcpu() - The vcpu_info within the page, or NULL for vCPUs >= 32. */
uint8_t SHM *shinfo_vcpu(const struct vm *vm, unsigned int vcpu);

#endif
