/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools/xl_cpus.h - sets of host CPUs, and the vCPUs' threads that run on them. */
#ifndef TOOLS_XL_CPUS_H
#define TOOLS_XL_CPUS_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/util.h"

struct dom_info;

/**
 * xl_cpus_parse() - Read a set as xl.cfg(5) writes it.
 * @s:   "all", or numbers, ranges "2-5" and "node:N" with commas between them; a
 *       "^" takes out what was named before.
 * @set: Filled on success.
 * @all: What "all" means.
 *
 * Return: 0, -EINVAL if it is no such set, or -ERANGE if it is empty, or names a
 * CPU that is not in @all.
 */
int xl_cpus_parse(const char *s, cpu_set_t *set,
		  const cpu_set_t *all) must_check;

#define XL_CPUS_TEXT 512

/**
 * xl_cpus_format() - Write a set: "all", "none", or numbers and ranges.
 *
 * What does not fit ends in "...".  Return: @buf.
 */
char *xl_cpus_format(char buf[XL_CPUS_TEXT], const cpu_set_t *set,
		     const cpu_set_t *all);

/** struct xl_vcpu - A vCPU's thread. */
struct xl_vcpu {
	unsigned int id;
	pid_t tid;
	bool running;	  /* else it waits */
	unsigned int cpu; /* it was on last */
	uint64_t cpu_ns;
	cpu_set_t hard;
};

/**
 * xl_vcpu_list() - The threads of a domain's vCPUs, by ascending id.
 * @list: *Owned* by the caller; free() it.
 * @all:  The CPUs of a thread that nobody has pinned.
 *
 * Return: 0, -ESRCH if its VMM is gone, or -errno.
 */
int xl_vcpu_list(unsigned int domid, struct xl_vcpu **list, size_t *n,
		 cpu_set_t *all) must_check;

/**
 * xl_vcpus_online() - Which of a domain's vCPUs are online: bit n is vCPU n.
 *
 * A VMM of an older version tells only how many it began with.
 */
uint64_t xl_vcpus_online(const struct dom_info *info);

/**
 * xl_vcpu_pin() - Have a domain's vCPUs run where they are configured to.
 * @cpus: A set for each vCPU from 0 on, as xl_cpus_parse(); the others keep theirs.
 *
 * Return: 0, or -errno; reported.
 */
int xl_vcpu_pin(unsigned int domid, char *const *cpus, size_t n) must_check;

#endif
