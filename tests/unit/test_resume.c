/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_resume.c - a domain that was suspended, or is reset, goes on. */
#include "hypervisor/resume.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/hvm/params.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#include "base/log.h"
#include "hypervisor/layout.h"
#include "tests/lib/fakevm.h"

#define ARG	UINT64_C(0x10000)
#define SHINFO	UINT64_C(0x20)
#define INFO	UINT64_C(0x21)
#define GRANTS	UINT64_C(0x22)
#define SECOND	UINT64_C(1000000000)
#define CALLING 0xf1

static struct fakevm *f;
static struct vm *vm;

static void setup(void)
{
	log_init("", LOG_LVL_ERR);
	f = fakevm_new(2);
	vm = &f->vm;
	vm->store.fd = vm->console.fd = -1;
	vm->parked = 2;
}

static void teardown(void)
{
	vm_page_free(&vm->store);
	vm_page_free(&vm->console);
	fakevm_free(f);
}

TestSuite(resume, .init = setup, .fini = teardown);

/* vCPU 0 makes the call and waits at its gate. */
static void go_down(unsigned int reason)
{
	struct sched_shutdown s = { .reason = reason };
	uint64_t arg[6] = { SCHEDOP_shutdown, ARG };

	memcpy(fakevm_at(f, ARG), &s, sizeof(s));
	cr_assert_eq(hc_begin(&f->vcpu[0].hc, 0, true, __HYPERVISOR_sched_op,
			      arg),
		     HC_AGAIN);
	cr_expect(f->vcpu[0].hc.active);
	cr_expect(vm->shutdown);
	cr_expect_eq(vm->reason, reason);
	cr_expect_eq(f->run[1].immediate_exit, 1, "the others are called");
}

static void suspend(void)
{
	go_down(SHUTDOWN_suspend);
}

/* What the guest's call gives now that the gate is open. */
static int64_t answer(void)
{
	/* Whatever it has in the argument's place by now. */
	f->vcpu[0].hc.arg[1] = UINT64_MAX;
	return hc_continue(&f->vcpu[0].hc);
}

Test(resume, cancelled_all_is_as_it_was)
{
	uint32_t port;

	cr_assert_eq(evtchn_bind_virq(vm, VIRQ_TIMER, 1, &port), 0);
	cr_assert_eq(shinfo_place(vm, SHINFO, true), 0);
	cr_assert_eq(hvm_set(vm, HVM_PARAM_CALLBACK_IRQ,
			     UINT64_C(2) << 56 | CALLING, true),
		     0);
	suspend();
	cr_assert_eq(resume_vm(vm, false), 0);
	cr_expect_not(vm->shutdown);
	cr_expect_eq(answer(), 1);
	cr_expect_not(f->vcpu[0].hc.active);
	cr_expect_eq(f->timer[1], port);
	cr_expect_eq(f->vector, CALLING);
	cr_expect_eq(vm->shinfo.page.gfn, SHINFO);
	cr_expect_eq(vm->life, 0);
	/* And again. */
	suspend();
	cr_assert_eq(resume_vm(vm, false), 0);
	cr_expect_eq(answer(), 1);
}

Test(resume, compat_call_is_the_same)
{
	uint64_t arg[6] = { SCHEDOP_shutdown, SHUTDOWN_suspend };
	struct hc *hc = &f->vcpu[0].hc;

	cr_assert_eq(hc_begin(hc, 0, true, __HYPERVISOR_sched_op_compat, arg),
		     HC_AGAIN);
	cr_assert_eq(resume_vm(vm, true), 0);
	cr_expect_eq(hc_continue(hc), 0);
}

Test(resume, a_code_given_before_goes_before_the_suspension)
{
	struct sched_shutdown s = { .reason = SHUTDOWN_suspend };

	memcpy(fakevm_at(f, ARG), &s, sizeof(s));
	vm->code = SHUTDOWN_crash;
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_sched_op, SCHEDOP_shutdown,
				 ARG, 0),
		     0);
	cr_expect_eq(vm->reason, SHUTDOWN_crash);
	cr_expect_eq(resume_vm(vm, false), -EINVAL);
	cr_expect(vm->shutdown);
}

