/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/hostile/test_hypercalls.c - a guest that calls anything with anything.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/vcpu.h>

#include "base/log.h"
#include "hypervisor/layout.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/flipper.h"
#include "tests/lib/stack.h"

/*
 * Every hypercall number and sub-operation with arguments that are rubbish,
 * borders, or pointers to rubbish and to borders.  Sanitizers see what goes
 * wrong; the tests themselves see calls that do not end and state that does not
 * survive.
 */
#define RAM  (UINT64_C(16) << 20)
#define ARG  UINT64_C(0x200000)
#define SIZE 256

static uint64_t any(void)
{
	static const uint64_t borders[] = {
		0,
		1,
		7,
		64,
		4095,
		4096,
		0x7ff0,
		0x8000,
		UINT16_MAX,
		INT32_MAX,
		UINT32_MAX,
		UINT64_MAX,
		INT64_MAX,
		RAM - 1,
		RAM - 8,
		RAM,
		RAM >> 12,
		(RAM >> 12) - 1,
		0xfeffc,
		0xfee00,
		ARG,
		ARG + 4090,
		0x100000000U,
		0x80000000U,
	};
	uint64_t wild = (uint64_t)random() << 33 ^ (uint64_t)random() << 12 ^
			(uint64_t)random();

	switch (random() % 4) {
	case 0:
		return wild;
	case 1:
		return wild % 8;
	default:
		return borders[(size_t)random() % ARRAY_SIZE(borders)];
	}
}

static void fill(uint8_t *at)
{
	uint64_t v;

	for (size_t i = 0; i < SIZE; i += random() % 2 ? 8 : 4) {
		v = any();
		memcpy(at + i, &v, 8);
	}
	/* Most structures begin with a domid: more often a good one. */
	if (random() % 2) {
		at[0] = 0xf0;
		at[1] = 0x7f;
	}
}

static void one_call(struct fakevm *f, uint64_t nr, uint64_t sub)
{
	uint64_t arg[6] = { sub, random() % 4 ? ARG : any(), any() };
	struct hc *hc = &f->vcpu[0].hc;
	unsigned int steps = 0;
	int64_t ret;

	if (nr == __HYPERVISOR_vcpu_op || nr == __HYPERVISOR_console_io) {
		arg[1] = any();
		arg[2] = random() % 4 ? ARG : any();
	}
	if (nr == __HYPERVISOR_grant_table_op && random() % 4)
		arg[2] = (uint64_t)random() % 4;
	fill(fakevm_at(f, ARG));
	ret = hc_begin(hc, 0, random() % 4 != 0, nr, arg);
	/* A guest may be paused or ended between steps, so some are enough. */
	while (ret == HC_AGAIN && steps++ < 50)
		ret = hc_continue(hc);
	hc->active = false;
	f->vm.shutdown = false;
}

/* Of the tests with one lie each; the first two make their own. */
static struct fakevm *guest;

static void set_up(void)
{
	guest = fakevm_new(2);
	log_init("", LOG_LVL_ERR);
}

static void tear_down(void)
{
	fakevm_free(guest);
}

TestSuite(hypercalls, .init = set_up, .fini = tear_down, .timeout = 300);

Test(hypercalls, anything_goes)
{
	struct fakevm *f = fakevm_new(4);
	uint64_t begin = util_clock_ns();

	log_init("", LOG_LVL_ERR);
	srandom(2);
	for (unsigned int i = 0; i < 200000; i++)
		one_call(f, (uint64_t)random() % 44, (uint64_t)random() % 32);
	cr_expect_lt(util_clock_ns() - begin, UINT64_C(100000000000));
	/* What a guest may have: never more than it was given. */
	cr_expect_leq(memory_pages(&f->vm), RAM >> 12);
	cr_expect_leq(f->vm.gnttab.nr, 4);
	fakevm_free(f);
}

/* GT-06, HC-17: as the very first call, each in a fresh domain; nothing is left. */
Test(hypercalls, first_call_of_a_domain)
{
	unsigned int fds = stack_fds_of(getpid());
	struct fakevm *f;

	log_init("", LOG_LVL_ERR);
	srandom(3);
	for (uint64_t nr = 0; nr < 44; nr++) {
		for (uint64_t sub = 0; sub < 30; sub++) {
			f = fakevm_new(1);
			one_call(f, nr, sub);
			fakevm_free(f);
		}
	}
	cr_expect_eq(stack_fds_of(getpid()), fds);
}

/* ---- one lie at a time ------------------------------------------------------ */

