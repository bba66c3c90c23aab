/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_dump.c - cores: what is in them, and what guests may do to them. */
#include "hypervisor/dump.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xen/elfnote.h>

#include "base/fd.h"
#include "tests/lib/patience.h"
#include "tests/lib/slowfile.h"
#include "tools/xl_dump.h"

#define MIB    (UINT64_C(1) << 20)
#define GIB    (UINT64_C(1) << 30)
#define TABLES UINT64_C(0x100000)
#define P      UINT64_C(1)
#define LARGE  UINT64_C(0x80)
#define KERNEL UINT64_C(0xffffffff80000000)

/** struct bed - A guest, and its core as it is read back. */
struct bed {
	struct guestmem *mem;
	struct dump_cpu cpu[2];
	int fd;
	const uint8_t *map;
	size_t size;
	const Elf64_Ehdr *h;
	const Elf64_Phdr *p;
};

static void setup(struct bed *b, uint64_t size)
{
	memset(b, 0, sizeof(*b));
	cr_assert_eq(guestmem_new(&b->mem, size), 0);
	b->fd = memfd_create("core", MFD_CLOEXEC);
	cr_assert_geq(b->fd, 0);
	for (unsigned int i = 0; i < 2; i++) {
		b->cpu[i].sregs.cr0 = UINT64_C(1) << 31;
		b->cpu[i].sregs.cr3 = TABLES;
		b->cpu[i].sregs.cr4 = 0x20;
		b->cpu[i].sregs.efer = 0x400;
		b->cpu[i].regs.rip = 0x1000 + i;
		b->cpu[i].regs.rsp = 0x2000 + i;
		b->cpu[i].kernel_gs = 0x3000 + i;
	}
}

static void put(struct bed *b, uint64_t at, uint64_t value)
{
	cr_assert_eq(guestmem_write(b->mem, gpa_of(at), &value, 8), 0);
}

/* KERNEL is mapped to 2 MiB from @gpa on; more at its second GiB if @more. */
static void map(struct bed *b, uint64_t gpa, uint64_t more)
{
	put(b, TABLES + 511 * 8, (TABLES + 0x1000) | P);
	put(b, TABLES + 0x1000 + 510 * 8, (TABLES + 0x2000) | P);
	put(b, TABLES + 0x2000, gpa | P | LARGE);
	if (more)
		put(b, TABLES + 0x1000 + 511 * 8, more | P | LARGE);
}

/* As xl does it. */
static int write_core(struct bed *b, int stall_ms)
{
	struct xl_core c = { memfd_create("head", MFD_CLOEXEC), b->mem->fd,
			     b->mem->size };
	int ret = dump_head(c.head, b->mem, b->cpu, 2);

	if (!ret)
		ret = xl_core_write(b->fd, &c, stall_ms);
	close(c.head);
	return ret;
}

static void dump(struct bed *b)
{
	struct stat st;

	cr_assert_eq(write_core(b, PATIENCE_MS), 0);
	cr_assert_eq(fstat(b->fd, &st), 0);
	b->size = (size_t)st.st_size;
	b->map = mmap(NULL, b->size, PROT_READ, MAP_SHARED, b->fd, 0);
	cr_assert_neq(b->map, MAP_FAILED);
	b->h = (const void *)b->map;
	cr_assert_eq(memcmp(b->h->e_ident, ELFMAG, SELFMAG), 0);
	cr_assert_eq(b->h->e_type, ET_CORE);
	b->p = (const void *)(b->map + b->h->e_phoff);
	for (unsigned int i = 0; i < b->h->e_phnum; i++)
		cr_assert_leq(b->p[i].p_offset + b->p[i].p_filesz, b->size);
}

static void teardown(struct bed *b)
{
	if (b->map)
		munmap((void *)(uintptr_t)b->map, b->size);
	fd_close(&b->fd);
	guestmem_free(b->mem);
}

/* What the core has at a virtual address; NULL: nothing. */
static const void *at(const struct bed *b, uint64_t addr)
{
	for (unsigned int i = 0; i < b->h->e_phnum; i++) {
		const Elf64_Phdr *p = &b->p[i];

		if (p->p_type == PT_LOAD && addr - p->p_vaddr < p->p_filesz)
			return b->map + p->p_offset + (addr - p->p_vaddr);
	}
	return NULL;
}

/* The @n-th note of a name and type; NULL: there is none. */
static const void *note(const struct bed *b, const char *name, uint32_t type,
			unsigned int n, size_t *len)
{
	const uint8_t *from = b->map + b->p[0].p_offset;
	const uint8_t *end = from + b->p[0].p_filesz;

	cr_assert_eq(b->p[0].p_type, PT_NOTE);
	while (from < end) {
		const Elf64_Nhdr *h = (const void *)from;
		const char *its = (const char *)(h + 1);

		from += sizeof(*h) + ((h->n_namesz + 3) & ~3u);
		if (!strcmp(its, name) && h->n_type == type && !n--) {
			*len = h->n_descsz;
			return from;
		}
		from += (h->n_descsz + 3) & ~3u;
	}
	cr_assert_eq(from, end);
	return NULL;
}

Test(dump, memory_is_found_by_both_addresses)
{
	struct bed b;

	setup(&b, 16 * MIB);
	map(&b, 4 * MIB, 0);
	put(&b, 4 * MIB + 0x1238, 0x5afe);
	put(&b, 16 * MIB - 8, 0x1a57);
	dump(&b);
	cr_expect_eq(*(const uint64_t *)at(&b, 4 * MIB + 0x1238), 0x5afe);
	cr_expect_eq(*(const uint64_t *)at(&b, 16 * MIB - 8), 0x1a57);
	cr_expect_eq(*(const uint64_t *)at(&b, KERNEL + 0x1238), 0x5afe);
	cr_expect_null(at(&b, KERNEL + 2 * MIB));
	cr_expect_null(at(&b, 16 * MIB));
	teardown(&b);
}

