/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/boot.h - what a PVH guest finds in memory and registers. */
#ifndef HYPERVISOR_BOOT_H
#define HYPERVISOR_BOOT_H

#include <stdint.h>

#include "base/util.h"
#include "hypervisor/why.h"

struct guestmem;
struct kvm_regs;
struct kvm_sregs;

/** struct boot_config - What to boot.  All strings are *borrowed*. */
struct boot_config {
	const char *kernel;	/* path */
	const char *initramfs;	/* path, or NULL */
	const char *cmdline;	/* or NULL */
	unsigned int vcpus_max; /* 1 ... ACPI_MAX_CPUS */
};

/** struct boot_entry - Where the first vCPU begins. */
struct boot_entry {
	uint32_t rip;
	uint32_t start_info; /* guest-physical, goes into EBX */
};

/**
 * boot_load() - Put kernel, initramfs, start-of-day data and ACPI in place.
 * @m:   Fresh guest RAM.
 * @out: Written only on success.
 * @why: Set on failure: one line for the operator.
 *
 * Return: 0 or -errno.
 */
int boot_load(struct guestmem *m, const struct boot_config *config,
	      struct boot_entry *out, struct why *why) must_check;

/**
 * boot_regs() - State of the first vCPU: 32-bit protected mode, no paging.
 * @regs:  Overwritten.
 * @sregs: From KVM_GET_SREGS; what the entry does not define (the APIC base)
 *         is kept.
 *
 * As docs/misc/pvh.pandoc of Xen says; the debug registers are right after
 * reset.  Other vCPUs stay as KVM resets them and wait for INIT and SIPI.
 */
void boot_regs(const struct boot_entry *entry, struct kvm_regs *regs,
	       struct kvm_sregs *sregs);

/**
 * boot_msrs() - MSRs of any vCPU that KVM resets otherwise than Xen.
 * @vcpu_fd: *Borrowed*; before its first KVM_RUN.
 *
 * Memory is write-back by default (Linux gives up PAT without MTRRs).
 *
 * Return: 0 or -errno.
 */
int boot_msrs(int vcpu_fd) must_check;

/** struct boot_range - One entry of the guest's memory map. */
struct boot_range {
	uint64_t gpa;
	uint64_t size;
	uint32_t type; /* XEN_HVM_MEMMAP_TYPE_* = E820 types */
};

#define BOOT_MAX_RANGES 8

/**
 * boot_memmap() - The guest's memory map, sorted, without overlaps.
 *
 * Also what XENMEM_memory_map answers.
 *
 * Return: number of entries written.
 */
unsigned int boot_memmap(const struct guestmem *m,
			 struct boot_range range[BOOT_MAX_RANGES]);

#endif
