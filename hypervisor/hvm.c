// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/hvm.c - HVM parameters and hvm_op.
#include "hypervisor/hvm.h"

#include <errno.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>

#include "hypervisor/hypercall.h"
#include "hypervisor/layout.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vm.h"

/* HVM_PARAM_CALLBACK_IRQ: type in the topmost byte, vector in the lowest. */
#define CALLBACK_TYPE_SHIFT 56

/* Interrupt vectors below this are exceptions. */
#define FIRST_VECTOR 16

/** enum access - What a guest may do with a parameter of its own. */
enum access {
	NONE, /* -EPERM */
	GET = 1,
	SET = 2,
	OLD = 4,    /* deprecated: -EINVAL */
	FROZEN = 8, /* set when the domain was made: -EEXIST */
};

/* xen/arch/x86/hvm/hvm.c, hvm_allow_get_param() and hvm_allow_set_param(). */
static const uint8_t access_of[HVM_NR_PARAMS] = {
	[HVM_PARAM_CALLBACK_IRQ] = GET | SET,
	[HVM_PARAM_STORE_PFN] = GET,
	[HVM_PARAM_STORE_EVTCHN] = GET | SET,
	[HVM_PARAM_PAE_ENABLED] = OLD,
	[HVM_PARAM_DM_DOMAIN] = OLD,
	[HVM_PARAM_VM86_TSS] = GET | SET,
	[HVM_PARAM_CONSOLE_PFN] = GET,
	[HVM_PARAM_CONSOLE_EVTCHN] = GET | SET,
	[HVM_PARAM_ACPI_IOPORTS_LOCATION] = GET | SET,
	[HVM_PARAM_MEMORY_EVENT_CR0] = OLD,
	[HVM_PARAM_MEMORY_EVENT_CR3] = OLD,
	[HVM_PARAM_MEMORY_EVENT_CR4] = OLD,
	[HVM_PARAM_MEMORY_EVENT_INT3] = OLD,
	[HVM_PARAM_NESTEDHVM] = OLD,
	[HVM_PARAM_MEMORY_EVENT_SINGLE_STEP] = OLD,
	[HVM_PARAM_BUFIOREQ_EVTCHN] = OLD,
	[HVM_PARAM_MEMORY_EVENT_MSR] = OLD,
	[HVM_PARAM_VM_GENERATION_ID_ADDR] = GET | SET,
	[HVM_PARAM_ALTP2M] = GET | FROZEN,
	[HVM_PARAM_X87_FIP_WIDTH] = GET | SET,
	[HVM_PARAM_VM86_TSS_SIZED] = GET | SET,
};

void hvm_init(struct vm *vm)
{
	uint64_t *param = vm->hvm.param;

	param[HVM_PARAM_STORE_PFN] = LAYOUT_STORE >> SV_PAGE_SHIFT;
	param[HVM_PARAM_STORE_EVTCHN] = EVTCHN_STORE;
	param[HVM_PARAM_CONSOLE_PFN] = LAYOUT_CONSOLE >> SV_PAGE_SHIFT;
	param[HVM_PARAM_CONSOLE_EVTCHN] = EVTCHN_CONSOLE;
}

static int allowed(uint32_t index, enum access want)
{
	if (index >= HVM_NR_PARAMS || access_of[index] & OLD)
		return -EINVAL;
	if (access_of[index] & want)
		return 0;
	return want == SET && access_of[index] & FROZEN ? -EEXIST : -EPERM;
}

int hvm_get(const struct vm *vm, uint32_t index, uint64_t *value)
{
	int ret = allowed(index, GET);

	if (!ret)
		*value = vm->hvm.param[index];
	return ret;
}

/*
 * A vector is delivered to all vCPUs.  A GSI or a PCI line would need chips
 * that a PVH guest does not have: accepted without effect, for guests with
 * upcall vectors of their own set GSI 1 only to be seen as using events.
 */
