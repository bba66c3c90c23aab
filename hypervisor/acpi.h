/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/acpi.h - the few ACPI tables that a PVH guest needs. */
#ifndef HYPERVISOR_ACPI_H
#define HYPERVISOR_ACPI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

struct guestmem;

/** ACPI_MAX_CPUS - As many processors as have an 8-bit APIC id. */
#define ACPI_MAX_CPUS 255

/**
 * ACPI_PORT_SLEEP, ACPI_PORT_WAKE - The sleep control and status registers.
 *
 * One byte each, the only I/O ports in the tables: without them Linux has no
 * way to switch itself off, and `poweroff` becomes `halt`.
 */
#define ACPI_PORT_SLEEP 0xb004
#define ACPI_PORT_WAKE	0xb005

/**
 * acpi_power_off() - Whether a write to an I/O port switches the guest off.
 * @port:  UNTRUSTED.
 * @value: UNTRUSTED: first byte written.
 */
bool acpi_power_off(uint16_t port, uint8_t value);

/**
 * acpi_build() - Write RSDP, XSDT, FADT, MADT and DSDT at LAYOUT_ACPI.
 * @m:    Guest RAM; all of the area is overwritten.
 * @cpus: Processors, 1 to ACPI_MAX_CPUS, all enabled.
 *
 * Processor i has UID i (Linux takes it for the Xen vCPU id) and APIC id i.
 * The RSDP is at LAYOUT_ACPI.
 *
 * Return: 0, or -EINVAL if the number is out of range.
 */
int acpi_build(struct guestmem *m, unsigned int cpus) must_check;

#endif
