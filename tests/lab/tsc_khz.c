/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lab/tsc_khz.c - tell how fast this machine's TSC runs.
 *
 * Emulation shows it to the lab as it is. A kernel measures it against an emulated
 * timer as it boots, by which it can be wrong by any factor on a busy machine.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define TRIES  50
#define GAP_NS 200000000

/** struct point - A TSC, and a time at most @slack ns away from it. */
struct point {
	uint64_t tsc, ns, slack;
};

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* The best of some: others may run between the two looks at the clock. */
static struct point look(void)
{
	struct point best = { .slack = UINT64_MAX }, p;
	uint64_t before;

	for (int i = 0; i < TRIES; i++) {
		before = now();
		p.tsc = __rdtsc();
		p.ns = now();
		p.slack = p.ns - before;
		if (p.slack < best.slack)
			best = p;
	}
	return best;
}

int main(void)
{
	const struct timespec gap = { .tv_nsec = GAP_NS };
	struct point a = look(), b;

	nanosleep(&gap, NULL);
	b = look();
	printf("%.0f\n", (double)(b.tsc - a.tsc) * 1e6 / (double)(b.ns - a.ns));
	return 0;
}
