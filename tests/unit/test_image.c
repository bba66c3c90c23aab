/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_image.c - ELF kernels: good ones, and a table of lies. */
#include "hypervisor/image.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/guestmem.h"
#include "tests/lib/toykernel.h"

#define PHDR(i, f)                                       \
	(sizeof(Elf64_Ehdr) + (i) * sizeof(Elf64_Phdr) + \
	 offsetof(Elf64_Phdr, f))

static struct image_src source(const uint8_t *buf, uint64_t size)
{
	return (struct image_src){ .mem = buf, .size = size, .name = "toy" };
}

struct good {
	struct toy toy;
};

ParameterizedTestParameters(image, good)
{
	static struct good t[] = {
		{ { 0 } },
		{ { .note_desc8 = true } },
		{ { .note_in_section = true } },
		{ { .elf32 = true } },
		{ { .elf32 = true, .note_desc8 = true } },
		{ { .elf32 = true, .note_in_section = true } },
	};
	return cr_make_param_array(struct good, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct good *t, image, good)
{
	static uint8_t buf[TOY_SIZE];
	struct image_src src = source(buf, sizeof(buf));
	struct guestmem *m;
	struct image_sum sum;
	struct image img;
	struct why why;
	uint8_t *p;

	toy_elf(buf, &t->toy);
	cr_assert_eq(image_parse(&src, &img, &why), 0, "%s", why.text);
	cr_expect_eq(img.nsegs, 2);
	cr_expect_eq(img.entry, TOY_ENTRY);
	cr_expect_eq(img.start, TOY_TEXT_GPA);
	cr_expect_eq(img.end, TOY_DATA_GPA + TOY_DATA_MEMSZ);

	cr_assert_eq(guestmem_new(&m, 32 << 20), 0);
	cr_assert_eq(image_place(&src, &img, m, &sum, &why), 0, "%s", why.text);
	p = guestmem_ptr(m, gpa_of(0), 32 << 20);
	for (size_t i = 0; i < 32 << 20; i++) {
		uint8_t want = 0;

		if (i - TOY_TEXT_GPA < TOY_TEXT_SIZE)
			want = toy_byte(i - TOY_TEXT_GPA);
		else if (i - TOY_DATA_GPA < TOY_DATA_SIZE)
			want = toy_byte(TOY_DATA + i - TOY_DATA_GPA);
		if (p[i] != want)
			cr_assert_fail("byte %zx is %x not %x", i, p[i], want);
	}
	guestmem_free(m);
}

struct lie {
	char name[40];
	uint32_t at; /* patch: offset, bytes, value */
	uint32_t len;
	uint64_t value;
	char says[48]; /* part of the message; "" if it is no lie */
};

ParameterizedTestParameters(image, lies)
{
	static struct lie t[] = {
		{ "nothing changed", 0, 0, 0, "" },
		{ "class 0", EI_CLASS, 1, 0, "unknown class 0" },
		{ "class 3", EI_CLASS, 1, 3, "unknown class 3" },
		{ "big endian", EI_DATA, 1, 2, "is an ELF file for" },
		{ "ARM", 18, 2, EM_AARCH64, "64-bit ARM (machine 183)" },
		{ "object file", 16, 2, ET_REL, "type 1, not a kernel" },
		{ "core file", 16, 2, ET_CORE, "type 4, not a kernel" },
		{ "position-independent", 16, 2, ET_DYN, "" },
		{ "no program headers", 56, 2, 0, "0 program headers" },
		{ "65 program headers", 56, 2, 65, "65 program headers" },
		{ "65535 program headers", 56, 2, 65535, "65535 program" },
		{ "small program headers", 54, 2, 1, "headers of 1 bytes" },
		{ "headers beyond the end", 32, 8, TOY_SIZE - 1, "truncated" },
		{ "headers wrap", 32, 8, UINT64_MAX - 7, "truncated" },
		{ "many sections", 60, 2, 1025, "1025 sections" },
		{ "sections of odd size", 60, 2, 1, "1 sections of 0 bytes" },
		{ "file part beyond end", PHDR(0, p_offset), 8, TOY_SIZE - 1,
		  "truncated: at least 1.999 KiB" },
		{ "offset wraps", PHDR(0, p_offset), 8, UINT64_MAX - 1,
		  "truncated" },
		{ "more in file than in memory", PHDR(0, p_filesz), 8,
		  TOY_TEXT_SIZE + 1, "impossible segment" },
		{ "huge in the file", PHDR(1, p_filesz), 8, UINT64_MAX,
		  "impossible segment" },
		{ "huge in memory", PHDR(1, p_memsz), 8, UINT64_MAX,
		  "impossible segment" },
		{ "memory wraps", PHDR(1, p_memsz), 8, UINT64_MAX - 0x1400000,
		  "impossible segment" },
		{ "to 4 GiB exactly", PHDR(1, p_memsz), 8,
		  (UINT64_C(1) << 32) - TOY_DATA_GPA, "" },
		{ "over 4 GiB", PHDR(1, p_memsz), 8,
		  (UINT64_C(1) << 32) - TOY_DATA_GPA + 1,
		  "must end below 4 GiB" },
		{ "at 4 GiB", PHDR(1, p_paddr), 8, UINT64_C(1) << 32,
		  "impossible segment" },
		{ "address wraps", PHDR(1, p_paddr), 8, UINT64_MAX - 0x100,
		  "impossible segment" },
		{ "segments overlap", PHDR(1, p_paddr), 8,
		  TOY_TEXT_GPA + TOY_TEXT_SIZE - 1, "two segments at" },
		{ "segments touch", PHDR(1, p_paddr), 8,
		  TOY_TEXT_GPA + TOY_TEXT_SIZE, "" },
		{ "same place", PHDR(1, p_paddr), 8, TOY_TEXT_GPA,
		  "two segments at" },
		{ "a program", PHDR(1, p_type), 4, PT_INTERP, "is a program" },
		{ "notes beyond the end", PHDR(2, p_offset), 8, TOY_SIZE - 4,
		  "truncated" },
		{ "notes wrap", PHDR(2, p_offset), 8, UINT64_MAX, "truncated" },
		{ "no notes", PHDR(2, p_type), 4, PT_NULL, "no PVH entry" },
		{ "notes cut", PHDR(2, p_filesz), 8, 24, "no PVH entry" },
		{ "notes cut in the entry", PHDR(2, p_filesz), 8, 43,
		  "no PVH entry" },
		{ "note name too long", TOY_NOTES + 24, 4, UINT32_MAX,
		  "no PVH entry" },
		{ "note of 5 bytes", TOY_NOTES + 28, 4, 5, "no PVH entry" },
		{ "note of 3 bytes", TOY_NOTES + 28, 4, 3, "has 3 bytes" },
		{ "empty note", TOY_NOTES + 28, 4, 0, "has 0 bytes" },
		{ "first note too long", TOY_NOTES + 4, 4, UINT32_MAX,
		  "no PVH entry" },
		{ "note of another", TOY_NOTES + 36, 1, 'Y', "no PVH entry" },
		{ "note of another type", TOY_NOTES + 32, 4, 17,
		  "no PVH entry" },
		{ "entry at 0", TOY_NOTES + 40, 4, 0, "entry 0 is in none" },
		{ "entry before", TOY_NOTES + 40, 4, TOY_TEXT_GPA - 1,
		  "in none" },
		{ "entry last byte", TOY_NOTES + 40, 4,
		  TOY_TEXT_GPA + TOY_TEXT_SIZE - 1, "" },
		{ "entry behind", TOY_NOTES + 40, 4,
		  TOY_TEXT_GPA + TOY_TEXT_SIZE, "in none" },
		{ "entry in bss", TOY_NOTES + 40, 4,
		  TOY_DATA_GPA + TOY_DATA_SIZE, "in none" },
	};
	return cr_make_param_array(struct lie, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct lie *t, image, lies)
{
	uint8_t *buf = malloc(TOY_SIZE); /* so that ASan sees its end */
	struct image_src src = source(buf, TOY_SIZE);
	struct image img = { .nsegs = 77 };
	struct why why = { "" };
	int ret;

	toy_elf(buf, &(struct toy){ 0 });
	memcpy(buf + t->at, &t->value, t->len);
	ret = image_parse(&src, &img, &why);
	if (t->says[0]) {
		cr_expect_eq(ret, -ENOEXEC, "%s: %d", t->name, ret);
		cr_expect(strstr(why.text, t->says), "%s: %s", t->name,
			  why.text);
		cr_expect_eq(strncmp(why.text, "toy: ", 5), 0);
		cr_expect_eq(img.nsegs, 77, "nothing is written on failure");
	} else {
		cr_expect_eq(ret, 0, "%s: %s", t->name, why.text);
	}
	free(buf);
}

Test(image, too_many_segments_and_notes)
{
	static uint8_t buf[1 << 16];
	struct image_src src = source(buf, sizeof(buf));
	Elf64_Ehdr *e = (void *)buf;
	Elf64_Phdr *p = (void *)(buf + sizeof(*e));
	struct image img;
	struct why why;

	toy_elf(buf, &(struct toy){ 0 });
	e->e_phnum = IMAGE_MAX_SEGMENTS + 1;
	for (unsigned int i = 0; i < e->e_phnum; i++)
		p[i] = (Elf64_Phdr){ .p_type = PT_LOAD,
				     .p_paddr = TOY_TEXT_GPA + i * 4096,
				     .p_memsz = 1 };
	cr_expect_eq(image_parse(&src, &img, &why), -ENOEXEC);
	cr_expect(strstr(why.text, "more than 32 loadable"), "%s", why.text);

	/* All zero is a note of no length: 12 bytes each. */
	memset(buf, 0, sizeof(buf));
	toy_elf(buf, &(struct toy){ 0 });
	p[2].p_offset = 0x4000;
	p[2].p_filesz = 1025 * 12;
	cr_expect_eq(image_parse(&src, &img, &why), -ENOEXEC);
	cr_expect(strstr(why.text, "more than 1024 notes"), "%s", why.text);
	p[2].p_filesz = 1024 * 12;
	cr_expect_eq(image_parse(&src, &img, &why), -ENOEXEC);
	cr_expect(strstr(why.text, "no PVH entry"), "%s", why.text);
}

struct place {
	char name[24];
	uint64_t text, data, memsz;
	char says[40];
};

ParameterizedTestParameters(image, places)
{
	/* Memory has 32 MiB. */
	static struct place t[] = {
		{ "lowest", 0x100000, 0x200000, 0x5000, "" },
		{ "below 1 MiB", 0xff000, 0x200000, 0x5000, "at 0xff000" },
		{ "at 0", 0, 0x200000, 0x5000, "at 0:" },
		{ "to the end", 0x100000, 0x1ffb000, 0x5000, "" },
		{ "one over", 0x100000, 0x1ffb000, 0x5001,
		  "the domain has 32" },
		{ "beyond", 0x100000, 0x2000000, 0x5000, "the domain has 32" },
		{ "bss beyond", 0x100000, 0x1000000, 0x80000000,
		  "memory up to 2.016 GiB" },
	};
	return cr_make_param_array(struct place, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct place *t, image, places)
{
	static uint8_t buf[TOY_SIZE];
	struct image_src src = source(buf, sizeof(buf));
	Elf64_Phdr *p = (void *)(buf + sizeof(Elf64_Ehdr));
	uint32_t entry = (uint32_t)t->text;
	struct guestmem *m;
	struct image_sum sum;
	struct image img;
	struct why why;
	int ret;

	toy_elf(buf, &(struct toy){ 0 });
	p[0].p_paddr = t->text;
	p[1].p_paddr = t->data;
	p[1].p_memsz = t->memsz;
	memcpy(buf + TOY_NOTES + 40, &entry, 4);
	cr_assert_eq(guestmem_new(&m, 32 << 20), 0);
	cr_assert_eq(image_parse(&src, &img, &why), 0, "%s", why.text);
	ret = image_place(&src, &img, m, &sum, &why);
	cr_expect_eq(ret, t->says[0] ? -ENOSPC : 0);
	if (ret)
		cr_expect(strstr(why.text, t->says), "%s", why.text);
	guestmem_free(m);
}

Test(image, checksum_sees_any_changed_byte)
{
	static uint8_t buf[TOY_SIZE];
	struct image_src src = source(buf, sizeof(buf));
	struct image_sum good, bad;
	struct guestmem *m;
	struct image img;
	struct why why;

	toy_elf(buf, &(struct toy){ 0 });
	cr_assert_eq(guestmem_new(&m, 32 << 20), 0);
	cr_assert_eq(image_parse(&src, &img, &why), 0);
	cr_assert_eq(image_place(&src, &img, m, &good, &why), 0);
	for (size_t i = 0; i < TOY_DATA_SIZE; i++) {
		buf[TOY_DATA + i] ^= 0x10;
		cr_assert_eq(image_place(&src, &img, m, &bad, &why), 0);
		cr_expect(good.a != bad.a || good.b != bad.b, "byte %zu", i);
		buf[TOY_DATA + i] ^= 0x10;
	}
	guestmem_free(m);
}

Test(image, read_stays_within_the_source)
{
	static const uint8_t bytes[16] = "0123456789abcde";
	struct image_src src = { .mem = bytes, .base = 4, .size = 8 };
	uint8_t buf[16] = { 0 };

	cr_expect_eq(image_read(&src, 0, buf, 8), 0);
	cr_expect_eq(memcmp(buf, "456789ab", 8), 0);
	cr_expect_eq(image_read(&src, 8, buf, 0), 0);
	cr_expect_eq(image_read(&src, 0, buf, 9), -EINVAL);
	cr_expect_eq(image_read(&src, 8, buf, 1), -EINVAL);
	cr_expect_eq(image_read(&src, 9, buf, 0), -EINVAL);
	cr_expect_eq(image_read(&src, UINT64_MAX, buf, 2), -EINVAL);
	cr_expect_eq(image_read(&src, 1, buf, UINT64_MAX), -EINVAL);
}
