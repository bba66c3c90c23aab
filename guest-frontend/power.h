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
	POWER_SUSPEND, /* answered by power_suspend() */
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

/**
 * power_suspend() - Be suspended, and go on when the toolstack says so.
 * @reason: As of start_suspend(): with SHUTDOWN_soft_reset it does so at once.
 *
 * All further CPUs must rest (smp.h), and nobody use a device.
 *
 * Return: 1 if it was cancelled: all is as it was.  0 if this is another life:
 * console and store are there again, every device has to be resumed next
 * (blkfront_resume(), netfront_resume()), and all other watches, grants and
 * event channels have to be made anew.  -XEN_EBUSY if a CPU does not rest; or
 * another -XEN_E*.
 */
int power_suspend(unsigned int reason);

#endif
