/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/watch.h - who wants to hear of which nodes. */
#ifndef XENSTORE_LITE_WATCH_H
#define XENSTORE_LITE_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/util.h"
#include "xenstore-lite/hash.h"
#include "xenstore-lite/node.h"
#include "xenstore-lite/perm.h"

struct conn;

#define WATCH_ANY_DEPTH UINT32_MAX

/**
 * struct watch - One watch of one connection.
 *
 * In three places: by path (to fire), by connection, path and token (to find
 * duplicates and for UNWATCH), and in the connection's list (for its end).
 */
struct watch {
	struct hlink by_path;
	struct hlink by_key;
	TAILQ_ENTRY(watch) entry;
	struct conn *conn;
	uint64_t seq;	/* order in which one connection's watches fire */
	uint32_t depth; /* levels below the path that are of interest */
	size_t skip;	/* bytes of the prefix that the client left out */
	size_t len;
	const char *token;
	char path[]; /* then the token */
};

TAILQ_HEAD(watch_list, watch);

/**
 * watch_add() - Register a watch.
 * @path:  Canonical.
 * @skip:  Bytes at its front that the client did not name.
 * @depth: WATCH_ANY_DEPTH if not limited.
 *
 * Return: 0, -EEXIST, or -ENOMEM.
 */
int watch_add(struct conn *c, const char *path, size_t skip, const char *token,
	      uint32_t depth, struct watch **out) must_check;

/** watch_record() - Note it in the journal, if that has its connection. */
void watch_record(const struct watch *w);

/** watch_del() - Undo watch_add(); Return: 0 or -ENOENT. */
int watch_del(struct conn *c, const char *path, const char *token) must_check;

/** watch_del_all() - Remove all watches of a connection; may be repeated. */
void watch_del_all(struct conn *c);

/**
 * watch_send_first() - The event that follows every new watch.
 */
void watch_send_first(const struct watch *w);

/**
 * struct watch_cause - Why watches fire.
 * @path:   The node that changed.
 * @exact:  Only watches on this very path.
 * @perms:  The node's permissions (as last seen, if it is gone).
 * @old:    Those before a change of permissions, or NULL.
 * @parent: The parent's permissions; NULL makes watch_fire() look in @tree.
 * @tree:   The live tree.
 */
struct watch_cause {
	const char *path;
	bool exact;
	const struct perms *perms, *old, *parent;
	const struct tree *tree;
};

/**
 * watch_fire() - Send events to all who watch the node or an ancestor.
 *
 * Only to those who may read the node, or could before, or may list its
 * parent.  Costs the depth of the path plus the number of watches found.
 */
void watch_fire(const struct watch_cause *cause);

/** watch_quiet - watch_fire() does nothing: what changes was announced before. */
extern bool watch_quiet;

/**
 * watch_fire_special() - A domain came or went.
 * @name:  PATH_INTRODUCE or PATH_RELEASE.
 * @domid: Which domain.
 * @tree:  The live tree; holds the permissions of the special nodes.
 *
 * Watches with a depth of 1 or more get "<name>/<domid>", as do watches on that
 * path; those without get the bare name, and those with a depth of 0 nothing.
 */
void watch_fire_special(const char *name, unsigned int domid,
			const struct tree *tree);

#endif
