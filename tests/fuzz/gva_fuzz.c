// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/gva_fuzz.c - walks through page tables of rubbish.
//
// FUZZ: F4; max_len 8192
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/gva.h"
#include "tests/lib/fuzz.h"

/*
 * Registers, an address and a length, then what lies at the beginning of guest
 * memory.  Entries mostly point back into it, because RAM is small.
 */
struct input {
	uint64_t cr0, cr3, cr4, efer, addr;
	uint16_t len;
	uint8_t longmode;
};

#define RAM (UINT64_C(16) << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct guestmem *m;
	struct gva g = { .cr0 = 0 };
	struct input in;
	uint8_t *buf;
	gpa_t gpa;

	if (!m && guestmem_new(&m, RAM))
		abort();
	if (size < sizeof(in))
		return 0;
	memcpy(&in, data, sizeof(in));
	size -= sizeof(in);
	if (size > RAM)
		return 0;
	memcpy(guestmem_ptr(m, gpa_of(0), size), data + sizeof(in), size);
	g = (struct gva){ m, in.cr0, in.cr3, in.cr4, in.efer, in.longmode & 1 };
	/* Exactly so many bytes, for ASan. */
	buf = calloc(1, in.len + (size_t)!in.len);
	if (!buf)
		return 0;
	(void)!gva_read(&g, buf, in.addr, in.len);
	(void)!gva_write(&g, in.addr, buf, in.len);
	if (!gva_range(&g, in.addr, in.len, &gpa) &&
	    !guestmem_ptr(m, gpa, in.len))
		abort();
	free(buf);
	return 0;
}
