// SPDX-License-Identifier: GPL-2.0-or-later
// tools/ringtop_track.c - from looks at a ring's indices to figures.
#include "tools/ringtop_track.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SIZE (UINT32_C(1) << 16)

int track_init(struct track *t, uint32_t size)
{
	uint64_t *begun;

	if (!size || size > MAX_SIZE || (size & (size - 1)))
		return -EINVAL;
	begun = calloc(size, sizeof(*begun));
	if (!begun)
		return -ENOMEM;
	*t = (struct track){ .size = size, .begun = begun };
	return 0;
}

void track_fini(struct track *t)
{
	free(t->begun);
	*t = (struct track){ 0 };
}

static uint64_t *begun_of(struct track *t, uint32_t n)
{
	return &t->begun[n & (t->size - 1)];
}

/* @n requests were answered by @end; they were not there at @begun, 0: unknown. */
static void count(struct track_sum *s, uint64_t n, uint64_t begun, uint64_t end)
{
	uint64_t ns = end - begun;

	if (!begun || !n) {
		s->untimed += n;
		return;
	}
	s->timed += n;
	s->bucket[hist_bucket(ns)] += n;
	s->total_ns += (double)n * (double)ns;
	s->max_ns = MAX(s->max_ns, ns);
}

/* Does going from @old to @new pass the index that the peer waits for? */
static bool passes(uint32_t event, uint32_t old, uint32_t new)
{
	return new - event < new - old;
}

/* One direction's notifications between two looks; both event words count. */
static void count_notes(uint32_t was_event, uint32_t event, uint32_t old,
			uint32_t new, uint64_t *asked, uint64_t *sent)
{
	*sent += passes(was_event, old, new);
	if (event != was_event) {
		*asked += 1;
		*sent += passes(event, old, new);
	}
}

static void count_moves(struct track *t, const struct ring_words *w,
			uint64_t end)
{
	const struct ring_words *was = &t->words;
	uint32_t flight = was->req_prod - was->rsp_prod;
	uint32_t answered = w->rsp_prod - was->rsp_prod;
	uint32_t old = MIN(answered, flight);
	struct track_sum *s = &t->sum;

	s->requests += w->req_prod - was->req_prod;
	s->responses += answered;
	/* A pause has ended with this look: who knows when in it. */
	for (uint32_t i = 0; i < old; i++)
		count(s, 1, t->seen ? *begun_of(t, was->rsp_prod + i) : 0, end);
	count(s, answered - old, t->seen, end);
	/* Those that came and stayed; no more than are in flight now. */
	for (uint32_t n = was->rsp_prod + MAX(answered, flight);
	     n != w->req_prod; n++)
		*begun_of(t, n) = t->seen;
	count_notes(was->req_event, w->req_event, was->req_prod, w->req_prod,
		    &s->req_asked, &s->req_sent);
	count_notes(was->rsp_event, w->rsp_event, was->rsp_prod, w->rsp_prod,
		    &s->rsp_asked, &s->rsp_sent);
}

/* What is in flight at the first look began at an unknown time. */
static void begin(struct track *t, const struct ring_words *w)
{
	for (uint32_t n = w->rsp_prod; n != w->req_prod; n++)
		*begun_of(t, n) = 0;
}

static bool can_follow(const struct track *t, const struct ring_words *w)
{
	return w->req_prod - t->words.req_prod <= INT32_MAX &&
	       w->rsp_prod - t->words.rsp_prod <= INT32_MAX;
}

void track_pause(struct track *t)
{
	t->seen = 0;
}

void track_look(struct track *t, const struct ring_words *w, uint64_t start,
		uint64_t end, uint64_t patience)
{
	uint32_t flight = w->req_prod - w->rsp_prod;
	bool sane = flight <= t->size;
	struct track_sum *s = &t->sum;

	if (end - t->seen > patience)
		track_pause(t);
	s->looks++;
	if (t->until)
		s->seconds += (double)(end - t->until) / 1e9;
	if (t->seen) {
		s->gaps++;
		s->gap_total_ns += end - t->seen;
		s->gap_max_ns = MAX(s->gap_max_ns, end - t->seen);
	}
	if (sane && t->sane && can_follow(t, w))
		count_moves(t, w, end);
	else if (sane)
		begin(t, w);
	if (!sane || (t->sane && !can_follow(t, w)))
		s->broken++;
	else
		s->flight_max = MAX(s->flight_max, flight);
	t->words = *w;
	t->sane = sane;
	t->seen = start;
	t->until = end;
}

void track_restart(struct track *t)
{
	memset(&t->sum, 0, sizeof(t->sum));
}

uint32_t track_flight(const struct track *t)
{
	return t->sane ? t->words.req_prod - t->words.rsp_prod : 0;
}

/* An event word waits for an index that is still to come, within the ring. */
static bool armed(const struct track *t, uint32_t event, uint32_t prod)
{
	return t->sane && event - prod - 1 < t->size;
}

bool track_req_armed(const struct track *t)
{
	return armed(t, t->words.req_event, t->words.req_prod);
}

bool track_rsp_armed(const struct track *t)
{
	return armed(t, t->words.rsp_event, t->words.rsp_prod);
}
