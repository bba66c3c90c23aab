// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/engine_xen.c - the engine for hosts whose KVM knows Xen.
#include "hypervisor/engine_xen.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/vcpu.h>

#include "hypervisor/kvm_abi.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/version.h"
#include "hypervisor/vm.h"

/*
 * How it works
 *
 * KVM_XEN_HVM_CONFIG makes KVM hand us every vmcall and vmmcall, except those
 * that it answers itself: sends on ports it was told about, SCHEDOP_yield and
 * _poll, timers, XENVER_version.  A backend's eventfd is an irqfd whose GSI is
 * the port's number, routed to the port; writing to it sets the guest's pending
 * bits in the writer's context.  (Linux, Documentation/virt/kvm/api.rst,
 * KVM_XEN_*; the traps are those of arch/x86/kvm/xen.c.)
 *
 * The msr must not be 0 even if no guest writes it: it switches the rest on.
 * Where the host has the HVA forms, shared_info is active from the start at its
 * home in our memory, so that no event is ever lost for want of a place.
 */
#define HYPERCALL_MSR 0x40000000u

const unsigned int engine_xen_needs =
	KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL | KVM_XEN_HVM_CONFIG_SHARED_INFO |
	KVM_XEN_HVM_CONFIG_EVTCHN_2LEVEL | KVM_XEN_HVM_CONFIG_EVTCHN_SEND;

/** struct routes - The GSI routing table, which KVM wants whole each time. */
struct routes {
	struct kvm_irq_routing *table; /* room for @max entries */
	uint32_t max;
	bool active; /* GFN form: shared_info has been placed */
};

static bool has_hva(const struct vm *vm)
{
	return vm->xen_caps & KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA;
}

/* SYSCALLS: ioctl:KVM_XEN_HVM_SET_ATTR */
static int set_attr(struct vm *vm, struct kvm_xen_hvm_attr *attr)
{
	return ioctl(vm->fd, KVM_XEN_HVM_SET_ATTR, attr) < 0 ? -errno : 0;
}

/* SYSCALLS: ioctl:KVM_XEN_HVM_EVTCHN_SEND */
static int xen_raise(struct vm *vm, uint32_t port, unsigned int vcpu)
{
	const struct routes *r = vm->routes;
	struct kvm_irq_routing_xen_evtchn ev = {
		.port = port,
		.vcpu = vcpu,
		.priority = KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL,
	};

	/* KVM has no place for it yet; it moves into RAM with the page. */
	if (!r->active) {
		shinfo_set_pending(vm, port);
		return 0;
	}
	if (ioctl(vm->fd, KVM_XEN_HVM_EVTCHN_SEND, &ev) < 0)
		return -errno;
	return 0;
}

static void xen_send_none(struct vm *vm, uint32_t port)
{
	struct kvm_xen_hvm_attr attr = { .type = KVM_XEN_ATTR_TYPE_EVTCHN };

	attr.u.evtchn.send_port = port;
	attr.u.evtchn.flags = KVM_XEN_EVTCHN_DEASSIGN;
	vm_out_of_poll(vm);
	if (set_attr(vm, &attr))
		log_limited(&vm->limit, LOG_LVL_WARN,
			    "port %u: KVM does not forget it", port);
}

static void xen_send_none_all(struct vm *vm)
{
	struct kvm_xen_hvm_attr attr = { .type = KVM_XEN_ATTR_TYPE_EVTCHN };

	attr.u.evtchn.flags = KVM_XEN_EVTCHN_RESET;
	vm_out_of_poll(vm);
	if (set_attr(vm, &attr))
		log_limited(&vm->limit, LOG_LVL_WARN,
			    "KVM does not forget the event channels");
}

