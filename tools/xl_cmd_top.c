// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_top.c - xl top, which is a program of its own.
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/paths.h"
#include "tools/xl_cmd.h"

int xl_cmd_top(int argc, char **argv)
{
	char program[PATH_MAX];

	(void)argc;
	paths_program(program, "sv-top");
	argv[0] = program;
	execv(program, argv);
	log_err("%s: cannot be started: %s", program, strerror(errno));
	return XL_EXIT_FAIL;
}
