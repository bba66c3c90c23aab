// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/context.c - what a vCPU is doing: registers, interrupts, events.
#include "hypervisor/context.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/domsock.h"
#include "hypervisor/gva.h"
#include "hypervisor/kvm_abi.h"
#include "hypervisor/stats.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vm.h"

/* Registers of the LAPIC: eight words of each, 16 bytes apart (SDM 3A, 11). */
#define LAPIC_TPR 0x80
#define LAPIC_ISR 0x100
#define LAPIC_IRR 0x200

/* How long context_look() waits: far more than a vCPU that has a CPU takes. */
#define ANSWER_NS 500000000

_Static_assert(VM_MAX_VCPUS <= 64, "a bit for each in struct dom_info");

/* SYSCALLS, at times: ioctl:KVM_GET_REGS ioctl:KVM_GET_SREGS */
static int get_registers(const struct vcpu *v, struct dom_vcpu *out)
{
	struct kvm_regs r;
	struct kvm_sregs s;

	if (ioctl(v->fd, KVM_GET_REGS, &r) < 0 ||
	    ioctl(v->fd, KVM_GET_SREGS, &s) < 0)
		return -errno;
	out->rip = r.rip;
	out->rflags = r.rflags;
	/* In the order of their numbers. */
	memcpy(out->gpr,
	       (uint64_t[]){ r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi,
			     r.rdi, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13,
			     r.r14, r.r15 },
	       sizeof(out->gpr));
	out->cr0 = s.cr0;
	out->cr2 = s.cr2;
	out->cr3 = s.cr3;
	out->cr4 = s.cr4;
	out->efer = s.efer;
	out->cs = s.cs.selector;
	out->ss = s.ss.selector;
	out->longmode = s.cs.l;
	return 0;
}

static void get_stack(const struct vm *vm, struct dom_vcpu *out)
{
	struct gva g = {
		.mem = vm->mem,
		.cr0 = out->cr0,
		.cr3 = out->cr3,
		.cr4 = out->cr4,
		.efer = out->efer,
		.longmode = out->longmode,
	};

	for (; out->nstack < DOM_VCPU_STACK; out->nstack++) {
		if (gva_read(&g, &out->stack[out->nstack],
			     out->gpr[4] + out->nstack * sizeof(uint64_t),
			     sizeof(uint64_t)))
			return;
	}
}

/*
 * SYSCALLS, at times: ioctl:KVM_GET_VCPU_EVENTS ioctl:KVM_GET_LAPIC
 * SYSCALLS, at times: ioctl:KVM_GET_MP_STATE
 */
static int get_interrupts(const struct vcpu *v, struct dom_vcpu *out)
{
	struct kvm_vcpu_events e;
	struct kvm_lapic_state l;
	struct kvm_mp_state mp;

	if (ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e) < 0 ||
	    ioctl(v->fd, KVM_GET_LAPIC, &l) < 0 ||
	    ioctl(v->fd, KVM_GET_MP_STATE, &mp) < 0)
		return -errno;
	out->mp_state = mp.mp_state;
	out->exception = e.exception.injected ? e.exception.nr : DOM_NO_VECTOR;
	out->interrupt = e.interrupt.injected ? e.interrupt.nr : DOM_NO_VECTOR;
	out->shadow = e.interrupt.shadow;
	memcpy(&out->tpr, l.regs + LAPIC_TPR, sizeof(out->tpr));
	for (size_t i = 0; i < ARRAY_SIZE(out->irr); i++) {
		memcpy(&out->isr[i], l.regs + LAPIC_ISR + i * 16, 4);
		memcpy(&out->irr[i], l.regs + LAPIC_IRR + i * 16, 4);
	}
	return 0;
}

/* SYSCALLS, at times: ioctl:KVM_XEN_VCPU_GET_ATTR */
static void get_events(struct vm *vm, const struct vcpu *v,
		       struct dom_vcpu *out)
{
	struct kvm_xen_vcpu_attr attr = {
		.type = KVM_XEN_VCPU_ATTR_TYPE_TIMER,
	};

	out->upcall_vector = v->upcall_vector;
	if (v->info) {
		shm_fetch(out->info, v->info, sizeof(out->info));
		out->ninfo = sizeof(out->info);
	}
	for (uint32_t port = 0; port < shinfo_ports(vm); port++) {
		if (shinfo_pending(vm, port) &&
		    out->npending < DOM_VCPU_PENDING)
			out->pending[out->npending++] = (uint16_t)port;
	}
	if (ioctl(v->fd, KVM_XEN_VCPU_GET_ATTR, &attr) == 0) {
		out->timer_port = attr.u.timer.port;
		out->timer_ns = attr.u.timer.expires_ns;
	}
	if (vm->engine->clock(vm, &out->now_ns))
		out->now_ns = 0;
}

static int look(struct vm *vm, unsigned int id, struct dom_vcpu *out)
{
	struct vcpu *v = &vm->vcpus[id];
	int ret;

	/* KVM would have us wait for a vCPU that runs. */
	if (vm->parked < vm->nvcpus)
		return -EBUSY;
	out->id = id;
	ret = get_registers(v, out);
	if (!ret)
		ret = get_interrupts(v, out);
	if (ret)
		return ret;
	get_stack(vm, out);
	get_events(vm, v, out);
	return 0;
}

int context_get(struct vm *vm, unsigned int id, struct dom_vcpu *out)
{
	bool was_paused;
	int ret;

	if (id >= vm->nvcpus)
		return -ENOENT;
	was_paused = vm_hold(vm);
	ret = look(vm, id, out);
	vm_release(vm, was_paused);
	return ret;
}

/* SYSCALLS, at times: ioctl:KVM_NMI */
int context_nmi(struct vm *vm, unsigned int id)
{
	bool was_paused;
	int ret = 0;

	if (id >= vm->nvcpus)
		return -ENOENT;
	was_paused = vm_hold(vm);
	/* KVM would have us wait for a vCPU that runs. */
	if (vm->parked < vm->nvcpus)
		ret = -EBUSY;
	else if (ioctl(vm->vcpus[id].fd, KVM_NMI) < 0)
		ret = -errno;
	vm_release(vm, was_paused);
	return ret;
}

/* Nothing runs: they need not be asked. */
static void look_at_parked(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->nvcpus; i++)
		(void)!vcpu_look(&vm->vcpus[i]);
}

/* Until all have answered, or have stopped and will not. */
static void await_answers(struct vm *vm)
{
	struct timespec limit;
	unsigned int asked;

	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_nsec += ANSWER_NS;
	limit.tv_sec += limit.tv_nsec / 1000000000;
	limit.tv_nsec %= 1000000000;
	do {
		asked = 0;
		for (unsigned int i = 0; i < vm->nvcpus; i++)
			asked += vm->vcpus[i].ask_online;
	} while (asked && vm->parked < vm->nvcpus &&
		 !pthread_cond_timedwait(&vm->idle, &vm->lock, &limit));
}

void context_look(struct vm *vm)
{
	uint64_t running = 0;

	for (unsigned int i = 0; i < vm->nvcpus; i++)
		running |= (uint64_t)!stats_waits(&vm->vcpus[i]) << i;
	pthread_mutex_lock(&vm->lock);
	for (unsigned int i = 0; i < vm->nvcpus; i++) {
		struct vcpu *v = &vm->vcpus[i];

		if (v->has_thread && vm->nvcpus > 1 &&
		    !(v->online && running >> i & 1))
			vcpu_ask_online(v);
	}
	await_answers(vm);
	if (vm->parked == vm->nvcpus)
		look_at_parked(vm);
	pthread_mutex_unlock(&vm->lock);
}
