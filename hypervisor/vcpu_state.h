/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/vcpu_state.h - all that KVM keeps of a vCPU, out and in again. */
#ifndef HYPERVISOR_VCPU_STATE_H
#define HYPERVISOR_VCPU_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

struct vcpu;

/**
 * enum vcpu_part - Parts of a vCPU's state, each a structure of KVM's (or of ours,
 * VCPU_XEN), in the order in which they are loaded; numbers are for ever.
 */
enum vcpu_part {
	VCPU_SREGS,
	VCPU_REGS,
	VCPU_XCRS,
	VCPU_XSAVE,
	VCPU_DEBUGREGS,
	VCPU_MSRS,
	VCPU_LAPIC,
	VCPU_MP_STATE,
	VCPU_EVENTS,
	VCPU_XEN,
	VCPU_NPARTS,
};

/** VCPU_PART_MAX - Bytes of the longest part. */
#define VCPU_PART_MAX 65536

/** struct vcpu_xen - What Xen keeps of a vCPU; addresses: all ones for none. */
struct vcpu_xen {
	uint64_t info_gpa, time_gpa, runstate_gpa;
	uint64_t runstate[6]; /* state, since when, time in each of the four */
	uint64_t timer_ns;    /* system time when it fires; 0: not set */
	uint64_t period_ns;   /* of the periodic timer, 0 = off */
	uint32_t timer_port;
	uint32_t upcall_vector;
	uint8_t info[64]; /* vcpu_info as it was */
};

/**
 * vcpu_state_save() - One part.
 * @v:   Settled (vcpu_settle()).
 * @buf: VCPU_PART_MAX bytes; @len: bytes of them that are filled.
 *
 * lock: vm->lock.  Return: 0 or -errno.
 */
int vcpu_state_save(struct vcpu *v, enum vcpu_part part, void *buf,
		    size_t *len) must_check;

/**
 * vcpu_state_load() - One part, in the order of enum vcpu_part.
 * @v:   Has not started.
 * @buf: UNTRUSTED.
 *
 * VCPU_XEN comes last, when guest memory, shared_info, event channels and the clock
 * are there.  lock: vm->lock.
 *
 * Return: 0, -EINVAL for what cannot be, or -errno.
 */
int vcpu_state_load(struct vcpu *v, enum vcpu_part part, const void *buf,
		    size_t len) must_check;

/** vcpu_tsc() - The TSC of a vCPU that does not run; Return: 0 or -errno. */
int vcpu_tsc(struct vcpu *v, uint64_t *tsc) must_check;

/** vcpu_set_tsc() - Set it; Return: 0 or -errno. */
int vcpu_set_tsc(struct vcpu *v, uint64_t tsc) must_check;

/** vcpu_kernel_gs() - What SWAPGS would bring; Return: 0 or -errno. */
int vcpu_kernel_gs(struct vcpu *v, uint64_t *base) must_check;

/** vcpu_part_name() - For messages. */
const char *vcpu_part_name(enum vcpu_part part);

#endif
