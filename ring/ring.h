/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring/ring.h - request/response rings in shared memory, both halves. */
#ifndef RING_RING_H
#define RING_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ring/shm.h"

/*
 * How it works
 *
 * Two parties share 1 to 16 pages: the front half puts requests, the back half
 * takes them and puts responses in the slots that the requests have left. The
 * layout is Xen's (xen/io/ring.h); ring/WIRE.md has it as a table.
 *
 * What the peer can write is never believed: a half keeps its own indices
 * privately, copies every message out before the caller sees it, and rejects an
 * impossible index of the peer once and for all (-EPROTO, sticky). No caller
 * sees an index, a barrier or the shared memory itself.
 *
 * The work loop of either half:
 *
 *	do {
 *		while ((ret = ring_back_take(r, &req, sizeof(req))) > 0)
 *			...		(bound the turns here)
 *		if (ring_back_push(r))
 *			notify the peer
 *	} while (!ret && ring_back_arm(r, 1));
 *	sleep until the peer notifies
 *
 * A half belongs to one thread at a time. Nothing here allocates, blocks or
 * logs. Builds freestanding; needs memcpy and memset.
 */

#define RING_PAGE_SIZE 4096u
#define RING_PAGES_MAX 16u /* ring-page-order 0 to 4 */
#define RING_SLOT_MAX  512u

#define RING_CHECKED __attribute__((warn_unused_result))

struct ring_shm; /* UNTRUSTED: the shared header; known to ring.c alone */

/*
 * Where the slots lie; the same for both halves. Set by attach and init, touched
 * by nobody else.
 */
struct ring_area {
	struct ring_shm SHM *shm;	   /* first page; borrowed */
	uint8_t SHM *page[RING_PAGES_MAX]; /* UNTRUSTED; borrowed */
	uint32_t nent;			   /* slots, a power of two */
	uint32_t slot;			   /* bytes from slot to slot */
	bool flat; /* pages follow each other in memory */
	bool dead; /* the peer lied: final */
};

/**
 * struct ring_back - The half that serves requests. All members are private.
 * @area:     Pages and slots.
 * @req_cons: Requests taken.
 * @req_seen: Requests known to be there, never behind @req_cons.
 * @rsp_prod: Responses put.
 * @rsp_sent: Responses published, never ahead of @rsp_prod.
 *
 * INVARIANT: rsp_sent <= rsp_prod <= req_cons <= req_seen <= rsp_prod + nent,
 * modulo 2^32.
 */
struct ring_back {
	struct ring_area area;
	uint32_t req_cons, req_seen;
	uint32_t rsp_prod, rsp_sent;
};

/**
 * struct ring_front - The half that makes requests. All members are private.
 * @area:     Pages and slots.
 * @req_prod: Requests put.
 * @req_sent: Requests published.
 * @rsp_cons: Responses taken.
 * @rsp_seen: Responses known to be there.
 *
 * INVARIANT: rsp_cons <= rsp_seen <= req_sent <= req_prod <= rsp_cons + nent,
 * modulo 2^32.
 */
struct ring_front {
	struct ring_area area;
	uint32_t req_prod, req_sent;
	uint32_t rsp_cons, rsp_seen;
};

/**
 * struct ring_pos - Where a back half stands; kept by a worker's journal.
 * @req_cons: Requests taken.
 * @rsp_prod: Responses put. The difference is what is in flight.
 */
struct ring_pos {
	uint32_t req_cons, rsp_prod;
};

/**
 * ring_slots() - Number of slots of a ring, as Xen's __RING_SIZE computes it.
 * @npages: Pages of the ring.
 * @slot:   Bytes of one slot: the size of the union of request and response.
 *
 * Return: the largest power of two that fits behind the header; 0 if none does
 * or an argument is out of range.
 */
uint32_t ring_slots(size_t npages, size_t slot);

