/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/blkfront.c - the data path of a PV disk's guest half. */
#include "guest-frontend/blkfront.h"

#include <stddef.h>
#include <xen/errno.h>

#include "guest-frontend/events.h"
#include "guest-frontend/grants.h"
#include "guest-frontend/minilibc.h"
#include "guest-frontend/pages.h"
#include "ring/ring.h"

#define DIRECT_SEGS  BLKIF_MAX_SEGMENTS_PER_REQUEST
#define PAGE_SECTORS (PAGE_BYTES / BLKFRONT_SECTOR)
#define NO_SLOT	     UINT16_MAX

#define POLL_MIN_NS UINT64_C(10000)
#define POLL_MAX_NS UINT64_C(200000)

/*
 * Where the members of a request lie.  i386 aligns 64-bit members to 4 bytes, so
 * there the id follows the first four bytes, and all else follows that.
 */
struct layout {
	uint16_t slot, rsp, id, sector, rest, handle, grefs;
};

static const struct layout layout64 = {
	.slot = sizeof(struct blkif_request),
	.rsp = sizeof(struct blkif_response),
	.id = offsetof(struct blkif_request, id),
	.sector = offsetof(struct blkif_request, sector_number),
	.rest = offsetof(struct blkif_request, seg),
	.handle = offsetof(struct blkif_request_indirect, handle),
	.grefs = offsetof(struct blkif_request_indirect, indirect_grefs),
};

static const struct layout layout32 = {
	.slot = 20 + DIRECT_SEGS * sizeof(struct blkif_request_segment),
	.rsp = 12,
	.id = 4,
	.sector = 12,
	.rest = 20,
	.handle = 20,
	.grefs = 24,
};

/**
 * struct shadow - What the ring's slot holds, kept where the backend cannot.
 * @io:    NULL: free, and @next is the next free one.
 * @gref:  @nseg references, one for each page of the request.
 * @own:   With persistent grants: as many pages, made when first needed.
 * @list:  Page of segments for indirect requests, made likewise.
 */
struct shadow {
	struct blkfront_io *io;
	uint32_t *gref;
	struct grants_page *own;
	struct grants_page list;
	uint16_t nseg, next;
};

struct blkfront_queue {
	const struct layout *layout;
	struct ring_front ring;
	void *page[BLKFRONT_MAX_PAGES];
	uint32_t gref[BLKFRONT_MAX_PAGES];
	unsigned int npages, nent, segs, be_domid, inflight;
	size_t shadow_pages, gref_pages, own_pages;
	struct shadow *shadow;
	uint32_t *grefs;
	struct grants_page *owns; /* NULL: not persistent */
	uint64_t poll; /* ns for which looking for an answer has paid lately */
	uint32_t port;
	blkif_vdev_t handle;
	uint16_t free;
	bool dead;
};

/* ---- Pages of a request ---------------------------------------------------- */

