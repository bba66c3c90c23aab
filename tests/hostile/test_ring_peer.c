/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/hostile/test_ring_peer.c - ring peers that lie (BE-01..05, FE-11). */
#include "ring/ring.h"
#include "ring/stream.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/io/console.h>

enum { REQ_PROD, REQ_EVENT, RSP_PROD, RSP_EVENT };

struct req {
	uint32_t op, arg, seg[5];
};
struct rsp {
	uint32_t id, status;
};
RING_DEFINE(toy, struct req, struct rsp);

enum { NENT = 128 };

/* The page ends where the allocation does: ASan sees a step outside. */
static uint32_t *page_new(void)
{
	uint32_t *p = aligned_alloc(RING_PAGE_SIZE, RING_PAGE_SIZE);

	cr_assert_not_null(p);
	memset(p, 0, RING_PAGE_SIZE);
	return p;
}

static void back_at(struct toy_back *b, uint32_t *page, uint32_t rsp_prod,
		    uint32_t req_cons)
{
	struct ring_pos at = { .req_cons = req_cons, .rsp_prod = rsp_prod };
	void *p = page;

	cr_assert_eq(toy_back_attach(b, &p, 1, &at), 0);
}

/* ---- Claims about indices ---- */

/* @base: first response due; @taken, @seen: requests beyond it; @prod: claim. */
struct claim {
	char name[40];
	uint32_t base, taken, seen, prod;
	int want;
};

