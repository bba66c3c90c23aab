// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/node.c - the persistent tree of nodes.
#include "xenstore-lite/node.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xenstore-lite/hash.h"
#include "xenstore-lite/path.h"

/*
 * gcc 12's analyzer understands neither reference counts nor that nkids is the
 * number of kids; ASan sees every one of these paths in test_node.c.
 */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#pragma GCC diagnostic ignored "-Wanalyzer-null-dereference"
#pragma GCC diagnostic ignored "-Wanalyzer-null-argument"
#endif

#define FAN_BITS 2
_Static_assert(NODE_FAN == 1 << FAN_BITS, "one place for each bit pattern");

/*
 * Names one change in the whole store; never 0, never used twice, nor by a store
 * that follows this one: it begins with the time, and none makes a change each ns.
 */
static uint64_t last_gen;

static uint64_t name_hash(const char *name, size_t len)
{
	return hash_bytes(name, len, 1);
}

/* Which way from a sibling at depth @d; bits come round again if need be. */
static unsigned int turn(uint64_t hash, unsigned int d)
{
	return (unsigned int)(hash >> (d * FAN_BITS % 64)) & (NODE_FAN - 1);
}

struct value *value_new(const void *data, size_t len)
{
	struct value *v;

	if (!len)
		return NULL;
	v = malloc(sizeof(*v) + len);
	if (!v)
		return NULL;
	v->refs = 1;
	v->len = (uint32_t)len;
	memcpy(v->data, data, len);
	return v;
}

void value_put(struct value *v)
{
	if (v && --v->refs == 0)
		free(v);
}

/* ---- Nodes ------------------------------------------------------------- */

static struct node *node_new(const char *name, size_t len, struct perms *perms)
{
	struct node *n = malloc(sizeof(*n) + len);

	if (!n)
		return NULL;
	last_gen++;
	*n = (struct node){ .refs = 1,
			    .hash = name_hash(name, len),
			    .perms = perm_get(perms),
			    .gen = last_gen,
			    .kgen = last_gen,
			    .seq = last_gen,
			    .name_len = (uint16_t)len };
	memcpy(n->name, name, len);
	return n;
}

static struct node *node_copy(const struct node *from)
{
	size_t size = sizeof(*from) + from->name_len;
	struct node *n = malloc(size);

	if (!n)
		return NULL;
	memcpy(n, from, size);
	n->refs = 1;
	perm_get(n->perms);
	if (n->value)
		n->value->refs++;
	if (n->kids)
		n->kids->refs++;
	for (int i = 0; i < NODE_FAN; i++)
		if (n->sib[i])
			n->sib[i]->refs++;
	return n;
}

/* Drop a reference; nodes that die queue up in @dead through their kids. */
static void drop(struct node *n, struct node **dead)
{
	if (!n || --n->refs)
		return;
	/* sib[0] is still needed: let the list run through perms instead. */
	perm_put(n->perms);
	n->perms = (struct perms *)(void *)*dead;
	*dead = n;
}

void node_put(struct node *n)
{
	struct node *dead = NULL;

	drop(n, &dead);
	while (dead) {
		n = dead;
		dead = (struct node *)(void *)n->perms;
		drop(n->kids, &dead);
		for (int i = 0; i < NODE_FAN; i++)
			drop(n->sib[i], &dead);
		value_put(n->value);
		free(n);
	}
}

/* Make the node at @slot ours alone, so that it may be changed in place. */
static int own(struct node **slot)
{
	struct node *n;

	assert(*slot);
	if ((*slot)->refs == 1)
		return 0;
	n = node_copy(*slot);
	if (!n)
		return -ENOMEM;
	(*slot)->refs--;
	*slot = n;
	return 0;
}

static bool is_named(const struct node *n, uint64_t hash, const char *name,
		     size_t len)
{
	return n->hash == hash && n->name_len == len &&
	       !memcmp(n->name, name, len);
}

static struct node *child(const struct node *n, const char *name, size_t len)
{
	uint64_t hash = name_hash(name, len);
	struct node *c = n->kids;

	for (unsigned int d = 0; c && !is_named(c, hash, name, len); d++)
		c = c->sib[turn(hash, d)];
	return c;
}

/*
 * Find the slot of a child below an owned node, owning all siblings on the
 * way; the slot holds NULL if there is no such child.
 */
static int child_slot(struct node *n, uint64_t hash, const char *name,
		      size_t len, struct node ***out)
{
	struct node **slot = &n->kids;
	int ret;

	for (unsigned int d = 0; *slot; d++) {
		ret = own(slot);
		if (ret)
			return ret;
		if (is_named(*slot, hash, name, len))
			break;
		slot = &(*slot)->sib[turn(hash, d)];
	}
	*out = slot;
	return 0;
}

