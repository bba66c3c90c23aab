/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/txn.h - transactions: an old root and what was touched. */
#ifndef XENSTORE_LITE_TXN_H
#define XENSTORE_LITE_TXN_H

#include <stdint.h>
#include <sys/queue.h>

#include "base/util.h"
#include "xenstore-lite/batch.h"
#include "xenstore-lite/hash.h"
#include "xenstore-lite/node.h"

struct conn;

/*
 * How it works
 *
 * A transaction keeps the tree as it was at its start (base) and a private
 * tree that began as the same.  Each path that it reads or changes has one
 * entry.  At the end, entries are compared between base and the live tree: the
 * transaction goes through if everything that it relied on is unchanged.  It
 * relies on
 *	- the value and permissions of nodes that it read,
 *	- the names of children that it listed,
 *	- for nodes that it changed without reading: that they are (not) there
 *	  and carry the same permissions, since access was judged by these.
 * So blind overwrites win, as documented for Xen, but an update that depends
 * on a value read before is never lost.  Two creations in one directory do not
 * collide, unless the directory was listed.
 */

enum txn_flags {
	TXN_READ = 1 << 0,  /* value or permissions were read */
	TXN_LIST = 1 << 1,  /* children were read */
	TXN_EXIST = 1 << 2, /* existence and permissions mattered */
	TXN_VALUE = 1 << 3, /* written */
	TXN_PERMS = 1 << 4, /* permissions set */
	TXN_GONE = 1 << 5,  /* removed at some time, perhaps made again */
	TXN_FIRE = 1 << 6,  /* watches are to hear of it */
};

struct txn_entry {
	struct hlink link;
	TAILQ_ENTRY(txn_entry) entry;
	unsigned int flags;
	size_t len;
	char path[];
};

TAILQ_HEAD(txn_entry_list, txn_entry);

struct txn {
	TAILQ_ENTRY(txn) entry; /* in conn->txns */
	struct hlink link;
	struct conn *conn;
	uint32_t id;
	int error;   /* what made it fail already: END will say so */
	long growth; /* nodes that the client's domain gains by it */
	uint64_t
		memory; /* bytes charged to the client's domain until the end */
	struct tree base, tree;
	struct htab paths;
	size_t nentries;
	struct txn_entry_list entries; /* in order of the last creation */
};

TAILQ_HEAD(txn_list, txn);

/** txn_start() - Begin; constant time.  @out is owned by @c. */
int txn_start(struct conn *c, const struct tree *live,
	      struct txn **out) must_check;

/**
 * txn_restore() - One that was open when the store before this one was killed.
 *
 * What it did is lost: it may go on, and fails with EAGAIN at its end.  Return: 0
 * or -ENOMEM.
 */
int txn_restore(struct conn *c, const struct tree *live,
		uint32_t id) must_check;

/** txn_count() - How many are open, of all connections. */
size_t txn_count(void);

/** txn_find() - A transaction of @c by its id, or NULL. */
struct txn *txn_find(struct conn *c, uint32_t id);

/**
 * txn_touch() - Note that the transaction depends on or changes @path.
 * @flags: TXN_* bits, added to those noted before.
 *
 * Return: 0, -ENOSPC beyond the quota, or -ENOMEM; the transaction then fails.
 */
int txn_touch(struct txn *t, const char *path, unsigned int flags) must_check;

/** txn_absorb() - Note the changes that @b made to t->tree, and drop it. */
int txn_absorb(struct txn *t, struct batch *b) must_check;

/**
 * txn_commit() - Make it so.
 * @live: Replaced by the new tree on success, untouched otherwise.
 *
 * Return: 0, -EAGAIN on conflict, -ENOSPC, -ENOMEM.  @t still has to be freed.
 */
int txn_commit(struct txn *t, struct tree *live) must_check;

void txn_free(struct txn *t);

/** txn_free_all() - End all transactions of a connection; may be repeated. */
void txn_free_all(struct conn *c);

#endif