Test(resume, watchdogs_wait_meanwhile)
{
	uint64_t now = util_clock_ns();

	vm->watchdog[0] = now + SECOND;
	suspend();
	vm->shut_at -= 100 * SECOND; /* so long ago */
	cr_expect_eq(vm_timers(vm, now + 50 * SECOND), UINT64_MAX);
	cr_assert_eq(resume_vm(vm, false), 0);
	cr_expect_geq(vm->watchdog[0], now + 101 * SECOND);
	cr_expect_eq(vm->watchdog[1], 0);
	vm_timers(vm, util_clock_ns());
	cr_expect_not(vm->shutdown);
}

Test(resume, anew_events_are_those_of_a_new_domain)
{
	uint32_t timer, ipi, own, port;

	cr_assert_eq(evtchn_bind_virq(vm, VIRQ_TIMER, 1, &timer), 0);
	cr_assert_eq(evtchn_bind_ipi(vm, 1, &ipi), 0);
	cr_assert_eq(evtchn_alloc_unbound(vm, 0, &own), 0);
	cr_assert_eq(evtchn_close(vm, EVTCHN_STORE), 0);
	f->vcpu[1].period_ns = SECOND;
	f->vcpu[1].upcall_vector = CALLING;
	vm->watchdog[1] = 1;
	vm->hvm.param[HVM_PARAM_STORE_EVTCHN] = own;
	cr_assert_eq(hvm_set(vm, HVM_PARAM_CALLBACK_IRQ,
			     UINT64_C(2) << 56 | CALLING, true),
		     0);
	suspend();
	cr_assert_eq(resume_vm(vm, true), 0);
	cr_expect_eq(answer(), 0);
	cr_expect_eq(vm->life, 1);
	cr_expect_eq(f->timer[1], 0);
	cr_expect_eq(f->send_port[ipi], 0);
	cr_expect_eq(f->vcpu[1].period_ns, 0);
	cr_expect_eq(f->vcpu[1].upcall_vector, 0);
	cr_expect_eq(f->vector, 0);
	cr_expect_eq(vm->watchdog[1], 0);
	cr_expect_eq(vm->hvm.param[HVM_PARAM_CALLBACK_IRQ], 0);
	cr_expect_eq(vm->hvm.param[HVM_PARAM_STORE_EVTCHN], EVTCHN_STORE);
	cr_expect_eq(vm->evtchn.port[EVTCHN_STORE].type, EVTCHNSTAT_unbound);
	cr_expect_eq(vm->evtchn.port[EVTCHN_CONSOLE].type, EVTCHNSTAT_unbound);
	cr_assert_eq(evtchn_alloc_unbound(vm, 0, &port), 0);
	cr_expect_eq(port, EVTCHN_CONSOLE + 1, "all others are closed");
}

Test(resume, anew_shared_pages_are_nowhere_and_empty)
{
	uint8_t *shared = fakevm_at(f, SHINFO << 12);

	cr_assert_eq(shinfo_place(vm, SHINFO, true), 0);
	cr_assert_eq(vcpu_info_move(&f->vcpu[1], INFO << 12), 0);
	memset(shared, 0xff, SV_PAGE_SIZE);
	suspend();
	cr_assert_eq(resume_vm(vm, true), 0);
	cr_expect_eq(vm->shinfo.page.gfn, PHYSMAP_NONE);
	cr_expect_not(f->vcpu[1].info_registered);
	for (unsigned int i = 0; i < 2; i++)
		cr_expect_eq(f->vcpu[i].info, shinfo_vcpu(vm, i));
	for (unsigned int i = 0; i < SV_PAGE_SIZE; i++)
		cr_assert_eq(vm->shared.host[i], 0, "byte %u", i);
	/* The guest may register both as it did at first. */
	cr_expect_eq(shinfo_place(vm, SHINFO, true), 0);
	cr_expect_eq(vcpu_info_move(&f->vcpu[1], INFO << 12), 0);
}

