/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/cpuid.h - what CPUID tells the guest. */
#ifndef HYPERVISOR_CPUID_H
#define HYPERVISOR_CPUID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

struct kvm_cpuid2;

/** CPUID_XEN_MSR - MSR that takes the address of the hypercall page. */
#define CPUID_XEN_MSR 0x40000000u

/** struct cpuid_config - What the leaves of a domain depend on. */
struct cpuid_config {
	unsigned int domid;
	unsigned int vcpus;	/* most that the domain will have */
	unsigned int xen_major; /* version of Xen that is shown */
	unsigned int xen_minor;
	uint32_t tsc_khz;   /* KVM_GET_TSC_KHZ */
	bool upcall_vector; /* HVMOP_set_evtchn_upcall_vector is served */
};

/** struct cpuid - Leaves that KVM supports here, as a base for each vCPU's. */
struct cpuid;

/**
 * cpuid_new() - Ask KVM what it supports.
 * @out: *Owned* by the caller.
 * @kvm: fd of /dev/kvm; *borrowed* for the call.
 *
 * Return: 0 or -errno.
 */
int cpuid_new(struct cpuid **out, int kvm) must_check;

/** cpuid_free() - NULL is fine. */
void cpuid_free(struct cpuid *c);

/**
 * cpuid_build() - The leaves of one vCPU.
 * @supported: What KVM supports; KVM's own leaves in it are left out.
 * @config:    The domain.
 * @vcpu:      vCPU number = APIC id = Xen vCPU id.
 * @out:       *Owned* by the caller, for free().
 *
 * Return: 0 or -ENOMEM.
 */
int cpuid_build(const struct kvm_cpuid2 *supported,
		const struct cpuid_config *config, unsigned int vcpu,
		struct kvm_cpuid2 **out) must_check;

/**
 * cpuid_set() - Build the leaves of a vCPU and give them to KVM.
 * @vcpu_fd: Before its first KVM_RUN.
 *
 * Return: 0 or -errno.
 */
int cpuid_set(const struct cpuid *c, const struct cpuid_config *config,
	      unsigned int vcpu, int vcpu_fd) must_check;

/**
 * cpuid_digest() - A number that two hosts share if they show a guest the same CPU.
 * @config: Its domid and tsc_khz 0: those are looked at by themselves.
 *
 * Return: 0 or -ENOMEM.
 */
int cpuid_digest(const struct cpuid *c, const struct cpuid_config *config,
		 uint32_t *digest) must_check;

#endif
