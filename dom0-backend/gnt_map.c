// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/gnt_map.c - grant references to pages of a guest's memory.
#include "dom0-backend/gnt_map.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <xen/xen.h>
#include <xen/grant_table.h>

#include "base/fd.h"
#include "base/log.h"

#define REFS_PER_FRAME (SV_PAGE_SIZE / sizeof(grant_entry_v1_t))
#define MAX_FRAMES     1024u /* 512 Ki references */
#define MAX_REFS       (MAX_FRAMES * REFS_PER_FRAME)

/* A pin word: lock, number of writing uses, number of reading ones. */
#define PIN_LOCK   0x80000000u
#define PIN_WRITE  0x00008000u
#define PIN_READ   0x00000001u
#define PIN_MAX	   0x7fffu
#define PIN_READS  PIN_MAX
#define PIN_WRITES (PIN_MAX * PIN_WRITE)

/* How often an entry may change under our hands before we give up. */
#define MAX_TRIES 16

/*
 * A grant entry as two words: flags in the low half of the first, domid in the
 * high half.  UNTRUSTED: the guest writes both at any time.
 */
struct entry {
	_Atomic uint32_t head;
	_Atomic uint32_t frame;
};
_Static_assert(sizeof(struct entry) == sizeof(grant_entry_v1_t) &&
		       offsetof(grant_entry_v1_t, flags) == 0 &&
		       offsetof(grant_entry_v1_t, domid) == 2 &&
		       offsetof(grant_entry_v1_t, frame) == 4,
	       "the layout of a version 1 entry");

/**
 * struct gnt_map - One guest's memory and grant table.
 * @nframes: Frames known; frame[] below it may be used.  Released by grow(),
 *           acquired by find().
 * @pin:     One word a reference; pages of it appear as they are used.
 * @lock:    For growing.
 */
struct gnt_map {
	struct dom *dom;
	uint8_t *ram;
	size_t ram_size;
	unsigned int nregions;
	struct dom_region region[DOM_MAX_REGIONS];
	uint32_t us; /* domid that grants must name */

	uint8_t *table; /* lock: lock */
	size_t table_size;
	_Atomic uint32_t nframes;
	struct entry *frame[MAX_FRAMES];
	_Atomic uint32_t *pin;
	pthread_mutex_t lock;
};

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

static int map_ram(struct gnt_map *g)
{
	struct dom_msg msg = { .type = DOM_MEMMAP };
	int fds[SOCK_MAX_FDS];
	size_t n;
	void *p;
	int ret = dom_call(g->dom, &msg, fds, &n);

	if (ret)
		return ret;
	ret = n == 1 ? check_regions(&msg.u.memmap) : -EPROTO;
	if (!ret) {
		p = mmap(NULL, msg.u.memmap.size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_NORESERVE, fds[0], 0);
		ret = p == MAP_FAILED ? -errno : 0;
	}
	while (n)
		fd_close(&fds[--n]);
	if (ret)
		return ret;
	g->ram = p;
	g->ram_size = msg.u.memmap.size;
	g->nregions = msg.u.memmap.n;
	for (unsigned int i = 0; i < g->nregions; i++)
		g->region[i] = msg.u.memmap.region[i];
	return 0;
}

/* The grant memfd has one size for the domain's life: it is mapped once. */
static int map_table(struct gnt_map *g, int fd, uint64_t size)
{
	void *p;

	if (g->table)
		return size == g->table_size ? 0 : -EPROTO;
	if (size == 0 || size > SIZE_MAX / 2)
		return -EPROTO;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	g->table = p;
	g->table_size = size;
	return 0;
}

static int add_frames(struct gnt_map *g, const struct dom_frames *f)
{
	if (f->n > DOM_FRAMES_PER_MSG || f->first > MAX_FRAMES - f->n)
		return -EPROTO;
	for (uint32_t i = 0; i < f->n; i++) {
		uint8_t *base = f->frame[i].in_ram ? g->ram : g->table;
		size_t size = f->frame[i].in_ram ? g->ram_size : g->table_size;
		uint64_t at = f->frame[i].offset;

		if (at % SV_PAGE_SIZE || size < SV_PAGE_SIZE ||
		    at > size - SV_PAGE_SIZE)
			return -EPROTO;
		g->frame[f->first + i] = (struct entry *)(void *)(base + at);
	}
	return 0;
}

