// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_tree.c - the nodes of one domain in the store.
#include "tools/xl_tree.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xen/io/xenbus.h>

#include "base/log.h"
#include "tools/xl_daemons.h"

#define INIT_TIMEOUT_MS \
	40000 /* as libxl for a hotplug script, which a backend replaces */
#define LET_GO_TIMEOUT_MS 10000
#define DOM		  "/local/domain/%u"
#define BACKEND		  "/local/domain/0/backend/%s/%u/%u"
#define FRONTEND	  DOM "/device/%s/%u"
#define LIBXL		  "/libxl/%u/device/%s/%u"

static const char *const device_types[] = { "vbd", "vif", "console" };

/* ---- The domain ----------------------------------------------------------- */

static void put_vm(struct xl_txn *x, unsigned int domid, const char *name,
		   const char *uuid, const char *start)
{
	xl_txn_put(x, "", "/vm/%s", uuid);
	xl_txn_perm(x, 0, (int)domid, "/vm/%s", uuid);
	xl_txn_put(x, name, "/vm/%s/name", uuid);
	xl_txn_put(x, uuid, "/vm/%s/uuid", uuid);
	xl_txn_put(x, start, "/vm/%s/start_time", uuid);
}

static void put_start(struct xl_txn *x, unsigned int domid,
		      const struct xl_cfg *c)
{
	char uuid[XL_UUID_LEN], start[40];
	struct timespec now;

	xl_uuid_format(uuid, c->uuid);
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(start, sizeof(start), "%jd.%02ld", (intmax_t)now.tv_sec,
		 now.tv_nsec / 10000000);
	xl_txn_rm(x, "/vm/%s", uuid);
	put_vm(x, domid, c->name, uuid, start);
}

/* Nodes that the guest may write. */
static void put_guests(struct xl_txn *x, unsigned int domid,
		       const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		xl_txn_put(x, "", DOM "/%s", domid, names[i]);
		xl_txn_perm(x, domid, -1, DOM "/%s", domid, names[i]);
	}
}

static void put_sizes(struct xl_txn *x, unsigned int domid,
		      const struct xl_cfg *c)
{
	for (unsigned int i = 0; i < c->maxvcpus; i++)
		xl_txn_put(x, i < c->vcpus ? "online" : "offline",
			   DOM "/cpu/%u/availability", domid, i);
	/*
	 * The guest's balloon driver takes what static-max exceeds its RAM for
	 * memory that the firmware has hidden: it must be what the VMM gives.
	 * It finds a lower target as it starts, and gives back the rest.
	 */
	xl_txn_num(x, c->maxmem_kib, DOM "/memory/static-max", domid);
	xl_txn_num(x, c->memory_kib, DOM "/memory/target", domid);
	xl_txn_put(x, "0", DOM "/memory/videoram", domid);
}

void xl_tree_base(struct xl_txn *x, unsigned int domid, const struct xl_cfg *c)
{
	static const char *const control[] = {
		"control/shutdown",	  "control/feature-poweroff",
		"control/feature-reboot", "control/feature-suspend",
		"control/sysrq",
	};
	static const char *const free_for_all[] = { "data", "drivers",
						    "feature", "attr",
						    "error" };
	static const char *const suspend[] = { "device/suspend/event-channel" };
	char uuid[XL_UUID_LEN], vm[XL_UUID_LEN + 8];

	snprintf(vm, sizeof(vm), "/vm/%s", xl_uuid_format(uuid, c->uuid));
	xl_txn_rm(x, DOM, domid);
	xl_txn_put(x, "", DOM, domid);
	xl_txn_perm(x, 0, (int)domid, DOM, domid);
	xl_txn_put(x, vm, DOM "/vm", domid);
	xl_txn_put(x, c->name, DOM "/name", domid);
	put_sizes(x, domid, c);
	xl_txn_put(x, "", DOM "/device", domid);
	put_guests(x, domid, suspend, ARRAY_SIZE(suspend));
	put_guests(x, domid, control, ARRAY_SIZE(control));
	xl_txn_put(x, "1",
		   DOM "/control/platform-feature-multiprocessor-suspend",
		   domid);
	xl_txn_put(x, "1", DOM "/control/platform-feature-xs_reset_watches",
		   domid);
	put_guests(x, domid, free_for_all, ARRAY_SIZE(free_for_all));
	xl_txn_num(x, domid, DOM "/domid", domid);
	put_start(x, domid, c);
	xl_txn_rm(x, "/libxl/%u", domid);
	xl_txn_put(x, "", "/libxl/%u/device", domid);
	xl_txn_put(x, "pvh", "/libxl/%u/type", domid);
	xl_txn_put(x, "qemu_xen", "/libxl/%u/dm-version", domid);
}

