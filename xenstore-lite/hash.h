/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-lite/hash.h - seeded hashing and intrusive hash tables. */
#ifndef XENSTORE_LITE_HASH_H
#define XENSTORE_LITE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

/**
 * hash_seed() - Draw the secret of this process; call once, at start.
 *
 * Guests choose names; without the secret they cannot choose where these land.
 */
void hash_seed(void);

/** hash_bytes() - Hash @n bytes; @salt keeps uses of one key apart. */
uint64_t hash_bytes(const void *p, size_t n, uint64_t salt);

/** struct hlink - Member of everything that is kept in a struct htab. */
struct hlink {
	struct hlink *next;
	uint64_t hash;
};

/** struct htab - A hash table that grows; zero-initialised is empty. */
struct htab {
	struct hlink **bucket;
	size_t nbuckets; /* a power of two, or 0 */
	size_t n;
};

/**
 * htab_reserve() - Make room for one more, so that htab_add() cannot fail.
 *
 * Return: 0 or -ENOMEM.  Only the very first bucket array is indispensable:
 * a table that cannot grow becomes slower, not wrong.
 */
int htab_reserve(struct htab *t) must_check;

/** htab_add() - Insert @l (borrowed until htab_del()) under @hash. */
void htab_add(struct htab *t, struct hlink *l, uint64_t hash);

/** htab_del() - Take out @l, which must be in @t. */
void htab_del(struct htab *t, struct hlink *l);

/** htab_first() - First link with this hash, or NULL. */
struct hlink *htab_first(const struct htab *t, uint64_t hash);

/** htab_next() - Next link with the same hash, or NULL. */
struct hlink *htab_next(const struct hlink *l);

/** htab_fini() - Free the buckets; the table must be empty or abandoned. */
void htab_fini(struct htab *t);

#endif
