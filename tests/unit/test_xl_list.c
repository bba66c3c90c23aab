// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_xl_list.c - the table of `xl list`, to the character.
#include "tools/xl_list.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>

static void setup(void)
{
	cr_redirect_stdout();
}

TestSuite(xl_list, .init = setup);

Test(xl_list, header)
{
	xl_list_header(0);
	fflush(stdout);
	cr_expect_stdout_eq_str(
		"Name                                        ID   Mem VCPUs\tState\tTime(s)\n");
}

Test(xl_list, header_with_uuid)
{
	xl_list_header(XL_LIST_UUID);
	fflush(stdout);
	cr_expect_stdout_eq_str(
		"Name                                        ID   Mem VCPUs\tState\tTime(s)   UUID                            Reason-Code\tSecurity Label\n");
}

Test(xl_list, running)
{
	struct xl_row r = { .domid = 2,
			    .name = "g1",
			    .mem_kib = 256 << 10,
			    .vcpus = 1,
			    .state = DOM_BLOCKED,
			    .cpu_ns = 12300000000 };

	xl_list_row(&r, 0);
	fflush(stdout);
	cr_expect_stdout_eq_str(
		"g1                                           2   256     1     -b----      12.3\n");
}

Test(xl_list, with_uuid)
{
	struct xl_row r = { .domid = 2,
			    .name = "g1",
			    .mem_kib = 256 << 10,
			    .vcpus = 1,
			    .state = DOM_PAUSED };

	memset(r.uuid, 0x11, sizeof(r.uuid));
	xl_list_row(&r, XL_LIST_UUID);
	fflush(stdout);
	cr_expect_stdout_eq_str(
		"g1                                           2   256     1     --p---       0.0 11111111-1111-1111-1111-111111111111        -                -\n");
}

/* Six fields, with the letters that engines know, whatever the state. */
static void letters(uint32_t state, uint32_t reason, char got[8])
{
	struct xl_row r = {
		.domid = 1, .name = "x", .state = state, .reason = reason
	};
	char line[256] = "";
	FILE *out = cr_get_redirected_stdout();

	xl_list_row(&r, 0);
	fflush(stdout);
	cr_assert_not_null(fgets(line, sizeof(line), out));
	cr_assert_eq(sscanf(line, "%*s %*s %*s %*s %7s", got), 1);
}

Test(xl_list, states)
{
	static const struct {
		uint32_t state, reason;
		const char *want;
	} t[] = {
		{ DOM_RUNNING, 0, "r-----" },
		{ DOM_BLOCKED, 0, "-b----" },
		{ 0, 0, "------" },
		{ DOM_PAUSED | DOM_BLOCKED, 0, "-bp---" },
		{ DOM_SHUTDOWN, 0, "---s--" },
		{ DOM_SHUTDOWN, 1, "---sr-" },
		{ DOM_SHUTDOWN, 2, "---ss-" },
		{ DOM_SHUTDOWN, 3, "---sc-" },
		{ DOM_SHUTDOWN, 4, "---sw-" },
		{ DOM_SHUTDOWN, 5, "---sS-" },
		{ DOM_SHUTDOWN, 0xffffffff, "---s?-" },
		{ DOM_SHUTDOWN | DOM_RUNNING | DOM_BLOCKED, 0, "---s--" },
	};
	char got[8];

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		letters(t[i].state, t[i].reason, got);
		cr_expect_str_eq(got, t[i].want);
	}
}
