// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/acpi.c - the few ACPI tables that a PVH guest needs.
#include "hypervisor/acpi.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "hypervisor/guestmem.h"
#include "hypervisor/layout.h"

/*
 * How it works
 *
 * The platform is "hardware-reduced": no SCI, no PM1 registers, no FACS, so
 * Linux probes for none of them, nor for a PIC and a PIT.  NO_VGA and
 * NO_CMOS_RTC in the FADT are how a kernel that was not entered by the PVH
 * entry knows where it is (libxl sets the same).  Of processors only the MADT
 * speaks.  All of them are enabled there: Linux never starts one that was not, for
 * it learns its APIC id only from those and from ACPI's own hotplug.  It takes the
 * others offline by itself before its first process runs, as cpu/N/availability in
 * the store says.  All structures are as in the ACPI specification 5.1.
 */

#define packed __attribute__((packed))

struct rsdp {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t checksum_all;
	uint8_t reserved[3];
} packed;

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} packed;

struct xsdt {
	struct header h;
	uint64_t entry[2];
} packed;

/* Generic address structure. */
struct gas {
	uint8_t space;
	uint8_t bits;
	uint8_t offset;
	uint8_t access;
	uint64_t address;
} packed;

#define GAS_IO	 1
#define GAS_BYTE 1

/* What is not set here has no meaning on a hardware-reduced platform. */
struct fadt {
	struct header h;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t unused_a[109 - 44];
	uint16_t boot_arch;
	uint8_t unused_b;
	uint32_t flags;
	struct gas reset;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor;
	uint64_t x_facs;
	uint64_t x_dsdt;
	uint8_t unused_c[244 - 148];
	struct gas sleep_control;
	struct gas sleep_status;
} packed;

#define FADT_NO_VGA	 (1u << 2)
#define FADT_NO_CMOS_RTC (1u << 5)

#define FADT_WBINVD	(1u << 0)
#define FADT_PWR_BUTTON (1u << 4) /* as a device, of which there is none */
#define FADT_SLP_BUTTON (1u << 5)
#define FADT_HW_REDUCED (1u << 20)

_Static_assert(offsetof(struct fadt, boot_arch) == 109, "ACPI 5.1, 5.2.9");
_Static_assert(offsetof(struct fadt, flags) == 112, "ACPI 5.1, 5.2.9");
_Static_assert(offsetof(struct fadt, x_dsdt) == 140, "ACPI 5.1, 5.2.9");
_Static_assert(offsetof(struct fadt, sleep_control) == 244, "ACPI 5.1, 5.2.9");
_Static_assert(sizeof(struct fadt) == 268, "ACPI 5.1, 5.2.9");

struct madt_lapic {
	uint8_t type; /* 0 */
	uint8_t length;
	uint8_t uid;
	uint8_t apic_id;
	uint32_t flags;
} packed;

#define LAPIC_ENABLED 1u

struct madt {
	struct header h;
	uint32_t lapic;
	uint32_t flags;
} packed;

#define SLEEP_TYPE_OFF 5
#define SLEEP_ENABLE   (1u << 5)

/* Name (\_S5, Package () { 5, 5, 0, 0 }) */
static const uint8_t aml[] = {
	0x08, '_',
	'S',  '5',
	'_',  0x12,
	0x08, 0x04,
	0x0a, SLEEP_TYPE_OFF,
	0x0a, SLEEP_TYPE_OFF,
	0x00, 0x00,
};

struct dsdt {
	struct header h;
	uint8_t code[sizeof(aml)];
} packed;

/** struct tables - All of them, as they lie in guest memory. */
struct tables {
	struct rsdp rsdp;
	uint8_t gap[64 - sizeof(struct rsdp)];
	struct xsdt xsdt;
	struct fadt fadt;
	struct dsdt dsdt;
	struct madt madt;
	struct madt_lapic cpus[ACPI_MAX_CPUS]; /* the rest of the MADT */
} packed;

