/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/proofs/guestmem.c - V1: from a guest's address to bytes of its RAM. */
#define BYTES_DO_NOT_MATTER
#include "tests/proofs/env.h"

#include "hypervisor/guestmem.c"

/*
 * PROOF: made translated got put filled offsets discarded described
 * OPTIONS: all --unwind 4
 * BROKEN: translated hypervisor/guestmem.c s/len <= r->size - at/at + len <= r->size/
 * BROKEN: got hypervisor/guestmem.c s/gpa.v - r->gpa.v) : NULL/gpa.v) : NULL/
 * BROKEN: put hypervisor/guestmem.c s/shm_post(to, buf, len)/shm_post(to, buf, len + 1)/
 * BROKEN: offsets hypervisor/guestmem.h s/gfn >> (64 - SV_PAGE_SHIFT) ?/0 ?/
 * BROKEN: discarded hypervisor/guestmem.c s/if (npages > m->size . SV_PAGE_SIZE)/if (0)/
 * BROKEN: made hypervisor/guestmem.c s/LAYOUT_HIGH, size - LAYOUT_LOW_MAX/LAYOUT_HIGH, size/
 * BROKEN: filled hypervisor/guestmem.c s/at = r->offset + (gpa.v - r->gpa.v);/at = gpa.v;/
 * BROKEN: described hypervisor/guestmem.c s/m->region\[i\].size >> SV_PAGE_SHIFT/m->region[i].size/
 */

#define MEMFD 7

static uint64_t memfd_size;
static uint8_t *reserved;
static size_t reserved_size;

/* ---- the host ------------------------------------------------------------ */

int fd_memfd(const char *name, uint64_t size)
{
	(void)name;
	memfd_size = size;
	return any_bool() ? MEMFD : -EMFILE;
}

void fd_close(int *fd)
{
	*fd = -1;
}

int open(const char *path, int flags, ...)
{
	(void)path;
	(void)flags;
	return -1;
}

char *strstr(const char *in, const char *what)
{
	(void)what;
	return any_bool() ? (char *)(uintptr_t)in : NULL;
}

int madvise(void *at, size_t len, int advice)
{
	(void)advice;
	PROVE(__CPROVER_w_ok(at, len), "advises on memory of ours");
	return any_bool() ? -1 : 0;
}

int munmap(void *at, size_t len)
{
	PROVE(at == reserved && len == reserved_size, "unmaps what was mapped");
	return 0;
}

void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
	(void)prot;
	errno = ENOMEM;
	if (any_bool())
		return MAP_FAILED;
	if (!(flags & MAP_FIXED)) {
		reserved = malloc(len);
		ASSUME(reserved);
		reserved_size = len;
		return reserved;
	}
	PROVE(__CPROVER_w_ok(at, len), "maps over its own reservation only");
	PROVE(fd == MEMFD && off == 0 && len <= memfd_size, "all in the memfd");
	return at;
}

int fallocate(int fd, int mode, off_t off, off_t len)
{
	PROVE(fd == MEMFD && mode & FALLOC_FL_PUNCH_HOLE, "of the guest's RAM");
	errno = EOPNOTSUPP;
	PROVE(off >= 0 && len > 0 && (uint64_t)off <= memfd_size &&
		      (uint64_t)len <= memfd_size - (uint64_t)off,
	      "punches within the memfd");
	return any_bool() ? -1 : 0;
}

/* ---- any guest's RAM ------------------------------------------------------ */

/* Without a division, which would take CBMC long. */
static bool whole_pages(uint64_t n)
{
	return (n & (SV_PAGE_SIZE - 1)) == 0;
}

/* As guestmem_new() leaves it: see made(). */
static bool invariant(const struct guestmem *m)
{
	uint64_t end = 0, size = 0;

	for (unsigned int i = 0; i < m->n; i++) {
		const struct guestmem_region *r = &m->region[i];

		if (r->gpa.v < end || !whole_pages(r->gpa.v) ||
		    !whole_pages(r->size) || r->offset != size ||
		    r->size > LAYOUT_MEM_MAX || r->gpa.v > LAYOUT_MEM_MAX ||
		    r->size == 0)
			return false;
		end = r->gpa.v + r->size;
		size += r->size;
	}
	return m->n >= 1 && m->n <= GUESTMEM_MAX_REGIONS && size == m->size &&
	       size <= LAYOUT_MEM_MAX;
}

/* One mapping of any size, regions of any place and size in it. */
static struct guestmem any_ram(void)
{
	struct guestmem m = {
		.fd = MEMFD,
		.n = any_u8() % (GUESTMEM_MAX_REGIONS + 1),
		.size = any_u64(),
		.huge_faults = any_bool(),
	};

	for (unsigned int i = 0; i < GUESTMEM_MAX_REGIONS; i++)
		m.region[i] = (struct guestmem_region){ gpa_of(any_u64()),
							any_u64(), any_u64() };
	ASSUME(invariant(&m));
	memfd_size = m.size;
	return m;
}

/* The same, and mapped. */
static struct guestmem any_mapped_ram(void)
{
	struct guestmem m = any_ram();

	m.map = malloc(m.size);
	ASSUME(m.map);
	for (unsigned int i = 0; i < m.n; i++)
		m.region[i].host = m.map + m.region[i].offset;
	return m;
}

