// SPDX-License-Identifier: GPL-2.0-or-later
// tools/doctor_kvm.c - what the kernel's KVM can do.
#include "tools/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/fd.h"

#define KERNELS \
	"boot a kernel with CONFIG_KVM_XEN=y: Debian 13, or linux-image-amd64 of bookworm-backports (6.12)"

/* Bits of KVM_CAP_XEN_HVM; by number where the header may be too old. */
static const struct {
	unsigned int bit;
	const char *name;
} xen_bits[] = {
	{ 1u << 0, "HYPERCALL_MSR" },
	{ 1u << 1, "INTERCEPT_HCALL" },
	{ 1u << 2, "SHARED_INFO" },
	{ 1u << 3, "RUNSTATE" },
	{ 1u << 4, "EVTCHN_2LEVEL" },
	{ 1u << 5, "EVTCHN_SEND" },
	{ 1u << 6, "RUNSTATE_UPDATE_FLAG" },
	{ 1u << 7, "PVCLOCK_TSC_UNSTABLE" },
	{ 1u << 8, "SHARED_INFO_HVA" },
};

char *doctor_xen_bits(unsigned int caps, unsigned int needed, char *buf,
		      size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(xen_bits); i++) {
		if (caps & xen_bits[i].bit || !(needed & xen_bits[i].bit))
			continue;
		at += (size_t)snprintf(buf + at, size - at, "%s%s",
				       at ? " " : "", xen_bits[i].name);
		if (at >= size)
			break;
	}
	return buf;
}

static void check_xen(struct doctor *d, int kvm)
{
	int caps = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_XEN_HVM);
	unsigned int have = caps > 0 ? (unsigned int)caps : 0;
	char names[160];

	if (!have)
		doctor_add(
			d, DOCTOR_FAIL, "kvm-xen", KERNELS,
			"this kernel's KVM has no Xen support (KVM_CAP_XEN_HVM is 0)");
	else if (*doctor_xen_bits(have, DOCTOR_XEN_NEEDED, names,
				  sizeof(names)))
		doctor_add(d, DOCTOR_FAIL, "kvm-xen", KERNELS,
			   "KVM_CAP_XEN_HVM is %#x and lacks %s", have, names);
	else if (*doctor_xen_bits(have, ~0u, names, sizeof(names)))
		doctor_add(d, DOCTOR_WARN, "kvm-xen",
			   "nothing must be done; Linux 6.9 and later have all",
			   "KVM_CAP_XEN_HVM is %#x: guests run, without %s",
			   have, names);
	else
		doctor_add(d, DOCTOR_OK, "kvm-xen", NULL,
			   "KVM_CAP_XEN_HVM is %#x: complete", have);
}

static void check_caps(struct doctor *d, int kvm)
{
	static const struct {
		int cap;
		const char *name;
	} caps[] = {
		{ KVM_CAP_USER_MEMORY, "USER_MEMORY" },
		{ KVM_CAP_SPLIT_IRQCHIP, "SPLIT_IRQCHIP" },
		{ KVM_CAP_IRQFD, "IRQFD" },
		{ KVM_CAP_SIGNAL_MSI, "SIGNAL_MSI" },
		{ KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT" },
		{ KVM_CAP_SYNC_REGS, "SYNC_REGS" },
		{ KVM_CAP_X2APIC_API, "X2APIC_API" },
	};
	char lacks[160] = "";
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
		if (ioctl(kvm, KVM_CHECK_EXTENSION, caps[i].cap) <= 0)
			at += (size_t)snprintf(lacks + at, sizeof(lacks) - at,
					       " %s", caps[i].name);
	}
	if (at)
		doctor_add(d, DOCTOR_FAIL, "kvm-caps",
			   "boot a newer kernel (Linux 6.1 or later)",
			   "KVM lacks%s", lacks);
	else
		doctor_add(d, DOCTOR_OK, "kvm-caps", NULL,
			   "split irqchip, irqfd, MSI, x2APIC");
}

static void check_vcpus(struct doctor *d, int kvm)
{
	int max = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	int good = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS);

	doctor_add(d, DOCTOR_OK, "vcpus", NULL,
		   "up to %d in a guest, %d are recommended", MIN(max, 64),
		   MIN(good, 64));
}

static void check_open(struct doctor *d, const char *path)
{
	if (errno == EACCES || errno == EPERM)
		doctor_add(d, DOCTOR_FAIL, "kvm",
			   "run as root, or add yourself to the group kvm",
			   "%s: permission denied", path);
	else if (errno == ENOENT)
		doctor_add(
			d, DOCTOR_FAIL, "kvm",
			"modprobe kvm_intel or kvm_amd; if that fails, switch virtualisation on in the firmware",
			"%s does not exist", path);
	else
		doctor_add(
			d, DOCTOR_FAIL, "kvm",
			"switch virtualisation on in the firmware, then modprobe kvm_intel or kvm_amd",
			"%s: %s", path, strerror(errno));
}

void doctor_kvm(struct doctor *d)
{
	char path[PATH_MAX];
	int kvm, api;

	kvm = open(doctor_path(d, path, "/dev/kvm"), O_RDWR | O_CLOEXEC);
	if (kvm < 0) {
		check_open(d, path);
		return;
	}
	api = ioctl(kvm, KVM_GET_API_VERSION, 0);
	if (api != KVM_API_VERSION) {
		doctor_add(d, DOCTOR_FAIL, "kvm", "boot another kernel",
			   "%s: API version %d, wanted %d", path, api,
			   KVM_API_VERSION);
	} else {
		doctor_add(d, DOCTOR_OK, "kvm", NULL,
			   "%s can be opened, API version %d", path, api);
		check_xen(d, kvm);
		check_caps(d, kvm);
		check_vcpus(d, kvm);
	}
	fd_close(&kvm);
}
