// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_xl_cmd.c - verbs by their first letters, options, help.
#include "tools/xl_cmd.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>

static const char *found(const char *name)
{
	size_t n;
	const struct xl_cmd *cmd = xl_cmd_find(name, &n);

	return cmd ? cmd->name : n ? "(several)" : "(none)";
}

Test(xl_cmd, prefixes)
{
	cr_expect_str_eq(found("list"), "list");
	cr_expect_str_eq(found("l"), "list");
	cr_expect_str_eq(found("cre"), "create");
	cr_expect_str_eq(found("c"), "(several)");
	cr_expect_str_eq(found("domi"), "domid");
	cr_expect_str_eq(found("dom"), "(several)");
	cr_expect_str_eq(found("domid"), "domid");
	cr_expect_str_eq(found("dm"), "dmesg");
	cr_expect_str_eq(found("network-l"), "network-list");
	cr_expect_str_eq(found("lists"), "(none)");
	cr_expect_str_eq(found("frob"), "(none)");
	cr_expect_str_eq(found("xen"), "(several)");
	cr_expect_str_eq(found("xenstore-quota-s"), "xenstore-quota-set");
	cr_expect_str_eq(found("mem"), "(several)");
	cr_expect_str_eq(found("mem-s"), "mem-set");
	cr_expect_str_eq(found("vcpu-s"), "vcpu-set");
}

Test(xl_cmd, every_verb_is_complete)
{
	for (size_t i = 0; i < xl_ncmds; i++) {
		const struct xl_cmd *cmd = &xl_cmds[i];

		cr_expect_str_eq(found(cmd->name), cmd->name);
		cr_expect(cmd->run && *cmd->summary && cmd->usage &&
			  cmd->options);
		cr_expect_leq(strlen(cmd->name), 19);
	}
}

Test(xl_cmd, help_of_a_verb, .init = cr_redirect_stdout)
{
	size_t n;

	xl_cmd_help(xl_cmd_find("pause", &n));
	fflush(stdout);
	cr_expect_stdout_eq_str("Usage: xl [-vtT] pause <Domain>\n\n"
				"Pause execution of a domain.\n\n");
}

Test(xl_cmd, help_of_all, .init = cr_redirect_stdout)
{
	char line[128];
	FILE *out;

	xl_cmd_help(NULL);
	fflush(stdout);
	out = cr_get_redirected_stdout();
	cr_assert_not_null(fgets(line, sizeof(line), out));
	cr_expect_str_eq(line, "Usage xl [-vfNtT] <subcommand> [args]\n");
	while (fgets(line, sizeof(line), out) && strncmp(line, " list", 5))
		;
	cr_expect_str_eq(
		line,
		" list                List information about all/some domains\n");
}

static int next(int argc, const char *const *words, int nargs, int *status)
{
	char *argv[8];

	for (int i = 0; i < argc; i++)
		argv[i] = strdup(words[i]);
	optind = 1;
	return xl_getopt(argc, argv, "w", NULL, nargs, status);
}

Test(xl_cmd, options, .init = cr_redirect_stderr)
{
	int status = -1;

	cr_expect_eq(next(2, (const char *[]){ "pause", "x" }, 1, &status), -1);
	cr_expect_eq(next(2, (const char *[]){ "pause", "-w" }, 1, &status),
		     'w');
	cr_expect_eq(next(1, (const char *[]){ "pause" }, 1, &status), 0);
	cr_expect_eq(status, 1);
	cr_expect_eq(next(2, (const char *[]){ "pause", "-z" }, 0, &status), 0);
	cr_expect_eq(status, 1);
	cr_expect_eq(next(2, (const char *[]){ "create", "-z" }, 0, &status),
		     0);
	cr_expect_eq(status, 2);
	cr_expect_eq(next(2, (const char *[]){ "list", "-h" }, 0, &status), 0);
	cr_expect_eq(status, 0);
}