#define AT(table) (LAYOUT_ACPI + offsetof(struct tables, table))

_Static_assert(offsetof(struct tables, cpus) ==
		       offsetof(struct tables, madt) + sizeof(struct madt),
	       "the MADT and its entries lie together");
_Static_assert(sizeof(struct tables) <= LAYOUT_ACPI_END - LAYOUT_ACPI,
	       "the area holds all tables");

static uint8_t checksum(const void *table, size_t len)
{
	const uint8_t *at = table;
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *at++);
	return (uint8_t)-sum;
}

/* Complete a table whose content is in place. */
static void seal(struct header *h, const char *signature, uint8_t revision,
		 size_t len)
{
	memcpy(h->signature, signature, sizeof(h->signature));
	h->length = (uint32_t)len;
	h->revision = revision;
	memcpy(h->oem_id, "Xen\0\0", sizeof(h->oem_id));
	memcpy(h->oem_table_id, "HVM\0\0\0\0", sizeof(h->oem_table_id));
	memcpy(h->creator_id, "SPLT", sizeof(h->creator_id));
	h->creator_revision = 1;
	h->checksum = 0;
	h->checksum = checksum(h, len);
}

static void build_rsdp(struct rsdp *r)
{
	memcpy(r->signature, "RSD PTR ", sizeof(r->signature));
	memcpy(r->oem_id, "Xen\0\0", sizeof(r->oem_id));
	r->revision = 2;
	r->length = sizeof(*r);
	r->xsdt = AT(xsdt);
	r->checksum = checksum(r, 20);
	r->checksum_all = checksum(r, sizeof(*r));
}

static void build_fadt(struct fadt *f)
{
	f->dsdt = AT(dsdt);
	f->x_dsdt = AT(dsdt);
	f->boot_arch = FADT_NO_VGA | FADT_NO_CMOS_RTC;
	f->flags = FADT_WBINVD | FADT_PWR_BUTTON | FADT_SLP_BUTTON |
		   FADT_HW_REDUCED;
	f->minor = 1;
	f->sleep_control =
		(struct gas){ GAS_IO, 8, 0, GAS_BYTE, ACPI_PORT_SLEEP };
	f->sleep_status =
		(struct gas){ GAS_IO, 8, 0, GAS_BYTE, ACPI_PORT_WAKE };
	seal(&f->h, "FACP", 5, sizeof(*f));
}

static void build_madt(struct tables *t, unsigned int cpus)
{
	t->madt.lapic = LAYOUT_LAPIC;
	for (unsigned int i = 0; i < cpus; i++) {
		t->cpus[i] = (struct madt_lapic){
			.length = sizeof(struct madt_lapic),
			.uid = (uint8_t)i,
			.apic_id = (uint8_t)i,
			.flags = LAPIC_ENABLED,
		};
	}
	seal(&t->madt.h, "APIC", 3,
	     sizeof(t->madt) + cpus * sizeof(t->cpus[0]));
}

int acpi_build(struct guestmem *m, unsigned int cpus)
{
	struct tables t = { 0 };

	if (!cpus || cpus > ACPI_MAX_CPUS)
		return -EINVAL;
	build_rsdp(&t.rsdp);
	t.xsdt.entry[0] = AT(fadt);
	t.xsdt.entry[1] = AT(madt);
	seal(&t.xsdt.h, "XSDT", 1, sizeof(t.xsdt));
	build_fadt(&t.fadt);
	memcpy(t.dsdt.code, aml, sizeof(aml));
	seal(&t.dsdt.h, "DSDT", 2, sizeof(t.dsdt));
	build_madt(&t, cpus);
	return guestmem_write(m, gpa_of(LAYOUT_ACPI), &t, sizeof(t));
}

bool acpi_power_off(uint16_t port, uint8_t value)
{
	return port == ACPI_PORT_SLEEP &&
	       value == (SLEEP_ENABLE | SLEEP_TYPE_OFF << 2);
}
