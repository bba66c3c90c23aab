/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/lab/kvm_ok.c - tell whether this machine's KVM can run Xen guests. */

#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>

/* The capabilities a kernel must have for guests with in-kernel events. */
#define NEEDED                                                               \
	(KVM_XEN_HVM_CONFIG_HYPERCALL_MSR | KVM_XEN_HVM_CONFIG_SHARED_INFO | \
	 KVM_XEN_HVM_CONFIG_EVTCHN_2LEVEL | KVM_XEN_HVM_CONFIG_EVTCHN_SEND)

/*
 * Only the capability is asked for: no virtual machine is made, because on a
 * KVM without vmx or svm behind it one may be made and then never run. The
 * caller looks at the CPU flags first.
 */
int main(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int caps;

	if (fd < 0)
		err(1, "/dev/kvm");
	caps = ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_XEN_HVM);
	if (caps < 0)
		err(1, "KVM_CHECK_EXTENSION");
	printf("KVM_CAP_XEN_HVM %d\n", caps);
	return (caps & NEEDED) == NEEDED ? 0 : 1;
}
