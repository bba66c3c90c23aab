// SPDX-License-Identifier: GPL-2.0-or-later
// base/hist.c - how many of something took how long.
#include "base/hist.h"

uint64_t hist_quantile(const uint64_t *bucket, double part, uint64_t max_ns)
{
	uint64_t n = 0, all = 0;

	for (unsigned int b = 0; b < HIST_BUCKETS; b++)
		all += bucket[b];
	for (unsigned int b = 0; b < HIST_BUCKETS - 1; b++) {
		n += bucket[b];
		if (n && (double)n >= part * (double)all)
			return MIN(hist_edge_ns(b), max_ns);
	}
	return all ? max_ns : 0;
}
