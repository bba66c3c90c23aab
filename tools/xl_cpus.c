// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cpus.c - sets of host CPUs, and the vCPUs' threads that run on them.
#include "tools/xl_cpus.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/domsock.h"
#include "base/log.h"
#include "base/paths.h"
#include "tools/xl_proc.h"

/* ---- Sets ----------------------------------------------------------------- */

/* A decimal number at *@s, which is moved behind it. */
static bool take_number(const char **s, unsigned int *n)
{
	size_t len = strspn(*s, "0123456789");

	if (!len || len > 6)
		return false;
	*n = (unsigned int)strtoul(*s, NULL, 10);
	*s += len;
	return true;
}

static void put_range(cpu_set_t *set, unsigned int first, unsigned int last,
		      bool in)
{
	for (unsigned int i = first; i <= last && i < CPU_SETSIZE; i++) {
		if (in)
			CPU_SET(i, set);
		else
			CPU_CLR(i, set);
	}
}

/* One item without its "^". */
static int put_item(cpu_set_t *set, const char **s, bool in,
		    const cpu_set_t *all);

/* The kernel's own list of a node's CPUs, in the same form. */
static int put_node(cpu_set_t *set, unsigned int node, bool in,
		    const cpu_set_t *all)
{
	char path[64], line[XL_CPUS_TEXT] = "";
	const char *at = line;
	FILE *f;
	int ret = 0;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/cpulist",
		 node);
	f = fopen(path, "re");
	if (!f)
		return -ERANGE;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	while (*at && *at != '\n' && !ret) {
		ret = put_item(set, &at, in, all);
		at += *at == ',';
	}
	return ret;
}

static int put_item(cpu_set_t *set, const char **s, bool in,
		    const cpu_set_t *all)
{
	unsigned int first, last, node;

	if (!strncmp(*s, "all", 3)) {
		*s += 3;
		if (in)
			CPU_OR(set, set, all);
		else
			CPU_ZERO(set);
		return 0;
	}
	if (!strncmp(*s, "node:", 5) || !strncmp(*s, "nodes:", 6)) {
		*s = strchr(*s, ':') + 1;
		return take_number(s, &node) ? put_node(set, node, in, all)
					     : -EINVAL;
	}
	if (!take_number(s, &first))
		return -EINVAL;
	last = first;
	if (**s == '-') {
		++*s;
		if (!take_number(s, &last) || last < first)
			return -EINVAL;
	}
	if (last >= CPU_SETSIZE)
		return -ERANGE;
	put_range(set, first, last, in);
	return 0;
}

int xl_cpus_parse(const char *s, cpu_set_t *set, const cpu_set_t *all)
{
	cpu_set_t got, known;
	bool more = true;
	int ret = 0;

	CPU_ZERO(&got);
	while (more && !ret) {
		bool in;

		s += strspn(s, " \t");
		in = *s != '^';
		s += !in;
		ret = put_item(&got, &s, in, all);
		s += strspn(s, " \t");
		more = *s == ',';
		s += more;
	}
	if (ret)
		return ret;
	if (*s)
		return -EINVAL;
	CPU_AND(&known, &got, all);
	if (!CPU_COUNT(&got) || !CPU_EQUAL(&known, &got))
		return -ERANGE;
	*set = got;
	return 0;
}

