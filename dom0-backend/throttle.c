// SPDX-License-Identifier: GPL-2.0-or-later
// dom0-backend/throttle.c - so many requests and bytes a second, and bursts.
#include "dom0-backend/throttle.h"

#define NS_PER_S UINT64_C(1000000000)
#define NAP_NS	 UINT64_C(1000000) /* shorter sleeps cost more than they bring */

/* At most THROTTLE_MAX seconds are 10^21 ns: as many as fit. */
static uint64_t time_of(uint64_t tokens, uint64_t rate)
{
	unsigned __int128 ns = (unsigned __int128)tokens * NS_PER_S / rate;

	return ns < UINT64_MAX / 4 ? (uint64_t)ns : UINT64_MAX / 4;
}

static void set_bucket(struct throttle_bucket *b, uint64_t rate, uint64_t burst,
		       uint64_t now)
{
	*b = (struct throttle_bucket){ .rate = rate, .paid_until = now };
	if (!rate)
		return;
	if (!burst)
		burst = MAX(rate / 10, 1u);
	/* At least one: else nothing would ever pass. */
	b->burst_ns = MAX(time_of(burst, rate), 1u);
}

/* Return: ns until something may be taken. */
static uint64_t bucket_wait(const struct throttle_bucket *b, uint64_t now)
{
	uint64_t ahead;

	if (!b->rate || b->paid_until < now)
		return 0;
	ahead = b->paid_until - now;
	if (ahead < b->burst_ns)
		return 0;
	return ahead - b->burst_ns + MAX(MIN(b->burst_ns / 2, NAP_NS), 1u);
}

static void bucket_take(struct throttle_bucket *b, uint64_t n, uint64_t now)
{
	if (!b->rate)
		return;
	b->paid_until = MAX(b->paid_until, now);
	/* Debts of centuries do not grow. */
	if (b->paid_until - now < UINT64_MAX / 4)
		b->paid_until += time_of(n, b->rate);
}

static bool same(const struct throttle_limits *a,
		 const struct throttle_limits *b)
{
	return a->iops == b->iops && a->iops_burst == b->iops_burst &&
	       a->bps == b->bps && a->bps_burst == b->bps_burst;
}

bool throttle_set(struct throttle *t, const struct throttle_limits *limits,
		  uint64_t now)
{
	if (same(&t->limits, limits))
		return false;
	pthread_mutex_lock(&t->lock);
	t->limits = *limits;
	set_bucket(&t->iops, limits->iops, limits->iops_burst, now);
	set_bucket(&t->bps, limits->bps, limits->bps_burst, now);
	atomic_store_explicit(&t->on, limits->iops || limits->bps,
			      memory_order_relaxed);
	pthread_mutex_unlock(&t->lock);
	return true;
}

uint64_t throttle_wait(struct throttle *t, uint64_t now)
{
	uint64_t iops, bps;

	pthread_mutex_lock(&t->lock);
	iops = bucket_wait(&t->iops, now);
	bps = bucket_wait(&t->bps, now);
	pthread_mutex_unlock(&t->lock);
	return MAX(iops, bps);
}

void throttle_take(struct throttle *t, uint64_t bytes, uint64_t now)
{
	pthread_mutex_lock(&t->lock);
	bucket_take(&t->iops, 1, now);
	bucket_take(&t->bps, bytes, now);
	pthread_mutex_unlock(&t->lock);
}
