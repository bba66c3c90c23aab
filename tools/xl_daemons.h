/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_daemons.h - the processes that all domains share. */
#ifndef TOOLS_XL_DAEMONS_H
#define TOOLS_XL_DAEMONS_H

#include "base/util.h"
#include "tools/xl_store.h"

/**
 * xl_daemons_ensure() - Start sv-xenstored and sv-backend if they do not run.
 *
 * Two callers at once start one of each.  The store gets the nodes of domain 0
 * if it has none.
 *
 * Return: 0 or -errno; reported.
 */
int xl_daemons_ensure(void) must_check;

/**
 * xl_daemons_wait() - xl_store_wait() for what sv-backend does.
 *
 * Once a second it makes sure that sv-backend runs: one that was about to die
 * when xl_daemons_ensure() looked still had its lock.
 */
int xl_daemons_wait(struct xs_handle *h, const char *path, int timeout_ms,
		    int (*check)(struct xs_handle *h, void *arg),
		    void *arg) must_check;

#endif
