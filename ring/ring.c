/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring/ring.c - request/response rings in shared memory, both halves. */
#include "ring/ring.h"

#include <errno.h>

/* Xen's sring header (xen/io/ring.h); slots follow. UNTRUSTED throughout. */
struct ring_shm {
	shm_word req_prod, req_event;
	shm_word rsp_prod, rsp_event;
	uint8_t pad[48];
};

_Static_assert(offsetof(struct ring_shm, req_event) == 4, "wire");
_Static_assert(offsetof(struct ring_shm, rsp_prod) == 8, "wire");
_Static_assert(offsetof(struct ring_shm, rsp_event) == 12, "wire");
_Static_assert(sizeof(struct ring_shm) == 64, "wire");

/* Our own mistakes, never a peer's: stop here rather than corrupt a guest. */
static void require(bool ok)
{
	if (!ok)
		__builtin_trap();
}

uint32_t ring_slots(size_t npages, size_t slot)
{
	size_t n = 1, fit;

	if (!npages || npages > RING_PAGES_MAX || (npages & (npages - 1)) ||
	    !slot || slot > RING_SLOT_MAX || slot % 4)
		return 0;
	fit = (npages * RING_PAGE_SIZE - sizeof(struct ring_shm)) / slot;
	while (n <= fit / 2)
		n *= 2;
	return (uint32_t)n;
}

static int area_init(struct ring_area *a, void SHM *const *pages, size_t npages,
		     size_t slot)
{
	uint32_t nent = ring_slots(npages, slot);

	if (!nent)
		return -EINVAL;
	for (size_t i = 0; i < npages; i++) {
		if (!pages[i] || (uintptr_t)pages[i] % RING_PAGE_SIZE)
			return -EINVAL;
	}
	*a = (struct ring_area){
		.shm = pages[0],
		.nent = nent,
		.slot = (uint32_t)slot,
		.flat = true,
	};
	for (size_t i = 0; i < npages; i++) {
		a->page[i] = pages[i];
		if ((uintptr_t)pages[i] !=
		    (uintptr_t)pages[0] + i * RING_PAGE_SIZE)
			a->flat = false;
	}
	return 0;
}

/*
 * Find slot @idx. Pages that lie apart in memory can cut a slot in two: *@head
 * is how many of @size bytes are at the place returned; the rest, if any, begins
 * the next page, which exists because the slots of a ring fit its pages.
 */
static uint8_t SHM *slot_at(const struct ring_area *a, uint32_t idx,
			    size_t size, size_t *head, uint8_t SHM **rest)
{
	size_t off = sizeof(struct ring_shm) +
		     (size_t)(idx & (a->nent - 1)) * a->slot;
	size_t left;

	require(size <= a->slot);
	*head = size;
	*rest = NULL;
	if (a->flat)
		return a->page[0] + off;
	left = RING_PAGE_SIZE - off % RING_PAGE_SIZE;
	if (size > left) {
		*head = left;
		*rest = a->page[off / RING_PAGE_SIZE + 1];
	}
	return a->page[off / RING_PAGE_SIZE] + off % RING_PAGE_SIZE;
}

static void slot_fetch(const struct ring_area *a, uint32_t idx, void *to,
		       size_t size)
{
	uint8_t SHM *from, *rest;
	size_t head;

	from = slot_at(a, idx, size, &head, &rest);
	shm_fetch(to, from, head);
	if (rest)
		shm_fetch((uint8_t *)to + head, rest, size - head);
}

static void slot_post(const struct ring_area *a, uint32_t idx, const void *from,
		      size_t size)
{
	uint8_t SHM *to, *rest;
	size_t head;

	to = slot_at(a, idx, size, &head, &rest);
	shm_post(to, from, head);
	if (rest)
		shm_post(rest, (const uint8_t *)from + head, size - head);
}

/*
 * Judge a producer index of the peer, which was at @seen and cannot pass @limit.
 * An index that moved backwards is a huge step forward modulo 2^32, so that one
 * comparison rejects overfull and backwards alike. The verdict is final.
 */
static int judge(struct ring_area *a, uint32_t prod, uint32_t seen,
		 uint32_t limit)
{
	if (prod - seen <= limit - seen)
		return 0;
	a->dead = true;
	return -EPROTO;
}

/* Does publishing (@old, @new] pass the index that the peer waits for? */
static bool passes(uint32_t event, uint32_t old, uint32_t new)
{
	return new - event < new - old;
}

int ring_back_attach(struct ring_back *r, void SHM *const *pages, size_t npages,
		     size_t slot, const struct ring_pos *at)
{
	struct ring_area area;
	int ret;

	ret = area_init(&area, pages, npages, slot);
	if (ret)
		return ret;
	if (at && at->req_cons - at->rsp_prod > area.nent)
		return -EINVAL;
	*r = (struct ring_back){ .area = area };
	if (!at)
		return 0;
	r->req_cons = r->req_seen = at->req_cons;
	r->rsp_prod = r->rsp_sent = at->rsp_prod;
	/* The predecessor may have died between put and push. */
	shm_release(&area.shm->rsp_prod, r->rsp_prod);
	return 0;
}

int ring_back_found(void SHM *const *pages, size_t npages, size_t slot,
		    struct ring_pos *at)
{
	struct ring_area area;
	uint32_t prod, rsp;
	int ret;

	ret = area_init(&area, pages, npages, slot);
	if (ret)
		return ret;
	/* Nothing to order: only our predecessor wrote before this word. */
	rsp = shm_acquire(&area.shm->rsp_prod);
	prod = shm_acquire(&area.shm->req_prod);
	if (prod - rsp > area.nent)
		return -EPROTO;
	*at = (struct ring_pos){ .req_cons = rsp, .rsp_prod = rsp };
	return 0;
}

