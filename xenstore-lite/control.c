// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/control.c - CONTROL: what xenstore-control asks.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "xenstore-lite/domain.h"
#include "xenstore-lite/ops.h"
#include "xenstore-lite/perm.h"
#include "xenstore-lite/quota.h"
#include "xenstore-lite/record.h"
#include "xenstore-lite/update.h"

/* An answer in the making; what does not fit is left out. */
struct text {
	char buf[XENSTORE_PAYLOAD_MAX];
	size_t len;
};

static void text_add(struct text *t, const char *fmt, ...) printf_like(2, 3);

static void text_add(struct text *t, const char *fmt, ...)
{
	size_t room = sizeof(t->buf) - t->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, room, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < room)
		t->len += (size_t)n;
}

/*
 * Count the live tree and compare with the accounts: two ways to the same
 * numbers, one of them without any bookkeeping.
 */
static int control_check(struct req *r, struct text *t)
{
	const struct tree *live = dispatch_live();
	size_t charged = 0, wrong = 0;
	char path[PATH_BUF];
	struct walk w;

	if (r->args.n != 1)
		return -EINVAL;
	if (walk_init(&w, tree_get(live, "/")))
		return -ENOMEM;
	for (size_t i = 0; i < w.n; i++) {
		unsigned int owner = perm_owner(w.v[i].node->perms);

		if (!owner)
			continue;
		charged++;
		if (walk_path(&w, i, "/", path) < 0 || !owned_find(owner, path))
			wrong++;
	}
	wrong += accounts_nodes() != charged;
	if (wrong)
		text_add(t, "%zu of %zu nodes are charged wrongly", wrong,
			 charged);
	walk_fini(&w);
	return 0;
}

static int control_log(struct req *r, struct text *t)
{
	const char *how = r->args.n == 2 ? r->args.v[1] : "";

	(void)t;
	if (strcmp(how, "on") != 0 && strcmp(how, "off") != 0)
		return -EINVAL;
	dispatch_trace = !strcmp(how, "on");
	return 0;
}

static int control_print(struct req *r, struct text *t)
{
	char shown[256];

	(void)t;
	if (r->args.n != 2)
		return -EINVAL;
	util_escape(shown, sizeof(shown), r->args.v[1], strlen(r->args.v[1]));
	log_info("%s", shown);
	return 0;
}

/* What a domain has of a limit now; of some there is only the most that it had. */
static uint64_t quota_use(const struct account *a, enum quota_id q)
{
	const struct conn *c = domain_conn(a->domid);

	switch (q) {
	case QUOTA_NODES:
		return a->owned.n;
	case QUOTA_WATCHES:
		return a->watches;
	case QUOTA_OUTSTANDING:
		return c ? c->nreplies : 0;
	case QUOTA_MEMORY:
		return a->memory;
	case QUOTA_TRANSACTIONS:
		return a->transactions;
	default:
		return 0;
	}
}

/* Soft ones are only limits: what is used is told of the hard ones. */
static bool quota_is_soft(enum quota_id q)
{
	return q == QUOTA_SOFT_MEMORY;
}

static int quota_of_domain(const char *arg, struct text *t)
{
	static const struct account nothing;
	const struct account *a;
	uint64_t domid;

	if (util_u64(arg, DOMID_LIMIT - 1, &domid))
		return -EINVAL;
	a = account_find((unsigned int)domid);
	if (!a)
		a = &nothing;
	text_add(t, "Domain %u:\n", (unsigned int)domid);
	for (enum quota_id q = 0; q < QUOTA_COUNT; q++) {
		uint64_t use = quota_use(a, q);

		if (!quota_is_soft(q))
			text_add(t, "%-17s: %8llu (max %8llu)\n",
				 quotas[q].name, (unsigned long long)use,
				 (unsigned long long)MAX(use, a->max[q]));
	}
	return 0;
}

static int quota_most(const struct req *r, struct text *t)
{
	if (r->args.n > 3 ||
	    (r->args.n == 3 && strcmp(r->args.v[2], "-r") != 0))
		return -EINVAL;
	if (r->args.n == 3)
		accounts_reset_max();
	text_add(t, "Max. seen accounting values:\n");
	for (enum quota_id q = 0; q < QUOTA_COUNT; q++)
		if (!quota_is_soft(q))
			text_add(t, "%-17s: %8llu\n", quotas[q].name,
				 (unsigned long long)quotas[q].max);
	return 0;
}

