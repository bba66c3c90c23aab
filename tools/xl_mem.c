// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_mem.c - a domain's RAM, written into a stream.
#include "tools/xl_mem.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/dommem.h"
#include "base/fd.h"

#define CHUNK_PAGES (SAVEFILE_CHUNK / SV_PAGE_SIZE)

/** struct ram - RAM as it is looked at: mapped, and its file to find holes. */
struct ram {
	struct dommem mem;
	int fd;
};

/* UNTRUSTED: a guest that runs may write it; it is only compared and copied. */
static bool is_zero(const uint8_t *page)
{
	static const uint8_t zero[SV_PAGE_SIZE];

	return memcmp(page, zero, sizeof(zero)) == 0;
}

/* Pages from @at on that are alike; at most a chunk of them. */
static uint64_t run(const struct ram *r, uint64_t at, uint64_t end, bool zero)
{
	uint64_t n = 0;

	while (at + n < end && n < CHUNK_PAGES &&
	       is_zero(r->mem.ram + ((at + n) * SV_PAGE_SIZE)) == zero)
		n++;
	return n;
}

/* Pages @at to @end, which lie in one region: all of which there is something. */
static int put_extent(struct savefile *s, const struct ram *r, uint64_t at,
		      uint64_t end)
{
	int ret = 0;

	while (at < end && !ret) {
		struct savefile_range head;

		at += run(r, at, end, true);
		head = (struct savefile_range){ at, run(r, at, end, false) };
		if (head.n) {
			const struct iovec v[] = {
				{ &head, sizeof(head) },
				{ r->mem.ram + (at * SV_PAGE_SIZE),
				  head.n * SV_PAGE_SIZE },
			};

			ret = savefile_put(s, SAVE_MEMORY, v, ARRAY_SIZE(v));
		}
		at += head.n;
	}
	return ret;
}

/* Holes of the memfd are memory that was never used. */
static int put_region(struct savefile *s, const struct ram *r,
		      const struct dom_region *region)
{
	off_t at = (off_t)region->offset, hole;
	off_t end = at + (off_t)(region->npages * SV_PAGE_SIZE);
	int ret = 0;

	while (!ret && at < end) {
		at = lseek(r->fd, at, SEEK_DATA);
		if (at < 0)
			return errno == ENXIO ? 0 : -errno;
		if (at >= end)
			return 0;
		hole = lseek(r->fd, at, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		hole = MIN(hole, end);
		ret = put_extent(s, r, (uint64_t)at / SV_PAGE_SIZE,
				 ((uint64_t)hole + SV_PAGE_SIZE - 1) /
					 SV_PAGE_SIZE);
		at = hole;
	}
	return ret;
}

/* The file of which dommem_init() makes a mapping. */
static int get_file(struct dom *dom)
{
	struct dom_msg msg = { .type = DOM_MEMMAP };
	int fds[SOCK_MAX_FDS];
	size_t n;
	int ret = dom_call(dom, &msg, fds, &n);

	if (ret)
		return ret;
	while (n > 1)
		fd_close(&fds[--n]);
	return n ? fds[0] : -EPROTO;
}

int xl_mem_put(struct savefile *s, struct dom *dom)
{
	struct ram r = { .fd = -1 };
	int ret = dommem_init(&r.mem, dom, PROT_READ);

	if (ret)
		return ret;
	r.fd = get_file(dom);
	ret = MIN(r.fd, 0);
	for (unsigned int i = 0; i < r.mem.nregions && !ret; i++)
		ret = put_region(s, &r, &r.mem.region[i]);
	fd_close(&r.fd);
	dommem_fini(&r.mem);
	return ret;
}
