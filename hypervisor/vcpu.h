/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/vcpu.h - a virtual CPU: its thread, its exits. */
#ifndef HYPERVISOR_VCPU_H
#define HYPERVISOR_VCPU_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/util.h"
#include "hypervisor/gva.h"
#include "hypervisor/hypercall.h"
#include "hypervisor/kvm_abi.h"

struct vm;

/** VCPU_ATTRS - One more than the highest KVM_XEN_VCPU_ATTR_TYPE_*. */
#define VCPU_ATTRS 10

/** struct vcpu_counts - Exits to user space, for DOM_STATS. */
struct vcpu_counts {
	_Atomic uint64_t exits, hypercalls, io, mmio;
};

/**
 * struct vcpu - One vCPU.  Its KVM id, its APIC id and its Xen id are @id.
 *
 * KVM serialises ioctls on a vCPU with KVM_RUN, so only its own thread makes
 * them once it runs; others leave attributes in @attr and kick it.
 */
struct vcpu {
	struct vm *vm;
	unsigned int id;
	int fd;
	int stats_fd; /* -1 where the host has none */
	struct kvm_run *run;
	pthread_t thread;
	pid_t tid; /* 0 until the thread runs */
	struct hc hc;
	struct vcpu_counts count;

	/* lock: vm->lock */
	uint32_t attr_new; /* bits of @attr to hand to KVM */
	struct kvm_xen_vcpu_attr attr[VCPU_ATTRS];
	bool has_thread;
	uint8_t upcall_vector;
	bool nmi;	 /* inject one */
	bool held;	 /* by the debugger */
	bool ask_halted; /* tell whether @halted */
	bool halted;	 /* as last told: nothing but another vCPU wakes it */
	bool ask_online; /* look whether @online */
	bool online;	 /* as last seen; see struct dom_info */
	bool info_registered;
	uint8_t SHM *info;     /* UNTRUSTED: the vcpu_info in use, or NULL */
	uint8_t SHM *old_info; /* UNTRUSTED: until KVM has taken @info */
	bool runstate_registered;
	uint64_t period_ns; /* periodic timer, 0 = off */
	uint64_t period_next;
	uint64_t tsc_due; /* of its LAPIC's timer, while it is restored */
};

/**
 * vcpu_init() - Make a vCPU of @vm, without a thread.
 * @v: Zeroed, element of vm->vcpus.
 *
 * Return: 0 or -errno.
 */
int vcpu_init(struct vcpu *v, struct vm *vm, unsigned int id) must_check;

/** vcpu_fini() - Its thread has ended; a half-made one is fine. */
void vcpu_fini(struct vcpu *v);

/** vcpu_start() - Start the thread, which waits while the VM is paused. */
int vcpu_start(struct vcpu *v) must_check;

/** vcpu_signals() - Set up the kick signal, once per process. */
void vcpu_signals(void);

/** vcpu_kick() - Make the vCPU come to its gate soon.  lock: vm->lock */
void vcpu_kick(struct vcpu *v);

/**
 * vcpu_set_attr() - Set a Xen attribute: now, or before the guest's next step.
 *
 * At once if the vCPU has not started or the caller is its thread; else it is
 * set by its own thread before it enters the guest again.  lock: vm->lock
 *
 * Return: 0, or -errno if it was tried at once and failed.
 */
int vcpu_set_attr(struct vcpu *v,
		  const struct kvm_xen_vcpu_attr *attr) must_check;

/**
 * vcpu_info_move() - Put the vcpu_info at @gpa, contents and pending events
 * included.
 * @gpa: 64 bytes of RAM within a page, checked by the caller.
 *
 * lock: vm->lock
 */
int vcpu_info_move(struct vcpu *v, uint64_t gpa) must_check;

/**
 * vcpu_info_follow() - shared_info has moved: a vcpu_info in it moves too.
 *
 * Does nothing for a registered one.  lock: vm->lock
 */
void vcpu_info_follow(struct vcpu *v);

/**
 * vcpu_info_anew() - The vcpu_info is not the guest's any more, but the one in
 * shared_info, wherever that is; what waits in the old one is forgotten.
 *
 * lock: vm->lock
 */
int vcpu_info_anew(struct vcpu *v) must_check;

/** vcpu_has_event() - Whether the guest has been told of an event. */
bool vcpu_has_event(const struct vcpu *v);

/** vcpu_upcall() - Inject the event upcall if events wait.  lock: vm->lock */
void vcpu_upcall(struct vcpu *v);

/**
 * vcpu_ask_halted() - Find out soon whether the vCPU has stopped for good.
 *
 * Its thread sets @halted and calls vm_halted().  lock: vm->lock
 */
void vcpu_ask_halted(struct vcpu *v);

/**
 * vcpu_ask_online() - Have its thread call vcpu_look() soon, and signal vm->idle.
 *
 * lock: vm->lock
 */
void vcpu_ask_online(struct vcpu *v);

/**
 * vcpu_look() - See whether it is online, which is kept in @online.
 *
 * By its own thread, or while it waits at its gate.  lock: vm->lock
 *
 * Return: 0 or -errno.
 */
int vcpu_look(struct vcpu *v) must_check;

/**
 * vcpu_settle() - Finish what the vCPU has begun, so that all that it is doing is
 * in its registers.
 *
 * It waits at its gate, or has not started, and nobody lets it run meanwhile.
 *
 * Return: 0, -EBUSY if its hypercall does not end, or -errno.
 */
int vcpu_settle(struct vcpu *v) must_check;

/** vcpu_cpu_ns() - CPU time that the vCPU has used. */
uint64_t vcpu_cpu_ns(const struct vcpu *v);

/** vcpu_is_self() - Whether the caller is the vCPU's own thread. */
bool vcpu_is_self(const struct vcpu *v);

#endif
