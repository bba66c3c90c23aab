/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/stress/bell.h - an event channel between threads that orders nothing. */
#ifndef TESTS_STRESS_BELL_H
#define TESTS_STRESS_BELL_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/*
 * Like an eventfd, but TSan takes no read or write of an eventfd for ordering
 * here: relaxed words and raw futex calls leave all ordering to the code under
 * test.
 */
struct bell {
	_Atomic uint32_t rung;
};

#define BELL_LIMIT_S 10

static inline void bell_ring(struct bell *b)
{
	atomic_fetch_add_explicit(&b->rung, 1, memory_order_relaxed);
	syscall(SYS_futex, &b->rung, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/*
 * bell_wait() - Sleep until the bell rings again after @heard; update @heard.
 *
 * Return: false if it did not ring within the limit: a wake-up was lost.
 */
static inline bool bell_wait(struct bell *b, uint32_t *heard)
{
	struct timespec limit = { .tv_sec = BELL_LIMIT_S }, end, now;
	uint32_t rung;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += BELL_LIMIT_S;
	for (;;) {
		rung = atomic_load_explicit(&b->rung, memory_order_relaxed);
		if (rung != *heard) {
			*heard = rung;
			return true;
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec)
			return false;
		syscall(SYS_futex, &b->rung, FUTEX_WAIT_PRIVATE, rung, &limit,
			NULL, 0);
	}
}

#endif