/**
 * ring_back_attach() - Begin to serve a ring.
 * @r:      Filled in; usable only on success.
 * @pages:  The ring's pages in order, each 4096 bytes, page aligned; they need
 *          not follow each other in memory. Borrowed until @r is abandoned; the
 *          array itself only for the call.
 * @npages: 1, 2, 4, 8 or 16.
 * @slot:   Bytes of one slot, a multiple of 4. It depends on the frontend's ABI
 *          (blkif: 112 on x86_64, 108 on x86_32), so it is no constant.
 * @at:     NULL for a new ring, whose indices begin at 0 (SHARED_RING_INIT in
 *          xen/io/ring.h). After a restart: where the predecessor stood, from
 *          its journal, or ring_back_found(). The responses counted
 *          there are published again; notify the peer once, since nobody knows
 *          whether the predecessor still did.
 *
 * Return: 0; -EINVAL if a size or address is unusable, or @at impossible.
 */
RING_CHECKED int ring_back_attach(struct ring_back *r, void SHM *const *pages,
				  size_t npages, size_t slot,
				  const struct ring_pos *at);

/**
 * ring_back_found() - Where a ring stands that nobody serves and nobody remembers.
 * @at: That all that was taken is answered; for ring_back_attach().
 *
 * Of a new ring that is its beginning, of one that came with a saved guest, where
 * its backend was when it had nothing in flight. The peer can forge it and harms
 * only its own ring, since every distance is judged afterwards. It is to be asked
 * once, before the ring is attached.
 *
 * Return: 0; -EINVAL as ring_back_attach(); -EPROTO if the indices cannot be.
 */
RING_CHECKED int ring_back_found(void SHM *const *pages, size_t npages,
				 size_t slot, struct ring_pos *at);

/**
 * ring_back_pos() - Where the half stands now, for a journal.
 * @r: Attached backend half.
 */
struct ring_pos ring_back_pos(const struct ring_back *r);

/**
 * ring_back_avail() - Count the requests that can be taken without waiting.
 * @r: Attached backend half.
 *
 * Ordering: acquires req_prod; pairs with ring_front_push().
 *
 * Return: 0 to the number of slots, or -EPROTO as ring_back_take() does.
 */
RING_CHECKED int ring_back_avail(struct ring_back *r);

/**
 * ring_back_take() - Copy the next request out of the ring.
 * @r:    Attached backend half.
 * @req:  Filled with the request; private to the caller from here on.
 * @size: Bytes to copy, at most the slot size given to ring_back_attach().
 *
 * Each byte is used as it was at one copy: later writes by the peer are unseen.
 * Ordering: acquires req_prod; pairs with ring_front_push().
 *
 * Return: 1 if @req was filled, 0 if the ring is empty, -EPROTO if the peer's
 * producer index is impossible: more requests than free slots, or fewer than it
 * had made before. After -EPROTO the ring stays dead.
 */
RING_CHECKED int ring_back_take(struct ring_back *r, void *req, size_t size);

/**
 * ring_back_put() - Write the next response; not visible until pushed.
 * @r:    Attached backend half with a request in flight (traps if none is: the
 *        peer cannot cause that).
 * @rsp:  Response, with its padding zeroed.
 * @size: Bytes to copy, at most the slot size.
 *
 * The n-th response lies in the slot of the n-th request. Block and net-tx
 * frontends do not care; net-rx frontends do (xen/io/netif.h), so there answer in
 * the order of taking. Does nothing on a dead ring.
 */
void ring_back_put(struct ring_back *r, const void *rsp, size_t size);

/**
 * ring_back_push() - Show the peer all responses put so far.
 * @r: Attached backend half.
 *
 * Ordering: publishes rsp_prod, then checks rsp_event; pairs with
 * ring_front_take() for the slots and ring_front_arm() for the wake-up.
 *
 * Return: true if the peer asked to be notified of one of them: do so.
 */
RING_CHECKED bool ring_back_push(struct ring_back *r);

/**
 * ring_back_arm() - Ask to be notified, before going to sleep.
 * @r:     Attached backend half.
 * @after: How many requests are worth waking up for, at least 1.
 *
 * Ordering: publishes req_event, then checks req_prod; pairs with
 * ring_front_push().
 *
 * Return: true if that many are there already: do not sleep, take them. Always
 * false on a dead ring: nothing more comes.
 */
RING_CHECKED bool ring_back_arm(struct ring_back *r, uint32_t after);

