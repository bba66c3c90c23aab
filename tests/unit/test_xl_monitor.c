// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_xl_monitor.c - which action a guest's shutdown leads to.
#include "tools/xl_monitor.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/sched.h>

Test(xl_monitor, actions)
{
	struct xl_cfg c = { .on = {
				    [XL_ON_POWEROFF] = XL_ACTION_PRESERVE,
				    [XL_ON_REBOOT] = XL_ACTION_RESTART,
				    [XL_ON_CRASH] = XL_ACTION_RENAME_RESTART,
				    [XL_ON_WATCHDOG] = XL_ACTION_DESTROY,
				    [XL_ON_SOFT_RESET] = XL_ACTION_SOFT_RESET,
			    } };

	cr_expect_eq(xl_monitor_action(&c, SHUTDOWN_poweroff),
		     XL_ACTION_PRESERVE);
	cr_expect_eq(xl_monitor_action(&c, SHUTDOWN_reboot), XL_ACTION_RESTART);
	cr_expect_eq(xl_monitor_action(&c, SHUTDOWN_crash),
		     XL_ACTION_RENAME_RESTART);
	cr_expect_eq(xl_monitor_action(&c, SHUTDOWN_watchdog),
		     XL_ACTION_DESTROY);
	cr_expect_eq(xl_monitor_action(&c, SHUTDOWN_soft_reset),
		     XL_ACTION_SOFT_RESET);
	/* Not ours to decide: whoever suspended it looks after it. */
	cr_expect_eq(xl_monitor_action(&c, SHUTDOWN_suspend),
		     XL_ACTION_PRESERVE);
	/* The guest chose the number. */
	cr_expect_eq(xl_monitor_action(&c, 6), XL_ACTION_RENAME_RESTART);
	cr_expect_eq(xl_monitor_action(&c, UINT32_MAX),
		     XL_ACTION_RENAME_RESTART);
}
