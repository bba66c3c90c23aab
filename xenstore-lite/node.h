/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/node.h - the persistent tree of nodes. */
#ifndef XENSTORE_LITE_NODE_H
#define XENSTORE_LITE_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "xenstore-lite/perm.h"

/*
 * How it works
 *
 * A tree is a reference to its top node.  Whoever takes another reference
 * (tree_share()) has a snapshot: a node with more than one reference is never
 * changed.  A change walks from the top and replaces each shared node on its
 * way by a copy that shares everything else; a node with one reference, on a
 * way of such nodes, is changed in place.  So a snapshot costs nothing, the
 * first change after it costs the length of the path, later ones even less.
 *
 * The children of a node form a digital search tree over the hash of their
 * names: a child sits where its hash bits lead, at the first free place.  There
 * is no balancing; depth is the logarithm of their number because the hash is
 * secret.  Clients see children in order of creation (seq).
 *
 * The invisible top has three children: "/", "@introduceDomain" and
 * "@releaseDomain".  Nothing here recurses: depth belongs to guests.
 */

/** struct value - Contents of a node, immutable; NULL stands for empty. */
struct value {
	uint32_t refs;
	uint32_t len;
	uint8_t data[];
};

#define NODE_FAN 4 /* places below a child in its siblings' tree */

/**
 * struct node - One node; read-only outside node.c.
 * @refs:     Trees and nodes that point here.
 * @nkids:    Number of children.
 * @hash:     Of the name; decides the place among the siblings.
 * @sib:      Siblings placed below this one.
 * @kids:     Root of the children's search tree.
 * @gen:      Changes with value and permissions; unique in the whole store.
 * @kgen:     Changes with the list of children; unique in the whole store.
 * @seq:      Order of creation among siblings.
 * @kids_len: Bytes of all children's names with NULs, as DIRECTORY sends them.
 */
struct node {
	uint32_t refs;
	uint32_t nkids;
	uint64_t hash;
	struct node *sib[NODE_FAN];
	struct node *kids;
	struct perms *perms;
	struct value *value;
	uint64_t gen, kgen, seq;
	uint32_t kids_len;
	uint16_t name_len;
	char name[];
};

struct tree {
	struct node *top;
};

/** tree_init() - A tree with "/" and the special nodes, all owned by dom0. */
int tree_init(struct tree *t) must_check;

/** tree_share() - Make @to a snapshot of @from, in constant time. */
void tree_share(struct tree *to, const struct tree *from);

/** tree_fini() - Drop the reference; frees what nobody else has. */
void tree_fini(struct tree *t);

/**
 * struct place - Result of tree_find().
 * @node:    The node, or NULL; borrowed until the tree changes.
 * @nearest: The node itself or its nearest existing ancestor.
 * @nearest_len: Length of that one's path.
 * @missing: Nodes that would have to be made: 0 if @node is there.
 */
struct place {
	const struct node *node;
	const struct node *nearest;
	size_t nearest_len;
	unsigned int missing;
};

/** tree_find() - Look for a canonical path. */
struct place tree_find(const struct tree *t, const char *path);

/** tree_get() - The node at @path or NULL; borrowed until the tree changes. */
const struct node *tree_get(const struct tree *t, const char *path);

/**
 * tree_set() - Give an existing node another value.
 * @v: *Given* on success, NULL for empty.
 *
 * Return: 0, -ENOENT or -ENOMEM (the tree looks as before).
 */
int tree_set(struct tree *t, const char *path, struct value *v) must_check;

/** tree_chmod() - Give an existing node other permissions; @p as in tree_set. */
int tree_chmod(struct tree *t, const char *path, struct perms *p) must_check;

/**
 * tree_create() - Make a node and its missing ancestors, all or none.
 * @perms: For every new node; borrowed.
 * @v:     For the last one; *given* on success.
 *
 * Return: 0, -EEXIST, or -ENOMEM (the tree looks as before).
 */
int tree_create(struct tree *t, const char *path, struct perms *perms,
		struct value *v) must_check;

/**
 * tree_cut() - Take a node with everything below it out of the tree.
 * @out: The node, *owned* by the caller.
 *
 * Return: 0, -ENOENT, -EINVAL for "/" and special nodes, or -ENOMEM.
 */
int tree_cut(struct tree *t, const char *path, struct node **out) must_check;

/** node_put() - Drop a reference. */
void node_put(struct node *n);

/**
 * node_children() - Children in order of creation.
 * @out: n->nkids places.
 */
void node_children(const struct node *n, const struct node **out);

/**
 * struct walk - All nodes of a subtree, parents before children.
 * @v:  Each with the place of its parent in @v; the first is its own parent.
 */
struct walk {
	struct walk_item {
		const struct node *node;
		size_t parent;
	} * v;
	size_t n, room;
};

/** walk_init() - List @top and all below; Return: 0 or -ENOMEM. */
int walk_init(struct walk *w, const struct node *top) must_check;
void walk_fini(struct walk *w);

/**
 * walk_begin(), walk_below() - List @top alone; add the children of an item.
 *
 * Who does that to each item in turn, also to those that come by it, has what
 * walk_init() makes.  Return: 0, or -ENOMEM: the list is as before.
 */
int walk_begin(struct walk *w, const struct node *top) must_check;
int walk_below(struct walk *w, size_t item) must_check;

/**
 * walk_path() - Path of an item, given that of the first.
 * @buf: PATH_BUF bytes.
 *
 * Return: its length, or -ENAMETOOLONG.
 */
int walk_path(const struct walk *w, size_t item, const char *top,
	      char *buf) must_check;

/** value_new() - Copy @len bytes; NULL for @len 0 and when out of memory. */
struct value *value_new(const void *data, size_t len);
void value_put(struct value *v);

#endif
