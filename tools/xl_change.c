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
