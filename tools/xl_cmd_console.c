// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_console.c - xl console.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/xl_cmd.h"
#include "tools/xl_console.h"

int xl_cmd_console(int argc, char **argv)
{
	unsigned int domid;
	int opt, status = 0, fd;

	while ((opt = xl_getopt(argc, argv, "n:t:", NULL, 1, &status)) > 0) {
		if ((opt == 'n' && strcmp(optarg, "0") != 0) ||
		    (opt == 't' && strcmp(optarg, "pv") != 0)) {
			fprintf(stderr,
				"xl console: -%c %s: there is console 0 of type pv only\n",
				opt, optarg);
			return XL_EXIT_FAIL;
		}
	}
	if (!opt)
		return status;
	if (xl_find_domain(argv[optind], &domid))
		return XL_EXIT_FAIL;
	if (!domid) {
		fprintf(stderr, "xl console: domain 0 is this host\n");
		return XL_EXIT_FAIL;
	}
	fd = xl_console_open(domid);
	if (fd < 0)
		return XL_EXIT_FAIL;
	xl_console_run(fd);
	close(fd);
	return 0;
}
