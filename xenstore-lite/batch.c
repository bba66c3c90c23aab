// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/batch.c - changes to a tree, with all that follows from them.
#include "xenstore-lite/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xenstore-lite/ledger.h"
#include "xenstore-lite/path.h"
#include "xenstore-lite/quota.h"
#include "xenstore-lite/record.h"
#include "xenstore-lite/watch.h"

void batch_init(struct batch *b, struct tree *t)
{
	b->tree = t;
	TAILQ_INIT(&b->changes);
}

static void change_free(struct change *c)
{
	owned_free(c->charge);
	perm_put(c->perms);
	perm_put(c->old);
	if (c->gone)
		node_put(c->gone);
	walk_fini(&c->walk);
	free(c);
}

void batch_drop(struct batch *b)
{
	struct change *c;

	while ((c = TAILQ_FIRST(&b->changes))) {
		TAILQ_REMOVE(&b->changes, c, entry);
		change_free(c);
	}
}

/* Forget the changes after @last (all, if NULL): they did not happen. */
static void drop_after(struct batch *b, struct change *last)
{
	struct change *c;

	while ((c = TAILQ_LAST(&b->changes, change_list)) != last) {
		TAILQ_REMOVE(&b->changes, c, entry);
		change_free(c);
	}
}

static struct change *change_new(struct batch *b, enum change_kind kind,
				 const char *path, size_t len)
{
	struct change *c = calloc(1, sizeof(*c) + len + 1);

	if (!c)
		return NULL;
	c->kind = kind;
	c->fire = true;
	c->len = len;
	memcpy(c->path, path, len);
	TAILQ_INSERT_TAIL(&b->changes, c, entry);
	return c;
}

/* The special nodes count against nobody: they are there in any case. */
static int set_charge(struct change *c, const struct perms *p)
{
	unsigned int owner = perm_owner(p);

	if (!owner || path_is_special(c->path))
		return 0;
	c->charge = owned_new(owner, c->path);
	return c->charge ? 0 : -ENOMEM;
}

/* Note the creation of every node of @path that is not in the tree yet. */
static int note_created(struct batch *b, const char *path, struct perms *perms,
			size_t value_len, bool fire)
{
	struct place p = tree_find(b->tree, path);
	size_t total = strlen(path);
	size_t end = p.nearest_len;

	while (end < total) {
		struct change *c;

		end += path[end] == '/';
		end += strcspn(path + end, "/");
		c = change_new(b, CHANGE_CREATED, path, end);
		if (!c)
			return -ENOMEM;
		c->perms = perm_get(perms);
		c->fire = fire && end == total;
		c->value_len = end == total ? value_len : 0;
		if (set_charge(c, perms))
			return -ENOMEM;
	}
	return 0;
}

static int note_value(struct batch *b, const char *path, struct perms *perms,
		      size_t value_len)
{
	struct change *c = change_new(b, CHANGE_VALUE, path, strlen(path));

	if (!c)
		return -ENOMEM;
	c->perms = perm_get(perms);
	c->value_len = value_len;
	return 0;
}

int batch_put(struct batch *b, const char *path, struct perms *perms,
	      struct value *v, bool fire)
{
	struct change *last = TAILQ_LAST(&b->changes, change_list);
	const struct node *n = tree_get(b->tree, path);
	size_t len = v ? v->len : 0;
	int ret;

	if (n) {
		ret = note_value(b, path, n->perms, len);
		if (!ret)
			ret = tree_set(b->tree, path, v);
	} else {
		ret = note_created(b, path, perms, len, fire);
		if (!ret)
			ret = tree_create(b->tree, path, perms, v);
	}
	if (ret) {
		drop_after(b, last);
		value_put(v);
	}
	return ret;
}

int batch_chmod(struct batch *b, const char *path, struct perms *perms)
{
	struct change *last = TAILQ_LAST(&b->changes, change_list);
	const struct node *n = tree_get(b->tree, path);
	struct change *c;
	int ret;

	if (!n)
		return -ENOENT;
	c = change_new(b, CHANGE_PERMS, path, strlen(path));
	if (!c)
		return -ENOMEM;
	c->old = perm_get(n->perms);
	c->perms = perm_get(perms);
	c->value_len = n->value ? n->value->len : 0;
	ret = set_charge(c, perms);
	if (!ret)
		ret = tree_chmod(b->tree, path, perm_get(perms));
	else
		perm_get(perms);
	if (ret) {
		perm_put(perms);
		drop_after(b, last);
	}
	return ret;
}

