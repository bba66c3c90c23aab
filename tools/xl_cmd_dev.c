// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_dev.c - xl block-list, -attach, -detach, and the same of network.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "tools/xl_attach.h"
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

/* ---- Coming and going ----------------------------------------------------- */

/* The words of a command line as one entry of a list; NULL without memory. */
static char *join(char **words, int n)
{
	size_t len = 1;
	char *all, *at;

	for (int i = 0; i < n; i++)
		len += strlen(words[i]) + 1;
	all = calloc(1, len);
	if (!all)
		return NULL;
	at = all;
	for (int i = 0; i < n; i++)
		at = stpcpy(stpcpy(at, i ? "," : ""), words[i]);
	return all;
}

/*
 * A domain that can have devices.  What its configuration makes xl warn of was
 * said when it was created.
 */
static int find_guest(const char *who, unsigned int *domid)
{
	log_init("", LOG_LVL_ERR);
	if (xl_find_domain(who, domid))
		return -ENOENT;
	if (*domid)
		return 0;
	fprintf(stderr, "domain 0 is the host: it has no such devices\n");
	return -EINVAL;
}

static int attach(int argc, char **argv, enum xl_kind kind, int nargs)
{
	int opt, status = 0;
	unsigned int domid;
	char *spec;

	while ((opt = xl_getopt(argc, argv, "", NULL, nargs, &status)) > 0)
		;
	if (!opt)
		return status;
	if (find_guest(argv[optind], &domid))
		return XL_EXIT_FAIL;
	spec = join(argv + optind + 1, argc - optind - 1);
	if (!spec || xl_attach(domid, kind, spec, xl_opts.dryrun))
		status = XL_EXIT_FAIL;
	free(spec);
	return status;
}

int xl_cmd_block_attach(int argc, char **argv)
{
	return attach(argc, argv, XL_DISK, 2);
}

int xl_cmd_network_attach(int argc, char **argv)
{
	return attach(argc, argv, XL_VIF, 1);
}

/* The card with a MAC address, by the toolstack's own nodes. */
static int find_mac(unsigned int domid, const char *mac, unsigned int *devid)
{
	unsigned int *devids;
	struct xs_handle *h;
	int ret = -ENODEV;
	size_t n;

	if (xl_store_open(&h))
		return -EIO;
	devids = xl_tree_devices(h, domid, "vif", &n);
	for (size_t i = 0; i < n && ret; i++) {
		char *its = xl_store_get(h, XBT_NULL,
					 "/libxl/%u/device/vif/%u/mac", domid,
					 devids[i]);

		if (its && !strcasecmp(its, mac)) {
			*devid = devids[i];
			ret = 0;
		}
		free(its);
	}
	free(devids);
	xs_close(h);
	return ret;
}

static int find_device(unsigned int domid, enum xl_kind kind, const char *name,
		       unsigned int *devid)
{
	uint64_t n;

	if (kind == XL_DISK)
		return xl_vdev_number(name, devid) ? -ENODEV : 0;
	if (strchr(name, ':'))
		return find_mac(domid, name, devid);
	if (util_u64(name, UINT32_MAX, &n))
		return -ENODEV;
	*devid = (unsigned int)n;
	return 0;
}

static int detach(int argc, char **argv, enum xl_kind kind)
{
	static const struct option longs[] = {
		{ "force", no_argument, NULL, 'f' },
		{ 0 },
	};
	unsigned int domid, devid;
	int opt, ret, status = 0;
	bool force = false;

	while ((opt = xl_getopt(argc, argv, "f", longs, 2, &status)) > 0)
		force = true;
	if (!opt)
		return status;
	if (find_guest(argv[optind], &domid))
		return XL_EXIT_FAIL;
	ret = find_device(domid, kind, argv[optind + 1], &devid);
	if (!ret)
		ret = xl_detach(domid, kind, devid, force);
	if (ret == -ENODEV)
		fprintf(stderr,
			"Error: Device %s not connected to domain %s (see `xl %s-list %s`).\n",
			argv[optind + 1], argv[optind],
			kind == XL_DISK ? "block" : "network", argv[optind]);
	return ret ? XL_EXIT_FAIL : 0;
}

int xl_cmd_block_detach(int argc, char **argv)
{
	return detach(argc, argv, XL_DISK);
}

int xl_cmd_network_detach(int argc, char **argv)
{
	return detach(argc, argv, XL_VIF);
}
