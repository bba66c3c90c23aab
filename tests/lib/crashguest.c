// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/crashguest.c - a guest that knows what its disk must still have.
#include "tests/lib/crashguest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/blkif.h>

void crashguest_init(struct crashguest *g, struct fakedom *dom,
		     struct fakeblk *fb, unsigned int nqueues)
{
	*g = (struct crashguest){ .dom = dom, .fb = fb, .nqueues = nqueues };
	for (unsigned int q = 0; q < nqueues; q++) {
		for (unsigned int i = 0; i < CRASH_INFLIGHT; i++) {
			struct crash_buffer *b = &g->buffer[q][i];

			b->gfn = fakedom_alloc(dom, CRASH_SEGS);
			for (unsigned int k = 0; k < CRASH_SEGS; k++)
				b->gref[k] = fakedom_grant(dom, b->gfn + k, 0);
		}
	}
}

/* ---- asking and being answered ----------------------------------------- */

static uint64_t stamp(unsigned int sector, uint32_t version)
{
	return (uint64_t)sector << 32 | version;
}

static struct crash_buffer *free_buffer(struct crashguest *g, unsigned int q,
					unsigned int *at)
{
	for (unsigned int i = 0; i < CRASH_INFLIGHT; i++) {
		if (g->buffer[q][i].used)
			continue;
		*at = i;
		return &g->buffer[q][i];
	}
	return NULL;
}

/* Any sectors of a page; fill them with what is written. */
static void make_seg(struct crashguest *g, struct crash_req *r,
		     struct crash_buffer *b, unsigned int k,
		     struct blk_seg *seg)
{
	unsigned int first = (unsigned int)rand() % 8;
	unsigned int last = first + (unsigned int)rand() % (8 - first);
	uint64_t *at = (uint64_t *)fakedom_page(g->dom, b->gfn + k) +
		       first * DISK_SECTOR / sizeof(uint64_t);

	*seg = (struct blk_seg){ b->gref[k], (uint8_t)first, (uint8_t)last, 0 };
	for (unsigned int i = first; i <= last; i++, r->n++) {
		for (unsigned int w = 0; w < DISK_SECTOR / 8; w++)
			*at++ = stamp(r->from + r->n, r->version);
	}
}

static void choose(struct crash_req *r)
{
	unsigned int any = (unsigned int)rand() % 16;

	r->kind = any < 11   ? CRASH_WRITE
		  : any < 14 ? CRASH_FLUSH
			     : CRASH_BARRIER;
	r->from = (unsigned int)rand() % (CRASH_SECTORS - 8 * CRASH_SEGS);
}

bool crashguest_ask(struct crashguest *g)
{
	static const uint8_t ops[] = { BLKIF_OP_WRITE, BLKIF_OP_WRITE_BARRIER,
				       BLKIF_OP_FLUSH_DISKCACHE };
	struct crash_req *r = &g->req[g->nreq];
	unsigned int q = (unsigned int)rand() % g->nqueues, at, n;
	struct crash_buffer *b = free_buffer(g, q, &at);
	struct blk_req req = { .id = g->nreq };

	if (!b || g->nreq == CRASH_REQUESTS)
		return false;
	*r = (struct crash_req){ .queue = q, .buffer = at };
	choose(r);
	r->version = ++g->versions;
	r->asked = ++g->clock;
	r->era = g->era[q] + (r->kind == CRASH_BARRIER);
	g->era[q] += r->kind == CRASH_BARRIER ? 2 : 0;
	n = r->kind == CRASH_FLUSH ? 0 : 1 + (unsigned int)rand() % CRASH_SEGS;
	if (r->kind == CRASH_BARRIER && rand() % 4 == 0)
		n = 0;
	for (unsigned int k = 0; k < n; k++)
		make_seg(g, r, b, k, &req.seg[k]);
	req.op = ops[r->kind];
	req.nseg = (uint16_t)n;
	req.sector = n ? r->from : 0;
	b->used = true;
	g->nreq++;
	fakeblk_put(&g->fb[q], &req);
	fakeblk_push(&g->fb[q]);
	return true;
}

static bool note_answer(struct crashguest *g, unsigned int q, uint64_t id,
			int16_t status)
{
	struct crash_req *r = &g->req[id];

	if (id >= g->nreq || r->queue != q || r->answered ||
	    status != BLKIF_RSP_OKAY) {
		snprintf(g->why, sizeof(g->why),
			 "ring %u: status %d to request %llu of %u%s", q,
			 status, (unsigned long long)id, g->nreq,
			 id < g->nreq && r->answered ? ", a second time" : "");
		return false;
	}
	r->answered = ++g->clock;
	g->buffer[q][r->buffer].used = false;
	g->nans[r->kind]++;
	return true;
}

int crashguest_take(struct crashguest *g)
{
	int16_t status;
	int n = 0, ret;
	uint64_t id;
	uint8_t op;

	for (unsigned int q = 0; q < g->nqueues; q++) {
		while ((ret = fakeblk_take(&g->fb[q], 0, &id, &op, &status))) {
			if (ret < 0 || !note_answer(g, q, id, status))
				return -1;
			n++;
		}
	}
	return n;
}

