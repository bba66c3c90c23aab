/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/version.h - the version of Xen that guests are told. */
#ifndef HYPERVISOR_VERSION_H
#define HYPERVISOR_VERSION_H

/*
 * CPUID and XENVER_version must agree.  Debian 12's Xen: whatever a guest knows
 * about this version's behaviour is what it finds here.
 */
#define VERSION_MAJOR 4
#define VERSION_MINOR 17
#define VERSION_EXTRA "-splitvisor"

/** VERSION_XEN - As XENVER_version and CPUID leaf base+1 encode it. */
#define VERSION_XEN ((VERSION_MAJOR << 16) | VERSION_MINOR)

#endif
