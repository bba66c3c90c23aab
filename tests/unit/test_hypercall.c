/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_hypercall.c - the boot sequence of a guest, call by call. */
#include "hypervisor/hypercall.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <string.h>

#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#include "hypervisor/layout.h"
#include "hypervisor/version.h"
#include "tests/lib/fakevm.h"

/* Where arguments lie; the page after it is free for lists. */
#define ARG  UINT64_C(0x200000)
#define LIST UINT64_C(0x201000)
#define HOLE UINT64_C(0x8000000) /* not RAM */

static struct fakevm *f;
static struct vm *vm;

static void setup(void)
{
	f = fakevm_new(2);
	vm = &f->vm;
}

static void teardown(void)
{
	fakevm_free(f);
}

TestSuite(hypercall, .init = setup, .fini = teardown);

#define put(what) memcpy(fakevm_at(f, ARG), &(what), sizeof(what))
#define get(what) memcpy(&(what), fakevm_at(f, ARG), sizeof(what))

Test(hypercall, only_ring_0)
{
	uint64_t arg[6] = { XENVER_version };
	struct hc *hc = &f->vcpu[0].hc;

	cr_expect_eq(hc_begin(hc, 0, true, __HYPERVISOR_xen_version, arg),
		     VERSION_XEN);
	for (unsigned int cpl = 1; cpl < 4; cpl++)
		cr_expect_eq(hc_begin(hc, cpl, true, __HYPERVISOR_xen_version,
				      arg),
			     -EPERM);
}

Test(hypercall, unknown_ones)
{
	cr_expect_eq(fakevm_call(f, 38, 0, 0, 0), -ENOSYS);
	cr_expect_eq(fakevm_call(f, 63, 0, 0, 0), -ENOSYS);
	cr_expect_eq(fakevm_call(f, UINT64_MAX, 0, 0, 0), -ENOSYS);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_domctl, ARG, 0, 0), -ENOSYS);
	cr_expect_eq(vm->calls.n, 4, "each is noted once");
	cr_expect_eq(fakevm_call(f, 38, 0, 0, 0), -ENOSYS);
	cr_expect_eq(vm->calls.n, 4);
	for (uint64_t i = 0; i < 1000; i++)
		cr_expect_eq(fakevm_call(f, __HYPERVISOR_hvm_op, 100 + i, ARG,
					 0),
			     -ENOSYS);
	cr_expect_eq(vm->calls.n, 64, "and no guest fills the log");
}

Test(hypercall, arguments_of_32_bit_code_are_cut)
{
	/* The high halves are rubble from 64-bit code. */
	cr_expect_eq(fakevm_call32(f, __HYPERVISOR_xen_version,
				   UINT64_C(0xdead00000000) | XENVER_version, 0,
				   0),
		     VERSION_XEN);
	cr_expect_eq(fakevm_call32(f, __HYPERVISOR_xen_version,
				   XENVER_extraversion,
				   UINT64_C(0xdead00000000) | ARG, 0),
		     0);
	cr_expect_str_eq((char *)fakevm_at(f, ARG), VERSION_EXTRA);
}

Test(hypercall, version_strings_fill_their_buffers_and_no_more)
{
	static const struct {
		int cmd;
		size_t size;
	} t[] = {
		{ XENVER_extraversion, 16 },   { XENVER_compile_info, 144 },
		{ XENVER_capabilities, 1024 }, { XENVER_changeset, 64 },
		{ XENVER_commandline, 1024 },  { XENVER_guest_handle, 16 },
	};
	uint8_t *at = fakevm_at(f, ARG);

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		memset(at, 0xaa, 4096);
		cr_expect_eq(fakevm_call(f, __HYPERVISOR_xen_version,
					 (uint64_t)t[i].cmd, ARG, 0),
			     0);
		cr_expect_eq(at[t[i].size], 0xaa, "cmd %d", t[i].cmd);
		cr_expect_neq(at[t[i].size - 1], 0xaa, "cmd %d", t[i].cmd);
		cr_expect_eq(fakevm_call(f, __HYPERVISOR_xen_version,
					 (uint64_t)t[i].cmd, HOLE, 0),
			     -EFAULT);
	}
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_xen_version, XENVER_pagesize,
				 0, 0),
		     4096);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_xen_version, XENVER_build_id,
				 ARG, 0),
		     -EPERM);
}

