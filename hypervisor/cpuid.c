// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/cpuid.c - what CPUID tells the guest.
#include "hypervisor/cpuid.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <xen/arch-x86/cpuid.h>

#include "base/savefile.h"

/*
 * How it works
 *
 * The guest sees what KVM supports on this host, with changes:
 *  - topology: one package, a core for each vCPU, no threads; APIC id = vCPU;
 *  - no nested virtualization and no PMU, as Xen gives neither by default;
 *  - Xen's leaves in the place of KVM's.
 * KVM itself keeps OSXSAVE, OSPKE, XSAVE sizes and the Xen TSC leaves (3.1 and
 * 3.2) up to date.  A leaf that is not in the list reads as zero.
 *
 * Linux prefers the TSC over the Xen clock if leaf 3 says that it is never
 * emulated and the processor says that it is invariant; the latter is KVM's to
 * know.
 */

#define MAX_ENTRIES 256

/* Leaf 1 */
#define L1_EBX_APIC_SHIFT  24
#define L1_EBX_COUNT_SHIFT 16
#define L1_ECX_VMX	   (1u << 5)
#define L1_ECX_PDCM	   (1u << 15) /* PMU capabilities */
#define L1_ECX_X2APIC	   (1u << 21)
#define L1_ECX_HYPERVISOR  (1u << 31)
#define L1_EDX_HTT	   (1u << 28)

/* Leaf 7 */
#define L7_EBX_SGX     (1u << 2)
#define L7_ECX_SGX_LC  (1u << 30)
#define L7_EDX_HYBRID  (1u << 15)
#define L7_EDX_ARCHLBR (1u << 19)

/* Leaf 0x80000001 (AMD) */
#define X1_ECX_CMP_LEGACY (1u << 1)
#define X1_ECX_SVM	  (1u << 2)
#define X1_ECX_PERF	  (1u << 23 | 1u << 24 | 1u << 28)
#define X1_EDX_RDTSCP	  (1u << 27)

#define X7_EDX_INVARIANT_TSC (1u << 8)

/* Leaf 3 of Xen */
#define XEN_TSC_RELIABLE  (1u << 1)
#define XEN_TSC_RDTSCP	  (1u << 2)
#define XEN_TSC_NOEMULATE 2u

/* Levels of leaf 0xb, in ECX. */
#define TOPO_SMT  (1u << 8)
#define TOPO_CORE (2u << 8)

struct cpuid {
	struct kvm_cpuid2 *supported;
};

/** struct build - One vCPU's list in the making. */
struct build {
	const struct cpuid_config *config;
	struct kvm_cpuid2 *out;
	uint32_t vcpu;
	uint32_t bits; /* of the APIC id that count cores */
	uint32_t max_basic;
	bool amd; /* or Hygon, which is the same here */
	bool invariant_tsc;
	bool rdtscp;
};

static struct kvm_cpuid2 *new_list(void)
{
	struct kvm_cpuid2 *list;

	list = calloc(1,
		      sizeof(*list) + MAX_ENTRIES * sizeof(list->entries[0]));
	if (list)
		list->nent = MAX_ENTRIES;
	return list;
}

int cpuid_new(struct cpuid **out, int kvm)
{
	struct cpuid *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return -ENOMEM;
	c->supported = new_list();
	ret = -ENOMEM;
	if (!c->supported)
		goto free;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, c->supported) < 0) {
		ret = -errno;
		goto free;
	}
	*out = c;
	return 0;

free:
	cpuid_free(c);
	return ret;
}

void cpuid_free(struct cpuid *c)
{
	if (!c)
		return;
	free(c->supported);
	free(c);
}

static void add(struct build *b, const struct kvm_cpuid_entry2 *e)
{
	if (b->out->nent < MAX_ENTRIES)
		b->out->entries[b->out->nent++] = *e;
}

static uint32_t field(uint32_t value, uint32_t mask, unsigned int shift,
		      uint32_t new)
{
	return (value & ~(mask << shift)) | (new &mask) << shift;
}

static void edit_leaf_1(const struct build *b, struct kvm_cpuid_entry2 *e)
{
	e->ebx = field(e->ebx, 0xff, L1_EBX_APIC_SHIFT, b->vcpu);
	e->ebx = field(e->ebx, 0xff, L1_EBX_COUNT_SHIFT,
		       MIN(1u << b->bits, 0xff));
	e->ecx &= ~(L1_ECX_VMX | L1_ECX_PDCM);
	e->ecx |= L1_ECX_X2APIC | L1_ECX_HYPERVISOR;
	e->edx &= ~L1_EDX_HTT;
	if (b->config->vcpus > 1)
		e->edx |= L1_EDX_HTT;
}

