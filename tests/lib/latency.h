/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/latency.h - how long requests take, before and during an attack. */
#ifndef TESTS_LIB_LATENCY_H
#define TESTS_LIB_LATENCY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * 16 buckets for each power of two of microseconds: percentiles are right to 1/16.
 */
#define LATENCY_BUCKETS (64u * 16u)

/** struct latency - Times that were added; all zero at first. */
struct latency {
	uint64_t bucket[LATENCY_BUCKETS];
	uint64_t n, worst_us;
};

/** latency_add() - Count one request. */
void latency_add(struct latency *l, uint64_t ns);

/**
 * latency_us() - The time within which a share of all requests was done.
 * @permille: 990 for the 99th percentile.
 *
 * Return: microseconds, rounded up to the end of its bucket, but no more than the
 * longest; 0 if there is none.
 */
uint64_t latency_us(const struct latency *l, unsigned int permille);

/*
 * An attacker may take its share of the CPUs, and tests run two at a time beside
 * whatever else a machine does: twice the baseline, as on a machine of its own,
 * would fail for that alone.  So a percentile must be beyond both to count.
 */
#define LATENCY_FACTOR	 10u
#define LATENCY_FLOOR_50 20000u	  /* us */
#define LATENCY_FLOOR_99 2000000u /* a disk may be slow for its own reasons */

/**
 * latency_kept() - Whether an attack has left a neighbour its time.
 *
 * The median during the attack and the 99th percentile are each at most
 * LATENCY_FACTOR times what they were before it, or at most LATENCY_FLOOR_50 and
 * LATENCY_FLOOR_99.  All of them go to standard error as comments of TAP.
 */
bool latency_kept(const char *who, const struct latency *before,
		  const struct latency *during);

#endif
