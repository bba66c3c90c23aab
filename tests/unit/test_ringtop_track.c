// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_ringtop_track.c - from looks at a ring's indices to figures.
#include "tools/ringtop_track.h"

#include <errno.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#define US   UINT64_C(1000)
#define SIZE 32u

static struct track t;
static uint64_t patience = UINT64_MAX;

static void set_up(void)
{
	cr_assert_eq(track_init(&t, SIZE), 0);
}

static void tear_down(void)
{
	track_fini(&t);
}

TestSuite(ringtop_track, .init = set_up, .fini = tear_down);

/* A look that begins at @at us and takes 1 us. */
static void look(uint64_t at, uint32_t req, uint32_t rsp)
{
	struct ring_words w = t.words;

	w.req_prod = req;
	w.rsp_prod = rsp;
	track_look(&t, &w, at * US, (at + 1) * US, patience);
}

static void look_events(uint64_t at, uint32_t req, uint32_t req_event,
			uint32_t rsp, uint32_t rsp_event)
{
	struct ring_words w = { .req_prod = req,
				.req_event = req_event,
				.rsp_prod = rsp,
				.rsp_event = rsp_event };

	track_look(&t, &w, at * US, (at + 1) * US, patience);
}

/* The one bucket in use, or -1. */
static int only_bucket(void)
{
	int found = -1;

	for (int b = 0; b < (int)HIST_BUCKETS; b++) {
		if (!t.sum.bucket[b])
			continue;
		if (found >= 0)
			return -1;
		found = b;
	}
	return found;
}

Test(ringtop_track, sizes)
{
	struct track other;

	cr_expect_eq(track_init(&other, 0), -EINVAL);
	cr_expect_eq(track_init(&other, 3), -EINVAL);
	cr_expect_eq(track_init(&other, 1u << 17), -EINVAL);
	cr_expect_eq(track_init(&other, 1), 0);
	track_fini(&other);
	track_fini(&other);
}

Test(ringtop_track, nothing_was_seen)
{
	cr_expect_eq(track_flight(&t), 0);
	cr_expect_eq(track_quantile(&t.sum, 0.5), 0);
	cr_expect_not(track_req_armed(&t));
}

/* From the start of the look before it came to the end of the one it went. */
Test(ringtop_track, a_time_is_an_upper_bound)
{
	look(100, 0, 0);
	look(200, 1, 0);
	look(300, 1, 0);
	look(400, 1, 1);
	cr_expect_eq(t.sum.requests, 1);
	cr_expect_eq(t.sum.responses, 1);
	cr_expect_eq(t.sum.timed, 1);
	cr_expect_eq(t.sum.max_ns, 301 * US);
	cr_expect_float_eq(t.sum.total_ns, 301e3, 1e-3);
	cr_expect_eq(only_bucket(), 9, "256 to 511 us");
	cr_expect_eq(t.sum.flight_max, 1);
	cr_expect_eq(t.sum.looks, 4);
	cr_expect_eq(t.sum.gaps, 3);
	cr_expect_eq(t.sum.gap_max_ns, 101 * US);
	cr_expect_eq(t.sum.gap_total_ns, 303 * US);
	cr_expect_float_eq(t.sum.seconds, 300e-6, 1e-9);
}

Test(ringtop_track, what_comes_and_goes_between_two_looks)
{
	look(100, 0, 0);
	look(150, 1000, 1000);
	cr_expect_eq(t.sum.requests, 1000);
	cr_expect_eq(t.sum.timed, 1000);
	cr_expect_eq(t.sum.max_ns, 51 * US);
	cr_expect_eq(t.sum.bucket[6], 1000, "32 to 63 us");
	cr_expect_eq(t.sum.flight_max, 0);
}

Test(ringtop_track, each_request_has_its_own_beginning)
{
	look(100, 0, 0);
	look(110, 1, 0);
	look(120, 3, 0);
	look(130, 10, 5); /* 3 old ones, 2 that came and went, 5 stay */
	cr_expect_eq(t.sum.timed, 5);
	cr_expect_eq(t.sum.bucket[5], 3, "one of 31 us, two of 21 us");
	cr_expect_eq(t.sum.bucket[4], 2, "the two of 11 us");
	look(140, 10, 10);
	cr_expect_eq(t.sum.timed, 10);
	cr_expect_eq(t.sum.max_ns, 31 * US);
	cr_expect_float_eq(t.sum.total_ns,
			   1e3 * (31 + 21 + 21 + 11 + 11 + 5 * 21), 1e-3);
}

Test(ringtop_track, indices_wrap)
{
	look(100, UINT32_MAX - 1, UINT32_MAX - 1);
	look(110, 5, UINT32_MAX);
	look(120, 5, 5);
	cr_expect_eq(t.sum.requests, 7);
	cr_expect_eq(t.sum.responses, 7);
	cr_expect_eq(t.sum.timed, 7);
	cr_expect_eq(t.sum.broken, 0);
	cr_expect_eq(t.sum.bucket[5], 6, "21 us");
	cr_expect_eq(t.sum.bucket[4], 1, "11 us");
}