/* Caches: the last level is shared by all, the others are a core's own. */
static void edit_cache(const struct build *b, struct kvm_cpuid_entry2 *e)
{
	uint32_t level = e->eax >> 5 & 7;
	uint32_t all = (1u << b->bits) - 1;

	if (!(e->eax & 0x1f)) /* the end of the list */
		return;
	e->eax = field(e->eax, 0xfff, 14, level >= 3 ? all : 0);
	if (e->function == 4)
		e->eax = field(e->eax, 0x3f, 26, all);
}

static void edit_leaf_7(const struct build *b, struct kvm_cpuid_entry2 *e)
{
	(void)b;
	if (e->index)
		return;
	e->ebx &= ~L7_EBX_SGX;
	e->ecx &= ~L7_ECX_SGX_LC;
	e->edx &= ~(L7_EDX_HYBRID | L7_EDX_ARCHLBR);
}

static void edit_extended_1(const struct build *b, struct kvm_cpuid_entry2 *e)
{
	e->ecx &= ~(X1_ECX_SVM | X1_ECX_PERF | X1_ECX_CMP_LEGACY);
	if (b->amd && b->config->vcpus > 1)
		e->ecx |= X1_ECX_CMP_LEGACY;
}

/* AMD: cores in the package and how many bits of the APIC id count them. */
static void edit_extended_8(const struct build *b, struct kvm_cpuid_entry2 *e)
{
	if (b->amd)
		e->ecx = (b->config->vcpus - 1) | b->bits << 12;
}

static void edit_extended_1e(const struct build *b, struct kvm_cpuid_entry2 *e)
{
	e->eax = b->vcpu; /* extended APIC id */
	e->ebx = b->vcpu; /* core id; one thread each */
	e->ecx = 0;	  /* one node */
	e->edx = 0;
}

/** struct rule - What becomes of a leaf that KVM supports. */
struct rule {
	uint32_t first, last;
	void (*edit)(const struct build *b, struct kvm_cpuid_entry2 *e);
};

/* In ascending order; a leaf not listed is passed on, one without edit is not. */
static const struct rule rules[] = {
	{ 0x1, 0x1, edit_leaf_1 },
	{ 0x4, 0x4, edit_cache },
	{ 0x7, 0x7, edit_leaf_7 },
	{ 0xa, 0xb, NULL },   /* PMU; topology, added below */
	{ 0x12, 0x12, NULL }, /* SGX */
	{ 0x1a, 0x1a, NULL }, /* hybrid */
	{ 0x1c, 0x1c, NULL }, /* LBR */
	{ 0x1f, 0x1f, NULL }, /* topology again */
	{ 0x23, 0x23, NULL }, /* PMU */
	{ 0x40000000, 0x4fffffff, NULL },
	{ 0x80000001, 0x80000001, edit_extended_1 },
	{ 0x80000008, 0x80000008, edit_extended_8 },
	{ 0x8000000a, 0x8000000a, NULL }, /* SVM */
	{ 0x8000001d, 0x8000001d, edit_cache },
	{ 0x8000001e, 0x8000001e, edit_extended_1e },
	{ 0x8000001f, 0x8000001f, NULL }, /* memory encryption */
	{ 0x80000022, 0x80000022, NULL }, /* PMU */
	{ 0x80000026, 0x80000026, NULL }, /* topology again */
};

static void pass_on(struct build *b, const struct kvm_cpuid_entry2 *from)
{
	struct kvm_cpuid_entry2 e = *from;

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct rule *r = &rules[i];

		if (e.function < r->first || e.function > r->last)
			continue;
		if (!r->edit)
			return;
		r->edit(b, &e);
	}
	add(b, &e);
}

static void add_topology(struct build *b)
{
	struct kvm_cpuid_entry2 e = {
		.function = 0xb,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.edx = b->vcpu,
	};

	if (b->max_basic < 0xb)
		return;
	e.ebx = 1;
	e.ecx = TOPO_SMT;
	add(b, &e);
	e.index = 1;
	e.eax = b->bits;
	e.ebx = b->config->vcpus;
	e.ecx = TOPO_CORE | 1;
	add(b, &e);
	e.index = 2;
	e.eax = e.ebx = 0;
	e.ecx = 2;
	add(b, &e);
}

