/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/acpi.h - the few ACPI tables that a PVH guest needs. */
#ifndef HYPERVISOR_ACPI_H
#define HYPERVISOR_ACPI_H

#include "base/util.h"

struct guestmem;

/** ACPI_MAX_CPUS - As many processors as the MADT can hold here. */
#define ACPI_MAX_CPUS 255

/**
 * acpi_build() - Write RSDP, XSDT, FADT, MADT and DSDT at LAYOUT_ACPI.
 * @m:      Guest RAM; the area is overwritten.
 * @max:    Processors described, at most ACPI_MAX_CPUS.
 * @online: The first so many are enabled.
 *
 * Processor i has UID i (Linux takes it for the Xen vCPU id) and APIC id i.
 * The RSDP is at LAYOUT_ACPI.
 *
 * Return: 0, or -EINVAL if the numbers are out of range.
 */
int acpi_build(struct guestmem *m, unsigned int max,
	       unsigned int online) must_check;

#endif
