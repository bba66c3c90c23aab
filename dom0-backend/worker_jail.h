/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/worker_jail.h - what a device's worker can still do. */
#ifndef DOM0_BACKEND_WORKER_JAIL_H
#define DOM0_BACKEND_WORKER_JAIL_H

#include "base/util.h"

/**
 * worker_jail() - Give up all but the store's socket; for device_main().
 *
 * Of files that is the directory of the socket, as the store may be started anew;
 * nothing in it can be changed, and the sockets of domains are hidden if they are
 * in it.  The system calls are the program's own, by its build (base/jail.h).
 *
 * Return: 0 or -errno.
 */
int worker_jail(void) must_check;

#endif
