// SPDX-License-Identifier: GPL-2.0-or-later
// xenstore-lite/quota.c - limits, and what each domain uses of them.
#include "xenstore-lite/quota.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xenstore-lite/node.h"

/* Defaults of Xen 4.17 (tools/xenstored/domain.c). */
struct quota_row quotas[QUOTA_COUNT] = {
	[QUOTA_NODES] = { "nodes", 1000, "nodes owned" },
	[QUOTA_WATCHES] = { "watches", 128, "watches" },
	[QUOTA_TRANSACTIONS] = { "transactions", 10, "open transactions" },
	[QUOTA_OUTSTANDING] = { "outstanding", 20, "unread replies" },
	[QUOTA_TXN_NODES] = { "transaction-nodes", 1024,
			      "nodes accessed in one transaction" },
	[QUOTA_MEMORY] = { "memory", 2560 * 1024,
			   "bytes of nodes, watches and unread messages" },
	[QUOTA_PERMS] = { "node-permissions", 5, "permissions of one node" },
	[QUOTA_NODE_SIZE] = { "node-size", 2048, "bytes in one node" },
	[QUOTA_PATH_MAX] = { "path-max", 2048,
			     "bytes of a path below /local/domain/N/" },
};

static struct htab accounts;
static size_t nodes_charged;

int quota_set(const char *name, unsigned int limit)
{
	for (size_t i = 0; i < QUOTA_COUNT; i++) {
		if (!strcmp(quotas[i].name, name)) {
			quotas[i].limit = limit;
			return 0;
		}
	}
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
		LIST_INIT(&a->list);
		htab_add(&accounts, &a->link, domid_hash(domid));
	}
	a->pins++;
	return a;
}

void account_unpin(struct account *a)
{
	if (--a->pins)
		return;
	htab_del(&accounts, &a->link);
	htab_fini(&a->owned);
	free(a);
}

size_t accounts_nodes(void)
{
	return nodes_charged;
}

bool account_over(enum quota_id q, uint64_t now, uint64_t more)
{
	return now + more > quotas[q].limit;
}

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
