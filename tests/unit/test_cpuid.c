/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_cpuid.c - CPUID leaves of guests on two kinds of host. */
#include "hypervisor/cpuid.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

static struct kvm_cpuid2 *host;

static void has(uint32_t leaf, uint32_t index, uint32_t eax, uint32_t ebx,
		uint32_t ecx, uint32_t edx)
{
	host->entries[host->nent++] = (struct kvm_cpuid_entry2){
		.function = leaf,
		.index = index,
		.eax = eax,
		.ebx = ebx,
		.ecx = ecx,
		.edx = edx,
	};
}

/* A host with everything on. */
static void make_host(bool amd)
{
	host = calloc(1, sizeof(*host) + 64 * sizeof(host->entries[0]));
	if (amd)
		has(0, 0, 0x10, 0x68747541, 0x444d4163, 0x69746e65);
	else
		has(0, 0, 0x20, 0x756e6547, 0x6c65746e, 0x49656e69);
	has(1, 0, 0x800f12, 0xaabbccdd, ~(1u << 31 | 1u << 21), ~0u);
	has(4, 0, 0xfc1fc121, 1, 2, 3);
	has(4, 3, 0xfc1fc163, 1, 2, 3);
	has(4, 4, 0, 0, 0, 0);
	has(7, 0, 1, ~0u, ~0u, ~0u);
	has(7, 1, ~0u, 0, 0, ~0u);
	has(0xa, 0, ~0u, ~0u, ~0u, ~0u);
	has(0xb, 0, 9, 9, 9, 9);
	has(0xd, 0, 7, 0x340, 0x340, 0);
	has(0x1f, 0, 9, 9, 9, 9);
	has(0x40000000, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d);
	has(0x40000001, 0, ~0u, 0, 0, 0);
	has(0x80000001, 0, 0, 0, ~0u, ~0u);
	has(0x80000007, 0, 0, 0, 0, 1 << 8);
	has(0x80000008, 0, 0x3030, 0, 0x7033, 0);
	has(0x8000000a, 0, 1, 8, 0, ~0u);
	has(0x8000001d, 0, 0x1fc121, 1, 2, 3);
	has(0x8000001e, 0, 77, 77, 77, 77);
	has(0x80000022, 0, 1, 6, 0, 0);
}

static void drop_host(void)
{
	free(host);
}

TestSuite(cpuid, .fini = drop_host);

static struct kvm_cpuid2 *guest(unsigned int vcpus, unsigned int vcpu)
{
	const struct cpuid_config config = {
		.domid = 7,
		.vcpus = vcpus,
		.xen_major = 4,
		.xen_minor = 17,
		.tsc_khz = 2500000,
		.upcall_vector = true,
	};
	struct kvm_cpuid2 *g = NULL;

	cr_assert_eq(cpuid_build(host, &config, vcpu, &g), 0);
	return g;
}

/* The entry that answers a query; all zero if there is none. */
static struct kvm_cpuid_entry2 ask(const struct kvm_cpuid2 *g, uint32_t leaf,
				   uint32_t index)
{
	struct kvm_cpuid_entry2 found = { 0 };
	int n = 0;

	for (uint32_t i = 0; i < g->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &g->entries[i];

		if (e->function == leaf && e->index == index) {
			found = *e;
			n++;
		}
	}
	cr_expect_leq(n, 1, "leaf %x.%x is there %d times", leaf, index, n);
	return found;
}

struct kind {
	bool amd;
	unsigned int vcpus, bits;
};

