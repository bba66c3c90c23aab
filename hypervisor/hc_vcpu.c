// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/hc_vcpu.c - vcpu_op and set_timer_op.
#include <errno.h>
#include <stdint.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>

#include <xen/xen.h>
#include <xen/vcpu.h>

#include "hypervisor/hypercall.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vm.h"

/* Shortest periodic timer, as Xen's. */
#define MIN_PERIOD_NS UINT64_C(1000000)

/* Areas by guest-physical address, newer than Debian 12's headers. */
#ifndef VCPUOP_register_runstate_phys_area
#define VCPUOP_register_runstate_phys_area  14
#define VCPUOP_register_vcpu_time_phys_area 15
#endif

/* Bytes of struct vcpu_runstate_info: u64 alignment or not after an int. */
#define RUNSTATE_SIZE64 48
#define RUNSTATE_SIZE32 44
#define TIME_SIZE	sizeof(struct vcpu_time_info)

/*
 * The area must not cross into something else than RAM, for the host writes
 * it without asking again.
 */
static int find_area(struct hc *hc, uint64_t addr, size_t size, bool is_gpa,
		     uint64_t *gpa)
{
	gpa_t found = gpa_of(addr);
	int ret = 0;

	if (!is_gpa)
		ret = gva_range(&hc->gva, addr, size, &found);
	else if (!guestmem_ptr(hc->vm->mem, found, size))
		ret = -EINVAL;
	if (!ret)
		*gpa = found.v;
	return ret;
}

static int64_t set_runstate(struct hc *hc, struct vcpu *v, bool is_gpa)
{
	struct vcpu_register_runstate_memory_area a;
	size_t size = hc->longmode ? RUNSTATE_SIZE64 : RUNSTATE_SIZE32;
	uint64_t gpa;
	int ret;

	if (hc_read(hc, &a, hc->arg[2], sizeof(a)))
		return -EFAULT;
	ret = find_area(hc, a.addr.p, size, is_gpa, &gpa);
	return ret ? ret : hc->vm->engine->runstate(v, gpa);
}

static int64_t register_runstate(struct hc *hc, struct vcpu *v)
{
	return set_runstate(hc, v, false);
}

static int64_t register_runstate_phys(struct hc *hc, struct vcpu *v)
{
	return set_runstate(hc, v, true);
}

static int64_t set_time(struct hc *hc, struct vcpu *v, bool is_gpa)
{
	struct vcpu_register_time_memory_area a;
	uint64_t gpa;
	int ret;

	if (hc_read(hc, &a, hc->arg[2], sizeof(a)))
		return -EFAULT;
	if (a.addr.p == 0)
		return hc->vm->engine->vcpu_time(v, UINT64_MAX);
	ret = find_area(hc, a.addr.p, TIME_SIZE, is_gpa, &gpa);
	/* KVM's cache of it holds one page. */
	if (!ret && gpa % SV_PAGE_SIZE + TIME_SIZE > SV_PAGE_SIZE)
		ret = -EINVAL;
	return ret ? ret : hc->vm->engine->vcpu_time(v, gpa);
}

static int64_t register_time(struct hc *hc, struct vcpu *v)
{
	return set_time(hc, v, false);
}

static int64_t register_time_phys(struct hc *hc, struct vcpu *v)
{
	return set_time(hc, v, true);
}

static int64_t register_info(struct hc *hc, struct vcpu *v)
{
	struct vcpu_register_vcpu_info r;
	gpa_t page;

	if (hc_read(hc, &r, hc->arg[2], sizeof(r)))
		return -EFAULT;
	if (v->info_registered)
		return -EINVAL;
	if (r.offset > SV_PAGE_SIZE - SHINFO_VCPU_SIZE || r.offset % 8)
		return -EINVAL;
	page = gpa_of_gfn(r.mfn);
	/* The whole page first: a wild frame number must not wrap below. */
	if (!guestmem_ptr(hc->vm->mem, page, SV_PAGE_SIZE))
		return -EINVAL;
	return vcpu_info_move(v, page.v + r.offset);
}

static int64_t get_runstate(struct hc *hc, struct vcpu *v)
{
	size_t at = offsetof(struct vcpu_runstate_info, state_entry_time);
	struct vcpu_runstate_info r;
	uint8_t r32[RUNSTATE_SIZE32];
	int ret = hc->vm->engine->get_runstate(v, &r);

	if (ret)
		return ret;
	if (hc->longmode)
		return hc_write(hc, hc->arg[2], &r, RUNSTATE_SIZE64);
	memcpy(r32, &r.state, sizeof(r.state));
	memcpy(r32 + sizeof(r.state), (const uint8_t *)&r + at,
	       sizeof(r32) - sizeof(r.state));
	return hc_write(hc, hc->arg[2], r32, sizeof(r32));
}

static int64_t set_periodic(struct hc *hc, struct vcpu *v)
{
	struct vcpu_set_periodic_timer t;

	if (hc_read(hc, &t, hc->arg[2], sizeof(t)))
		return -EFAULT;
	if (t.period_ns < MIN_PERIOD_NS || t.period_ns > INT64_MAX)
		return -EINVAL;
	v->period_ns = t.period_ns;
	v->period_next = util_clock_ns() + t.period_ns;
	vm_wake(hc->vm);
	return 0;
}

static int64_t stop_periodic(struct hc *hc, struct vcpu *v)
{
	(void)hc;
	v->period_ns = 0;
	return 0;
}

/*
 * KVM has these when the vCPU has bound VIRQ_TIMER and asks for itself.  What
 * comes here is another vCPU's timer, which Xen refuses, or one whose
 * expiry nobody would be told of.
 */
static int64_t own_timer(struct hc *hc, struct vcpu *v)
{
	return v == hc->vcpu ? 0 : -EINVAL;
}

static int64_t send_nmi(struct hc *hc, struct vcpu *v)
{
	(void)hc;
	v->nmi = true;
	vcpu_kick(v);
	return 0;
}

/** struct op - A sub-operation on one vCPU. */
static int64_t (*const ops[])(struct hc *hc, struct vcpu *v) = {
	[VCPUOP_get_runstate_info] = get_runstate,
	[VCPUOP_register_runstate_memory_area] = register_runstate,
	[VCPUOP_set_periodic_timer] = set_periodic,
	[VCPUOP_stop_periodic_timer] = stop_periodic,
	[VCPUOP_set_singleshot_timer] = own_timer,
	[VCPUOP_stop_singleshot_timer] = own_timer,
	[VCPUOP_register_vcpu_info] = register_info,
	[VCPUOP_send_nmi] = send_nmi,
	[VCPUOP_register_vcpu_time_memory_area] = register_time,
	[VCPUOP_register_runstate_phys_area] = register_runstate_phys,
	[VCPUOP_register_vcpu_time_phys_area] = register_time_phys,
};

int64_t hc_vcpu_op(struct hc *hc)
{
	uint32_t cmd = (uint32_t)hc->arg[0], id = (uint32_t)hc->arg[1];

	if (cmd >= ARRAY_SIZE(ops) || !ops[cmd])
		return hc_unknown(hc, cmd);
	if (id >= hc->vm->nvcpus)
		return -ENOENT;
	return ops[cmd](hc, &hc->vm->vcpus[id]);
}

/* Taken by KVM once the vCPU has bound VIRQ_TIMER; until then nobody listens. */
int64_t hc_set_timer_op(struct hc *hc)
{
	(void)hc;
	return 0;
}