Test(hypercall, features)
{
	struct xen_feature_info fi = { .submap_idx = 0 };

	put(fi);
	cr_assert_eq(fakevm_call(f, __HYPERVISOR_xen_version,
				 XENVER_get_features, ARG, 0),
		     0);
	get(fi);
	cr_expect(fi.submap & 1u << XENFEAT_hvm_safe_pvclock);
	cr_expect(fi.submap & 1u << XENFEAT_hvm_callback_vector);
	cr_expect_not(fi.submap & 1u << XENFEAT_hvm_pirqs);
	cr_expect_not(fi.submap & 1u << XENFEAT_dom0);
	fi.submap_idx = 1;
	put(fi);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_xen_version,
				 XENVER_get_features, ARG, 0),
		     -EINVAL);
}

static int64_t add_to_physmap(uint16_t domid, uint32_t space, uint64_t idx,
			      uint64_t gfn)
{
	struct xen_add_to_physmap a = {
		.domid = domid, .space = space, .idx = idx, .gpfn = gfn
	};

	put(a);
	return fakevm_call(f, __HYPERVISOR_memory_op, XENMEM_add_to_physmap,
			   ARG, 0);
}

Test(hypercall, shared_info_moves_with_its_events)
{
	uint8_t *ram = fakevm_at(f, UINT64_C(0x300000));

	memset(ram, 0xaa, 4096);
	shinfo_set_pending(vm, 1);
	cr_assert_eq(add_to_physmap(DOMID_SELF, XENMAPSPACE_shared_info, 0,
				    0x300),
		     0);
	cr_expect_eq(vm->shinfo.page.host, ram);
	cr_expect(shinfo_pending(vm, 1));
	cr_expect_eq(ram[0x800], 2);
	cr_expect_eq(f->vcpu[1].info, ram + 64, "the vcpu_info follows");
	cr_expect_eq(f->moves, 1);
	cr_expect_eq(add_to_physmap(DOMID_SELF, XENMAPSPACE_shared_info, 1,
				    0x300),
		     -EINVAL);
	cr_expect_eq(add_to_physmap(0, XENMAPSPACE_shared_info, 0, 0x300),
		     -EPERM);
	cr_expect_eq(add_to_physmap(3, XENMAPSPACE_shared_info, 0, 0x300),
		     -ESRCH);
	cr_expect_eq(add_to_physmap(DOMID_SELF, XENMAPSPACE_gmfn, 0, 0x300),
		     -ENOSYS);
}

Test(hypercall, a_32_bit_guest_gets_its_layout)
{
	uint32_t a[4] = { DOMID_SELF, XENMAPSPACE_shared_info, 0, 0x300 };

	shinfo_set_pending(vm, 5);
	shinfo_set_pending(vm, 3000);
	put(a);
	cr_assert_eq(fakevm_call32(f, __HYPERVISOR_memory_op,
				   XENMEM_add_to_physmap, ARG, 0),
		     0);
	cr_expect_not(vm->shinfo.is64);
	cr_expect(shinfo_pending(vm, 5));
	cr_expect_eq(((uint8_t *)fakevm_at(f, 0x300000))[0x800 + 375], 0,
		     "where port 3000 was is the mask now");
}

