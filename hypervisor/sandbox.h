/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/sandbox.h - give up what a running domain does not need. */
#ifndef HYPERVISOR_SANDBOX_H
#define HYPERVISOR_SANDBOX_H

#include "base/util.h"

/**
 * sandbox_enter() - Drop all capabilities for good, of every thread made later.
 *
 * Called when /dev/kvm, kernel and initramfs are open or done with and before
 * the guest runs its first instruction; call it before vCPU threads start, for
 * capabilities are each thread's own.  Afterwards no program can be executed
 * with more rights, and no other process of the same user can look into this
 * one's memory, which is the guest's too.
 *
 * Return: 0 or -errno.
 */
int sandbox_enter(void) must_check;

#endif
