/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_monitor.h - what happens when a domain has shut down. */
#ifndef TOOLS_XL_MONITOR_H
#define TOOLS_XL_MONITOR_H

#include <sys/types.h>

#include "tools/xl_build.h"

/*
 * How it works
 *
 * One process per domain waits on the domain socket.  The guest's shutdown
 * comes as DOM_EV_SHUTDOWN and is answered as on_poweroff= and the like say, but
 * for a suspension, after which the domain may go on: it is waited out; end
 * of file means that the VMM is gone, by `xl destroy` or for another reason,
 * and everything that is left is removed.  A restart happens here, with the
 * configuration that is kept by then: same name and UUID, another domid.  So does a
 * soft reset, in which the domain stays.
 */

/**
 * xl_monitor_run() - Look after a domain until it has gone or is preserved.
 * @c:    Its configuration; another one after a restart, if devices have come and
 *        gone.
 * @text: As given to xl_build().
 * @b:    The domain; closed when this returns.
 *
 * Return: 0, or 1 if a restart failed: for exit().
 */
int xl_monitor_run(struct xl_cfg *c, const char *text, struct xl_built *b);

/**
 * xl_monitor_spawn() - The same in a process of its own.
 * @session: Whether it leaves the caller's session (daemon).
 * @pid:     The process.
 *
 * Its log is <log>/xl-NAME.log.  @b is the new process's: closed here.
 *
 * Return: 0 or -errno; reported.
 */
int xl_monitor_spawn(struct xl_cfg *c, const char *text, struct xl_built *b,
		     bool session, pid_t *pid) must_check;

/**
 * xl_monitor_action() - What to do for a guest's shutdown.
 * @reason: UNTRUSTED: SHUTDOWN_* of xen/sched.h, chosen by the guest.
 *
 * Return: never XL_ACTION_NONE; unknown reasons are treated as a crash.
 */
enum xl_action xl_monitor_action(const struct xl_cfg *c, unsigned int reason);

#endif