ParameterizedTestParameters(peer, request_producer)
{
	static struct claim t[] = {
		{ "nothing", 7, 0, 0, 0, 0 },
		{ "one", 7, 0, 0, 1, 1 },
		{ "one, index wraps", UINT32_MAX, 0, 0, 1, 1 },
		{ "exactly full", 7, 0, 0, NENT, 1 },
		{ "exactly full, some in flight", 7, 5, 5, NENT, 1 },
		{ "one too many", 7, 0, 0, NENT + 1, -EPROTO },
		{ "one too many, some in flight", 7, 5, 5, NENT + 1, -EPROTO },
		{ "one too many, all in flight", 7, NENT, NENT, NENT + 1,
		  -EPROTO },
		{ "a jump of 2^31", 7, 0, 0, 1u << 31, -EPROTO },
		{ "one back", 7, 0, 0, UINT32_MAX, -EPROTO },
		{ "one back, across the wrap", 0, 0, 0, UINT32_MAX, -EPROTO },
		{ "back into what is in flight", 7, 2, 2, 1, -EPROTO },
		{ "back to nothing in flight", 7, 2, 2, 0, -EPROTO },
		{ "back before what is in flight", 7, 2, 2, UINT32_MAX - 9,
		  -EPROTO },
	};

	return cr_make_param_array(struct claim, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct claim *t, peer, request_producer)
{
	uint32_t *page = page_new(), was[1024];
	struct toy_back b;
	struct req req;
	int avail;

	back_at(&b, page, t->base, t->base + t->taken);
	page[REQ_PROD] = t->base + t->prod;
	page[RSP_EVENT] = t->base + 1;
	avail = toy_back_avail(&b);
	cr_expect_eq(avail, t->want < 0 ? t->want : (int)(t->prod - t->taken),
		     "%s: %d available", t->name, avail);
	cr_expect_eq(toy_back_take(&b, &req), t->want, "%s", t->name);
	if (t->want >= 0)
		return;

	/* Repentance changes nothing, and a dead ring is left alone. */
	page[REQ_PROD] = t->base + t->taken + 1;
	memcpy(was, page, sizeof(was));
	cr_expect_eq(toy_back_take(&b, &req), -EPROTO, "%s: sticky", t->name);
	cr_expect_eq(toy_back_avail(&b), -EPROTO, "%s: sticky", t->name);
	for (uint32_t i = 0; i < t->taken; i++)
		toy_back_put(&b, &(struct rsp){ .id = i });
	cr_expect(!toy_back_push(&b), "%s: quiet", t->name);
	cr_expect(!toy_back_arm(&b, 1), "%s: may sleep for ever", t->name);
	cr_expect_arr_eq(page, was, sizeof(was), "%s: untouched", t->name);
}

/* A peer that withdraws what it had already shown. */
Test(peer, withdrawn_requests)
{
	uint32_t *page = page_new();
	struct toy_back b;
	struct req req;

	back_at(&b, page, 0, 0);
	page[REQ_PROD] = 5;
	cr_assert_eq(toy_back_avail(&b), 5);
	page[REQ_PROD] = 3;
	cr_expect_eq(toy_back_take(&b, &req), 1, "judged when it was seen");
	cr_expect_eq(toy_back_avail(&b), -EPROTO);
	cr_expect_eq(toy_back_take(&b, &req), -EPROTO, "also what was seen");
}

/* Here @taken counts responses taken, @seen requests pushed. */
ParameterizedTestParameters(peer, response_producer)
{
	static struct claim t[] = {
		{ "nothing", 3, 0, 8, 0, 0 },
		{ "one", 3, 0, 8, 1, 1 },
		{ "all", 3, 0, 8, 8, 1 },
		{ "all of a full ring, wrap", UINT32_MAX - 60, 0, NENT, NENT,
		  1 },
		{ "an answer to nothing", 3, 0, 0, 1, -EPROTO },
		{ "one more than asked", 3, 0, 8, 9, -EPROTO },
		{ "a whole ring too many", 3, 0, 8, 8 + NENT, -EPROTO },
		{ "backwards", 3, 4, 8, 3, -EPROTO },
		{ "a jump of 2^31", 3, 0, 8, 1u << 31, -EPROTO },
	};

	return cr_make_param_array(struct claim, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct claim *t, peer, response_producer)
{
	uint32_t *page = page_new(), was[1024];
	void *p = page;
	struct toy_front f;
	struct rsp rsp;

	cr_assert_eq(toy_front_init(&f, &p, 1), 0);
	f.ring.req_prod = f.ring.req_sent = t->base;
	f.ring.rsp_cons = f.ring.rsp_seen = t->base;
	for (uint32_t i = 0; i < t->seen; i++)
		cr_assert_eq(toy_front_put(&f, &(struct req){ .op = i }), 0);
	(void)!toy_front_push(&f);
	page[RSP_PROD] = t->base + t->taken;
	for (uint32_t i = 0; i < t->taken; i++)
		cr_assert_eq(toy_front_take(&f, &rsp), 1);
	page[RSP_PROD] = t->base + t->prod;
	cr_expect_eq(toy_front_take(&f, &rsp), t->want, "%s", t->name);
	if (t->want >= 0)
		return;
	page[RSP_PROD] = t->base + t->taken + (t->seen > t->taken);
	memcpy(was, page, sizeof(was));
	cr_expect_eq(toy_front_take(&f, &rsp), -EPROTO, "%s: sticky", t->name);
	(void)!toy_front_put(&f, &(struct req){ .op = 1 });
	cr_expect(!toy_front_push(&f), "%s: quiet", t->name);
	cr_expect(!toy_front_arm(&f, 1), "%s: may sleep", t->name);
	cr_expect_arr_eq(page, was, sizeof(was), "%s: untouched", t->name);
}

/* Requests put but not yet pushed cannot have been answered. */
Test(peer, answers_before_the_push)
{
	uint32_t *page = page_new();
	void *p = page;
	struct toy_front f;
	struct rsp rsp;

	cr_assert_eq(toy_front_init(&f, &p, 1), 0);
	cr_assert_eq(toy_front_put(&f, &(struct req){ .op = 1 }), 0);
	page[RSP_PROD] = 1;
	cr_expect_eq(toy_front_take(&f, &rsp), -EPROTO);
}

struct lie {
	char name[40];
	uint32_t cons, prod;
	int want;
};

ParameterizedTestParameters(peer, stream_reader)
{
	static struct lie t[] = {
		{ "empty", 9, 9, 0 },
		{ "full", 9, 9 + 2048, 2048 },
		{ "full across the wrap", UINT32_MAX - 9, 2038, 2048 },
		{ "one byte too many", 9, 9 + 2049, -EPROTO },
		{ "a jump of 2^31", 9, 9 + (1u << 31), -EPROTO },
		{ "one byte back", 9, 8, -EPROTO },
		{ "one byte back across the wrap", 0, UINT32_MAX, -EPROTO },
	};

	return cr_make_param_array(struct lie, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct lie *t, peer, stream_reader)
{
	struct xencons_interface *c = (void *)page_new();
	struct stream_map map = STREAM_MAP(c, out);
	struct stream_reader r;
	bool notify = false;
	char buf[4096];

	c->out_cons = t->cons;
	cr_assert_eq(stream_reader_attach(&r, &map, STREAM_WAKE_ALWAYS), 0);
	c->out_prod = t->prod;
	cr_expect_eq(stream_read(&r, buf, sizeof(buf), &notify), t->want, "%s",
		     t->name);
	if (t->want >= 0)
		return;
	c->out_prod = t->cons + 1;
	cr_expect_eq(stream_read(&r, buf, 1, &notify), -EPROTO, "%s: sticky",
		     t->name);
	cr_expect_eq(c->out_cons, t->cons, "%s: untouched", t->name);
	cr_expect(!notify, "%s: quiet", t->name);
}

ParameterizedTestParameters(peer, stream_writer)
{
	static struct lie t[] = {
		{ "empty", 9, 9, 1024 },
		{ "full", 9, 9 + 1024, 0 },
		{ "full across the wrap", UINT32_MAX - 9, 1014, 0 },
		{ "read what was never written", 10, 9, -EPROTO },
		{ "more behind than can be", 9, 9 + 1025, -EPROTO },
		{ "a jump of 2^31", 9 + (1u << 31), 9, -EPROTO },
	};

	return cr_make_param_array(struct lie, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct lie *t, peer, stream_writer)
{
	struct xencons_interface *c = (void *)page_new();
	struct stream_map map = STREAM_MAP(c, in);
	struct stream_writer w;
	bool notify = false;
	char buf[4096] = "";

	c->in_prod = t->prod;
	cr_assert_eq(stream_writer_attach(&w, &map, STREAM_WAKE_ALWAYS), 0);
	c->in_cons = t->cons;
	cr_expect_eq(stream_write(&w, buf, sizeof(buf), &notify), t->want, "%s",
		     t->name);
	if (t->want >= 0)
		return;
	c->in_cons = t->prod;
	cr_expect_eq(stream_write(&w, buf, 1, &notify), -EPROTO, "%s: sticky",
		     t->name);
	cr_expect_eq(c->in_prod, t->prod, "%s: untouched", t->name);
	cr_expect(!notify, "%s: quiet", t->name);
}

/* A reader that un-reads, once seen further on. */
Test(peer, stream_indices_that_step_back)
{
	struct xencons_interface *c = (void *)page_new();
	struct stream_map in = STREAM_MAP(c, in), out = STREAM_MAP(c, out);
	struct stream_writer w;
	struct stream_reader r;
	bool notify = false;
	char buf[256] = "";

	cr_assert_eq(stream_writer_attach(&w, &in, STREAM_WAKE_ALWAYS), 0);
	cr_assert_eq(stream_write(&w, buf, 200, &notify), 200);
	c->in_cons = 150;
	cr_assert_eq(stream_write(&w, buf, 1, &notify), 1);
	c->in_cons = 149;
	cr_expect_eq(stream_write(&w, buf, 1, &notify), -EPROTO);

	cr_assert_eq(stream_reader_attach(&r, &out, STREAM_WAKE_ALWAYS), 0);
	c->out_prod = 100;
	cr_assert_eq(stream_read(&r, buf, 50, &notify), 50);
	c->out_prod = 99;
	cr_expect_eq(stream_read(&r, buf, 1, &notify), -EPROTO);
}

/* ---- Any index at all ---- */

static uint64_t rnd_state = 88172645463325252u;

static uint32_t rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 16);
}

/* Indices near what is honest are the ones that matter. */
static uint32_t some_index(uint32_t near)
{
	switch (rnd() % 4) {
	case 0:
		return rnd();
	case 1:
		return near + rnd() % 4 - 2;
	default:
		return near + rnd() % (2 * NENT);
	}
}

Test(peer, random_indices_never_break_the_bounds)
{
	uint32_t *page = page_new();
	uint32_t inflight, base;
	struct toy_back b;
	struct req req;
	int n, ret;

	for (int turn = 0; turn < 200000; turn++) {
		base = some_index(0);
		inflight = rnd() % (NENT + 1);
		back_at(&b, page, base, base + inflight);
		page[REQ_PROD] = some_index(base + inflight);
		ret = toy_back_avail(&b);
		cr_assert(ret == -EPROTO || ret >= 0);
		cr_assert_leq(ret, (int)(NENT - inflight));
		/* The peer goes on lying while we take. */
		for (n = 0; (ret = toy_back_take(&b, &req)) == 1; n++)
			page[REQ_PROD] = some_index(page[REQ_PROD]);
		cr_assert_leq(n, (int)(NENT - inflight));
		cr_assert(ret == 0 || ret == -EPROTO);
		for (uint32_t i = 0; i < inflight + (uint32_t)n; i++)
			toy_back_put(&b, &(struct rsp){ .id = i });
		page[RSP_EVENT] = rnd();
		(void)!toy_back_push(&b);
		(void)!toy_back_arm(&b, 1 + rnd() % NENT);
	}
}

Test(peer, random_stream_indices_never_break_the_bounds)
{
	struct xencons_interface *c = (void *)page_new();
	struct stream_map in = STREAM_MAP(c, in), out = STREAM_MAP(c, out);
	struct stream_writer w;
	struct stream_reader r;
	bool notify = false;
	char buf[3000] = "";
	int ret;

	for (int turn = 0; turn < 200000; turn++) {
		c->in_prod = some_index(0);
		c->out_cons = some_index(0);
		cr_assert_eq(stream_reader_attach(&r, &out, rnd() % 2), 0);
		cr_assert_eq(stream_writer_attach(&w, &in, rnd() % 2), 0);
		for (int i = 0; i < 4; i++) {
			c->out_prod = some_index(c->out_cons);
			ret = stream_read(&r, buf, rnd() % 3000, &notify);
			cr_assert(ret == -EPROTO || (ret >= 0 && ret <= 2048));
			c->in_cons = some_index(c->in_prod - NENT);
			ret = stream_write(&w, buf, rnd() % 3000, &notify);
			cr_assert(ret == -EPROTO || (ret >= 0 && ret <= 1024));
		}
	}
}

/* ---- A peer on another CPU ---- */

struct flipper {
	_Atomic uint32_t *page;
	_Atomic bool stop;
};

/* Toggle the operation and the index as fast as a CPU can. */
static void *flip(void *arg)
{
	struct flipper *fl = arg;
	uint32_t i = 0;

	while (!atomic_load_explicit(&fl->stop, memory_order_relaxed)) {
		for (uint32_t k = 16; k < 1024; k++)
			atomic_store_explicit(&fl->page[k], i & 1 ? 200 : 3,
					      memory_order_relaxed);
		i++;
	}
	return NULL;
}

/* Judge, then use, as a backend does; wide enough to tempt a jump table. */
static uint32_t use(const struct req *req)
{
	static const uint32_t table[8] = { 10, 11, 12, 13, 14, 15, 16, 17 };
	uint32_t sum = 0;

	if (req->op > 7 || req->seg[0] > 7)
		return 0;
	for (size_t i = 0; i < 4; i++)
		sum += table[req->op] + table[req->seg[0]];
	return sum;
}

Test(peer, a_flipper_cannot_pass_the_check, .timeout = 300)
{
	uint32_t *page = page_new();
	struct flipper fl = { .page = (_Atomic uint32_t *)page };
	uint32_t used = 0, refused = 0, sum;
	struct toy_back b;
	struct req req;
	pthread_t thr;

	for (size_t i = 16; i < 1024; i++)
		page[i] = 3;
	back_at(&b, page, 0, 0);
	cr_assert_eq(pthread_create(&thr, NULL, flip, &fl), 0);
	for (uint32_t n = 1; n <= 3000000 && (used < 9 || refused < 9); n++) {
		__atomic_store_n(&page[REQ_PROD], n, __ATOMIC_RELEASE);
		cr_assert_eq(toy_back_take(&b, &req), 1);
		sum = use(&req);
		cr_assert(sum == 0 || sum == 4 * (13 + 13), "sum %u", sum);
		used += sum != 0;
		refused += sum == 0;
		/* Responses keep the slots as one of the two values. */
		toy_back_put(&b, &(struct rsp){ .id = 3, .status = 3 });
		(void)!toy_back_push(&b);
	}
	fl.stop = true;
	pthread_join(thr, NULL);
	cr_expect_geq(used, 9, "both values were met");
	cr_expect_geq(refused, 9, "both values were met");
}
