// SPDX-License-Identifier: GPL-2.0-or-later
// tests/unit/test_quota.c - accounts, and the hash table below them.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <criterion/criterion.h>

#include "xenstore-lite/hash.h"
#include "xenstore-lite/quota.h"

Test(quota, limits)
{
	struct account *a = account_pin(7);

	cr_expect(!account_over(a, QUOTA_NODES, 999, 1));
	cr_expect(account_over(a, QUOTA_NODES, 1000, 1));
	quotas[QUOTA_NODES].limit = 5;
	cr_expect(!account_over(a, QUOTA_NODES, 4, 1));
	cr_expect(account_over(a, QUOTA_NODES, 5, 1));
	quotas[QUOTA_NODES].limit = 0;
	cr_expect(!account_over(a, QUOTA_NODES, 1u << 30, 1), "no limit");
	cr_expect_eq(quota_find("noodles"), -EINVAL);
	cr_expect_eq(quota_find("permissions"), QUOTA_PERMS);
	for (int i = 0; i < QUOTA_COUNT; i++) {
		cr_assert(quotas[i].name && quotas[i].text, "row %d", i);
		cr_expect_eq(quota_find(quotas[i].name), i);
	}
	account_unpin(a);
}

/* What is a domain's own outlives what it uses, until the domain ends. */
Test(quota, own_limits)
{
	struct account *a = account_pin(7);

	cr_expect_eq(account_set(7, QUOTA_NODES, 3), 0);
	cr_expect_eq(account_set(7, QUOTA_WATCHES, 0), 0);
	cr_expect(account_over(a, QUOTA_NODES, 3, 1));
	cr_expect(!account_over(a, QUOTA_WATCHES, 1u << 30, 1));
	cr_expect_eq(account_limit(a, QUOTA_TRANSACTIONS), 10);
	cr_expect_eq(account_limit(NULL, QUOTA_NODES), 1000);
	account_unpin(a);
	cr_expect_eq(account_find(7), a);
	cr_expect_eq(account_limit(a, QUOTA_NODES), 3);
	account_forget(7);
	cr_expect_null(account_find(7));
	account_forget(7);
}

Test(quota, most_that_was_allowed)
{
	struct account *a = account_pin(7);

	cr_expect(!account_over(a, QUOTA_NODES, 3, 1));
	cr_expect(!account_over(a, QUOTA_NODES, 1, 1));
	cr_expect(account_over(a, QUOTA_NODES, 1000, 1));
	cr_expect_eq(a->max[QUOTA_NODES], 4);
	cr_expect_eq(quotas[QUOTA_NODES].max, 4);
	accounts_reset_max();
	cr_expect_eq(a->max[QUOTA_NODES], 0);
	cr_expect_eq(quotas[QUOTA_NODES].max, 0);
	account_unpin(a);
}

Test(quota, account_lives_as_long_as_used)
{
	struct account *a;
	struct owned *o;

	cr_expect_null(account_find(7));
	a = account_pin(7);
	cr_assert_not_null(a);
	cr_expect_eq(account_find(7), a);
	cr_expect_eq(account_pin(7), a);
	account_unpin(a);
	o = owned_new(7, "/a");
	account_unpin(a);
	cr_expect_eq(account_find(7), a, "something may still be charged");
	owned_free(o);
	cr_expect_null(account_find(7));
}

Test(quota, charges)
{
	struct owned *a = owned_new(7, "/a"), *b = owned_new(7, "/b");
	uint64_t memory;

	cr_expect_null(owned_find(7, "/a"), "not charged yet");
	owned_charge(a, 0);
	owned_charge(b, 100);
	cr_expect_eq(owned_find(7, "/a"), a);
	cr_expect_eq(owned_find(7, "/b"), b);
	cr_expect_null(owned_find(8, "/a"));
	cr_expect_eq(accounts_nodes(), 2);
	cr_expect_eq(account_find(7)->owned.n, 2);
	memory = account_find(7)->memory;
	owned_resize(b, 300);
	cr_expect_eq(account_find(7)->memory, memory + 200);
	owned_discharge(a);
	cr_expect_null(owned_find(7, "/a"));
	cr_expect_eq(account_find(7)->owned.n, 1);
	owned_discharge(b);
	cr_expect_eq(accounts_nodes(), 0);
	cr_expect_null(account_find(7));
}

Test(quota, many_charges)
{
	static struct owned *o[5000];
	char path[32];

	for (int i = 0; i < 5000; i++) {
		snprintf(path, sizeof(path), "/n/%d", i);
		o[i] = owned_new(7, path);
		owned_charge(o[i], 0);
	}
	for (int i = 0; i < 5000; i += 2)
		owned_discharge(o[i]);
	for (int i = 0; i < 5000; i++) {
		snprintf(path, sizeof(path), "/n/%d", i);
		cr_assert_eq(owned_find(7, path), i & 1 ? o[i] : NULL);
	}
	for (int i = 1; i < 5000; i += 2)
		owned_discharge(o[i]);
}

/* Links with one hash are all found, whatever else shares their bucket. */
Test(hash, same_hash)
{
	struct hlink l[64] = { { 0 } };
	struct htab t = { 0 };
	int n = 0;

	cr_expect_null(htab_first(&t, 5));
	for (int i = 0; i < 64; i++) {
		cr_assert_eq(htab_reserve(&t), 0);
		htab_add(&t, &l[i],
			 i % 4 ? 5 : 5 + 1024u * (unsigned int)(i + 1));
	}
	for (struct hlink *at = htab_first(&t, 5); at; at = htab_next(at))
		n++;
	cr_expect_eq(n, 48);
	for (int i = 0; i < 64; i++)
		htab_del(&t, &l[i]);
	cr_expect_eq(t.n, 0);
	cr_expect_null(htab_first(&t, 5));
	htab_fini(&t);
}

/* The secret changes every hash; each byte and the salt matter. */
Test(hash, depends_on_all)
{
	char text[40];
	uint64_t h;

	memset(text, 'x', sizeof(text));
	h = hash_bytes(text, sizeof(text), 1);
	cr_expect_neq(hash_bytes(text, sizeof(text), 2), h);
	cr_expect_neq(hash_bytes(text, sizeof(text) - 1, 1), h);
	for (size_t i = 0; i < sizeof(text); i++) {
		text[i]++;
		cr_expect_neq(hash_bytes(text, sizeof(text), 1), h);
		text[i]--;
	}
	cr_expect_eq(hash_bytes(text, sizeof(text), 1), h);
	hash_seed();
	cr_expect_neq(hash_bytes(text, sizeof(text), 1), h);
}
