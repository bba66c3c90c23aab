// SPDX-License-Identifier: GPL-2.0-or-later
// tools/xl_change.c - changing the configuration that is kept of a domain.
#include "tools/xl_change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "tools/xl_build.h"
#include "tools/xl_run.h"
#include "tools/xl_store.h"
#include "tools/xl_tree.h"

int xl_change_begin(struct xl_change *c, unsigned int domid)
{
	char name[32];
	int ret;

	*c = (struct xl_change){ .domid = domid };
	snprintf(name, sizeof(name), "dom/%u/devices", domid);
	c->lock = xl_run_lock(name);
	ret = c->lock < 0 ? c->lock : xl_build_kept(domid, &c->text, &c->cfg);
	if (ret)
		log_err("domain %u: its configuration cannot be read: %s",
			domid, strerror(-ret));
	return ret;
}

int xl_change_to(struct xl_change *c, char *text, const char *what)
{
	free(c->text);
	c->text = text;
	xl_cfg_free(&c->cfg);
	return xl_cfg_parse(&c->cfg, what, text, 0);
}

int xl_change_set(struct xl_change *c, const char *key,
		  const char *const *values, size_t n)
{
	char *text;
	int ret = xl_cfg_set(c->text, key, values, n, &text);

	if (!ret)
		return xl_change_to(c, text, key);
	log_err("domain %u: its configuration cannot be changed: %s", c->domid,
		ret == -EINVAL ? "control characters in a value"
			       : strerror(-ret));
	return ret;
}

int xl_change_keep(const struct xl_change *c)
{
	int ret = xl_build_keep(&c->cfg, c->domid, c->text);

	if (ret)
		log_err("domain %u: its configuration cannot be kept: %s",
			c->domid, strerror(-ret));
	return ret;
}

void xl_change_end(struct xl_change *c)
{
	xl_cfg_free(&c->cfg);
	free(c->text);
	fd_close(&c->lock);
}

static void fill_name(struct xl_txn *x, void *arg)
{
	const struct xl_change *c = arg;

	xl_tree_identity(x, c->domid, c->cfg.name, NULL);
}

static int write_name(struct xl_change *c)
{
	struct xs_handle *h;
	int ret = xl_store_open(&h);

	if (ret)
		return ret;
	ret = xl_build_write(h, c->domid, fill_name, c);
	xs_close(h);
	if (ret)
		log_err("domain %u: its nodes cannot be written: %s", c->domid,
			strerror(-ret));
	return ret;
}

/* The directory first: it says whose the name is. */
int xl_change_name(unsigned int domid, const char *name)
{
	struct xl_change c;
	int ret = xl_change_begin(&c, domid);

	if (!ret)
		ret = xl_change_set(&c, "name", &name, 0);
	if (!ret) {
		ret = xl_run_rename(domid, c.cfg.name);
		if (ret == -EEXIST)
			log_err("domain name '%s' is taken (choose another name)",
				name);
		else if (ret)
			log_err("domain %u: %s", domid, strerror(-ret));
	}
	if (!ret)
		ret = xl_change_keep(&c);
	if (!ret)
		ret = write_name(&c);
	xl_change_end(&c);
	return ret;
}