/*
 * Own a chain of siblings from @slot down to one without siblings below it.
 * Return its slot: it may take any place on the way to where it is.
 */
static int leaf_slot(struct node **slot, struct node ***out)
{
	int ret = own(slot);
	int i = 0;

	while (!ret && i < NODE_FAN) {
		if ((*slot)->sib[i]) {
			slot = &(*slot)->sib[i];
			ret = own(slot);
			i = 0;
		} else {
			i++;
		}
	}
	*out = slot;
	return ret;
}

/* ---- Trees ------------------------------------------------------------- */

/* Hang @c below the owned node @n; @slot comes from child_slot(). */
static void hang(struct node *n, struct node **slot, struct node *c)
{
	*slot = c;
	n->nkids++;
	n->kids_len += c->name_len + 1u;
	n->kgen = ++last_gen;
}

static int init_child(struct tree *t, const char *name, struct perms *perms)
{
	size_t len = strlen(name);
	struct node *n = node_new(name, len, perms);
	struct node **slot;

	if (!n)
		return -ENOMEM;
	if (child_slot(t->top, n->hash, name, len, &slot)) {
		node_put(n);
		return -ENOMEM;
	}
	hang(t->top, slot, n);
	return 0;
}

int tree_init(struct tree *t)
{
	static const char everybody[] = "n0\0r32757"; /* DOMID_EVERY */
	struct perms *priv = perm_default(0);
	struct perms *all = NULL;
	int ret = -ENOMEM;

	t->top = NULL;
	last_gen = MAX(last_gen, util_clock_ns());
	if (!priv)
		return ret;
	ret = perm_parse(&all, everybody, sizeof(everybody));
	if (ret)
		goto put;
	ret = -ENOMEM;
	t->top = node_new("", 0, priv);
	if (!t->top || init_child(t, "/", priv) ||
	    init_child(t, PATH_INTRODUCE, priv) ||
	    init_child(t, PATH_RELEASE, all))
		tree_fini(t);
	else
		ret = 0;
put:
	perm_put(priv);
	perm_put(all);
	return ret;
}

void tree_share(struct tree *to, const struct tree *from)
{
	to->top = from->top;
	to->top->refs++;
}

void tree_fini(struct tree *t)
{
	if (t->top)
		node_put(t->top);
	t->top = NULL;
}

struct place tree_find(const struct tree *t, const char *path)
{
	struct place p = { .node = t->top };
	const char *at = path;
	const char *name;
	size_t len;

	while (path_step(&at, &name, &len)) {
		const struct node *n = p.node;

		if (n)
			p.node = child(n, name, len);
		if (!p.node) {
			p.missing++;
			continue;
		}
		p.nearest = p.node;
		p.nearest_len = (size_t)(name - path) + len;
	}
	return p;
}

const struct node *tree_get(const struct tree *t, const char *path)
{
	return tree_find(t, path).node;
}

/*
 * Own everything from the top to the node that has @len bytes of @path.
 * @parent: Its parent, or NULL if nobody asks.
 */
static int tree_own(struct tree *t, const char *path, size_t len,
		    struct node ***out, struct node **parent)
{
	struct node **slot = &t->top;
	const char *at = path;
	const char *name;
	size_t n;
	int ret = own(slot);

	while (!ret && at < path + len && path_step(&at, &name, &n)) {
		struct node *above = *slot;

		ret = child_slot(above, name_hash(name, n), name, n, &slot);
		if (!ret && !*slot)
			ret = -ENOENT;
		if (parent)
			*parent = above;
	}
	*out = slot;
	return ret;
}

int tree_set(struct tree *t, const char *path, struct value *v)
{
	struct node **slot;
	int ret = tree_own(t, path, strlen(path), &slot, NULL);

	if (ret)
		return ret;
	value_put((*slot)->value);
	(*slot)->value = v;
	(*slot)->gen = ++last_gen;
	return 0;
}

int tree_chmod(struct tree *t, const char *path, struct perms *p)
{
	struct node **slot;
	int ret = tree_own(t, path, strlen(path), &slot, NULL);

	if (ret)
		return ret;
	perm_put((*slot)->perms);
	(*slot)->perms = p;
	(*slot)->gen = ++last_gen;
	return 0;
}

/* Build nodes for the components in @rest, each the only child of the last. */
static int chain(const char *rest, struct perms *perms, struct node **first,
		 struct node **last)
{
	const char *name;
	size_t len;

	*first = *last = NULL;
	while (path_step(&rest, &name, &len)) {
		struct node *n = node_new(name, len, perms);

		if (!n) {
			node_put(*first);
			return -ENOMEM;
		}
		if (*last)
			hang(*last, &(*last)->kids, n);
		else
			*first = n;
		*last = n;
	}
	return 0;
}

