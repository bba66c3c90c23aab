// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/fakekvm.c - what /dev/kvm answers, for hosts that have none.
#include "tests/lib/fakekvm.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/util.h"
#include "hypervisor/kvm_abi.h"
#include "hypervisor/vm.h"

#define RUN_SIZE (3 * SV_PAGE_SIZE)
#define XEN_CAPS                                                               \
	(KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL | KVM_XEN_HVM_CONFIG_SHARED_INFO | \
	 KVM_XEN_HVM_CONFIG_RUNSTATE | KVM_XEN_HVM_CONFIG_EVTCHN_2LEVEL |      \
	 KVM_XEN_HVM_CONFIG_EVTCHN_SEND |                                      \
	 KVM_XEN_HVM_CONFIG_RUNSTATE_UPDATE_FLAG |                             \
	 KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA)

static struct {
	struct fakekvm_call *call;
	unsigned int n;
	unsigned int done;
	bool inside; /* one has begun */
	int vcpu;    /* descriptor of vCPU 0 */
} guest = { .vcpu = -1 };

static atomic_uint granted[1u << _IOC_NRBITS]; /* by request */

void fakekvm_guest(struct fakekvm_call *call, unsigned int n)
{
	guest.call = call;
	guest.n = n;
	guest.inside = false;
	guest.done = 0;
	memset(granted, 0, sizeof(granted));
}

unsigned int fakekvm_granted(unsigned long request)
{
	return atomic_load(&granted[_IOC_NR(request)]);
}

static int make_fd(uint64_t size)
{
	int fd = fd_memfd("fakekvm", size);

	if (fd < 0)
		abort();
	return fd;
}

int fakekvm_open(void)
{
	return make_fd(0);
}

bool fakekvm_has(unsigned long request)
{
	return _IOC_TYPE(request) == KVMIO;
}

static int extension(unsigned long cap)
{
	switch (cap) {
	case KVM_CAP_XEN_HVM:
		return XEN_CAPS;
	case KVM_CAP_MAX_VCPUS:
		return VM_MAX_VCPUS;
	default:
		return 1;
	}
}

static int get_cpuid(struct kvm_cpuid2 *list)
{
	static const struct kvm_cpuid_entry2 leaf[] = {
		{ .function = 0, .eax = 0xd },
		{ .function = 1, .edx = 0x178bfbff },
		{ .function = 0x80000000, .eax = 0x80000008 },
		{ .function = 0x80000001, .edx = 0x2c100800 },
	};

	if (list->nent < ARRAY_SIZE(leaf))
		return -E2BIG;
	list->nent = ARRAY_SIZE(leaf);
	memcpy(list->entries, leaf, sizeof(leaf));
	return 0;
}

static int make_vcpu(unsigned long id)
{
	int fd = make_fd(RUN_SIZE);

	if (id == 0)
		guest.vcpu = fd;
	return fd;
}

/* The next hypercall of the guest; Return: whether there is one. */
static bool next_call(struct kvm_run *run)
{
	unsigned int i = guest.done;

	if (guest.inside) {
		guest.call[i++].result = (int64_t)run->xen.u.hcall.result;
		guest.done = i;
	}
	guest.inside = i < guest.n;
	if (!guest.inside)
		return false;
	run->exit_reason = KVM_EXIT_XEN;
	run->xen.type = KVM_EXIT_XEN_HCALL;
	run->xen.u.hcall.longmode = 1;
	run->xen.u.hcall.cpl = 0;
	run->xen.u.hcall.input = guest.call[i].nr;
	memcpy(run->xen.u.hcall.params, guest.call[i].arg,
	       sizeof(guest.call[i].arg));
	return true;
}

static int run_vcpu(int fd)
{
	struct kvm_run *run =
		mmap(NULL, RUN_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int ret = -EINTR;

	if (run == MAP_FAILED)
		abort();
	if (!__atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST) &&
	    fd == guest.vcpu && next_call(run))
		ret = 0;
	while (ret && !__atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST))
		usleep(1000);
	munmap(run, RUN_SIZE);
	return ret;
}

/* Return: what the call returns, or -errno. */
static int answer(int fd, unsigned long request, void *arg)
{
	switch (request) {
	case KVM_CHECK_EXTENSION:
		return extension((uintptr_t)arg);
	case KVM_GET_VCPU_MMAP_SIZE:
		return RUN_SIZE;
	case KVM_GET_SUPPORTED_CPUID:
		return get_cpuid(arg);
	case KVM_CREATE_VM:
		return make_fd(0);
	case KVM_CREATE_VCPU:
		return make_vcpu((uintptr_t)arg);
	case KVM_GET_STATS_FD:
		return make_fd(SV_PAGE_SIZE);
	case KVM_GET_TSC_KHZ:
		return 2000000;
	case KVM_SET_MSRS:
		return (int)((const struct kvm_msrs *)arg)->nmsrs;
	case KVM_RUN:
		return run_vcpu(fd);
	default:
		return 0;
	}
}

int fakekvm_ioctl(int fd, unsigned long request, void *arg)
{
	int ret = answer(fd, request, arg);

	if (ret >= 0) {
		atomic_fetch_add(&granted[_IOC_NR(request)], 1);
		return ret;
	}
	errno = -ret;
	return -1;
}
