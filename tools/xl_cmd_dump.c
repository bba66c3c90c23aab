// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_dump.c - xl dump-core.
#include <stdio.h>
#include <unistd.h>

#include "tools/xl_cmd.h"
#include "tools/xl_dump.h"
#include "tools/xl_proc.h"
#include "tools/xl_run.h"

int xl_cmd_dump_core(int argc, char **argv)
{
	int opt, status = 0;
	unsigned int domid;

	while ((opt = xl_getopt(argc, argv, "", NULL, 2, &status)) > 0)
		;
	if (!opt)
		return status;
	if (xl_find_domain(argv[optind], &domid))
		return XL_EXIT_FAIL;
	if (!domid) {
		fprintf(stderr, "xl dump-core: domain 0 is this host\n");
		return XL_EXIT_FAIL;
	}
	xl_catch_interrupts();
	return xl_dump(domid, argv[optind + 1]) ? XL_EXIT_FAIL : 0;
}
