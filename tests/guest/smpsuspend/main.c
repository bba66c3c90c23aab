/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/guest/smpsuspend/main.c - a guest of several CPUs is suspended.
 *
 * Each further CPU calls the next one, sleeps and uses grants, lap after lap, until
 * it rests; afterwards all of them must go on with it.  It says what
 * tests/guest/suspend says, and ends when asked to power off.
 *
 *	vcpus=N		of the domain
 */
#include <stdbool.h>
#include <stdint.h>
#include <xen/errno.h>
#include <xen/sched.h>

#include "guest-frontend/console.h"
#include "guest-frontend/cpu.h"
#include "guest-frontend/events.h"
#include "guest-frontend/grants.h"
#include "guest-frontend/lock.h"
#include "guest-frontend/pages.h"
#include "guest-frontend/power.h"
#include "guest-frontend/smp.h"
#include "guest-frontend/start.h"
#include "guest-frontend/xenbus.h"
#include "tests/guest/args.h"

#define NAP_NS	    UINT64_C(1000000)
#define CALL_NS	    UINT64_C(100000000)
#define TURN_NS	    UINT64_C(10000000)
#define PATIENCE_NS UINT64_C(20000000000)
#define LAPS	    10u /* of each CPU, before and after */

/* One of them writes it, the first one reads. */
struct worker {
	unsigned int laps, calls, errors;
	uint32_t call; /* wakes it */
	uint64_t last;
	void *page;
};

static struct worker workers[EVENTS_CPUS];
static unsigned int ncpus;
static bool open;	 /* there is work: ports and grants are of this life */
static unsigned int shy; /* this one does not rest */
static unsigned int ended; /* so many have */
static bool over;	   /* all shall */
static struct lock lock;   /* for what follows */
static unsigned int counted;

static bool is(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_SEQ_CST);
}

static void set(bool *flag, bool to)
{
	__atomic_store_n(flag, to, __ATOMIC_SEQ_CST);
}

static unsigned int number(const unsigned int *n)
{
	return __atomic_load_n(n, __ATOMIC_SEQ_CST);
}

static void add(unsigned int *n, bool one)
{
	__atomic_add_fetch(n, one, __ATOMIC_SEQ_CST);
}

static void lap(unsigned int cpu)
{
	struct worker *w = &workers[cpu];
	uint64_t began = events_now();
	uint32_t ref = grants_give(0, w->page, true);

	add(&w->errors, began < w->last || ref == GRANTS_NONE);
	events_send(workers[cpu + 1 < ncpus ? cpu + 1 : 1].call);
	add(&w->calls, events_wait(w->call, CALL_NS));
	began = events_now();
	events_sleep(NAP_NS);
	w->last = events_now();
	add(&w->errors, w->last - began < NAP_NS);
	add(&w->errors, ref != GRANTS_NONE && grants_end(ref));
	lock_take(&lock);
	counted++;
	lock_drop(&lock);
	add(&w->laps, true);
}

static void work(unsigned int cpu)
{
	while (!is(&over)) {
		if (number(&shy) != cpu)
			add(&workers[cpu].errors, smp_rest() != 0);
		if (is(&open))
			lap(cpu);
		else
			cpu_relax();
	}
	add(&ended, true);
}

/* Calls of this life for each. */
static int open_work(void)
{
	int ret = 0;

	for (unsigned int i = 1; !ret && i < ncpus; i++)
		ret = events_ipi(i, &workers[i].call);
	set(&open, !ret);
	return ret;
}

/* Return: whether all CPUs get on: with time, with calls, and without an error. */
static bool all_go_on(void)
{
	uint64_t until = events_deadline(PATIENCE_NS);
	unsigned int laps, calls;
	const struct worker *w;

	for (unsigned int i = 1; i < ncpus; i++) {
		w = &workers[i];
		laps = number(&w->laps);
		calls = number(&w->calls);
		while (number(&w->laps) - laps < LAPS ||
		       number(&w->calls) - calls < LAPS) {
			if (number(&w->errors) || events_now() >= until) {
				say("smpsuspend cpu %u: laps=%u calls=%u errors=%u",
				    i, number(&w->laps) - laps,
				    number(&w->calls) - calls,
				    number(&w->errors));
				return false;
			}
			events_sleep(TURN_NS);
		}
	}
	return true;
}

static bool suspend(void)
{
	int ret;

	set(&open, false);
	ret = power_suspend(SHUTDOWN_suspend);
	if (ret == 1)
		set(&open, true);
	else if (!ret)
		ret = open_work();
	else
		say("smpsuspend: error %d", ret);
	if (ret < 0 || !all_go_on())
		return false;
	say("suspend %s laps=%u wall=%lu", ret ? "cancelled" : "anew",
	    number(&counted), (unsigned long)(events_wall() / 1000000000));
	return true;
}

/* Nothing is suspended while one CPU does not rest, and nothing has changed. */
static bool waits_for_all(void)
{
	int ret;

	__atomic_store_n(&shy, ncpus - 1, __ATOMIC_SEQ_CST);
	ret = power_suspend(SHUTDOWN_suspend);
	__atomic_store_n(&shy, 0, __ATOMIC_SEQ_CST);
	return ret == -XEN_EBUSY && all_go_on();
}

static bool begin(void)
{
	int ret = 0;

	for (unsigned int i = 1; !ret && i < ncpus; i++) {
		workers[i].page = pages_alloc(1);
		ret = workers[i].page ? smp_start(i, work) : -XEN_ENOMEM;
	}
	return !ret && !open_work() && all_go_on();
}

/* Return: whether all CPUs have ended, and each lap was counted. */
static bool end(void)
{
	uint64_t until = events_deadline(PATIENCE_NS);
	unsigned int laps = 0;

	set(&over, true);
	while (number(&ended) < ncpus - 1 && events_now() < until)
		events_sleep(TURN_NS);
	for (unsigned int i = 1; i < ncpus; i++)
		laps += number(&workers[i].laps);
	return number(&ended) == ncpus - 1 && laps == counted;
}

enum verdict guest_main(const char *cmdline)
{
	unsigned int refs;
	bool good;
	int asked = POWER_NONE;

	ncpus = (unsigned int)arg_u64(cmdline, "vcpus", 1);
	if (ncpus < 2 || ncpus > EVENTS_CPUS || xenbus_init() || power_init())
		return VERDICT_ERROR;
	refs = grants_free_refs();
	good = begin() && waits_for_all();
	say("suspend waits");
	while (good && asked >= 0 && asked != POWER_OFF) {
		asked = power_wait(TURN_NS);
		if (asked == POWER_SUSPEND)
			good = suspend();
	}
	good = end() && good && asked == POWER_OFF;
	return good && grants_free_refs() == refs ? VERDICT_SUCCESS
						  : VERDICT_FAILURE;
}
