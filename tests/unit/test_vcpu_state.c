/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_vcpu_state.c - what of a saved vCPU's Xen state can be. */
#include "hypervisor/vcpu_state.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "tests/lib/fakevm.h"

static struct fakevm *f;

static void setup(void)
{
	f = fakevm_new(1);
}

static void teardown(void)
{
	fakevm_free(f);
}

TestSuite(vcpu_state, .init = setup, .fini = teardown);

static int load(struct vcpu_xen x)
{
	x.info_gpa = x.time_gpa = x.runstate_gpa = UINT64_MAX;
	return vcpu_state_load(&f->vcpu[0], VCPU_XEN, &x, sizeof(x));
}

/* One of a nanosecond would keep the VMM busy for ever. */
Test(vcpu_state, a_periodic_timer_is_one_that_a_guest_could_have_set)
{
	cr_expect_eq(load((struct vcpu_xen){ .period_ns = 0 }), 0);
	cr_expect_eq(load((struct vcpu_xen){ .period_ns = 1000000 }), 0);
	cr_expect_eq(load((struct vcpu_xen){ .period_ns = 999999 }), -EINVAL);
	cr_expect_eq(load((struct vcpu_xen){ .period_ns = 1 }), -EINVAL);
	cr_expect_eq(
		load((struct vcpu_xen){ .period_ns = INT64_MAX + UINT64_C(1) }),
		-EINVAL);
	cr_expect_eq(f->vcpu[0].period_ns, 1000000);
}
