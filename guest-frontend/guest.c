/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/guest.c - run guest_main(), say how it went, power off. */
#include <stdint.h>
#include <xen/xen.h>
#include <xen/sched.h>

#include "guest-frontend/console.h"
#include "guest-frontend/start.h"

void start_guest(const char *cmdline)
{
	static const char *const names[NVERDICTS] = { "SUCCESS", "SKIP",
						      "ERROR", "FAILURE" };
	int ret = console_init();

	if (ret) {
		say("console: error %d", ret);
		start_down(SHUTDOWN_crash);
	}
	say("%s", names[guest_main(cmdline)]);
	start_down(SHUTDOWN_poweroff);
}
