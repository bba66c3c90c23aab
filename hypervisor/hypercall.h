/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/hypercall.h - hypercalls: the table, and arguments in and out. */
#ifndef HYPERVISOR_HYPERCALL_H
#define HYPERVISOR_HYPERCALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "hypervisor/gva.h"

struct vcpu;
struct vm;

/**
 * HC_AGAIN - A handler's result: not done, call me again.
 *
 * The handler has changed its own arguments so that the next call goes on where
 * this one stopped.  Between the two the vCPU can be paused or ended, so that
 * no guest argument makes a thread deaf.  Outside the range of any result.
 */
#define HC_AGAIN INT64_MIN

/** HC_BATCH - Elements that a handler does before HC_AGAIN. */
#define HC_BATCH 64

/** struct hc - A hypercall being made. */
struct hc {
	struct vm *vm;
	struct vcpu *vcpu; /* the caller */
	struct gva gva;
	bool longmode; /* 64-bit layout of structures, 64-bit arguments */
	bool active;   /* to be called again before the guest goes on */
	uint32_t nr;
	uint64_t arg[6]; /* UNTRUSTED: registers, cut to the caller's width */
	uint64_t done;	 /* elements done by earlier calls of this one */
};

/** struct hypercalls - What was asked for and is not there; see hc_unknown().
 */
struct hypercalls {
	uint32_t seen[64]; /* number and sub-op of calls logged so far */
	unsigned int n;
};

/**
 * hc_begin() - Take a hypercall from a vCPU.
 * @hc:	   The vCPU's; vm, vcpu and gva are set.
 * @cpl:   Privilege level of the caller.
 * @nr:	   UNTRUSTED: number; @arg: UNTRUSTED: six registers.
 *
 * Return: the result for the guest, or HC_AGAIN.
 */
int64_t hc_begin(struct hc *hc, unsigned int cpl, bool longmode, uint64_t nr,
		 const uint64_t *arg);

/** hc_continue() - Go on after HC_AGAIN.  Return: as hc_begin(). */
int64_t hc_continue(struct hc *hc);

/** hc_name() - A hypercall's name, or NULL. */
const char *hc_name(uint32_t nr);

/**
 * hc_read(), hc_write() - Copy an argument from or to the guest, once.
 * @addr: UNTRUSTED: guest-virtual address.
 *
 * Return: 0 or -EFAULT.
 */
int hc_read(const struct hc *hc, void *to, uint64_t addr,
	    size_t len) must_check;
int hc_write(const struct hc *hc, uint64_t addr, const void *from,
	     size_t len) must_check;

/**
 * hc_unknown() - Refuse a sub-operation that does not exist here.
 *
 * Logged once for each number and sub-op.
 *
 * Return: -ENOSYS.
 */
int64_t hc_unknown(struct hc *hc, uint64_t subop);

/**
 * hc_self() - Check a domain id that must be the caller's own.
 *
 * Return: 0, -EPERM for dom0, -ESRCH for domains that a guest cannot see.
 */
int hc_self(const struct hc *hc, uint16_t domid) must_check;

/* Handlers, one file each; sub-operations are described there. */
int64_t hc_memory_op(struct hc *hc);
int64_t hc_set_timer_op(struct hc *hc);
int64_t hc_xen_version(struct hc *hc);
int64_t hc_console_io(struct hc *hc);
int64_t hc_grant_table_op(struct hc *hc);
int64_t hc_vm_assist(struct hc *hc);
int64_t hc_vcpu_op(struct hc *hc);
int64_t hc_sched_op(struct hc *hc);
int64_t hc_sched_op_compat(struct hc *hc);
int64_t hc_event_channel_op(struct hc *hc);
int64_t hc_hvm_op(struct hc *hc);

#endif