Test(hypercall, vcpu_info)
{
	struct vcpu_register_vcpu_info r = { .mfn = 0x310, .offset = 64 };
	uint8_t *to = fakevm_at(f, UINT64_C(0x310040));
	static const uint32_t bad[] = { 1, 4, 4033, 4090, 4096, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		r.offset = bad[i];
		put(r);
		cr_expect_eq(fakevm_call(f, __HYPERVISOR_vcpu_op,
					 VCPUOP_register_vcpu_info, 1, ARG),
			     -EINVAL, "offset %u", bad[i]);
	}
	r.offset = 64;
	r.mfn = UINT64_MAX;
	put(r);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_vcpu_op,
				 VCPUOP_register_vcpu_info, 1, ARG),
		     -EINVAL);
	r.mfn = 0x310;
	put(r);
	f->vcpu[1].info[0] = 1;
	cr_assert_eq(fakevm_call(f, __HYPERVISOR_vcpu_op,
				 VCPUOP_register_vcpu_info, 1, ARG),
		     0);
	cr_expect_eq(f->vcpu[1].info, to);
	cr_expect_eq(to[0], 1, "pending events move along");
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_vcpu_op,
				 VCPUOP_register_vcpu_info, 1, ARG),
		     -EINVAL, "once only");
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_vcpu_op,
				 VCPUOP_register_vcpu_info, 2, ARG),
		     -ENOENT);
}

Test(hypercall, areas_must_be_ram)
{
	uint64_t at = UINT64_C(0x320000);

	put(at);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_vcpu_op,
				 VCPUOP_register_runstate_memory_area, 0, ARG),
		     0);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_vcpu_op,
				 VCPUOP_register_vcpu_time_memory_area, 0, ARG),
		     0);
	at = UINT64_C(0x320ff0);
	put(at);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_vcpu_op,
				 VCPUOP_register_vcpu_time_memory_area, 0, ARG),
		     -EINVAL, "crosses a page");
	at = HOLE;
	put(at);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_vcpu_op,
				 VCPUOP_register_runstate_memory_area, 0, ARG),
		     -EINVAL);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_vcpu_op, 14, 0, ARG), -EINVAL);
}

Test(hypercall, runstate_has_no_padding_for_32_bit_code)
{
	static const uint32_t want[] = {
		RUNSTATE_running, 5, 0, 1, 0, 2, 0, 3, 0, 4, 0, 0xffffffff
	};
	uint8_t *at = guestmem_ptr(vm->mem, gpa_of(ARG), sizeof(want));

	memset(at, 0xff, sizeof(want));
	cr_expect_eq(fakevm_call32(f, __HYPERVISOR_vcpu_op,
				   VCPUOP_get_runstate_info, 0, ARG),
		     0);
	cr_expect_arr_eq(at, want, sizeof(want));
}

Test(hypercall, periodic_timers_have_a_shortest_period)
{
	static const struct {
		uint64_t period;
		int want;
	} t[] = { { 0, -EINVAL },	   { 1, -EINVAL },
		  { 999999, -EINVAL },	   { 1000000, 0 },
		  { UINT64_MAX, -EINVAL }, { UINT64_C(1) << 63, -EINVAL } };

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		put(t[i].period);
		cr_expect_eq(fakevm_call(f, __HYPERVISOR_vcpu_op,
					 VCPUOP_set_periodic_timer, 0, ARG),
			     t[i].want);
	}
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_vcpu_op,
				 VCPUOP_stop_periodic_timer, 0, 0),
		     0);
	cr_expect_eq(f->vcpu[0].period_ns, 0);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_vcpu_op,
				 VCPUOP_set_singleshot_timer, 1, ARG),
		     -EINVAL, "another vcpu's");
}

struct param {
	uint32_t index;
	int get, set;
};

