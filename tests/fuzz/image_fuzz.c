// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/image_fuzz.c - ELF kernels with changed bytes, parsed and placed.
//
// FUZZ: F6; max_len 256
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "hypervisor/guestmem.h"
#include "hypervisor/image.h"
#include "hypervisor/layout.h"
#include "tests/lib/fuzz.h"
#include "tests/lib/toykernel.h"

#define RAM_SIZE (UINT64_C(32) << 20)

/*
 * The first byte chooses a good image; each three after it change one byte:
 * where, in two bytes, and to what.
 */
static void make(uint8_t elf[TOY_SIZE], const uint8_t *data, size_t size)
{
	toy_elf(elf, &(struct toy){ .elf32 = data[0] & 1,
				    .note_in_section = data[0] & 2,
				    .note_desc8 = data[0] & 4,
				    .no_note = data[0] & 8 });
	for (size_t i = 1; i + 3 <= size; i += 3)
		elf[(data[i] | (size_t)data[i + 1] << 8) % TOY_SIZE] =
			data[i + 2];
}

/* Whether a byte of guest memory is some segment's. */
static bool is_of_image(const struct image *img, uint64_t gpa)
{
	for (unsigned int i = 0; i < img->nsegs; i++)
		if (gpa - img->seg[i].gpa < img->seg[i].memsz)
			return true;
	return false;
}

/* All else is as it was: zero.  Pages that are not there need no look. */
static void check_rest(const struct guestmem *m, const struct image *img)
{
	const uint8_t *ram = guestmem_ptr(m, gpa_of(0), RAM_SIZE);
	off_t at = 0;

	while ((at = lseek(m->fd, at, SEEK_DATA)) >= 0) {
		off_t end = lseek(m->fd, at, SEEK_HOLE);

		for (; at < end; at++)
			assert(!ram[at] || is_of_image(img, (uint64_t)at));
	}
}

/*
 * What it accepts lies where it says, the rest of each segment is zero, and
 * nothing is anywhere else.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t elf[TOY_SIZE];
	struct image_src src = { .mem = elf, .size = TOY_SIZE, .name = "fuzz" };
	struct guestmem *m = NULL;
	struct image_sum sum;
	struct image img;
	struct why why;

	if (!size)
		return 0;
	make(elf, data, size);
	if (image_parse(&src, &img, &why))
		return 0;
	assert(img.nsegs && img.nsegs <= IMAGE_MAX_SEGMENTS);
	assert(img.entry >= img.start && img.entry < img.end);
	if (guestmem_new(&m, RAM_SIZE))
		return 0;
	if (!image_place(&src, &img, m, &sum, &why)) {
		for (unsigned int i = 0; i < img.nsegs; i++) {
			const struct image_segment *s = &img.seg[i];
			const void *at =
				guestmem_ptr(m, gpa_of(s->gpa), s->memsz);

			assert(at);
			assert(!memcmp(at, elf + s->offset, s->filesz));
			for (uint64_t b = s->filesz; b < s->memsz; b++)
				assert(!((const uint8_t *)at)[b]);
			assert(s->gpa >= LAYOUT_KERNEL_MIN);
		}
	}
	check_rest(m, &img);
	guestmem_free(m);
	return 0;
}
