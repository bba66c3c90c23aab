/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/dump.h - a guest's memory and registers as an ELF core. */
#ifndef HYPERVISOR_DUMP_H
#define HYPERVISOR_DUMP_H

#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "hypervisor/guestmem.h"

struct vm;

/** DUMP_MAX_MAPS - Ranges of kernel addresses that a core names at most. */
#define DUMP_MAX_MAPS 60000u

/** struct dump_cpu - Registers of a vCPU, as KVM has them. */
struct dump_cpu {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	uint64_t kernel_gs;
};

/**
 * dump_vm() - Write what is before memory in a core of the domain.
 * @fd: A memfd, empty.
 *
 * A domain that has shut down or crashed can be dumped, too; one that runs stands still
 * for a moment.
 *
 * Return: 0, -ESPIPE if @fd is no memfd, -EBUSY if a vCPU does not stop, or -errno.
 */
int dump_vm(struct vm *vm, int fd) must_check;

/**
 * dump_head() - The beginning of the file, a whole number of pages.
 * @cpu: @ncpus of them, at least one.
 *
 * An ELF core of x86-64 as kdump's and QEMU's are.  Program headers: notes; each
 * region of RAM, its address both physical and virtual; then what the tables of the
 * first vCPU map into the upper half of the address space (Linux's kernel), as far as
 * it is RAM.  All of them point into one copy of memory, which follows as it lies in
 * its memfd.  Notes: for each vCPU NT_PRSTATUS ("CORE") and the registers as crash
 * reads them ("QEMU"); then Xen's own ("Xen", xen/elfnote.h).
 *
 * Return: 0 or -errno.
 */
int dump_head(int fd, struct guestmem *mem, const struct dump_cpu *cpu,
	      unsigned int ncpus) must_check;

#endif