#define LIST UINT64_C(0x201000)
#define HOLE UINT64_C(0x8000000) /* not RAM */

/* HC-03, HC-09: what Xen has and we have not, with whatever arguments. */
Test(hypercalls, calls_that_do_not_exist)
{
	static const uint32_t calls[] = {
		__HYPERVISOR_set_trap_table, __HYPERVISOR_mmu_update,
		__HYPERVISOR_multicall,	     __HYPERVISOR_update_va_mapping,
		__HYPERVISOR_mmuext_op,	     __HYPERVISOR_nmi_op,
		__HYPERVISOR_physdev_op,     __HYPERVISOR_domctl,
		__HYPERVISOR_sysctl,	     __HYPERVISOR_argo_op,
		__HYPERVISOR_dm_op,	     __HYPERVISOR_hypfs_op,
	};
	static const uint32_t memory[] = {
		XENMEM_exchange,       XENMEM_machphys_mapping,
		XENMEM_get_pod_target, XENMEM_acquire_resource,
		XENMEM_paging_op,      XENMEM_access_op,
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		for (int n = 0; n < 100; n++)
			cr_expect_eq(fakevm_call(guest, calls[i], any(), any(),
						 any()),
				     -ENOSYS, "call %u", calls[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(memory); i++) {
		for (uint64_t start = 0; start < 100; start++)
			cr_expect_eq(fakevm_call(guest, __HYPERVISOR_memory_op,
						 memory[i] | start << 6, any(),
						 0),
				     -ENOSYS, "memory_op %u", memory[i]);
	}
}

static int64_t reserve(int cmd, uint64_t start, struct xen_memory_reservation r)
{
	memcpy(fakevm_at(guest, ARG), &r, sizeof(r));
	return fakevm_call(guest, __HYPERVISOR_memory_op,
			   (uint64_t)cmd | start << 6, ARG, 0);
}

/*
 * HC-03, HC-04, HC-11, HC-12, HC-15: sizes, starts, flags and places of lists that
 * cannot be; the guest has what it had.
 */
Test(hypercalls, reservations)
{
	static const int cmds[] = { XENMEM_decrease_reservation,
				    XENMEM_populate_physmap };
	static const uint64_t at[] = { HOLE, RAM, RAM - 4, UINT64_MAX,
				       UINT64_MAX - 7 };
	struct xen_memory_reservation r = { .domid = DOMID_SELF };
	uint64_t all = memory_pages(&guest->vm);

	for (size_t c = 0; c < ARRAY_SIZE(cmds); c++) {
		r.nr_extents = 1;
		r.extent_start.p = (void *)(uintptr_t)LIST;
		*(uint64_t *)fakevm_at(guest, LIST) = 1; /* no start of 2 MiB */
		for (uint64_t order = 1; order <= UINT32_MAX;
		     order += order < 64 ? 1 : order) {
			r.extent_order = (unsigned int)order;
			cr_expect_eq(reserve(cmds[c], 0, r), 0, "order %llu",
				     (unsigned long long)order);
		}
		r.extent_order = 0;
		r.nr_extents = 3;
		/* Xen's answer: as many as it was told are done. */
		cr_expect_eq(reserve(cmds[c], 4, r), 4);
		cr_expect_eq(reserve(cmds[c], 0x3ffffff, r), 0x3ffffff);
		for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
			r.extent_start.p = (void *)(uintptr_t)at[i];
			cr_expect_eq(reserve(cmds[c], 0, r), 0);
		}
		cr_expect_eq(memory_pages(&guest->vm), all);
	}
	r.nr_extents = 1;
	r.extent_start.p = (void *)(uintptr_t)LIST;
	*(uint64_t *)fakevm_at(guest, LIST) = 0x400;
	for (unsigned int bit = 0; bit < 32; bit++) {
		r.mem_flags = 1u << bit;
		cr_expect_eq(reserve(cmds[0], 0, r), 1);
		cr_expect_eq(reserve(cmds[1], 0, r), 1);
		cr_expect_eq(reserve(cmds[1], 0, r), 0, "never beyond");
		cr_expect_eq(memory_pages(&guest->vm), all);
	}
}

static int64_t add_page(uint32_t space, uint64_t gfn)
{
	struct xen_add_to_physmap a = { .domid = DOMID_SELF,
					.space = space,
					.gpfn = gfn };

	memcpy(fakevm_at(guest, ARG), &a, sizeof(a));
	return fakevm_call(guest, __HYPERVISOR_memory_op, XENMEM_add_to_physmap,
			   ARG, 0);
}

/* HC-15: pages with something of ours in them; only the guest loses by it. */
Test(hypercalls, special_pages_given_back)
{
	static const uint64_t ours[] = { LAYOUT_STORE, LAYOUT_CONSOLE,
					 LAYOUT_LAPIC, LAYOUT_SPECIAL };
	struct xen_memory_reservation r = { .domid = DOMID_SELF,
					    .nr_extents = 3 };
	struct vcpu_register_vcpu_info info = { .mfn = 0x302 };
	uint64_t all = memory_pages(&guest->vm);
	uint64_t *list = fakevm_at(guest, LIST);

	r.extent_start.p = (void *)(uintptr_t)LIST;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		list[0] = ours[i] >> SV_PAGE_SHIFT;
		cr_expect_eq(reserve(XENMEM_decrease_reservation, 0, r), 0);
		cr_expect_eq(reserve(XENMEM_populate_physmap, 0, r), 0);
	}
	cr_assert_eq(add_page(XENMAPSPACE_shared_info, 0x300), 0);
	cr_assert_eq(add_page(XENMAPSPACE_grant_table, 0x301), 0);
	memcpy(fakevm_at(guest, ARG), &info, sizeof(info));
	cr_assert_eq(fakevm_call(guest, __HYPERVISOR_vcpu_op,
				 VCPUOP_register_vcpu_info, 0, ARG),
		     0);
	for (uint64_t i = 0; i < 3; i++)
		list[i] = 0x300 + i;
	cr_expect_eq(reserve(XENMEM_decrease_reservation, 0, r), 3);
	cr_expect_eq(reserve(XENMEM_decrease_reservation, 0, r), 0, "twice");
	cr_expect_eq(memory_pages(&guest->vm), all - 3);
	/* Events, grants and their pages are there as before. */
	for (uint32_t port = 0; port < 8; port++)
		evtchn_virq(&guest->vm, port, 0);
	cr_expect_eq(add_page(XENMAPSPACE_grant_table, 0x304), 0);
	cr_expect_eq(add_page(XENMAPSPACE_shared_info, 0x305), 0);
	cr_expect_eq(reserve(XENMEM_populate_physmap, 0, r), 3);
	cr_expect_eq(reserve(XENMEM_populate_physmap, 0, r), 0, "twice");
	cr_expect_eq(memory_pages(&guest->vm), all);
}

