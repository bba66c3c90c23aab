// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/hypercall.c - hypercalls: the table, and arguments in and out.
#include "hypervisor/hypercall.h"

#include <errno.h>
#include <stdint.h>

#include <xen/xen.h>

#include "base/log.h"
#include "base/probe.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vm.h"

/** struct call - A row of the table. */
struct call {
	const char *name;
	int64_t (*run)(struct hc *hc); /* NULL: known by name only */
};

/*
 * Numbers as in xen/xen.h.  Calls without a handler answer -ENOSYS, as all
 * others do; their names are for the log.
 */
static const struct call calls[] = {
	[__HYPERVISOR_mmu_update] = { "mmu_update", NULL },
	[__HYPERVISOR_sched_op_compat] = { "sched_op_compat",
					   hc_sched_op_compat },
	[__HYPERVISOR_platform_op] = { "platform_op", NULL },
	[__HYPERVISOR_memory_op] = { "memory_op", hc_memory_op },
	[__HYPERVISOR_multicall] = { "multicall", NULL },
	[__HYPERVISOR_set_timer_op] = { "set_timer_op", hc_set_timer_op },
	[__HYPERVISOR_xen_version] = { "xen_version", hc_xen_version },
	[__HYPERVISOR_console_io] = { "console_io", hc_console_io },
	[__HYPERVISOR_grant_table_op] = { "grant_table_op", hc_grant_table_op },
	[__HYPERVISOR_vm_assist] = { "vm_assist", hc_vm_assist },
	[__HYPERVISOR_vcpu_op] = { "vcpu_op", hc_vcpu_op },
	[__HYPERVISOR_mmuext_op] = { "mmuext_op", NULL },
	[__HYPERVISOR_xsm_op] = { "xsm_op", NULL },
	[__HYPERVISOR_sched_op] = { "sched_op", hc_sched_op },
	[__HYPERVISOR_callback_op] = { "callback_op", NULL },
	[__HYPERVISOR_event_channel_op] = { "event_channel_op",
					    hc_event_channel_op },
	[__HYPERVISOR_physdev_op] = { "physdev_op", NULL },
	[__HYPERVISOR_hvm_op] = { "hvm_op", hc_hvm_op },
	[__HYPERVISOR_sysctl] = { "sysctl", NULL },
	[__HYPERVISOR_domctl] = { "domctl", NULL },
	[__HYPERVISOR_kexec_op] = { "kexec_op", NULL },
	[__HYPERVISOR_argo_op] = { "argo_op", NULL },
	[__HYPERVISOR_xenpmu_op] = { "xenpmu_op", NULL },
	[__HYPERVISOR_dm_op] = { "dm_op", NULL },
	[__HYPERVISOR_hypfs_op] = { "hypfs_op", NULL },
};

_Static_assert(ARRAY_SIZE(calls) == __HYPERVISOR_hypfs_op + 1,
	       "the table ends with the highest number");

/* Sub-op of a call that is unknown as a whole. */
#define NO_SUBOP UINT16_MAX

const char *hc_name(uint32_t nr)
{
	return nr < ARRAY_SIZE(calls) ? calls[nr].name : NULL;
}

/* Note that a call was refused; Return: whether it is news. */
static bool first_time(struct hypercalls *h, uint32_t nr, uint64_t subop)
{
	uint32_t key = nr << 16 | (uint16_t)MIN(subop, NO_SUBOP);

	for (unsigned int i = 0; i < h->n; i++) {
		if (h->seen[i] == key)
			return false;
	}
	if (h->n == ARRAY_SIZE(h->seen))
		return false;
	h->seen[h->n++] = key;
	return true;
}

int64_t hc_unknown(struct hc *hc, uint64_t subop)
{
	const char *name = hc_name(hc->nr);

	if (!first_time(&hc->vm->calls, hc->nr, subop))
		return -ENOSYS;
	if (subop == NO_SUBOP)
		log_info("hypercall %u (%s) is not implemented", hc->nr,
			 name ? name : "unknown");
	else
		log_info("hypercall %u (%s), sub-operation %llu is not "
			 "implemented",
			 hc->nr, name ? name : "unknown",
			 (unsigned long long)subop);
	return -ENOSYS;
}

int64_t hc_continue(struct hc *hc)
{
	const struct call *c = NULL;
	int64_t ret;

	if (hc->nr < ARRAY_SIZE(calls))
		c = &calls[hc->nr];
	pthread_mutex_lock(&hc->vm->lock);
	if (c && c->run)
		ret = c->run(hc);
	else
		ret = hc_unknown(hc, NO_SUBOP);
	pthread_mutex_unlock(&hc->vm->lock);
	hc->active = ret == HC_AGAIN;
	probe(hypercall, hc->vm->cfg.domid, hc->vcpu->id, hc->nr, ret);
	return ret;
}

int64_t hc_begin(struct hc *hc, unsigned int cpl, bool longmode, uint64_t nr,
		 const uint64_t *arg)
{
	if (cpl != 0)
		return -EPERM;
	hc->longmode = longmode;
	hc->gva.longmode = longmode;
	hc->done = 0;
	/* As Xen reads it: EAX.  No number is above 16 bits. */
	hc->nr = MIN((uint32_t)nr, UINT16_MAX);
	for (unsigned int i = 0; i < ARRAY_SIZE(hc->arg); i++)
		hc->arg[i] = longmode ? arg[i] : (uint32_t)arg[i];
	return hc_continue(hc);
}

int hc_read(const struct hc *hc, void *to, uint64_t addr, size_t len)
{
	return gva_read(&hc->gva, to, addr, len);
}

int hc_write(const struct hc *hc, uint64_t addr, const void *from, size_t len)
{
	return gva_write(&hc->gva, addr, from, len);
}

int hc_self(const struct hc *hc, uint16_t domid)
{
	if (domid == DOMID_SELF || domid == hc->vm->cfg.domid)
		return 0;
	return domid == VM_BACKEND ? -EPERM : -ESRCH;
}
