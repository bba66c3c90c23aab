// SPDX-License-Identifier: GPL-2.0-or-later
// tools/sv_doctor.c - sv-doctor: look at this host, line by line.
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/paths.h"
#include "tools/doctor.h"

static const char usage[] =
	"usage: sv-doctor [--json]\n"
	"\n"
	"Say what this host has for running guests, what it lacks, and the remedy.\n"
	"The exit status is 0 if guests can run.\n";

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct doctor d;
	bool json = false;
	int opt;

	log_init("", LOG_LVL_INFO);
	while ((opt = getopt_long(argc, argv, "jh", options, NULL)) != -1) {
		if (opt == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (opt == '?') {
			fputs(usage, stderr);
			return 2;
		}
		json = true;
	}
	if (optind < argc) {
		fputs(usage, stderr);
		return 2;
	}
	paths_init();
	doctor_run(&d, "");
	doctor_print(&d, json);
	return doctor_worst(&d) == DOCTOR_FAIL;
}
