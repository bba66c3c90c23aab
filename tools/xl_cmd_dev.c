// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_cmd_dev.c - xl block-list, -attach, -detach, and the same of network.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "tools/xl_attach.h"
#include "tools/xl_build.h"
#include "tools/xl_cmd.h"
#include "tools/xl_out.h"
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

/* A device of either kind; numbers are -1 where the guest says none. */
struct device {
	unsigned int domid, devid, backend_domid;
	char *mac, *backend, *error;
	long state, port, carrier;
	long ring; /* of a disk */
	long tx, rx;
};

static const struct xl_field disk_fields[] = {
	XL_FIELD("domid", UINT, device, domid),
	XL_FIELD("devid", UINT, device, devid),
	XL_FIELD("backend_domid", UINT, device, backend_domid),
	XL_FIELD("state", LONG, device, state),
	XL_FIELD("event_channel", LONG, device, port),
	XL_FIELD("ring_ref", LONG, device, ring),
	XL_FIELD("backend_path", STRING, device, backend),
};

static const struct xl_field vif_fields[] = {
	XL_FIELD("domid", UINT, device, domid),
	XL_FIELD("devid", UINT, device, devid),
	XL_FIELD("backend_domid", UINT, device, backend_domid),
	XL_FIELD("mac", STRING, device, mac),
	XL_FIELD("state", LONG, device, state),
	XL_FIELD("event_channel", LONG, device, port),
	XL_FIELD("tx_ring_ref", LONG, device, tx),
	XL_FIELD("rx_ring_ref", LONG, device, rx),
	XL_FIELD("backend_path", STRING, device, backend),
	XL_FIELD("carrier", LONG, device, carrier),
	XL_FIELD("hotplug_error", STRING, device, error),
};

static void print_disk_head(unsigned int how)
{
	(void)how;
	printf("Vdev  BE  handle state evt-ch ring-ref BE-path                       \n");
}

static void print_disk(const void *row, unsigned int how)
{
	const struct device *d = row;

	(void)how;
	printf("%-5u %-3u %-6u %-5ld %-6ld %-8ld %-30s\n", d->devid,
	       d->backend_domid, d->domid, d->state, d->port, d->ring,
	       d->backend ? d->backend : "");
}

static void print_vif_head(unsigned int how)
{
	(void)how;
	printf("Idx BE Mac Addr.         handle state evt-ch   tx-/rx-ring-ref BE-path                       \n");
}

static void print_vif(const void *row, unsigned int how)
{
	const struct device *d = row;

	(void)how;
	printf("%-3u %-2u %-17s %5u %5ld %6ld %5ld/%-11ld %-30s\n", d->devid,
	       d->backend_domid, d->mac ? d->mac : "-", d->devid, d->state,
	       d->port, d->tx, d->rx, d->backend ? d->backend : "");
}

static void show_device(struct xs_handle *h, unsigned int domid,
			const char *type, unsigned int devid)
{
	struct device d = {
		.domid = domid,
		.devid = devid,
		.mac = xl_store_get(h, XBT_NULL, "/libxl/%u/device/%s/%u/mac",
				    domid, type, devid),
		.backend = xl_store_get(h, XBT_NULL,
					"/libxl/%u/device/%s/%u/backend", domid,
					type, devid),
		.state = front(h, domid, type, devid, "state"),
		.port = front(h, domid, type, devid, "event-channel"),
		.ring = front(h, domid, type, devid, "ring-ref"),
		.tx = front(h, domid, type, devid, "tx-ring-ref"),
		.rx = front(h, domid, type, devid, "rx-ring-ref"),
	};

	/* The host's own: what its link is, and what it lacks. */
	d.carrier = d.backend ? xl_store_number(h, -1, "%s/carrier", d.backend)
			      : -1;
	if (d.backend)
		d.error = xl_store_get(h, XBT_NULL, "%s/hotplug-error",
				       d.backend);
	xl_out_row(&d);
	free(d.mac);
	free(d.backend);
	free(d.error);
}

static int list_devices(int argc, char **argv, const char *type,
			const struct xl_table *t)
{
	struct xs_handle *h;
	int status = 0;

	if (!xl_no_options(argc, argv, 1, &status))
		return status;
	if (xl_store_open(&h))
		return XL_EXIT_FAIL;
	xl_out_begin(t, 0);
	for (int i = optind; i < argc; i++) {
		unsigned int domid, *devids;
		size_t n;

		if (xl_find_domain(argv[i], &domid)) {
			status = XL_EXIT_FAIL;
			continue;
		}
		devids = xl_tree_devices(h, domid, type, &n);
		for (size_t j = 0; j < n; j++)
			show_device(h, domid, type, devids[j]);
		free(devids);
	}
	xs_close(h);
	return xl_out_end() | status;
}

