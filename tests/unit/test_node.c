// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_node.c - the persistent tree.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <criterion/criterion.h>

#include "xenstore-lite/node.h"
#include "xenstore-lite/path.h"

static struct tree t;
static struct perms *p0;

static void setup(void)
{
	cr_assert_eq(tree_init(&t), 0);
	p0 = perm_default(0);
}

static void teardown(void)
{
	perm_put(p0);
	tree_fini(&t);
}

TestSuite(node, .init = setup, .fini = teardown);

static int create(const char *path, const char *v)
{
	return tree_create(&t, path, p0, value_new(v, strlen(v)));
}

static const char *get(const struct tree *tree, const char *path)
{
	static char buf[64];
	const struct node *n = tree_get(tree, path);

	if (!n)
		return "-";
	snprintf(buf, sizeof(buf), "%.*s", n->value ? (int)n->value->len : 0,
		 n->value ? (const char *)n->value->data : "");
	return buf;
}

Test(node, create_find_cut)
{
	struct node *gone;

	cr_expect_eq(create("/a/b/c", "x"), 0);
	cr_expect_str_eq(get(&t, "/a/b/c"), "x");
	cr_expect_str_eq(get(&t, "/a"), "");
	cr_expect_str_eq(get(&t, "/a/b/d"), "-");
	cr_expect_eq(tree_create(&t, "/a/b", p0, NULL), -EEXIST);
	cr_expect_eq(tree_cut(&t, "/a/x", &gone), -ENOENT);
	cr_expect_eq(tree_cut(&t, "/", &gone), -EINVAL);
	cr_expect_eq(tree_cut(&t, "@releaseDomain", &gone), -EINVAL);
	cr_expect_eq(tree_cut(&t, "/a/b", &gone), 0);
	cr_expect_eq(gone->nkids, 1);
	node_put(gone);
	cr_expect_str_eq(get(&t, "/a/b/c"), "-");
	cr_expect_eq(tree_get(&t, "/a")->nkids, 0);
}

Test(node, place)
{
	struct place p;

	cr_assert_eq(create("/a/b", ""), 0);
	p = tree_find(&t, "/a/b/c/d");
	cr_expect_null(p.node);
	cr_expect_eq(p.nearest, tree_get(&t, "/a/b"));
	cr_expect_eq(p.nearest_len, 4);
	cr_expect_eq(p.missing, 2);
	p = tree_find(&t, "/x");
	cr_expect_eq(p.nearest_len, 1);
	cr_expect_eq(p.missing, 1);
	p = tree_find(&t, "/a/b");
	cr_expect_eq(p.missing, 0);
	p = tree_find(&t, "@nothing");
	cr_expect_null(p.nearest);
}

Test(node, snapshot_is_never_changed)
{
	struct node *gone;
	struct tree old;

	cr_assert_eq(create("/a/b", "1"), 0);
	cr_assert_eq(create("/a/c", "2"), 0);
	tree_share(&old, &t);
	cr_assert_eq(tree_set(&t, "/a/b", value_new("9", 1)), 0);
	cr_assert_eq(create("/a/d", "3"), 0);
	cr_assert_eq(tree_cut(&t, "/a/c", &gone), 0);
	node_put(gone);
	cr_expect_str_eq(get(&old, "/a/b"), "1");
	cr_expect_str_eq(get(&old, "/a/c"), "2");
	cr_expect_str_eq(get(&old, "/a/d"), "-");
	cr_expect_eq(tree_get(&old, "/a")->nkids, 2);
	cr_expect_str_eq(get(&t, "/a/b"), "9");
	cr_expect_str_eq(get(&t, "/a/c"), "-");
	cr_expect_str_eq(get(&t, "/a/d"), "3");
	/* What was not on the way is one and the same node. */
	cr_expect_eq(tree_get(&old, "@releaseDomain"),
		     tree_get(&t, "@releaseDomain"));
	tree_fini(&old);
	cr_expect_str_eq(get(&t, "/a/b"), "9");
}

Test(node, unshared_is_changed_in_place)
{
	const struct node *before;

	cr_assert_eq(create("/a/b", "1"), 0);
	before = tree_get(&t, "/a/b");
	cr_assert_eq(tree_set(&t, "/a/b", NULL), 0);
	cr_expect_eq(tree_get(&t, "/a/b"), before);
}

