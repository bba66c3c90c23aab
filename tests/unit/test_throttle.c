// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_throttle.c - rates and bursts, by a clock of the test's own.
#include "dom0-backend/throttle.h"

#include <criterion/criterion.h>

#define S   UINT64_C(1000000000)
#define DAY (86400 * S)

static struct throttle t = THROTTLE_INIT;
static uint64_t now = DAY;

TestSuite(throttle, .timeout = 300);

static void set(uint64_t iops, uint64_t iops_burst, uint64_t bps,
		uint64_t bps_burst)
{
	struct throttle_limits l = { iops, iops_burst, bps, bps_burst };

	throttle_set(&t, &l, now);
}

/* As many requests of @bytes as may be taken now. */
static unsigned int take_all(uint64_t bytes, unsigned int most)
{
	unsigned int n = 0;

	while (n < most && !throttle_wait(&t, now)) {
		throttle_take(&t, bytes, now);
		n++;
	}
	return n;
}

/* Requests of @bytes in @ns, by one who sleeps as long as it is told. */
static uint64_t run(uint64_t bytes, uint64_t ns)
{
	uint64_t end = now + ns, n = 0, wait;

	while (now < end) {
		wait = throttle_wait(&t, now);
		if (wait) {
			now += wait;
			continue;
		}
		throttle_take(&t, bytes, now);
		n++;
	}
	return n;
}

static void expect_about(uint64_t got, uint64_t want)
{
	cr_expect(got >= want - want / 100 - 1 && got <= want + want / 100 + 1,
		  "%lu, not %lu", got, want);
}

Test(throttle, no_limits)
{
	cr_expect(!throttle_on(&t));
	cr_expect(!throttle_on(NULL));
	cr_expect_eq(take_all(1 << 20, 1000), 1000);
	set(100, 0, 0, 0);
	cr_expect(throttle_on(&t));
	set(0, 5, 0, 5); /* bursts of nothing */
	cr_expect(!throttle_on(&t));
	cr_expect_eq(take_all(1 << 20, 1000), 1000);
}

Test(throttle, burst_then_rate)
{
	set(100, 7, 0, 0);
	cr_expect_eq(take_all(0, 1000), 7);
	now += S / 100;
	cr_expect_eq(take_all(0, 1000), 1);
	now += S / 100 - 1;
	cr_expect_eq(take_all(0, 1000), 1);
	now += S / 20;
	cr_expect_eq(take_all(0, 1000), 5);
	now += DAY; /* no more is saved than a burst */
	cr_expect_eq(take_all(0, 1000), 7);
	set(100, 0, 0, 0);
	cr_expect_eq(take_all(0, 1000), 10);
	set(3, 0, 0, 0);
	cr_expect_eq(take_all(0, 1000), 1, "a burst is one at least");
}

/* In the long run it is the rate, whatever it is and however long one sleeps. */
Test(throttle, rates)
{
	static const uint64_t rates[] = { 1, 7, 100, 4999, 100000, 1000000 };

	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		uint64_t s = rates[i] < 100 ? 1000 : 10;

		set(rates[i], 1, 0, 0);
		expect_about(run(4096, s * S), rates[i] * s + 1);
		set(rates[i], 0, 0, 0);
		expect_about(run(4096, s * S), rates[i] * s + rates[i] / 10);
		set(0, 0, rates[i] * 4096, 1);
		expect_about(run(4096, s * S), rates[i] * s + 1);
		now += DAY;
	}
}

Test(throttle, both)
{
	set(1000, 1, 100 * 4096, 1);
	expect_about(run(4096, 10 * S), 1000);
	expect_about(run(0, 10 * S), 10000);
	expect_about(run(65536, 100 * S), 100 * 100 / 16);
}

/* What is larger than the burst passes, and is paid for afterwards. */
Test(throttle, large_request)
{
	set(0, 0, 1 << 20, 4096);
	cr_expect_eq(take_all(8 << 20, 10), 1);
	now += 7 * S;
	cr_expect_gt(throttle_wait(&t, now), 0);
	now += 1 * S;
	cr_expect_eq(throttle_wait(&t, now), 0);
}

/* Who is told to wait so long may go on then: no wait without an end. */
Test(throttle, waits_end)
{
	static const uint64_t n[] = { 1, 512, 1 << 20, THROTTLE_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(n) * ARRAY_SIZE(n) * 2; i++) {
		uint64_t rate = n[i % 4], burst = n[i / 4 % 4], wait;

		if (i < 16)
			set(rate, burst, 0, 0);
		else
			set(0, 0, rate, burst);
		for (int k = 0; k < 5; k++) {
			throttle_take(&t, 1 << 20, now);
			wait = throttle_wait(&t, now);
			now += wait;
			cr_assert_eq(throttle_wait(&t, now), 0, "%lu, %lu: %lu",
				     rate, burst, wait);
		}
		now = DAY;
		set(0, 0, 0, 0);
	}
}

Test(throttle, set_live)
{
	struct throttle_limits l = { .bps = 1 };

	cr_expect(throttle_set(&t, &l, now));
	throttle_take(&t, 1 << 20, now);
	cr_expect_geq(throttle_wait(&t, now), DAY);
	cr_expect(!throttle_set(&t, &l, now));
	cr_expect_geq(throttle_wait(&t, now), DAY, "nothing has changed");
	l.bps = 1 << 20;
	cr_expect(throttle_set(&t, &l, now));
	cr_expect_eq(throttle_wait(&t, now), 0, "old debts are forgotten");
	l = (struct throttle_limits){ 0 };
	cr_expect(throttle_set(&t, &l, now));
	cr_expect(!throttle_on(&t));
}
