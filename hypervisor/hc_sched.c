// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/hc_sched.c - sched_op: yield, block, shutdown, poll, watchdog.
#include <errno.h>
#include <stdint.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <xen/xen.h>
#include <xen/sched.h>

#include "hypervisor/hypercall.h"
#include "hypervisor/resume.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vm.h"

/* Most ports of one SCHEDOP_poll (xen/common/sched/core.c). */
#define POLL_MAX 128

#define NS_PER_S UINT64_C(1000000000)

/* 32-bit struct sched_poll. */
struct poll32 {
	uint32_t ports, nr_ports;
	uint64_t timeout;
} __attribute__((packed, aligned(4)));

static int64_t yield(struct hc *hc)
{
	(void)hc;
	sched_yield();
	return 0;
}

/*
 * Wait for an event.  KVM halts the vCPU until it has an interrupt; if those
 * are off that may be never, and the call returns at once instead: callers
 * look for themselves whether there is something to do.
 *
 * SYSCALLS, at times: ioctl:KVM_SET_MP_STATE
 */
static int64_t block(struct hc *hc)
{
	struct kvm_mp_state halted = { .mp_state = KVM_MP_STATE_HALTED };
	struct vcpu *v = hc->vcpu;

	if (!v->run->if_flag || vcpu_has_event(v))
		return 0;
	return ioctl(v->fd, KVM_SET_MP_STATE, &halted) < 0 ? -errno : 0;
}

/*
 * The guest is down; who is only suspended, or asks for a soft reset, gets his answer
 * when he goes on.  Between the two calls lies the gate, which opens when the domain
 * is resumed.
 */
static int64_t go_down(struct hc *hc, uint8_t reason)
{
	if (hc->done)
		return hc->vm->resumed;
	vm_shut(hc->vm, reason);
	if (!resume_can(hc->vm))
		return 0;
	hc->done = 1;
	return HC_AGAIN;
}

static int64_t shutdown(struct hc *hc)
{
	struct sched_shutdown s = { .reason = 0 };

	if (!hc->done && hc_read(hc, &s, hc->arg[1], sizeof(s)))
		return -EFAULT;
	return go_down(hc, (uint8_t)s.reason);
}

static int64_t shutdown_code(struct hc *hc)
{
	struct sched_shutdown s;

	if (hc_read(hc, &s, hc->arg[1], sizeof(s)))
		return -EFAULT;
	if (hc->vm->code < 0)
		hc->vm->code = (uint8_t)s.reason;
	return 0;
}

/*
 * Polls that KVM did not take: those that Xen refuses.  A poll that it would
 * grant looks once and returns, which callers must expect of any poll.
 */
static int64_t poll_ports(struct hc *hc)
{
	uint64_t ports, at = hc->arg[1];
	struct sched_poll p;
	struct poll32 p32;
	uint32_t n, port;
	int ret;

	if (hc->longmode) {
		ret = hc_read(hc, &p, at, sizeof(p));
		n = p.nr_ports;
		ports = (uintptr_t)p.ports.p;
	} else {
		ret = hc_read(hc, &p32, at, sizeof(p32));
		n = p32.nr_ports;
		ports = p32.ports;
	}
	if (ret)
		return ret;
	if (n > POLL_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < n; i++) {
		if (hc_read(hc, &port, ports + i * sizeof(port), sizeof(port)))
			return -EFAULT;
		if (port >= shinfo_ports(hc->vm))
			return -EINVAL;
		if (shinfo_pending(hc->vm, port))
			return 0;
	}
	sched_yield();
	return 0;
}

/* Only a control domain may shut another domain down. */
static int64_t remote_shutdown(struct hc *hc)
{
	struct sched_remote_shutdown s;
	int ret;

	if (hc_read(hc, &s, hc->arg[1], sizeof(s)))
		return -EFAULT;
	ret = hc_self(hc, s.domain_id);
	return ret ? ret : -EPERM;
}

/* id 0: take a free one and return it; timeout 0: give it back. */
static int64_t watchdog(struct hc *hc)
{
	struct sched_watchdog w;
	struct vm *vm = hc->vm;
	uint64_t due;
	uint32_t i;

	if (hc_read(hc, &w, hc->arg[1], sizeof(w)))
		return -EFAULT;
	if (w.id > VM_WATCHDOGS)
		return -EINVAL;
	due = util_clock_ns() + w.timeout * NS_PER_S;
	if (w.id == 0) {
		if (w.timeout == 0)
			return -EINVAL;
		for (i = 0; i < VM_WATCHDOGS && vm->watchdog[i]; i++)
			;
		if (i == VM_WATCHDOGS)
			return -ENOSPC;
		vm->watchdog[i] = due;
		vm_wake(vm);
		return i + 1;
	}
	if (!vm->watchdog[w.id - 1])
		return -EINVAL;
	vm->watchdog[w.id - 1] = w.timeout ? due : 0;
	vm_wake(vm);
	return 0;
}

static int64_t pin_override(struct hc *hc)
{
	(void)hc;
	return -EPERM;
}

static int64_t (*const ops[])(struct hc *hc) = {
	[SCHEDOP_yield] = yield,
	[SCHEDOP_block] = block,
	[SCHEDOP_shutdown] = shutdown,
	[SCHEDOP_poll] = poll_ports,
	[SCHEDOP_remote_shutdown] = remote_shutdown,
	[SCHEDOP_shutdown_code] = shutdown_code,
	[SCHEDOP_watchdog] = watchdog,
	[SCHEDOP_pin_override] = pin_override,
};

int64_t hc_sched_op(struct hc *hc)
{
	uint32_t cmd = (uint32_t)hc->arg[0];

	return cmd < ARRAY_SIZE(ops) ? ops[cmd](hc) : hc_unknown(hc, cmd);
}

/* The call before 3.1: the reason of a shutdown is the argument itself. */
int64_t hc_sched_op_compat(struct hc *hc)
{
	switch (hc->arg[0]) {
	case SCHEDOP_yield:
		return yield(hc);
	case SCHEDOP_block:
		return block(hc);
	case SCHEDOP_shutdown:
		return go_down(hc, (uint8_t)hc->arg[1]);
	default:
		return hc_unknown(hc, hc->arg[0]);
	}
}
