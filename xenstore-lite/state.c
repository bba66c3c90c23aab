// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/state.c - all that a store has, out of the journal and into it.
#include "xenstore-lite/state.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "xenstore-lite/batch.h"
#include "xenstore-lite/conn.h"
#include "xenstore-lite/dispatch.h"
#include "xenstore-lite/domain.h"
#include "xenstore-lite/ledger.h"
#include "xenstore-lite/path.h"
#include "xenstore-lite/quota.h"
#include "xenstore-lite/record.h"

/* ---- Out of it --------------------------------------------------------- */

/* Most nodes have what their parent has: let them share it. */
static struct perms *shared(const struct place *p, struct perms *own)
{
	struct perms *above = p->nearest->perms;

	if (p->node || !perm_equal(above, own))
		return own;
	perm_put(own);
	return perm_get(above);
}

static int set_node(struct tree *live, const char *path, struct perms *perms,
		    struct value *v)
{
	const struct node *is = tree_get(live, path);
	struct batch b;
	int ret = 0;

	batch_init(&b, live);
	if (is && !perm_equal(is->perms, perms))
		ret = batch_chmod(&b, path, perms);
	if (ret)
		value_put(v);
	else
		ret = batch_put(&b, path, perms, v, false);
	batch_publish(&b);
	return ret;
}

static int apply_node(struct record *r)
{
	struct tree *live = dispatch_live();
	const char *path = record_str(r);
	struct perms *perms = record_perms(r);
	struct place at = tree_find(live, path);
	struct value *v;
	const void *data;
	size_t len;
	int ret = -EPROTO;

	data = record_bytes(r, &len);
	if (r->bad || !perms || !at.nearest) {
		perm_put(perms);
		return ret;
	}
	perms = shared(&at, perms);
	v = value_new(data, len);
	ret = len && !v ? -ENOMEM : set_node(live, path, perms, v);
	perm_put(perms);
	return ret;
}

static int apply_rm(struct record *r)
{
	const char *path = record_str(r);
	struct batch b;
	int ret;

	if (r->bad)
		return -EPROTO;
	batch_init(&b, dispatch_live());
	ret = batch_rm(&b, path);
	batch_publish(&b);
	return ret == -ENOENT ? 0 : ret;
}

static int apply_life(struct record *r)
{
	unsigned int domid = record_u32(r);

	perm_set_life(domid, record_u32(r));
	account_forget(domid);
	return 0;
}

/* A limit that there is no more does not matter. */
static int apply_quota(struct record *r)
{
	int q = quota_find(record_str(r));
	uint32_t limit = record_u32(r);

	if (q >= 0)
		quotas[q].limit = limit;
	return 0;
}

static int apply_domain_quota(struct record *r)
{
	unsigned int domid = record_u32(r);
	int q = quota_find(record_str(r));
	uint32_t limit = record_u32(r);

	return q < 0 ? 0 : account_set(domid, (enum quota_id)q, limit);
}

static int apply_domain(struct record *r)
{
	struct record_domain d = { .domid = record_u32(r) };
	uint8_t flags;

	d.life = record_u32(r);
	d.pid = record_u32(r);
	d.start_ns = record_u64(r);
	flags = record_u8(r);
	d.shutdown = flags & 1;
	d.early = flags & 2;
	return domain_restore(&d);
}

static int apply_features(struct record *r)
{
	unsigned int domid = record_u32(r);

	return domain_restore_features(domid, record_u32(r));
}

static int apply_domain_gone(struct record *r)
{
	domain_restore_gone(record_u32(r));
	return 0;
}

static struct record_ring take_ring(struct record *r)
{
	struct record_ring ring = { .parked = record_u8(r) };

	ring.last_txn = record_u32(r);
	ring.req_at = record_u32(r);
	ring.rsp_at = record_u32(r);
	ring.in = record_bytes(r, &ring.in_len);
	return ring;
}

static int apply_ring(struct record *r)
{
	unsigned int domid = record_u32(r);
	struct record_ring ring = take_ring(r);

	return domain_restore_ring(domid, &ring);
}

static int apply_no_ring(struct record *r)
{
	return domain_restore_ring(record_u32(r), NULL);
}

static int apply_update(struct record *r)
{
	struct record_update u;

	record_take_update(r, &u);
	return 0;
}

static int next_socket = -1;

