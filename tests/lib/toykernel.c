// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/toykernel.c - tiny kernel images for tests of the loader.
#include "tests/lib/toykernel.h"

#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <xen/elfnote.h>

#include "base/log.h"

#define SETUP_SECTS  4u
#define SETUP_BYTES  ((SETUP_SECTS + 1) * 512)
#define PAYLOAD_AT   0x60u /* in the protected-mode code */
#define PACKED_ROOM  (1u << 20)
#define LEGACY_MAGIC "\x02\x21\x4c\x18"

uint8_t toy_byte(size_t i)
{
	return (uint8_t)(i * 7 + i / 251 + 1);
}

/* Two notes: one of somebody else first, then Xen's. Return: their bytes. */
static size_t put_notes(uint8_t *at, const struct toy *toy)
{
	static const Elf64_Nhdr gnu = { 4, 6, 3 };
	const Elf64_Nhdr xen = { 4, toy->note_desc8 ? 8 : 4,
				 XEN_ELFNOTE_PHYS32_ENTRY };
	const uint64_t entry = TOY_ENTRY;
	uint8_t *start = at;

	memcpy(at, &gnu, sizeof(gnu));
	memcpy(at + 12, "GNU", 4);
	memset(at + 16, 0xee, 6);
	at += 24;
	if (toy->no_note)
		return (size_t)(at - start);
	memcpy(at, &xen, sizeof(xen));
	memcpy(at + 12, "Xen", 4);
	memcpy(at + 16, &entry, xen.n_descsz);
	return (size_t)(at - start) + 16 + xen.n_descsz;
}

static void put64(uint8_t *buf, const struct toy *toy, size_t notes)
{
	bool section = toy->note_in_section;
	Elf64_Ehdr e = {
		.e_ident = ELFMAG "\2\1\1",
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = 1,
		.e_entry = TOY_TEXT_GPA,
		.e_phoff = sizeof(e),
		.e_shoff = section ? TOY_SECTIONS : 0,
		.e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = section ? 2 : 3,
		.e_shentsize = section ? sizeof(Elf64_Shdr) : 0,
		.e_shnum = section ? 2 : 0,
	};
	Elf64_Phdr p[3] = {
		{ PT_LOAD, PF_X, TOY_TEXT, 0xffffffff81000000, TOY_TEXT_GPA,
		  TOY_TEXT_SIZE, TOY_TEXT_SIZE, 0x1000 },
		{ PT_LOAD, PF_W, TOY_DATA, 0xffffffff81400000, TOY_DATA_GPA,
		  TOY_DATA_SIZE, TOY_DATA_MEMSZ, 0x1000 },
		{ PT_NOTE, PF_R, TOY_NOTES, 0, 0, notes, notes, 4 },
	};
	Elf64_Shdr s[2] = { [1] = { .sh_type = SHT_NOTE,
				    .sh_offset = TOY_NOTES,
				    .sh_size = notes } };

	memcpy(buf, &e, sizeof(e));
	memcpy(buf + sizeof(e), p, e.e_phnum * sizeof(p[0]));
	if (section)
		memcpy(buf + TOY_SECTIONS, s, sizeof(s));
}

static void put32(uint8_t *buf, const struct toy *toy, size_t notes)
{
	bool section = toy->note_in_section;
	Elf32_Ehdr e = {
		.e_ident = ELFMAG "\1\1\1",
		.e_type = ET_EXEC,
		.e_machine = EM_386,
		.e_version = 1,
		.e_entry = TOY_TEXT_GPA,
		.e_phoff = sizeof(e),
		.e_shoff = section ? TOY_SECTIONS : 0,
		.e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = section ? 2 : 3,
		.e_shentsize = section ? sizeof(Elf32_Shdr) : 0,
		.e_shnum = section ? 2 : 0,
	};
	Elf32_Phdr p[3] = {
		{ PT_LOAD, TOY_TEXT, 0xc1000000, TOY_TEXT_GPA, TOY_TEXT_SIZE,
		  TOY_TEXT_SIZE, PF_X, 0x1000 },
		{ PT_LOAD, TOY_DATA, 0xc1400000, TOY_DATA_GPA, TOY_DATA_SIZE,
		  TOY_DATA_MEMSZ, PF_W, 0x1000 },
		{ PT_NOTE, TOY_NOTES, 0, 0, (Elf32_Word)notes,
		  (Elf32_Word)notes, PF_R, 4 },
	};
	Elf32_Shdr s[2] = { [1] = { .sh_type = SHT_NOTE,
				    .sh_offset = TOY_NOTES,
				    .sh_size = (Elf32_Word)notes } };

	memcpy(buf, &e, sizeof(e));
	memcpy(buf + sizeof(e), p, e.e_phnum * sizeof(p[0]));
	if (section)
		memcpy(buf + TOY_SECTIONS, s, sizeof(s));
}