static int xen_send_to_fd(struct vm *vm, uint32_t port, int fd)
{
	struct kvm_xen_hvm_attr attr = { .type = KVM_XEN_ATTR_TYPE_EVTCHN };

	attr.u.evtchn.send_port = port;
	attr.u.evtchn.type = EVTCHNSTAT_interdomain;
	attr.u.evtchn.deliver.eventfd.fd = fd;
	return set_attr(vm, &attr);
}

static int set_send_port(struct vm *vm, uint32_t port, uint32_t peer,
			 unsigned int vcpu, uint32_t flags)
{
	struct kvm_xen_hvm_attr attr = { .type = KVM_XEN_ATTR_TYPE_EVTCHN };

	attr.u.evtchn.send_port = port;
	attr.u.evtchn.flags = flags;
	attr.u.evtchn.type = peer == port ? EVTCHNSTAT_ipi
					  : EVTCHNSTAT_interdomain;
	attr.u.evtchn.deliver.port.port = peer;
	attr.u.evtchn.deliver.port.vcpu = vcpu;
	attr.u.evtchn.deliver.port.priority =
		KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL;
	return set_attr(vm, &attr);
}

static int xen_send_to_port(struct vm *vm, uint32_t port, uint32_t peer,
			    unsigned int vcpu)
{
	return set_send_port(vm, port, peer, vcpu, 0);
}

static int xen_send_move(struct vm *vm, uint32_t port, uint32_t peer,
			 unsigned int vcpu)
{
	return set_send_port(vm, port, peer, vcpu, KVM_XEN_EVTCHN_UPDATE);
}

static struct kvm_irq_routing_entry *find_route(struct routes *r, uint32_t port)
{
	struct kvm_irq_routing *t = r->table;

	for (uint32_t i = 0; t && i < t->nr; i++) {
		if (t->entries[i].gsi == port)
			return &t->entries[i];
	}
	return NULL;
}

static int grow_routes(struct routes *r)
{
	uint32_t nr = r->table ? r->table->nr : 0;
	uint32_t max = r->max ? r->max * 2 : 16;
	void *t;

	if (nr < r->max)
		return 0;
	t = realloc(r->table,
		    sizeof(*r->table) + max * sizeof(r->table->entries[0]));
	if (!t)
		return -ENOMEM;
	r->table = t;
	r->table->nr = nr;
	r->table->flags = 0;
	r->max = max;
	return 0;
}

/*
 * Routes stay when their port is closed: nothing writes to a GSI without an
 * irqfd, and a backend that comes back finds its route in place.
 *
 * SYSCALLS: ioctl:KVM_SET_GSI_ROUTING
 */
static int xen_irq_move(struct vm *vm, uint32_t port, unsigned int vcpu)
{
	struct routes *r = vm->routes;
	struct kvm_irq_routing_entry *e = find_route(r, port);
	struct kvm_irq_routing_entry old;
	int ret;

	if (e && e->u.xen_evtchn.vcpu == vcpu)
		return 0;
	ret = grow_routes(r);
	if (ret)
		return ret;
	e = find_route(r, port);
	old = e ? *e : (struct kvm_irq_routing_entry){ .gsi = 0 };
	if (!e)
		e = &r->table->entries[r->table->nr++];
	*e = (struct kvm_irq_routing_entry){
		.gsi = port,
		.type = KVM_IRQ_ROUTING_XEN_EVTCHN,
	};
	e->u.xen_evtchn.port = port;
	e->u.xen_evtchn.vcpu = vcpu;
	e->u.xen_evtchn.priority = KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL;
	if (ioctl(vm->fd, KVM_SET_GSI_ROUTING, r->table) == 0)
		return 0;
	ret = -errno;
	*e = old;
	r->table->nr -= old.gsi == 0;
	return ret;
}

/* SYSCALLS: ioctl:KVM_IRQFD */
static int set_irqfd(struct vm *vm, uint32_t port, int fd, uint32_t flags)
{
	struct kvm_irqfd irqfd = {
		.fd = (uint32_t)fd,
		.gsi = port,
		.flags = flags,
	};

	return ioctl(vm->fd, KVM_IRQFD, &irqfd) < 0 ? -errno : 0;
}