int tree_create(struct tree *t, const char *path, struct perms *perms,
		struct value *v)
{
	struct place p = tree_find(t, path);
	const char *rest = path + p.nearest_len;
	struct node *first, *last, **slot, *above;
	int ret;

	if (p.node)
		return -EEXIST;
	if (*rest == '/')
		rest++;
	ret = chain(rest, perms, &first, &last);
	if (ret)
		return ret;
	assert(first && last);
	ret = tree_own(t, path, p.nearest_len, &slot, NULL);
	if (ret)
		goto put;
	above = *slot;
	ret = child_slot(above, first->hash, first->name, first->name_len,
			 &slot);
	if (ret)
		goto put;
	hang(above, slot, first);
	last->value = v;
	return 0;
put:
	node_put(first);
	return ret;
}

int tree_cut(struct tree *t, const char *path, struct node **out)
{
	size_t len = strlen(path);
	struct node **slot, **leaf, *parent = NULL, *n, *stand_in;
	int ret;

	if (!path_parent_len(path, len))
		return -EINVAL;
	ret = tree_own(t, path, len, &slot, &parent);
	if (ret)
		return ret;
	ret = leaf_slot(slot, &leaf);
	if (ret)
		return ret;
	n = *slot;
	stand_in = *leaf;
	*leaf = NULL; /* if @n is the leaf, this empties its slot too */
	if (stand_in != n) {
		memcpy(stand_in->sib, n->sib, sizeof(n->sib));
		*slot = stand_in;
	}
	memset(n->sib, 0, sizeof(n->sib));
	assert(parent);
	parent->nkids--;
	parent->kids_len -= n->name_len + 1u;
	parent->kgen = ++last_gen;
	*out = n;
	return 0;
}

/* ---- Lists ------------------------------------------------------------- */

static int by_seq(const void *a, const void *b)
{
	const struct node *x = *(const struct node *const *)a;
	const struct node *y = *(const struct node *const *)b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

void node_children(const struct node *n, const struct node **out)
{
	size_t got = 0;

	if (n->kids)
		out[got++] = n->kids;
	/* The list is its own queue of siblings still to be looked below. */
	for (size_t i = 0; i < got; i++)
		for (int k = 0; k < NODE_FAN; k++)
			if (out[i]->sib[k])
				out[got++] = out[i]->sib[k];
	qsort(out, got, sizeof(struct node *), by_seq);
}

int walk_begin(struct walk *w, const struct node *top)
{
	w->n = 0;
	w->room = 1 + top->nkids;
	w->v = malloc(w->room * sizeof(*w->v));
	if (!w->v)
		return -ENOMEM;
	w->v[w->n++] = (struct walk_item){ top, 0 };
	return 0;
}

int walk_below(struct walk *w, size_t item)
{
	const struct node *n = w->v[item].node;
	const struct node **kids;
	void *p;

	if (!n->nkids)
		return 0;
	if (w->n + n->nkids > w->room) {
		size_t room = (w->n + n->nkids) * 2;

		p = realloc(w->v, room * sizeof(*w->v));
		if (!p)
			return -ENOMEM;
		w->v = p;
		w->room = room;
	}
	kids = malloc(n->nkids * sizeof(struct node *));
	if (!kids)
		return -ENOMEM;
	node_children(n, kids);
	for (uint32_t k = 0; k < n->nkids; k++)
		w->v[w->n++] = (struct walk_item){ kids[k], item };
	free(kids);
	return 0;
}

int walk_init(struct walk *w, const struct node *top)
{
	int ret = walk_begin(w, top);

	for (size_t i = 0; !ret && i < w->n; i++)
		ret = walk_below(w, i);
	if (ret)
		walk_fini(w);
	return ret;
}

void walk_fini(struct walk *w)
{
	free(w->v);
	*w = (struct walk){ 0 };
}

int walk_path(const struct walk *w, size_t item, const char *top, char *buf)
{
	size_t len = strlen(top) == 1 ? 0 : strlen(top); /* "/" + "/a" */
	size_t at;
	size_t i;

	if (!item) {
		memcpy(buf, top, strlen(top) + 1);
		return (int)strlen(top);
	}
	for (i = item; i; i = w->v[i].parent)
		len += 1u + w->v[i].node->name_len;
	if (len >= PATH_BUF)
		return -ENAMETOOLONG;
	at = len;
	buf[at] = '\0';
	for (i = item; i; i = w->v[i].parent) {
		at -= w->v[i].node->name_len;
		memcpy(buf + at, w->v[i].node->name, w->v[i].node->name_len);
		buf[--at] = '/';
	}
	memcpy(buf, top, at);
	return (int)len;
}
