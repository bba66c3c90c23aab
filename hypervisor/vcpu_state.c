// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/vcpu_state.c - all that KVM keeps of a vCPU, out and in again.
#include "hypervisor/vcpu_state.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <xen/xen.h>
#include <xen/vcpu.h>

#include "hypervisor/kvm_abi.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vm.h"

/*
 * How it works
 *
 * Most parts are one structure of KVM's, read by one ioctl and written by another.
 * MSRs are those that KVM names, one by one, because it stops at the first that it
 * does not like.  The TSC is not among them: see save.c.  (Linux,
 * Documentation/virt/kvm/api.rst.)
 */
#define MSR_TSC	      0x10u
#define MSR_TSC_DUE   0x6e0u /* deadline of the LAPIC's timer */
#define MSR_KERNEL_GS 0xc0000102u
#define MAX_MSRS      (VCPU_PART_MAX / sizeof(struct kvm_msr_entry))
#define FIRST_VECTOR  0x10u

/* As of VCPUOP_set_periodic_timer. */
#define MIN_PERIOD_NS UINT64_C(1000000)

/** struct plain - A part that is one structure of KVM's. */
static const struct plain {
	const char *name;
	unsigned long get, set;
	size_t size; /* 0: see below */
} plain[VCPU_NPARTS] = {
	[VCPU_SREGS] = { "control registers", KVM_GET_SREGS, KVM_SET_SREGS,
			 sizeof(struct kvm_sregs) },
	[VCPU_REGS] = { "registers", KVM_GET_REGS, KVM_SET_REGS,
			sizeof(struct kvm_regs) },
	[VCPU_XCRS] = { "XCR0", KVM_GET_XCRS, KVM_SET_XCRS,
			sizeof(struct kvm_xcrs) },
	[VCPU_XSAVE] = { "FPU", KVM_GET_XSAVE2, KVM_SET_XSAVE, 0 },
	[VCPU_DEBUGREGS] = { "debug registers", KVM_GET_DEBUGREGS,
			     KVM_SET_DEBUGREGS, sizeof(struct kvm_debugregs) },
	[VCPU_MSRS] = { "MSRs", 0, 0, 0 },
	[VCPU_LAPIC] = { "LAPIC", KVM_GET_LAPIC, KVM_SET_LAPIC,
			 sizeof(struct kvm_lapic_state) },
	[VCPU_MP_STATE] = { "run state", KVM_GET_MP_STATE, KVM_SET_MP_STATE,
			    sizeof(struct kvm_mp_state) },
	[VCPU_EVENTS] = { "interrupts", KVM_GET_VCPU_EVENTS,
			  KVM_SET_VCPU_EVENTS, sizeof(struct kvm_vcpu_events) },
	[VCPU_XEN] = { "Xen state", 0, 0, sizeof(struct vcpu_xen) },
};

const char *vcpu_part_name(enum vcpu_part part)
{
	return part < VCPU_NPARTS ? plain[part].name : "?";
}

/* ---- MSRs ------------------------------------------------------------------ */

union one_msr {
	struct kvm_msrs msrs;
	uint8_t room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
};

/* Return: 0; -ENOENT if KVM does not have it; or -errno. */
static int msr(const struct vcpu *v, unsigned long how, uint32_t index,
	       uint64_t *value)
{
	union one_msr u = { .msrs.nmsrs = 1 };
	int n;

	u.msrs.entries[0].index = index;
	u.msrs.entries[0].data = *value;
	n = ioctl(v->fd, how, &u.msrs);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ENOENT;
	*value = u.msrs.entries[0].data;
	return 0;
}

/* SYSCALLS, at times: ioctl:KVM_GET_MSRS */
int vcpu_tsc(struct vcpu *v, uint64_t *tsc)
{
	*tsc = 0;
	return msr(v, KVM_GET_MSRS, MSR_TSC, tsc);
}

int vcpu_set_tsc(struct vcpu *v, uint64_t tsc)
{
	return msr(v, KVM_SET_MSRS, MSR_TSC, &tsc);
}

int vcpu_kernel_gs(struct vcpu *v, uint64_t *base)
{
	*base = 0;
	return msr(v, KVM_GET_MSRS, MSR_KERNEL_GS, base);
}

/* SYSCALLS, at times: ioctl:KVM_GET_MSR_INDEX_LIST */
static struct kvm_msr_list *msr_list(const struct vcpu *v)
{
	struct kvm_msr_list *l =
		calloc(1, sizeof(*l) + MAX_MSRS * sizeof(l->indices[0]));

	if (!l)
		return NULL;
	l->nmsrs = MAX_MSRS;
	if (ioctl(v->vm->kvm, KVM_GET_MSR_INDEX_LIST, l) == 0)
		return l;
	free(l);
	return NULL;
}

