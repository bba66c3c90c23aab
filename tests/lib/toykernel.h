/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/toykernel.h - tiny kernel images for tests of the loader. */
#ifndef TESTS_LIB_TOYKERNEL_H
#define TESTS_LIB_TOYKERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hypervisor/bzimage.h"

#define TOY_SIZE       0x4000u /* bytes of an ELF image */
#define TOY_TEXT       0x1000u /* offset and size of the first segment */
#define TOY_TEXT_SIZE  0x800u
#define TOY_TEXT_GPA   0x1000000u
#define TOY_DATA       0x2000u /* of the second; its memory is larger */
#define TOY_DATA_SIZE  0x123u
#define TOY_DATA_MEMSZ 0x5000u
#define TOY_DATA_GPA   0x1400000u
#define TOY_NOTES      0x300u
#define TOY_SECTIONS   0x3000u
#define TOY_ENTRY      (TOY_TEXT_GPA + 0x40u)

/** struct toy - Which image is wanted; all zero is a good 64-bit one. */
struct toy {
	bool elf32;
	bool note_in_section; /* and in no segment */
	bool no_note;
	bool note_desc8; /* 8 bytes instead of 4 */
};

/** toy_elf() - Fill @buf with an ELF image of TOY_SIZE bytes. */
void toy_elf(uint8_t buf[TOY_SIZE], const struct toy *toy);

/** toy_byte() - Byte @i of the first segment, of the second from TOY_DATA. */
uint8_t toy_byte(size_t i);

/**
 * toy_bzimage() - Wrap bytes in a bzImage.
 * @out:  *Owned* by the caller, for free().
 * @size: Its bytes.
 *
 * Dies if the packer does not work.
 */
void toy_bzimage(uint8_t **out, size_t *size, const void *payload, size_t len,
		 enum bzimage_packing packing);

#endif
