/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/layout.h - where things lie in guest-physical memory. */
#ifndef HYPERVISOR_LAYOUT_H
#define HYPERVISOR_LAYOUT_H

#include <stdint.h>

/*
 * How it works
 *
 * 0000_1000  start_info, module list, memory map    RAM, free after boot
 * 0000_2000  kernel command line                    RAM, free after boot
 * 0005_f000  grant frames                           RAM shown as UNUSABLE
 * 000e_0000  ACPI tables, the RSDP first            RAM shown as NVS
 * 0010_0000  kernel, initramfs, the guest's own     RAM
 * c000_0000  end of low RAM at the latest; a hole, where a guest that ignores
 *            the UNUSABLE range may put its grant frames
 * feff_8000  special pages                          a memfd of their own
 * fee0_0000  local APIC                             KVM's, no memory slot
 * 1_0000_0000 the rest of RAM
 *
 * The first MiB costs the guest nothing: Linux keeps out of it anyhow.  RAM is
 * one memfd; both its regions are plain memory slots without holes, and what is
 * not for the guest's allocator is said in the memory map only.
 */

/** LAYOUT_LOW_MAX - End of low RAM at the latest: 3 GiB, as QEMU and Xen. */
#define LAYOUT_LOW_MAX UINT64_C(0xc0000000)

/** LAYOUT_HIGH - Start of the RAM that does not fit below LAYOUT_LOW_MAX. */
#define LAYOUT_HIGH UINT64_C(0x100000000)

/** LAYOUT_MEM_MIN, LAYOUT_MEM_MAX - Bounds of RAM in bytes (46-bit hosts). */
#define LAYOUT_MEM_MIN (UINT64_C(16) << 20)
#define LAYOUT_MEM_MAX (UINT64_C(1) << 42)

/*
 * One page with struct hvm_start_info, the module list and the memory map.  It
 * is RAM: Linux uses the first word as its first stack.
 */
#define LAYOUT_START_INFO UINT64_C(0x1000)
#define LAYOUT_MODLIST	  (LAYOUT_START_INFO + 0x80)
#define LAYOUT_MEMMAP	  (LAYOUT_START_INFO + 0x100)
#define LAYOUT_CMDLINE	  UINT64_C(0x2000)

/**
 * LAYOUT_CMDLINE_MAX - Bytes of the command line with its NUL.
 *
 * COMMAND_LINE_SIZE of Linux on x86, which cuts longer ones silently.
 */
#define LAYOUT_CMDLINE_MAX 2048

/**
 * LAYOUT_GRANT - Frames that Linux 6.12 and later use for the grant table.
 *
 * Linux turns UNUSABLE ranges of the memory map into "extra memory" and maps
 * grant frames there (pvh_reserve_extra_memory()).  These are pages of the RAM
 * memfd: a frame is used in place, with neither a memory slot of its own nor
 * the 128 MiB section of struct pages that Linux would make for a hole.
 */
#define LAYOUT_GRANT	    UINT64_C(0x5f000)
#define LAYOUT_GRANT_FRAMES UINT64_C(64)
#define LAYOUT_GRANT_END    (LAYOUT_GRANT + LAYOUT_GRANT_FRAMES * 4096)

/** LAYOUT_ISA - Linux takes no RAM from here to LAYOUT_KERNEL_MIN. */
#define LAYOUT_ISA UINT64_C(0xa0000)

/*
 * ACPI tables, RSDP first: the range that kernels not entered by the PVH entry
 * (kexec) search for it.  Shown as NVS, as libxl does.
 */
#define LAYOUT_ACPI	UINT64_C(0xe0000)
#define LAYOUT_ACPI_END UINT64_C(0x100000)

/** LAYOUT_KERNEL_MIN - Nothing of a kernel or initramfs lies below this. */
#define LAYOUT_KERNEL_MIN UINT64_C(0x100000)

/** LAYOUT_EARLY_END - Linux maps only this much before it knows its RAM. */
#define LAYOUT_EARLY_END UINT64_C(0x40000000)

/** LAYOUT_LAPIC - One page that must stay a hole. */
#define LAYOUT_LAPIC UINT64_C(0xfee00000)

/*
 * Xen's eight special pages; not in the RAM memfd.  Shown as RESERVED.  Offsets
 * of the two in use are Xen's (SPECIALPAGE_XENSTORE, SPECIALPAGE_CONSOLE).
 */
#define LAYOUT_SPECIAL	     UINT64_C(0xfeff8000)
#define LAYOUT_SPECIAL_PAGES UINT64_C(8)
#define LAYOUT_STORE	     (LAYOUT_SPECIAL + UINT64_C(4) * 4096)
#define LAYOUT_CONSOLE	     (LAYOUT_SPECIAL + UINT64_C(7) * 4096)

#endif
