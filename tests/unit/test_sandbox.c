/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_sandbox.c - nothing is left after sandbox_enter(). */
#include "base/sandbox.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* A line of /proc/thread-self/status, by its name. */
static void status(const char *name, char value[64])
{
	char line[256], form[32];
	FILE *f = fopen("/proc/thread-self/status", "re");

	cr_assert_not_null(f);
	snprintf(form, sizeof(form), "%s: %%63s", name);
	value[0] = 0;
	while (!value[0] && fgets(line, sizeof(line), f)) {
		if (sscanf(line, form, value) != 1)
			value[0] = 0;
	}
	fclose(f);
}

Test(sandbox, nothing_is_left)
{
	static const char *const sets[] = { "CapInh", "CapPrm", "CapEff",
					    "CapAmb" };
	char value[64];

	cr_assert_eq(sandbox_enter(), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		status(sets[i], value);
		cr_expect_str_eq(value, "0000000000000000", "%s", sets[i]);
	}
	status("NoNewPrivs", value);
	cr_expect_str_eq(value, "1");
	cr_expect_eq(sandbox_enter(), 0, "once more changes nothing");
}
