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
#include "xenstore-lite/trace.h"

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
	(void)r;
	if (wrong)
		text_add(t, "%zu of %zu nodes are charged wrongly", wrong,
			 charged);
	walk_fini(&w);
	return 0;
}

/* The connection that @name means: D3 or 3 a domain's, A7 or D3.7 itself. */
static bool is_meant(const struct conn *c, const char *name)
{
	char full[CONN_NAME], domain[16];

	conn_name(c, full);
	snprintf(domain, sizeof(domain), "D%u", c->who.domid);
	return !strcmp(name, full) ||
	       (c->domain &&
		(!strcmp(name, domain) || !strcmp(name, domain + 1)));
}

static int log_one(const char *name, bool on)
{
	int ret = -ENOENT;

	for (struct conn *c = conn_next(NULL); c; c = conn_next(c)) {
		if (!is_meant(c, name))
			continue;
		c->trace = on;
		ret = 0;
	}
	return ret;
}

/* Off, for all, is off for each. */
static int log_every(bool on)
{
	trace_all = on;
	for (struct conn *c = conn_next(NULL); c && !on; c = conn_next(c))
		c->trace = false;
	return 0;
}

static int control_log(struct req *r, struct text *t)
{
	const char *how = r->args.n > 1 ? r->args.v[1] : "";
	bool on = !strcmp(how, "on");

	(void)t;
	if (r->args.n > 3 || (!on && strcmp(how, "off") != 0))
		return -EINVAL;
	return r->args.n == 3 ? log_one(r->args.v[2], on) : log_every(on);
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

static int quota_of_domain(const char *arg, struct text *t)
{
	const struct account *a;
	uint64_t domid;

	if (util_u64(arg, DOMID_LIMIT - 1, &domid))
		return -EINVAL;
	a = account_find((unsigned int)domid);
	text_add(t, "Domain %u:\n", (unsigned int)domid);
	text_add(t, "%-17s: %8zu\n", quotas[QUOTA_NODES].name,
		 a ? a->owned.n : 0);
	text_add(t, "%-17s: %8u\n", quotas[QUOTA_WATCHES].name,
		 a ? a->watches : 0);
	text_add(t, "%-17s: %8u\n", quotas[QUOTA_TRANSACTIONS].name,
		 a ? a->transactions : 0);
	text_add(t, "%-17s: %8llu\n", quotas[QUOTA_MEMORY].name,
		 a ? (unsigned long long)a->memory : 0);
	return 0;
}

static int control_quota(struct req *r, struct text *t)
{
	uint64_t limit;
	int ret;

	if (r->args.n == 2)
		return quota_of_domain(r->args.v[1], t);
	if (r->args.n == 4 && !strcmp(r->args.v[1], "set")) {
		if (util_u64(r->args.v[3], UINT32_MAX, &limit))
			return -EINVAL;
		ret = quota_set(r->args.v[2], (unsigned int)limit);
		if (!ret)
			record_quota(r->args.v[2], (unsigned int)limit);
		return ret;
	}
	if (r->args.n != 1)
		return -EINVAL;
	for (size_t i = 0; i < QUOTA_COUNT; i++)
		text_add(t, "%-17s: %8u %s\n", quotas[i].name, quotas[i].limit,
			 quotas[i].text);
	return 0;
}

static int control_memreport(struct req *r, struct text *t)
{
	struct walk w;

	(void)r;
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

#define CONN_LINE 160ul /* more than any is long, and its end */

static unsigned int count_txns(const struct conn *c)
{
	const struct txn *x;
	unsigned int n = 0;

	for (x = TAILQ_FIRST(&c->txns); x; x = TAILQ_NEXT(x, entry))
		n++;
	return n;
}

static unsigned int count_watches(const struct conn *c)
{
	const struct watch *w;
	unsigned int n = 0;

	for (w = TAILQ_FIRST(&c->watches); w; w = TAILQ_NEXT(w, entry))
		n++;
	return n;
}

static void stats_of(const struct conn *c, struct text *t)
{
	const struct conn_counts *n = &c->n;
	char name[CONN_NAME];

	text_add(t,
		 "%-9s %7d %9llu %6llu %8llu %6llu %10llu %10llu %5u %3u %4u "
		 "%4u %zu\n",
		 conn_name(c, name), (int)c->pid,
		 (unsigned long long)n->requests, (unsigned long long)n->errors,
		 (unsigned long long)n->events, (unsigned long long)n->lost,
		 (unsigned long long)n->in, (unsigned long long)n->out,
		 count_watches(c), count_txns(c), c->nreplies, c->nevents,
		 c->out_bytes);
}

/* As many as fit, of those after the connection with that serial. */
static int stats_conns(const char *after, struct text *t)
{
	uint64_t serial = 0;

	if (after && util_u64(after, UINT64_MAX, &serial))
		return -EINVAL;
	text_add(t, "%-9s %7s %9s %6s %8s %6s %10s %10s %5s %3s %4s %4s %s\n",
		 "conn", "pid", "requests", "errors", "events", "lost",
		 "bytes-in", "bytes-out", "watch", "txn", "repl", "evts",
		 "unread");
	for (const struct conn *c = conn_next(NULL); c; c = conn_next(c)) {
		if (c->serial <= serial)
			continue;
		if (sizeof(t->buf) - t->len < 2 * CONN_LINE) {
			text_add(t, "more: stats conns %llu\n",
				 (unsigned long long)serial);
			break;
		}
		stats_of(c, t);
		serial = c->serial;
	}
	return 0;
}

static int control_stats(struct req *r, struct text *t)
{
	struct dispatch_count n;

	if (r->args.n > 1 && strcmp(r->args.v[1], "conns") != 0)
		return -EINVAL;
	if (r->args.n > 3)
		return -EINVAL;
	if (r->args.n > 1)
		return stats_conns(r->args.n == 3 ? r->args.v[2] : NULL, t);
	for (uint32_t type = 0; type <= DISPATCH_TYPES; type++) {
		dispatch_count(type, &n);
		if (n.requests)
			text_add(t, "%-20s : %12llu requests %10llu errors\n",
				 wire_type_name(type),
				 (unsigned long long)n.requests,
				 (unsigned long long)n.errors);
	}
	return 0;
}

static int control_help(struct req *r, struct text *t);

static const struct {
	const char *name;
	int (*run)(struct req *r, struct text *t);
	const char *args;
} commands[] = {
	{ "check", control_check, "" },
	{ "log", control_log, "on|off [<domid>|<conn>]" },
	{ "memreport", control_memreport, "" },
	{ "print", control_print, "<string>" },
	{ "quota", control_quota, "[set <name> <val>|<domid>]" },
	{ "stats", control_stats, "[conns [<after>]]" },
	{ "help", control_help, "" },
};

static int control_help(struct req *r, struct text *t)
{
	(void)r;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		text_add(t, "%s\t%s\n", commands[i].name, commands[i].args);
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
