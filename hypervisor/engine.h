/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/engine.h - what the host kernel does for a guest. */
#ifndef HYPERVISOR_ENGINE_H
#define HYPERVISOR_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"
#include "hypervisor/guestmem.h"

struct vcpu;
struct vcpu_runstate_info;
struct vm;

/**
 * struct engine - The host's half of hypercalls, events and time.
 *
 * The hypercall table is the same for every engine; only these operations
 * differ between hosts.  All are called with vm->lock held, return 0 or -errno,
 * and leave things as they were on error.  Ports and vCPU numbers are valid.
 */
struct engine {
	const char *name;

	/**
	 * @slot: Show host memory at a guest address; size 0 takes it away.
	 * -EEXIST if it would overlap another slot.
	 */
	int (*slot)(struct vm *vm, unsigned int slot, gpa_t gpa, void SHM *host,
		    uint64_t size);

	/** @raise: Make @port pending on @vcpu, as seen from a backend. */
	int (*raise)(struct vm *vm, uint32_t port, unsigned int vcpu);

	/** @send_to_fd: Let the guest's sends on @port signal an eventfd. */
	int (*send_to_fd)(struct vm *vm, uint32_t port, int fd);

	/**
	 * @send_to_port: Let the guest's sends on @port raise @peer.
	 *
	 * An IPI is its own peer.
	 */
	int (*send_to_port)(struct vm *vm, uint32_t port, uint32_t peer,
			    unsigned int vcpu);

	/** @send_move: Change the vCPU of a send_to_port. */
	int (*send_move)(struct vm *vm, uint32_t port, uint32_t peer,
			 unsigned int vcpu);

	/** @send_none: Undo the first two; sends become hypercalls. */
	void (*send_none)(struct vm *vm, uint32_t port);

	/** @send_none_all: The same for every port, in one go. */
	void (*send_none_all)(struct vm *vm);

	/** @irq_attach: Let writes to an eventfd raise @port on @vcpu. */
	int (*irq_attach)(struct vm *vm, uint32_t port, unsigned int vcpu,
			  int fd);

	/** @irq_detach: Undo irq_attach. */
	void (*irq_detach)(struct vm *vm, uint32_t port, int fd);

	/** @irq_move: Change the vCPU that an attached eventfd raises. */
	int (*irq_move)(struct vm *vm, uint32_t port, unsigned int vcpu);

	/** @timer: The port of the vCPU's VIRQ_TIMER, 0 for none. */
	int (*timer)(struct vcpu *v, uint32_t port);

	/** @width: Whether shared structures have their 64-bit layout. */
	int (*width)(struct vm *vm, bool is64);

	/** @shared_info: The page is now at vm->shinfo.page, mapped or not. */
	int (*shared_info)(struct vm *vm);

	/**
	 * @vcpu_info: The 64 bytes are now at @host, which is @gpa or, with
	 * @gpa all ones, not in guest memory; NULL: there are none.
	 */
	int (*vcpu_info)(struct vcpu *v, uint64_t gpa, void SHM *host);

	/** @vcpu_time: A second struct vcpu_time_info; all ones for none. */
	int (*vcpu_time)(struct vcpu *v, uint64_t gpa);

	/** @runstate: Where to keep the runstate area; all ones for none. */
	int (*runstate)(struct vcpu *v, uint64_t gpa);

	/** @get_runstate: The caller's runstate, by its own thread. */
	int (*get_runstate)(struct vcpu *v, struct vcpu_runstate_info *r);

	/** @runstate_flag: Mark runstate updates in progress for the guest. */
	int (*runstate_flag)(struct vm *vm, bool on);

	/** @clock: The guest's system time in ns, as its pvclock shows it. */
	int (*clock)(struct vm *vm, uint64_t *ns);

	/** @upcall: LAPIC vector of one vCPU's event upcall, 0 for none. */
	int (*upcall)(struct vcpu *v, uint8_t vector);

	/** @upcall_all: Vector of all vCPUs, without LAPIC; 0 for none. */
	int (*upcall_all)(struct vm *vm, uint8_t vector);
};

/** engine_xen - Hosts whose KVM knows Xen (CONFIG_KVM_XEN). */
extern const struct engine engine_xen;

#endif