static int apply_socket(struct record *r)
{
	uint32_t number = record_u32(r);
	int fd = next_socket;

	if (number < RECORD_SOCKETS)
		return -EPROTO;
	if (fd >= 0 && fd_cloexec(next_socket++, true))
		return -EPROTO;
	return conn_restore_socket(fd, number);
}

/* ---- The rest is about a connection that there is ---------------------- */

static int apply_parked(struct record *r, struct conn *c)
{
	(void)r;
	conn_restore_parked(c);
	return 0;
}

static int apply_target(struct record *r, struct conn *c)
{
	c->who.target = (int)record_u32(r);
	c->who.target_life = record_u32(r);
	return 0;
}

static int apply_progress(struct record *r, struct conn *c)
{
	struct record_ring ring = take_ring(r);

	return conn_restore_progress(c, &ring);
}

static int apply_out(struct record *r, struct conn *c)
{
	bool event = record_u8(r);
	const void *data;
	size_t len;

	data = record_bytes(r, &len);
	return r->bad ? -EPROTO : conn_restore_out(c, event, data, len);
}

static int apply_watch(struct record *r, struct conn *c)
{
	const char *path = record_str(r);
	size_t skip = record_u32(r);
	const char *token = record_str(r);
	struct watch *w;

	if (skip > strlen(path))
		return -EPROTO;
	return watch_add(c, path, skip, token, record_u32(r), &w);
}

static int apply_unwatch(struct record *r, struct conn *c)
{
	const char *path = record_str(r);

	return watch_del(c, path, record_str(r));
}

static int apply_unwatch_all(struct record *r, struct conn *c)
{
	(void)r;
	watch_del_all(c);
	return 0;
}

static int apply_txn(struct record *r, struct conn *c)
{
	return txn_restore(c, dispatch_live(), record_u32(r));
}

static int apply_txn_end(struct record *r, struct conn *c)
{
	struct txn *t = txn_find(c, record_u32(r));

	if (t)
		txn_free(t);
	return 0;
}

/* One row for each record; @on for those about a connection. */
static const struct {
	int (*apply)(struct record *r);
	int (*on)(struct record *r, struct conn *c);
} types[] = {
	[RECORD_NODE] = { .apply = apply_node },
	[RECORD_RM] = { .apply = apply_rm },
	[RECORD_LIFE] = { .apply = apply_life },
	[RECORD_QUOTA] = { .apply = apply_quota },
	[RECORD_DOMAIN] = { .apply = apply_domain },
	[RECORD_DOMAIN_GONE] = { .apply = apply_domain_gone },
	[RECORD_RING] = { .apply = apply_ring },
	[RECORD_NO_RING] = { .apply = apply_no_ring },
	[RECORD_PARKED] = { .on = apply_parked },
	[RECORD_TARGET] = { .on = apply_target },
	[RECORD_PROGRESS] = { .on = apply_progress },
	[RECORD_OUT] = { .on = apply_out },
	[RECORD_WATCH] = { .on = apply_watch },
	[RECORD_UNWATCH] = { .on = apply_unwatch },
	[RECORD_UNWATCH_ALL] = { .on = apply_unwatch_all },
	[RECORD_TXN] = { .on = apply_txn },
	[RECORD_TXN_END] = { .on = apply_txn_end },
	[RECORD_DOMAIN_QUOTA] = { .apply = apply_domain_quota },
	[RECORD_FEATURES] = { .apply = apply_features },
	[RECORD_UPDATE] = { .apply = apply_update },
	[RECORD_SOCKET] = { .apply = apply_socket },
};

static int whole(const struct record *r, int ret)
{
	return ret ? ret : r->bad || r->left ? -EPROTO : 0;
}

/*
 * What cannot be true of one connection, by a mistake of ours that its guest may
 * know how to cause, ends that one alone.
 */
static int apply_on(uint8_t type, struct record *r)
{
	unsigned int domid = record_u32(r);
	struct conn *c = domid < RECORD_SOCKETS ? domain_conn(domid)
						: conn_find_noted(domid);
	int ret;

	/* What it did last, when it is gone, is no matter. */
	if (!c || c->parked)
		return 0;
	ret = whole(r, types[type].on(r, c));
	if (!ret || ret == -ENOMEM || domid >= RECORD_SOCKETS)
		return ret;
	log_err("dom%u: the journal contradicts itself; its store connection "
		"is stopped",
		domid);
	conn_restore_parked(c);
	return 0;
}

