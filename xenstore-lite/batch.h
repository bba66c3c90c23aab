/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/batch.h - changes to a tree, with all that follows from them. */
#ifndef XENSTORE_LITE_BATCH_H
#define XENSTORE_LITE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "base/util.h"
#include "xenstore-lite/node.h"
#include "xenstore-lite/perm.h"

/*
 * How it works
 *
 * A change of the live tree has consequences: nodes are charged to owners,
 * watches fire.  A batch makes changes to a tree at once and remembers them.
 * batch_publish() then draws the consequences, and cannot fail, because all
 * memory was obtained before; batch_drop() forgets them.
 *
 * A request outside transactions changes the live tree directly, with one
 * batch call, which leaves the tree alone if it fails.  A transaction changes
 * its private tree the same way and drops the consequences; its commit repeats
 * the net effect on a snapshot of the live tree in one batch and, if all went
 * well, puts the snapshot in its place.
 */

enum change_kind { CHANGE_CREATED, CHANGE_VALUE, CHANGE_PERMS, CHANGE_REMOVED };

/**
 * struct change - One node that is no longer what it was.
 * @fire:   Watches hear of it; ancestors made on the way are silent.
 * @charge: CREATED, PERMS: the new owner's charge, or NULL (dom0).
 * @perms:  CREATED, VALUE, PERMS: as they are now.
 * @old:    PERMS: as they were.
 * @gone:   REMOVED: the subtree, no longer in the tree.
 * @walk:   REMOVED: all its nodes.
 */
struct change {
	TAILQ_ENTRY(change) entry;
	enum change_kind kind;
	bool fire;
	struct owned *charge;
	struct perms *perms, *old;
	struct node *gone;
	struct walk walk;
	size_t value_len;
	size_t len;
	char path[];
};

TAILQ_HEAD(change_list, change);

struct batch {
	struct tree *tree; /* borrowed */
	struct change_list changes;
};

/** batch_init() - Begin to change @t. */
void batch_init(struct batch *b, struct tree *t);

/**
 * batch_put() - Make a node, or give an existing one another value.
 * @perms: For new nodes, missing ancestors included; borrowed.
 * @v:     *Given* in any case; NULL is the empty value.
 * @fire:  Whether watches on the node itself hear of it.
 */
int batch_put(struct batch *b, const char *path, struct perms *perms,
	      struct value *v, bool fire) must_check;

/** batch_chmod() - Replace permissions; @perms is borrowed. */
int batch_chmod(struct batch *b, const char *path,
		struct perms *perms) must_check;

/** batch_rm() - Remove a node and all below; Return: as tree_cut(). */
int batch_rm(struct batch *b, const char *path) must_check;

/** batch_growth() - Nodes that @domid gains by this batch; may be negative. */
long batch_growth(const struct batch *b, unsigned int domid);

/** batch_publish() - Charge owners, fire watches, note it all, free the record. */
void batch_publish(struct batch *b);

/** batch_drop() - Free the record without consequences. */
void batch_drop(struct batch *b);

#endif
