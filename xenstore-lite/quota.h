/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/quota.h - limits, and what each domain uses of them. */
#ifndef XENSTORE_LITE_QUOTA_H
#define XENSTORE_LITE_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/util.h"
#include "xenstore-lite/hash.h"

/*
 * How it works
 *
 * A limit has a global value, which counts for every domain that has none of its
 * own.  0 means that there is no limit.  A domain's own values are kept in its
 * account until the domain ends.
 */

/* In the order in which Xen's store names them. */
enum quota_id {
	QUOTA_NODES,
	QUOTA_WATCHES,
	QUOTA_OUTSTANDING,
	QUOTA_MEMORY,
	QUOTA_SOFT_MEMORY,
	QUOTA_TRANSACTIONS,
	QUOTA_TXN_NODES,
	QUOTA_PERMS,
	QUOTA_PATH_MAX,
	QUOTA_NODE_SIZE,
	QUOTA_COUNT,
};

/* A domain's own value where it has none: not to be set. */
#define QUOTA_GLOBAL UINT32_MAX

/**
 * struct quota_row - One limit; dom0 is exempt from all.
 * @limit: The global value.
 * @max:   The most that a domain was allowed to have.
 */
struct quota_row {
	const char *name;
	uint32_t limit;
	const char *text;
	uint64_t max;
};

extern struct quota_row quotas[QUOTA_COUNT];

/**
 * quota_find() - Look for a limit by its name.
 *
 * Return: an enum quota_id, or -EINVAL for an unknown name.
 */
int quota_find(const char *name) must_check;

LIST_HEAD(owned_list, owned);

/**
 * struct account - What one domid uses, and may use.
 * @owned:  Its nodes in the live tree, by path: the list and the count in one,
 *          so that death finds them without a search and the count cannot lie.
 * @memory: Bytes of its nodes, watches and unread replies and events.
 * @own:    Its own limits, or QUOTA_GLOBAL.
 * @kept:   It has some, and is there for their sake, too.
 * @max:    The most that it was allowed to have, by account_over().
 */
struct account {
	struct hlink link;
	LIST_ENTRY(account) entry;
	unsigned int domid;
	unsigned int pins;
	unsigned int watches;
	unsigned int transactions;
	uint64_t memory;
	uint32_t own[QUOTA_COUNT];
	bool kept;
	uint64_t max[QUOTA_COUNT];
	struct htab owned;
	struct owned_list list;
};

/** struct owned - One node that counts against a domain other than dom0. */
struct owned {
	struct hlink link;
	LIST_ENTRY(owned) entry;
	struct account *account;
	uint64_t memory;
	size_t len;
	char path[];
};

/** account_find() - The account of @domid, or NULL if it uses nothing. */
struct account *account_find(unsigned int domid);

/**
 * account_pin() - Find or make an account and keep it until account_unpin().
 *
 * Return: NULL when out of memory.
 */
struct account *account_pin(unsigned int domid);
void account_unpin(struct account *a);

/** accounts_nodes() - Nodes charged to all domains together. */
size_t accounts_nodes(void);

/** account_limit() - What counts for @a now; NULL is a domid that uses nothing. */
uint32_t account_limit(const struct account *a, enum quota_id q);

/** account_over() - Whether @now plus @more exceeds limit @q. */
bool account_over(struct account *a, enum quota_id q, uint64_t now,
		  uint64_t more);

/**
 * account_set() - Give a domain a limit of its own.
 *
 * Return: 0 or -ENOMEM.
 */
int account_set(unsigned int domid, enum quota_id q, uint32_t limit) must_check;

/** account_forget() - The domain has ended: the next one has no own limits. */
void account_forget(unsigned int domid);

/** accounts_record() - Note all limits, global and own, in the journal. */
void accounts_record(void);

/** accounts_reset_max() - Begin anew to look for what was allowed at most. */
void accounts_reset_max(void);

/**
 * owned_new() - Prepare to charge a node to its owner.
 *
 * Return: *owned* by the caller until owned_charge(); NULL if out of memory.
 */
struct owned *owned_new(unsigned int domid, const char *path);

/** owned_charge() - Make it count; cannot fail. @o is *given*. */
void owned_charge(struct owned *o, size_t value_len);

/** owned_free() - Forget an uncharged one; NULL is fine. */
void owned_free(struct owned *o);

/** owned_find() - The charge for @path, or NULL. */
struct owned *owned_find(unsigned int domid, const char *path);

/** owned_resize() - The value of a charged node has another length now. */
void owned_resize(struct owned *o, size_t value_len);

/** owned_discharge() - Stop counting and free. */
void owned_discharge(struct owned *o);

#endif
