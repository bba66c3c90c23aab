/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_daemons.h - the processes that all domains share. */
#ifndef TOOLS_XL_DAEMONS_H
#define TOOLS_XL_DAEMONS_H

#include "base/util.h"

/**
 * xl_daemons_ensure() - Start sv-xenstored and sv-backend if they do not run.
 *
 * Two callers at once start one of each.  The store gets the nodes of domain 0
 * if it has none.
 *
 * Return: 0 or -errno; reported.
 */
int xl_daemons_ensure(void) must_check;

#endif