static int quota_change(const struct req *r, const char *prefix)
{
	char name[64];
	uint64_t limit;
	int q;

	if (r->args.n != 4 ||
	    util_u64(r->args.v[3], QUOTA_GLOBAL - 1, &limit) || !limit)
		return -EINVAL;
	snprintf(name, sizeof(name), "%s%s", prefix, r->args.v[2]);
	q = quota_find(name);
	if (q < 0 || quota_is_soft((enum quota_id)q) != !!*prefix)
		return -EINVAL;
	quotas[q].limit = (uint32_t)limit;
	record_quota(quotas[q].name, (uint32_t)limit);
	return 0;
}

static int quota_list(const struct req *r, struct text *t, const char *prefix)
{
	size_t skip = strlen(prefix);

	if (r->args.n != 1)
		return -EINVAL;
	text_add(t, "Quota settings:\n");
	for (enum quota_id q = 0; q < QUOTA_COUNT; q++)
		if (quota_is_soft(q) == !!*prefix)
			text_add(t, "%-17s: %8u %s\n", quotas[q].name + skip,
				 quotas[q].limit, quotas[q].text);
	return 0;
}

static int control_quota(struct req *r, struct text *t)
{
	const char *what = r->args.n > 1 ? r->args.v[1] : "";

	if (!strcmp(what, "set"))
		return quota_change(r, "");
	if (!strcmp(what, "max"))
		return quota_most(r, t);
	return r->args.n == 2 ? quota_of_domain(what, t) : quota_list(r, t, "");
}

static int control_quota_soft(struct req *r, struct text *t)
{
	if (r->args.n > 1 && !strcmp(r->args.v[1], "set"))
		return quota_change(r, "soft-");
	return quota_list(r, t, "soft-");
}

static int control_memreport(struct req *r, struct text *t)
{
	struct walk w;

	if (r->args.n != 1)
		return -EINVAL;
	if (walk_init(&w, tree_get(dispatch_live(), "/")))
		return -ENOMEM;
	text_add(t, "nodes            : %12zu\n", w.n);
	walk_fini(&w);
	text_add(t, "domains          : %12u\n", domain_count());
	text_add(t, "connections      : %12u\n", conn_stats.conns);
	text_add(t, "unread bytes     : %12llu\n",
		 (unsigned long long)conn_stats.out_bytes);
	text_add(t, "requests         : %12llu\n",
		 (unsigned long long)conn_stats.requests);
	text_add(t, "events           : %12llu\n",
		 (unsigned long long)conn_stats.events);
	text_add(t, "events collapsed : %12llu\n",
		 (unsigned long long)conn_stats.events_collapsed);
	text_add(t, "events lost      : %12llu\n",
		 (unsigned long long)conn_stats.events_lost);
	return 0;
}

static int control_update(struct req *r, struct text *t)
{
	(void)t;
	return update_control(r);
}

static int control_help(struct req *r, struct text *t);

static const struct {
	const char *name;
	int (*run)(struct req *r, struct text *t);
	const char *args;
} commands[] = {
	{ "check", control_check, "" },
	{ "live-update", control_update,
	  "-f <file>|-c <arguments>|-s [-t <seconds>] [-F]|-a" },
	{ "log", control_log, "on|off" },
	{ "memreport", control_memreport, "" },
	{ "print", control_print, "<string>" },
	{ "quota", control_quota, "[set <name> <val>|<domid>|max [-r]]" },
	{ "quota-soft", control_quota_soft, "[set <name> <val>]" },
	{ "help", control_help, "" },
};

static int control_help(struct req *r, struct text *t)
{
	if (r->args.n != 1)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		text_add(t, "%-15s %s\n", commands[i].name, commands[i].args);
	return 0;
}

int op_control(struct req *r)
{
	struct text t = { .len = 0 };
	int ret;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, r->args.v[0]) != 0)
			continue;
		ret = commands[i].run(r, &t);
		if (!ret && t.len)
			req_reply(r, t.buf, t.len + 1);
		return ret;
	}
	return -EINVAL;
}
