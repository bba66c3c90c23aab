/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/smp.h - more than one CPU. */
#ifndef GUEST_FRONTEND_SMP_H
#define GUEST_FRONTEND_SMP_H

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
 * Return: 0; -XEN_ENOMEM; -XEN_ETIME if it does not come within a second.
 */
int smp_start(unsigned int cpu, void (*fn)(unsigned int cpu));

#endif
