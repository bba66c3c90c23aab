/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/evtchn.h - event channels: the port table. */
#ifndef HYPERVISOR_EVTCHN_H
#define HYPERVISOR_EVTCHN_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/event_channel.h>

#include "base/util.h"

struct save_port;
struct vm;

/** EVTCHN_PORTS - Size of the table; fewer are usable in 32-bit layout. */
#define EVTCHN_PORTS 4096

/** EVTCHN_STORE, EVTCHN_CONSOLE - Made by evtchn_init() for the backends. */
#define EVTCHN_STORE   1
#define EVTCHN_CONSOLE 2

/** struct evtchn_port - One port.  lock: vm->lock */
struct evtchn_port {
	uint8_t type;	   /* EVTCHNSTAT_* */
	uint8_t vcpu;	   /* that is notified */
	uint16_t remote;   /* unbound, interdomain: the other domain */
	uint32_t peer;	   /* interdomain with ourselves: the other port */
	uint32_t virq;	   /* virq */
	const void *owner; /* interdomain with a client: which; borrowed */
	int kick, call;	   /* its eventfds, -1 without a client */
};

/** struct evtchn - The table; ports above @top were never used. */
struct evtchn {
	struct evtchn_port *port;
	uint32_t top;
	bool resetting;
};

/** evtchn_init() - Empty table with the store's and the console's port. */
int evtchn_init(struct vm *vm) must_check;

/** evtchn_anew() - evtchn_reset(), then as evtchn_init() leaves it. */
void evtchn_anew(struct vm *vm);

/**
 * evtchn_restore() - The table as it was saved.
 * @list: UNTRUSTED: ports from 1 on; clients' ones unbound.
 *
 * Return: 0, -EINVAL if that cannot be, or -errno.
 */
int evtchn_restore(struct vm *vm, const struct save_port *list,
		   uint32_t n) must_check;

/**
 * evtchn_remind() - Raise anew whatever is pending: the engine may know nothing of
 * it yet.  Return: 0 or -errno.
 */
int evtchn_remind(struct vm *vm) must_check;

/** evtchn_fini() - The VM ends; a half-made table is fine. */
void evtchn_fini(struct vm *vm);

/**
 * evtchn_alloc_unbound() - A port that domain @remote may bind.
 *
 * Return: 0, -ENOSPC, or -errno.  Likewise below.
 */
int evtchn_alloc_unbound(struct vm *vm, uint16_t remote,
			 uint32_t *port) must_check;

/**
 * evtchn_bind_interdomain() - Join two ports of the guest itself.
 *
 * Other domains' ports cannot be bound by a guest: -EINVAL.
 */
int evtchn_bind_interdomain(struct vm *vm, uint16_t remote, uint32_t peer,
			    unsigned int vcpu, uint32_t *port) must_check;

/** evtchn_bind_virq() - -EEXIST if the vCPU has that VIRQ already. */
int evtchn_bind_virq(struct vm *vm, uint32_t virq, uint32_t vcpu,
		     uint32_t *port) must_check;

/** evtchn_bind_ipi() - A port that only the guest itself can send to. */
int evtchn_bind_ipi(struct vm *vm, uint32_t vcpu, uint32_t *port) must_check;

/** evtchn_bind_vcpu() - Move a port's notifications to another vCPU. */
int evtchn_bind_vcpu(struct vm *vm, uint32_t port, uint32_t vcpu) must_check;

/** evtchn_close() - Free a port; its peer falls back to unbound. */
int evtchn_close(struct vm *vm, uint32_t port) must_check;

/** evtchn_send() - Sends that the engine has not taken. */
int evtchn_send(struct vm *vm, uint32_t port) must_check;

/** evtchn_status() - Fill @st for st->port. */
int evtchn_status(struct vm *vm, struct evtchn_status *st) must_check;

/** evtchn_unmask() - Clear the mask; deliver again if pending. */
int evtchn_unmask(struct vm *vm, uint32_t port) must_check;

/** evtchn_reset() - Close all ports. */
void evtchn_reset(struct vm *vm);

/** evtchn_virq() - Raise a VIRQ on a vCPU, if it is bound. */
void evtchn_virq(struct vm *vm, uint32_t virq, unsigned int vcpu);

/**
 * evtchn_client_bind() - Join a port with a client of the domain socket.
 * @owner: Identifies the client.
 * @kick:  Eventfd signalled by the guest's sends; @call: signals the guest.
 *	   Both remain the table's; the client gets duplicates.
 *
 * Both sides are pending at once, so that a kick that nobody heard is not lost.
 *
 * Return: 0, -EINVAL if the port is not unbound for dom0, -EBUSY if another
 * client has it, or -errno.
 */
int evtchn_client_bind(struct vm *vm, const void *owner, uint32_t port,
		       int *kick, int *call) must_check;

/** evtchn_client_close() - -EINVAL if @owner has not bound it. */
int evtchn_client_close(struct vm *vm, const void *owner,
			uint32_t port) must_check;

/** evtchn_client_gone() - All of a client's ports fall back to unbound. */
void evtchn_client_gone(struct vm *vm, const void *owner);

#endif
