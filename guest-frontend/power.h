/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/power.h - what the toolstack asks of the whole guest. */
#ifndef GUEST_FRONTEND_POWER_H
#define GUEST_FRONTEND_POWER_H

#include <stdint.h>

/**
 * enum power - Values of the node control/shutdown (docs/misc/xenstore-paths of
 * Xen), which the guest empties to say that it has begun.
 */
enum power {
	POWER_NONE,
	POWER_OFF,
	POWER_REBOOT,
	POWER_OTHER, /* what this guest cannot do; it is emptied all the same */
};

/** power_init() - Say what this guest can do, and watch.  Return: 0 or -XEN_E*. */
int power_init(void);

/**
 * power_wait() - Take what is asked, and acknowledge it.
 * @ns: Wait at most this long; 0 only looks.
 *
 * Return: POWER_*, or -XEN_E* of the store.
 */
int power_wait(uint64_t ns);

#endif