ParameterizedTestParameters(cpuid, kinds)
{
	static struct kind t[] = {
		{ false, 1, 0 },  { false, 2, 1 },   { false, 3, 2 },
		{ false, 4, 2 },  { false, 64, 6 },  { true, 1, 0 },
		{ true, 4, 2 },	  { true, 5, 3 },    { true, 64, 6 },
		{ true, 255, 8 }, { false, 255, 8 },
	};
	return cr_make_param_array(struct kind, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct kind *t, cpuid, kinds)
{
	make_host(t->amd);
	for (unsigned int v = 0; v < t->vcpus; v += 1 + t->vcpus / 7) {
		struct kvm_cpuid2 *g = guest(t->vcpus, v);
		struct kvm_cpuid_entry2 e = ask(g, 1, 0);

		cr_expect_eq(e.ebx >> 24, v);
		cr_expect_geq(e.ebx >> 16 & 0xff, t->vcpus);
		cr_expect_eq(e.ebx & 0xffff, 0xccdd);
		cr_expect(e.ecx & 1u << 31, "hypervisor");
		cr_expect(e.ecx & 1u << 21, "x2APIC");
		cr_expect_not(e.ecx & 1u << 5, "VMX");
		cr_expect_eq(e.edx >> 28 & 1, t->vcpus > 1);

		e = ask(g, 0xb, 0);
		cr_expect(e.eax == 0 && e.ebx == 1 && e.ecx == 0x100);
		cr_expect_eq(e.edx, v);
		e = ask(g, 0xb, 1);
		cr_expect_eq(e.eax, t->bits);
		cr_expect(e.ebx == t->vcpus && e.ecx == 0x201);
		cr_expect_eq(e.edx, v);
		e = ask(g, 0xb, 2);
		cr_expect(e.eax == 0 && e.ebx == 0 && e.edx == v);

		e = ask(g, 0x80000008, 0);
		cr_expect_eq(e.eax, 0x3030);
		cr_expect_eq(e.ecx,
			     t->amd ? (t->vcpus - 1) | t->bits << 12 : 0x7033);
		e = ask(g, 0x8000001e, 0);
		cr_expect(e.eax == v && e.ebx == v && !e.ecx && !e.edx);
		e = ask(g, 0x40000004, 0);
		cr_expect_eq(e.ebx, v, "Xen's vCPU id");
		free(g);
	}
}

Test(cpuid, xen_leaves_stand_where_kvms_were)
{
	struct kvm_cpuid_entry2 e;
	struct kvm_cpuid2 *g;

	make_host(false);
	g = guest(2, 1);
	e = ask(g, 0x40000000, 0);
	cr_expect_eq(e.eax, 0x40000005);
	cr_expect_eq(memcmp(&e.ebx, "XenVMMXenVMM", 12), 0);
	cr_expect_eq(ask(g, 0x40000001, 0).eax, 4 << 16 | 17);
	e = ask(g, 0x40000002, 0);
	cr_expect(e.eax == 1 && e.ebx == 0x40000000 && !e.ecx && !e.edx);
	e = ask(g, 0x40000003, 0);
	cr_expect_eq(e.eax, 6, "reliable TSC, RDTSCP");
	cr_expect_eq(e.ebx, 2, "never emulated");
	cr_expect(e.ecx == 2500000 && !e.edx);
	cr_expect_eq(ask(g, 0x40000003, 1).function, 0x40000003);
	cr_expect_eq(ask(g, 0x40000003, 2).function, 0x40000003);
	e = ask(g, 0x40000004, 0);
	cr_expect_eq(e.eax, 1 | 2 | 8 | 16 | 64);
	cr_expect_eq(e.ecx, 7);
	cr_expect_eq(ask(g, 0x40000005, 0).function, 0x40000005);
	free(g);
}

Test(cpuid, leaves_that_guests_do_not_get)
{
	static const uint32_t gone[] = { 0xa, 0x1f, 0x8000000a, 0x80000022 };
	struct kvm_cpuid_entry2 e;
	struct kvm_cpuid2 *g;

	make_host(true);
	g = guest(4, 0);
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		cr_expect_eq(ask(g, gone[i], 0).function, 0, "%x", gone[i]);
	e = ask(g, 7, 0);
	cr_expect_not(e.ebx & 1u << 2, "SGX");
	cr_expect_eq(e.ebx | 1u << 2, ~0u);
	cr_expect_eq(ask(g, 7, 1).eax, ~0u);
	e = ask(g, 0x80000001, 0);
	cr_expect_not(e.ecx & 1u << 2, "SVM");
	cr_expect(e.ecx & 1u << 1, "several cores");
	cr_expect_eq(ask(g, 0xd, 0).ebx, 0x340, "passed on");
	free(g);
}

Test(cpuid, caches_are_shared_by_cores_we_have)
{
	struct kvm_cpuid2 *g;

	make_host(false);
	g = guest(4, 0);
	/* L1 is a core's own, L3 is shared by four; four cores. */
	cr_expect_eq(ask(g, 4, 0).eax, 0x0c000121);
	cr_expect_eq(ask(g, 4, 3).eax, 0x0c00c163);
	cr_expect_eq(ask(g, 4, 4).eax, 0);
	cr_expect_eq(ask(g, 0x8000001d, 0).eax, 0x121);
	free(g);
}

Test(cpuid, old_host_has_no_topology_leaf)
{
	struct kvm_cpuid2 *g;

	make_host(true);
	host->entries[0].eax = 0xa;
	g = guest(4, 0);
	cr_expect_eq(ask(g, 0xb, 0).function, 0);
	free(g);
}

Test(cpuid, a_host_with_too_many_leaves_is_cut)
{
	struct kvm_cpuid2 *g;

	make_host(true);
	host = realloc(host, sizeof(*host) + 300 * sizeof(host->entries[0]));
	while (host->nent < 300)
		has(0xd, host->nent, 1, 2, 3, 4);
	g = guest(4, 3);
	cr_expect_eq(g->nent, 256);
	cr_expect_eq(ask(g, 0x40000004, 0).ebx, 3);
	free(g);
}

Test(cpuid, not_kvm)
{
	struct cpuid *c = NULL;

	make_host(true);
	cr_expect_lt(cpuid_new(&c, -1), 0);
	cr_expect_null(c);
	cpuid_free(NULL);
}

/* GRUB asks with whatever was in ECX. */
Test(cpuid, xen_is_found_with_rubble_in_ecx)
{
	struct kvm_cpuid2 *g;

	make_host(true);
	g = guest(1, 0);
	for (uint32_t leaf = 0x40000000; leaf < 0x40000003; leaf++)
		cr_expect_not(ask(g, leaf, 0).flags &
			      KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
	free(g);
}