/**
 * ring_back_pending() - Whether a request may be there; for polling.
 * @r: Attached backend half.
 *
 * A lie makes this true as well: ring_back_take() is the judge.  Always false on
 * a dead ring.
 */
RING_CHECKED bool ring_back_pending(const struct ring_back *r);

/**
 * ring_front_init() - Lay out an empty ring and begin to use it.
 * @r:      Filled in; usable only on success.
 * @pages:  As for ring_back_attach(). All bytes are zeroed, so nothing of their
 *          former life is shown to the peer: do this before granting them.
 * @npages: 1, 2, 4, 8 or 16.
 * @slot:   Bytes of one slot, a multiple of 4.
 *
 * Return: 0 or -EINVAL.
 */
RING_CHECKED int ring_front_init(struct ring_front *r, void SHM *const *pages,
				 size_t npages, size_t slot);

/**
 * ring_front_free() - Count the requests that can be put without waiting.
 * @r: Initialised frontend half.
 */
uint32_t ring_front_free(const struct ring_front *r);

/**
 * ring_front_put() - Write the next request; not visible until pushed.
 * @r:    Initialised frontend half.
 * @req:  Request, with its padding zeroed.
 * @size: Bytes to copy, at most the slot size.
 *
 * Return: 0, or -ENOBUFS if every slot is in use; take responses first.
 */
RING_CHECKED int ring_front_put(struct ring_front *r, const void *req,
				size_t size);

/**
 * ring_front_push() - Show the peer all requests put so far.
 * @r: Initialised frontend half.
 *
 * Ordering: publishes req_prod, then checks req_event; pairs with
 * ring_back_take() for the slots and ring_back_arm() for the wake-up.
 *
 * Return: true if the peer asked to be notified of one of them: do so.
 */
RING_CHECKED bool ring_front_push(struct ring_front *r);

/**
 * ring_front_take() - Copy the next response out of the ring.
 * @r:    Initialised frontend half.
 * @rsp:  Filled with the response. An id in it is the peer's word: check that it
 *        is in flight.
 * @size: Bytes to copy, at most the slot size.
 *
 * Ordering: acquires rsp_prod; pairs with ring_back_push().
 *
 * Return: 1 if @rsp was filled, 0 if there is none, -EPROTO if the peer claims
 * more responses than there are requests pushed, or fewer than before. After
 * -EPROTO the ring stays dead.
 */
RING_CHECKED int ring_front_take(struct ring_front *r, void *rsp, size_t size);

/**
 * ring_front_pending() - Whether a response may be there; for polling.
 * @r: Initialised frontend half.
 */
RING_CHECKED bool ring_front_pending(const struct ring_front *r);

/**
 * ring_front_arm() - Ask to be notified, before going to sleep.
 * @r:     Initialised frontend half.
 * @after: How many responses are worth waking up for, at least 1; more than are
 *         outstanding would be waited for in vain.
 *
 * Ordering: publishes rsp_event, then checks rsp_prod; pairs with
 * ring_back_push().
 *
 * Return: as ring_back_arm().
 */
RING_CHECKED bool ring_front_arm(struct ring_front *r, uint32_t after);

/**
 * struct ring_words - A ring's header as it lies in shared memory.
 *
 * UNTRUSTED, and no half's own indices: to be shown, never to be acted upon.
 */
struct ring_words {
	uint32_t req_prod, req_event;
	uint32_t rsp_prod, rsp_event;
};

/**
 * ring_look() - Read a ring's header without being one of its halves.
 * @page: UNTRUSTED: first page of the ring; only read.
 * @w:    Filled on success; req_prod and rsp_prod as they were at one moment.
 *
 * Return: false if rsp_prod moved all the time; look again later.
 */
RING_CHECKED bool ring_look(const void *page, struct ring_words *w);

/**
 * RING_DEFINE() - Typed names for a ring of requests @req_t and responses @rsp_t.
 * @name:  Prefix: yields struct @name_back and @name_back_take(b, &req) and so
 *         on, and the same for the front half.
 * @req_t: Request as it lies in the slot.
 * @rsp_t: Response as it lies in the slot.
 *
 * A request cannot be taken into the wrong type, nor with the wrong size.
 */
