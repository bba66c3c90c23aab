// SPDX-License-Identifier: GPL-2.0-or-later
// base/dommem.c - a domain's memory, as a client of its socket maps it.
#include "base/dommem.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/fd.h"

static int check_regions(const struct dom_memmap *m)
{
	uint64_t next = 0;

	if (m->n == 0 || m->n > DOM_MAX_REGIONS || m->size > SIZE_MAX / 2)
		return -EPROTO;
	for (uint32_t i = 0; i < m->n; i++) {
		const struct dom_region *r = &m->region[i];

		if (r->gfn < next || r->npages > m->size / SV_PAGE_SIZE ||
		    r->gfn > UINT64_MAX / 2 || r->offset % SV_PAGE_SIZE ||
		    r->offset > m->size - r->npages * SV_PAGE_SIZE)
			return -EPROTO;
		next = r->gfn + r->npages;
	}
	return 0;
}

int dommem_init(struct dommem *m, struct dom *dom, int prot)
{
	struct dom_msg msg = { .type = DOM_MEMMAP };
	const struct dom_memmap *map = &msg.u.memmap;
	int fds[SOCK_MAX_FDS];
	void *p = NULL;
	size_t n;
	int ret = dom_call(dom, &msg, fds, &n);

	if (ret)
		return ret;
	ret = n == 1 ? check_regions(map) : -EPROTO;
	if (!ret)
		ret = fd_check_memory(fds[0], map->size);
	if (!ret) {
		p = mmap(NULL, map->size, prot, MAP_SHARED | MAP_NORESERVE,
			 fds[0], 0);
		ret = p == MAP_FAILED ? -errno : 0;
	}
	while (n)
		fd_close(&fds[--n]);
	if (ret)
		return ret;
	*m = (struct dommem){ .prot = prot,
			      .ram = p,
			      .ram_size = map->size,
			      .nregions = map->n };
	for (unsigned int i = 0; i < m->nregions; i++)
		m->region[i] = map->region[i];
	return 0;
}

void dommem_fini(struct dommem *m)
{
	if (m->table)
		munmap(m->table, m->table_size);
	if (m->ram)
		munmap(m->ram, m->ram_size);
	*m = (struct dommem){ 0 };
}

void *dommem_page(const struct dommem *m, uint64_t gfn)
{
	for (unsigned int i = 0; i < m->nregions; i++) {
		const struct dom_region *r = &m->region[i];

		if (gfn >= r->gfn && gfn - r->gfn < r->npages)
			return m->ram + r->offset +
			       (gfn - r->gfn) * SV_PAGE_SIZE;
	}
	return NULL;
}

/* The grant memfd has one size for the domain's life: it is mapped once. */
static int map_table(struct dommem *m, int fd, uint64_t size)
{
	void *p;

	if (m->table)
		return size == m->table_size ? 0 : -EPROTO;
	if (size == 0 || size > SIZE_MAX / 2 || fd_check_memory(fd, size))
		return -EPROTO;
	p = mmap(NULL, size, m->prot, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	m->table = p;
	m->table_size = size;
	return 0;
}

static int place_frames(const struct dommem *m, const struct dom_frames *f,
			struct dommem_frames *out)
{
	if (f->n > DOM_FRAMES_PER_MSG)
		return -EPROTO;
	for (uint32_t i = 0; i < f->n; i++) {
		uint8_t *base = f->frame[i].in_ram ? m->ram : m->table;
		size_t size = f->frame[i].in_ram ? m->ram_size : m->table_size;
		uint64_t at = f->frame[i].offset;

		if (at % SV_PAGE_SIZE || size < SV_PAGE_SIZE ||
		    at > size - SV_PAGE_SIZE)
			return -EPROTO;
		out->at[i] = base + at;
	}
	out->first = f->first;
	out->n = f->n;
	out->total = f->total;
	return 0;
}

int dommem_frames(struct dommem *m, struct dom *dom, uint32_t first,
		  struct dommem_frames *out)
{
	struct dom_msg msg = { .type = DOM_GRANT_FRAMES,
			       .u.frames.first = first };
	const struct dom_frames *f = &msg.u.frames;
	int fds[SOCK_MAX_FDS];
	size_t n;
	int ret = dom_call(dom, &msg, fds, &n);

	if (ret)
		return ret;
	ret = n == 1 && f->first == first ? map_table(m, fds[0], f->size)
					  : -EPROTO;
	while (n)
		fd_close(&fds[--n]);
	return ret ? ret : place_frames(m, f, out);
}