char *xl_cpus_format(char buf[XL_CPUS_TEXT], const cpu_set_t *set,
		     const cpu_set_t *all)
{
	size_t at = 0;

	if (CPU_EQUAL(set, all) || !CPU_COUNT(set)) {
		snprintf(buf, XL_CPUS_TEXT, "%s",
			 CPU_COUNT(set) ? "all" : "none");
		return buf;
	}
	for (unsigned int i = 0; i < CPU_SETSIZE; i++) {
		unsigned int last = i;

		if (!CPU_ISSET(i, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		if (at > XL_CPUS_TEXT - 20) {
			snprintf(buf + at, XL_CPUS_TEXT - at, "...");
			break;
		}
		at += (size_t)sprintf(buf + at, at ? ",%u" : "%u", i);
		if (last > i)
			at += (size_t)sprintf(buf + at, "-%u", last);
		i = last;
	}
	return buf;
}

/* ---- Threads -------------------------------------------------------------- */

/* "vcpu N", as the VMM names them; false for its other threads. */
static bool is_vcpu(pid_t pid, const char *tid, unsigned int *id)
{
	char path[PATH_MAX], name[32] = "";
	bool is = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", (int)pid, tid);
	f = fopen(path, "re");
	if (f && fgets(name, sizeof(name), f) && !strncmp(name, "vcpu ", 5)) {
		const char *at = name + 5;

		is = take_number(&at, id) && *at == '\n';
	}
	if (f)
		fclose(f);
	return is;
}

static int read_vcpu(struct xl_vcpu *v, pid_t pid)
{
	struct xl_thread t;
	int ret = xl_proc_thread(pid, v->tid, &t);

	if (ret)
		return ret;
	v->running = t.state == 'R';
	v->cpu = t.cpu;
	v->cpu_ns = t.cpu_ns;
	return sched_getaffinity(v->tid, sizeof(v->hard), &v->hard) < 0 ? -errno
									: 0;
}

static int by_id(const void *a, const void *b)
{
	unsigned int x = ((const struct xl_vcpu *)a)->id;
	unsigned int y = ((const struct xl_vcpu *)b)->id;

	return (x > y) - (x < y);
}

static int read_threads(pid_t pid, struct xl_vcpu **list, size_t *n)
{
	char path[64];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return -ESRCH;
	while ((e = readdir(dir))) {
		struct xl_vcpu v = { 0 }, *more;
		uint64_t tid;

		if (util_u64(e->d_name, INT_MAX, &tid) ||
		    !is_vcpu(pid, e->d_name, &v.id))
			continue;
		v.tid = (pid_t)tid;
		if (read_vcpu(&v, pid))
			continue;
		more = reallocarray(*list, *n + 1, sizeof(v));
		if (!more) {
			closedir(dir);
			return -ENOMEM;
		}
		*list = more;
		more[(*n)++] = v;
	}
	closedir(dir);
	if (*n)
		qsort(*list, *n, sizeof(**list), by_id);
	return 0;
}

int xl_vcpu_list(unsigned int domid, struct xl_vcpu **list, size_t *n,
		 cpu_set_t *all)
{
	char path[PATH_MAX];
	struct xl_proc hv;
	int ret;

	*list = NULL;
	*n = 0;
	if (xl_proc_load(&hv, paths_dom(path, domid, "hv.pid")) ||
	    !xl_proc_alive(&hv) ||
	    sched_getaffinity(hv.pid, sizeof(*all), all) < 0)
		return -ESRCH;
	ret = read_threads(hv.pid, list, n);
	/* Its number may have been given to another process by then. */
	if (!ret && !xl_proc_alive(&hv))
		ret = -ESRCH;
	if (ret) {
		free(*list);
		*list = NULL;
		*n = 0;
	}
	return ret;
}

uint64_t xl_vcpus_online(const struct dom_info *info)
{
	unsigned int n = MIN(info->vcpus_online, 64u);

	if (info->online)
		return info->online;
	return n ? UINT64_MAX >> (64 - n) : 0;
}

static int pin(unsigned int domid, const struct xl_vcpu *v, const char *cpus,
	       const cpu_set_t *all)
{
	cpu_set_t set;
	int ret = xl_cpus_parse(cpus, &set, all);

	if (!ret && sched_setaffinity(v->tid, sizeof(set), &set) < 0)
		ret = -errno;
	if (ret == -ERANGE)
		log_err("domain %u: vCPU %u cannot be pinned to '%s': this host has no such CPU, or none is left",
			domid, v->id, cpus);
	else if (ret)
		log_err("domain %u: vCPU %u cannot be pinned to '%s': %s",
			domid, v->id, cpus, strerror(-ret));
	return ret;
}

int xl_vcpu_pin(unsigned int domid, char *const *cpus, size_t n)
{
	struct xl_vcpu *list;
	cpu_set_t all;
	size_t have;
	int ret = xl_vcpu_list(domid, &list, &have, &all);

	if (ret) {
		log_err("domain %u: its vCPUs cannot be pinned: %s", domid,
			strerror(-ret));
		return ret;
	}
	for (size_t i = 0; i < have && !ret; i++) {
		if (list[i].id < n)
			ret = pin(domid, &list[i], cpus[list[i].id], &all);
	}
	free(list);
	return ret;
}