#define RING_DEFINE(name, req_t, rsp_t)                                    \
	union name##_slot {                                                \
		req_t req;                                                 \
		rsp_t rsp;                                                 \
	};                                                                 \
	_Static_assert(sizeof(union name##_slot) <= RING_SLOT_MAX, #name); \
	struct name##_back {                                               \
		struct ring_back ring;                                     \
	};                                                                 \
	struct name##_front {                                              \
		struct ring_front ring;                                    \
	};                                                                 \
	RING_TYPED_BACK_(name, req_t, rsp_t)                               \
	RING_TYPED_FRONT_(name, req_t, rsp_t)                              \
	_Static_assert(1, "takes the semicolon")

#define RING_TYPED_ static inline __attribute__((unused))

#define RING_TYPED_BACK_(name, req_t, rsp_t)                                  \
	RING_CHECKED RING_TYPED_ int name##_back_attach(                      \
		struct name##_back *b, void SHM *const *pages, size_t npages, \
		const struct ring_pos *at)                                    \
	{                                                                     \
		return ring_back_attach(&b->ring, pages, npages,              \
					sizeof(union name##_slot), at);       \
	}                                                                     \
	RING_CHECKED RING_TYPED_ int name##_back_found(                       \
		void SHM *const *pages, size_t npages, struct ring_pos *at)   \
	{                                                                     \
		return ring_back_found(pages, npages,                         \
				       sizeof(union name##_slot), at);        \
	}                                                                     \
	RING_CHECKED RING_TYPED_ int name##_back_avail(struct name##_back *b) \
	{                                                                     \
		return ring_back_avail(&b->ring);                             \
	}                                                                     \
	RING_CHECKED RING_TYPED_ int name##_back_take(struct name##_back *b,  \
						      req_t *req)             \
	{                                                                     \
		return ring_back_take(&b->ring, req, sizeof(*req));           \
	}                                                                     \
	RING_TYPED_ void name##_back_put(struct name##_back *b,               \
					 const rsp_t *rsp)                    \
	{                                                                     \
		ring_back_put(&b->ring, rsp, sizeof(*rsp));                   \
	}                                                                     \
	RING_CHECKED RING_TYPED_ bool name##_back_push(struct name##_back *b) \
	{                                                                     \
		return ring_back_push(&b->ring);                              \
	}                                                                     \
	RING_CHECKED RING_TYPED_ bool name##_back_arm(struct name##_back *b,  \
						      uint32_t after)         \
	{                                                                     \
		return ring_back_arm(&b->ring, after);                        \
	}

#define RING_TYPED_FRONT_(name, req_t, rsp_t)                                  \
	RING_CHECKED RING_TYPED_ int name##_front_init(                        \
		struct name##_front *f, void SHM *const *pages, size_t npages) \
	{                                                                      \
		return ring_front_init(&f->ring, pages, npages,                \
				       sizeof(union name##_slot));             \
	}                                                                      \
	RING_TYPED_ uint32_t name##_front_free(const struct name##_front *f)   \
	{                                                                      \
		return ring_front_free(&f->ring);                              \
	}                                                                      \
	RING_CHECKED RING_TYPED_ int name##_front_put(struct name##_front *f,  \
						      const req_t *req)        \
	{                                                                      \
		return ring_front_put(&f->ring, req, sizeof(*req));            \
	}                                                                      \
	RING_CHECKED RING_TYPED_ bool name##_front_push(                       \
		struct name##_front *f)                                        \
	{                                                                      \
		return ring_front_push(&f->ring);                              \
	}                                                                      \
	RING_CHECKED RING_TYPED_ int name##_front_take(struct name##_front *f, \
						       rsp_t *rsp)             \
	{                                                                      \
		return ring_front_take(&f->ring, rsp, sizeof(*rsp));           \
	}                                                                      \
	RING_CHECKED RING_TYPED_ bool name##_front_arm(struct name##_front *f, \
						       uint32_t after)         \
	{                                                                      \
		return ring_front_arm(&f->ring, after);                        \
	}

#endif
