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

#include "base/dommem.h"
#include "ring/shm.h"

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
	struct dommem mem; /* lock: lock, but for dommem_page() */
	uint32_t us;	   /* domid that grants must name */
	_Atomic uint32_t nframes;
	struct entry SHM *frame[MAX_FRAMES];
	_Atomic uint32_t *pin;
	pthread_mutex_t lock;
};

/* Look up the frames from @first on, up to all that there are. */
static int grow(struct gnt_map *g, uint32_t first)
{
	struct dommem_frames f;
	int ret;

	do {
		ret = dommem_frames(&g->mem, g->dom, first, &f);
		if (!ret && first > MAX_FRAMES - f.n)
			ret = -EPROTO;
		if (ret)
			return ret;
		for (uint32_t i = 0; i < f.n; i++)
			g->frame[first++] = f.at[i];
		/* Ordering: the frames before their number; see find(). */
		atomic_store_explicit(&g->nframes, first, memory_order_release);
	} while (f.n && first < f.total && first < MAX_FRAMES);
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

/* SYSCALLS: mmap munmap */
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
		ret = dommem_init(&g->mem, dom, PROT_READ | PROT_WRITE);
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
	dommem_fini(&g->mem);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

static struct entry SHM *look(struct gnt_map *g, uint32_t ref)
{
	/* Ordering: acquires nframes; pairs with grow(). */
	uint32_t n = atomic_load_explicit(&g->nframes, memory_order_acquire);

	if (ref / REFS_PER_FRAME >= n)
		return NULL;
	return &g->frame[ref / REFS_PER_FRAME][ref % REFS_PER_FRAME];
}

/* The entry of @ref, asking the domain whether its table has grown. */
static struct entry SHM *find(struct gnt_map *g, uint32_t ref)
{
	struct entry SHM *e = look(g, ref);

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
static int mark(struct entry SHM *e, uint32_t us, enum gnt_access access)
{
	uint32_t bits = GTF_reading | (access == GNT_WRITE ? GTF_writing : 0);
	uint32_t head;

	shm_race(e, sizeof(*e));
	head = atomic_load_explicit(&e->head, memory_order_relaxed);
	for (int i = 0; i < MAX_TRIES; i++) {
		if (!permits(head, us, access))
			return -EACCES;
		shm_race(e, sizeof(*e));
		/* Ordering: the frame is read after the bits are seen set. */
		if (atomic_compare_exchange_weak_explicit(
			    &e->head, &head, head | bits, memory_order_seq_cst,
			    memory_order_relaxed))
			return 0;
	}
	return -EBUSY;
}

/* Clear the bits that no use needs any more; @v is the count that remains. */
static void unmark(struct entry SHM *e, uint32_t v)
{
	uint32_t keep = (v & PIN_WRITES ? GTF_writing : 0) |
			(v & (PIN_WRITES | PIN_READS) ? GTF_reading : 0);
	uint32_t drop = (GTF_reading | GTF_writing) & ~keep;

	/* Ordering: releases our accesses to the page; the guest may reuse it. */
	if (drop)
		atomic_fetch_and_explicit(&e->head, ~drop,
					  memory_order_seq_cst);
}

static uint32_t one_pin(enum gnt_access access)
{
	return access == GNT_WRITE ? PIN_WRITE : PIN_READ;
}

int gnt_get(struct gnt_map *g, uint32_t ref, enum gnt_access access,
	    void SHM **page)
{
	uint32_t full = access == GNT_WRITE ? PIN_WRITES : PIN_READS;
	struct entry SHM *e = find(g, ref);
	void SHM *p = NULL;
	uint32_t v;
	int ret;

	if (!e)
		return -ENOENT;
	v = pin_lock(&g->pin[ref]);
	ret = (v & full) == full ? -EBUSY : mark(e, g->us, access);
	if (!ret) {
		p = dommem_page(&g->mem,
				atomic_load_explicit(&e->frame,
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
	struct entry SHM *e = look(g, ref);
	uint32_t v;

	assert(e);
	v = pin_lock(&g->pin[ref]);
	assert(v & (access == GNT_WRITE ? PIN_WRITES : PIN_READS));
	v -= one_pin(access);
	unmark(e, v);
	pin_unlock(&g->pin[ref], v);
}

bool gnt_marked(struct gnt_map *g, uint32_t ref)
{
	struct entry SHM *e = find(g, ref);

	if (!e)
		return false;
	shm_race(e, sizeof(*e));
	return atomic_load_explicit(&e->head, memory_order_relaxed) &
	       GTF_writing;
}

unsigned int gnt_pins(const struct gnt_map *g, uint32_t ref)
{
	uint32_t v;

	if (ref >= MAX_REFS)
		return 0;
	v = atomic_load(&g->pin[ref]);
	return (v & PIN_READS) + (v & PIN_WRITES) / PIN_WRITE;
}