/* All of them; numbers by name in xen/hvm/params.h. */
ParameterizedTestParameters(hypercall, params)
{
	static struct param t[] = {
		{ 0, 0, 0 },
		{ 1, 0, -EPERM },
		{ 2, 0, 0 },
		{ 3, -EPERM, -EPERM },
		{ 4, -EINVAL, -EINVAL },
		{ 5, -EPERM, -EPERM },
		{ 6, -EPERM, -EPERM },
		{ 9, -EPERM, -EPERM },
		{ 10, -EPERM, -EPERM },
		{ 12, -EPERM, -EPERM },
		{ 13, -EINVAL, -EINVAL },
		{ 14, -EPERM, -EPERM },
		{ 15, 0, 0 },
		{ 17, 0, -EPERM },
		{ 18, 0, 0 },
		{ 19, 0, 0 },
		{ 20, -EINVAL, -EINVAL },
		{ 26, -EINVAL, -EINVAL },
		{ 30, -EINVAL, -EINVAL },
		{ 31, -EPERM, -EPERM },
		{ 33, -EPERM, -EPERM },
		{ 34, 0, 0 },
		{ 35, 0, -EEXIST },
		{ 36, 0, 0 },
		{ 37, 0, 0 },
		{ 38, -EPERM, -EPERM },
		{ 39, -EINVAL, -EINVAL },
		{ UINT32_MAX, -EINVAL, -EINVAL },
	};
	return cr_make_param_array(struct param, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct param *t, hypercall, params)
{
	struct xen_hvm_param p = { .domid = DOMID_SELF, .index = t->index };

	put(p);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_hvm_op, HVMOP_get_param, ARG,
				 0),
		     t->get, "get %u", t->index);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_hvm_op, HVMOP_set_param, ARG,
				 0),
		     t->set, "set %u", t->index);
	p.domid = 0;
	put(p);
	cr_expect_lt(fakevm_call(f, __HYPERVISOR_hvm_op, HVMOP_get_param, ARG,
				 0),
		     0, "dom0's %u", t->index);
}

Test(hypercall, params_tell_where_store_and_console_are)
{
	static const struct {
		uint32_t index;
		uint64_t value;
	} t[] = {
		{ HVM_PARAM_STORE_PFN, LAYOUT_STORE >> 12 },
		{ HVM_PARAM_STORE_EVTCHN, EVTCHN_STORE },
		{ HVM_PARAM_CONSOLE_PFN, LAYOUT_CONSOLE >> 12 },
		{ HVM_PARAM_CONSOLE_EVTCHN, EVTCHN_CONSOLE },
	};
	uint64_t value;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		cr_expect_eq(hvm_get(vm, t[i].index, &value), 0);
		cr_expect_eq(value, t[i].value);
	}
	cr_expect_eq(hvm_set(vm, HVM_PARAM_X87_FIP_WIDTH, 3, true), -EINVAL);
	cr_expect_eq(hvm_set(vm, HVM_PARAM_ACPI_IOPORTS_LOCATION, 2, true),
		     -EINVAL);
}

Test(hypercall, callback_vectors)
{
	uint64_t vector = UINT64_C(2) << 56;
	struct xen_hvm_evtchn_upcall_vector u = { .vcpu = 1, .vector = 0xf3 };

	cr_expect_eq(hvm_set(vm, HVM_PARAM_CALLBACK_IRQ, vector | 0xf3, true),
		     0);
	cr_expect_eq(f->vector, 0xf3);
	cr_expect_eq(hvm_set(vm, HVM_PARAM_CALLBACK_IRQ, vector | 15, true),
		     -EINVAL);
	cr_expect_eq(hvm_set(vm, HVM_PARAM_CALLBACK_IRQ, 1, true), 0,
		     "Linux with vectors of its own sets GSI 1");
	cr_expect_eq(f->vector, 0);
	put(u);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_hvm_op,
				 HVMOP_set_evtchn_upcall_vector, ARG, 0),
		     0);
	cr_expect_eq(f->vcpu[1].upcall_vector, 0xf3);
	u.vcpu = 2;
	put(u);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_hvm_op,
				 HVMOP_set_evtchn_upcall_vector, ARG, 0),
		     -ENOENT);
}

