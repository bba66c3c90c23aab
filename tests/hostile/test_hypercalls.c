/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/hostile/test_hypercalls.c - a guest that calls anything with anything.
 */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xen/xen.h>

#include "base/log.h"
#include "tests/lib/fakevm.h"

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

Test(hypercalls, anything_goes, .timeout = 120)
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

/* As the very first call, each in a fresh domain. */
Test(hypercalls, first_call_of_a_domain, .timeout = 120)
{
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
}
