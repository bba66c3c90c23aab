// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/evtchn.c - event channels: the port table.
#include "hypervisor/evtchn.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "hypervisor/engine.h"
#include "hypervisor/save.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vm.h"

/*
 * How it works
 *
 * The table says what each port is; who delivers is the engine, which is told
 * of every change.  A port that the engine knows never comes here when it is
 * used: sends go to an eventfd or another port in the kernel, and a client's
 * eventfd raises the port in the kernel.
 *
 *	free -> unbound (for a domain) -> interdomain (a client, or ourselves)
 *	     -> virq, ipi
 *
 * A client that leaves turns its ports back to unbound; the guest's sends then
 * come to evtchn_send(), which drops them, as Xen does.  Rules: xen/common/
 * event_channel.c; numbers of VIRQs: xen/xen.h.
 */

/*
 * VIRQs that exist once for each vCPU.  All others are global and dom0's: a
 * guest may bind them, and nothing will ever arrive.
 */
static bool virq_is_percpu(uint32_t virq)
{
	return virq == VIRQ_TIMER || virq == VIRQ_DEBUG ||
	       virq == VIRQ_XENOPROF || virq == VIRQ_XENPMU;
}

/* The port, or NULL if it is beyond the layout's limit or free. */
static struct evtchn_port *find(struct vm *vm, uint32_t port)
{
	struct evtchn *e = &vm->evtchn;

	if (port == 0 || port >= e->top || port >= shinfo_ports(vm) ||
	    e->port[port].type == EVTCHNSTAT_closed)
		return NULL;
	return &e->port[port];
}

static int get_free(struct vm *vm, uint32_t *port)
{
	struct evtchn *e = &vm->evtchn;
	uint32_t limit = shinfo_ports(vm);

	for (uint32_t i = 1; i < limit; i++) {
		if (i < e->top && e->port[i].type != EVTCHNSTAT_closed)
			continue;
		*port = i;
		return 0;
	}
	return -ENOSPC;
}

/* Make @port a new one of @type, notifying vCPU 0. */
static struct evtchn_port *take(struct vm *vm, uint32_t port, uint8_t type)
{
	struct evtchn *e = &vm->evtchn;
	struct evtchn_port *p = &e->port[port];

	*p = (struct evtchn_port){ .type = type, .kick = -1, .call = -1 };
	e->top = MAX(e->top, port + 1);
	return p;
}

static void drop(struct evtchn_port *p)
{
	*p = (struct evtchn_port){ .kick = -1, .call = -1 };
}

/* What the toolstack makes on Xen: ports for store and console. */
static void take_first(struct vm *vm)
{
	take(vm, EVTCHN_STORE, EVTCHNSTAT_unbound)->remote = VM_BACKEND;
	take(vm, EVTCHN_CONSOLE, EVTCHNSTAT_unbound)->remote = VM_BACKEND;
}

int evtchn_init(struct vm *vm)
{
	vm->evtchn.port = calloc(EVTCHN_PORTS, sizeof(*vm->evtchn.port));
	if (!vm->evtchn.port)
		return -ENOMEM;
	take_first(vm);
	return 0;
}

/* The port of a VIRQ, or 0. */
static uint32_t find_virq(struct vm *vm, uint32_t virq, unsigned int vcpu)
{
	struct evtchn *e = &vm->evtchn;

	for (uint32_t i = 1; i < e->top; i++) {
		if (e->port[i].type == EVTCHNSTAT_virq &&
		    e->port[i].virq == virq &&
		    (!virq_is_percpu(virq) || e->port[i].vcpu == vcpu))
			return i;
	}
	return 0;
}

/* An interdomain port of the guest with itself, and its other end. */
static bool is_pair(const struct save_port *list, uint32_t n, uint32_t port)
{
	const struct save_port *p = &list[port - 1], *q;

	if (p->peer < 1 || p->peer > n || p->peer == port)
		return false;
	q = &list[p->peer - 1];
	return q->type == EVTCHNSTAT_interdomain && q->peer == port;
}