Test(hypercall, grant_table)
{
	struct gnttab_query_size q = { .dom = DOMID_SELF };
	struct gnttab_set_version v = { .version = 2 };
	struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 3 };
	struct gnttab_map_grant_ref m = { .dom = 5 };
	uint64_t *list = fakevm_at(f, LIST);

	put(q);
	cr_assert_eq(fakevm_call(f, __HYPERVISOR_grant_table_op,
				 GNTTABOP_query_size, ARG, 1),
		     0);
	get(q);
	cr_expect_eq(q.status, GNTST_okay);
	cr_expect_eq(q.nr_frames, 1);
	cr_expect_eq(q.max_nr_frames, 4);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_grant_table_op,
				 GNTTABOP_query_size, ARG, 2),
		     -EINVAL);
	put(v);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_grant_table_op,
				 GNTTABOP_set_version, ARG, 1),
		     -ENOSYS);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_grant_table_op,
				 GNTTABOP_transfer, ARG, 1),
		     -ENOSYS);
	cr_assert_eq(add_to_physmap(DOMID_SELF, XENMAPSPACE_grant_table, 1,
				    0x400),
		     0);
	s.frame_list.p = (void *)(uintptr_t)LIST;
	put(s);
	list[3] = 0xaa;
	cr_assert_eq(fakevm_call(f, __HYPERVISOR_grant_table_op,
				 GNTTABOP_setup_table, ARG, 1),
		     0);
	get(s);
	cr_expect_eq(s.status, GNTST_okay);
	cr_expect_eq(list[0], PHYSMAP_NONE);
	cr_expect_eq(list[1], 0x400);
	cr_expect_eq(list[3], 0xaa, "no more than was asked for");
	s.nr_frames = UINT32_MAX;
	put(s);
	cr_assert_eq(fakevm_call(f, __HYPERVISOR_grant_table_op,
				 GNTTABOP_setup_table, ARG, 1),
		     0);
	get(s);
	cr_expect_eq(s.status, GNTST_general_error);
	put(m);
	cr_assert_eq(fakevm_call(f, __HYPERVISOR_grant_table_op,
				 GNTTABOP_map_grant_ref, ARG, 1),
		     0);
	get(m);
	cr_expect_eq(m.status, GNTST_bad_domain);
}

Test(hypercall, a_long_batch_is_done_in_steps)
{
	struct gnttab_unmap_grant_ref *u = fakevm_at(f, ARG);
	uint64_t arg[6] = { GNTTABOP_unmap_grant_ref, ARG, 150 };
	struct hc *hc = &f->vcpu[0].hc;

	cr_expect_eq(hc_begin(hc, 0, true, __HYPERVISOR_grant_table_op, arg),
		     HC_AGAIN);
	cr_expect(hc->active);
	cr_expect_eq(u[HC_BATCH - 1].status, GNTST_bad_handle);
	cr_expect_eq(u[HC_BATCH].status, 0);
	cr_expect_eq(hc_continue(hc), HC_AGAIN);
	cr_expect_eq(hc_continue(hc), 0);
	cr_expect_not(hc->active);
	cr_expect_eq(u[149].status, GNTST_bad_handle);
	cr_expect_eq(u[150].status, 0);
}

static int64_t balloon(int cmd, uint64_t nr, uint32_t order)
{
	struct xen_memory_reservation r = { .nr_extents = nr,
					    .extent_order = order,
					    .domid = DOMID_SELF };

	r.extent_start.p = (void *)(uintptr_t)LIST;
	put(r);
	return fakevm_call(f, __HYPERVISOR_memory_op, (uint64_t)cmd, ARG, 0);
}