static int save_msrs(struct vcpu *v, struct kvm_msr_entry *out, size_t *len)
{
	struct kvm_msr_list *l = msr_list(v);
	size_t n = 0;

	if (!l)
		return -ENOMEM;
	for (uint32_t i = 0; i < l->nmsrs; i++) {
		uint64_t value = 0;

		if (l->indices[i] == MSR_TSC ||
		    msr(v, KVM_GET_MSRS, l->indices[i], &value))
			continue;
		out[n++] = (struct kvm_msr_entry){ .index = l->indices[i],
						   .data = value };
	}
	free(l);
	*len = n * sizeof(*out);
	return 0;
}

static bool is_msr(const struct kvm_msr_list *l, uint32_t index)
{
	for (uint32_t i = 0; i < l->nmsrs; i++) {
		if (l->indices[i] == index)
			return index != MSR_TSC;
	}
	return false;
}

/* One that is as it shall be need not be one that can be set. */
static int load_msr(struct vcpu *v, const struct kvm_msr_entry *e)
{
	uint64_t value = e->data, now = 0;

	if (!msr(v, KVM_GET_MSRS, e->index, &now) && now == value)
		return 0;
	return msr(v, KVM_SET_MSRS, e->index, &value);
}

static int load_msrs(struct vcpu *v, const void *buf, size_t len)
{
	struct kvm_msr_list *l = msr_list(v);
	struct kvm_msr_entry e;
	int ret = l ? 0 : -ENOMEM;

	for (size_t at = 0; at < len && !ret; at += sizeof(e)) {
		memcpy(&e, (const uint8_t *)buf + at, sizeof(e));
		/* Its LAPIC is yet to come: see load_deadline(). */
		if (e.index == MSR_TSC_DUE)
			v->tsc_due = e.data;
		else if (!is_msr(l, e.index))
			ret = e.data ? -EINVAL : 0;
		else
			ret = load_msr(v, &e);
		if (ret)
			log_err("vcpu %u: MSR %#x cannot be %#llx here", v->id,
				e.index, (unsigned long long)e.data);
	}
	free(l);
	return ret;
}

/* KVM takes it only when the LAPIC's timer is in that mode. */
static int load_deadline(struct vcpu *v)
{
	uint64_t due = v->tsc_due;

	return due ? msr(v, KVM_SET_MSRS, MSR_TSC_DUE, &due) : 0;
}

/* ---- Xen ------------------------------------------------------------------- */

static int get_attr(const struct vcpu *v, uint16_t type,
		    struct kvm_xen_vcpu_attr *attr)
{
	*attr = (struct kvm_xen_vcpu_attr){ .type = type };
	return ioctl(v->fd, KVM_XEN_VCPU_GET_ATTR, attr) < 0 ? -errno : 0;
}

static uint64_t get_gpa(const struct vcpu *v, uint16_t type)
{
	struct kvm_xen_vcpu_attr attr;

	return get_attr(v, type, &attr) ? UINT64_MAX : attr.u.gpa;
}

static uint64_t info_gpa(const struct vcpu *v)
{
	const struct guestmem *m = v->vm->mem;

	for (unsigned int i = 0; v->info_registered && i < m->n; i++) {
		const struct guestmem_region *r = &m->region[i];

		if (v->info >= r->host && v->info < r->host + r->size)
			return r->gpa.v + (uint64_t)(v->info - r->host);
	}
	return UINT64_MAX;
}

static bool has_runstate(const struct vcpu *v)
{
	return v->vm->xen_caps & KVM_XEN_HVM_CONFIG_RUNSTATE;
}

static int save_xen(struct vcpu *v, struct vcpu_xen *x)
{
	struct kvm_xen_vcpu_attr attr;
	int ret;

	*x = (struct vcpu_xen){
		.info_gpa = info_gpa(v),
		.time_gpa = get_gpa(v, KVM_XEN_VCPU_ATTR_TYPE_VCPU_TIME_INFO),
		.runstate_gpa = UINT64_MAX,
		.period_ns = v->period_ns,
		.upcall_vector = v->upcall_vector,
	};
	if (has_runstate(v)) {
		x->runstate_gpa =
			get_gpa(v, KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADDR);
		ret = get_attr(v, KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_DATA, &attr);
		if (ret)
			return ret;
		memcpy(x->runstate, &attr.u.runstate, sizeof(x->runstate));
	}
	/* Raises what is due, too: before vcpu_info is looked at. */
	ret = get_attr(v, KVM_XEN_VCPU_ATTR_TYPE_TIMER, &attr);
	if (ret)
		return ret;
	x->timer_port = attr.u.timer.port;
	x->timer_ns = attr.u.timer.expires_ns;
	if (v->info)
		shm_fetch(x->info, v->info, sizeof(x->info));
	return 0;
}

static bool is_ram(const struct vcpu *v, uint64_t gpa, size_t len)
{
	return guestmem_ptr(v->vm->mem, gpa_of(gpa), len);
}

