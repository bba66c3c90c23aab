/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_acpi.c - ACPI tables, read as a guest would. */
#include "hypervisor/acpi.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <string.h>

#include "hypervisor/guestmem.h"
#include "hypervisor/layout.h"

static uint8_t sum(const uint8_t *at, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s = (uint8_t)(s + *at++);
	return s;
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, 4);
	return v;
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, 8);
	return v;
}

/* A table in the ACPI area with a good checksum. */
static const uint8_t *table(struct guestmem *m, uint64_t gpa, const char *name)
{
	const uint8_t *t = guestmem_ptr(m, gpa_of(gpa), 36);

	cr_assert(gpa >= LAYOUT_ACPI && gpa < LAYOUT_ACPI_END);
	cr_assert_eq(memcmp(t, name, 4), 0, "%s at %lx", name, gpa);
	cr_assert_leq(gpa + get32(t + 4), LAYOUT_ACPI_END);
	cr_expect_eq(sum(t, get32(t + 4)), 0, "checksum of %s", name);
	return t;
}

/* The RSDP is found by the scan of 0xe0000, by its two checksums. */
static const uint8_t *xsdt(struct guestmem *m)
{
	const uint8_t *r = guestmem_ptr(m, gpa_of(0xe0000), 36);

	cr_assert_eq(memcmp(r, "RSD PTR ", 8), 0);
	cr_expect_eq(sum(r, 20), 0);
	cr_expect_eq(sum(r, 36), 0);
	cr_expect_eq(r[15], 2, "revision");
	cr_expect_eq(get32(r + 20), 36);
	return table(m, get64(r + 24), "XSDT");
}

struct cpus {
	unsigned int n;
	int want;
};

ParameterizedTestParameters(acpi, cpus)
{
	static struct cpus t[] = {
		{ 1, 0 },	  { 2, 0 },	  { 64, 0 },	    { 255, 0 },
		{ 256, -EINVAL }, { 0, -EINVAL }, { ~0u, -EINVAL },
	};
	return cr_make_param_array(struct cpus, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct cpus *t, acpi, cpus)
{
	const uint8_t *x, *madt, *e;
	struct guestmem *m;

	cr_assert_eq(guestmem_new(&m, 16 << 20), 0);
	cr_assert_eq(acpi_build(m, t->n), t->want);
	if (t->want)
		goto free;
	x = xsdt(m);
	cr_assert_eq(get32(x + 4), 36 + 16, "two tables");
	table(m, get64(x + 36), "FACP");
	madt = table(m, get64(x + 44), "APIC");
	cr_expect_eq(madt[8], 3, "no online-capable bit in this revision");
	cr_expect_eq(get32(madt + 36), LAYOUT_LAPIC);
	cr_expect_eq(get32(madt + 40), 0, "no PIC");
	cr_assert_eq(get32(madt + 4), 44 + 8 * t->n);
	for (unsigned int i = 0; i < t->n; i++) {
		e = madt + 44 + 8 * i;
		cr_expect(e[0] == 0 && e[1] == 8, "local APIC");
		cr_expect_eq(e[2], i, "UID");
		cr_expect_eq(e[3], i, "APIC id");
		cr_expect_eq(get32(e + 4), 1, "enabled");
	}
free:
	guestmem_free(m);
}

Test(acpi, fadt_describes_a_reduced_platform)
{
	const uint8_t *x, *f, *d;
	struct guestmem *m;

	cr_assert_eq(guestmem_new(&m, 16 << 20), 0);
	cr_assert_eq(acpi_build(m, 1), 0);
	x = xsdt(m);
	f = table(m, get64(x + 36), "FACP");
	cr_expect_eq(f[8], 5);
	cr_expect_eq(get32(f + 4), 268);
	cr_expect_eq(f[109], 1 << 2 | 1 << 5, "NO_VGA, NO_CMOS_RTC, no 8042");
	cr_expect(get32(f + 112) & 1 << 20, "hardware-reduced");
	cr_expect_eq(get64(f + 140), get32(f + 40));
	cr_expect(f[244] == 1 && get64(f + 248) == ACPI_PORT_SLEEP);
	cr_expect(f[256] == 1 && get64(f + 260) == ACPI_PORT_WAKE);

	d = table(m, get64(f + 140), "DSDT");
	/* Name (_S5, Package (4) {...}): a package as long as it says. */
	cr_assert_eq(memcmp(d + 36, "\x08_S5_\x12", 6), 0);
	cr_expect_eq(get32(d + 4), 36u + 6 + d[42]);
	cr_expect_eq(d[43], 4);
	/* What the guest will write: SLP_EN and the type of \_S5. */
	cr_expect(acpi_power_off(ACPI_PORT_SLEEP,
				 (uint8_t)(1 << 5 | d[45] << 2)));
	guestmem_free(m);
}

Test(acpi, only_one_write_switches_off)
{
	unsigned int n = 0;

	for (unsigned int port = 0; port <= UINT16_MAX; port++) {
		for (unsigned int value = 0; value < 256; value++)
			n += acpi_power_off((uint16_t)port, (uint8_t)value);
	}
	cr_expect_eq(n, 1);
}

/* XSA-464: nothing of ours may shine through. */
Test(acpi, the_rest_of_the_area_is_untouched)
{
	struct guestmem *m;
	const uint8_t *p;

	cr_assert_eq(guestmem_new(&m, 16 << 20), 0);
	cr_assert_eq(acpi_build(m, 1), 0);
	p = guestmem_ptr(m, gpa_of(0), 16 << 20);
	for (size_t i = 0; i < 16 << 20; i++) {
		if (p[i] && (i < LAYOUT_ACPI || i >= LAYOUT_ACPI + 0x1000))
			cr_assert_fail("byte at %zx", i);
	}
	guestmem_free(m);
}
