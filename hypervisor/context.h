/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/context.h - what a vCPU is doing: registers, interrupts, events. */
#ifndef HYPERVISOR_CONTEXT_H
#define HYPERVISOR_CONTEXT_H

#include <stdint.h>

#include "base/util.h"

struct dom_vcpu;
struct vm;

/**
 * context_get() - Stop the domain for a moment and look at one vCPU.
 * @id:  Its number.
 * @out: Zeroed; filled on success.
 *
 * A domain that was paused stays paused.  lock: taken inside, main thread.
 *
 * Return: 0, -ENOENT if there is no such vCPU, -EBUSY if it does not stop, or
 * -errno.
 */
int context_get(struct vm *vm, unsigned int id,
		struct dom_vcpu *out) must_check;

/**
 * context_nmi() - A non-maskable interrupt for one vCPU, also if it is halted.
 *
 * A domain that was paused stays paused.  lock: taken inside, main thread.
 *
 * Return: 0, -ENOENT, -EBUSY as above, or -errno.
 */
int context_nmi(struct vm *vm, unsigned int id) must_check;

/**
 * context_online() - Stop the domain for a moment and see which vCPUs are online.
 * @online: Bit n: vCPU n.  Filled on success.
 *
 * Those are not that have not been started, or have halted with interrupts off, as
 * a guest's kernel has one do that it takes offline: only another can wake them.
 *
 * Return: as context_get().
 */
int context_online(struct vm *vm, uint64_t *online) must_check;

#endif
