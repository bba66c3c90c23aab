/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_guestmem.c - guest RAM: borders, holes, wrap-around. */
#include "hypervisor/guestmem.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/domsock.h"
#include "hypervisor/layout.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static struct guestmem *ram(uint64_t size)
{
	struct guestmem *m = NULL;

	cr_assert_eq(guestmem_new(&m, size), 0);
	return m;
}

struct size {
	uint64_t size;
	unsigned int regions;
	uint64_t low, high;
	int want;
};

ParameterizedTestParameters(guestmem, sizes)
{
	static struct size t[] = {
		{ 128 * MIB, 1, 128 * MIB, 0, 0 },
		{ LAYOUT_MEM_MIN, 1, LAYOUT_MEM_MIN, 0, 0 },
		{ 3 * GIB, 1, 3 * GIB, 0, 0 },
		{ 3 * GIB + 4096, 2, 3 * GIB, 4096, 0 },
		{ 5 * GIB, 2, 3 * GIB, 2 * GIB, 0 },
		{ 128 * MIB + 1, 0, 0, 0, -EINVAL },
		{ LAYOUT_MEM_MIN - 4096, 0, 0, 0, -EINVAL },
		{ LAYOUT_MEM_MAX + 4096, 0, 0, 0, -EINVAL },
		{ 0, 0, 0, 0, -EINVAL },
		{ UINT64_MAX & ~UINT64_C(4095), 0, 0, 0, -EINVAL },
	};
	return cr_make_param_array(struct size, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct size *t, guestmem, sizes)
{
	struct guestmem *m = NULL;
	struct dom_memmap map;
	struct stat st;

	cr_assert_eq(guestmem_new(&m, t->size), t->want);
	if (t->want) {
		cr_assert_null(m);
		return;
	}
	cr_expect_eq(m->size, t->size);
	cr_assert_eq(fstat(m->fd, &st), 0);
	cr_expect_eq((uint64_t)st.st_size, t->size);
	cr_expect_eq(ftruncate(m->fd, 4096), -1, "the memfd is sealed");

	guestmem_memmap(m, &map);
	cr_assert_eq(map.n, t->regions);
	cr_expect_eq(map.size, t->size);
	cr_expect_eq(map.region[0].gfn, 0);
	cr_expect_eq(map.region[0].npages, t->low / 4096);
	cr_expect_eq(map.region[0].offset, 0);
	if (t->regions == 2) {
		cr_expect_eq(map.region[1].gfn, LAYOUT_HIGH / 4096);
		cr_expect_eq(map.region[1].npages, t->high / 4096);
		cr_expect_eq(map.region[1].offset, t->low);
	}
	for (unsigned int i = 0; i < m->n; i++)
		cr_expect_eq((uintptr_t)m->region[i].host % (2 * MIB), 0);
	guestmem_free(m);
}

struct claim {
	char name[32];
	uint64_t gpa, len;
	bool ok;
};

/* All against 5 GiB: RAM is [0, 3 GiB) and [4 GiB, 6 GiB). */
ParameterizedTestParameters(guestmem, ranges)
{
	static struct claim t[] = {
		{ "first byte", 0, 1, true },
		{ "empty at 0", 0, 0, true },
		{ "all of low", 0, 3 * GIB, true },
		{ "low and one more", 0, 3 * GIB + 1, false },
		{ "last of low", 3 * GIB - 1, 1, true },
		{ "over the end of low", 3 * GIB - 1, 2, false },
		{ "empty in the hole", 3 * GIB, 0, false },
		{ "hole", 3 * GIB, 1, false },
		{ "local APIC", LAYOUT_LAPIC, 4, false },
		{ "special page", LAYOUT_STORE, 4, false },
		{ "last of the hole", 4 * GIB - 1, 1, false },
		{ "into high", 4 * GIB - 1, 2, false },
		{ "first of high", 4 * GIB, 1, true },
		{ "all of high", 4 * GIB, 2 * GIB, true },
		{ "both regions", 0, 6 * GIB, false },
		{ "low length in bytes of RAM", 0, 5 * GIB, false },
		{ "last of high", 6 * GIB - 8, 8, true },
		{ "over the end", 6 * GIB - 8, 9, false },
		{ "after the end", 6 * GIB, 1, false },
		{ "length wraps", 4096, UINT64_MAX, false },
		{ "length wraps to 0", 4096, UINT64_MAX - 4095, false },
		{ "high, length wraps", 4 * GIB + 1, UINT64_MAX, false },
		{ "top of space", UINT64_MAX, 1, false },
		{ "top of space, empty", UINT64_MAX, 0, false },
		{ "top of space, wraps", UINT64_MAX, 2, false },
	};
	return cr_make_param_array(struct claim, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct claim *t, guestmem, ranges)
{
	struct guestmem *m = ram(5 * GIB);
	uint8_t *p = guestmem_ptr(m, gpa_of(t->gpa), t->len);
	uint8_t buf[16];

	cr_expect_eq(p != NULL, t->ok, "%s", t->name);
	if (p && t->len) {
		p[0] = 1; /* the whole range is mapped */
		p[t->len - 1] = 1;
	}
	if (t->len <= sizeof(buf)) {
		int want = t->ok ? 0 : -EFAULT;

		memset(buf, 0x77, sizeof(buf));
		cr_expect_eq(guestmem_read(m, gpa_of(t->gpa), buf, t->len),
			     want, "%s", t->name);
		cr_expect(t->ok || buf[0] == 0x77);
		cr_expect_eq(guestmem_write(m, gpa_of(t->gpa), buf, t->len),
			     want, "%s", t->name);
	}
	guestmem_free(m);
}

Test(guestmem, both_regions_are_one_file)
{
	struct guestmem *m = ram(5 * GIB);
	char text[8] = "";
	uint64_t at = 0;

	cr_assert_eq(guestmem_write(m, gpa_of(4 * GIB + 4096), "high", 5), 0);
	cr_assert_eq(guestmem_write(m, gpa_of(8191), "low", 4), 0);
	cr_assert_eq(guestmem_offset(m, 4 * GIB / 4096 + 1, &at), 0);
	cr_assert_eq(at, 3 * GIB + 4096);
	cr_assert_eq(pread(m->fd, text, 5, (off_t)at), 5);
	cr_assert_str_eq(text, "high");
	cr_assert_eq(pread(m->fd, text, 4, 8191), 4);
	cr_assert_str_eq(text, "low");
	cr_assert_eq(guestmem_read(m, gpa_of(8191), text, 4), 0);
	cr_assert_str_eq(text, "low");
	guestmem_free(m);
}

Test(guestmem, frames_that_are_not_ram)
{
	static const uint64_t lies[] = {
		3 * GIB / 4096,	    4 * GIB / 4096 - 1, 6 * GIB / 4096,
		LAYOUT_STORE >> 12, UINT64_C(1) << 52,	UINT64_MAX,
		UINT64_MAX >> 12,
	};
	struct guestmem *m = ram(5 * GIB);
	uint64_t at = 7;

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		cr_expect_eq(guestmem_offset(m, lies[i], &at), -EFAULT);
		cr_expect_eq(guestmem_discard(m, lies[i], 1), -EFAULT);
	}
	cr_expect_eq(at, 7);
	cr_expect_eq(guestmem_discard(m, 0, UINT64_MAX), -EFAULT);
	cr_expect_eq(guestmem_discard(m, 1, UINT64_C(1) << 52), -EFAULT);
	cr_expect_eq(guestmem_discard(m, 3 * GIB / 4096 - 1, 2), -EFAULT);
	guestmem_free(m);
}

Test(guestmem, discarded_pages_are_zero_and_freed)
{
	struct guestmem *m = ram(32 * MIB);
	uint8_t *p = guestmem_ptr(m, gpa_of(0), 8 * 4096);
	struct stat before, after;

	memset(p, 0xaa, 8 * 4096);
	cr_assert_eq(fstat(m->fd, &before), 0);
	cr_assert_eq(guestmem_discard(m, 2, 3), 0);
	cr_assert_eq(guestmem_discard(m, 0, 0), 0);
	cr_assert_eq(fstat(m->fd, &after), 0);
	cr_expect_lt(after.st_blocks, before.st_blocks);
	for (size_t i = 0; i < 8; i++)
		cr_expect_eq(p[i * 4096], i >= 2 && i < 5 ? 0 : 0xaa);
	guestmem_free(m);
}

Test(guestmem, fill_is_write_through_the_file)
{
	struct guestmem *m = ram(5 * GIB);
	char text[8] = "";

	cr_assert_eq(guestmem_fill(m, gpa_of(4 * GIB + 4094), "filled", 7), 0);
	cr_assert_eq(guestmem_read(m, gpa_of(4 * GIB + 4094), text, 7), 0);
	cr_assert_str_eq(text, "filled");
	cr_expect_eq(guestmem_fill(m, gpa_of(3 * GIB - 3), text, 4), -EFAULT);
	cr_expect_eq(guestmem_fill(m, gpa_of(UINT64_MAX), text, 4), -EFAULT);
	cr_expect_eq(guestmem_fill(m, gpa_of(6 * GIB - 7), text, 8), -EFAULT);
	cr_expect_eq(guestmem_fill(m, gpa_of(6 * GIB - 8), text, 8), 0);
	guestmem_free(m);
}

Test(guestmem, free_of_nothing)
{
	guestmem_free(NULL);
}
