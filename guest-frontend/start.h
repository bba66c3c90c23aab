/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/start.h - what a guest stands on, until guest_main() runs. */
#ifndef GUEST_FRONTEND_START_H
#define GUEST_FRONTEND_START_H

#include <stddef.h>
#include <stdint.h>

/*
 * How it works
 *
 * This header, events.h and page_gfn() are all that the drivers know of the world
 * below them.  start.c and events.c provide it with hypercalls, in a virtual
 * machine; tests/lib/procdom.c with the domain socket, for a process that plays
 * the guest.
 */

/** START_UPCALL_VECTOR - The interrupt that tells of events. */
#define START_UPCALL_VECTOR 0x30

/** start_tsc - The time stamp counter at entry; in virtual machines only. */
extern uint64_t start_tsc;

/** enum verdict - What a test guest says at its end, as a line of its own. */
enum verdict {
	VERDICT_SUCCESS,
	VERDICT_SKIP,  /* the hypervisor or host lacks what the test is about */
	VERDICT_ERROR, /* the test could not be made */
	VERDICT_FAILURE, /* it was made, and failed */
	NVERDICTS,
};

/**
 * guest_main() - The guest's own code: one in each image.
 * @cmdline: The kernel command line.
 *
 * Hypercalls, memory, events, grants and the console work.  What it returns is
 * printed, and the domain powers off.
 */
enum verdict guest_main(const char *cmdline);

/**
 * start_ring() - Find a ring that the domain was made with.
 * @pfn_param, @port_param: HVM_PARAM_* that hold its page and its port.
 * @port: Written only on success.
 *
 * Return: the page, or NULL if there is no such ring.
 */
void *start_ring(uint32_t pfn_param, uint32_t port_param, uint32_t *port);

/**
 * start_grant_table() - Place the first @frames frames of the grant table.
 *
 * Again in another life: they lie where they did.
 *
 * Return: where they lie, or NULL.
 */
void *start_grant_table(unsigned int frames);

/** start_print() - Print without the console's ring. */
void start_print(const char *text, size_t n);

/**
 * start_suspend() - Be suspended, and go on later.
 * @reason: SHUTDOWN_suspend; or SHUTDOWN_soft_reset, which always is another life.
 *
 * All further CPUs must rest, see smp.h.
 *
 * Return: 1 if it was cancelled: nothing has changed.  0 if this is another life:
 * time and the timers are there again; all event channels and grants are gone,
 * the rings of the store and the console are empty ones.  -XEN_EBUSY if a CPU
 * does not rest, or another negative errno of Xen.
 */
int start_suspend(unsigned int reason);

/** start_cpu() - Let a CPU take interrupts and exceptions as the first does. */
void start_cpu(void);

/** start_guest() - The world is there: run guest_main() to its end. */
__attribute__((noreturn)) void start_guest(const char *cmdline);

/** start_down() - End the domain for @reason (SHUTDOWN_*); does not return. */
__attribute__((noreturn)) void start_down(unsigned int reason);

#endif