/* The region that has the whole range; said in another way than find()'s. */
static const struct guestmem_region *region_of(const struct guestmem *m,
					       uint64_t gpa, uint64_t len)
{
	for (unsigned int i = 0; i < m->n; i++) {
		const struct guestmem_region *r = &m->region[i];
		uint64_t end = r->gpa.v + r->size;

		if (gpa >= r->gpa.v && gpa < end && len <= end - gpa)
			return r;
	}
	return NULL;
}

/* ---- proofs --------------------------------------------------------------- */

/* Whatever size is asked for, and whatever fails, regions are in order. */
void made(void)
{
	uint64_t size = any_u64();
	struct guestmem *m = NULL;
	int ret = guestmem_new(&m, size);

	PROVE((ret == 0) == (m != NULL), "on success only");
	if (ret)
		return;
	PROVE(invariant(m) && m->size == size, "regions as they must be");
	for (unsigned int i = 0; i < m->n; i++)
		PROVE(__CPROVER_w_ok(m->region[i].host, m->region[i].size),
		      "each region is mapped");
	guestmem_free(m);
}

/* Exactly the ranges that lie in one region, and there the right bytes. */
void translated(void)
{
	struct guestmem m = any_mapped_ram();
	uint64_t gpa = any_u64(), len = any_u64();
	const struct guestmem_region *r = region_of(&m, gpa, len);
	uint8_t *p = guestmem_ptr(&m, gpa_of(gpa), len);

	PROVE((p != NULL) == (r != NULL), "all of RAM and nothing else");
	if (!p)
		return;
	PROVE(__CPROVER_rw_ok(p, len), "every byte is there");
	PROVE(p == m.map + r->offset + (gpa - r->gpa.v), "the right bytes");
}

/* A caller's buffer of the length it says. */
static void *any_buf(size_t len)
{
	void *buf;

	ASSUME(len <= LAYOUT_MEM_MAX);
	buf = malloc(len);
	ASSUME(buf);
	return buf;
}

/*
 * translated() shows that find() tells RAM from what is none; so what follows
 * asks it.  Copies touch the range and the caller's buffer: see shm_fetch() in
 * env.h.
 */
void got(void)
{
	struct guestmem m = any_mapped_ram();
	uint64_t gpa = any_u64(), len = any_u64();
	int ret = guestmem_read(&m, gpa_of(gpa), any_buf(len), len);

	PROVE(ret == (find(&m, gpa_of(gpa), len) ? 0 : -EFAULT), "its result");
}

void put(void)
{
	struct guestmem m = any_mapped_ram();
	uint64_t gpa = any_u64(), len = any_u64();
	int ret = guestmem_write(&m, gpa_of(gpa), any_buf(len), len);

	PROVE(ret == (find(&m, gpa_of(gpa), len) ? 0 : -EFAULT), "its result");
}

/* Through the file, which takes all at once or nothing. */
ssize_t pwrite(int fd, const void *from, size_t n, off_t at)
{
	PROVE(fd == MEMFD && at >= 0 && (uint64_t)at <= memfd_size &&
		      n <= memfd_size - (uint64_t)at,
	      "writes within the memfd");
	PROVE(__CPROVER_r_ok(from, n), "from the caller's memory");
	errno = EIO;
	return any_bool() ? -1 : (ssize_t)n;
}

void filled(void)
{
	struct guestmem m = any_ram();
	uint64_t gpa = any_u64(), len = any_u64();
	int ret;

	m.huge_faults = false; /* else it is put()'s way */
	ret = guestmem_fill(&m, gpa_of(gpa), any_buf(len), len);
	PROVE(!find(&m, gpa_of(gpa), len) == (ret == -EFAULT), "RAM only");
}

void offsets(void)
{
	struct guestmem m = any_ram();
	uint64_t gfn = any_u64(), offset = any_u64(), old = offset;
	int ret = guestmem_offset(&m, gfn, &offset);
	bool r = !(gfn >> 52) &&
		 find(&m, gpa_of(gfn * SV_PAGE_SIZE), SV_PAGE_SIZE);

	PROVE(ret == (r ? 0 : -EFAULT), "pages of RAM and no others");
	PROVE(r || offset == old, "written on success only");
	PROVE(!r || (whole_pages(offset) && offset <= m.size - SV_PAGE_SIZE),
	      "a page of the memfd");
}

/* The range that fallocate() gets is proved in its stub. */
void discarded(void)
{
	struct guestmem m = any_ram();
	uint64_t gfn = any_u64(), npages = any_u64();
	int ret = guestmem_discard(&m, gfn, npages);

	PROVE(ret || (!(gfn >> 52) && npages <= m.size / SV_PAGE_SIZE &&
		      find(&m, gpa_of(gfn * SV_PAGE_SIZE),
			   npages * SV_PAGE_SIZE)),
	      "of RAM only");
}

/* What backends are told makes the same pages of the same frames. */
void described(void)
{
	struct guestmem m = any_ram();
	struct dom_memmap map;
	unsigned int i = any_u8();

	guestmem_memmap(&m, &map);
	PROVE(map.n == m.n && map.size == m.size, "all of it");
	ASSUME(i < m.n);
	PROVE(map.region[i].gfn * SV_PAGE_SIZE == m.region[i].gpa.v &&
		      map.region[i].npages * SV_PAGE_SIZE == m.region[i].size &&
		      map.region[i].offset == m.region[i].offset,
	      "as it is");
}
