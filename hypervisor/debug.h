/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/debug.h - what a debugger wants of a domain: stop, step, look, change. */
#ifndef HYPERVISOR_DEBUG_H
#define HYPERVISOR_DEBUG_H

#include <stdbool.h>

#include "base/domsock.h"
#include "base/util.h"

struct vcpu;
struct vm;

/** DEBUG_BREAKS - So many breakpoints may be set at a time. */
#define DEBUG_BREAKS 256

/*
 * By the main thread, lock: taken inside, unless said otherwise.  What they do is what
 * DOM_DEBUG and its like do (base/domsock.h), and so are their errors.
 */

/**
 * debug_run() - From now on the domain is debugged, and those vCPUs run.
 *
 * Return: 0; -EINVAL for what makes no sense; -EBUSY if a vCPU does not stop; -errno.
 */
int debug_run(struct vm *vm, const struct dom_debug *d) must_check;

/** debug_end() - It is not debugged any more; runs on as if it never had been. */
void debug_end(struct vm *vm);

/**
 * debug_still() - Whether no vCPU runs, nor will before we let it.
 *
 * Return: 0 or -EBUSY.
 */
int debug_still(struct vm *vm) must_check;

/**
 * debug_break() - Set a breakpoint, or take it out; twice is once.
 *
 * debug_still() must be so, as for the following.  Return: 0; -ENOENT if there is no
 * such vCPU; -EFAULT if there is no kernel code; -ENOSPC; -errno.
 */
int debug_break(struct vm *vm, const struct dom_break *b) must_check;

/** debug_regs() - Return: 0, -ENOENT, or -errno. */
int debug_regs(struct vm *vm, struct dom_regs *out) must_check;

/** debug_set_regs() - Return: 0, -ENOENT, or -errno. */
int debug_set_regs(struct vm *vm, const struct dom_regs *r) must_check;

/**
 * debug_peek(), debug_poke() - Memory; also what the guest's kernel could not write.
 *
 * Return: 0, -ENOENT, -EINVAL for a length, -EFAULT for what is no RAM.
 */
int debug_peek(struct vm *vm, struct dom_peek *p) must_check;
int debug_poke(struct vm *vm, const struct dom_peek *p) must_check;

/**
 * debug_stopped() - Whether a vCPU has stopped by itself, once; all stand still then.
 */
bool debug_stopped(struct vm *vm, struct dom_stopped *out);

/** debug_holds() - Whether the debugger holds a vCPU.  lock: vm->lock */
bool debug_holds(const struct vm *vm);

/**
 * debug_break_hit() - Whether an output was a breakpoint, after which all stop.
 *
 * By the vCPU's own thread; the domain is debugged.
 */
bool debug_break_hit(struct vcpu *v);

/** debug_exit() - KVM_EXIT_DEBUG.  By the vCPU's own thread. */
void debug_exit(struct vcpu *v);

#endif