int batch_rm(struct batch *b, const char *path)
{
	struct change *last = TAILQ_LAST(&b->changes, change_list);
	const struct node *n = tree_get(b->tree, path);
	struct change *c;
	int ret;

	if (!n)
		return -ENOENT;
	c = change_new(b, CHANGE_REMOVED, path, strlen(path));
	if (!c)
		return -ENOMEM;
	ret = walk_init(&c->walk, n);
	if (!ret)
		ret = tree_cut(b->tree, path, &c->gone);
	if (ret)
		drop_after(b, last);
	else
		c->walk.v[0].node = c->gone; /* may be a copy of @n */
	return ret;
}

/* Nodes of @domid in a subtree that left the tree. */
static long count_owned(const struct walk *w, unsigned int domid)
{
	long n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += perm_owner(w->v[i].node->perms) == domid;
	return n;
}

long batch_growth(const struct batch *b, unsigned int domid)
{
	const struct change *c;
	long n = 0;

	for (c = TAILQ_FIRST(&b->changes); c; c = TAILQ_NEXT(c, entry)) {
		if (c->kind == CHANGE_REMOVED)
			n -= count_owned(&c->walk, domid);
		else if (c->kind != CHANGE_VALUE)
			n += perm_owner(c->perms) == domid;
		if (c->kind == CHANGE_PERMS)
			n -= perm_owner(c->old) == domid;
	}
	return n;
}

/* ---- Consequences ------------------------------------------------------ */

static void discharge(const struct perms *perms, const char *path)
{
	struct owned *o = NULL;

	if (perm_owner(perms))
		o = owned_find(perm_owner(perms), path);
	if (o)
		owned_discharge(o);
}

/*
 * A removed subtree: its root is announced like any change, what was below it
 * only to those who watch exactly that.
 */
static void publish_removed(const struct batch *b, const struct change *c)
{
	const struct walk *w = &c->walk;
	char path[PATH_BUF];

	for (size_t i = 0; i < w->n; i++) {
		struct watch_cause cause = { .path = path,
					     .exact = i > 0,
					     .perms = w->v[i].node->perms,
					     .tree = b->tree };

		if (walk_path(w, i, c->path, path) < 0)
			continue;
		if (i)
			cause.parent = w->v[w->v[i].parent].node->perms;
		discharge(cause.perms, path);
		watch_fire(&cause);
	}
}

static void publish_one(const struct batch *b, struct change *c)
{
	struct watch_cause cause = { .path = c->path,
				     .perms = c->perms,
				     .old = c->old,
				     .tree = b->tree };
	struct owned *o;

	if (c->kind == CHANGE_PERMS)
		discharge(c->old, c->path);
	if (c->charge)
		owned_charge(c->charge, c->value_len);
	c->charge = NULL;
	if (c->kind == CHANGE_VALUE && perm_owner(c->perms)) {
		o = owned_find(perm_owner(c->perms), c->path);
		if (o)
			owned_resize(o, c->value_len);
	}
	if (c->fire)
		watch_fire(&cause);
}

/*
 * A node that changed more than once, in a transaction, is noted in its last state
 * each time: between the first and the last nobody looks.
 */
static void note(const struct batch *b, const struct change *c)
{
	const struct node *n;

	if (!ledger_on())
		return;
	if (c->kind == CHANGE_REMOVED) {
		record_rm(c->path);
		return;
	}
	n = tree_get(b->tree, c->path);
	if (n)
		record_node(c->path, n->perms, n->value);
}

void batch_publish(struct batch *b)
{
	struct change *c;

	for (c = TAILQ_FIRST(&b->changes); c; c = TAILQ_NEXT(c, entry)) {
		note(b, c);
		if (c->kind == CHANGE_REMOVED)
			publish_removed(b, c);
		else
			publish_one(b, c);
	}
	batch_drop(b);
}