static void add_xen_leaf(struct build *b, uint32_t leaf, uint32_t index,
			 uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
	/* Guests ask for the first three with rubble in ECX (GRUB does). */
	struct kvm_cpuid_entry2 e = {
		.function = XEN_CPUID_LEAF(leaf),
		.index = index,
		.flags = leaf < 3 ? 0 : KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.eax = eax,
		.ebx = ebx,
		.ecx = ecx,
		.edx = edx,
	};

	add(b, &e);
}

static void add_xen(struct build *b)
{
	const struct cpuid_config *c = b->config;
	uint32_t tsc = (b->invariant_tsc ? XEN_TSC_RELIABLE : 0) |
		       (b->rdtscp ? XEN_TSC_RDTSCP : 0);
	uint32_t hvm =
		XEN_HVM_CPUID_APIC_ACCESS_VIRT | XEN_HVM_CPUID_X2APIC_VIRT |
		XEN_HVM_CPUID_VCPU_ID_PRESENT | XEN_HVM_CPUID_DOMID_PRESENT |
		(c->upcall_vector ? XEN_HVM_CPUID_UPCALL_VECTOR : 0);

	add_xen_leaf(b, 0, 0, XEN_CPUID_LEAF(XEN_CPUID_MAX_NUM_LEAVES),
		     XEN_CPUID_SIGNATURE_EBX, XEN_CPUID_SIGNATURE_ECX,
		     XEN_CPUID_SIGNATURE_EDX);
	add_xen_leaf(b, 1, 0, c->xen_major << 16 | c->xen_minor, 0, 0, 0);
	add_xen_leaf(b, 2, 0, 1, CPUID_XEN_MSR, 0, 0);
	add_xen_leaf(b, 3, 0, tsc, XEN_TSC_NOEMULATE, c->tsc_khz, 0);
	add_xen_leaf(b, 3, 1, 0, 0, 0, 0); /* KVM fills these two */
	add_xen_leaf(b, 3, 2, c->tsc_khz, 0, 0, 0);
	add_xen_leaf(b, 4, 0, hvm, b->vcpu, c->domid, 0);
	add_xen_leaf(b, 5, 0, 0, 0, 0, 0); /* of PV guests only */
}

/* Learn from the host's leaves what the others depend on. */
static void look_around(struct build *b, const struct kvm_cpuid2 *supported)
{
	for (uint32_t i = 0; i < supported->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &supported->entries[i];

		switch (e->function) {
		case 0:
			b->max_basic = e->eax;
			/* "AuthenticAMD", "HygonGenuine" */
			b->amd = e->ebx == 0x68747541 || e->ebx == 0x6f677948;
			break;
		case 0x80000001:
			b->rdtscp = e->edx & X1_EDX_RDTSCP;
			break;
		case 0x80000007:
			b->invariant_tsc = e->edx & X7_EDX_INVARIANT_TSC;
			break;
		}
	}
}

int cpuid_build(const struct kvm_cpuid2 *supported,
		const struct cpuid_config *config, unsigned int vcpu,
		struct kvm_cpuid2 **out)
{
	struct build b = { .config = config, .vcpu = vcpu };

	b.out = new_list();
	if (!b.out)
		return -ENOMEM;
	b.out->nent = 0;
	while (1u << b.bits < config->vcpus)
		b.bits++;
	look_around(&b, supported);
	/* Ours first: should KVM support more than fits, theirs are cut. */
	add_xen(&b);
	add_topology(&b);
	for (uint32_t i = 0; i < supported->nent; i++)
		pass_on(&b, &supported->entries[i]);
	*out = b.out;
	return 0;
}

int cpuid_set(const struct cpuid *c, const struct cpuid_config *config,
	      unsigned int vcpu, int vcpu_fd)
{
	struct kvm_cpuid2 *list;
	int ret;

	ret = cpuid_build(c->supported, config, vcpu, &list);
	if (ret)
		return ret;
	if (ioctl(vcpu_fd, KVM_SET_CPUID2, list) < 0)
		ret = -errno;
	free(list);
	return ret;
}

int cpuid_digest(const struct cpuid *c, const struct cpuid_config *config,
		 uint32_t *digest)
{
	struct kvm_cpuid2 *list;
	int ret;

	ret = cpuid_build(c->supported, config, 0, &list);
	if (ret)
		return ret;
	*digest = savefile_crc(0, list->entries,
			       list->nent * sizeof(list->entries[0]));
	free(list);
	return 0;
}
