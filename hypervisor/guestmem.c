// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/guestmem.c - guest RAM: the only way from an address to bytes.
#include "hypervisor/guestmem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/domsock.h"
#include "base/fd.h"
#include "hypervisor/layout.h"

/* Guest and host addresses agree modulo this, so that KVM can map 2 MiB. */
#define HUGE_SIZE (UINT64_C(2) << 20)

_Static_assert(GUESTMEM_MAX_REGIONS <= DOM_MAX_REGIONS, "DOM_MEMMAP holds all");
_Static_assert(LAYOUT_LOW_MAX % HUGE_SIZE == 0, "the high region is aligned");

static void add_region(struct guestmem *m, uint64_t gpa, uint64_t size)
{
	struct guestmem_region *r = &m->region[m->n++];

	r->gpa = gpa_of(gpa);
	r->size = size;
	r->offset = m->size;
	m->size += size;
}

/*
 * Whether faults on advised memory make huge pages and writes to its file do
 * not: small pages of a kernel's text would then be its lot for good.
 */
static bool faults_are_huge(void)
{
	char modes[128] = "";
	int fd = open("/sys/kernel/mm/transparent_hugepage/shmem_enabled",
		      O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, modes, sizeof(modes) - 1) < 0)
		modes[0] = '\0';
	fd_close(&fd);
	return strstr(modes, "[advise]");
}

/* Map the memfd at a multiple of HUGE_SIZE within a larger reservation. */
static int map_ram(struct guestmem *m)
{
	uint8_t *at;

	m->map_size = m->size + HUGE_SIZE;
	m->map = mmap(NULL, m->map_size, PROT_NONE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->map == MAP_FAILED) {
		m->map = NULL;
		return -errno;
	}
	at = m->map + (-(uintptr_t)m->map & (HUGE_SIZE - 1));
	if (mmap(at, m->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 m->fd, 0) == MAP_FAILED)
		return -errno;
	for (unsigned int i = 0; i < m->n; i++)
		m->region[i].host = at + m->region[i].offset;
	m->huge_faults = faults_are_huge();
	/* Advice only: a host without shmem THP refuses, and nothing is lost. */
	(void)madvise(at, m->size, MADV_HUGEPAGE);
	/* A core file is about us; the guest's memory is not ours to show. */
	(void)madvise(at, m->size, MADV_DONTDUMP);
	return 0;
}

int guestmem_new(struct guestmem **out, uint64_t size)
{
	struct guestmem *m;
	int ret;

	if (size % SV_PAGE_SIZE || size < LAYOUT_MEM_MIN ||
	    size > LAYOUT_MEM_MAX)
		return -EINVAL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->fd = -1;

	add_region(m, 0, MIN(size, LAYOUT_LOW_MAX));
	if (size > LAYOUT_LOW_MAX)
		add_region(m, LAYOUT_HIGH, size - LAYOUT_LOW_MAX);
	m->fd = ret = fd_memfd("splitvisor-ram", size);
	if (ret < 0)
		goto free;
	ret = map_ram(m);
	if (ret)
		goto free;
	*out = m;
	return 0;

free:
	guestmem_free(m);
	return ret;
}

void guestmem_free(struct guestmem *m)
{
	if (!m)
		return;
	if (m->map)
		munmap(m->map, m->map_size);
	fd_close(&m->fd);
	free(m);
}

/* The region that holds all of [gpa, gpa + len), or NULL. */
static const struct guestmem_region *find(const struct guestmem *m, gpa_t gpa,
					  uint64_t len)
{
	for (unsigned int i = 0; i < m->n; i++) {
		const struct guestmem_region *r = &m->region[i];
		uint64_t at = gpa.v - r->gpa.v;

		/* An address below the region wraps to one far above it. */
		if (at < r->size && len <= r->size - at)
			return r;
	}
	return NULL;
}

void SHM *guestmem_ptr(const struct guestmem *m, gpa_t gpa, uint64_t len)
{
	const struct guestmem_region *r = find(m, gpa, len);

	return r ? r->host + (gpa.v - r->gpa.v) : NULL;
}

int guestmem_read(const struct guestmem *m, gpa_t gpa, void *buf, size_t len)
{
	const void SHM *from = guestmem_ptr(m, gpa, len);

	if (!from)
		return -EFAULT;
	shm_fetch(buf, from, len);
	return 0;
}

int guestmem_write(struct guestmem *m, gpa_t gpa, const void *buf, size_t len)
{
	void SHM *to = guestmem_ptr(m, gpa, len);

	if (!to)
		return -EFAULT;
	shm_post(to, buf, len);
	return 0;
}

int guestmem_fill(struct guestmem *m, gpa_t gpa, const void *buf, size_t len)
{
	const struct guestmem_region *r = find(m, gpa, len);
	const uint8_t *from = buf;
	uint64_t at;

	if (!r)
		return -EFAULT;
	if (m->huge_faults)
		return guestmem_write(m, gpa, buf, len);
	at = r->offset + (gpa.v - r->gpa.v);
	while (len) {
		ssize_t n = pwrite(m->fd, from, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		from += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int guestmem_offset(const struct guestmem *m, uint64_t gfn, uint64_t *offset)
{
	gpa_t gpa = gpa_of_gfn(gfn);
	const struct guestmem_region *r = find(m, gpa, SV_PAGE_SIZE);

	if (!r)
		return -EFAULT;
	*offset = r->offset + (gpa.v - r->gpa.v);
	return 0;
}

/* SYSCALLS, at times: fallocate */
int guestmem_discard(struct guestmem *m, uint64_t gfn, uint64_t npages)
{
	gpa_t gpa = gpa_of_gfn(gfn);
	const struct guestmem_region *r;

	if (npages > m->size / SV_PAGE_SIZE)
		return -EFAULT;
	r = find(m, gpa, npages * SV_PAGE_SIZE);
	if (!r)
		return -EFAULT;
	if (npages &&
	    fallocate(m->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)(r->offset + (gpa.v - r->gpa.v)),
		      (off_t)(npages * SV_PAGE_SIZE)) < 0)
		return -errno;
	return 0;
}

void guestmem_memmap(const struct guestmem *m, struct dom_memmap *map)
{
	memset(map, 0, sizeof(*map));
	map->n = m->n;
	map->size = m->size;
	for (unsigned int i = 0; i < m->n; i++) {
		map->region[i] = (struct dom_region){
			.gfn = m->region[i].gpa.v >> SV_PAGE_SHIFT,
			.npages = m->region[i].size >> SV_PAGE_SHIFT,
			.offset = m->region[i].offset,
		};
	}
}