Test(ringtop_track, who_came_before_us_is_not_timed)
{
	look(100, 20, 10);
	look(110, 22, 12);
	cr_expect_eq(t.sum.untimed, 2);
	look(120, 22, 22);
	cr_expect_eq(t.sum.untimed, 10);
	cr_expect_eq(t.sum.timed, 2);
	cr_expect_eq(t.sum.requests, 2);
}

Test(ringtop_track, a_pause_is_counted_but_not_timed)
{
	look(100, 0, 0);
	look(200, 2, 0);
	track_pause(&t);
	look(9000, 5, 1); /* one ended, three began: nobody knows when */
	cr_expect_eq(t.sum.requests, 5);
	cr_expect_eq(t.sum.untimed, 1);
	cr_expect_eq(t.sum.timed, 0);
	cr_expect_eq(t.sum.gap_max_ns, 101 * US, "the pause is no interval");
	cr_expect_float_eq(t.sum.seconds, 8900e-6, 1e-9);
	look(9100, 5, 5);
	cr_expect_eq(t.sum.untimed, 4);
	cr_expect_eq(t.sum.timed, 1, "it began and ended while we looked");
	cr_expect_eq(t.sum.max_ns, 9001 * US);
}

Test(ringtop_track, a_late_look_is_after_a_pause)
{
	patience = 101 * US;
	look(100, 0, 0);
	look(200, 1, 0);
	look(301, 3, 2); /* 102 us later */
	cr_expect_eq(t.sum.timed, 0);
	cr_expect_eq(t.sum.untimed, 2);
	cr_expect_eq(t.sum.gaps, 1);
	look(400, 3, 3);
	cr_expect_eq(t.sum.untimed, 3, "it began while nobody looked");
	look(500, 4, 4);
	cr_expect_eq(t.sum.timed, 1);
	cr_expect_eq(t.sum.gap_max_ns, 101 * US);
}

Test(ringtop_track, full_to_the_last_slot)
{
	look(100, 0, 0);
	look(110, SIZE, 0);
	cr_expect_eq(track_flight(&t), SIZE);
	cr_expect_eq(t.sum.flight_max, SIZE);
	look(120, 2 * SIZE, SIZE);
	look(130, 2 * SIZE, 2 * SIZE);
	cr_expect_eq(t.sum.broken, 0);
	cr_expect_eq(t.sum.bucket[5], 2 * SIZE, "each of 21 us");
}

Test(ringtop_track, a_new_ring_in_an_old_place)
{
	look(100, 0, 0);
	look(110, 20, 0);
	look(120, 20, 20);
	cr_expect_eq(t.sum.timed, 20);
	look(130, 5, 0); /* began anew, with some in flight */
	look(140, 5, 5);
	cr_expect_eq(t.sum.timed, 20);
	cr_expect_eq(t.sum.untimed, 5);
}

Test(ringtop_track, restart_keeps_what_is_in_flight)
{
	look(100, 0, 0);
	look(200, 1, 0);
	track_restart(&t);
	cr_expect_eq(t.sum.requests, 0);
	look(300, 1, 1);
	cr_expect_eq(t.sum.responses, 1);
	cr_expect_eq(t.sum.max_ns, 201 * US);
	cr_expect_float_eq(t.sum.seconds, 100e-6, 1e-9);
}

/* ---- lies ------------------------------------------------------------------ */

struct lie {
	char name[40];
	uint32_t req, rsp;
	bool sane;
	uint64_t broken, requests; /* once the peer is honest again */
};

ParameterizedTestParameters(ringtop_track, lies)
{
	static struct lie p[] = {
		{ "more requests than slots", 10 + SIZE + 1, 10, false, 1, 1 },
		{ "more responses than requests", 20, 21, false, 1, 1 },
		{ "far away", 20 + (1u << 31), 10, false, 1, 1 },
		{ "backwards by little", 19, 10, true, 1, 32 },
		{ "responses backwards", 22, 9, true, 1, 29 },
		{ "both backwards", 9, 9, true, 1, 42 },
		{ "a new ring", 0, 0, true, 1, 51 },
		{ "backwards by much", 20 - (1u << 31), 20 - (1u << 31), true,
		  2, 1 },
	};

	return cr_make_param_array(struct lie, p, ARRAY_SIZE(p));
}