Test(hypercall, balloon)
{
	uint64_t *list = fakevm_at(f, LIST);
	uint64_t all = memory_pages(vm);
	uint8_t *page = fakevm_at(f, UINT64_C(0x400000));

	page[0] = 1;
	list[0] = 0x400;
	list[1] = 0x401;
	list[2] = 0x400; /* twice */
	cr_expect_eq(balloon(XENMEM_decrease_reservation, 3, 0), 2);
	cr_expect_eq(memory_pages(vm), all - 2);
	cr_expect_eq(page[0], 0);
	list[0] = 0x402;
	cr_expect_eq(balloon(XENMEM_populate_physmap, 1, 0), 0,
		     "a page that was never given back");
	list[0] = 0x401;
	cr_expect_eq(balloon(XENMEM_populate_physmap, 1, 0), 1);
	cr_expect_eq(memory_pages(vm), all - 1);
	list[0] = 0x600;
	cr_expect_eq(balloon(XENMEM_decrease_reservation, 1, 9), 1);
	cr_expect_eq(memory_pages(vm), all - 1 - 512);
	list[0] = 0x901;
	cr_expect_eq(balloon(XENMEM_decrease_reservation, 1, 9), 0,
		     "not aligned");
	cr_expect_eq(balloon(XENMEM_decrease_reservation, 1, 10), 0);
	cr_expect_eq(balloon(XENMEM_decrease_reservation, UINT64_MAX, 0), 0);
	cr_expect_eq(balloon(XENMEM_decrease_reservation, 1, 63), 0);
}

Test(hypercall, memory_map_is_cut_to_the_buffer)
{
	struct xen_memory_map m = { .nr_entries = 1 };
	uint8_t *list = fakevm_at(f, LIST);

	m.buffer.p = (void *)(uintptr_t)LIST;
	put(m);
	list[20] = 0xaa;
	cr_assert_eq(fakevm_call(f, __HYPERVISOR_memory_op, XENMEM_memory_map,
				 ARG, 0),
		     0);
	cr_expect_eq(list[20], 0xaa);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_memory_op,
				 XENMEM_set_memory_map, ARG, 0),
		     -EPERM);
}

Test(hypercall, shutdown_says_why)
{
	struct sched_shutdown s = { .reason = SHUTDOWN_reboot };

	put(s);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_sched_op, SCHEDOP_shutdown,
				 ARG, 0),
		     0);
	cr_expect(vm->shutdown);
	cr_expect_eq(vm->reason, SHUTDOWN_reboot);
	s.reason = SHUTDOWN_crash;
	put(s);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_sched_op, SCHEDOP_shutdown,
				 ARG, 0),
		     0);
	cr_expect_eq(vm->reason, SHUTDOWN_reboot, "the first counts");
}

Test(hypercall, shutdown_code_goes_before_the_reason)
{
	struct sched_shutdown s = { .reason = SHUTDOWN_watchdog };

	put(s);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_sched_op,
				 SCHEDOP_shutdown_code, ARG, 0),
		     0);
	cr_expect_not(vm->shutdown);
	vm_crash(vm, "test");
	cr_expect_eq(vm->reason, SHUTDOWN_watchdog);
}

Test(hypercall, watchdogs)
{
	struct sched_watchdog w = { .id = 0, .timeout = 0 };
	uint64_t now = util_clock_ns();

	put(w);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_sched_op, SCHEDOP_watchdog,
				 ARG, 0),
		     -EINVAL);
	w.timeout = 10;
	put(w);
	for (int64_t want = 1; want <= 2; want++)
		cr_expect_eq(fakevm_call(f, __HYPERVISOR_sched_op,
					 SCHEDOP_watchdog, ARG, 0),
			     want);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_sched_op, SCHEDOP_watchdog,
				 ARG, 0),
		     -ENOSPC);
	w.id = 2;
	w.timeout = 0;
	put(w);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_sched_op, SCHEDOP_watchdog,
				 ARG, 0),
		     0);
	w.id = 3;
	put(w);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_sched_op, SCHEDOP_watchdog,
				 ARG, 0),
		     -EINVAL);
	vm_timers(vm, now);
	cr_expect_not(vm->shutdown);
	vm_timers(vm, util_clock_ns() + UINT64_C(12000000000));
	cr_expect(vm->shutdown);
	cr_expect_eq(vm->reason, SHUTDOWN_watchdog);
}

Test(hypercall, polls)
{
	struct sched_poll p = { .nr_ports = 129 };
	uint32_t *ports = fakevm_at(f, LIST);

	p.ports.p = (void *)(uintptr_t)LIST;
	put(p);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_sched_op, SCHEDOP_poll, ARG,
				 0),
		     -EINVAL);
	p.nr_ports = 1;
	put(p);
	ports[0] = 4096;
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_sched_op, SCHEDOP_poll, ARG,
				 0),
		     -EINVAL);
	ports[0] = 77; /* free: as good as any other that is not pending */
	cr_expect_eq(
		fakevm_call(f, __HYPERVISOR_sched_op, SCHEDOP_poll, ARG, 0), 0);
}