/* Ask for one message's worth of frames; @total is how many there are. */
static int ask_frames(struct gnt_map *g, uint32_t first, uint32_t *total,
		      uint32_t *got)
{
	struct dom_msg msg = { .type = DOM_GRANT_FRAMES,
			       .u.frames.first = first };
	const struct dom_frames *f = &msg.u.frames;
	int fds[SOCK_MAX_FDS];
	size_t n;
	int ret = dom_call(g->dom, &msg, fds, &n);

	if (ret)
		return ret;
	ret = n == 1 && f->first == first ? map_table(g, fds[0], f->size)
					  : -EPROTO;
	while (n)
		fd_close(&fds[--n]);
	if (!ret)
		ret = add_frames(g, f);
	*total = f->total;
	*got = f->n;
	return ret;
}

/* Look up the frames from @first on, up to all that there are. */
static int grow(struct gnt_map *g, uint32_t first)
{
	uint32_t total, got;
	int ret;

	do {
		ret = ask_frames(g, first, &total, &got);
		if (ret)
			return ret;
		first += got;
		/* Ordering: the frames before their number; see find(). */
		atomic_store_explicit(&g->nframes, first, memory_order_release);
	} while (got && first < total && first < MAX_FRAMES);
	return 0;
}

int gnt_refresh(struct gnt_map *g)
{
	int ret;

	pthread_mutex_lock(&g->lock);
	ret = grow(g, 0);
	pthread_mutex_unlock(&g->lock);
	return ret;
}

int gnt_new(struct gnt_map **out, struct dom *dom)
{
	struct gnt_map *g = calloc(1, sizeof(*g));
	struct dom_info info;
	void *p;
	int ret;

	if (!g)
		return -ENOMEM;
	pthread_mutex_init(&g->lock, NULL);
	g->dom = dom;
	ret = dom_info(dom, &info);
	if (!ret)
		ret = map_ram(g);
	if (ret)
		goto free;
	g->us = info.backend_domid;
	p = mmap(NULL, MAX_REFS * sizeof(*g->pin), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) {
		ret = -errno;
		goto free;
	}
	g->pin = p;
	ret = gnt_refresh(g);
	if (ret)
		goto free;
	*out = g;
	return 0;

free:
	gnt_free(g);
	return ret;
}