void xl_tree_identity(struct xl_txn *x, unsigned int domid, const char *name,
		      const char *uuid)
{
	char *vm = xl_store_get(x->h, x->t, DOM "/vm", domid), *start;
	char path[XL_UUID_LEN + 8];

	xl_txn_put(x, name, DOM "/name", domid);
	if (vm && !uuid) {
		xl_txn_put(x, name, "%s/name", vm);
	} else if (vm) {
		start = xl_store_get(x->h, x->t, "%s/start_time", vm);
		xl_txn_rm(x, "%s", vm);
		put_vm(x, domid, name, uuid, start ? start : "");
		snprintf(path, sizeof(path), "/vm/%s", uuid);
		xl_txn_put(x, path, DOM "/vm", domid);
		free(start);
	}
	free(vm);
}

/* ---- Devices -------------------------------------------------------------- */

/* The backend's keys, which the toolstack's own copy has as well. */
struct keys {
	size_t n;
	struct {
		const char *key;
		const char *value;
	} at[32];
};

static void add(struct keys *k, const char *key, const char *value)
{
	if (value && k->n < ARRAY_SIZE(k->at)) {
		k->at[k->n].key = key;
		k->at[k->n++].value = value;
	}
}

static void put_keys(struct xl_txn *x, const struct keys *k, const char *dir)
{
	for (size_t i = 0; i < k->n; i++)
		xl_txn_put(x, k->at[i].value, "%s/%s", dir, k->at[i].key);
}

/* Both ends of a device and our copy; @front has the frontend's own keys. */
static void put_device(struct xl_txn *x, unsigned int domid, const char *type,
		       unsigned int devid, const struct keys *front,
		       const struct keys *back)
{
	char fe[128], be[128], own[128];

	if (strcmp(type, "console") != 0)
		snprintf(fe, sizeof(fe), FRONTEND, domid, type, devid);
	else
		snprintf(fe, sizeof(fe), DOM "/console", domid);
	snprintf(be, sizeof(be), BACKEND, type, domid, devid);
	snprintf(own, sizeof(own), LIBXL, domid, type, devid);

	xl_txn_put(x, "", "%s", own);
	xl_txn_put(x, fe, "%s/frontend", own);
	xl_txn_put(x, be, "%s/backend", own);
	put_keys(x, back, own);

	xl_txn_put(x, "", "%s", fe);
	if (strcmp(type, "console") != 0)
		xl_txn_perm(x, domid, 0, "%s", fe);
	xl_txn_put(x, be, "%s/backend", fe);
	xl_txn_put(x, "0", "%s/backend-id", fe);
	xl_txn_perm(x, domid, 0, "%s/backend-id", fe);
	put_keys(x, front, fe);

	xl_txn_put(x, "", "%s", be);
	xl_txn_perm(x, 0, (int)domid, "%s", be);
	xl_txn_put(x, fe, "%s/frontend", be);
	put_keys(x, back, be);
}

void xl_tree_rings(struct xl_txn *x, unsigned int domid,
		   const struct xl_rings *r)
{
	struct keys front = { 0 }, back = { 0 };
	char id[16];

	xl_txn_num(x, r->store_port, DOM "/store/port", domid);
	xl_txn_num(x, r->store_gfn, DOM "/store/ring-ref", domid);

	snprintf(id, sizeof(id), "%u", domid);
	add(&front, "limit", "1048576");
	add(&front, "type", r->own_console ? "xl" : "xenconsoled");
	add(&front, "output", "pty");
	add(&front, "tty", "");
	add(&back, "frontend-id", id);
	add(&back, "online", "1");
	add(&back, "state", "1");
	add(&back, "protocol", "vt100");
	put_device(x, domid, "console", 0, &front, &back);
	xl_txn_num(x, r->console_port, DOM "/console/port", domid);
	xl_txn_num(x, r->console_gfn, DOM "/console/ring-ref", domid);
}

