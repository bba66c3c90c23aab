/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_sched.h - how much of the host's CPUs and memory a domain has. */
#ifndef TOOLS_XL_SCHED_H
#define TOOLS_XL_SCHED_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
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
 *
 * What a VMM may take of the host's memory and processes is limited where the operator
 * has given xl a control group of version 2, by SPLITVISOR_CGROUP.  Then all groups are
 * made in that one, one for each domain.  Without it there are no limits: beside the
 * host's own groups, each domain's would have as much CPU time as all services together,
 * those that serve its disks among them.
 */
#define XL_WEIGHT_DEFAULT 256u
#define XL_WEIGHT_MAX	  65535u
#define XL_CAP_MAX	  6400u

/** XL_CGROUP_ENV - The variable that names a group that is ours. */
#define XL_CGROUP_ENV "SPLITVISOR_CGROUP"

/*
 * What a VMM may have beside the guest's memory: of memory, a part of that, for the page
 * tables of Linux and KVM, and a constant; of threads, a number beside those of vCPUs.
 * One of 192 MiB and 4 vCPUs takes 2 MiB and 6 threads (tests/e2e/lab_bounds.sh).
 */
#define XL_BOUND_PART  32u
#define XL_BOUND_KIB   (UINT64_C(64) << 10)
#define XL_BOUND_TASKS 16u

/** struct xl_sched - Of one domain; @cap: percent of one CPU, 0: no limit. */
struct xl_sched {
	unsigned int weight, cap;
};

/** struct xl_cgroups - Where groups are made. */
struct xl_cgroups {
	char dir[PATH_MAX];
	bool v2;
};

/**
 * xl_cgroups_find() - Look for the one of ours, or else the CPU controller.
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

/**
 * xl_sched_limit() - Limit what a process may take.
 * @ram_kib: The guest's memory.
 * @vcpus:   Its most.
 *
 * What it has already does not count, nor does it go.  Return: 0 or -errno.
 */
int xl_sched_limit(const struct xl_cgroups *g, pid_t pid, uint64_t ram_kib,
		   unsigned int vcpus) must_check;

/** xl_sched_bound() - xl_sched_limit() a domain's VMM, if there is a group of ours. */
int xl_sched_bound(unsigned int domid, uint64_t ram_kib,
		   unsigned int vcpus) must_check;

/** xl_sched_why() - What is wrong, and what helps, in words. */
const char *xl_sched_why(int ret);

/** xl_sched_forget() - The VMM has ended: remove its group, if it has one. */
void xl_sched_forget(pid_t pid);

#endif
