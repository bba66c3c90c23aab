/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_ring.c - request/response rings with an honest peer. */
#include "ring/ring.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/io/blkif.h>
#include <xen/io/netif.h>

DEFINE_RING_TYPES(xblk, struct blkif_request, struct blkif_response);

/* Indices of the header's words (ring/WIRE.md). */
enum { REQ_PROD, REQ_EVENT, RSP_PROD, RSP_EVENT };

struct req {
	uint32_t id;
	uint8_t fill[24];
};
struct rsp {
	uint32_t id;
	uint32_t sum;
};
RING_DEFINE(toy, struct req, struct rsp);

enum { TOY_NENT = 128, TOY_SLOT = 28 };

static void *page_new(void)
{
	void *p = aligned_alloc(RING_PAGE_SIZE, RING_PAGE_SIZE);

	cr_assert_not_null(p);
	memset(p, 0xee, RING_PAGE_SIZE);
	return p;
}

/* A front and a back half on one page; the header's words for looking at. */
struct pair {
	void *page;
	uint32_t *w;
	struct toy_front f;
	struct toy_back b;
};

static void pair_init(struct pair *p)
{
	p->page = page_new();
	p->w = p->page;
	cr_assert_eq(toy_front_init(&p->f, &p->page, 1), 0);
	cr_assert_eq(toy_back_attach(&p->b, &p->page, 1, NULL), 0);
}

/* Move an idle pair to where its indices are about to wrap, or anywhere. */
static void pair_move(struct pair *p, uint32_t to)
{
	struct ring_front *f = &p->f.ring;
	struct ring_pos at = { to, to };

	f->req_prod = f->req_sent = f->rsp_cons = f->rsp_seen = to;
	p->w[REQ_PROD] = p->w[RSP_PROD] = to;
	p->w[REQ_EVENT] = p->w[RSP_EVENT] = to + 1;
	cr_assert_eq(toy_back_attach(&p->b, &p->page, 1, &at), 0);
}

/* ---- Geometry ---- */

Test(ring, slots_are_as_xen_counts_them)
{
	for (size_t n = 1; n <= RING_PAGES_MAX; n *= 2) {
		size_t z = n * RING_PAGE_SIZE;

		cr_expect_eq(ring_slots(n, sizeof(union xblk_sring_entry)),
			     __CONST_RING_SIZE(xblk, z), "x86_64, %zu", n);
		cr_expect_eq(ring_slots(n, 108), 32 * n, "x86_32, %zu", n);
	}
	cr_expect_eq(sizeof(union xblk_sring_entry), 112);
	cr_expect_eq(ring_slots(1, sizeof(union netif_tx_sring_entry)),
		     __CONST_RING_SIZE(netif_tx, RING_PAGE_SIZE));
	cr_expect_eq(ring_slots(1, sizeof(union netif_rx_sring_entry)), 256);
}

struct bad {
	char name[32];
	size_t npages, slot;
	bool null_page, odd_page;
};

