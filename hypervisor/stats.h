/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/stats.h - counters of a domain, KVM's and our own. */
#ifndef HYPERVISOR_STATS_H
#define HYPERVISOR_STATS_H

struct dom_stats;
struct vm;

/**
 * stats_fill() - Sum the counters of all vCPUs.
 * @s: Zeroed; receives KVM's own counters under KVM's names (as far as the host
 *     has them), then "user_*": exits that reached this process.
 */
void stats_fill(struct vm *vm, struct dom_stats *s);

#endif
