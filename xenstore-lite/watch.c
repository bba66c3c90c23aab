// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/watch.c - who wants to hear of which nodes.
#include "xenstore-lite/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xenstore-lite/conn.h"
#include "xenstore-lite/path.h"
#include "xenstore-lite/quota.h"
#include "xenstore-lite/record.h"

bool watch_quiet;

static struct htab by_path; /* all watches; hash of the path */
static struct htab by_key;  /* all watches; path, token and connection */
static uint64_t last_seq;

static uint64_t path_hash(const char *path, size_t len)
{
	return hash_bytes(path, len, 5);
}

static uint64_t key_hash(const struct conn *c, const char *path, size_t len,
			 const char *token)
{
	return path_hash(path, len) ^
	       hash_bytes(token, strlen(token), c->serial);
}

static uint64_t cost(const struct watch *w)
{
	return sizeof(*w) + w->len + strlen(w->token);
}

static struct watch *find(struct conn *c, const char *path, size_t len,
			  const char *token)
{
	struct hlink *l = htab_first(&by_key, key_hash(c, path, len, token));

	for (; l; l = htab_next(l)) {
		struct watch *w = container_of(l, struct watch, by_key);

		if (w->conn == c && w->len == len &&
		    !memcmp(w->path, path, len) && !strcmp(w->token, token))
			return w;
	}
	return NULL;
}

int watch_add(struct conn *c, const char *path, size_t skip, const char *token,
	      uint32_t depth, struct watch **out)
{
	size_t len = strlen(path);
	size_t token_len = strlen(token);
	struct watch *w;

	if (find(c, path, len, token))
		return -EEXIST;
	if (htab_reserve(&by_path) || htab_reserve(&by_key))
		return -ENOMEM;
	w = calloc(1, sizeof(*w) + len + 1 + token_len + 1);
	if (!w)
		return -ENOMEM;
	w->conn = c;
	w->seq = ++last_seq;
	w->depth = depth;
	w->skip = skip;
	w->len = len;
	memcpy(w->path, path, len);
	w->token = w->path + len + 1;
	memcpy(w->path + len + 1, token, token_len);
	htab_add(&by_path, &w->by_path, path_hash(path, len));
	htab_add(&by_key, &w->by_key, key_hash(c, path, len, token));
	TAILQ_INSERT_TAIL(&c->watches, w, entry);
	c->account->watches++;
	c->account->memory += cost(w);
	watch_record(w);
	*out = w;
	return 0;
}

void watch_record(const struct watch *w)
{
	if (w->conn->noted)
		record_watch(w->conn->noted, w->path, w->skip, w->token,
			     w->depth);
}

static void forget(struct watch *w)
{
	w->conn->account->watches--;
	w->conn->account->memory -= cost(w);
	htab_del(&by_path, &w->by_path);
	htab_del(&by_key, &w->by_key);
	TAILQ_REMOVE(&w->conn->watches, w, entry);
	free(w);
}

int watch_del(struct conn *c, const char *path, const char *token)
{
	struct watch *w = find(c, path, strlen(path), token);

	if (!w)
		return -ENOENT;
	if (c->noted)
		record_unwatch(c->noted, path, token);
	forget(w);
	return 0;
}

void watch_del_all(struct conn *c)
{
	struct watch *w, *next;

	if (c->noted && !TAILQ_EMPTY(&c->watches))
		record_unwatch_all(c->noted);
	for (w = TAILQ_FIRST(&c->watches); w; w = next) {
		next = TAILQ_NEXT(w, entry);
		forget(w);
	}
}

void watch_send_first(const struct watch *w)
{
	conn_event(w->conn, w->path + w->skip, w->token);
}

/* ---- Firing ------------------------------------------------------------ */

/* Watches found for one cause; grows to the largest number ever found. */
static struct {
	struct watch **v;
	size_t n, room;
} found;

static bool found_add(struct watch *w)
{
	if (found.n == found.room) {
		size_t room = found.room ? found.room * 2 : 64;
		void *p = realloc(found.v, room * sizeof(struct watch *));

		if (!p)
			return false;
		found.v = p;
		found.room = room;
	}
	found.v[found.n++] = w;
	return true;
}

/* Add the watches on the first @len bytes of @path that look @below levels. */
static void collect(const char *path, size_t len, unsigned int below)
{
	struct hlink *l = htab_first(&by_path, path_hash(path, len));

	for (; l; l = htab_next(l)) {
		struct watch *w = container_of(l, struct watch, by_path);

		if (w->len != len || memcmp(w->path, path, len) != 0 ||
		    w->depth < below)
			continue;
		if (!found_add(w))
			conn_event_lost(w->conn);
	}
}

static int by_seq(const void *a, const void *b)
{
	const struct watch *x = *(struct watch *const *)a;
	const struct watch *y = *(struct watch *const *)b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static const struct perms *parent_perms(const struct watch_cause *cause)
{
	size_t len = path_parent_len(cause->path, strlen(cause->path));
	char path[PATH_BUF];
	const struct node *n;

	if (cause->parent || !len)
		return cause->parent;
	memcpy(path, cause->path, len);
	path[len] = '\0';
	n = tree_get(cause->tree, path);
	return n ? n->perms : NULL;
}

/* XSA-115: nothing is said about a node to whom it is hidden from. */
static bool may_know(const struct watch *w, const struct watch_cause *cause)
{
	const struct perm_who *who = &w->conn->who;
	const struct perms *parent;

	if (who->privileged || perm_rights(cause->perms, who) & PERM_READ)
		return true;
	if (cause->old && perm_rights(cause->old, who) & PERM_READ)
		return true;
	parent = parent_perms(cause);
	return parent && perm_rights(parent, who) & PERM_READ;
}

void watch_fire(const struct watch_cause *cause)
{
	const char *at = cause->path;
	const char *name;
	size_t len;

	found.n = 0;
	if (!by_path.n || watch_quiet)
		return;
	if (cause->exact) {
		collect(cause->path, strlen(cause->path), 0);
	} else {
		while (path_step(&at, &name, &len)) {
			len += (size_t)(name - cause->path);
			collect(cause->path, len,
				path_depth_below(cause->path, len));
		}
	}
	if (found.n > 1)
		qsort(found.v, found.n, sizeof(struct watch *), by_seq);
	for (size_t i = 0; i < found.n; i++) {
		const struct watch *w = found.v[i];

		if (may_know(w, cause))
			conn_event(w->conn, cause->path + w->skip, w->token);
	}
}

void watch_fire_special(const char *name, unsigned int domid,
			const struct tree *tree)
{
	const struct node *n = tree_get(tree, name);
	size_t len = strlen(name);
	char path[64];

	snprintf(path, sizeof(path), "%s/%u", name, domid);
	found.n = 0;
	collect(path, strlen(path), 0);
	collect(path, len, 0);
	if (found.n > 1)
		qsort(found.v, found.n, sizeof(struct watch *), by_seq);
	for (size_t i = 0; i < found.n; i++) {
		const struct watch *w = found.v[i];
		bool bare = w->len == len && w->depth == WATCH_ANY_DEPTH;

		/* As in Xen's: what is told lies below that one. */
		if (w->len == len && !w->depth)
			continue;
		if (perm_rights(n->perms, &w->conn->who) & PERM_READ)
			conn_event(w->conn, bare ? name : path, w->token);
	}
}
