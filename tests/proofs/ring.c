/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/proofs/ring.c - V2: a ring's indices, for every state and every lie. */
#include "tests/proofs/env.h"

#include "ring/ring.c"

/*
 * PROOF: back front places slots
 * BROKEN: back ring/ring.c s/prod - seen <= limit - seen/prod - (limit - a->nent) <= a->nent/
 * BROKEN: front ring/ring.c s/prod - seen <= limit - seen/prod - seen <= a->nent/
 * BROKEN: places ring/ring.c s/if (size > left)/if (size > left + 4)/
 * BROKEN: slots ring/ring.c s,n <= fit / 2,n <= fit,
 */

#define PAGES_BYTES ((size_t)RING_PAGES_MAX * RING_PAGE_SIZE)

static _Alignas(RING_PAGE_SIZE) uint8_t memory[PAGES_BYTES];
static uint8_t message[RING_SLOT_MAX];

/*
 * An area of any number of slots.  Messages of no bytes are taken and put: what
 * the indices do depends on neither size nor place, and places() shows that
 * every slot's bytes are where they ought to be.
 */
static struct ring_area any_area(void)
{
	return (struct ring_area){
		.shm = (struct ring_shm *)memory,
		.page = { memory },
		.nent = UINT32_C(1) << any_u8() % 14,
		.flat = true,
		.slot = 4,
		.dead = any_bool(),
	};
}

/* Without rsp_sent: how often responses are pushed is the caller's affair. */
static bool back_invariant(const struct ring_back *r)
{
	uint32_t base = r->rsp_prod;

	return r->req_cons - base <= r->req_seen - base &&
	       r->req_seen - base <= r->area.nent;
}

static struct ring_back any_back(void)
{
	struct ring_back r = {
		.area = any_area(),
		.req_cons = any_u32(),
		.req_seen = any_u32(),
		.rsp_prod = any_u32(),
		.rsp_sent = any_u32(),
	};

	ASSUME(back_invariant(&r));
	return r;
}

/* Any call on a back half in any state leaves it in order. */
void back(void)
{
	struct ring_back r = any_back(), old = r;
	int ret;

	switch (any_u8() % 4) {
	case 0:
		ret = ring_back_take(&r, message, 0);
		PROVE(ret == 1 || ret == 0 || ret == -EPROTO, "its results");
		PROVE(!old.area.dead || ret == -EPROTO, "death is final");
		PROVE(r.req_cons - old.req_cons == (ret == 1), "one at a time");
		PROVE((ret == -EPROTO) == r.area.dead, "a lie is death");
		break;
	case 1:
		ret = ring_back_avail(&r);
		PROVE(ret <= (int)r.area.nent, "never more than slots");
		PROVE(ret < 0 || (uint32_t)ret == r.req_seen - r.req_cons,
		      "exactly what was offered");
		break;
	case 2:
		ASSUME(r.rsp_prod != r.req_cons);
		ring_back_put(&r, message, 0);
		PROVE(r.rsp_prod == old.rsp_prod + 1, "one response");
		break;
	default:
		(void)!ring_back_push(&r);
		(void)!ring_back_arm(&r, any_u32());
	}
	PROVE(back_invariant(&r), "the invariant of struct ring_back");
	PROVE(r.req_cons - r.rsp_prod <= r.area.nent, "in flight <= slots");
}

static bool front_invariant(const struct ring_front *r)
{
	uint32_t base = r->rsp_cons;

	return r->rsp_seen - base <= r->req_sent - base &&
	       r->req_sent - base <= r->req_prod - base &&
	       r->req_prod - base <= r->area.nent;
}

void front(void)
{
	struct ring_front r = {
		.area = any_area(),
		.req_prod = any_u32(),
		.req_sent = any_u32(),
		.rsp_cons = any_u32(),
		.rsp_seen = any_u32(),
	};
	struct ring_front old = r;
	int ret;

	ASSUME(front_invariant(&r));
	switch (any_u8() % 3) {
	case 0:
		ret = ring_front_take(&r, message, 0);
		PROVE(ret == 1 || ret == 0 || ret == -EPROTO, "its results");
		PROVE(!old.area.dead || ret == -EPROTO, "death is final");
		PROVE(r.rsp_cons - old.rsp_cons == (ret == 1), "one at a time");
		break;
	case 1:
		ret = ring_front_put(&r, message, 0);
		PROVE((ret == 0) == (ring_front_free(&old) != 0),
		      "as many as slots");
		break;
	default:
		(void)!ring_front_push(&r);
		(void)!ring_front_arm(&r, any_u32());
	}
	PROVE(front_invariant(&r), "the invariant of struct ring_front");
}

/* Every slot of every ring lies in its pages, whole or in two parts. */
void places(void)
{
	struct ring_area a = { .flat = any_bool() };
	size_t npages = (size_t)1 << any_u8() % 5, head, size = any_u32();
	uint8_t *at, *rest;

	a.slot = any_u32() % (RING_SLOT_MAX + 1);
	a.nent = ring_slots(npages, a.slot);
	ASSUME(a.nent != 0 && size <= a.slot);
	/* Last page first: pages that do not follow each other. */
	for (size_t i = 0; i < RING_PAGES_MAX; i++)
		a.page[i] = memory + (a.flat ? i : npages - 1 - i % npages) *
					     RING_PAGE_SIZE;
	at = slot_at(&a, any_u32(), size, &head, &rest);
	PROVE(head <= size, "a part");
	PROVE(__CPROVER_w_ok(at, head), "the first part is in the pages");
	PROVE(!rest || __CPROVER_w_ok(rest, size - head), "so is the second");
	PROVE(rest || head == size, "nothing is left out");
	PROVE(at >= memory + sizeof(struct ring_shm) || !a.flat,
	      "the header is no slot");
}

/* All slots lie behind the header and within the pages. */
void slots(void)
{
	size_t npages = any_u32(), slot = any_u32();
	uint32_t n = ring_slots(npages, slot);

	if (!n)
		return;
	PROVE((n & (n - 1)) == 0, "a power of two");
	PROVE(sizeof(struct ring_shm) + (uint64_t)n * slot <=
		      npages * RING_PAGE_SIZE,
	      "they fit");
	PROVE(sizeof(struct ring_shm) + (uint64_t)n * 2 * slot >
		      npages * RING_PAGE_SIZE,
	      "twice as many would not");
}
