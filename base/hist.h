/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/hist.h - how many of something took how long. */
#ifndef BASE_HIST_H
#define BASE_HIST_H

#include "base/util.h"

/*
 * Bucket b of a histogram counts times below HIST_EDGE_NS << b, and the last one all
 * that are longer: 1 us, 2 us, ... 8.4 s, more.
 */
#define HIST_BUCKETS 25u
#define HIST_EDGE_NS UINT64_C(1000)

/** hist_edge_ns() - Upper edge of a bucket; the last one has none. */
static inline uint64_t hist_edge_ns(unsigned int bucket)
{
	return HIST_EDGE_NS << bucket;
}

/** hist_bucket() - Where a time is counted. */
static inline unsigned int hist_bucket(uint64_t ns)
{
	uint64_t n = ns / HIST_EDGE_NS;
	unsigned int b = n ? 64 - (unsigned int)__builtin_clzll(n) : 0;

	return MIN(b, HIST_BUCKETS - 1);
}

/**
 * hist_quantile() - An upper bound for the times of a part of all.
 * @bucket: HIST_BUCKETS counts.
 * @part:   More than 0, up to 1: 0.99 for 99 %.
 * @max_ns: The longest time, UINT64_MAX if that is not known.
 *
 * Return: the edge of the bucket where that part is reached, or @max_ns if that is
 * less, in ns; 0 if nothing was counted.
 */
uint64_t hist_quantile(const uint64_t *bucket, double part, uint64_t max_ns);

#endif