Test(dump, memory_above_4_gib_is_where_it_is)
{
	struct bed b;

	setup(&b, 3 * GIB + 8 * MIB);
	map(&b, 4 * GIB + 2 * MIB, 0);
	put(&b, 4 * GIB + 2 * MIB + 8, 0x4161);
	dump(&b);
	cr_expect_eq(b.h->e_phnum, 4);
	cr_expect_eq(*(const uint64_t *)at(&b, 4 * GIB + 2 * MIB + 8), 0x4161);
	cr_expect_eq(*(const uint64_t *)at(&b, KERNEL + 8), 0x4161);
	cr_expect_eq(b.p[3].p_paddr, 4 * GIB + 2 * MIB);
	teardown(&b);
}

Test(dump, what_was_never_touched_takes_no_room)
{
	struct bed b;
	struct stat st;

	setup(&b, 512 * MIB);
	map(&b, 4 * MIB, 0);
	put(&b, 300 * MIB, 1);
	dump(&b);
	cr_assert_eq(fstat(b.fd, &st), 0);
	cr_expect_gt(st.st_size, (off_t)(512 * MIB));
	cr_expect_lt(st.st_blocks * 512, (blkcnt_t)(8 * MIB));
	cr_expect_eq(*(const uint64_t *)at(&b, 300 * MIB), 1);
	teardown(&b);
}

Test(dump, of_a_mapping_what_is_ram_is_kept)
{
	struct bed b;

	setup(&b, 16 * MIB);
	/* A GiB from 0 on, as Linux maps all memory at once. */
	map(&b, 64 * MIB, LARGE);
	put(&b, 16 * MIB - 8, 0x1a57);
	dump(&b);
	cr_expect_null(at(&b, KERNEL));
	cr_expect_eq(*(const uint64_t *)at(&b, KERNEL + GIB + 16 * MIB - 8),
		     0x1a57);
	cr_expect_null(at(&b, KERNEL + GIB + 16 * MIB));
	teardown(&b);
}

Test(dump, registers_are_notes)
{
	const struct elf_prstatus *s;
	const uint64_t *q;
	struct bed b;
	size_t len;

	setup(&b, 16 * MIB);
	dump(&b);
	for (unsigned int i = 0; i < 2; i++) {
		s = note(&b, "CORE", NT_PRSTATUS, i, &len);
		cr_assert(s && len == sizeof(*s));
		cr_expect_eq(s->pr_pid, (int)i + 1);
		cr_expect_eq(s->pr_reg[16], 0x1000 + i, "rip");
		cr_expect_eq(s->pr_reg[19], 0x2000 + i, "rsp");
		q = note(&b, "QEMU", 0, i, &len);
		cr_assert(q && len == 440);
		cr_expect_eq(q[0], 1 | UINT64_C(440) << 32);
		cr_expect_eq(q[7], 0x2000 + i, "rsp");
		cr_expect_eq(q[17], 0x1000 + i, "rip");
		cr_expect_eq(q[52], TABLES, "cr3");
		cr_expect_eq(q[54], 0x3000 + i, "kernel's gs");
	}
	cr_expect_null(note(&b, "CORE", NT_PRSTATUS, 2, &len));
	q = note(&b, "Xen", XEN_ELFNOTE_DUMPCORE_HEADER, 0, &len);
	cr_assert(q && len == 32);
	cr_expect_eq(q[1], 2, "vCPUs");
	cr_expect_eq(q[2], 16 * MIB / 4096, "pages");
	teardown(&b);
}

/* Tables that contain themselves map for ever: each page to another place. */
Test(dump, tables_without_end_end, .timeout = 60)
{
	struct bed b;

	setup(&b, 16 * MIB);
	for (uint64_t i = 0; i < 512; i++)
		put(&b, TABLES + i * 8, TABLES | P | (i & 1 ? 0 : LARGE));
	dump(&b);
	cr_expect_leq(b.h->e_phnum, 2 + DUMP_MAX_MAPS);
	cr_expect_gt(b.h->e_phnum, 2);
	teardown(&b);
}

Test(dump, tables_outside_ram_map_nothing)
{
	struct bed b;

	setup(&b, 16 * MIB);
	b.cpu[0].sregs.cr3 = UINT64_C(0xffffffffff000);
	dump(&b);
	cr_expect_eq(b.h->e_phnum, 2);
	teardown(&b);
}

Test(dump, a_full_disk_is_said)
{
	const struct rlimit full = { MIB, MIB };
	struct bed b;

	setup(&b, 16 * MIB);
	for (uint64_t i = 0; i < 16; i++)
		put(&b, i * MIB, 1);
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
	cr_expect_eq(write_core(&b, PATIENCE_MS), -EFBIG);
	teardown(&b);
}

Test(dump, a_disk_that_takes_nothing_holds_nobody_up, .timeout = 120)
{
	struct slowfile *slow = slowfile_new(32 * MIB, false);
	struct bed b;

	if (!slow)
		cr_skip_test("no FUSE here");
	setup(&b, 16 * MIB);
	fd_close(&b.fd);
	b.fd = open(slowfile_path(slow), O_RDWR | O_CLOEXEC);
	cr_assert_geq(b.fd, 0);
	slowfile_hold(slow);
	cr_expect_eq(write_core(&b, 300), -ETIMEDOUT);
	cr_expect(SOON(slowfile_held(slow)));
	slowfile_release(slow);
	while (waitpid(-1, NULL, 0) > 0)
		;
	teardown(&b);
	slowfile_free(slow);
}
