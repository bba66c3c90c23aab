/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/proofs/gnt_map.c - V4: from a grant reference to a page of RAM. */
#include "tests/proofs/atomics.h"

#include "base/dommem.c"
#include "dom0-backend/gnt_map.c"

/*
 * PROOF: paged framed got put
 * OPTIONS: all --unwind 6
 * BROKEN: paged base/dommem.c s/r->npages > m->size . SV_PAGE_SIZE ||//
 * BROKEN: paged base/dommem.c s/gfn - r->gfn < r->npages/gfn - r->gfn <= r->npages/
 * BROKEN: framed base/dommem.c s/at > size - SV_PAGE_SIZE/at > size/
 * BROKEN: framed base/dommem.c s/f->n > DOM_FRAMES_PER_MSG/f->n > UINT32_MAX - 1/
 * BROKEN: got dom0-backend/gnt_map.c s/ && head >> 16 == us//
 * BROKEN: got dom0-backend/gnt_map.c s,REFS_PER_FRAME >= n,REFS_PER_FRAME > n,
 * BROKEN: got dom0-backend/gnt_map.c s/access == GNT_READ || !(head & GTF_readonly)/true/
 * BROKEN: got dom0-backend/gnt_map.c s/^\t\t\tunmark(e, v)/;/
 * BROKEN: put dom0-backend/gnt_map.c s/^\tunmark(e, v)/;/
 */

#define REFS REFS_PER_FRAME

static _Alignas(SV_PAGE_SIZE) uint8_t table[SV_PAGE_SIZE];
static uint8_t ram[SV_PAGE_SIZE];
static uint32_t pins[REFS];
static struct gnt_map g;

static bool peers_word(const void *word, size_t size)
{
	bool peers = __CPROVER_same_object(word, table);

	PROVE(size == 4 && __CPROVER_rw_ok(word, size),
	      "a word of the table or of ours");
	PROVE(peers || __CPROVER_same_object(word, pins) ||
		      __CPROVER_same_object(word, &g),
	      "no page of the guest's");
	return peers;
}

/* The domain is gone: what it may say else is in paged() and framed(). */
int dom_call(struct dom *d, struct dom_msg *msg, int *fds, size_t *nfds)
{
	(void)d;
	(void)msg;
	(void)fds;
	*nfds = 0;
	return -EPIPE;
}

int pthread_mutex_lock(pthread_mutex_t *m)
{
	(void)m;
	return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *m)
{
	(void)m;
	return 0;
}

/* Any frame number in any memory map that is accepted: a page, or none. */
void paged(void)
{
	struct dom_memmap map;
	struct dommem m = { 0 };
	uint8_t *p;

	ASSUME(map.size <= UINT64_C(1) << 50);
	ASSUME(check_regions(&map) == 0);
	m.ram = malloc(map.size);
	ASSUME(m.ram);
	m.ram_size = map.size;
	m.nregions = map.n;
	for (unsigned int i = 0; i < DOM_MAX_REGIONS; i++)
		m.region[i] = map.region[i];
	p = dommem_page(&m, any_u64());
	PROVE(!p || __CPROVER_rw_ok(p, SV_PAGE_SIZE), "a page of RAM, whole");
	PROVE(!p || ((uint64_t)(p - m.ram) & (SV_PAGE_SIZE - 1)) == 0,
	      "from its start");
}

/* A frame of the table lies whole in one of the two memories; two are asked. */
void framed(void)
{
	struct dommem m = { .ram = ram, .table = table };
	struct dom_frames f;
	struct dommem_frames out;
	uint32_t i = any_u32();

	ASSUME(f.n <= 2 || f.n > DOM_FRAMES_PER_MSG);
	m.ram_size = any_bool() ? sizeof(ram) : 0;
	m.table_size = any_bool() ? sizeof(table) : 0;
	if (place_frames(&m, &f, &out))
		return;
	PROVE(out.n <= DOM_FRAMES_PER_MSG, "as many as there is room for");
	ASSUME(i < out.n);
	PROVE(__CPROVER_rw_ok(out.at[i], SV_PAGE_SIZE), "a page of the table");
}

/* A table of one frame, one page of RAM, and any pins. */
static void known(uint32_t ref)
{
	g.us = any_u16();
	g.nframes = 1;
	g.frame[0] = (void *)table;
	g.frame[1] = (void *)ram; /* not to be used: not known */
	g.pin = pins;
	g.mem.ram = ram;
	g.mem.ram_size = sizeof(ram);
	g.mem.nregions = 1;
	g.mem.region[0] = (struct dom_region){ any_u32(), 1, 0 };
	if (ref < REFS)
		pins[ref] = any_u32() & (PIN_READS | PIN_WRITES);
}

static void get_one(uint32_t ref)
{
	enum gnt_access access = any_bool() ? GNT_WRITE : GNT_READ;
	uint32_t old;
	void *page = NULL;
	int ret;

	known(ref);
	old = ref < REFS ? pins[ref] : 0;
	ret = gnt_get(&g, ref, access, &page);
	if (ref >= REFS) {
		PROVE(ret == -ENOENT && !page, "no such reference");
		return;
	}
	PROVE(ret == 0 || ret == -EACCES || ret == -EFAULT || ret == -EBUSY,
	      "its results");
	PROVE(pins[ref] == old + (ret ? 0 : one_pin(access)),
	      "counted once, and the lock is free");
	PROVE((ret == 0) == (page != NULL), "written on success only");
	PROVE(ret != -EFAULT || old || peer.cleared, "no mark stays");
	if (ret)
		return;
	PROVE(__CPROVER_rw_ok(page, SV_PAGE_SIZE), "a page of RAM");
	PROVE(peer.marked == 1 &&
		      (peer.replaced & (GTF_type_mask | GTF_sub_page)) ==
			      GTF_permit_access &&
		      peer.replaced >> 16 == g.us,
	      "permitted, and to us");
	PROVE(access == GNT_READ || !(peer.replaced & GTF_readonly),
	      "written only if that is permitted");
}

/* Any entry, changing at each look: the first, the last, ones beyond. */
void got(void)
{
	switch (any_u8() % 4) {
	case 0:
		get_one(0);
		break;
	case 1:
		get_one(REFS - 1);
		break;
	case 2:
		get_one(REFS);
		break;
	default:
		get_one(UINT32_MAX);
	}
}

static void put_one(uint32_t ref)
{
	enum gnt_access access = any_bool() ? GNT_WRITE : GNT_READ;
	uint32_t old;

	known(ref);
	old = pins[ref];
	ASSUME(old & (access == GNT_WRITE ? PIN_WRITES : PIN_READS));
	gnt_put(&g, ref, access);
	PROVE(pins[ref] == old - one_pin(access), "one less");
	PROVE((peer.cleared == 1) == !(pins[ref] & PIN_WRITES),
	      "marks are cleared, or kept while the page is written");
}

/* One use less; the last one clears the marks. */
void put(void)
{
	if (any_bool())
		put_one(0);
	else
		put_one(REFS - 1);
}
