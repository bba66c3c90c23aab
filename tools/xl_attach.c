// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_attach.c - devices that come and go while a domain lives.
#include "tools/xl_attach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "tools/xl_build.h"
#include "tools/xl_change.h"
#include "tools/xl_daemons.h"
#include "tools/xl_json.h"
#include "tools/xl_proc.h"
#include "tools/xl_run.h"
#include "tools/xl_tree.h"

#define DETACH_TIMEOUT_MS 10000

/* A device of a domain that comes or goes. */
struct change {
	struct xl_change to;
	unsigned int devid;
	enum xl_kind kind;
};

static const char *const kind_names[] = { "vbd", "vif" };
static const char *const list_names[] = { "disk", "vif" };

static size_t count(const struct change *c)
{
	return c->kind == XL_DISK ? c->to.cfg.ndisks : c->to.cfg.nvifs;
}

static unsigned int devid_at(const struct change *c, size_t i)
{
	return c->kind == XL_DISK ? c->to.cfg.disks[i].devid
				  : c->to.cfg.vifs[i].devid;
}

/* The configuration with @add at the end of the list, or without entry @drop. */
static int edit(struct change *c, const char *add, size_t drop)
{
	unsigned int *devids = NULL;
	size_t n = count(c);
	char *text;
	int ret;

	if (c->kind == XL_VIF) {
		devids = calloc(n + 1, sizeof(*devids));
		if (!devids)
			return -ENOMEM;
		for (size_t i = 0; i < n; i++)
			devids[i] = devid_at(c, i);
		devids[n] = c->devid;
	}
	ret = xl_cfg_edit(c->to.text, list_names[c->kind], add, drop, devids,
			  &text);
	free(devids);
	if (ret) {
		log_err("domain %u: its configuration cannot be changed: %s",
			c->to.domid,
			ret == -EINVAL ? "control characters in a description"
				       : strerror(-ret));
		return ret;
	}
	return xl_change_to(&c->to, text, list_names[c->kind]);
}

static void fill(struct xl_txn *x, void *arg)
{
	const struct change *c = arg;

	if (c->kind == XL_DISK)
		xl_tree_disk(x, c->to.domid,
			     &c->to.cfg.disks[c->to.cfg.ndisks - 1]);
	else
		xl_tree_vif(x, c->to.domid,
			    &c->to.cfg.vifs[c->to.cfg.nvifs - 1]);
}

static int offer(struct change *c, struct xs_handle *h)
{
	const char *type = kind_names[c->kind];
	bool was;
	int ret;

	if (xl_tree_has(h, c->to.domid, type, c->devid)) {
		log_err("domain %u: %s %u is there already (choose another name, or detach it first)",
			c->to.domid, type, c->devid);
		return -EEXIST;
	}
	ret = xl_build_write(h, c->to.domid, fill, c);
	if (ret) {
		log_err("domain %u: %s %u cannot be written to the store: %s",
			c->to.domid, type, c->devid, strerror(-ret));
		return ret;
	}
	ret = xl_tree_wait_device(h, c->to.domid, type, c->devid);
	if (!ret)
		ret = xl_change_keep(&c->to);
	if (ret == -EINTR)
		log_err("domain %u: interrupted, %s %u is not attached",
			c->to.domid, type, c->devid);
	was = xl_shield(true);
	if (ret && xl_tree_take(h, c->to.domid, type, c->devid, true,
				DETACH_TIMEOUT_MS))
		log_err("domain %u: %s %u was not closed by its backend",
			c->to.domid, type, c->devid);
	xl_shield(was);
	return ret;
}

static unsigned int free_vif(const struct change *c)
{
	unsigned int devid = 0;

	for (size_t i = 0; i < c->to.cfg.nvifs; i++)
		devid = MAX(devid, c->to.cfg.vifs[i].devid + 1);
	return devid;
}

static int check_last(const struct xl_cfg *c, enum xl_kind kind)
{
	return kind == XL_DISK ? xl_disk_check_host(&c->disks[c->ndisks - 1])
			       : xl_vif_check_host(&c->vifs[c->nvifs - 1]);
}

