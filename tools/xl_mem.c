// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_mem.c - a domain's RAM, written into a stream, also while it runs.
#include "tools/xl_mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/savezip.h"
#include "ring/shm.h"

#define CHUNK_PAGES (SAVEFILE_CHUNK / SV_PAGE_SIZE)
#define LANES	    4u
#define TELL_PAGES  2048u /* from one look at the clock to the next */

static const uint64_t zeros[SV_PAGE_SIZE / sizeof(uint64_t)];

static uint64_t turn(uint64_t x)
{
	return x << 29 | x >> 35;
}

/*
 * Two pages that differ in one word have different sums: each step can be undone.
 * Others are alike once in 2^64, and a guest that wants that harms nobody else.
 */
uint64_t xl_mem_sum(const void *page)
{
	const uint64_t odd = 0x9e3779b97f4a7c15; /* 2^64 / golden ratio */
	uint64_t lane[LANES] = { 1, 2, 3, 4 }, word[LANES], sum = 0;
	const uint8_t *at = page, *end = at + SV_PAGE_SIZE;

	if (!memcmp(page, zeros, sizeof(zeros)))
		return 0;
	for (; at < end; at += sizeof(word)) {
		memcpy(word, at, sizeof(word));
		for (unsigned int i = 0; i < LANES; i++)
			lane[i] = turn(lane[i] ^ word[i]) * odd;
	}
	for (unsigned int i = 0; i < LANES; i++)
		sum = turn(sum ^ lane[i] ^ lane[i] >> 32) * odd;
	return sum ? sum : 1;
}

/* Write the pages that are waiting. */
static int flush(struct xl_mem *m, struct savefile *s)
{
	struct savefile_range head = { m->first, m->n };
	size_t len = m->n * SV_PAGE_SIZE, packed = 0;
	struct iovec v[] = { { &head, sizeof(head) }, { m->buf, len } };

	if (!m->n)
		return 0;
	m->written += m->n;
	m->n = 0;
	if (m->zip)
		packed = savezip_pack(m->zip, m->buf, len, m->packed,
				      len - len / 8);
	if (packed)
		v[1] = (struct iovec){ m->packed, packed };
	return savefile_put(s, packed ? SAVE_PACKED : SAVE_MEMORY, v,
			    ARRAY_SIZE(v));
}

/* UNTRUSTED: @page may change at any time; it is copied once, and not judged. */
static int look(struct xl_mem *m, struct savefile *s, uint64_t at,
		const void *page)
{
	uint8_t *copy = m->buf + (m->n * SV_PAGE_SIZE);
	uint64_t sum;

	if (!(at % TELL_PAGES))
		xl_progress_tell(&m->progress, at,
				 m->mem.ram_size / SV_PAGE_SIZE, m->written);
	shm_fetch(copy, (const uint8_t SHM *)page, SV_PAGE_SIZE);
	sum = xl_mem_sum(copy);
	if (sum == m->sum[at])
		return flush(m, s);
	m->sum[at] = sum;
	if (!m->n++)
		m->first = at;
	return m->n < CHUNK_PAGES ? 0 : flush(m, s);
}

/* Pages @at to @end, of which there is something. */
static int look_at_data(struct xl_mem *m, struct savefile *s, uint64_t at,
			uint64_t end)
{
	int ret = 0;

	for (; at < end && !ret; at++)
		ret = look(m, s, at, m->mem.ram + (at * SV_PAGE_SIZE));
	return ret ? ret : flush(m, s);
}

/* The same of a hole: given back since it was written, or never used. */
static int look_at_hole(struct xl_mem *m, struct savefile *s, uint64_t at,
			uint64_t end)
{
	int ret = 0;

	for (; at < end && !ret; at++)
		ret = m->sum[at] ? look(m, s, at, zeros) : flush(m, s);
	return ret ? ret : flush(m, s);
}

/* Where, from @at on, data or a hole begins; @end if it does not before. */
static int seek(const struct xl_mem *m, uint64_t at, uint64_t end, int whence,
		uint64_t *found)
{
	off_t to = lseek(m->fd, (off_t)(at * SV_PAGE_SIZE), whence);

	*found = end;
	if (to < 0)
		return errno == ENXIO ? 0 : -errno;
	*found = MIN((uint64_t)to / SV_PAGE_SIZE, end);
	return 0;
}

static int look_at_region(struct xl_mem *m, struct savefile *s,
			  const struct dom_region *region)
{
	uint64_t at = region->offset / SV_PAGE_SIZE, to;
	uint64_t end = at + region->npages;
	int ret = 0;

	while (!ret && at < end) {
		ret = seek(m, at, end, SEEK_DATA, &to);
		if (!ret)
			ret = look_at_hole(m, s, at, to);
		at = to;
		if (ret || at == end)
			break;
		ret = seek(m, at, end, SEEK_HOLE, &to);
		if (!ret)
			ret = look_at_data(m, s, at, to);
		at = to;
	}
	return ret;
}

int xl_mem_round(struct xl_mem *m, struct savefile *s, uint64_t *pages)
{
	int ret = 0;

	m->written = 0;
	m->progress.round++;
	for (unsigned int i = 0; i < m->mem.nregions && !ret; i++)
		ret = look_at_region(m, s, &m->mem.region[i]);
	xl_progress_end(&m->progress);
	*pages = m->written;
	return ret;
}

/* That of which dommem_init() makes a mapping. */
int xl_mem_file(struct dom *dom)
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

int xl_mem_open(struct xl_mem *m, struct dom *dom)
{
	int ret;

	*m = (struct xl_mem){ .fd = -1 };
	xl_progress_init(&m->progress);
	ret = dommem_init(&m->mem, dom, PROT_READ);
	if (ret)
		return ret;
	m->fd = xl_mem_file(dom);
	m->sum = calloc(m->mem.ram_size / SV_PAGE_SIZE, sizeof(*m->sum));
	m->buf = malloc(SAVEFILE_CHUNK);
	ret = m->fd < 0 ? m->fd : m->sum && m->buf ? 0 : -ENOMEM;
	if (ret)
		xl_mem_close(m);
	return ret;
}

int xl_mem_pack(struct xl_mem *m)
{
	m->packed = malloc(SAVEFILE_CHUNK);
	return m->packed ? savezip_new(&m->zip) : -ENOMEM;
}

void xl_mem_close(struct xl_mem *m)
{
	fd_close(&m->fd);
	dommem_fini(&m->mem);
	free(m->sum);
	free(m->buf);
	free(m->packed);
	savezip_free(m->zip);
	*m = (struct xl_mem){ .fd = -1 };
}
