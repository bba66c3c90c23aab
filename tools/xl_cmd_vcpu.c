// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_vcpu.c - xl vcpu-list, vcpu-pin.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/domsock.h"
#include "base/log.h"
#include "tools/xl_change.h"
#include "tools/xl_cmd.h"
#include "tools/xl_cpus.h"
#include "tools/xl_out.h"
#include "tools/xl_run.h"

/* ---- List ------------------------------------------------------------------ */

/* A vCPU; one that is offline has but a number. */
struct vcpu {
	const char *name;
	unsigned int domid, id;
	bool online, running, blocked;
	long cpu; /* -1: none */
	uint64_t cpu_ns;
	const char *hard;
};

static const struct xl_field fields[] = {
	XL_FIELD("domid", UINT, vcpu, domid),
	XL_FIELD("name", STRING, vcpu, name),
	XL_FIELD("vcpu", UINT, vcpu, id),
	XL_FIELD("online", BOOL, vcpu, online),
	XL_FIELD("running", BOOL, vcpu, running),
	XL_FIELD("blocked", BOOL, vcpu, blocked),
	XL_FIELD("cpu", LONG, vcpu, cpu),
	XL_FIELD("cpu_s", SECONDS, vcpu, cpu_ns),
	XL_FIELD("hard_affinity", STRING, vcpu, hard),
};

static void print_head(unsigned int how)
{
	(void)how;
	printf("%-32s %5s %5s %5s %5s %9s %s\n", "Name", "ID", "VCPU", "CPU",
	       "State", "Time(s)", "Affinity (Hard / Soft)");
}

static void print_vcpu(const void *row, unsigned int how)
{
	const struct vcpu *v = row;
	char cpu[24] = "-";

	(void)how;
	if (v->online)
		snprintf(cpu, sizeof(cpu), "%ld", v->cpu);
	printf("%-32s %5u %5u %5s %3c%c%c %9.1f  %s / all\n", v->name, v->domid,
	       v->id, cpu, v->running ? 'r' : '-', v->blocked ? 'b' : '-',
	       v->online ? '-' : 'p', (double)v->cpu_ns / 1e9, v->hard);
}

/* Domain 0's vCPUs are this host's CPUs, which run what they run. */
static void list_host(void)
{
	struct vcpu v = { .name = "Domain-0",
			  .online = true,
			  .running = true,
			  .hard = "all" };
	FILE *f = fopen("/proc/stat", "re");
	long hz = sysconf(_SC_CLK_TCK);
	char line[512];

	while (f && hz > 0 && fgets(line, sizeof(line), f)) {
		unsigned long long ticks = 0;
		char *at = line + 3;

		/* Behind "cpu" alone is the sum of all. */
		if (strncmp(line, "cpu", 3) != 0 || *at == ' ')
			continue;
		v.id = (unsigned int)strtoul(at, &at, 10);
		/* As user, with nice, and in the kernel. */
		for (unsigned int i = 0; i < 3; i++)
			ticks += strtoull(at, &at, 10);
		v.cpu = v.id;
		v.cpu_ns = ticks * (1000000000u / (uint64_t)hz);
		xl_out_row(&v);
	}
	if (f)
		fclose(f);
}

/* The threads in @list, by ascending id, are the vCPUs that are online. */
static void list_vcpus(const struct xl_dom *d, const struct dom_info *info,
		       uint64_t online, const struct xl_vcpu *list, size_t n,
		       const cpu_set_t *all)
{
	bool stopped = info->state & (DOM_PAUSED | DOM_SHUTDOWN);
	char text[XL_CPUS_TEXT];
	size_t at = 0;

	for (unsigned int i = 0; i < info->vcpus_max; i++) {
		struct vcpu v = {
			.name = d->name,
			.domid = d->domid,
			.id = i,
			.cpu = -1,
			.hard = "all",
		};

		while (at < n && list[at].id < i)
			at++;
		v.online = online >> i & 1 && at < n && list[at].id == i;
		if (v.online) {
			v.running = list[at].running && !stopped;
			v.blocked = !list[at].running && !stopped;
			v.cpu = list[at].cpu;
			v.cpu_ns = list[at].cpu_ns;
			v.hard = xl_cpus_format(text, &list[at].hard, all);
		}
		xl_out_row(&v);
	}
}