void xl_tree_disk(struct xl_txn *x, unsigned int domid, const struct xl_disk *d)
{
	struct keys front = { 0 }, back = { 0 };
	const char *type = d->cdrom ? "cdrom" : "disk";
	bool raw = !strcmp(d->format, "raw");
	char id[16], dev[16], own[XL_DISK_NKEYS][24], params[PATH_MAX + 8];
	char below[XL_DISK_MAX_BACKING][24];

	snprintf(id, sizeof(id), "%u", domid);
	snprintf(dev, sizeof(dev), "%u", d->devid);
	/* As libxl has it for what QEMU serves: "qcow2:PATH", type qdisk. */
	snprintf(params, sizeof(params), "%s:%s", d->format, d->path);
	add(&front, "state", "1");
	add(&front, "virtual-device", dev);
	add(&front, "device-type", type);
	add(&front, "trusted", d->trusted ? "1" : "0");
	add(&back, "params", raw ? d->path : params);
	add(&back, "script", d->script ? d->script : XL_BLOCK_SCRIPT);
	add(&back, "frontend-id", id);
	add(&back, "online", "1");
	add(&back, "removable", d->removable ? "1" : "0");
	add(&back, "bootable", "1");
	add(&back, "state", "1");
	add(&back, "dev", d->vdev);
	add(&back, "type",
	    raw && !xl_disk_is_remote(d->path) ? "phy" : "qdisk");
	add(&back, "mode", d->writable ? "w" : "r");
	add(&back, "device-type", type);
	if (d->direct_io_safe)
		add(&back, "direct-io-safe", "1");
	add(&back, "discard-enable", d->discard ? "1" : "0");
	add(&back, "specification", "xen");
	for (size_t i = 0; i < XL_DISK_NKEYS; i++) {
		snprintf(own[i], sizeof(own[i]), "%" PRIu64, d->key[i]);
		if (d->has[i])
			add(&back, xl_disk_keys[i], own[i]);
	}
	for (unsigned int i = 0; i < d->nbacking; i++) {
		snprintf(below[i], sizeof(below[i]), "backing-%u", i + 1);
		add(&back, below[i], d->backing[i]);
	}
	put_device(x, domid, "vbd", d->devid, &front, &back);
}

void xl_tree_vif(struct xl_txn *x, unsigned int domid, const struct xl_vif *v)
{
	struct keys front = { 0 }, back = { 0 };
	char id[16], dev[16], mac[18], rate[40], mtu[16];

	snprintf(id, sizeof(id), "%u", domid);
	snprintf(dev, sizeof(dev), "%u", v->devid);
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0],
		 v->mac[1], v->mac[2], v->mac[3], v->mac[4], v->mac[5]);
	snprintf(rate, sizeof(rate), "%" PRIu64 ",%u", v->rate_bytes,
		 v->rate_usecs);
	snprintf(mtu, sizeof(mtu), "%u", v->mtu);
	add(&front, "state", "1");
	add(&front, "handle", dev);
	add(&front, "mac", mac);
	add(&front, "trusted", v->trusted ? "1" : "0");
	add(&back, "frontend-id", id);
	add(&back, "online", "1");
	add(&back, "state", "1");
	add(&back, "script", v->script ? v->script : XL_DEFAULT_VIF_SCRIPT);
	add(&back, "hotplug-script", v->hotplug);
	add(&back, "vifname", v->vifname);
	add(&back, "mac", mac);
	add(&back, "ip", v->ip);
	add(&back, "gatewaydev", v->gatewaydev);
	add(&back, "mtu", v->mtu ? mtu : NULL);
	add(&back, "rate", v->rate_bytes ? rate : NULL);
	add(&back, "bridge", v->bridge);
	add(&back, "vlan", v->vlan);
	add(&back, "net", v->net);
	add(&back, "handle", dev);
	add(&back, "type", "vif");
	add(&back, "hotplug-status", "");
	put_device(x, domid, "vif", v->devid, &front, &back);
	xl_txn_num(x, v->mtu ? v->mtu : 1500, FRONTEND "/mtu", domid, "vif",
		   v->devid);
	xl_txn_perm(x, 0, (int)domid, FRONTEND "/mtu", domid, "vif", v->devid);
}

