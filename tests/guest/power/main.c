/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/guest/power/main.c - a guest that does what xl shutdown and reboot ask. */
#include <stdint.h>
#include <xen/xen.h>
#include <xen/sched.h>

#include "guest-frontend/console.h"
#include "guest-frontend/power.h"
#include "guest-frontend/start.h"
#include "guest-frontend/xenbus.h"

#define PATIENCE_NS UINT64_C(120000000000)

enum verdict guest_main(const char *cmdline)
{
	int asked;

	(void)cmdline;
	if (xenbus_init() || power_init())
		return VERDICT_ERROR;
	say("power waits");
	do {
		asked = power_wait(PATIENCE_NS);
		say("power asked=%d", asked);
	} while (asked == POWER_OTHER);
	if (asked == POWER_REBOOT)
		start_down(SHUTDOWN_reboot);
	return asked == POWER_OFF ? VERDICT_SUCCESS : VERDICT_FAILURE;
}
