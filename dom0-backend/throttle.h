/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/throttle.h - so many requests and bytes a second, and bursts. */
#ifndef DOM0_BACKEND_THROTTLE_H
#define DOM0_BACKEND_THROTTLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

/*
 * How it works
 *
 * A token bucket, kept as one time: until when what was taken so far is paid for
 * at the given rate.  A bucket that is full is paid up to now; one more token
 * moves the time on by 1 / rate; while it is less than a burst ahead of now,
 * more may be taken.  So nothing has to be filled up, and a request may be
 * larger than the burst: who comes next waits the longer.
 *
 * One throttle serves all queues of a disk, from several threads.  Times are
 * nanoseconds of one clock, the caller's.
 */
#define THROTTLE_MAX UINT64_C(1000000000000) /* of a rate or a burst */

/**
 * struct throttle_limits - Rates in 1/s; 0 is no limit.
 * @iops, @iops_burst: Requests, and how many may come at once after idle time.
 * @bps, @bps_burst:   Bytes, likewise.
 *
 * A burst of 0 is what a tenth of a second brings.
 */
struct throttle_limits {
	uint64_t iops, iops_burst, bps, bps_burst;
};

/** struct throttle - Private to throttle.c. */
struct throttle {
	pthread_mutex_t lock;
	_Atomic bool on;
	struct throttle_limits limits;
	struct throttle_bucket {
		uint64_t rate, burst_ns, paid_until;
	} iops, bps;
};

#define THROTTLE_INIT                              \
	{                                          \
		.lock = PTHREAD_MUTEX_INITIALIZER, \
	}

/**
 * throttle_set() - Set limits, at any time, but always from one thread.
 *
 * Buckets are full afterwards, unless nothing has changed.
 *
 * Return: whether anything has.
 */
bool throttle_set(struct throttle *t, const struct throttle_limits *limits,
		  uint64_t now);

/** throttle_on() - Whether there is any limit: if not, spare the clock. */
static inline bool throttle_on(const struct throttle *t)
{
	return t && atomic_load_explicit(&t->on, memory_order_relaxed);
}

/**
 * throttle_wait() - How long until the next request may be taken.
 *
 * Return: 0 for now; else nanoseconds, and then it may unless others were faster.
 */
uint64_t throttle_wait(struct throttle *t, uint64_t now) must_check;

/** throttle_take() - A request was taken, for @bytes. */
void throttle_take(struct throttle *t, uint64_t bytes, uint64_t now);

#endif
