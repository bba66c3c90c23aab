/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/proofs/image.c - V8: reading an ELF file that says anything. */
#include "tests/proofs/env.h"

#include "hypervisor/image.c"

/*
 * PROOF: reads heads tables segment overlap note notes entries
 * OPTIONS: all --unwind 5
 * OPTIONS: note --unwind 3 --unwindset pread.0:13,memcmp.0:5
 * OPTIONS: notes --unwind 3 --unwindset memcmp.0:5
 * BROKEN: reads hypervisor/image.c s/len > src->size - offset/offset + len > src->size/
 * BROKEN: heads hypervisor/image.c s/h->e_phnum > MAX_PHDRS ||//
 * BROKEN: tables hypervisor/image.c s/return offset > UINT64_MAX - len ? UINT64_MAX : /return /
 * BROKEN: segment hypervisor/image.c s/p->p_memsz > (UINT64_C(1) << 32) - p->p_paddr/p->p_paddr + p->p_memsz > (UINT64_C(1) << 32)/
 * BROKEN: segment hypervisor/image.c s/p->p_filesz > p->p_memsz ||//
 * BROKEN: overlap hypervisor/image.c s/a->gpa < b->gpa + b->memsz/a->gpa < b->gpa/
 * BROKEN: note hypervisor/image.c s/n.descsz != 4 && n.descsz != 8/n.descsz > 16/
 * BROKEN: notes hypervisor/image.c s/e->notes++ == MAX_NOTES/0/
 * BROKEN: entries hypervisor/image.c s/e->entry - s->gpa < s->filesz/e->entry - s->gpa < s->memsz/
 */

int why_set(struct why *why, int err, const char *fmt, ...)
{
	(void)why;
	(void)fmt;
	return err;
}

const char *why_size(char buf[WHY_SIZE_MAX], uint64_t bytes)
{
	(void)bytes;
	buf[0] = '\0';
	return buf;
}

/* ---- the file: any bytes, and fewer of them than it had ------------------- */

#define NOTE_READ_MAX 12 /* bytes at once of a note */

static uint64_t file_end;
static bool bytes_matter; /* else memory not yet written is any bytes */

ssize_t pread(int fd, void *to, size_t n, off_t at)
{
	ssize_t got = (ssize_t)any_u64();

	(void)fd;
	PROVE(at >= 0 && (uint64_t)at <= file_end &&
		      n <= file_end - (uint64_t)at,
	      "reads within the part of the file that is the image");
	PROVE(__CPROVER_w_ok(to, n), "reads into the caller's memory only");
	errno = EIO;
	/* Whole, or an error, or the end: reads() has the short ones. */
	ASSUME(got == (ssize_t)n || got == 0 || got == -1);
	for (size_t i = 0; bytes_matter && i < NOTE_READ_MAX && i < n; i++)
		((uint8_t *)to)[i] = any_u8();
	return got;
}

static struct image_src any_file(void)
{
	struct image_src src = { .fd = 3,
				 .base = any_u64(),
				 .size = any_u64() };

	ASSUME(src.base <= IMAGE_MAX_FILE && src.size <= IMAGE_MAX_FILE);
	file_end = src.base + src.size;
	return src;
}

static struct elf any_elf(const struct image_src *src)
{
	struct elf e;

	e.src = src;
	e.why = NULL;
	e.have_entry = false;
	ASSUME(e.notes <= MAX_NOTES);
	return e;
}

/* ---- proofs --------------------------------------------------------------- */

/* From a file and from memory: within it, whatever offset and length. */
void reads(void)
{
	struct image_src src = any_file();
	uint64_t offset = any_u64(), len = any_u64();
	uint8_t buf[16];
	int ret;

	ASSUME(len <= sizeof(buf) || len > UINT64_MAX / 2);
	if (any_bool()) {
		src.mem = malloc(src.base + src.size);
		ASSUME(src.mem);
	}
	ret = image_read(&src, offset, buf, len);
	PROVE(ret || (offset <= src.size && len <= src.size - offset),
	      "no byte beyond the end");
}

/* Both classes; a header that was accepted keeps to the limits. */
void heads(void)
{
	struct image_src src = any_file();
	struct elf e = any_elf(&src);
	int ret = read_head(&e);

	if (!ret)
		ret = check_head(&e);
	PROVE(ret || (e.head.e_phnum >= 1 && e.head.e_phnum <= MAX_PHDRS &&
		      e.head.e_shnum <= MAX_SECTIONS),
	      "limits of the loops");
}

