/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/kvm_abi.h - <linux/kvm.h> and what Debian 12's lacks of it. */
#ifndef HYPERVISOR_KVM_ABI_H
#define HYPERVISOR_KVM_ABI_H

#include <linux/kvm.h>

/*
 * Values of Linux 6.12's uapi header.  Whether the running kernel has them is
 * asked with KVM_CAP_XEN_HVM, never assumed.
 */
#ifndef KVM_XEN_HVM_CONFIG_RUNSTATE_UPDATE_FLAG
#define KVM_XEN_HVM_CONFIG_RUNSTATE_UPDATE_FLAG (1 << 6)
#define KVM_XEN_ATTR_TYPE_RUNSTATE_UPDATE_FLAG	0x5
#endif

#ifndef KVM_XEN_HVM_CONFIG_PVCLOCK_TSC_UNSTABLE
#define KVM_XEN_HVM_CONFIG_PVCLOCK_TSC_UNSTABLE (1 << 7)
#endif

#ifndef KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA
#define KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA   (1 << 8)
#define KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA    0x6
#define KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA 0x9
#endif

#ifndef KVM_XEN_INVALID_GPA
#define KVM_XEN_INVALID_GFN ((__u64)-1)
#define KVM_XEN_INVALID_GPA ((__u64)-1)
#endif

#endif