/* HC-13: vCPUs that there are not, for each operation on one. */
Test(hypercalls, vcpus_that_do_not_exist)
{
	static const uint64_t ids[] = { 2,	   3,	       VM_MAX_VCPUS,
					INT32_MAX, UINT32_MAX, 0x80000000u };
	static const uint64_t ops[] = { 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15 };

	for (size_t o = 0; o < ARRAY_SIZE(ops); o++) {
		for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
			cr_expect_eq(fakevm_call(guest, __HYPERVISOR_vcpu_op,
						 ops[o], ids[i], ARG),
				     -ENOENT, "op %llu, vCPU %llu",
				     (unsigned long long)ops[o],
				     (unsigned long long)ids[i]);
	}
	for (uint64_t op = 0; op < 4; op++) /* initialise, up, down, is_up */
		cr_expect_eq(fakevm_call(guest, __HYPERVISOR_vcpu_op, op, 99,
					 ARG),
			     -ENOSYS);
}

/* HC-14: every offset of a vcpu_info; areas at the end of RAM. */
Test(hypercalls, areas_that_cross_a_border)
{
	static const uint64_t ends[] = { RAM - 1, RAM - 31, HOLE - 1,
					 UINT64_MAX, UINT64_MAX - 30 };
	struct vcpu_register_vcpu_info r = { .mfn = 0x310 };
	void *info = guest->vcpu[1].info;

	for (r.offset = 0; r.offset < 5000; r.offset++) {
		if (r.offset % 8 == 0 && r.offset <= 4096 - 64)
			continue;
		memcpy(fakevm_at(guest, ARG), &r, sizeof(r));
		cr_expect_eq(fakevm_call(guest, __HYPERVISOR_vcpu_op,
					 VCPUOP_register_vcpu_info, 1, ARG),
			     -EINVAL, "%u", r.offset);
	}
	cr_expect_eq(guest->vcpu[1].info, info);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		memcpy(fakevm_at(guest, ARG), &ends[i], sizeof(ends[i]));
		for (uint64_t op = 13; op < 16; op++)
			cr_expect_lt(fakevm_call(guest, __HYPERVISOR_vcpu_op,
						 op, 0, ARG),
				     0, "op %llu at %#llx",
				     (unsigned long long)op,
				     (unsigned long long)ends[i]);
		cr_expect_lt(fakevm_call(guest, __HYPERVISOR_vcpu_op,
					 VCPUOP_register_runstate_memory_area,
					 0, ARG),
			     0);
	}
}

