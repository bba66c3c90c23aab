// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_dev.c - xl block-list, network-list.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/xl_cmd.h"
#include "tools/xl_store.h"
#include "tools/xl_tree.h"

/*
 * Which devices there are, and where, comes from the toolstack's own nodes.
 * State, ports and references are what the guest says: numbers to show.
 */
static long front(struct xs_handle *h, unsigned int domid, const char *type,
		  unsigned int devid, const char *key)
{
	return xl_store_number(h, -1, "/local/domain/%u/device/%s/%u/%s", domid,
			       type, devid, key);
}

static char *backend_path(struct xs_handle *h, unsigned int domid,
			  const char *type, unsigned int devid)
{
	return xl_store_get(h, XBT_NULL, "/libxl/%u/device/%s/%u/backend",
			    domid, type, devid);
}

static void print_disk(struct xs_handle *h, unsigned int domid,
		       unsigned int devid)
{
	char *be = backend_path(h, domid, "vbd", devid);

	printf("%-5u %-3d %-6u %-5ld %-6ld %-8ld %-30s\n", devid, 0, domid,
	       front(h, domid, "vbd", devid, "state"),
	       front(h, domid, "vbd", devid, "event-channel"),
	       front(h, domid, "vbd", devid, "ring-ref"), be ? be : "");
	free(be);
}

static void print_vif(struct xs_handle *h, unsigned int domid,
		      unsigned int devid)
{
	char *be = backend_path(h, domid, "vif", devid);
	char *mac = xl_store_get(h, XBT_NULL, "/libxl/%u/device/vif/%u/mac",
				 domid, devid);

	printf("%-3u %-2d %-17s %5u %5ld %6ld %5ld/%-11ld %-30s\n", devid, 0,
	       mac ? mac : "-", devid, front(h, domid, "vif", devid, "state"),
	       front(h, domid, "vif", devid, "event-channel"),
	       front(h, domid, "vif", devid, "tx-ring-ref"),
	       front(h, domid, "vif", devid, "rx-ring-ref"), be ? be : "");
	free(mac);
	free(be);
}

static int
list_devices(int argc, char **argv, const char *type, const char *header,
	     void (*print)(struct xs_handle *, unsigned int, unsigned int))
{
	int opt, status = 0;
	struct xs_handle *h;

	while ((opt = xl_getopt(argc, argv, "", NULL, 1, &status)) > 0)
		;
	if (!opt)
		return status;
	if (xl_store_open(&h))
		return XL_EXIT_FAIL;
	printf("%s\n", header);
	for (int i = optind; i < argc; i++) {
		unsigned int domid, *devids;
		size_t n;

		if (xl_find_domain(argv[i], &domid)) {
			status = XL_EXIT_FAIL;
			continue;
		}
		devids = xl_tree_devices(h, domid, type, &n);
		for (size_t j = 0; j < n; j++)
			print(h, domid, devids[j]);
		free(devids);
	}
	xs_close(h);
	return status;
}

int xl_cmd_block_list(int argc, char **argv)
{
	return list_devices(
		argc, argv, "vbd",
		"Vdev  BE  handle state evt-ch ring-ref BE-path                       ",
		print_disk);
}

int xl_cmd_network_list(int argc, char **argv)
{
	return list_devices(
		argc, argv, "vif",
		"Idx BE Mac Addr.         handle state evt-ch   tx-/rx-ring-ref BE-path                       ",
		print_vif);
}
