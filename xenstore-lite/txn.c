// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/txn.c - transactions: an old root and what was touched.
#include "xenstore-lite/txn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xenstore-lite/conn.h"
#include "xenstore-lite/path.h"
#include "xenstore-lite/quota.h"
#include "xenstore-lite/record.h"

static struct htab txns; /* all, by connection and id */

static uint64_t txn_hash(const struct conn *c, uint32_t id)
{
	return hash_bytes(&id, sizeof(id), c->serial);
}

size_t txn_count(void)
{
	return txns.n;
}

struct txn *txn_find(struct conn *c, uint32_t id)
{
	struct hlink *l = htab_first(&txns, txn_hash(c, id));

	for (; l; l = htab_next(l)) {
		struct txn *t = container_of(l, struct txn, link);

		if (t->conn == c && t->id == id)
			return t;
	}
	return NULL;
}

int txn_start(struct conn *c, const struct tree *live, struct txn **out)
{
	struct txn *t = calloc(1, sizeof(*t));

	if (!t || htab_reserve(&txns)) {
		free(t);
		return -ENOMEM;
	}
	do
		t->id = ++c->last_txn;
	while (!t->id || txn_find(c, t->id));
	t->conn = c;
	tree_share(&t->base, live);
	tree_share(&t->tree, live);
	TAILQ_INIT(&t->entries);
	htab_add(&txns, &t->link, txn_hash(c, t->id));
	TAILQ_INSERT_TAIL(&c->txns, t, entry);
	c->account->transactions++;
	if (c->noted)
		record_txn(c->noted, t->id);
	*out = t;
	return 0;
}

int txn_restore(struct conn *c, const struct tree *live, uint32_t id)
{
	struct txn *t;
	int ret;

	c->last_txn = id - 1;
	ret = txn_start(c, live, &t);
	if (!ret)
		t->error = -EAGAIN;
	return ret;
}

void txn_free(struct txn *t)
{
	struct txn_entry *e, *next;

	if (t->conn->noted)
		record_txn_end(t->conn->noted, t->id);
	for (e = TAILQ_FIRST(&t->entries); e; e = next) {
		next = TAILQ_NEXT(e, entry);
		free(e);
	}
	htab_fini(&t->paths);
	tree_fini(&t->base);
	tree_fini(&t->tree);
	htab_del(&txns, &t->link);
	TAILQ_REMOVE(&t->conn->txns, t, entry);
	t->conn->account->transactions--;
	t->conn->account->memory -= t->memory;
	free(t);
}

void txn_free_all(struct conn *c)
{
	struct txn *t, *next;

	for (t = TAILQ_FIRST(&c->txns); t; t = next) {
		next = TAILQ_NEXT(t, entry);
		txn_free(t);
	}
}

static struct txn_entry *entry_find(const struct txn *t, const char *path,
				    size_t len, uint64_t hash)
{
	struct hlink *l = htab_first(&t->paths, hash);

	for (; l; l = htab_next(l)) {
		struct txn_entry *e = container_of(l, struct txn_entry, link);

		if (e->len == len && !memcmp(e->path, path, len))
			return e;
	}
	return NULL;
}

/* What a transaction keeps counts as its client's, until it ends. */
static int charge(struct txn *t, size_t bytes)
{
	struct account *a = t->conn->account;

	if (!t->conn->who.privileged &&
	    account_over(a, QUOTA_MEMORY, a->memory, bytes))
		return -ENOSPC;
	a->memory += bytes;
	t->memory += bytes;
	return 0;
}

static int entry_new(struct txn *t, const char *path, size_t len, uint64_t hash,
		     struct txn_entry **out)
{
	struct txn_entry *e;
	int ret;

	if (!t->conn->who.privileged &&
	    account_over(t->conn->account, QUOTA_TXN_NODES, t->nentries, 1))
		return -ENOSPC;
	ret = charge(t, sizeof(*e) + len + 1);
	if (ret)
		return ret;
	if (htab_reserve(&t->paths))
		return -ENOMEM;
	e = calloc(1, sizeof(*e) + len + 1);
	if (!e)
		return -ENOMEM;
	e->len = len;
	memcpy(e->path, path, len);
	htab_add(&t->paths, &e->link, hash);
	TAILQ_INSERT_TAIL(&t->entries, e, entry);
	t->nentries++;
	*out = e;
	return 0;
}

int txn_touch(struct txn *t, const char *path, unsigned int flags)
{
	size_t len = strlen(path);
	uint64_t hash = hash_bytes(path, len, 4);
	struct txn_entry *e = entry_find(t, path, len, hash);
	int ret;

	if (!e) {
		ret = entry_new(t, path, len, hash, &e);
		if (ret) {
			t->error = ret;
			return ret;
		}
	} else if (flags & (TXN_GONE | TXN_VALUE)) {
		/*
		 * Replay order: what is made anew must follow what was removed
		 * and precede what is then made below it.
		 */
		TAILQ_REMOVE(&t->entries, e, entry);
		TAILQ_INSERT_TAIL(&t->entries, e, entry);
	}
	e->flags |= flags;
	return 0;
}