void toy_elf(uint8_t buf[TOY_SIZE], const struct toy *toy)
{
	size_t notes;

	memset(buf, 0, TOY_SIZE);
	notes = put_notes(buf + TOY_NOTES, toy);
	for (size_t i = 0; i < TOY_TEXT_SIZE; i++)
		buf[TOY_TEXT + i] = toy_byte(i);
	for (size_t i = 0; i < TOY_DATA_SIZE; i++)
		buf[TOY_DATA + i] = toy_byte(TOY_DATA + i);
	if (toy->elf32)
		put32(buf, toy, notes);
	else
		put64(buf, toy, notes);
}

static void put_le32(uint8_t *at, size_t v)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(v >> 8 * i);
}

/*
 * The kernel's build uses lz4's legacy format, which libarchive reads but does
 * not write: blocks of at most 8 MiB, each after its length.  One block of
 * literals only will do.
 */
static size_t pack_lz4(uint8_t *to, const void *from, size_t len)
{
	uint8_t *at = to + 8;
	size_t left = len - 15;

	memcpy(to, LEGACY_MAGIC, 4);
	*at++ = 0xf0; /* 15 or more literals, no match */
	for (; left >= 255; left -= 255)
		*at++ = 255;
	*at++ = (uint8_t)left;
	memcpy(at, from, len);
	at += len;
	put_le32(to + 4, (size_t)(at - to) - 8);
	return (size_t)(at - to);
}

static size_t pack(uint8_t *to, const void *from, size_t len,
		   enum bzimage_packing packing)
{
	static int (*const filter[BZIMAGE_NPACKINGS])(struct archive *) = {
		[BZIMAGE_GZIP] = archive_write_add_filter_gzip,
		[BZIMAGE_BZIP2] = archive_write_add_filter_bzip2,
		[BZIMAGE_LZMA] = archive_write_add_filter_lzma,
		[BZIMAGE_XZ] = archive_write_add_filter_xz,
		[BZIMAGE_ZSTD] = archive_write_add_filter_zstd,
	};
	struct archive *a;
	struct archive_entry *e;
	size_t used = 0;

	if (packing == BZIMAGE_LZ4)
		return pack_lz4(to, from, len);
	a = archive_write_new();
	e = archive_entry_new();
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_pathname(e, "kernel");
	if (filter[packing](a) || archive_write_set_format_raw(a) ||
	    archive_write_set_bytes_in_last_block(a, 1) ||
	    archive_write_open_memory(a, to, PACKED_ROOM, &used) ||
	    archive_write_header(a, e) ||
	    archive_write_data(a, from, len) != (la_ssize_t)len ||
	    archive_write_close(a))
		die("toykernel: %s", archive_error_string(a));
	archive_entry_free(e);
	archive_write_free(a);
	return used;
}

void toy_bzimage(uint8_t **out, size_t *size, const void *payload, size_t len,
		 enum bzimage_packing packing)
{
	uint8_t *image = calloc(1, SETUP_BYTES + PAYLOAD_AT + PACKED_ROOM);
	uint8_t *at;
	size_t used;

	if (!image)
		die("toykernel: out of memory");
	at = image + SETUP_BYTES + PAYLOAD_AT;
	if (packing == BZIMAGE_PLAIN) {
		memcpy(at, payload, len);
		used = len;
	} else {
		used = pack(at, payload, len, packing);
	}
	/* gzip ends with the size anyhow. */
	if (packing != BZIMAGE_PLAIN && packing != BZIMAGE_GZIP) {
		put_le32(at + used, len);
		used += 4;
	}
	image[0x1f1] = SETUP_SECTS;
	put_le32(image + 0x1f4, (PAYLOAD_AT + used + 15) / 16);
	image[0x1fe] = 0x55;
	image[0x1ff] = 0xaa;
	memcpy(image + 0x202, "HdrS", 4);
	image[0x206] = 0x0f;
	image[0x207] = 0x02;
	put_le32(image + 0x248, PAYLOAD_AT);
	put_le32(image + 0x24c, used);
	*out = image;
	*size = SETUP_BYTES + (PAYLOAD_AT + used + 15) / 16 * 16;
}
