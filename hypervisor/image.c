// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/image.c - ELF kernel images: checked, then copied into guest RAM.
#include "hypervisor/image.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xen/elfnote.h>

#include "hypervisor/guestmem.h"
#include "hypervisor/layout.h"

/*
 * How it works
 *
 * image_parse() reads the file through image_read() only, which refuses any
 * byte beyond the end.  Every count that steers a loop has a limit below, and
 * nothing is allocated.  Both ELF classes are brought to the 64-bit structures
 * before anything looks at them.
 */

/* Limits on what a file may claim; Linux has 5, 45, about 20 and 500 bytes. */
#define MAX_PHDRS    64
#define MAX_SECTIONS 1024
#define MAX_NOTES    1024
#define MAX_NOTE_LEN (UINT64_C(1) << 20)

/* Copied at a time, so that the checksum reads from the cache. */
#define COPY_STEP (UINT64_C(256) << 10)

/** struct elf - What is known of the file while it is being parsed. */
struct elf {
	const struct image_src *src;
	struct why *why;
	Elf64_Ehdr head;
	unsigned int notes; /* read so far, against MAX_NOTES */
	bool have_entry;
	uint64_t entry;
};

int image_read(const struct image_src *src, uint64_t offset, void *buf,
	       uint64_t len)
{
	uint8_t *at = buf;

	if (offset > src->size || len > src->size - offset)
		return -EINVAL;
	offset += src->base;
	if (src->mem) {
		memcpy(buf, src->mem + offset, len);
		return 0;
	}
	while (len) {
		ssize_t n = pread(src->fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) /* it has shrunk since its size was asked */
			return -EINVAL;
		at += n;
		len -= (uint64_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* A read that fails here means that the file ends too early. */
static int truncated(struct elf *e, uint64_t end)
{
	char missing[WHY_SIZE_MAX];

	return why_set(e->why, -ENOEXEC,
		       "%s: is truncated: at least %s of %" PRIu64
		       " bytes are missing; copy it again",
		       e->src->name,
		       why_size(missing,
				end > e->src->size ? end - e->src->size : 1),
		       end);
}

static int read_or_truncated(struct elf *e, uint64_t offset, void *buf,
			     uint64_t len)
{
	int ret = image_read(e->src, offset, buf, len);

	if (ret == -EINVAL)
		return truncated(e, offset + len);
	if (ret)
		return why_set(e->why, ret, "%s: cannot be read: %s",
			       e->src->name, strerror(-ret));
	return 0;
}

static void widen_head(Elf64_Ehdr *to, const Elf32_Ehdr *from)
{
	to->e_type = from->e_type;
	to->e_machine = from->e_machine;
	to->e_phoff = from->e_phoff;
	to->e_shoff = from->e_shoff;
	to->e_phentsize = from->e_phentsize;
	to->e_phnum = from->e_phnum;
	to->e_shentsize = from->e_shentsize;
	to->e_shnum = from->e_shnum;
}

static int read_head(struct elf *e)
{
	Elf32_Ehdr head32;
	int ret;

	ret = read_or_truncated(e, 0, &head32, sizeof(head32));
	if (ret)
		return ret;
	memcpy(e->head.e_ident, head32.e_ident, EI_NIDENT);
	switch (e->head.e_ident[EI_CLASS]) {
	case ELFCLASS64:
		return read_or_truncated(e, 0, &e->head, sizeof(e->head));
	case ELFCLASS32:
		widen_head(&e->head, &head32);
		return 0;
	default:
		return why_set(e->why, -ENOEXEC,
			       "%s: is an ELF file of unknown class %u",
			       e->src->name, e->head.e_ident[EI_CLASS]);
	}
}

static const char *machine_name(unsigned int machine)
{
	switch (machine) {
	case EM_AARCH64:
		return "64-bit ARM";
	case EM_ARM:
		return "32-bit ARM";
	case EM_PPC64:
		return "64-bit PowerPC";
	case EM_S390:
		return "S/390";
	case EM_RISCV:
		return "RISC-V";
	case EM_MIPS:
		return "MIPS";
	default:
		return "another processor";
	}
}

static int check_head(const struct elf *e)
{
	const Elf64_Ehdr *h = &e->head;
	const char *name = e->src->name;
	bool wide = h->e_ident[EI_CLASS] == ELFCLASS64;

	if (h->e_ident[EI_DATA] != ELFDATA2LSB ||
	    (h->e_machine != EM_X86_64 && h->e_machine != EM_386))
		return why_set(
			e->why, -ENOEXEC,
			"%s: is an ELF file for %s (machine %u): a kernel for x86 is needed",
			name, machine_name(h->e_machine), h->e_machine);
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return why_set(
			e->why, -ENOEXEC,
			"%s: is an ELF file of type %u, not a kernel: give a vmlinuz or vmlinux",
			name, h->e_type);
	if (!h->e_phnum || h->e_phnum > MAX_PHDRS ||
	    h->e_phentsize != (wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)))
		return why_set(
			e->why, -ENOEXEC,
			"%s: is no usable kernel: %u program headers of %u bytes (at most %u)",
			name, h->e_phnum, h->e_phentsize, MAX_PHDRS);
	if (h->e_shnum > MAX_SECTIONS ||
	    (h->e_shnum && h->e_shentsize != (wide ? sizeof(Elf64_Shdr)
						   : sizeof(Elf32_Shdr))))
		return why_set(
			e->why, -ENOEXEC,
			"%s: is no usable kernel: %u sections of %u bytes (at most %u)",
			name, h->e_shnum, h->e_shentsize, MAX_SECTIONS);
	return 0;
}

/* The end of a table, saturated: a table that wraps is beyond any file. */
static uint64_t table_end(uint64_t offset, uint64_t len)
{
	return offset > UINT64_MAX - len ? UINT64_MAX : offset + len;
}

static int check_tables(struct elf *e)
{
	const Elf64_Ehdr *h = &e->head;
	uint64_t ph =
		table_end(h->e_phoff, (uint64_t)h->e_phnum * h->e_phentsize);
	uint64_t sh =
		table_end(h->e_shoff, (uint64_t)h->e_shnum * h->e_shentsize);

	if (ph > e->src->size)
		return truncated(e, ph);
	if (h->e_shnum && sh > e->src->size)
		return truncated(e, sh);
	return 0;
}

static int read_phdr(struct elf *e, unsigned int i, Elf64_Phdr *to)
{
	const Elf64_Ehdr *h = &e->head;
	uint64_t at = h->e_phoff + (uint64_t)i * h->e_phentsize;
	Elf32_Phdr p;
	int ret;

	if (h->e_ident[EI_CLASS] == ELFCLASS64)
		return read_or_truncated(e, at, to, sizeof(*to));
	ret = read_or_truncated(e, at, &p, sizeof(p));
	if (ret)
		return ret;
	*to = (Elf64_Phdr){
		.p_type = p.p_type,
		.p_flags = p.p_flags,
		.p_offset = p.p_offset,
		.p_vaddr = p.p_vaddr,
		.p_paddr = p.p_paddr,
		.p_filesz = p.p_filesz,
		.p_memsz = p.p_memsz,
		.p_align = p.p_align,
	};
	return 0;
}

static int read_shdr(struct elf *e, unsigned int i, Elf64_Shdr *to)
{
	const Elf64_Ehdr *h = &e->head;
	uint64_t at = h->e_shoff + (uint64_t)i * h->e_shentsize;
	Elf32_Shdr s;
	int ret;

	if (h->e_ident[EI_CLASS] == ELFCLASS64)
		return read_or_truncated(e, at, to, sizeof(*to));
	ret = read_or_truncated(e, at, &s, sizeof(s));
	if (ret)
		return ret;
	*to = (Elf64_Shdr){
		.sh_type = s.sh_type,
		.sh_offset = s.sh_offset,
		.sh_size = s.sh_size,
	};
	return 0;
}

static bool overlaps(const struct image_segment *a,
		     const struct image_segment *b)
{
	return a->gpa < b->gpa + b->memsz && b->gpa < a->gpa + a->memsz;
}

static int add_segment(struct elf *e, struct image *img, const Elf64_Phdr *p)
{
	struct image_segment *s = &img->seg[img->nsegs];
	const char *name = e->src->name;

	if (!p->p_memsz && !p->p_filesz)
		return 0;
	if (img->nsegs == IMAGE_MAX_SEGMENTS)
		return why_set(e->why, -ENOEXEC,
			       "%s: has more than %d loadable segments", name,
			       IMAGE_MAX_SEGMENTS);
	if (p->p_filesz > p->p_memsz || p->p_paddr > UINT32_MAX ||
	    p->p_memsz > (UINT64_C(1) << 32) - p->p_paddr)
		return why_set(e->why, -ENOEXEC,
			       "%s: has an impossible segment: %" PRIu64
			       " bytes in the file, %" PRIu64
			       " in memory at %#" PRIx64
			       " (must end below 4 GiB)",
			       name, p->p_filesz, p->p_memsz, p->p_paddr);
	if (table_end(p->p_offset, p->p_filesz) > e->src->size)
		return truncated(e, table_end(p->p_offset, p->p_filesz));

	*s = (struct image_segment){ p->p_offset, p->p_filesz, p->p_paddr,
				     p->p_memsz };
	for (unsigned int i = 0; i < img->nsegs; i++) {
		if (overlaps(s, &img->seg[i]))
			return why_set(e->why, -ENOEXEC,
				       "%s: has two segments at %#" PRIx64,
				       name, s->gpa);
	}
	img->nsegs++;
	img->start = MIN(img->start, s->gpa);
	img->end = MAX(img->end, s->gpa + s->memsz);
	return 0;
}

/* One note at *at; @end is where the notes end. */
static int read_note(struct elf *e, uint64_t *at, uint64_t end)
{
	static const char xen[4] = "Xen";
	struct {
		uint32_t namesz, descsz, type;
	} n;
	char name[4] = "";
	uint64_t desc;
	int ret;

	ret = read_or_truncated(e, *at, &n, sizeof(n));
	if (ret)
		return ret;
	desc = *at + sizeof(n) + ((uint64_t)n.namesz + 3) / 4 * 4;
	if (n.namesz == sizeof(xen)) {
		ret = read_or_truncated(e, *at + sizeof(n), name, sizeof(name));
		if (ret)
			return ret;
	}
	*at = desc + ((uint64_t)n.descsz + 3) / 4 * 4;
	if (desc + n.descsz > end || memcmp(name, xen, sizeof(xen)) != 0 ||
	    n.type != XEN_ELFNOTE_PHYS32_ENTRY)
		return 0;
	if (n.descsz != 4 && n.descsz != 8)
		return why_set(
			e->why, -ENOEXEC,
			"%s: its PVH entry note has %u bytes instead of 4 or 8",
			e->src->name, n.descsz);
	e->entry = 0;
	e->have_entry = true;
	return read_or_truncated(e, desc, &e->entry, n.descsz);
}

/* Look for the entry point among the notes of one segment or section. */
static int read_notes(struct elf *e, uint64_t offset, uint64_t len)
{
	uint64_t end = table_end(offset, len);

	if (end > e->src->size)
		return truncated(e, end);
	if (len > MAX_NOTE_LEN)
		return why_set(e->why, -ENOEXEC,
			       "%s: has %" PRIu64
			       " bytes of notes (at most %" PRIu64 ")",
			       e->src->name, len, MAX_NOTE_LEN);
	while (!e->have_entry && offset + sizeof(Elf64_Nhdr) <= end) {
		int ret;

		if (e->notes++ == MAX_NOTES)
			return why_set(e->why, -ENOEXEC,
				       "%s: has more than %d notes",
				       e->src->name, MAX_NOTES);
		ret = read_note(e, &offset, end);
		if (ret)
			return ret;
	}
	return 0;
}

static int read_segments(struct elf *e, struct image *img)
{
	for (unsigned int i = 0; i < e->head.e_phnum; i++) {
		Elf64_Phdr p;
		int ret;

		ret = read_phdr(e, i, &p);
		if (!ret && p.p_type == PT_INTERP)
			ret = why_set(
				e->why, -ENOEXEC,
				"%s: is a program, not a kernel: give a vmlinuz or vmlinux",
				e->src->name);
		if (!ret && p.p_type == PT_LOAD)
			ret = add_segment(e, img, &p);
		if (!ret && p.p_type == PT_NOTE && !e->have_entry)
			ret = read_notes(e, p.p_offset, p.p_filesz);
		if (ret)
			return ret;
	}
	return 0;
}

/* Some linkers leave the notes out of the program headers. */
static int read_note_sections(struct elf *e)
{
	for (unsigned int i = 0; i < e->head.e_shnum && !e->have_entry; i++) {
		Elf64_Shdr s;
		int ret;

		ret = read_shdr(e, i, &s);
		if (!ret && s.sh_type == SHT_NOTE)
			ret = read_notes(e, s.sh_offset, s.sh_size);
		if (ret)
			return ret;
	}
	return 0;
}

static int check_entry(const struct elf *e, struct image *img)
{
	if (!e->have_entry)
		return why_set(
			e->why, -ENOEXEC,
			"%s: has no PVH entry (no Xen note of type %d): use a Linux built with CONFIG_PVH=y or CONFIG_XEN_PVH=y, as Debian's are",
			e->src->name, XEN_ELFNOTE_PHYS32_ENTRY);
	for (unsigned int i = 0; i < img->nsegs; i++) {
		const struct image_segment *s = &img->seg[i];

		if (e->entry >= s->gpa && e->entry - s->gpa < s->filesz) {
			img->entry = (uint32_t)e->entry;
			return 0;
		}
	}
	return why_set(e->why, -ENOEXEC,
		       "%s: its PVH entry %#" PRIx64
		       " is in none of its segments",
		       e->src->name, e->entry);
}

int image_parse(const struct image_src *src, struct image *out, struct why *why)
{
	struct elf e = { .src = src, .why = why };
	struct image img = { .start = UINT64_MAX };
	int ret;

	ret = read_head(&e);
	if (!ret)
		ret = check_head(&e);
	if (!ret)
		ret = check_tables(&e);
	if (!ret)
		ret = read_segments(&e, &img);
	if (!ret && !e.have_entry)
		ret = read_note_sections(&e);
	if (!ret)
		ret = check_entry(&e, &img);
	if (!ret)
		*out = img;
	return ret;
}

/* Two running sums notice changed, moved and missing words alike. */
static void sum_up(struct image_sum *sum, const uint8_t *at, uint64_t len)
{
	uint64_t a = sum->a, b = sum->b, word = 0;

	for (; len >= sizeof(word); len -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		a += word;
		b += a;
	}
	word = 0;
	memcpy(&word, at, len);
	sum->a = a + word;
	sum->b = b + sum->a;
}

int image_copy(const struct image_src *src, uint64_t offset, uint64_t len,
	       struct guestmem *m, uint64_t gpa, struct image_sum *sum)
{
	uint8_t *buf = malloc(COPY_STEP);
	int ret = buf ? 0 : -ENOMEM;

	for (uint64_t done = 0; !ret && done < len; done += COPY_STEP) {
		uint64_t step = MIN(COPY_STEP, len - done);

		ret = image_read(src, offset + done, buf, step);
		if (ret)
			break;
		if (sum)
			sum_up(sum, buf, step);
		ret = guestmem_fill(m, gpa_of(gpa + done), buf, step);
	}
	free(buf);
	return ret;
}

int image_place(const struct image_src *src, const struct image *img,
		struct guestmem *m, struct image_sum *sum, struct why *why)
{
	char need[WHY_SIZE_MAX], have[WHY_SIZE_MAX];

	*sum = (struct image_sum){ 0 };
	sum_up(sum, (const uint8_t *)img->seg,
	       img->nsegs * sizeof(img->seg[0]));
	sum_up(sum, (const uint8_t *)&img->entry, sizeof(img->entry));
	if (img->start < LAYOUT_KERNEL_MIN)
		return why_set(why, -ENOSPC,
			       "%s: wants to be loaded at %#" PRIx64
			       ": only addresses from %#" PRIx64 " can be used",
			       src->name, img->start, LAYOUT_KERNEL_MIN);
	if (img->end > m->region[0].size)
		return why_set(
			why, -ENOSPC,
			"%s: needs memory up to %s, but the domain has %s below 4 GiB: raise its memory",
			src->name, why_size(need, img->end),
			why_size(have, m->region[0].size));
	for (unsigned int i = 0; i < img->nsegs; i++) {
		const struct image_segment *s = &img->seg[i];
		int ret = image_copy(src, s->offset, s->filesz, m, s->gpa, sum);

		if (ret)
			return why_set(why, ret, "%s: cannot be read: %s",
				       src->name, strerror(-ret));
	}
	return 0;
}