/* What hypercalls would have refused cannot have been saved. */
static bool is_sane(const struct vcpu *v, const struct vcpu_xen *x)
{
	const size_t time = sizeof(struct vcpu_time_info);

	if (x->info_gpa != UINT64_MAX &&
	    (x->info_gpa % SV_PAGE_SIZE > SV_PAGE_SIZE - sizeof(x->info) ||
	     x->info_gpa % 8 || !is_ram(v, x->info_gpa, sizeof(x->info))))
		return false;
	if (x->time_gpa != UINT64_MAX &&
	    (x->time_gpa % SV_PAGE_SIZE > SV_PAGE_SIZE - time ||
	     !is_ram(v, x->time_gpa, time)))
		return false;
	if (x->runstate_gpa != UINT64_MAX &&
	    !is_ram(v, x->runstate_gpa, sizeof(struct vcpu_runstate_info)))
		return false;
	if (x->upcall_vector &&
	    (x->upcall_vector < FIRST_VECTOR || x->upcall_vector > 255))
		return false;
	if (x->period_ns &&
	    (x->period_ns < MIN_PERIOD_NS || x->period_ns > INT64_MAX))
		return false;
	return x->timer_port < shinfo_ports(v->vm);
}

static int load_runstate(struct vcpu *v, const struct vcpu_xen *x)
{
	struct kvm_xen_vcpu_attr attr = {
		.type = KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_DATA,
	};
	int ret;

	if (!has_runstate(v))
		return 0;
	ret = v->vm->engine->runstate(v, x->runstate_gpa);
	memcpy(&attr.u.runstate, x->runstate, sizeof(x->runstate));
	return ret ? ret : vcpu_set_attr(v, &attr);
}

static int load_timer(struct vcpu *v, const struct vcpu_xen *x)
{
	struct kvm_xen_vcpu_attr attr = {
		.type = KVM_XEN_VCPU_ATTR_TYPE_TIMER,
		.u.timer = { .port = x->timer_port,
			     .priority = KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL,
			     .expires_ns = x->timer_ns },
	};

	if (x->period_ns) {
		v->period_ns = x->period_ns;
		v->period_next = util_clock_ns() + x->period_ns;
	}
	return x->timer_port ? vcpu_set_attr(v, &attr) : 0;
}

static int load_xen(struct vcpu *v, const struct vcpu_xen *x)
{
	int ret = 0;

	if (!is_sane(v, x))
		return -EINVAL;
	if (x->info_gpa != UINT64_MAX)
		ret = vcpu_info_move(v, x->info_gpa);
	if (!ret && v->info)
		shm_post(v->info, x->info, sizeof(x->info));
	if (!ret)
		ret = v->vm->engine->vcpu_time(v, x->time_gpa);
	if (!ret)
		ret = load_runstate(v, x);
	v->upcall_vector = (uint8_t)x->upcall_vector;
	if (!ret)
		ret = v->vm->engine->upcall(v, v->upcall_vector);
	return ret ? ret : load_timer(v, x);
}

/* ---- All ------------------------------------------------------------------- */

/* SYSCALLS, at times: ioctl:KVM_CHECK_EXTENSION */
static size_t xsave_size(const struct vcpu *v)
{
	int n = ioctl(v->vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2);

	return n > (int)sizeof(struct kvm_xsave) ? (size_t)n
						 : sizeof(struct kvm_xsave);
}

/*
 * SYSCALLS, at times: ioctl:KVM_GET_SREGS ioctl:KVM_GET_REGS ioctl:KVM_GET_XCRS
 * SYSCALLS, at times: ioctl:KVM_GET_XSAVE2 ioctl:KVM_GET_DEBUGREGS ioctl:KVM_GET_LAPIC
 * SYSCALLS, at times: ioctl:KVM_GET_MP_STATE ioctl:KVM_GET_VCPU_EVENTS
 */
int vcpu_state_save(struct vcpu *v, enum vcpu_part part, void *buf, size_t *len)
{
	*len = plain[part].size;
	if (part == VCPU_MSRS)
		return save_msrs(v, buf, len);
	if (part == VCPU_XEN)
		return save_xen(v, buf);
	if (part == VCPU_XSAVE)
		*len = xsave_size(v);
	if (*len > VCPU_PART_MAX)
		return -EMSGSIZE;
	memset(buf, 0, *len);
	return ioctl(v->fd, plain[part].get, buf) < 0 ? -errno : 0;
}

/* Whether a part has the length that it must have. */
static bool is_whole(const struct vcpu *v, enum vcpu_part part, size_t len)
{
	if (part == VCPU_MSRS)
		return len % sizeof(struct kvm_msr_entry) == 0;
	return len == (part == VCPU_XSAVE ? xsave_size(v) : plain[part].size);
}

int vcpu_state_load(struct vcpu *v, enum vcpu_part part, const void *buf,
		    size_t len)
{
	struct vcpu_xen x;

	if (!is_whole(v, part, len))
		return -EINVAL;
	if (part == VCPU_MSRS)
		return load_msrs(v, buf, len);
	if (part == VCPU_XEN) {
		memcpy(&x, buf, sizeof(x));
		return load_xen(v, &x);
	}
	if (ioctl(v->fd, plain[part].set, buf) < 0)
		return -errno;
	return part == VCPU_LAPIC ? load_deadline(v) : 0;
}