static int touch_parent(struct txn *t, const char *path, size_t len)
{
	char parent[PATH_BUF];
	size_t n = path_parent_len(path, len);

	if (!n)
		return 0;
	memcpy(parent, path, n);
	parent[n] = '\0';
	return txn_touch(t, parent, TXN_EXIST);
}

static int absorb_one(struct txn *t, const struct change *c)
{
	unsigned int flags = TXN_EXIST | (c->fire ? TXN_FIRE : 0);
	int ret = charge(t, sizeof(struct node) + c->len + c->value_len);

	if (ret) {
		t->error = ret;
		return ret;
	}
	switch (c->kind) {
	case CHANGE_CREATED:
		ret = touch_parent(t, c->path, c->len);
		flags |= TXN_VALUE | TXN_PERMS;
		break;
	case CHANGE_VALUE:
		flags |= TXN_VALUE;
		break;
	case CHANGE_PERMS:
		flags |= TXN_PERMS;
		break;
	case CHANGE_REMOVED:
		flags |= TXN_GONE;
		break;
	}
	return ret ? ret : txn_touch(t, c->path, flags);
}

int txn_absorb(struct txn *t, struct batch *b)
{
	unsigned int domid = t->conn->who.domid;
	const struct change *c;
	int ret = 0;

	if (!t->conn->who.privileged)
		t->growth += batch_growth(b, domid);
	for (c = TAILQ_FIRST(&b->changes); c; c = TAILQ_NEXT(c, entry)) {
		ret = absorb_one(t, c);
		if (ret)
			break;
	}
	batch_drop(b);
	return ret;
}

/* ---- Commit ------------------------------------------------------------ */

/* What the transaction relied on at one path still holds. */
static bool still_true(const struct txn *t, const struct tree *live,
		       const struct txn_entry *e)
{
	const struct node *was = tree_get(&t->base, e->path);
	const struct node *is = tree_get(live, e->path);

	if (was == is)
		return true;
	if (!was || !is)
		return false;
	if (e->flags & TXN_READ && was->gen != is->gen)
		return false;
	if (e->flags & TXN_LIST && was->kgen != is->kgen)
		return false;
	return !(e->flags & TXN_EXIST) || perm_equal(was->perms, is->perms);
}

/* Give one node of the new tree the state that it has in the transaction. */
static int replay_one(struct txn *t, struct batch *b, const struct txn_entry *e)
{
	const struct node *want = tree_get(&t->tree, e->path);
	int ret = 0;

	if (e->flags & TXN_GONE && tree_get(b->tree, e->path))
		ret = batch_rm(b, e->path);
	if (ret || !want || !(e->flags & (TXN_VALUE | TXN_PERMS)))
		return ret;
	/* Its domain died since: a new try will see that. */
	if (!perm_owner_alive(want->perms))
		return -EAGAIN;
	if (e->flags & TXN_VALUE) {
		if (want->value)
			want->value->refs++;
		ret = batch_put(b, e->path, want->perms, want->value,
				e->flags & TXN_FIRE);
	}
	if (!ret && e->flags & TXN_PERMS &&
	    !perm_equal(tree_get(b->tree, e->path)->perms, want->perms))
		ret = batch_chmod(b, e->path, want->perms);
	return ret;
}

static int check_growth(const struct txn *t, const struct batch *b)
{
	struct account *a = t->conn->account;
	long growth;

	if (t->conn->who.privileged)
		return 0;
	growth = batch_growth(b, a->domid);
	if (growth > 0 &&
	    account_over(a, QUOTA_NODES, a->owned.n, (uint64_t)growth))
		return -ENOSPC;
	return 0;
}

int txn_commit(struct txn *t, struct tree *live)
{
	const struct txn_entry *e;
	struct tree next;
	struct batch b;
	int ret = t->error;

	/* Nothing at all happened meanwhile: no need to look. */
	if (live->top != t->base.top) {
		for (e = TAILQ_FIRST(&t->entries); e; e = TAILQ_NEXT(e, entry))
			if (!still_true(t, live, e))
				return -EAGAIN;
	}
	if (ret)
		return ret;
	tree_share(&next, live);
	batch_init(&b, &next);
	for (e = TAILQ_FIRST(&t->entries); e; e = TAILQ_NEXT(e, entry)) {
		ret = replay_one(t, &b, e);
		if (ret)
			goto drop;
	}
	ret = check_growth(t, &b);
	if (ret)
		goto drop;
	tree_fini(live);
	*live = next;
	b.tree = live;
	batch_publish(&b);
	return 0;
drop:
	batch_drop(&b);
	tree_fini(&next);
	return ret;
}
