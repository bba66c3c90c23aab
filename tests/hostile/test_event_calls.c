// SPDX-License-Identifier: GPL-2.0-or-later
// tests/hostile/test_event_calls.c - a guest that lies about event channels.
#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/sched.h>

#include "tests/lib/fakevm.h"

#define VCPUS 4u
#define ARG   UINT64_C(0x200000)
#define LIST  UINT64_C(0x201000)
#define HOLE  UINT64_C(0x8000000) /* not RAM */

static struct fakevm *f;
static struct vm *vm;

static void set_up(void)
{
	f = fakevm_new(VCPUS);
	vm = &f->vm;
	log_init("", LOG_LVL_ERR);
}

static void tear_down(void)
{
	fakevm_free(f);
}

TestSuite(event_calls, .init = set_up, .fini = tear_down, .timeout = 300);

/* ---- nothing half done ------------------------------------------------------ */

/* All that a call may change: the table, the engine's idea of it, the bitmaps. */
struct snapshot {
	struct evtchn_port port[EVTCHN_PORTS];
	int send_fd[EVTCHN_PORTS], irq_fd[EVTCHN_PORTS];
	uint32_t send_port[EVTCHN_PORTS], timer[VM_MAX_VCPUS];
	uint8_t page[SV_PAGE_SIZE];
};

static struct snapshot *take_snapshot(void)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	cr_assert(s);
	/* Beyond the top there is nothing, whatever lies there. */
	for (uint32_t i = 1; i < vm->evtchn.top; i++) {
		if (vm->evtchn.port[i].type != EVTCHNSTAT_closed)
			s->port[i] = vm->evtchn.port[i];
	}
	memcpy(s->send_fd, f->send_fd, sizeof(s->send_fd));
	memcpy(s->irq_fd, f->irq_fd, sizeof(s->irq_fd));
	memcpy(s->send_port, f->send_port, sizeof(s->send_port));
	memcpy(s->timer, f->timer, sizeof(s->timer));
	memcpy(s->page, vm->shinfo.page.host, SV_PAGE_SIZE);
	return s;
}

static void expect_unchanged(struct snapshot *before, const char *what)
{
	struct snapshot *now = take_snapshot();

	cr_expect_eq(memcmp(before, now, sizeof(*now)), 0, "%s", what);
	free(before);
	free(now);
}

/* Ports to play with: one for a client, one for ourselves. */
static uint32_t dom0_port, self_port;

static int bind_interdomain(void)
{
	uint32_t port;

	return evtchn_bind_interdomain(vm, DOMID_SELF, self_port, 1, &port);
}

static int bind_timer(void)
{
	uint32_t port;

	return evtchn_bind_virq(vm, VIRQ_TIMER, 2, &port);
}

static int bind_ipi(void)
{
	uint32_t port;

	return evtchn_bind_ipi(vm, 3, &port);
}

static int bind_client(void)
{
	int kick, call;

	return evtchn_client_bind(vm, f, dom0_port, &kick, &call);
}

static const struct {
	const char *name;
	int (*run)(void);
	unsigned int calls; /* of the engine, that can fail */
} binds[] = {
	{ "interdomain", bind_interdomain, 2 },
	{ "timer", bind_timer, 1 },
	{ "ipi", bind_ipi, 1 },
	{ "client", bind_client, 2 },
};

/* EV-01, EV-03, EV-11: each of them fails at each step, and nothing is changed. */
Test(event_calls, binding_fails_at_each_step)
{
	struct snapshot *before;

	cr_assert_eq(evtchn_alloc_unbound(vm, VM_BACKEND, &dom0_port), 0);
	cr_assert_eq(evtchn_alloc_unbound(vm, DOMID_SELF, &self_port), 0);
	for (size_t i = 0; i < ARRAY_SIZE(binds); i++) {
		for (unsigned int n = 0; n < binds[i].calls; n++) {
			before = take_snapshot();
			f->fail = -ENOMEM;
			f->fail_after = n;
			cr_expect_eq(binds[i].run(), -ENOMEM, "%s, step %u",
				     binds[i].name, n);
			expect_unchanged(before, binds[i].name);
		}
		f->fail = 0;
		cr_expect_eq(binds[i].run(), 0, "%s", binds[i].name);
	}
}

/* EV-05, EV-11: no port is left; whatever is bound then, nothing is changed. */
Test(event_calls, no_port_is_left)
{
	struct snapshot *before;
	uint32_t port;

	cr_assert_eq(evtchn_alloc_unbound(vm, VM_BACKEND, &dom0_port), 0);
	cr_assert_eq(evtchn_alloc_unbound(vm, DOMID_SELF, &self_port), 0);
	while (evtchn_alloc_unbound(vm, VM_BACKEND, &port) == 0)
		;
	for (size_t i = 0; i < 3; i++) { /* a client needs no new port */
		before = take_snapshot();
		cr_expect_eq(binds[i].run(), -ENOSPC, "%s", binds[i].name);
		expect_unchanged(before, binds[i].name);
	}
	cr_assert_eq(evtchn_close(vm, 77), 0);
	cr_expect_eq(bind_timer(), 0);
}

