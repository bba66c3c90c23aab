/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/stats.h - counters of a domain, KVM's and our own. */
#ifndef HYPERVISOR_STATS_H
#define HYPERVISOR_STATS_H

#include <stdbool.h>

struct dom_stats;
struct vcpu;
struct vm;

/**
 * stats_fill() - Sum the counters of all vCPUs.
 * @s: Zeroed; receives KVM's own counters under KVM's names (as far as the host
 *     has them), then "user_*": exits that reached this process.
 */
void stats_fill(struct vm *vm, struct dom_stats *s);

/**
 * stats_waits() - Whether a vCPU has nothing to do: KVM has it wait for an interrupt,
 * or for another to start it.
 *
 * For one thread at a time.
 */
bool stats_waits(struct vcpu *v);

#endif