/* An accepted table is in the file, with numbers up to 2^64. */
void tables(void)
{
	struct image_src src = any_file();
	struct elf e = any_elf(&src);
	const Elf64_Ehdr *h = &e.head;

	if (check_tables(&e))
		return;
	PROVE(h->e_phoff <= src.size && (uint64_t)h->e_phnum * h->e_phentsize <=
						src.size - h->e_phoff,
	      "program headers");
	PROVE(!h->e_shnum || (h->e_shoff <= src.size &&
			      (uint64_t)h->e_shnum * h->e_shentsize <=
				      src.size - h->e_shoff),
	      "section headers");
}

static struct image_segment any_segment(void)
{
	struct image_segment s = { any_u64(), any_u64(), any_u64(), any_u64() };

	return s;
}

/* What add_segment() has accepted: in the file, below 4 GiB. */
static bool sound(const struct image_segment *s, const struct image_src *src)
{
	return s->filesz <= s->memsz && s->memsz > 0 && s->gpa <= UINT32_MAX &&
	       s->memsz <= (UINT64_C(1) << 32) - s->gpa &&
	       s->offset <= src->size && s->filesz <= src->size - s->offset;
}

static bool apart(const struct image_segment *a, const struct image_segment *b)
{
	return a->gpa + a->memsz <= b->gpa || b->gpa + b->memsz <= a->gpa;
}

/* One more segment, after up to two that were accepted. */
void segment(void)
{
	struct image_src src = any_file();
	struct elf e = any_elf(&src);
	struct image img = { .start = any_u64(), .end = any_u64() };
	unsigned int old = any_u8(), i = any_u8();
	Elf64_Phdr p = { .p_offset = any_u64(),
			 .p_paddr = any_u64(),
			 .p_filesz = any_u64(),
			 .p_memsz = any_u64() };

	ASSUME(old <= 2);
	img.nsegs = old;
	for (unsigned int j = 0; j < 2; j++) {
		img.seg[j] = any_segment();
		ASSUME(j >= old || sound(&img.seg[j], &src));
	}
	if (add_segment(&e, &img, &p) || img.nsegs == old)
		return;
	PROVE(img.nsegs == old + 1, "one more");
	PROVE(sound(&img.seg[old], &src), "in the file, below 4 GiB");
	PROVE(i >= old || apart(&img.seg[i], &img.seg[old]),
	      "no byte of memory twice");
	PROVE(img.start <= img.seg[old].gpa &&
		      img.end >= img.seg[old].gpa + img.seg[old].memsz,
	      "counted in");
}

/* Of any two sound segments: exactly those that share a byte. */
void overlap(void)
{
	struct image_src src = any_file();
	struct image_segment a = any_segment(), b = any_segment();

	ASSUME(sound(&a, &src) && sound(&b, &src));
	PROVE(overlaps(&a, &b) == !apart(&a, &b), "in words of its own");
}

/* One note at any place: on it goes, within the bounds that it is given. */
void note(void)
{
	struct image_src src = any_file();
	struct elf e = any_elf(&src);
	uint64_t at = any_u64(), old = at, end = any_u64();
	int ret;

	ASSUME(end <= src.size && at <= end && sizeof(Elf64_Nhdr) <= end - at);
	bytes_matter = true;
	ret = read_note(&e, &at, end);
	PROVE(ret || at >= old + sizeof(Elf64_Nhdr), "the next is behind it");
	PROVE(ret || at - old <= UINT64_C(3) << 32, "no wrap");
}

/*
 * Notes of any place and length, of which MAX_NOTES - 1 or more were read: each
 * turn of the loop begins in a state like any other, so the last ones tell it all.
 */
void notes(void)
{
	struct image_src src = any_file();
	struct elf e = any_elf(&src);
	int ret;

	ASSUME(e.notes >= MAX_NOTES - 1);
	ret = read_notes(&e, any_u64(), any_u64());
	PROVE(ret <= 0 && e.notes <= MAX_NOTES + 1, "an end");
}

/* The entry that is accepted is a byte that comes from the file. */
void entries(void)
{
	struct image_src src = any_file();
	struct elf e = any_elf(&src);
	struct image img = { .nsegs = any_u8() };
	bool inside = false;

	ASSUME(img.nsegs <= 4);
	e.have_entry = any_bool();
	for (unsigned int i = 0; i < 4; i++) {
		img.seg[i] = any_segment();
		ASSUME(i >= img.nsegs || sound(&img.seg[i], &src));
		inside |= i < img.nsegs && e.entry >= img.seg[i].gpa &&
			  e.entry < img.seg[i].gpa + img.seg[i].filesz;
	}
	PROVE((check_entry(&e, &img) == 0) == (e.have_entry && inside),
	      "in a segment's file bytes");
	PROVE(!inside || !e.have_entry || img.entry == e.entry, "it fits");
}
