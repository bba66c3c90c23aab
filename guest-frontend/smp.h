/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/smp.h - more than one CPU. */
#ifndef GUEST_FRONTEND_SMP_H
#define GUEST_FRONTEND_SMP_H

#include <stdbool.h>

/*
 * How it works
 *
 * CPUs are started with INIT and SIPI through the local APIC, whose id is the
 * vCPU's number.  Grants, pages and events may be used by all of them, the
 * console and the store by one at a time.
 */

/**
 * smp_init() - Tell the first CPU who it is; before any interrupt.
 */
void smp_init(void);

/**
 * smp_start() - Start a CPU, with events and a stack of its own.
 * @cpu: From 1 to EVENTS_CPUS - 1; each at most once.
 * @fn:  What it runs; when that returns, it sleeps for good.
 *
 * Return: 0; -XEN_ENOMEM; -XEN_ETIME if it does not come within 10 s.
 */
int smp_start(unsigned int cpu, void (*fn)(unsigned int cpu));

/**
 * smp_rest() - For further CPUs, again and again: rest here while the domain is
 * suspended.
 *
 * Return: 0, or a negative errno of Xen if this CPU has no events in its new
 * life.
 */
int smp_rest(void);

/**
 * smp_hold() - For the first CPU: wait until all others rest.
 *
 * Return: 0; -XEN_EBUSY if one does not come to rest within 10 s.
 */
int smp_hold(void);

/** smp_release() - They go on; @anew: in another life. */
void smp_release(bool anew);

#endif
