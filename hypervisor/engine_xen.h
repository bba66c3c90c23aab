/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor/engine_xen.h - set-up of the engine for CONFIG_KVM_XEN hosts. */
#ifndef HYPERVISOR_ENGINE_XEN_H
#define HYPERVISOR_ENGINE_XEN_H

#include "base/util.h"
#include "hypervisor/engine.h"

/** engine_xen_needs - Bits of KVM_CAP_XEN_HVM that it cannot do without. */
extern const unsigned int engine_xen_needs;

/** engine_xen_init() - Switch KVM's Xen support on; Return: 0 or -errno. */
int engine_xen_init(struct vm *vm) must_check;

/** engine_xen_fini() - Forget the routes; works on a half-made VM. */
void engine_xen_fini(struct vm *vm);

#endif
