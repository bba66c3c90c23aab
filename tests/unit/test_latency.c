// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_latency.c - what neighbours of an attack are judged by.
#include <stdlib.h>
#include <criterion/criterion.h>

#include "base/util.h"
#include "tests/lib/latency.h"

#define N 10000u

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Of any times: not below the sorted list's, and above by 1/16 at most. */
Test(latency, percentiles)
{
	static const unsigned int share[] = { 1, 10, 500, 900, 990, 999, 1000 };
	static struct latency l;
	static uint64_t us[N];

	for (unsigned int i = 0; i < N; i++) {
		us[i] = (uint64_t)rand() >> rand() % 31;
		latency_add(&l, us[i] * 1000 + 999);
	}
	qsort(us, N, sizeof(us[0]), ascending);
	for (size_t i = 0; i < ARRAY_SIZE(share); i++) {
		uint64_t is = us[N * share[i] / 1000 - 1];
		uint64_t got = latency_us(&l, share[i]);

		cr_expect_geq(got, is, "%u: %lu, not %lu", share[i], got, is);
		cr_expect_leq(got, is + is / 16, "%u: %lu, not %lu", share[i],
			      got, is);
	}
	cr_expect_eq(l.n, N);
	cr_expect_eq(l.worst_us, us[N - 1]);
}

Test(latency, ends)
{
	static struct latency none, l;

	cr_expect_eq(latency_us(&none, 990), 0);
	latency_add(&l, 0);
	cr_expect_eq(latency_us(&l, 1000), 0);
	latency_add(&l, 100 * 1000);
	cr_expect_eq(latency_us(&l, 1000), 100, "longer than the longest");
	latency_add(&l, UINT64_MAX);
	cr_expect_geq(latency_us(&l, 1000), UINT64_MAX / 1000);
}

/* One in a hundred may be late, two are too many. */
static bool kept(uint64_t before_us, uint64_t during_us, unsigned int late)
{
	struct latency before = { 0 }, during = { 0 };

	for (unsigned int i = 0; i < 100; i++) {
		latency_add(&before, before_us * 1000);
		latency_add(&during,
			    (i >= 100 - late ? during_us : before_us) * 1000);
	}
	return latency_kept("test", &before, &during);
}

Test(latency, verdict)
{
	static const struct latency none;

	cr_expect(kept(100, LATENCY_FLOOR_50 * 9 / 10, 100));
	cr_expect_not(kept(100, LATENCY_FLOOR_50 * 11 / 10, 100));
	cr_expect_not(kept(100, LATENCY_FLOOR_50 * 11 / 10, 51));
	cr_expect(kept(100, LATENCY_FLOOR_50 * 11 / 10, 50));
	cr_expect(kept(LATENCY_FLOOR_50, LATENCY_FLOOR_50 * 9, 100));
	cr_expect_not(kept(LATENCY_FLOOR_50, LATENCY_FLOOR_50 * 12, 100));
	cr_expect(kept(100, LATENCY_FLOOR_99 * 11 / 10, 1));
	cr_expect_not(kept(100, LATENCY_FLOOR_99 * 11 / 10, 2));
	cr_expect(kept(100, LATENCY_FLOOR_99 * 9 / 10, 2));
	cr_expect_not(latency_kept("test", &none, &none));
	cr_expect_not(latency_kept("test", &none, &(struct latency){ .n = 1 }));
}