/* ---- what there is not ------------------------------------------------------ */

/* EV-02: the FIFO layout, and all that is unknown. */
Test(event_calls, operations_that_do_not_exist)
{
	static const uint64_t at[] = { 0, ARG, HOLE, UINT64_MAX };
	struct snapshot *before = take_snapshot();

	for (uint64_t op = EVTCHNOP_init_control; op < 64; op++) {
		for (size_t i = 0; i < ARRAY_SIZE(at); i++)
			cr_expect_eq(fakevm_call(f,
						 __HYPERVISOR_event_channel_op,
						 op, at[i], 0),
				     -ENOSYS, "%llu", (unsigned long long)op);
	}
	cr_expect_eq(fakevm_call(f, __HYPERVISOR_event_channel_op,
				 EVTCHNOP_bind_pirq, ARG, 0),
		     -ENOSYS);
	expect_unchanged(before, "operations that do not exist");
}

/* ---- numbers ---------------------------------------------------------------- */

static int64_t poll_one(uint32_t port, uint32_t n)
{
	struct sched_poll p = { .nr_ports = n };
	uint32_t *list = fakevm_at(f, LIST);

	for (int i = 0; i < 128; i++)
		list[i] = port;
	p.ports.p = (void *)(uintptr_t)LIST;
	memcpy(fakevm_at(f, ARG), &p, sizeof(p));
	return fakevm_call(f, __HYPERVISOR_sched_op, SCHEDOP_poll, ARG, 0);
}

/* EV-04: ports that are free, or no ports; lists that are too long. */
Test(event_calls, polls)
{
	cr_expect_eq(poll_one(1, 0), 0);
	cr_expect_eq(poll_one(1, 128), 0);
	cr_expect_eq(poll_one(1, 129), -EINVAL);
	cr_expect_eq(poll_one(1, 0x80000000u), -EINVAL);
	cr_expect_eq(poll_one(1, UINT32_MAX), -EINVAL);
	for (uint32_t port = 0; port < EVTCHN_PORTS; port++)
		cr_assert_eq(poll_one(port, 1), 0, "%u", port);
	for (uint64_t port = EVTCHN_PORTS; port <= UINT32_MAX; port += port / 9)
		cr_assert_eq(poll_one((uint32_t)port, 1), -EINVAL, "%llu",
			     (unsigned long long)port);
	cr_expect_eq(poll_one(UINT32_MAX, 1), -EINVAL);
}

/*
 * EV-08: ports of the large layout outlive the change to the small one; whatever
 * comes on them then, it goes nowhere.
 */
Test(event_calls, ports_beyond_the_small_layout)
{
	uint8_t *page = vm->shinfo.page.host;
	uint32_t port, timer, low, high;

	cr_assert_eq(evtchn_alloc_unbound(vm, DOMID_SELF, &low), 0);
	do
		cr_assert_eq(evtchn_alloc_unbound(vm, VM_BACKEND, &port), 0);
	while (port < 2500);
	cr_assert_eq(evtchn_bind_virq(vm, VIRQ_TIMER, 0, &timer), 0);
	cr_assert_eq(evtchn_bind_interdomain(vm, DOMID_SELF, low, 0, &high), 0);
	cr_assert_gt(timer, 2500);
	cr_assert_eq(shinfo_set_width(vm, false), 0);
	memset(page + 0x880, 0, SV_PAGE_SIZE - 0x880);
	evtchn_virq(vm, VIRQ_TIMER, 0);
	(void)!evtchn_send(vm, low);
	for (uint32_t bad = 1024; bad < 5000; bad += 7) {
		cr_expect_eq(evtchn_send(vm, bad), -EINVAL);
		cr_expect_eq(evtchn_unmask(vm, bad), -EINVAL);
		cr_expect_eq(evtchn_close(vm, bad), -EINVAL);
		cr_expect_eq(evtchn_bind_vcpu(vm, bad, 1), -EINVAL);
	}
	for (size_t i = 0x880; i < SV_PAGE_SIZE; i++)
		cr_assert_eq(page[i], 0, "byte %#zx", i);
	cr_expect_lt(low, 1024);
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* EV-10: all ports that there are, bound to each other, are gone in a moment. */
Test(event_calls, reset_of_all_ports)
{
	uint64_t began, took;
	uint32_t a, b;

	while (evtchn_alloc_unbound(vm, DOMID_SELF, &a) == 0 &&
	       evtchn_bind_interdomain(vm, DOMID_SELF, a, 0, &b) == 0)
		;
	cr_assert_gt(vm->evtchn.top, 4090);
	began = cpu_ns();
	evtchn_reset(vm);
	took = cpu_ns() - began;
	cr_expect_lt(took, 50000000u, "%llu ns", (unsigned long long)took);
	cr_expect_eq(evtchn_send(vm, 5), -EINVAL);
	cr_assert_eq(evtchn_alloc_unbound(vm, DOMID_SELF, &a), 0);
	cr_expect_eq(a, 1);
}