/* The user's directory is not the one where the domain's began. */
static int check_paths(const struct xl_cfg *c, enum xl_kind kind,
		       const char *spec)
{
	const struct xl_disk *d = c->disks + c->ndisks - 1;
	bool given = true;

	if (kind != XL_DISK || xl_disk_is_remote(d->path))
		return 0;
	for (unsigned int i = 0; i < d->nbacking; i++)
		given = given && strstr(spec, d->backing[i]);
	if (given && strstr(spec, d->path))
		return 0;
	log_err("disk '%s': relative paths are not possible here (begin them with /)",
		spec);
	return -EINVAL;
}

/* As xl does for -N. */
static int print_last(const struct xl_cfg *c, enum xl_kind kind)
{
	char *json;
	int ret = kind == XL_DISK
			  ? xl_json_disk(&c->disks[c->ndisks - 1], &json)
			  : xl_json_vif(&c->vifs[c->nvifs - 1], &json);

	if (ret)
		return ret;
	printf("%s: %s\n", list_names[kind], json);
	free(json);
	return 0;
}

int xl_attach(unsigned int domid, enum xl_kind kind, const char *spec,
	      bool dryrun)
{
	struct change c = { .kind = kind };
	struct xs_handle *h = NULL;
	int ret;

	xl_catch_interrupts();
	ret = xl_change_begin(&c.to, domid);
	if (!ret) {
		c.devid = free_vif(&c);
		ret = edit(&c, spec, SIZE_MAX);
	}
	if (!ret)
		ret = check_paths(&c.to.cfg, kind, spec);
	if (!ret)
		ret = check_last(&c.to.cfg, kind);
	if (!ret && dryrun) {
		ret = print_last(&c.to.cfg, kind);
	} else if (!ret) {
		c.devid = devid_at(&c, count(&c) - 1);
		ret = xl_daemons_ensure();
		if (!ret)
			ret = xl_store_open(&h);
		if (!ret)
			ret = offer(&c, h);
		xs_close(h);
	}
	xl_change_end(&c.to);
	return ret;
}

/* It is gone from the store; now from what is kept. */
static int forget(struct change *c)
{
	int ret = 0;

	for (size_t i = 0; i < count(c) && !ret; i++) {
		if (devid_at(c, i) != c->devid)
			continue;
		ret = edit(c, NULL, i);
		if (!ret)
			ret = xl_change_keep(&c->to);
		break;
	}
	return ret;
}

static int take(const struct change *c, struct xs_handle *h, bool force)
{
	const char *type = kind_names[c->kind];
	int ret = xl_tree_take(h, c->to.domid, type, c->devid, force,
			       DETACH_TIMEOUT_MS);

	if (ret == -ETIMEDOUT && force) {
		log_err("domain %u: %s %u is taken away, but its backend has not closed it",
			c->to.domid, type, c->devid);
		return 0;
	}
	if (ret == -ETIMEDOUT)
		log_err("domain %u: %s %u was not given back within %d s (is it in use in the guest? --force takes it away)",
			c->to.domid, type, c->devid, DETACH_TIMEOUT_MS / 1000);
	else if (ret)
		log_err("domain %u: %s %u cannot be detached: %s", c->to.domid,
			type, c->devid, strerror(-ret));
	return ret;
}

int xl_detach(unsigned int domid, enum xl_kind kind, unsigned int devid,
	      bool force)
{
	struct change c = { .devid = devid, .kind = kind };
	struct xs_handle *h;
	int ret;

	ret = xl_store_open(&h);
	if (ret)
		return ret;
	ret = xl_change_begin(&c.to, domid);
	if (!ret && !xl_tree_has(h, domid, kind_names[kind], devid))
		ret = -ENODEV;
	if (!ret)
		ret = take(&c, h, force);
	if (!ret)
		ret = forget(&c);
	xl_change_end(&c.to);
	xs_close(h);
	return ret;
}