static int apply(const void *record, size_t len)
{
	struct record r = { .at = record, .left = len };
	uint8_t type = record_u8(&r);

	if (type < ARRAY_SIZE(types) && types[type].on)
		return apply_on(type, &r);
	if (type < ARRAY_SIZE(types) && types[type].apply)
		return whole(&r, types[type].apply(&r));
	return -EPROTO;
}

/*
 * What was dropped, and for whom that matters.
 *
 * SYSCALLS, at times: link
 */
static void tell(const char *path, const struct ledger_found *f)
{
	char aside[PATH_MAX];

	if (!f->dropped)
		return;
	if (f->torn) {
		log_info("journal %s: its last %llu bytes, from %llu on, are a "
			 "part of a change of which nobody was told; dropped",
			 path, (unsigned long long)f->dropped,
			 (unsigned long long)f->bytes);
		return;
	}
	snprintf(aside, sizeof(aside), "%s.damaged", path);
	log_err("journal %s: damaged at byte %llu; all changes in the last "
		"%llu bytes are dropped, the %llu before are whole; it is kept "
		"as %s",
		path, (unsigned long long)f->bytes,
		(unsigned long long)f->dropped, (unsigned long long)f->frames,
		aside);
	/* Its place is taken by a new one later, not before that is whole. */
	if ((unlink(aside) && errno != ENOENT) || link(path, aside))
		log_warn("%s: %s", aside, strerror(errno));
}

static int load(const char *path, struct ledger_found *found)
{
	int ret;

	watch_quiet = true;
	ret = ledger_load(path, apply, found);
	watch_quiet = false;
	return ret == -ENOENT ? 0 : ret ? ret : 1;
}

int state_try(const char *path)
{
	struct ledger_found found;

	return load(path, &found);
}

int state_take(int fd, int first)
{
	struct ledger_found found;
	int ret;

	next_socket = first;
	ret = ledger_read(fd, apply, &found);
	if (!ret && found.dropped)
		ret = -EPROTO;
	return ret;
}

int state_load(const char *path)
{
	struct ledger_found found;
	int ret = load(path, &found);

	if (ret > 0)
		tell(path, &found);
	return ret;
}

void state_join(const char *path)
{
	unsigned int n = domain_rejoin_all();
	struct walk w;

	if (walk_init(&w, tree_get(dispatch_live(), "/")))
		return;
	log_info("journal %s: %zu nodes, %u domains", path, w.n, n);
	walk_fini(&w);
}

/* ---- Into it ----------------------------------------------------------- */

static void dump_node(const char *path)
{
	const struct node *n = tree_get(dispatch_live(), path);

	record_node(path, n->perms, n->value);
}

/* Nodes are added little by little, as they are now. */
static struct {
	struct tree tree;
	struct walk walk;
	size_t at;
} dumped;

static void dump_begin(void)
{
	for (unsigned int domid = 0; domid < DOMID_LIMIT; domid++)
		if (perm_life(domid))
			record_life(domid, perm_life(domid));
	accounts_record();
	dump_node(PATH_INTRODUCE);
	dump_node(PATH_RELEASE);
	domain_record_all();
	tree_share(&dumped.tree, dispatch_live());
	dumped.at = 0;
	if (walk_begin(&dumped.walk, tree_get(&dumped.tree, "/")))
		ledger_fail(-ENOMEM);
}

static bool dump_more(void)
{
	const struct walk *w = &dumped.walk;
	char path[PATH_BUF];
	size_t done = 0;

	for (; dumped.at < w->n && done < LEDGER_SLICE; dumped.at++) {
		const struct node *n = w->v[dumped.at].node;
		int len = walk_path(w, dumped.at, "/", path);

		if (walk_below(&dumped.walk, dumped.at)) {
			ledger_fail(-ENOMEM);
			return false;
		}
		if (len < 0)
			continue;
		record_node(path, n->perms, n->value);
		done += (size_t)len + (n->value ? n->value->len : 0);
	}
	return dumped.at < w->n;
}

static void dump_end(void)
{
	walk_fini(&dumped.walk);
	tree_fini(&dumped.tree);
}

void state_keep(const char *path)
{
	static const struct ledger_dump dump = { dump_begin, dump_more,
						 dump_end };

	ledger_start(path, &dump);
}
