/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/hvm.h - HVM parameters: what a guest may read and set. */
#ifndef HYPERVISOR_HVM_H
#define HYPERVISOR_HVM_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/hvm/params.h>

#include "base/util.h"

struct vm;

/** struct hvm - Values by HVM_PARAM_*.  lock: vm->lock */
struct hvm {
	uint64_t param[HVM_NR_PARAMS];
};

/** hvm_init() - Values that the domain builder gives. */
void hvm_init(struct vm *vm);

/**
 * hvm_get(), hvm_set() - A parameter, as the guest itself may.
 * @index: UNTRUSTED.
 * @is64:  hvm_set(): the caller's mode; CALLBACK_IRQ latches it.
 *
 * Return: 0, -EINVAL if there is no such parameter or it is a deprecated one,
 * -EPERM if it is not a guest's business, or -errno.
 */
int hvm_get(const struct vm *vm, uint32_t index, uint64_t *value) must_check;
int hvm_set(struct vm *vm, uint32_t index, uint64_t value,
	    bool is64) must_check;

#endif
