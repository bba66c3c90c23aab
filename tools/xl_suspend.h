/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_suspend.h - having a guest suspend itself. */
#ifndef TOOLS_XL_SUSPEND_H
#define TOOLS_XL_SUSPEND_H

#include "base/util.h"

/** XL_SUSPEND_MS - How long each of the guest's two steps may take, as libxl's. */
#define XL_SUSPEND_MS 60000

/**
 * xl_suspend() - Ask a guest to suspend itself, and wait until it has.
 * @ms: At most so long for its acknowledgement, and as long until it stops.
 *
 * A request that is not acknowledged, in time or before xl_interrupted(), is
 * taken back.  The guest is asked by control/shutdown; an event channel that it
 * has registered in device/suspend/event-channel is not used.
 *
 * Return: 0 when it is suspended, or -errno; reported.
 */
int xl_suspend(unsigned int domid, int ms) must_check;

#endif