/* ---- Waiting for backends ------------------------------------------------- */

struct device {
	unsigned int domid, devid;
	const char *type;
};

static int is_offered(struct xs_handle *h, void *arg)
{
	const struct device *d = arg;
	long state = xl_store_number(h, 0, BACKEND "/state", d->type, d->domid,
				     d->devid);
	char *status = xl_store_get(h, XBT_NULL, BACKEND "/hotplug-status",
				    d->type, d->domid, d->devid);
	int ret = 0;

	if (status && !strcmp(status, "error"))
		ret = -EIO;
	else if (state >= XenbusStateInitWait && state <= XenbusStateConnected)
		ret = 1;
	free(status);
	return ret;
}

int xl_tree_wait_device(struct xs_handle *h, unsigned int domid,
			const char *type, unsigned int devid)
{
	struct device d = { domid, devid, type };
	char path[128], *why;
	int ret;

	snprintf(path, sizeof(path), BACKEND, type, domid, devid);
	ret = xl_daemons_wait(h, path, INIT_TIMEOUT_MS, is_offered, &d);
	if (ret == -EIO) {
		why = xl_store_get(h, XBT_NULL, "%s/hotplug-error", path);
		log_err("%s %u: %s", type, devid,
			why && *why ? why : "its backend gave no reason");
		free(why);
	} else if (ret == -ETIMEDOUT) {
		log_err("%s %u: its backend was not ready after %d s (is sv-backend running? its log says more)",
			type, devid, INIT_TIMEOUT_MS / 1000);
	} else if (ret < 0 && ret != -EINTR) {
		log_err("%s %u: %s", type, devid, strerror(-ret));
	}
	return ret < 0 ? ret : 0;
}

/* ---- Listing and removing ------------------------------------------------- */

unsigned int *xl_tree_devices(struct xs_handle *h, unsigned int domid,
			      const char *type, size_t *n)
{
	unsigned int count = 0, *list = NULL;
	char path[64], **names;
	uint64_t devid;

	*n = 0;
	snprintf(path, sizeof(path), "/libxl/%u/device/%s", domid, type);
	names = xs_directory(h, XBT_NULL, path, &count);
	if (names && count)
		list = calloc(count, sizeof(*list));
	for (unsigned int i = 0; list && i < count; i++) {
		if (!util_u64(names[i], UINT32_MAX, &devid))
			list[(*n)++] = (unsigned int)devid;
	}
	free(names);
	return list;
}

/* Ask a backend to close, and it its frontend; one that has done so is left alone. */
static void fill_request(struct xl_txn *x, void *arg)
{
	const struct device *d = arg;
	char *state = xl_store_get(x->h, x->t, BACKEND "/state", d->type,
				   d->domid, d->devid);

	if (state)
		xl_txn_put(x, "0", BACKEND "/online", d->type, d->domid,
			   d->devid);
	if (state && strcmp(state, "6") != 0)
		xl_txn_put(x, "5", BACKEND "/state", d->type, d->domid,
			   d->devid);
	free(state);
}

/*
 * The frontend's nodes go first: a backend then knows that nobody will answer
 * and closes by itself, whatever the guest has written there.
 */
static void fill_removal(struct xl_txn *x, void *arg)
{
	const struct device *d = arg;

	xl_txn_rm(x, FRONTEND, d->domid, d->type, d->devid);
	fill_request(x, arg);
}

/*
 * A backend whose host end (image, interface) is in use says "connected"; when
 * it is free for another domain, something else, or the node is gone.
 */
static int is_released(struct xs_handle *h, void *arg)
{
	const struct device *d = arg;
	char *status = xl_store_get(h, XBT_NULL, BACKEND "/hotplug-status",
				    d->type, d->domid, d->devid);
	bool held = status && !strcmp(status, "connected");

	free(status);
	return !held;
}

static void wait_released(struct xs_handle *h, struct device *d, uint64_t end)
{
	uint64_t now = util_clock_ns();
	char path[128];

	snprintf(path, sizeof(path), BACKEND, d->type, d->domid, d->devid);
	if (xl_store_wait(h, path, now < end ? (int)((end - now) / 1000000) : 0,
			  is_released, d) < 0)
		log_warn("domain %u: %s %u was not closed by its backend",
			 d->domid, d->type, d->devid);
}