static int restore_port(struct vm *vm, const struct save_port *list, uint32_t n,
			uint32_t port)
{
	const struct save_port *s = &list[port - 1];
	struct evtchn_port *p;
	int ret = 0;

	if (s->vcpu >= vm->nvcpus || s->remote > UINT16_MAX)
		return -EINVAL;
	switch (s->type) {
	case EVTCHNSTAT_closed:
		return 0;
	case EVTCHNSTAT_unbound:
		break;
	case EVTCHNSTAT_interdomain:
		if (!is_pair(list, n, port))
			return -EINVAL;
		ret = vm->engine->send_to_port(vm, port, s->peer,
					       list[s->peer - 1].vcpu);
		break;
	case EVTCHNSTAT_virq:
		if (s->virq >= NR_VIRQS || find_virq(vm, s->virq, s->vcpu))
			return -EINVAL;
		if (s->virq == VIRQ_TIMER)
			ret = vm->engine->timer(&vm->vcpus[s->vcpu], port);
		break;
	case EVTCHNSTAT_ipi:
		ret = vm->engine->send_to_port(vm, port, port, s->vcpu);
		break;
	default:
		return -EINVAL;
	}
	if (ret)
		return ret;
	p = take(vm, port, (uint8_t)s->type);
	p->vcpu = (uint8_t)s->vcpu;
	p->remote = (uint16_t)s->remote;
	p->peer = s->type == EVTCHNSTAT_interdomain ? s->peer : 0;
	p->virq = s->type == EVTCHNSTAT_virq ? s->virq : 0;
	return 0;
}

int evtchn_restore(struct vm *vm, const struct save_port *list, uint32_t n)
{
	int ret = 0;

	if (n >= shinfo_ports(vm))
		return -EINVAL;
	evtchn_reset(vm);
	/* The other end's vCPU is looked at, too. */
	for (uint32_t i = 0; i < n; i++) {
		if (list[i].vcpu >= vm->nvcpus)
			return -EINVAL;
	}
	for (uint32_t port = 1; port <= n && !ret; port++)
		ret = restore_port(vm, list, n, port);
	return ret;
}

int evtchn_remind(struct vm *vm)
{
	struct evtchn *e = &vm->evtchn;
	int ret = 0;

	for (uint32_t i = 1; i < e->top && !ret; i++) {
		if (find(vm, i) && shinfo_clear_pending(vm, i))
			ret = vm->engine->raise(vm, i, e->port[i].vcpu);
	}
	return ret;
}

void evtchn_anew(struct vm *vm)
{
	evtchn_reset(vm);
	take_first(vm);
}

void evtchn_fini(struct vm *vm)
{
	struct evtchn *e = &vm->evtchn;

	/* What the engine knows of them ends with the VM. */
	for (uint32_t i = 1; i < e->top; i++) {
		fd_close(&e->port[i].kick);
		fd_close(&e->port[i].call);
	}
	free(e->port);
	*e = (struct evtchn){ .port = NULL };
}

int evtchn_alloc_unbound(struct vm *vm, uint16_t remote, uint32_t *port)
{
	int ret = get_free(vm, port);

	if (ret)
		return ret;
	if (remote == DOMID_SELF)
		remote = (uint16_t)vm->cfg.domid;
	take(vm, *port, EVTCHNSTAT_unbound)->remote = remote;
	return 0;
}

int evtchn_bind_interdomain(struct vm *vm, uint16_t remote, uint32_t peer,
			    unsigned int vcpu, uint32_t *port)
{
	struct evtchn_port *p, *q;
	int ret;

	if (remote != DOMID_SELF && remote != vm->cfg.domid)
		return -EINVAL;
	q = find(vm, peer);
	if (!q || q->type != EVTCHNSTAT_unbound || q->remote != vm->cfg.domid)
		return -EINVAL;
	ret = get_free(vm, port);
	if (ret)
		return ret;
	ret = vm->engine->send_to_port(vm, *port, peer, q->vcpu);
	if (ret)
		return ret;
	ret = vm->engine->send_to_port(vm, peer, *port, vcpu);
	if (ret) {
		vm->engine->send_none(vm, *port);
		return ret;
	}
	p = take(vm, *port, EVTCHNSTAT_interdomain);
	p->vcpu = (uint8_t)vcpu;
	p->remote = q->remote;
	p->peer = peer;
	q->type = EVTCHNSTAT_interdomain;
	q->peer = *port;
	/* Bound it is; an event for good measure, as Xen does. */
	if (vm->engine->raise(vm, *port, vcpu))
		log_limited(&vm->limit, LOG_LVL_WARN,
			    "port %u: no event at its binding", *port);
	return 0;
}