/* HC-21: counts of 2 GiB and more are taken in small steps, up to RAM's end. */
Test(hypercalls, console_output_of_any_length)
{
	static const uint64_t counts[] = { INT32_MAX, 0x80000000u, 0x80000001u,
					   UINT32_MAX };
	struct hc *hc = &guest->vcpu[0].hc;

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		uint64_t arg[6] = { CONSOLEIO_write, counts[i], RAM - 100000 };
		uint64_t before = 0;
		int64_t ret;

		ret = hc_begin(hc, 0, true, __HYPERVISOR_console_io, arg);
		while (ret == HC_AGAIN) {
			cr_assert_leq(hc->done - before, HC_BATCH * 128);
			before = hc->done;
			ret = hc_continue(hc);
		}
		cr_expect_eq(ret, -EFAULT);
		cr_expect_leq(hc->done, 100000);
		cr_expect_gt(hc->done, 100000 - 128);
	}
}

/* ---- what a guest gets to see ------------------------------------------------ */

#define CANARY 0xc5

/* Leave our mark where the next call's variables will lie. */
static void __attribute__((noinline)) poison_stack(void)
{
	volatile uint8_t on_stack[8192];

	for (size_t i = 0; i < sizeof(on_stack); i++)
		on_stack[i] = CANARY;
}

/* HC-08: nothing that a call writes was on our stack before. */
Test(hypercalls, calls_leak_nothing)
{
	uint8_t *at = fakevm_at(guest, ARG);
	uint64_t arg[6] = { 0, ARG, 1 };
	struct hc *hc = &guest->vcpu[0].hc;
	int64_t ret;

	for (uint64_t nr = 0; nr < 44; nr++) {
		for (uint64_t sub = 0; sub < 64; sub++) {
			/* Domids of our own, small numbers, lists elsewhere. */
			memset(at, 0, 2 * SV_PAGE_SIZE);
			memcpy(at, &(uint16_t){ DOMID_SELF }, 2);
			memcpy(at + 8, &(uint64_t){ LIST }, 8);
			memcpy(at + 16, &(uint64_t){ LIST }, 8);
			arg[0] = sub;
			arg[1] = nr == __HYPERVISOR_vcpu_op ? 0 : ARG;
			arg[2] = nr == __HYPERVISOR_vcpu_op ? ARG : 1;
			poison_stack();
			ret = hc_begin(hc, 0, sub % 2, nr, arg);
			while (ret == HC_AGAIN)
				ret = hc_continue(hc);
			guest->vm.shutdown = false;
			for (size_t i = 0; i + 4 <= 2 * SV_PAGE_SIZE; i++)
				cr_assert(memcmp(at + i, "\xc5\xc5\xc5\xc5", 4),
					  "call %llu, %llu, byte %zu",
					  (unsigned long long)nr,
					  (unsigned long long)sub, i);
		}
	}
}

/* ---- others that wait -------------------------------------------------------- */

static _Atomic bool calling;

/* A vCPU that does nothing but the longest of calls. */
static void *hog(void *arg)
{
	uint64_t a[6] = { GNTTABOP_copy, ARG, 4000 };
	struct vcpu *v = arg;
	int64_t ret;

	while (calling) {
		ret = hc_begin(&v->hc, 0, true, __HYPERVISOR_grant_table_op, a);
		while (ret == HC_AGAIN)
			ret = hc_continue(&v->hc);
	}
	return NULL;
}

/* What all threads have had: a machine that stands still does not count. */
static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* HC-16: whoever asks for the domain's lock beside two such vCPUs gets it soon. */
Test(hypercalls, the_lock_goes_round)
{
	uint64_t began, took, worst = 0;
	unsigned long long begin = 0;
	pthread_t t[2];

	calling = true;
	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&t[i], NULL, hog, &guest->vcpu[i]),
			     0);
	while (flipper_time(&begin)) {
		began = cpu_ns();
		pthread_mutex_lock(&guest->vm.lock);
		pthread_mutex_unlock(&guest->vm.lock);
		took = cpu_ns() - began;
		worst = MAX(worst, took);
		usleep(1000);
	}
	calling = false;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	cr_log_info("at worst after %llu us of both vCPUs",
		    (unsigned long long)worst / 1000);
	cr_expect_lt(worst, 2000000000u, "%llu ns", (unsigned long long)worst);
}