struct ring_pos ring_back_pos(const struct ring_back *r)
{
	return (struct ring_pos){ .req_cons = r->req_cons,
				  .rsp_prod = r->rsp_prod };
}

int ring_back_avail(struct ring_back *r)
{
	uint32_t prod;
	int ret;

	if (r->area.dead)
		return -EPROTO;
	/* pairs with ring_front_push() */
	prod = shm_acquire(&r->area.shm->req_prod);
	ret = judge(&r->area, prod, r->req_seen, r->rsp_prod + r->area.nent);
	if (ret)
		return ret;
	r->req_seen = prod;
	return (int)(prod - r->req_cons);
}

int ring_back_take(struct ring_back *r, void *req, size_t size)
{
	int ret;

	/* Requests seen earlier were judged then: no need to look again. */
	if (r->req_cons == r->req_seen || r->area.dead) {
		ret = ring_back_avail(r);
		if (ret <= 0)
			return ret;
	}
	slot_fetch(&r->area, r->req_cons, req, size);
	r->req_cons++;
	return 1;
}

void ring_back_put(struct ring_back *r, const void *rsp, size_t size)
{
	require(r->rsp_prod != r->req_cons);
	if (!r->area.dead)
		slot_post(&r->area, r->rsp_prod, rsp, size);
	r->rsp_prod++;
}

bool ring_back_push(struct ring_back *r)
{
	uint32_t old = r->rsp_sent;
	uint32_t event;

	if (r->area.dead || old == r->rsp_prod)
		return false;
	r->rsp_sent = r->rsp_prod;
	/* pairs with ring_front_take() and ring_front_arm() */
	event = shm_sync(&r->area.shm->rsp_prod, r->rsp_prod,
			 &r->area.shm->rsp_event);
	return passes(event, old, r->rsp_prod);
}

bool ring_back_arm(struct ring_back *r, uint32_t after)
{
	uint32_t prod;

	if (r->area.dead)
		return false;
	/* pairs with ring_front_push() */
	prod = shm_sync(&r->area.shm->req_event, r->req_cons + after,
			&r->area.shm->req_prod);
	/* A lie makes this true as well: take() is the judge. */
	return prod - r->req_cons >= after;
}

bool ring_back_pending(const struct ring_back *r)
{
	return !r->area.dead &&
	       shm_acquire(&r->area.shm->req_prod) != r->req_cons;
}

int ring_front_init(struct ring_front *r, void SHM *const *pages, size_t npages,
		    size_t slot)
{
	struct ring_area area;
	int ret;

	ret = area_init(&area, pages, npages, slot);
	if (ret)
		return ret;
	for (size_t i = 0; i < npages; i++)
		__builtin_memset(shm_bulk(pages[i]), 0, RING_PAGE_SIZE);
	/* Both sides want to hear of the first message. */
	shm_release(&area.shm->req_event, 1);
	shm_release(&area.shm->rsp_event, 1);
	*r = (struct ring_front){ .area = area };
	return 0;
}

uint32_t ring_front_free(const struct ring_front *r)
{
	return r->area.nent - (r->req_prod - r->rsp_cons);
}

int ring_front_put(struct ring_front *r, const void *req, size_t size)
{
	if (!ring_front_free(r))
		return -ENOBUFS;
	if (!r->area.dead)
		slot_post(&r->area, r->req_prod, req, size);
	r->req_prod++;
	return 0;
}

bool ring_front_push(struct ring_front *r)
{
	uint32_t old = r->req_sent;
	uint32_t event;

	if (r->area.dead || old == r->req_prod)
		return false;
	r->req_sent = r->req_prod;
	/* pairs with ring_back_take() and ring_back_arm() */
	event = shm_sync(&r->area.shm->req_prod, r->req_prod,
			 &r->area.shm->req_event);
	return passes(event, old, r->req_prod);
}

int ring_front_take(struct ring_front *r, void *rsp, size_t size)
{
	uint32_t prod;
	int ret;

	if (r->area.dead)
		return -EPROTO;
	/* Responses seen earlier were judged then: no need to look again. */
	if (r->rsp_cons == r->rsp_seen) {
		/* pairs with ring_back_push() */
		prod = shm_acquire(&r->area.shm->rsp_prod);
		ret = judge(&r->area, prod, r->rsp_seen, r->req_sent);
		if (ret)
			return ret;
		r->rsp_seen = prod;
		if (prod == r->rsp_cons)
			return 0;
	}
	slot_fetch(&r->area, r->rsp_cons, rsp, size);
	r->rsp_cons++;
	return 1;
}

bool ring_front_pending(const struct ring_front *r)
{
	return !r->area.dead &&
	       shm_acquire(&r->area.shm->rsp_prod) != r->rsp_cons;
}

bool ring_front_arm(struct ring_front *r, uint32_t after)
{
	uint32_t prod;

	if (r->area.dead)
		return false;
	/* pairs with ring_back_push() */
	prod = shm_sync(&r->area.shm->rsp_event, r->rsp_cons + after,
			&r->area.shm->rsp_prod);
	return prod - r->rsp_cons >= after;
}

bool ring_look(const void *page, struct ring_words *w)
{
	const struct ring_shm *shm = page;
	struct ring_words now;

	if (!shm_look(&shm->rsp_prod, &shm->req_prod, &now.rsp_prod,
		      &now.req_prod))
		return false;
	now.req_event = shm_acquire(&shm->req_event);
	now.rsp_event = shm_acquire(&shm->rsp_event);
	*w = now;
	return true;
}
