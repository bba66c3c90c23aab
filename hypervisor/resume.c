// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/resume.c - a domain that was suspended, or is reset, goes on.
#include "hypervisor/resume.h"

#include <errno.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/sched.h>
#include <xen/hvm/params.h>

#include "base/domsock.h"
#include "hypervisor/layout.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vm.h"

/*
 * How it works
 *
 * SCHEDOP_shutdown for SHUTDOWN_suspend ends as every shutdown does: all vCPUs
 * wait at their gates.  The one that made the call has not finished it
 * (HC_AGAIN), and will once it is through the gate: with @resumed of struct vm.
 *
 * Anew means what a restored domain finds on Xen: its memory, registers and
 * LAPICs as they were, and all that the hypervisor kept for it as in a new
 * domain (xen/common/domain.c; tools/libs/guest/xg_sr_restore_x86_hvm.c, which
 * also empties the two special pages).
 *
 * SHUTDOWN_soft_reset is what a kernel asks for that is about to start another one in
 * its place (kexec): the same, and it has all its RAM, for the next kernel knows
 * nothing of pages that this one gave back (domain_soft_reset() of Xen).
 */

/*
 * The store's or the console's page is another one from now on: whoever still
 * has the old one mapped disturbs nobody.
 */
static int renew_page(struct vm *vm, struct vm_page *p, struct vm_page *fresh,
		      unsigned int slot, uint64_t gpa)
{
	int ret = vm->engine->slot(vm, slot, gpa_of(0), NULL, 0);

	if (!ret)
		ret = vm->engine->slot(vm, slot, gpa_of(gpa), fresh->host,
				       SV_PAGE_SIZE);
	if (ret)
		return ret;
	vm_page_free(p);
	*p = *fresh;
	*fresh = (struct vm_page){ .fd = -1 };
	return 0;
}

/* SYSCALLS, at times: memfd_create ftruncate fcntl mmap munmap close */
static int renew_pages(struct vm *vm)
{
	struct vm_page store = { .fd = -1 }, console = { .fd = -1 };
	int ret = vm_page_make(&store, "sv-store");

	if (!ret)
		ret = vm_page_make(&console, "sv-console");
	if (!ret)
		ret = renew_page(vm, &vm->store, &store, VM_SLOT_STORE,
				 LAYOUT_STORE);
	if (!ret)
		ret = renew_page(vm, &vm->console, &console, VM_SLOT_CONSOLE,
				 LAYOUT_CONSOLE);
	vm_page_free(&store);
	vm_page_free(&console);
	return ret;
}

static int renew_vcpu(struct vcpu *v)
{
	const struct engine *e = v->vm->engine;
	int ret;

	v->period_ns = 0;
	v->upcall_vector = 0;
	v->nmi = false;
	ret = e->upcall(v, 0);
	if (!ret)
		ret = e->vcpu_time(v, UINT64_MAX);
	return ret ? ret : e->runstate(v, UINT64_MAX);
}

static int renew(struct vm *vm)
{
	int ret = renew_pages(vm);

	if (ret)
		return ret;
	evtchn_anew(vm);
	gnttab_anew(vm);
	ret = shinfo_anew(vm);
	for (unsigned int i = 0; i < vm->nvcpus && !ret; i++)
		ret = renew_vcpu(&vm->vcpus[i]);
	if (!ret)
		ret = vm->engine->upcall_all(vm, 0);
	if (!ret)
		ret = vm->engine->runstate_flag(vm, false);
	/* Hosts that lack it have refused it to the guest, too. */
	if (ret && ret != -ENOSYS)
		return ret;
	vm->hvm.param[HVM_PARAM_CALLBACK_IRQ] = 0;
	vm->hvm.param[HVM_PARAM_STORE_EVTCHN] = EVTCHN_STORE;
	vm->hvm.param[HVM_PARAM_CONSOLE_EVTCHN] = EVTCHN_CONSOLE;
	for (unsigned int i = 0; i < VM_WATCHDOGS; i++)
		vm->watchdog[i] = 0;
	vm->life++;
	return 0;
}

/* Nobody could feed them meanwhile. */
static void put_off_watchdogs(struct vm *vm)
{
	uint64_t gone = util_clock_ns() - vm->shut_at;

	for (unsigned int i = 0; i < VM_WATCHDOGS; i++) {
		if (vm->watchdog[i])
			vm->watchdog[i] += gone;
	}
}

bool resume_can(const struct vm *vm)
{
	return vm->shutdown && (vm->reason == SHUTDOWN_suspend ||
				vm->reason == SHUTDOWN_soft_reset);
}

static int resume(struct vm *vm, bool anew)
{
	bool reset = vm->reason == SHUTDOWN_soft_reset;
	int ret = 0;

	if (!resume_can(vm) || (reset && !anew))
		return -EINVAL;
	if (anew)
		ret = vm_wait_parked(vm);
	if (!ret && anew)
		ret = renew(vm);
	if (ret)
		return ret;
	if (reset) {
		memory_fini(vm);
		memory_init(vm);
	}
	put_off_watchdogs(vm);
	vm->resumed = anew ? 0 : 1;
	vm->shutdown = false;
	vm->reason = 0;
	vm->code = -1;
	pthread_cond_broadcast(&vm->changed);
	log_info("the guest goes on: %s",
		 reset	? "it was reset"
		 : anew ? "it was suspended"
			: "its suspension was cancelled");
	return 0;
}

int resume_vm(struct vm *vm, bool anew)
{
	int ret;

	pthread_mutex_lock(&vm->lock);
	ret = resume(vm, anew);
	pthread_mutex_unlock(&vm->lock);
	if (!ret)
		vm_wake(vm);
	return ret;
}
