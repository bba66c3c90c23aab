/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/fakevm.h - a domain without KVM, for tests of the hypervisor. */
#ifndef TESTS_LIB_FAKEVM_H
#define TESTS_LIB_FAKEVM_H

#include <stdint.h>

#include "hypervisor/hypercall.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vm.h"

#define FAKEVM_DOMID 7
#define FAKEVM_SLOTS 128

/** struct fakevm - A VM whose engine only notes what it is told. */
struct fakevm {
	struct vm vm;
	struct vcpu vcpu[VM_MAX_VCPUS];
	struct kvm_run run[VM_MAX_VCPUS];

	/* What the engine was told, by port. */
	unsigned int raised[EVTCHN_PORTS];
	unsigned int raised_on[EVTCHN_PORTS]; /* vCPU of the last time */
	int send_fd[EVTCHN_PORTS];	      /* -1: none */
	uint32_t send_port[EVTCHN_PORTS];     /* 0: none */
	int irq_fd[EVTCHN_PORTS];	      /* -1: none */
	unsigned int irq_vcpu[EVTCHN_PORTS];
	uint32_t timer[VM_MAX_VCPUS];
	uint64_t slot_gpa[FAKEVM_SLOTS]; /* UINT64_MAX: none */
	uint8_t vector;			 /* of all vCPUs */
	unsigned int moves;		 /* of shared_info */
	int fail; /* the next engine call that can fails with this, */
	unsigned int fail_after; /* or the next but so many */
};

/** fakevm_new() - 16 MiB of RAM, @nvcpus vCPUs, a grant table of 4 frames. */
struct fakevm *fakevm_new(unsigned int nvcpus);

/** fakevm_free() - Also checks that the engine was told to forget all. */
void fakevm_free(struct fakevm *f);

/**
 * fakevm_call() - A hypercall of vCPU 0 in ring 0, without paging.
 *
 * Addresses are guest-physical.  Goes on until it is done.
 */
int64_t fakevm_call(struct fakevm *f, uint64_t nr, uint64_t a0, uint64_t a1,
		    uint64_t a2);

/** fakevm_call32() - The same from 32-bit code. */
int64_t fakevm_call32(struct fakevm *f, uint64_t nr, uint64_t a0, uint64_t a1,
		      uint64_t a2);

/** fakevm_at() - Guest RAM at @gpa. */
void *fakevm_at(struct fakevm *f, uint64_t gpa);

#endif
