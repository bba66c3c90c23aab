/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/ringtop_track.h - from looks at a ring's indices to figures. */
#ifndef TOOLS_RINGTOP_TRACK_H
#define TOOLS_RINGTOP_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hist.h"
#include "ring/ring.h"

/*
 * How it works
 *
 * Somebody looks at the indices often and says when. Request n is there once
 * req_prod has passed n and answered once rsp_prod has. A look that first sees
 * request n at all bounds its beginning from below by the look before; a look
 * that first sees it answered bounds its end from above by itself. The
 * difference is what is counted: never less than the true time, and more by less
 * than the two intervals between those looks. So requests that come and go
 * between two looks count with that interval: it is the resolution. An interval
 * that got too long, since a busy host lets the observer wait, is a pause: what
 * begins or ends in it is not timed. Pauses come without regard to requests, so
 * that those timed are a fair sample.
 *
 * Responses may come in another order than requests. The n-th one then answers
 * another request than the n-th, which changes single times but not their mean.
 *
 * The indices are UNTRUSTED. A distance that cannot be, or an index that goes
 * backwards, begins the count anew; nothing is looped over or indexed by more
 * than the number of slots.
 *
 * Streams fit as well: their bytes are requests, "prod" is req_prod, "cons"
 * rsp_prod, and there are no event words.
 */

/**
 * struct track_sum - What happened since the last track_restart().
 * @looks:     Looks.
 * @gaps:      Intervals between two looks that times can come from,
 * @gap_total_ns: their sum,
 * @gap_max_ns: and the longest.
 * @seconds:   Time from the first look to the last one.
 * @requests:  How far req_prod went,
 * @responses: and rsp_prod.
 * @flight_max: Most requests in flight that a look saw.
 * @broken:    Looks that saw what cannot be.
 * @req_asked: Changes of req_event: the back half asked to be notified; at least
 *             so many, since two between two looks are seen as one.
 * @req_sent:  Times that req_prod passed req_event, so that the front half had
 *             to notify; at least.
 * @rsp_asked: The same for responses: the front half asked,
 * @rsp_sent:  and the back half had to notify.
 * @timed:     Requests in @bucket.
 * @untimed:   Answered requests whose beginning or end fell where nobody looked.
 * @total_ns:  Sum of the times, and
 * @max_ns:    the longest.
 * @bucket:    Histogram of the times.
 */
struct track_sum {
	uint64_t looks;
	uint64_t gaps, gap_total_ns, gap_max_ns;
	double seconds;
	uint64_t requests, responses;
	uint32_t flight_max;
	uint64_t broken;
	uint64_t req_asked, req_sent;
	uint64_t rsp_asked, rsp_sent;
	uint64_t timed, untimed;
	double total_ns;
	uint64_t max_ns;
	uint64_t bucket[HIST_BUCKETS];
};

/**
 * struct track - One ring under observation.
 * @words: As last seen.
 * @sane:  Whether they can be.
 * @sum:   To be read by anybody; all else is private.
 * @size:  Slots, or bytes of a stream; a power of two.
 * @begun: Of each request in flight, by place: before when it was not there; 0
 *         if unknown.
 * @seen:  Start of the last look; 0: there was none, or a pause since.
 * @until: End of the last look; 0: there was none.
 */
struct track {
	struct ring_words words;
	bool sane;
	struct track_sum sum;

	uint32_t size;
	uint64_t *begun;
	uint64_t seen, until;
};

/**
 * track_init() - Begin to observe a ring.
 * @size: As above, up to 2^16.
 *
 * Return: 0, -EINVAL for a size that cannot be, or -ENOMEM.
 */
int track_init(struct track *t, uint32_t size) must_check;

/** track_fini() - The end; fine on a zeroed @t. */
void track_fini(struct track *t);

/**
 * track_look() - Take in one look.
 * @w:     UNTRUSTED: what was seen.
 * @start: Clock, in ns, before the words were read; not 0.
 * @end:   Clock after that.
 * @patience: Longest interval since the last look, in ns, that is no pause.
 */
void track_look(struct track *t, const struct ring_words *w, uint64_t start,
		uint64_t end, uint64_t patience);

/**
 * track_pause() - Nobody looks for a while.
 *
 * What begins or ends before the next look is counted, but not timed.
 */
void track_pause(struct track *t);

/** track_restart() - Begin a new sum; what is in flight stays known. */
void track_restart(struct track *t);

/** track_flight() - Requests in flight at the last look; 0 if it is not sane. */
uint32_t track_flight(const struct track *t);

/** track_req_armed() - Whether the back half now waits to be notified. */
bool track_req_armed(const struct track *t);

/** track_rsp_armed() - Whether the front half does. */
bool track_rsp_armed(const struct track *t);

/** track_quantile() - hist_quantile() of the times. */
static inline uint64_t track_quantile(const struct track_sum *s, double part)
{
	return hist_quantile(s->bucket, part, s->max_ns);
}

#endif