/* Nothing, if it has ended meanwhile. */
static void list_guest(const struct xl_dom *d, const struct dom_info *info,
		       int ret)
{
	struct xl_vcpu *list;
	cpu_set_t all;
	size_t n;

	if (ret || xl_vcpu_list(d->domid, &list, &n, &all))
		return;
	list_vcpus(d, info, xl_vcpus_online(info), list, n, &all);
	free(list);
}

int xl_cmd_vcpu_list(int argc, char **argv)
{
	static const struct xl_table t = {
		.head = print_head,
		.row = print_vcpu,
		.field = fields,
		.n = ARRAY_SIZE(fields),
	};
	int status = 0;

	if (!xl_no_options(argc, argv, 0, &status))
		return status;
	xl_out_begin(&t, 0);
	status = xl_each_info(argv + optind, argc - optind, list_host,
			      list_guest);
	return xl_out_end() | status;
}

/* ---- Pinning -------------------------------------------------------------- */

/* Pin vCPU @id, or all of them, and keep that for the next life. */
static int pin(unsigned int domid, size_t id, bool all, char *cpus)
{
	struct xl_change c;
	size_t n;
	int ret = xl_change_begin(&c, domid);
	char **sets = NULL;

	n = ret ? 0 : c.cfg.maxvcpus;
	if (!ret && !all && id >= n) {
		log_err("domain %u: there is no vCPU %zu, but 0 to %zu", domid,
			id, n - 1);
		ret = -EINVAL;
	}
	if (!ret)
		sets = calloc(n, sizeof(*sets));
	if (!ret && !sets)
		ret = -ENOMEM;
	for (size_t i = 0; sets && i < n; i++)
		sets[i] = all || i == id    ? cpus
			  : i < c.cfg.ncpus ? c.cfg.cpus[i]
					    : "all";
	if (!ret)
		ret = xl_vcpu_pin(domid, sets, n);
	if (!ret)
		ret = xl_change_set(&c, "cpus", (const char *const *)sets, n);
	if (!ret)
		ret = xl_change_keep(&c);
	free(sets);
	xl_change_end(&c);
	return ret;
}

/* What -N prints. */
static int print_set(unsigned int domid, const char *cpus)
{
	char text[XL_CPUS_TEXT];
	struct xl_vcpu *list;
	cpu_set_t all, set;
	size_t n;
	int ret = xl_vcpu_list(domid, &list, &n, &all);

	if (!ret)
		ret = xl_cpus_parse(cpus, &set, &all);
	if (!ret)
		printf("cpumap: %s\n", xl_cpus_format(text, &set, &all));
	else
		log_err("vCPUs cannot be pinned to '%s': %s", cpus,
			strerror(-ret));
	free(list);
	return ret;
}

int xl_cmd_vcpu_pin(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "force", no_argument, NULL, 'f' },
		{ "ignore-global-affinity-masks", no_argument, NULL, 'i' },
		{ 0 },
	};
	int opt, ret, status = 0;
	unsigned int domid;
	uint64_t id = 0;
	char **arg;
	bool all;

	while ((opt = xl_getopt(argc, argv, "fi", longs, 3, &status)) > 0)
		;
	if (!opt)
		return status;
	arg = argv + optind;
	log_init("", LOG_LVL_ERR);
	if (xl_find_domain(arg[0], &domid))
		return XL_EXIT_FAIL;
	all = !strcmp(arg[1], "all");
	if (!all && util_u64(arg[1], UINT32_MAX, &id)) {
		fprintf(stderr, "Error: Invalid argument %s as VCPU.\n",
			arg[1]);
		return XL_EXIT_FAIL;
	}
	if (!domid || (arg[3] && strcmp(arg[3], "-") != 0 &&
		       strcmp(arg[3], "all") != 0)) {
		fprintf(stderr, "xl vcpu-pin: %s\n",
			domid ? "there is no soft affinity here (give only the hard one)"
			      : "domain 0 is this host");
		return XL_EXIT_FAIL;
	}
	if (!strcmp(arg[2], "-"))
		return 0;
	ret = xl_opts.dryrun ? print_set(domid, arg[2])
			     : pin(domid, (size_t)id, all, arg[2]);
	return ret ? XL_EXIT_FAIL : 0;
}