Test(resume, anew_grant_table_is_as_at_first)
{
	grant_entry_v1_t *e = fakevm_at(f, GRANTS << 12);

	cr_assert_eq(gnttab_place(vm, 1, GRANTS), 0);
	cr_assert_eq(gnttab_place(vm, 0, GRANTS + 1), 0);
	e[3].flags = GTF_permit_access;
	suspend();
	cr_assert_eq(resume_vm(vm, true), 0);
	cr_expect_eq(vm->gnttab.nr, 1);
	for (unsigned int i = 0; i < 2; i++)
		cr_expect_eq(vm->gnttab.frame[i].gfn, PHYSMAP_NONE);
	e = (void *)vm->gnttab.map;
	cr_expect_eq(e[GNTTAB_RESERVED_XENSTORE].flags, GTF_permit_access);
	cr_expect_eq(e[GNTTAB_RESERVED_XENSTORE].frame, LAYOUT_STORE >> 12);
	cr_expect_eq(e[GNTTAB_RESERVED_CONSOLE].frame, LAYOUT_CONSOLE >> 12);
	for (unsigned int i = 2; i < 2 * GNTTAB_PER_FRAME; i++)
		cr_assert_eq(e[i].flags, 0, "reference %u", i);
}

Test(resume, anew_rings_lie_in_pages_that_nobody_has_yet)
{
	struct stat was, is;

	cr_assert_eq(vm_page_make(&vm->store, "old"), 0);
	cr_assert_eq(vm_page_make(&vm->console, "old"), 0);
	memset(vm->store.host, 0xff, SV_PAGE_SIZE);
	cr_assert_eq(fstat(vm->store.fd, &was), 0);
	suspend();
	cr_assert_eq(resume_vm(vm, true), 0);
	cr_assert_eq(fstat(vm->store.fd, &is), 0);
	cr_expect_neq(was.st_ino, is.st_ino);
	for (unsigned int i = 0; i < SV_PAGE_SIZE; i++)
		cr_assert_eq(vm->store.host[i], 0, "byte %u", i);
	cr_expect_eq(f->slot_gpa[VM_SLOT_STORE], LAYOUT_STORE);
	cr_expect_eq(f->slot_gpa[VM_SLOT_CONSOLE], LAYOUT_CONSOLE);
}

Test(resume, a_soft_reset_is_another_life_with_all_memory)
{
	cr_assert_eq(shinfo_place(vm, SHINFO, true), 0);
	cr_assert_eq(memory_give(vm, GRANTS, 1), 0);
	go_down(SHUTDOWN_soft_reset);
	cr_expect_eq(resume_vm(vm, false), -EINVAL, "nothing to cancel");
	cr_expect(vm->shutdown);
	cr_assert_eq(resume_vm(vm, true), 0);
	cr_expect_eq(answer(), 0);
	cr_expect_eq(vm->life, 1);
	cr_expect_eq(vm->shinfo.page.gfn, PHYSMAP_NONE);
	cr_expect_eq(memory_pages(vm), vm->mem->size >> SV_PAGE_SHIFT);
	cr_expect_eq(memory_give(vm, GRANTS, 1), 0, "it has that page");
	/* Who was suspended has given what he gave. */
	suspend();
	cr_assert_eq(resume_vm(vm, true), 0);
	cr_expect_eq(memory_give(vm, GRANTS, 1), -EINVAL);
}

Test(resume, soft_resets_leave_nothing)
{
	for (uint32_t i = 0; i < 100; i++) {
		uint32_t port;

		cr_assert_eq(evtchn_bind_virq(vm, VIRQ_TIMER, 1, &port), 0);
		cr_assert_eq(port, EVTCHN_CONSOLE + 1);
		cr_assert_eq(vcpu_info_move(&f->vcpu[1], INFO << 12), 0);
		cr_assert_eq(gnttab_place(vm, 1, GRANTS), 0);
		go_down(SHUTDOWN_soft_reset);
		cr_assert_eq(resume_vm(vm, true), 0);
		cr_assert_eq(answer(), 0);
		cr_assert_eq(vm->life, i + 1);
		cr_assert_eq(vm->gnttab.nr, 1);
	}
}

Test(resume, what_fails_leaves_it_suspended)
{
	unsigned int n = 0;

	suspend();
	do {
		f->fail = -EIO;
		f->fail_after = n++;
		cr_assert_lt(n, 100);
	} while (resume_vm(vm, true) == -EIO && vm->shutdown);
	f->fail = 0;
	cr_expect_gt(n, 4);
	cr_expect_not(vm->shutdown);
	cr_expect_eq(vm->life, 1);
	cr_expect_eq(answer(), 0);
}
