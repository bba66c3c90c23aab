// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_host.c - verbs about what Xen has and this host has not.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/xl_cmd.h"
#include "tools/xl_host.h"
#include "tools/xl_out.h"
#include "tools/xl_run.h"

#define POOL "Pool-0"

/* ---- The one pool --------------------------------------------------------- */

struct pool {
	const char *name, *sched;
	unsigned int ncpus;
	uint64_t ndoms;
	bool active;
};

static const struct xl_field pool_fields[] = {
	XL_FIELD("name", STRING, pool, name),
	XL_FIELD("cpus", UINT, pool, ncpus),
	XL_FIELD("scheduler", STRING, pool, sched),
	XL_FIELD("active", BOOL, pool, active),
	XL_FIELD("domains", U64, pool, ndoms),
};

static void print_pool_head(unsigned int cpus)
{
	printf("%-19s", "Name");
	printf(cpus ? "CPU list\n"
		    : "CPUs   Sched     Active   Domain count\n");
}

static void print_pool(const void *row, unsigned int cpus)
{
	const struct pool *p = row;

	printf("%-19s", p->name);
	if (!cpus) {
		printf("%3u %9s       %c       %4llu\n", p->ncpus, p->sched,
		       p->active ? 'y' : 'n', (unsigned long long)p->ndoms);
		return;
	}
	for (unsigned int i = 0; i < p->ncpus; i++)
		printf("%s%u", i ? "," : "", i);
	printf("\n");
}

/* This host is one of its domains. */
static void fill_pool(struct pool *p)
{
	struct xl_dom *doms;
	struct xl_host h;
	size_t n = 0;

	xl_host_read(&h);
	if (xl_run_list(&doms, &n))
		doms = NULL;
	free(doms);
	*p = (struct pool){ .name = POOL,
			    .sched = "credit2",
			    .ncpus = h.cpus,
			    .ndoms = n + 1,
			    .active = true };
}

int xl_cmd_cpupool_list(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "cpus", no_argument, NULL, 'c' },
		{ 0 },
	};
	static const struct xl_table t = {
		.head = print_pool_head,
		.row = print_pool,
		.field = pool_fields,
		.n = ARRAY_SIZE(pool_fields),
	};
	int opt, status = 0;
	bool cpus = false;
	struct pool p;

	while ((opt = xl_getopt(argc, argv, "c", longs, 0, &status)) > 0)
		cpus = true;
	if (!opt)
		return status;
	if (optind < argc && strcmp(argv[optind], POOL) != 0 &&
	    strcmp(argv[optind], "0") != 0) {
		xl_error(argv[optind], "there is one: " POOL,
			 "Pool '%s' does not exist", argv[optind]);
		return XL_EXIT_FAIL;
	}
	fill_pool(&p);
	xl_out_begin(&t, cpus);
	xl_out_row(&p);
	return xl_out_end();
}

/* ---- What is not there ---------------------------------------------------- */

/* By verbs' names, the first words of one or several of them. */
static const struct {
	const char *verb, *why;
} refusals[] = {
	{ "button-press", "PVH guests have no ACPI buttons" },
	{ "cpupool-",
	  "there is one pool, " POOL ", and the scheduler is Linux" },
	{ "debug-keys", "there is no hypervisor console to send them to" },
	{ "devd", "sv-backend serves the devices, and is started when needed" },
	{ "set-parameters", "there is no hypervisor command line" },
};

int xl_cmd_refuse(int argc, char **argv)
{
	const struct xl_cmd *cmd;
	int status = 0;
	size_t n;

	if (!xl_no_options(argc, argv, 0, &status))
		return status;
	cmd = xl_cmd_find(argv[0], &n);
	for (size_t i = 0; cmd && i < ARRAY_SIZE(refusals); i++) {
		if (!strncmp(cmd->name, refusals[i].verb,
			     strlen(refusals[i].verb)))
			fprintf(stderr, "xl %s: %s\n", cmd->name,
				refusals[i].why);
	}
	return XL_EXIT_FAIL;
}
