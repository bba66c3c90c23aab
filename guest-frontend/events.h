/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/events.h - event channels, and time to wait for them. */
#ifndef GUEST_FRONTEND_EVENTS_H
#define GUEST_FRONTEND_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How it works
 *
 * The upcall moves pending bits of shared memory into a private set, one bit for
 * each port, and leaves everything else to whoever waits: drivers run in their
 * callers' time, never in an interrupt's.  An event is a hint that there may be
 * something to do; several that come before anybody looks are one.
 */
#define EVENTS_PORTS 4096u
#define EVENTS_CPUS  32u /* that have their vcpu_info in shared_info */

/** EVENTS_FOREVER - A timeout that never comes. */
#define EVENTS_FOREVER UINT64_MAX

/**
 * events_init() - Place shared_info, ask for upcalls, bind the timer.
 *
 * At first, and in each further life; what had come before is forgotten.
 *
 * Return: 0 or a negative errno of Xen.
 */
int events_init(void);

/** events_init_cpu() - The part of it that each further CPU does for itself. */
int events_init_cpu(void);

/**
 * events_ipi() - Make a port on which any CPU can call @cpu; as events_alloc().
 */
int events_ipi(unsigned int cpu, uint32_t *port);

/** events_to_cpu() - From now on events of a port wake @cpu. */
int events_to_cpu(uint32_t port, unsigned int cpu);

/** events_use() - Hear of a port that was there from the start. */
void events_use(uint32_t port);

/**
 * events_alloc() - Make a port that the backend in domain @remote can bind.
 * @port: Written only on success.
 *
 * Return: 0 or a negative errno of Xen.
 */
int events_alloc(unsigned int remote, uint32_t *port);

/** events_bind() - Bind to port @peer of domain @remote; as events_alloc(). */
int events_bind(unsigned int remote, uint32_t peer, uint32_t *port);

/** events_close() - Give a port back. */
void events_close(uint32_t port);

/** events_send() - Notify the other side. */
void events_send(uint32_t port);

/** events_take() - Whether there was an event since the last call; forget it. */
bool events_take(uint32_t port);

/** events_take_timer() - events_take() of this CPU's timer. */
bool events_take_timer(void);

/**
 * events_wait() - Sleep until there is an event, and take it.
 * @port: One whose events wake this CPU: the first one's unless told otherwise.
 * @ns: At most this long.
 *
 * Return: whether there was one.
 */
bool events_wait(uint32_t port, uint64_t ns);

/** events_sleep() - Let @ns pass. */
void events_sleep(uint64_t ns);

/** events_now() - System time: ns since the domain began. */
uint64_t events_now(void);

/** events_wall() - The time of day: ns since 1970. */
uint64_t events_wall(void);

/** events_at() - System time when this CPU's time stamp counter was @tsc. */
uint64_t events_at(uint64_t tsc);

/** events_deadline() - The time in @ns from now; EVENTS_FOREVER stays that. */
uint64_t events_deadline(uint64_t ns);

#endif
