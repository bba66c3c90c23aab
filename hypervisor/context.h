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
 * context_look() - Find out which vCPUs are online: struct vcpu, @online.
 *
 * None is held up that runs and was online before, for it still is.  One that sleeps
 * comes out of KVM, tells, and sleeps on.  What is known of one that does not tell in
 * time stays as it was.  lock: taken inside, main thread.
 */
void context_look(struct vm *vm);

#endif