int xl_cmd_block_list(int argc, char **argv)
{
	static const struct xl_table t = {
		.head = print_disk_head,
		.row = print_disk,
		.field = disk_fields,
		.n = ARRAY_SIZE(disk_fields),
	};

	return list_devices(argc, argv, "vbd", &t);
}

int xl_cmd_network_list(int argc, char **argv)
{
	static const struct xl_table t = {
		.head = print_vif_head,
		.row = print_vif,
		.field = vif_fields,
		.n = ARRAY_SIZE(vif_fields),
	};

	return list_devices(argc, argv, "vif", &t);
}

static void print_channel_head(unsigned int how)
{
	(void)how;
	printf("%-3s %-2s %-5s %-6s %-8s %-10s %-30s\n", "Idx", "BE", "state",
	       "evt-ch", "ring-ref", "connection", "");
}

/* There are none: the key "channel" has no effect. */
int xl_cmd_channel_list(int argc, char **argv)
{
	static const struct xl_table t = { .head = print_channel_head };

	return list_devices(argc, argv, "channel", &t);
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
	int status = 0;
	unsigned int domid;
	char *spec;

	if (!xl_no_options(argc, argv, nargs, &status))
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

/* ---- CD-ROM drives -------------------------------------------------------- */

/*
 * The frontends of PVH guests know no medium that changes below them.  So the drive
 * goes with its medium, and comes with the next one.
 */

/* Return: 1 if it is one, 0 if there is no such disk, or -errno; reported. */
static int is_drive(unsigned int domid, const char *vdev)
{
	struct xl_cfg c = { 0 };
	unsigned int devid;
	char *text = NULL;
	int ret = 0;

	if (xl_vdev_number(vdev, &devid)) {
		xl_error(vdev, "xvda, xvdb and so on",
			 "'%s' is no name of a disk (xvdc is one)", vdev);
		return -EINVAL;
	}
	if (xl_build_kept(domid, &text, &c)) {
		log_err("domain %u: its configuration cannot be read", domid);
		ret = -EIO;
	}
	for (size_t i = 0; i < c.ndisks; i++) {
		if (c.disks[i].devid != devid)
			continue;
		ret = c.disks[i].cdrom ? 1 : -ENOTTY;
	}
	if (ret == -ENOTTY)
		log_err("domain %u: disk %s is no CD-ROM drive (`xl block-detach` and `xl block-attach` change others)",
			domid, vdev);
	xl_cfg_free(&c);
	free(text);
	return ret;
}

static int eject(unsigned int domid, const char *vdev)
{
	unsigned int devid;
	int ret = xl_vdev_number(vdev, &devid);

	return ret ? ret : xl_detach(domid, XL_DISK, devid, false);
}

int xl_cmd_cd_eject(int argc, char **argv)
{
	unsigned int domid;
	int ret, status = 0;
	const char *vdev;

	if (!xl_no_options(argc, argv, 2, &status))
		return status;
	if (find_guest(argv[optind], &domid))
		return XL_EXIT_FAIL;
	vdev = argv[optind + 1];
	ret = is_drive(domid, vdev);
	if (ret == 0)
		log_err("domain %u: there is no medium in %s", domid, vdev);
	return ret == 1 && !eject(domid, vdev) ? 0 : XL_EXIT_FAIL;
}

static int insert(unsigned int domid, const char *vdev, const char *path)
{
	char *spec;
	int ret;

	if (asprintf(&spec,
		     "format=raw,vdev=%s,access=ro,devtype=cdrom,target=%s",
		     vdev, path) < 0)
		return -ENOMEM;
	ret = xl_attach(domid, XL_DISK, spec, false);
	free(spec);
	return ret;
}

int xl_cmd_cd_insert(int argc, char **argv)
{
	const char *vdev, *path;
	unsigned int domid;
	int ret, status = 0;

	if (!xl_no_options(argc, argv, 3, &status))
		return status;
	if (find_guest(argv[optind], &domid))
		return XL_EXIT_FAIL;
	vdev = argv[optind + 1];
	path = argv[optind + 2];
	/* The old medium stays if the new one cannot be read. */
	ret = access(path, R_OK) < 0 ? -errno : 0;
	if (ret || *path != '/') {
		log_err("domain %u: medium '%s': %s", domid, path,
			ret ? strerror(-ret)
			    : "relative paths are not possible here (begin them with /)");
		return XL_EXIT_FAIL;
	}
	ret = is_drive(domid, vdev);
	if (ret == 1)
		ret = eject(domid, vdev);
	if (!ret)
		ret = insert(domid, vdev, path);
	return ret ? XL_EXIT_FAIL : 0;
}
