/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/guest/smp/main.c - several CPUs at once.
 *
 *	vcpus=N		of the domain
 */
#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>

#include "guest-frontend/console.h"
#include "guest-frontend/cpu.h"
#include "guest-frontend/events.h"
#include "guest-frontend/grants.h"
#include "guest-frontend/lock.h"
#include "guest-frontend/pages.h"
#include "guest-frontend/smp.h"
#include "guest-frontend/start.h"
#include "tests/guest/args.h"

#define SECOND	UINT64_C(1000000000)
#define TURNS	20000u
#define LAPS	300u
#define NAPS	5u
#define NAP_NS	UINT64_C(20000000)
#define BACK_NS UINT64_C(1000000) /* clocks of vCPUs may differ by as much */

static unsigned int failed, ncpus;
static uint32_t call[EVENTS_CPUS]; /* wakes the CPU of that number */
static unsigned int laps[EVENTS_CPUS], early[EVENTS_CPUS];
static struct lock lock; /* for what follows */
static uint64_t counted, latest;
static unsigned int backwards, no_pages;
static uint32_t here, there; /* a pair; events of the second wake CPU 1 */
static bool moved;
static unsigned int done; /* atomic: CPUs that have ended */

static void check(bool good, const char *what)
{
	say("smp %s %s", what, good ? "ok" : "failed");
	failed += !good;
}

/* All take the same lock, pages and references. */
static void contend(void)
{
	uint64_t now;
	void *page;
	uint32_t ref;

	for (unsigned int i = 0; i < TURNS; i++) {
		page = pages_alloc(1 + i % 3);
		ref = page ? grants_give(0, page, true) : GRANTS_NONE;
		lock_take(&lock);
		counted++;
		no_pages += ref == GRANTS_NONE;
		now = events_now();
		backwards += now + BACK_NS < latest;
		latest = now > latest ? now : latest;
		lock_drop(&lock);
		if (ref != GRANTS_NONE)
			(void)grants_end(ref);
		pages_free(page, 1 + i % 3);
	}
}

/* A call goes round: each CPU sleeps until the one before it calls. */
static void pass_on(unsigned int cpu)
{
	for (unsigned int i = 0; i < LAPS; i++) {
		if (!events_wait(call[cpu], 30 * SECOND))
			return;
		laps[cpu]++;
		events_send(call[(cpu + 1) % ncpus]);
	}
}

static void nap(unsigned int cpu)
{
	uint64_t began;

	for (unsigned int i = 0; i < NAPS; i++) {
		began = events_now();
		events_sleep(NAP_NS);
		early[cpu] += events_now() - began < NAP_NS;
	}
}

static void work(unsigned int cpu)
{
	contend();
	if (cpu == 0)
		events_send(here);
	if (cpu == 1)
		moved = events_wait(there, 30 * SECOND);
	pass_on(cpu);
	nap(cpu);
	__atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
}

static bool all_done(void)
{
	uint64_t until = events_deadline(30 * SECOND);

	while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) < ncpus) {
		if (events_now() > until)
			return false;
		events_sleep(SECOND / 100);
	}
	return true;
}

enum verdict guest_main(const char *cmdline)
{
	size_t pages = 0;
	unsigned int refs = grants_free_refs(), good = 0;
	bool ended;
	int ret;

	ncpus = (unsigned int)arg_u64(cmdline, "vcpus", 1);
	if (ncpus < 2 || ncpus > EVENTS_CPUS)
		return VERDICT_ERROR;
	ret = events_alloc(DOMID_SELF, &here);
	if (!ret)
		ret = events_bind(DOMID_SELF, here, &there);
	/* The binding is an event too. */
	if (!ret && events_wait(there, SECOND))
		ret = events_to_cpu(there, 1);
	for (unsigned int i = 0; !ret && i < ncpus; i++)
		ret = events_ipi(i, &call[i]);
	if (ret)
		return VERDICT_FAILURE;
	for (unsigned int i = 1; i < ncpus; i++) {
		ret = smp_start(i, work);
		if (ret)
			say("smp cpu %u: error %d", i, ret);
		good += !ret;
	}
	check(good == ncpus - 1, "all CPUs start");
	if (failed)
		return VERDICT_FAILURE;
	pages = pages_left();
	events_send(call[0]);
	work(0);
	ended = all_done();
	check(ended, "all CPUs end");
	check(counted == (uint64_t)TURNS * ncpus, "each turn is counted");
	check(!no_pages && grants_free_refs() == refs, "references");
	check(ended && pages_left() >= pages, "pages");
	check(!backwards, "time goes on, whichever CPU is asked");
	good = 0;
	for (unsigned int i = 0; i < ncpus; i++)
		good += laps[i] == LAPS && !early[i];
	check(good == ncpus, "calls and timers of each");
	check(moved, "an event wakes the CPU it was given to");
	return failed ? VERDICT_FAILURE : VERDICT_SUCCESS;
}
