// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/latency.c - how long requests take, before and during an attack.
#include "tests/lib/latency.h"

#include <stdio.h>

#include "base/util.h"

/* Below 16 each microsecond has its own; then the four bits after the highest. */
static unsigned int bucket_of(uint64_t us)
{
	unsigned int shift;

	if (us < 16)
		return (unsigned int)us;
	shift = 59 - (unsigned int)__builtin_clzll(us);
	return (shift + 1) * 16 + (us >> shift & 15);
}

/* The largest time that falls into a bucket. */
static uint64_t end_of(unsigned int bucket)
{
	unsigned int shift = bucket / 16 - 1;

	if (bucket < 16)
		return bucket;
	return ((UINT64_C(17) + bucket % 16) << shift) - 1;
}

void latency_add(struct latency *l, uint64_t ns)
{
	uint64_t us = ns / 1000;

	l->bucket[bucket_of(us)]++;
	l->n++;
	l->worst_us = MAX(l->worst_us, us);
}

uint64_t latency_us(const struct latency *l, unsigned int permille)
{
	uint64_t want = (l->n * permille + 999) / 1000, sum = 0;

	for (unsigned int i = 0; i < LATENCY_BUCKETS && want; i++) {
		sum += l->bucket[i];
		if (sum >= want)
			return MIN(end_of(i), l->worst_us);
	}
	return 0;
}

static void show(const char *who, const char *when, const struct latency *l)
{
	fprintf(stderr,
		"# %s %s: %llu requests, p50 %llu us, p99 %llu us, worst %llu us\n",
		who, when, (unsigned long long)l->n,
		(unsigned long long)latency_us(l, 500),
		(unsigned long long)latency_us(l, 990),
		(unsigned long long)l->worst_us);
}

static bool within(const struct latency *before, const struct latency *during,
		   unsigned int permille, uint64_t floor)
{
	uint64_t limit = latency_us(before, permille) * LATENCY_FACTOR;

	return latency_us(during, permille) <= MAX(limit, floor);
}

bool latency_kept(const char *who, const struct latency *before,
		  const struct latency *during)
{
	show(who, "before", before);
	show(who, "during", during);
	return before->n && during->n &&
	       within(before, during, 500, LATENCY_FLOOR_50) &&
	       within(before, during, 990, LATENCY_FLOOR_99);
}
