// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/xstree.c - what a domain's devices and toolstack keep in a store.
#include "tests/lib/xstree.h"

#include <assert.h>
#include <stdio.h>

#include "base/util.h"

#define BACK "/local/domain/0/backend"
#define HOME "/local/domain"

/* As on Xen, with one disk, one card and a console. */
static const char *const nodes[] = {
	HOME "/%u",
	HOME "/%u/name",
	HOME "/%u/domid",
	HOME "/%u/cpu",
	HOME "/%u/cpu/0",
	HOME "/%u/cpu/0/availability",
	HOME "/%u/memory",
	HOME "/%u/memory/static-max",
	HOME "/%u/memory/target",
	HOME "/%u/control",
	HOME "/%u/control/shutdown",
	HOME "/%u/data",
	HOME "/%u/data/a",
	HOME "/%u/data/b",
	HOME "/%u/data/c",
	HOME "/%u/data/d",
	HOME "/%u/console",
	HOME "/%u/console/type",
	HOME "/%u/console/tty",
	HOME "/%u/device",
	HOME "/%u/device/vbd",
	HOME "/%u/device/vbd/51712",
	HOME "/%u/device/vbd/51712/backend",
	HOME "/%u/device/vbd/51712/state",
	HOME "/%u/device/vbd/51712/ring-ref",
	HOME "/%u/device/vbd/51712/event-channel",
	HOME "/%u/device/vif",
	HOME "/%u/device/vif/0",
	HOME "/%u/device/vif/0/backend",
	HOME "/%u/device/vif/0/state",
	HOME "/%u/device/vif/0/mac",
	BACK "/vbd/%u",
	BACK "/vbd/%u/51712",
	BACK "/vbd/%u/51712/frontend",
	BACK "/vbd/%u/51712/params",
	BACK "/vbd/%u/51712/script",
	BACK "/vbd/%u/51712/frontend-id",
	BACK "/vbd/%u/51712/online",
	BACK "/vbd/%u/51712/removable",
	BACK "/vbd/%u/51712/bootable",
	BACK "/vbd/%u/51712/state",
	BACK "/vbd/%u/51712/dev",
	BACK "/vbd/%u/51712/type",
	BACK "/vbd/%u/51712/mode",
	BACK "/vbd/%u/51712/device-type",
	BACK "/vbd/%u/51712/physical-device",
	BACK "/vbd/%u/51712/hotplug-status",
	BACK "/vbd/%u/51712/sectors",
	BACK "/vbd/%u/51712/sector-size",
	BACK "/vif/%u",
	BACK "/vif/%u/0",
	BACK "/vif/%u/0/frontend",
	BACK "/vif/%u/0/frontend-id",
	BACK "/vif/%u/0/online",
	BACK "/vif/%u/0/state",
	BACK "/vif/%u/0/script",
	BACK "/vif/%u/0/mac",
	BACK "/vif/%u/0/bridge",
	BACK "/vif/%u/0/handle",
	BACK "/vif/%u/0/hotplug-status",
};
static_assert(ARRAY_SIZE(nodes) == XSTREE_NODES, "as the header says");

static const char *const watches[] = {
	HOME "/%u/device/vbd/51712/state",
	HOME "/%u/device/vif/0/state",
	HOME "/%u/control/shutdown",
	HOME "/%u/memory/target",
	HOME "/%u/console",
	BACK "/vbd/%u/51712/state",
	BACK "/vbd/%u/51712/hotplug-status",
	BACK "/vif/%u/0/state",
	BACK "/vif/%u/0/hotplug-status",
	BACK "/vif/%u",
};
static_assert(ARRAY_SIZE(watches) == XSTREE_WATCHES, "as the header says");

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

void xstree_node(unsigned int domid, unsigned int i, char *buf)
{
	snprintf(buf, XSTREE_PATH, nodes[i], domid);
}

void xstree_watch(unsigned int domid, unsigned int i, char *buf)
{
	snprintf(buf, XSTREE_PATH, watches[i], domid);
}
