// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/hc_version.c - xen_version and vm_assist.
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <xen/xen.h>
#include <xen/features.h>
#include <xen/version.h>

#include "hypervisor/hypercall.h"
#include "hypervisor/version.h"
#include "hypervisor/vm.h"

/*
 * xen_version(cmd, struct).  Buffers have fixed sizes and are written whole,
 * from zeroed memory.  As with Xen's default policy a guest is not told the
 * command line or the build id.
 */
#define FEATURE(n) (1u << (n))

/* As Xen's kernel.c for an HVM guest with nested paging. */
#define FEATURES                                      \
	(FEATURE(XENFEAT_writable_page_tables) |      \
	 FEATURE(XENFEAT_auto_translated_physmap) |   \
	 FEATURE(XENFEAT_hvm_callback_vector) |       \
	 FEATURE(XENFEAT_hvm_safe_pvclock) |          \
	 FEATURE(XENFEAT_memory_op_vnode_supported) | \
	 FEATURE(XENFEAT_not_direct_mapped))

static int64_t put_string(struct hc *hc, const char *s, size_t size)
{
	char buf[XEN_CAPABILITIES_INFO_LEN] = "";

	snprintf(buf, size, "%s", s);
	return hc_write(hc, hc->arg[1], buf, size);
}

static int64_t version(struct hc *hc)
{
	(void)hc;
	return VERSION_XEN;
}

static int64_t extraversion(struct hc *hc)
{
	return put_string(hc, VERSION_EXTRA, sizeof(xen_extraversion_t));
}

static int64_t compile_info(struct hc *hc)
{
	struct xen_compile_info info = { .compiler = "" };

	snprintf(info.compiler, sizeof(info.compiler), "gcc %s", __VERSION__);
	snprintf(info.compile_by, sizeof(info.compile_by), "splitvisor");
	snprintf(info.compile_domain, sizeof(info.compile_domain), "kvm");
	/* Not __DATE__: builds are reproducible. */
	snprintf(info.compile_date, sizeof(info.compile_date), "unknown");
	return hc_write(hc, hc->arg[1], &info, sizeof(info));
}

static int64_t capabilities(struct hc *hc)
{
	return put_string(hc, "hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ",
			  sizeof(xen_capabilities_info_t));
}

static int64_t changeset(struct hc *hc)
{
	return put_string(hc, "splitvisor", sizeof(xen_changeset_info_t));
}

static int64_t platform_parameters(struct hc *hc)
{
	uint64_t virt_start = 0; /* no hypervisor in this address space */

	return hc_write(hc, hc->arg[1], &virt_start, hc->longmode ? 8 : 4);
}

static int64_t get_features(struct hc *hc)
{
	struct xen_feature_info f;

	if (hc_read(hc, &f, hc->arg[1], sizeof(f)))
		return -EFAULT;
	if (f.submap_idx >= XENFEAT_NR_SUBMAPS)
		return -EINVAL;
	f.submap = FEATURES;
	return hc_write(hc, hc->arg[1], &f, sizeof(f));
}

static int64_t pagesize(struct hc *hc)
{
	return hc->arg[1] ? -EINVAL : (int64_t)SV_PAGE_SIZE;
}

static int64_t guest_handle(struct hc *hc)
{
	return hc_write(hc, hc->arg[1], hc->vm->cfg.uuid,
			sizeof(hc->vm->cfg.uuid));
}

static int64_t commandline(struct hc *hc)
{
	return put_string(hc, "<denied>", sizeof(xen_commandline_t));
}

static int64_t build_id(struct hc *hc)
{
	(void)hc;
	return -EPERM;
}

static int64_t (*const ops[])(struct hc *hc) = {
	[XENVER_version] = version,
	[XENVER_extraversion] = extraversion,
	[XENVER_compile_info] = compile_info,
	[XENVER_capabilities] = capabilities,
	[XENVER_changeset] = changeset,
	[XENVER_platform_parameters] = platform_parameters,
	[XENVER_get_features] = get_features,
	[XENVER_pagesize] = pagesize,
	[XENVER_guest_handle] = guest_handle,
	[XENVER_commandline] = commandline,
	[XENVER_build_id] = build_id,
};

int64_t hc_xen_version(struct hc *hc)
{
	uint32_t cmd = (uint32_t)hc->arg[0];

	return cmd < ARRAY_SIZE(ops) ? ops[cmd](hc) : hc_unknown(hc, cmd);
}

/* vm_assist(cmd, type): one assist means anything to a PVH guest. */
int64_t hc_vm_assist(struct hc *hc)
{
	uint32_t cmd = (uint32_t)hc->arg[0], type = (uint32_t)hc->arg[1];

	if (type != VMASST_TYPE_runstate_update_flag)
		return -ENOSYS;
	if (cmd != VMASST_CMD_enable && cmd != VMASST_CMD_disable)
		return -ENOSYS;
	return hc->vm->engine->runstate_flag(hc->vm, cmd == VMASST_CMD_enable);
}
