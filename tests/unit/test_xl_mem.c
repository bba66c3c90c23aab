/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_xl_mem.c - rounds of a stream add up to the memory there is. */
#include "tools/xl_mem.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/savezip.h"

#define PAGES	700u /* of two regions: more than a record holds */
#define FIRST	600u /* of these in the first */
#define PAGE(n) (ram + (size_t)(n)*SV_PAGE_SIZE)

static struct xl_mem m;
static struct savefile s;
static uint8_t *ram, *copy; /* the guest's, and what was made of the stream */

static void setup(void)
{
	int fd = fd_memfd("ram", PAGES * SV_PAGE_SIZE);

	cr_assert_geq(fd, 0);
	ram = mmap(NULL, PAGES * SV_PAGE_SIZE, PROT_READ | PROT_WRITE,
		   MAP_SHARED, fd, 0);
	cr_assert_neq(ram, MAP_FAILED);
	copy = calloc(PAGES, SV_PAGE_SIZE);
	m = (struct xl_mem){
		.mem = { .ram = ram,
			 .ram_size = PAGES * SV_PAGE_SIZE,
			 .nregions = 2,
			 .region = { { 0, FIRST, 0 },
				     { 1u << 20, PAGES - FIRST,
				       FIRST * SV_PAGE_SIZE } } },
		.fd = fd,
		.sum = calloc(PAGES, sizeof(*m.sum)),
		.buf = malloc(SAVEFILE_CHUNK),
	};
	s = (struct savefile){ .fd = memfd_create("stream", MFD_CLOEXEC) };
	cr_assert(copy && m.sum && m.buf && s.fd >= 0);
}

static void teardown(void)
{
	close(s.fd);
	free(copy);
	xl_mem_close(&m); /* and its RAM */
}

TestSuite(xl_mem, .init = setup, .fini = teardown);

/* A record's pages into their place in it. */
static void unpack(uint8_t *buf, size_t len, const struct savefile_range *r)
{
	uint8_t *packed = malloc(len);
	struct savezip *z;

	cr_assert(packed && !savezip_new(&z));
	memcpy(packed, buf, len);
	cr_assert_lt(len, r->n * SV_PAGE_SIZE);
	cr_assert_eq(savezip_unpack(z, packed + sizeof(*r), len - sizeof(*r),
				    buf + sizeof(*r), r->n * SV_PAGE_SIZE),
		     0);
	savezip_free(z);
	free(packed);
}

/* Apply what is in the stream from @at on, behind record @seq. */
static void apply(off_t at, uint32_t seq)
{
	off_t end = lseek(s.fd, 0, SEEK_CUR);
	uint8_t *buf = malloc(SAVEFILE_MAX);
	struct savefile in = { .fd = s.fd, .seq = seq };

	cr_assert_eq(lseek(s.fd, at, SEEK_SET), at);
	while (lseek(s.fd, 0, SEEK_CUR) < end) {
		struct savefile_range r;
		uint32_t type;
		size_t len;

		cr_assert_eq(savefile_get(&in, &type, buf, &len), 0);
		memcpy(&r, buf, sizeof(r));
		cr_assert(r.n && r.first < PAGES && r.n <= PAGES - r.first);
		if (type == SAVE_PACKED)
			unpack(buf, len, &r);
		else
			cr_assert(type == SAVE_MEMORY &&
				  len == sizeof(r) + r.n * SV_PAGE_SIZE);
		cr_expect(r.first >= FIRST || r.first + r.n <= FIRST,
			  "it lies in one region");
		memcpy(copy + r.first * SV_PAGE_SIZE, buf + sizeof(r),
		       r.n * SV_PAGE_SIZE);
	}
	free(buf);
}

/* One round; Return: how many pages were written. */
static uint64_t go(void)
{
	off_t at = lseek(s.fd, 0, SEEK_CUR);
	uint32_t seq = s.seq;
	uint64_t pages;

	cr_assert_eq(xl_mem_round(&m, &s, &pages), 0);
	apply(at, seq);
	cr_expect_eq(memcmp(ram, copy, PAGES * SV_PAGE_SIZE), 0);
	return pages;
}

Test(xl_mem, memory_that_was_never_used_is_not_written)
{
	cr_expect_eq(go(), 0);
	PAGE(3)[0] = 0; /* there, and zero */
	cr_expect_eq(go(), 0);
}

Test(xl_mem, the_first_round_writes_all_and_the_next_what_has_changed)
{
	for (unsigned int i = 0; i < PAGES; i++)
		PAGE(i)[i % SV_PAGE_SIZE] = (uint8_t)(i % 255 + 1);
	cr_expect_eq(go(), PAGES);
	cr_expect_eq(go(), 0);
	PAGE(0)[4095] ^= 1;
	PAGE(FIRST - 1)[0] ^= 0x80;
	PAGE(FIRST)[0] ^= 0x80;
	PAGE(PAGES - 1)[2048] ^= 1;
	cr_expect_eq(go(), 4);
	cr_expect_eq(go(), 0);
}

Test(xl_mem, what_has_become_zero_or_a_hole_is_written_once)
{
	memset(PAGE(5), 0x55, 4 * SV_PAGE_SIZE);
	cr_expect_eq(go(), 4);
	memset(PAGE(6), 0, SV_PAGE_SIZE);
	cr_expect_eq(go(), 1);
	cr_assert_eq(fallocate(m.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       7 * SV_PAGE_SIZE, SV_PAGE_SIZE),
		     0);
	cr_expect_eq(go(), 1);
	cr_expect_eq(go(), 0);
	PAGE(7)[9] = 1;
	cr_expect_eq(go(), 1);
}

Test(xl_mem, what_becomes_less_is_packed)
{
	off_t plain = (off_t)PAGES * SV_PAGE_SIZE;

	cr_assert_eq(xl_mem_pack(&m), 0);
	for (unsigned int i = 0; i < PAGES; i++)
		PAGE(i)[i % SV_PAGE_SIZE] = (uint8_t)(i % 255 + 1);
	cr_expect_eq(go(), PAGES);
	cr_expect_lt(lseek(s.fd, 0, SEEK_CUR), plain / 8);
	/* Noise is written as it is. */
	for (size_t i = 0; i < 16 * SV_PAGE_SIZE; i++)
		PAGE(0)[i] = (uint8_t)rand();
	cr_expect_eq(go(), 16);
	PAGE(3)[5] ^= 1;
	cr_expect_eq(go(), 1);
}

Test(xl_mem, any_bit_changes_the_sum)
{
	uint64_t page[SV_PAGE_SIZE / sizeof(uint64_t)] = { 0 }, was;

	cr_expect_eq(xl_mem_sum(page), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(page); i++)
		page[i] = i * UINT64_C(0x100000001b3);
	was = xl_mem_sum(page);
	for (unsigned int i = 0; i < SV_PAGE_SIZE * 8; i++) {
		page[i / 64] ^= UINT64_C(1) << i % 64;
		cr_expect_neq(xl_mem_sum(page), was, "bit %u", i);
		page[i / 64] ^= UINT64_C(1) << i % 64;
	}
	/* Words that change places, as in a list that is sorted. */
	for (unsigned int i = 1; i < ARRAY_SIZE(page); i++) {
		uint64_t first = page[0];

		page[0] = page[i];
		page[i] = first;
		cr_expect_neq(xl_mem_sum(page), was, "words 0 and %u", i);
		page[i] = page[0];
		page[0] = first;
	}
	cr_expect_eq(xl_mem_sum(page), was);
}
