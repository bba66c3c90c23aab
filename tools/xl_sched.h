/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_sched.h - how much of the host's CPUs a domain has. */
#ifndef TOOLS_XL_SCHED_H
#define TOOLS_XL_SCHED_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/util.h"

/*
 * How it works
 *
 * The scheduler is Linux.  A domain that is given a weight or a cap has a control group
 * of the CPU controller, "splitvisor-PID" by its VMM's process, beside the host's own
 * groups; all others stay where xl was.  A weight of 256, Xen's default, is that of
 * a control group that nobody has changed.
 *
 *	             version 2                    version 1
 *	weight       cpu.weight (256 is 100)      cpu.shares (256 is 1024)
 *	cap          cpu.max                      cpu.cfs_quota_us
 */
#define XL_WEIGHT_DEFAULT 256u
#define XL_WEIGHT_MAX	  65535u
#define XL_CAP_MAX	  6400u

/** struct xl_sched - Of one domain; @cap: percent of one CPU, 0: no limit. */
struct xl_sched {
	unsigned int weight, cap;
};

/** struct xl_cgroups - Where groups of the CPU controller are made. */
struct xl_cgroups {
	char dir[PATH_MAX];
	bool v2;
};

/**
 * xl_cgroups_find() - Look for it.
 * @mountinfo: A file as /proc/self/mountinfo.
 *
 * Return: 0, or -ENOENT if there is none.
 */
int xl_cgroups_find(struct xl_cgroups *g, const char *mountinfo) must_check;

/** xl_sched_put() - Put a process into a group of its own; Return: 0 or -errno. */
int xl_sched_put(const struct xl_cgroups *g, pid_t pid,
		 const struct xl_sched *s) must_check;

/**
 * xl_sched_set() - xl_sched_put() a domain's VMM.
 *
 * Return: 0, -ENOENT if this host has no such groups, or -errno; not reported.
 */
int xl_sched_set(unsigned int domid, const struct xl_sched *s) must_check;

/** xl_sched_why() - What is wrong, and what helps, in words. */
const char *xl_sched_why(int ret);

/** xl_sched_forget() - The VMM has ended: remove its group, if it has one. */
void xl_sched_forget(pid_t pid);

#endif
