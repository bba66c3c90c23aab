/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_evtchn.c - the port table against Xen's rules. */
#include "hypervisor/evtchn.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "hypervisor/save.h"
#include "tests/lib/fakevm.h"

static struct fakevm *f;
static struct vm *vm;

static void setup(void)
{
	f = fakevm_new(4);
	vm = &f->vm;
}

static void teardown(void)
{
	fakevm_free(f);
}

TestSuite(evtchn, .init = setup, .fini = teardown);

static unsigned int status(uint32_t port)
{
	struct evtchn_status st = { .port = port };

	cr_assert_eq(evtchn_status(vm, &st), 0);
	return st.status;
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

Test(evtchn, starts_with_store_and_console)
{
	uint32_t port;

	cr_expect_eq(status(EVTCHN_STORE), EVTCHNSTAT_unbound);
	cr_expect_eq(status(EVTCHN_CONSOLE), EVTCHNSTAT_unbound);
	cr_assert_eq(evtchn_alloc_unbound(vm, VM_BACKEND, &port), 0);
	cr_expect_eq(port, 3);
	/* The lowest free port is taken, and 0 never. */
	cr_assert_eq(evtchn_close(vm, EVTCHN_STORE), 0);
	cr_assert_eq(evtchn_alloc_unbound(vm, VM_BACKEND, &port), 0);
	cr_expect_eq(port, EVTCHN_STORE);
	cr_expect_eq(evtchn_close(vm, 0), -EINVAL);
}

Test(evtchn, ports_run_out_at_the_layouts_limit)
{
	uint32_t port, last = 0;

	while (evtchn_alloc_unbound(vm, VM_BACKEND, &port) == 0)
		last = port;
	cr_expect_eq(last, 4095);
	cr_expect_eq(evtchn_bind_ipi(vm, 0, &port), -ENOSPC);
	cr_expect_eq(evtchn_bind_virq(vm, VIRQ_TIMER, 0, &port), -ENOSPC);
	cr_expect_eq(f->timer[0], 0, "a failed bind changes nothing");
	/* A layout of 32 bits has 1024 ports; higher ones are out of reach. */
	cr_assert_eq(shinfo_set_width(vm, false), 0);
	cr_expect_eq(evtchn_close(vm, 1024), -EINVAL);
	cr_expect_eq(evtchn_send(vm, 4095), -EINVAL);
	cr_expect_eq(evtchn_unmask(vm, 2000), -EINVAL);
	cr_expect_eq(evtchn_close(vm, 1023), 0);
}

Test(evtchn, a_client_is_bound_with_both_sides_pending)
{
	uint32_t port;
	int kick, call, owner;

	cr_assert_eq(evtchn_alloc_unbound(vm, VM_BACKEND, &port), 0);
	cr_expect_eq(evtchn_send(vm, port), 0, "unbound: silently nothing");
	cr_assert_eq(evtchn_client_bind(vm, &owner, port, &kick, &call), 0);
	cr_expect(readable(kick));
	cr_expect_eq(f->raised[port], 1);
	cr_expect_eq(f->send_fd[port], kick);
	cr_expect_eq(f->irq_fd[port], call);
	cr_expect_eq(status(port), EVTCHNSTAT_interdomain);
	cr_expect_eq(evtchn_client_bind(vm, &f, port, &kick, &call), -EBUSY);
	cr_expect_eq(evtchn_client_close(vm, &f, port), -EINVAL,
		     "not this client's");
	cr_assert_eq(evtchn_client_close(vm, &owner, port), 0);
	cr_expect_eq(status(port), EVTCHNSTAT_unbound);
	cr_expect_eq(evtchn_client_close(vm, &owner, port), -EINVAL);
}

Test(evtchn, a_client_that_dies_leaves_its_ports_unbound)
{
	uint32_t a, b;
	int kick, call, one, two;

	cr_assert_eq(evtchn_alloc_unbound(vm, VM_BACKEND, &a), 0);
	cr_assert_eq(evtchn_alloc_unbound(vm, VM_BACKEND, &b), 0);
	cr_assert_eq(evtchn_client_bind(vm, &one, a, &kick, &call), 0);
	cr_assert_eq(evtchn_client_bind(vm, &two, b, &kick, &call), 0);
	evtchn_client_gone(vm, &one);
	cr_expect_eq(status(a), EVTCHNSTAT_unbound);
	cr_expect_eq(status(b), EVTCHNSTAT_interdomain);
	cr_expect_eq(f->irq_fd[a], -1);
	cr_assert_eq(evtchn_client_bind(vm, &two, a, &kick, &call), 0);
}

Test(evtchn, only_ports_for_dom0_are_for_clients)
{
	uint32_t other, ipi;
	int kick, call;

	cr_assert_eq(evtchn_alloc_unbound(vm, 9, &other), 0);
	cr_assert_eq(evtchn_bind_ipi(vm, 0, &ipi), 0);
	cr_expect_eq(evtchn_client_bind(vm, f, other, &kick, &call), -EINVAL);
	cr_expect_eq(evtchn_client_bind(vm, f, ipi, &kick, &call), -EINVAL);
	cr_expect_eq(evtchn_client_bind(vm, f, 77, &kick, &call), -EINVAL);
	cr_expect_eq(evtchn_client_bind(vm, f, UINT32_MAX, &kick, &call),
		     -EINVAL);
}

Test(evtchn, a_bind_that_fails_changes_nothing)
{
	uint32_t port;
	int kick = -5, call = -5;

	cr_assert_eq(evtchn_alloc_unbound(vm, VM_BACKEND, &port), 0);
	f->fail = -ENOMEM;
	cr_expect_eq(evtchn_client_bind(vm, f, port, &kick, &call), -ENOMEM);
	cr_expect_eq(kick, -5);
	cr_expect_eq(status(port), EVTCHNSTAT_unbound);
	cr_expect_eq(f->irq_fd[port], -1);
	cr_assert_eq(evtchn_client_bind(vm, f, port, &kick, &call), 0);
}

Test(evtchn, loopback)
{
	uint32_t a, b;

	cr_assert_eq(evtchn_alloc_unbound(vm, DOMID_SELF, &a), 0);
	cr_expect_eq(evtchn_bind_interdomain(vm, 0, a, 0, &b), -EINVAL);
	cr_assert_eq(evtchn_bind_interdomain(vm, DOMID_SELF, a, 2, &b), 0);
	cr_expect_eq(f->send_port[a], b);
	cr_expect_eq(f->send_port[b], a);
	cr_expect_eq(f->raised[b], 1, "pending at once");
	cr_expect_eq(evtchn_bind_interdomain(vm, DOMID_SELF, a, 0, &b), -EINVAL,
		     "bound already");
	cr_assert_eq(evtchn_send(vm, a), 0);
	cr_expect_eq(f->raised[b], 2);
	cr_expect_eq(f->raised_on[b], 2);
	cr_assert_eq(evtchn_close(vm, b), 0);
	cr_expect_eq(status(a), EVTCHNSTAT_unbound);
	cr_expect_eq(f->send_port[a], 0);
}

Test(evtchn, binding_a_port_to_itself_is_refused)
{
	uint32_t a, b;

	cr_assert_eq(evtchn_alloc_unbound(vm, DOMID_SELF, &a), 0);
	cr_assert_eq(evtchn_bind_interdomain(vm, DOMID_SELF, a, 0, &b), 0);
	cr_expect_neq(a, b);
	cr_expect_eq(evtchn_bind_interdomain(vm, DOMID_SELF, b, 0, &a),
		     -EINVAL);
}

Test(evtchn, virqs)
{
	uint32_t port, other;

	cr_assert_eq(evtchn_bind_virq(vm, VIRQ_TIMER, 1, &port), 0);
	cr_expect_eq(f->timer[1], port);
	cr_expect_eq(evtchn_bind_virq(vm, VIRQ_TIMER, 1, &other), -EEXIST);
	cr_assert_eq(evtchn_bind_virq(vm, VIRQ_TIMER, 2, &other), 0);
	cr_expect_eq(evtchn_bind_virq(vm, VIRQ_TIMER, 4, &other), -ENOENT);
	cr_expect_eq(evtchn_bind_virq(vm, VIRQ_CON_RING, 1, &other), -EINVAL);
	cr_expect_eq(evtchn_bind_virq(vm, NR_VIRQS, 0, &other), -EINVAL);
	cr_expect_eq(evtchn_bind_virq(vm, UINT32_MAX, 0, &other), -EINVAL);
	cr_expect_eq(evtchn_send(vm, port), -EINVAL);
	cr_expect_eq(evtchn_bind_vcpu(vm, port, 0), -EINVAL);
	evtchn_virq(vm, VIRQ_TIMER, 1);
	cr_expect_eq(f->raised[port], 1);
	cr_expect_eq(f->raised_on[port], 1);
	cr_assert_eq(evtchn_close(vm, port), 0);
	cr_expect_eq(f->timer[1], 0);
	evtchn_virq(vm, VIRQ_TIMER, 1);
	cr_expect_eq(f->raised[port], 1);
}

Test(evtchn, ipis)
{
	uint32_t port;

	cr_assert_eq(evtchn_bind_ipi(vm, 3, &port), 0);
	cr_expect_eq(f->send_port[port], port);
	cr_expect_eq(evtchn_bind_vcpu(vm, port, 0), -EINVAL);
	cr_expect_eq(evtchn_bind_ipi(vm, 4, &port), -ENOENT);
}

Test(evtchn, moving_takes_a_pending_event_along)
{
	uint32_t port;
	int kick, call;

	cr_assert_eq(evtchn_alloc_unbound(vm, VM_BACKEND, &port), 0);
	cr_assert_eq(evtchn_client_bind(vm, f, port, &kick, &call), 0);
	cr_assert_eq(evtchn_bind_vcpu(vm, port, 3), 0);
	cr_expect_eq(f->irq_vcpu[port], 3);
	cr_expect_eq(f->raised[port], 2);
	cr_expect_eq(f->raised_on[port], 3);
	cr_expect_eq(evtchn_bind_vcpu(vm, port, 4), -ENOENT);
	cr_expect_eq(evtchn_bind_vcpu(vm, 99, 0), -EINVAL);
	cr_assert(shinfo_clear_pending(vm, port));
	cr_assert_eq(evtchn_bind_vcpu(vm, port, 0), 0);
	cr_expect_eq(f->raised[port], 2, "nothing was pending");
}

static void set_mask(uint32_t port)
{
	vm->shinfo.page.host[0xa00 + port / 8] |= (uint8_t)(1u << port % 8);
}

Test(evtchn, unmasking_delivers_what_came_meanwhile)
{
	uint32_t port;

	cr_assert_eq(evtchn_bind_ipi(vm, 1, &port), 0);
	set_mask(port);
	cr_assert_eq(evtchn_unmask(vm, port), 0);
	cr_expect_eq(f->raised[port], 0);
	set_mask(port);
	shinfo_set_pending(vm, port);
	cr_assert_eq(evtchn_unmask(vm, port), 0);
	cr_expect_eq(f->raised[port], 1);
	cr_expect(shinfo_pending(vm, port));
	cr_expect_eq(vm->shinfo.page.host[0xa00 + port / 8], 0);
	/* Not masked: the guest has been told already. */
	cr_assert_eq(evtchn_unmask(vm, port), 0);
	cr_expect_eq(f->raised[port], 1);
}

Test(evtchn, closing_clears_the_pending_bit)
{
	uint32_t port;

	cr_assert_eq(evtchn_bind_ipi(vm, 0, &port), 0);
	shinfo_set_pending(vm, port);
	cr_assert_eq(evtchn_close(vm, port), 0);
	cr_expect_not(shinfo_pending(vm, port));
	cr_expect_eq(evtchn_close(vm, port), -EINVAL);
	cr_expect_eq(status(port), EVTCHNSTAT_closed);
}

/*
 * Random calls; the fake engine asserts that nothing is told twice or forgotten
 * twice, and fakevm_free() that nothing remains after a reset.
 */
static void random_step(unsigned int i)
{
	uint32_t port = (uint32_t)random() % 40, out;
	uint32_t vcpu = (uint32_t)random() % 5;
	const void *owner = &f->vcpu[i % 3];
	int kick, call, ret = 0;

	if (random() % 8 == 0)
		f->fail = -ENOMEM;
	switch (random() % 11) {
	case 0:
		ret = evtchn_alloc_unbound(vm, random() % 2 ? 0 : DOMID_SELF,
					   &out);
		break;
	case 1:
		ret = evtchn_bind_interdomain(vm, DOMID_SELF, port, vcpu % 4,
					      &out);
		break;
	case 2:
		ret = evtchn_bind_virq(vm, vcpu, vcpu, &out);
		break;
	case 3:
		ret = evtchn_bind_ipi(vm, vcpu, &out);
		break;
	case 4:
		ret = evtchn_bind_vcpu(vm, port, vcpu);
		break;
	case 5:
		ret = evtchn_close(vm, port);
		break;
	case 6:
		ret = evtchn_send(vm, port);
		break;
	case 7:
		ret = evtchn_unmask(vm, port);
		break;
	case 8:
		ret = evtchn_client_bind(vm, owner, port, &kick, &call);
		break;
	case 9:
		ret = evtchn_client_close(vm, owner, port);
		break;
	default:
		evtchn_client_gone(vm, owner);
		break;
	}
	cr_assert_leq(ret, 0);
	f->fail = 0;
}

Test(evtchn, random_calls_leave_nothing_behind)
{
	srandom(1);
	for (unsigned int i = 0; i < 50000; i++) {
		random_step(i);
		if (i % 5000 == 0)
			evtchn_reset(vm);
	}
	for (uint32_t p = 1; p < 64; p++) {
		unsigned int st = status(p);
		bool told = f->send_fd[p] != -1 || f->send_port[p];

		cr_expect_eq(told,
			     st == EVTCHNSTAT_interdomain ||
				     st == EVTCHNSTAT_ipi,
			     "port %u", p);
	}
}

/* A table of each kind of port: 1, 2 unbound, 3 an IPI, 4 and 5 a pair, 6 VIRQs. */
static const struct save_port saved[] = {
	{ EVTCHNSTAT_unbound, 0, VM_BACKEND, 0, 0 },
	{ EVTCHNSTAT_unbound, 1, VM_BACKEND, 0, 0 },
	{ EVTCHNSTAT_ipi, 2, 0, 0, 0 },
	{ EVTCHNSTAT_interdomain, 0, FAKEVM_DOMID, 5, 0 },
	{ EVTCHNSTAT_interdomain, 3, FAKEVM_DOMID, 4, 0 },
	{ EVTCHNSTAT_virq, 1, 0, 0, VIRQ_TIMER },
	{ EVTCHNSTAT_closed, 0, 0, 0, 0 },
	{ EVTCHNSTAT_virq, 2, 0, 0, VIRQ_TIMER },
};
#define NSAVED ((uint32_t)(sizeof(saved) / sizeof(saved[0])))

Test(evtchn, a_saved_table_is_what_it_was)
{
	cr_assert_eq(evtchn_restore(vm, saved, NSAVED), 0);
	for (uint32_t i = 0; i < NSAVED; i++)
		cr_expect_eq(status(i + 1), saved[i].type, "port %u", i + 1);
	cr_expect_eq(f->send_port[3], 3);
	cr_expect_eq(f->send_port[4], 5);
	cr_expect_eq(f->send_port[5], 4);
	cr_expect_eq(f->timer[1], 6);
	cr_expect_eq(f->timer[2], 8);
	cr_expect_eq(evtchn_send(vm, 1), 0, "nobody is bound yet");
}

Test(evtchn, what_is_pending_in_a_saved_table_is_raised_anew)
{
	cr_assert_eq(evtchn_restore(vm, saved, NSAVED), 0);
	shinfo_set_pending(vm, 2);
	shinfo_set_pending(vm, 7); /* closed: nobody's */
	cr_assert_eq(evtchn_remind(vm), 0);
	cr_expect_eq(f->raised[2], 1);
	cr_expect_eq(f->raised_on[2], 1);
	cr_expect_eq(f->raised[1], 0);
	cr_expect_eq(f->raised[7], 0);
}

Test(evtchn, a_saved_table_that_cannot_be_is_refused)
{
	static const struct {
		uint32_t at;
		struct save_port port;
	} bad[] = {
		{ 0, { EVTCHNSTAT_unbound, 4, 0, 0, 0 } }, /* vCPU */
		{ 0, { EVTCHNSTAT_unbound, 0, 65536, 0, 0 } },
		{ 0, { EVTCHNSTAT_pirq, 0, 0, 0, 0 } },
		{ 0, { 77, 0, 0, 0, 0 } },
		{ 0, { EVTCHNSTAT_interdomain, 0, 0, 0, 0 } },
		{ 0, { EVTCHNSTAT_interdomain, 0, 0, NSAVED + 1, 0 } },
		{ 0, { EVTCHNSTAT_interdomain, 0, 0, 4, 0 } }, /* has another */
		{ 3, { EVTCHNSTAT_interdomain, 0, 0, 4, 0 } }, /* leaves 5 */
		{ 7, { EVTCHNSTAT_virq, 1, 0, 0, VIRQ_TIMER } }, /* twice */
		{ 7, { EVTCHNSTAT_virq, 1, 0, 0, NR_VIRQS } },
	};
	struct save_port list[NSAVED];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memcpy(list, saved, sizeof(list));
		list[bad[i].at] = bad[i].port;
		cr_expect_eq(evtchn_restore(vm, list, NSAVED), -EINVAL,
			     "table %zu", i);
	}
	cr_expect_eq(evtchn_restore(vm, saved, EVTCHN_PORTS), -EINVAL);
}
