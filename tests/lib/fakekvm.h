/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lib/fakekvm.h - what /dev/kvm answers, for hosts that have none. */
#ifndef TESTS_LIB_FAKEKVM_H
#define TESTS_LIB_FAKEKVM_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How it works
 *
 * sweep.c hands it every open of /dev/kvm and every ioctl of KVM.  It knows Xen's
 * part of the interface, and makes descriptors, as KVM does, that the VMM has to
 * close.  There is no CPU: KVM_RUN of vCPU 0 makes the hypercalls of a list, one
 * at a time, and every other KVM_RUN waits to be kicked.  Addresses are
 * guest-physical, the code is 64-bit, in ring 0.
 */

/** struct fakekvm_call - A hypercall of the guest's. */
struct fakekvm_call {
	uint64_t nr, arg[3];
	int64_t result; /* filled */
};

/**
 * fakekvm_guest() - What the guest of the next VM does.
 * @call: Borrowed until that VM has been freed.
 */
void fakekvm_guest(struct fakekvm_call *call, unsigned int n);

/** fakekvm_granted() - How often it has done @request for the VMM since then. */
unsigned int fakekvm_granted(unsigned long request);

/** fakekvm_open() - /dev/kvm; Return: a descriptor, *owned*. */
int fakekvm_open(void);

/** fakekvm_has() - Whether a request is one of KVM's. */
bool fakekvm_has(unsigned long request);

/** fakekvm_ioctl() - ioctl(2) for what fakekvm_has(). */
int fakekvm_ioctl(int fd, unsigned long request, void *arg);

#endif