Test(node, generations_tell_value_from_list)
{
	uint64_t gen, kgen;

	cr_assert_eq(create("/a/b", "1"), 0);
	gen = tree_get(&t, "/a")->gen;
	kgen = tree_get(&t, "/a")->kgen;
	cr_assert_eq(tree_set(&t, "/a/b", NULL), 0);
	cr_expect_eq(tree_get(&t, "/a")->gen, gen);
	cr_expect_eq(tree_get(&t, "/a")->kgen, kgen);
	cr_assert_eq(create("/a/c", ""), 0);
	cr_expect_eq(tree_get(&t, "/a")->gen, gen);
	cr_expect_neq(tree_get(&t, "/a")->kgen, kgen);
	cr_assert_eq(tree_set(&t, "/a", NULL), 0);
	cr_expect_neq(tree_get(&t, "/a")->gen, gen);
}

/* Random work on one wide directory, beside a plain array; now and then a
 * snapshot is taken, and later compared with what it was. */
#define WIDE 600
Test(node, against_a_model)
{
	static uint8_t have[WIDE], then[WIDE];
	struct tree old = { NULL };
	struct node *gone;
	char path[32];
	size_t n = 0;

	cr_assert_eq(create("/w", ""), 0);
	srand(7);
	for (int i = 0; i < 60000; i++) {
		int k = rand() % WIDE;

		if (i % 997 == 0) {
			for (int j = 0; old.top && j < WIDE; j++) {
				snprintf(path, sizeof(path), "/w/n%d", j);
				cr_assert_eq(!!tree_get(&old, path), then[j]);
			}
			tree_fini(&old);
			tree_share(&old, &t);
			memcpy(then, have, sizeof(have));
		}
		snprintf(path, sizeof(path), "/w/n%d", k);
		cr_assert_eq(!!tree_get(&t, path), have[k]);
		if (have[k]) {
			cr_assert_eq(tree_cut(&t, path, &gone), 0);
			node_put(gone);
			n--;
		} else {
			cr_assert_eq(create(path, "v"), 0);
			n++;
		}
		have[k] = !have[k];
		cr_assert_eq(tree_get(&t, "/w")->nkids, n);
	}
	tree_fini(&old);
}

Test(node, children_in_order_of_creation)
{
	const struct node *kids[64], *n;
	struct node *gone;
	char path[32];

	for (int i = 0; i < 50; i++) {
		snprintf(path, sizeof(path), "/d/k%d", i);
		cr_assert_eq(create(path, ""), 0);
	}
	cr_assert_eq(tree_cut(&t, "/d/k7", &gone), 0);
	node_put(gone);
	cr_assert_eq(create("/d/k7", ""), 0);
	n = tree_get(&t, "/d");
	cr_assert_eq(n->nkids, 50);
	node_children(n, kids);
	cr_expect(!strncmp(kids[0]->name, "k0", 2));
	cr_expect(!strncmp(kids[7]->name, "k8", 2));
	cr_expect(!strncmp(kids[49]->name, "k7", 2));
}

/* XSA-418: depth belongs to guests; a small stack must do. */
Test(node, deep)
{
	char path[PATH_BUF], buf[PATH_BUF];
	struct node *gone;
	struct walk w;
	size_t n = 0;

	for (int i = 0; i < 1500; i++) {
		path[n++] = '/';
		path[n++] = 'd';
	}
	path[n] = '\0';
	cr_assert_eq(create(path, "bottom"), 0);
	cr_expect_str_eq(get(&t, path), "bottom");
	cr_assert_eq(tree_cut(&t, "/d", &gone), 0);
	cr_assert_eq(walk_init(&w, gone), 0);
	cr_expect_eq(w.n, 1500);
	cr_expect_eq(walk_path(&w, 1499, "/d", buf), (int)n);
	cr_expect_str_eq(buf, path);
	walk_fini(&w);
	node_put(gone);
}

Test(node, walk_names_all)
{
	char buf[PATH_BUF];
	struct walk w;

	cr_assert_eq(create("/a/b/c", ""), 0);
	cr_assert_eq(create("/a/d", ""), 0);
	cr_assert_eq(walk_init(&w, tree_get(&t, "/")), 0);
	cr_assert_eq(w.n, 5);
	cr_expect_eq(walk_path(&w, 0, "/", buf), 1);
	cr_expect_str_eq(buf, "/");
	cr_expect_eq(walk_path(&w, 1, "/", buf), 2);
	cr_expect_str_eq(buf, "/a");
	cr_expect_eq(walk_path(&w, 4, "/", buf), 6);
	cr_expect_str_eq(buf, "/a/b/c");
	walk_fini(&w);
}
