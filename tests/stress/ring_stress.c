/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/stress/ring_stress.c - both halves of a ring, each on its own thread. */
#include "ring/ring.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/stress/bell.h"

/*
 * How it works
 *
 * The front thread sends numbered requests, the back thread answers them, and
 * both go to sleep as often as they can, so that one lost wake-up ends the test
 * by its time limit. Each message carries its number in every word: a torn or
 * reordered copy is seen here, an unordered one by TSan.
 */

#define REQ_WORDS 28
#define RSP_WORDS 4

struct req {
	uint32_t w[REQ_WORDS];
};
struct rsp {
	uint32_t w[RSP_WORDS];
};
RING_DEFINE(blk, struct req, struct rsp);

struct run {
	const char *name;
	size_t npages;
	uint32_t start; /* index of the first message */
	uint32_t count; /* messages */
	uint32_t after; /* responses worth waking up for */
	struct blk_front f;
	struct blk_back b;
	struct bell to_back, to_front;
	const char *wrong; /* set by one thread, read after both ended */
};

static uint32_t min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static bool all(const uint32_t *w, size_t n, uint32_t v)
{
	for (size_t i = 0; i < n; i++) {
		if (w[i] != v + (uint32_t)i)
			return false;
	}
	return true;
}

static void set(uint32_t *w, size_t n, uint32_t v)
{
	for (size_t i = 0; i < n; i++)
		w[i] = v + (uint32_t)i;
}

static void *front(void *arg)
{
	struct run *run = arg;
	uint32_t sent = 0, got = 0, heard = 0, room;
	struct req req;
	struct rsp rsp;
	int ret;

	while (got < run->count) {
		room = min(blk_front_free(&run->f), run->count - sent);
		for (room = min(room, 1 + sent % 7); room; room--) {
			set(req.w, REQ_WORDS, sent++);
			if (blk_front_put(&run->f, &req))
				run->wrong = "no room where there was some";
		}
		if (blk_front_push(&run->f))
			bell_ring(&run->to_back);
		while ((ret = blk_front_take(&run->f, &rsp)) > 0) {
			if (!all(rsp.w, RSP_WORDS, ~got++))
				run->wrong = "response torn or out of order";
		}
		if (ret) {
			run->wrong = "front: honest peer called a liar";
			break;
		}
		if (got == run->count ||
		    (sent < run->count && blk_front_free(&run->f)))
			continue;
		if (!blk_front_arm(&run->f, min(run->after, sent - got)) &&
		    !bell_wait(&run->to_front, &heard)) {
			run->wrong = "front: wake-up lost";
			break;
		}
	}
	return NULL;
}

static void *back(void *arg)
{
	struct run *run = arg;
	uint32_t got = 0, heard = 0;
	struct req req;
	struct rsp rsp;
	int ret = 0;

	while (got < run->count) {
		/* Few at a time: publish often, sleep often. */
		for (uint32_t n = 1 + got % 5;
		     n && (ret = blk_back_take(&run->b, &req)) > 0; n--) {
			if (!all(req.w, REQ_WORDS, got))
				run->wrong = "request torn or out of order";
			set(rsp.w, RSP_WORDS, ~got++);
			blk_back_put(&run->b, &rsp);
		}
		if (blk_back_push(&run->b))
			bell_ring(&run->to_front);
		if (ret < 0) {
			run->wrong = "back: honest peer called a liar";
			break;
		}
		if (ret || got == run->count)
			continue;
		if (!blk_back_arm(&run->b, 1) &&
		    !bell_wait(&run->to_back, &heard)) {
			run->wrong = "back: wake-up lost";
			break;
		}
	}
	return NULL;
}

/* Pages apart from each other, so that slots straddle them. */
static bool prepare(struct run *run)
{
	struct ring_pos at = { run->start, run->start };
	void *pages[RING_PAGES_MAX];
	uint32_t *w;

	for (size_t i = run->npages; i-- > 0;) {
		pages[i] = aligned_alloc(RING_PAGE_SIZE, RING_PAGE_SIZE);
		if (!pages[i])
			return false;
	}
	if (blk_front_init(&run->f, pages, run->npages) ||
	    blk_back_attach(&run->b, pages, run->npages, &at))
		return false;
	w = pages[0];
	w[0] = w[2] = run->start;
	w[1] = w[3] = run->start + 1;
	run->f.ring.req_prod = run->f.ring.req_sent = run->start;
	run->f.ring.rsp_cons = run->f.ring.rsp_seen = run->start;
	return true;
}

int main(void)
{
	static struct run runs[] = {
		{ .name = "one page",
		  .npages = 1,
		  .count = 400000,
		  .after = 1 },
		{ .name = "index wraps",
		  .npages = 1,
		  .start = UINT32_MAX - 5000,
		  .count = 100000,
		  .after = 1 },
		{ .name = "four scattered pages, wake for 8",
		  .npages = 4,
		  .count = 200000,
		  .after = 8 },
	};
	size_t n = sizeof(runs) / sizeof(runs[0]), failed = 0;
	pthread_t thr[2];

	printf("1..%zu\n", n);
	for (size_t i = 0; i < n; i++) {
		if (!prepare(&runs[i]) ||
		    pthread_create(&thr[0], NULL, front, &runs[i]) ||
		    pthread_create(&thr[1], NULL, back, &runs[i]))
			return 99;
		pthread_join(thr[0], NULL);
		pthread_join(thr[1], NULL);
		if (runs[i].wrong)
			failed++;
		printf("%sok %zu - ring, %s%s%s\n", runs[i].wrong ? "not " : "",
		       i + 1, runs[i].name, runs[i].wrong ? ": " : "",
		       runs[i].wrong ? runs[i].wrong : "");
	}
	return failed != 0;
}