Test(hypercall, console_output)
{
	char *at = fakevm_at(f, ARG);

	memcpy(at, "hello", 5);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_console_io, CONSOLEIO_write, 5,
				 ARG),
		     0);
	cr_expect_eq(vm->conlog.len, 5);
	cr_expect_arr_eq(vm->conlog.line, "hello", 5);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_console_io, CONSOLEIO_write,
				 UINT32_MAX, UINT64_C(16) << 20),
		     -EFAULT);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_console_io, CONSOLEIO_read, 5,
				 ARG),
		     -EPERM);
}

Test(hypercall, event_channels_need_readable_arguments)
{
	struct evtchn_alloc_unbound a = { .dom = DOMID_SELF };

	for (uint64_t cmd = 0; cmd < 14; cmd++)
		cr_expect_lt(fakevm_call(f, __HYPERVISOR_event_channel_op, cmd,
					 HOLE, 0),
			     0, "cmd %llu", (unsigned long long)cmd);
	put(a);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_event_channel_op,
				 EVTCHNOP_alloc_unbound, ARG, 0),
		     0);
	get(a);
	cr_expect_eq(a.port, 3);
	a.dom = 5;
	put(a);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_event_channel_op,
				 EVTCHNOP_alloc_unbound, ARG, 0),
		     -ESRCH);
}

/* ---- GRUB, as grub-core/kern/i386/xen/pvh.c and kern/xen/init.c call ------- */

/* Frames of the first hole in the memory map, which GRUB looks for. */
#define GRUB_GRANTS UINT64_C(0xa0)
#define GRUB_SHARED UINT64_C(0xa1)

static uint32_t grub_param(uint32_t index)
{
	struct xen_hvm_param p = { .domid = DOMID_SELF, .index = index };

	put(p);
	cr_expect_eq(fakevm_call32(f, __HYPERVISOR_hvm_op, HVMOP_get_param, ARG,
				   0),
		     0);
	get(p);
	return (uint32_t)p.value;
}

static void grub_place(uint32_t space, uint32_t gfn)
{
	uint32_t a[4] = { DOMID_SELF, space, 0, gfn };

	put(a);
	cr_expect_eq(fakevm_call32(f, __HYPERVISOR_memory_op,
				   XENMEM_add_to_physmap, ARG, 0),
		     0);
}

Test(hypercall, grub_finds_memory_and_rings)
{
	uint32_t m[3] = { 128, LIST, 0x5a5a5a5a };
	uint8_t *list = fakevm_at(f, LIST);
	uint64_t size;

	put(m);
	memset(list, 0x5a, 4096);
	cr_expect_eq(fakevm_call32(f, __HYPERVISOR_memory_op, XENMEM_memory_map,
				   ARG, 0),
		     0);
	get(m);
	cr_expect_eq(m[0], 6);
	cr_expect_eq(m[2], 0x5a5a5a5a);
	memcpy(&size, list + 8, sizeof(size)); /* 20 bytes an entry */
	cr_expect_eq(size, LAYOUT_GRANT);
	cr_expect_eq(list[20 * 5 + 16], 2, "the special pages are reserved");
	cr_expect_eq(list[20 * 6], 0x5a);
	cr_expect_eq(grub_param(HVM_PARAM_CONSOLE_PFN), LAYOUT_CONSOLE >> 12);
	cr_expect_eq(grub_param(HVM_PARAM_STORE_PFN), LAYOUT_STORE >> 12);
	cr_expect_neq(grub_param(HVM_PARAM_CONSOLE_EVTCHN),
		      grub_param(HVM_PARAM_STORE_EVTCHN));
	/* It asks for two things that it can do without. */
	cr_expect_eq(fakevm_call32(f, __HYPERVISOR_memory_op,
				   XENMEM_set_memory_map, ARG, 0),
		     -EPERM);
	cr_expect_eq(fakevm_call32(f, __HYPERVISOR_grant_table_op,
				   GNTTABOP_dump_table, ARG, 1),
		     -ENOSYS);
}