bool crashguest_idle(const struct crashguest *g)
{
	for (unsigned int i = 0; i < g->nreq; i++) {
		if (!g->req[i].answered)
			return false;
	}
	return true;
}

/* ---- judging ------------------------------------------------------------- */

static bool covers(const struct crash_req *r, unsigned int sector)
{
	return sector >= r->from && sector - r->from < r->n;
}

/* The request that wrote @version, or NULL. */
static const struct crash_req *writer(const struct crashguest *g,
				      uint32_t version, unsigned int sector)
{
	for (unsigned int i = 0; i < g->nreq; i++) {
		if (g->req[i].version == version && covers(&g->req[i], sector))
			return &g->req[i];
	}
	return NULL;
}

/* NULL stands for what was there after the last crash. */
static bool before(const struct crash_req *x, const struct crash_req *y)
{
	return !x || (x->answered && x->answered < y->asked) ||
	       (x->queue == y->queue && x->era < y->era);
}

/**
 * struct evidence - What the disk, and answers, say of the order.
 * @flushed: When the last flush was asked for that was answered.
 * @reached: The last era of each ring in which something was done.
 */
struct evidence {
	uint32_t seen[CRASH_SECTORS];
	uint64_t flushed;
	uint32_t reached[CRASH_QUEUES];
};

static bool must_last(const struct evidence *e, const struct crash_req *r)
{
	if (r->loose || !r->n)
		return false;
	return (r->answered && r->answered < e->flushed) ||
	       (r->answered && r->kind == CRASH_BARRIER) ||
	       r->era < e->reached[r->queue];
}

static bool look(struct crashguest *g, const struct forgetful *f,
		 struct evidence *e)
{
	uint64_t words[DISK_SECTOR / 8];

	for (unsigned int s = 0; s < CRASH_SECTORS; s++) {
		forgetful_read(f, s, words, 1);
		for (unsigned int w = 1; w < DISK_SECTOR / 8; w++) {
			if (words[w] == words[0])
				continue;
			snprintf(g->why, sizeof(g->why), "sector %u is mixed",
				 s);
			return false;
		}
		e->seen[s] = (uint32_t)words[0];
		if (!words[0] && !g->base[s])
			continue;
		if (words[0] == stamp(s, e->seen[s]) &&
		    (e->seen[s] == g->base[s] || writer(g, e->seen[s], s)))
			continue;
		snprintf(g->why, sizeof(g->why),
			 "sector %u has %#llx, which nobody wrote there", s,
			 (unsigned long long)words[0]);
		return false;
	}
	return true;
}

static bool was_seen(const struct evidence *e, const struct crash_req *r)
{
	for (unsigned int i = 0; i < r->n; i++) {
		if (e->seen[r->from + i] == r->version)
			return true;
	}
	return false;
}

static void weigh(const struct crashguest *g, struct evidence *e)
{
	for (unsigned int i = 0; i < g->nreq; i++) {
		const struct crash_req *r = &g->req[i];

		if (r->loose)
			continue;
		if (r->answered && r->kind != CRASH_WRITE)
			e->flushed = MAX(e->flushed, r->asked);
		if (r->answered || was_seen(e, r))
			e->reached[r->queue] =
				MAX(e->reached[r->queue], r->era);
	}
}

static bool judge(struct crashguest *g, const struct evidence *e,
		  const struct crash_req *r)
{
	if (!must_last(e, r))
		return true;
	for (unsigned int s = r->from; s < r->from + r->n; s++) {
		const struct crash_req *w = writer(g, e->seen[s], s);

		if (w == r || !before(w, r))
			continue;
		snprintf(
			g->why, sizeof(g->why),
			"sector %u has lost a %s of ring %u (version %u, asked "
			"for at %llu, answered at %llu): it has version %u",
			s, r->kind == CRASH_BARRIER ? "barrier" : "write",
			r->queue, r->version, (unsigned long long)r->asked,
			(unsigned long long)r->answered, e->seen[s]);
		return false;
	}
	return true;
}

/* What is under way stays; or all is gone, with the guest. */
static void begin_anew(struct crashguest *g, const struct evidence *e,
		       bool lives)
{
	memcpy(g->base, e->seen, sizeof(g->base));
	if (lives && !crashguest_idle(g)) {
		for (unsigned int i = 0; i < g->nreq; i++)
			g->req[i].loose = true;
		return;
	}
	g->nreq = 0;
	for (unsigned int q = 0; q < g->nqueues; q++) {
		for (unsigned int i = 0; i < CRASH_INFLIGHT; i++)
			g->buffer[q][i].used = false;
	}
}

bool crashguest_check(struct crashguest *g, const struct forgetful *f,
		      bool lives)
{
	struct evidence e = { .flushed = 0 };

	if (!look(g, f, &e))
		return false;
	weigh(g, &e);
	for (unsigned int i = 0; i < g->nreq; i++) {
		if (!judge(g, &e, &g->req[i]))
			return false;
	}
	begin_anew(g, &e, lives);
	return true;
}

unsigned int crashguest_option(const char *name, unsigned int otherwise)
{
	const char *text = getenv(name);

	return text ? (unsigned int)atoi(text) : otherwise;
}