ParameterizedTestParameters(ring, unusable_geometry)
{
	static struct bad t[] = {
		{ "no page", 0, 16, false, false },
		{ "three pages", 3, 16, false, false },
		{ "32 pages", 32, 16, false, false },
		{ "no slot", 1, 0, false, false },
		{ "slot not in words", 1, 18, false, false },
		{ "slot too large", 1, RING_SLOT_MAX + 4, false, false },
		{ "null page", 2, 16, true, false },
		{ "unaligned page", 2, 16, false, true },
	};

	return cr_make_param_array(struct bad, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct bad *t, ring, unusable_geometry)
{
	void *pages[32];
	struct ring_front f;
	struct ring_back b;

	for (size_t i = 0; i < 32; i++)
		pages[i] = page_new();
	if (t->null_page)
		pages[1] = NULL;
	if (t->odd_page)
		pages[1] = (uint8_t *)pages[1] + 64;
	cr_expect_eq(ring_back_attach(&b, pages, t->npages, t->slot, NULL),
		     -EINVAL, "%s", t->name);
	cr_expect_eq(ring_front_init(&f, pages, t->npages, t->slot), -EINVAL,
		     "%s", t->name);
}

/* ---- Messages ---- */

struct shape {
	char name[32];
	size_t npages, slot;
	bool flat;
};

ParameterizedTestParameters(ring, full_ring_both_ways)
{
	static struct shape t[] = {
		{ "one page, blk", 1, 112, true },
		{ "one page, net-tx", 1, 12, true },
		{ "one page, net-rx", 1, 8, true },
		{ "flat 2, blk", 2, 112, true },
		{ "flat 16, blk x86_32", 16, 108, true },
		{ "scattered 2, blk", 2, 112, false },
		{ "scattered 4, blk x86_32", 4, 108, false },
		{ "scattered 8, large", 8, 508, false },
		{ "scattered 16, blk", 16, 112, false },
	};

	return cr_make_param_array(struct shape, t, sizeof(t) / sizeof(t[0]));
}

static void fill(uint8_t *msg, size_t size, uint32_t seed)
{
	for (size_t i = 0; i < size; i++)
		msg[i] = (uint8_t)(seed * 167 + i * 31 + (seed >> 8));
}

/* Pages in one block, or apart, backwards, each with its own red zone. */
static void shape_pages(const struct shape *t, void **pages)
{
	uint8_t *block = NULL;

	if (t->flat)
		block = aligned_alloc(RING_PAGE_SIZE,
				      t->npages * RING_PAGE_SIZE);
	for (size_t i = t->npages; i-- > 0;)
		pages[i] = block ? block + i * RING_PAGE_SIZE : page_new();
}

ParameterizedTest(struct shape *t, ring, full_ring_both_ways)
{
	uint32_t nent = ring_slots(t->npages, t->slot);
	uint8_t msg[RING_SLOT_MAX], want[RING_SLOT_MAX];
	void *pages[RING_PAGES_MAX];
	struct ring_front f;
	struct ring_back b;

	shape_pages(t, pages);
	cr_assert_eq(ring_front_init(&f, pages, t->npages, t->slot), 0);
	cr_assert_eq(ring_back_attach(&b, pages, t->npages, t->slot, NULL), 0);
	cr_assert_eq(b.area.flat, t->flat || t->npages == 1);
	for (uint32_t i = 0; i < nent; i++) {
		fill(msg, t->slot, i);
		cr_assert_eq(ring_front_put(&f, msg, t->slot), 0);
	}
	cr_assert_eq(ring_front_put(&f, msg, t->slot), -ENOBUFS);
	cr_assert_eq(ring_front_free(&f), 0);
	cr_assert(ring_front_push(&f));
	cr_assert_eq(ring_back_avail(&b), (int)nent);
	for (uint32_t i = 0; i < nent; i++) {
		fill(want, t->slot, i);
		cr_assert_eq(ring_back_take(&b, msg, t->slot), 1);
		cr_assert_arr_eq(msg, want, t->slot, "%s: request %u", t->name,
				 i);
	}
	cr_assert_eq(ring_back_take(&b, msg, t->slot), 0);
	for (uint32_t i = 0; i < nent; i++) {
		fill(msg, t->slot, ~i);
		ring_back_put(&b, msg, t->slot);
	}
	cr_assert(ring_back_push(&b));
	for (uint32_t i = 0; i < nent; i++) {
		fill(want, t->slot, ~i);
		cr_assert_eq(ring_front_take(&f, msg, t->slot), 1);
		cr_assert_arr_eq(msg, want, t->slot, "%s: response %u", t->name,
				 i);
	}
	cr_assert_eq(ring_front_take(&f, msg, t->slot), 0);
	cr_assert_eq(ring_front_free(&f), nent);
}

Test(ring, wire_is_as_written)
{
	struct req req = { .id = 0x11223344 };
	struct rsp rsp = { .id = 0x55667788, .sum = 9 };
	struct pair p;

	pair_init(&p);
	cr_expect_eq(p.w[REQ_EVENT], 1);
	cr_expect_eq(p.w[RSP_EVENT], 1);
	for (size_t i = 4; i < RING_PAGE_SIZE / 4; i++)
		cr_assert_eq(p.w[i], 0, "init leaves nothing behind");
	cr_assert_eq(toy_front_put(&p.f, &req), 0);
	cr_assert_eq(toy_front_put(&p.f, &req), 0);
	cr_expect_eq(p.w[REQ_PROD], 0, "not visible before the push");
	cr_expect(toy_front_push(&p.f));
	cr_expect_eq(p.w[REQ_PROD], 2);
	cr_expect_eq(p.w[16], 0x11223344);
	cr_expect_eq(p.w[16 + TOY_SLOT / 4], 0x11223344);

	cr_assert_eq(toy_back_take(&p.b, &req), 1);
	p.w[18] = 0xabcdef;
	toy_back_put(&p.b, &rsp);
	cr_expect_eq(p.w[RSP_PROD], 0, "not visible before the push");
	cr_expect(toy_back_push(&p.b));
	cr_expect_eq(p.w[RSP_PROD], 1);
	cr_expect_eq(p.w[16], 0x55667788);
	cr_expect_eq(p.w[18], 0xabcdef, "only the response's bytes change");
	cr_expect(!toy_back_arm(&p.b, 3));
	cr_expect_eq(p.w[REQ_EVENT], 4);
	cr_assert_eq(toy_front_take(&p.f, &rsp), 1);
	cr_expect(!toy_front_arm(&p.f, 1));
	cr_expect_eq(p.w[RSP_EVENT], 2);
}

/* netif.h wants each rx response in the slot of its request. */
Test(ring, nth_response_lies_in_slot_of_nth_request)
{
	struct rsp rsp = { 0 };
	struct req req = { 0 };
	struct pair p;

	pair_init(&p);
	pair_move(&p, 5 * TOY_NENT - 3);
	for (req.id = 0; req.id < 7; req.id++)
		cr_assert_eq(toy_front_put(&p.f, &req), 0);
	cr_assert(toy_front_push(&p.f));
	for (int i = 0; i < 7; i++) {
		cr_assert_eq(toy_back_take(&p.b, &req), 1);
		rsp.id = req.id + 100;
		toy_back_put(&p.b, &rsp);
	}
	cr_assert(toy_back_push(&p.b));
	for (uint32_t i = 0; i < 7; i++) {
		uint32_t slot = (i + 5 * TOY_NENT - 3) % TOY_NENT;

		cr_expect_eq(p.w[16 + slot * TOY_SLOT / 4], i + 100, "%u", i);
	}
}

Test(ring, indices_wrap)
{
	struct rsp rsp = { 0 };
	struct req req = { 0 };
	struct pair p;
	uint32_t n = 0;

	pair_init(&p);
	pair_move(&p, UINT32_MAX - 1000);
	for (int turn = 0; turn < 50; turn++) {
		for (uint32_t i = 0; i < 45; i++) {
			req.id = n + i;
			cr_assert_eq(toy_front_put(&p.f, &req), 0);
		}
		cr_assert(toy_front_push(&p.f));
		for (uint32_t i = 0; i < 45; i++) {
			cr_assert_eq(toy_back_take(&p.b, &req), 1);
			cr_assert_eq(req.id, n + i);
			rsp.id = req.id;
			toy_back_put(&p.b, &rsp);
		}
		cr_assert(!toy_back_arm(&p.b, 1));
		cr_assert(toy_back_push(&p.b));
		for (uint32_t i = 0; i < 45; i++) {
			cr_assert_eq(toy_front_take(&p.f, &rsp), 1);
			cr_assert_eq(rsp.id, n++);
		}
		cr_assert(!toy_front_arm(&p.f, 1));
	}
	cr_assert_eq(n, 50 * 45);
	cr_assert_lt(p.w[REQ_PROD], 2000);
}

Test(ring, a_taken_request_does_not_change)
{
	struct req req = { .id = 1 }, copy;
	struct pair p;

	pair_init(&p);
	cr_assert_eq(toy_front_put(&p.f, &req), 0);
	cr_assert(toy_front_push(&p.f));
	cr_assert_eq(toy_back_take(&p.b, &copy), 1);
	memset(p.w + 16, 0xff, RING_PAGE_SIZE - 64);
	cr_assert_arr_eq((uint8_t *)&copy, (uint8_t *)&req, sizeof(req));
}

/* ---- Notification ---- */

struct hold {
	char name[32];
	uint32_t base, event, npush;
	bool want;
};

ParameterizedTestParameters(ring, push_notifies_when_asked)
{
	static struct hold t[] = {
		{ "next one asked", 0, 1, 1, true },
		{ "last of three asked", 0, 3, 3, true },
		{ "first of three asked", 0, 1, 3, true },
		{ "asked for a later one", 0, 4, 3, false },
		{ "asked long ago", 10, 10, 3, false },
		{ "across the wrap", UINT32_MAX - 1, 1, 3, true },
		{ "wrap, already passed", UINT32_MAX - 1, UINT32_MAX - 1, 3,
		  false },
		{ "far away", 0, 1u << 31, 3, false },
	};

	return cr_make_param_array(struct hold, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct hold *t, ring, push_notifies_when_asked)
{
	struct req req = { 0 };
	struct rsp rsp = { 0 };
	struct pair p;

	pair_init(&p);
	pair_move(&p, t->base);
	p.w[REQ_EVENT] = p.w[RSP_EVENT] = t->event;
	for (uint32_t i = 0; i < t->npush; i++)
		cr_assert_eq(toy_front_put(&p.f, &req), 0);
	cr_expect_eq(toy_front_push(&p.f), t->want, "%s: front", t->name);
	cr_expect(!toy_front_push(&p.f), "%s: nothing new", t->name);
	for (uint32_t i = 0; i < t->npush; i++) {
		cr_assert_eq(toy_back_take(&p.b, &req), 1);
		toy_back_put(&p.b, &rsp);
	}
	cr_expect_eq(toy_back_push(&p.b), t->want, "%s: back", t->name);
	cr_expect(!toy_back_push(&p.b), "%s: nothing new", t->name);
}

Test(ring, arm_sees_what_arrived)
{
	struct req req = { 0 };
	struct rsp rsp = { 0 };
	struct pair p;

	pair_init(&p);
	cr_expect(!toy_back_arm(&p.b, 1));
	cr_assert_eq(toy_front_put(&p.f, &req), 0);
	cr_expect(!ring_back_pending(&p.b.ring), "it is not shown yet");
	cr_expect(toy_front_push(&p.f));
	cr_expect(ring_back_pending(&p.b.ring));
	cr_expect(toy_back_arm(&p.b, 1), "one arrived");
	cr_expect(!toy_back_arm(&p.b, 2), "two did not");
	cr_assert_eq(toy_back_take(&p.b, &req), 1);
	cr_expect(!ring_back_pending(&p.b.ring));
	cr_expect(!toy_back_arm(&p.b, 1));
	cr_expect(!toy_front_arm(&p.f, 1));
	toy_back_put(&p.b, &rsp);
	cr_expect(!ring_front_pending(&p.f.ring), "it is not shown yet");
	cr_expect(toy_back_push(&p.b));
	cr_expect(ring_front_pending(&p.f.ring));
	cr_expect(toy_front_arm(&p.f, 1));
	cr_assert_eq(toy_front_take(&p.f, &rsp), 1);
	cr_expect(!ring_front_pending(&p.f.ring));
	cr_expect(!toy_front_arm(&p.f, 1));
}

/* ---- Restart ---- */

Test(ring, a_successor_goes_on_where_the_journal_says)
{
	struct rsp rsp = { 0 };
	struct req req = { 0 };
	struct ring_pos at;
	struct pair p;

	pair_init(&p);
	for (req.id = 0; req.id < 10; req.id++)
		cr_assert_eq(toy_front_put(&p.f, &req), 0);
	cr_assert(toy_front_push(&p.f));
	for (int i = 0; i < 6; i++)
		cr_assert_eq(toy_back_take(&p.b, &req), 1);
	toy_back_put(&p.b, &rsp);
	toy_back_put(&p.b, &rsp); /* never pushed: it is killed here */
	at = ring_back_pos(&p.b.ring);
	cr_assert_eq(at.req_cons, 6);
	cr_assert_eq(at.rsp_prod, 2);

	cr_assert_eq(toy_back_attach(&p.b, &p.page, 1, &at), 0);
	cr_expect_eq(p.w[RSP_PROD], 2, "published for the predecessor");
	cr_expect_eq(toy_back_avail(&p.b), 4);
	cr_assert_eq(toy_back_take(&p.b, &req), 1);
	cr_expect_eq(req.id, 6);
	for (int i = 0; i < 5; i++)
		toy_back_put(&p.b, &rsp);
	cr_expect(!toy_back_push(&p.b), "rsp_event 1 has passed");
	for (int i = 0; i < 7; i++)
		cr_assert_eq(toy_front_take(&p.f, &rsp), 1);
	cr_assert_eq(toy_front_take(&p.f, &rsp), 0);
}

Test(ring, an_impossible_journal_is_refused)
{
	struct ring_pos ahead = { .req_cons = TOY_NENT + 1, .rsp_prod = 0 };
	struct ring_pos behind = { .req_cons = 4, .rsp_prod = 5 };
	struct pair p;

	pair_init(&p);
	p.w[RSP_PROD] = 77;
	cr_expect_eq(toy_back_attach(&p.b, &p.page, 1, &ahead), -EINVAL);
	cr_expect_eq(toy_back_attach(&p.b, &p.page, 1, &behind), -EINVAL);
	cr_expect_eq(p.w[RSP_PROD], 77, "nothing was published");
}

/* Our own mistakes stop the process instead of corrupting a guest. */
Test(ring, an_observer_sees_the_header)
{
	struct ring_words w;
	struct pair p;
	struct req req = { 0 };
	struct rsp rsp = { 0 };

	pair_init(&p);
	pair_move(&p, UINT32_MAX);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(toy_front_put(&p.f, &req), 0);
	cr_assert(toy_front_push(&p.f));
	cr_assert_eq(toy_back_take(&p.b, &req), 1);
	toy_back_put(&p.b, &rsp);
	cr_assert(toy_back_push(&p.b));
	cr_assert(toy_back_arm(&p.b, 1));
	cr_assert(ring_look(p.page, &w));
	cr_expect_eq(w.req_prod, 2);
	cr_expect_eq(w.req_event, 1);
	cr_expect_eq(w.rsp_prod, 0);
	cr_expect_eq(w.rsp_event, 0);
	p.w[RSP_EVENT] = 0xdead;
	cr_assert(ring_look(p.page, &w));
	cr_expect_eq(w.rsp_event, 0xdead, "shown as it lies there");
	free(p.page);
}

Test(ring, response_without_request_traps, .signal = SIGILL)
{
	struct rsp rsp = { 0 };
	struct pair p;

	pair_init(&p);
	toy_back_put(&p.b, &rsp);
}

Test(ring, oversized_copy_traps, .signal = SIGILL)
{
	uint8_t big[TOY_SLOT + 4] = { 0 };
	struct pair p;

	pair_init(&p);
	(void)!ring_front_put(&p.f.ring, big, sizeof(big));
}

/* ---- A ring that came with a saved guest ---- */

Test(ring, one_that_nobody_remembers_goes_on_where_it_stands)
{
	static const uint32_t places[] = { 0, 1, 127, 128, UINT32_MAX };
	struct ring_pos at = { 77, 77 };
	struct req req = { .id = 4711 };
	struct pair p;

	pair_init(&p);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		pair_move(&p, places[i]);
		/* Asked, and not taken by whoever served it. */
		cr_assert_eq(toy_front_put(&p.f, &req), 0);
		(void)!toy_front_push(&p.f);
		cr_assert_eq(ring_back_found(&p.page, 1, TOY_SLOT, &at), 0);
		cr_expect_eq(at.req_cons, places[i]);
		cr_expect_eq(at.rsp_prod, places[i]);
		cr_assert_eq(toy_back_attach(&p.b, &p.page, 1, &at), 0);
		req.id = 0;
		cr_expect_eq(toy_back_take(&p.b, &req), 1);
		cr_expect_eq(req.id, 4711);
		cr_expect_eq(p.w[RSP_PROD], places[i]);
	}
	free(p.page);
}

Test(ring, one_that_cannot_be_is_not_gone_on_with)
{
	struct ring_pos at = { 77, 77 };
	struct pair p;

	pair_init(&p);
	p.w[RSP_PROD] = 5;
	p.w[REQ_PROD] = 5 + TOY_NENT;
	cr_expect_eq(ring_back_found(&p.page, 1, TOY_SLOT, &at), 0, "full");
	p.w[REQ_PROD]++;
	cr_expect_eq(ring_back_found(&p.page, 1, TOY_SLOT, &at), -EPROTO);
	p.w[REQ_PROD] = 4;
	cr_expect_eq(ring_back_found(&p.page, 1, TOY_SLOT, &at), -EPROTO);
	cr_expect_eq(ring_back_found(&p.page, 1, 3, &at), -EINVAL);
	cr_expect_eq(at.req_cons, 5, "only written on success");
	free(p.page);
}
