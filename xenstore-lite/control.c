// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/control.c - CONTROL: what xenstore-control asks.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ring/shm.h"
#include "xenstore-lite/domain.h"
#include "xenstore-lite/ops.h"
#include "xenstore-lite/path.h"
#include "xenstore-lite/perm.h"
#include "xenstore-lite/quota.h"
#include "xenstore-lite/record.h"
#include "xenstore-lite/trace.h"
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

/* UNTRUSTED: a guest that lies of its ring is busy, and nobody else is. */
static bool has_unread(const struct conn *c)
{
	struct xenstore_domain_interface SHM *page = c->ring.page;

	return !page || shm_acquire((shm_word SHM *)&page->req_prod) !=
				stream_reader_at(&c->ring.req);
}

/* Nothing of what it asked is under way, or still to be taken. */
static bool is_idle(const struct conn *c)
{
	return TAILQ_EMPTY(&c->txns) && !c->in_len && !c->out_bytes &&
	       !c->waiting && !c->parked && !has_unread(c);
}

static struct conn *guest_of(const char *arg)
{
	uint64_t domid;

	if (util_u64(arg, DOMID_LIMIT - 1, &domid) || !domid)
		return NULL;
	return domain_conn((unsigned int)domid);
}

static void watch_line(const struct watch *w, struct text *t)
{
	text_add(t, "%llu %u %s ", (unsigned long long)w->seq, w->depth,
		 w->path + w->skip);
	for (const char *p = w->token; *p; p++)
		text_add(t, "%02x", (unsigned char)*p);
	text_add(t, "\n");
}

/*
 * For saving a domain: whether it is idle, and its watches after one, as many as
 * fit, one a line: number, depth, path as it was given, token in hex.
 */
static int control_watches(struct req *r, struct text *t)
{
	const struct conn *c = r->args.n > 1 ? guest_of(r->args.v[1]) : NULL;
	const struct watch *w;
	unsigned int n = 0;
	uint64_t after = 0;

	if (r->args.n < 2 || r->args.n > 3 ||
	    (r->args.n == 3 && util_u64(r->args.v[2], UINT64_MAX, &after)))
		return -EINVAL;
	if (!c)
		return -ENOENT;
	text_add(t, "%s\n", is_idle(c) ? "idle" : "busy");
	for (w = TAILQ_FIRST(&c->watches); w; w = TAILQ_NEXT(w, entry)) {
		size_t room = sizeof(t->buf) - t->len;

		if (w->seq <= after)
			continue;
		/* Two numbers, blanks and ends beside it. */
		if (w->len + 2 * strlen(w->token) + 40 > room)
			return n ? 0 : -E2BIG;
		watch_line(w, t);
		n++;
	}
	return 0;
}

/* The token in hex; Return: it, in @buf, or NULL. */
static const char *token_of(const char *hex, char buf[CONN_TOKEN_MAX + 1])
{
	size_t n = strlen(hex) / 2;
	unsigned int byte;

	if (strlen(hex) % 2 || n > CONN_TOKEN_MAX ||
	    strspn(hex, "0123456789abcdef") != 2 * n)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1 || !byte)
			return NULL;
		buf[i] = (char)byte;
	}
	buf[n] = '\0';
	return buf;
}

/* For restoring a domain: a watch as if it had asked for it. */
static int control_watch(struct req *r, struct text *t)
{
	char path[PATH_BUF], token[CONN_TOKEN_MAX + 1];
	uint64_t depth = WATCH_ANY_DEPTH;
	struct conn *c;
	struct watch *w;
	int len, ret;

	(void)t;
	if (r->args.n != 5 || util_u64(r->args.v[2], WATCH_ANY_DEPTH, &depth))
		return -EINVAL;
	c = guest_of(r->args.v[1]);
	if (!c)
		return -ENOENT;
	len = path_canon(r->args.v[3], c->who.domid, path);
	if (len < 0 || (size_t)len < strlen(r->args.v[3]) ||
	    !token_of(r->args.v[4], token))
		return -EINVAL;
	if (account_over(c->account, QUOTA_WATCHES, c->account->watches, 1))
		return -E2BIG;
	ret = watch_add(c, path, (size_t)len - strlen(r->args.v[3]), token,
			(uint32_t)depth, &w);
	if (!ret)
		watch_send_first(w);
	return ret;
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
	{ "log", control_log, "on|off [<domid>|<conn>]" },
	{ "memreport", control_memreport, "" },
	{ "print", control_print, "<string>" },
	{ "quota", control_quota, "[set <name> <val>|<domid>|max [-r]]" },
	{ "quota-soft", control_quota_soft, "[set <name> <val>]" },
	{ "stats", control_stats, "[conns [<after>]]" },
	{ "watch", control_watch, "<domid> <depth> <path> <token>" },
	{ "watches", control_watches, "<domid> [<after>]" },
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