int evtchn_bind_virq(struct vm *vm, uint32_t virq, uint32_t vcpu,
		     uint32_t *port)
{
	struct evtchn_port *p;
	int ret;

	if (virq >= NR_VIRQS || (vcpu != 0 && !virq_is_percpu(virq)))
		return -EINVAL;
	if (vcpu >= vm->nvcpus)
		return -ENOENT;
	if (find_virq(vm, virq, vcpu))
		return -EEXIST;
	ret = get_free(vm, port);
	if (!ret && virq == VIRQ_TIMER)
		ret = vm->engine->timer(&vm->vcpus[vcpu], *port);
	if (ret)
		return ret;
	p = take(vm, *port, EVTCHNSTAT_virq);
	p->virq = virq;
	p->vcpu = (uint8_t)vcpu;
	return 0;
}

int evtchn_bind_ipi(struct vm *vm, uint32_t vcpu, uint32_t *port)
{
	int ret;

	if (vcpu >= vm->nvcpus)
		return -ENOENT;
	ret = get_free(vm, port);
	if (!ret)
		ret = vm->engine->send_to_port(vm, *port, *port, vcpu);
	if (!ret)
		take(vm, *port, EVTCHNSTAT_ipi)->vcpu = (uint8_t)vcpu;
	return ret;
}

/* Tell the engine that events on @port now go to @vcpu. */
static int move(struct vm *vm, uint32_t port, const struct evtchn_port *p,
		unsigned int vcpu)
{
	if (p->type != EVTCHNSTAT_interdomain)
		return 0;
	if (p->call >= 0)
		return vm->engine->irq_move(vm, port, vcpu);
	return vm->engine->send_move(vm, p->peer, port, vcpu);
}

int evtchn_bind_vcpu(struct vm *vm, uint32_t port, uint32_t vcpu)
{
	struct evtchn_port *p = find(vm, port);
	int ret;

	if (vcpu >= vm->nvcpus)
		return -ENOENT;
	if (!p || p->type == EVTCHNSTAT_ipi ||
	    (p->type == EVTCHNSTAT_virq && virq_is_percpu(p->virq)))
		return -EINVAL;
	if (p->vcpu == vcpu)
		return 0;
	ret = move(vm, port, p, vcpu);
	if (ret)
		return ret;
	p->vcpu = (uint8_t)vcpu;
	/* The old vCPU may have been told and may not look any more. */
	if (shinfo_clear_pending(vm, port))
		return vm->engine->raise(vm, port, vcpu);
	return 0;
}

/* A reset has undone all sends at once: each alone waits for every vCPU. */
static void stop_sends(struct vm *vm, uint32_t port)
{
	if (!vm->evtchn.resetting)
		vm->engine->send_none(vm, port);
}

/* Take an interdomain port away from its client, down to unbound. */
static void detach(struct vm *vm, uint32_t port, struct evtchn_port *p)
{
	vm->engine->irq_detach(vm, port, p->call);
	stop_sends(vm, port);
	fd_close(&p->kick);
	fd_close(&p->call);
	p->owner = NULL;
	p->type = EVTCHNSTAT_unbound;
}

static void close_port(struct vm *vm, uint32_t port, struct evtchn_port *p)
{
	struct evtchn_port *q;

	switch (p->type) {
	case EVTCHNSTAT_virq:
		if (p->virq == VIRQ_TIMER &&
		    vm->engine->timer(&vm->vcpus[p->vcpu], 0))
			log_limited(&vm->limit, LOG_LVL_WARN,
				    "vcpu %u: its timer stays", p->vcpu);
		break;
	case EVTCHNSTAT_ipi:
		stop_sends(vm, port);
		break;
	case EVTCHNSTAT_interdomain:
		if (p->call >= 0) {
			detach(vm, port, p);
			break;
		}
		stop_sends(vm, port);
		stop_sends(vm, p->peer);
		q = &vm->evtchn.port[p->peer];
		q->type = EVTCHNSTAT_unbound;
		q->peer = 0;
		break;
	default:
		break;
	}
	/* Else whoever binds the port next finds an event that is not his. */
	if (port < shinfo_ports(vm))
		shinfo_clear_pending(vm, port);
	drop(p);
}

int evtchn_close(struct vm *vm, uint32_t port)
{
	struct evtchn_port *p = find(vm, port);

	if (!p)
		return -EINVAL;
	close_port(vm, port, p);
	return 0;
}

void evtchn_reset(struct vm *vm)
{
	struct evtchn *e = &vm->evtchn;

	vm->engine->send_none_all(vm);
	e->resetting = true;
	for (uint32_t i = 1; i < e->top; i++) {
		if (e->port[i].type != EVTCHNSTAT_closed)
			close_port(vm, i, &e->port[i]);
	}
	e->resetting = false;
	e->top = 0;
}