bool xl_tree_has(struct xs_handle *h, unsigned int domid, const char *type,
		 unsigned int devid)
{
	char *be =
		xl_store_get(h, XBT_NULL, LIBXL "/backend", domid, type, devid);
	bool has = be != NULL;

	free(be);
	return has;
}

/* The backend has closed, or never could begin. */
static int is_closed(struct xs_handle *h, void *arg)
{
	const struct device *d = arg;
	long state = xl_store_number(h, XenbusStateClosed, BACKEND "/state",
				     d->type, d->domid, d->devid);
	char *status = xl_store_get(h, XBT_NULL, BACKEND "/hotplug-status",
				    d->type, d->domid, d->devid);
	bool held = status && !strcmp(status, "connected");
	bool failed = status && !strcmp(status, "error");

	free(status);
	return failed || (state == XenbusStateClosed && !held);
}

static void fill_gone(struct xl_txn *x, void *arg)
{
	const struct device *d = arg;

	xl_txn_rm(x, FRONTEND, d->domid, d->type, d->devid);
	xl_txn_rm(x, BACKEND, d->type, d->domid, d->devid);
	xl_txn_rm(x, LIBXL, d->domid, d->type, d->devid);
}

int xl_tree_take(struct xs_handle *h, unsigned int domid, const char *type,
		 unsigned int devid, bool force, int timeout_ms)
{
	struct device d = { domid, devid, type };
	char path[128];
	int ret, waited;

	ret = xl_txn_run(h, force ? fill_removal : fill_request, &d);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), BACKEND, type, domid, devid);
	waited = xl_daemons_wait(h, path, timeout_ms, is_closed, &d);
	if (waited < 0 && !force)
		return waited;
	ret = xl_txn_run(h, fill_gone, &d);
	return ret ? ret : MIN(waited, 0);
}

int xl_tree_let_go(struct xs_handle *h, unsigned int domid, const char *type,
		   bool *any)
{
	size_t n;
	unsigned int *devid = xl_tree_devices(h, domid, type, &n);
	int ret = 0;

	*any |= n != 0;
	for (size_t i = 0; i < n && !ret; i++) {
		ret = xl_tree_take(h, domid, type, devid[i], true,
				   LET_GO_TIMEOUT_MS);
		if (ret)
			log_err("domain %u: %s %u is not let go: %s", domid,
				type, devid[i], strerror(-ret));
	}
	free(devid);
	return ret;
}

static void detach_type(struct xs_handle *h, unsigned int domid,
			const char *type, uint64_t end, bool wait)
{
	struct device d = { .domid = domid, .type = type };
	unsigned int *devids;
	size_t n;

	devids = xl_tree_devices(h, domid, type, &n);
	for (size_t i = 0; i < n; i++) {
		d.devid = devids[i];
		if (wait)
			wait_released(h, &d, end);
		else if (xl_txn_run(h, fill_removal, &d))
			log_warn("domain %u: %s %u cannot be detached", domid,
				 type, d.devid);
	}
	free(devids);
}

void xl_tree_detach(struct xs_handle *h, unsigned int domid, int timeout_ms)
{
	uint64_t end = util_clock_ns() + (uint64_t)timeout_ms * 1000000;

	/* All at once first: they close side by side. */
	detach_type(h, domid, "vbd", end, false);
	detach_type(h, domid, "vif", end, false);
	detach_type(h, domid, "vbd", end, true);
	detach_type(h, domid, "vif", end, true);
}

static void fill_remove(struct xl_txn *x, void *arg)
{
	unsigned int domid = *(unsigned int *)arg;
	char *vm = xl_store_get(x->h, x->t, DOM "/vm", domid);

	for (size_t i = 0; i < ARRAY_SIZE(device_types); i++)
		xl_txn_rm(x, "/local/domain/0/backend/%s/%u", device_types[i],
			  domid);
	if (vm && !strncmp(vm, "/vm/", 4) && vm[4])
		xl_txn_rm(x, "%s", vm);
	xl_txn_rm(x, DOM, domid);
	xl_txn_rm(x, "/libxl/%u", domid);
	free(vm);
}

int xl_tree_remove(struct xs_handle *h, unsigned int domid)
{
	return xl_txn_run(h, fill_remove, &domid);
}