static size_t pages_of(size_t bytes)
{
	return (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
}

/* The page and the first sector in it of segment @i of a buffer. */
static struct blkif_request_segment segment(const struct blkfront_io *io,
					    unsigned int i)
{
	unsigned int head = (unsigned int)((uintptr_t)io->buf % PAGE_BYTES) /
			    BLKFRONT_SECTOR;
	uint64_t end = head + io->nsectors - (uint64_t)i * PAGE_SECTORS;

	return (struct blkif_request_segment){
		.first_sect = (uint8_t)(i ? 0 : head),
		.last_sect =
			(uint8_t)((end < PAGE_SECTORS ? end : PAGE_SECTORS) -
				  1),
	};
}

static uint8_t *page_of(const struct blkfront_io *io, unsigned int i)
{
	uintptr_t first = (uintptr_t)io->buf & ~(uintptr_t)(PAGE_BYTES - 1);

	return (uint8_t *)first + (size_t)i * PAGE_BYTES;
}

/* Copy one segment between the caller's page and one of ours. */
static void copy_segment(const struct blkfront_io *io, unsigned int i,
			 uint8_t *own, bool out)
{
	struct blkif_request_segment s = segment(io, i);
	size_t at = s.first_sect * (size_t)BLKFRONT_SECTOR;
	size_t n = (s.last_sect - s.first_sect + (size_t)1) * BLKFRONT_SECTOR;

	if (out)
		memcpy(own + at, page_of(io, i) + at, n);
	else
		memcpy(page_of(io, i) + at, own + at, n);
}

static bool give_page(const struct blkfront_queue *q, struct shadow *s,
		      const struct blkfront_io *io, unsigned int i)
{
	bool out = io->op != BLKIF_OP_READ;

	if (!q->owns) {
		s->gref[i] = grants_give(q->be_domid, page_of(io, i), out);
		return s->gref[i] != GRANTS_NONE;
	}
	if (!grants_page_make(&s->own[i], q->be_domid, false))
		return false;
	s->gref[i] = s->own[i].ref;
	if (out)
		copy_segment(io, i, s->own[i].mem, true);
	return true;
}

/* Return: whether the backend has let go of all pages. */
static bool take_pages(const struct blkfront_queue *q, struct shadow *s)
{
	bool all = true;

	for (; s->nseg; s->nseg--) {
		if (!q->owns)
			all &= !grants_end(s->gref[s->nseg - 1]);
	}
	return all;
}

static int give_pages(const struct blkfront_queue *q, struct shadow *s,
		      const struct blkfront_io *io, unsigned int n)
{
	while (s->nseg < n) {
		if (!give_page(q, s, io, s->nseg)) {
			(void)take_pages(q, s);
			return -XEN_ENOSPC;
		}
		s->nseg++;
	}
	return 0;
}

/* ---- Requests -------------------------------------------------------------- */

static bool moves_data(uint8_t op)
{
	return op == BLKIF_OP_READ || op == BLKIF_OP_WRITE ||
	       op == BLKIF_OP_WRITE_BARRIER;
}

/* Return: pages of the request, or -XEN_EINVAL. */
static int judge(const struct blkfront_queue *q, const struct blkfront_io *io)
{
	uint64_t head, n;

	if (!moves_data(io->op))
		return 0;
	head = (uintptr_t)io->buf % PAGE_BYTES;
	if (head % BLKFRONT_SECTOR || !io->nsectors ||
	    io->nsectors > (uint64_t)q->segs * PAGE_SECTORS)
		return -XEN_EINVAL;
	n = (head / BLKFRONT_SECTOR + io->nsectors + PAGE_SECTORS - 1) /
	    PAGE_SECTORS;
	return n <= q->segs ? (int)n : -XEN_EINVAL;
}

static void put_segments(const struct shadow *s, const struct blkfront_io *io,
			 void *to)
{
	struct blkif_request_segment seg;

	for (unsigned int i = 0; i < s->nseg; i++) {
		seg = segment(io, i);
		seg.gref = s->gref[i];
		memcpy((uint8_t *)to + i * sizeof(seg), &seg, sizeof(seg));
	}
}

static void encode(const struct blkfront_queue *q, const struct shadow *s,
		   const struct blkfront_io *io, uint8_t *slot)
{
	const struct layout *l = q->layout;
	uint64_t id = (uint64_t)(s - q->shadow);

	memcpy(slot + l->id, &id, sizeof(id));
	memcpy(slot + l->sector, &io->sector, sizeof(io->sector));
	if (s->nseg > DIRECT_SEGS) {
		put_segments(s, io, s->list.mem);
		slot[0] = BLKIF_OP_INDIRECT;
		slot[1] = io->op;
		memcpy(slot + 2, &s->nseg, sizeof(s->nseg));
		memcpy(slot + l->handle, &q->handle, sizeof(q->handle));
		memcpy(slot + l->grefs, &s->list.ref, sizeof(s->list.ref));
		return;
	}
	slot[0] = io->op;
	memcpy(slot + 2, &q->handle, sizeof(q->handle));
	if (io->op == BLKIF_OP_DISCARD) {
		slot[1] = io->secure ? BLKIF_DISCARD_SECURE : 0;
		memcpy(slot + l->rest, &io->nsectors, sizeof(io->nsectors));
		return;
	}
	slot[1] = (uint8_t)s->nseg;
	put_segments(s, io, slot + l->rest);
}

/* There is room in the ring. */
static int put_request(struct blkfront_queue *q, struct shadow *s,
		       const struct blkfront_io *io, unsigned int n)
{
	uint8_t slot[sizeof(struct blkif_request)] = { 0 };
	int ret;

	if (n > DIRECT_SEGS && !grants_page_make(&s->list, q->be_domid, true))
		return -XEN_ENOSPC;
	ret = give_pages(q, s, io, n);
	if (ret)
		return ret;
	encode(q, s, io, slot);
	return ring_front_put(&q->ring, slot, q->layout->slot);
}

int blkfront_submit(struct blkfront_queue *q, struct blkfront_io *io)
{
	int n = judge(q, io), ret;
	struct shadow *s;

	if (n < 0)
		return n;
	if (q->dead)
		return -XEN_EIO;
	if (q->free == NO_SLOT || !ring_front_free(&q->ring))
		return -XEN_ENOSPC;
	s = &q->shadow[q->free];
	ret = put_request(q, s, io, (unsigned int)n);
	if (ret)
		return ret;
	q->free = s->next;
	s->io = io;
	q->inflight++;
	return 0;
}

void blkfront_push(struct blkfront_queue *q)
{
	if (!q->dead && ring_front_push(&q->ring))
		events_send(q->port);
}

/* ---- Answers --------------------------------------------------------------- */

static struct blkfront_io *finish(struct blkfront_queue *q, struct shadow *s,
				  int status)
{
	struct blkfront_io *io = s->io;

	if (q->owns && !status && io->op == BLKIF_OP_READ) {
		for (unsigned int i = 0; i < s->nseg; i++)
			copy_segment(io, i, s->own[i].mem, false);
	}
	if (!take_pages(q, s)) {
		q->dead = true;
		status = -XEN_EBUSY;
	}
	io->status = status;
	s->io = NULL;
	s->next = q->free;
	q->free = (uint16_t)(s - q->shadow);
	q->inflight--;
	return io;
}

/* What is in flight on a queue that has ended. */
static struct blkfront_io *fail_one(struct blkfront_queue *q)
{
	for (unsigned int i = 0; q->inflight && i < q->nent; i++) {
		if (q->shadow[i].io)
			return finish(q, &q->shadow[i], -XEN_EIO);
	}
	return NULL;
}

/* UNTRUSTED: @rsp.  Return: the request it answers, or NULL. */
static struct shadow *answered(const struct blkfront_queue *q,
			       const struct blkif_response *rsp)
{
	struct shadow *s;

	if (rsp->id >= q->nent)
		return NULL;
	s = &q->shadow[rsp->id];
	return s->io && s->io->op == rsp->operation ? s : NULL;
}

struct blkfront_io *blkfront_done(struct blkfront_queue *q)
{
	struct blkif_response rsp = { 0 };
	struct shadow *s = NULL;
	int ret;

	if (q->dead)
		return fail_one(q);
	ret = ring_front_take(&q->ring, &rsp, q->layout->rsp);
	if (!ret)
		return NULL;
	if (ret > 0)
		s = answered(q, &rsp);
	if (!s) {
		q->dead = true;
		return fail_one(q);
	}
	return finish(q, s,
		      rsp.status == BLKIF_RSP_OKAY	   ? 0
		      : rsp.status == BLKIF_RSP_EOPNOTSUPP ? -XEN_EOPNOTSUPP
							   : -XEN_EIO);
}

static bool poll_answer(struct blkfront_queue *q, uint64_t began)
{
	while (events_now() - began < q->poll) {
		if (ring_front_pending(&q->ring))
			return true;
		__builtin_ia32_pause();
	}
	return false;
}

/* For how long to look next time, after @ns for which looking was in vain. */
static uint64_t adapt_poll(uint64_t poll, uint64_t ns)
{
	if (ns > POLL_MAX_NS)
		return poll / 2;
	if (poll < POLL_MIN_NS)
		return POLL_MIN_NS;
	return poll < POLL_MAX_NS / 2 ? 2 * poll : POLL_MAX_NS;
}

/*
 * One request alone keeps its guest waiting: an answer that is seen in the ring
 * saves the interrupt, and the way out of the processor's sleep.  With several,
 * sleeping lets answers come together.
 */
bool blkfront_wait(struct blkfront_queue *q, uint64_t ns)
{
	bool alone = q->inflight == 1, told;
	uint64_t began = events_now();

	if (!q->inflight)
		return false;
	if (q->dead || (alone && poll_answer(q, began)) ||
	    ring_front_arm(&q->ring, 1))
		return true;
	told = events_wait(q->port, ns);
	if (alone)
		q->poll = adapt_poll(q->poll, events_now() - began);
	return told;
}

unsigned int blkfront_inflight(const struct blkfront_queue *q)
{
	return q->inflight;
}

int blkfront_do(struct blkfront_queue *q, struct blkfront_io *io)
{
	uint64_t until = events_deadline(FRONT_TIMEOUT_NS), now;
	int ret = blkfront_submit(q, io);

	if (ret)
		return ret;
	blkfront_push(q);
	while (!blkfront_done(q)) {
		now = events_now();
		if (now >= until)
			return -XEN_EAGAIN;
		(void)blkfront_wait(q, until - now);
	}
	return io->status;
}

/* ---- Rings ----------------------------------------------------------------- */

static int make_ring(struct blkfront_queue *q, struct blkfront_ring *ring)
{
	unsigned int i;
	int ret;

	if (!q->page[0])
		q->page[0] = pages_alloc(q->npages);
	if (!q->page[0])
		return -XEN_ENOMEM;
	for (i = 1; i < q->npages; i++)
		q->page[i] = (uint8_t *)q->page[0] + (size_t)i * PAGE_BYTES;
	ret = ring_front_init(&q->ring, q->page, q->npages, q->layout->slot);
	if (ret)
		return ret;
	for (i = 0; i < q->npages; i++) {
		q->gref[i] = grants_give(q->be_domid, q->page[i], false);
		if (q->gref[i] == GRANTS_NONE)
			return -XEN_ENOSPC;
		ring->gref[i] = q->gref[i];
	}
	ret = events_alloc(q->be_domid, &q->port);
	ring->port = q->port;
	return ret;
}

static int make_shadows(struct blkfront_queue *q, bool persistent)
{
	size_t n = (size_t)q->nent * q->segs;

	q->shadow_pages = pages_of(q->nent * sizeof(*q->shadow));
	q->gref_pages = pages_of(n * sizeof(*q->grefs));
	q->own_pages = persistent ? pages_of(n * sizeof(*q->owns)) : 0;
	q->shadow = pages_alloc(q->shadow_pages);
	q->grefs = pages_alloc(q->gref_pages);
	if (persistent)
		q->owns = pages_alloc(q->own_pages);
	if (!q->shadow || !q->grefs || (persistent && !q->owns))
		return -XEN_ENOMEM;
	for (unsigned int i = 0; i < q->nent; i++) {
		q->shadow[i].gref = q->grefs + (size_t)i * q->segs;
		q->shadow[i].own = persistent ? q->owns + (size_t)i * q->segs
					      : NULL;
		q->shadow[i].next = i + 1 < q->nent ? (uint16_t)(i + 1)
						    : NO_SLOT;
	}
	return 0;
}

int blkfront_queue_new(struct blkfront_queue **out, const struct blkfront *b,
		       struct blkfront_ring *ring)
{
	struct blkfront_queue *q = pages_alloc(1);
	int ret;

	_Static_assert(sizeof(*q) <= PAGE_BYTES, "fits into a page");
	if (!q)
		return -XEN_ENOMEM;
	q->layout = b->want.abi32 ? &layout32 : &layout64;
	q->npages = 1u << b->order;
	q->segs = b->segs;
	q->nent = ring_slots(q->npages, q->layout->slot);
	q->be_domid = b->front.be_domid;
	q->handle = (blkif_vdev_t)b->devid;
	ret = make_shadows(q, b->want.persistent);
	if (!ret)
		ret = make_ring(q, ring);
	if (ret) {
		blkfront_queue_free(q);
		return ret;
	}
	*out = q;
	return 0;
}

/* ---- Another life ---------------------------------------------------------- */

void blkfront_queue_lost(struct blkfront_queue *q)
{
	size_t nown = q->owns ? (size_t)q->nent * q->segs : 0;

	q->port = 0;
	for (unsigned int i = 0; i < q->npages; i++)
		q->gref[i] = GRANTS_NONE;
	for (size_t i = 0; i < (size_t)q->nent * q->segs; i++)
		q->grefs[i] = GRANTS_NONE;
	for (unsigned int i = 0; i < q->nent; i++)
		grants_page_lost(&q->shadow[i].list);
	for (size_t i = 0; i < nown; i++)
		grants_page_lost(&q->owns[i]);
}

int blkfront_queue_again(struct blkfront_queue *q, struct blkfront_ring *ring)
{
	int ret = make_ring(q, ring);
	struct shadow *s;
	unsigned int n;

	for (unsigned int i = 0; !ret && !q->dead && i < q->nent; i++) {
		s = &q->shadow[i];
		if (!s->io)
			continue;
		n = s->nseg;
		s->nseg = 0;
		ret = put_request(q, s, s->io, n);
	}
	blkfront_push(q);
	return ret;
}

/* A page that the backend still holds is lost: nobody may use it again. */
static void end_page(uint32_t gref, void *page)
{
	if (page && (gref == GRANTS_NONE || !grants_end(gref)))
		pages_free(page, 1);
}

static void free_shadows(struct blkfront_queue *q)
{
	size_t nown = q->owns ? (size_t)q->nent * q->segs : 0;

	q->dead = true;
	while (fail_one(q))
		;
	for (unsigned int i = 0; q->shadow && i < q->nent; i++)
		grants_page_drop(&q->shadow[i].list);
	for (size_t i = 0; i < nown; i++)
		grants_page_drop(&q->owns[i]);
	pages_free(q->shadow, q->shadow_pages);
	pages_free(q->grefs, q->gref_pages);
	pages_free(q->owns, q->own_pages);
}

void blkfront_queue_free(struct blkfront_queue *q)
{
	if (!q)
		return;
	free_shadows(q);
	if (q->port)
		events_close(q->port);
	for (unsigned int i = 0; i < q->npages; i++)
		end_page(q->gref[i], q->page[i]);
	pages_free(q, 1);
}
