/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/storm.h - events without pause, at a guest in this process. */
#ifndef TESTS_LIB_STORM_H
#define TESTS_LIB_STORM_H

#include <stdint.h>

#include "tests/lib/fakedom.h"

struct storm;

/** storm_start() - A backend that signals an event channel as fast as a CPU can. */
struct storm *storm_start(struct fakedom *dom, uint32_t port);

/** storm_stop() - It stops. */
void storm_stop(struct storm *s);

/**
 * storm_and_another_cpu() - One CPU waits in a storm, another one works.
 * @dom:  That of procdom_use().
 * @port: The event channel of the storm.
 * @wait: Waits on it, for 10 ms or a few seconds, for what never comes.
 *
 * The other CPU uses a disk of its own, whose backend is honest.  It must do a
 * number of requests in the storm as before it, with the right data, at no more
 * than ten times the CPU time: that it takes the storm for its own affair, or
 * waits in turn for a lock, would cost more.
 */
void storm_and_another_cpu(struct fakedom *dom, uint32_t port,
			   void (*wait)(void));

#endif