void gnt_free(struct gnt_map *g)
{
	if (!g)
		return;
	if (g->pin)
		munmap(g->pin, MAX_REFS * sizeof(*g->pin));
	if (g->table)
		munmap(g->table, g->table_size);
	if (g->ram)
		munmap(g->ram, g->ram_size);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

static struct entry *look(struct gnt_map *g, uint32_t ref)
{
	/* Ordering: acquires nframes; pairs with grow(). */
	uint32_t n = atomic_load_explicit(&g->nframes, memory_order_acquire);

	if (ref / REFS_PER_FRAME >= n)
		return NULL;
	return &g->frame[ref / REFS_PER_FRAME][ref % REFS_PER_FRAME];
}

/* The entry of @ref, asking the domain whether its table has grown. */
static struct entry *find(struct gnt_map *g, uint32_t ref)
{
	struct entry *e = look(g, ref);

	if (e || ref >= MAX_REFS)
		return e;
	pthread_mutex_lock(&g->lock);
	e = look(g, ref);
	if (!e && !grow(g, atomic_load(&g->nframes)))
		e = look(g, ref);
	pthread_mutex_unlock(&g->lock);
	return e;
}

/*
 * Take a reference's lock.  Held for a few instructions of our own code, never
 * while waiting for the guest, so spinning ends by itself.
 */
static uint32_t pin_lock(_Atomic uint32_t *pin)
{
	uint32_t v;

	for (;;) {
		v = atomic_load_explicit(pin, memory_order_relaxed) & ~PIN_LOCK;
		/* Ordering: acquires what pin_unlock() released. */
		if (atomic_compare_exchange_weak_explicit(pin, &v, v | PIN_LOCK,
							  memory_order_acquire,
							  memory_order_relaxed))
			return v;
		__builtin_ia32_pause();
	}
}

/* Ordering: releases to the next pin_lock(). */
static void pin_unlock(_Atomic uint32_t *pin, uint32_t v)
{
	atomic_store_explicit(pin, v, memory_order_release);
}

/* Whether an entry's first word lets @us do it. */
static bool permits(uint32_t head, uint32_t us, enum gnt_access access)
{
	uint32_t type = head & (GTF_type_mask | GTF_sub_page);

	return type == GTF_permit_access && head >> 16 == us &&
	       (access == GNT_READ || !(head & GTF_readonly));
}

/*
 * Set the bits that say we use the page.
 *
 * A compare-and-exchange of flags and domid together, so that what was judged
 * is what was replaced.
 */
static int mark(struct entry *e, uint32_t us, enum gnt_access access)
{
	uint32_t bits = GTF_reading | (access == GNT_WRITE ? GTF_writing : 0);
	uint32_t head = atomic_load_explicit(&e->head, memory_order_relaxed);

	for (int i = 0; i < MAX_TRIES; i++) {
		if (!permits(head, us, access))
			return -EACCES;
		/* Ordering: the frame is read after the bits are seen set. */
		if (atomic_compare_exchange_weak_explicit(
			    &e->head, &head, head | bits, memory_order_seq_cst,
			    memory_order_relaxed))
			return 0;
	}
	return -EBUSY;
}

/* Clear the bits that no use needs any more; @v is the count that remains. */
static void unmark(struct entry *e, uint32_t v)
{
	uint32_t keep = (v & PIN_WRITES ? GTF_writing : 0) |
			(v & (PIN_WRITES | PIN_READS) ? GTF_reading : 0);
	uint32_t drop = (GTF_reading | GTF_writing) & ~keep;

	/* Ordering: releases our accesses to the page; the guest may reuse it. */
	if (drop)
		atomic_fetch_and_explicit(&e->head, ~drop,
					  memory_order_seq_cst);
}

static void *page_of(const struct gnt_map *g, uint64_t gfn)
{
	for (unsigned int i = 0; i < g->nregions; i++) {
		const struct dom_region *r = &g->region[i];

		if (gfn >= r->gfn && gfn - r->gfn < r->npages)
			return g->ram + r->offset +
			       (gfn - r->gfn) * SV_PAGE_SIZE;
	}
	return NULL;
}

static uint32_t one_pin(enum gnt_access access)
{
	return access == GNT_WRITE ? PIN_WRITE : PIN_READ;
}

int gnt_get(struct gnt_map *g, uint32_t ref, enum gnt_access access,
	    void **page)
{
	uint32_t full = access == GNT_WRITE ? PIN_WRITES : PIN_READS;
	struct entry *e = find(g, ref);
	void *p = NULL;
	uint32_t v;
	int ret;

	if (!e)
		return -ENOENT;
	v = pin_lock(&g->pin[ref]);
	ret = (v & full) == full ? -EBUSY : mark(e, g->us, access);
	if (!ret) {
		p = page_of(g, atomic_load_explicit(&e->frame,
						    memory_order_relaxed));
		if (p)
			v += one_pin(access);
		else
			ret = -EFAULT;
		if (ret)
			unmark(e, v);
	}
	pin_unlock(&g->pin[ref], v);
	if (!ret)
		*page = p;
	return ret;
}

void gnt_put(struct gnt_map *g, uint32_t ref, enum gnt_access access)
{
	struct entry *e = look(g, ref);
	uint32_t v;

	assert(e);
	v = pin_lock(&g->pin[ref]);
	assert(v & (access == GNT_WRITE ? PIN_WRITES : PIN_READS));
	v -= one_pin(access);
	unmark(e, v);
	pin_unlock(&g->pin[ref], v);
}

unsigned int gnt_pins(const struct gnt_map *g, uint32_t ref)
{
	uint32_t v;

	if (ref >= MAX_REFS)
		return 0;
	v = atomic_load(&g->pin[ref]);
	return (v & PIN_READS) + (v & PIN_WRITES) / PIN_WRITE;
}
