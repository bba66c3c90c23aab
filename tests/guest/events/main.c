/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/guest/events/main.c - event channels and timers, many times over. */
#include <stdint.h>
#include <xen/xen.h>

#include "guest-frontend/console.h"
#include "guest-frontend/events.h"
#include "guest-frontend/start.h"

#define SECOND	    UINT64_C(1000000000)
#define PATIENCE_NS (60 * SECOND)
#define ROUNDS	    5000u
#define READS	    100000u

static unsigned int failed;

static void check(bool good, const char *what)
{
	say("events %s %s", what, good ? "ok" : "failed");
	failed += !good;
}

/* Two ports of our own, bound to each other. */
static bool make_pair(uint32_t *a, uint32_t *b)
{
	if (events_alloc(DOMID_SELF, a) || events_bind(DOMID_SELF, *a, b))
		return false;
	/* The binding itself is told to the one who made it. */
	return events_wait(*b, PATIENCE_NS);
}

static void ping_pong(void)
{
	unsigned int good = 0;
	uint64_t began;
	uint32_t a, b;

	if (!make_pair(&a, &b)) {
		check(false, "a pair of ports");
		return;
	}
	began = events_now();
	for (unsigned int i = 0; i < ROUNDS; i++) {
		events_send(a);
		if (!events_wait(b, PATIENCE_NS))
			break;
		events_send(b);
		if (!events_wait(a, PATIENCE_NS))
			break;
		good++;
	}
	check(good == ROUNDS, "ping pong");
	say("events rounds=%u us=%lu", good,
	    (unsigned long)(events_now() - began) / 1000);
	events_send(a);
	events_send(a);
	check(events_wait(b, PATIENCE_NS) && !events_take(b), "two are one");
	check(!events_wait(a, SECOND / 100), "none without a send");
	events_close(b);
	events_send(a);
	check(!events_wait(a, SECOND / 100), "a send to nobody");
	check(events_bind(DOMID_SELF, a, &b) == 0, "bound again");
	events_close(a);
	check(events_bind(DOMID_SELF, a, &b) < 0, "a closed port");
}

/* All ports that there are, and all of them back. */
static void exhaust(void)
{
	static uint32_t port[EVENTS_PORTS];
	unsigned int n = 0, m = 0;

	while (n < EVENTS_PORTS && events_alloc(0, &port[n]) == 0)
		n++;
	for (unsigned int i = 0; i < n; i++)
		events_close(port[i]);
	while (m < EVENTS_PORTS && events_alloc(0, &port[m]) == 0)
		m++;
	for (unsigned int i = 0; i < m; i++)
		events_close(port[i]);
	check(n > EVENTS_PORTS - 16 && n < EVENTS_PORTS && m == n,
	      "every port");
}

static void time_goes_on(void)
{
	uint64_t last = events_now(), now;
	unsigned int good = 0;

	for (unsigned int i = 0; i < READS; i++) {
		now = events_now();
		good += now >= last;
		last = now;
	}
	check(good == READS, "time never goes back");
}

static void timers(void)
{
	static const uint32_t us[] = { 0, 50, 500, 2000, 10000, 100000 };
	uint64_t began, late, worst = 0;
	bool early = false;

	for (unsigned int i = 0; i < 5 * sizeof(us) / sizeof(us[0]); i++) {
		uint64_t ns = us[i % (sizeof(us) / sizeof(us[0]))] * 1000ul;

		began = events_now();
		events_sleep(ns);
		late = events_now() - began;
		early = early || late < ns;
		late -= ns;
		worst = late > worst ? late : worst;
	}
	check(!early, "no timer fires early");
	check(worst < PATIENCE_NS, "none is lost");
	say("events timer worst_late_us=%lu", (unsigned long)worst / 1000);
}

enum verdict guest_main(const char *cmdline)
{
	(void)cmdline;
	ping_pong();
	exhaust();
	time_goes_on();
	timers();
	return failed ? VERDICT_FAILURE : VERDICT_SUCCESS;
}
