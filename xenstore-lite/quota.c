// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/quota.c - limits, and what each domain uses of them.
#include "xenstore-lite/quota.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xenstore-lite/node.h"
#include "xenstore-lite/record.h"

/* Names and defaults of Xen 4.22 (tools/xenstored/domain.c). */
struct quota_row quotas[QUOTA_COUNT] = {
	[QUOTA_NODES] = { .name = "nodes",
			  .limit = 1000,
			  .text = "nodes owned" },
	[QUOTA_WATCHES] = { .name = "watches",
			    .limit = 128,
			    .text = "watches" },
	[QUOTA_OUTSTANDING] = { .name = "outstanding",
				.limit = 20,
				.text = "unread replies" },
	[QUOTA_MEMORY] = { .name = "memory",
			   .limit = 2560 * 1024,
			   .text = "bytes of nodes, watches and unread messages" },
	[QUOTA_SOFT_MEMORY] = { .name = "soft-memory",
				.limit = 2048 * 1024,
				.text = "bytes of them that are worth a warning" },
	[QUOTA_TRANSACTIONS] = { .name = "transactions",
				 .limit = 10,
				 .text = "open transactions" },
	[QUOTA_TXN_NODES] = { .name = "transaction-nodes",
			      .limit = 1024,
			      .text = "nodes accessed in one transaction" },
	[QUOTA_PERMS] = { .name = "node-permissions",
			  .limit = 5,
			  .text = "permissions of one node" },
	[QUOTA_PATH_MAX] = { .name = "path-max",
			     .limit = 2048,
			     .text = "bytes of a path below /local/domain/N/" },
	[QUOTA_NODE_SIZE] = { .name = "node-size",
			      .limit = 2048,
			      .text = "bytes in one node" },
};

static struct htab accounts;
static LIST_HEAD(account_list, account) all = LIST_HEAD_INITIALIZER(all);
static size_t nodes_charged;

int quota_find(const char *name)
{
	/* As docs/misc/xenstore.txt has it, and Xen up to 4.17. */
	if (!strcmp(name, "permissions"))
		return QUOTA_PERMS;
	for (int i = 0; i < QUOTA_COUNT; i++)
		if (!strcmp(quotas[i].name, name))
			return i;
	return -EINVAL;
}

static uint64_t domid_hash(unsigned int domid)
{
	return hash_bytes(&domid, sizeof(domid), 2);
}

struct account *account_find(unsigned int domid)
{
	struct hlink *l = htab_first(&accounts, domid_hash(domid));

	for (; l; l = htab_next(l)) {
		struct account *a = container_of(l, struct account, link);

		if (a->domid == domid)
			return a;
	}
	return NULL;
}

struct account *account_pin(unsigned int domid)
{
	struct account *a = account_find(domid);

	if (!a) {
		if (htab_reserve(&accounts))
			return NULL;
		a = calloc(1, sizeof(*a));
		if (!a)
			return NULL;
		a->domid = domid;
		for (int q = 0; q < QUOTA_COUNT; q++)
			a->own[q] = QUOTA_GLOBAL;
		LIST_INIT(&a->list);
		htab_add(&accounts, &a->link, domid_hash(domid));
		LIST_INSERT_HEAD(&all, a, entry);
	}
	a->pins++;
	return a;
}

void account_unpin(struct account *a)
{
	if (--a->pins)
		return;
	htab_del(&accounts, &a->link);
	LIST_REMOVE(a, entry);
	htab_fini(&a->owned);
	free(a);
}

size_t accounts_nodes(void)
{
	return nodes_charged;
}

/* ---- Limits ------------------------------------------------------------ */

uint32_t account_limit(const struct account *a, enum quota_id q)
{
	return a && a->own[q] != QUOTA_GLOBAL ? a->own[q] : quotas[q].limit;
}

bool account_over(struct account *a, enum quota_id q, uint64_t now,
		  uint64_t more)
{
	uint32_t limit = account_limit(a, q);

	if (limit && now + more > limit)
		return true;
	a->max[q] = MAX(a->max[q], now + more);
	quotas[q].max = MAX(quotas[q].max, a->max[q]);
	return false;
}

int account_set(unsigned int domid, enum quota_id q, uint32_t limit)
{
	struct account *a = account_pin(domid);

	if (!a)
		return -ENOMEM;
	if (a->kept)
		account_unpin(a);
	a->kept = true;
	a->own[q] = limit;
	record_domain_quota(domid, quotas[q].name, limit);
	return 0;
}

void account_forget(unsigned int domid)
{
	struct account *a = account_find(domid);

	if (!a)
		return;
	memset(a->max, 0, sizeof(a->max));
	if (!a->kept)
		return;
	for (int q = 0; q < QUOTA_COUNT; q++)
		a->own[q] = QUOTA_GLOBAL;
	a->kept = false;
	account_unpin(a);
}

void accounts_record(void)
{
	const struct account *a;

	for (int q = 0; q < QUOTA_COUNT; q++)
		record_quota(quotas[q].name, quotas[q].limit);
	LIST_FOREACH (a, &all, entry)
		for (int q = 0; q < QUOTA_COUNT; q++)
			if (a->own[q] != QUOTA_GLOBAL)
				record_domain_quota(a->domid, quotas[q].name,
						    a->own[q]);
}

void accounts_reset_max(void)
{
	struct account *a;

	LIST_FOREACH (a, &all, entry)
		memset(a->max, 0, sizeof(a->max));
	for (int q = 0; q < QUOTA_COUNT; q++)
		quotas[q].max = 0;
}

/* ---- Charges ----------------------------------------------------------- */

struct owned *owned_new(unsigned int domid, const char *path)
{
	size_t len = strlen(path);
	struct owned *o = malloc(sizeof(*o) + len + 1);

	if (!o)
		return NULL;
	o->account = account_pin(domid);
	o->len = len;
	memcpy(o->path, path, len + 1);
	if (!o->account) {
		free(o);
		return NULL;
	}
	if (htab_reserve(&o->account->owned)) {
		owned_free(o);
		return NULL;
	}
	return o;
}

void owned_free(struct owned *o)
{
	if (!o)
		return;
	account_unpin(o->account);
	free(o);
}

void owned_charge(struct owned *o, size_t value_len)
{
	struct account *a = o->account;

	htab_add(&a->owned, &o->link, hash_bytes(o->path, o->len, 3));
	LIST_INSERT_HEAD(&a->list, o, entry);
	nodes_charged++;
	o->memory = sizeof(struct node) + sizeof(*o) + o->len + value_len;
	a->memory += o->memory;
}

struct owned *owned_find(unsigned int domid, const char *path)
{
	struct account *a = account_find(domid);
	size_t len = strlen(path);
	struct hlink *l;

	if (!a)
		return NULL;
	l = htab_first(&a->owned, hash_bytes(path, len, 3));
	for (; l; l = htab_next(l)) {
		struct owned *o = container_of(l, struct owned, link);

		if (o->len == len && !memcmp(o->path, path, len))
			return o;
	}
	return NULL;
}

void owned_resize(struct owned *o, size_t value_len)
{
	o->account->memory -= o->memory;
	o->memory = sizeof(struct node) + sizeof(*o) + o->len + value_len;
	o->account->memory += o->memory;
}

void owned_discharge(struct owned *o)
{
	o->account->memory -= o->memory;
	htab_del(&o->account->owned, &o->link);
	LIST_REMOVE(o, entry);
	nodes_charged--;
	owned_free(o);
}
