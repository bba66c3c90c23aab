// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_hist.c - how many of something took how long.
#include "base/hist.h"

#include <criterion/criterion.h>

Test(hist, each_time_has_one_bucket)
{
	cr_expect_eq(hist_bucket(0), 0);
	for (unsigned int b = 0; b < HIST_BUCKETS - 1; b++) {
		cr_expect_eq(hist_bucket(hist_edge_ns(b) - 1), b);
		cr_expect_eq(hist_bucket(hist_edge_ns(b)), b + 1);
	}
	cr_expect_eq(hist_edge_ns(0), 1000);
	cr_expect_eq(hist_edge_ns(10), 1024000);
	cr_expect_eq(hist_bucket(UINT64_MAX), HIST_BUCKETS - 1);
}

Test(hist, quantiles)
{
	uint64_t bucket[HIST_BUCKETS] = { [3] = 50, [5] = 49, [10] = 1 };
	uint64_t none[HIST_BUCKETS] = { 0 }, late[HIST_BUCKETS] = { 0 };

	cr_expect_eq(hist_quantile(bucket, 0.5, UINT64_MAX), 8000);
	cr_expect_eq(hist_quantile(bucket, 0.51, UINT64_MAX), 32000);
	cr_expect_eq(hist_quantile(bucket, 0.99, UINT64_MAX), 32000);
	cr_expect_eq(hist_quantile(bucket, 1, UINT64_MAX), 1024000);
	cr_expect_eq(hist_quantile(bucket, 1, 900000), 900000);
	cr_expect_eq(hist_quantile(bucket, 0.0001, UINT64_MAX), 8000);
	cr_expect_eq(hist_quantile(none, 0.5, UINT64_MAX), 0);
	late[HIST_BUCKETS - 1] = 1;
	cr_expect_eq(hist_quantile(late, 0.5, UINT64_MAX), UINT64_MAX);
	cr_expect_eq(hist_quantile(late, 0.5, 9000000000), 9000000000);
}
