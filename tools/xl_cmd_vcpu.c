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
#include "tools/xl_run.h"

static void print_head(const char *name, unsigned int domid, unsigned int id)
{
	printf("%-32s %5u %5u ", name, domid, id);
}

static void print_online(unsigned int cpu, char r, char b, uint64_t ns,
			 const char *hard)
{
	printf("%5u %3c%c- %9.1f  %s / all\n", cpu, r, b, (double)ns / 1e9,
	       hard);
}

/* Domain 0's vCPUs are this host's CPUs, which run what they run. */
static void list_host(void)
{
	FILE *f = fopen("/proc/stat", "re");
	long hz = sysconf(_SC_CLK_TCK);
	char line[512];

	while (f && hz > 0 && fgets(line, sizeof(line), f)) {
		unsigned long long user, nice, system;
		unsigned int cpu;
		uint64_t ns;

		/* Behind "cpu" alone is the sum of all. */
		if (line[3] == ' ' || sscanf(line, "cpu%u %llu %llu %llu", &cpu,
					     &user, &nice, &system) != 4)
			continue;
		ns = (user + nice + system) * (1000000000u / (uint64_t)hz);
		print_head("Domain-0", 0, cpu);
		print_online(cpu, 'r', '-', ns, "all");
	}
	if (f)
		fclose(f);
}

/* Nothing, if it has ended meanwhile. */
static void list_guest(const struct xl_dom *d)
{
	char text[XL_CPUS_TEXT];
	struct xl_vcpu *list;
	struct dom_info info;
	struct dom *dom;
	size_t n, at = 0;
	uint64_t online;
	cpu_set_t all;
	bool stopped;

	if (dom_connect(&dom, d->domid, DOM_ROLE_ADMIN, NULL, false))
		return;
	if (!dom_info(dom, &info) && !xl_vcpu_list(d->domid, &list, &n, &all)) {
		stopped = info.state & (DOM_PAUSED | DOM_SHUTDOWN);
		online = xl_vcpus_online(dom, &info);
		for (unsigned int i = 0; i < info.vcpus_max; i++) {
			print_head(d->name, d->domid, i);
			while (at < n && list[at].id < i)
				at++;
			if (!(online >> i & 1) || at == n || list[at].id != i) {
				printf("%5c %3c%cp %9.1f  all / all\n", '-',
				       '-', '-', 0.0);
				continue;
			}
			xl_cpus_format(text, &list[at].hard, &all);
			print_online(list[at].cpu,
				     list[at].running && !stopped ? 'r' : '-',
				     list[at].running || stopped ? '-' : 'b',
				     list[at].cpu_ns, text);
		}
		free(list);
	}
	dom_free(dom);
}

static int list_one(const char *who)
{
	struct xl_dom d;

	if (xl_find_domain(who, &d.domid))
		return XL_EXIT_FAIL;
	if (!d.domid)
		list_host();
	else if (!xl_run_name(d.domid, d.name))
		list_guest(&d);
	return 0;
}

int xl_cmd_vcpu_list(int argc, char **argv)
{
	int opt, status = 0;
	struct xl_dom *doms;
	size_t n;

	while ((opt = xl_getopt(argc, argv, "", NULL, 0, &status)) > 0)
		;
	if (!opt)
		return status;
	printf("%-32s %5s %5s %5s %5s %9s %s\n", "Name", "ID", "VCPU", "CPU",
	       "State", "Time(s)", "Affinity (Hard / Soft)");
	for (int i = optind; i < argc; i++)
		status |= list_one(argv[i]);
	if (optind < argc)
		return status;
	list_host();
	if (xl_run_list(&doms, &n))
		return XL_EXIT_FAIL;
	for (size_t i = 0; i < n; i++)
		list_guest(&doms[i]);
	free(doms);
	return 0;
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