int evtchn_send(struct vm *vm, uint32_t port)
{
	struct evtchn_port *p = find(vm, port);

	if (!p)
		return -EINVAL;
	switch (p->type) {
	case EVTCHNSTAT_unbound:
		return 0;
	case EVTCHNSTAT_ipi:
		return vm->engine->raise(vm, port, p->vcpu);
	case EVTCHNSTAT_interdomain:
		if (p->kick < 0)
			return vm->engine->raise(vm, p->peer,
						 vm->evtchn.port[p->peer].vcpu);
		return eventfd_write(p->kick, 1) < 0 ? -errno : 0;
	default:
		return -EINVAL;
	}
}

int evtchn_status(struct vm *vm, struct evtchn_status *st)
{
	struct evtchn_port *p;

	if (st->port >= shinfo_ports(vm))
		return -EINVAL;
	p = find(vm, st->port);
	if (!p) {
		st->status = EVTCHNSTAT_closed;
		return 0;
	}
	st->status = p->type;
	st->vcpu = p->vcpu;
	switch (p->type) {
	case EVTCHNSTAT_unbound:
		st->u.unbound.dom = p->remote;
		break;
	case EVTCHNSTAT_interdomain:
		st->u.interdomain.dom = p->remote;
		/* A client has no port: it is known by ours. */
		st->u.interdomain.port = p->call >= 0 ? st->port : p->peer;
		break;
	case EVTCHNSTAT_virq:
		st->u.virq = p->virq;
		break;
	default:
		break;
	}
	return 0;
}

int evtchn_unmask(struct vm *vm, uint32_t port)
{
	struct evtchn_port *p = find(vm, port);

	if (!p)
		return -EINVAL;
	/*
	 * An event that came while the port was masked told nobody: raise it
	 * anew.  Between clearing and raising a second event may slip in; the
	 * two are one then, as always.
	 */
	if (shinfo_clear_mask(vm, port) && shinfo_clear_pending(vm, port))
		return vm->engine->raise(vm, port, p->vcpu);
	return 0;
}

void evtchn_virq(struct vm *vm, uint32_t virq, unsigned int vcpu)
{
	uint32_t port = find_virq(vm, virq, vcpu);

	if (port && vm->engine->raise(vm, port, vm->evtchn.port[port].vcpu))
		log_limited(&vm->limit, LOG_LVL_WARN,
			    "port %u: VIRQ %u cannot be raised", port, virq);
}

/* SYSCALLS: eventfd2 */
int evtchn_client_bind(struct vm *vm, const void *owner, uint32_t port,
		       int *kick, int *call)
{
	struct evtchn_port *p = find(vm, port);
	int ret;

	if (p && p->type == EVTCHNSTAT_interdomain && p->call >= 0)
		return -EBUSY;
	if (!p || p->type != EVTCHNSTAT_unbound || p->remote != VM_BACKEND)
		return -EINVAL;
	/* The count of 1 is the kick that makes the client look. */
	p->kick = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	p->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->kick < 0 || p->call < 0) {
		ret = -errno;
		goto close_fds;
	}
	ret = vm->engine->irq_attach(vm, port, p->vcpu, p->call);
	if (ret)
		goto close_fds;
	ret = vm->engine->send_to_fd(vm, port, p->kick);
	if (ret)
		goto detach_irq;
	p->type = EVTCHNSTAT_interdomain;
	p->owner = owner;
	ret = vm->engine->raise(vm, port, p->vcpu);
	if (ret) {
		detach(vm, port, p);
		return ret;
	}
	*kick = p->kick;
	*call = p->call;
	return 0;

detach_irq:
	vm->engine->irq_detach(vm, port, p->call);
close_fds:
	fd_close(&p->kick);
	fd_close(&p->call);
	return ret;
}

int evtchn_client_close(struct vm *vm, const void *owner, uint32_t port)
{
	struct evtchn_port *p = find(vm, port);

	if (!p || p->call < 0 || p->owner != owner)
		return -EINVAL;
	detach(vm, port, p);
	return 0;
}

void evtchn_client_gone(struct vm *vm, const void *owner)
{
	struct evtchn *e = &vm->evtchn;

	for (uint32_t i = 1; i < e->top; i++) {
		if (e->port[i].call >= 0 && e->port[i].owner == owner)
			detach(vm, i, &e->port[i]);
	}
}