static int set_callback(struct vm *vm, uint64_t value, bool is64)
{
	uint8_t vector = 0;
	int ret;

	if (value >> CALLBACK_TYPE_SHIFT == HVM_PARAM_CALLBACK_TYPE_VECTOR)
		vector = (uint8_t)value;
	if (vector && vector < FIRST_VECTOR)
		return -EINVAL;
	ret = shinfo_set_width(vm, is64);
	return ret ? ret : vm->engine->upcall_all(vm, vector);
}

int hvm_set(struct vm *vm, uint32_t index, uint64_t value, bool is64)
{
	int ret = allowed(index, SET);

	if (ret)
		return ret;
	switch (index) {
	case HVM_PARAM_CALLBACK_IRQ:
		ret = set_callback(vm, value, is64);
		break;
	case HVM_PARAM_ACPI_IOPORTS_LOCATION:
		ret = value > 1 ? -EINVAL : 0;
		break;
	case HVM_PARAM_X87_FIP_WIDTH:
		ret = value != 0 && value != 4 && value != 8 ? -EINVAL : 0;
		break;
	default:
		break;
	}
	if (!ret)
		vm->hvm.param[index] = value;
	return ret;
}

static int64_t set_param(struct hc *hc, uint64_t at)
{
	struct xen_hvm_param p;
	int ret;

	if (hc_read(hc, &p, at, sizeof(p)))
		return -EFAULT;
	if (p.index >= HVM_NR_PARAMS)
		return -EINVAL;
	ret = hc_self(hc, p.domid);
	return ret ? ret : hvm_set(hc->vm, p.index, p.value, hc->longmode);
}

static int64_t get_param(struct hc *hc, uint64_t at)
{
	struct xen_hvm_param p;
	int ret;

	if (hc_read(hc, &p, at, sizeof(p)))
		return -EFAULT;
	if (p.index >= HVM_NR_PARAMS)
		return -EINVAL;
	ret = hc_self(hc, p.domid);
	if (!ret)
		ret = hvm_get(hc->vm, p.index, &p.value);
	return ret ? ret : hc_write(hc, at, &p, sizeof(p));
}

static int64_t set_upcall_vector(struct hc *hc, uint64_t at)
{
	struct xen_hvm_evtchn_upcall_vector u;
	struct vcpu *v;
	int ret;

	if (hc_read(hc, &u, at, sizeof(u)))
		return -EFAULT;
	if (u.vector < FIRST_VECTOR)
		return -EINVAL;
	if (u.vcpu >= hc->vm->nvcpus)
		return -ENOENT;
	v = &hc->vm->vcpus[u.vcpu];
	ret = hc->vm->engine->upcall(v, u.vector);
	if (ret)
		return ret;
	v->upcall_vector = u.vector;
	/* Events that wait since before there was a way to tell of them. */
	vcpu_upcall(v);
	return 0;
}

static int64_t get_time(struct hc *hc, uint64_t at)
{
	struct xen_hvm_get_time t = { .now = 0 };
	int ret = hc->vm->engine->clock(hc->vm, &t.now);

	return ret ? ret : hc_write(hc, at, &t, sizeof(t));
}

int64_t hc_hvm_op(struct hc *hc)
{
	switch (hc->arg[0]) {
	case HVMOP_set_param:
		return set_param(hc, hc->arg[1]);
	case HVMOP_get_param:
		return get_param(hc, hc->arg[1]);
	case HVMOP_get_time:
		return get_time(hc, hc->arg[1]);
	case HVMOP_set_evtchn_upcall_vector:
		return set_upcall_vector(hc, hc->arg[1]);
	case HVMOP_flush_tlbs:
		/* Real TLBs are KVM's affair and never stale. */
		return hc->arg[1] ? -EINVAL : 0;
	case HVMOP_pagetable_dying:
		/* For shadow page tables; Linux asks, and drops the feature. */
		return -ENOSYS;
	default:
		return hc_unknown(hc, hc->arg[0]);
	}
}
