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

enum quota_id {
	QUOTA_NODES,
	QUOTA_WATCHES,
	QUOTA_TRANSACTIONS,
	QUOTA_OUTSTANDING,
	QUOTA_TXN_NODES,
	QUOTA_MEMORY,
	QUOTA_PERMS,
	QUOTA_NODE_SIZE,
	QUOTA_PATH_MAX,
	QUOTA_COUNT,
};

/** struct quota_row - One limit; dom0 is exempt from all. */
struct quota_row {
	const char *name;
	unsigned int limit;
	const char *text;
};

extern struct quota_row quotas[QUOTA_COUNT];

/** quota_set() - Change a limit; Return: 0 or -EINVAL for an unknown name. */
int quota_set(const char *name, unsigned int limit) must_check;

LIST_HEAD(owned_list, owned);

/**
 * struct account - What one domid uses.
 * @owned:  Its nodes in the live tree, by path: the list and the count in one,
 *          so that death finds them without a search and the count cannot lie.
 * @memory: Bytes of its nodes, watches and unread replies and events.
 */
struct account {
	struct hlink link;
	unsigned int domid;
	unsigned int pins;
	unsigned int watches;
	unsigned int transactions;
	uint64_t memory;
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

/** account_over() - Whether @now plus @more exceeds limit @q. */
bool account_over(enum quota_id q, uint64_t now, uint64_t more);

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