Test(hypercall, grub_sets_up_its_grants)
{
	uint32_t version = 1, setup[4] = { DOMID_SELF, 1, 0x5a5a5a5a, LIST };
	uint32_t *list = fakevm_at(f, LIST);
	struct grant_entry_v1 *e;

	list[1] = 0x5a5a5a5a;
	grub_place(XENMAPSPACE_grant_table, GRUB_GRANTS);
	put(version);
	cr_expect_eq(fakevm_call32(f, __HYPERVISOR_grant_table_op,
				   GNTTABOP_set_version, ARG, 1),
		     0);
	put(setup);
	cr_expect_eq(fakevm_call32(f, __HYPERVISOR_grant_table_op,
				   GNTTABOP_setup_table, ARG, 1),
		     0);
	get(setup);
	cr_expect_eq(setup[2], 0x5a5a0000 | GNTST_okay);
	cr_expect_eq(list[0], GRUB_GRANTS);
	cr_expect_eq(list[1], 0x5a5a5a5a, "frame numbers of 32 bits");
	/* It takes the first entry without flags: none of the reserved ones. */
	e = fakevm_at(f, GRUB_GRANTS << 12);
	cr_expect_eq(e[GNTTAB_RESERVED_CONSOLE].flags, GTF_permit_access);
	cr_expect_eq(e[GNTTAB_RESERVED_XENSTORE].flags, GTF_permit_access);
	cr_expect_eq(e[2].flags, 0);
}

static void linux_place(uint32_t space, uint64_t gfn)
{
	struct xen_add_to_physmap a = { .domid = DOMID_SELF,
					.space = space,
					.gpfn = gfn };

	put(a);
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_memory_op,
				 XENMEM_add_to_physmap, ARG, 0),
		     0);
}

/* What it leaves to Linux, which places both pages elsewhere in 64-bit mode. */
Test(hypercall, grub_hands_over)
{
	uint32_t store = grub_param(HVM_PARAM_STORE_EVTCHN);
	struct evtchn_alloc_unbound a = { .dom = DOMID_SELF };
	struct grant_entry_v1 *e;

	grub_place(XENMAPSPACE_grant_table, GRUB_GRANTS);
	grub_place(XENMAPSPACE_shared_info, GRUB_SHARED);
	cr_expect_not(vm->shinfo.is64);
	put(a);
	cr_expect_eq(fakevm_call32(f, __HYPERVISOR_event_channel_op,
				   EVTCHNOP_alloc_unbound, ARG, 0),
		     0);
	get(a);
	/* Linux masks all ports in its layout; an answer of the store waits. */
	shinfo_set_pending(vm, store);
	memset((uint8_t *)fakevm_at(f, GRUB_SHARED << 12) + 0x880, 0xff, 128);
	e = fakevm_at(f, GRUB_GRANTS << 12);
	e[5].frame = 0x123;
	linux_place(XENMAPSPACE_shared_info, 0x300);
	cr_expect(vm->shinfo.is64);
	cr_expect(shinfo_pending(vm, store));
	for (uint32_t port = 1024; port < 4096; port++)
		cr_expect_not(shinfo_pending(vm, port), "port %u", port);
	linux_place(XENMAPSPACE_grant_table, 0x301);
	e = fakevm_at(f, UINT64_C(0x301000));
	cr_expect_eq(e[5].frame, 0x123);
	cr_expect_eq(e[GNTTAB_RESERVED_XENSTORE].frame, LAYOUT_STORE >> 12);
	/* The port that it has not closed is the domain's as before. */
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_event_channel_op,
				 EVTCHNOP_close, ARG + 4, 0),
		     0);
}
