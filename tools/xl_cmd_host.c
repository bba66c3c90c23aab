// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_host.c - verbs about what Xen has and this host has not.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/xl_cmd.h"
#include "tools/xl_host.h"
#include "tools/xl_run.h"

#define POOL "Pool-0"

/* ---- The one pool --------------------------------------------------------- */

static void print_pool(bool cpus)
{
	struct xl_dom *doms;
	struct xl_host h;
	size_t n = 0;

	xl_host_read(&h);
	if (xl_run_list(&doms, &n))
		doms = NULL;
	free(doms);
	printf("%-19s", POOL);
	if (!cpus) {
		printf("%3u %9s       %c       %4zu\n", h.cpus, "credit2", 'y',
		       n + 1);
		return;
	}
	for (unsigned int i = 0; i < h.cpus; i++)
		printf("%s%u", i ? "," : "", i);
	printf("\n");
}

int xl_cmd_cpupool_list(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "cpus", no_argument, NULL, 'c' },
		{ 0 },
	};
	int opt, status = 0;
	bool cpus = false;

	while ((opt = xl_getopt(argc, argv, "c", longs, 0, &status)) > 0)
		cpus = true;
	if (!opt)
		return status;
	if (optind < argc && strcmp(argv[optind], POOL) != 0 &&
	    strcmp(argv[optind], "0") != 0) {
		fprintf(stderr, "Pool '%s' does not exist\n", argv[optind]);
		return XL_EXIT_FAIL;
	}
	printf("%-19s", "Name");
	printf(cpus ? "CPU list\n"
		    : "CPUs   Sched     Active   Domain count\n");
	print_pool(cpus);
	return 0;
}

/* ---- What is not there ---------------------------------------------------- */

/* By verbs' names, the first words of one or several of them. */
static const struct {
	const char *verb, *why;
} refusals[] = {
	{ "button-press", "PVH guests have no ACPI buttons" },
	{ "cd-", "a drive's medium is what the configuration names" },
	{ "cpupool-",
	  "there is one pool, " POOL ", and the scheduler is Linux" },
	{ "debug-keys", "there is no hypervisor console to send them to" },
	{ "devd", "sv-backend serves the devices, and is started when needed" },
	{ "set-parameters", "there is no hypervisor command line" },
};

int xl_cmd_refuse(int argc, char **argv)
{
	int opt, status = 0;
	const struct xl_cmd *cmd;
	size_t n;

	while ((opt = xl_getopt(argc, argv, "", NULL, 0, &status)) > 0)
		;
	cmd = xl_cmd_find(argv[0], &n);
	if (!opt || !cmd)
		return status;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		if (!strncmp(cmd->name, refusals[i].verb,
			     strlen(refusals[i].verb)))
			fprintf(stderr, "xl %s: %s\n", cmd->name,
				refusals[i].why);
	}
	return XL_EXIT_FAIL;
}
