/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/guest/timer/main.c - the timer: never early, never lost; how late. */
#include <stdint.h>
#include <xen/vcpu.h>
#include <xen/xen.h>

#include "guest-frontend/console.h"
#include "guest-frontend/events.h"
#include "guest-frontend/hypercall.h"
#include "guest-frontend/start.h"

#define US     UINT64_C(1000)
#define MS     (1000 * US)
#define SECOND (1000 * MS)

#define PATIENCE_NS (60 * SECOND)

static unsigned int failed;

static void check(bool good, const char *what)
{
	say("timer %s %s", what, good ? "ok" : "failed");
	failed += !good;
}

/* Sleep @n times for @ns; the figures are for people, being early is a fault. */
static void naps(const char *name, unsigned int n, uint64_t ns)
{
	uint64_t began, took, worst = 0, sum = 0;
	unsigned int early = 0;

	for (unsigned int i = 0; i < n; i++) {
		began = events_now();
		events_sleep(ns);
		took = events_now() - began;
		early += took < ns;
		worst = took - ns > worst ? took - ns : worst;
		sum += took - ns;
	}
	say("timer %s naps=%u late_us mean=%lu worst=%lu", name, n,
	    (unsigned long)(sum / n / US), (unsigned long)(worst / US));
	check(!early, name);
}

/* Deadlines that follow each other do not drift: each is told in time of day. */
static void steady(void)
{
	uint64_t next = events_now(), began = next, now;
	unsigned int missed = 0;

	for (unsigned int i = 0; i < 100; i++) {
		next += 5 * MS;
		now = events_now();
		if (now < next)
			events_sleep(next - now);
		else
			missed++;
	}
	say("timer steady ms=%lu missed=%u",
	    (unsigned long)((events_now() - began) / MS), missed);
	check(events_now() - began >= 500 * MS, "100 deadlines, no drift");
}

static long set(uint64_t at, uint32_t flags)
{
	struct vcpu_set_singleshot_timer t = { .timeout_abs_ns = at,
					       .flags = flags };

	return hypercall_vcpu_op(VCPUOP_set_singleshot_timer, 0, &t);
}

/* Return: whether the timer fires within @ns. */
static bool fires(uint64_t ns)
{
	uint64_t until = events_deadline(ns);

	while (events_now() < until) {
		if (events_take_timer())
			return true;
	}
	return false;
}

static bool is_replaced(void)
{
	return !set(events_now() + 20 * MS, 0) &&
	       !set(events_now() + SECOND, 0) && !fires(200 * MS);
}

static bool is_stopped(void)
{
	return !set(events_now() + 50 * MS, 0) &&
	       !hypercall_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL) &&
	       !fires(200 * MS);
}

/* A vCPU that is kept from running may see a deadline pass: it tries again. */
static bool once_of_many(bool (*fn)(void))
{
	for (unsigned int i = 0; i < 20; i++) {
		(void)events_take_timer();
		if (fn())
			return true;
	}
	return false;
}

static void one_shots(void)
{
	(void)events_take_timer();
	check(!set(events_now() - SECOND, 0) && fires(PATIENCE_NS),
	      "a deadline in the past fires at once");
	check(once_of_many(is_replaced),
	      "a later deadline takes the place of an earlier");
	check(fires(PATIENCE_NS), "and fires");
	check(once_of_many(is_stopped), "one that is stopped does not");
	check(!set(events_now() + MS, 0) && fires(PATIENCE_NS) &&
		      !fires(50 * MS),
	      "one fires once");
}

static void time_goes_on(void)
{
	uint64_t last = events_now(), now, step, worst = 0;
	unsigned int back = 0;

	for (unsigned int i = 0; i < 100000; i++) {
		now = events_now();
		back += now < last;
		step = now - last;
		worst = now >= last && step > worst ? step : worst;
		last = now;
	}
	say("timer reads worst_step_us=%lu", (unsigned long)(worst / US));
	check(!back, "time never goes back");
}

enum verdict guest_main(const char *cmdline)
{
	(void)cmdline;
	time_goes_on();
	naps("100 us", 200, 100 * US);
	naps("1 ms", 100, MS);
	naps("10 ms", 20, 10 * MS);
	naps("100 ms", 3, 100 * MS);
	steady();
	one_shots();
	return failed ? VERDICT_FAILURE : VERDICT_SUCCESS;
}