ParameterizedTest(struct lie *p, ringtop_track, lies)
{
	look(100, 20, 10);
	look(200, p->req, p->rsp);
	cr_expect_eq(t.sum.broken, 1, "%s", p->name);
	cr_expect_eq(t.sane, p->sane);
	cr_expect_eq(track_flight(&t), p->sane ? p->req - p->rsp : 0);
	cr_expect_eq(t.sum.requests + t.sum.responses, 0);
	cr_expect_leq(t.sum.flight_max, SIZE);
	cr_expect_eq(t.words.req_prod, p->req, "shown as they lie there");
	look(300, 50, 48);
	look(400, 51, 49);
	cr_expect_eq(t.sum.broken, p->broken, "%s", p->name);
	cr_expect_eq(t.sum.requests, p->requests, "%s", p->name);
	cr_expect_eq(track_flight(&t), 2);
}

Test(ringtop_track, a_liar_wastes_no_time)
{
	struct ring_words w = { 0 };
	uint32_t seed = 12345;

	for (uint64_t i = 1; i <= 2000000; i++) {
		seed = seed * 1664525 + 1013904223;
		w.req_prod = seed;
		w.rsp_prod =
			seed - (i % 3 ? (uint32_t)i % (SIZE + 1) : seed >> 7);
		w.req_event = ~seed;
		w.rsp_event = seed >> 3;
		track_look(&t, &w, i * US, i * US + 1, patience);
		cr_assert_leq(track_flight(&t), SIZE);
	}
	cr_expect_eq(t.sum.looks, 2000000);
	cr_expect_leq(t.sum.flight_max, SIZE);
}

/* ---- notifications ---------------------------------------------------------- */

Test(ringtop_track, notifications)
{
	look_events(100, 0, 1, 0, 1);
	cr_expect(track_req_armed(&t));
	look_events(110, 1, 1, 0, 1); /* passed 1: the front half notified */
	cr_expect_eq(t.sum.req_sent, 1);
	cr_expect_eq(t.sum.req_asked, 0);
	cr_expect_not(track_req_armed(&t));
	look_events(120, 5, 1, 0, 1); /* nobody asked again */
	cr_expect_eq(t.sum.req_sent, 1);
	look_events(130, 5, 6, 5, 1); /* asked; and the back half passed 1 */
	cr_expect_eq(t.sum.req_asked, 1);
	cr_expect_eq(t.sum.req_sent, 1);
	cr_expect(track_req_armed(&t));
	cr_expect_eq(t.sum.rsp_sent, 1);
	cr_expect_eq(t.sum.rsp_asked, 0);
	look_events(140, 9, 8, 5, 6); /* notified for 6 and for 8 */
	cr_expect_eq(t.sum.req_asked, 2);
	cr_expect_eq(t.sum.req_sent, 3);
	cr_expect_eq(t.sum.rsp_asked, 1);
	cr_expect_eq(t.sum.rsp_sent, 1);
	cr_expect(track_rsp_armed(&t));
}

Test(ringtop_track, waiting_is_for_what_can_come)
{
	look_events(100, 10, 10 + SIZE, 10, 10 + SIZE + 1);
	cr_expect(track_req_armed(&t));
	cr_expect_not(track_rsp_armed(&t), "never within this ring's reach");
	look_events(110, 10, 10, 10, 9);
	cr_expect_not(track_req_armed(&t));
	cr_expect_not(track_rsp_armed(&t));
}

/* ---- quantiles --------------------------------------------------------------- */

Test(ringtop_track, quantiles)
{
	struct track_sum s = { .timed = 100, .max_ns = 900000 };

	s.bucket[3] = 50; /* below 8 us */
	s.bucket[5] = 49;
	s.bucket[10] = 1; /* below 1024 us */
	cr_expect_eq(track_quantile(&s, 0.5), 8 * US);
	cr_expect_eq(track_quantile(&s, 0.51), 32 * US);
	cr_expect_eq(track_quantile(&s, 0.99), 32 * US);
	cr_expect_eq(track_quantile(&s, 1), 900 * US,
		     "no more than the longest");
	cr_expect_eq(track_quantile(&s, 0.0001), 8 * US);
}

Test(ringtop_track, buckets_have_edges)
{
	static const struct {
		uint64_t ns;
		int bucket;
	} p[] = {
		{ 1, 0 },
		{ 999, 0 },
		{ 1000, 1 },
		{ 1999, 1 },
		{ 2000, 2 },
		{ (UINT64_C(1000) << 23) - 1, 23 },
		{ UINT64_C(1000) << 23, 24 },
		{ UINT64_C(3600000000000), 24 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
		struct ring_words w = { 0 };

		tear_down();
		set_up();
		track_look(&t, &w, 1000, 1000, patience);
		w.req_prod = w.rsp_prod = 1;
		track_look(&t, &w, 1001, 1000 + p[i].ns, patience);
		cr_expect_eq(only_bucket(), p[i].bucket, "%lu ns", p[i].ns);
		cr_expect_eq(track_quantile(&t.sum, 0.5), p[i].ns);
	}
}