static int xen_irq_attach(struct vm *vm, uint32_t port, unsigned int vcpu,
			  int fd)
{
	int ret = xen_irq_move(vm, port, vcpu);

	return ret ? ret : set_irqfd(vm, port, fd, 0);
}

static void xen_irq_detach(struct vm *vm, uint32_t port, int fd)
{
	if (set_irqfd(vm, port, fd, KVM_IRQFD_FLAG_DEASSIGN))
		log_warn("port %u: KVM keeps its irqfd", port);
}

static int xen_timer(struct vcpu *v, uint32_t port)
{
	struct kvm_xen_vcpu_attr attr = {
		.type = KVM_XEN_VCPU_ATTR_TYPE_TIMER,
	};

	attr.u.timer.port = port;
	attr.u.timer.priority = KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL;
	return vcpu_set_attr(v, &attr);
}

static int xen_width(struct vm *vm, bool is64)
{
	struct kvm_xen_hvm_attr attr = {
		.type = KVM_XEN_ATTR_TYPE_LONG_MODE,
		.u.long_mode = is64,
	};

	return set_attr(vm, &attr);
}

static int xen_shared_info(struct vm *vm)
{
	struct kvm_xen_hvm_attr attr = { .type = 0 };
	struct routes *r = vm->routes;
	int ret;

	if (has_hva(vm)) {
		attr.type = KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA;
		attr.u.shared_info.gfn = (uintptr_t)vm->shinfo.page.host;
	} else {
		/* PHYSMAP_NONE is KVM's own word for nowhere. */
		attr.type = KVM_XEN_ATTR_TYPE_SHARED_INFO;
		attr.u.shared_info.gfn = vm->shinfo.page.gfn;
	}
	ret = set_attr(vm, &attr);
	if (!ret)
		r->active = has_hva(vm) || vm->shinfo.page.gfn != PHYSMAP_NONE;
	return ret;
}

static int xen_vcpu_info(struct vcpu *v, uint64_t gpa, void SHM *host)
{
	struct kvm_xen_vcpu_attr attr = { .type = 0 };

	if (has_hva(v->vm)) {
		attr.type = KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA;
		attr.u.gpa = (uintptr_t)host;
	} else {
		/* All ones is KVM's own word for nowhere. */
		attr.type = KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO;
		attr.u.gpa = gpa;
	}
	return vcpu_set_attr(v, &attr);
}

static int set_gpa(struct vcpu *v, uint16_t type, uint64_t gpa)
{
	struct kvm_xen_vcpu_attr attr = { .type = type, .u.gpa = gpa };

	return vcpu_set_attr(v, &attr);
}

static int xen_vcpu_time(struct vcpu *v, uint64_t gpa)
{
	return set_gpa(v, KVM_XEN_VCPU_ATTR_TYPE_VCPU_TIME_INFO, gpa);
}

static int xen_runstate(struct vcpu *v, uint64_t gpa)
{
	/* Without scheduling statistics the host has nothing to write. */
	if (!(v->vm->xen_caps & KVM_XEN_HVM_CONFIG_RUNSTATE))
		return 0;
	return set_gpa(v, KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADDR, gpa);
}

/* SYSCALLS, at times: ioctl:KVM_XEN_VCPU_GET_ATTR */
static int xen_get_runstate(struct vcpu *v, struct vcpu_runstate_info *r)
{
	struct kvm_xen_vcpu_attr attr = {
		.type = KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_DATA,
	};

	/* Asking KVM about a vCPU that runs would wait until it stops. */
	if (!vcpu_is_self(v))
		return -EINVAL;
	if (ioctl(v->fd, KVM_XEN_VCPU_GET_ATTR, &attr) < 0)
		return -errno;
	*r = (struct vcpu_runstate_info){
		.state = (int)attr.u.runstate.state,
		.state_entry_time = attr.u.runstate.state_entry_time,
		.time = { attr.u.runstate.time_running,
			  attr.u.runstate.time_runnable,
			  attr.u.runstate.time_blocked,
			  attr.u.runstate.time_offline },
	};
	return 0;
}

