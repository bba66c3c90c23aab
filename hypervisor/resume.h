/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/resume.h - a domain that was suspended, or is reset, goes on. */
#ifndef HYPERVISOR_RESUME_H
#define HYPERVISOR_RESUME_H

#include <stdbool.h>

#include "base/util.h"

struct vm;

/** resume_can() - Whether the guest is down for a reason after which it may go on. */
bool resume_can(const struct vm *vm);

/**
 * resume_vm() - Let a domain go on that has shut down to be suspended, or reset.
 * @anew: The guest is told that it was suspended (SCHEDOP_shutdown returns 0)
 *        and finds what a restored domain does, see base/domsock.h; else that
 *        it was not (1), and nothing has changed.  A soft reset is always anew.
 *
 * Returns when the vCPUs may run, unless the domain is paused.  lock: taken
 * inside
 *
 * Return: 0; -EINVAL if it is down for another reason, or not; -ETIMEDOUT if a vCPU does not come
 * out of KVM; or -errno.  On error it is still down; after one that was not
 * -EINVAL there is nothing to do with it but to destroy it or to try again.
 */
int resume_vm(struct vm *vm, bool anew) must_check;

#endif