static int xen_runstate_flag(struct vm *vm, bool on)
{
	struct kvm_xen_hvm_attr attr = {
		.type = KVM_XEN_ATTR_TYPE_RUNSTATE_UPDATE_FLAG,
		.u.long_mode = on, /* the same byte of the union */
	};

	int ret;

	if (!(vm->xen_caps & KVM_XEN_HVM_CONFIG_RUNSTATE_UPDATE_FLAG))
		return -ENOSYS;
	ret = set_attr(vm, &attr);
	if (!ret)
		vm->runstate_flag = on;
	return ret;
}

static int xen_upcall(struct vcpu *v, uint8_t vector)
{
	struct kvm_xen_vcpu_attr attr = {
		.type = KVM_XEN_VCPU_ATTR_TYPE_UPCALL_VECTOR,
		.u.vector = vector,
	};

	return vcpu_set_attr(v, &attr);
}

static int xen_upcall_all(struct vm *vm, uint8_t vector)
{
	struct kvm_xen_hvm_attr attr = {
		.type = KVM_XEN_ATTR_TYPE_UPCALL_VECTOR,
		.u.vector = vector,
	};

	return set_attr(vm, &attr);
}

/* SYSCALLS: ioctl:KVM_GET_CLOCK */
static int xen_clock(struct vm *vm, uint64_t *ns)
{
	struct kvm_clock_data data;

	if (ioctl(vm->fd, KVM_GET_CLOCK, &data) < 0)
		return -errno;
	*ns = data.clock;
	return 0;
}

const struct engine engine_xen = {
	.name = "kvm-xen",
	.slot = vm_slot,
	.raise = xen_raise,
	.send_to_fd = xen_send_to_fd,
	.send_to_port = xen_send_to_port,
	.send_move = xen_send_move,
	.send_none = xen_send_none,
	.send_none_all = xen_send_none_all,
	.irq_attach = xen_irq_attach,
	.irq_detach = xen_irq_detach,
	.irq_move = xen_irq_move,
	.timer = xen_timer,
	.width = xen_width,
	.shared_info = xen_shared_info,
	.vcpu_info = xen_vcpu_info,
	.vcpu_time = xen_vcpu_time,
	.runstate = xen_runstate,
	.get_runstate = xen_get_runstate,
	.runstate_flag = xen_runstate_flag,
	.clock = xen_clock,
	.upcall = xen_upcall,
	.upcall_all = xen_upcall_all,
};

int engine_xen_init(struct vm *vm)
{
	struct kvm_xen_hvm_config config = {
		.flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL |
			 KVM_XEN_HVM_CONFIG_EVTCHN_SEND,
		.msr = HYPERCALL_MSR,
	};
	struct kvm_xen_hvm_attr version = {
		.type = KVM_XEN_ATTR_TYPE_XEN_VERSION,
		.u.xen_version = VERSION_XEN,
	};
	int ret;

	vm->routes = calloc(1, sizeof(struct routes));
	if (!vm->routes)
		return -ENOMEM;
	if (ioctl(vm->fd, KVM_XEN_HVM_CONFIG, &config) < 0)
		return -errno;
	ret = set_attr(vm, &version);
	if (ret)
		return ret;
	/* Most guests are; those that are not say so before it matters. */
	ret = xen_width(vm, true);
	if (ret)
		return ret;
	vm->shinfo.is64 = true;
	return xen_shared_info(vm);
}

void engine_xen_fini(struct vm *vm)
{
	struct routes *r = vm->routes;

	if (r)
		free(r->table);
	free(r);
	vm->routes = NULL;
}
